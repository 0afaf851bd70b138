"""A compiler launcher that keeps what ptxas says of each kernel: keep_resources.py NVCC ARGUMENT...

The lines go to OBJECT.resources beside the object file, where check_resources.py finds them; all others are passed
on, so that a build speaks only of what is wrong.
"""

import pathlib
import re
import subprocess
import sys

KEPT = re.compile(r"^ptxas info|bytes stack frame|^\s*$")

command = sys.argv[1:]
done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
kept, passed = [], []
for line in done.stdout.splitlines():
    (kept if KEPT.search(line) else passed).append(line)
if passed:
    print("\n".join(passed), file=sys.stderr)
if "-o" in command and done.returncode == 0 and kept:
    output = pathlib.Path(command[command.index("-o") + 1])
    output.with_name(output.name + ".resources").write_text("\n".join(kept) + "\n")
sys.exit(done.returncode)

"""Registers, shared memory and spills of every kernel, against the table kernels/resources.txt.

usage: check_resources.py BUILD_DIR [--update]

Reads what keep_resources.py left in a build of kernels/. Fails on a kernel that spills more than the table says, and on
kernels that are not in it; --update writes the table anew.
"""

import pathlib
import re
import subprocess
import sys

TABLE = pathlib.Path(__file__).with_name("resources.txt")
ENTRY = re.compile(r"Compiling entry function '(\S+)' for '(sm_\w+)'")
SPILL = re.compile(r"(\d+) bytes spill stores, (\d+) bytes spill loads")
USED = re.compile(r"Used (\d+) registers")
SHARED = re.compile(r"(\d+) bytes smem")
HEAD = "# registers / bytes of static shared memory / bytes spilled, by architecture; see check_resources.py"


def readable(mangled):
    """{mangled name: kernel_name<arguments>}"""
    text = subprocess.run(["c++filt"], input="\n".join(mangled), capture_output=True, text=True, check=True).stdout
    names = {}
    for name, full in zip(mangled, text.splitlines()):
        short = re.search(r"(\w+_kernel(?:<.*?>)?)\((?!anonymous)", full)
        names[name] = re.sub(r"incipit::device::(\(anonymous namespace\)::)?|\(\w+(::\w+)*\)", "",
                             short.group(1) if short else full)
    return names


def measured(build):
    """{(kernel, architecture): (registers, shared bytes, spilled bytes)}"""
    raw = {}
    for path in sorted(build.rglob("*.resources")):
        entry = None
        for line in path.read_text().splitlines():
            if found := ENTRY.search(line):
                entry, spilled = found.groups(), 0
            elif found := SPILL.search(line):
                spilled = int(found[1]) + int(found[2])
            elif entry and (found := USED.search(line)):
                shared = SHARED.search(line)
                raw[entry] = (int(found[1]), int(shared[1]) if shared else 0, spilled)
                entry = None
    names = readable(sorted({name for name, _ in raw}))
    return {(names[name], architecture): numbers for (name, architecture), numbers in raw.items()}


def write(found):
    kernels = sorted({kernel for kernel, _ in found})
    architectures = sorted({architecture for _, architecture in found}, key=lambda name: int(re.sub(r"\D", "", name)))
    width = max(map(len, kernels)) + 2
    lines = [HEAD, "kernel".ljust(width) + "".join(name.ljust(16) for name in architectures).rstrip()]
    for kernel in kernels:
        cells = ["/".join(map(str, found[kernel, name])) if (kernel, name) in found else "-" for name in architectures]
        lines.append(kernel.ljust(width) + "".join(cell.ljust(16) for cell in cells).rstrip())
    TABLE.write_text("\n".join(lines) + "\n")


def table():
    rows = [re.split(r"\s{2,}", line) for line in TABLE.read_text().splitlines() if not line.startswith("#")]
    known = {}
    for row in rows[1:]:
        for architecture, cell in zip(rows[0][1:], row[1:]):
            if cell != "-":
                known[row[0], architecture] = tuple(map(int, cell.split("/")))
    return known


def main():
    build = pathlib.Path(sys.argv[1])
    found = measured(build)
    if not found:
        sys.exit(f"{build}: no kernels found; build kernels/ there first")
    if "--update" in sys.argv:
        write(found)
        print(f"{TABLE}: {len(found)} kernels")
        return
    known = table()
    architectures = {architecture for _, architecture in known}
    wrong = []
    for (kernel, architecture), (registers, _, spilled) in sorted(found.items()):
        if architecture not in architectures:
            continue
        if (kernel, architecture) not in known:
            wrong.append(f"{kernel} for {architecture} is not in {TABLE.name}: run with --update")
        elif spilled > known[kernel, architecture][2]:
            wrong.append(f"{kernel} for {architecture} spills {spilled} bytes with {registers} registers; "
                         f"the table has {known[kernel, architecture][2]} with {known[kernel, architecture][0]}")
    spilling = sum(1 for numbers in found.values() if numbers[2] > 0)
    print("\n".join(wrong) or f"{len(found)} kernels, {spilling} of them spill, none more than the table says")
    sys.exit(1 if wrong else 0)


main()

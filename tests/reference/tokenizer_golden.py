#!/usr/bin/env python3
"""Writes golden token ids: what the Hugging Face library `tokenizers` makes of some tricky texts.

    pip install tokenizers
    tests/reference/tokenizer_golden.py inputs/nano/tokenizer.json tests/corpus/golden/nano.json --variants
    tests/reference/tokenizer_golden.py PYTHIA/tokenizer.json tests/corpus/golden/pythia.json

The texts come from a fixed seed. --variants adds cases for edited copies of the tokenizer (a JSON merge
patch stands beside them) that turn on every flag of added tokens and every option of the pre-tokenizer.
"""

import argparse
import hashlib
import json
import random

import tokenizers

SEED = 20250519

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


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tokenizer")
    parser.add_argument("output")
    parser.add_argument("--variants", action="store_true")
    options = parser.parse_args()
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
    with open(options.output, "w", encoding="ascii") as file:
        rows = {key: json.dumps(value) for key, value in golden.items() if key not in ("cases", "variants")}
        for key in ("cases", "variants"):
            rows[key] = "[\n" + ",\n".join(json.dumps(entry) for entry in golden[key]) + "\n]"
        file.write("{\n" + ",\n".join(f'"{key}": {value}' for key, value in rows.items()) + "\n}\n")


if __name__ == "__main__":
    main()

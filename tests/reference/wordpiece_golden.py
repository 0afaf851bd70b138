#!/usr/bin/env python3
"""WordPiece token ids against the Hugging Face libraries `tokenizers` and `transformers`.

    pip install tokenizers transformers
    tests/reference/wordpiece_golden.py tests/corpus/golden/wordpiece.json
    tests/reference/wordpiece_golden.py --live FOLDER [--texts TEXTS.jsonl.gz ...]

The first makes a little vocabulary of the bundled probes and on strings of its own, and writes golden ids of tricky
texts, for edited copies of the tokenizer too (a JSON merge patch stands beside them).

--live compares, for the encoder in FOLDER, every text of the files named, random strings, and every character of
Unicode between two letters: with its tokenizer.json, then with a copy of the folder that has vocab.txt alone. It runs
the program encode_texts of the tests.
"""

import argparse
import collections
import json
import pathlib
import random
import shutil
import sys
import tempfile

import tokenizers
import transformers
from tokenizers import models, normalizers, pre_tokenizers, processors

import tokenizer_golden as common

ROOT = pathlib.Path(__file__).resolve().parents[2]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LENGTH = 48
RANDOM_TEXTS = 20_000

TEXTS = common.PLAIN + common.MARKS + [
    "[CLS] inside [SEP]", "[cls] [sep] [mask]", "a [MASK].", "a[MASK]b", "[UNK] unk", "[PAD][PAD]", "<s> x </s> <mask> <unk>",
    "Naïve Café RÉSUMÉ", "İstanbul IĞDIR ı", "ΣΊΣΥΦΟΣ ὈΔΥΣΣΕΎΣ", "Straße STRASSE ẞ", "ǅ ǆ Ǆ", "ÆŒ æœ Ø", "Ⅷ ⅷ Ⓐ ⓐ",
    "中文字符and英文", "㐀㐁 𠀀𠀁 豈 丽 𫝀 𫠠 𫤠", "かなカナ漢字한글", "ﬁne ﬂow", "zero\u200bwidth soft\u00adhyphen \u2060join",
    "\ue000private\U000f0000use", "\u0378unassigned\U0003ffff", "\ufffdreplaced\ufffe\uffff", "a\u0301\u0302b\u0903c\u20ddd",
    "\u1734\u1885\u1886\ua9bd\U000111c9x", "\u166d.\u2e52.\u2e43.\U0001144b", "\u1c89\ua7cb\ua7dc\U00010d50\U00016ea0",
    "¡Hola! ¿Qué? «x» “y” „z‟ …", "$5 + 3 = 8 < 9 > 7 ^ 2 ` | ~", "a_b-c–d—e", "x" * 99, "x" * 100, "x" * 101, "é" * 100,
    "é" * 101, "e\u0301" * 100, "word " * 70, "electromagnetism, photosynthesis; the cell's nucleus", "\u0345\u1fbc\u1fc3",
]


def corpus():
    for line in (ROOT / "inputs/probes/terms.jsonl").read_text().splitlines()[::7]:
        text = json.loads(line)["text"]
        yield text
        yield text.lower()
    yield from TEXTS


def commonest(counts, most):
    return sorted(counts, key=lambda piece: (-counts[piece], piece))[:most]


def described():
    """Common words, beginnings and endings, lower-case and not, in one vocabulary that serves every variant."""
    split = pre_tokenizers.BertPreTokenizer().pre_tokenize_str
    words = collections.Counter(word for text in corpus() for word, _ in split(text) if len(word) <= 20)
    begins, ends = collections.Counter(), collections.Counter()
    for word, count in words.items():
        for at in range(1, len(word)):
            begins[word[:at]] += count
            ends["##" + word[at:]] += count
    letters = commonest(collections.Counter("".join(words.elements())), 300)
    pieces = SPECIAL + letters + ["##" + letter for letter in letters[:200]]
    pieces += commonest(words, 500) + commonest(begins, 200) + commonest(ends, 300)
    tokenizer = tokenizers.Tokenizer(models.WordPiece({piece: i for i, piece in enumerate(dict.fromkeys(pieces))}, unk_token="[UNK]"))
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return json.loads(tokenizer.to_str())


def opened(description):
    tokenizer = tokenizers.Tokenizer.from_str(json.dumps(description))
    tokenizer.no_padding()
    return tokenizer


def cases(description, texts, length=LENGTH):
    tokenizer = opened(description)
    tokenizer.enable_truncation(length)
    return [{"text": text, "ids": tokenizer.encode(text).ids} for text in texts]


def variants(description, generator):
    normal = description["normalizer"]
    special = {token["content"]: token["id"] for token in description["added_tokens"]}
    lines = common.added_tokens(description)
    patches = [
        {"normalizer": normal | {"lowercase": False}},
        {"normalizer": normal | {"lowercase": False, "strip_accents": True}},
        {"normalizer": normal | {"strip_accents": False}},
        {"normalizer": normal | {"clean_text": False}},
        {"normalizer": normal | {"handle_chinese_chars": False}},
        {"normalizer": None},
        {"post_processor": {"type": "BertProcessing", "sep": ["[SEP]", special["[SEP]"]], "cls": ["[CLS]", special["[CLS]"]]}},
        {"post_processor": {"type": "RobertaProcessing", "sep": ["[MASK]", special["[MASK]"]], "cls": ["[PAD]", special["[PAD]"]],
                            "trim_offsets": True, "add_prefix_space": False}},
        {"post_processor": None},
        {"model": {"max_input_chars_per_word": 4}},
        {"model": {"continuing_subword_prefix": "e"}},
        {"model": {"unk_token": "[MASK]"}},
        {"added_tokens": lines},
        {"added_tokens": lines, "normalizer": normal | {"lowercase": False}},
    ]
    for patch in patches:
        texts = generator.sample(TEXTS, 12) + list(common.random_texts(generator, 16, extra(description)))
        length = generator.choice([2, 3, 8, 16, 128])
        yield {"patch": patch, "length": length, "cases": cases(common.patched(description, patch), texts, length)}


def extra(description):
    names = [content for content, _ in common.ADDED] + SPECIAL
    return common.MARKS + names + some_words(description)


def some_words(description):
    return sorted(piece for piece in description["model"]["vocab"] if piece.isalpha())[::40]


def write_golden(path):
    description = described()
    generator = random.Random(common.SEED)
    texts = TEXTS + list(common.random_texts(generator, 120, extra(description)))
    golden = {
        "made_by": "tests/reference/wordpiece_golden.py",
        "library": "tokenizers " + tokenizers.__version__,
        "seed": common.SEED,
        "length": LENGTH,
        "tokenizer": description,
        "cases": cases(description, texts),
        "variants": list(variants(description, generator)),
    }
    rows = {key: json.dumps(value) for key, value in golden.items()}
    for key in ("cases", "variants"):
        rows[key] = "[\n" + ",\n".join(json.dumps(entry) for entry in golden[key]) + "\n]"
    pathlib.Path(path).write_text("{\n" + ",\n".join(f'"{key}": {value}' for key, value in rows.items()) + "\n}\n")


def every_character():
    """Each character that UTF-8 can hold stands between two letters, where it joins, parts, or is unknown."""
    points = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    for begin in range(0, len(points), 120):
        yield " ".join(f"a{chr(c)}b" for c in points[begin : begin + 120])


def compare(options, folder, library, name, texts):
    different = seen = tokens = 0
    for chunk in common.chunks(texts):
        expected = library(chunk)
        given = [text.encode() for text in chunk]
        found = common.ours(options.encoder, folder, given, str(options.length))
        for text, right, ids in zip(chunk, expected, found, strict=True):
            if ids != right:
                different += 1
                if different <= 5:
                    print(f"  differs: {text[:200]!r}: {str(ids)[:300]}, expected {str(right)[:300]}")
            tokens += len(right)
        seen += len(chunk)
    print(f"{name}: {seen} texts, {tokens} tokens, {different} differ", flush=True)
    return different if seen else 1


def compare_all(options, folder, library):
    different = 0
    for path in options.texts:
        different += compare(options, folder, library, pathlib.Path(path).name, common.texts_of(path))
    generator = random.Random(common.SEED + 2)
    pieces = 2 * common.MARKS + 2 * SPECIAL + 2 * ["<s>", "</s>", "<mask>", "<unk>", "<pad>", "[unused5]"] + TEXTS[-70:]
    different += compare(options, folder, library, "random", common.random_texts(generator, RANDOM_TEXTS, pieces))
    return different + compare(options, folder, library, "every character", every_character())


def run_live(options):
    folder = pathlib.Path(options.live)
    whole = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    whole.no_padding()
    whole.enable_truncation(options.length)
    print(f"{folder.name}: tokenizer.json, tokenizers {tokenizers.__version__}")
    different = compare_all(options, folder, lambda texts: [e.ids for e in whole.encode_batch_fast(texts)])
    with tempfile.TemporaryDirectory() as copy:
        for name in ("vocab.txt", "tokenizer_config.json", "config.json"):
            shutil.copy(folder / name, copy)
        print(f"{folder.name}: vocab.txt, transformers {transformers.__version__}")
        parts = transformers.AutoTokenizer.from_pretrained(copy)
        different += compare_all(options, copy,
                                 lambda texts: parts(texts, truncation=True, max_length=options.length)["input_ids"])
    sys.exit(1 if different else 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", nargs="?")
    parser.add_argument("--live", metavar="FOLDER")
    parser.add_argument("--texts", nargs="*", default=[], metavar="TEXTS.jsonl.gz")
    parser.add_argument("--length", type=int, default=384)
    parser.add_argument("--encoder", default=common.ENCODER, help="the program encode_texts of the tests")
    options = parser.parse_args()
    if (options.live is None) == (options.output is None):
        parser.error("either an output or --live")
    if options.live is None:
        write_golden(options.output)
    else:
        run_live(options)


if __name__ == "__main__":
    main()

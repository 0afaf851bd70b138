"""Lengths in tokens of a probe file's questions, as 401 quantiles: mmlu_pro_lengths.inc

    python3 kernels/bench/length_quantiles.py mmlu_pro.jsonl.gz tokenizer.json > kernels/bench/mmlu_pro_lengths.inc

The text is that of inputs/mmlu-pro.ini: the question, and "Subject:" on a line of its own. Needs `tokenizers`.
"""

import gzip
import json
import sys

from tokenizers import Tokenizer

TEMPLATE = "{question}\nSubject:"


def lengths(probes, tokenizer):
    with gzip.open(probes, "rt", encoding="utf-8") as lines:
        texts = [TEMPLATE.format(question=json.loads(line)["question"]) for line in lines]
    return sorted(len(encoding.ids) for encoding in tokenizer.encode_batch(texts))


def quantiles(values, parts):
    """The smallest, the largest, and parts − 1 between them."""
    return [values[round(i * (len(values) - 1) / parts)] for i in range(parts + 1)]


def main():
    probes, tokenizer = sys.argv[1:]
    values = lengths(probes, Tokenizer.from_file(tokenizer))
    table = quantiles(values, 400)
    print(f"// Quantiles 0, 1/400, … 1 of the lengths of {len(values)} MMLU-Pro questions in Pythia's tokens, {sum(values)}")
    print("// in all; made by length_quantiles.py.")
    for i in range(0, len(table), 20):
        print(" ".join(f"{value}," for value in table[i:i + 20]))


main()

#!/usr/bin/env python3
"""Token ids and embeddings of real sentence encoders, as the library `sentence-transformers` gives them.

    pip install sentence-transformers h5py
    jobs/get-encoder.sh ENCODERS/all-mpnet-base-v2
    jobs/get-encoder.sh ENCODERS/all-MiniLM-L6-v2 all-MiniLM-L6-v2
    tests/reference/sentence_golden.py ENCODERS tests/golden/sentences.h5

The texts are of our own making: labels, questions, other scripts, nothing at all, and one that is cut.
"""

import pathlib
import sys

import numpy as np
import sentence_transformers
import torch
import transformers

import golden

NAMES = ("all-mpnet-base-v2", "all-MiniLM-L6-v2")
TEXTS = [
    "biology",
    "cells, membranes and organelles",
    "courts, judges and juries",
    "demand, market, price",
    "the science of living organisms",
    "Questions of ethics, duty and virtue",
    "a cup of tea with milk and sugar",
    "Which of these rules does a court apply when a contract says nothing about delivery?",
    "A ball is thrown upwards at 12 m/s. How long does it take to come back (g = 9.81 m/s²)?",
    "What happens to the price of bread if the price of flour doubles and wages fall by 10 %?",
    "∫ x² dx = x³/3 + C; f'(x) ≥ 0",
    "Ca(OH)₂ + CO₂ → CaCO₃ + H₂O",
    "def area(r): return 3.14159 * r ** 2",
    "Naïve Café, ÉLÈVE, Straße, İstanbul",
    "die Wissenschaft vom Leben",
    "наука о живых организмах",
    "生物学は生命の科学である",
    "생물학 علم الأحياء",
    "🧬🔬 genes!!! <mask> [MASK] </s> [SEP]",
    "pneumonoultramicroscopicsilicovolcanoconiosis",
    "UPPER lower\tTAB\n\nnew   line\u200b",
    "x",
    "",
    "The cell divides, and each of its halves grows until it divides again. " * 40,
]


def flat(lists):
    return np.concatenate([np.asarray(items, np.int32) for items in lists]), np.cumsum([len(items) for items in lists])


def main():
    encoders, output = pathlib.Path(sys.argv[1]), sys.argv[2]
    versions = {"sentence_transformers": sentence_transformers.__version__, "torch": torch.__version__,
                "transformers": transformers.__version__}
    with golden.create(output, 0, versions) as file:
        bytes_, ends = flat([list(text.encode()) for text in TEXTS])
        golden.put(file, "texts", bytes_, np.int32)
        golden.put(file, "text_ends", ends, np.int32)
        for name in NAMES:
            model = sentence_transformers.SentenceTransformer(str(encoders / name), device="cpu")
            # One text at a time: nothing is padded.
            rows = [model.encode([text], normalize_embeddings=True)[0] for text in TEXTS]
            ids = [model.tokenize([text])["input_ids"][0].tolist() for text in TEXTS]
            group = file.create_group(name)
            tokens, ends = flat(ids)
            golden.put(group, "tokens", tokens, np.int32)
            golden.put(group, "token_ends", ends, np.int32)
            golden.put(group, "embeddings", np.stack(rows), np.float32)


if __name__ == "__main__":
    main()

"""Texts per second of Incipit's sentence encoder and of sentence-transformers, by turns on the same cores.

    python3 tests/bench/encoder_bench.py --build build/bench --encoder all-mpnet-base-v2 --probes mmlu_pro.jsonl.gz

Texts are MMLU-Pro's questions, evenly spaced in the file, and short labels: their opening words. sentence-transformers
encodes with its default batch size of 32; the time of its tokenizer alone is taken off, since ours gets token ids. Both
are timed in turns, first one thread, then two; the ratio is that of the medians.
"""

import argparse
import gzip
import json
import pathlib
import re
import statistics
import subprocess
import tempfile
import time

import sentence_transformers
import torch


def questions(path, count):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        texts = [json.loads(line)["question"] for line in file]
    return [texts[at * len(texts) // count] for at in range(count)]


def labels(path, count):
    """One to four of a question's words, no two alike."""
    texts = {}
    for at, text in enumerate(questions(path, 2 * count)):
        texts.setdefault(" ".join(text.split()[: 1 + at % 4]))
    return list(texts)[:count]


def seconds(work):
    """On the wall, and of the processors."""
    wall, processor = time.monotonic(), time.process_time()
    work()
    return time.monotonic() - wall, time.process_time() - processor


def theirs(model, texts):
    whole = seconds(lambda: model.encode(texts, show_progress_bar=False))
    ids = seconds(lambda: model.tokenizer(texts, truncation=True, max_length=model.max_seq_length))
    return [a - b for a, b in zip(whole, ids)]


def ours(options, threads, tokens):
    done = subprocess.run([options.build / "tests/model/encoder_bench", f"--encoder={options.encoder}",
                           f"--tokens={tokens}", f"--threads={threads}"], check=True, capture_output=True, text=True)
    return [float(re.search(rf"{name} ([0-9.]+)", done.stdout).group(1)) for name in ("seconds", "processor")]


def compare(options, model, name, texts, threads):
    torch.set_num_threads(threads)
    ids = model.tokenizer(texts, truncation=True, max_length=model.max_seq_length)["input_ids"]
    with tempfile.NamedTemporaryFile("w", suffix=".tokens") as file:
        file.write("".join(" ".join(map(str, text)) + "\n" for text in ids))
        file.flush()
        rounds = [(theirs(model, texts), ours(options, threads, file.name)) for _ in range(options.rounds)]
    wall = [statistics.median(of[which][0] for of in rounds) for which in (0, 1)]
    processor = [statistics.median(of[which][1] for of in rounds) for which in (0, 1)]
    print(f"{name:10} {len(texts):5} texts, {sum(map(len, ids)) / len(ids):5.1f} tokens on average, {threads} threads: "
          f"sentence-transformers {len(texts) / wall[0]:7.2f}/s, incipit {len(texts) / wall[1]:7.2f}/s, "
          f"ratio {wall[0] / wall[1]:.2f}, of processor time {processor[0] / processor[1]:.2f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--encoder", type=pathlib.Path, required=True, help="a folder of sentence-transformers")
    parser.add_argument("--probes", type=pathlib.Path, required=True, help="MMLU-Pro, JSON Lines in gzip")
    parser.add_argument("--questions", type=int, default=128)
    parser.add_argument("--labels", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", default="1,2")
    options = parser.parse_args()
    model = sentence_transformers.SentenceTransformer(str(options.encoder), device="cpu")
    print(f"sentence-transformers {sentence_transformers.__version__}, torch {torch.__version__}", flush=True)
    for threads in map(int, options.threads.split(",")):
        compare(options, model, "questions", questions(options.probes, options.questions), threads)
        compare(options, model, "labels", labels(options.probes, options.labels), threads)


if __name__ == "__main__":
    main()

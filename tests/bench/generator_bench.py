"""Judgements and written tokens per second of a GPT-NeoX teacher, and of transformers, by turns on the same cores.

    python3 tests/bench/generator_bench.py --build build/bench

The model is a random checkpoint in the shape of Pythia-160M, which is written first; prompts are random tokens, as long
as questions to a teacher are. A judgement compares the logits of two tokens behind a prompt; transformers gets the
prompts one by one, for the last token's logits alone, which is faster on a processor than padding them together. Writing
is greedy; transformers is given the prompts padded, sixteen at a time. All times are without reading the weights. Ratios
are of processor time, which others on the machine disturb less than the wall's.
"""

import argparse
import pathlib
import re
import statistics
import subprocess
import tempfile
import time

import numpy as np
import torch
import transformers

LANES = 16


def load(folder):
    model = transformers.GPTNeoXForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return model.eval()


@torch.no_grad()
def judged(model, prompts):
    return [model(torch.tensor([prompt]), logits_to_keep=1, use_cache=False).logits[0, -1, [2, 3]].tolist() for prompt in prompts]


@torch.no_grad()
def written(model, prompts, count):
    texts = []
    for at in range(0, len(prompts), LANES):
        batch = prompts[at : at + LANES]
        longest = max(map(len, batch))
        ids = torch.tensor([[0] * (longest - len(p)) + p for p in batch])
        mask = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in batch])
        done = model.generate(ids, attention_mask=mask, max_new_tokens=count, do_sample=False, eos_token_id=None, pad_token_id=0)
        texts += done[:, longest:].tolist()
    return texts


def timed(work):
    wall, processor = time.monotonic(), time.process_time()
    answers = work()
    return time.monotonic() - wall, time.process_time() - processor, answers


def ours(options, folder, prompts, count, threads):
    with tempfile.TemporaryDirectory() as place:
        tokens, answers = (pathlib.Path(place) / name for name in ("tokens", "answers"))
        tokens.write_text("".join(" ".join(map(str, prompt)) + "\n" for prompt in prompts))
        done = subprocess.run([options.build / "tests/model/generator_bench", f"--checkpoint={folder}", f"--tokens={tokens}",
                               f"--answers={answers}", f"--write={count}", f"--threads={threads}"],
                              check=True, capture_output=True, text=True)
        read = float if count == 0 else int
        given = [[read(word) for word in line.split()] for line in answers.read_text().splitlines()]
    return [float(re.search(rf"{name} ([0-9.]+)", done.stdout).group(1)) for name in ("seconds", "processor")] + [given]


def compare(options, model, folder, name, prompts, count, threads):
    torch.set_num_threads(threads)
    rounds = []
    for _ in range(options.rounds):
        theirs = timed(lambda: judged(model, prompts) if count == 0 else written(model, prompts, count))
        rounds.append((theirs, ours(options, folder, prompts, count, threads)))
    median = [[statistics.median(of[who][which] for of in rounds) for which in (0, 1)] for who in (0, 1)]
    if count == 0:
        agree = f"largest difference of a logit {np.abs(np.subtract(rounds[0][0][2], rounds[0][1][2])).max():.1e}"
    else:
        agree = f"{sum(a == b for a, b in zip(rounds[0][0][2], rounds[0][1][2]))} of {len(prompts)} texts alike"
    things = len(prompts) * max(1, count)
    print(f"{name:10} {len(prompts):3} prompts of {sum(map(len, prompts)) / len(prompts):5.1f} tokens, {threads} threads: transformers "
          f"{things / median[0][0]:7.2f}/s, {things / median[0][1]:7.2f} per core; incipit {things / median[1][0]:7.2f}/s, "
          f"{things / median[1][1]:7.2f} per core; ratio {median[0][1] / median[1][1]:.2f}; {agree}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--judgements", type=int, default=32)
    parser.add_argument("--texts", type=int, default=16)
    parser.add_argument("--write", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", default="1,2")
    options = parser.parse_args()
    print(f"transformers {transformers.__version__}, torch {torch.__version__}", flush=True)
    random = np.random.default_rng(1)

    def prompts(count, shortest, longest):
        return [random.integers(0, 50000, random.integers(shortest, longest)).tolist() for _ in range(count)]

    with tempfile.TemporaryDirectory() as place:
        folder = pathlib.Path(place) / "pythia-160m"
        subprocess.run([options.build / "tests/model/make_random_checkpoint", folder, "--d=768", "--layers=12", "--heads=12",
                        "--vocab=50304", "--context=2048"], check=True)
        model = load(folder)
        for threads in map(int, options.threads.split(",")):
            compare(options, model, folder, "judgements", prompts(options.judgements, 80, 220), 0, threads)
            compare(options, model, folder, "writing", prompts(options.texts, 400, 900), options.write, threads)


if __name__ == "__main__":
    main()

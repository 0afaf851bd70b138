#!/usr/bin/env python3
"""The goals of docs/gpu-checklist.md beside what kernels_bench and peers.py measured.

    python3 kernels/bench/goals.py bench.csv [peers.csv]

Says of each goal "reached", "MISSED" or "not measured"; says nothing by its exit code, since a goal is not a test.
"""

import csv
import pathlib
import sys

FORWARD = {"pythia-12b": 0.60, "pythia-2.8b": 0.60, "pythia-410m": 0.40, "pythia-70m": 0.40}
SMALLEST = 10e-6  # seconds at the least: what is shorter is bound by its launch


def lines_of(path):
    if not path or not pathlib.Path(path).exists():
        return []
    with open(path, encoding="utf-8") as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))


def verdict(goal, found, unit, wanted):
    text = "not measured"
    if found is not None:
        text = f"{found:8.2f} {unit:<14} {'reached' if found >= wanted else 'MISSED'}"
    print(f"{goal:<66} >= {wanted:5.2f}  {text}")


def main():
    bench, peers = lines_of(sys.argv[1]), lines_of(sys.argv[2] if len(sys.argv) > 2 else None)
    for model, wanted in FORWARD.items():
        shares = [float(line["share"]) for line in bench
                  if (line["part"], line["operation"], line["type"]) == ("forward", model, "bf16")]
        verdict(f"forward pass in bf16, {model}, best pack", max(shares, default=None), "of bf16 GEMM", wanted)
    for model in FORWARD:
        ratios = [float(line["ratio"]) for line in peers
                  if (line["part"], line["operation"], line["shape"]) == ("forward", model, "best") and line["ratio"]]
        verdict(f"forward pass in bf16 against transformers, {model}", max(ratios, default=None), "times", 3)
    ratios = [float(line["ratio"]) for line in peers if line["part"] == "sae_step" and line["ratio"]]
    verdict("SAE training, k = 1, against dense PyTorch, best batch", max(ratios, default=None), "times", 20)
    for kind in ("fp32", "fp64"):
        ratios = [float(line["ratio"]) for line in peers
                  if (line["part"], line["type"]) == ("polar", kind) and line["ratio"]]
        verdict(f"polar factor of 5120 x 5120 in {kind} against gesvd", max(ratios, default=None), "times", 5)
    bound = [line for line in bench if line["part"] == "operation" and line["bound"] == "copy"
             and float(line["share"]) * float(line["seconds"]) >= SMALLEST]
    for line in bound:
        verdict(f"{line['operation']} {line['type']} {line['shape']}", float(line["share"]), "of copy", 0.85)
    if not bound:
        verdict("operations bound by memory", None, "", 0.85)


main()

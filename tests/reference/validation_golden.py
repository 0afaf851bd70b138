#!/usr/bin/env python3
"""Next-token losses of a trained family by Hugging Face `transformers` in fp32.

    pip install torch transformers numpy h5py
    tests/reference/validation_golden.py FAMILY/validation.json tests/golden/validation.h5

validation.json holds token ids ("tokens") and the models and steps they were judged at ("loss"); the checkpoints lie
beside it as MODEL/stepN. Of its own losses nothing is taken over: they are of the weights before they were rounded.
"""

import argparse
import json
import pathlib

import torch
import transformers

import forward_golden
import golden

BATCH = 8


def loss_of(model, tokens):
    """Nats per predicted token: logits in fp32, their losses in fp64."""
    total = 0.0
    for begin in range(0, len(tokens), BATCH):
        ids = tokens[begin : begin + BATCH]
        logits = model(ids, use_cache=False).logits[:, :-1].double()
        total += float(torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten(), reduction="sum"))
    return total / (tokens.shape[0] * (tokens.shape[1] - 1))


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("validation", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    asked = parser.parse_args()
    validation = json.loads(asked.validation.read_text())
    tokens = torch.tensor(validation["tokens"])
    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    with golden.create(asked.out, 0, versions) as file:
        for name, losses in sorted(validation["loss"].items()):
            steps = sorted(int(step) for step in losses)
            found = [loss_of(forward_golden.load_whole(asked.validation.parent / name / f"step{step}"), tokens)
                     for step in steps]
            group = file.create_group(name)
            golden.put(group, "step", steps, "int64")
            golden.put(group, "loss", found)
            print(name, *(f"{step}:{loss - losses[str(step)]:+.5f}" for step, loss in zip(steps, found)), flush=True)


main()

#!/usr/bin/env python3
"""Greedy generation and logits behind prompts against GPTNeoXForCausalLM of Hugging Face `transformers` in fp32.

    pip install torch transformers numpy h5py
    tests/reference/generator_golden.py tests/golden/generator.h5

Little checkpoints, which the test makes again from their seed, and random prompts: the tokens that `generate` writes
behind each of them, and the logits of some tokens there. Texts whose best two logits ever come nearer than MARGIN are
left out, so that rounding decides nothing.
"""

import argparse
import pathlib
import tempfile

import numpy as np
import torch
import transformers

import forward_golden
import golden

SEED = 20250601
MARGIN = 2e-3
WRITTEN = 9
LENGTHS = (1, 2, 9, 17, 17, 30, 41, 60)
CHOSEN = 7
LITTLE = {"vocab": 1600, "context": 128}
CASES = {
    "parallel": forward_golden.Shape(2, 3, 32, rotary=0.25, **LITTLE),
    "serial": forward_golden.Shape(2, 2, 32, rotary=1.0, parallel=False, dtype="f32", **LITTLE),
}


@torch.no_grad()
def written(model, prompt):
    """The tokens that follow, and by how much the best of each step led."""
    ids = torch.tensor([prompt])
    done = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=WRITTEN, do_sample=False,
                          eos_token_id=None, pad_token_id=0, output_logits=True, return_dict_in_generate=True)
    lead = min((best[0, 0] - best[0, 1]).item() for best in (step.topk(2).values for step in done.logits))
    return done.sequences[0, len(prompt):].tolist(), lead


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output")
    parser.add_argument("--maker", default=forward_golden.BUILD / "tests" / "model" / "make_random_checkpoint")
    options = parser.parse_args()
    libraries = {"torch": torch.__version__, "transformers": transformers.__version__}
    with golden.create(options.output, SEED, libraries) as file:
        for index, (name, shape) in enumerate(CASES.items()):
            generator = np.random.default_rng([SEED, index])
            chosen = generator.integers(0, shape.vocab, CHOSEN).tolist()
            with tempfile.TemporaryDirectory() as folder:
                forward_golden.make_checkpoint(options.maker, pathlib.Path(folder), shape, index + 41)
                model = forward_golden.load_whole(pathlib.Path(folder))
            texts = [generator.integers(0, shape.vocab, length).tolist() for length in LENGTHS]
            answers = [written(model, text) for text in texts]
            kept = [at for at, (_, lead) in enumerate(answers) if lead > MARGIN]
            logits, _ = forward_golden.predictions(model, [texts[at] for at in kept])
            group = file.create_group(name)
            group.attrs["seed"] = index + 41
            group.attrs["f16"] = int(shape.dtype == "f16")
            group.attrs["parallel"] = int(shape.parallel)
            for key in ("layers", "heads", "head_size", "vocab", "context", "rotary"):
                group.attrs[key] = getattr(shape, key)
            golden.put(group, "tokens", sum((texts[at] for at in kept), []), np.int32)
            golden.put(group, "length", [len(texts[at]) for at in kept], np.int64)
            golden.put(group, "written", [answers[at][0] for at in kept], np.int32)
            golden.put(group, "chosen", chosen, np.int32)
            golden.put(group, "logits", logits[:, chosen], np.float32)
            different = len({tuple(answers[at][0]) for at in kept})
            print(f"{name:9} {len(kept)} of {len(texts)} texts, {different} different answers, "
                  f"least lead {min(answers[at][1] for at in kept):.4f}")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Residual streams, logits and losses of the forward pass against GPTNeoX of Hugging Face `transformers` in fp32.

    pip install torch transformers tokenizers numpy h5py
    tests/reference/forward_golden.py tests/golden/forward.h5
    tests/reference/forward_golden.py --live --probes mmlu_pro.jsonl.gz --tokenizer PYTHIA/tokenizer.json

The first writes the golden file: little checkpoints of every head size of Pythia, which the test makes again from
their seed, random tokens, the residuals of the last tokens at every layer, the logits there, and the next-token
losses of all texts.

--live compares `incipit extract` on real questions for all ten shapes of Pythia and prints, per shape, the largest
relative error of a layer (Frobenius norm over all questions) and of a single vector. Up to 410M the shapes are the
true ones. Above, there are two of each: `wide` with all heads and few layers, `deep` with all layers and few heads.
With --trained it is the last step of every model of a family instead.
"""

import argparse
import dataclasses
import gzip
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import h5py
import numpy as np
import safetensors.torch
import tokenizers
import torch
import transformers

import golden

SEED = 20250519
BOUND = 2e-5
BUILD = golden.ROOT / "build" / "dev"


@dataclasses.dataclass
class Shape:
    layers: int
    heads: int
    head_size: int
    vocab: int = 50304
    context: int = 2048
    rotary: float = 0.25
    parallel: bool = True
    dtype: str = "f16"

    @property
    def d(self):
        return self.heads * self.head_size


# Published shapes: layers, heads, size of a head.
PYTHIA = {
    "14m": Shape(6, 4, 32),
    "31m": Shape(6, 8, 32),
    "70m": Shape(6, 8, 64),
    "160m": Shape(12, 12, 64),
    "410m": Shape(24, 16, 64),
    "1b": Shape(16, 8, 256),
    "1.4b": Shape(24, 16, 128),
    "2.8b": Shape(32, 32, 80),
    "6.9b": Shape(32, 32, 128, vocab=50432),
    "12b": Shape(36, 40, 128, vocab=50688),
}
WHOLE = ("14m", "31m", "70m", "160m", "410m")
WIDE_LAYERS, DEEP_HEADS = 2, 3

LITTLE = {"vocab": 211, "context": 256}
GOLDEN = {
    "head32": Shape(3, 3, 32, **LITTLE),
    "head64": Shape(3, 2, 64, parallel=False, dtype="f32", **LITTLE),
    "head80": Shape(3, 2, 80, **LITTLE),
    "head128": Shape(3, 2, 128, rotary=0.5, parallel=False, **LITTLE),
    "head256": Shape(3, 1, 256, **LITTLE),
    "rotary1": Shape(4, 2, 32, rotary=1.0, dtype="f32", **LITTLE),
}
GOLDEN_LENGTHS = (1, 2, 17, 64, 141)


def make_checkpoint(maker, folder, shape, seed):
    words = [maker, folder, "--d", shape.d, "--layers", shape.layers, "--heads", shape.heads, "--vocab", shape.vocab]
    words += ["--context", shape.context, "--rotary", shape.rotary, "--dtype", shape.dtype, "--seed", seed]
    if not shape.parallel:
        words.append("--sequential")
    subprocess.run(list(map(str, words)), check=True, stdout=subprocess.DEVNULL)


def load(folder, shape):
    """The model without its unembedding, in fp32."""
    config = transformers.GPTNeoXConfig.from_pretrained(folder, attn_implementation="eager")
    state = safetensors.torch.load_file(folder / "model.safetensors")
    prefix = "gpt_neox."
    # Copied also where it is fp32 already: products differ in their last bits with where in memory a file is mapped.
    state = {
        name.removeprefix(prefix): tensor.to(torch.float32, copy=True)
        for name, tensor in state.items()
        if name.startswith(prefix)
    }
    with torch.device("meta"):
        model = transformers.GPTNeoXModel(config)
    # Buffers are made from the config, not read: on a device that is there.
    model.rotary_emb = type(model.rotary_emb)(config)
    model.load_state_dict(state, strict=True, assign=True)
    turned = 2 * len(model.rotary_emb.inv_freq)
    if turned != int(shape.rotary * shape.head_size):
        raise SystemExit(f"transformers turns {turned} dimensions of a head, not {shape.rotary} of {shape.head_size}")
    return model.eval()


def load_whole(folder):
    """The model with its unembedding, in fp32."""
    config = transformers.GPTNeoXConfig.from_pretrained(folder, attn_implementation="eager")
    state = safetensors.torch.load_file(folder / "model.safetensors")
    state = {name: tensor.to(torch.float32, copy=True) for name, tensor in state.items()}
    with torch.device("meta"):
        model = transformers.GPTNeoXForCausalLM(config)
    model.gpt_neox.rotary_emb = type(model.gpt_neox.rotary_emb)(config)
    if hasattr(model, "lm_head"):  # its name from transformers 5 on
        state["lm_head.weight"] = state.pop("embed_out.weight")
    model.load_state_dict(state, strict=True, assign=True)
    return model.eval()


@torch.no_grad()
def predictions(model, texts):
    """Logits at the last token of each text, [texts, vocab], and the sum of each text's next-token losses: the mean
    that transformers gives, times the number of tokens that have one before them."""
    logits, losses = [], []
    for tokens in texts:
        ids = torch.tensor([tokens])
        done = model(ids, labels=ids, use_cache=False)
        logits.append(done.logits[0, -1])
        losses.append(done.loss.item() * (len(tokens) - 1) if len(tokens) > 1 else 0.0)
    return torch.stack(logits).numpy(), losses


@torch.no_grad()
def residuals(model, texts):
    """[layers + 1, texts, d]: before the blocks and after each, at the last token; each text alone, so no padding."""
    kept = []

    def keep_input(_, arguments):
        kept.append(arguments[0][0, -1])

    def keep_output(_, __, output):
        kept.append((output if torch.is_tensor(output) else output[0])[0, -1])

    handles = [model.layers[0].register_forward_pre_hook(keep_input)]
    handles += [layer.register_forward_hook(keep_output) for layer in model.layers]
    rows = []
    for tokens in texts:
        kept.clear()
        model(torch.tensor([tokens]), use_cache=False)
        rows.append(torch.stack(kept))
    for handle in handles:
        handle.remove()
    return torch.stack(rows, dim=1).numpy()


def write_golden(options):
    libraries = {"torch": torch.__version__, "transformers": transformers.__version__}
    with golden.create(options.output, SEED, libraries) as file:
        for index, (name, shape) in enumerate(GOLDEN.items()):
            generator = np.random.default_rng([SEED, index])
            texts = [generator.integers(0, shape.vocab, length).tolist() for length in GOLDEN_LENGTHS]
            with tempfile.TemporaryDirectory() as folder:
                make_checkpoint(options.maker, pathlib.Path(folder), shape, index + 1)
                expected = residuals(load(pathlib.Path(folder), shape), texts)
                logits, losses = predictions(load_whole(pathlib.Path(folder)), texts)
            group = file.create_group(name)
            group.attrs["seed"] = index + 1
            group.attrs["f16"] = int(shape.dtype == "f16")
            group.attrs["parallel"] = int(shape.parallel)
            for key in ("layers", "heads", "head_size", "vocab", "context", "rotary"):
                group.attrs[key] = getattr(shape, key)
            golden.put(group, "tokens", sum(texts, []), np.int32)
            golden.put(group, "length", GOLDEN_LENGTHS, np.int64)
            golden.put(group, "residual", expected, np.float32)
            golden.put(group, "logits", logits, np.float32)
            golden.put(group, "loss", losses, np.float64)
            print(f"{name:8} {expected.shape}, norm of the last layer {np.linalg.norm(expected[-1]):.3f}, "
                  f"loss {sum(losses) / sum(length - 1 for length in GOLDEN_LENGTHS):.4f}")


def pick_questions(path, tokenizer, count):
    """`count` questions evenly spaced in the order of their length, the shortest and nearly the longest among them."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        questions = [json.loads(line)["question"] for line in file]
    texts = sorted(dict.fromkeys(questions), key=lambda text: (len(tokenizer.encode(text).ids), text))
    return [texts[round(at * 0.998 * (len(texts) - 1))] for at in np.linspace(0, 1, count)]


def live_shapes():
    for name, shape in PYTHIA.items():
        if name in WHOLE:
            yield name, "whole", shape
        else:
            yield name, "wide", dataclasses.replace(shape, layers=WIDE_LAYERS)
            yield name, "deep", dataclasses.replace(shape, heads=DEEP_HEADS)


def extract(options, folder, family, texts):
    """What the suite gives: [layers + 1, texts, d]."""
    lines = [json.dumps({"id": str(i), "subject": "any", "text": text}) for i, text in enumerate(texts)]
    (folder / "probes.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "deck.ini").write_text(f"[family]\npath = {family}\n[probes]\npath = probes.jsonl\n[anchor.time]\n"
                                     "[extract]\nlayers = all\n[match]\nsubjects = subjects.json\n")
    subjects = {"subjects": {"any": {"phrases": ["any"], "read": True}}, "decoys": ["none"]}
    (folder / "subjects.json").write_text(json.dumps(subjects))
    words = [options.incipit, "extract", folder / "deck.ini", f"--run.output={folder / 'out'}", "--run.threads=1"]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, env=os.environ | {
        "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"})
    if done.returncode != 0:
        raise SystemExit(done.stdout + done.stderr)
    (result,) = (folder / "out" / "activations").rglob("*.h5")
    with h5py.File(result) as file:
        ids = [name.decode() for name in file["probe_id"][()]]
        assert ids == [str(i) for i in range(len(texts))]
        return file["residual"][()]


def relative(error, norm):
    """NaN where either is: it passes no comparison."""
    return np.sqrt(error.sum(axis=-1)) / np.sqrt(norm.sum(axis=-1))


def compare(options, label, shape, make, tokenizer, texts):
    """Prints one line; true if every layer is within the bound. `make` puts the checkpoint where it is told."""
    library = tokenizers.Tokenizer.from_file(str(tokenizer))
    with tempfile.TemporaryDirectory(dir=options.scratch) as scratch:
        folder = pathlib.Path(scratch)
        step = folder / "family" / "model" / "step0"
        step.parent.mkdir(parents=True)
        shutil.copy(tokenizer, folder / "family" / "tokenizer.json")
        make(step)
        ours = extract(options, folder, folder / "family", texts).astype(np.float64)
        theirs = residuals(load(step, shape), [library.encode(text).ids for text in texts]).astype(np.float64)
    assert ours.shape == theirs.shape == (shape.layers + 1, len(texts), shape.d)
    error, norm = (ours - theirs) ** 2, theirs**2
    layers = relative(error.reshape(len(error), -1), norm.reshape(len(norm), -1))
    vectors = relative(error, norm)
    passed = bool((layers <= BOUND).all())
    print(f"{label:11} d {shape.d:4}  layers {shape.layers:2}  heads {shape.heads:2} x {shape.head_size:3}  "
          f"largest {layers.max():.2e} at layer {layers.argmax():2}  one vector {vectors.max():.2e}  "
          f"{'ok' if passed else 'FAILED'}", flush=True)
    return passed


def compare_random(options, texts):
    """Random weights in Pythia's shapes."""
    for name, cut, shape in live_shapes():
        if not options.shapes or name in options.shapes.split(","):
            yield compare(options, f"{name} {cut}", shape, lambda step, shape=shape: make_checkpoint(
                options.maker, step, shape, SEED), options.tokenizer, texts)


def compare_trained(options, texts):
    """The last step of every model of a family, whose activations have seen training."""
    for model in sorted(path for path in options.trained.iterdir() if path.is_dir()):
        step = max(model.glob("step*"), key=lambda path: int(path.name.removeprefix("step")))
        config = json.loads((step / "config.json").read_text())
        heads = config["num_attention_heads"]
        shape = Shape(config["num_hidden_layers"], heads, config["hidden_size"] // heads, rotary=config["rotary_pct"])
        yield compare(options, model.name, shape, lambda to, step=step: to.symlink_to(step.resolve()),
                      options.trained / "tokenizer.json", texts)


def run_live(options):
    tokenizer = tokenizers.Tokenizer.from_file(str(options.tokenizer))
    texts = pick_questions(options.probes, tokenizer, options.count)
    lengths = [len(tokenizer.encode(text).ids) for text in texts]
    print(f"torch {torch.__version__}, transformers {transformers.__version__}; {len(texts)} questions of "
          f"{min(lengths)} to {max(lengths)} tokens, {sum(lengths)} in all", flush=True)
    passed = list(compare_trained(options, texts) if options.trained else compare_random(options, texts))
    if not passed or not all(passed):
        sys.exit(1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", nargs="?", help="the golden file")
    parser.add_argument("--live", action="store_true")
    parser.add_argument("--probes", type=pathlib.Path, help="MMLU-Pro, JSON Lines in gzip")
    parser.add_argument("--tokenizer", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=40, help="questions")
    parser.add_argument("--shapes", help="some of " + ",".join(PYTHIA))
    parser.add_argument("--trained", type=pathlib.Path, metavar="FAMILY", help="compare its models instead")
    parser.add_argument("--scratch", help="folder for checkpoints, up to 3 GB at a time")
    parser.add_argument("--maker", default=BUILD / "tests" / "model" / "make_random_checkpoint")
    parser.add_argument("--incipit", default=BUILD / "src" / "incipit")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.live == bool(options.output) or (options.live and not (options.probes and options.tokenizer)):
        parser.error("either a golden file, or --live with --probes and --tokenizer")
    run_live(options) if options.live else write_golden(options)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Embeddings of sentence encoders against BertModel and MPNetModel of Hugging Face `transformers` in fp32.

    pip install torch transformers tokenizers numpy h5py
    tests/reference/encoder_golden.py tests/golden/encoder.h5
    tests/reference/encoder_golden.py --live FOLDER [FOLDER ...]

The first writes the golden file: little encoders whose weights the test makes again from their seed, random tokens of
several lengths, the pooled last hidden states of each text by itself, and MPNet's bucket of every distance.

--live compares the embeddings of real weights (folders in sentence-transformers layout): `transformers` makes the token
ids of 50 texts and their embeddings, text by text; `encoder_bench --embed` makes ours.
"""

import argparse
import gzip
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch
import transformers

import golden

SEED = 20250519
BOUND = 1e-5
BENCH = golden.ROOT / "build" / "dev" / "tests" / "model" / "encoder_bench"

# Beyond 128 tokens MPNet's distances share the last bucket; 17 and more are in buckets that grow.
LENGTHS = (1, 2, 17, 40, 65, 150)
SPREAD = 0.3

MODELS = {"bert": (transformers.BertConfig, transformers.BertModel),
          "mpnet": (transformers.MPNetConfig, transformers.MPNetModel)}
CASES = {
    "bert": dict(kind="bert", heads=3, head_size=10, layers=3, mlp=70, vocab=101, positions=211, norm_eps=1e-12),
    "mpnet": dict(kind="mpnet", heads=3, head_size=10, layers=3, mlp=70, vocab=101, positions=213, norm_eps=1e-5),
    "bert_wide": dict(kind="bert", heads=2, head_size=32, layers=2, mlp=256, vocab=53, positions=200, norm_eps=1e-12),
    "mpnet_one": dict(kind="mpnet", heads=1, head_size=33, layers=4, mlp=33, vocab=53, positions=202, norm_eps=1e-5),
}


def weights(size, seed):
    """Uniform on ±SPREAD from 32-bit integers of a linear congruence, as the test makes them: exact in fp32."""
    state = np.empty(size, dtype=np.uint64)
    x = seed
    for i in range(size):
        x = (x * 6364136223846793005 + 1442695040888963407) % 2**64
        state[i] = x >> 40  # 24 bits
    return (state.astype(np.float64) / 2**23 - 1).astype(np.float32) * np.float32(SPREAD)


def make(case, seed):
    """A model whose tensors are filled in the order of their names, without pooler; norms' weights are around 1."""
    kind, model = MODELS[case["kind"]]
    config = kind(vocab_size=case["vocab"], hidden_size=case["heads"] * case["head_size"],
                  num_hidden_layers=case["layers"], num_attention_heads=case["heads"], intermediate_size=case["mlp"],
                  max_position_embeddings=case["positions"], layer_norm_eps=case["norm_eps"],
                  attn_implementation="eager")
    encoder = model(config, add_pooling_layer=False).eval()
    state = encoder.state_dict()
    names = sorted(name for name in state if not name.endswith("_ids"))
    values = weights(sum(state[name].numel() for name in names), seed)
    for name in names:
        size = state[name].numel()
        tensor = torch.from_numpy(values[:size].copy()).reshape(state[name].shape)
        state[name] = 1 + tensor if name.endswith("LayerNorm.weight") else tensor
        values = values[size:]
    encoder.load_state_dict(state)
    return encoder


@torch.no_grad()
def hidden(encoder, texts):
    """Last hidden states of each text by itself: no padding."""
    return [encoder(input_ids=torch.tensor([text])).last_hidden_state[0].double().numpy() for text in texts]


def write_golden(path):
    with golden.create(path, SEED, {"torch": torch.__version__, "transformers": transformers.__version__}) as file:
        distances = torch.arange(-600, 601)
        buckets = transformers.models.mpnet.modeling_mpnet.MPNetEncoder.relative_position_bucket(distances)
        golden.put(file, "distance", distances.numpy(), np.int64)
        golden.put(file, "bucket", buckets.numpy(), np.int64)
        cases = file.create_group("cases")
        for at, (name, case) in enumerate(CASES.items()):
            draw = np.random.default_rng(SEED + at)
            # No padding token, which MPNet treats in its own way, but in the last text.
            texts = [draw.integers(2, case["vocab"], length).tolist() for length in LENGTHS]
            texts[-1][5] = texts[-1][77] = 1
            states = hidden(make(case, SEED + at), texts)
            group = cases.create_group(name)
            for key, value in case.items():
                group.attrs[key] = np.int64(list(MODELS).index(value)) if key == "kind" else value
            group.attrs["seed"] = SEED + at
            group.attrs["spread"] = np.float32(SPREAD)
            golden.put(group, "tokens", sum(texts, []), np.int32)
            golden.put(group, "length", LENGTHS, np.int64)
            for pooling, pool in {"mean": lambda x: x.mean(axis=0), "first": lambda x: x[0],
                                  "max": lambda x: x.max(axis=0)}.items():
                golden.put(group, pooling, [pool(state) for state in states], np.float32)
            spread = np.stack([state.mean(axis=0) for state in states]).std()
            print(f"{name:10} d {case['heads'] * case['head_size']:3}, spread of the means {spread:.3f}")


def pick_texts(path, count):
    """Questions evenly spaced in the order of their length, and words as short as labels."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        questions = sorted((json.loads(line)["question"] for line in file), key=lambda text: (len(text), text))
    labels = [" ".join(question.split()[:1 + at % 4]) for at, question in enumerate(questions[::1201][:10])]
    return labels + [questions[round(at * (len(questions) - 1))] for at in np.linspace(0, 1, count - len(labels))]


def compare(options, folder, texts):
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    longest = json.loads((folder / "sentence_bert_config.json").read_text())["max_seq_length"]
    ids = [tokenizer(text, truncation=True, max_length=longest)["input_ids"] for text in texts]
    encoder = transformers.AutoModel.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()
    theirs = np.stack([state.mean(axis=0) for state in hidden(encoder, ids)])
    with tempfile.TemporaryDirectory() as scratch:
        tokens, out = pathlib.Path(scratch) / "tokens", pathlib.Path(scratch) / "out"
        tokens.write_text("".join(" ".join(map(str, text)) + "\n" for text in ids))
        subprocess.run([options.bench, f"--encoder={folder}", f"--tokens={tokens}", f"--embed={out}"], check=True)
        ours = np.fromfile(out, dtype=np.float32).reshape(theirs.shape).astype(np.float64)

    def error(a, b):
        return (np.linalg.norm(a - b, axis=1) / np.linalg.norm(b, axis=1)).max()

    def unit(x):
        return x / np.linalg.norm(x, axis=1, keepdims=True)

    raw, normal = error(ours, theirs), np.abs(unit(ours) - unit(theirs)).max()
    passed = bool(raw <= BOUND and normal <= BOUND)
    print(f"{folder.name}: {len(ids)} texts of {min(map(len, ids))} to {max(map(len, ids))} tokens, largest relative "
          f"error of an embedding {raw:.2e}, of an element after normalisation {normal:.2e}  "
          f"{'ok' if passed else 'FAILED'}", flush=True)
    return passed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", nargs="?", help="the golden file")
    parser.add_argument("--live", nargs="+", type=pathlib.Path, metavar="FOLDER")
    parser.add_argument("--probes", type=pathlib.Path, help="MMLU-Pro, JSON Lines in gzip",
                        default=golden.ROOT.parent / "shared" / "data" / "mmlu_pro.jsonl.gz")
    parser.add_argument("--count", type=int, default=50, help="texts")
    parser.add_argument("--bench", default=BENCH)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if bool(options.live) == bool(options.output):
        parser.error("either a golden file, or --live with encoders' folders")
    if options.output:
        write_golden(options.output)
        return
    texts = pick_texts(options.probes, options.count)
    if not all([compare(options, folder, texts) for folder in options.live]):
        sys.exit(1)


if __name__ == "__main__":
    main()

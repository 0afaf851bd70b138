"""All ten Pythias at all 154 steps, without their weights: the headers, the sizes on disk, and holes for the rest.

    python3 tests/program/skeleton.py FOLDER [TOKENIZER.json]

Enough for `incipit models` and `incipit plan`: what a sweep over everything would take can be asked on a laptop."""

import json
import pathlib
import shutil
import struct
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Width, blocks, heads, rows of the embedding.
SHAPES = {
    "pythia-14m": (128, 6, 4, 50304),
    "pythia-31m": (256, 6, 8, 50304),
    "pythia-70m": (512, 6, 8, 50304),
    "pythia-160m": (768, 12, 12, 50304),
    "pythia-410m": (1024, 24, 16, 50304),
    "pythia-1b": (2048, 16, 8, 50304),
    "pythia-1.4b": (2048, 24, 16, 50304),
    "pythia-2.8b": (2560, 32, 32, 50304),
    "pythia-6.9b": (4096, 32, 32, 50432),
    "pythia-12b": (5120, 36, 40, 50688),
}
STEPS = [0] + [2**i for i in range(10)] + list(range(1000, 143001, 1000))


def tensors(d, layers, vocab):
    yield "gpt_neox.embed_in.weight", [vocab, d]
    for layer in range(layers):
        p = f"gpt_neox.layers.{layer}."
        for norm in ("input_layernorm", "post_attention_layernorm"):
            yield p + norm + ".weight", [d]
            yield p + norm + ".bias", [d]
        for name, rows, columns in (
            ("attention.query_key_value", 3 * d, d),
            ("attention.dense", d, d),
            ("mlp.dense_h_to_4h", 4 * d, d),
            ("mlp.dense_4h_to_h", d, 4 * d),
        ):
            yield p + name + ".weight", [rows, columns]
            yield p + name + ".bias", [rows]
    yield "gpt_neox.final_layer_norm.weight", [d]
    yield "gpt_neox.final_layer_norm.bias", [d]
    yield "embed_out.weight", [vocab, d]


def header(d, layers, vocab):
    """Of model.safetensors in fp16, and the bytes behind it."""
    entries, at = {}, 0
    for name, shape in tensors(d, layers, vocab):
        size = 2
        for extent in shape:
            size *= extent
        entries[name] = {"dtype": "F16", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text, at


def config(d, layers, heads, vocab):
    return dict(
        architectures=["GPTNeoXForCausalLM"], model_type="gpt_neox", vocab_size=vocab, hidden_size=d, num_hidden_layers=layers,
        num_attention_heads=heads, intermediate_size=4 * d, hidden_act="gelu", rotary_pct=0.25, rotary_emb_base=10000,
        max_position_embeddings=2048, layer_norm_eps=1e-5, use_parallel_residual=True, torch_dtype="float16",
    )


def write(folder, tokenizer=ROOT / "inputs" / "nano" / "tokenizer.json", shapes=SHAPES, steps=STEPS):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(tokenizer, folder / "tokenizer.json")
    for name, (d, layers, heads, vocab) in shapes.items():
        head, behind = header(d, layers, vocab)
        for step in steps:
            place = folder / name / f"step{step}"
            place.mkdir(parents=True, exist_ok=True)
            (place / "config.json").write_text(json.dumps(config(d, layers, heads, vocab)))
            with open(place / "model.safetensors", "wb") as file:
                file.write(head)
                file.truncate(len(head) + behind)
    return folder


if __name__ == "__main__":
    write(sys.argv[1], *sys.argv[2:3])

"""Writes a GPT-NeoX checkpoint of random weights as PyTorch's sharded .bin files, as Pythia-12B's steps have them.

python3 make_random_bins.py FAMILY/MODEL/stepN [--d 5120 --layers 36 --heads 40 --vocab 50688 --shards 3]

Needs torch and transformers; holds one shard in memory.
"""

import argparse
import json
import pathlib

import torch
import transformers


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    for name, value in {"d": 5120, "layers": 36, "heads": 40, "vocab": 50688, "shards": 3, "seed": 1}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    return parser.parse_args()


def config_of(asked):
    return transformers.GPTNeoXConfig(
        hidden_size=asked.d, num_hidden_layers=asked.layers, num_attention_heads=asked.heads,
        intermediate_size=4 * asked.d, vocab_size=asked.vocab, torch_dtype="float16")


def random_tensor(name, shape, generator):
    """As a fresh model has them: norms scale by one, products keep the size of their input."""
    if "layernorm" in name or "layer_norm" in name:
        return torch.full(shape, 1.0 if name.endswith("weight") else 0.0, dtype=torch.float16)
    return torch.randn(shape, generator=generator).mul_(0.02).half()


def shards_of(shapes, count):
    """The tensors in order, cut into `count` files of about equal size."""
    total = sum(shape.numel() for shape in shapes.values())
    before, shards = 0, [{} for _ in range(count)]
    for name, shape in shapes.items():
        shards[min(before * count // total, count - 1)][name] = shape
        before += shape.numel()
    return shards


def main():
    asked = arguments()
    asked.folder.mkdir(parents=True, exist_ok=True)
    config = config_of(asked)
    config.architectures = ["GPTNeoXForCausalLM"]
    config.save_pretrained(asked.folder)
    with torch.device("meta"):
        model = transformers.GPTNeoXForCausalLM(config)
    # On disk the unembedding keeps the name it had first, whatever the library calls it inside.
    shapes = {name.replace("lm_head.", "embed_out."): t.shape for name, t in model.state_dict().items()}
    generator = torch.Generator().manual_seed(asked.seed)
    weight_map = {}
    for number, shard in enumerate(shards_of(shapes, asked.shards), start=1):
        file = f"pytorch_model-{number:05d}-of-{asked.shards:05d}.bin"
        torch.save({name: random_tensor(name, shape, generator) for name, shape in shard.items()}, asked.folder / file)
        weight_map.update(dict.fromkeys(shard, file))
        print(file, (asked.folder / file).stat().st_size, "bytes", flush=True)
    index = {"metadata": {"total_size": 2 * sum(s.numel() for s in shapes.values())}, "weight_map": weight_map}
    (asked.folder / "pytorch_model.bin.index.json").write_text(json.dumps(index, indent=2))


main()

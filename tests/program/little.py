"""A little random GPT-NeoX family, its probes and its deck: enough to run the whole job in a second or two."""

import json
import pathlib
import shutil
import struct
import zipfile

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]

SUBJECTS = {
    "animals": "cat dog horse cow sheep goat lion tiger wolf bear fox deer mouse rat otter seal whale hare toad newt".split(),
    "colours": "red green blue yellow orange purple brown black white grey pink crimson scarlet teal navy olive beige ivory gold amber".split(),
    "tools": "hammer saw drill wrench pliers chisel plane file clamp vice level square awl mallet spanner trowel rasp lathe anvil hoist".split(),
}
TEMPLATES = ["a word about {}", "this is a {}", "here we describe the {}", "{} is what we mean", "nothing but the {}", "see {} below"]


def tensors(d, layers, vocab, mlp, seed):
    rng = np.random.default_rng(seed)

    def normal(*shape):
        return (0.08 * rng.standard_normal(shape)).astype(np.float32)

    out = {"gpt_neox.embed_in.weight": normal(vocab, d)}
    for layer in range(layers):
        p = f"gpt_neox.layers.{layer}."
        for norm in ("input_layernorm", "post_attention_layernorm"):
            out[p + norm + ".weight"] = 1 + normal(d)
            out[p + norm + ".bias"] = normal(d)
        for name, rows, columns in (
            ("attention.query_key_value", 3 * d, d),
            ("attention.dense", d, d),
            ("mlp.dense_h_to_4h", mlp, d),
            ("mlp.dense_4h_to_h", d, mlp),
        ):
            out[p + name + ".weight"] = normal(rows, columns)
            out[p + name + ".bias"] = normal(rows)
    out["gpt_neox.final_layer_norm.weight"] = 1 + normal(d)
    out["gpt_neox.final_layer_norm.bias"] = normal(d)
    out["embed_out.weight"] = normal(vocab, d)
    return out


def write_safetensors(path, arrays):
    header, blobs, at = {}, [], 0
    for name, array in arrays.items():
        blob = np.ascontiguousarray(array).tobytes()
        kind = {"float32": "F32", "float16": "F16"}[str(array.dtype)]
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [at, at + len(blob)]}
        blobs.append(blob)
        at += len(blob)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def pickled(value):
    """A value of a state dict in protocol 2, as torch's pickler writes it; classes stand as ("global", module, name)."""
    if isinstance(value, bool):
        return b"\x88" if value else b"\x89"
    if isinstance(value, int):
        return b"J" + struct.pack("<i", value)
    if isinstance(value, str):
        return b"X" + struct.pack("<I", len(value.encode())) + value.encode()
    if isinstance(value, list):
        return b"(" + b"".join(map(pickled, value)) + b"t"
    return f"c{value[1]}\n{value[2]}\n".encode()


def write_torch(path, arrays):
    """As torch.save: a stored ZIP of a pickle and one member for each storage."""
    ordered_dict = pickled(("global", "collections", "OrderedDict")) + b")R"
    body, storages = ordered_dict + b"(", []
    for name, array in arrays.items():
        kind = {"float32": "FloatStorage", "float16": "HalfStorage"}[str(array.dtype)]
        strides = [s // array.itemsize for s in np.ascontiguousarray(array).strides]
        storage = pickled(["storage", ("global", "torch", kind), str(len(storages)), "cpu", array.size]) + b"Q"
        arguments = b"".join(map(pickled, [0, list(array.shape), strides, False])) + ordered_dict
        rebuild = pickled(("global", "torch._utils", "_rebuild_tensor_v2"))
        body += pickled(name) + rebuild + b"(" + storage + arguments + b"tR"
        storages.append(np.ascontiguousarray(array).tobytes())
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(f"{path.stem}/data.pkl", b"\x80\x02" + body + b"u.")
        for key, data in enumerate(storages):
            archive.writestr(f"{path.stem}/data/{key}", data)


class Family:
    def __init__(self, folder, steps=(0, 10, 100), models=(("small", 16, 2), ("large", 32, 3))):
        self.folder = pathlib.Path(folder)
        self.path = self.folder / "family"
        self.models = [name for name, _, _ in models]
        self.steps = list(steps)
        for m, (name, d, layers) in enumerate(models):
            for s, step in enumerate(steps):
                self.write_checkpoint(name, step, d, layers, seed=100 * m + s)
        shutil.copy(ROOT / "inputs" / "nano" / "tokenizer.json", self.path / "tokenizer.json")
        self.write_probes()
        self.write_subjects()
        self.deck = self.folder / "deck.ini"
        self.write_deck()

    def checkpoint(self, model, step):
        return self.path / model / f"step{step}"

    def write_checkpoint(self, name, step, d, layers, seed, **config):
        folder = self.checkpoint(name, step)
        folder.mkdir(parents=True, exist_ok=True)
        arrays = tensors(d, layers, 4096, 2 * d, seed)
        write_safetensors(folder / "model.safetensors", arrays)
        values = dict(
            architectures=["GPTNeoXForCausalLM"], model_type="gpt_neox", vocab_size=4096, hidden_size=d,
            num_hidden_layers=layers, num_attention_heads=2, intermediate_size=2 * d, hidden_act="gelu", rotary_pct=0.25,
            rotary_emb_base=10000, max_position_embeddings=64, layer_norm_eps=1e-5, use_parallel_residual=True,
        )
        values.update(config)
        (folder / "config.json").write_text(json.dumps(values))
        return arrays

    def probes(self):
        for subject, terms in SUBJECTS.items():
            for term in terms:
                for t, template in enumerate(TEMPLATES):
                    yield {"id": f"{subject}/{term}/{t}", "subject": subject, "group": term, "text": template.format(term)}

    def write_probes(self, probes=None):
        lines = [json.dumps(p) for p in (self.probes() if probes is None else probes)]
        (self.folder / "probes.jsonl").write_text("\n".join(lines) + "\n")

    def write_subjects(self):
        subjects = {s: {"phrases": [s, " ".join(terms[:4])], "read": True} for s, terms in SUBJECTS.items()}
        text = {"subjects": subjects, "decoys": ["a word we mean", "plane tickets", "square dance", "describe this", "cat food", "silver fox hotel"]}
        (self.folder / "subjects.json").write_text(json.dumps(text))

    def write_deck(self, extra="", name="deck.ini"):
        path = self.folder / name
        path.write_text(
            f"""
[family]
path = family
[probes]
path = probes.jsonl
[anchor.time]
[anchor.scale]
[anchor.space]
layer = 0
[sae]
latents = 8
steps = 60
batch = 32
[interpret]
f1 = 0.5
min_support = 2
[match]
subjects = subjects.json
[track]
bootstrap = 60
permutations = 60
{extra}
"""
        )
        return path


def write_encoder(folder, seed=0, d=16, mlp=24):
    """A random BERT of one layer in the layout of sentence-transformers, whose tokens are letters and a few words."""
    folder = pathlib.Path(folder)
    (folder / "1_Pooling").mkdir(parents=True)
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz", *SUBJECTS]
    pieces += ["##" + letter for letter in "abcdefghijklmnopqrstuvwxyz"] + [term for terms in SUBJECTS.values() for term in terms[:3]]
    rng = np.random.default_rng(seed)
    arrays = {}

    def layer(name, *shape):
        arrays[name + ".weight"] = rng.standard_normal(shape).astype(np.float32)
        arrays[name + ".bias"] = rng.standard_normal(shape[0]).astype(np.float32)

    for name, rows in (("word", len(pieces)), ("position", 32), ("token_type", 2)):
        arrays[f"embeddings.{name}_embeddings.weight"] = rng.standard_normal((rows, d)).astype(np.float32)
    layer("embeddings.LayerNorm", d)
    for part in ("self.query", "self.key", "self.value", "output.dense"):
        layer("encoder.layer.0.attention." + part, d, d)
    layer("encoder.layer.0.attention.output.LayerNorm", d)
    layer("encoder.layer.0.intermediate.dense", mlp, d)
    layer("encoder.layer.0.output.dense", d, mlp)
    layer("encoder.layer.0.output.LayerNorm", d)
    write_safetensors(folder / "model.safetensors", arrays)

    def put(name, value):
        (folder / name).write_text(json.dumps(value))

    types = ["Transformer", "Pooling", "Normalize"]
    put("modules.json", [{"idx": i, "path": f"{i}_{t}" if i else "", "type": f"sentence_transformers.models.{t}"} for i, t in enumerate(types)])
    put("1_Pooling/config.json", {"word_embedding_dimension": d, "pooling_mode_mean_tokens": True})
    put("sentence_bert_config.json", {"max_seq_length": 24, "do_lower_case": False})
    put("config.json", {"model_type": "bert", "vocab_size": len(pieces), "hidden_size": d, "num_hidden_layers": 1, "num_attention_heads": 2,
                        "intermediate_size": mlp, "max_position_embeddings": 32, "hidden_act": "gelu", "layer_norm_eps": 1e-12})
    put("tokenizer.json", {
        "added_tokens": [{"id": i, "content": piece, "special": True} for i, piece in enumerate(pieces[:5])],
        "normalizer": {"type": "BertNormalizer"}, "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "BertProcessing", "cls": ["[CLS]", 2], "sep": ["[SEP]", 3]},
        "model": {"type": "WordPiece", "vocab": {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}}})
    return folder


def datasets(path):
    """Every dataset of an HDF5 file but those of `timing`, as (type, shape, bytes)."""
    import h5py

    found = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset) and not name.startswith("timing"):
            value = item[()]
            found[name] = (str(item.dtype), item.shape, np.asarray(value).tobytes())

    with h5py.File(path, "r") as file:
        file.visititems(visit)
    return found


def all_datasets(output):
    output = pathlib.Path(output)
    return {str(p.relative_to(output)): datasets(p) for p in sorted(output.rglob("*.h5"))}


def leftovers(output):
    """Files that should not be there once a job has ended."""
    return [p.name for p in pathlib.Path(output).rglob("*") if ".tmp-" in p.name or p.name.endswith(".lock")]

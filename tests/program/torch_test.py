"""Checkpoints in PyTorch's own format: the same numbers as from safetensors, and clear refusals."""

import json

import little
import pytest
from conftest import incipit


@pytest.fixture
def torch_family(tmp_path):
    """One checkpoint, its weights in three .bin shards with an index."""
    family = little.Family(tmp_path, steps=(5,), models=(("only", 16, 2),))
    folder = family.checkpoint("only", 5)
    arrays = little.tensors(16, 2, 4096, 32, 0)
    names = list(arrays)
    index = {"metadata": {}, "weight_map": {}}
    for shard in range(3):
        file = f"pytorch_model-{shard + 1:05}-of-00003.bin"
        held = names[shard::3]
        little.write_torch(folder / file, {name: arrays[name] for name in held})
        index["weight_map"].update({name: file for name in held})
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    return family


def extract(family, output, ranks=1):
    return incipit("extract", family.deck, f"--run.output={output}", ranks=ranks)


def test_same_residuals_as_from_safetensors(torch_family, tmp_path):
    result = extract(torch_family, tmp_path / "safetensors")
    assert result.code == 0, result.text
    (torch_family.checkpoint("only", 5) / "model.safetensors").unlink()
    for ranks in (1, 3):
        result = extract(torch_family, tmp_path / f"torch{ranks}", ranks)
        assert result.code == 0, result.text
    name = "activations/only/step5.h5"
    first, *others = (
        little.datasets(tmp_path / output / name)["residual"] for output in ("safetensors", "torch1", "torch3")
    )
    assert all(other == first for other in others)


def test_faulty_files_are_refused(torch_family, tmp_path):
    folder = torch_family.checkpoint("only", 5)
    (folder / "model.safetensors").unlink()
    shard = folder / "pytorch_model-00002-of-00003.bin"
    whole = shard.read_bytes()
    for content, parts in (
        (whole[: len(whole) // 2], ["truncated"]),
        (whole.replace(b"collections\nOrderedDict", b"collections\nOrderedDirt"), ["collections.OrderedDirt", "byte"]),
        (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", ["before 1.6"]),
    ):
        shard.write_bytes(content)
        result = extract(torch_family, tmp_path / "out", ranks=2)
        assert result.code == 65, result.text
        for part in [shard.name, *parts]:
            assert part in result.err, result.err
    shard.unlink()
    result = extract(torch_family, tmp_path / "out")
    assert result.code == 65 and shard.name in result.err, result.text


def test_models_lists_both_formats(torch_family):
    family = torch_family.path
    result = incipit("models", family)
    assert result.code == 0, result.text
    assert "safetensors F32" in result.out and "only" in result.out
    folder = torch_family.checkpoint("only", 5)
    (folder / "model.safetensors").unlink()
    assert "torch F32" in incipit("models", family, ranks=2).out
    (folder / "pytorch_model-00001-of-00003.bin").unlink()
    result = incipit("models", family)
    assert result.code == 0 and "only step 5" in result.out and "00001-of-00003.bin: missing" in result.out
    assert incipit("models", family / "nowhere").code == 74
    assert incipit("models").code == 64
    assert incipit("models", "--all", family).code == 64

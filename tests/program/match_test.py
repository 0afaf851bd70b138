"""Matching through a sentence encoder: a tiny random one, whose cosines mean nothing but must be the same everywhere."""

import json
import shutil

import pytest

import little
from conftest import incipit

WORDS = ("--match.tau=0.2",)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A family with an encoder beside its deck, and what one rank made of it."""
    family = little.Family(tmp_path_factory.mktemp("match"), steps=(0, 5), models=(("only", 16, 2),))
    little.write_encoder(family.folder / "tiny encoder")
    family.write_deck("[match]\nencoder = tiny encoder")
    result = match(family, family.folder / "out", subcommand="run")
    assert result.code == 0, result.text
    return family


def match(family, output, *words, ranks=1, subcommand="match"):
    return incipit(subcommand, family.deck, f"--run.output={output}", *WORDS, *words, ranks=ranks)


def copied(family, tmp_path):
    """The family's output and encoder, to be changed."""
    shutil.copytree(family.folder / "out", tmp_path / "out")
    shutil.copytree(family.folder / "tiny encoder", tmp_path / "encoder")
    return tmp_path / "out", f"--match.encoder={tmp_path / 'encoder'}"


def attribute(path, place, name):
    import h5py

    with h5py.File(path) as file:
        value = file[place].attrs[name]
        return value.decode() if isinstance(value, bytes) else str(value)


def test_the_encoder_is_on_record(done):
    import h5py

    out = done.folder / "out"
    assert attribute(out / "match/time.h5", "/", "encoder").startswith("tiny encoder ")
    assert attribute(out / "match/time.h5", "latents", "phrases") == "max"
    with h5py.File(out / "match/time.h5") as file:
        read = [path.decode().rsplit("tiny encoder/", 1)[-1] for path in file["inputs/path"][:] if b"tiny encoder/" in path]
    assert sorted(read) == ["1_Pooling/config.json", "config.json", "model.safetensors", "modules.json",
                            "sentence_bert_config.json", "tokenizer.json"]
    for file in ("match/time.h5", "emergence.h5"):
        assert incipit("inspect", "--validate", out / file).code == 0


def test_same_bytes_on_three_ranks(done, tmp_path):
    out, _ = copied(done, tmp_path)
    shutil.rmtree(out / "match")
    result = match(done, out, ranks=3)
    assert result.code == 0, result.text
    for anchor in ("time", "scale", "space"):
        assert little.datasets(out / f"match/{anchor}.h5") == little.datasets(done.folder / f"out/match/{anchor}.h5")


def test_a_moved_encoder_is_the_same(done, tmp_path):
    out, encoder = copied(done, tmp_path)
    assert "nothing to do" in match(done, out, encoder, subcommand="run").out


def test_another_encoder_makes_the_matches_stale(done, tmp_path):
    out, encoder = copied(done, tmp_path)
    (tmp_path / "encoder/1_Pooling/config.json").write_text(json.dumps({"pooling_mode": "max"}))
    result = match(done, out, encoder, subcommand="run")
    assert result.code == 64, result.text
    assert "stage match is stale" in result.err and "1_Pooling/config.json" in result.err
    labels = (out / "labels/time.h5").stat().st_mtime_ns
    result = match(done, out, encoder)
    assert result.code == 0, result.text
    assert (out / "labels/time.h5").stat().st_mtime_ns == labels
    before, after = (little.datasets(o / "match/time.h5")["latents/similarity"] for o in (done.folder / "out", out))
    assert before != after


def test_the_mean_of_the_phrases(done, tmp_path):
    out, _ = copied(done, tmp_path)
    result = match(done, out, "--match.phrases=mean")
    assert result.code == 0, result.text
    assert attribute(out / "match/time.h5", "latents", "phrases") == "mean"
    before, after = (little.datasets(o / "match/time.h5")["latents/similarity"] for o in (done.folder / "out", out))
    assert before != after


def patch(path, **values):
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


BROKEN = {
    "no tokenizer": (lambda f: (f / "tokenizer.json").unlink(), 65, ["tokenizer.json"]),
    "another tokenizer": (lambda f: patch(f / "tokenizer.json", model={"type": "Unigram", "vocab": []}), 65, ["'Unigram'", "'WordPiece'"]),
    "a dense layer": (lambda f: (f / "modules.json").write_text((f / "modules.json").read_text().replace("Normalize", "Dense")), 65, ["modules.json", "Dense"]),
    "another model": (lambda f: patch(f / "config.json", model_type="t5"), 65, ["config.json", "'t5'"]),
    "no folder": (shutil.rmtree, 64, ["match.encoder", "jobs/get-encoder.sh"]),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_encoder_is_refused_before_anything_runs(done, tmp_path, name):
    _, encoder = copied(done, tmp_path)
    breaks, code, parts = BROKEN[name]
    breaks(tmp_path / "encoder")
    result = match(done, tmp_path / "fresh", encoder, subcommand="run")
    assert result.code == code, result.text
    for part in parts:
        assert part in result.err
    assert not list((tmp_path / "fresh").rglob("*.h5"))


def test_weights_that_do_not_fit_are_refused_on_all_ranks(done, tmp_path):
    out, encoder = copied(done, tmp_path)
    patch(tmp_path / "encoder/config.json", intermediate_size=25)
    result = match(done, out, encoder, ranks=2)
    assert result.code == 65, result.text
    assert "intermediate.dense" in result.err

"""Labels and judgements by a GPT-NeoX that runs in the job: a bundled checkpoint, which has learnt no instruction. What
it says is nonsense, but must be the same nonsense everywhere."""

import json
import shutil

import pytest

import little
from conftest import incipit

MODEL = little.ROOT / "inputs" / "nano" / "nano-14k" / "step4000"
HEAD = ("deck", "fingerprint", "inputs")


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A family, a deck that names the model by a path of its own, and what one rank made of it."""
    family = little.Family(tmp_path_factory.mktemp("neox"), steps=(0, 5), models=(("only", 16, 2),))
    (family.folder / "teachers").symlink_to(MODEL.parent)
    shutil.copy(MODEL.parent.parent / "tokenizer.json", family.folder / "tokenizer.json")
    family.write_deck("[interpret]\nteacher = neox\nmodel = teachers/step4000")
    result = run(family, family.folder / "one")
    assert result.code == 0, result.text
    return family


def run(family, output, *words, ranks=1, subcommand="run"):
    return incipit(subcommand, family.deck, f"--run.output={output}", *words, ranks=ranks)


def labels(output):
    """All datasets of the labels of all anchors but those that tell runs apart."""
    return {
        (path.name, name): value
        for path in sorted((output / "labels").glob("*.h5"))
        for name, value in little.datasets(path).items()
        if not name.startswith(HEAD)
    }


def test_the_teacher_is_on_record(done):
    import h5py

    with h5py.File(done.folder / "one" / "labels" / "time.h5") as file:
        read = [path.decode() for path in file["inputs/path"][:]]
        assert file["latents"].attrs["teacher"].startswith(b"neox 1 ")
        assert file["latents"].attrs["model"] == b"step4000"
    for name in ("step4000/config.json", "step4000/model.safetensors", "tokenizer.json", "the bundled neox.txt"):
        assert any(path.endswith(name) for path in read), (name, read)
    for file in ("labels/time.h5", "emergence.h5"):
        assert incipit("inspect", "--validate", done.folder / "one" / file).code == 0
    (about,) = (done.folder / "one" / "teacher").glob("step4000-*/about.json")
    assert json.loads(about.read_text())["kind"] == "neox"


@pytest.mark.parametrize("ranks", [2, 3])
def test_same_bytes_on_any_ranks(done, tmp_path, ranks):
    for stage in ("activations", "sae", "audit.h5"):
        if (done.folder / "one" / stage).is_dir():
            shutil.copytree(done.folder / "one" / stage, tmp_path / "out" / stage)
    result = run(done, tmp_path / "out", "--run.threads=2", ranks=ranks)
    assert result.code == 0, result.text
    assert little.all_datasets(tmp_path / "out") == little.all_datasets(done.folder / "one")


def test_what_was_answered_is_replayed_without_the_model(done, tmp_path):
    shutil.copytree(done.folder / "one", tmp_path / "out")
    result = run(done, tmp_path / "out", "--interpret.teacher=cache", "--interpret.model=step4000", ranks=2,
                 subcommand="interpret")
    assert result.code == 0, result.text
    assert labels(tmp_path / "out") == labels(done.folder / "one")


def test_a_folder_that_holds_no_such_model(done, tmp_path):
    for words, code, parts in (
        (["--interpret.model="], 64, ["interpret.model"]),
        ([f"--interpret.model={tmp_path}"], 65, ["interpret.model", "tokenizer.json", "GPT-NeoX"]),
    ):
        result = run(done, tmp_path / "out", *words)
        assert result.code == code, result.text
        for part in parts:
            assert part in result.err
        assert not (tmp_path / "out" / "activations").exists()

"""The control by random weights: labels of a model that never learned, beside those of the anchor."""

import shutil

import h5py
import numpy as np
import pytest

import little
from conftest import incipit

CONTROL = "--interpret.control=random-weights"


def run(family, output, *words, ranks=1):
    return incipit("run", family.deck, f"--run.output={output}", *words, ranks=ranks)


def told(labels):
    """What the results say of a group of labels."""
    good, judged = (np.count_nonzero(labels["status"][:] <= most) for most in (0, 1))
    share = "-" if judged == 0 else f"{100 * good / judged:.0f}"
    return f"{good} of 8 latents interpretable, {share} % of the {judged} judged"


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A family, what one rank made of it without the control, and what with it."""
    family = little.Family(tmp_path_factory.mktemp("control"), steps=(0, 5), models=(("only", 16, 2),))
    for output, words in (("plain", ()), ("controlled", (CONTROL,))):
        result = run(family, family.folder / output, *words)
        assert result.code == 0, result.text
    return family, result


def test_shares_stand_side_by_side(done):
    family, result = done
    with h5py.File(family.folder / "controlled/emergence.h5") as file:
        for anchor in ("time", "space", "scale"):
            labels = file[f"anchors/{anchor}/latents"]
            control = file[f"anchors/{anchor}/controls/random_weights/latents"]
            assert control["status"].shape == labels["status"].shape
            assert control.attrs["teacher"] == labels.attrs["teacher"]
            assert not np.array_equal(control["fire_rate"][:], labels["fire_rate"][:])
            assert f"Anchor {anchor}: {told(labels)}; with random weights {told(control)}\n" in result.out
    assert "control   time.random_weights: only with random weights layer 2" in result.out
    assert incipit("inspect", "--validate", family.folder / "controlled/emergence.h5").code == 0


def test_the_control_changes_nothing_else(done):
    family, _ = done
    plain, controlled = (little.all_datasets(family.folder / name) for name in ("plain", "controlled"))
    assert {name for name in controlled if name not in plain} == {
        "activations/only/random_weights.h5", *(f"{kind}/{anchor}.random_weights.h5" for kind in ("sae", "labels")
                                                for anchor in ("time", "space", "scale"))}
    for name, datasets in plain.items():
        for dataset in datasets.keys() - {"deck", "inputs/path", "inputs/sha256"}:
            assert controlled[name][dataset] == datasets[dataset], f"{name}: {dataset}"


def test_what_stands_needs_no_redoing(done, tmp_path):
    family, _ = done
    shutil.copytree(family.folder / "plain", tmp_path / "out")
    result = run(family, tmp_path / "out", CONTROL)
    assert result.code == 64 and "stage track is stale" in result.err and "interpret.control" in result.err
    labels = (tmp_path / "out/labels/time.h5").stat().st_mtime_ns
    result = run(family, tmp_path / "out", CONTROL, "--run.redo")
    assert result.code == 0, result.text
    assert (tmp_path / "out/labels/time.h5").stat().st_mtime_ns == labels
    redone, whole = (little.datasets(out / "emergence.h5") for out in (tmp_path / "out", family.folder / "controlled"))
    assert redone == whole


def test_same_bytes_on_three_ranks_in_little_waves(done, tmp_path):
    family, _ = done
    result = run(family, tmp_path / "out", CONTROL, "--run.part_after=0s", ranks=3)
    assert result.code == 0, result.text
    assert little.all_datasets(tmp_path / "out") == little.all_datasets(family.folder / "controlled")


def test_another_seed_draws_another_model(done, tmp_path):
    family, _ = done
    result = incipit("extract", family.deck, f"--run.output={tmp_path / 'out'}", CONTROL, "--run.seed=2")
    assert result.code == 0, result.text


    def same(name):
        file = f"activations/only/{name}.h5"
        return (little.datasets(tmp_path / "out" / file)["residual"]
                == little.datasets(family.folder / "controlled" / file)["residual"])

    assert same("step5") and not same("random_weights")


def test_an_unknown_control_is_named(done, tmp_path):
    family, _ = done
    result = run(family, tmp_path / "out", "--interpret.control=random-weight")
    assert result.code == 64 and "interpret.control" in result.err and "random-weights" in result.err

"""The controls that stand beside every curve (science §6)."""

import shutil

import h5py
import numpy as np
import pytest

import little
from conftest import incipit

CONTROL = "--controls.random_weights=labels"
CURVES = "--controls.random_weights=curves"
ALL = (CURVES, "--controls.first_step=yes", "--controls.own_anchor=time", "--sae.seeds=2",
       "--sae.latents=24", "--interpret.f1=0", "--match.tau=0.1")  # random models: labels must be taken as they come


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
        "activations/only/random_weights.h5", *(f"{kind}/{anchor}.random_weights.h5" for kind in ("sae", "labels", "match")
                                                for anchor in ("time", "space", "scale"))}
    for name, datasets in plain.items():
        for dataset in datasets.keys() - {"deck", "inputs/path", "inputs/sha256"}:
            assert controlled[name][dataset] == datasets[dataset], f"{name}: {dataset}"


def test_what_stands_needs_no_redoing(done, tmp_path):
    family, _ = done
    shutil.copytree(family.folder / "plain", tmp_path / "out")
    result = run(family, tmp_path / "out", CONTROL)
    assert result.code == 64 and "stage track is stale" in result.err and "controls.random_weights" in result.err
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
    result = run(family, tmp_path / "out", "--controls.random_weights=label")
    assert result.code == 64 and "controls.random_weights" in result.err and "labels" in result.err


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """Two models at two steps, with all controls on one rank; the results and what the job said."""
    family = little.Family(tmp_path_factory.mktemp("controls"), steps=(0, 9), models=(("small", 16, 2), ("large", 32, 2)))
    family.deck.write_text(family.deck.read_text().replace("[anchor.space]\nlayer = 0\n", ""))
    result = run(family, family.folder / "all", *ALL)
    assert result.code == 0, result.text
    with h5py.File(family.folder / "all/emergence.h5") as file:
        yield family, result, file


def contrast(group, rung):
    return group["contrast"][["raw", "rescaled", "aligned"].index(rung)]


def test_all_controls_are_there_and_valid(everything):
    family, result, file = everything
    assert set(file["anchors/time/controls"]) == {"first_step", "random_weights", "random_latents", "seeds", "token_baseline"}
    assert set(file["anchors/scale/controls"]) == {"ceiling", "random_weights", "random_latents", "seeds", "token_baseline"}
    assert list(file["anchors/time/curves"]) == ["time", "own_time"] and list(file["anchors/scale/curves"]) == ["scale"]
    assert incipit("inspect", "--validate", family.folder / "all/emergence.h5").code == 0
    for words in ("random %", "floor %", "untrained %", "first step", "own anchor", "seeds, most", "mean, ceiling"):
        assert words in result.out
    assert all(len(line) < 140 for line in result.out.splitlines() if "random %" in line)


def test_the_ceiling_of_equal_width_is_the_measure_itself(everything):
    _, _, file = everything
    scale = file["anchors/scale"]
    ceiling = scale["controls/ceiling/curves/scale"]
    assert list(ceiling["model"][:]) == [b"small", b"large"]
    for measure in ("probe_activation", "contrast", "latent_activation", "selectivity", "strength", "auc"):
        for end in ("", "_low", "_high", "_null_mean", "_p"):
            np.testing.assert_array_equal(ceiling[measure + end][0, 1], scale["curves/scale"][measure + end][0, 1])
    assert not np.array_equal(ceiling["strength"][0, 0], ceiling["strength"][0, 1], equal_nan=True)
    assert np.all(ceiling["status"][1:] == 1)  # it is read as it is, on no other rung


def test_at_home_an_own_dictionary_is_the_anchors(everything):
    _, _, file = everything
    own, curve = (file[f"anchors/time/curves/{name}"] for name in ("own_time", "time"))
    np.testing.assert_array_equal(contrast(own, "raw")[1], contrast(curve, "raw")[1])
    assert list(own["step"][:]) == list(curve["step"][:]) == [0, 9]
    assert not np.array_equal(own["contrast"][0, 0], curve["contrast"][0, 0], equal_nan=True)
    ones = own["strength"][0][~np.isnan(own["strength"][0])]
    assert ones.size > 3 and np.all(ones == 1)  # relative to the dictionary's own site
    np.testing.assert_array_equal(own["matched"][1], file["anchors/time/latents/matched"][:].sum(axis=0))


def test_the_first_step_is_at_home_there(everything):
    _, _, file = everything
    first, own = file["anchors/time/controls/first_step/curves/time"], file["anchors/time/curves/own_time"]
    assert list(first["step"][:]) == [0, 9]
    # Two dictionaries of one site, of the same seed: the same numbers.
    np.testing.assert_array_equal(contrast(first, "raw")[0], contrast(own, "raw")[0])
    assert np.count_nonzero(~np.isnan(contrast(first, "raw")[0]))
    np.testing.assert_array_equal(first["matched"][1], file["anchors/time/controls/first_step/latents/matched"][:].sum(axis=0))


def test_the_floor_has_every_model_and_layer_once(everything):
    _, _, file = everything
    at = {anchor: file[f"anchors/{anchor}/controls/random_weights/curves/{anchor}"] for anchor in ("time", "scale")}
    assert list(at["time"]["step"][:]) == [-1]
    assert list(at["scale"]["model"][:]) == [b"small", b"large"] and list(at["scale"]["step"][:]) == [-1, -1]
    assert np.all(at["scale"]["status"][0, 0] == 1) and np.all(at["scale"]["status"][2, 0] != 1)  # another width


def test_seeds_spread_around_the_first(everything):
    _, _, file = everything
    for anchor in ("time", "scale"):
        spread, curve = file[f"anchors/{anchor}/controls/seeds/spread/{anchor}"], file[f"anchors/{anchor}/curves/{anchor}"]
        assert list(spread["seed"][:]) == [1, 2]
        np.testing.assert_array_equal(spread["contrast"][0], curve["contrast"][:])
        assert not np.array_equal(spread["contrast"][0], spread["contrast"][1], equal_nan=True)
        np.testing.assert_array_equal(spread["contrast_min"][:], np.fmin(*spread["contrast"][:]))
        np.testing.assert_array_equal(spread["contrast_max"][:], np.fmax(*spread["contrast"][:]))


def test_random_latents_fire_as_often(everything):
    _, _, file = everything
    for anchor in ("time", "scale"):
        random = file[f"anchors/{anchor}/controls/random_latents"]
        assert random[f"bands/{anchor}/contrast_mean"].shape == file[f"anchors/{anchor}/curves/{anchor}/contrast"].shape
        known = ~np.isnan(random["fire_rate"][:])
        assert known.any() and np.all(np.abs(random["fire_rate"][:] - random["fire_rate_matched"][:])[known] < 0.25)


def test_what_is_missing_is_made_again_on_other_ranks_to_the_same_bytes(everything, tmp_path):
    family, _, _ = everything
    shutil.copytree(family.folder / "all", tmp_path / "out")
    for name in ("emergence.h5", "labels/time.first_step.h5", "align/scale.random_weights.h5",
                 "match/time.own.large.step0.layer2.h5", "labels/time.seed2.h5", "activations/small/random_weights.h5"):
        (tmp_path / "out" / name).unlink()
    result = run(family, tmp_path / "out", *ALL, ranks=2)
    assert result.code == 0, result.text
    assert little.all_datasets(tmp_path / "out") == little.all_datasets(family.folder / "all")
    assert not little.leftovers(tmp_path / "out")

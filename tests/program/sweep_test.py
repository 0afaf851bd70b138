"""`incipit sweep`: what hangs on the size of the dictionary, and on where it is made."""

import h5py
import numpy as np
import pytest

import little
from conftest import incipit

EASY = ("--interpret.f1=0", "--match.tau=0.1", "--sae.steps=60")  # random models: labels must be taken as they come


def sweep(family, output, *words, ranks=1):
    return incipit("sweep", family.deck, f"--run.output={family.folder / output}", *EASY, *words, ranks=ranks)


def assert_same(before, after):
    assert before.keys() == after.keys()
    for name in before.keys() - {"timing"}:
        assert before[name] == after[name] if not isinstance(before[name], np.ndarray) else np.array_equal(
            before[name], after[name], equal_nan=before[name].dtype.kind == "f"), name


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    family = little.Family(tmp_path_factory.mktemp("sweep"), steps=(0, 5), models=(("only", 16, 2),))
    result = sweep(family, "one", "--k=1,4,32", "--latents=8,24", "--sae.seeds=2")
    assert result.code == 0, result.text
    return family, result


def test_every_size_and_seed_is_there(done):
    family, result = done
    with h5py.File(family.folder / "one/sweep/time.h5") as file:
        assert list(zip(file["k"], file["latents"])) == [(1, 8), (1, 24), (4, 8), (4, 24)]  # a k of 32 fits neither
        assert file["contrast"].shape == (4, 2, 3) and list(file["seed"]) == [1, 2]
        counts = sum(file[name][...] for name in ("interpretable", "uninterpretable", "unsupported", "dead"))
        np.testing.assert_array_equal(counts, np.repeat(file["latents"][...], 2).reshape(4, 2))
        fvu = file["fvu"][...]
        assert (fvu[2] < fvu[0]).all() and (fvu[3] < fvu[1]).all()  # four latents explain more than one
        assert (fvu[:, 0] != fvu[:, 1]).all()  # seeds differ
    assert incipit("inspect", "--validate", family.folder / "one/sweep/time.h5").code == 0
    assert "falls" not in result.out and " to " in result.out  # the range over seeds


def test_a_size_is_what_a_run_with_it_makes(done):
    family, _ = done
    ran = incipit("run", family.deck, f"--run.output={family.folder / 'run'}", *EASY, "--sae.k=4", "--sae.latents=24")
    assert ran.code == 0, ran.text
    with h5py.File(family.folder / "one/sweep/time.h5") as sweep_file, h5py.File(family.folder / "run/emergence.h5") as file:
        curve = file["anchors/time/curves/time"]
        home = list(curve["step"]).index(5)
        np.testing.assert_array_equal(sweep_file["contrast"][3, 0], curve["contrast"][0, home])
        np.testing.assert_array_equal(sweep_file["probe_activation"][3, 0], curve["probe_activation"][0, home])
        np.testing.assert_array_equal(sweep_file["matched"][3, 0], file["anchors/time/latents/matched"][...].sum(axis=0))


def test_it_goes_on_where_it_was_and_has_the_same_bytes_on_three_ranks(done):
    family, _ = done
    (family.folder / "one/sae/time.k4.h24.h5").unlink()
    before = little.all_datasets(family.folder / "one")["sweep/time.h5"]
    assert sweep(family, "one", "--k=1,4,32", "--latents=8,24", "--sae.seeds=2", ranks=3).code == 0
    after = little.all_datasets(family.folder / "one")["sweep/time.h5"]
    assert_same(before, after)


@pytest.fixture(scope="module")
def everywhere(done):
    """Over time and scale beside a run that makes the dictionaries of each point anew."""
    family, _ = done
    whole = family.folder / "whole"
    ran = incipit("run", family.deck, f"--run.output={whole}", *EASY, "--controls.own_anchor=time", "--extract.components=yes")
    assert ran.code == 0, ran.text
    swept = {curve: sweep(family, "whole", f"--over={curve}", "--extract.components=yes", ranks=2) for curve in ("time", "scale")}
    return whole, swept


def test_a_dictionary_at_each_point_reads_all_of_the_curve(everywhere):
    whole, swept = everywhere
    assert swept["time"].code == 0, swept["time"].text
    assert "Births along time as 2 dictionaries tell them" in swept["time"].out
    assert "train" not in swept["time"].out  # the run had made them
    with h5py.File(whole / "sweep/time.over_time.h5") as file, h5py.File(whole / "emergence.h5") as run:
        assert list(file["dictionary"]) == [0, 1] and list(file["step"]) == [0, 5]
        curve, own = run["anchors/time/curves/time"], run["anchors/time/curves/own_time"]
        at_home = list(curve["step"]).index(5)
        for name in ("probe_activation", "contrast", "contrast_low", "contrast_high", "status"):
            # The anchor's dictionary reads the run's curve; the others, at home, what an own anchor reads there.
            np.testing.assert_array_equal(file[name][at_home], curve[name][0], err_msg=name)
            for point in range(2):
                np.testing.assert_array_equal(file[name][point, point], own[name][0, point], err_msg=name)
        np.testing.assert_array_equal(file["matched"][...], own["matched"][...])
        for name in ("present", "level", "p", "q", "onset_high", "dip"):
            np.testing.assert_array_equal(file["conclusions"][name][at_home], curve["conclusions"][name][...], err_msg=name)
        np.testing.assert_array_equal(file["dictionaries_present"][...], file["conclusions/present"][...].sum(axis=0))


def test_along_scale_it_reads_through_alignments(everywhere):
    whole, swept = everywhere
    assert swept["scale"].code == 0, swept["scale"].text
    with h5py.File(whole / "sweep/scale.over_scale.h5") as file, h5py.File(whole / "emergence.h5") as run:
        assert file.attrs["rung"] in ("aligned", b"aligned")
        np.testing.assert_array_equal(file["contrast"][-1], run["anchors/scale/curves/scale/contrast"][2])
    for curve in ("time", "scale"):
        assert incipit("inspect", "--validate", whole / f"sweep/{curve}.over_{curve}.h5").code == 0


def test_a_sweep_over_anchors_has_the_same_bytes_on_three_ranks(done, everywhere):
    family, _ = done
    whole, _ = everywhere
    before = little.all_datasets(whole)["sweep/time.over_time.h5"]
    assert sweep(family, "whole", "--over=time", "--extract.components=yes", ranks=3).code == 0
    after = little.all_datasets(whole)["sweep/time.over_time.h5"]
    assert_same(before, after)


@pytest.mark.parametrize("words, said", [
    (["--k=0"], "expected numbers from 1 up"),
    (["--latents=8,x"], "expected numbers from 1 up"),
    (["--anchor=nowhere"], "no such anchor; there are time, scale, space"),
    (["--k=9", "--latents=8"], "no k is at most a number of latents"),
    (["--over=depth"], "--over=depth: no such anchor with a curve depth; there is none"),
    (["--over=time", "--anchor=scale"], "--anchor=scale: no such anchor with a curve time; there are time"),
    (["--over=time", "--k=4"], "one sweep at a time"),
])
def test_bad_words(done, words, said):
    family, _ = done
    result = sweep(family, "bad", *words)
    assert result.code == 64 and said in result.err

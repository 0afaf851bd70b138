"""The phantom: what `incipit phantom` writes is a family like any other, and the method finds in it what was planted."""

import h5py
import numpy as np
import pytest
from conftest import incipit
from phantom import Curve, Truth

QUICK = ("--track.bootstrap=200", "--track.permutations=99", "--extract.components=yes")
SMALL = ("--models=2", "--width=48", "--subjects=8", "--never=4", "--terms=32", "--layers=6", "--nuisances=3")


@pytest.fixture(scope="module")
def phantom(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phantom")
    result = incipit("phantom", "--out", folder / "planted", "--seed", 4, *SMALL)
    assert result.code == 0, result.text
    return folder


@pytest.fixture(scope="module")
def emergence(phantom):
    # From another folder, as the deck's paths are its own.
    result = incipit("run", phantom / "planted" / "phantom.ini", *QUICK, ranks=2, cwd=phantom)
    assert result.code == 0, result.text
    assert "left out" not in result.text  # the audit finds nothing wrong
    return phantom / "results" / "phantom" / "emergence.h5"


def test_a_family_like_any_other(phantom):
    folder = phantom / "planted"
    for words in (("models", folder / "family"), ("audit", folder / "family"), ("inspect", "--validate", folder / "truth.h5")):
        result = incipit(*words)
        assert result.code == 0, result.text


def test_what_was_planted_is_found_and_nothing_else(phantom, emergence):
    truth = Truth(phantom / "planted" / "truth.h5")
    with h5py.File(emergence) as file:
        latents = file["anchors/time/latents"]
        subjects = [name.decode() for name in latents["subject"][...]]
        matched = dict(zip(subjects, latents["matched"][...].sum(axis=0)))
    assert [matched[name] > 0 for name in truth.subject] == list(truth.exists)
    for name, rung in (("time", "raw"), ("space", "raw"), ("scale", "aligned")):
        curve = Curve(truth, emergence, name)
        contrast, share = curve.of("contrast", rung)[:, truth.exists], curve.share[:, truth.exists]
        # The judged half of the terms stands for all of them; 16 of 32 drawn without return are off by 0.09 (1 sigma).
        tolerance = np.where((share == 0) | (share == 1), 0.2, 0.3)
        assert (np.abs(contrast - share) <= tolerance).all(), np.abs(contrast - share).max()


def test_each_kind_of_dip_is_one_on_the_rungs(phantom, emergence):
    truth = Truth(phantom / "planted" / "truth.h5")
    assert sorted((dip["axis"], dip["verdict"]) for dip in truth.dips) == [
        (axis, verdict) for axis in ("space", "time") for verdict in ("lost", "outvoted", "rescaled", "turned")
    ]
    for dip in truth.dips:
        curve = Curve(truth, emergence, dip["axis"])
        points = curve.step if dip["axis"] == "time" else curve.layer
        inside = (points >= dip["first"]) & (points <= dip["last"])
        raw, rescaled, aligned = (curve.of("contrast", rung)[inside, dip["subject"]] for rung in ("raw", "rescaled", "aligned"))
        auc, probe = (curve.of(name)[inside, dip["subject"]] for name in ("auc", "probe_auc"))
        assert (raw < 0.25).all(), dip
        assert ((rescaled > 0.9) == (dip["verdict"] == "rescaled")).all(), (dip, rescaled)
        assert ((aligned > 0.9) == (dip["verdict"] in ("rescaled", "turned"))).all(), (dip, aligned)
        assert ((probe > 0.95) == (dip["verdict"] != "lost")).all(), (dip, probe)
        if dip["verdict"] == "outvoted":
            assert (auc > 0.9).all(), (dip, auc)


def test_births_do_not_hang_on_where_the_dictionary_is_made(phantom, emergence):
    """Each dictionary made once a subject is known tells its onset within one checkpoint."""
    result = incipit("sweep", phantom / "planted" / "phantom.ini", "--over=time", *QUICK, ranks=2, cwd=phantom)
    assert result.code == 0, result.text
    truth = Truth(phantom / "planted" / "truth.h5")
    with h5py.File(phantom / "results" / "phantom" / "sweep" / "time.over_time.h5") as file:
        steps, present, onset = list(file["step"]), file["conclusions/present"][...], file["conclusions/onset_high"][...]
        subjects = [name.decode() for name in file["subject"]]
    planted = {name: truth.onset[c, 1] for c, name in enumerate(truth.subject) if truth.exists[c]}
    right = []
    for c, name in enumerate(subjects):
        told = [steps.index(step) for step in onset[present[:, c] > 0, c]]
        if name not in planted:
            assert not told, name
            continue
        born = steps.index(planted[name])
        assert len(told) >= 3  # several dictionaries know it
        right += [abs(step - born) <= 1 for step in told]
    assert np.mean(right) >= 0.95, np.mean(right)


def test_all_who_erased_in_a_dip_are_put_to_the_test(phantom, emergence):
    result = incipit("attribute", phantom / "planted" / "phantom.ini", *QUICK, "--anchor=space", "--ablate=erasers",
                     ranks=2, cwd=phantom)
    assert result.code == 0, result.text
    with h5py.File(emergence) as file:
        dips = file["anchors/space/curves/space/conclusions/dips"]
        verdicts = [verdict.decode() for verdict in dips["verdict"]]
        named = [{name.replace(" ", "-") + ".h5" for name in erased.decode().split(", ") if name} for erased in dips["erased_by"]]
    assert any(erased for verdict, erased in zip(verdicts, named) if verdict == "lost"), (verdicts, named)
    there = {path.name for path in (phantom / "results" / "phantom" / "attribution" / "space").iterdir()}
    assert set.union(*named) <= there, (named, there)


def test_sizes_come_from_a_file_too(tmp_path):
    sizes = tmp_path / "sizes"
    sizes.write_text("# little\nterms = 4\nprobes=1\n\nmodels = 1\nsubjects = 4\nnever = 4\n")
    result = incipit("phantom", f"--out={tmp_path / 'a'}", f"--sizes={sizes}", "--probes=2")
    assert result.code == 0, result.text
    assert "16 checkpoints, 32 probes, 0 of 4 subjects planted" in result.out
    assert Truth(tmp_path / "a" / "truth.h5").dips == []


@pytest.mark.parametrize(
    "words, says",
    [
        ((), "--out"),
        (("--out", "a", "--sede=1"), "no option '--sede=1'"),
        (("--out", "a", "--seed=one"), "seed=one"),
        (("--out", "a", "--width=56"), "a width of 64 at least"),
        (("--out", "a", "--terms=3"), "--terms=3"),
        (("--out", "full"), "not an empty folder"),
        (("--out", "a", "--sizes=bad"), "bad:2"),
    ],
)
def test_bad_words(tmp_path, words, says):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    (tmp_path / "bad").write_text("terms = 8\nmodel = 3\n")
    result = incipit("phantom", *words, cwd=tmp_path)
    assert result.code == 64, result.text
    assert says in result.err
    assert not (tmp_path / "a").exists()
    assert len(list((tmp_path / "full").iterdir())) == 1

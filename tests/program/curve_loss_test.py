"""extract.loss: next-token losses beside the curves, made by run and by incipit loss alike."""

import h5py
import numpy as np
import pytest

import little
from conftest import incipit, kill_after

ASK = "--extract.loss=yes"
ON_CURVES = ["large/step0", "large/step10", "large/step100", "small/step100"]


def run(subcommand, family, output, *words, ranks=1):
    result = incipit(subcommand, family.deck, f"--run.output={output}", *words, ranks=ranks)
    assert result.code == 0, result.text
    return result


def stamps(output):
    return {str(p.relative_to(output)): p.stat().st_mtime_ns for p in sorted(output.rglob("*.h5"))}


def of_checkpoint(output, name):
    with h5py.File(output / "loss" / f"{name}.h5") as file:
        return file["loss"][()]


def on_curve(output, name):
    """Loss and change of loss along an anchor's curve."""
    with h5py.File(output / "emergence.h5") as file:
        curve = file[f"anchors/{name}/curves/{name}"]
        return curve["loss"][()], curve["drift/loss"][()]


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    family = little.Family(tmp_path_factory.mktemp("reference"))
    run("run", family, family.folder / "out", ASK, "--controls.random_weights=curves")
    return family, little.all_datasets(family.folder / "out")


def test_the_checkpoints_of_the_curves_have_the_files_that_loss_makes(reference, tmp_path):
    family, files = reference
    words = (ASK, "--controls.random_weights=curves")  # both stand in every file's deck
    run("loss", family, tmp_path / "out", *words)
    made = {name: file for name, file in files.items() if name.startswith("loss/")}
    assert set(made) == {f"loss/{name}.h5" for name in ON_CURVES}
    alone = little.all_datasets(tmp_path / "out")
    assert made == {name: alone[name] for name in made}
    before = stamps(tmp_path / "out" / "loss")
    run("run", family, tmp_path / "out", *words)
    assert stamps(tmp_path / "out" / "loss") == before
    assert little.all_datasets(tmp_path / "out")["emergence.h5"] == files["emergence.h5"]


def test_curves_hold_the_same_numbers(reference):
    output = reference[0].folder / "out"
    expected = {name: of_checkpoint(output, name) for name in ON_CURVES}
    for curve, checkpoints in (("time", ON_CURVES[:3]), ("scale", ["small/step100", "large/step100"]), ("space", ["large/step100"] * 4)):
        loss, change = on_curve(output, curve)
        np.testing.assert_array_equal(loss, [expected[name] for name in checkpoints])
        np.testing.assert_array_equal(change, np.diff(loss, prepend=np.nan))
    with h5py.File(output / "emergence.h5") as file:
        controls = file["anchors/time/controls/random_weights/curves"]
        assert list(controls) and not any("loss" in curve for curve in controls.values())
    result = incipit("inspect", "--validate", output / "emergence.h5")
    assert result.code == 0, result.text


def test_same_bytes_on_two_ranks_killed_and_resumed(reference, tmp_path):
    family, files = reference
    words = (ASK, "--controls.random_weights=curves", "--run.part_after=0s")
    for attempt in range(4):
        kill_after(0.5 + 0.3 * attempt, "run", family.deck, f"--run.output={tmp_path / 'out'}", *words, ranks=1 + attempt % 2)
    run("run", family, tmp_path / "out", *words, ranks=2)
    assert little.all_datasets(tmp_path / "out") == files
    assert "nothing to do" in run("run", family, tmp_path / "out", *words).out


def test_asked_for_later_only_losses_and_curves_are_made(reference, tmp_path):
    family, files = reference
    output, words = tmp_path / "out", ("--controls.random_weights=curves",)
    run("run", family, output, *words)
    with h5py.File(output / "emergence.h5") as file:
        curve = file["anchors/time/curves/time"]
        assert "loss" not in curve and "loss" not in curve["drift"]
    refused = incipit("run", family.deck, f"--run.output={output}", *words, ASK)
    assert refused.code == 64 and "stage track is stale" in refused.err and "extract.loss" in refused.err
    before = stamps(output)
    run("run", family, output, *words, ASK, "--run.redo")
    after = stamps(output)
    assert {name for name in after if after[name] != before.get(name)} == {"emergence.h5", *(f"loss/{name}.h5" for name in ON_CURVES)}
    assert little.all_datasets(output)["emergence.h5"] == files["emergence.h5"]


def test_a_dropped_checkpoint_is_a_gap(family):
    path = family.checkpoint("large", 10) / "model.safetensors"
    arrays = little.tensors(32, 3, 4096, 64, 101)
    arrays["embed_out.weight"][7, 3] = np.nan
    little.write_safetensors(path, arrays)
    output = family.folder / "out"
    assert "left out: large step 10" in run("run", family, output, ASK).err
    loss, change = on_curve(output, "time")
    assert np.isnan(loss).tolist() == [False, True, False] and np.isnan(change).all()


def test_what_cannot_be_is_said_before_anything_runs(family):
    path = family.checkpoint("large", 10) / "model.safetensors"
    arrays = little.tensors(32, 3, 4096, 64, 101)
    del arrays["embed_out.weight"]
    little.write_safetensors(path, arrays)
    output = family.folder / "out"
    refused = incipit("run", family.deck, f"--run.output={output}", ASK, ranks=2)
    assert refused.code == 65 and str(path) in refused.err and "embed_out.weight" in refused.err, refused.text
    assert not (output / "activations").exists() and little.leftovers(output) == []
    run("run", family, output)
    refused = incipit("track", family.deck, f"--run.output={output}", ASK)
    assert refused.code == 64 and "loss/small/step100.h5 is not there: run `incipit loss`" in refused.err, refused.text

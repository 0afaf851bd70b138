"""incipit loss: next-token losses of the probes at every checkpoint of a ladder."""

import json
import math

import numpy as np
import pytest

import little
from conftest import incipit, kill_after

VOCABULARY = 4096


def run(family, output, *words, ranks=1):
    result = incipit("loss", family.deck, f"--run.output={output}", *words, ranks=ranks)
    assert result.code == 0, result.text
    return result


def losses(output):
    """Of every checkpoint: what its file holds but for `timing`."""
    return {name: file for name, file in little.all_datasets(output).items() if name.startswith("loss/")}


def read(output, model, step):
    import h5py

    with h5py.File(output / "loss" / model / f"step{step}.h5") as file:
        return {name: file[name][()] for name in ("probe_id", "tokens", "predicted", "loss_sum", "loss")}


def table_row(text, model, step):
    """The cells of a checkpoint's row, the note in one."""
    (row,) = [cells for cells in (line.split(None, 5) for line in text.splitlines()) if cells[:2] == [model, str(step)]]
    return row


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    family = little.Family(tmp_path_factory.mktemp("reference"))
    result = run(family, family.folder / "out")
    return family, losses(family.folder / "out"), result.out


def test_every_checkpoint_of_every_model(reference):
    family, files, _ = reference
    assert set(files) == {f"loss/{model}/step{step}.h5" for model in family.models for step in family.steps}
    assert little.leftovers(family.folder / "out") == []


def test_what_a_file_holds(reference):
    family, _, text = reference
    for model in family.models:
        for step in family.steps:
            held = read(family.folder / "out", model, step)
            assert [name.decode() for name in held["probe_id"]] == [probe["id"] for probe in family.probes()]
            np.testing.assert_array_equal(held["predicted"], held["tokens"] - 1)
            assert np.isclose(held["loss"], held["loss_sum"].sum() / held["predicted"].sum(), rtol=1e-14)
            # Weights this small know nothing: about a blind guess.
            assert abs(held["loss"] - math.log(VOCABULARY)) < 0.2
            row = table_row(text, model, step)
            assert row[2] == f"{held['loss']:.4f}"
            assert row[4] == str(held["predicted"].sum())
            assert float(row[3]) == pytest.approx(math.exp(held["loss"]), abs=0.06)


def test_files_are_valid(reference):
    family, files, _ = reference
    for file in files:
        result = incipit("inspect", "--validate", family.folder / "out" / file)
        assert result.code == 0 and "valid incipit/loss" in result.out, result.text


@pytest.mark.parametrize("ranks, words", [
    (2, []), (3, []), (3, ["--run.part_after=0s"]), (1, ["--run.threads=2", "--run.part_after=0s"]),
])
def test_same_bytes_for_any_ranks_threads_and_waves(reference, tmp_path, ranks, words):
    family, files, text = reference
    result = run(family, tmp_path / "out", *words, ranks=ranks)
    assert losses(tmp_path / "out") == files
    for model in family.models:
        for step in family.steps:
            assert table_row(result.out, model, step) == table_row(text, model, step)
    assert not (tmp_path / "out" / "parts").exists()


def test_a_team_shares_one_checkpoint(tmp_path):
    family = little.Family(tmp_path, steps=(5,), models=(("only", 16, 2),))
    # Packs enough for three ranks.
    run(family, tmp_path / "one", "--run.pack_tokens=100")
    run(family, tmp_path / "three", "--run.pack_tokens=100", ranks=3)
    run(family, tmp_path / "parts", "--run.pack_tokens=100", "--run.part_after=0s", ranks=3)
    assert losses(tmp_path / "one") == losses(tmp_path / "three") == losses(tmp_path / "parts")


def test_killed_and_resumed(reference, tmp_path):
    family, files, _ = reference
    for attempt in range(5):
        words = ("loss", family.deck, f"--run.output={tmp_path / 'out'}", "--run.part_after=0s")
        kill_after(0.3 + 0.2 * attempt, *words, ranks=1 + attempt % 3)
        for final in (tmp_path / "out").rglob("loss/**/*.h5"):
            if not final.name.startswith("."):
                little.datasets(final)  # whatever has its final name can be read
    run(family, tmp_path / "out", ranks=2)
    assert losses(tmp_path / "out") == files


def test_only_what_is_missing_or_stale_is_made(reference, tmp_path):
    family, files, _ = reference
    output = tmp_path / "out"
    run(family, output)
    path = {name: output / name for name in files}
    before = {name: file.stat().st_mtime_ns for name, file in path.items()}
    gone = "loss/small/step10.h5"
    path[gone].unlink()
    run(family, output, ranks=2)
    assert losses(output) == files
    assert [name for name in files if path[name].stat().st_mtime_ns != before[name]] == [gone]
    run(family, output, "--probes.limit=5")
    assert len(read(output, "large", 100)["loss_sum"]) == 15


def test_stop_file_ends_with_75(reference, tmp_path):
    family, files, _ = reference
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "STOP").touch()
    result = incipit("loss", family.deck, f"--run.output={tmp_path / 'out'}", ranks=2)
    assert result.code == 75, result.text
    (tmp_path / "out" / "STOP").unlink()
    run(family, tmp_path / "out", ranks=2)
    assert losses(tmp_path / "out") == files


def test_the_smallest_deck_has_no_anchors_and_no_subjects(family):
    family.deck.write_text("[family]\npath = family\n[probes]\npath = probes.jsonl\n")
    (family.folder / "subjects.json").unlink()
    run(family, family.folder / "out")


def test_help():
    result = incipit("loss", "--help")
    assert result.code == 0
    for part in ("usage: incipit loss DECK", "loss/MODEL/stepN.h5", "[probes]"):
        assert part in result.out


def rewrite(family, step, change):
    """Changes the tensors of the larger model at a step."""
    arrays = little.tensors(32, 3, VOCABULARY, 64, 100 + family.steps.index(step))
    change(arrays)
    path = family.checkpoint("large", step) / "model.safetensors"
    little.write_safetensors(path, arrays)
    return path


def test_a_loss_that_rises_is_noted(family):
    rewrite(family, 10, lambda arrays: arrays.update({"embed_out.weight": 20 * arrays["embed_out.weight"]}))
    result = run(family, family.folder / "out", "--run.audit=ignore")
    note = table_row(result.out, "large", 10)[5]
    assert "rises by" in note and "over step 0" in note and f"above ln({VOCABULARY}) = 8.32" in note
    assert "rises" not in " ".join(table_row(result.out, "large", 100))
    assert "rises" not in " ".join(table_row(result.out, "small", 0))  # the first of a model has none before it


def test_tied_embeddings_need_no_unembedding(tmp_path):
    outputs = []
    for tied in (False, True):
        family = little.Family(tmp_path / str(tied), steps=(5,), models=(("only", 16, 2),))
        folder = family.checkpoint("only", 5)
        arrays = little.tensors(16, 2, VOCABULARY, 32, 0)
        arrays["embed_out.weight"] = arrays["gpt_neox.embed_in.weight"]
        if tied:
            del arrays["embed_out.weight"]
            config = json.loads((folder / "config.json").read_text())
            (folder / "config.json").write_text(json.dumps(config | {"tie_word_embeddings": True}))
        little.write_safetensors(folder / "model.safetensors", arrays)
        run(family, family.folder / "out")
        outputs.append(read(family.folder / "out", "only", 5)["loss_sum"])
    np.testing.assert_array_equal(*outputs)


def refuse(family, code, *parts, words=(), ranks=2):
    output = family.folder / "out"
    result = incipit("loss", family.deck, f"--run.output={output}", *words, ranks=ranks)
    assert result.code == code, f"exit {result.code}, expected {code}\n{result.text}"
    for part in parts:
        assert str(part) in result.err, f"{part!r} is not in\n{result.err}"
    assert result.err.count("incipit: ") - result.err.count("incipit: warning: ") == 1, result.err
    assert little.leftovers(output) == []


@pytest.mark.parametrize("name", ["embed_out.weight", "gpt_neox.final_layer_norm.bias"])
def test_a_missing_head_matters_here_alone(family, name):
    path = rewrite(family, 10, lambda arrays: arrays.pop(name))
    refuse(family, 65, path, name)
    assert incipit("extract", family.deck, f"--run.output={family.folder / 'extracted'}").code == 0


def test_nan_in_the_unembedding(family):
    def spoil(arrays):
        arrays["embed_out.weight"][1700, 3] = np.nan

    path = rewrite(family, 10, spoil)
    refuse(family, 76, path, "embed_out.weight", "[1700, 3]", words=["--run.audit=ignore"])
    result = run(family, family.folder / "out")  # the audit leaves it out
    assert "left out: large step 10" in result.err
    assert not (family.folder / "out" / "loss" / "large" / "step10.h5").exists()


def test_logits_that_overflow(family):
    def swell(arrays):
        arrays["embed_out.weight"] *= np.float32(1e38)
        arrays["gpt_neox.final_layer_norm.weight"] *= np.float32(1e10)

    path = rewrite(family, 10, swell)
    refuse(family, 76, path.parent, "logits", "NaN or infinite", words=["--run.audit=ignore"])


def test_probes_of_one_token(family):
    # A text and its last character alone: the shortest text there is has one token.
    probes = [probe | {"text": "a"} for probe in family.probes()]
    family.write_probes(probes)
    refuse(family, 65, "single token", "nothing to predict")
    family.write_probes([probes[0] | {"text": "a word about cats"}, *probes[1:]])
    run(family, family.folder / "out")
    held = read(family.folder / "out", "small", 0)
    assert held["predicted"][0] > 0 and not held["predicted"][1:].any() and not held["loss_sum"][1:].any()

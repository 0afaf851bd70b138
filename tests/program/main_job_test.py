"""The main job: same bytes for any number of ranks and threads, in one go or in pieces."""

import json
import re
import shutil

import pytest

import little
from conftest import incipit, kill_after


def run(family, output, *words, ranks=1, deck="deck.ini"):
    result = incipit("run", family.folder / deck, f"--run.output={output}", *words, ranks=ranks)
    assert result.code == 0, result.text
    return result


def same(a, b):
    assert a.keys() == b.keys()
    for file in a:
        assert a[file].keys() == b[file].keys(), file
        for name in a[file]:
            assert a[file][name] == b[file][name], f"{file}: {name} differs"


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    family = little.Family(tmp_path_factory.mktemp("reference"))
    run(family, family.folder / "out")
    return family, little.all_datasets(family.folder / "out")


def test_everything_is_there(reference):
    family, files = reference
    assert "emergence.h5" in files
    for stage in ("sae", "labels", "match", "align"):
        for anchor in ("time", "space", "scale"):
            assert f"{stage}/{anchor}.h5" in files
    assert (family.folder / "out" / "deck.ini").exists()
    assert (family.folder / "out" / "run.log").exists()
    assert little.leftovers(family.folder / "out") == []


def test_plain_start_is_one_rank(reference, tmp_path):
    family, files = reference
    result = incipit("run", family.deck, f"--run.output={tmp_path / 'out'}")
    assert result.code == 0, result.text
    same(files, little.all_datasets(tmp_path / "out"))


@pytest.mark.parametrize("ranks", [2, 3, 4, 7])
def test_same_bytes_for_any_rank_count(reference, tmp_path, ranks):
    family, files = reference
    run(family, tmp_path / "out", ranks=ranks)
    same(files, little.all_datasets(tmp_path / "out"))


@pytest.mark.parametrize("threads", [1, 2])
def test_same_bytes_for_any_thread_count(reference, tmp_path, threads):
    family, files = reference
    run(family, tmp_path / "out", f"--run.threads={threads}", ranks=2)
    same(files, little.all_datasets(tmp_path / "out"))


def test_same_bytes_in_little_waves_with_part_files(reference, tmp_path):
    family, files = reference
    run(family, tmp_path / "out", "--run.part_after=0s", ranks=3)
    same(files, little.all_datasets(tmp_path / "out"))
    assert not (tmp_path / "out" / "parts").exists()


def test_same_bytes_stage_by_stage_on_changing_ranks(reference, tmp_path):
    family, files = reference
    for ranks, stage in enumerate(["extract", "train", "interpret", "match", "align", "track"], start=1):
        result = incipit(stage, family.deck, f"--run.output={tmp_path / 'out'}", ranks=1 + ranks % 4)
        assert result.code == 0, result.text
    same(files, little.all_datasets(tmp_path / "out"))


def test_teams_share_one_checkpoint(tmp_path):
    family = little.Family(tmp_path, steps=(5,), models=(("only", 16, 2),))
    run(family, tmp_path / "one")
    run(family, tmp_path / "four", ranks=4)
    same(little.all_datasets(tmp_path / "one"), little.all_datasets(tmp_path / "four"))


def read_by(result):
    """Bytes that all ranks together read, from the end of the log."""
    number, unit = re.search(r"^files +([0-9.]+) (\w+) read", result.out, re.MULTILINE).groups()
    return float(number) * {"B": 1, "kB": 1e3, "MB": 1e6}[unit]


def test_ranks_of_a_node_read_a_checkpoint_once(tmp_path):
    family = little.Family(tmp_path, steps=(5,), models=(("only", 64, 6),))
    read = []
    for ranks in 1, 4:
        result = incipit("extract", family.deck, f"--run.output={tmp_path / str(ranks)}", ranks=ranks)
        assert result.code == 0, result.text
        read.append(read_by(result))
    # The file's index and the embedding's rows each rank reads for itself.
    assert read[1] < 1.2 * read[0]


def test_killed_and_resumed(reference, tmp_path):
    family, files = reference
    for attempt in range(6):
        words = ("run", family.deck, f"--run.output={tmp_path / 'out'}", "--run.part_after=0s")
        kill_after(0.4 + 0.35 * attempt, *words, ranks=1 + attempt % 3)
        for final in (tmp_path / "out").rglob("*.h5"):
            if not final.name.startswith("."):
                little.datasets(final)  # whatever has its final name can be read
    run(family, tmp_path / "out", ranks=2)
    same(files, little.all_datasets(tmp_path / "out"))


def test_a_second_run_does_nothing(reference):
    family, _ = reference
    before = (family.folder / "out" / "emergence.h5").stat().st_mtime_ns
    result = run(family, family.folder / "out")
    assert "nothing to do" in result.out
    assert (family.folder / "out" / "emergence.h5").stat().st_mtime_ns == before


def test_stop_file_ends_with_75_and_the_same_command_goes_on(reference, tmp_path):
    family, files = reference
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "STOP").touch()
    result = incipit("run", family.deck, f"--run.output={tmp_path / 'out'}", ranks=2)
    assert result.code == 75, result.text
    assert "STOP" in result.err
    (tmp_path / "out" / "STOP").unlink()
    run(family, tmp_path / "out", ranks=2)
    same(files, little.all_datasets(tmp_path / "out"))


def test_float16_activations_and_several_seeds_and_k(tmp_path):
    family = little.Family(tmp_path)
    run(family, tmp_path / "a", "--extract.dtype=float16", "--sae.seeds=3", "--sae.k=2", ranks=2)
    run(family, tmp_path / "b", "--extract.dtype=float16", "--sae.seeds=3", "--sae.k=2", ranks=1)
    files = little.all_datasets(tmp_path / "a")
    same(files, little.all_datasets(tmp_path / "b"))
    assert files["activations/large/step100.h5"]["residual"][0] == "float16"
    assert len([name for name in files["sae/time.h5"] if name.startswith("seeds/") and name.endswith("/encoder")]) == 2


def test_split_none_is_marked(tmp_path):
    import h5py

    family = little.Family(tmp_path)
    run(family, tmp_path / "out", "--probes.split=none")
    with h5py.File(tmp_path / "out" / "emergence.h5") as file:
        assert file.attrs["split"] in ("none", b"none")


def test_activations_can_be_dropped(tmp_path):
    family = little.Family(tmp_path)
    run(family, tmp_path / "out", "--run.keep_activations=no")
    assert not (tmp_path / "out" / "activations").exists()
    assert "nothing to do" in run(family, tmp_path / "out", "--run.keep_activations=no").out


def test_output_validates_and_opens(reference):
    family, files = reference
    for file in files:
        result = incipit("inspect", "--validate", family.folder / "out" / file)
        assert result.code == 0, result.text
    result = incipit("inspect", family.folder / "out" / "emergence.h5")
    assert result.code == 0 and "contrast" in result.out


def test_sharded_and_sequential_models(tmp_path):
    family = little.Family(tmp_path, steps=(5,), models=(("only", 16, 2),))
    run(family, tmp_path / "whole")
    folder = family.checkpoint("only", 5)
    arrays = little.tensors(16, 2, 4096, 32, 0)
    names = list(arrays)
    shards = {"model-00001-of-00002.safetensors": names[:7], "model-00002-of-00002.safetensors": names[7:]}
    for shard, held in shards.items():
        little.write_safetensors(folder / shard, {n: arrays[n] for n in held})
    index = {"metadata": {}, "weight_map": {n: s for s, held in shards.items() for n in held}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "model.safetensors").unlink()
    run(family, tmp_path / "sharded")
    name = "activations/only/step5.h5"
    whole, sharded = little.datasets(tmp_path / "whole" / name), little.datasets(tmp_path / "sharded" / name)
    assert whole["residual"] == sharded["residual"]
    shutil.rmtree(folder)
    family.write_checkpoint("only", 5, 16, 2, seed=0, use_parallel_residual=False)
    run(family, tmp_path / "sequential")
    assert little.datasets(tmp_path / "sequential" / name)["residual"] != whole["residual"]

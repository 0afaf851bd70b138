"""`incipit plan` and `incipit calibrate`: what a run would take, and what it took."""

import csv
import json
import re
import shutil
import time

import pytest

import little
import skeleton
from conftest import ROOT, incipit


@pytest.fixture(scope="module")
def family(tmp_path_factory):
    return little.Family(tmp_path_factory.mktemp("plan"), steps=(0, 1, 2, 4, 8, 100))


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """What was measured here in a hurry."""
    folder = tmp_path_factory.mktemp("machine")
    result = incipit("calibrate", f"--output={folder / 'machine.json'}", "--threads=1", "--seconds=0.05", "--size=8MiB", ranks=2)
    assert result.code == 0, result.text
    assert [p.name for p in folder.iterdir()] == ["machine.json"]  # nothing else is left
    return folder / "machine.json"


def test_calibrate_measures(machine):
    rates = json.loads(machine.read_text())
    assert rates["ranks"] == 2 and rates["threads"] == 1
    for ladder in ("forward", "train"):
        assert rates[ladder]["width"] == sorted(rates[ladder]["width"])
        assert all(1e6 < flops < 1e14 for flops in rates[ladder]["flops"])
    assert 1e6 < rates["read_all"] and 1e5 < rates["write_all"] and 0 < rates["file"] < 10
    for phase in ("audit", "interpret", "match", "align", "attribute", "track", "drift", "token baseline", "set up"):
        assert rates["units"][phase] > 0


def test_a_run_takes_the_rates_and_gives_the_same_bytes(family, machine, tmp_path):
    for name, words in (("assumed", []), ("measured", [f"--run.machine={machine}"])):
        result = incipit("run", family.deck, f"--run.output={tmp_path / name}", *words, ranks=3)
        assert result.code == 0, result.text
    assert little.all_datasets(tmp_path / "assumed") == little.all_datasets(tmp_path / "measured")


def test_plan_reads_no_weights(family, machine, tmp_path):
    holes = tmp_path / "holes"
    shutil.copytree(family.folder, holes)
    for file in holes.rglob("model.safetensors"):
        size = file.stat().st_size
        with open(file, "r+b") as weights:
            head = 8 + int.from_bytes(weights.read(8), "little")
            weights.truncate(head)
            weights.truncate(size)
    words = ("--ranks", "4", f"--run.machine={machine}")
    planned = incipit("plan", family.deck, *words)
    assert planned.code == 0, planned.text
    assert incipit("plan", holes / "deck.ini", *words).out == planned.out
    assert not (holes / "results").exists()


def test_plan_says_who_does_what(family, machine):
    result = incipit("plan", family.deck, "--ranks=2", f"--run.machine={machine}", "--all")
    assert result.code == 0, result.text
    named = re.findall(r"(?:small|large)/step\d+", result.out)
    assert len(named) == len(set(named)) > 6
    for word in ("forward", "track", "node-hours", "memory", "bound", "balance"):
        assert word in result.out


def test_plan_counts_attribution_and_the_encoder_and_says_what_it_does_not_count(family, machine, tmp_path):
    encoder = little.write_encoder(tmp_path / "encoder")

    def computing(phase, *words):
        result = incipit("plan", family.deck, "--ranks=1", f"--run.machine={machine}", f"--csv={tmp_path / 'plan.csv'}", *words)
        assert result.code == 0, result.text
        with open(tmp_path / "plan.csv") as table:
            return result.out, sum(float(row["computing"]) for row in csv.DictReader(table) if row["phase"] == phase)

    plain, none = computing("attribute")
    assert none == 0 and "note" not in plain
    assert computing("attribute", "--extract.components=yes")[1] > 0
    said, seconds = computing("match", f"--match.encoder={encoder}")
    assert seconds > computing("match")[1]
    assert f"the encoder {encoder} is counted as if every latent had a label of its own" in said
    assert "fixed lists" in computing("forward", "--run.queue=yes")[0]
    said, _ = computing("interpret", "--interpret.teacher=http", "--interpret.server=http://localhost:1", "--interpret.model=m")
    assert "the teacher http is a language model: its time is not counted" in said


def test_machines_that_are_not_here(family, tmp_path):
    table = tmp_path / "plan.csv"
    result = incipit(
        "plan", family.deck, "--ranks", "1,2,8,64", "--memory", "80G", "--bandwidth", "9G", "--flops", "500T", f"--csv={table}"
    )
    assert result.code == 0, result.text
    rows = [row for row in csv.DictReader(table.open()) if row["phase"] == "total"]
    assert [int(row["ranks"]) for row in rows] == [1, 2, 8, 64]
    seconds = [float(row["seconds"]) for row in rows]
    assert seconds == sorted(seconds, reverse=True)
    slower = incipit("plan", family.deck, "--ranks=1", "--flops=1G", "--bandwidth=9G")
    assert float(re.search(r"\(([\d.]+) s\)", slower.out)[1]) > seconds[0]


@pytest.mark.parametrize(
    "words, message",
    [
        (("--ranks=0",), "--ranks"),
        (("--ranks=two",), "--ranks"),
        (("--memory=80",), "--memory"),
        (("--flops",), "--flops stands at the end without its value"),
        (("--run.machine=nowhere.json",), "nowhere.json"),
        (("--memory=1K",), "run.memory"),
    ],
)
def test_what_is_wrong_is_said(family, words, message):
    result = incipit("plan", family.deck, *words)
    assert result.code in (64, 71, 74), result.text
    assert message in result.err


def test_a_broken_machine_file_ends_the_run_before_anything_is_done(family, tmp_path):
    (tmp_path / "machine.json").write_text('{"format": "incipit/machine", "format_version": 1, "ranks": 1}')
    result = incipit("run", family.deck, f"--run.output={tmp_path / 'out'}", f"--run.machine={tmp_path / 'machine.json'}", ranks=2)
    assert result.code == 65
    assert result.err.count("machine.json") == 1
    assert not (tmp_path / "out" / "activations").exists()


def test_all_pythias_at_all_steps_are_planned_at_once(tmp_path):
    """1,540 checkpoints: no more than a moment beyond what starting the program takes."""
    skeleton.write(tmp_path / "pythia")
    anchors = "".join(f"[anchor.a{i}]\nmodel = {name}\ncurves = time\n" for i, name in enumerate(skeleton.SHAPES))
    (tmp_path / "all.ini").write_text(
        f"[family]\npath = pythia\n[probes]\npath = {ROOT / 'inputs/probes/terms.jsonl'}\n"
        f"[match]\nsubjects = {ROOT / 'inputs/subjects.json'}\n{anchors}"
    )
    words = ("plan", tmp_path / "all.ini", "--memory=80G", "--bandwidth=9G", "--flops=500T")
    best = float("inf")
    for _ in range(3):
        begin = time.monotonic()
        result = incipit(*words, "--ranks=64")
        best = min(best, time.monotonic() - begin)
        assert result.code == 0, result.text
        assert "1540 checkpoints" in result.out
    print(f"plan of 1,540 checkpoints: {best:.2f} s")
    assert best < 3  # on a busy machine; docs/benchmarks.md has the figure of a quiet one


@pytest.mark.long
def test_the_plan_is_what_the_run_takes(tmp_path):
    """Within 15 % on a machine that does nothing else meanwhile."""
    machine = tmp_path / "machine.json"
    assert incipit("calibrate", f"--output={machine}", "--threads=1", ranks=2).code == 0
    words = (ROOT / "inputs/nano.ini", "--run.threads=1", f"--run.machine={machine}")
    planned = incipit("plan", *words, "--ranks=2")
    ran = incipit("run", *words, f"--run.output={tmp_path / 'out'}", ranks=2)
    assert planned.code == ran.code == 0, planned.text + ran.text
    expected = float(re.search(r"\(([\d.]+) s\)", planned.out)[1])
    took = float(re.search(r"^total +([\d.]+)", ran.out, re.M)[1])
    print(planned.out, ran.out[ran.out.index("Where the time went"):], sep="\n")
    assert abs(expected / took - 1) < 0.15, f"planned {expected} s, took {took} s"

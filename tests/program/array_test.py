"""An array of jobs: each extracts its own models into one output, a last job does the rest."""

import os
import signal
import subprocess
import time

import pytest

import little
from conftest import command, environment, incipit, kill
from main_job_test import same


def test_an_array_over_models_fills_one_output(tmp_path):
    family = little.Family(tmp_path)
    alone, output = tmp_path / "alone", tmp_path / "array"
    assert incipit("run", family.deck, f"--run.output={alone}").code == 0
    jobs = [
        subprocess.Popen(
            command("extract", family.deck, f"--run.output={output}", f"--run.only={model}", ranks=2),
            env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for model in family.models
    ]
    for model, job in zip(family.models, jobs):
        text = job.communicate(timeout=300)[0]
        assert job.returncode == 0, text
        assert f"{len(list((output / 'activations' / model).glob('*.h5')))} checkpoints" in text
        other = next(name for name in family.models if name != model)
        assert f"anchor    {other}" not in text
    done = {p: p.stat().st_mtime_ns for p in sorted((output / "activations").rglob("*.h5"))}
    assert {p.parent.name for p in done} == set(family.models)
    result = incipit("run", family.deck, f"--run.output={output}", ranks=2)
    assert result.code == 0, result.text
    assert {p: p.stat().st_mtime_ns for p in done} == done  # nothing was made again
    assert little.all_datasets(output) == little.all_datasets(alone)
    assert little.leftovers(output) == []


def test_with_controls_that_need_other_models(tmp_path):
    """Random weights in every model's shape are extracted by the job of that model."""
    family = little.Family(tmp_path)
    words = (family.deck, f"--run.output={tmp_path / 'out'}", "--controls.random_weights=curves")
    for model in family.models:
        result = incipit("extract", *words, f"--run.only={model}")
        assert result.code == 0, result.text
        assert (tmp_path / "out" / "activations" / model / "random_weights.h5").exists()
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "out" / "activations").rglob("*.h5")}
    result = incipit("extract", *words)
    assert result.code == 0, result.text
    assert {p: p.stat().st_mtime_ns for p in before} == before


def test_losses_of_one_model(tmp_path):
    family = little.Family(tmp_path)
    result = incipit("loss", family.deck, f"--run.output={tmp_path / 'out'}", "--run.only=small")
    assert result.code == 0, result.text
    assert [p.name for p in (tmp_path / "out" / "loss").iterdir()] == ["small"]


@pytest.mark.parametrize(
    "words, message",
    [
        (("extract", "--run.only=medium"), "run.only = medium: no such model in the family; there are small, large"),
        (("run", "--run.only=small"), "run.only = small: `incipit run` needs all models"),
        (("track", "--run.only=small"), "run.only = small: `incipit track` needs all models"),
    ],
)
def test_what_cannot_be_done_model_by_model(family, words, message):
    result = incipit(words[0], family.deck, f"--run.output={family.folder / 'out'}", *words[1:])
    assert result.code == 64
    assert result.err.count(message) == 1, result.text


class Job:
    """A run of one deck into one output, whose words are there to read while it runs."""

    def __init__(self, family, output, log, *words, ranks=2, stage="run"):
        self.log = log
        with log.open("w") as out:
            self.process = subprocess.Popen(command(stage, family.deck, f"--run.output={output}", *words, ranks=ranks),
                                            env=environment(), stdout=out, stderr=subprocess.STDOUT, start_new_session=True)

    def wait_until(self, found, seconds=60):
        end = time.time() + seconds
        while not found():
            assert self.process.poll() is None and time.time() < end, self.log.read_text()
            time.sleep(0.01)

    def says(self, words):
        self.wait_until(lambda: words in self.log.read_text())

    def end(self):
        return self.process.wait(timeout=120)


def test_dictionaries_are_trained_by_one_job(family, tmp_path):
    """Others wait for it, stop while they wait when they are asked to, and go on with what it leaves when it is gone."""
    words = ("--sae.steps=4000", "--run.part_after=0s")
    assert incipit("run", family.deck, f"--run.output={tmp_path / 'alone'}", *words, ranks=2).code == 0
    output = tmp_path / "out"
    first = Job(family, output, tmp_path / "first", *words)
    first.wait_until(lambda: list(output.glob("parts/sae/*/*.h5")))
    # It holds its locks and gets no further.
    subprocess.run(["pkill", "-STOP", "-s", str(first.process.pid)], check=True)
    second, third = (Job(family, output, tmp_path / name, *words, ranks=ranks) for name, ranks in (("second", 2), ("third", 1)))
    for job in (second, third):
        job.says("waiting for it")
    second.process.send_signal(signal.SIGUSR1)
    assert second.end() == 75, second.log.read_text()
    assert not list(output.glob("sae/*.h5"))
    kill(first.process)
    assert third.end() == 0, third.log.read_text()
    assert "train " in third.log.read_text()
    same(little.all_datasets(tmp_path / "alone"), little.all_datasets(output))
    assert little.leftovers(output) == []


def fingerprint_of(path):
    import h5py

    with h5py.File(path, "r") as file:
        return file.attrs["fingerprint"].decode()


def test_what_another_job_labels_is_passed_over(family, tmp_path):
    """A lock on the labels of one dictionary: those of the others are made before it is waited for."""
    output = tmp_path / "out"
    assert incipit("run", family.deck, f"--run.output={output}").code == 0
    before = little.all_datasets(output)
    labels = sorted(output.glob("labels/*.h5"))
    what = fingerprint_of(labels[0])
    for path in labels:
        path.unlink()
    holder = subprocess.Popen(["sleep", "60"])
    with_lock = labels[0].with_name(labels[0].name + ".lock")
    with_lock.write_text(f"host {os.uname().nodename}\npid {holder.pid}\nstarted \njob \nrestart \nsince now\nwhat {what}\n")
    job = Job(family, output, tmp_path / "log", stage="interpret")
    try:
        job.says("waiting for it")
        assert not labels[0].exists()
        assert all(path.exists() for path in labels[1:])
    finally:
        holder.kill()
        holder.wait()
    assert job.end() == 0, job.log.read_text()
    same(before, little.all_datasets(output))

"""Stopping early and going on: by signal, by a file STOP, by run.max_time; several jobs on one output."""

import signal
import subprocess
import time

import pytest

import little
from conftest import command, environment, incipit, let_work

LONG_TRAINING = "--sae.steps=3000000"
LONG_CURVES = "--track.bootstrap=1000000"


def start(family, output, *words, ranks=2):
    return subprocess.Popen(command("run", family.deck, f"--run.output={output}", *words, ranks=ranks), env=environment(),
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(found, job):
    while not found() and job.poll() is None:
        time.sleep(0.01)
    assert job.poll() is None, job.communicate()


def training(output):
    """The last thing before it lies in the folders."""
    return lambda: len(list(output.glob("activations/*/*.h5"))) == 4


def stopped(job, *parts, within=30):
    began = time.time()
    _, err = job.communicate(timeout=60)
    assert job.returncode == 75, err
    assert time.time() - began < within
    said = [line for line in err.splitlines() if line.startswith("incipit: ") and "warning: " not in line]
    assert len(said) == 1, err
    for part in (*parts, "the same command goes on"):
        assert part in said[0], said[0]


def test_training_stops_at_once_and_keeps_where_it_stands(family, tmp_path):
    output = tmp_path / "out"
    job = start(family, output, LONG_TRAINING)
    wait_for(training(output), job)
    let_work(job, 0.4)
    job.send_signal(signal.SIGUSR1)
    stopped(job, "signal 10", "SAEs in training go on")
    states = list(output.glob("parts/sae/*/*.h5"))
    assert 1 <= len(states) <= 2  # one for each rank
    before = {path: little.datasets(path)["parameters/encoder"] for path in states}
    job = start(family, output, LONG_TRAINING, ranks=1)
    wait_for(lambda: (output / "run.log").read_text().count("incipit run") == 2, job)
    let_work(job, 0.4)
    job.send_signal(signal.SIGUSR1)
    stopped(job, "signal 10")
    assert any(little.datasets(path)["parameters/encoder"] != old for path, old in before.items())
    # Another deck's state is of no use, and goes with the first file that is whole.
    result = incipit("run", family.deck, f"--run.output={output}", ranks=2)
    assert result.code == 0, result.text
    assert not (output / "parts").exists()


def test_curves_stop_at_once_and_keep_their_points(family, tmp_path):
    output = tmp_path / "out"
    assert incipit("run", family.deck, f"--run.output={output}").code == 0
    words = (LONG_CURVES, "--run.redo=yes", "--run.part_after=0s")
    job = start(family, output, *words)
    wait_for(lambda: list(output.glob("parts/emergence/[0-9]*.h5")), job)
    job.send_signal(signal.SIGUSR1)
    stopped(job, "curves go on behind the points", within=40)
    kept = {path.name for path in output.glob("parts/emergence/*.h5")}
    job = start(family, output, *words, ranks=3)
    wait_for(lambda: {path.name for path in output.glob("parts/emergence/[0-9]*.h5")} - kept, job)
    job.send_signal(signal.SIGUSR1)
    stopped(job, "curves go on", within=40)
    assert all(name.split(".")[1] == "0" for name in kept)
    assert {path.name.split(".")[1] for path in output.glob("parts/emergence/*.h5")} == {"0", "1"}


def test_max_time_counts_from_the_start(family, tmp_path):
    began = time.time()
    job = start(family, tmp_path / "out", LONG_TRAINING, "--run.max_time=4s")
    stopped(job, "run.max_time = 4s", within=20)
    assert 3.8 <= time.time() - began


def test_a_stop_file_stays_and_is_named(family, tmp_path):
    output = tmp_path / "out"
    job = start(family, output, LONG_TRAINING)
    wait_for(training(output), job)
    (output / "STOP").touch()
    stopped(job, str(output / "STOP"), "to be removed before the next start")
    kept = sorted(path.name for path in output.rglob("*.h5"))
    job = start(family, output, LONG_TRAINING)
    stopped(job, str(output / "STOP"))
    assert sorted(path.name for path in output.rglob("*.h5")) == kept
    (output / "STOP").unlink()
    assert incipit("run", family.deck, f"--run.output={output}", ranks=2).code == 0


def test_a_second_signal_ends_at_once(family, tmp_path):
    output = tmp_path / "out"
    job = start(family, output, LONG_CURVES)
    wait_for(lambda: (output / "align/time.h5").exists(), job)
    let_work(job, 0.8)  # in the midst of the resamples, which no stop cuts short
    began = time.time()
    while job.poll() is None and time.time() - began < 20:
        job.send_signal(signal.SIGUSR1)  # on a busy machine two may arrive as one
        time.sleep(0.2)
    job.communicate(timeout=60)
    assert job.returncode == 75 and time.time() - began < 20
    assert not (output / "emergence.h5").exists()
    assert incipit("run", family.deck, f"--run.output={output}", ranks=2).code == 0


def test_three_jobs_fill_one_output(family, tmp_path):
    words = ("--sae.steps=2000", "--extract.loss=yes", "--run.part_after=0s")
    alone = incipit("run", family.deck, f"--run.output={tmp_path / 'alone'}", *words)
    assert alone.code == 0, alone.text
    jobs = [start(family, tmp_path / "out", *words, ranks=1 + n % 2) for n in range(3)]
    for job in jobs:
        out, err = job.communicate(timeout=120)
        assert job.returncode == 0, out + err
    assert little.all_datasets(tmp_path / "out") == little.all_datasets(tmp_path / "alone")
    assert little.leftovers(tmp_path / "out") == [] and not (tmp_path / "out/parts").exists()


@pytest.mark.parametrize("key", ["extract.loss", "extract.components", "track.bootstrap"])
def test_another_deck_may_not_come_in(family, tmp_path, key):
    output = tmp_path / "out"
    job = start(family, output, LONG_TRAINING)
    wait_for(training(output), job)
    result = incipit("run", family.deck, f"--run.output={output}", LONG_TRAINING, f"--{key}={'7' if 'track' in key else 'yes'}")
    assert result.code == 64 and "runs another deck into this output" in result.err, result.text
    job.send_signal(signal.SIGUSR1)
    stopped(job)


def test_waiting_for_another_job_is_said(family, tmp_path):
    output = tmp_path / "out"
    job = start(family, output, LONG_CURVES)
    wait_for(lambda: (output / "emergence.h5.lock").exists(), job)
    second = start(family, output, LONG_CURVES, ranks=1)
    wait_for(lambda: "waiting for it" in (output / "run.log").read_text(), second)
    second.send_signal(signal.SIGUSR1)
    stopped(second, "signal 10")
    job.send_signal(signal.SIGUSR1)
    job.communicate(timeout=60)
    assert job.returncode in (0, 75)  # it may just have ended


def test_a_sweep_over_anchors_goes_on(family, tmp_path):
    def words(output):
        return ("sweep", family.deck, "--over=time", f"--run.output={tmp_path / output}", "--track.bootstrap=60000", "--run.part_after=0s")

    assert incipit(*words("whole"), ranks=2).code == 0
    output = tmp_path / "parts"
    for ranks in (1, 3):
        kept = set(output.glob("parts/sweep/*/[0-9]*.h5"))
        job = subprocess.Popen(command(*words("parts"), ranks=ranks), env=environment(), stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
        wait_for(lambda: set(output.glob("parts/sweep/*/[0-9]*.h5")) - kept, job)
        job.send_signal(signal.SIGUSR1)
        stopped(job, "curves go on", within=40)
    result = incipit(*words("parts"), ranks=2)
    assert result.code == 0, result.text
    assert little.all_datasets(output) == little.all_datasets(tmp_path / "whole")

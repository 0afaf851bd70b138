"""run.queue: ranks take the next checkpoint from one list. The same files, and a rank that is slow does fewer."""

import os
import pathlib
import signal
import subprocess
import time

import pytest

import little
from conftest import children, command, environment, incipit
from main_job_test import same

QUEUE = "--run.queue=yes"
MANY = list(range(0, 320, 10))


@pytest.fixture(scope="module")
def ladder(tmp_path_factory):
    """Many checkpoints of one model."""
    return little.Family(tmp_path_factory.mktemp("ladder"), steps=MANY, models=(("only", 64, 4),))


def start(family, output, *words):
    return subprocess.Popen(command("extract", family.deck, f"--run.output={output}", *words, ranks=2), env=environment(),
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def made(output):
    return len(list(output.glob("activations/*/*.h5")))


def wait_until(found, job, seconds=60):
    end = time.time() + seconds
    while not found():
        assert job.poll() is None, job.communicate()
        assert time.time() < end, "nothing comes"
        time.sleep(0.002)


def rank_of(pid):
    words = pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return next((int(word.partition(b"=")[2]) for word in words if word.startswith(b"OMPI_COMM_WORLD_RANK=")), None)


@pytest.mark.parametrize("stage, ranks", [("extract", 3), ("loss", 2)])
def test_the_same_files_as_from_fixed_lists(family, stage, ranks, tmp_path):
    for name, queue in (("fixed", []), ("queue", [QUEUE, "--run.part_after=0s"])):
        result = incipit(stage, family.deck, f"--run.output={tmp_path / name}", *queue, ranks=ranks)
        assert result.code == 0, result.text
    same(little.all_datasets(tmp_path / "fixed"), little.all_datasets(tmp_path / "queue"))
    assert little.leftovers(tmp_path / "queue") == []


def test_a_rank_that_is_held_up_leaves_the_rest_to_the_other(ladder, tmp_path):
    job = start(ladder, tmp_path, QUEUE)
    wait_until(lambda: made(tmp_path) >= 2, job)
    slow = next(pid for pid in children(job.pid) if rank_of(pid) == 1)
    os.kill(slow, signal.SIGSTOP)
    try:
        # All but the one that the slow rank had begun, half of which would be its own in fixed lists.
        wait_until(lambda: made(tmp_path) >= len(MANY) - 1, job)
    finally:
        os.kill(slow, signal.SIGCONT)
    out, err = job.communicate(timeout=60)
    assert job.returncode == 0, err
    assert made(tmp_path) == len(MANY)


def test_a_stop_and_the_rest_from_fixed_lists(ladder, tmp_path):
    job = start(ladder, tmp_path, QUEUE)
    wait_until(lambda: made(tmp_path) >= 2, job)
    job.send_signal(signal.SIGUSR1)
    _, err = job.communicate(timeout=60)
    assert job.returncode == 75, err
    assert 2 <= made(tmp_path) < len(MANY)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("activations/*/*.h5")}
    result = incipit("extract", ladder.deck, f"--run.output={tmp_path}", ranks=3)
    assert result.code == 0, result.text
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert made(tmp_path) == len(MANY)
    assert little.leftovers(tmp_path) == []


def test_where_mpi_has_no_one_sided_communication(family, tmp_path):
    """osc/rdma finds no transport that could do it."""
    result = incipit("run", family.deck, f"--run.output={tmp_path}", QUEUE, ranks=2,
                     env={"OMPI_MCA_osc": "rdma", "OMPI_MCA_btl": "tcp,self"})
    assert result.code == 71, result.text
    assert result.err.count("set run.queue = no") == 1, result.text

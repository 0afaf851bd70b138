"""The same program built with MPICH makes the same files as with Open MPI.

INCIPIT_MPICH_BIN names the program built with CMake's preset mpich; tests/run.sh builds it where MPICH can be had."""

import os
import subprocess

import pytest

import little
from conftest import environment, incipit
from main_job_test import same

BIN = os.environ.get("INCIPIT_MPICH_BIN")
pytestmark = pytest.mark.skipif(not BIN, reason="INCIPIT_MPICH_BIN names no program")


def with_mpich(*words, ranks=None):
    launcher = [] if ranks is None else ["mpiexec.mpich", "-n", str(ranks)]
    return subprocess.run([*launcher, BIN, *map(str, words)], env=environment(), capture_output=True, text=True,
                          timeout=300)


def test_the_same_bytes_as_with_open_mpi(family, tmp_path):
    assert incipit("run", family.deck, f"--run.output={tmp_path / 'open'}", ranks=2).code == 0
    for name, ranks in (("two", 2), ("one", 1), ("plain", None)):
        done = with_mpich("run", family.deck, f"--run.output={tmp_path / name}", ranks=ranks)
        assert done.returncode == 0, done.stdout + done.stderr
        same(little.all_datasets(tmp_path / "open"), little.all_datasets(tmp_path / name))


@pytest.mark.parametrize("ranks", [None, 1, 3])
def test_an_error_is_said_once_and_its_code_reaches_the_shell(ranks, tmp_path):
    done = with_mpich("run", tmp_path / "no.ini", ranks=ranks)
    assert done.returncode == 64, done.stderr
    assert done.stderr.count("no.ini") == 1, done.stderr

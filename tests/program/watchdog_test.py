"""A rank that is killed or stopped takes the whole run down within seconds, under a launcher that does nothing about it.

tests/parallel/watchdog_test.py has the cases; here it is the program itself."""

import os
import signal
import subprocess
import time

import pytest

from conftest import BIN, environment, incipit, kill

# A shell that outlives its rank and keeps its exit code, so that the launcher notices nothing.
RANK = """
"$@" 2>"$FOLDER/err.$OMPI_COMM_WORLD_RANK" & echo $! >"$FOLDER/pid.$OMPI_COMM_WORLD_RANK"
wait $!
echo $? >"$FOLDER/code.$OMPI_COMM_WORLD_RANK"
sleep 60
"""


def wait_until(holds, seconds):
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.05)
    assert holds()


# Only a rank that was stopped is found by its silence.
@pytest.mark.parametrize("what, patience, message", [(signal.SIGKILL, "60s", "rank 1 is gone without a word, in '"),
                                                     (signal.SIGSTOP, "3s", "(run.patience). Stopped: rank 1, ")])
def test_one_rank_of_three(family, tmp_path, what, patience, message):
    out = tmp_path / "out"
    words = ["run", family.deck, f"--run.output={out}", f"--run.patience={patience}"]
    job = subprocess.Popen(["mpirun", "-n", "3", "sh", "-c", RANK, "rank", BIN, *words],
                           env=environment() | {"FOLDER": str(tmp_path)}, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        wait_until(lambda: (out / "activations").exists(), 60)
        os.kill(int((tmp_path / "pid.1").read_text()), what)
        wait_until(lambda: all((tmp_path / f"code.{rank}").exists() and (tmp_path / f"code.{rank}").stat().st_size > 0
                               for rank in range(3)), 30)
    finally:
        kill(job)
    codes = [int((tmp_path / f"code.{rank}").read_text()) for rank in range(3)]
    assert codes == [71, 128 + signal.SIGKILL, 71]
    said = "".join((tmp_path / f"err.{rank}").read_text() for rank in range(3))
    assert said.count("incipit: error:") == 1, said
    assert message in said, said
    assert incipit("run", family.deck, f"--run.output={out}", ranks=2).code == 0

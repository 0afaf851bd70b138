"""Whole-program tests: they start the installed binary as a user would, and look at exit codes, messages and files.

INCIPIT_BIN names the binary (default: build/dev/src/incipit)."""

import os
import pathlib
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("INCIPIT_BIN", ROOT / "build" / "dev" / "src" / "incipit"))


def pytest_configure(config):
    config.addinivalue_line("markers", "long: too long for every run of the tests")
    config.addinivalue_line("markers", "server: asks a real server, where one is installed")


class Result:
    def __init__(self, done):
        self.code = done.returncode
        self.out = done.stdout
        self.err = done.stderr

    @property
    def text(self):
        return self.out + self.err


def environment():
    env = dict(os.environ)
    env.update(
        OMPI_ALLOW_RUN_AS_ROOT="1",
        OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1",
        OMPI_MCA_rmaps_base_oversubscribe="1",
        OMPI_MCA_mpi_yield_when_idle="1",
        PYTHONDONTWRITEBYTECODE="1",
    )
    return env


def command(*words, ranks=None):
    launcher = [] if ranks is None else ["mpirun", "-n", str(ranks)]
    return [*launcher, str(BIN), *map(str, words)]


def incipit(*words, ranks=None, cwd=None, timeout=300, env=None):
    done = subprocess.run(
        command(*words, ranks=ranks), cwd=cwd, env=environment() | (env or {}), capture_output=True, text=True, timeout=timeout
    )
    return Result(done)


def kill_after(seconds, *words, ranks):
    """Starts the program and kills it, launcher and ranks alike."""
    job = subprocess.Popen(command(*words, ranks=ranks), env=environment(), stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, start_new_session=True)
    time.sleep(seconds)
    kill(job)


def kill(job):
    """Kills the session of a job started with start_new_session."""
    subprocess.run(["pkill", "-KILL", "-s", str(job.pid)], check=False)
    job.kill()
    job.wait()


def children(pid):
    """Processes that one has started, and those they have."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it has just ended
        if parent == pid:
            found += [int(entry.name), *children(int(entry.name))]
    return found


def processor_seconds(pid):
    """What a process has computed until now."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0  # it has just ended
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def let_work(job, seconds):
    """Waits until each process a job has started has computed for some seconds, which take longer on a busy machine."""
    before = {pid: processor_seconds(pid) for pid in children(job.pid)}
    while job.poll() is None and any(processor_seconds(pid) - began < seconds for pid, began in before.items()):
        time.sleep(0.02)


@pytest.fixture(scope="session", autouse=True)
def binary():
    assert BIN.exists(), f"{BIN} is not built; set INCIPIT_BIN"
    return BIN


@pytest.fixture
def family(tmp_path):
    """A small random family with the bundled tokenizer, and a deck for it."""
    import little

    return little.Family(tmp_path)

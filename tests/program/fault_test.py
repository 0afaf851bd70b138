"""What goes wrong with disks: each has its exit code and its message, said once; nothing is lost, and the same command
afterwards ends with the same bytes as a run in peace."""

import errno
import os
import pathlib
import random
import shutil
import subprocess
import time

import pytest

import little
from conftest import BIN, Result, command, environment, incipit, kill
from kill_test import family_of_all_stages, files_in

FAULTS = BIN.parents[1] / "tests" / "faults" / "libincipit_faults.so"


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    family = family_of_all_stages(tmp_path_factory.mktemp("undisturbed"))
    deck = family.deck.read_text().replace("steps = 2000", "steps = 100").replace("= 500", "= 60")
    family.deck.write_text(deck)
    output = family.folder / "out"
    result = incipit("run", family.deck, f"--run.output={output}", ranks=2)
    assert result.code == 0, result.text
    return family, little.all_datasets(output), files_in(output)


def messages(result):
    return [line for line in result.err.splitlines() if line.startswith("incipit: ") and "warning: " not in line]


def refused(result, code, *parts):
    assert result.code == code, result.text
    said = messages(result)
    assert len(said) == 1, result.err
    for part in parts:
        assert str(part) in said[0], said[0]


def goes_on(reference, output, ranks=2):
    family, expected, files = reference
    result = incipit("run", family.deck, f"--run.output={output}", ranks=ranks)
    assert result.code == 0, result.text
    found = little.all_datasets(output)
    for name in expected:
        assert found.get(name) == expected[name], name
    assert files_in(output) == files


@pytest.fixture
def small_disk(tmp_path):
    """Makes file systems of a given size, where this machine lets us."""
    mounted = []

    def make(name, size):
        folder = tmp_path / name
        folder.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(folder)], capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip("this machine does not let us mount a tmpfs: " + done.stderr.strip())
        mounted.append(folder)
        return folder

    yield make
    for folder in mounted:
        subprocess.run(["umount", str(folder)], check=False)


@pytest.mark.parametrize("size", [300, 4000])
def test_a_disk_that_is_full(reference, small_disk, size):
    family, expected, _ = reference
    folder = small_disk("disk", size)
    output = folder / "out"
    result = incipit("run", family.deck, f"--run.output={output}", ranks=2, timeout=120)
    refused(result, 74, folder, "No space left on device")
    assert not little.leftovers(output)
    for name, found in little.all_datasets(output).items():
        assert "parts/" in name or found == expected[name], name
    subprocess.run(["mount", "-o", "remount,size=100m", str(folder)], check=True)
    goes_on(reference, output)


def test_an_output_that_may_only_be_read(reference, small_disk):
    family, _, _ = reference
    folder = small_disk("disk", 100000)
    (folder / "out").mkdir()
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
    result = incipit("run", family.deck, f"--run.output={folder / 'out'}", ranks=2)
    refused(result, 74, folder, "Read-only file system")
    subprocess.run(["mount", "-o", "remount,rw", str(folder)], check=True)
    goes_on(reference, folder / "out")


def test_an_output_that_can_no_longer_be_written(reference, small_disk, tmp_path):
    """A file system turns read-only in the midst of a run, as after an error of its disk."""
    family, expected, _ = reference
    folder = small_disk("disk", 100000)
    output = folder / "out"
    output.mkdir()
    # None can be turned while a file on it is open to be written, as the log always is: that one lies elsewhere.
    (tmp_path / "run.log").touch()
    (output / "run.log").symlink_to(tmp_path / "run.log")
    words = command("run", family.deck, f"--run.output={output}", ranks=2)
    with subprocess.Popen(words, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as job:
        turned = False
        while not turned and job.poll() is None:
            some = next(output.glob("activations/*/*.h5"), None)
            if some:
                done = subprocess.run(["mount", "-o", "remount,ro", str(folder)], stderr=subprocess.DEVNULL)
                turned = done.returncode == 0
            time.sleep(0.001)
        out, err = job.communicate(timeout=120)
    refused(Result(subprocess.CompletedProcess(words, job.returncode, out, err)), 74, folder, "Read-only file system")
    subprocess.run(["mount", "-o", "remount,rw", str(folder)], check=True)
    for name, found in little.all_datasets(output).items():
        assert "parts/" in name or found == expected[name], name
    goes_on(reference, output)


def test_checkpoints_that_vanish(reference, tmp_path):
    family, _, _ = reference
    moved = tmp_path / "elsewhere"
    for begun in ("deck.ini", "parts/activations/**/[0-9]*.h5"):
        job = subprocess.Popen(command("run", family.deck, f"--run.output={tmp_path / 'out'}", ranks=2), env=environment(),
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        while not list((tmp_path / "out").glob(begun)) and job.poll() is None:
            time.sleep(0.002)
        family.path.rename(moved)
        try:
            err = job.communicate(timeout=60)[1]
        finally:
            moved.rename(family.path)
        assert job.returncode in (0, 65, 74), err
        if job.returncode != 0:
            assert str(family.path) in err, err
    goes_on(reference, tmp_path / "out")


def disturbed(family, output, at, error, times, rank=None, ranks=2, count=None):
    env = {"LD_PRELOAD": str(FAULTS), "INCIPIT_FAULT_FOLDER": str(output), "INCIPIT_FAULT_AT": str(at),
           "INCIPIT_FAULT_ERRNO": str(error), "INCIPIT_FAULT_TIMES": str(times)}
    if rank is not None:
        env["INCIPIT_FAULT_RANK"] = str(rank)
    if count is not None:
        env["INCIPIT_FAULT_COUNT"] = str(count)
    # The launcher writes nothing there, so the library does no harm in it.
    return incipit("run", family.deck, f"--run.output={output}", ranks=ranks, env=env, timeout=150)


def calls_of(reference, tmp_path, rank):
    """How many calls a rank makes that may fail."""
    assert FAULTS.exists(), f"{FAULTS} is not built"
    family, count = reference[0], tmp_path / f"count{rank}"
    result = disturbed(family, tmp_path / "counted", 0, errno.EIO, 0, rank=rank, count=count)
    assert result.code == 0, result.text
    shutil.rmtree(tmp_path / "counted")
    return max(map(int, count.read_text().split()))


def one_fault(reference, output, at, error, times, rank):
    family, expected, _ = reference
    where = f"call {at} of rank {rank} fails {times} times with {os.strerror(error)}"
    result = disturbed(family, output, at, error, times, rank)
    # A line of the log that is lost costs nothing.
    assert result.code in (0, 74), (where, result.text)
    if result.code == 74:
        said = [line for line in result.err.splitlines() if line.startswith("incipit: ") and "warning: " not in line]
        assert len(said) == 1 and str(output) in said[0], (where, result.err)
    for name, found in little.all_datasets(output).items():
        assert name.startswith("parts/") or found == expected[name], (where, name)
    goes_on(reference, output, ranks=random.Random(at).randint(1, 3))
    shutil.rmtree(output)
    return result.code


def many_faults(reference, tmp_path, places):
    """`places`: shares of the calls that a rank makes."""
    calls, codes = [calls_of(reference, tmp_path, rank) for rank in (0, 1)], []
    for i, place in enumerate(places):
        error, times = [(errno.EIO, 1), (errno.ENOSPC, 10**9)][i % 2]
        began, rank = time.time(), i // 2 % 2
        at = 1 + int(place * (calls[rank] - 1))
        codes.append(one_fault(reference, tmp_path / "out", at, error, times, rank))
        print(f"call {at} of rank {rank}, {errno.errorcode[error]} {times} times: {codes[-1]}, {time.time() - began:.1f} s", flush=True)
    print(f"{len(codes)} faults, {codes.count(74)} of which ended the job")
    assert codes.count(74) > len(codes) / 2


def test_calls_that_fail(reference, tmp_path):
    dice = random.Random(1)
    many_faults(reference, tmp_path, [dice.random() for _ in range(4)])


@pytest.mark.long
@pytest.mark.parametrize("part", range(4))
def test_any_call_may_fail(reference, tmp_path, part):
    many_faults(reference, tmp_path, [i / 60 for i in range(60)][part::4])


@pytest.fixture(scope="module")
def finished(reference):
    return reference[0].folder / "out"


RESULTS = ["activations/large/step10.h5", "loss/large/step0.h5", "sae/time.h5", "labels/scale.h5", "match/space.h5",
           "align/time.h5", "attribution/space.h5", "emergence.h5"]
DAMAGES = ["cut", "garbage", "empty"]


@pytest.mark.parametrize("name, damage", [
    pytest.param(name, damage, marks=[] if i % 3 == j else pytest.mark.long)
    for i, name in enumerate(RESULTS) for j, damage in enumerate(DAMAGES)
])
def test_a_damaged_result(reference, finished, tmp_path, name, damage):
    """Says which file it is and what to do; then the same command goes on."""
    output = tmp_path / "out"
    shutil.copytree(finished, output)
    if name != "emergence.h5":
        (output / "emergence.h5").unlink()
    path = output / name
    data = path.read_bytes()
    path.write_bytes({"cut": data[: len(data) // 2], "garbage": b"\x07" * len(data), "empty": b""}[damage])
    result = incipit("run", reference[0].deck, f"--run.output={output}", ranks=2)
    refused(result, 65, path, "remove")
    path.unlink()
    goes_on(reference, output)


def test_a_damaged_part_is_made_again(reference, tmp_path):
    family, _, _ = reference
    output = tmp_path / "out"
    job = subprocess.Popen(command("run", family.deck, f"--run.output={output}", ranks=2), env=environment(),
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    while not list(output.glob("parts/activations/**/[0-9]*.h5")) and job.poll() is None:
        time.sleep(0.002)
    kill(job)
    for part in output.glob("parts/**/*.h5"):
        part.write_bytes(part.read_bytes()[:3000])
    goes_on(reference, output)

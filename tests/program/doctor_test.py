"""incipit doctor: advice for the machine it runs on, and exit codes where a run could not work."""

import os
import subprocess

import pytest

from conftest import command, environment, incipit


def findings(text):
    """{what: (verdict, found)} of the lines it prints."""
    lines = [line for line in text.splitlines() if line.startswith(("ok ", "warning ", "FAIL "))]
    return {line[9:27].strip(): (line[:8].strip(), line[28:]) for line in lines}


@pytest.mark.parametrize("ranks", [None, 1, 3])
def test_nothing_fails_here_and_nothing_is_left(tmp_path, ranks):
    result = incipit("doctor", f"--folder={tmp_path / 'new'}", ranks=ranks)
    assert result.code == 0, result.text
    found = findings(result.out)
    assert not [what for what, (verdict, _) in found.items() if verdict == "FAIL"]
    assert "MPI_THREAD_" in found["MPI"][1]
    for what in ("cores", "CUDA devices", "open files", "memory", "clocks", "MPI-IO", "HDF5", "BLAS", "file system", "locks",
                 "job locks", "rename, fsync", "collective write", "free space"):
        assert found[what][1], what
    assert "read back as written" in found["collective write"][1]
    assert "not collective" not in found["collective write"][1]
    assert not (tmp_path / "new").exists()


def test_a_folder_that_is_there_is_left_as_it_was(tmp_path):
    (tmp_path / "mine").write_text("mine")
    assert incipit("doctor", f"--folder={tmp_path}", ranks=2).code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def limited(limit, *words):
    return subprocess.run(["sh", "-c", f'ulimit {limit}; exec "$@"', "sh", *command(*words)], env=environment(),
                          capture_output=True, text=True, timeout=60)


def test_few_open_files_are_the_machine_s_fault(tmp_path):
    done = limited("-n 64", "doctor", f"--folder={tmp_path}")
    assert done.returncode == 71, done.stdout + done.stderr
    assert findings(done.stdout)["open files"][0] == "FAIL"
    assert "ulimit -n 4096" in done.stdout
    assert done.stderr.count("open files") == 1


def test_small_stack_and_address_space_are_warned_of(tmp_path):
    done = limited("-s 512; ulimit -v 4000000", "doctor", f"--folder={tmp_path}")
    assert done.returncode == 0, done.stdout + done.stderr
    found = findings(done.stdout)
    assert found["stack"][0] == found["address space"][0] == "warning"


def test_a_full_disk_is_input_output(tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "none", small], capture_output=True).returncode != 0:
        pytest.skip("no right to mount a file system")
    try:
        (small / "full").write_bytes(bytes(18 << 20))
        result = incipit("doctor", f"--folder={small}", ranks=2)
        found = findings(result.out)
        assert result.code == 74, result.text
        assert found["free space"][0] == found["collective write"][0] == "FAIL"
        assert found["file system"] == ("warning", "tmpfs")
        assert result.err.count("is not fit for a run") == 1
        assert sorted(path.name for path in small.iterdir()) == ["full"]
    finally:
        subprocess.run(["umount", small], check=True)


def test_a_folder_that_cannot_be_made_is_input_output(tmp_path):
    (tmp_path / "file").write_text("")
    result = incipit("doctor", f"--folder={tmp_path / 'file' / 'below'}", ranks=2)
    assert result.code == 74, result.text
    assert result.err.count("incipit:") == 1


def test_more_threads_than_cores(family):
    result = incipit("doctor", family.deck, f"--run.threads={4 * os.cpu_count()}", ranks=2)
    assert result.code == 0, result.text
    assert findings(result.out)["cores"][0] == "warning"
    assert "threads wait for each other" in result.out


def test_hints_that_are_not_taken(family):
    result = incipit("doctor", family.deck, "--run.mpi_hints=romio_ds_write=disable", ranks=2,
                     env={"OMPI_MCA_io": "ompio"})
    assert findings(result.out)["hint"] == ("warning", "romio_ds_write=disable: ompio does not know what is ROMIO's")


def test_romio_in_open_mpi_4_is_a_trap(tmp_path):
    result = incipit("doctor", f"--folder={tmp_path}", ranks=2, env={"OMPI_MCA_io": "^ompio"})
    found = findings(result.out)
    if not found["MPI"][1].startswith("Open MPI v4."):
        pytest.skip("not Open MPI 4")
    assert found["MPI-IO"] == ("warning", "ROMIO, in Open MPI 4"), result.text


def test_the_room_that_a_deck_needs_is_what_it_then_takes(family, tmp_path):
    out = tmp_path / "out"
    words = [family.deck, f"--run.output={out}"]
    told = findings(incipit("doctor", *words, ranks=2).out)["room"]
    assert told[0] == "ok"
    assert incipit("run", *words, ranks=2).code == 0
    taken = sum(path.stat().st_size for path in (out / "activations").rglob("*.h5"))
    number, unit = told[1].split(", ")[1].split(" of them activations")[0].split()
    needed = float(number) * {"kB": 1e3, "MB": 1e6}[unit]
    # Each file has ids and a header beside its vectors, which are all that is large in a large one.
    assert needed < taken < 3 * needed


def test_usage(tmp_path):
    assert "usage: mpirun" in incipit("doctor", "--help").out
    for words in (["a.ini", "b.ini"], ["--wrong"], ["--run.threads=2"], [tmp_path / "no.ini"]):
        assert incipit("doctor", *words).code == 64, words

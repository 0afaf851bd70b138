"""run.keep_activations = no: a checkpoint's activations go as soon as the curves have them, and are not made again."""

import shutil
import signal

import pytest

import little
from conftest import incipit
from stop_test import start, stopped, wait_for

CONTROLS = ("--controls.first_step=yes", "--controls.random_weights=curves",
            "--controls.random_latents=3", "--extract.loss=yes")
WORDS = ("--run.keep_activations=no", "--run.part_after=0s", "--track.bootstrap=2000", "--track.permutations=2000",
         *CONTROLS)


def activations(output):
    return {path.relative_to(output) for path in output.glob("activations/*/*.h5")}


def curves(output):
    return {name: data for name, data in little.datasets(output / "emergence.h5").items()
            if not name.startswith("timing")}


@pytest.fixture(scope="module")
def peaceful(tmp_path_factory):
    """The family, what an undisturbed run leaves, and the activations there are."""
    family = little.Family(tmp_path_factory.mktemp("peaceful"), steps=(0, 10, 50, 100))
    output = family.folder / "out"
    result = incipit("run", family.deck, f"--run.output={output}", *WORDS[2:], ranks=2)
    assert result.code == 0, result.text
    return family, curves(output), activations(output)


@pytest.fixture(scope="module")
def half_way(peaceful, tmp_path_factory):
    """An output whose job was stopped while it measured, when some activations were gone."""
    family, _, files = peaceful
    output = tmp_path_factory.mktemp("half_way") / "out"
    job = start(family, output, *WORDS)
    wait_for(lambda: activations(output) == files, job)
    wait_for(lambda: activations(output) != files, job)
    job.send_signal(signal.SIGUSR1)
    stopped(job, "curves go on behind the points", within=40)
    left = activations(output)
    assert set() < left < files
    return output, left


def finished(family, output, expected, ranks):
    result = incipit("run", family.deck, f"--run.output={output}", *WORDS, ranks=ranks)
    assert result.code == 0, result.text
    found = curves(output)
    assert found.keys() == expected.keys()
    assert [name for name in expected if found[name] != expected[name]] == []
    assert not (output / "activations").exists() and not (output / "parts").exists()
    assert "nothing to do" in incipit("run", family.deck, f"--run.output={output}", *WORDS).out
    return result.out


def test_a_job_goes_on_without_what_is_gone(peaceful, half_way, tmp_path):
    family, expected, _ = peaceful
    output = tmp_path / "out"
    shutil.copytree(half_way[0], output)
    assert "\nextract " not in finished(family, output, expected, ranks=3)


def test_a_killed_job_needs_nothing_that_is_gone(peaceful, half_way, tmp_path):
    family, expected, _ = peaceful
    output = tmp_path / "out"
    shutil.copytree(half_way[0], output)
    job = start(family, output, *WORDS)
    wait_for(lambda: activations(output) < half_way[1], job)
    job.kill()
    job.communicate()
    assert "\nextract " not in finished(family, output, expected, ranks=1)


def test_what_pending_work_reads_is_extracted_anew(peaceful, half_way, tmp_path):
    family, expected, _ = peaceful
    output = tmp_path / "out"
    shutil.copytree(half_way[0], output)
    shutil.rmtree(output / "parts")
    assert "\nextract " in finished(family, output, expected, ranks=2)

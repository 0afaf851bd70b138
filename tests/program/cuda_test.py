"""Whole runs on a CUDA device, by the program whose kernels run on the host (tests/shim): what it says of devices, what
it does without them or without their memory, and that its results are those of the host."""

import os
import pathlib
import subprocess

import h5py
import numpy as np
import pytest

import little
from conftest import BIN, Result, environment, incipit

SHIM = pathlib.Path(os.environ.get("INCIPIT_SHIM_BIN", BIN.parent.parent / "tests" / "shim" / "incipit-shim"))
pytestmark = pytest.mark.skipif(not SHIM.exists(), reason=f"{SHIM} is not built; set INCIPIT_SHIM_BIN")


def shim(*words, ranks=None, **machine):
    """The program on a machine of so many DEVICES with so much MEMORY (bytes) and a DRIVER of that version."""
    env = environment()
    env.update({f"INCIPIT_SHIM_{name}": str(value) for name, value in machine.items()})
    launcher = [] if ranks is None else ["mpirun", "-n", str(ranks)]
    done = subprocess.run([*launcher, str(SHIM), *map(str, words)], env=env, capture_output=True, text=True, timeout=600)
    return Result(done)


def good(result):
    assert result.code == 0, result.text
    return result


def refuse(result, code, *words):
    assert result.code == code, result.text
    for word in words:
        assert word in result.err, result.err
    assert result.err.count("incipit: ") == result.err.count("incipit: warning: ") + 1, result.err


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The same deck on both kinds of device."""
    family = little.Family(tmp_path_factory.mktemp("cuda"), steps=(0, 100))
    words = ["run", family.deck, "--sae.steps=20", "--run.pack_tokens=256", "--extract.components=yes"]
    good(incipit(*words, f"--run.output={family.folder / 'host'}"))
    good(shim(*words, f"--run.output={family.folder / 'cuda'}"))
    return family, words


def test_version_names_toolkit_driver_and_devices():
    out = good(shim("--version", DEVICES=2)).out
    assert "CUDA 13.0, driver for CUDA 13.0" in out
    assert "device 0: the kernels on the host" in out and "device 1: " in out
    assert "no device here" in good(shim("--version", DEVICES=0)).out


def test_log_and_files_name_the_device(runs):
    family, _ = runs
    log = (family.folder / "cuda" / "run.log").read_text()
    assert "device    cuda, CUDA 13.0, driver for CUDA 13.0" in log and "the kernels on the host" in log
    assert "Algorithms of the device's libraries" in log and " x 96 x 32, fp32 = fp32 · fp32: plain loops" in log  # a block's qkv
    with h5py.File(family.folder / "cuda" / "emergence.h5") as file:
        assert file.attrs["device"] == b"cuda"


def test_residuals_and_latents_agree_with_the_host(runs):
    """The whole-run bound: given the same dictionary, the same latent on at least 99.5 % of the probes."""
    family, _ = runs
    probes = agreeing = 0
    for anchor, site in {"time": -1, "space": 0}.items():
        with h5py.File(family.folder / "host" / "sae" / f"{anchor}.h5") as file:
            sae = {name: file[name][()] for name in ("encoder", "encoder_bias", "pre_bias", "mean", "scale")}
        winners = {}
        for kind in ("host", "cuda"):
            with h5py.File(family.folder / kind / "activations" / "large" / "step100.h5") as file:
                x = file["residual"][site].astype(np.float64)
            z = ((x - sae["mean"]) / sae["scale"] - sae["pre_bias"]) @ sae["encoder"].T + sae["encoder_bias"]
            winners[kind] = np.where(z.max(axis=1) > 0, z.argmax(axis=1), -1)
            winners[kind + " x"] = x
        error = np.linalg.norm(winners["cuda x"] - winners["host x"]) / np.linalg.norm(winners["host x"])
        assert error <= 1e-5
        probes += len(winners["host"])
        agreeing += int((winners["host"] == winners["cuda"]).sum())
    assert probes > 500 and agreeing >= 0.995 * probes


@pytest.mark.parametrize("precision, bound", [("fp16", 2e-3), ("bf16", 1e-2)])
def test_sixteen_bits_are_near_fp32_on_both(runs, tmp_path, precision, bound):
    family, words = runs
    with h5py.File(family.folder / "host" / "activations" / "large" / "step100.h5") as file:
        expected = file["residual"][()]
    for kind, program in {"host": incipit, "cuda": shim}.items():
        good(program("extract", *words[1:], f"--run.output={tmp_path / kind}", f"--run.precision={precision}",
                     "--family.models=large", "--family.steps=100", "--run.audit=ignore"))
        with h5py.File(tmp_path / kind / "activations" / "large" / "step100.h5") as file:
            assert file.attrs["precision"] == precision.encode()
            found = file["residual"][()]
        error = np.linalg.norm(found - expected) / np.linalg.norm(expected)
        assert 0 < error <= bound, (kind, error)


@pytest.mark.parametrize("ranks", [1, 3])
def test_same_bytes_for_any_rank_count_and_again(runs, tmp_path, ranks):
    family, words = runs
    good(shim(*words, f"--run.output={tmp_path / 'out'}", ranks=ranks, DEVICES=ranks))
    expected, found = little.all_datasets(family.folder / "cuda"), little.all_datasets(tmp_path / "out")
    assert expected.keys() == found.keys()
    for file, values in expected.items():
        for name, value in values.items():
            assert found[file][name] == value, f"{file}: {name} differs"


def test_another_kind_of_device_needs_redo(runs):
    family, words = runs
    refuse(shim(*words, f"--run.output={family.folder / 'host'}"), 64, "the kind of device (host then, cuda now", "--run.redo")


def test_no_device(family):
    words = ["extract", family.deck, f"--run.output={family.folder / 'out'}"]
    refuse(shim(*words, "--run.device=cuda", DEVICES=0), 71, "run.device = cuda", "no CUDA device 0", "run.device = host")
    refuse(shim(*words, "--run.device=cuda", DRIVER=12020), 71, "driver is for CUDA 12.2", "built with 13.0")
    assert "device    host" in good(shim(*words, DEVICES=0)).out  # auto


def test_more_ranks_than_devices(family):
    words = ["extract", family.deck, "--run.pack_tokens=256"]
    shared = good(shim(*words, f"--run.output={family.folder / 'out'}", ranks=3, DEVICES=2))
    assert "3 ranks share 2 CUDA device(s)" in shared.err
    refuse(shim(*words, f"--run.output={family.folder / 'no'}", "--run.share_device=no", ranks=3, DEVICES=2),
           71, "3 ranks share 2 CUDA device(s)", "run.share_device")


def test_waves_shrink_where_memory_ends(runs, tmp_path):
    family, words = runs
    words = ["extract", *words[1:], f"--run.output={tmp_path / 'out'}"]
    result = good(shim(*words, "--run.memory=8G", MEMORY=500_000))
    assert "ran out of memory: waves of at most" in (tmp_path / "out" / "run.log").read_text()
    assert "ran out of memory" in result.err
    expected = little.all_datasets(family.folder / "cuda")
    for file, values in little.all_datasets(tmp_path / "out").items():
        assert values == expected[file], file


def test_not_even_one_pack_fits(family):
    words = ["extract", family.deck, f"--run.output={family.folder / 'out'}", "--run.memory=8G"]
    refuse(shim(*words, MEMORY=300_000), 71, "one pack", "bytes on the kernels on the host", "run.pack_tokens")

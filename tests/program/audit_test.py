"""The audit: finds each defect that public ladders have had, planted in copies of the bundled family, and nothing in
the family itself."""

import json
import os
import shutil

import h5py
import numpy as np
import pytest

import little
from conftest import ROOT, incipit

NANO = ROOT / "inputs" / "nano"
SHARED = little.pathlib.Path(os.environ.get("INCIPIT_SHARED", ROOT / ".." / "shared"))
LADDER = "nano-550k"


def text(values):
    return [v.decode().rstrip("\0") for v in values]


def read(path):
    """Tensors of a safetensors file: {name: (dtype, shape, bytes)}."""
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    header.pop("__metadata__", None)
    return {n: (h["dtype"], h["shape"], data[8 + size :][slice(*h["data_offsets"])]) for n, h in header.items()}


def write(path, tensors):
    header, blobs, at = {}, [], 0
    for name, (dtype, shape, blob) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(blob)]}
        blobs.append(blob)
        at += len(blob)
    head = json.dumps(header).encode()
    path.write_bytes(len(head).to_bytes(8, "little") + head + b"".join(blobs))


class Copy:
    """A copy of the bundled family to plant defects in."""

    def __init__(self, folder):
        self.folder = folder
        self.path = folder / "nano"
        shutil.copytree(NANO, self.path)

    def step(self, step, model=LADDER):
        return self.path / model / f"step{step}"

    def weights(self, step):
        return self.step(step) / "model.safetensors"

    def put(self, content, name):
        """The weights of step `content` under the name of step `name`."""
        for file in self.step(name).glob("model*"):
            file.unlink()
        for file in self.step(content).glob("model*"):
            shutil.copy(file, self.step(name))

    def shard(self):
        """Cuts every step of the ladder into two files, as large models come."""
        for folder in (self.path / LADDER).glob("step*"):
            tensors = read(folder / "model.safetensors")
            names = list(tensors)
            shards = {"model-00001-of-00002.safetensors": names[: len(names) // 2],
                      "model-00002-of-00002.safetensors": names[len(names) // 2 :]}
            for shard, held in shards.items():
                write(folder / shard, {n: tensors[n] for n in held})
            index = {"metadata": {}, "weight_map": {n: s for s, held in shards.items() for n in held}}
            (folder / "model.safetensors.index.json").write_text(json.dumps(index))
            (folder / "model.safetensors").unlink()

    def audit(self, *words, ranks=None):
        return Audited(self, incipit("audit", self.path, f"--output={self.folder / 'out'}", *words, ranks=ranks))


class Audited:
    def __init__(self, copy, result):
        self.result = result
        with h5py.File(copy.folder / "out" / "audit.h5") as file:
            rows = zip(text(file["model"]), file["step"][:].tolist(), text(file["status"]))
            self.status = {(model, step): status for model, step, status in rows}
            self.reason = dict(zip(self.status, text(file["reason"])))
            self.missing = list(zip(text(file["missing/model"]), file["missing/step"][:].tolist())) if "missing" in file else []
        self.bad = {step: status for (model, step), status in self.status.items() if status != "ok"}

    def finds(self, bad):
        assert self.bad == bad, self.result.text
        assert self.result.code == (65 if bad else 0), self.result.text
        for step, status in bad.items():
            assert f"{LADDER} step {step}: {status}" in self.result.err, self.result.err
            assert status in self.result.out
        return self


@pytest.fixture
def copy(tmp_path):
    return Copy(tmp_path)


@pytest.fixture(params=["single file", "two shards"])
def any_copy(tmp_path, request):
    copy = Copy(tmp_path)
    if request.param == "two shards":
        copy.shard()
    return copy


def test_the_clean_family_has_no_fault(any_copy):
    found = any_copy.audit(ranks=2).finds({})
    assert "14 checkpoints, all ok" in found.result.out
    assert found.missing == [] and "missing" not in found.result.text
    result = incipit("inspect", "--validate", any_copy.folder / "out" / "audit.h5")
    assert result.code == 0, result.text


def test_the_full_nano_family_has_no_fault():
    family = SHARED / "models" / "nano"
    if not family.exists():
        pytest.skip("the nano family with all its steps is not here: set INCIPIT_SHARED")
    result = incipit("audit", family, ranks=2)
    assert result.code == 0, result.text
    assert "70 checkpoints, all ok" in result.out and "missing" not in result.text


def test_equal_first_steps(any_copy):
    any_copy.put(0, 16)
    any_copy.put(0, 64)
    any_copy.audit().finds({16: "duplicate of step0", 64: "duplicate of step0"})


def test_final_content_in_most_steps(any_copy):
    wrong = (0, 16, 128, 512, 1000, 2000)
    for step in wrong:
        any_copy.put(4000, step)
    any_copy.audit(ranks=3).finds({step: "duplicate of step4000" for step in wrong})


def test_shard_of_the_final_model(copy):
    copy.shard()
    for step in (256, 1000):
        shutil.copy(copy.step(4000) / "model-00001-of-00002.safetensors", copy.step(step))
    copy.audit().finds({256: "shard 1 of step4000", 1000: "shard 1 of step4000"})


def test_tensors_of_another_step_in_one_file(copy):
    tensors = read(copy.weights(512))
    late = read(copy.weights(3000))
    for name in list(tensors):
        if ".layers.2." in name:
            tensors[name] = late[name]
    write(copy.weights(512), tensors)
    found = copy.audit()
    assert list(found.bad) == [512] and "matrices of step3000" in found.bad[512], found.result.text


@pytest.mark.parametrize("early", [0, 16, 128, 512])
def test_late_checkpoint_under_an_early_name(any_copy, early):
    any_copy.put(4000, early)
    shutil.rmtree(any_copy.step(4000))  # its twin is not there to betray it
    any_copy.audit("--models=" + LADDER).finds({early: "out of line"})


def test_values_that_are_not_finite(copy):
    tensors = read(copy.weights(128))
    name = "gpt_neox.layers.1.attention.dense.weight"
    dtype, shape, blob = tensors[name]
    values = np.frombuffer(blob, dtype=np.float16).copy()
    values[7] = np.nan
    tensors[name] = (dtype, shape, values.tobytes())
    write(copy.weights(128), tensors)
    found = copy.audit().finds({128: "not finite"})
    assert name in found.reason[(LADDER, 128)]


def test_files_that_cannot_be_read_are_rows_of_the_table(copy):
    copy.weights(64).write_bytes(copy.weights(64).read_bytes()[:5000])
    found = copy.audit(ranks=2).finds({64: "unreadable"})
    assert "model.safetensors" in found.reason[(LADDER, 64)]


def test_missing_steps_warn(tmp_path):
    steps = [0, 1, 2, 4, 8, 16, 32, 64, 100, 200, 300, 500, 600, 700, 800]
    little.Family(tmp_path, steps=steps, models=(("only", 16, 2),))
    result = incipit("audit", tmp_path / "family")
    assert result.code == 0, result.text
    assert "only: missing step 400" in result.err, result.text
    assert "missing" not in incipit("audit", tmp_path / "family", "--steps=0,800").text


def test_any_number_of_ranks_and_the_cache_give_the_same_file(copy):
    copy.put(4000, 16)
    copy.audit()
    first = little.datasets(copy.folder / "out" / "audit.h5")
    stamp = (copy.folder / "out" / "audit.h5").stat().st_mtime_ns
    copy.audit(ranks=3)
    assert (copy.folder / "out" / "audit.h5").stat().st_mtime_ns == stamp
    shutil.rmtree(copy.folder / "out")
    copy.audit(ranks=3)
    assert little.datasets(copy.folder / "out" / "audit.h5") == first
    for file in (copy.folder / "out" / "audit").rglob("step*"):
        file.write_bytes(file.read_bytes()[:-9])  # damaged: made anew
    (copy.folder / "out" / "audit.h5").unlink()
    copy.audit(ranks=2)
    assert little.datasets(copy.folder / "out" / "audit.h5") == first


def test_the_cache_notices_a_file_that_changed(copy):
    copy.audit().finds({})
    copy.put(4000, 16)
    copy.audit().finds({16: "duplicate of step4000"})


def test_wrong_words():
    for words, part in (((), "which family"), ((NANO, NANO), "one family"), ((NANO, "--step=3"), "--step=3"),
                        ((ROOT / "inputs" / "nano.ini",), "is a file")):
        result = incipit("audit", *words)
        assert result.code == 64 and part in result.err, result.text
    result = incipit("audit", NANO / "nowhere")
    assert result.code == 74 and "nowhere" in result.err, result.text
    assert "usage: incipit audit" in incipit("audit", "--help").out


# What `run` does about it.


def on_the_way(share):
    """Weights of the large model that far from its first to its last step."""
    first, last = little.tensors(32, 3, 4096, 64, 1), little.tensors(32, 3, 4096, 64, 2)
    return {name: (1 - share) * first[name] + share * last[name] for name in first}


WAY = {0: 0.0, 10: 0.2, 100: 0.6, 1000: 1.0}


@pytest.fixture
def ladder(tmp_path):
    """A little family on whose ladder one step holds the weights of another."""
    family = little.Family(tmp_path, steps=WAY)
    for step, share in WAY.items():
        little.write_safetensors(family.checkpoint("large", step) / "model.safetensors", on_the_way(share))
    shutil.copy(family.checkpoint("large", 1000) / "model.safetensors", family.checkpoint("large", 10))
    return family


def run(family, *words, out="out", ranks=2):
    return incipit("run", family.deck, f"--run.output={family.folder / out}", *words, ranks=ranks)


def test_run_drops_and_marks_the_gap(ladder):
    result = run(ladder)
    assert result.code == 0, result.text
    assert "left out: large step 10: duplicate of step1000" in result.err
    out = ladder.folder / "out"
    assert not (out / "activations" / "large" / "step10.h5").exists()
    with h5py.File(out / "emergence.h5") as file:
        audit = file["audit"]
        rows = dict(zip(zip(text(audit["model"]), audit["step"][:].tolist()), text(audit["status"])))
        assert rows[("large", 10)] == "duplicate of step1000" and rows[("large", 100)] == "ok"
        assert len(rows) == 5  # the small model is needed at its last step alone
        curve = file["anchors/time/curves/time"]
        at = curve["step"][:].tolist().index(10)
        assert (curve["status"][:, at, :] == 4).all() and not (curve["status"][:, [i for i in range(4) if i != at], :] == 4).any()
        assert np.isnan(curve["contrast"][:, at, :]).all()
    for name in ("audit.h5", "emergence.h5"):
        assert incipit("inspect", "--validate", out / name).code == 0
    assert "nothing to do" in run(ladder).out


def test_a_mended_checkpoint_makes_stale_what_left_it_out(ladder):
    assert run(ladder).code == 0
    little.write_safetensors(ladder.checkpoint("large", 10) / "model.safetensors", on_the_way(WAY[10]))
    result = run(ladder)
    assert result.code == 64 and "align" in result.err, result.text
    result = run(ladder, "--run.redo=yes")
    assert result.code == 0, result.text
    assert (ladder.folder / "out" / "activations" / "large" / "step10.h5").exists()
    with h5py.File(ladder.folder / "out" / "emergence.h5") as file:
        assert not (file["anchors/time/curves/time/status"][:] == 4).any()


def test_run_strict_refuses(ladder):
    result = run(ladder, "--run.audit=strict")
    assert result.code == 65, result.text
    assert "large step 10: duplicate of step1000" in result.err and "run.audit = strict" in result.err
    assert not (ladder.folder / "out" / "emergence.h5").exists()


def test_run_ignore_does_not_look(ladder):
    result = run(ladder, "--run.audit=ignore")
    assert result.code == 0, result.text
    assert not (ladder.folder / "out" / "audit.h5").exists()
    with h5py.File(ladder.folder / "out" / "emergence.h5") as file:
        assert "audit" not in file
        assert not (file["anchors/time/curves/time/status"][:] == 4).any()


def test_a_bad_anchor_ends_the_run(ladder):
    result = run(ladder, "--anchor.time.step=10")
    assert result.code == 65, result.text
    assert "anchor.time" in result.err and "duplicate of step1000" in result.err
    assert run(ladder, "--anchor.time.step=10", "--run.audit=ignore", out="ignored").code == 0


def test_a_run_without_weights_that_are_finite_leaves_them_out(tmp_path):
    family = little.Family(tmp_path)
    arrays = little.tensors(32, 3, 4096, 64, 1)
    arrays["gpt_neox.layers.2.mlp.dense_4h_to_h.weight"][3, 5] = np.inf
    little.write_safetensors(family.checkpoint("large", 10) / "model.safetensors", arrays)
    result = run(family)
    assert result.code == 0, result.text
    assert "left out: large step 10: not finite: 1 of 2048 elements of gpt_neox.layers.2.mlp" in result.err

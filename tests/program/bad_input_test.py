"""Bad input: each has its exit code and its message, said once, and leaves nothing half-written."""

import json
import os
import shutil
import subprocess
import time

import numpy as np
import pytest

import little
from conftest import command, environment, incipit, kill


def refuse(family, code, *parts, words=(), ranks=2, subcommand="run"):
    output = family.folder / "out"
    result = incipit(subcommand, family.deck, f"--run.output={output}", *words, ranks=ranks)
    assert result.code == code, f"exit {result.code}, expected {code}\n{result.text}"
    for part in parts:
        assert str(part) in result.err, f"{part!r} is not in\n{result.err}"
    assert result.err.count("incipit: ") - result.err.count("incipit: warning: ") == 1, result.err
    assert little.leftovers(output) == []
    assert not (output / "emergence.h5").exists()
    return result


def weights(family, model="large", step=10):
    return family.checkpoint(model, step) / "model.safetensors"


def test_missing_checkpoint(family):
    weights(family).unlink()
    refuse(family, 65, "step10")


def test_missing_family(family):
    refuse(family, 74, "nowhere", words=[f"--family.path={family.folder / 'nowhere'}"])


def test_listed_step_that_no_model_has(family):
    refuse(family, 65, "77", words=["--family.steps=0,77"])


def test_truncated_checkpoint(family):
    path = weights(family)
    path.write_bytes(path.read_bytes()[:-1000])
    refuse(family, 65, "step10", "model.safetensors")


def test_weights_that_shrink_while_they_are_read(tmp_path):
    shutil.copytree(little.ROOT / "inputs/nano/nano-1.2m", tmp_path / "nano/nano-1.2m")
    shutil.copy(little.ROOT / "inputs/nano/tokenizer.json", tmp_path / "nano")
    output = tmp_path / "out"
    process = subprocess.Popen(
        command("loss", little.ROOT / "inputs/nano.ini", f"--family.path={tmp_path / 'nano'}", "--probes.limit=400",
                "--run.part_after=0s", f"--run.output={output}", ranks=1),
        env=environment(), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
    )
    deadline = time.time() + 60
    while not list(output.glob("parts/loss/nano-1.2m/step4000/*.h5")) and time.time() < deadline:
        time.sleep(0.01)
    os.truncate(tmp_path / "nano/nano-1.2m/step4000/model.safetensors", 1000000)
    err = process.communicate(timeout=120)[1]
    assert process.returncode == 74, err
    assert "model.safetensors" in err and "gpt_neox" in err, err
    assert not list(output.glob("loss/**/*.h5"))


def test_tensor_of_wrong_shape(family):
    arrays = little.tensors(32, 3, 4096, 64, 1)
    name = "gpt_neox.layers.1.attention.dense.weight"
    arrays[name] = arrays[name][:-1]
    little.write_safetensors(weights(family), arrays)
    refuse(family, 65, name, "31", "32")


def test_missing_tensors_are_named_all_at_once(family):
    arrays = little.tensors(32, 3, 4096, 64, 1)
    gone = ["gpt_neox.layers.0.mlp.dense_h_to_4h.bias", "gpt_neox.layers.2.attention.dense.weight"]
    for name in gone:
        del arrays[name]
    little.write_safetensors(weights(family), arrays)
    refuse(family, 65, *gone)


def test_tensor_of_wrong_type(family):
    path = weights(family)
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    header["gpt_neox.layers.0.input_layernorm.weight"]["dtype"] = "I32"
    text = json.dumps(header).encode().ljust(size)
    path.write_bytes(data[:8] + text[:size] + data[8 + size :])
    refuse(family, 65, "gpt_neox.layers.0.input_layernorm.weight", "I32")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_in_weights(family, value):
    arrays = little.tensors(32, 3, 4096, 64, 1)
    name = "gpt_neox.layers.2.mlp.dense_4h_to_h.weight"
    arrays[name][3, 5] = value
    little.write_safetensors(weights(family), arrays)
    refuse(family, 76, name, "model.safetensors", words=["--run.audit=ignore"])
    refuse(family, 65, name, "model.safetensors", words=["--run.audit=strict"])


def test_unknown_architecture(family):
    path = family.checkpoint("small", 0) / "config.json"
    config = json.loads(path.read_text())
    config.update(model_type="llama", architectures=["LlamaForCausalLM"])
    path.write_text(json.dumps(config))
    refuse(family, 65, "llama", "config.json")


def test_empty_probe_id(family):
    probes = list(family.probes())
    probes[4]["id"] = ""
    family.write_probes(probes)
    refuse(family, 65, "probes.jsonl:5")


def test_duplicate_probe_id(family):
    probes = list(family.probes())
    probes[9]["id"] = probes[2]["id"]
    family.write_probes(probes)
    refuse(family, 65, "probes.jsonl:10", probes[2]["id"])


def test_subject_without_probes(family):
    refuse(family, 65, "minerals", words=["--probes.subjects=animals,minerals"])


def test_text_without_tokens(family):
    probes = list(family.probes())
    probes[0]["text"] = ""
    family.write_probes(probes)
    refuse(family, 65, "probes.jsonl:1")


def test_text_longer_than_the_context(family):
    probes = list(family.probes())
    probes[0]["text"] = "word " * 100
    family.write_probes(probes)
    refuse(family, 65, probes[0]["id"], words=["--probes.long=error"])
    for long, ranks in (("drop", 1), ("left", 2)):
        result = incipit("run", family.deck, f"--run.output={family.folder / long}", f"--probes.long={long}", ranks=ranks)
        assert result.code == 0, result.text
    shape = {long: little.datasets(family.folder / long / "emergence.h5")["probes/id"][1] for long in ("drop", "left")}
    assert shape["drop"][0] == shape["left"][0] - 1


def test_text_longer_than_a_pack(family):
    refuse(family, 64, "run.pack_tokens", words=["--run.pack_tokens=4"])


@pytest.mark.skipif(not os.path.exists("/proc/self"), reason="asks for a path that even root cannot write")
def test_output_not_writable(family):
    result = incipit("run", family.deck, "--run.output=/proc/incipit", ranks=2)
    assert result.code == 74, result.text
    assert "/proc/incipit" in result.err


def test_output_is_a_file(family):
    (family.folder / "out").write_text("")
    result = incipit("run", family.deck, f"--run.output={family.folder / 'out'}", ranks=2)
    assert result.code == 74, result.text


def test_output_holds_another_run(family):
    output = family.folder / "out"
    assert incipit("run", family.deck, f"--run.output={output}").code == 0
    before = little.all_datasets(output)
    result = incipit("run", family.deck, f"--run.output={output}", "--sae.steps=61", ranks=2)
    assert result.code == 64, result.text
    assert "sae.steps" in result.err and "run.redo" in result.err
    assert little.all_datasets(output) == before
    result = incipit("run", family.deck, f"--run.output={output}", "--sae.steps=61", "--run.redo=yes", ranks=2)
    assert result.code == 0, result.text
    after = little.all_datasets(output)
    assert after["sae/time.h5"] != before["sae/time.h5"]
    assert after["activations/large/step10.h5"]["residual"] == before["activations/large/step10.h5"]["residual"]


def test_changed_weights_are_stale(family):
    output = family.folder / "out"
    assert incipit("run", family.deck, f"--run.output={output}").code == 0
    little.write_safetensors(weights(family), little.tensors(32, 3, 4096, 64, 99))
    result = incipit("run", family.deck, f"--run.output={output}", ranks=2)
    assert result.code == 64, result.text
    assert "step10" in result.err and "model.safetensors" in result.err


def test_two_different_decks_on_one_output_at_once(family):
    output = family.folder / "out"
    first = subprocess.Popen(
        command("run", family.deck, f"--run.output={output}", "--sae.steps=60000", ranks=2),
        env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )
    try:
        deadline = time.time() + 30
        while not (output / "deck.ini").exists() and time.time() < deadline:
            time.sleep(0.05)
        result = incipit("run", family.deck, f"--run.output={output}", ranks=2)
        assert result.code == 64, result.text
        assert "another deck" in result.err
    finally:
        kill(first)


def test_more_kept_than_latents(family):
    refuse(family, 64, "sae.k", "sae.latents", words=["--sae.k=9"])


def test_misspelt_key_names_the_nearest(family):
    refuse(family, 64, "sae.latnets", "sae.latents", words=["--sae.latnets=9"])
    family.write_deck("[run]\nouptut = x")
    refuse(family, 64, "run.ouptut", "run.output", "deck.ini")


def test_unknown_subcommand(family):
    result = incipit("trian", family.deck)
    assert result.code == 64 and "trian" in result.err


def test_anchor_that_is_not_there(family):
    refuse(family, 64, "anchor.time", "huge", "large", words=["--anchor.time.model=huge"])
    refuse(family, 64, "anchor.time", words=["--anchor.time.layer=9"])


def test_stage_before_its_input(family):
    refuse(family, 64, "incipit extract", subcommand="train")


def test_garbage_under_a_final_name(family):
    output = family.folder / "out"
    assert incipit("run", family.deck, f"--run.output={output}").code == 0
    (output / "emergence.h5").unlink()
    path = output / "sae" / "time.h5"
    path.write_bytes(path.read_bytes()[:500])
    result = incipit("run", family.deck, f"--run.output={output}", ranks=2)
    assert result.code == 65, result.text
    assert "sae/time.h5" in result.err


def test_one_pack_does_not_fit_into_memory(family):
    refuse(family, 71, "run.pack_tokens", words=["--run.memory=100KB"])


def test_cuda_without_a_device(family):
    refuse(family, 71, "run.device", words=["--run.device=cuda"])


def test_subjects_without_a_probes_subject(family):
    (family.folder / "subjects.json").write_text(json.dumps({"subjects": {"animals": {"phrases": ["x"], "read": True}}, "decoys": ["y"]}))
    refuse(family, 65, "colours", "tools")

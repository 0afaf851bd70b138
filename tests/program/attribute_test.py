"""incipit attribute: who wrote a concept into the layers, who erased it, and what becomes of it without them."""

import json
import shutil

import h5py
import numpy as np
import pytest

import little
from conftest import ROOT, incipit

ASK = "--extract.components=yes"
COMPONENTS = ("attention_out", "mlp_out")


@pytest.fixture(scope="module")
def nano(tmp_path_factory):
    """A little deck over the bundled nano-550k, and what one rank made of it."""
    folder = tmp_path_factory.mktemp("attribute")
    deck = folder / "deck.ini"
    deck.write_text(f"""
[family]
path = {ROOT}/inputs/nano
models = nano-550k
steps = 4000
[probes]
path = {ROOT}/inputs/probes/terms.jsonl
subjects = math,physics,economics,law
limit = 90
[anchor.space]
layer = 3
[sae]
latents = 24
steps = 300
[interpret]
f1 = 0.3
min_support = 2
[match]
subjects = {ROOT}/inputs/subjects.json
tau = 0.1
[track]
bootstrap = 50
permutations = 10
[run]
audit = ignore
""")
    for words in (("run",), ("attribute", "--ablate=mlp:3,attention:5")):
        result = incipit(words[0], deck, f"--run.output={folder / 'out'}", ASK, *words[1:])
        assert result.code == 0, result.text
    return deck, folder / "out", result


def attribution(output):
    with h5py.File(output / "attribution/space.h5") as file:
        return {name: file[name][()] for name in file if isinstance(file[name], h5py.Dataset)}


def test_what_blocks_add_is_the_residual(nano):
    _, output, _ = nano
    with h5py.File(output / "activations/nano-550k/step4000.h5") as file:
        residual, attention, mlp = (file[name][()].astype(np.float64) for name in ("residual", *COMPONENTS))
    assert residual.shape == attention.shape == mlp.shape and len(residual) == 6
    assert not attention[0].any() and not mlp[0].any()
    for layer in range(1, len(residual)):
        assert attention[layer].any() and mlp[layer].any()
        total = residual[0] + attention[: layer + 1].sum(0) + mlp[: layer + 1].sum(0)
        assert np.linalg.norm(total - residual[layer]) < 1e-6 * np.linalg.norm(residual[layer])


def test_contributions_are_the_pre_activations(nano):
    """Against numpy on the files: who wrote what to the latents of each subject."""
    _, output, _ = nano
    found = attribution(output)
    with h5py.File(output / "activations/nano-550k/step4000.h5") as file:
        residual, attention, mlp = (file[name][()].astype(np.float64) for name in ("residual", *COMPONENTS))
    with h5py.File(output / "sae/space.h5") as file:
        encoder, scale = file["encoder"][()].astype(np.float64), float(file["scale"][()])
    with h5py.File(output / "match/space.h5") as file:
        matched = file["latents/matched"][()]
    with h5py.File(output / "emergence.h5") as file:
        subject, judge = file["probes/subject"][()], file["probes/part"][()] == 2
    assert matched.any(axis=0).sum() >= 2
    assert [name.decode() for name in found["component"]][:3] == ["embedding", "attention 1", "mlp 1"]
    parts = [residual[0]] + [kind[layer] for layer in range(1, 6) for kind in (attention, mlp)]
    for c in range(matched.shape[1]):
        if not matched[:, c].any():
            assert np.isnan(found["contribution"][:, :, c]).all()
            continue
        direction = encoder[matched[:, c] == 1].mean(0) / scale
        for k, part in enumerate(parts):
            z = part[judge] @ direction
            expected = z[subject[judge] == c].mean() - z.mean()
            assert np.allclose(found["contribution"][(k + 1) // 2 :, k, c], expected, atol=1e-4)
            assert np.isnan(found["contribution"][: (k + 1) // 2, k, c]).all()
        low, high, value = (found["contribution" + end][-1, :, c] for end in ("_low", "_high", ""))
        assert (low <= high).all() and (low < value).any() and (value < high).any()
        for p in range(6):
            assert np.isclose(np.nansum(found["contribution"][p, :, c]), found["activation"][p, c], atol=1e-4)


def test_same_bytes_on_two_ranks_in_little_waves(nano, tmp_path):
    deck, output, alone = nano
    for words in (("run",), ("attribute", "--ablate=mlp:3,attention:5")):
        result = incipit(words[0], deck, f"--run.output={tmp_path / 'out'}", ASK, "--run.part_after=0s", *words[1:], ranks=2)
        assert result.code == 0, result.text
    found, expected = little.all_datasets(tmp_path / "out"), little.all_datasets(output)
    assert found == expected
    assert {"attribution/space.h5", "attribution/space/mlp-3.h5", "attribution/space/attention-5.h5"} <= set(found)
    assert little.leftovers(tmp_path / "out") == []

    def told(text):
        return text[text.index("\nAnchor space") : text.index("\nWhere the time went")].replace("\r", "\n")

    assert [line for line in told(result.out).splitlines() if "tokens of rank 0" not in line] == [
        line for line in told(alone.out).splitlines() if "tokens of rank 0" not in line]


def test_results_hold_it_and_are_valid(nano):
    _, output, result = nano
    found = attribution(output)
    with h5py.File(output / "emergence.h5") as file:
        group = file["anchors/space/curves/space/attribution"]
        for name in ("component", "layer", "subject", *(kind + end for kind in ("contribution", "margin", "activation", "gap")
                                                       for end in ("", "_low", "_high"))):
            np.testing.assert_array_equal(group[name][()], found[name])
    for name in ("emergence.h5", "attribution/space.h5", "attribution/space/mlp-3.h5", "activations/nano-550k/step4000.h5"):
        checked = incipit("inspect", "--validate", output / name)
        assert checked.code == 0, checked.text
    assert "who wrote and who erased" in result.out and "without mlp 3" in result.out and "brought back" in result.out
    again = incipit("attribute", nano[0], f"--run.output={output}", ASK, "--ablate=mlp:3")
    assert again.code == 0 and "tokens of rank 0" not in again.out and "without mlp 3" in again.out


def test_asked_for_later_it_makes_no_dictionary_anew(nano, tmp_path):
    deck, output, _ = nano
    plain = tmp_path / "out"
    words = ("run", deck, f"--run.output={plain}")
    assert incipit(*words).code == 0
    with h5py.File(plain / "activations/nano-550k/step4000.h5") as file:
        assert not any(name in file for name in COMPONENTS)
    refused = incipit(*words, ASK)
    assert refused.code == 64 and "stage extract is stale" in refused.err and "extract.components" in refused.err
    kept = {name: (plain / name).stat().st_mtime_ns for name in ("sae/space.h5", "labels/space.h5", "match/space.h5", "align/space.h5")}
    result = incipit(*words, ASK, "--run.redo")
    assert result.code == 0, result.text
    assert kept == {name: (plain / name).stat().st_mtime_ns for name in kept}
    found, expected = little.all_datasets(plain), little.all_datasets(output)
    assert found["attribution/space.h5"] == expected["attribution/space.h5"]
    assert found["emergence.h5"] == expected["emergence.h5"]


def test_a_list_of_layers_is_followed_through_all_components(nano, tmp_path):
    deck, output, _ = nano
    result = incipit("run", deck, f"--run.output={tmp_path / 'out'}", ASK, "--extract.layers=0,5")
    assert result.code == 0, result.text
    with h5py.File(tmp_path / "out/activations/nano-550k/step4000.h5") as file:
        assert file["layer"][:].tolist() == list(range(6))
    found, whole = attribution(tmp_path / "out"), attribution(output)
    assert found["layer"].tolist() == [0, 3, 5]  # the anchor's own with those of the list
    for name in ("contribution", "margin_low", "activation", "gap_high"):
        np.testing.assert_array_equal(found[name], whole[name][[0, 3, 5]])


@pytest.mark.parametrize("words, parts", [
    (("--extract.components=no",), ("extract.components = no", "extract.components = yes", "incipit extract")),
    ((ASK, "--ablate=atention:3"), ("atention:3", "attention:LAYER", "erasers")),
    ((ASK, "--ablate=mlp:3x"), ("mlp:3x", "mlp:LAYER")),
    ((ASK, "--ablate=attention:1,mlp:6"), ("mlp:6", "blocks 1 to 5")),
    ((ASK, "--anchor=time"), ("--anchor=time", "there is space")),
    ((ASK, "--anchor.space.curves=time"), ("space curve", "anchor.NAME.curves")),
    ((ASK, "--extract.dtype=float16"), ("extract.dtype = float32", "float16")),
])
def test_what_cannot_be_is_said_before_anything_runs(nano, words, parts):
    deck, output, _ = nano
    before = little.all_datasets(output).keys()
    result = incipit("attribute", deck, f"--run.output={output}", *words)
    assert result.code == 64, result.text
    for part in parts:
        assert part in result.err, result.err
    assert little.all_datasets(output).keys() == before


def test_terms_that_are_not_the_residuals_are_refused(nano, tmp_path):
    deck, output, _ = nano
    shutil.copytree(output, tmp_path / "out")
    (tmp_path / "out/attribution/space.h5").unlink()
    with h5py.File(tmp_path / "out/activations/nano-550k/step4000.h5", "r+") as file:
        file["mlp_out"][2] *= 1.01
    result = incipit("attribute", deck, f"--run.output={tmp_path / 'out'}", ASK, ranks=2)
    assert result.code == 76, result.text
    assert "nano-550k step 4000 layer 2, subject " in result.err and "sum up to" in result.err and "forward pass has" in result.err
    assert not (tmp_path / "out/attribution/space.h5").exists()


def plant_eraser(family):
    """Four letters of their own say each subject at layer 0, and block 2's MLP takes away what its norm sees, since
    gelu(x) - gelu(-x) = x. Nothing else does much."""
    rng = np.random.default_rng(3)
    arrays = little.tensors(32, 3, 4096, 64, seed=1)
    for name, array in arrays.items():
        if ".layers." in name:
            array *= 0 if "layernorm" in name else 0.02
            array += 1 if name.endswith("layernorm.weight") else 0
    block = "gpt_neox.layers.1.mlp.dense_"
    arrays[block + "h_to_4h.weight"][:] = np.concatenate([np.eye(32), -np.eye(32)])
    arrays[block + "4h_to_h.weight"][:] = 0.08 * np.concatenate([-np.eye(32), np.eye(32)], axis=1)
    for end in ("h_to_4h.bias", "4h_to_h.bias"):
        arrays[block + end][:] = 0
    vocabulary = json.loads((family.path / "tokenizer.json").read_text())["model"]["vocab"]
    letters = dict(zip(little.SUBJECTS, ("BCDF", "GHJK", "QVXZ")))
    for of_subject in letters.values():
        concept = rng.standard_normal(32)
        for letter in of_subject:
            row = concept + 0.5 * rng.standard_normal(32)
            arrays["gpt_neox.embed_in.weight"][vocabulary[letter]] = 0.08 * (row - row.mean()) / row.std()
    little.write_safetensors(family.checkpoint("only", 5) / "model.safetensors", arrays)
    family.write_probes([
        probe | {"text": f"{probe['subject']} {probe['group']} |{letters[probe['subject']][n // 6 % 4]}"}
        for n, probe in enumerate(family.probes())])


def test_a_planted_eraser_is_named_and_its_removal_brings_the_concepts_back(tmp_path):
    family = little.Family(tmp_path, steps=(5,), models=(("only", 32, 3),))
    plant_eraser(family)
    family.deck.write_text(family.deck.read_text().replace("[anchor.time]\n[anchor.scale]\n", ""))
    for subcommand in (("run", "--sae.steps=200"), ("attribute", "--sae.steps=200", "--ablate=erasers")):
        result = incipit(subcommand[0], family.deck, f"--run.output={tmp_path / 'out'}", ASK, *subcommand[1:])
        assert result.code == 0, result.text
    erased = [line for line in result.out.splitlines() if "erased by" in line]
    assert erased and all("from layer 1 to 2" in line and "erased by mlp 2" in line for line in erased), result.out
    assert [path.name for path in (tmp_path / "out/attribution/space").iterdir()] == ["mlp-2.h5"]
    with h5py.File(tmp_path / "out/attribution/space/mlp-2.h5") as file:
        before, after, low = (file["contrast" + end][()] for end in ("_before", "_after", "_difference_low"))
        measured = ~np.isnan(before[0])
        assert file["layer"][:].tolist() == [2, 3] and measured.any()
        assert (after[:, measured] > before[:, measured] + 0.3).all() and (low[:, measured] > 0).all(), (before, after)

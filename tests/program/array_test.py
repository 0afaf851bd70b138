"""An array of jobs: each extracts its own models into one output, a last job does the rest."""

import subprocess

import pytest

import little
from conftest import command, environment, incipit


def test_an_array_over_models_fills_one_output(tmp_path):
    family = little.Family(tmp_path)
    alone, output = tmp_path / "alone", tmp_path / "array"
    assert incipit("run", family.deck, f"--run.output={alone}").code == 0
    jobs = [
        subprocess.Popen(
            command("extract", family.deck, f"--run.output={output}", f"--run.only={model}", ranks=2),
            env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for model in family.models
    ]
    for model, job in zip(family.models, jobs):
        text = job.communicate(timeout=300)[0]
        assert job.returncode == 0, text
        assert f"{len(list((output / 'activations' / model).glob('*.h5')))} checkpoints" in text
        other = next(name for name in family.models if name != model)
        assert f"anchor    {other}" not in text
    done = {p: p.stat().st_mtime_ns for p in sorted((output / "activations").rglob("*.h5"))}
    assert {p.parent.name for p in done} == set(family.models)
    result = incipit("run", family.deck, f"--run.output={output}", ranks=2)
    assert result.code == 0, result.text
    assert {p: p.stat().st_mtime_ns for p in done} == done  # nothing was made again
    assert little.all_datasets(output) == little.all_datasets(alone)
    assert little.leftovers(output) == []


def test_with_controls_that_need_other_models(tmp_path):
    """Random weights in every model's shape are extracted by the job of that model."""
    family = little.Family(tmp_path)
    words = (family.deck, f"--run.output={tmp_path / 'out'}", "--controls.random_weights=curves")
    for model in family.models:
        result = incipit("extract", *words, f"--run.only={model}")
        assert result.code == 0, result.text
        assert (tmp_path / "out" / "activations" / model / "random_weights.h5").exists()
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "out" / "activations").rglob("*.h5")}
    result = incipit("extract", *words)
    assert result.code == 0, result.text
    assert {p: p.stat().st_mtime_ns for p in before} == before


def test_losses_of_one_model(tmp_path):
    family = little.Family(tmp_path)
    result = incipit("loss", family.deck, f"--run.output={tmp_path / 'out'}", "--run.only=small")
    assert result.code == 0, result.text
    assert [p.name for p in (tmp_path / "out" / "loss").iterdir()] == ["small"]


@pytest.mark.parametrize(
    "words, message",
    [
        (("extract", "--run.only=medium"), "run.only = medium: no such model in the family; there are small, large"),
        (("run", "--run.only=small"), "run.only = small: `incipit run` needs all models"),
        (("track", "--run.only=small"), "run.only = small: `incipit track` needs all models"),
    ],
)
def test_what_cannot_be_done_model_by_model(family, words, message):
    result = incipit(words[0], family.deck, f"--run.output={family.folder / 'out'}", *words[1:])
    assert result.code == 64
    assert result.err.count(message) == 1, result.text

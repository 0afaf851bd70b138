"""One made-up file and one page drawn of it serve all tests, in all processes that share them out. Test modules import what they use."""

import fcntl
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

import synthetic  # noqa: E402
from analysis import Emergence, page  # noqa: E402


@pytest.fixture(scope="session")
def drawn(tmp_path_factory):
    """(file, page): of three subjects the second was never read and the third has no latents; one step was dropped by the audit."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if base.name.startswith("popen-") else base) / "drawn"
    folder.mkdir(exist_ok=True)
    file, report = folder / "emergence.h5", folder / "report.html"
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not report.exists():
            page.write(synthetic.write(file, missing=[2], dropped=[3], grid=True), report)
    return file, report


@pytest.fixture(scope="session")
def file(drawn):
    """Not to be changed."""
    return drawn[0]


@pytest.fixture(scope="session")
def report(drawn):
    return drawn[1].read_text(encoding="utf-8")


@pytest.fixture
def emergence(file):
    with Emergence(file) as opened:
        yield opened


@pytest.fixture
def own(tmp_path):
    """A file to change."""
    return synthetic.write(tmp_path / "emergence.h5", anchors=("time",), missing=[2], controls=())


@pytest.fixture
def ablated(tmp_path):
    """A file with a dip along layers, beside which the model was run without one of its two erasers, and without what wrote it again."""
    made = synthetic.write(tmp_path / "emergence.h5", anchors=("space",), controls=())
    synthetic.ablation(made, "mlp 3", back=-0.2)
    synthetic.ablation(made, "mlp 2", back=0.2)
    return made


@pytest.fixture
def swept(tmp_path):
    """A file beside which lie sweeps over sizes, and over places along time."""
    made = synthetic.write(tmp_path / "emergence.h5", anchors=("time",), controls=())
    synthetic.size_sweep(made)
    synthetic.place_sweep(made)
    return made

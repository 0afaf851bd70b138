"""The report page and the reader, on a made-up file."""

import pathlib
import re
import subprocess
import sys
import xml.etree.ElementTree

import h5py
import matplotlib.text
import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(pathlib.Path(__file__).resolve().parent)]

import synthetic  # noqa: E402
from analysis import Emergence, FormatError, figures, page  # noqa: E402


@pytest.fixture
def file(tmp_path):
    return synthetic.write(tmp_path / "emergence.h5", missing=[2])


def test_page_is_self_contained_and_holds_every_curve(file, tmp_path):
    page.write(file, tmp_path / "report.html", tmp_path / "figures")
    text = (tmp_path / "report.html").read_text()
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", text)
    for anchor in ("time", "space", "scale"):
        assert f"Anchor {anchor}" in text and f"Along {anchor}" in text
        assert (tmp_path / "figures" / f"{anchor}-{anchor}-contrast.png").stat().st_size > 1000
    assert "law &amp; order" in text and "never read" in text
    assert "label &lt;0&gt;" in text and "seed = 1 &lt;b&gt;" in text
    assert text.count("<figure>") == 15


def test_labels_that_hold_stand_beside_those_of_an_untrained_model(file):
    with Emergence(file) as emergence:
        for anchor, words in (("time", "with random weights 1 latents, 25 % of those judged, are interpretable"),
                              ("space", "controls.random_weights = labels tells")):
            text = page.verdicts(emergence, anchor)
            assert text.startswith("3 latents, 75 % of those judged, are interpretable") and words in text
            assert text in page.latent_table(emergence, anchor)
    with h5py.File(file, "r+") as changed:
        changed["anchors/time/latents/status"][:] = 2
    with Emergence(file) as emergence:
        assert page.verdicts(emergence, "time").startswith("0 latents, – % of those judged,")


def test_inline_figures_are_well_formed_and_share_no_id(file, tmp_path):
    page.write(file, tmp_path / "report.html")
    figures_found = re.findall(r"<figure>(<svg.*?</svg>)", (tmp_path / "report.html").read_text(), re.S)
    ids = []
    for figure in figures_found:
        xml.etree.ElementTree.fromstring(figure)
        ids += re.findall(r'\bid="([^"]*)"', figure)
    assert len(figures_found) == 15 and len(ids) == len(set(ids))


def test_a_headline_percentage_never_stands_alone(file):
    with Emergence(file) as emergence:
        text = page.headline(emergence, emergence.curves("time")[0])
    for column in ("contrast", "null", "last word", "all words", "probe AUC"):
        assert column in text


def test_home_is_the_anchors_own_point(file):
    with Emergence(file) as emergence:
        assert [page.home(emergence, emergence.curves(a)[0]) for a in emergence.anchors] == [5, 0, 2]


def test_subject_without_latents_says_why(file):
    with Emergence(file) as emergence:
        curve = emergence.curves("time")[0]
        assert figures.reason(curve, 2) == "no matched latent"
        figure = figures.emergence_curves(emergence, curve)
        assert "no matched latent" in [t.get_text() for t in figure.axes[2].texts]


def test_curve_is_drawn_where_the_numbers_are(file):
    with Emergence(file) as emergence:
        curve = emergence.curves("time")[0]
        figure = figures.emergence_curves(emergence, curve)
        drawn = [line for line in figure.axes[0].lines if line.get_label() == "raw"][0]
        np.testing.assert_allclose(drawn.get_ydata(), 100 * curve["contrast"][0, :, 0])
        np.testing.assert_allclose(drawn.get_xdata(), np.log2(1 + curve["step"]))


def test_command_line(file, tmp_path):
    done = subprocess.run([sys.executable, "-m", "analysis", "report", str(file)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(tmp_path / "report.html")


@pytest.mark.parametrize("change", ["format", "format_version"])
def test_other_files_are_refused(file, change):
    with h5py.File(file, "r+") as handle:
        handle.attrs[change] = {"format": "incipit/sae", "format_version": "2.0"}[change]
    with pytest.raises(FormatError, match="expected incipit/emergence version 1.x"):
        Emergence(file)
    done = subprocess.run([sys.executable, "-m", "analysis", "report", str(file)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 65 and "expected" in done.stderr


def test_no_file_and_no_hdf5(tmp_path):
    (tmp_path / "x.h5").write_text("no")
    for name in ("x.h5", "none.h5"):
        done = subprocess.run([sys.executable, "-m", "analysis", "report", str(tmp_path / name)], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 74 and name in done.stderr


def test_what_the_audit_dropped_is_a_marked_gap(tmp_path):
    file = synthetic.write(tmp_path / "emergence.h5", dropped=[3])
    with Emergence(file) as emergence:
        curve = emergence.curves("time")[0]
        assert curve.dropped.tolist() == [False, False, False, True, False, False]
        assert not emergence.curves("space")[0].dropped.any()
        for draw in (figures.emergence_curves, figures.heat_map):
            texts = [t.get_text() for t in draw(emergence, curve).findobj(matplotlib.text.Text)]
            assert "dropped by the audit" in texts
    page.write(file, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert "failed the audit" in text and "duplicate of step9: cosine &lt;0.5&gt;" in text


def test_without_an_audit_nothing_is_said_of_it(file, tmp_path):
    page.write(file, tmp_path / "report.html")
    assert "failed the audit" not in (tmp_path / "report.html").read_text()

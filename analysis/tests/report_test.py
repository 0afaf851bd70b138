"""The page, its tables and the commands, on a made-up file."""

import html
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree

import h5py
import numpy as np
import pytest

from fixtures import ablated, drawn, emergence, file, own, report  # noqa: F401

import synthetic
from analysis import Emergence, FormatError, files, page, tables
from analysis.__main__ import main

FIGURES = {"contrast", "map", "onsets", "rungs", "auc", "alignment", "drift", "tau"}


def command(*words, cwd=synthetic.ROOT, **more):
    return subprocess.run([sys.executable, *map(str, words)], cwd=cwd, capture_output=True, text=True, **more)


def inline(report):
    return re.findall(r"<figure>(<svg.*?</svg>)", report, re.S)


def test_the_page_is_self_contained_and_holds_every_curve(report):
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", report) and "<script" not in report
    for anchor in ("time", "space", "scale"):
        assert f"Anchor {anchor}" in report and f"Along {anchor}" in report
    assert "Along grid" in report and "law &amp; order" in report and "label &lt;0&gt;" in report and "seed = 1 &lt;b&gt;" in report
    # Three curves, two figures of controls of one, an attribution, and a grid.
    assert len(inline(report)) == 3 * len(FIGURES) + 4
    assert "lost" not in report and "outvoted" in report


def test_inline_figures_are_well_formed_and_share_no_id(report):
    ids = []
    for figure in inline(report):
        xml.etree.ElementTree.fromstring(figure)
        ids += re.findall(r'\bid="([^"]*)"', figure)
    assert ids and len(ids) == len(set(ids))


def test_what_the_audit_dropped_stands_on_the_page(report):
    assert "failed the audit" in report and "duplicate of step9: cosine &lt;0.5&gt;" in report


def test_without_an_audit_nothing_is_said_of_it(own):
    with Emergence(own) as emergence:
        assert "failed the audit" not in page.head(emergence)


def test_what_was_run(emergence):
    text = page.head(emergence)
    assert "<td>nano-550k<td>1\u00a0000\u00a0000<td>0,\u00a01,\u00a016,\u00a0128,\u00a01000,\u00a04000<td>0,\u00a01,\u00a02,\u00a03,\u00a04" in text
    assert "<td>space<td>nano-550k<td>4000<td>0<td>6" in text


@pytest.mark.parametrize("part", [-1, None])
def test_probes_are_counted_by_part(own, part):
    if part is not None:
        with h5py.File(own, "r+") as file:
            file["probes/part"][...] = part
    with Emergence(own) as emergence:
        np.testing.assert_array_equal(emergence.parts(), [[10, 5, 5] if part is None else [20, 20, 20]] * 3)


def test_labels_that_hold_stand_beside_those_of_an_untrained_model(emergence):
    for anchor, words in (("time", "with random weights 1 latents, 25 % of those judged, are interpretable"),
                          ("space", "controls.random_weights = labels tells")):
        text = tables.verdicts(emergence, anchor)
        assert text.startswith("3 latents, 75 % of those judged, are interpretable") and words in text
        assert text in tables.latents(emergence, anchor)


def test_no_label_that_holds_is_said_too(own):
    with h5py.File(own, "r+") as changed:
        changed["anchors/time/latents/status"][:] = 2
    with Emergence(own) as emergence:
        assert tables.verdicts(emergence, "time").startswith("0 latents, – % of those judged,")


def test_a_headline_percentage_never_stands_alone(emergence):
    text = tables.headline(emergence, emergence.curves("time")[0])
    headline, controls = text.split("<h4>Controls</h4>")
    for column in ("contrast %", "null 95 %", "last word %", "all words %", "probe AUC", *tables.SHORT_NAMES.values()):
        assert f"<th>{html.escape(column)}" in headline
    for column in ("this curve", *tables.CONTROLS.values()):
        assert f"<th>{html.escape(column)}" in controls
    assert "<tr class=never><td>law &amp; order\u00a0<small>never" in text
    assert "Controls" not in tables.headline(emergence, emergence.curves("space")[0])


def test_seeds_without_latents_are_counted(emergence):
    text = tables.headline(emergence, emergence.curves("time")[0])
    assert [row[-1] for row in rows_of(text)] == ["10", "10", "10", "10 (5 to 15) 1 of 2", "10 (5 to 15)", "10 (5 to 15)"]


def test_home_is_the_anchors_own_point(emergence):
    assert [emergence.curves(a)[0].home for a in emergence.anchors] == [5, 0, 2]


def test_conclusions_in_words_and_numbers(emergence):
    text = tables.conclusions(emergence, emergence.curves("time")[0])
    for words in ("2 of 3 subjects are there in the end",
                  "Of math nothing is known: no value at the end",
                  "Among them is law &amp; order, of which the family never read",
                  "law &amp; order at the first point already (0); biology between 16 and 128", "p = 0.030, so their order is told apart", "1 dip"):
        assert words in text
    rows = re.findall(r"<tr[^>]*><td>([^<\u00a0]*)", text)
    assert rows == ["law &amp; order", "biology", "math", "biology"]  # by rank, what is not there last; then the dip
    assert "1\u00a0→\u00a016\u00a0→\u00a04k" in text and "<td>outvoted" in text


def rows_of(text):
    return [[cell.replace("\u00a0", " ") for cell in row.split("<td>")[1:]] for row in re.findall(r"<tr[^>]*>(<td>.*?)</tr>", text)]


def test_dips_along_layers_name_who_erased_and_who_wrote_again(emergence):
    time, space = (tables.dips(emergence, emergence.curves(anchor)[0]) for anchor in ("time", "space"))
    assert "<th>erased by<th>written again by" in space and "correlates, until" in space
    assert rows_of(space)[0][4:7] == ["outvoted", "mlp 2, attention 2", "mlp 3"]
    assert "erased" not in time and "extract.components" not in time


def test_dips_without_an_attribution_say_how_to_get_one(tmp_path):
    own = synthetic.write(tmp_path / "emergence.h5", anchors=("space",), controls=())
    with h5py.File(own, "r+") as changed:
        curve = changed["anchors/space/curves/space"]
        del curve["attribution"], curve["conclusions/dips/erased_by"], curve["conclusions/dips/written_by"]
    with Emergence(own) as emergence:
        curve = emergence.curves("space")[0]
        text = tables.dips(emergence, curve)
        assert curve.dips[0]["erased_by"] == [] and "erased by" not in text and "extract.components = yes tells" in text
        assert tables.ablations(emergence, curve) == ""


def test_an_eraser_is_a_cause_where_the_concept_comes_back_without_it(ablated):
    with Emergence(ablated) as emergence:
        curve = emergence.curves("space")[0]
        before = 100 * curve["contrast"][0, 2, 0]
        text = tables.ablations(emergence, curve)
    assert "without mlp 2 and mlp 3, each by itself" in text
    assert "in 10 of 15 cells" in text  # layers 2 to 4, and 3 to 4; the second subject does not change
    tried, reached = (rows_of(part) for part in text.split("the figures below have every layer"))
    assert [[row[i] for i in (0, 1, 2, -1)] for row in tried] == [["biology", "2", "mlp 2", "a cause"], ["biology", "2", "attention 2", "not tried"]]
    assert tried[0][3] == f"{round(before)} ({round(before - 10)} to {round(before + 10)})"
    assert tried[0][5] == "20 (10 to 30)" and tried[0][-2] == "80"  # of a depth of 0.25
    assert [[row[i] for i in (0, 1, -1)] for row in reached] == [
        ["biology", "mlp 2", "holds it down"], ["math", "mlp 2", "carries it"], ["biology", "mlp 3", "carries it"], ["math", "mlp 3", "carries it"]]


@pytest.mark.parametrize("back, verdict", [(0.0, "no cause shown"), (0.05, "no cause shown"), (-0.2, "it writes for it")])
def test_an_eraser_without_which_nothing_comes_back_is_none(ablated, back, verdict):
    synthetic.ablation(ablated, "mlp 2", back)
    with Emergence(ablated) as emergence:
        text = tables.ablations(emergence, emergence.curves("space")[0])
    assert rows_of(text)[0][-1] == verdict


def test_the_page_shows_ablations(ablated):
    page.write(ablated, ablated.with_name("report.html"))
    text = ablated.with_name("report.html").read_text(encoding="utf-8")
    assert "<h4>Without a component" in text and text.count("run again with what mlp") == 2 and len(inline(text)) == len(FIGURES) + 3  # an attribution and two ablations


def test_a_file_from_before_conclusions_says_so(tmp_path):
    own = synthetic.write(tmp_path / "emergence.h5", anchors=("time",))
    with h5py.File(own, "r+") as changed:
        del changed["anchors/time/curves/time/conclusions"], changed["anchors/time/curves/time/drift"], changed["anchors/time/controls/seeds"]
        del changed["anchors/time/curves/own_time"]
    with Emergence(own) as emergence:
        curve = emergence.curves("time")[0]
        assert "before conclusions were drawn" in tables.conclusions(emergence, curve)
        assert curve.dips == [] and curve.drift == {} and {"own", "seeds"}.isdisjoint(curve.controls) and "ceiling" in curve.controls


def test_a_control_is_read_on_the_curves_rung_or_on_the_one_it_has(tmp_path):
    own = synthetic.write(tmp_path / "emergence.h5", anchors=("time",))
    with h5py.File(own, "r+") as changed:
        control = changed["anchors/time/controls/ceiling/curves/time"]
        control["contrast"][0] = np.nan
        expected, band = control["contrast"][1], changed["anchors/time/controls/random_latents/bands/time/contrast_high"][0]
    with Emergence(own) as emergence:
        controls = emergence.curves("time")[0].controls
    np.testing.assert_array_equal(controls["ceiling"]["value"], expected)
    np.testing.assert_array_equal(controls["random_latents"]["high"], band)


def test_what_is_not_trained_is_laid_along_the_curve(emergence):
    curve = emergence.curves("time")[0]
    floor, anew = (curve.controls[name]["value"] for name in ("random_weights", "untrained"))
    group = curve.emergence.file["anchors/time/controls/random_weights/curves"]
    np.testing.assert_array_equal(floor, np.repeat(group["time/contrast"][2], 6, axis=0))  # at every step the one of its model and layer
    np.testing.assert_array_equal(anew[curve.home], group["own/contrast"][0, 0])
    assert np.isnan(np.delete(anew, curve.home, axis=0)).all()


def test_figures_as_files_of_both_widths(file, tmp_path, capsys):
    assert main(["figures", str(file), "-o", str(tmp_path), "--only", "space-space-onsets"]) == 0
    assert capsys.readouterr().out == f"6 files in {tmp_path}\n"
    names = {f"space-space-onsets-{width}.{ending}" for width in files.WIDTHS for ending in files.ENDINGS}
    assert {f.name for f in tmp_path.iterdir()} == names
    for width, inches in files.WIDTHS.items():
        pdf = (tmp_path / f"space-space-onsets-{width}.pdf").read_bytes()
        assert float(re.search(rb"/MediaBox \[ ?0 0 ([\d.]+)", pdf)[1]) == pytest.approx(72 * inches)
    assert main(["figures", str(file), "-o", str(tmp_path), "--only", "time-contrast"]) == 64
    assert "time-time-contrast" in capsys.readouterr().err


@pytest.mark.parametrize("change", ["format", "format_version"])
def test_other_files_are_refused(own, change, capsys):
    with h5py.File(own, "r+") as handle:
        handle.attrs[change] = {"format": "incipit/sae", "format_version": "2.0"}[change]
    with pytest.raises(FormatError, match="expected incipit/emergence version 1.x"):
        Emergence(own)
    assert main(["report", str(own)]) == 65 and "expected" in capsys.readouterr().err


def test_no_file_and_no_hdf5(tmp_path, capsys):
    (tmp_path / "x.h5").write_text("no")
    for name in ("x.h5", "none.h5"):
        assert main(["report", str(tmp_path / name)]) == 74 and name in capsys.readouterr().err


def swell(path, bytes_each=4 * 10**9):
    """Makes it a file of more than 10 GB, as large runs have them, without writing them: what is not written takes no room and reads as 0."""
    with h5py.File(path, "r+") as file:
        curve = file["anchors/time/curves/time"]
        points, probes = len(curve["point"]), bytes_each // 8 // len(curve["point"])
        curve.create_dataset("probe", (probes,), "i4").make_scale("This is a netCDF dimension but not a netCDF variable.")
        for name in ("winner", "margin"):
            made = curve.create_dataset(name, (points, probes), "i8")
            made.dims[0].attach_scale(curve["point"])
            made.dims[1].attach_scale(curve["probe"])
        texts = file["anchors/time/latents/nearest/texts"]
        text = texts["text"][...]
        del texts["text"]
        texts.create_dataset("text", (bytes_each // 1000,), h5py.string_dtype("utf-8", 1000), chunks=(1000,))[:len(text)] = text
        return sum(file[n].nbytes for n in ("anchors/time/curves/time/winner", "anchors/time/curves/time/margin", "anchors/time/latents/nearest/texts/text"))


def test_ten_gigabytes_need_less_than_two_of_memory(own, tmp_path):
    assert swell(own) > 10**10 and own.stat().st_size < 10**7
    for words in (["-m", "analysis", "report", str(own)], ["analysis/examples/births.py", str(own), str(tmp_path / "births.png")]):
        with open(tmp_path / "out", "w+") as out:
            child = subprocess.Popen([sys.executable, *words], cwd=synthetic.ROOT, stdout=out, stderr=out)
            _, status, usage = os.wait4(child.pid, 0)
            out.seek(0)
            assert status == 0, out.read()
            assert usage.ru_maxrss < 500_000  # kB; the bar is 2 GB
    assert (tmp_path / "births.png").read_bytes()[:4] == b"\x89PNG"
    assert "label &lt;0&gt;" in own.with_name("report.html").read_text()


@pytest.mark.filterwarnings("ignore:The 'phony_dims'")  # other groups of the made-up file have no labels
def test_xarray_for_notebooks(file):
    import analysis

    with analysis.open(file) as emergence:
        curve = emergence.curve("time", "time")
        assert emergence.anchors == ["time", "space", "scale"]
        assert curve.contrast.dims == ("rung", "point", "subject") and curve.contrast.sel(rung="raw").shape == (6, 3)
        assert "step" in curve.coords and not curve.contrast._in_memory
        np.testing.assert_array_equal(curve.contrast.sel(rung="aligned"), emergence.curves("time")[0].measure("contrast", 2))
        assert emergence.dataset("anchors/time/curves/time/conclusions").onset.dims == ("subject",)


@pytest.mark.long
def test_it_can_be_installed(tmp_path):
    if command("-m", "pip", "--version").returncode or command("-c", "import setuptools, wheel").returncode:
        pytest.skip("no pip with setuptools and wheel here")
    shutil.copytree(synthetic.ROOT / "analysis", tmp_path / "source", ignore=shutil.ignore_patterns("__pycache__", "tests"))
    made = command("-m", "pip", "install", "--quiet", "--no-build-isolation", "--no-deps", "--no-compile", "--no-index", "--target", tmp_path / "there",
                   tmp_path / "source", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    done = command("-c", "import analysis.figures, analysis.page; print(analysis.__file__)", cwd=tmp_path,
                   env=os.environ | {"PYTHONPATH": str(tmp_path / "there")})
    assert done.stdout.strip() == str(tmp_path / "there" / "analysis" / "__init__.py"), done.stderr

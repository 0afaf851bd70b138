"""What hangs on the dictionary's size and place: read from beside the file, drawn, and told."""

import h5py
import matplotlib.pyplot as plt
import matplotlib.text
import numpy as np
import pytest

from figures_test import marked, words
from fixtures import swept  # noqa: F401
from report_test import rows_of

import synthetic
from analysis import Emergence, files, figures, page, style, sweeps, tables


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture
def emergence(swept):  # noqa: F811
    with Emergence(swept) as opened:
        yield opened


def curves_of(ax):
    return {one.get_label(): one for one in ax.lines if one.get_label().endswith(" latents")}


def cut(figure):
    """Words that leave the figure on the left or right. (Above and below there are ticks beyond an axis' limits, which are not drawn.)"""
    figure.draw_without_rendering()
    boxes = {t.get_text(): t.get_window_extent() for t in figure.findobj(matplotlib.text.Text) if t.get_text() and t.get_visible()}
    return [text for text, box in boxes.items() if box.x0 < figure.bbox.x0 or box.x1 > figure.bbox.x1]


@pytest.mark.parametrize("width", [style.SINGLE, style.DOUBLE])
def test_sizes_are_drawn_where_the_numbers_are(emergence, width):
    figure = figures.of_sizes("time", sweeps.sizes(emergence, "time")).draw(width=width)
    panels = {ax.get_ylabel(): ax for ax in figure.axes}
    few, many = (curves_of(panels["mean F1"])[f"{h} latents"] for h in (8, 32))
    np.testing.assert_allclose(few.get_xdata(), [0, 2])  # a k of 16 is above 8 latents
    np.testing.assert_allclose(many.get_xdata(), [0, 2, 4])
    np.testing.assert_allclose(many.get_ydata(), [0.9, 0.84, 0.6])
    for name, value in (("labels that hold", 16.5), ("dead latents, %", 12.5), ("contrast, %", 30), ("fires, %", 55)):
        np.testing.assert_allclose(curves_of(panels[name])["32 latents"].get_ydata(), 3 * [value])
    heights = [np.round(band.get_paths()[0].vertices[:, 1], 6) for band in panels["mean F1"].collections if band.get_paths()]
    assert len(heights) == 2 and {0.58, 0.62, 0.88, 0.92} <= set(heights[1])  # the range over seeds
    assert all(words(figure).count(f"{h} latents") == len(PANEL_ROWS[width]) for h in (8, 32))
    assert figure.get_size_inches()[0] == width


def test_large_numbers_are_not_cut(swept):  # noqa: F811
    with h5py.File(swept.parent / "sweep/time.h5", "r+") as file:
        file["latents"][...] = 16384
    with Emergence(swept) as emergence:
        assert cut(figures.of_sizes("time", sweeps.sizes(emergence, "time")).draw(width=style.SINGLE)) == []


PANEL_ROWS = {style.SINGLE: range(3), style.DOUBLE: range(2)}  # each has the labels once


def test_one_seed_has_no_band_and_says_so(swept):  # noqa: F811
    synthetic.size_sweep(swept, seeds=1)
    with Emergence(swept) as emergence:
        drawing = figures.of_sizes("time", sweeps.sizes(emergence, "time"))
        assert "no interval is known" in drawing.caption
        assert not any(ax.collections for ax in drawing.draw(width=style.DOUBLE).axes)
        assert rows_of(tables.sizes(sweeps.sizes(emergence, "time")))[0][2] == "0.77"


def test_the_sizes_table_has_means_and_ranges(emergence):
    rows = rows_of(tables.sizes(sweeps.sizes(emergence, "time")))
    assert [row[:2] for row in rows] == [["1", "8"], ["1", "32"], ["4", "8"], ["4", "32"], ["16", "32"]]
    assert rows[1][2:] == ["0.78 (0.77 to 0.79)", "0.90 (0.88 to 0.92)", "16 (16 to 17)", "10 (10 to 11)", "1 (1 to 1)", "4 (4 to 4)", "3 (3 to 3)",
                           "55 (50 to 60)", "30 (25 to 35)"]
    assert rows[4][8] == "2 (2 to 2)" and rows[4][9] == "55 (50 to 60)"  # over the subjects with a latent


def test_a_subject_without_a_latent_anywhere_is_no_zero(swept):  # noqa: F811
    with h5py.File(swept.parent / "sweep/time.h5", "r+") as file:
        file["matched"][0], file["contrast"][0], file["contrast"][1, 0] = 0, np.nan, np.nan
    with Emergence(swept) as emergence:
        found = sweeps.sizes(emergence, "time")
        assert rows_of(tables.sizes(found))[0][-1] == "–" and rows_of(tables.sizes(found))[1][-1] == "35 (35 to 35)"
        figures.of_sizes("time", found).draw(width=style.SINGLE).draw_without_rendering()


def test_the_map_tells_onset_no_call_and_no_latent_apart(emergence):
    (found,) = sweeps.places(emergence, "time")
    assert found.own == 4 and found.home.tolist() == [1, 2, 3, 4, 5]
    figure = figures.of_places(emergence, found).draw(width=style.DOUBLE)
    (image,) = figure.axes[0].get_images()
    cells, scale = image.get_array(), plt.get_cmap("viridis")
    assert cells.shape == (3, 5, 4)
    np.testing.assert_allclose(cells[0, 3], scale(np.log2(2) / np.log2(4001)))  # the second step is 1
    np.testing.assert_allclose(cells[0, 4], scale(np.log2(17) / np.log2(4001)))
    np.testing.assert_allclose(cells[1, 4], scale(1.0))
    assert (cells[0, 1:3] == 1).all() and (cells[2, :, 3] == 0).all() and cells[0, 0, 3] == 0  # white; transparent over the hatching
    (frame,) = marked(figure, "the anchor's")
    assert (min(frame.get_xdata()), max(frame.get_xdata())) == (3.5, 4.5)
    assert "law & order (never read)" in words(figure) and "4k" in words(figure) and "2 of 4" in words(figure) and "0 of 0" in words(figure)
    ranges = [line.get_xdata() for line in marked(figure.axes[1], "range")]
    np.testing.assert_allclose(ranges[0], np.log2([2, 17]))
    np.testing.assert_allclose(marked(figure.axes[1], "median")[0].get_xdata(), np.log2([9.5]))


def test_of_many_dictionaries_a_triangle_points_at_the_anchors(tmp_path):
    made = synthetic.write(tmp_path / "emergence.h5", anchors=("time",), steps=tuple(range(0, 100000, 1000)), controls=())
    synthetic.place_sweep(made)
    with Emergence(made) as emergence:
        figure = figures.of_places(emergence, sweeps.places(emergence, "time")[0]).draw(width=style.DOUBLE)
    (mark,) = marked(figure, "the anchor's")
    assert list(mark.get_xdata()) == [98] and mark.get_marker() == "v"
    assert cut(figure) == []


def test_called_without_an_onset_is_grey(swept):  # noqa: F811
    with h5py.File(swept.parent / "sweep/time.over_time.h5", "r+") as file:
        file["conclusions/onset_high"][3, 0] = np.nan
    with Emergence(swept) as emergence:
        figure = figures.of_places(emergence, sweeps.places(emergence, "time")[0]).draw(width=style.SINGLE)
        assert figure.axes[0].get_images()[0].get_array()[0, 3].tolist() == [0.75, 0.75, 0.75, 1]


def test_the_places_table_has_the_same_numbers(emergence):
    by_subject, by_dictionary = tables.places(emergence, sweeps.places(emergence, "time")[0]).split("<th>made at")
    assert rows_of(by_subject) == [["biology", "4", "2", "1", "8.5", "16", "16"],
                                   ["law &amp; order <small>never read</small>", "5", "1", "4k", "4k", "4k", "4k"],
                                   ["math", "0", "0", "–", "–", "–", "–"]]
    assert rows_of(by_dictionary)[0] == ["1", "10", "1", "0"] and rows_of(by_dictionary)[-1] == ["4k (the anchor&#x27;s)", "14", "2", "2"]
    assert "not several witnesses" in by_subject


@pytest.mark.parametrize("anchor, own", [("space", None), ("scale", 1)])
def test_along_layers_and_models(tmp_path, anchor, own):
    made = synthetic.write(tmp_path / "emergence.h5", anchors=(anchor,), controls=())
    synthetic.place_sweep(made, anchor)
    with Emergence(made) as emergence:
        (found,) = sweeps.places(emergence, anchor)
        said = words(figures.of_places(emergence, found).draw(width=style.DOUBLE))
    assert found.own == own and ("the anchor's own" in said) == (own is not None)
    assert ("nano-5" in said) == (anchor == "scale") and ("dictionary made at layer" in said) == (anchor == "space")


def test_the_page_has_a_section_for_each(swept):  # noqa: F811
    page.write(swept, swept.with_name("report.html"))
    text = swept.with_name("report.html").read_text(encoding="utf-8")
    assert text.count("<h3>The dictionary's size") == 1 and text.count("<h3>The dictionary's place") == 1
    assert text.index("Births along time as 5 dictionaries") < text.index("<h3>Interpretable latents")
    assert text.count("<figcaption>Dictionaries of other sizes") == 1 and text.count("<figcaption>When each subject is born") == 1


def test_the_figures_come_as_files(swept):  # noqa: F811
    made = files.write(swept, swept.parent / "figures", endings=("svg",), only="time-sizes")
    assert {file.name for file in made} == {"time-sizes-single.svg", "time-sizes-double.svg"}
    made = files.write(swept, swept.parent / "figures", only="time-time-places")
    assert {file.name for file in made} == {f"time-time-places-{width}.{ending}" for width in files.WIDTHS for ending in files.ENDINGS}


def test_without_a_sweep_there_is_no_section(tmp_path):
    made = synthetic.write(tmp_path / "emergence.h5", anchors=("time",), controls=())
    with Emergence(made) as emergence:
        assert sweeps.sizes(emergence, "time") is None and sweeps.places(emergence, "time") == [] and page.swept(emergence, "time") == ""
        assert not [name for name in figures.of_anchor(emergence, "time") if name.endswith(("sizes", "places"))]


@pytest.mark.parametrize("change", ["layer", "subject"])
def test_sizes_at_another_site_or_of_other_subjects_are_left_out(swept, change):  # noqa: F811
    with h5py.File(swept.parent / "sweep/time.h5", "r+") as file:
        if change == "layer":
            file.attrs["layer"] = 1
        else:
            file["subject"][0] = b"other"
    with Emergence(swept) as emergence:
        assert sweeps.sizes(emergence, "time") is None


@pytest.mark.parametrize("change", ["contrast", "step", "subject"])
def test_places_of_another_run_are_left_out(swept, change):  # noqa: F811
    with h5py.File(swept.parent / "sweep/time.over_time.h5", "r+") as file:
        if change == "contrast":
            file["contrast"][4, 0, 0] += 1e-9
        else:
            file[change][0] = 7 if change == "step" else b"other"
    with Emergence(swept) as emergence:
        assert sweeps.places(emergence, "time") == []

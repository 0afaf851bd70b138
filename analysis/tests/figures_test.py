"""Figures show the numbers, with their uncertainty, whatever the file lacks."""

import h5py
import matplotlib.pyplot as plt
import matplotlib.text
import numpy as np
import pytest

from fixtures import ablated, drawn, emergence, file, own  # noqa: F401

import synthetic
from analysis import Emergence, figures, style
from analysis.figures import lines, maps, order, sites, waterfall, without


def words(figure):
    return [t.get_text() for t in figure.findobj(matplotlib.text.Text) if t.get_text()]


def marked(figure, label):
    return figure.findobj(lambda artist: artist.get_label() == label)


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture
def curve(emergence):
    return emergence.curves("time")[0]


def test_a_curve_is_drawn_where_the_numbers_are(emergence, curve):
    figure = lines.contrast(emergence, curve, style.SINGLE)
    drawn = [line for line in figure.axes[0].lines if line.get_label() == "raw, 95 %"][0]
    np.testing.assert_allclose(drawn.get_ydata(), 100 * curve["contrast"][0, :, 0])
    np.testing.assert_allclose(drawn.get_xdata(), np.log2(1 + curve["step"]))
    bands = [band.get_paths()[0].vertices for band in figure.axes[0].collections if band.get_paths()]
    low = 100 * curve["contrast_low"][0, :, 0]
    assert any(np.isin(np.round(low[:3], 6), np.round(v[:, 1], 6)).all() for v in bands)
    for label in ("null, 95 %", "raw, 95 %", "last word alone", "all words alone", "onset: bracket, 95 %"):
        assert words(figure).count(label) == 1  # at one panel's lines, and no legend
    assert all(ax.get_legend() is None for ax in figure.axes)


def test_subjects_never_read_and_subjects_without_latents_say_so(emergence, curve):
    for draw in (lines.contrast, lines.rungs, lines.controls, lines.dictionaries):
        said = words(draw(emergence, curve, style.DOUBLE))
        assert "no matched latent" in said and "law & order (never read)" in said


def test_controls_stand_beside_the_curve_in_two_figures(emergence, curve):
    said = [words(draw(emergence, curve, style.DOUBLE)) for draw in (lines.controls, lines.dictionaries)]
    for mine, other, labels in ((0, 1, ("floor: random weights", "untrained, made anew", "ceiling", "random latents, 95 %")),
                                (1, 0, ("own dictionary", "first step's", "seeds, each and range"))):
        for label in labels:
            assert said[mine].count(label) == 1 and label not in said[other]
    space = emergence.curves("space")[0]
    assert lines.controls(emergence, space, style.DOUBLE) is None and lines.dictionaries(emergence, space, style.DOUBLE) is None


def test_each_seed_has_a_line(emergence, curve):
    figure = lines.dictionaries(emergence, curve, style.DOUBLE)
    seeds = [[line.get_ydata()[0] for line in ax.lines if line.get_label() == "seed"] for ax in figure.axes[:2]]
    np.testing.assert_allclose(seeds, [[5, np.nan], [5, 15]])


def test_no_auc_lies_outside_its_panel(own):
    with h5py.File(own, "r+") as file:
        file["anchors/time/curves/time/auc_low"][0, 1, 0] = 0.05
    with Emergence(own) as emergence:
        bottom, top = lines.linear_probe(emergence, emergence.curves("time")[0], style.DOUBLE).axes[0].get_ylim()
    assert bottom < 0.05 and top > 1


def test_a_gap_of_the_audit_is_marked(emergence, curve):
    assert curve.dropped.tolist() == [False, False, False, True, False, False]
    assert not emergence.curves("space")[0].dropped.any()
    figure = lines.contrast(emergence, curve, style.DOUBLE)
    assert len(marked(figure, "dropped")) == 3 and "dotted: dropped by the audit" in words(figure)
    assert "×" in words(maps.heat_map(emergence, curve, style.DOUBLE))


def test_a_point_between_gaps_is_seen(emergence):
    figure, (ax,) = style.frame(2, 2, (0.3, 0.3, 1, 1))
    x, y = np.arange(5.0), np.array([1, np.nan, 2, np.nan, 3])
    style.band(ax, x, y - 0.5, y + 0.5, style.BLUE)
    bars = [s for c in ax.collections for s in getattr(c, "get_segments", list)()]
    assert sorted(b[:, 1].tolist() for b in bars) == [[0.5, 1.5], [1.5, 2.5], [2.5, 3.5]]


def test_dips_and_onsets_are_marked_with_their_verdict(emergence, curve):
    figure = lines.contrast(emergence, curve, style.DOUBLE)
    assert "outvoted" in words(figure) and len(marked(figure, "dip")) == 1 and len(marked(figure, "onset")) == 2
    (dip,) = marked(figure, "dip")
    assert dip.get_xdata() == [np.log2(17)] and dip.get_ydata() == [100 * curve["contrast"][0, 2, 0]]
    assert len(marked(maps.heat_map(emergence, curve, style.SINGLE), "dip")) == 1
    assert len(marked(sites.drift(emergence, curve, style.SINGLE), "dip")) == 4


@pytest.mark.parametrize("at, rows", [((2, 3), [0, 1]), ((1, 5), [0, 0])])
def test_verdicts_of_one_subject_do_not_touch(own, at, rows):
    with h5py.File(own, "r+") as file:
        dips = file["anchors/time/curves/time/conclusions/dips"]
        for name in list(dips):
            both = np.repeat(dips[name][...], 2, axis=0)
            del dips[name]
            dips[name] = np.array(at) if name == "at" else both
    with Emergence(own) as emergence:
        curve = emergence.curves("time")[0]
        figure = lines.contrast(emergence, curve, style.SINGLE)
        figure.draw_without_rendering()
        texts = [t for t in figure.axes[0].texts if t.get_text() == "outvoted"]
        assert lines.Marks(curve, curve.measure("contrast"), (0, 1), style.Panels.inner(3, style.SINGLE)).rows == rows
        one, other = (t.get_window_extent() for t in texts)
        assert not one.overlaps(other)


def test_onsets_stand_in_their_order(emergence, curve):
    figure = order.onsets(emergence, curve, style.SINGLE)
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ["law & order (never read)", "biology"]
    (bracket,) = marked(figure, "bracket")  # the other was there at the first point
    np.testing.assert_allclose(bracket.get_xdata(), np.log2(1 + np.array([16, 128])))
    assert "2  (1 to 3)" in words(figure)


def test_uncertain_cells_are_in_brackets_or_dotted(emergence):
    curve = emergence.curves("space")[0]
    value, low = 100 * curve.measure("contrast"), 100 * curve.measure("contrast_low")
    said = words(maps.heat_map(emergence, curve, style.DOUBLE))
    known = np.isfinite(value)
    assert sum(t.startswith("(") for t in said) == ((low <= 0) & known).sum() > 0
    figure = maps.heat_map(emergence, curve, 2.6)
    (dots,) = [c for c in figure.axes[0].collections if len(c.get_offsets())]
    assert len(dots.get_offsets()) == ((low <= 0) & known).sum()


def test_the_grid_has_a_panel_for_each_subject(emergence):
    (drawing,) = figures.of_curve(emergence, emergence.curves("time")[1])
    figure = drawing.draw(width=style.SINGLE)
    image = figure.axes[0].get_images()[0].get_array()
    assert image.shape == (5, 6)
    grid = emergence.curves("time")[1]
    at = np.flatnonzero((grid["step"] == 128) & (grid["layer"] == 2))[0]
    assert image[2, 3] == 100 * grid.measure("contrast")[at, 0]


def test_the_waterfall_adds_up_and_names_the_largest(emergence):
    curve = emergence.curves("space")[0]
    figure = waterfall.waterfall(emergence, curve, style.SINGLE)
    value = curve["attribution/contribution"][-1, :, 0]
    tops = [bar.get_y() + bar.get_height() for bar in figure.axes[0].containers[0]]
    np.testing.assert_allclose(tops, np.cumsum(value))
    names = ["E", "A1", "M1", "A2", "M2", "A3", "M3", "A4", "M4"]
    assert [t.get_text() for t in figure.axes[-1].get_xticklabels()] == ["E", "1", "2", "3", "4"]
    np.testing.assert_allclose(figure.axes[-1].get_xticks(), [0, 1.5, 3.5, 5.5, 7.5])
    assert names[np.argmax(np.abs(value))] in [t.get_text() for t in figure.axes[0].texts]
    assert waterfall.waterfall(emergence, emergence.curves("time")[0], style.SINGLE) is None


def test_the_waterfall_names_who_erased_and_who_wrote_again(emergence):
    curve = emergence.curves("space")[0]
    figure = waterfall.waterfall(emergence, curve, style.DOUBLE)
    coloured = {t.get_text(): t.get_color() for t in figure.axes[0].texts if t.get_weight() == "bold"}
    attention, mlp = np.abs(curve["attribution/contribution"][-1, 3:5, 0])  # neighbours: there is room for one name
    assert coloured == {"M2" if mlp > attention else "A2": style.RED, "M3": style.BLUE}
    spans = [[(s.get_x() if hasattr(s, "get_x") else s.get_xy()[0][0]) for s in marked(figure, f"{way} a dip")] for way in ("into", "out of")]
    assert spans == [[2.5], [4.5]]  # components 3 and 4 lie between layers 1 and 2, 5 to 8 behind
    assert "shaded: into a dip,\nand out of it" in words(figure)


def test_names_of_a_waterfall_do_not_touch():
    assert waterfall.named(np.array([1.0, -5, 0.5, 4, 3])) == [1, 3, 4]
    assert waterfall.named(np.array([1.0, -5, 0.5, 4, 3]), [0, 2]) == [0, 2, 1]
    assert waterfall.named(np.linspace(1, 0.9, 40), [20, 21]) == [20, 0, 5]


def test_an_ablation_is_drawn_where_the_numbers_are(ablated):
    with Emergence(ablated) as emergence:
        curve = emergence.curves("space")[0]
        drawings = {d.name: d for d in figures.of_curve(emergence, curve)}
        assert [name for name in drawings if name.startswith("without")] == ["without-mlp-2", "without-mlp-3"]
        figure = drawings["without-mlp-2"].draw(width=style.DOUBLE)
        (line,) = [one for one in figure.axes[0].lines if one.get_label() == "without mlp 2, 95 %"]
        np.testing.assert_allclose(line.get_ydata(), [np.nan, np.nan, *(100 * curve["contrast"][0, 2:, 0] + 20)])
        # The first and the last subject differ from layer 2 on; the dip is that which mlp 2 is named for.
        assert [stars.get_xdata().tolist() for stars in marked(figure, "differs")] == [[2, 3, 4], [2, 3, 4]]
        assert len(marked(figure, "dip")) == 1 and "dip it wrote against" in words(figure)
        assert len(marked(drawings["without-mlp-3"].draw(width=style.DOUBLE), "dip")) == 0


def test_an_ablation_of_another_run_is_left_out(ablated):
    with h5py.File(ablated.parent / "attribution/space/mlp-2.h5", "r+") as file:
        file["contrast_before"][0, 0] += 1e-9
    with Emergence(ablated) as emergence:
        assert [one["component"] for one in emergence.curves("space")[0].ablations] == ["mlp 3"]


def test_an_attribution_beside_the_file_is_found(tmp_path):
    path = synthetic.write(tmp_path / "emergence.h5", anchors=("space",))
    (tmp_path / "attribution").mkdir()
    with h5py.File(path, "r+") as file, h5py.File(tmp_path / "attribution" / "space.h5", "w") as beside:
        for name, item in file["anchors/space/curves/space/attribution"].items():
            beside[name] = item[...]
        beside["layer"] = np.arange(5)
        del file["anchors/space/curves/space/attribution"]
        expected = beside["contribution_low"][-1]
    with Emergence(path) as emergence:
        found = emergence.curves("space")[0].attribution
    assert found["layer"] == 4 and found["component"][:3] == ["embedding", "attention 1", "mlp 1"]
    np.testing.assert_array_equal(found["low"], expected)


def test_the_loss_joins_the_drift_where_it_was_asked_for(tmp_path):
    path = synthetic.write(tmp_path / "emergence.h5", anchors=("time", "space"))
    level = {"time": [8.25, 8, np.nan, 5.5, 5, 4.5], "space": [4.5] * 5}
    with h5py.File(path, "r+") as file:
        for name, loss in level.items():
            file[f"anchors/{name}/curves/{name}/loss"] = loss
            file[f"anchors/{name}/curves/{name}/drift/loss"] = np.diff(loss, prepend=np.nan)
    with Emergence(path) as emergence:
        curve = emergence.curves("time")[0]
        np.testing.assert_array_equal(curve.drift["loss"], [np.nan, -0.25, np.nan, np.nan, -0.5, -0.5])
        axes = {ax.get_ylabel(): ax for ax in sites.drift(emergence, curve, style.SINGLE).axes}
        np.testing.assert_array_equal(axes["next-token loss (nat)"].lines[0].get_ydata(), level["time"])
        layers = sites.drift(emergence, emergence.curves("space")[0], style.SINGLE).axes
        assert len(layers) == 4 and "next-token loss (nat)" not in [ax.get_ylabel() for ax in layers]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("case", [{"subjects": ("physics",), "read": (1,), "steps": (143000,)}, {"missing": (0, 1, 2)}, {"dropped": (0, 1, 2, 3, 4, 5)}])
def test_every_figure_can_be_drawn_of_little(tmp_path, case):
    path = synthetic.write(tmp_path / "emergence.h5", anchors=("time", "space") if "steps" in case else ("time",), **case)
    with Emergence(path) as emergence:
        for drawing in figures.of_curve(emergence, emergence.curves("time")[0]):
            if (figure := drawing.draw(width=style.SINGLE)) is not None:
                figure.draw_without_rendering()
                assert figure.get_size_inches()[0] == style.SINGLE


def test_many_checkpoints_stand_at_even_distances(tmp_path):
    steps = (0, *(2**k for k in range(10)), *range(1000, 41000, 1000))
    with Emergence(synthetic.write(tmp_path / "emergence.h5", anchors=("time",), steps=steps, controls=())) as emergence:
        axis = style.Axis(emergence.curves("time")[0])
    np.testing.assert_array_equal(axis.positions, np.arange(len(steps)))
    assert axis.places([1500, np.nan])[0] == pytest.approx(11 + np.log2(1501 / 1001) / np.log2(2001 / 1001))


def test_labels_leave_each_other_room():
    assert style.spread(np.array([0.5, 0.5, 0.52]), 0.1) == pytest.approx([0.5, 0.6, 0.7])
    assert style.spread(np.array([1.0, 0.98, 0.1]), 0.1) == pytest.approx([1.0, 0.9, 0.1])
    assert np.diff(np.sort(style.spread(np.full(9, 0.3), 0.2))) == pytest.approx(1 / 8)
    kept = style.room_for(np.array([0.0, 0.01, 0.5, 0.99, 1.0]), ["0", "1", "128", "99k", "100k"], 1.0)
    assert kept == [0, 2, 4]

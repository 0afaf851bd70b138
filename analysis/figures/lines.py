"""Panels of lines, one for each subject: every value with its interval, beside what chance, text and controls give."""

import dataclasses

import numpy as np

from .. import style
from ..style import BLUE, GREEN, GREY, ORANGE, PURPLE, RED


@dataclasses.dataclass
class Series:
    """A line in every subject's panel. value, low and high are [point, subject]; of a band without a line, value is None."""

    label: str
    colour: str
    value: np.ndarray = None
    low: np.ndarray = None
    high: np.ndarray = None
    line: str = "-"
    marker: str = "o"
    width: float = 1.1
    ringed: np.ndarray = None  # [point, subject] drawn as not to be relied on
    context: bool = False  # to be held against, such as a null: no reading of this curve

    @property
    def known(self):
        """[subject] how many points it has."""
        return np.isfinite(self.low if self.value is None else self.value).sum(axis=0)

    def draw(self, ax, x, s):
        """Draws it for subject s; its label with the height at which it ends."""
        if self.low is not None:
            style.band(ax, x, self.low[:, s], self.high[:, s], self.colour, width=6 if self.context else 2.2)
        if self.value is None:
            return style.end(x, (self.low[:, s] + self.high[:, s]) / 2), self.label, self.colour
        y = self.value[:, s]
        style.line(ax, x, y, self.colour, self.line, self.marker, self.width, label=self.label)
        if self.ringed is not None and (there := self.ringed[:, s] & np.isfinite(y)).any():
            ax.plot(x[there], y[there], "o", color=self.colour, mfc="none", ms=4.2, mew=0.7, zorder=5)
        return style.end(x, y), self.label, self.colour


def measured(curve, name, rung, label, colour, factor=1.0, **more):
    """A measure of a curve with its interval."""
    value, low, high = (factor * curve.measure(name + part, rung) for part in ("", "_low", "_high"))
    return Series(label, colour, value, low, high, **more)


class Level(Series):
    """The same value at every point: what the text gives."""

    def __init__(self, values, label, line):
        super().__init__(label, RED, values[None, :], line=line, context=True)

    def draw(self, ax, x, s):
        ax.axhline(self.value[0, s], color=self.colour, ls=self.line, lw=1)
        return self.value[0, s], self.label, self.colour


REASONS = {1: "no such site", 2: "no matched latent", 3: "nothing fires", 4: "dropped by the audit", 5: "degenerate site",
           6: "unreliable alignment"}


def reason(curve, subject):
    """Why a subject has no value on the rung shown: the commonest of the codes."""
    codes = curve.measure("status")[:, subject]
    worst = [int(c) for c in codes if c]
    return REASONS.get(max(set(worst), key=worst.count), "no value") if worst else "no value"


def panels(emergence, curve, series, width, name, limits=None, zero=0.0, marks=None):
    """A panel for each subject with all series that have a value, and `marks`."""
    axis = style.Axis(curve)
    series = [one for one in series if one.known.any()]
    read = sum((one.known for one in series if not one.context), np.zeros(len(emergence.subjects)))
    moves = [np.nan_to_num(np.nanmax(one.value, axis=0, initial=0) - np.nanmin(one.value, axis=0, initial=0)) for one in series if not one.context]
    told = np.max([read / (1 + read.max()), *moves], axis=0) + (marks.kinds if marks else 0)
    if limits is None:
        limits = style.span(*(a for one in series for a in (one.value, one.low, one.high) if a is not None), least=(0, 10))

    def draw(ax, s):
        ax.axhline(zero, color="black", lw=0.4)
        style.gaps(ax, axis.positions, curve.dropped)
        entries = [one.draw(ax, axis.positions, s) for one in series if one.known[s]]
        if not read[s]:
            ax.text(0.5, 0.97, reason(curve, s), transform=ax.transAxes, ha="center", va="top", color=GREY, zorder=5)
        return entries + (marks.draw(ax, s) if marks else []) + ([(np.nan, "dotted: dropped by the audit", GREY)] if curve.dropped.any() else [])

    return style.per_subject(draw, told, style.subject_titles(emergence), width, (axis.name, name), axis.dress, limits)


def contrast(emergence, curve, width):
    """The measure that conclusions are drawn on, with its null, what the text alone gives away, onsets and dips."""
    shown = measured(curve, "contrast", curve.shown, f"{curve.rungs[curve.shown]}, 95 %", BLUE, 100)
    null = Series("null, 95 %", "#8c8c8c", None, *(100 * curve.measure("contrast_null" + part) for part in ("_low", "_high")), context=True)
    text = [Level(100 * values["contrast"], label, line) for (label, line), values in
            zip((("last word alone", ":"), ("all words alone", "--")), emergence.token_baseline(curve.anchor).values())]
    low, high = style.span(shown.low, shown.high, null.low, null.high, *(one.value for one in text), least=(0, 10))
    marks = Marks(curve, shown.value, (low, high + 0.12 * (high - low)), style.Panels.inner(len(emergence.subjects), width))
    return panels(emergence, curve, [null, *text, shown], width, "contrast, %", marks.limits, marks=marks)


class Marks:
    """The onset's bracket and interval above a subject's line, and its dips with their verdicts below."""

    ROW, CHARACTER = 0.13, 0.045  # height of a verdict as a share of the panel; inches that one of its characters takes

    def __init__(self, curve, value, limits, inches):
        self.axis, self.value = style.Axis(curve), value
        self.conclusions, self.dips = curve.conclusions, curve.dips
        self.rows = self.rows_of(inches)
        low, high = limits
        self.limits = low - self.ROW * (high - low) * max(self.rows, default=0), high

    def rows_of(self, inches):
        """For each dip the row of its verdict, counted from below: one in which no other verdict of the subject is near."""
        rows, taken = [], {}
        for dip in self.dips:
            where, half = inches * self.share(dip), 0.5 * self.CHARACTER * len(dip["verdict"])
            left = where - half * (1 + self.side(dip))
            row = next(r for r in range(len(self.dips)) if all(left > b or left + 2 * half < a for a, b in taken.get((dip["subject"], r), [])))
            taken.setdefault((dip["subject"], row), []).append((left, left + 2 * half))
            rows.append(row)
        return rows

    def share(self, dip):
        """Where a dip lies between the ends of the axis, 0 to 1."""
        left, right = self.axis.limits()
        return (self.axis.positions[dip["at"]] - left) / (right - left)

    def side(self, dip):
        """On which side of a dip its verdict stands: -1 right, 0 about it, 1 left."""
        return -1 if self.share(dip) < 0.25 else 1 if self.share(dip) > 0.75 else 0

    @property
    def kinds(self):
        """[subject] how much a subject has of what is to be labelled: more than any line can move."""
        dipped = np.isin(np.arange(self.value.shape[1]), [dip["subject"] for dip in self.dips])
        return 1000.0 * dipped + (1000.0 * np.isfinite(self.conclusions["onset_high"]) if self.conclusions else 0)

    def draw(self, ax, s):
        bottom, top = self.limits
        entries = []
        if self.conclusions and np.isfinite(self.conclusions["onset_high"][s]):
            low, high, early, late = (self.axis.places(self.conclusions["onset_" + part][s])[0] for part in ("low", "high", "early", "late"))
            y = top - 0.05 * (top - bottom)
            ax.plot([early, late], [y, y], color=PURPLE, lw=0.8, solid_capstyle="butt", label="onset")
            if np.isfinite(low):
                self.axis.bracket(ax, low, high, y, PURPLE, 3)
            else:
                ax.plot(high, y, "<", color=PURPLE, ms=3.5, mew=0)
            entries.append((y, "onset: bracket, 95 %", PURPLE))
        for dip, row in zip(self.dips, self.rows):
            if dip["subject"] == s:
                x, height = self.axis.positions[dip["at"]], self.value[dip["at"], s]
                ax.plot(x, height, "v", color=RED, ms=4.5, mec="white", mew=0.5, zorder=6, label="dip")
                ax.text(x, bottom + (0.02 + self.ROW * row) * (top - bottom), dip["verdict"], color=RED, fontsize=6, va="bottom",
                        ha={-1: "left", 0: "center", 1: "right"}[self.side(dip)],
                        bbox={"fc": "white", "ec": "none", "alpha": 0.8, "pad": 0.3})
                entries.append((height, "dip, and why", RED))
        return list({text: (y, text, colour) for y, text, colour in entries}.values())


def rungs(emergence, curve, width):
    """The same dictionary on the vectors as they are, rescaled, and turned into the anchor's space."""
    series = []
    for r, name, colour, thick in reversed([*zip(range(3), curve.rungs, (BLUE, ORANGE, GREEN), (0.8, 1.7, 2.8))]):  # of equal lines each shows
        ringed = curve.measure("status", r) == 6
        series.append(measured(curve, "contrast", r, name + (",\nringed: not reliable" if ringed.any() else ""), colour, 100, ringed=ringed, width=thick))
    return panels(emergence, curve, series, width, "contrast, %")


class Seeds(Series):
    """A line for each seed, and their range."""

    def __init__(self, found):
        super().__init__("seeds, each and range", "black", *(100 * found[part] for part in ("value", "low", "high")), context=True)
        self.each = 100 * found["each"]

    def draw(self, ax, x, s):
        style.band(ax, x, self.low[:, s], self.high[:, s], self.colour, alpha=0.12)
        for one in self.each:
            style.line(ax, x, one[:, s], self.colour, "--", "", 0.6, label="seed")
        return style.end(x, self.value[:, s]), self.label, self.colour


UNLEARNED = {"random_weights": ("floor: random weights", GREY, ":"), "untrained": ("untrained, made anew", PURPLE, "-"), "ceiling": ("ceiling", GREEN, "-."),
             "random_latents": ("random latents, 95 %", RED, ":")}
OTHERS = {"own": ("own dictionary", GREEN, "-"), "first_step": ("first step's", ORANGE, "-.")}


def beside(curve, names):
    """The series of a curve's controls of these names that the file has."""
    found = curve.controls
    return [Series(label, colour, *(100 * found[name][part] for part in ("value", "low", "high")), line=line, marker="", context=True)
            for name, (label, colour, line) in names.items() if name in found]


def with_controls(emergence, curve, width, series):
    """The curve in front of its controls; None without any."""
    if not series:
        return None
    return panels(emergence, curve, [*series, measured(curve, "contrast", curve.shown, "this curve, 95 %", BLUE, 100)], width, "contrast, %")


def controls(emergence, curve, width):
    """The curve beside what is there without learning or without labels, and the most that a width can hold."""
    return with_controls(emergence, curve, width, beside(curve, UNLEARNED))


def dictionaries(emergence, curve, width):
    """The curve beside those of other dictionaries: made anew at each point, at the first step, from other seeds."""
    found = curve.controls
    return with_controls(emergence, curve, width, beside(curve, OTHERS) + ([Seeds(found["seeds"])] if "seeds" in found else []))


def linear_probe(emergence, curve, width):
    """AUC of the linear probe and of the dictionary: what is linearly there, and what this dictionary shows of it."""
    probe = Series("linear probe, 95 %", ORANGE, curve["probe_auc"], *(curve.part("probe_auc", end) for end in ("_low", "_high")), marker="s", width=2.2)
    latents = measured(curve, "auc", curve.shown, "latents, 95 %", BLUE)
    limits = style.span(probe.low, latents.low, least=(0.4, 1.0))
    return panels(emergence, curve, [probe, latents], width, "AUC on judged probes", limits, 0.5)


def tau_sweep(emergence, curve, width):
    """What each subject's curve would show at other thresholds of matching; shaded: as near as makes no difference."""
    sweep = curve.tau

    def draw(ax, s):
        ax.axvspan(sweep.used - sweep.NEARBY, sweep.used + sweep.NEARBY, color="#eeeeee", lw=0)
        ax.axvline(sweep.used, color=GREY, lw=0.8)
        entries = []
        for place, colour, line in zip(sweep.PLACES, (GREEN, BLUE, ORANGE), ("--", "-", "-")):
            y = 100 * sweep.places[place][:, s]
            wide = {"lw": 3, "alpha": 0.5, "zorder": 1.5} if place == "largest" else {"lw": 1.1}  # it lies on one of the others
            ax.plot(sweep.tau, y, color=colour, ls=line, **wide)
            entries.append((y[-1], "largest" if place == "largest" else f"{place} point", colour))
        return entries

    def dress(ax, inches, named):
        ax.set_xlim(sweep.tau[0], sweep.tau[-1])
        ax.tick_params(labelbottom=named)

    titles = []
    for name, read, hangs in zip(emergence.subjects, emergence.read, sweep.hanging):
        notes = ["never read"] * (not read) + ["hangs on τ"] * bool(hangs)
        titles.append((name + (f" ({', '.join(notes)})" if notes else ""), RED if hangs else "black"))
    told = sweep.places["largest"].sum(axis=0)
    return style.per_subject(draw, told, titles, width, ("threshold of matching, τ", "fires, %"), dress, (-4, 104))

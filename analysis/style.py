"""How figures look: sizes, colours, axes, bands, and labels that stand at their lines instead of in a legend."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

SINGLE, DOUBLE = 3.5, 7.2  # inches: one and two columns of a journal's page

# Okabe and Ito's colours, which people with any colour vision can tell apart, as dark as text needs.
BLUE, ORANGE, GREEN, RED, PURPLE, GREY = "#0072B2", "#C77E00", "#00805E", "#C04A00", "#A8457F", "#6E6E6E"
NULL = "#dcdcdc"

plt.rcParams.update({
    "font.size": 7, "axes.titlesize": 7.5, "axes.labelsize": 7.5, "xtick.labelsize": 6.5, "ytick.labelsize": 6.5,
    "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.6, "xtick.major.width": 0.6, "ytick.major.width": 0.6,
    "xtick.major.size": 2.5, "ytick.major.size": 2.5, "xtick.major.pad": 2, "ytick.major.pad": 2, "axes.titlepad": 3, "axes.titley": 1.0,
    "svg.fonttype": "path", "svg.hashsalt": "incipit", "figure.dpi": 100, "savefig.dpi": 300, "pdf.fonttype": 42,
})
CHARACTER = 0.055  # inches that a character of an axis takes at most


def title(subject, read):
    return subject if read else f"{subject} (never read)"


def short(number):
    for limit, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if number >= limit:
            return f"{number / limit:.3g}{letter}"
    return f"{number:g}"


MANY = 40  # points of a curve from which on markers would hide its line


class Axis:
    """A curve's points on paper: their positions, their labels, the axis' name, and where a place of it lies. Many checkpoints stand at
    even distances: those of a public ladder are dense where a log scale has no room for them."""

    def __init__(self, curve):
        kind = curve.name.removeprefix("own_")
        if kind == "time":
            values, self.name, self.place = curve["step"], "training step (log scale)", lambda step: np.log2(1.0 + step)
            self.label = short
        elif kind == "scale":
            values, self.name, self.place = curve["params"], "parameters (log scale)", np.log2
            self.label = short
        elif kind == "space":
            values, self.name, self.place = curve["layer"], "layer (0: embedding)", float
            self.label = lambda layer: f"{layer:g}"
        else:
            values, self.name, self.place = np.arange(curve.points), "site", float
            self.label = str
        self.values = np.asarray(values, dtype=float)
        self.positions = np.array([float(self.place(v)) for v in self.values])
        if kind == "time" and len(self.values) > MANY and (np.diff(self.positions) > 0).all():
            log, even = self.positions, np.arange(len(self.values), dtype=float)
            self.name, self.place = "training step (one checkpoint after the other)", lambda step: np.interp(np.log2(1.0 + step), log, even)
            self.positions = even
        self.labels = [self.label(v) for v in self.values]

    def places(self, values):
        return np.array([float(self.place(v)) if np.isfinite(v) else np.nan for v in np.atleast_1d(values)])

    def limits(self):
        low, high = self.positions.min(), self.positions.max()
        room = 0.04 * (high - low) or 0.5
        return low - room, high + room

    def bracket(self, ax, low, high, y, colour, thick, **more):
        """A bar from low to high; with a stroke through it where it would be narrower than a hair."""
        ax.plot([low, high], [y, y], color=colour, lw=thick, solid_capstyle="butt", **more)
        left, right = self.limits()
        if high - low < 0.015 * (right - left):
            ax.plot((low + high) / 2, y, "|", color=colour, ms=1.8 * thick, mew=1, **{k: v for k, v in more.items() if k == "alpha"})

    def dress(self, ax, inches, names=True):
        """Limits, and as many ticks as have room for their labels, both ends among them."""
        ax.set_xlim(*self.limits())
        kept = room_for(self.positions, self.labels, inches)
        ax.set_xticks(self.positions[kept], [self.labels[i] for i in kept] if names else [""] * len(kept))


def room_for(positions, labels, inches):
    """Indices of labels that do not touch each other on an axis of `inches`, the first and last kept."""
    order = np.argsort(positions, kind="stable")
    span = positions[order[-1]] - positions[order[0]]
    if span == 0:
        return [int(order[0])]
    half = np.array([0.5 * CHARACTER * (len(label) + 1) for label in labels])
    at = (positions - positions[order[0]]) / span * inches
    last, kept = order[-1], [int(order[0])]
    for i in order[1:-1]:
        if at[i] - half[i] >= at[kept[-1]] + half[kept[-1]] and at[i] + half[i] <= at[last] - half[last]:
            kept.append(int(i))
    return kept + [int(last)]


def alone(known):
    """[point] whether a point stands between gaps, where neither line nor area would show it."""
    return known & ~np.r_[False, known[:-1]] & ~np.r_[known[1:], False]


def band(ax, x, low, high, colour, alpha=0.22, width=2.2):
    """An interval along a line; a bar of `width` where a point stands alone."""
    known = np.isfinite(low) & np.isfinite(high)
    ax.fill_between(x, low, high, where=known, color=colour, alpha=alpha, lw=0)
    single = alone(known)
    ax.vlines(x[single], low[single], high[single], color=colour, alpha=min(1.0, 2 * alpha), lw=width)


def line(ax, x, y, colour, style="-", marker="o", width=1.1, **more):
    """With a marker at each point, or, of many points, at those that stand alone."""
    few = len(x) <= MANY
    marked = np.flatnonzero(alone(np.isfinite(y))) if not few or not marker else range(len(x))
    ax.plot(x, y, color=colour, ls=style, lw=width if few else 0.7 * width, marker=marker or "o", ms=2.0, mew=0.6, markevery=list(marked), **more)


def end(x, y):
    """Where a line ends: the height at which its label belongs; NaN for one without points."""
    known = np.flatnonzero(np.isfinite(y))
    return float(y[known[-1]]) if known.size else np.nan


def gaps(ax, positions, dropped):
    """Where a checkpoint failed its audit there is no value: a gap that must not look like a smooth passage."""
    for position in positions[dropped]:
        ax.axvline(position, color=GREY, ls=(0, (1, 2)), lw=0.9, label="dropped")


def spread(heights, least):
    """Heights in 0..1 moved apart by at least `least`, in their order; where there is no room for that, evenly."""
    order = np.argsort(heights, kind="stable")
    if len(order) * least >= 1 + least:
        moved = np.linspace(0, 1, len(order))
    else:
        moved = np.array(heights, dtype=float)[order]
        for i in range(1, len(moved)):
            moved[i] = max(moved[i], moved[i - 1] + least)
        limit = 1.0
        for i in range(len(moved) - 1, -1, -1):
            moved[i] = min(moved[i], limit)
            limit = moved[i] - least
    out = np.empty(len(order))
    out[order] = moved
    return out


def at_ends(ax, entries, inches, gap=0.16, size=6.5):
    """Labels (height, text, colour) right of a panel that is `inches` high, each tied to its line's end and none on another."""
    if not entries:
        return
    bottom, top = ax.get_ylim()
    homeless = iter(np.linspace(0.9, 0.1, sum(not np.isfinite(y) for y, *_ in entries)))
    heights = [np.clip((y - bottom) / (top - bottom), 0, 1) if np.isfinite(y) else next(homeless) for y, *_ in entries]
    lines = [text.count("\n") + 1 for _, text, _ in entries]
    least = max(lines) * 1.25 * size / 72 / inches
    width = ax.get_position().width * ax.figure.get_figwidth()
    for (y, text, colour), height, moved in zip(entries, heights, spread(heights, least)):
        if np.isfinite(y):
            ax.plot([1.01, 1 + gap / width * 0.8], [height, moved], transform=ax.transAxes, color=colour, lw=0.5, clip_on=False)
        ax.text(1 + gap / width, moved, text, transform=ax.transAxes, color=colour, fontsize=size, va="center", linespacing=1.0)


def frame(width, height, *boxes):
    """A figure in inches with an axes for each (left, bottom, width, height) in inches."""
    figure = plt.figure(figsize=(width, height))
    return figure, [figure.add_axes([b[0] / width, b[1] / height, b[2] / width, b[3] / height]) for b in boxes]


class Panels:
    """A panel per subject, all with the same axes; behind the one that tells most, room for the labels of its lines."""

    LEFT, RIGHT, TOP, BOTTOM, GAP, TITLE = 0.46, 0.1, 0.22, 0.38, 0.2, 0.27

    def __init__(self, count, width, sample):
        self.columns, self.inches = columns(width, count), self.inner(count, width)
        cells = [c for c in range(count + 1) if c != sample + 1]
        rows = -(-(count + 1) // self.columns)
        self.height = height = 1.5 if count == 1 else 0.95 if width > 5 else 0.8
        total = self.TOP + rows * height + (rows - 1) * self.TITLE + self.BOTTOM
        boxes = [(self.LEFT + (c % self.columns) * (self.inches + self.GAP),
                  total - self.TOP - height - (c // self.columns) * (height + self.TITLE), self.inches, height) for c in cells]
        self.figure, self.axes = frame(width, total, *boxes)
        taken = set(cells)
        self.leftmost = [c % self.columns == 0 for c in cells]
        self.lowest = [c + self.columns not in taken for c in cells]

    @classmethod
    def inner(cls, count, width):
        """Inches that each panel of `count` is wide."""
        across = columns(width, count)
        return (width - cls.LEFT - cls.RIGHT - (across - 1) * cls.GAP) / across

    def names(self, x, y):
        width, height = self.figure.get_size_inches()
        right = max(ax.get_position().x1 for ax in self.axes)
        self.figure.text((self.LEFT / width + right) / 2, 0.05 / height, x, ha="center", va="bottom", fontsize=7.5)
        self.figure.text(0.05 / width, (height - self.TOP + self.BOTTOM) / 2 / height, y, ha="left", va="center", rotation=90, fontsize=7.5)


def columns(width, count):
    return min(4 if width > 5 else 2, count + 1)


def per_subject(draw, told, titles, width, names, dress, limits, beside=at_ends):
    """`draw(ax, s)` draws subject s and returns the labels of its lines; they stand behind the panel of which `told` is largest,
    put there by `beside(ax, labels, inches high)`.
    `titles`: (text, colour) of each; `names` of the axes; `dress(ax, inches, named)` draws the abscissa."""
    # Behind the last panel of a row there is no room for labels.
    row = columns(width, len(told))
    sample = max((s for s in range(len(told)) if s % row != row - 1), key=lambda s: (told[s], -s))
    panels = Panels(len(told), width, sample)
    for s, ax in enumerate(panels.axes):
        ax.set_ylim(*limits)
        entries = draw(ax, s)
        dress(ax, panels.inches, panels.lowest[s])
        ax.tick_params(labelleft=panels.leftmost[s])
        text, colour = titles[s]
        ax.set_title(text, color=colour, fontsize=min(7.5, 72 * panels.inches / (0.52 * max(1, len(text)))))
        if s == sample:
            beside(ax, entries, panels.height)
    panels.names(*names)
    return panels.figure


def subject_titles(emergence):
    return [(title(name, read), "black" if read else RED) for name, read in zip(emergence.subjects, emergence.read)]


def span(*arrays, least=(0.0, 1.0)):
    """Limits that hold every value of the arrays and `least`, with some room."""
    values = np.concatenate([np.ravel(a)[np.isfinite(np.ravel(a))] for a in arrays] + [np.asarray(least, dtype=float)])
    room = 0.06 * (values.max() - values.min())
    return values.min() - room, values.max() + room

"""What hangs on the place at which the dictionary was made."""

import matplotlib
import numpy as np

from .. import style
from ..style import BLUE, GREY

EARLY_TO_LATE = matplotlib.colormaps["viridis"]  # for any colour vision, and in grey; no end of it is white
NO_ONSET = (0.75, 0.75, 0.75, 1.0)
ROW, TOP, BOTTOM, RIGHT = 0.19, 0.34, 0.5, 0.72
NARROW = 0.1  # inches of a dictionary's column, below which lines about it would hide it


def places(emergence, found, width):
    """A map of subjects by dictionaries, coloured by onset, and beside it (below it, in one column) the range of these onsets."""
    axis, names = style.Axis(found.curve), style.subject_titles(emergence)
    left, height = 0.12 + 0.052 * max(len(text) for text, _ in names), max(0.6, ROW * len(names))
    cell = TOP + height + BOTTOM
    if width > 5:
        inner = width - left - 0.15 - RIGHT
        boxes = [(left, BOTTOM, 0.56 * inner, height), (left + 0.56 * inner + 0.15, BOTTOM, 0.44 * inner, height)]
    else:
        inner = width - left - RIGHT
        boxes = [(left, cell + BOTTOM, width - left - 0.1, height), (left, BOTTOM, inner, height)]
    figure, axes = style.frame(width, cell if width > 5 else 2 * cell, *boxes)
    onset_map(axes[0], found, axis, boxes[0][2], height)
    onset_range(axes[1], found, axis, boxes[1][2], height)
    for ax in axes:
        ax.set_ylim(len(names) - 0.5, -0.5)
        named = ax is axes[0] or width <= 5
        ax.set_yticks(range(len(names)), [text if named else "" for text, _ in names])
        ax.tick_params(axis="y", length=0)
        for tick, (_, colour) in zip(ax.get_yticklabels(), names):
            tick.set_color(colour)
    return figure


def share(axis, onset):
    """Where onsets lie between the ends of the axis, 0 to 1; NaN: none."""
    low, high = axis.positions.min(), axis.positions.max()
    at = axis.places(onset.ravel()).reshape(onset.shape)
    return (at - low) / ((high - low) or 1.0)


def onset_map(ax, found, axis, inner, height):
    """White: not called; hatched: no matched latent; grey: called, but its rise has no place on the curve."""
    at = share(axis, found.onset.T)  # [subject, dictionary]
    cells = np.ones((*at.shape, 4))
    called = found.present.T
    cells[called] = np.where(np.isfinite(at[called])[:, None], EARLY_TO_LATE(np.nan_to_num(at[called])), NO_ONSET)
    cells[~called & ~found.matched.T] = 0  # lets the hatching through
    ax.patch.set_hatch("//////")
    ax.patch.set_edgecolor("#bbbbbb")
    ax.imshow(cells, aspect="auto", interpolation="nearest")
    ax.spines[:].set_visible(False)
    subjects, dictionaries = at.shape
    ax.hlines(np.arange(subjects + 1) - 0.5, -0.5, dictionaries - 0.5, color="#dddddd", lw=0.5)
    if inner / dictionaries > NARROW:
        ax.vlines(np.arange(dictionaries + 1) - 0.5, -0.5, subjects - 0.5, color="#dddddd", lw=0.5)
    spelt = {(s, d): axis.label(found.onset[d, s]) for s, d in np.argwhere(np.isfinite(at))}
    if spelt and inner / dictionaries > 0.05 * max(map(len, spelt.values())) + 0.04:
        for (s, d), text in spelt.items():
            ax.text(d, s, text, ha="center", va="center", fontsize=6, color="white" if at[s, d] < 0.5 else "black")
    over = 1 + 0.03 / height
    if found.own is not None:
        mark_own(ax, found.own, dictionaries, subjects, inner, height)
    ax.text(0, over + 0.13 / height, "white: not called; hatched: no matched latent", transform=ax.transAxes, va="bottom", fontsize=6.5, color=GREY)
    labels = [axis.labels[p] for p in found.home]
    if found.curve.name == "scale":
        labels = [found.curve.models[p] for p in found.home]  # people know models by name
    kept = style.room_for(np.arange(dictionaries, dtype=float), labels, inner)
    ax.set_xticks(kept, [labels[i] for i in kept])
    ax.tick_params(axis="x", length=0)
    ax.set_xlabel("dictionary made at" + {"time": " step", "space": " layer", "scale": ""}.get(found.curve.name, ""), labelpad=2)


def mark_own(ax, own, dictionaries, subjects, inner, height):
    """A frame about the anchor's own dictionary, or, where a frame would hide it, a triangle above it; and its words, which have room inwards."""
    side, inwards = ("left", 1) if 2 * own < dictionaries else ("right", -1)
    if inner / dictionaries > NARROW:
        x, (left, right) = own - 0.5 * inwards, (own - 0.5, own + 0.5)
        ax.plot([left, right, right, left, left], np.array([0, 0, 1, 1, 0]) * subjects - 0.5, color="black", lw=1.3, clip_on=False, label="the anchor's")
    else:
        x = own + inwards * 0.05 * dictionaries / inner
        ax.plot(own, 1 + 0.08 / height, "v", transform=ax.get_xaxis_transform(), color="black", ms=3.5, mew=0, clip_on=False, label="the anchor's")
    ax.text(x, 1 + 0.03 / height, "the anchor's own", transform=ax.get_xaxis_transform(), ha=side, va="bottom", fontsize=6.5)


def onset_range(ax, found, axis, inner, height):
    """From the earliest to the latest onset, a dot at the median; below, the colours of the map on the same axis; right, how many say so."""
    for position in axis.positions if len(axis.positions) <= style.MANY else ():
        ax.axvline(position, color="#eeeeee", lw=0.6, zorder=0)
    first, median, last = (axis.places(values) for values in (found.first, found.median, found.last))
    matched_by, called_by = (which.sum(axis=0) for which in (found.matched, found.present))
    for s in range(len(median)):
        ax.plot([first[s], last[s]], [s, s], color=BLUE, lw=1, marker="|", ms=5, mew=0.9, label="range")
        ax.plot(median[s], s, "o", color=BLUE, ms=3.6, label="median")
        ax.text(1.04, s, f"{called_by[s]} of {matched_by[s]}", transform=ax.get_yaxis_transform(), va="center", fontsize=6.5,
                color="black" if called_by[s] else GREY)
    over = 1 + 0.03 / height
    ax.text(1.04, over, "called by, of\nmatched by", transform=ax.transAxes, va="bottom", fontsize=6.5, color=GREY, linespacing=1.0)
    ax.text(0, over, "earliest, median (dot)\nand latest", transform=ax.transAxes, va="bottom", fontsize=6.5, color=BLUE, linespacing=1.0)
    ax.set_xlim(*axis.limits())
    ax.set_xticks([])
    ax.spines[:].set_visible(False)
    key = ax.inset_axes([0, -0.1 / height, 1, 0.08 / height])
    key.imshow(np.linspace(0, 1, 256)[None], cmap=EARLY_TO_LATE, aspect="auto", extent=(axis.positions.min(), axis.positions.max(), 0, 1))
    key.set_yticks([])
    key.spines[:].set_visible(False)
    axis.dress(key, inner)
    name = "onset: " + axis.name
    key.set_xlabel(name if style.CHARACTER * len(name) < inner + 0.6 else name.split(" (")[0], labelpad=2)

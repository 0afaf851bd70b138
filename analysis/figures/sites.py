"""What is measured of whole sites: how far each can be turned into the anchor's space, and how far it is from the point before."""

import numpy as np

from .. import style
from ..style import BLUE, GREEN, GREY, ORANGE

LEFT, RIGHT, TOP, BOTTOM, HEIGHT = 0.5, 1.0, 0.12, 0.45, 1.35


def strip(curve, width, panels, per_row, room=RIGHT):
    """`panels`: (name of the ordinate, limits or None, draw(ax, x) that returns labels), `per_row` of them in a row."""
    axis = style.Axis(curve)
    rows, cell = -(-len(panels) // per_row), width / per_row
    whole = rows * (TOP + HEIGHT + BOTTOM)
    inner = cell - LEFT - room
    boxes = [((i % per_row) * cell + LEFT, whole - (i // per_row + 1) * (TOP + HEIGHT + BOTTOM) + BOTTOM, inner, HEIGHT) for i in range(len(panels))]
    figure, axes = style.frame(width, whole, *boxes)
    for ax, (name, limits, draw) in zip(axes, panels):
        style.gaps(ax, axis.positions, curve.dropped)
        for dip in curve.dips:
            before, after = max(dip["at"] - 1, 0), min(dip["at"] + 1, curve.points - 1)
            ax.axvspan(axis.positions[before], axis.positions[after], color="#fbe3d6", lw=0, label="dip")
        entries = draw(ax, axis.positions)
        if limits is not None:
            ax.set_ylim(*limits)
        axis.dress(ax, inner)
        ax.set_xlabel(axis.name, labelpad=2)
        ax.set_ylabel(name, labelpad=2)
        style.at_ends(ax, entries, HEIGHT)
    return figure


def alignment(emergence, curve, width):
    """Procrustes residual between its floor and chance, and likeness to the anchor's site; hollow: not to be relied on."""
    reliable = curve["alignment_reliable"].astype(bool)

    def lines(*which):
        def draw(ax, x):
            entries = []
            for name, colour, label in which:
                y = curve["alignment_" + name]
                style.line(ax, x, y, colour)
                if name == "residual" and (there := ~reliable & np.isfinite(y)).any():
                    ax.plot(x[there], y[there], "o", color=colour, mfc="white", ms=3, mew=0.7)
                    label += ",\nhollow: not reliable"
                entries.append((style.end(x, y), label, colour))
            return entries
        return draw

    left = lines(("residual", BLUE, "residual"), ("residual_floor", GREEN, "floor"), ("residual_shuffled", GREY, "shuffled, 5 %"))
    right = lines(("cka", BLUE, "CKA"), ("cosine_correlation", ORANGE, "cosine corr."), ("retrieval", GREEN, "retrieval"))
    return strip(curve, width, [("relative residual", None, left), ("likeness to the anchor", (-0.05, 1.05), right)], 2 if width > 5 else 1, 1.05)


DRIFT = (("cka", "CKA", (0, 1.04)), ("residual", "Procrustes residual", None), ("cosine", "mean cosine", None), ("norm_ratio", "norm ratio", None),
         ("loss", "next-token loss (nat)", None))


def drift(emergence, curve, width):
    """Each point against the one before: a bar over the stretch between the two. None where the file has no drift."""
    found = curve.drift
    if not found:
        return None

    def bars(name):
        def draw(ax, x):
            y = curve["loss"] if name == "loss" else found[name]  # of which people know the level
            if name == "loss":
                style.line(ax, x, y, BLUE)
            else:
                known = 1 + np.flatnonzero(np.isfinite(y[1:]))
                ax.hlines(y[known], x[known - 1], x[known], color=BLUE, lw=2)
                ax.plot((x[1:] + x[:-1]) / 2, y[1:], color=BLUE, lw=0.6, alpha=0.6)
            if name == "norm_ratio":
                ax.axhline(1, color="black", lw=0.4)
            if not np.isfinite(y).any():
                ax.text(0.5, 0.5, "no value", transform=ax.transAxes, ha="center", color=GREY)
            return []
        return draw

    panels = [(label, limits, bars(name)) for name, label, limits in DRIFT
              if name in found and (name, curve.name) != ("loss", "space")]  # layers share their checkpoint's
    wide = 4 if len(panels) <= 4 else 3  # two rows that are nearly even, where one would be cramped
    return strip(curve, width, panels, wide if width > 5 else 2, 0.08)

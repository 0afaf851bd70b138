"""Onsets of all subjects that are there in the end, in their order."""

import numpy as np

from .. import style
from ..style import BLUE, GREY, PURPLE


def onsets(emergence, curve, width):
    """A row per subject: bracket (thick), interval (thin), estimate (dot), rank. None where no subject has an onset."""
    found = curve.conclusions
    if not found or not np.isfinite(found["onset"]).any():
        return None
    axis = style.Axis(curve)
    there = np.flatnonzero(np.isfinite(found["onset"]))
    order = there[np.argsort(found["rank"][there], kind="stable")]
    names = [style.subject_titles(emergence)[s] for s in order]
    left, right, bottom = 0.12 + 0.052 * max(len(text) for text, _ in names), 0.95, 0.45
    height = 0.19 * len(order) + 0.1
    figure, (ax,) = style.frame(width, bottom + height + 0.34, (left, bottom, width - left - right, height))
    low, high, early, late, onset = (axis.places(found["onset" + part][order]) for part in ("_low", "_high", "_early", "_late", ""))
    for position in axis.positions if len(axis.positions) <= style.MANY else ():
        ax.axvline(position, color="#eeeeee", lw=0.6, zorder=0)
    for y in range(len(order)):
        ax.plot([early[y], late[y]], [y, y], color=BLUE, lw=0.9)
        if np.isfinite(low[y]):
            axis.bracket(ax, low[y], high[y], y, PURPLE, 5, alpha=0.45, label="bracket")
        else:
            ax.plot(high[y], y, "<", color=PURPLE, ms=6, alpha=0.45, mew=0)
        ax.plot(onset[y], y, "o", color=BLUE, ms=3.2)
        rank, first, last = (found["rank" + part][order[y]] for part in ("", "_low", "_high"))
        if np.isfinite(rank):
            ax.text(1.02, y, f"{rank:.3g}  ({first:.3g} to {last:.3g})", transform=ax.get_yaxis_transform(), va="center", fontsize=6.5)
    ax.text(1.02, -0.75, "rank, 95 %", transform=ax.get_yaxis_transform(), va="center", fontsize=6.5, color=GREY)
    ax.set_ylim(len(order) - 0.4, -0.6)
    axis.dress(ax, width - left - right)
    ax.set_yticks(range(len(order)), [text for text, _ in names])
    for tick, (_, colour) in zip(ax.get_yticklabels(), names):
        tick.set_color(colour)
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel(axis.name, labelpad=2)
    for lift, text, colour in ((0.12, "thick: bracket", PURPLE), (0, "thin: 95 % interval", BLUE)):
        ax.text(0, 1 + lift / height, text, transform=ax.transAxes, color=colour, fontsize=6.5, va="bottom")
    return figure

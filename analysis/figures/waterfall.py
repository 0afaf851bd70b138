"""Who wrote a concept and who erased it: what each component adds to the pre-activation of a subject's latents."""

import re

import numpy as np

from .. import style
from ..style import BLUE, GREY, RED


def short(component):
    """attention 3 → A3, mlp-5 → M5, embedding → E."""
    letter = component[:1].upper()
    number = re.search(r"\d+", component)
    return letter + (number[0] if number else "")


def waterfall(emergence, curve, width):
    """From the embedding to the last layer, component by component; None for a file without an attribution."""
    found = curve.attribution
    if found is None:
        return None
    value, low, high = (found[name] for name in ("contribution", "low", "high"))  # [component, subject]
    parts = [short(c) for c in found["component"]]
    total = np.nancumsum(value, axis=0)
    start = total - np.nan_to_num(value)
    x = np.arange(len(parts), dtype=float)
    limits = style.span(total, start, start + low, start + high, least=(0.0, 0.1))

    def draw(ax, s):
        known = np.flatnonzero(np.isfinite(value[:, s]))
        ax.axhline(0, color="black", lw=0.4)
        if not known.size:
            ax.text(0.5, 0.75, "no value", transform=ax.transAxes, ha="center", color=GREY)
            return []
        v, base = value[known, s], start[known, s]
        ax.bar(known, v, bottom=base, width=0.8, color=np.where(v >= 0, BLUE, RED))
        ax.vlines(known, base + low[known, s], base + high[known, s], color="black", lw=0.6)
        for i in named(v):
            top = max(base[i], base[i] + v[i], base[i] + high[known[i], s])
            ax.text(known[i], top, parts[known[i]], ha="center", va="bottom", fontsize=5.5)
        return [(np.nan, "adds", BLUE), (np.nan, "takes away", RED), (np.nan, "95 % interval", "black"), (np.nan, "A attention, M MLP,\nE embedding", GREY)]

    def dress(ax, inches, shown):
        room = 0.04 * len(parts) + 0.5
        ax.set_xlim(-room, len(parts) - 1 + room)
        kept = style.room_for(x, parts, inches)
        ax.set_xticks(kept, [parts[i] if shown else "" for i in kept])

    told = np.nansum(np.abs(value), axis=0)
    return style.per_subject(draw, told, style.subject_titles(emergence), width, ("component", f"pre-activation up to layer {found['layer']}"), dress, limits)


def named(contributions, most=3):
    """The largest, which get a name: none less than a fifth of the largest, none whose name would touch another."""
    size, apart, found = np.abs(contributions), 0.12 * len(contributions), []
    for i in np.argsort(-size, kind="stable"):
        if len(found) < most and size[i] > 0 and size[i] >= 0.2 * size.max() and all(abs(i - j) >= apart for j in found):
            found.append(int(i))
    return found

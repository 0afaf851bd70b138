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
    blocks = list(dict.fromkeys(re.sub(r"^[A-Z](?=\d)", "", part) for part in parts))
    middles = np.array([np.mean([i for i, part in enumerate(parts) if part == block or part[1:] == block]) for block in blocks])
    bottom, top = style.span(total, start, start + low, start + high, least=(0.0, 0.1))
    limits = bottom, top + 0.08 * (top - bottom)  # for names

    def draw(ax, s):
        known = np.flatnonzero(np.isfinite(value[:, s]))
        ax.axhline(0, color="black", lw=0.4)
        if not known.size:
            ax.text(0.5, 0.75, "no value", transform=ax.transAxes, ha="center", color=GREY)
            return []
        v, base, called = value[known, s], start[known, s], named_by_dips(curve, s, found["component"])
        shade(ax, curve, s)
        ax.bar(known, v, bottom=base, width=0.8, color=np.where(v >= 0, BLUE, RED))
        ax.vlines(known, base + low[known, s], base + high[known, s], color="black", lw=0.6)
        for i in named(v, [int(np.flatnonzero(known == k)[0]) for k in called if k in known]):
            top = max(base[i], base[i] + v[i], base[i] + high[known[i], s])
            ax.text(known[i], top, parts[known[i]], ha="center", va="bottom", fontsize=5.5, color=called.get(known[i], "black"),
                    weight="bold" if known[i] in called else "normal")
        dipped = [(np.nan, "shaded: into a dip,\nand out of it", GREY)] if called else []
        return dipped + [(np.nan, "adds", BLUE), (np.nan, "takes away", RED), (np.nan, "95 % interval", "black"), (np.nan, "A attention, M MLP,\nE embedding", GREY)]

    def dress(ax, inches, shown):
        room = 0.04 * len(parts) + 0.5
        ax.set_xlim(-room, len(parts) - 1 + room)
        kept = style.room_for(middles, blocks, inches)
        ax.set_xticks(middles[kept], [blocks[i] if shown else "" for i in kept])

    dipped = np.isin(np.arange(value.shape[1]), [dip["subject"] for dip in curve.dips])
    told = np.nansum(np.abs(value), axis=0) * np.where(dipped, 1000, 1)
    return style.per_subject(draw, told, style.subject_titles(emergence), width, ("embedding (E), then attention and MLP of each block", f"pre-activation up to layer {found['layer']}"), dress, limits)


def named_by_dips(curve, s, components):
    """{component's number: colour} of those that erased a subject in its dips and wrote it again."""
    found = {}
    for dip in (dip for dip in curve.dips if dip["subject"] == s):
        for kind, colour in (("written_by", BLUE), ("erased_by", RED)):
            found |= {components.index(name): colour for name in dip[kind] if name in components}
    return found


def shade(ax, curve, s):
    """The components between the shoulders of a subject's dips and their bottoms: attention and MLP of each block."""
    for dip in (dip for dip in curve.dips if dip["subject"] == s):
        left, bottom, right = (2 * curve["layer"][dip[end]] + 0.5 for end in ("from", "at", "to"))
        ax.axvspan(left, bottom, color="#fbe3d6", lw=0, zorder=0, label="into a dip")
        ax.axvspan(bottom, right, color="#dcebf5", lw=0, zorder=0, label="out of a dip")


def named(contributions, first=(), most=3):
    """Those that get a name: `first`, then the largest, at most three; none less than a fifth of the largest, none whose name would touch another."""
    size, apart, found = np.abs(contributions), 0.12 * len(contributions), []
    for i in sorted(first, key=lambda i: -size[i]):
        if all(abs(i - j) >= apart for j in found):
            found.append(int(i))
    for i in np.argsort(-size, kind="stable"):
        if len(found) < most and size[i] > 0 and size[i] >= 0.2 * size.max() and all(abs(i - j) >= apart for j in found):
            found.append(int(i))
    return found

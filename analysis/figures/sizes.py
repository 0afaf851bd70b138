"""What hangs on the size of the dictionary."""

import numpy as np

from .. import style
from ..style import BLUE, GREEN, GREY, ORANGE, PURPLE, RED

PANELS = (("f1", "mean F1", 1, (0.5, 1)), ("interpretable", "labels that hold", 1, (0, 5)), ("dead_share", "dead latents, %", 100, (0, 10)),
          ("fvu", "FVU", 1, (0, 1)), ("contrast", "contrast, %", 100, (0, 10)), ("probe_activation", "fires, %", 100, (0, 10)))
COLOURS, MARKERS, DASHES = (BLUE, ORANGE, GREEN, RED, PURPLE, GREY), "os^Dv*", ("-", "--", ":")
LEFT, TOP, BOTTOM, HEIGHT = 0.46, 0.1, 0.4, 1.15


def sizes(found, width):
    """Panels against k, with a line for each number of latents and a band over seeds; labels behind each row."""
    across = 3 if width > 5 else 2
    right = 0.25 + 0.048 * len(f"{found.latents.max()} latents")
    rows, inner = -(-len(PANELS) // across), (width - right) / across - LEFT
    whole = rows * (TOP + HEIGHT + BOTTOM)
    boxes = [(i % across * (LEFT + inner) + LEFT, whole - (i // across + 1) * (TOP + HEIGHT + BOTTOM) + BOTTOM, inner, HEIGHT) for i in range(len(PANELS))]
    figure, axes = style.frame(width, whole, *boxes)
    ks = np.unique(found.k)
    x, labels = np.log2(ks), [str(k) for k in ks]
    kept = style.room_for(x, labels, inner)
    for i, (ax, (measure, name, factor, least)) in enumerate(zip(axes, PANELS)):
        value, low, high = (factor * part for part in found.spread(measure))
        ax.set_ylim(*style.span(low, high, least=least))
        entries = lines(ax, found, value, low, high)
        room = 0.06 * (x[-1] - x[0]) or 0.5
        ax.set_xlim(x[0] - room, x[-1] + room)
        ax.set_xticks(x[kept], [labels[j] for j in kept])
        ax.locator_params(axis="y", nbins=5)
        ax.set_xlabel("k (log scale)", labelpad=2)
        ax.set_ylabel(name, labelpad=2)
        if i % across == across - 1:
            style.at_ends(ax, entries, HEIGHT)
    return figure


def lines(ax, found, value, low, high):
    """Draws a line for each number of latents; their labels."""
    entries = []
    for i, latents in enumerate(np.unique(found.latents)):
        mine = np.flatnonzero(found.latents == latents)
        mine = mine[np.argsort(found.k[mine])]
        colour, dashes = COLOURS[i % len(COLOURS)], DASHES[i // len(COLOURS) % len(DASHES)]
        x, label = np.log2(found.k[mine]), f"{latents} latents"
        if found.seeds > 1:
            style.band(ax, x, low[mine], high[mine], colour, alpha=0.16)
        style.line(ax, x, value[mine], colour, dashes, MARKERS[i % len(MARKERS)], label=label)
        ax.lines[-1].set_markersize(3)
        entries.append((style.end(x, value[mine]), label, colour))
    return entries

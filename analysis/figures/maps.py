"""Maps of colour: subjects by points, and along a grid layers by steps."""

import numpy as np

from .. import style
from ..style import GREY, RED

COLOURS = "PuOr_r"  # two hues that people with any colour vision can tell apart, white at nothing


def image(ax, values, largest):
    """Cells; hatched where there is no value."""
    ax.patch.set_facecolor("white")
    ax.patch.set_hatch("//////")
    ax.patch.set_edgecolor("#cccccc")
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    return ax.imshow(np.ma.masked_invalid(values), aspect="auto", cmap=COLOURS, vmin=-largest, vmax=largest, interpolation="nearest")


def largest_of(values):
    known = np.abs(values[np.isfinite(values)])
    return max(1.0, known.max()) if known.size else 1.0


def dots(ax, uncertain, size):
    """A dot in each cell whose interval holds zero."""
    y, x = np.nonzero(uncertain)
    ax.scatter(x, y, s=size, color="#444444", lw=0)


def bar(figure, picture, left, bottom, height):
    width, whole = figure.get_size_inches()
    figure.colorbar(picture, cax=figure.add_axes([left / width, bottom / whole, 0.09 / width, height / whole]))
    figure.axes[-1].tick_params(labelsize=6, length=1.5)
    figure.axes[-1].set_ylabel("contrast, %", fontsize=6.5, labelpad=1)
    figure.axes[-1].spines[:].set_visible(False)


def heat_map(emergence, curve, width):
    """Subjects by points, dips marked; in brackets, or with a dot, where the interval holds zero."""
    axis = style.Axis(curve)
    value, low, high = (100 * curve.measure("contrast" + part).T for part in ("", "_low", "_high"))
    uncertain = (low <= 0) & (high >= 0)
    names = style.subject_titles(emergence)
    left, bottom = 0.12 + 0.052 * max(len(text) for text, _ in names), 0.42
    inner, height = width - left - 0.62, max(0.6, 0.19 * len(names))  # the colours' bar has a name
    figure, (ax,) = style.frame(width, bottom + height + 0.14, (left, bottom, inner, height))
    largest, cell = largest_of(value), inner / curve.points
    picture = image(ax, value, largest)
    if cell > 0.26:
        for s, p in np.argwhere(np.isfinite(value)):
            text = f"{round(value[s, p])}".replace("-", "−")
            ax.text(p, s, f"({text})" if uncertain[s, p] else text, ha="center", va="center", fontsize=6,
                    color="white" if abs(value[s, p]) > 0.6 * largest else "black")
    else:
        dots(ax, uncertain, min(3.0, (25 * cell) ** 2))
    for p in np.flatnonzero(curve.dropped):
        if cell > 0.1 and height > 1.1:
            ax.text(p, (len(names) - 1) / 2, "dropped by the audit", ha="center", va="center", rotation=90, fontsize=6, color=GREY)
        ax.text(p, -0.55, "×", ha="center", va="bottom", fontsize=6, color=GREY)
    for dip in curve.dips:
        ax.plot(dip["at"], dip["subject"] + 0.33, "^", color=RED, ms=4, mec="white", mew=0.5, label="dip")
    kept = style.room_for(np.arange(curve.points, dtype=float), axis.labels, inner)
    ax.set_xticks(kept, [axis.labels[i] for i in kept])
    ax.set_yticks(range(len(names)), [text for text, _ in names])
    for tick, (_, colour) in zip(ax.get_yticklabels(), names):
        tick.set_color(colour)
    ax.set_xlabel(axis.name.replace(" (log scale)", ""), labelpad=2)
    bar(figure, picture, width - 0.52, bottom, height)
    return figure


def grid_map(emergence, curve, width, model):
    """Layers by steps of one model, a panel for each subject."""
    mine = np.flatnonzero(np.array(curve.models) == model)
    steps, layers = (np.unique(curve[name][mine]) for name in ("step", "layer"))
    at = np.searchsorted(layers, curve["layer"][mine]), np.searchsorted(steps, curve["step"][mine])

    def laid(name):
        out = np.full((len(layers), len(steps), len(emergence.subjects)), np.nan)
        out[at] = 100 * curve.measure(name)[mine]
        return out

    value, low, high = (laid("contrast" + part) for part in ("", "_low", "_high"))
    largest, drawn = largest_of(value), []
    labels = [style.short(s) for s in steps]

    def draw(ax, s):
        drawn.append(image(ax, value[:, :, s], largest))
        dots(ax, (low[:, :, s] <= 0) & (high[:, :, s] >= 0), 0.5)
        return []

    def dress(ax, inches, named):
        kept = style.room_for(np.arange(len(steps), dtype=float), labels, inches)
        ax.set_xticks(kept, [labels[i] if named else "" for i in kept])
        rows = style.room_for(np.arange(len(layers), dtype=float), ["00"] * len(layers), 0.95)
        ax.set_yticks(rows, [str(layers[i]) for i in rows])

    def beside(ax, _, height):
        box, (across, _) = ax.get_position(), ax.figure.get_size_inches()
        bar(ax.figure, drawn[-1], box.x1 * across + 0.1, box.y0 * ax.figure.get_figheight(), height)

    told = np.isfinite(value).sum(axis=(0, 1))
    return style.per_subject(draw, told, style.subject_titles(emergence), width, ("training step", "layer"), dress,
                             (-0.5, len(layers) - 0.5), beside=beside)

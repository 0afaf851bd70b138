"""What the model does without a component: a cause of a concept's fall, or a correlate."""

import numpy as np

from .. import style
from ..style import BLUE, GREY, ORANGE, RED
from .lines import Series, measured, panels


def without(emergence, curve, width, found):
    """A subject's contrast as it is, and from the component's layer on without it."""
    as_it_is = measured(curve, "contrast", curve.shown, "as it is, 95 %", BLUE, 100)
    value, low, high = (100 * part for part in found["contrast"]["after"])
    changed = Series(f"without {found['component']}, 95 %", ORANGE, value, low, high, line="--", marker="s")
    return panels(emergence, curve, [as_it_is, changed], width, "contrast, %", marks=Effects(curve, found))


class Effects:
    """Stars where the difference is beyond its interval, and the dips that the component is named an eraser of."""

    def __init__(self, curve, found):
        self.axis, self.found = style.Axis(curve), found
        _, low, high = found["contrast"]["difference"]
        self.moved = (low > 0) | (high < 0)
        self.as_it_is = 100 * curve.measure("contrast")
        self.dips = [dip for dip in curve.dips if found["component"] in dip["erased_by"]]

    @property
    def kinds(self):
        """[subject] how much a subject has of what is to be labelled."""
        dipped = np.isin(np.arange(self.moved.shape[1]), [dip["subject"] for dip in self.dips])
        return 1000.0 * dipped + 1000.0 * self.moved.any(axis=0)

    def draw(self, ax, s):
        x, entries = self.axis.positions, []
        reached = np.flatnonzero(np.isfinite(self.found["contrast"]["after"][0][:, s]))
        if reached.size:
            ax.axvspan(x[reached[0]] - 0.5, self.axis.limits()[1], color="#efefef", lw=0, zorder=0)
            entries.append((np.nan, "grey: reached by it", GREY))
        if (there := self.moved[:, s]).any():
            after = 100 * self.found["contrast"]["after"][0][there, s]
            ax.plot(x[there], after, "*", color=ORANGE, ms=6, mec="white", mew=0.4, zorder=7, label="differs")
            entries.append((np.nan, "star: differs, 95 %", ORANGE))
        for dip in self.dips:
            if dip["subject"] == s:
                ax.plot(x[dip["at"]], self.as_it_is[dip["at"], s], "v", color=RED, ms=4.5, mec="white", mew=0.5, zorder=6, label="dip")
                entries.append((np.nan, "dip it wrote against", RED))
        return list({text: (y, text, colour) for y, text, colour in entries}.values())

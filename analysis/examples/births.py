"""Which subjects are born when: a worked example of a notebook of your own.

    python3 analysis/examples/births.py results/nano/emergence.h5 births.png

Prints the onsets along time with their brackets and intervals, and draws the three subjects with the highest final contrast on the time curve, each
with its 95 % interval and the band of permuted subjects.
"""

import pathlib
import sys

import matplotlib.pyplot as plt

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))  # not needed where the package is installed

import analysis  # noqa: E402


def main(path, picture):
    with analysis.open(path) as emergence:
        curve = emergence.curve("time", "time")
        says = emergence.dataset("anchors/time/curves/time/conclusions")
        read = dict(zip(emergence.subjects, emergence.read))

        # Every dataset is an xarray array with labelled dimensions, and stays in the file until it is used.
        table = says[["level", "q", "present", "onset_low", "onset", "onset_high", "onset_early", "onset_late"]].to_dataframe()
        print(table.sort_values("onset").to_string(float_format="{:.3g}".format))

        raw = curve.sel(rung="raw")
        best = says.level.fillna(-1).to_series().nlargest(3).index
        figure, panels = plt.subplots(1, len(best), figsize=(7.2, 2.2), sharey=True, layout="constrained")
        for name, panel in zip(best, panels):
            one = raw.sel(subject=name)
            x = range(one.sizes["point"])
            panel.fill_between(x, 100 * one.contrast_null_low, 100 * one.contrast_null_high, color="#dddddd", lw=0)
            panel.fill_between(x, 100 * one.contrast_low, 100 * one.contrast_high, color="#0072B2", alpha=0.25, lw=0)
            panel.plot(x, 100 * one.contrast, color="#0072B2", marker="o", ms=3)
            panel.set_title(name if read[name] else f"{name} (never read)")
            panel.set_xticks([0, len(x) - 1], [str(int(one.step[0])), str(int(one.step[-1]))])
            panel.set_xlabel("training step")
        panels[0].set_ylabel("contrast, %")
        figure.savefig(picture, dpi=150)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])

"""What a phantom's truth.h5 says beside what a run of its deck found.

    python3 phantom.py truth.h5 emergence.h5      a table of every point of every curve
"""

import sys

import h5py
import numpy as np

RUNGS = ("raw", "rescaled", "aligned")


def texts(dataset):
    return [value.decode() for value in dataset[...].ravel()]


class Truth:
    """truth.h5; places, not names, number models, steps and subjects."""

    def __init__(self, path):
        with h5py.File(path) as file:
            self.subject, self.model = texts(file["subject"]), texts(file["model"])
            self.exists = file["exists"][...].astype(bool)
            self.onset = np.stack([file["onset_low"][...], file["onset_high"][...]], axis=1)
            self.threshold = np.stack([file["threshold_low"][...], file["threshold_high"][...]], axis=1)
            self.step, self.share, self.known = file["step"][...], file["share"][...], file["known"][...]
            self.state = file["state"][...]
            self.terms = int((file["terms/subject"][...] == 0).sum())
            self.dips = [
                dict(zip(("axis", "subject", "verdict", "first", "last"), row))
                for row in zip(
                    texts(file["dips/axis"]),
                    file["dips/subject"][...],
                    texts(file["dips/verdict"]),
                    file["dips/first"][...],
                    file["dips/last"][...],
                )
            ]

    def at(self, what, model, step, layer):
        """Of every subject: `share` or `state` at a site."""
        return getattr(self, what)[self.model.index(model), list(self.step).index(step), layer]


class Curve:
    """A curve of emergence.h5 with the truth at each of its points; arrays are [point, subject] or by rung."""

    def __init__(self, truth, path, curve, anchor=None):
        with h5py.File(path) as file:
            group = file[f"anchors/{anchor or curve}/curves/{curve}"]
            self.model, self.step, self.layer = texts(group["model"]), group["step"][...], group["layer"][...]
            order = [texts(group["subject"]).index(name) for name in truth.subject]
            self.measure = {
                name: group[name][...][..., order]
                for name in ("contrast", "contrast_low", "contrast_high", "contrast_p", "auc", "status", "probe_auc")
            }
            self.reliable = group["alignment_reliable"][...]
        sites = list(zip(self.model, self.step, self.layer))
        self.share = np.array([truth.at("share", *site) for site in sites])
        self.state = np.array([truth.at("state", *site) for site in sites])
        self.known = np.array([truth.known[truth.model.index(m), list(truth.step).index(s)] for m, s, _ in sites]) / truth.terms

    def of(self, measure, rung="raw"):
        values = self.measure[measure]
        return values if values.ndim == 2 else values[RUNGS.index(rung)]


def main():
    truth = Truth(sys.argv[1])
    print("dips", truth.dips)
    for name in ("time", "space", "scale"):
        curve = Curve(truth, sys.argv[2], name)
        print(f"\n{name}: site, subject, truth (state, share), contrast by rung with status, auc by rung, probe_auc")
        for c, subject in enumerate(truth.subject):
            for p, site in enumerate(zip(curve.model, curve.step, curve.layer)):
                row = [f"{curve.of('contrast', r)[p, c]:6.2f}/{curve.of('status', r)[p, c]}" for r in RUNGS]
                areas = [f"{curve.of('auc', r)[p, c]:5.2f}" for r in RUNGS]
                print(*site, subject, curve.state[p, c], f"{curve.share[p, c]:.2f} |", *row, "|", *areas, "|", f"{curve.of('probe_auc')[p, c]:.2f}")


if __name__ == "__main__":
    main()

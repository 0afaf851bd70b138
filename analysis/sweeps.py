"""Reading what `incipit sweep` leaves beside emergence.h5: what hangs on the dictionary's size, and on its place (docs/schema.md)."""

import dataclasses

import h5py
import numpy as np

from .read import Curve, attributes, texts


def mean(values, axis):
    """The mean of what is not NaN; NaN where nothing is."""
    known = np.isfinite(values).sum(axis=axis)
    return np.where(known, np.nansum(values, axis=axis) / np.maximum(known, 1), np.nan)


@dataclasses.dataclass
class Sizes:
    """Dictionaries of several sizes and seeds at an anchor's own site."""

    k: np.ndarray  # [size]
    latents: np.ndarray  # [size]
    seeds: int
    values: dict  # {measure: [size, seed]}

    def spread(self, measure):
        """Mean, least and most over the seeds that have a value, each [size]."""
        values = self.values[measure]
        return mean(values, 1), np.fmin.reduce(values, axis=1), np.fmax.reduce(values, axis=1)


def sizes(emergence, anchor):
    """What sweep/ANCHOR.h5 beside the file says; None without one, or with one of another site or other subjects."""
    path = emergence.path.parent / "sweep" / f"{anchor}.h5"
    if not path.is_file():
        return None
    with h5py.File(path, "r") as file:
        here = emergence.anchor_attributes(anchor)
        if texts(file["subject"]) != emergence.subjects or any(attributes(file)[name] != here[name] for name in ("model", "step", "layer")):
            return None
        values = {name: np.asarray(file[name], dtype=float) for name in ("fvu", "f1", "interpretable", "uninterpretable", "unsupported", "dead")}
        values["subjects"] = (file["matched"][...] > 0).sum(axis=2).astype(float)
        values |= {name: mean(file[name][...], 2) for name in ("probe_activation", "contrast")}  # over the subjects with a latent
        k, latents = np.asarray(file["k"]), np.asarray(file["latents"])
        values["dead_share"] = values["dead"] / latents[:, None]
        return Sizes(k, latents, len(file["seed"]), values)


@dataclasses.dataclass
class Places:
    """Dictionaries made at the points of a curve, each carried along all of it."""

    curve: Curve
    home: np.ndarray  # [dictionary] the point at which it was made
    own: int  # which of them is the anchor's; None: none of them
    interpretable: np.ndarray  # [dictionary] labels that hold
    matched: np.ndarray  # [dictionary, subject] whether it has a latent for the subject
    present: np.ndarray  # [dictionary, subject] whether it calls the subject
    onset: np.ndarray  # [dictionary, subject] the first point of the rise, of those that it calls
    first: np.ndarray  # [subject] earliest, median and latest of these
    median: np.ndarray
    last: np.ndarray


def places(emergence, anchor):
    """What sweep/ANCHOR.over_CURVE.h5 beside the file say, of the curves that the file has. Those of another run are left out: of other
    points or subjects, or in which the anchor's own dictionary reads another contrast."""
    found = []
    for curve in emergence.curves(anchor):
        path = emergence.path.parent / "sweep" / f"{anchor}.over_{curve.name}.h5"
        if path.is_file():
            with h5py.File(path, "r") as file:
                found += laid_along(file, curve)
    return found


def laid_along(file, curve):
    sites = list(zip(texts(file["model"]), file["step"][...].tolist(), file["layer"][...].tolist()))
    if texts(file["subject"]) != curve.emergence.subjects or sites != list(zip(curve.models, curve["step"].tolist(), curve["layer"].tolist())):
        return []
    here, home = curve.emergence.anchor_attributes(curve.anchor), np.asarray(file["dictionary"])
    own = next((d for d, p in enumerate(home) if sites[p] == (here["model"], here["step"], here["layer"])), None)
    if own is not None and not np.array_equal(file["contrast"][own], curve.measure("contrast"), equal_nan=True):
        return []
    of, present = file["conclusions"], file["conclusions/present"][...] > 0
    return [Places(curve, home, own, np.asarray(file["interpretable"]), file["matched"][...] > 0, present,
                   np.where(present, of["onset_high"][...], np.nan), *(np.asarray(file[f"onset_{end}"]) for end in ("first", "median", "last")))]

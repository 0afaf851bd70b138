"""Reading emergence.h5 (docs/schema.md), lazily: nothing is loaded before it is asked for."""

import h5py
import numpy as np

MAJOR = "1"


class FormatError(Exception):
    """The file is not an emergence file of a version this package reads."""


def text(value):
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def texts(values):
    return [text(v).rstrip("\0") for v in np.asarray(values).ravel()]


class Emergence:
    """An open emergence.h5; use it in a `with` statement."""

    def __init__(self, path):
        self.path = path
        try:
            self.file = h5py.File(path, "r")
        except OSError as error:
            raise OSError(f"{path}: cannot be read as HDF5: {error}") from error
        kind = text(self.file.attrs.get("format", "nothing"))
        version = text(self.file.attrs.get("format_version", "0"))
        if kind != "incipit/emergence" or version.split(".")[0] != MAJOR:
            self.file.close()
            raise FormatError(f"{path}: expected incipit/emergence version {MAJOR}.x, found {kind} version {version}")
        self.subjects = texts(self.file["subject"])
        self.read = np.asarray(self.file["read"], dtype=bool)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    @property
    def attributes(self):
        return {name: text(value) if isinstance(value, bytes) else value for name, value in self.file.attrs.items()}

    @property
    def deck(self):
        return texts(self.file["deck"])[0]

    @property
    def anchors(self):
        return list(self.file["anchors"])

    def anchor_attributes(self, anchor):
        return {name: text(value) if isinstance(value, bytes) else value for name, value in self.file[f"anchors/{anchor}"].attrs.items()}

    def curves(self, anchor):
        """The anchor's own curves; one named own_CURVE is a control's, with a dictionary of its own at each point."""
        return [Curve(self, anchor, name) for name in self.file[f"anchors/{anchor}/curves"] if not name.startswith("own_")]

    def latents(self, anchor):
        """Labels, scores and matches of an anchor's latents, as a dict of arrays."""
        group = self.file[f"anchors/{anchor}/latents"]
        found = {}
        for name, item in group.items():
            if isinstance(item, h5py.Dataset) and item.shape and name != "latent":
                found[name] = texts(item) if item.dtype.kind == "S" else np.asarray(item)
        return found

    def verdicts(self, anchor, control=""):
        """How many latents are interpretable, are not, have too little support, and are dead: of the anchor's dictionary, or of one of
        its controls'; None where there is none."""
        path = f"anchors/{anchor}/{control and f'controls/{control}/'}latents/status"
        return np.bincount(self.file[path], minlength=4) if path in self.file else None

    def nearest(self, anchor):
        """{latent: {side: [{"activation", "margin", "text"}, …]}} with side 0 for the texts on which a latent fires most strongly, 1
        for those on which it hardly does, 2 for silent ones; None for a file from before they were kept."""
        path = f"anchors/{anchor}/latents/nearest"
        if path not in self.file:
            return None
        group, found = self.file[path], {}
        text_of = dict(zip(np.asarray(group["texts/probe"]).tolist(), texts(group["texts/text"])))
        columns = (np.asarray(group[name]).tolist() for name in ("latent", "side", "probe", "activation", "margin"))
        for latent, side, probe, activation, margin in zip(*columns):
            row = {"activation": activation, "margin": margin, "text": text_of[probe]}
            found.setdefault(latent, {}).setdefault(side, []).append(row)
        return found

    def token_baseline(self, anchor):
        """{"last_word": {"contrast": [subject], "auc": [subject]}, "bag_of_words": …}"""
        group = self.file[f"anchors/{anchor}/controls/token_baseline"]
        names = ("last_word", "bag_of_words")
        return {n: {m: np.asarray(group[m])[i] for m in ("contrast", "auc")} for i, n in enumerate(names)}

    def audit(self):
        """(model, step, status, reason) of every checkpoint that was audited; empty without an audit."""
        if "audit" not in self.file:
            return []
        group = self.file["audit"]
        return list(zip(texts(group["model"]), np.asarray(group["step"]).tolist(), texts(group["status"]), texts(group["reason"])))

    def parts(self):
        """Probes by subject and part: [subject, 3] for fit, verify, judge."""
        subject, part = np.asarray(self.file["probes/subject"]), np.asarray(self.file["probes/part"])
        return np.array([[np.sum((subject == s) & (part == p)) for p in range(3)] for s in range(len(self.subjects))])


class Curve:
    """One anchor's concepts along one axis."""

    def __init__(self, emergence, anchor, name):
        self.emergence = emergence
        self.anchor = anchor
        self.name = name
        self.group = emergence.file[f"anchors/{anchor}/curves/{name}"]
        self.rungs = texts(self.group["rung"])

    def __getitem__(self, dataset):
        return np.asarray(self.group[dataset])

    def has(self, dataset):
        return dataset in self.group

    @property
    def points(self):
        return len(self.group["step"])

    @property
    def models(self):
        return texts(self.group["model"])

    def rung(self, name):
        return self.rungs.index(name)

    @property
    def shown(self):
        """The rung a figure shows first: raw, unless widths differ along the curve and only `aligned` exists."""
        return self.rung("aligned" if self.name == "scale" else "raw")

    @property
    def dropped(self):
        """[point] whether the audit left the point's checkpoint out."""
        return (self["status"] == 4).all(axis=(0, 2))

    @property
    def tau(self):
        """What the curve would be at other thresholds of matching."""
        return Tau(self)

    def measure(self, name, rung=None):
        """[point, subject] of a measure at a rung."""
        return self[name][self.shown if rung is None else rung]


class Tau:
    """A curve at each threshold of matching, and which subjects' numbers hang on it (docs: `incipit match`)."""

    NEARBY = 0.1  # thresholds as near as this are as good
    STEP, HALF = 0.2, 0.05  # a curve that moves by more, or by more than this and half of itself, tells another story
    PLACES = ("first", "last", "largest")

    def __init__(self, curve):
        file, anchor = curve.emergence.file, f"anchors/{curve.anchor}"
        self.used = float(file[f"{anchor}/latents"].attrs["tau"])
        self.tau = np.asarray(file[f"{anchor}/tau/tau"])
        self.matched = np.asarray(file[f"{anchor}/tau/matched"])
        values = np.nan_to_num(np.asarray(file[f"{anchor}/tau/{curve.name}/probe_activation"]))  # what nothing matches does not fire
        self.places = {"first": values[:, 0], "last": values[:, -1], "largest": values.max(axis=1)}  # [tau, subject] each

    @property
    def nearby(self):
        return np.flatnonzero(np.abs(self.tau - self.used) <= self.NEARBY + 1e-9)

    @property
    def hanging(self):
        """[subject] whether the subject loses its latents nearby, or its curve tells another story there."""
        if not self.nearby.size:
            return np.zeros(self.matched.shape[1], dtype=bool)
        low, high = self.nearby[0], self.nearby[-1]
        found = (self.matched[low] > 0) & (self.matched[high] == 0)
        for values in self.places.values():
            move = values[low] - values[high]
            found |= (move > self.STEP + 1e-9) | ((move > self.HALF + 1e-9) & (values[high] < values[low] / 2))
        return found


def dataset(path, group):
    """A group of any Incipit file as an xarray Dataset with labelled dimensions, for people's own notebooks."""
    import xarray

    return xarray.open_dataset(path, group=group, engine="h5netcdf")

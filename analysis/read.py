"""Reading emergence.h5 (docs/schema.md), lazily: nothing is loaded before it is asked for, and of a dataset only the part that is."""

import pathlib

import h5py
import numpy as np

MAJOR = "1"


class FormatError(Exception):
    """The file is not an emergence file of a version this package reads."""


def text(value):
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def texts(values):
    return [text(v).rstrip("\0") for v in np.asarray(values).ravel()]


def attributes(group):
    return {name: text(value) if isinstance(value, bytes) else value for name, value in group.attrs.items()}


class Emergence:
    """An open emergence.h5; use it in a `with` statement. `curve` and `dataset` give xarray Datasets,
    whose values stay in the file until they are used; the rest is what the report is drawn from."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
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
        return attributes(self.file)

    @property
    def deck(self):
        return texts(self.file["deck"])[0]

    @property
    def anchors(self):
        return list(self.file["anchors"])

    def anchor_attributes(self, anchor):
        return attributes(self.file[f"anchors/{anchor}"])

    def latents_attributes(self, anchor):
        return attributes(self.file[f"anchors/{anchor}/latents"])

    def dataset(self, group=""):
        """A group as an xarray Dataset with labelled dimensions."""
        return dataset(self.path, group)

    def curve(self, anchor, name):
        """A curve as an xarray Dataset: [rung, point, subject], with model, params, step and layer as coordinates of its points."""
        found = self.dataset(f"anchors/{anchor}/curves/{name}")
        return found.set_coords([n for n in ("model", "params", "params_non_embedding", "step", "layer", "depth") if n in found])

    def curves(self, anchor):
        """The anchor's own curves, to draw; those named own_CURVE are a control's, with a dictionary of its own at each point."""
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

    def nearest(self, anchor, wanted):
        """{latent: {side: [{"activation", "margin", "text"}, …]}} of the wanted latents, with side 0 for the texts on which a latent fires
        most strongly, 1 for those on which it hardly does, 2 for silent ones; None for a file from before they were kept."""
        path = f"anchors/{anchor}/latents/nearest"
        if path not in self.file:
            return None
        group, found = self.file[path], {}
        latents = np.asarray(group["latent"])
        rows = np.flatnonzero(np.isin(latents, wanted))
        columns = (np.asarray(group[name])[rows].tolist() for name in ("latent", "side", "probe", "activation", "margin"))
        place = {probe: i for i, probe in enumerate(np.asarray(group["texts/probe"]).tolist())}
        for latent, side, probe, activation, margin in zip(*columns):
            row = {"activation": activation, "margin": margin, "text": texts(group["texts/text"][place[probe]])[0]}
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
        if (part < 0).all():  # split none: every probe is in every part
            return np.repeat(np.bincount(subject, minlength=len(self.subjects))[:, None], 3, axis=1)
        return np.stack([np.bincount(subject[part == p], minlength=len(self.subjects)) for p in range(3)], axis=1)


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
        status = self["status"]
        return (status == 4).all(axis=(0, 2)) if status.shape[2] else np.zeros(self.points, dtype=bool)

    @property
    def tau(self):
        """What the curve would be at other thresholds of matching."""
        return Tau(self)

    def measure(self, name, rung=None):
        """[point, subject] of a measure at a rung."""
        return self.group[name][self.shown if rung is None else rung]

    def part(self, name, end):
        """The end of an interval, or NaN where the file has none: files of the first versions lack some."""
        return self[name + end] if self.has(name + end) else np.full(self.group[name].shape, np.nan)

    @property
    def conclusions(self):
        """What the curve says of each subject: {name: [subject]}, and order_p; empty for a file from before conclusions were drawn."""
        if "conclusions" not in self.group:
            return {}
        return {name: texts(item) if item.dtype.kind == "S" else np.asarray(item)
                for name, item in self.group["conclusions"].items() if isinstance(item, h5py.Dataset)}

    @property
    def dips(self):
        """The falls that are called: subject; from, at and to as points; depth, p, verdict, and the evidence for it; the components
        that are erased_by and written_by, lists which are empty without an attribution."""
        if "conclusions/dips" not in self.group:
            return []
        group = self.group["conclusions/dips"]
        columns = {name: texts(item) if item.dtype.kind == "S" else np.asarray(item).tolist() for name, item in group.items() if name not in ("dip", "rung")}
        columns["subject"] = columns.pop("subject_number")
        for name in ("erased_by", "written_by"):  # files of the first versions lack these
            columns[name] = [[part for part in words.split(", ") if part] for words in columns.get(name, [""] * len(columns["subject"]))]
        return [dict(zip(columns, row)) for row in zip(*columns.values())]

    @property
    def drift(self):
        """{cka, residual, cosine, norm_ratio} of each point against the one before, and, where the deck asked for it, loss; empty for a
        file from before drift was measured."""
        return {name: np.asarray(item) for name, item in self.group.get("drift", {}).items() if name != "point"}

    @property
    def home(self):
        """The point at which the anchor sits, else the last."""
        a = self.emergence.anchor_attributes(self.anchor)
        here = zip(self.models, self["step"], self["layer"])
        return next((p for p, site in enumerate(here) if site == (a["model"], a["step"], a["layer"])), self.points - 1)

    @property
    def controls(self):
        """{control: {"value", "low", "high"}} of the contrast, each [point, subject]: own, first_step, random_weights, untrained and
        ceiling with their intervals, random_latents with its band over draws, seeds with their range, "each" [seed, point, subject] and how many
        "matched" [subject]. Those that the file has."""
        anchor, found = self.emergence.file[f"anchors/{self.anchor}"], {}
        curve, interval = f"curves/{self.name}", ("contrast", "contrast_low", "contrast_high")
        for name, path, parts in (("own", f"curves/own_{self.name}", interval), ("first_step", f"controls/first_step/{curve}", interval),
                                  ("random_weights", f"controls/random_weights/{curve}", interval),
                                  ("untrained", "controls/random_weights/curves/own", interval), ("ceiling", f"controls/ceiling/{curve}", interval),
                                  ("random_latents", f"controls/random_latents/bands/{self.name}", ("contrast_mean", "contrast_low", "contrast_high")),
                                  ("seeds", f"controls/seeds/spread/{self.name}", ("contrast_mean", "contrast_min", "contrast_max"))):
            if path in anchor:
                group = anchor[path]
                values = self.rung_of(group, parts, "aligned" if name == "random_weights" else self.rungs[self.shown])
                if name == "random_weights":  # a point for each model and layer: without training there are no steps
                    values = {part: value[self.floor_points(group)] for part, value in values.items()}
                if name == "untrained":  # read at the anchor's place alone
                    values = {part: np.where(np.arange(self.points)[:, None] == self.home, value[0], np.nan) for part, value in values.items()}
                if name == "seeds":
                    values["each"] = group["contrast"][:, self.shown]
                    values["matched"] = (group["matched"][...] > 0).sum(axis=0)
                found[name] = values
        return found

    def floor_points(self, group):
        places = {site: q for q, site in enumerate(zip(texts(group["model"]), np.asarray(group["layer"]).tolist()))}
        return [places[site] for site in zip(self.models, self["layer"].tolist())]

    @staticmethod
    def rung_of(group, names, wanted):
        """The datasets on the rung wanted, or on the first with a value: a dictionary of a site's own reads the site as it is."""
        rungs = texts(group["rung"])
        order = sorted(range(len(rungs)), key=lambda r: rungs[r] != wanted)
        rung = next((r for r in order if np.isfinite(group[names[0]][r]).any()), order[0])
        return {part: group[name][rung] for part, name in zip(("value", "low", "high"), names)}

    @property
    def attribution(self):
        """Who wrote the last layer: {"component", "layer", "contribution", "low", "high"}, each of the last three [component, subject]; of the
        curve, or of attribution/ANCHOR.h5 beside the file for a curve along layers; None without one."""
        if "attribution" in self.group:
            return last_layer(self.group["attribution"], int(self["layer"][-1]))
        beside = self.emergence.path.parent / "attribution" / f"{self.anchor}.h5"
        if self.name != "space" or not beside.is_file():
            return None
        with h5py.File(beside, "r") as file:
            return last_layer(file, int(file["layer"][-1]))

    @property
    def ablations(self):
        """What the model does without a component, of attribution/ANCHOR/*.h5 beside the file (`incipit attribute --ablate`), in the components'
        order: {"component", "layer", "contrast", "auc"}; of each measure {"before", "after", "difference"}, each (value, low, high) of
        [point, subject], NaN before the component's own layer. Those of another run are left out."""
        if self.name != "space":
            return []
        found = []
        for path in (self.emergence.path.parent / "attribution" / self.anchor).glob("*.h5"):
            with h5py.File(path, "r") as file:
                found += ablation(file, self)
        return sorted(found, key=lambda one: (one["layer"], one["component"]))  # attention comes before mlp


def last_layer(group, layer):
    parts = {name: group[dataset][-1] for name, dataset in (("contribution", "contribution"), ("low", "contribution_low"), ("high", "contribution_high"))}
    return {"component": texts(group["component"]), "layer": layer} | parts


def ablation(file, curve):
    """[the ablation in a file, laid along a curve]; [] where it is not of this curve: it reads another contrast of the model as it is."""
    kind, layers = attributes(file).get("component", ""), np.asarray(file["layer"])
    places = np.searchsorted(curve["layer"], layers)
    if texts(file["subject"]) != curve.emergence.subjects or not np.isin(layers, curve["layer"]).all() or not np.array_equal(
            file["contrast_before"], curve.measure("contrast")[places], equal_nan=True):
        return []

    def laid(name):
        out = np.full((curve.points, len(curve.emergence.subjects)), np.nan)
        out[places] = file[name]
        return out

    parts = {measure: {when: tuple(laid(f"{measure}_{when}{end}") for end in ("", "_low", "_high")) for when in ("before", "after", "difference")}
             for measure in ("contrast", "auc")}
    return [{"component": kind, "layer": int(layers[0])} | parts]


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


def dataset(path, group=""):
    """A group of any Incipit file as an xarray Dataset with labelled dimensions, for people's own notebooks."""
    import xarray

    return xarray.open_dataset(path, group=group or None, engine="h5netcdf")

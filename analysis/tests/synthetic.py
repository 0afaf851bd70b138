"""A small emergence.h5 with made-up numbers in the layout of docs/schema.md, for the tests of this package."""

import pathlib

import h5py
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]  # of the checkout
MEASURES = ("probe_activation", "contrast", "auc")
RUNGS = ("raw", "rescaled", "aligned")


def strings(values):
    data = [v.encode() for v in values]
    return np.array(data, dtype=h5py.string_dtype("utf-8", max(1, *map(len, data), 1)))


def write(path, subjects=("biology", "law & order", "math"), read=(1, 0, 1), steps=(0, 1, 16, 128, 1000, 4000), layers=4, missing=(), dropped=(),
          anchors=("time", "space", "scale"), grid=False, controls=("time",)):
    """`controls`: anchors whose curves have them. The space curve has an attribution, and the first curve's first subject a dip."""
    rng = np.random.default_rng(1)
    s = len(subjects)
    with h5py.File(path, "w", track_order=True) as file:
        file.attrs.update(format="incipit/emergence", format_version="1.0", program_version="0.1.0", commit="abc", device="host",
                          precision="fp32", seed=1, split="2:1:1", created="2026-01-01T00:00:00Z")
        file["deck"] = np.bytes_(b"[run]\nseed = 1 <b>\n")
        file["subject"] = strings(subjects)
        file["read"] = np.array(read, dtype="i1")
        file["probes/subject"] = np.repeat(np.arange(s), 20).astype("i4")
        file["probes/part"] = np.tile([0, 1, 0, 2], 5 * s).astype("i1")
        for anchor in anchors:
            group = file.create_group(f"anchors/{anchor}", track_order=True)
            group.attrs.update(model="nano-550k", step=steps[-1], layer=layers if anchor != "space" else 0)
            latents(group, s, rng)
            nearest(group)
            if anchor == "time":
                group["controls/random_weights/latents/status"] = np.array([0, 1, 1, 2, 3, 1], dtype="i1")
            group["controls/token_baseline/contrast"] = rng.uniform(0, 0.3, (2, s))
            group["controls/token_baseline/auc"] = rng.uniform(0.5, 0.8, (2, s))
            if anchor == "time":
                points = [("nano-550k", 10**6, t, layers) for t in steps]
            elif anchor == "space":
                points = [("nano-550k", 10**6, steps[-1], layer) for layer in range(layers + 1)]
            else:
                points = [(f"nano-{k}", 10**k, steps[-1], layers) for k in (4, 5, 6, 7)]
                points[2] = ("nano-550k", 10**6, steps[-1], layers)
            made = group.create_group(f"curves/{anchor}", track_order=True)
            curve(made, points, s, rng, missing, dropped if anchor == "time" else ())
            conclusions(made, subjects, {"time": np.array(steps), "scale": np.array([p[1] for p in points]), "space": np.arange(len(points))}[anchor], missing)
            drift(made, len(points), rng, dropped if anchor == "time" else ())
            if anchor == "space":
                attribution(made, layers, s, rng)
            if anchor in controls:
                control_curves(group, anchor, points, s, rng, missing)
            if grid and anchor == "time":
                everywhere = [("nano-550k", 10**6, t, layer) for t in steps for layer in range(layers + 1)]
                curve(group.create_group("curves/grid", track_order=True), everywhere, s, rng, missing)
            tau(group, anchor, len(points), s)
        if dropped:
            file["audit/model"] = strings(["nano-550k"] * len(steps))
            file["audit/step"] = np.array(steps, dtype="i8")
            file["audit/status"] = strings(["duplicate of step9" if i in dropped else "ok" for i in range(len(steps))])
            file["audit/reason"] = strings(["cosine <0.5>" if i in dropped else "" for i in range(len(steps))])
    return path


def latents(group, s, rng, h=6):
    group["latents/label"] = strings([f"label <{j}>" for j in range(h)])
    group["latents/status"] = np.array([0, 0, 1, 2, 3, 0], dtype="i1")
    for name in ("f1", "f1_low", "f1_always_yes", "f1_coin", "fire_rate"):
        group[f"latents/{name}"] = rng.uniform(0.5, 1, h)
    group["latents/support"] = np.arange(h)
    group["latents/matched"] = (rng.uniform(size=(h, s)) < 0.4).astype("i1")
    group["latents/similarity"] = rng.uniform(size=(h, s)).astype("f4")
    group["latents"].attrs["tau"] = 0.3


def nearest(group, texts=("a <b>bold</b> & \x1b[31mred</article> text", "שלום, a second text", "third " + "word " * 200)):
    """Latent 0 has texts on all sides, latent 1 on one."""
    rows = [(0, 0, 0, 3.25, 1.5), (0, 1, 2, 0.5, 0.125), (0, 2, 1, 0.0, -0.25), (1, 0, 1, 2.0, 1.0)]
    for name, column, kind in zip(("latent", "side", "probe", "activation", "margin"), zip(*rows), ("i8", "i1", "i8", "f8", "f8")):
        group[f"latents/nearest/{name}"] = np.array(column, dtype=kind)
    group["latents/nearest/texts/probe"] = np.arange(len(texts))
    group["latents/nearest/texts/text"] = strings(texts)


def tau(group, name, points, s):
    """The first subject holds still, the second falls away about the threshold used, the third has no latents from 0.35 on."""
    taus = np.arange(10, 61, 5) / 100
    value = np.full((len(taus), points, s), 0.6)
    value[:, :, 1:2] = np.clip(1.4 - 2.5 * taus, 0, 1)[:, None, None]
    value[:, :, 2:3] = 0.1
    matched = np.full((len(taus), s), 4)
    matched[taus > 0.32, 2:3] = 0
    value[taus > 0.32, :, 2:3] = np.nan
    group["tau/tau"], group["tau/matched"], group["tau/decoy_rate"] = taus, matched, 1 - taus
    group[f"tau/{name}/probe_activation"] = value


def curve(group, points, s, rng, missing, dropped=()):
    n = len(points)
    group["rung"] = strings(RUNGS)
    group["point"] = np.arange(n)
    group["model"] = strings([p[0] for p in points])
    for i, name in ((1, "params"), (2, "step"), (3, "layer")):
        group[name] = np.array([p[i] for p in points], dtype="i8")
    rise = np.linspace(0, 0.8, n)[None, :, None] * rng.uniform(0.5, 1, (1, 1, s)) * np.array([1, 1, 0.9])[:, None, None]
    for measure in MEASURES:
        value = np.clip(rise + 0.03 * rng.standard_normal((3, n, s)), -1, 1)
        value[:, :, list(missing)] = np.nan
        value[:, list(dropped), :] = np.nan
        group[measure] = value
        group[measure + "_low"], group[measure + "_high"] = value - 0.07, value + 0.07
        group[measure + "_null_mean"] = 0 * value
        group[measure + "_null_low"], group[measure + "_null_high"] = np.full_like(value, -0.05), np.full_like(value, 0.05)
        group[measure + "_p"] = rng.uniform(0, 1, (3, n, s))
    status = np.zeros((3, n, s), dtype="i1")
    status[:, :, list(missing)] = 2
    status[:, list(dropped), :] = 4
    group["status"] = status
    rates = rng.uniform(0, 0.2, (3, n, 6)).astype("f4")
    rates[:, list(dropped)] = np.nan
    group["fire_rate"] = rates
    group["probe_auc"] = rng.uniform(0.5, 1, (n, s))
    group["probe_auc_low"], group["probe_auc_high"] = group["probe_auc"][...] - 0.05, group["probe_auc"][...] + 0.05
    for name in ("residual", "residual_floor", "residual_shuffled", "retrieval", "cka", "cosine_correlation"):
        group["alignment_" + name] = rng.uniform(0, 1, n)
    group["alignment_reliable"] = (np.arange(n) % 2).astype("i1")
    group["subject"], group["latent"] = group.file["subject"][...], np.arange(6)
    scales(group, ["rung", "point", "subject", "latent"], lambda name, shape: {
        1: ["point"], 2: ["point", "subject"], 3: ["rung", "point", "latent" if name == "fire_rate" else "subject"]}[len(shape)])


def scales(group, names, dimensions):
    """Labels the dimensions of a group's datasets, as the program does."""
    for name in names:
        group[name].make_scale(name)
        if group[name].dtype.kind == "S":
            group[name].attrs["_Encoding"] = "utf-8"
    for name, item in group.items():
        if isinstance(item, h5py.Dataset) and name not in names:
            for axis, dimension in enumerate(dimensions(name, item.shape)):
                item.dims[axis].attach_scale(group[dimension])


def conclusions(group, subjects, places, missing):
    """The second subject was there at the first point, the first one dips, the others are born in the middle."""
    s, n = len(subjects), len(places)
    group = group.create_group("conclusions")
    present = np.array([c not in missing for c in range(s)])
    middle = n // 2
    column = lambda value: np.where(present, value, np.nan)  # noqa: E731
    first = np.arange(s) == 1
    born = {"onset": np.where(first, places[0], (places[middle - 1] + places[middle]) / 2),
            "onset_low": np.where(first, np.nan, places[middle - 1]), "onset_high": np.where(first, places[0], places[middle]),
            "onset_early": np.where(first, places[0], places[max(0, middle - 2)]), "onset_late": np.where(first, places[0], places[min(n - 1, middle + 1)]),
            "rank": np.where(first, 1, 2 + np.arange(s) / s), "rank_low": np.ones(s), "rank_high": np.full(s, s),
            "level": np.full(s, 0.5), "level_low": np.full(s, 0.4), "level_high": np.full(s, 0.6), "p": np.full(s, 0.001), "q": np.full(s, 0.002),
            "dip": np.full(s, 0.1), "dip_p": np.full(s, 0.04), "dip_q": np.full(s, 0.2)}
    for name, value in born.items():
        group[name] = column(value)
    group["present"] = present.astype("i1")
    group["order_p"] = 0.03
    group["earlier"] = np.full((s, s), 0.5)
    group["onset_rung"] = strings(["turned" if c % 2 else "" for c in range(s)])
    group["dip_rung"] = strings(["lost"] + [""] * (s - 1))
    group["subject"], group["later"] = strings(subjects), np.arange(s)
    scales(group, ["subject", "later"], lambda name, shape: ["subject", "later"][:len(shape)])
    dips = group.create_group("dips")
    count = 1 if n > 3 and 0 not in missing else 0
    for name, value in (("subject_number", 0), ("from", 1), ("at", min(2, n - 1)), ("to", n - 1)):
        dips[name] = np.full(count, value, dtype="i8")
    for name in ("depth", "p", "contrast_there", "auc", "auc_there", "probe_auc", "probe_auc_there"):
        dips[name] = np.full(count, 0.25)
    dips["contrast"] = np.full((count, 3), 0.125)
    dips["verdict"] = strings(["outvoted"] * count)
    known = group.name.split("/")[2] == "space"  # where the components are
    dips["erased_by"] = strings(["mlp 2, attention 2" if known else ""] * count)
    dips["written_by"] = strings(["mlp 3" if known else ""] * count)


def drift(group, n, rng, dropped):
    for name in ("cka", "residual", "cosine", "norm_ratio"):
        value = rng.uniform(0.5, 1, n)
        value[[0, *dropped, *(d + 1 for d in dropped if d + 1 < n)]] = np.nan
        group[f"drift/{name}"] = value


def attribution(group, layers, s, rng):
    names = ["embedding"] + [f"{kind} {block}" for block in range(1, layers + 1) for kind in ("attention", "mlp")]
    value = rng.standard_normal((layers + 1, len(names), s))
    for layer in range(layers + 1):
        value[layer, 1 + 2 * layer:] = np.nan
    group["attribution/component"] = strings(names)
    for end, move in (("", 0), ("_low", -0.2), ("_high", 0.2)):
        group[f"attribution/contribution{end}"] = value + move


def ablation(path, component, back=0.0):
    """attribution/space/COMPONENT.h5 beside the file `path`. Without the component the first subject's contrast is up by `back`, the last one's
    down by 0.3, each by 0.1 in either direction, and nothing else changes."""
    kind, layer = component.split()
    target = path.parent / "attribution" / "space" / f"{kind}-{layer}.h5"
    target.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "r") as file, h5py.File(target, "w") as made:
        of, rows = file["anchors/space/curves/space"], slice(int(layer), None)
        made.attrs.update(format="incipit/ablation", component=component, model="nano-550k", step=4000)
        made["layer"], made["subject"] = of["layer"][rows], file["subject"][...]
        change = np.zeros_like(of["contrast"][0, rows])
        change[:, 0], change[:, -1] = back, -0.3
        for measure in ("contrast", "auc"):
            before, width = of[measure][0, rows], 0.1 * (change != 0)
            for when, value in (("before", before), ("after", before + change), ("difference", change)):
                for end, move in (("", 0), ("_low", -width), ("_high", width)):
                    made[f"{measure}_{when}{end}"] = np.where(np.isnan(before), np.nan, value + move)
    return target


def size_sweep(path, anchor="time", seeds=2):
    """sweep/ANCHOR.h5 beside the file `path`: k of 1, 4 and 16 with 8 and 32 latents; 16 of 8 is left out. The last subject has no latents at k = 16."""
    target = path.parent / "sweep" / f"{anchor}.h5"
    target.parent.mkdir(parents=True, exist_ok=True)
    sizes = np.array([(1, 8), (1, 32), (4, 8), (4, 32), (16, 32)])
    k, h = sizes.T
    with h5py.File(path, "r") as file, h5py.File(target, "w") as made:
        made.attrs.update(format="incipit/sweep", **file[f"anchors/{anchor}"].attrs)
        made["k"], made["latents"], made["seed"], made["subject"] = k, h, 1 + np.arange(seeds), file["subject"][...]
        turn, shape = np.arange(seeds), (len(sizes), seeds, len(file["subject"]))
        made["f1"] = (0.9 - 0.02 * k)[:, None] + 0.04 * turn
        made["fvu"] = (0.8 - 0.03 * k)[:, None] + 0.02 * turn
        made["dead"] = np.repeat((h // 8)[:, None], seeds, axis=1)
        made["unsupported"] = np.ones(shape[:2], dtype="i8")
        made["interpretable"] = (h // 2)[:, None] + turn
        made["uninterpretable"] = h[:, None] - made["interpretable"][...] - made["dead"][...] - 1
        matched, value = np.full(shape, 2), np.full(shape, 0.5) + 0.1 * turn[:, None]
        matched[-1, :, -1], value[-1, :, -1] = 0, np.nan
        made["matched"], made["probe_activation"], made["contrast"] = matched, value, value - 0.25
    return target


def place_sweep(path, anchor="time"):
    """sweep/ANCHOR.over_ANCHOR.h5 beside the file `path`: a dictionary at each of the curve's points from the second on. The first subject is called
    by the last two, from the second point on by the one and the third on by the other; the second by the anchor's; the last is matched by none."""
    target = path.parent / "sweep" / f"{anchor}.over_{anchor}.h5"
    target.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "r") as file, h5py.File(target, "w") as made:
        of = file[f"anchors/{anchor}/curves/{anchor}"]
        points, subjects = len(of["step"]), len(file["subject"])
        made.attrs.update(format="incipit/anchor_sweep", curve=anchor)
        for name in ("model", "params", "step", "layer"):
            made[name] = of[name][...]
        made["subject"], made["dictionary"] = file["subject"][...], np.arange(1, points)
        places, shape = of[{"time": "step", "scale": "params", "space": "layer"}[anchor]][...].astype(float), (points - 1, subjects)
        matched, present, onset = np.ones(shape, dtype="i8"), np.zeros(shape, dtype="i1"), np.full(shape, np.nan)
        matched[:, -1], matched[0, 0] = 0, 0
        home = {"time": points - 1, "scale": 2, "space": 0}[anchor]  # the anchor's own point
        present[-2:, 0], onset[-2, 0], onset[-1, 0] = 1, places[1], places[2]
        if home > 0:
            present[home - 1, 1], onset[home - 1, 1] = 1, places[-1]
        made["matched"], made["conclusions/present"], made["conclusions/onset_high"] = matched, present, onset
        made["interpretable"] = 10 + np.arange(points - 1)
        contrast = np.zeros((points - 1, points, subjects))
        if home > 0:
            contrast[home - 1] = of["contrast"][2 if anchor == "scale" else 0]
        made["contrast"] = contrast
        for name, q in (("first", 0), ("median", 0.5), ("last", 1)):
            made[f"onset_{name}"] = [np.quantile(column[np.isfinite(column)], q) if np.isfinite(column).any() else np.nan for column in onset.T]
    return target


def control_curves(group, name, points, s, rng, missing):
    for path in (f"curves/own_{name}", f"controls/first_step/curves/{name}", f"controls/ceiling/curves/{name}"):
        curve(group.create_group(path, track_order=True), points, s, rng, missing)
    floor = list(dict.fromkeys((model, params, -1, layer) for model, params, _, layer in points))
    curve(group.create_group(f"controls/random_weights/curves/{name}", track_order=True), floor, s, rng, missing)
    curve(group.create_group("controls/random_weights/curves/own", track_order=True), floor[-1:], s, rng, missing)
    for path, ends in ((f"controls/random_latents/bands/{name}", ("_mean", "_low", "_high")), (f"controls/seeds/spread/{name}", ("_mean", "_min", "_max"))):
        group[f"{path}/rung"] = strings(RUNGS)
        for end, move in zip(ends, (0, -0.05, 0.05)):
            group[f"{path}/contrast{end}"] = np.full((3, len(points), s), 0.1 + move)
    spread = group[f"controls/seeds/spread/{name}"]
    spread["contrast"] = np.stack([np.full((3, len(points), s), value) for value in (0.05, 0.15)])
    spread["contrast"][1, :, :, 0] = np.nan
    spread["matched"] = np.array([[2] * s, [0] + [1] * (s - 1)])

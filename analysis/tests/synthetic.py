"""A small emergence.h5 with made-up numbers in the layout of docs/schema.md, for the tests of this package."""

import h5py
import numpy as np

MEASURES = ("probe_activation", "contrast", "latent_activation", "selectivity", "strength", "auc")
RUNGS = ("raw", "rescaled", "aligned")


def strings(values):
    data = [v.encode() for v in values]
    return np.array(data, dtype=f"S{max(1, max(map(len, data)))}")


def write(path, subjects=("biology", "law & order", "math"), read=(1, 0, 1), steps=(0, 1, 16, 128, 1000, 4000), layers=4, missing=(), dropped=()):
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
        for anchor in ("time", "space", "scale"):
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
            curve(group.create_group(f"curves/{anchor}", track_order=True), points, s, rng, missing, dropped if anchor == "time" else ())
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
    value[:, :, 1] = np.clip(1.4 - 2.5 * taus, 0, 1)[:, None]
    value[:, :, 2] = 0.1
    matched = np.full((len(taus), s), 4)
    matched[taus > 0.32, 2] = 0
    value[:, :, 2][taus > 0.32] = np.nan
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
    for name in ("residual", "residual_floor", "residual_shuffled", "retrieval", "cka", "cosine_correlation"):
        group["alignment_" + name] = rng.uniform(0, 1, n)
    group["alignment_reliable"] = (np.arange(n) % 2).astype("i1")

"""Figures. Every curve is drawn with its uncertainty and with what chance and the text alone would give."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

# Okabe and Ito's colours, which people with any colour vision can tell apart.
BLUE, ORANGE, GREEN, RED, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#777777"

plt.rcParams.update({
    "font.size": 8, "axes.titlesize": 8.5, "axes.spines.top": False, "axes.spines.right": False,
    "axes.linewidth": 0.6, "xtick.major.width": 0.6, "ytick.major.width": 0.6, "svg.fonttype": "path",
    "svg.hashsalt": "incipit", "figure.dpi": 100, "savefig.dpi": 200, "pdf.fonttype": 42,
})


def title(subject, read):
    return subject if read else f"{subject} (never read)"


def axis(curve):
    """Positions and labels of a curve's points, and the name of the axis."""
    if curve.name == "time":
        steps = curve["step"]
        return np.log2(1.0 + steps), [short(s) for s in steps], "training step (log scale)"
    if curve.name == "space":
        return curve["layer"].astype(float), [str(v) for v in curve["layer"]], "layer (0: embedding)"
    if curve.name == "scale":
        params = curve["params"].astype(float)
        return np.log2(params), [short(p) for p in params], "parameters (log scale)"
    return np.arange(curve.points, dtype=float), [str(i) for i in range(curve.points)], "site"


def short(number):
    for limit, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if number >= limit:
            return f"{number / limit:.3g}{letter}"
    return f"{number:g}"


def sparse_ticks(positions, labels, least):
    """The ticks that leave room for their labels, ends included."""
    kept = []
    span = positions[-1] - positions[0] or 1.0
    for i in range(len(positions)):
        if not kept or positions[i] - positions[kept[-1]] >= least * span:
            kept.append(i)
    if kept[-1] != len(positions) - 1:
        if len(kept) > 1 and positions[-1] - positions[kept[-1]] < least * span:
            kept.pop()
        kept.append(len(positions) - 1)
    return positions[kept], [labels[i] for i in kept]


def grid(count, columns=4, width=7.2, height=1.65):
    rows = -(-count // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(width, height * rows + 0.6), sharex=True, sharey=True,
                                squeeze=False, layout="constrained")
    for empty in axes.ravel()[count:]:
        empty.set_visible(False)
    return figure, axes.ravel()[:count]


def emergence_curves(emergence, curve, measure="contrast"):
    """One panel per subject: the measure with its 95 % band, the null's band, and the token baselines."""
    positions, labels, name = axis(curve)
    value, low, high = (100 * curve.measure(measure + end) for end in ("", "_low", "_high"))
    null_low, null_high = (100 * curve.measure(measure + end) for end in ("_null_low", "_null_high"))
    rungs = [r for r in range(len(curve.rungs)) if r != curve.shown and np.isfinite(curve.measure(measure, r)).any()]
    baseline = emergence.token_baseline(curve.anchor) if measure == "contrast" else {}
    figure, axes = grid(len(emergence.subjects))
    for s, ax in enumerate(axes):
        ax.fill_between(positions, null_low[:, s], null_high[:, s], color="#dddddd", lw=0, label="null, 95 %")
        for style, (kind, values) in zip((":", "--"), baseline.items()):
            ax.axhline(100 * values["contrast"][s], color=RED, ls=style, lw=0.8, label=f"text alone: {kind.replace('_', ' ')}")
        for r, colour in zip(rungs, (GREEN, ORANGE)):
            ax.plot(positions, 100 * curve.measure(measure, r)[:, s], color=colour, lw=0.8, label=curve.rungs[r])
        ax.fill_between(positions, low[:, s], high[:, s], color=BLUE, alpha=0.25, lw=0, label="95 % interval")
        ax.plot(positions, value[:, s], color=BLUE, lw=1.3, marker="o", ms=2.2, label=curve.rungs[curve.shown])
        ax.axhline(0, color="black", lw=0.4)
        mark_dropped(ax, curve, positions)
        ax.set_title(title(emergence.subjects[s], emergence.read[s]), color="black" if emergence.read[s] else RED, pad=3)
        if not np.isfinite(value[:, s]).any():
            ax.text(0.5, 0.5, reason(curve, s), transform=ax.transAxes, ha="center", va="center", color=GREY, fontsize=7)
        ax.set_xticks(*sparse_ticks(positions, labels, 0.17))
        ax.tick_params(axis="x", rotation=35 if curve.name != "space" else 0)
    figure.supxlabel(name, fontsize=8)
    figure.supylabel(f"{measure.replace('_', ' ')}, %", fontsize=8)
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=min(len(names), 6), frameon=False, fontsize=7)
    return figure


def mark_dropped(ax, curve, positions):
    """Where a checkpoint failed its audit there is no value: a gap that must not look like a smooth passage."""
    for i, position in enumerate(positions[curve.dropped]):
        ax.axvline(position, color=GREY, ls=(0, (1, 2)), lw=0.9, label=None if i else "dropped by the audit")


REASONS = {1: "no such site", 2: "no matched latent", 3: "nothing fires", 4: "dropped by the audit", 5: "degenerate site",
           6: "unreliable alignment"}


def reason(curve, subject):
    codes = curve.measure("status")[:, subject]
    worst = [int(c) for c in codes if c]
    return REASONS.get(max(set(worst), key=worst.count), "no value") if worst else "no value"


def heat_map(emergence, curve, measure="contrast"):
    """Subjects by points; hatched where there is no value."""
    values = 100 * curve.measure(measure).T
    _, labels, name = axis(curve)
    largest = np.nanmax(np.abs(values)) if np.isfinite(values).any() else 1.0
    figure, ax = plt.subplots(figsize=(min(7.2, 2.4 + 0.42 * curve.points), 0.8 + 0.24 * len(emergence.subjects)),
                              layout="constrained")
    ax.set_facecolor("white")
    ax.patch.set_hatch("////")
    ax.patch.set_edgecolor("#cccccc")
    image = ax.imshow(values, aspect="auto", cmap="PuOr_r", vmin=-largest, vmax=largest)
    if curve.points <= 20:
        for s, p in np.argwhere(np.isfinite(values)):
            ax.text(p, s, f"{values[s, p]:.0f}", ha="center", va="center", fontsize=6.5,
                    color="white" if abs(values[s, p]) > 0.65 * largest else "black")
    for p in np.flatnonzero(curve.dropped):
        ax.text(p, (len(emergence.subjects) - 1) / 2, "dropped by the audit", ha="center", va="center", rotation=90, fontsize=6.5, color=GREY)
    ticks = range(0, curve.points, max(1, curve.points // 20))
    ax.set_xticks(list(ticks), [labels[t] for t in ticks])
    ax.set_yticks(range(len(emergence.subjects)), [title(n, r) for n, r in zip(emergence.subjects, emergence.read)])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_xlabel(name)
    figure.colorbar(image, ax=ax, label=f"{measure.replace('_', ' ')}, %", pad=0.01, fraction=0.04)
    return figure


def linear_probe(emergence, curve):
    """AUC of the linear probe and of the dictionary: what is linearly there, and what this SAE shows of it."""
    positions, labels, name = axis(curve)
    figure, axes = grid(len(emergence.subjects))
    probe, auc = curve["probe_auc"], curve.measure("auc")
    for s, ax in enumerate(axes):
        ax.axhline(0.5, color="black", lw=0.4)
        ax.plot(positions, probe[:, s], color=ORANGE, lw=1.1, marker="s", ms=2, label="linear probe")
        ax.plot(positions, auc[:, s], color=BLUE, lw=1.1, marker="o", ms=2, label="matched latents")
        mark_dropped(ax, curve, positions)
        ax.set_ylim(0.3, 1.02)
        ax.set_title(title(emergence.subjects[s], emergence.read[s]), color="black" if emergence.read[s] else RED, pad=3)
        ax.set_xticks(*sparse_ticks(positions, labels, 0.17))
        ax.tick_params(axis="x", rotation=35 if curve.name != "space" else 0)
    figure.supxlabel(name, fontsize=8)
    figure.supylabel("AUC on judged probes", fontsize=8)
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=2, frameon=False, fontsize=7)
    return figure


def tau_sweep(emergence, curve):
    """What each subject's curve would show at other thresholds of matching; shaded: as near as makes no difference."""
    sweep = curve.tau
    figure, axes = grid(len(emergence.subjects), height=1.45)
    hanging = sweep.hanging
    for s, ax in enumerate(axes):
        ax.axvspan(sweep.used - sweep.NEARBY, sweep.used + sweep.NEARBY, color="#eeeeee", lw=0)
        ax.axvline(sweep.used, color=GREY, lw=0.8)
        for place, colour, style in zip(sweep.PLACES, (GREEN, BLUE, ORANGE), ("--", "-", "-")):
            ax.plot(sweep.tau, 100 * sweep.places[place][:, s], color=colour, ls=style, lw=1.8 if place == "largest" else 1.1, label=f"{place} point" if place != "largest" else "largest")
        ax.set_ylim(-4, 104)
        ax.set_title(emergence.subjects[s] + (" (hangs on τ)" if hanging[s] else ""), color=RED if hanging[s] else "black", pad=3)
    figure.supxlabel("threshold of matching, τ", fontsize=8)
    figure.supylabel("fires, %", fontsize=8)
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=3, frameon=False, fontsize=7)
    return figure


def alignment(curve):
    """How far each site can be turned into the anchor's space, and whether to believe it."""
    positions, labels, name = axis(curve)
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 2.6), layout="constrained")
    reliable = curve["alignment_reliable"].astype(bool)
    for key, colour, legend in (("alignment_residual", BLUE, "residual"), ("alignment_residual_floor", GREEN, "floor"),
                                ("alignment_residual_shuffled", GREY, "shuffled, 5 %")):
        left.plot(positions, curve[key], color=colour, lw=1.1, label=legend)
    residual = curve["alignment_residual"]
    left.plot(positions[reliable], residual[reliable], "o", ms=3, color=BLUE)
    left.plot(positions[~reliable], residual[~reliable], "o", ms=3, mfc="white", color=BLUE, label="not reliable")
    left.set_ylabel("relative residual")
    for key, colour, legend in (("alignment_cka", BLUE, "CKA"), ("alignment_cosine_correlation", ORANGE, "cosine correlation"),
                                ("alignment_retrieval", RED, "retrieval")):
        right.plot(positions, curve[key], color=colour, lw=1.1, marker="o", ms=2, label=legend)
    right.set_ylim(-0.05, 1.05)
    for ax in (left, right):
        mark_dropped(ax, curve, positions)
        ax.set_xlabel(name)
        ax.set_xticks(*sparse_ticks(positions, labels, 0.09))
        ax.tick_params(axis="x", rotation=35 if curve.name != "space" else 0)
        ax.legend(frameon=False, fontsize=7)
    return figure


def of_curve(emergence, curve):
    """All figures of a curve: (name, caption, figure)."""
    where = f"{curve.anchor} anchor, {curve.name} curve"
    if curve.name != "grid":
        yield ("contrast", f"Contrast along the {where}: how much more often a subject's probes fire its latents than other "
               "subjects' probes do, with its 95 % interval, the band under permuted subjects (grey) and what the text alone "
               "gives away (red lines).", emergence_curves(emergence, curve))
    yield "map", f"The same contrasts as a map ({where}); hatched: no value.", heat_map(emergence, curve)
    if curve.name != "grid":
        yield ("auc", f"Linear probe and matched latents ({where}): where the probe stays high and the latents fall, the concept "
               "is still there but not in this dictionary.", linear_probe(emergence, curve))
        yield ("tau", f"How often a subject's probes fire its latents at other thresholds of matching ({where}). The line is the threshold used; within "
               "the grey band another would be as good, so what changes there (red) is no conclusion.", tau_sweep(emergence, curve))
        yield "alignment", f"Procrustes alignment of each site with the anchor ({where}).", alignment(curve)

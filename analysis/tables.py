"""Tables and sentences of the page."""

import html

import numpy as np

from . import cards, style


# An own dictionary is the anchor's where the anchor sits.
CONTROLS = {"first_step": "first step's", "random_weights": "floor: random weights",
            "untrained": "untrained, made anew", "ceiling": "ceiling",
            "random_latents": "random latents", "seeds": "seeds"}
SHORT_NAMES = {"first_step": "first step", "random_weights": "floor", "untrained": "untrained", "ceiling": "ceiling",
               "random_latents": "random", "seeds": "seeds"}
SHORT = 28  # characters of a cell that is not broken into lines


def table(names, rows, emergence=None, links=None):
    """`links`: for each row, the id that its first cell leads to."""
    never = set() if emergence is None else {s for s, r in zip(emergence.subjects, emergence.read) if not r}
    lines = ["<div class=wide><table><tr>", *(f"<th>{html.escape(n)}" for n in names), "</tr>"]
    for r, row in enumerate(rows):
        lines.append("<tr class=never>" if row[0] in never else "<tr>")
        cells = [html.escape(row[0]), *(html.escape(cell.replace(" ", "\u00a0") if len(cell) <= SHORT else cell) for cell in row[1:])]
        if row[0] in never:
            cells[0] += "\u00a0<small>never\u00a0read</small>"
        if links:
            cells[0] = f"<a href='#{html.escape(links[r])}'>{cells[0]}</a>"
        lines.extend(f"<td>{cell}" for cell in cells)
        lines.append("</tr>")
    return "".join(lines) + "</table></div>"


def number(value, digits=2):
    return "–" if not np.isfinite(value) else f"{value:.{digits}f}".replace("-", "−")


def percent(value):
    return "–" if not np.isfinite(value) else f"{round(100 * value)}".replace("-", "−")


def between(low, high, show=percent):
    return "–" if not (np.isfinite(low) or np.isfinite(high)) else f"{show(low)} to {show(high)}"


def place(value):
    return "–" if not np.isfinite(value) else style.short(float(f"{value:.3g}"))


def headline(emergence, curve):
    """What stands at the anchor itself; never a percentage without what it must be held against."""
    p = curve.home
    get = {k: curve.measure(k)[p] for k in ("probe_activation", "contrast", "contrast_low", "contrast_high", "contrast_null_low",
                                            "contrast_null_high", "contrast_p", "auc")}
    probe, baseline = curve["probe_auc"][p], emergence.token_baseline(curve.anchor)
    matched = emergence.latents(curve.anchor)["matched"].sum(axis=0)
    columns = [("subject", emergence.subjects), ("latents", [str(int(m)) for m in matched]), ("fires %", map(percent, get["probe_activation"])),
               ("contrast %", map(percent, get["contrast"])), ("95 %", map(between, get["contrast_low"], get["contrast_high"])),
               ("null 95 %", map(between, get["contrast_null_low"], get["contrast_null_high"])),
               ("p", [number(v, 3) for v in get["contrast_p"]]), ("AUC", map(number, get["auc"])), ("probe AUC", map(number, probe)),
               ("last word %", map(percent, baseline["last_word"]["contrast"])), ("all words %", map(percent, baseline["bag_of_words"]["contrast"]))]
    there = curve.controls
    found = {name: there[name] for name in CONTROLS if name in there}
    columns += [(SHORT_NAMES[name], [percent(v) for v in at["value"][p]]) for name, at in found.items()]
    names, cells = zip(*columns)
    caption = f"<p>At {html.escape(curve.models[p])}, step {curve['step'][p]}, layer {curve['layer'][p]}; rung {curve.rungs[curve.shown]}."
    if found:
        caption += " The last columns: contrast of the controls in %, told below."
    return caption + "</p>" + table(names, [list(row) for row in zip(*cells)], emergence) + (controls(emergence, curve, found) if found else "")


def controls(emergence, curve, found):
    """The contrast at the anchor's own site beside that of each control, with intervals."""
    p = curve.home
    shown = {"this curve": {part: curve.measure("contrast" + end) for part, end in (("value", ""), ("low", "_low"), ("high", "_high"))}}
    shown |= {CONTROLS[name]: at for name, at in found.items()}
    columns = [[with_interval(*(at[part][p, s] for part in ("value", "low", "high"))) for s in range(len(emergence.subjects))] for at in shown.values()]
    if "seeds" in found:  # a mean of few is no mean of all
        of = len(found["seeds"]["each"])
        columns[-1] = [cell if m in (0, of) else f"{cell} {m} of {of}" for cell, m in zip(columns[-1], found["seeds"]["matched"])]
    said = "Contrast in %, with its 95 % interval; of random latents the mean and the band over draws"
    said += "; of seeds the mean and the range, over those that have a matched latent." if "seeds" in found else "."
    return (f"<h4>Controls</h4><p>{said}</p>"
            + table(["subject", *shown], [[name, *row] for name, row in zip(emergence.subjects, zip(*columns))], emergence))


def with_interval(value, low, high, show=percent):
    return f"{show(value)} ({between(low, high, show)})" if np.isfinite(value) else "–"


def conclusions(emergence, curve):
    """What the curve says: in sentences, then subject by subject, then the dips with their evidence."""
    found = curve.conclusions
    if not found:
        return "<p class=note>This file was written before conclusions were drawn: `incipit track` draws them.</p>"
    columns = ["subject", "final contrast %", "95 %", "q", "there", "onset", "bracket", "95 %", "rank", "before it", "deepest fall %", "its q"]
    rows = []
    for s, name in enumerate(emergence.subjects):
        get = {key: found[key][s] for key in found if key not in ("order_p", "earlier")}
        born = np.isfinite(get["onset_high"])
        bracket = f"{place(get['onset_low'])} to {place(get['onset_high'])}" if np.isfinite(get["onset_low"]) else f"at the first, {place(get['onset_high'])}"
        rank = f"{get['rank']:g} ({get['rank_low']:g} to {get['rank_high']:g})" if np.isfinite(get["rank"]) else "–"
        rows.append([name, percent(get["level"]), between(get["level_low"], get["level_high"]), number(get["q"], 3), "yes" if get["present"] else "no",
                     place(get["onset"]), bracket if born else "–", between(get["onset_early"], get["onset_late"], place), rank,
                     get["onset_rung"] or "–", percent(get["dip"]), number(get["dip_q"], 3)])
    order = sorted(range(len(rows)), key=lambda s: (not found["present"][s], np.nan_to_num(found["rank"][s], nan=np.inf)))
    return (f"<p>{sentences(emergence, curve, found)}</p>" + table(columns, [rows[s] for s in order], emergence) + dips(emergence, curve))


def sentences(emergence, curve, found):
    """The conclusions in words, with what is not known."""
    subjects, present = emergence.subjects, found["present"].astype(bool)
    unread = [s for s in range(len(subjects)) if not np.isfinite(found["level"][s])]
    said = [f"{present.sum()} of {len(subjects)} subjects are there in the end: the interval of their final contrast lies above 0 and q is at most 0.05 "
            "(Benjamini and Hochberg)."]
    if unread:
        said.append(f"Of {listed(subjects[s] for s in unread)} nothing is known: no value at the end.")
    strangers = [subjects[s] for s in np.flatnonzero(present & ~emergence.read)]
    if strangers:
        said.append(f"Among them {'is' if len(strangers) == 1 else 'are'} {listed(strangers)}, of which the family never read a text: such a rise tells a "
                    "domain by its language.")
    born = [s for s in np.argsort(np.nan_to_num(found["rank"], nan=np.inf), kind="stable") if np.isfinite(found["onset_high"][s])]
    if born:
        said.append("First crossing for good of half the final level: " + "; ".join(f"{subjects[s]} {bracket(found, s)}" for s in born) + ".")
    p = float(found["order_p"])
    if np.isfinite(p):
        said.append(f"That all onsets are one place: p = {p:.3f}, so their order is {'told apart' if p <= 0.05 else 'not told apart'}.")
    if present.any() and not born:
        said.append("No onset lies on the curve.")
    count = len(curve.dips)
    said.append(f"{count or 'No'} dip{'' if count == 1 else 's'} (disappear and return) {'is' if count == 1 else 'are'} called."
                + (" Each with its verdict and the evidence below." if count else ""))
    return html.escape(" ".join(said))


def bracket(found, s):
    low, high = place(found["onset_low"][s]), place(found["onset_high"][s])
    return f"between {low} and {high}" if np.isfinite(found["onset_low"][s]) else f"at the first point already ({high})"


def listed(names):
    names = list(names)
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def dips(emergence, curve):
    """Each called dip: where, how deep, why it is not read there, what says so, and, where the parts of the sum are known, who did it."""
    if not curve.dips:
        return ""
    labels, known = style.Axis(curve).labels, curve.has("attribution")
    rows = []
    for dip in curve.dips:
        there = dict(zip(curve.rungs, dip["contrast"]))
        who = [", ".join(dip[name]) or "none" for name in ("erased_by", "written_by")] if known else []
        rows.append([emergence.subjects[dip["subject"]], f"{labels[dip['from']]} → {labels[dip['at']]} → {labels[dip['to']]}", percent(dip["depth"]),
                     number(dip["p"], 3), dip["verdict"], *who, percent(dip["contrast_there"]), *(percent(there[r]) for r in curve.rungs),
                     *(f"{number(dip[name])} / {number(dip[name + '_there'])}" for name in ("auc", "probe_auc"))])
    names = ["subject", "shoulder → bottom → shoulder", "depth %", "p", "verdict", *(["erased by", "written again by"] if known else []),
             "contrast % there", *(f"{r} at the bottom" for r in curve.rungs), "AUC bottom / there", "probe AUC bottom / there"]
    said = ""
    if known:
        said = ("<p>Erased by: what wrote against it between shoulder and bottom, the strongest first, with an interval below 0; written again by: what wrote "
                "for it between bottom and shoulder. Both are read off the sum and are correlates, until the model is run without them.</p>")
    elif curve.name == "space":
        said = "<p class=note>Who erased and who wrote again is not known: extract.components = yes tells.</p>"
    return "<h4>Dips</h4>" + table(names, rows, emergence) + said


def ablations(emergence, curve):
    """What the model does without a component: first whether those that are said to have erased a concept did, then what reaches the last layer."""
    found = curve.ablations
    if not found:
        return ""
    last = curve.points - 1
    rows = [[name, one["component"], *changes(one, last, s), effect(one, last, s, "holds it down", "carries it", "none shown")]
            for one in found for s, name in enumerate(emergence.subjects) if any(moved(one[m])[last, s] for m in ("contrast", "auc"))]
    cells, beyond = (sum(int(of(one["contrast"]).sum()) for one in found) for of in (lambda change: np.isfinite(change["difference"][0]), moved))
    said = (f"The model was run again without {listed(one['component'] for one in found)}, each by itself: what it adds at the last token was its mean over "
            f"probes. Contrast differs beyond its own 95 % interval in {beyond} of {cells} cells (subject, layer, component); about {round(cells / 20)} would by chance alone.")
    reached = table(["subject", "without", *CHANGES, "effect on contrast"], rows, emergence) if rows else "<p>None.</p>"
    return (f"<h4>Without a component</h4><p>{said}</p>{erasers_tried(emergence, curve, found)}"
            f"<p>What has an effect at layer {curve['layer'][last]}, the last, on contrast or AUC; the figures below have every layer:</p>{reached}")


CHANGES = ("contrast % (95 %)", "without it", "difference", "AUC", "without it", "difference (95 %)")


def moved(change):
    """[point, subject] whether the difference is beyond its interval."""
    _, low, high = change["difference"]
    return (low > 0) | (high < 0)


def changes(one, point, s):
    """Contrast and AUC as they are and without the component, and their differences, as cells: contrast and what changes with intervals."""
    at = {(measure, when): [part[point, s] for part in one[measure][when]] for measure in ("contrast", "auc") for when in one[measure]}
    return [*(with_interval(*at["contrast", when]) for when in ("before", "after", "difference")),
            *(number(at["auc", when][0]) for when in ("before", "after")), with_interval(*at["auc", "difference"], number)]


def effect(one, point, s, up, down, none):
    """In words, from the interval of the difference in contrast."""
    _, low, high = (part[point, s] for part in one["contrast"]["difference"])
    return up if low > 0 else down if high < 0 else none


def erasers_tried(emergence, curve, found):
    """A row for each called dip and each component that is said to have erased it: a cause where the concept comes back without it."""
    ran, rows = {one["component"]: one for one in found}, []
    for dip in curve.dips:
        s, p = dip["subject"], dip["at"]
        for name in dip["erased_by"]:
            told = ["–"] * (len(CHANGES) + 1) + ["not tried"]
            if one := ran.get(name):
                back = percent(one["contrast"]["difference"][0][p, s] / dip["depth"])
                told = [*changes(one, p, s), back, effect(one, p, s, "a cause", "it writes for it", "no cause shown")]
            rows.append([emergence.subjects[s], style.Axis(curve).labels[p], name, *told])
    if not rows:
        return ""
    return ("<p>At the bottoms of dips, without those that wrote against the concept on the way there. A cause: without it the concept comes back, beyond the "
            "interval; where no cause is shown, to have written against it was a correlate.</p>"
            + table(["subject", "layer", "without", *CHANGES, "back, % of depth", "it is"], rows, emergence))


SIZED = (("FVU", "fvu", number), ("F1", "f1", number), *((name, measure, "{:.0f}".format) for name, measure in (
    ("hold", "interpretable"), ("not", "uninterpretable"), ("unsupported", "unsupported"), ("dead", "dead"), ("subjects", "subjects"))),
    ("fires %", "probe_activation", percent), ("contrast %", "contrast", percent))


def sizes(found):
    """A row for each size of the dictionary; of several seeds the mean and the range."""
    columns = [[with_interval(*at, show) if found.seeds > 1 else show(at[0]) for at in zip(*found.spread(measure))] for _, measure, show in SIZED]
    rows = [[str(k), str(latents), *row] for k, latents, *row in zip(found.k, found.latents, *columns)]
    said = ("Hold: labels whose F1 reaches the deck's bar; F1: mean over those judged; unsupported: too seldom seen to judge. Subjects: with a matched latent; "
            "fires, contrast: mean over these, on the judge part at the site itself." + (" In brackets the range over seeds." if found.seeds > 1 else ""))
    return f"<p>{said}</p>" + table(["k", "latents", *(name for name, *_ in SIZED)], rows)


def places(emergence, found):
    """What dictionaries made at different points say of each subject together, and how much each of them has."""
    curve, subjects = found.curve, range(len(emergence.subjects))
    matched_by, called_by = (which.sum(axis=0) for which in (found.matched, found.present))
    own = found.onset[found.own] if found.own is not None else np.full(len(subjects), np.nan)
    onsets = found.first, found.median, found.last, own
    rows = [[emergence.subjects[s], str(matched_by[s]), str(called_by[s]), *(place(of[s]) for of in onsets)] for s in subjects]
    by_subject = table(["subject", "matched by", "called by", "onset: earliest", "median", "latest", "the anchor's"], rows, emergence)
    labels = curve.models if curve.name == "scale" else style.Axis(curve).labels
    rows = [[labels[p] + (" (the anchor's)" if d == found.own else ""), *(str(n.sum()) for n in (found.interpretable[d], found.matched[d], found.present[d]))]
            for d, p in enumerate(found.home)]
    return (f"<h4>Births along {html.escape(curve.name)} as {len(found.home)} dictionaries tell them</h4><p>One was made at each point, and carried along "
            "the whole curve. Matched by: dictionaries with a latent for the subject; called by: those by which it rises for good; onset: the first point of "
            f"the rise, over these. The dictionaries share their probes, so that several which agree are not several witnesses.</p>{by_subject}"
            + table(["made at", "labels hold", "subjects matched", "called"], rows))


def judged(counts):
    """"35 latents, 67 % of those judged," """
    share = counts[0] / counts[:2].sum() if counts[:2].sum() else np.nan
    return f"{counts[0]} latents, {percent(share)} % of those judged,"


def verdicts(emergence, anchor):
    """How many labels hold, and how many do of a model that never learned."""
    counts, random = emergence.verdicts(anchor), emergence.verdicts(anchor, "random_weights")
    text = f"{judged(counts)} are interpretable, {counts[1]} are not, {counts[2]} have too little support, {counts[3]} are dead."
    if random is None:
        return text + " How many would be without any training is not known: controls.random_weights = labels tells."
    return text + f" In a model of the same shape with random weights {judged(random)} are interpretable: that much comes from the words of the texts alone."


def latents(emergence, anchor):
    found = emergence.latents(anchor)
    shown = cards.interpretable(found)[:cards.MOST]
    rows = []
    for j in shown:
        subjects = ", ".join(n for n, m in zip(emergence.subjects, found["matched"][j]) if m)
        rows.append([found["label"][j], str(j), number(found["f1"][j]), number(found["f1_low"][j]), str(found["support"][j]),
                     f"{100 * found['fire_rate'][j]:.1f}", subjects or "–"])
    return f"<h3>Interpretable latents</h3><p>{verdicts(emergence, anchor)}</p>" + table(
        ["label", "latent", "F1", "F1 low", "support", "fires %", "matched"], rows, links=[cards.name(anchor, j) for j in shown])


def models(emergence):
    """The models on the curves: parameters, and their steps and layers."""
    found = {}
    for anchor in emergence.anchors:
        for curve in emergence.curves(anchor):
            for model, params, step, layer in zip(curve.models, curve["params"], curve["step"], curve["layer"]):
                found.setdefault((params, model), (set(), set()))
                found[params, model][0].add(int(step))
                found[params, model][1].add(int(layer))
    rows = [[model, f"{params:,}".replace(",", " "), *(some(sorted(values)) for values in found[params, model])] for params, model in sorted(found)]
    return table(["model", "parameters", "steps", "layers"], rows)


def some(values):
    return ", ".join(map(str, values)) if len(values) <= 8 else f"{len(values)}: {values[0]}, {values[1]}, … {values[-1]}"


def anchors(emergence):
    rows = []
    for anchor in emergence.anchors:
        a, of = emergence.anchor_attributes(anchor), emergence.latents_attributes(anchor)
        rows.append([anchor, str(a["model"]), str(a["step"]), str(a["layer"]), str(sum(emergence.verdicts(anchor))), str(of.get("teacher", "–")),
                     number(float(of["tau"])), f"{percent(float(of.get('decoy_rate', np.nan)))} %"])
    return table(["anchor", "model", "step", "layer", "latents", "teacher", "τ", "decoys that match"], rows)

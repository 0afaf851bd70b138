"""One self-contained HTML page: everything inline, so that it opens offline and travels as one file."""

import html
import io
import re

import matplotlib.pyplot as plt
import numpy as np

from . import cards, figures
from .read import Emergence

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}
h1{font-size:1.5rem} h2{margin-top:2.5rem;border-bottom:1px solid #ddd} h3{margin-top:1.6rem}
table{border-collapse:collapse;font-size:13px;margin:.6rem 0} th,td{padding:.2rem .55rem;text-align:right}
th{border-bottom:1px solid #888} td:first-child,th:first-child{text-align:left} tr:nth-child(even){background:#f6f6f6}
.never td:first-child{color:#b04a00} figure{margin:1rem 0} figure svg{max-width:100%;height:auto}
figcaption{font-size:13px;color:#444} .note{background:#fff6e0;padding:.5rem .8rem;border-left:4px solid #E69F00}
pre{background:#f6f6f6;padding:.8rem;overflow:auto;font-size:12px} .wide{overflow-x:auto}
"""


def write(path, output, figure_folder=None):
    """Writes the page for the emergence file `path`; with `figure_folder` also each figure as SVG, PDF and PNG."""
    with Emergence(path) as emergence:
        body = "".join([head(emergence), *(anchor_part(emergence, a, figure_folder) for a in emergence.anchors), tail(emergence)])
    text = ("<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
            f"<title>Incipit: {html.escape(str(path))}</title><style>{STYLE}{cards.STYLE}</style><body>{body}</body></html>\n")
    temporary = output.with_name(f".{output.name}.tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(output)


def head(emergence):
    a = emergence.attributes
    never = [s for s, r in zip(emergence.subjects, emergence.read) if not r]
    parts = emergence.parts()
    rows = [[s, *map(str, counts)] for s, counts in zip(emergence.subjects, parts)]
    note = ""
    if never:
        note = (f"<p class=note>{html.escape(', '.join(never))}: no text of these was in the family's training data. Where they "
                "rise all the same, the model tells a domain by its language; detecting a domain is not knowing it.</p>")
    wrong = [[model, str(step), f"{status}: {reason}"] for model, step, status, reason in emergence.audit() if status != "ok"]
    audit = "" if not wrong else ("<h2>Left out</h2><p class=note>These checkpoints failed the audit; the curves have gaps there.</p>"
                                  + table(["model", "step", "why"], wrong))
    split = "" if a["split"] != "none" else "<p class=note>split: none. The same probes were used to fit and to judge.</p>"
    return (f"<h1>When, where and at what scale concepts are born</h1><p>Incipit {html.escape(str(a['program_version']))} "
            f"({html.escape(str(a['commit']))}), {html.escape(str(a['created']))}, {html.escape(str(a['device']))}, "
            f"{html.escape(str(a['precision']))}, seed {a['seed']}.</p>{split}{note}<h2>Probes</h2>"
            + table(["subject", "fit", "verify", "judge"], rows, emergence) + audit)


def anchor_part(emergence, anchor, figure_folder):
    a = emergence.anchor_attributes(anchor)
    parts = [f"<h2>Anchor {html.escape(anchor)}: {html.escape(str(a['model']))}, step {a['step']}, layer {a['layer']}</h2>"]
    for curve in emergence.curves(anchor):
        parts.append(f"<h3>Along {html.escape(curve.name)}</h3>")
        parts.append(headline(emergence, curve))
        for name, caption, figure in figures.of_curve(emergence, curve):
            if figure_folder is not None:
                save(figure, figure_folder, f"{anchor}-{curve.name}-{name}")
            parts.append(f"<figure>{svg(figure, f'{anchor}-{curve.name}-{name}')}<figcaption>{html.escape(caption)}</figcaption></figure>")
            plt.close(figure)
    parts.append(latent_table(emergence, anchor))
    parts.append(cards.section(emergence, anchor))
    return "".join(parts)


def percent(value):
    return "–" if not np.isfinite(value) else f"{100 * value:.0f}"


def home(emergence, curve):
    """The point of the curve where the anchor sits, else the last."""
    a = emergence.anchor_attributes(curve.anchor)
    for p, here in enumerate(zip(curve.models, curve["step"], curve["layer"])):
        if here == (a["model"], a["step"], a["layer"]):
            return p
    return curve.points - 1


def headline(emergence, curve):
    """What stands at the anchor itself; never a percentage without what it must be held against."""
    p = home(emergence, curve)
    get = {k: curve.measure(k)[p] for k in ("probe_activation", "contrast", "contrast_low", "contrast_high", "contrast_null_low",
                                            "contrast_null_high", "contrast_p", "auc")}
    probe = curve["probe_auc"][p]
    baseline = emergence.token_baseline(curve.anchor)
    matched = emergence.latents(curve.anchor)["matched"].sum(axis=0)
    rows = []
    for s, name in enumerate(emergence.subjects):
        rows.append([name, str(int(matched[s])), percent(get["probe_activation"][s]), percent(get["contrast"][s]),
                     f"{percent(get['contrast_low'][s])} to {percent(get['contrast_high'][s])}",
                     f"{percent(get['contrast_null_low'][s])} to {percent(get['contrast_null_high'][s])}",
                     "–" if not np.isfinite(get["contrast_p"][s]) else f"{get['contrast_p'][s]:.3f}",
                     "–" if not np.isfinite(get["auc"][s]) else f"{get['auc'][s]:.2f}",
                     "–" if not np.isfinite(probe[s]) else f"{probe[s]:.2f}",
                     percent(baseline["last_word"]["contrast"][s]), percent(baseline["bag_of_words"]["contrast"][s])])
    names = ["subject", "latents", "fires %", "contrast %", "95 %", "null 95 %", "p", "AUC", "probe AUC", "last word %", "all words %"]
    caption = f"<p>At {html.escape(curve.models[p])}, step {curve['step'][p]}, layer {curve['layer'][p]}; rung {curve.rungs[curve.shown]}.</p>"
    return caption + table(names, rows, emergence)


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


def latent_table(emergence, anchor, most=200):
    latents = emergence.latents(anchor)
    shown = cards.interpretable(latents)[:most]
    rows = []
    for j in shown:
        subjects = ", ".join(n for n, m in zip(emergence.subjects, latents["matched"][j]) if m)
        rows.append([latents["label"][j], str(j), f"{latents['f1'][j]:.2f}", f"{latents['f1_low'][j]:.2f}", str(latents["support"][j]),
                     f"{100 * latents['fire_rate'][j]:.1f}", subjects or "–"])
    return f"<h3>Interpretable latents</h3><p>{verdicts(emergence, anchor)}</p>" + table(["label", "latent", "F1", "F1 low", "support", "fires %", "matched"], rows, links=[cards.name(anchor, j) for j in shown])


def table(names, rows, emergence=None, links=None):
    """`links`: for each row, the id that its first cell leads to."""
    never = set() if emergence is None else {s for s, r in zip(emergence.subjects, emergence.read) if not r}
    lines = ["<div class=wide><table><tr>", *(f"<th>{html.escape(n)}" for n in names), "</tr>"]
    for r, row in enumerate(rows):
        lines.append("<tr class=never>" if row[0] in never else "<tr>")
        cells = [html.escape(cell) for cell in row]
        if links:
            cells[0] = f"<a href='#{html.escape(links[r])}'>{cells[0]}</a>"
        lines.extend(f"<td>{cell}" for cell in cells)
        lines.append("</tr>")
    return "".join(lines) + "</table></div>"


def tail(emergence):
    return f"<h2>The deck</h2><pre>{html.escape(emergence.deck)}</pre>"


def svg(figure, name):
    """Inline SVG whose ids are unique within the page."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg"):]
    for attribute, mark in (('id="', ""), ('href="#', ""), ("url(#", "")):
        text = re.sub(re.escape(attribute) + r"(?!" + re.escape(name) + ")", attribute + name + "-", text)
    return text


def save(figure, folder, name):
    folder.mkdir(parents=True, exist_ok=True)
    for ending in ("svg", "pdf", "png"):
        figure.savefig(folder / f"{name}.{ending}", metadata={"Date": None} if ending == "svg" else None)

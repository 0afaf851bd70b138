"""One self-contained HTML page: everything inline, so that it opens offline and travels as one file."""

import html
import io
import re

import matplotlib.pyplot as plt

from . import cards, figures, style, sweeps, tables
from .read import Emergence

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color:#222}
h1{font-size:1.5rem} h2{margin-top:2.5rem;border-bottom:1px solid #ddd} h3{margin-top:1.6rem} h4{margin:1rem 0 .2rem}
table{border-collapse:collapse;font-size:13px;margin:.6rem 0} th,td{padding:.2rem .33rem;text-align:right}
th{border-bottom:1px solid #888;vertical-align:bottom} td:first-child,th:first-child{text-align:left} tr:nth-child(even){background:#f6f6f6}
.never td:first-child{color:#b04a00} figure{margin:1.2rem 0} figure svg{width:100%;height:auto}
figcaption{font-size:13px;color:#444} .note{background:#fff6e0;padding:.5rem .8rem;border-left:4px solid #C77E00}
pre{background:#f6f6f6;padding:.8rem;overflow:auto;font-size:12px} .wide{overflow-x:auto} nav{line-height:2} nav a{margin-right:1rem}
@media print{figure,tr{break-inside:avoid} .wide{overflow:visible} table{font-size:9px}}
"""


def write(path, output):
    """Writes the page for the emergence file `path`."""
    with Emergence(path) as emergence:
        body = "".join([head(emergence), *(anchor_part(emergence, a) for a in emergence.anchors), tail(emergence)])
    text = ("<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
            f"<title>Incipit: {html.escape(str(path))}</title><style>{STYLE}{cards.STYLE}</style><body>{body}</body></html>\n")
    temporary = output.with_name(f".{output.name}.tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(output)


def head(emergence):
    a = emergence.attributes
    never = [s for s, r in zip(emergence.subjects, emergence.read) if not r]
    rows = [[s, *map(str, counts)] for s, counts in zip(emergence.subjects, emergence.parts())]
    note = ""
    if never:
        note = (f"<p class=note>{html.escape(', '.join(never))}: no text of these was in the family's training data. Where they "
                "rise all the same, the model tells a domain by its language; detecting a domain is not knowing it.</p>")
    wrong = [[model, str(step), f"{status}: {reason}"] for model, step, status, reason in emergence.audit() if status != "ok"]
    audit = "" if not wrong else ("<h2>Left out</h2><p class=note>These checkpoints failed the audit; the curves have gaps there.</p>"
                                  + tables.table(["model", "step", "why"], wrong))
    split = "" if a["split"] != "none" else "<p class=note>split: none. The same probes were used to fit and to judge.</p>"
    ways = "".join(f"<a href='#anchor-{html.escape(n)}'>Anchor {html.escape(n)}</a>" for n in emergence.anchors)
    return (f"<h1>When, where and at what scale concepts are born</h1><p>Incipit {html.escape(str(a['program_version']))} "
            f"({html.escape(str(a['commit']))}), {html.escape(str(a['created']))}, {html.escape(str(a['device']))}, "
            f"{html.escape(str(a['precision']))}, seed {a['seed']}.</p><nav>{ways}<a href='#deck'>The deck</a></nav>{split}{note}"
            f"<h2>What was run</h2>{tables.models(emergence)}{tables.anchors(emergence)}<h3>Probes</h3>"
            + tables.table(["subject", "fit", "verify", "judge"], rows, emergence) + audit)


def anchor_part(emergence, anchor):
    a = emergence.anchor_attributes(anchor)
    parts = [f"<h2 id='anchor-{html.escape(anchor)}'>Anchor {html.escape(anchor)}: {html.escape(str(a['model']))}, step {a['step']}, layer {a['layer']}</h2>"]
    for curve in emergence.curves(anchor):
        parts.append(f"<h3>Along {html.escape(curve.name)}</h3>")
        if curve.name != "grid":  # a grid is no line: nothing is born along it
            parts += [tables.headline(emergence, curve), "<h4>What the curve says</h4>", tables.conclusions(emergence, curve),
                      tables.ablations(emergence, curve)]
        parts += [drawn(drawing, f"{anchor}-{curve.name}-{drawing.name}") for drawing in figures.of_curve(emergence, curve)]
    return "".join([*parts, swept(emergence, anchor), tables.latents(emergence, anchor), cards.section(emergence, anchor)])


def swept(emergence, anchor):
    """What hangs on the dictionary's size and on its place; nothing where no sweep lies beside the file."""
    parts = []
    if (found := sweeps.sizes(emergence, anchor)) is not None:
        parts += ["<h3>The dictionary's size</h3>", tables.sizes(found), drawn(figures.of_sizes(anchor, found), f"{anchor}-sizes")]
    for i, found in enumerate(sweeps.places(emergence, anchor)):
        drawing = figures.of_places(emergence, found)
        parts += ["" if i else "<h3>The dictionary's place</h3>", tables.places(emergence, found), drawn(drawing, f"{anchor}-{drawing.name}")]
    return "".join(parts)


def drawn(drawing, name):
    """The figure with its caption; nothing where the file has nothing for it."""
    figure = drawing.draw(width=style.DOUBLE)
    if figure is None:
        return ""
    text = f"<figure>{svg(figure, name)}<figcaption>{html.escape(drawing.caption)}</figcaption></figure>"
    plt.close(figure)
    return text


def tail(emergence):
    return f"<h2 id=deck>The deck</h2><pre>{html.escape(emergence.deck)}</pre>"


def svg(figure, name):
    """Inline SVG whose ids are unique within the page."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg"):]
    return re.sub(r'(\bid="|href="#|url\(#)', lambda found: found[0] + name + "-", text)

"""A card for each interpretable latent: its label, how far to trust it, the texts nearest to it, and how often it fires along the axes."""

import html

import numpy as np

from . import style

STYLE = """
.card{border:1px solid #ccc;border-radius:6px;padding:.7rem 1rem .9rem;margin:1rem 0;break-inside:avoid}
.card h4{margin:0;font-size:1.05rem;overflow-wrap:anywhere} .card .where{color:#666;font-weight:normal;font-size:13px;margin-left:.5rem}
.card .charts{display:flex;flex-wrap:wrap;gap:.4rem 1.6rem;margin:.5rem 0} .card svg{max-width:100%;height:auto}
.card h5{margin:.7rem 0 .15rem;font-size:13px;color:#444;font-weight:600}
.card ol{list-style:none;margin:0;padding:0;font-size:14px} .card li{display:flex;gap:.7rem;padding:.12rem 0}
.card li:nth-child(even){background:#f6f6f6}
.card .n{flex:0 0 3.6rem;text-align:right;color:#555;font-variant-numeric:tabular-nums}
.card .text{overflow-wrap:anywhere;min-width:0} .card p{margin:.3rem 0;font-size:14px}
.chip{display:inline-block;background:#e8f1f8;border-radius:3px;padding:0 .45rem;margin:0 .3rem .2rem 0} .chip.never{background:#fdeee2}
"""
SIDES = (("Fires most strongly (activation)", "activation", 5), ("Fires, by the least margin", "margin", 3),
         ("Silent, but nearly fires (margin)", "margin", 3))
LONGEST = 420  # characters of a text
MOST = 200  # cards of an anchor


def section(emergence, anchor):
    """All cards of an anchor, the best F1 first; nothing where no latent is interpretable."""
    latents = emergence.latents(anchor)
    every = interpretable(latents)
    order = every[:MOST]
    if not order:
        return ""
    nearest = emergence.nearest(anchor, order)
    charts = [(curve, style.Axis(curve), curve.measure("fire_rate")) for curve in emergence.curves(anchor) if curve.has("fire_rate")]
    note = ("<p>Texts are of the verify part: neither the dictionary nor the label was made from them. Of each group of texts a list "
            "shows one at most. The margin is what a latent's pre-activation exceeds, or misses, the bar to fire by.</p>")
    if nearest is None:
        note = "<p class=note>This file was written before the texts nearest to each latent were kept.</p>"
    if len(every) > len(order):
        note += f"<p class=note>Of {len(every)} interpretable latents the {len(order)} with the best F1 have a card; incipit inspect --latent shows any.</p>"
    cards = (card(emergence, anchor, latents, j, (nearest or {}).get(j, {}), charts) for j in order)
    return f"<h3>Latent cards</h3>{note}" + "".join(cards)


def interpretable(latents):
    """Numbers of the interpretable latents, the best F1 first."""
    f1 = np.nan_to_num(np.asarray(latents["f1"]), nan=-1.0)
    return [int(j) for j in np.argsort(-f1, kind="stable") if latents["status"][j] == 0]


def name(anchor, latent):
    """The card's id, for links to it."""
    return f"latent-{anchor}-{latent}"


def card(emergence, anchor, latents, j, texts, charts):
    never = {s for s, r in zip(emergence.subjects, emergence.read) if not r}
    similarity, matched = latents["similarity"][j], latents["matched"][j].astype(bool)
    order = [c for c in np.argsort(-similarity, kind="stable") if matched[c]]
    chips = "".join(f"<span class='chip{' never' if emergence.subjects[c] in never else ''}'>"
                    f"{html.escape(style.title(emergence.subjects[c], emergence.read[c]))} {similarity[c]:.2f}</span>" for c in order)
    subjects = chips or "no subject"
    parts = [f"<article class=card id='{html.escape(name(anchor, j))}'><h4 dir=auto>{clean(latents['label'][j])}"
             f"<span class=where>{html.escape(anchor)}:{j}</span></h4>",
             f"<p>Matches (cosine): {subjects}</p><div class=charts>{score_bars(latents, j)}"]
    parts += [fire_chart(curve, axis, rates[:, j]) for curve, axis, rates in charts]
    parts.append("</div>")
    for side, (heading, number, most) in enumerate(SIDES):
        parts.append(text_list(heading, number, texts.get(side, [])[:most]))
    return "".join(parts) + "</article>"


def text_list(heading, number, texts):
    if not texts:
        return ""
    items = "".join(f"<li><span class=n>{t[number]:.2f}</span><span class=text dir=auto>{clean(t['text'], LONGEST)}</span></li>" for t in texts)
    return f"<h5>{heading}</h5><ol>{items}</ol>"


def clean(text, longest=None):
    """Text of unknown origin as HTML: shortened, without control characters, escaped."""
    plain = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if longest is not None and len(plain) > longest:
        plain = plain[:longest].rsplit(" ", 1)[0] + " …"
    return html.escape(plain)


def score_bars(latents, j):
    """F1 beside what a teacher reaches that always says yes, and one that tosses a coin."""
    low = latents["f1_low"][j]
    rows = [("label", latents["f1"][j], style.BLUE), ("always yes", latents["f1_always_yes"][j], style.GREY), ("coin", latents["f1_coin"][j], style.GREY)]
    parts = ["<svg width=270 height=96 viewBox='0 0 270 96' role=img font-family='system-ui,sans-serif' font-size=12>",
             f"<title>F1 {latents['f1'][j]:.2f}</title><text x=0 y=12 fill='#444'>F1 on verify texts{', dotted: 95 % bound' if np.isfinite(low) else ''}</text>"]
    for i, (who, value, colour) in enumerate(rows):
        y = 22 + 24 * i
        known = np.isfinite(value)
        width = 126 * value if known else 0
        parts.append(f"<text x=72 y={y + 13} text-anchor=end fill='#444'>{who}</text>"
                     f"<rect x=78 y={y} width={width:.1f} height=17 fill='{colour}'/>"
                     f"<text x={84 + width:.1f} y={y + 13} fill='#222'>{f'{value:.2f}' if known else '–'}</text>")
    if np.isfinite(low):
        x = 78 + 126 * low
        parts.append(f"<path d='M{x:.1f} 20V41' stroke='#fff' stroke-width=2 /><path d='M{x:.1f} 20V41' stroke='#222' stroke-dasharray='2 2'>"
                     f"<title>95 % lower bound {low:.2f}</title></path>")
    return "".join(parts) + "</svg>"


def fire_chart(curve, axis, rates, width=300, height=96):
    """A line of how often the latent fires, from 0 to its largest, with its first, last and largest values beside it."""
    head = (f"<svg width={width} height={height} viewBox='0 0 {width} {height}' role=img font-family='system-ui,sans-serif' font-size=12>"
            f"<text x=0 y=12 fill='#444'>fires along {html.escape(curve.name)}, %</text>")
    known = np.flatnonzero(np.isfinite(rates))
    if not known.size:
        return head + f"<text x=0 y=50 fill='{style.GREY}'>no value at any point</text></svg>"
    positions, labels = axis.positions, axis.labels
    left, right, top, bottom = 34, width - 42, 34, height - 20
    span = positions[-1] - positions[0] or 1.0
    most = rates[known].max() or 1.0
    x = left + (right - left) * ((positions - positions[0]) / span if len(positions) > 1 else np.full(len(positions), 0.5))
    y = bottom - (bottom - top) * np.nan_to_num(rates) / most
    line = "".join(f"{'L' if i and i - 1 in set(known) else 'M'}{x[i]:.1f} {y[i]:.1f}" for i in known)
    parts = [head, f"<path d='M{left} {bottom}H{right}' stroke='#999'/><path d='{line}' fill=none stroke='{style.BLUE}' stroke-width=1.6 />"]
    parts += [f"<circle cx={x[i]:.1f} cy={y[i]:.1f} r=2.2 fill='{style.BLUE}'/>" for i in known]
    peak, first, last = int(known[np.argmax(rates[known])]), int(known[0]), int(known[-1])
    parts.append(f"<text x={x[first] - 5:.1f} y={y[first] + 4:.1f} text-anchor=end>{share(rates[first])}</text>")
    if last != first:
        parts.append(f"<text x={x[last] + 5:.1f} y={y[last] + 4:.1f}>{share(rates[last])}</text>")
    if peak not in (first, last):
        parts.append(f"<text x={x[peak]:.1f} y={y[peak] - 5:.1f} text-anchor=middle>{share(rates[peak])}</text>")
    ends = f"<text x={left} y={height - 4} fill='#666' font-size=11 text-anchor=middle>{html.escape(labels[0])}</text>"
    if len(labels) > 1:
        ends += f"<text x={right} y={height - 4} fill='#666' font-size=11 text-anchor=middle>{html.escape(labels[-1])}</text>"
    ends += f"<text x={(left + right) / 2} y={height - 4} fill='#666' font-size=11 text-anchor=middle>{html.escape(axis.name.split(' (')[0])}</text>"
    return "".join(parts) + ends + "</svg>"


def share(value):
    percent = 100 * value
    return f"{percent:.0f}" if percent >= 10 or percent == 0 else f"{percent:.1f}"

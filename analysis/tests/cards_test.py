"""Cards of latents, and what hangs on the threshold of matching, on a made-up file."""

import html.parser
import re
import xml.etree.ElementTree

import h5py
import numpy as np
from fixtures import drawn, emergence, file, own  # noqa: F401

from analysis import Emergence, cards, style
from analysis.figures import lines

VOID = {"br", "meta", "img"}


class Tags(html.parser.HTMLParser):
    """Every element that a page holds; fails on one that is not closed."""

    def __init__(self, text):
        super().__init__()
        self.seen, self.open = [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.seen.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.seen.append(tag)

    def handle_endtag(self, tag):
        while self.open[-1] in ("rect", "path", "circle") and tag != self.open[-1]:
            self.open.pop()
        assert self.open.pop() == tag


def test_each_interpretable_latent_has_a_card(emergence):
    text = cards.section(emergence, "time")
    f1 = emergence.latents("time")["f1"]
    expected = sorted((0, 1, 5), key=lambda j: -f1[j])
    assert re.findall(r"<article class=card id='latent-time-(\d+)'", text) == [str(j) for j in expected]
    for who in ("always yes", "coin"):
        assert text.count(f">{who}<") == 3
    assert text.count("fires along time, %") == 3


def test_texts_are_shown_on_their_sides_and_escaped(emergence):
    text = cards.section(emergence, "time")
    card = text[text.index("latent-time-0'"):]
    card = card[:card.index("</article>")]
    places = [card.index(part) for part in ("Fires most strongly", "a &lt;b&gt;bold&lt;/b&gt; &amp; [31mred&lt;/article&gt; text",
                                            "Fires, by the least margin", "third word", "Silent, but nearly fires", "שלום, a second text")]
    assert places == sorted(places)
    assert ">3.25<" in card and ">0.12<" in card and ">-0.25<" in card
    assert "word …</span>" in card and "\x1b" not in card
    assert "label &lt;0&gt;" in card
    assert set(Tags(text).seen) <= {"h3", "h4", "h5", "p", "article", "div", "span", "ol", "li", "svg", "title", "text", "rect", "path", "circle"}


def test_a_latent_without_texts_has_no_empty_lists(emergence):
    text = cards.section(emergence, "time")
    card = text[text.index("latent-time-5'"):]
    assert "<ol>" not in card[:card.index("</article>")]


def test_a_file_from_before_the_texts_says_so(own):
    with h5py.File(own, "r+") as file:
        del file["anchors/time/latents/nearest"], file["anchors/time/curves/time/fire_rate"]
    with Emergence(own) as emergence:
        text = cards.section(emergence, "time")
    assert "written before the texts" in text and "fires along" not in text and text.count("<article") == 3


def test_nothing_interpretable_means_no_section(own):
    with h5py.File(own, "r+") as file:
        file["anchors/time/latents/status"][...] = 2
    with Emergence(own) as emergence:
        assert cards.section(emergence, "time") == ""


def chart(emergence, rates):
    curve = emergence.curves("time")[0]
    return cards.fire_chart(curve, style.Axis(curve), np.array(rates))


def test_a_chart_shows_first_last_and_largest_and_leaves_gaps(emergence):
    svg = chart(emergence, [0.001, 0.5, 0.25, np.nan, 0.3, 0.2])
    xml.etree.ElementTree.fromstring(re.sub(r"=([^'\s>/]+)", r"='\1'", svg))
    assert svg.count("<circle") == 5
    line = re.search(r"d='(M[^']*L[^']*)'", svg)[1]
    assert line.count("M") == 2 and line.count("L") == 3
    for value in (">0.1<", ">50<", ">20<"):
        assert value in svg
    for value in (">25<", ">30<"):
        assert value not in svg


def test_a_chart_of_nothing_and_of_silence(emergence):
    assert "no value at any point" in chart(emergence, [np.nan] * 6)
    silent = chart(emergence, [0.0] * 6)
    assert silent.count(">0<") == 3 and "nan" not in silent  # both ends of the line, and the first step's name


def test_what_hangs_on_tau(emergence):
    sweep = emergence.curves("time")[0].tau
    assert sweep.tau[sweep.nearby].tolist() == [0.2, 0.25, 0.3, 0.35, 0.4]
    assert sweep.hanging.tolist() == [False, True, True]
    figure = lines.tau_sweep(emergence, emergence.curves("time")[0], style.SINGLE)
    assert [ax.get_title() for ax in figure.axes[:3]] == ["biology", "law & order (never read, hangs on τ)", "math (hangs on τ)"]


def test_a_tau_far_from_the_sweep_says_nothing(own):
    with h5py.File(own, "r+") as file:
        file["anchors/time/latents"].attrs["tau"] = 0.9
    with Emergence(own) as emergence:
        assert not emergence.curves("time")[0].tau.hanging.any()

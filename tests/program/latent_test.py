"""What is known of a latent: its nearest texts, how often it fires along the curves, its card in the report; and what hangs on tau."""

import re
import shutil
import subprocess
import sys

import h5py
import numpy as np
import pytest

import browser
import little
from conftest import ROOT, incipit

PREFIX = "</article><script>document.title='bad'</script>\x1b[31m שלום "  # must come through harmless, everywhere
K = 2


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A family with two widths that has run; some texts are long."""
    family = little.Family(tmp_path_factory.mktemp("latent"), steps=(0, 5))
    family.write_probes([p | {"text": PREFIX + p["text"]} for p in family.probes()])
    result = incipit("run", family.deck, f"--run.output={family.folder / 'out'}", f"--sae.k={K}", "--sae.latents=12", "--interpret.f1=0.3",
                     "--match.tau=0.2", ranks=2)
    assert result.code == 0, result.text
    family.log = result.out
    return family


def inspect(family, latent, file=None):
    return incipit("inspect", "--latent", latent, file or family.folder / "out" / "emergence.h5")


def match(family, output, *words, ranks=1):
    return incipit("match", family.deck, f"--run.output={output}", f"--sae.k={K}", "--sae.latents=12", "--interpret.f1=0.3", *words, ranks=ranks)


def pre_activations(family, anchor):
    """z [probe, latent] at the anchor, from the files alone."""
    out = family.folder / "out"
    with h5py.File(out / "emergence.h5") as file:
        a = file[f"anchors/{anchor}"].attrs
        model, step, layer = a["model"].decode() if isinstance(a["model"], bytes) else a["model"], int(a["step"]), int(a["layer"])
    with h5py.File(out / f"activations/{model}/step{step}.h5") as file:
        x = file["residual"][file["layer"][()].tolist().index(layer)].astype(float)
    with h5py.File(out / f"sae/{anchor}.h5") as sae:
        u = (x - sae["mean"][()]) / sae["scale"][()] - sae["pre_bias"][()]
        return u @ sae["encoder"][()].T.astype(float) + sae["encoder_bias"][()]


@pytest.mark.parametrize("anchor", ["time", "scale"])
def test_nearest_texts_and_fire_rates_are_those_of_the_dictionary(done, anchor):
    z = pre_activations(done, anchor)
    kept = np.argsort(-z, axis=1, kind="stable")[:, :K]
    fires = np.zeros_like(z, dtype=bool)
    np.put_along_axis(fires, kept, np.take_along_axis(z, kept, axis=1) > 0, axis=1)
    descending = -np.sort(-z, axis=1)
    margin = z - np.maximum(0, np.where(fires, descending[:, K : K + 1], descending[:, K - 1 : K]))
    with h5py.File(done.folder / "out" / "emergence.h5") as file:
        part, group = file["probes/part"][()], file["probes/group"][()]
        curve = file[f"anchors/{anchor}/curves/{anchor}"]
        rate, steps, models = curve["fire_rate"][()], curve["step"][()], curve["model"][()]
        home = [i for i in range(len(steps)) if steps[i] == 5 and models[i] == b"large"][0]
        np.testing.assert_allclose(rate[0, home], fires[part == 2].mean(axis=0), atol=1e-6)
        near = file[f"anchors/{anchor}/latents/nearest"]
        latent, probe, side = near["latent"][()], near["probe"][()], near["side"][()]
        shown = dict(zip(near["texts/probe"][()].tolist(), near["texts/text"][()]))
    verify = np.flatnonzero(part == 1)
    for j in range(z.shape[1]):
        firing, silent = verify[fires[verify, j]], verify[~fires[verify, j]]
        mine = {s: probe[(latent == j) & (side == s)] for s in range(3)}
        assert all(len(set(group[p])) == len(p) for p in mine.values())
        assert set(mine[0]) | set(mine[1]) <= set(firing) and set(mine[2]) <= set(silent)
        if firing.size:
            rest = firing[~np.isin(firing, mine[1])]
            assert z[mine[0][0], j] == pytest.approx(z[rest, j].max(), abs=1e-4)
            assert len(mine[1]) == min(5, len(set(group[firing])) // 3)
        if len(mine[1]):
            assert margin[mine[1][0], j] == pytest.approx(margin[firing, j].min(), abs=1e-4)
        assert margin[mine[2][0], j] == pytest.approx(margin[silent, j].max(), abs=1e-4)
        assert len(mine[2]) == 5
    texts = [PREFIX + p["text"] for p in done.probes()]
    assert shown and all(text.decode() == texts[p] for p, text in shown.items())


def interpretable(family, anchor="time"):
    with h5py.File(family.folder / "out" / "emergence.h5") as file:
        return np.flatnonzero(file[f"anchors/{anchor}/latents/status"][()] == 0)


def test_a_latent_is_told_in_full(done):
    j = interpretable(done)[0]
    result = inspect(done, f"time:{j}")
    assert result.code == 0, result.text
    with h5py.File(done.folder / "out" / "emergence.h5") as file:
        latents, curve = file["anchors/time/latents"], file["anchors/time/curves/time"]
        assert result.out.startswith(f"time:{j}  {latents['label'][j].decode()}\n")
        row = [f"{latents[name][j]:.2f}" for name in ("f1", "f1_always_yes", "f1_coin")]
        assert re.search(r"^F1\s+" + r"\s+".join(row) + "$", result.out, re.M), result.out
        for step, rate in zip(curve["step"][()], curve["fire_rate"][0, :, j]):
            assert re.search(rf"^{step}\s+{100 * rate:.1f}\b", result.out, re.M), result.out
        near = latents["nearest"]
        mine = near["latent"][()] == j
        for number in near["activation"][()][mine & (near["side"][()] == 0)]:
            assert f"{number:.3f}  " in result.out
    assert "interpretable: " in result.out and "nearly fires" in result.out and "AUC of the teacher's scores" in result.out
    assert "\x1b" not in result.out and "</article><script>document.title='bad'</script> [31m שלום " in result.out
    assert max(map(len, result.out.splitlines())) <= 120
    assert incipit("inspect", done.folder / "out" / "emergence.h5", f"--latent=time:{j}").out == result.out


def test_every_latent_can_be_told(done):
    with h5py.File(done.folder / "out" / "emergence.h5") as file:
        status = file["anchors/space/latents/status"][()]
    for kind in set(status.tolist()):
        result = inspect(done, f"space:{np.flatnonzero(status == kind)[0]}")
        assert result.code == 0, result.text
        assert ["interpretable: ", "not interpretable: ", "unsupported, ", "dead: "][kind] in result.out


@pytest.mark.parametrize("latent, part", [("depth:1", "there are time, scale, space"), ("time:12", "there are 0 to 11"), ("time", "ANCHOR:LATENT"),
                                          ("time:x", "time:37"), (":3", "ANCHOR:LATENT"), ("time:-1", "ANCHOR:LATENT"), ("time:3x", "ANCHOR:LATENT")])
def test_what_is_not_there_is_refused(done, latent, part):
    result = inspect(done, latent)
    assert result.code == 64 and part in result.err and result.out == "", result.text


def test_other_files_and_older_ones_are_refused(done, tmp_path):
    result = inspect(done, "time:1", done.folder / "out" / "labels" / "time.h5")
    assert result.code == 65 and "labels" in result.err
    assert inspect(done, "time:1", tmp_path / "none.h5").code == 74
    assert incipit("inspect", "--latent").code == 64
    older = tmp_path / "emergence.h5"
    shutil.copy(done.folder / "out" / "emergence.h5", older)
    with h5py.File(older, "r+") as file:
        del file["anchors/time/curves/time/fire_rate"]
    assert "curves/time/fire_rate" in inspect(done, "time:1", older).err
    with h5py.File(older, "r+") as file:
        del file["anchors/time/latents/nearest"]
    result = inspect(done, "time:1", older)
    assert result.code == 65 and "latents/nearest" in result.err and "labels/time.h5" in result.err
    assert "always yes" in result.out  # what there is


def last_points(out):
    """The table of a curve by threshold: {anchor: {subject: [cell by tau]}}."""
    found = {}
    for anchor, table in re.findall(r"Anchor (\w+) at other thresholds.*?fires % along \1 at its last point.*?\n(subject.*?)\n\n", out, re.S):
        lines = table.splitlines()
        found[anchor] = {words[0]: words[1:] for words in map(str.split, lines[2:])}
    return found


def test_match_counts_the_curves_at_other_thresholds_as_track_did(done, tmp_path):
    shutil.copytree(done.folder / "out", tmp_path / "out")
    result = match(done, tmp_path / "out", "--match.tau=0.2")
    assert result.code == 0, result.text
    tables = last_points(result.out)
    assert set(tables) == {"time", "scale", "space"}
    with h5py.File(done.folder / "out" / "emergence.h5") as file:
        for anchor, table in tables.items():
            values = file[f"anchors/{anchor}/tau/{anchor}/probe_activation"][:, -1]
            for c, subject in enumerate(file["subject"][()]):
                expected = ["-" if np.isnan(v) else f"{100 * v:.0f}" for v in values[:, c]]
                assert table[subject.decode()] == expected
    assert last_points(match(done, tmp_path / "out", "--match.tau=0.2", ranks=3).out) == tables
    # Under the table of a run stands the same verdict.
    verdicts = re.findall(r"^Anchor \w+: .*hangs? on tau.*$", result.out, re.M)
    assert len(verdicts) == 3 and all(verdict in done.log for verdict in verdicts)


def test_match_alone_tells_of_other_phrases_and_thresholds(done, tmp_path):
    shutil.copytree(done.folder / "out", tmp_path / "out")
    before = (tmp_path / "out" / "emergence.h5").read_bytes()
    result = match(done, tmp_path / "out", "--match.tau=0.85", "--match.phrases=mean")
    assert result.code == 0, result.text
    header = re.search(r"^subject .*0\.95$", result.out, re.M)
    assert header, result.out  # on to 0.1 beyond the threshold
    assert (tmp_path / "out" / "emergence.h5").read_bytes() == before
    shutil.rmtree(tmp_path / "out" / "activations" / "small")
    result = match(done, tmp_path / "out", "--match.tau=0.3")
    assert result.code == 0, result.text
    assert "How the curve scale moves is not known" in result.out and "`incipit track`" in result.out
    assert set(last_points(result.out)) == {"time", "space"}


def test_the_report_shows_a_card_for_each(done, tmp_path):
    page = tmp_path / "report.html"
    made = subprocess.run([sys.executable, "-m", "analysis", "report", done.folder / "out" / "emergence.h5", "-o", page], cwd=ROOT,
                          capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    text = page.read_text(encoding="utf-8")
    cards = sum(len(interpretable(done, anchor)) for anchor in ("time", "space", "scale"))
    assert text.count("<article class=card") == cards > 3
    assert set(re.findall(r"href='#(latent-[^']*)'", text)) == set(re.findall(r"<article class=card id='([^']*)'", text))
    assert "<script" not in text and "\x1b" not in text
    if missing := browser.missing():
        pytest.skip(f"the page was not opened: no {', '.join(missing)} here")
    with browser.Browser(tmp_path) as window:
        window.offline()
        window.open(page)
        assert window.script("return document.title").startswith("Incipit: ")
        assert window.script("return document.querySelectorAll('article.card').length") == cards
        assert window.script("return [...document.querySelectorAll('.card .text')].every(e => e.textContent.startsWith('</article><script>'))")
        window.resize(400, 800)
        assert window.script("return [...document.querySelectorAll('.card')].every(e => e.scrollWidth <= e.clientWidth)")

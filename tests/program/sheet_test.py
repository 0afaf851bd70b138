"""Sheets for people: drawn from emergence.h5, filled in by hand and in a browser, and held against the teacher."""

import csv
import io
import random
import re
import time

import h5py
import numpy as np
import pytest

import browser
import little
from conftest import incipit

PREFIX = "</script><b>שלום</b> "  # must come through as it is, everywhere


def draw(family, output, *words):
    return incipit("sheet", family.folder / "out" / "emergence.h5", "--texts=4", f"--output={output}", *words)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A family that has run, and a sheet about it."""
    family = little.Family(tmp_path_factory.mktemp("sheet"))
    family.write_probes([probe | {"text": PREFIX + probe["text"]} for probe in family.probes()])
    result = incipit("run", family.deck, f"--run.output={family.folder / 'out'}", "--interpret.f1=0.3", "--sae.latents=16")
    assert result.code == 0, result.text
    result = draw(family, family.folder / "sheet")
    assert result.code == 0, result.text
    return family


def rows_of(folder):
    text = (folder / "sheet.csv").read_bytes().decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def key_of(folder):
    """Per item: (card, number) -> decoy, fires, the teacher's answer."""
    with h5py.File(folder / "key.h5") as file:
        decoy = file["cards/latent"][()] != file["cards/label_latent"][()]
        items = zip(*(file["items/" + name][()].tolist() for name in ("card", "number", "fires", "teacher")))
        return {(card, number): (bool(decoy[card - 1]), fires, teacher) for card, number, fires, teacher in items}


def teachers_answer(truth):
    decoy, _, teacher = truth
    return "no" if decoy else ["no", "yes", "?"][teacher]


def fill(folder, path, answer, separator=",", **columns):
    """Fills sheet.csv as a person with a spreadsheet would."""
    key = key_of(folder)
    rows = [row | columns | {"answer": answer(key[int(row["card"]), int(row["item"])])} for row in rows_of(folder)]
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys(), delimiter=separator)
        writer.writeheader()
        writer.writerows(rows)
    return path


def agreement(path):
    with open(path, encoding="utf-8", newline="") as file:
        return {(row["measure"], row["raters"], row["subject"]): row for row in csv.DictReader(file)}


def test_a_sheet_is_complete_and_valid(drawn):
    folder = drawn.folder / "sheet"
    assert sorted(p.name for p in folder.iterdir()) == ["key.h5", "sheet.csv", "sheet.html"]
    result = incipit("inspect", "--validate", folder / "key.h5")
    assert result.code == 0, result.text
    rows, key = rows_of(folder), key_of(folder)
    assert {(int(r["card"]), int(r["item"])) for r in rows} == set(key) and len(rows) == len(key) > 20
    assert all(r["answer"] == "" and r["text"].startswith(PREFIX) and r["label"] for r in rows)
    decoys = [truth for truth in key.values() if truth[0]]
    assert len(decoys) == len(key) / 2 and all(teacher == 3 for _, _, teacher in decoys)
    assert sum(fires for _, fires, _ in key.values()) == len(key) / 2


def test_labels_and_answers_in_the_key_are_those_of_the_run(drawn):
    with h5py.File(drawn.folder / "out" / "emergence.h5") as file, h5py.File(drawn.folder / "sheet" / "key.h5") as key:
        latents = file["anchors/time/latents"]
        judgements = latents["judgements"]
        asked = {
            (latent, probe): (fires, answer)
            for latent, probe, fires, answer in zip(*(judgements[n][()].tolist() for n in ("latent", "probe", "fires", "answer")))
        }
        latent, shown = key["cards/latent"][()].tolist(), key["cards/label_latent"][()].tolist()
        assert all(latents["status"][j] == 0 for j in latent + shown)
        assert [latents["label"][j] for j in shown] == key["cards/label"][()].tolist()
        items = zip(*(key["items/" + n][()].tolist() for n in ("card", "probe", "fires", "teacher")))
        for card, probe, fires, teacher in items:
            decoy = latent[card - 1] != shown[card - 1]
            fired, answer = asked[latent[card - 1], probe]
            assert (fires, teacher) == (fired, 3 if decoy else answer)


def test_the_same_seed_gives_the_same_sheet_and_goes_on(drawn, tmp_path):
    for _ in range(2):
        assert draw(drawn, tmp_path / "a").code == 0
    for name in ("sheet.csv", "sheet.html"):
        assert (tmp_path / "a" / name).read_bytes() == (drawn.folder / "sheet" / name).read_bytes()
    first, again = little.datasets(tmp_path / "a" / "key.h5"), little.datasets(drawn.folder / "sheet" / "key.h5")
    assert {n: v for n, v in first.items() if n != "inputs/path"} == {n: v for n, v in again.items() if n != "inputs/path"}
    (tmp_path / "a" / "sheet.html").unlink()
    assert draw(drawn, tmp_path / "a").code == 0
    assert (tmp_path / "a" / "sheet.html").exists()
    assert draw(drawn, tmp_path / "b", "--seed=2").code == 0
    assert (tmp_path / "b" / "sheet.csv").read_bytes() != (tmp_path / "a" / "sheet.csv").read_bytes()


def test_nothing_is_written_over(drawn, tmp_path):
    assert draw(drawn, tmp_path).code == 0
    result = draw(drawn, tmp_path, "--seed=2")
    assert result.code == 64 and "sheet.csv" in result.err and "--output" in result.err
    fill(tmp_path, tmp_path / "filled.csv", teachers_answer)
    (tmp_path / "filled.csv").rename(tmp_path / "sheet.csv")
    filled = (tmp_path / "sheet.csv").read_bytes()
    assert draw(drawn, tmp_path).code == 64
    assert (tmp_path / "sheet.csv").read_bytes() == filled
    (tmp_path / "sheet.csv").unlink()
    (tmp_path / "sheet.html").unlink()
    result = draw(drawn, tmp_path, "--seed=2")
    assert result.code == 64 and "key of another sheet" in result.err


@pytest.mark.parametrize(
    "words, code, message",
    [
        (["--anchor=nowhere"], 64, "there are time, scale, space"),
        (["--texts=60"], 65, "--texts"),
        (["--texts=3"], 64, "even"),
        (["--latents=some"], 64, "whole number"),
        (["--latent=3"], 64, "no option '--latent=3'"),
        (["--seed=-1"], 64, "whole number"),
    ],
)
def test_bad_words(drawn, tmp_path, words, code, message):
    result = draw(drawn, tmp_path / "x", *words)
    assert result.code == code and message in result.err, result.text
    assert not (tmp_path / "x").exists()


def test_a_run_without_interpretable_latents_or_judged_texts(drawn, tmp_path):
    out = drawn.folder / "out" / "emergence.h5"
    (tmp_path / "e.h5").write_bytes(out.read_bytes())
    with h5py.File(tmp_path / "e.h5", "a") as file:
        status = file["anchors/time/latents/status"]
        status[...] = np.where(status[()] == 0, 1, status[()])
    result = incipit("sheet", tmp_path / "e.h5", f"--output={tmp_path / 'x'}")
    assert result.code == 65 and "no interpretable latent" in result.err
    with h5py.File(tmp_path / "e.h5", "a") as file:
        del file["anchors/time/latents/judged"]
    result = incipit("sheet", tmp_path / "e.h5", f"--output={tmp_path / 'x'}")
    assert result.code == 65 and "judged/text" in result.err and "incipit run" in result.err
    assert incipit("inspect", "--validate", tmp_path / "e.h5").code == 0, "files from before stay valid"
    result = incipit("sheet", drawn.folder / "sheet" / "key.h5")
    assert result.code == 65, result.text
    assert incipit("sheet", tmp_path / "gone.h5").code == 74


def test_who_copies_the_teacher_agrees_and_who_guesses_does_not(drawn, tmp_path):
    folder = drawn.folder / "sheet"
    copies = [
        fill(folder, tmp_path / "ann.csv", teachers_answer),
        fill(folder, tmp_path / "b.csv", lambda t: teachers_answer(t).upper(), separator=";", rater="bén"),
    ]
    result = incipit("agree", folder / "key.h5", *copies, f"--output={tmp_path / 'agreement.csv'}")
    assert result.code == 0, result.text
    found = agreement(tmp_path / "agreement.csv")
    for row in [("cohen_kappa_teacher", "ann"), ("cohen_kappa", "ann / bén"), ("fleiss_kappa", "all"), ("fleiss_kappa_teacher", "all")]:
        assert [float(found[*row, "all"][n]) for n in ("value", "low", "high")] == [1, 1, 1]
    assert float(found["yes_decoy", "ann", "all"]["value"]) == 0
    assert found["f1", "ann", "all"]["value"] == found["f1_teacher", "ann", "all"]["value"]
    assert "cohen_kappa_teacher" in result.out and "1.00" in result.out

    luck = random.Random(1)
    guesses = [fill(folder, tmp_path / f"g{i}.csv", lambda _: luck.choice(["yes", "no"])) for i in range(20)]
    result = incipit("agree", folder / "key.h5", *guesses, f"--output={tmp_path / 'agreement.csv'}")
    assert result.code == 0, result.text
    found = agreement(tmp_path / "agreement.csv")
    kappas = [float(found["cohen_kappa_teacher", f"g{i}", "all"]["value"]) for i in range(20)]
    assert abs(np.mean(kappas)) < 0.15  # each has a standard deviation of about 0.2
    assert abs(float(found["fleiss_kappa", "all", "all"]["value"])) < 0.1
    assert abs(np.mean([float(found["yes_decoy", f"g{i}", "all"]["value"]) for i in range(20)]) - 0.5) < 0.1


def test_filled_sheets_that_do_not_belong(drawn, tmp_path):
    folder = drawn.folder / "sheet"
    ann = fill(folder, tmp_path / "ann.csv", teachers_answer)
    again = fill(folder, tmp_path / "again.csv", teachers_answer, rater="ann")
    other = fill(folder, tmp_path / "other.csv", teachers_answer, sheet="s123")
    for files, code, message in [
        ([ann, again], 65, "one file per person"),
        ([other], 65, "s123"),
        ([folder / "sheet.csv"], 65, "no answer"),
        ([], 64, "at least one filled sheet"),
        ([ann, f"--output={ann}"], 64, "would write over"),
        ([tmp_path / "gone.csv"], 74, "gone.csv"),
    ]:
        result = incipit("agree", folder / "key.h5", *files)
        assert result.code == code and message in result.err, result.text
    assert incipit("agree", drawn.folder / "out" / "emergence.h5", ann).code == 65


# The page itself.

chromium = pytest.mark.skipif(bool(browser.missing()), reason=f"not on this machine: {', '.join(browser.missing())}")


def wait_for(condition):
    for _ in range(100):
        if found := condition():
            return found
        time.sleep(0.1)
    raise AssertionError("nothing came")


@chromium
def test_the_page_is_filled_by_clicks_and_keys_and_remembers(drawn, tmp_path):
    folder, key = drawn.folder / "sheet", key_of(drawn.folder / "sheet")
    per_card, cards = 4, len(key) // 4
    letters = {"yes": "y", "no": "n", "?": "c"}
    with browser.Browser(tmp_path) as window:
        window.open(folder / "sheet.html")
        assert window.text("#count") == f"0 / {len(key)}"
        shown = window.script("return [...document.querySelectorAll('legend')].map(l => l.textContent)")
        assert shown == [row["text"] for row in rows_of(folder)[:per_card]]
        assert window.script("return document.querySelectorAll('#items b').length") == 0

        first = teachers_answer(key[1, 1])
        window.click(f"fieldset:first-child input[value='{first}']")
        assert window.text("#count") == f"1 / {len(key)}"
        window.keys("j")
        for item in range(2, per_card + 1):
            window.keys(letters[teachers_answer(key[1, item])])
        window.keys("enter")  # the focus is on "Next card" by now
        assert window.text("#where") == f"Card 2 of {cards}"
        window.keys("n")

        window.reload()
        assert window.text("#count") == f"{per_card + 1} / {len(key)}"
        assert window.text("#where") == f"Card 2 of {cards}"
        assert window.script("return document.querySelector('fieldset input:checked').value") == "no"
        assert len(window.script("return Object.keys(localStorage)")) == 1

        # An answer can be changed, and what is open found again.
        window.click("#previous")
        window.keys({"y": "n", "n": "y", "c": "y"}[letters[first]])
        window.click(f"fieldset:first-child input[value='{first}']")
        window.click("#open")
        for card in range(2, cards + 1):
            assert window.text("#where") == f"Card {card} of {cards}"
            window.click("fieldset:first-child input[value='no']")
            for item in range(1, per_card + 1):
                window.keys(letters[teachers_answer(key[card, item])])
            if card < cards:
                window.keys("enter")
        assert window.text("#count") == f"{len(key)} / {len(key)}"

        window.click("#save")
        assert not list(window.downloads.glob("*.csv")), "saved without a name"
        window.type("#rater", 'Zoë "Z", אבג')
        window.click("#save")
        saved = wait_for(lambda: list(window.downloads.glob("*.csv")))[0]
        assert window.script("return performance.getEntriesByType('resource').length") == 0
    result = incipit("agree", folder / "key.h5", saved, f"--output={tmp_path / 'agreement.csv'}")
    assert result.code == 0, result.text
    found = agreement(tmp_path / "agreement.csv")
    assert float(found["cohen_kappa_teacher", 'Zoë "Z", אבג', "all"]["value"]) == 1
    assert float(found["missing", 'Zoë "Z", אבג', "all"]["value"]) == 0


def luminance(colour):
    parts = [float(x) / 255 for x in re.findall(r"[\d.]+", colour)[:3]]
    red, green, blue = (x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


CONTRAST = """
const out = [];
for (const element of document.querySelectorAll('p, legend, span, strong, label, button, summary, h1, kbd')) {
  if (!element.offsetParent || element.disabled || !element.textContent.trim()) continue;
  let behind = element;
  while (getComputedStyle(behind).backgroundColor === 'rgba(0, 0, 0, 0)') behind = behind.parentElement;
  out.push([element.textContent.trim(), getComputedStyle(element).color, getComputedStyle(behind).backgroundColor]);
}
return out;
"""
UNNAMED = """
return [...document.querySelectorAll('input, button, fieldset, progress')].filter(element => !(
  element.getAttribute('aria-label') || element.textContent.trim() || (element.labels && element.labels.length)
)).map(element => element.outerHTML);
"""


@chromium
def test_the_page_needs_no_network_and_suits_phones_and_eyes(drawn, tmp_path):
    page = drawn.folder / "sheet" / "sheet.html"
    text = page.read_text()
    addresses = re.findall(r"""(?:src|href)\s*=\s*["']?([^"'\s>]*)""", text.split("<script")[0])
    assert addresses == ["data:,"], "only the empty icon"
    assert "url(" not in text and "@import" not in text and "fetch(" not in text and "XMLHttpRequest" not in text
    with browser.Browser(tmp_path, arguments=["--host-resolver-rules=MAP * ~NOTFOUND"]) as window:
        window.offline()
        window.open(page)
        window.click("fieldset:first-child input[value='yes']")
        assert window.text("#count").startswith("1 /")
        assert window.script("return performance.getEntriesByType('resource').length") == 0
        assert window.script(UNNAMED) == []
        for scheme in ("light", "dark"):
            features = [{"name": "prefers-color-scheme", "value": scheme}]
            window.post("/goog/cdp/execute", cmd="Emulation.setEmulatedMedia", params={"features": features})
            colours = window.script(CONTRAST)
            assert len(colours) > 20
            for words, front, back in colours:
                light, dark = sorted((luminance(front), luminance(back)), reverse=True)
                assert (light + 0.05) / (dark + 0.05) >= 4.5, (scheme, words, front, back)
        window.resize(320, 640)
        assert window.script("return document.documentElement.scrollWidth") <= 320
        heights = window.script("return [...document.querySelectorAll('.choices label, button')].map(b => b.offsetHeight)")
        assert min(heights) >= 44, "too small for a finger"

#!/usr/bin/env python3
"""Checks what lies in inputs/: probes, subjects' phrases, the bundled family, the decks' numbers.

    python3 tests/inputs/check_inputs.py [-v]

Standard library only. That no control's term is known from the training text is checked by
inputs/probes/check_terms.py, which needs the textbooks.
"""

import collections
import configparser
import hashlib
import json
import pathlib
import re
import struct
import sys
import unittest
import zlib

sys.dont_write_bytecode = True
INPUTS = pathlib.Path(__file__).resolve().parents[2] / "inputs"
sys.path.insert(0, str(INPUTS / "probes"))
import expand  # noqa: E402

TRAINED = {"biology", "business", "chemistry", "economics", "health", "history", "math", "physics", "psychology"}
CONTROLS = {"law", "philosophy", "engineering"}
REFERENCE = "nano-550k"
LAST_STEP = 4000
MOST_BYTES = 35_000_000
# A term with one of these says its own subject, or another's.
GIVEAWAYS = re.compile(
    r"econom|biolog|chemi|physic|psycholog|histor(?:y|ic|ian)|mathemat|\bmath|philosoph|engineer|legal|\blaws?\b|health|business"
    r"|computer science",
    re.IGNORECASE,
)


def tensors_of(path):
    """Header of a safetensors file, and how long the file has to be."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
    header.pop("__metadata__", None)
    return header, 8 + length + max(t["data_offsets"][1] for t in header.values())


def deck(name):
    parser = configparser.ConfigParser(comment_prefixes=("#",), inline_comment_prefixes=None, interpolation=None, strict=True)
    parser.read(INPUTS / name, encoding="utf-8")
    return parser


def parts(groups, seed=1):
    """Groups of one subject → fit, verify or judge (science §1)."""
    ordered = sorted(groups, key=lambda g: hashlib.sha256(f"{seed}:{g}".encode()).digest()[:8])
    return {group: ("fit", "verify", "fit", "judge")[i % 4] for i, group in enumerate(ordered)}


class Terms(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.terms = expand.read_terms(INPUTS / "probes" / "terms")
        cls.templates = expand.read_templates(INPUTS / "probes" / "templates.txt")

    def test_twelve_subjects_with_at_least_80_terms(self):
        self.assertEqual(set(self.terms), TRAINED | CONTROLS)
        for subject, terms in self.terms.items():
            self.assertGreaterEqual(len(terms), 80, subject)

    def test_no_term_stands_in_two_subjects_not_even_as_plural(self):
        def singular(term):
            return re.sub(r"s$", "", re.sub(r"ies$", "y", term.lower()))

        places = collections.defaultdict(list)
        for subject, terms in self.terms.items():
            for term in terms:
                places[singular(term)].append((subject, term))
        self.assertEqual([p for p in places.values() if len(p) > 1], [])

    def test_no_term_names_a_subject(self):
        told = [(s, t) for s, terms in self.terms.items() for t in terms if GIVEAWAYS.search(t)]
        self.assertEqual(told, [])

    def test_terms_are_plain(self):
        for terms in self.terms.values():
            for term in terms:
                self.assertRegex(term, r"^[A-Za-z0-9][A-Za-z0-9'-]*( [A-Za-z0-9][A-Za-z0-9'-]*)*$")

    def test_templates(self):
        self.assertGreaterEqual(len(self.templates), 8)
        ending = [t for t in self.templates if t.endswith(expand.MARK)]
        self.assertGreaterEqual(2 * len(ending), len(self.templates))
        for template in self.templates:
            self.assertIsNone(GIVEAWAYS.search(template), template)
        others = [t.split(expand.MARK)[1].split()[-1] for t in self.templates if t not in ending]
        self.assertEqual(len(others), len(set(others)), "two templates end in the same word")


class Probes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.bytes = (INPUTS / "probes" / "terms.jsonl").read_bytes()
        cls.probes = [json.loads(line) for line in cls.bytes.decode("utf-8").splitlines()]

    def test_file_is_what_the_script_writes(self):
        self.assertTrue(self.bytes == expand.expand(), "run inputs/probes/expand.py")

    def test_so_is_that_of_everyday_life(self):
        folder = INPUTS / "everyday"
        written = (folder / "terms.jsonl").read_bytes()
        self.assertTrue(written == expand.expand(folder), "run inputs/probes/expand.py inputs/everyday")
        subjects = {json.loads(line)["subject"] for line in written.decode("utf-8").splitlines()}
        known = json.loads((folder / "subjects.json").read_text(encoding="utf-8"))["subjects"]
        self.assertEqual(subjects, set(known))

    def test_enough_and_all_different(self):
        self.assertGreaterEqual(len(self.probes), 8000)
        self.assertEqual(len({p["id"] for p in self.probes}), len(self.probes))
        self.assertEqual(len({p["text"] for p in self.probes}), len(self.probes))

    def test_group_is_the_term_and_stands_in_the_text(self):
        of = {}
        for probe in self.probes:
            self.assertEqual(set(probe), {"id", "subject", "group", "text"})
            self.assertIn(probe["group"], probe["text"])
            self.assertEqual(of.setdefault(probe["group"], probe["subject"]), probe["subject"])

    def test_latents_average_twenty_verify_probes(self):
        nano = deck("nano.ini")
        groups = collections.defaultdict(set)
        for probe in self.probes:
            groups[probe["subject"]].add(probe["group"])
        part = {g: p for of_subject in groups.values() for g, p in parts(of_subject, nano["run"]["seed"]).items()}
        verify = sum(part[p["group"]] == "verify" for p in self.probes)
        latents = int(nano["sae"]["latents"])
        self.assertGreaterEqual(verify / latents, 20)
        self.assertLess(verify / latents, 22)


class Subjects(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        text = (INPUTS / "subjects.json").read_text(encoding="utf-8")

        def no_key_twice(pairs):
            if len({k for k, _ in pairs}) != len(pairs):
                raise ValueError("a key stands twice")
            return dict(pairs)

        cls.file = json.loads(text, object_pairs_hook=no_key_twice)

    def test_covers_the_probes_and_mmlu_pro(self):
        self.assertEqual(set(self.file["subjects"]), TRAINED | CONTROLS | {"computer science", "other"})

    def test_phrases(self):
        seen = set()
        for name, subject in self.file["subjects"].items():
            self.assertEqual(set(subject), {"phrases", "read"}, name)
            self.assertIs(subject["read"], name not in CONTROLS, name)
            self.assertTrue(3 <= len(subject["phrases"]) <= 6, name)
            for phrase in subject["phrases"]:
                self.assertTrue(phrase.strip() and len(phrase) <= 80, phrase)
                self.assertNotIn(phrase, seen)
                seen.add(phrase)

    def test_decoys(self):
        decoys = self.file["decoys"]
        self.assertGreaterEqual(len(decoys), 40)
        self.assertEqual(len(set(decoys)), len(decoys))
        # A lexical encoder's cosine with a phrase of unknown words is 0; were most decoys such, the 5 % point would
        # be no threshold.
        terms = expand.read_terms(INPUTS / "probes" / "terms")
        known = {w for of_subject in terms.values() for t in of_subject for w in re.findall("[a-z]{3,}", t.lower())}
        known -= {"the", "and", "for", "from", "not"}
        share = sum(bool(known & set(re.findall("[a-z]+", d.lower()))) for d in decoys) / len(decoys)
        self.assertGreaterEqual(share, 1 / 3)


class Family(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.steps = {
            model.name: sorted(int(step.name[4:]) for step in model.iterdir() if step.is_dir())
            for model in (INPUTS / "nano").iterdir() if model.is_dir()
        }

    def test_time_axis_and_scales(self):
        self.assertEqual(set(self.steps), {"nano-14k", "nano-41k", "nano-200k", "nano-550k", "nano-1.2m"})
        time = self.steps[REFERENCE]
        self.assertGreaterEqual(len(time), 10)
        self.assertEqual(time[0], 0)
        for model, steps in self.steps.items():
            self.assertEqual(steps[-1], LAST_STEP, model)

    def test_files_are_whole_real_and_readable(self):
        for model, steps in self.steps.items():
            for step in steps:
                folder = INPUTS / "nano" / model / f"step{step}"
                config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
                self.assertEqual(config["model_type"], "gpt_neox")
                header, length = tensors_of(folder / "model.safetensors")
                self.assertEqual((folder / "model.safetensors").stat().st_size, length)
                self.assertEqual(
                    header["gpt_neox.embed_in.weight"]["shape"], [config["vocab_size"], config["hidden_size"]])
        for path in INPUTS.rglob("*"):
            self.assertFalse(path.is_symlink(), path)
            if path.is_file():
                self.assertTrue(path.stat().st_mode & 0o444 == 0o444, path)

    def test_checkpoints_differ(self):
        digests = [hashlib.sha256(p.read_bytes()).hexdigest() for p in (INPUTS / "nano").rglob("model.safetensors")]
        self.assertEqual(len(set(digests)), len(digests))

    def test_validation_covers_what_is_here(self):
        validation = json.loads((INPUTS / "nano" / "validation.json").read_text(encoding="utf-8"))
        self.assertEqual(
            {m: sorted(int(s) for s in losses) for m, losses in validation["loss"].items()}, self.steps)

    def test_size(self):
        family = sum(p.stat().st_size for p in (INPUTS / "nano").rglob("*") if p.is_file())
        self.assertLessEqual(family, MOST_BYTES)
        # What a repository keeps of a file is its deflated bytes.
        stored = sum(len(zlib.compress(p.read_bytes(), 1)) for p in INPUTS.rglob("*") if p.is_file())
        self.assertLessEqual(stored, MOST_BYTES)


class Decks(unittest.TestCase):
    def test_values_hold_no_comment_and_inputs_that_are_ours_exist(self):
        for path in sorted(INPUTS.glob("*.ini")):
            for section in deck(path.name).values():
                for key, value in section.items():
                    self.assertNotIn("#", value, f"{path.name}: {section.name}.{key}")
                    self.assertFalse(value.startswith("/"), f"{path.name}: {section.name}.{key}")
        nano = deck("nano.ini")
        for section, key in (("family", "path"), ("probes", "path"), ("match", "subjects")):
            self.assertTrue((INPUTS / nano[section][key]).exists(), f"{section}.{key}")

    def test_nano_has_the_three_anchors(self):
        nano = deck("nano.ini")
        layers = {s[7:]: nano[s]["layer"] for s in nano.sections() if s.startswith("anchor.")}
        self.assertEqual(layers, {"time": "last", "space": "0", "scale": "last"})
        for anchor in layers:
            self.assertEqual(nano[f"anchor.{anchor}"]["model"], REFERENCE)
            self.assertEqual(nano[f"anchor.{anchor}"]["curves"], anchor)

    def test_question_decks_end_in_a_constant(self):
        for name in ("mmlu-pro.ini", "mmlu-pro-pythia-14m.ini"):
            questions = deck(name)
            self.assertEqual(questions["probes"]["template"], r"{question}\nSubject:")
            self.assertNotIn("anchor.space", questions.sections())


if __name__ == "__main__":
    unittest.main()

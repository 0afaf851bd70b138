#!/usr/bin/env python3
"""Counts how often each term occurs in the text the nano family was trained on.

    python3 check_terms.py TEXTBOOKS.jsonl.gz [-v]

A control subject (one without a book of its own in the text) must not be known: none of its terms may occur
more than twice in the whole text. A trained subject's terms should be known: they are counted in the text of
their own domain, and those below five are named. Exit status 1 if a control term occurs more than twice, or
if more than a tenth of a trained subject's terms are rare.

Case is ignored; a term is matched as a whole phrase, word by word, so that a hyphen, a line break or an
apostrophe between two words counts as a blank does. With -v every term is printed with its counts.
Standard library only.
"""

import argparse
import collections
import gzip
import json
import pathlib
import re
import statistics
import sys

MOST_IN_CONTROLS = 2
RARE = 5
MOST_RARE = 0.1
WORD = re.compile(r"[^\W_]+")


def words(text):
    return WORD.findall(text.lower())


def read_terms(folder):
    """Subject → its terms in the order of the file."""
    terms = {}
    for path in sorted(folder.glob("*.txt")):
        lines = path.read_text(encoding="utf-8").splitlines()
        terms[path.stem] = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    return terms


def count(textbooks, phrases):
    """Counter over (phrase, domain), and the set of domains; `phrases` are tuples of words."""
    by_first = collections.defaultdict(list)
    for phrase in phrases:
        by_first[phrase[0]].append(phrase)
    found = collections.Counter()
    domains = set()
    with gzip.open(textbooks, "rt", encoding="utf-8") as lines:
        for line in lines:
            section = json.loads(line)
            domain = section["domain"]
            domains.add(domain)
            text = words(section["text"])
            for i, word in enumerate(text):
                for phrase in by_first.get(word, ()):
                    if tuple(text[i:i + len(phrase)]) == phrase:
                        found[phrase, domain] += 1
    return found, domains


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("textbooks", help="JSON Lines, gzipped, with the fields domain and text")
    parser.add_argument("-v", "--verbose", action="store_true", help="print every term with its counts")
    arguments = parser.parse_args()

    terms = read_terms(pathlib.Path(__file__).resolve().parent / "terms")
    phrases = {tuple(words(term)) for subject in terms for term in terms[subject]}
    found, domains = count(arguments.textbooks, phrases)
    total = collections.Counter()
    for (phrase, _), n in found.items():
        total[phrase] += n

    bad = False
    print(f"{'subject':12s} {'terms':>5s} {'role':>8s} {'median':>7s} {'min':>5s} {'max':>6s}")
    for subject, own in terms.items():
        trained = subject in domains
        counts = [found[tuple(words(t)), subject] if trained else total[tuple(words(t))] for t in own]
        print(f"{subject:12s} {len(own):5d} {'trained' if trained else 'control':>8s} "
              f"{statistics.median(counts):7.1f} {min(counts):5d} {max(counts):6d}")
        named = [(t, n) for t, n in zip(own, counts) if (n < RARE if trained else n > MOST_IN_CONTROLS)]
        if named:
            print(f"    {'rare' if trained else 'too frequent'}: " + ", ".join(f"{t} ({n})" for t, n in named))
        bad |= len(named) > MOST_RARE * len(own) if trained else bool(named)
        if arguments.verbose:
            for term, n in zip(own, counts):
                print(f"    {n:6d} {total[tuple(words(term))]:6d}  {term}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

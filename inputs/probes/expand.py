#!/usr/bin/env python3
"""Writes terms.jsonl: every term of terms/SUBJECT.txt in every sentence of templates.txt.

    python3 expand.py [FOLDER]            writes terms.jsonl in the folder, by default that of this script
    python3 expand.py [FOLDER] --check    writes nothing; exit status 1 if terms.jsonl is not what would be written
    python3 expand.py [FOLDER] -o FILE    writes FILE

One probe a line: id "SUBJECT/TERM/N" (blanks of the term as hyphens, N the template from 1), subject, group (the
term: its probes never fall on two sides of a split), text. Subjects by name, terms and templates in the order of
their files, so equal files in give equal bytes out. A term in two subjects, a term or template given twice, a
template without exactly one {term}, or anything that would give two probes one id or one text is refused.
Standard library only.
"""

import argparse
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
MARK = "{term}"


class Refused(Exception):
    """What is wrong with the term lists or the templates, and where."""


def lines_of(path):
    """(line number, text) of the lines that are neither empty nor comments."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if line.strip() and not line.startswith("#"):
            yield number, line.strip()


def read_terms(folder):
    """Subject → terms, by subject's name; a term belongs to one subject only, whatever its capitals."""
    terms = {}
    seen = {}
    for path in sorted(folder.glob("*.txt")):
        terms[path.stem] = []
        for number, term in lines_of(path):
            here = f"{path.name}:{number}"
            if term.lower() in seen:
                raise Refused(f"{here}: term '{term}' stands at {seen[term.lower()]} already")
            seen[term.lower()] = here
            terms[path.stem].append(term)
    if not terms:
        raise Refused(f"{folder}: no term lists (SUBJECT.txt)")
    return terms


def read_templates(path):
    templates = []
    for number, template in lines_of(path):
        if template.count(MARK) != 1:
            raise Refused(f"{path.name}:{number}: a template holds {MARK} exactly once")
        if template in templates:
            raise Refused(f"{path.name}:{number}: template given twice")
        templates.append(template)
    if not templates:
        raise Refused(f"{path}: no templates")
    return templates


def probes(terms, templates):
    ids = set()
    texts = set()
    for subject in sorted(terms):
        for term in terms[subject]:
            for n, template in enumerate(templates, start=1):
                name = f"{subject}/{term.replace(' ', '-')}/{n}"
                text = template.replace(MARK, term)
                if name in ids or text in texts:
                    raise Refused(f"{subject}.txt: term '{term}' gives a second probe with the id or text of another: {name}")
                ids.add(name)
                texts.add(text)
                yield {"id": name, "subject": subject, "group": term, "text": text}


def expand(folder=HERE):
    """The bytes of terms.jsonl made from the term lists and templates in `folder`."""
    made = probes(read_terms(folder / "terms"), read_templates(folder / "templates.txt"))
    return "".join(json.dumps(p, ensure_ascii=False, separators=(",", ":")) + "\n" for p in made).encode("utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=pathlib.Path, default=HERE, help="of terms/ and templates.txt")
    parser.add_argument("-o", "--output", type=pathlib.Path, help="default: terms.jsonl in the folder")
    parser.add_argument("--check", action="store_true", help="compare with the output file instead of writing it")
    arguments = parser.parse_args()
    arguments.output = arguments.output or arguments.folder / "terms.jsonl"
    try:
        made = expand(arguments.folder)
    except Refused as reason:
        print(f"expand.py: {reason}", file=sys.stderr)
        return 1
    if arguments.check:
        if not arguments.output.exists() or arguments.output.read_bytes() != made:
            print(f"expand.py: {arguments.output} is not what the term lists and templates give; run expand.py", file=sys.stderr)
            return 1
        return 0
    arguments.output.write_bytes(made)
    print(f"{made.count(bytes([10]))} probes in {arguments.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

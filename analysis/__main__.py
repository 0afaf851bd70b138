"""python3 -m analysis report FILE [-o PAGE], python3 -m analysis figures FILE [-o FOLDER]"""

import argparse
import pathlib
import sys

from . import files, page, read


def main(words=None):
    parser = argparse.ArgumentParser(prog="python3 -m analysis", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    report = commands.add_parser("report", help="one self-contained HTML page")
    report.add_argument("-o", "--output", type=pathlib.Path, help="the page (default: report.html beside the file)")
    paper = commands.add_parser("figures", help="each figure as PDF, SVG and PNG, sized for a paper")
    paper.add_argument("-o", "--output", type=pathlib.Path, help="a folder (default: figures beside the file)")
    paper.add_argument("--width", choices=files.WIDTHS, help="of one column or of two (default: both)")
    paper.add_argument("--format", choices=files.ENDINGS, help="one of them (default: all)")
    paper.add_argument("--only", default="*", metavar="PATTERN", help="such as 'time-*-contrast': ANCHOR-CURVE-FIGURE, or 'time-sizes'")
    for command in (report, paper):
        command.add_argument("file", type=pathlib.Path, help="emergence.h5")
    options = parser.parse_args(words)
    try:
        return make_report(options) if options.command == "report" else make_figures(options)
    except (read.FormatError, OSError) as error:
        print(f"analysis: {error}", file=sys.stderr)
        return 65 if isinstance(error, read.FormatError) else 74


def make_report(options):
    output = options.output or options.file.with_name("report.html")
    page.write(options.file, output)
    print(output)
    return 0


def make_figures(options):
    folder = options.output or options.file.with_name("figures")
    widths = [options.width] if options.width else list(files.WIDTHS)
    written = files.write(options.file, folder, widths, [options.format] if options.format else files.ENDINGS, options.only)
    if not written:
        print(f"analysis: {options.file}: no figure fits --only={options.only}; names are like time-time-contrast", file=sys.stderr)
        return 64
    print(f"{len(written)} files in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

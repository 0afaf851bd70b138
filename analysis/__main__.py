"""python3 -m analysis report FILE [-o PAGE] [--figures FOLDER]"""

import argparse
import pathlib
import sys

from . import page, read


def main(words=None):
    parser = argparse.ArgumentParser(prog="python3 -m analysis", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    report = commands.add_parser("report", help="one self-contained HTML page, and each figure as a file")
    report.add_argument("file", type=pathlib.Path, help="emergence.h5")
    report.add_argument("-o", "--output", type=pathlib.Path, help="the page (default: report.html beside the file)")
    report.add_argument("--figures", type=pathlib.Path, help="also write every figure as SVG, PDF and PNG into this folder")
    options = parser.parse_args(words)
    output = options.output or options.file.with_name("report.html")
    try:
        page.write(options.file, output, options.figures)
    except (read.FormatError, OSError) as error:
        print(f"analysis: {error}", file=sys.stderr)
        return 65 if isinstance(error, read.FormatError) else 74
    print(output)
    return 0


if __name__ == "__main__":
    sys.exit(main())

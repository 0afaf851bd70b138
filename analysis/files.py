"""Every figure as files of the size that a journal prints."""

import fnmatch

import matplotlib.pyplot as plt

from . import figures, style
from .read import Emergence

WIDTHS = {"single": style.SINGLE, "double": style.DOUBLE}
ENDINGS = ("pdf", "svg", "png")


def write(path, folder, widths=tuple(WIDTHS), endings=ENDINGS, only="*"):
    """NAME-WIDTH.ENDING in `folder`, for those whose NAME, as figures.of_anchor gives it, fits the pattern `only`; the files written."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    with Emergence(path) as emergence:
        for anchor in emergence.anchors:
            for name, drawing in figures.of_anchor(emergence, anchor).items():
                if fnmatch.fnmatch(name, only):
                    for width in widths:
                        written += save(drawing.draw(width=WIDTHS[width]), folder, f"{name}-{width}", endings)
    return written


def save(figure, folder, name, endings):
    if figure is None:
        return []
    files = [folder / f"{name}.{ending}" for ending in endings]
    for file in files:
        figure.savefig(file, metadata={"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(file.suffix[1:]))
    plt.close(figure)
    return files

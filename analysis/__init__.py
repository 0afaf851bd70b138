"""From emergence.h5 to figures, one self-contained report page, and xarray for notebooks of your own.

    python3 -m analysis report results/nano/emergence.h5

    import analysis
    with analysis.open("results/nano/emergence.h5") as emergence:
        emergence.anchors                    # ["time", "space", "scale"]
        emergence.curve("time", "time")      # an xarray Dataset; values stay in the file until they are used
"""

from .read import Curve, Emergence, FormatError, dataset

open = Emergence  # as in `with analysis.open(path) as emergence`

__all__ = ["Curve", "Emergence", "FormatError", "dataset", "open"]

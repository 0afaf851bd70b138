"""From emergence.h5 to figures and one self-contained report page.

    python3 -m analysis report results/nano/emergence.h5
"""

from .read import Curve, Emergence, FormatError, dataset

__all__ = ["Curve", "Emergence", "FormatError", "dataset"]

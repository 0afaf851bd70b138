"""Every figure of a curve and of an anchor, by name. A figure is drawn when it is asked for, at the width it is asked for."""

import dataclasses
import functools
import typing

from .. import sweeps
from . import lines, maps, order, places, sites, sizes, waterfall, without


@dataclasses.dataclass
class Drawing:
    """A figure yet to be drawn. `draw(width in inches)` gives it, or None where the file has nothing for it."""

    name: str
    caption: str
    draw: typing.Callable


# What each shows; {where} is filled with anchor and curve.
FIGURES = (
    ("contrast", lines.contrast, "Contrast along the {where}: how much more often a subject's probes fire its latents than other subjects' "
     "probes do, with its 95 % interval, the band under permuted subjects (grey), and what the bare text gives away (red). Purple, above: "
     "the onset's bracket (thick) and its 95 % interval (thin), of subjects that are there in the end; ◂: there at the first point."),
    ("map", maps.heat_map, "The same contrasts as a map ({where}). In brackets, or with a dot: the 95 % interval holds zero; hatched: no value; "
     "×: dropped by the audit; red triangle: the bottom of a dip that is called."),
    ("onsets", order.onsets, "Order of the onsets ({where}): the bracket of neighbouring points between which half the final level is crossed for good, "
     "and the 95 % interval over resamples of whole groups; ◂: there at the first point. With each rank its 95 % interval."),
    ("controls", lines.controls, "The curve beside what is there without learning ({where}). What these reach too is not evidence of learning: random "
     "weights never learned, and random latents have no label. Ceiling: the anchor cut to as many dimensions as the point's model has."),
    ("dictionaries", lines.dictionaries, "The curve beside those of other dictionaries ({where}): what hangs on where the dictionary was made, and on its seed. "
     "A seed has no line where none of its latents matches the subject."),
    ("rungs", lines.rungs, "Aligned versus raw ({where}): the same dictionary on the vectors as they are, rescaled, and turned into the anchor's "
     "space. Where only a higher rung restores the concept, it is not gone: scale or basis had changed. Ringed: the "
     "alignment is not to be relied on."),
    ("auc", lines.linear_probe, "Linear probe and matched latents ({where}): where the probe stays high and the latents fall, the concept is still there "
     "but not in this dictionary."),
    ("alignment", sites.alignment, "Procrustes alignment of each site with the anchor ({where}): the residual between its floor and that of shuffled "
     "pairs, and likeness. One number per site, no interval is kept."),
    ("drift", sites.drift, "Drift of the residual stream ({where}): each bar compares a point with the one before. Shaded: into and out of the bottom of "
     "a dip that is called. One number per pair, no interval is kept."),
    ("attribution", waterfall.waterfall, "What each component adds, centred over probes, to the pre-activation of a subject's latents at the last layer "
     "({where}); whiskers: 95 % interval of the component. Shaded: into a dip that is called (red) and out of it (blue), where who erased and who wrote again "
     "is named in these colours."),
    ("tau", lines.tau_sweep, "How often a subject's probes fire its latents at other thresholds of matching ({where}). The line is the threshold "
     "used; within the grey band another would be as good, so what changes there (red) is no conclusion."),
)

WITHOUT = ("Contrast of the model as it is, and run again with what {name} adds at the last token replaced by its mean over probes ({where}); grey: the layers "
           "that this reaches; stars: the 95 % interval of the difference leaves out zero. Where a concept comes back without {name}, that is a cause of its "
           "fall; where nothing changes, {name} may write against it and is a correlate.")

SIZES = ("Dictionaries of other sizes at the {anchor} anchor, at the site itself: against k, the number of latents that a probe keeps, for each number "
         "of latents. Mean F1 over the latents judged; contrast and fires: means over the subjects with a matched latent. {seeds}")
PLACES = ("When each subject is born ({where}), as dictionaries tell that were made at different points of the curve: the colour is the first point of "
          "the rise for good. White: the dictionary does not call the subject; hatched: it has no latent for it{own}. Beside it for each subject the "
          "earliest, median and latest of these, and how many dictionaries call it, of those with a latent for it. The dictionaries share their probes, so "
          "that several which agree are not several witnesses.")


def of_curve(emergence, curve):
    """The figures that a curve may have, undrawn."""
    where = f"{curve.anchor} anchor, {curve.name} curve"
    if curve.name == "grid":
        return [Drawing(f"map-{model}", f"Contrast over layers and steps of {model} ({where}); a dot: the 95 % interval holds zero; hatched: no value.",
                        functools.partial(maps.grid_map, emergence, curve, model=model)) for model in dict.fromkeys(curve.models)]
    drawings = [Drawing(name, caption.format(where=where), functools.partial(draw, emergence, curve)) for name, draw, caption in FIGURES]
    for found in curve.ablations:
        name = found["component"]
        drawings.append(Drawing(f"without-{name.replace(' ', '-')}", WITHOUT.format(where=where, name=name),
                                functools.partial(without.without, emergence, curve, found=found)))
    return drawings


def of_sizes(anchor, found):
    """The figure of the sizes of an anchor's dictionary (sweeps.Sizes)."""
    seeds = f"Line: the mean over {found.seeds} seeds; band: their range." if found.seeds > 1 else "One seed, so no interval is known."
    return Drawing("sizes", SIZES.format(anchor=anchor, seeds=seeds), functools.partial(sizes.sizes, found))


def of_places(emergence, found):
    """The figure of the places of an anchor's dictionary along a curve (sweeps.Places)."""
    where = f"{found.curve.anchor} anchor, {found.curve.name} curve"
    own = "" if found.own is None else "; framed, or below a triangle: the anchor's own"
    return Drawing(f"{found.curve.name}-places", PLACES.format(where=where, own=own), functools.partial(places.places, emergence, found))


def of_anchor(emergence, anchor):
    """Every figure of an anchor, undrawn, by ANCHOR-CURVE-FIGURE or ANCHOR-FIGURE."""
    drawings = {f"{anchor}-{curve.name}-{drawing.name}": drawing for curve in emergence.curves(anchor) for drawing in of_curve(emergence, curve)}
    swept = sweeps.sizes(emergence, anchor)
    more = ([of_sizes(anchor, swept)] if swept else []) + [of_places(emergence, found) for found in sweeps.places(emergence, anchor)]
    return drawings | {f"{anchor}-{drawing.name}": drawing for drawing in more}

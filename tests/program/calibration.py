"""What the suite concludes of phantoms, against what was planted in them.

    python3 calibration.py FIRST LAST [--nulls=N] [--folder=DIR]     a table over the phantoms of these seeds

INCIPIT_BIN names the binary. Phantoms are written, run and judged one after the other, two at a time.
"""

import argparse
import collections
import concurrent.futures
import math
import os
import pathlib
import subprocess
import sys
import tempfile

import h5py
import numpy as np

import phantom

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = os.environ.get("INCIPIT_BIN", str(ROOT / "build" / "dev" / "src" / "incipit"))
CURVES = ("time", "space", "scale")


# At the deck's own bound nothing of a null phantom is matched, and what is not matched cannot emerge.
EASY = "--interpret.f1=0.6"


def make(folder, seed, words=(), run=()):
    """The phantom of a seed and a run of its deck on one rank: truth.h5 and emergence.h5."""
    folder = pathlib.Path(folder)
    if folder.exists() and not (folder / "truth.h5").exists():
        raise RuntimeError(f"{folder} is no phantom")
    quiet = dict(check=True, stdout=subprocess.DEVNULL)
    if not folder.exists():
        subprocess.run([BIN, "phantom", f"--out={folder}", f"--seed={seed}", *words], **quiet)
    subprocess.run([BIN, "run", str(folder / "phantom.ini"), f"--run.output={folder / 'out'}", "--run.threads=1", *run], **quiet)
    return folder / "truth.h5", folder / "out" / "emergence.h5"


class Found:
    """The conclusions of one curve; places of points, not their names."""

    def __init__(self, file, curve):
        group = file[f"anchors/{curve}/curves/{curve}"]
        conclusions = group["conclusions"]
        self.place = {name: i for i, name in enumerate(phantom.texts(conclusions["subject"]))}
        self.step = list(group["step"][...])
        self.value = {name: conclusions[name][...] for name in ("present", "level", "onset_high", "threshold_low", "threshold_high")}
        dips = conclusions["dips"]
        names = list(self.place)
        self.dips = [(names[subject], at, verdict) for subject, at, verdict in
                     zip(dips["subject_number"][...], dips["at"][...], phantom.texts(dips["verdict"]))]

    def of(self, name, subject):
        return self.value[name][self.place[subject]]


def within_one_checkpoint(truth, c, time):
    found = time.of("onset_high", truth.subject[c])
    return not math.isnan(found) and abs(time.step.index(round(found)) - time.step.index(truth.onset[c, 1])) <= 1


def exact_bracket(truth, c, scale):
    """A threshold below the smallest model has no lower end."""
    low, high = (scale.of(name, truth.subject[c]) for name in ("threshold_low", "threshold_high"))
    return (math.isnan(low) and truth.threshold[c, 0] == 0 or low == truth.threshold[c, 0]) and high == truth.threshold[c, 1]


def judge_dips(truth, axis, curve, out):
    left = list(curve.dips)
    for dip in (d for d in truth.dips if d["axis"] == axis):
        ends = [dip["first"], dip["last"]]
        first, last = ends if axis != "time" else map(curve.step.index, ends)
        hits = [f for f in left if f[0] == truth.subject[dip["subject"]] and first <= f[1] <= last]
        out[f"dips along {axis} found"].append(bool(hits))
        if hits:
            out["verdicts right"].append(hits[0][2] == dip["verdict"])
            out[f"  {dip['verdict']}"].append(hits[0][2] == dip["verdict"])
            left = [f for f in left if f not in hits]
    # As many chances of a false one as there are subjects to have it.
    out[f"dips along {axis} that are none"] += [True] * len(left) + [False] * (int(truth.exists.sum()) - len(left))


def judge(truth_path, emergence_path):
    """{what: [whether it is so, once for each chance]}"""
    truth = phantom.Truth(truth_path)
    out = collections.defaultdict(list)
    with h5py.File(emergence_path) as file:
        found = {curve: Found(file, curve) for curve in CURVES}
    for c, name in enumerate(truth.subject):
        if truth.exists[c]:
            out["onsets within one checkpoint"].append(within_one_checkpoint(truth, c, found["time"]))
            out["thresholds exact"].append(exact_bracket(truth, c, found["scale"]))
        else:
            out["never planted, called present"].append(any(found[curve].of("present", name) for curve in CURVES))
    judge_dips(truth, "time", found["time"], out)
    judge_dips(truth, "space", found["space"], out)
    time = phantom.Curve(truth, emergence_path, "time")
    low, high = time.of("contrast_low"), time.of("contrast_high")
    partly = (time.share > 0) & (time.share < 1) & ~np.isnan(low)
    out["truth in the 95 % interval"] += list(((low <= time.share) & (time.share <= high))[partly])
    return out


def emerges(emergence_path):
    """Along each curve on which any subject has a latent: whether one is called present."""
    with h5py.File(emergence_path) as file:
        found = [Found(file, curve) for curve in CURVES]
    return [bool(curve.value["present"].any()) for curve in found if not np.isnan(curve.value["level"]).all()]


def judge_all(folder, seeds, nulls):
    folder = pathlib.Path(folder)
    out = collections.defaultdict(list)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        made = [pool.submit(make, folder / f"phantom{seed}", seed) for seed in seeds]
        empty = [pool.submit(make, folder / f"null{seed}", seed, ["--null"], [EASY]) for seed in nulls]
        for one in made:
            for what, rows in judge(*one.result()).items():
                out[what] += rows
        for one in empty:
            out["null curves with an emergence"] += emerges(one.result()[1])
    return out


def table(results):
    return "\n".join(f"{what:34} {sum(rows):4} of {len(rows):4}  {100 * sum(rows) / len(rows):5.1f} %"
                     for what, rows in results.items() if rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("first", type=int)
    parser.add_argument("last", type=int)
    parser.add_argument("--nulls", type=int, default=0, help="null phantoms, of seeds 1 to N")
    parser.add_argument("--folder", help="kept, and used again; default: a temporary one")
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        print(table(judge_all(words.folder or temporary, range(words.first, words.last + 1), range(1, words.nulls + 1))))


if __name__ == "__main__":
    sys.exit(main())

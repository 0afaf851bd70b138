"""How a sweep scales, from what `incipit plan` foretells.

    incipit plan DECK --ranks=1,4,16,64,256,1024,4096 ... --csv=fast.csv
    python3 analysis/examples/scaling.py scaling.svg "100 GB/s"=fast.csv "9 GB/s"=slow.csv

Draws time and efficiency against ranks, a line for each table, with the share of the time that each phase has below the first.
"""

import csv
import sys

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402

COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7"]
PHASES = {"audit": "#E69F00", "forward": "#0072B2", "align": "#009E73", "drift": "#CC79A7", "track": "#56B4E9", "other": "#999999"}


def read(path):
    """Rows of each number of ranks by phase."""
    table = {}
    for row in csv.DictReader(open(path)):
        table.setdefault(int(row["ranks"]), {})[row["phase"]] = {k: float(v) for k, v in row.items() if k not in ("phase", "ranks")}
    return table


def main(picture, *tables):
    named = [table.split("=", 1) for table in tables]
    read_tables = [(name, read(path)) for name, path in named]
    figure, (time, efficiency, phases) = plt.subplots(1, 3, figsize=(10, 3), layout="constrained")
    for colour, (name, table) in zip(COLOURS, read_tables):
        ranks = sorted(table)
        seconds = [table[r]["total"]["seconds"] for r in ranks]
        time.plot(ranks, [s / 3600 for s in seconds], "o-", ms=3, color=colour, label=name)
        efficiency.plot(ranks, [100 * seconds[0] * ranks[0] / (s * r) for s, r in zip(seconds, ranks)], "o-", ms=3, color=colour)
    name, table = read_tables[0]
    ranks = sorted(table)
    below = [0.0] * len(ranks)
    for phase, colour in PHASES.items():
        share = []
        for r in ranks:
            own = sum(row["seconds"] for p, row in table[r].items() if p == phase or (phase == "other" and p not in PHASES and p != "total"))
            share.append(100 * own / table[r]["total"]["seconds"])
        top = [b + s for b, s in zip(below, share)]
        phases.fill_between(ranks, below, top, color=colour, lw=0, label=phase)
        below = top
    for panel in (time, efficiency, phases):
        panel.set_xscale("log", base=2)
        panel.set_xlabel("ranks")
        panel.spines[["top", "right"]].set_visible(False)
    time.set_yscale("log")
    time.set_ylabel("hours")
    time.legend(frameon=False, fontsize=7)
    efficiency.set_ylabel("efficiency, %")
    efficiency.set_ylim(0, 105)
    phases.set_ylabel(f"share of the time, %\n({name})")
    phases.set_ylim(0, 100)
    phases.legend(frameon=True, fontsize=6, loc="lower left")
    plt.rcParams["svg.hashsalt"] = "incipit"
    figure.savefig(picture, metadata={"Date": None})


if __name__ == "__main__":
    main(*sys.argv[1:])

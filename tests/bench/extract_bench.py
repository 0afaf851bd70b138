"""The whole `incipit extract` command against the machine's own sgemm rate, on one thread.

    python3 tests/bench/extract_bench.py --build build/bench --probes mmlu_pro.jsonl.gz --tokenizer tokenizer.json

Writes a checkpoint of random weights at Pythia-160M shape, times `incipit extract` on the questions, and measures sgemm
(forward_bench's: the same library, one thread) right before and right after. Useful operations are 24·d²·layers·tokens; the whole command counts: start, tokenizing, reading, writing.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time

import h5py

SHAPES = {"70m": (512, 6, 8), "160m": (768, 12, 12), "410m": (1024, 24, 16)}


def sgemm(build, checkpoint, options):
    done = subprocess.run([build / "tests/model/forward_bench", f"--checkpoint={checkpoint}", f"--probes={options.probes}",
                           f"--tokenizer={options.tokenizer}", "--limit=1"], check=True, capture_output=True, text=True)
    return float(re.search(r"sgemm[^0-9]*([0-9.]+) *GFLOP/s", done.stdout).group(1))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--probes", type=pathlib.Path, required=True)
    parser.add_argument("--tokenizer", type=pathlib.Path, required=True)
    parser.add_argument("--shape", choices=SHAPES, default="160m")
    parser.add_argument("--limit", type=int, default=100, help="questions of each subject; the mix of lengths stays")
    options = parser.parse_args()
    width, layers, heads = SHAPES[options.shape]
    folder = pathlib.Path(tempfile.mkdtemp(prefix="incipit-bench-"))
    try:
        step = folder / "family" / f"pythia-{options.shape}" / "step0"
        subprocess.run([options.build / "tests/model/make_random_checkpoint", step, f"--d={width}", f"--layers={layers}",
                        f"--heads={heads}"], check=True, stdout=subprocess.DEVNULL)
        shutil.copy(options.tokenizer, folder / "family" / "tokenizer.json")
        root = pathlib.Path(__file__).resolve().parents[2]
        deck = folder / "deck.ini"
        deck.write_text(f"[family]\npath = family\n[probes]\npath = {options.probes.resolve()}\nformat = mmlu-pro\n"
                        f"template = {{question}}\nlimit = {options.limit}\n[match]\nsubjects = {root}/inputs/subjects.json\n"
                        "[anchor.time]\n")
        before = sgemm(options.build, step, options)
        command = [options.build / "src/incipit", "extract", deck, f"--run.output={folder}/out", "--run.threads=1"]
        start = time.monotonic()
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.monotonic() - start
        if status != 0:
            raise SystemExit(f"extract failed: {status}")
        after = sgemm(options.build, step, options)
        with h5py.File(next((folder / "out").rglob("step0.h5"))) as file:
            tokens = int(file["tokens"][()].sum())
            probes = len(file["tokens"])
        rate = 24 * width**2 * layers * tokens / wall / 1e9
        cpu = usage.ru_utime + usage.ru_stime
        print(f"pythia-{options.shape} shape, {probes} questions, {tokens} tokens, mean {tokens / probes:.1f}")
        print(f"sgemm before {before:.1f}, after {after:.1f} GFLOP/s")
        print(f"extract {wall:.1f} s wall, {cpu:.1f} s cpu: {tokens / wall:.0f} tokens/s, {rate:.1f} GFLOP/s useful")
        print(f"useful / sgemm {rate / max(before, after):.3f} (wall), {rate * wall / cpu / max(before, after):.3f} (cpu time)")
        print(f"peak memory {usage.ru_maxrss / 1024:.0f} MiB")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()

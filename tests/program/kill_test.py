"""Jobs that are killed at random moments, by SIGKILL of a rank, of all ranks or of the launcher, or that are asked to
stop; the same command then goes on, on any number of ranks, until all is done: same bytes as one that ran in peace."""

import collections
import os
import pathlib
import random
import signal
import subprocess
import time

import pytest

import little
from conftest import children, command, environment, incipit

STAGES = ["activations", "loss", "sae", "labels", "match", "align", "attribution", "emergence.h5"]
HANG = 120  # seconds after which a job whose ranks were killed counts as hanging


def family_of_all_stages(folder):
    """A deck that goes through every stage and keeps all there is to keep on the way."""
    family = little.Family(folder)
    deck = family.deck.read_text()
    deck = deck.replace("steps = 60\n", "steps = 2000\nseeds = 2\n").replace("permutations = 60", "permutations = 500")
    deck = deck.replace("bootstrap = 60", "bootstrap = 500")
    family.deck.write_text(deck + "[extract]\nloss = yes\ncomponents = yes\n[controls]\nfirst_step = yes\n"
                                  "own_anchor = time\n[run]\npart_after = 0s\n")
    return family


def files_in(output):
    return {str(p.relative_to(output)) for p in output.rglob("*") if not p.is_dir()}


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    family = family_of_all_stages(tmp_path_factory.mktemp("undisturbed"))
    output = family.folder / "out"
    began = time.time()
    result = incipit("run", family.deck, f"--run.output={output}", ranks=2)
    assert result.code == 0, result.text
    return family, little.all_datasets(output), files_in(output), time.time() - began


def stage_at(output, files):
    """The stage of which the first file is missing."""
    for stage in STAGES:
        if any(name.startswith(stage) and not (output / name).exists() for name in files):
            return stage
    return "end"


class Disturbance:
    """One job that does not end in peace."""

    def __init__(self, words, ranks, kind, after, dice):
        self.kind, self.dice = kind, dice
        self.job = subprocess.Popen(command(*words, ranks=ranks), env=environment(), stdout=subprocess.DEVNULL,
                                    stderr=subprocess.PIPE, text=True, start_new_session=True)
        time.sleep(after)
        self.ranks = [pid for pid in children(self.job.pid) if "incipit" in name_of(pid)]
        self.strike()

    def strike(self):
        victims = {"rank": self.ranks and [self.dice.choice(self.ranks)], "all": self.ranks, "launcher": [self.job.pid],
                   "stop": [self.job.pid]}[self.kind]
        for pid in victims:
            try:
                os.kill(pid, signal.SIGUSR1 if self.kind == "stop" else signal.SIGKILL)
            except ProcessLookupError:
                pass  # it was done already

    def end(self):
        """Waits for the launcher; its ranks may outlive it when it was killed itself."""
        try:
            err = self.job.communicate(timeout=HANG / 2)[1]
        except subprocess.TimeoutExpired:
            # PMIx 4.2 under Open MPI 4.1's mpirun now and then locks itself out when all its ranks are dead.
            alive = [pid for pid in children(self.job.pid) if state_of(pid) not in "Z"]
            assert not alive, f"ranks {alive} hang"
            self.kind += ", whose launcher locked itself out,"
            self.job.kill()
            err = self.job.communicate(timeout=HANG)[1]
        if self.kind.startswith("stop"):
            # Before the ranks have their handlers a signal ends them at once.
            assert self.job.returncode in (0, 75, -signal.SIGUSR1, 128 + signal.SIGUSR1), err
        return self.job.returncode


def state_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"  # it has just ended


def name_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text()
    except OSError:
        return ""


def linger(pids):
    """Seconds until none of them runs any more; 0 where none does."""
    began, seconds = time.time(), 0
    while any("incipit" in name_of(pid) for pid in pids):
        seconds = time.time() - began
        assert seconds < HANG, "ranks outlive their launcher"
        time.sleep(0.02)
    return seconds


def all_readable(output):
    """Whatever has its final name can be read. Orphans may still take parts away."""
    for folder, _, names in os.walk(output):
        for final in [pathlib.Path(folder, name) for name in names if name.endswith(".h5") and not name.startswith(".")]:
            try:
                little.datasets(final)
            except FileNotFoundError:
                assert "parts" in final.parts


def disturbed_until_done(reference, output, dice, tally):
    family, expected, files, usual = reference
    words = ("run", family.deck, f"--run.output={output}")
    story, orphans = [], []
    for _ in range(dice.choice([1, 1, 2, 3])):
        ranks, kind = dice.randint(1, 4), dice.choice(["rank", "all", "launcher", "stop"])
        after = dice.uniform(0.1, 0.8 * usual)
        job = Disturbance(words, ranks, kind, after, dice)
        orphans += job.ranks
        code = job.end()
        stage = stage_at(output, files)
        story.append(f"{ranks} ranks, {job.kind} after {after:.2f} s in {stage}: {code}")
        tally[kind, stage] += 1
        all_readable(output)
    ranks = dice.randint(1, 4)
    story.append(f"{ranks} ranks to the end")
    result = incipit("run", family.deck, f"--run.output={output}", ranks=ranks)
    assert result.code == 0, (story, result.text)
    if seconds := linger(orphans):
        # Ranks whose launcher was killed worked beside this job, and what they left is for the next start.
        story.append(f"orphans for {seconds:.1f} s more, and again")
        result = incipit("run", family.deck, f"--run.output={output}")
        assert result.code == 0 and "nothing to do" in result.out, (story, result.text)
    found = little.all_datasets(output)
    for name in expected:
        assert found.get(name) == expected[name], (story, name)
    assert files_in(output) - {"STOP"} == files, story
    return story


def many_rounds(reference, folder, rounds, seed):
    tally, began = collections.Counter(), time.time()
    for n in range(rounds):
        story = disturbed_until_done(reference, folder / str(n), random.Random(f"{seed}/{n}"), tally)
        print(f"seed {seed}, round {n}: " + "; ".join(story))
    print(f"{sum(tally.values())} disturbances in {rounds} rounds, {time.time() - began:.0f} s")
    for stage in [*STAGES, "end"]:
        print(f"  {stage:14}" + ", ".join(f"{kind} {n}" for (kind, at), n in sorted(tally.items()) if at == stage))
    return tally


def test_killed_at_random_moments(reference, tmp_path):
    many_rounds(reference, tmp_path, 6, int(os.environ.get("INCIPIT_KILL_SEED", 1)))


@pytest.mark.long
def test_killed_at_a_hundred_random_moments(reference, tmp_path):
    tally = many_rounds(reference, tmp_path, 100, int(os.environ.get("INCIPIT_KILL_SEED", 2)))
    assert {kind for kind, _ in tally} == {"rank", "all", "launcher", "stop"}
    assert len({stage for _, stage in tally}) >= 6, tally

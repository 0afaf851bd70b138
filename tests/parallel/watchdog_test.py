"""How ranks end when one of them is gone: watchdog_test.py WATCHED_RANK MPIEXEC [UNITTEST_ARGUMENT...]

Every rank runs under a shell that outlives it and keeps its exit code, so that the launcher notices nothing: as under a
launcher that does not end a job for the loss of a rank, such as srun without --kill-on-bad-exit."""

import concurrent.futures
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAM, MPIEXEC = sys.argv[1:3]
KILLED = 128 + signal.SIGKILL
RANK = """
rank=${OMPI_COMM_WORLD_RANK:-$PMI_RANK}
"$@" 2>"$FOLDER/err.$rank"
echo $? >"$FOLDER/code.$rank.part" && mv "$FOLDER/code.$rank.part" "$FOLDER/code.$rank"
sleep 60
"""


def environment(**more):
    return os.environ | dict(
        OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", OMPI_MCA_rmaps_base_oversubscribe="1",
        OMPI_MCA_mpi_yield_when_idle="1", OMPI_MCA_hwloc_base_binding_policy="none"
    ) | more


def unattended(words, ranks, seconds):
    """Exit codes of the ranks by themselves (None where one has not ended in time) and all they wrote."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        begin = time.monotonic()
        job = subprocess.Popen([MPIEXEC, "-n", str(ranks), "sh", "-c", RANK, "rank", PROGRAM, *words],
                               env=environment(FOLDER=name), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               start_new_session=True)
        files = [folder / f"code.{rank}" for rank in range(ranks)]
        while time.monotonic() < begin + seconds and not all(file.exists() for file in files):
            time.sleep(0.05)
        codes = [int(file.read_text()) if file.exists() else None for file in files]
        text = "".join(file.read_text() for file in sorted(folder.glob("err.*")))
        left = subprocess.run(["pgrep", "-s", str(job.pid), "-f", PROGRAM], capture_output=True, text=True).stdout
        for process in left.split():
            os.kill(int(process), signal.SIGKILL)
        job.terminate()  # the launcher ends the shells
        job.wait()
    return codes, text


GONE = "is gone without a word"
STILL = ("nothing moves: none of 4 ranks has given a sign of life for 2 s (run.patience). Stopped: rank 3, the first of "
         "them in 'the phase' on ")
# What befalls a rank of four, ranks on a node (0: all), patience; exit codes, and the one message.
CASES = [
    (["killed", "0", "60"], [71, 71, 71, KILLED], "rank 3 is gone without a word, in 'the phase'"),
    (["crashed", "0", "60"], [71, 71, 71, 128 + signal.SIGSEGV], "rank 3 " + GONE),
    (["first-killed", "0", "60"], [KILLED, 71, 71, 71], "rank 0 " + GONE),
    # On another node than the first; then the first rank of the first node; whole nodes; the root of their tree.
    (["killed", "2", "60"], [71, 71, 71, KILLED], "rank 3 " + GONE),
    (["first-killed", "2", "60"], [KILLED, 71, 71, 71], GONE),
    (["killed", "1", "60"], [71, 71, 71, KILLED], GONE),
    (["first-killed", "1", "60"], [KILLED, 71, 71, 71], GONE),
    (["announces", "0", "60"], [76] * 4, "it diverged"),
    (["announces", "2", "60"], [76] * 4, "it diverged"),
    (["leaves-with-75", "0", "60"], [75] * 4, None),
    (["leaves-with-75", "2", "60"], [75] * 4, None),
    (["stopped", "0", "2"], [71, 71, 71, KILLED], STILL),
    (["stopped", "2", "2"], [71, 71, 71, KILLED], STILL),
    (["stopped", "0", "0"], [None] * 4, None),  # patience 0 is for ever
    (["slow", "0", "60"], [0] * 4, None),
    (["slow", "2", "60"], [0] * 4, None),
    (["slow", "1", "60"], [0] * 4, None),
]


class Unattended(unittest.TestCase):
    def test_every_rank_ends_and_one_says_why(self):
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            ends = pool.map(lambda case: unattended(case[0], 4, 6 if None in case[1] else 20), CASES)
        for (words, codes, message), (found, text) in zip(CASES, ends):
            with self.subTest(words):
                self.assertEqual(found, codes, text)
                lines = [line for line in text.splitlines() if line.startswith("incipit:")]
                self.assertEqual(len(lines), 0 if message is None else 1, text)
                self.assertIn(message or "", text)


# Hydra, MPICH's launcher, now and then tells of the ranks that it has killed itself instead of the one that aborted.
ABORTED = [76, 9] if "HYDRA" in subprocess.run([MPIEXEC, "--version"], capture_output=True, text=True).stdout else [76]


class UnderALauncher(unittest.TestCase):
    def run_ranks(self, *words):
        done = subprocess.run([MPIEXEC, "-n", "3", PROGRAM, *words], env=environment(), capture_output=True, text=True,
                              timeout=30)
        return done.returncode, done.stderr

    def test_an_error_of_one_rank_reaches_the_shell_once(self):
        for per_node in ("0", "1"):
            code, text = self.run_ranks("throws", per_node)
            self.assertIn(code, ABORTED, text)
            self.assertEqual(text.count("it diverged"), 1, text)
            self.assertNotIn("gone", text)

    def test_a_good_end(self):
        for per_node in ("0", "1"):
            self.assertEqual(self.run_ranks("nothing", per_node)[0], 0)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])

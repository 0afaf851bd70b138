"""The batch templates of jobs/slurm under a real Slurm. Each is submitted as it stands, with only its variables set."""

import pathlib
import re
import time

import pytest

import little
from conftest import BIN, ROOT, environment, incipit
from main_job_test import same
from slurm import Slurm, Unavailable
from teacher_server import serving

SECRET = "do-not-write-me-down"


@pytest.fixture(scope="module")
def cluster():
    try:
        slurm = Slurm(environment() | {"OMPI_SECRET_KEY": SECRET})
    except Unavailable as reason:
        pytest.skip(f"no Slurm can be started: {reason}")
    yield slurm
    started = slurm.processes()
    slurm.stop()
    assert started and not slurm.processes()


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    """What `cmake --install` makes, by links."""
    folder = tmp_path_factory.mktemp("prefix")
    (folder / "bin").mkdir()
    (folder / "bin" / "incipit").symlink_to(BIN)
    (folder / "share" / "incipit").mkdir(parents=True)
    (folder / "share" / "incipit" / "jobs").symlink_to(ROOT / "jobs")
    return folder


@pytest.fixture(scope="module")
def family(tmp_path_factory):
    family = little.Family(tmp_path_factory.mktemp("family"), steps=(0, 5))
    family.deck.write_text(family.deck.read_text().replace("[anchor.space]\nlayer = 0\n", ""))
    return family


def asking(server):
    """Words with which a run asks a server: it takes as long as the server does."""
    return ["--interpret.teacher=http", "--interpret.model=org/tiny", f"--interpret.server={server.url}"]


@pytest.fixture(scope="module")
def expected(family):
    """The datasets of a plain run."""
    with serving() as server:
        result = incipit("run", family.deck, f"--run.output={family.folder / 'plain'}", *asking(server))
    assert result.code == 0, result.text
    return little.all_datasets(family.folder / "plain")


class Work:
    """A template, filled in, and what comes of it."""

    def __init__(self, cluster, prefix, family, folder, template, words=(), directives=(), **variables):
        self.cluster, self.folder = cluster, pathlib.Path(folder)
        self.output = self.folder / "out"
        text = (ROOT / "jobs" / "slurm" / f"{template}.sbatch").read_text()
        values = {"prefix": prefix, "deck": family.deck, "output": self.output, "words": f"({' '.join(words)})"} | variables
        for name, value in values.items():
            text = replaced(rf"^{name}=(\([^)]*\)|[^ \n]*)", f"{name}={value}", text)
        for name, value in {"ntasks": 2, "cpus-per-task": 1, **dict(directives)}.items():
            text = replaced(rf"^#SBATCH --{name}=.*", f"#SBATCH --{name}={value}", text)
        self.script = self.folder / f"{template}.sbatch"
        self.script.write_text(text)

    def submit(self, *words, env=None):
        return self.cluster.command("sbatch", "--parsable", *words, self.script, cwd=self.folder, env=env).strip()

    def submit_all(self):
        """Those templates that submit several jobs: their numbers, the last one of which waits for the others."""
        out = self.cluster.command("bash", self.script, "submit", cwd=self.folder)
        return re.findall(r"\d+", out)

    def log(self):
        return "".join(path.read_text() for path in sorted(self.folder.glob("incipit-*.log")))

    def expect(self, number, state, code="0:0"):
        job = self.cluster.wait(number)
        assert (job.state, job.code) == (state, code), (self.log(), self.cluster.job(number).reason)
        return job

    def expect_results(self, expected):
        same(expected, little.all_datasets(self.output))
        assert little.leftovers(self.output) == []


def replaced(pattern, by, text):
    text, count = re.subn(pattern, lambda _: by, text, flags=re.MULTILINE)
    assert count == 1, f"{pattern} stands {count} times in the template"
    return text


@pytest.fixture
def work(cluster, prefix, family, tmp_path):
    return lambda template, *words, **more: Work(cluster, prefix, family, tmp_path, template, words, **more)


def wait_until(holds, seconds=60):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture(scope="module", autouse=True)
def limited(cluster, prefix, family, tmp_path_factory):
    """A job with a minute, which Slurm signals within half a minute: begun before all other tests, looked at behind them."""
    with serving(delay=5) as server:
        job = Work(cluster, prefix, family, tmp_path_factory.mktemp("limited"), "requeue", asking(server),
                   directives={"time": "1", "signal": "B:USR1@50"})
        job.number, job.server = job.submit(), server
        yield job


def test_signalled_it_stops_and_submitted_again_it_goes_on(work, cluster, family, expected):
    with serving(delay=5) as server:
        job = work("single", *asking(server))
        first = job.submit()
        wait_until(lambda: server.requests)
        cluster.command("scancel", "--batch", "--signal=USR1", first)
        job.expect(first, "FAILED", "75:0")
        assert "submit the same script again" in job.log()
        assert not (job.output / "emergence.h5").exists()
        server.delay = 0
        second = job.submit()
        job.expect(second, "COMPLETED")
    job.expect_results(expected)
    for number in (first, second):
        record = job.output / "jobs" / number
        assert (record / "script").read_text() == job.script.read_text()
        assert (record / "deck").read_text() == family.deck.read_text()
        text = (record / "environment").read_text()
        assert f"SLURM_JOB_ID={number}\n" in text and "incipit run" in text
        assert SECRET not in text


def test_put_back_by_hand_it_goes_on(work, cluster, expected):
    with serving(delay=5) as server:
        job = work("requeue", *asking(server))
        number = job.submit()
        wait_until(lambda: server.requests)
        cluster.command("scontrol", "requeue", number)
        server.delay = 0
        assert job.expect(number, "COMPLETED").restarts == 1
    job.expect_results(expected)
    assert (job.output / "jobs" / f"{number}.1" / "script").exists()


def test_an_array_over_models_and_the_job_behind_it(work, cluster, family, expected):
    with serving() as server:
        job = work("array", *asking(server), models=f"({' '.join(family.models)})")
        array, rest = job.submit_all()
        job.expect(rest, "COMPLETED")
    job.expect_results(expected)
    begun = (job.output / "jobs" / rest / "environment").stat().st_mtime
    for task, model in enumerate(family.models):
        assert f"--run.only={model}" in (job.output / "jobs" / f"{array}_{task}" / "environment").read_text()
        extracted = list((job.output / "activations" / model).glob("*.h5"))
        assert extracted and all(file.stat().st_mtime < begun for file in extracted)


def test_groups_of_models_on_nodes_of_their_own(work, family, expected):
    with serving() as server:
        groups = "\n".join(f'"--nodes=1 --ntasks={1 + i} --nodelist={node} | {family.models[i]}"' for i, node in enumerate(("one", "two")))
        job = work("heterogeneous", *asking(server), groups=f"({groups})")
        first, second, rest = job.submit_all()
        job.expect(rest, "COMPLETED")
    job.expect_results(expected)
    for number, node, ranks in ((first, "one", 1), (second, "two", 2)):
        text = (job.output / "jobs" / number / "environment").read_text()
        assert f"SLURM_JOB_NODELIST={node}\n" in text and f"mpirun -n {ranks} " in text


@pytest.fixture
def stand_in(cluster, family, tmp_path):
    """A template with a script in the program's place."""
    def make(script, template, **more):
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "incipit").write_text("#!/bin/sh\n" + script)
        (tmp_path / "bin" / "incipit").chmod(0o755)
        (tmp_path / "share" / "incipit").mkdir(parents=True)
        (tmp_path / "share" / "incipit" / "jobs").symlink_to(ROOT / "jobs")
        return Work(cluster, tmp_path, family, tmp_path, template, **more)
    return make


def test_without_anything_new_it_is_not_put_back_for_ever(stand_in):
    job = stand_in("exit 75\n", "requeue", launcher="()")
    number = job.submit()
    assert job.expect(number, "FAILED", "75:0").restarts == 2
    assert "3 starts" in job.log()


@pytest.mark.parametrize("launcher", [None, "(srun --mpi=pmix --gpus-per-task=1)"])
def test_a_rank_for_each_gpu(stand_in, launcher):
    job = stand_in("echo gpu $CUDA_VISIBLE_DEVICES of rank ${OMPI_COMM_WORLD_RANK:-$SLURM_PROCID}: $*\n", "gpus",
                   directives={"ntasks-per-node": 2, "gpus-per-node": 2}, **{"launcher": launcher} if launcher else {})
    job.expect(job.submit(), "COMPLETED")
    for rank in range(2):
        assert f"gpu {rank} of rank {rank}: run " in job.log()
    assert "--run.device=cuda" in job.log()


def test_a_stop_file_keeps_it_out_of_the_queue(work):
    job = work("requeue")
    job.output.mkdir()
    (job.output / "STOP").touch()
    assert job.expect(job.submit(), "FAILED", "75:0").restarts == 0


def test_other_exit_codes_end_the_job_with_them(work):
    job = work("requeue", "--sae.latents=none")
    assert job.expect(job.submit(), "FAILED", "64:0").restarts == 0
    assert "exit code 64" in job.log()


@pytest.mark.long
def test_over_two_nodes(work, expected):
    with serving() as server:
        job = work("single", *asking(server), directives={"ntasks": 4})
        # Both nodes are this machine, on which they must not share memory.
        job.expect(job.submit("--nodes=2", "--ntasks-per-node=2", env={"OMPI_MCA_btl": "self,tcp"}), "COMPLETED")
    job.expect_results(expected)


@pytest.mark.long
@pytest.mark.parametrize("how", ["--batch", "--full", ""])
@pytest.mark.parametrize("launcher", ["(srun --mpi=pmix)", '(mpirun -n "$SLURM_NTASKS" --bind-to none)'])
def test_every_way_to_signal_and_to_launch(work, cluster, expected, how, launcher):
    with serving(delay=5) as server:
        job = work("single", *asking(server), launcher=launcher)
        first = job.submit()
        wait_until(lambda: server.requests)
        cluster.command("scancel", *how.split(), "--signal=USR1", first)
        job.expect(first, "FAILED", "75:0")
        assert "signal 10" in job.log()  # once, however many ways it came
        server.delay = 0
        job.expect(job.submit(), "COMPLETED")
    job.expect_results(expected)


def test_stopped_at_its_limit_it_puts_itself_back(limited, expected):
    cluster = limited.cluster
    wait_until(lambda: cluster.job(limited.number).restarts == 1, seconds=120)
    limited.server.delay = 0
    limited.expect(limited.number, "COMPLETED")
    limited.expect_results(expected)
    assert "into the queue again" in limited.log() and "signal 10" in limited.log()

"""The batch templates of jobs/ for schedulers that are not here. A shell carries them out as a scheduler would, with stand-ins
for the scheduler's commands and for the program; slurm_test.py runs the others under a real Slurm."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

import pytest

from conftest import ROOT, environment

JOBS = ROOT / "jobs"
# Waits for USR1 and leaves with 75 as long as there is no file `done`.
PROGRAM = """#!/bin/sh
[ "$1" != --version ] || exit 0
trap 'exit 75' USR1
echo "$@" >>"$WORK/words"
[ ! -e "$WORK/done" ] || exit 0
while :; do sleep 0.05; done
"""
COMMANDS = {
    # One rank, in its own place: the program is the first word that can be executed.
    "mpirun": 'while [ ! -x "$1" ]; do shift; done; exec "$@"',
    "qstat": 'printf "    Resource_List.walltime = 00:10:00\\n    resources_used.walltime = 00:01:00\\n"',
    "qsub": 'echo "qsub $*" >>"$WORK/asked"; echo "7[].host"',
    "bsub": 'cat >"$WORK/read"; echo "bsub $*" >>"$WORK/asked"',
    "flux": """case $1-$2 in
job-timeleft) echo 540.25 ;;
run-*) shift 5; exec "$@" ;;
*) echo "flux $*" >>"$WORK/asked"; echo f7 ;;
esac""",
}


class Site:
    def __init__(self, folder):
        self.folder = folder
        self.env = environment() | {"WORK": str(folder), "PATH": f"{folder / 'commands'}:{os.environ['PATH']}"}
        self.env = {k: v for k, v in self.env.items() if not re.match("(SLURM|PBS|LSB|FLUX)_", k)}
        for name, text in {"commands/" + n: "#!/bin/sh\n" + t + "\n" for n, t in COMMANDS.items()}.items():
            self.write(name, text)
        self.write("prefix/bin/incipit", PROGRAM)
        (folder / "prefix/share/incipit").mkdir(parents=True)
        (folder / "prefix/share/incipit/jobs").symlink_to(JOBS)
        (folder / "my.ini").write_text("[family]\n")

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def fill_in(self, template):
        text = (JOBS / template).read_text()
        text = text.replace("prefix=$HOME/incipit ", f"prefix={self.folder / 'prefix'} ")
        text = re.sub(r"^limit=\S*", "limit=0:09", text, flags=re.M)
        text = re.sub(r"^models=.*", "models=(small large)", text, flags=re.M)
        path = self.folder / pathlib.Path(template).name
        path.write_text(text)
        return path

    def start(self, script, *words, **env):
        return subprocess.Popen(["bash", str(script), *words], cwd=self.folder, env=self.env | env, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, start_new_session=True)

    def run(self, script, *words, **env):
        job = self.start(script, *words, **env)
        out, _ = job.communicate(timeout=60)
        return job.returncode, out

    def stopped(self, script, **env):
        """Runs a script, and stops it with USR1 once the program is there."""
        before = self.read("words")
        job = self.start(script, **env)
        end = time.monotonic() + 30
        while self.read("words") == before:
            assert time.monotonic() < end and job.poll() is None, job.communicate()
            time.sleep(0.02)
        job.send_signal(signal.SIGUSR1)
        out, _ = job.communicate(timeout=60)
        return job.returncode, out

    def read(self, name):
        path = self.folder / name
        return path.read_text() if path.exists() else ""


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


JOB = {
    "pbs": {"PBS_JOBID": "7.host", "PBS_O_WORKDIR": ".", "PBS_NODEFILE": "nodes"},
    "lsf": {"LSB_JOBID": "7", "LSB_JOBINDEX": "0", "LSB_DJOB_NUMPROC": "2"},
    "flux": {"FLUX_ENCLOSING_ID": "f7"},
}


@pytest.mark.parametrize("scheduler", JOB)
def test_stopped_it_goes_into_the_queue_again_and_then_ends(site, scheduler):
    script = site.fill_in(f"{scheduler}/single.{scheduler}")
    env = JOB[scheduler]
    code, out = site.stopped(script, **env)
    job = next(iter(env.values()))
    record = site.folder / "results/my/jobs" / job
    assert code == (99 if scheduler == "lsf" else 0), out
    assert "into the queue again" in out
    assert site.read("asked") == {
        "pbs": f"qsub -v INCIPIT_CHAIN={job} results/my/jobs/{job}/script\n",
        "lsf": "",
        "flux": f"flux --parent batch results/my/jobs/{job}/script\n",
    }[scheduler]
    assert (record / "script").read_text() == script.read_text()
    assert (record / "deck").read_text() == "[family]\n"
    # 540 s are left; the program stops at 97 % of what it is told: 300 s before the end.
    assert re.fullmatch(r"run my.ini --run.output=results/my --run.max_time=24[67]s\n", site.read("words"))
    (site.folder / "done").touch()
    again = env | {"lsf": {}, "pbs": {"PBS_JOBID": "8.host", "INCIPIT_CHAIN": job}, "flux": {"FLUX_ENCLOSING_ID": "f8"}}[scheduler]
    code, out = site.run(record / "script", **again)
    assert code == 0 and "done: results/my" in out, out
    assert len(list(record.parent.iterdir())) == 2


@pytest.mark.parametrize("scheduler", JOB)
def test_not_for_ever(site, scheduler):
    script = site.fill_in(f"{scheduler}/single.{scheduler}")
    codes = []
    for start in range(3):
        later = {"pbs": {"PBS_JOBID": f"8{start}.host"}, "flux": {"FLUX_ENCLOSING_ID": f"f8{start}"}, "lsf": {}}[scheduler]
        env = JOB[scheduler] | (later | {"INCIPIT_CHAIN": next(iter(JOB[scheduler].values()))} if start else {})
        code, out = site.stopped(script, **env)
        codes.append(code)
    assert codes == ([99, 99, 75] if scheduler == "lsf" else [0, 0, 75]), out
    assert "3 starts" in out


def test_arrays_over_models(site):
    for scheduler in JOB:
        code, out = site.run(site.fill_in(f"{scheduler}/array.{scheduler}"), "submit")
        assert code == 0, out
    asked = re.sub(r"incipit-\d+", "NAME", site.read("asked").replace(str(site.folder) + "/", ""))
    assert asked.splitlines() == [
        "qsub -J 0-1 array.pbs",
        "qsub -W depend=afterany:7[].host array.pbs",
        "bsub -J NAME[1-2]",
        "bsub -J NAME-rest -w ended(NAME)",
        "flux batch array.flux small",
        "flux batch array.flux large",
        "flux batch --dependency=afterany:f7 --dependency=afterany:f7 array.flux",
    ]
    assert site.read("read") == site.read("array.lsf")
    (site.folder / "done").touch()
    for scheduler, words, more in (("pbs", [], {"PBS_ARRAY_INDEX": "1"}), ("lsf", [], {"LSB_JOBINDEX": "2"}), ("flux", ["large"], {})):
        (site.folder / "words").unlink(missing_ok=True)
        for script_words, env in ((words, JOB[scheduler] | more), ([], JOB[scheduler])):
            code, out = site.run(site.folder / f"array.{scheduler}", *script_words, **env)
            assert code == 0, out
        calls = [re.sub(" my.ini --run.output=results/my| --run.max_time=24[67]s", "", line) for line in site.read("words").splitlines()]
        assert calls == ["extract --run.only=large", "run"]


@pytest.mark.skipif(not shutil.which("mpirun"), reason="no mpirun")
@pytest.mark.parametrize("visible, seen", [("4,7", ["4", "4", "7"]), ("5", ["5"] * 3), ("", [""] * 3)])
def test_ranks_get_a_gpu_each_in_turn(tmp_path, visible, seen):
    show = "echo gpu $CUDA_VISIBLE_DEVICES"
    done = subprocess.run(["mpirun", "-n", "3", str(JOBS / "bind-gpu.sh"), "sh", "-c", show], capture_output=True, text=True,
                          env=environment() | {"CUDA_VISIBLE_DEVICES": visible}, check=True)
    assert sorted(line.removeprefix("gpu").strip() for line in done.stdout.splitlines()) == seen


@pytest.mark.parametrize("time, seconds", [("1-02:03:04", 93784), ("08:09:09", 29349), ("59:01", 3541), ("UNLIMITED", ""), ("", "")])
def test_times_as_schedulers_write_them(time, seconds):
    done = subprocess.run(["bash", "-c", '. "$0" && seconds "$1"', str(JOBS / "common.sh"), time], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(seconds)

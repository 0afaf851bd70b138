"""A Slurm of one's own for tests: munged, slurmctld and two slurmd on loopback, in a temporary folder, with a key, a socket
and ports of their own. It touches nothing of the machine's and needs no rights."""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

CONFIG = """
ClusterName=incipit
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
SlurmctldPort={ports[0]}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_interval=1,batch_sched_delay=0
SlurmdParameters=config_overrides
ReturnToService=2
GresTypes=gpu
KillWait=2
JobRequeue=1
NodeName=one NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=8 RealMemory=1000 Gres=gpu:2
NodeName=two NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=8 RealMemory=1000 Gres=gpu:2
PartitionName=all Nodes=one,two Default=YES MaxTime=UNLIMITED State=UP
"""
# No limit is enforced, so this plugin only has to load. It does with either version of the kernel's groups.
CGROUP = "CgroupPlugin=cgroup/v1\n"

DAEMONS = ("munged", "slurmctld", "slurmd")
COMMANDS = ("sbatch", "scancel", "scontrol", "sinfo", "squeue", "srun")


class Unavailable(Exception):
    """Why there is no Slurm here."""


class Job:
    def __init__(self, state, reason, code, restarts):
        self.state, self.reason, self.code, self.restarts = state, reason, code, restarts

    @property
    def over(self):
        return self.state in ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "DEADLINE")


def executable(name):
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not found:
        raise Unavailable(f"{name} is not installed (packages slurm-wlm and munge)")
    return found


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


class Slurm:
    def __init__(self, env):
        programs = {name: executable(name) for name in (*DAEMONS, *COMMANDS)}
        # A socket's path may have 107 characters, which those of pytest's folders can exceed.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="slurm-"))
        self.folder.chmod(0o711)  # munged wants its socket to be within everybody's reach
        self.env = {k: v for k, v in env.items() if not k.startswith("SLURM_")} | {"SLURM_CONF": str(self.folder / "slurm.conf")}
        self.env["PATH"] = env["PATH"] + ":" + str(pathlib.Path(programs["slurmd"]).parent)
        self.running = []
        try:
            self.configure()
            self.start("munged", "--foreground", f"--key-file={self.folder / 'munge.key'}", f"--socket={self.folder / 'munge.socket'}",
                       f"--pid-file={self.folder / 'munged.pid'}", f"--seed-file={self.folder / 'munge.seed'}",
                       f"--log-file={self.folder / 'munged.log'}", "--num-threads=1")
            self.until("munged listens", lambda: (self.folder / "munge.socket").exists())
            self.start("slurmctld", "-D", "-c")
            for node in ("one", "two"):
                (self.folder / "spool" / node).mkdir(parents=True)
                self.start("slurmd", "-D", "-N", node)
            self.until("two nodes are idle", lambda: self.try_command("sinfo", "-h", "-o", "%D %t").strip() == "2 idle")
        except BaseException:
            self.stop()
            raise

    def configure(self):
        key = self.folder / "munge.key"
        key.touch(mode=0o600)
        key.write_bytes(os.urandom(128))
        (self.folder / "state").mkdir()
        user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
        host = socket.gethostname().split(".")[0]
        (self.folder / "slurm.conf").write_text(CONFIG.format(folder=self.folder, user=user, host=host, ports=free_ports(3)))
        (self.folder / "cgroup.conf").write_text(CGROUP)
        # Two devices that are everywhere stand for each node's GPUs: enough for Slurm to hand out their numbers.
        (self.folder / "gres.conf").write_text("NodeName=one,two Name=gpu File=/dev/null\nNodeName=one,two Name=gpu File=/dev/zero\n")

    def start(self, *words):
        log = open(self.folder / f"{words[0]}-{len(self.running)}.out", "w")
        self.running.append(subprocess.Popen(words, env=self.env, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                             cwd=self.folder, start_new_session=True))

    def until(self, what, holds, seconds=20):
        end = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > end or any(daemon.poll() is not None for daemon in self.running):
                ends = [log.read_text(errors="replace").splitlines()[-1:] for log in sorted(self.folder.glob("*.out"))]
                raise Unavailable(f"it did not come to this: {what}; the daemons' last lines: {ends}")
            time.sleep(0.1)

    def stop(self):
        """Ends the daemons, then what they have started."""
        for daemon in reversed(self.running):
            daemon.terminate()
        for daemon in reversed(self.running):
            try:
                daemon.wait(timeout=10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        for process in self.processes():
            os.kill(process, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def processes(self):
        """Whoever was started by this Slurm: daemons and jobs alike have its configuration in their environment."""
        mark = f"SLURM_CONF={self.folder}/slurm.conf".encode()
        found = []
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(int(folder.name))
            except OSError:
                pass  # gone meanwhile, or another's
        return found

    def command(self, *words, cwd=None, env=None):
        done = subprocess.run([str(w) for w in words], env=self.env | (env or {}), cwd=cwd, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def try_command(self, *words):
        return subprocess.run(words, env=self.env, capture_output=True, text=True, timeout=60).stdout

    def job(self, number):
        """How a job of a number, or a task of an array (12_0), stands."""
        text = self.command("scontrol", "-o", "show", "job", number).splitlines()[0]
        values = dict(re.findall(r"(JobState|Reason|ExitCode|Restarts)=(\S+)", text))
        return Job(values["JobState"], values["Reason"], values["ExitCode"], int(values["Restarts"]))

    def wait(self, number, seconds=120):
        """Until a job is over. Slurm lets a job that is put back wait for two minutes, since its nodes refuse it within the
        second in which it ended there; that is cut short to two seconds."""
        end = time.monotonic() + seconds
        while not (job := self.job(number)).over:
            assert time.monotonic() < end, (number, job.state, job.reason)
            if job.state == "PENDING" and job.reason == "BeginTime":
                time.sleep(2)
                self.try_command("scontrol", "update", f"JobId={number}", "StartTime=now")
            time.sleep(0.2)
        return job

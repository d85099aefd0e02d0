"""Fits under a real Slurm: its own controller and node, on this machine alone.

    apt-get install slurm-wlm munge libpmix-dev
    python ci/slurm.py [--only CASE ...]

Needs root, as ``slurmd`` does. Munge, controller and node run in a temporary folder and end with
this script; nothing of the system's Slurm, if there is one, is touched. Printed is, for each way to
start a fit: whether it finished, the seconds, evaluations that were ok and failed, and those lost
or recorded twice (which must be 0).
"""

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from victim import REFERENCE

from lammpsfit.farm.journal import read_journal

BIN = Path(sys.executable).parent
SCRIPTS = Path(__file__).parent.parent / "examples" / "hpc"
EVALUATIONS = 12
PATIENCE_S = 900.0

CONF = """
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort=27317
SlurmdPort=27318
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock
SlurmUser=root
StateSaveLocation={folder}/controller
SlurmdSpoolDir={folder}/node
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
KillWait=5
NodeName={host} NodeAddr=127.0.0.1 CPUs=16 RealMemory=4000 State=UNKNOWN
PartitionName=standard Nodes=ALL Default=YES State=UP
"""

JOB = f"""
potential = "BKS"
reference = {{ file = "{REFERENCE}" }}
system = {{ formula = "SiO2", atoms = 306, density = 2.2, melt = {{ melt = 0.3, relax = 0.1 }} }}
protocol = {{ temperature = 3600.0, relax = 0.1, sample = 0.32, every_fs = 10.0, blocks = 4 }}
charges = {{ balance = "O" }}
parameters = {{ q_Si = {{ factor = 1.1 }}, "A_O-O" = {{ factor = 1.1 }} }}
strategy = {{ name = "paper", design = 2000, barrier = 40.0 }}
limits = {{ evaluations = {EVALUATIONS}, evaluation_s = 60.0 }}
confirm = {{ candidates = 1, repeats = 1 }}
"""


class Slurm:
    """A Slurm of one node in a folder; a context manager."""

    def __init__(self, folder):
        self.folder = folder
        self.environment = os.environ | {
            "SLURM_CONF": str(folder / "slurm.conf"),
            "LAMMPSFIT_BIN": str(BIN),
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        }

    def __enter__(self):
        folder = self.folder
        for name in ("controller", "node"):
            (folder / name).mkdir()
        folder.chmod(0o755)
        (folder / "munge.key").write_bytes(os.urandom(1024))
        (folder / "munge.key").chmod(0o400)
        (folder / "slurm.conf").write_text(CONF.format(folder=folder, host=socket.gethostname()))
        names = {"socket": "sock", "log-file": "log", "pid-file": "pid", "seed-file": "seed"}
        munge = [f"--{option}={folder}/munge.{name}" for option, name in names.items()]
        self.run("munged", "--force", f"--key-file={folder}/munge.key", *munge)
        self.run("slurmctld")
        self.run("slurmd")
        wait(lambda: "idle" in self.run("sinfo", "-h", "-o", "%t"))
        return self

    def __exit__(self, *error):
        self.run("scancel", "-u", "root", check=False)
        time.sleep(1)
        for name in ("slurmd", "slurmctld", "munge"):
            pid = int((self.folder / f"{name}.pid").read_text())
            os.kill(pid, signal.SIGTERM)
            wait(lambda pid=pid: not Path(f"/proc/{pid}").exists(), 30.0)

    def run(self, *words, check=True, cwd=None):
        """Run a command to its end; return what it printed."""
        done = subprocess.run(
            [str(word) for word in words],
            env=self.environment,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        if check and done.returncode != 0:
            raise RuntimeError(f"{words[0]} ended with {done.returncode}: {done.stdout.strip()}")
        return done.stdout

    def batch(self, folder, *words):
        """Hand in a script; return the number of the job."""
        said = self.run("sbatch", "--parsable", *words, cwd=folder)
        return said.strip().split(";")[0]

    def state(self, job):
        """Return the state of a job, such as RUNNING."""
        said = self.run("scontrol", "show", "job", job, check=False)
        return said.partition("JobState=")[2].partition(" ")[0]


def wait(condition, patience=PATIENCE_S):
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError("nothing happened")
        time.sleep(0.3)


def recorded(run):
    """Return the numbers of the evaluations in a journal, in its order."""
    try:
        return [r["id"] for r in read_journal(run / "journal.jsonl").of_type("evaluation")]
    except Exception:
        return []


def finished(run):
    path = run / "result.json"
    return path.exists() and json.loads(path.read_text())["status"] == "finished"


FIT = [BIN / "lammpsfit", "fit", "job.toml", "-o", "run", "--oversubscribe"]


def srun_pmi2(slurm, folder):
    slurm.run("srun", "--mpi=pmi2", "-n", "3", *FIT, cwd=folder)


def srun_pmix_is_refused(slurm, folder):
    said = slurm.run("srun", "--mpi=pmix", "-n", "3", *FIT, check=False, cwd=folder)
    lines = [line for line in said.splitlines() if line.startswith("lammpsfit: ")]
    assert len(lines) == 1, said
    assert "srun --mpi=pmi2" in lines[0], said
    return "refused in one line"


def mpiexec_in_a_step_of_pmix(slurm, folder):
    inner = [BIN / "mpiexec", "-launcher", "fork", "-n", "3", *FIT]
    slurm.run("srun", "--mpi=pmix", "-n", "1", *inner, cwd=folder)


def script(slurm, folder):
    job = slurm.batch(folder, "-n", "3", SCRIPTS / "slurm.sh", "job.toml", "run")
    wait(lambda: slurm.state(job) == "COMPLETED")


def script_requeued(slurm, folder):
    """Stop it by the signal that comes before the end of the walltime."""
    job = slurm.batch(folder, "-n", "3", SCRIPTS / "slurm.sh", "job.toml", "run")
    wait(lambda: len(recorded(folder / "run")) >= 3)
    slurm.run("scancel", "--signal=USR1", job)
    wait(lambda: slurm.state(job) == "COMPLETED")
    assert (folder / f"slurm-{job}.out").read_text().count("resume") >= 1


def script_suspended(slurm, folder):
    """Suspend it for longer than an evaluation may take: none is recorded as hung."""
    job = slurm.batch(folder, "-n", "3", SCRIPTS / "slurm.sh", "job.toml", "run")
    wait(lambda: len(recorded(folder / "run")) >= 3)
    slurm.run("scontrol", "suspend", job)
    time.sleep(65.0)
    slurm.run("scontrol", "resume", job)
    wait(lambda: slurm.state(job) == "COMPLETED")


def array(slurm, folder):
    job = slurm.batch(folder, "--array=1-2", "-c", "2", SCRIPTS / "array.sh", "job.toml", "runs")
    wait(lambda: all(finished(folder / "runs" / k) for k in "12"))
    wait(lambda: "RUNNING" not in slurm.state(job))
    shutil.copytree(folder / "runs" / "2", folder / "run")


def parsl(slurm, folder, act=lambda slurm, run: None, walltime="01:00:00"):
    """Run the fit where we are, its workers in jobs of Slurm of two cores each."""
    config = (SCRIPTS / "parsl_slurm.py").read_text()
    for old, new in {
        "cores_per_node=128": "cores_per_node=2, exclusive=False",
        "max_workers_per_node=128": 'max_workers_per_node=2, address="127.0.0.1"',
        "max_blocks=8": "max_blocks=2",
        '"02:00:00"': f'"{walltime}"',
    }.items():
        assert old in config
        config = config.replace(old, new)
    (folder / "config.py").write_text(config)
    command = [BIN / "lammpsfit", "fit", "job.toml", "-o", "run", "--parsl", "config.py"]
    with (
        (folder / "output").open("w") as output,
        subprocess.Popen(
            [str(word) for word in command],
            cwd=folder,
            env=slurm.environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        act(slurm, folder / "run")
        code = process.wait(PATIENCE_S)
    assert code == 0, (folder / "output").read_text()
    wait(lambda: not slurm.run("squeue", "-h").strip(), 60.0)  # no block is left in the queue


def a_block_is_cancelled(slurm, run):
    wait(lambda: len(recorded(run)) >= 3)
    jobs = slurm.run("squeue", "-h", "-t", "RUNNING", "-o", "%i").split()
    slurm.run("scancel", jobs[0])


def parsl_cancelled(slurm, folder):
    parsl(slurm, folder, a_block_is_cancelled)


def parsl_walltime(slurm, folder):
    """All blocks end after a minute, and others take their place until the fit is done."""
    longer = JOB.replace(f"evaluations = {EVALUATIONS}", "evaluations = 60")
    (folder / "job.toml").write_text(longer)
    parsl(slurm, folder, walltime="00:01:00")


CASES = {
    "srun --mpi=pmi2": srun_pmi2,
    "srun --mpi=pmix": srun_pmix_is_refused,
    "mpiexec in srun --mpi=pmix": mpiexec_in_a_step_of_pmix,
    "sbatch slurm.sh": script,
    "sbatch slurm.sh, requeued": script_requeued,
    "sbatch slurm.sh, suspended": script_suspended,
    "sbatch array.sh": array,
    "Parsl": parsl,
    "Parsl, a block cancelled": parsl_cancelled,
    "Parsl, blocks of a minute": parsl_walltime,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=CASES, default=list(CASES))
    options = parser.parse_args()
    bad = 0
    print(f"{'case':<30}{'outcome':<22}{'time':>7}{'ok':>6}{'failed':>8}{'lost':>6}{'twice':>7}")
    temporary = tempfile.TemporaryDirectory(prefix="slurm-", ignore_cleanup_errors=True)
    with temporary as place, Slurm(Path(place)) as slurm:
        for name in options.only:
            folder = Path(tempfile.mkdtemp(prefix="fit-", dir=place))
            (folder / "job.toml").write_text(JOB)
            began = time.monotonic()
            try:
                outcome = CASES[name](slurm, folder) or "finished"
            except (AssertionError, RuntimeError, subprocess.TimeoutExpired) as error:
                outcome, bad = f"{error}", bad + 1
            print(row(name, outcome, time.monotonic() - began, folder / "run"), flush=True)
    if bad:
        raise SystemExit(f"{bad} cases did not end as they must")


def row(name, outcome, seconds, run):
    journal = recorded(run)
    found = f"{name:<30}{outcome:<22}{seconds:>6.0f}s"
    if not journal:
        return found
    records = read_journal(run / "journal.jsonl").of_type("evaluation")
    ok = sum(record["status"] == "ok" for record in records)
    lost = max(journal) + 1 - len(set(journal))
    twice = len(journal) - len(set(journal))
    return f"{found}{ok:>6}{len(records) - ok:>8}{lost:>6}{twice:>7}"


if __name__ == "__main__":
    main()

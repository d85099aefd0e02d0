"""A fit with each variable of the batch systems and launchers in its environment, one by one.

    python ci/environments.py [--only NAME ...] [--fits]

Every variable is set alone, as a job or an outer launcher would have left it, for ``fit --dry-run``
under ``mpiexec -n 3`` and without a launcher; then all of a family together for a real fit of two
evaluations, with ``--fits`` every variable too. A fit must run, or be refused in one line with exit
code 2; anything else is printed in full and ends the script with exit code 1.
`tests/farm/test_environment.py` holds the same list.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

BIN = Path(sys.executable).parent
REFERENCE = Path(__file__).parent.parent / "examples" / "silica" / "gr_aimd_3600K.csv"

SLURM = {
    "SLURM_JOB_ID": "7",
    "SLURM_JOBID": "7",
    "SLURM_JOB_NAME": "fit",
    "SLURM_JOB_NUM_NODES": "1",
    "SLURM_NNODES": "1",
    "SLURM_NTASKS": "8",
    "SLURM_NPROCS": "8",
    "SLURM_TASKS_PER_NODE": "8",
    "SLURM_CPUS_ON_NODE": "8",
    "SLURM_CPUS_PER_TASK": "1",
    "SLURM_JOB_CPUS_PER_NODE": "8",
    "SLURM_JOB_NODELIST": "localhost",
    "SLURM_PROCID": "0",
    "SLURM_LOCALID": "0",
    "SLURM_NODEID": "0",
    "SLURM_GTIDS": "0",
    "SLURM_STEP_NUM_TASKS": "1",
    "SLURM_STEP_TASKS_PER_NODE": "1",
    "SLURM_STEP_NODELIST": "localhost",
    "SLURM_STEP_ID": "4294967290",
    "SLURM_STEPID": "4294967290",
    "SLURM_MPI_TYPE": "pmix",
    "SLURM_PMIX_MAPPING_SERV": "(vector,(0,1,8))",
    "SLURM_PMI2_PROC_MAPPING": "(vector,(0,1,8))",
    "SLURM_ARRAY_TASK_ID": "3",
    "SLURM_ARRAY_JOB_ID": "7",
    "SLURM_RESTART_COUNT": "1",
    "SLURM_CPU_BIND": "quiet,mask_cpu:0x1",
    "SLURM_EXPORT_ENV": "NONE",
}
"""Of a batch script or an interactive step, and of a job array."""

PBS = {
    "PBS_JOBID": "7.server",
    "PBS_JOBNAME": "fit",
    "PBS_ENVIRONMENT": "PBS_BATCH",
    "PBS_NODENUM": "0",
    "PBS_TASKNUM": "1",
    "PBS_MOMPORT": "15003",
    "PBS_O_WORKDIR": "/",
    "PBS_NUM_PPN": "8",
    "PBS_NP": "8",
    "NCPUS": "8",
    "PBS_ARRAY_INDEX": "3",
    "PALS_RANKID": "0",
    "PALS_APID": "7",
    "PALS_DEPTH": "1",
    "PALS_LOCAL_RANKID": "0",
}
"""Of PBS Pro and Torque, and of Cray's PALS above them."""

OPEN_MPI = {
    "OMPI_COMM_WORLD_RANK": "0",
    "OMPI_COMM_WORLD_SIZE": "4",
    "OMPI_COMM_WORLD_LOCAL_RANK": "0",
    "OMPI_COMM_WORLD_LOCAL_SIZE": "4",
    "OMPI_UNIVERSE_SIZE": "4",
    "OMPI_MCA_ess_base_jobid": "1",
    "OMPI_MCA_orte_hnp_uri": "1.0;tcp://127.0.0.1:1",
    "ORTE_SCHIZO_DETECTION": "ORTE",
    "PRTE_LAUNCHED": "1",
    "PRTE_MCA_prte_hnp_uri": "1.0;tcp://127.0.0.1:1",
}
"""Of Open MPI's mpirun and of PRRTE."""

PMIX = {
    "PMIX_NAMESPACE": "slurm.pmix.7.0",
    "PMIX_RANK": "0",
    "PMIX_SERVER_URI": "pmix-server;tcp4://127.0.0.1:1",
    "PMIX_SERVER_URI2": "pmix-server;tcp4://127.0.0.1:1",
    "PMIX_SERVER_URI3": "pmix-server;tcp4://127.0.0.1:1",
    "PMIX_SERVER_URI4": "pmix-server;tcp4://127.0.0.1:1",
    "PMIX_SERVER_TMPDIR": "/tmp",
    "PMIX_SYSTEM_TMPDIR": "/tmp",
    "PMIX_SECURITY_MODE": "munge,native",
    "PMIX_PTL_MODULE": "tcp",
    "PMIX_BFROP_BUFFER_TYPE": "PMIX_BFROP_BUFFER_NON_DESC",
    "PMIX_GDS_MODULE": "ds21,ds12,hash",
    "PMIX_HOSTNAME": "localhost",
    "PMIX_VERSION": "4.2.2",
    "PMIX_MCA_ptl": "tcp",
}
"""Of ``srun --mpi=pmix``, an interactive step where that is the default, and PRRTE."""

FLUX = {
    "FLUX_URI": "local:///tmp/none",
    "FLUX_JOB_ID": "7",
    "FLUX_JOB_SIZE": "4",
    "FLUX_JOB_NNODES": "1",
    "FLUX_TASK_RANK": "0",
    "FLUX_TASK_LOCAL_ID": "0",
    "FLUX_KVS_NAMESPACE": "job-7",
    "FLUX_PMI_LIBRARY_PATH": "/none/libpmi.so",
    "FLUX_TERMINUS_SESSION": "0",
}
"""Of Flux."""

PMI = {
    "PMI_RANK": "0",
    "PMI_SIZE": "4",
    "PMI_FD": "99",
    "PMI_PORT": "localhost:1",
    "PMI_JOBID": "7",
    "PMI_SPAWNED": "1",
    "PMI_LOCAL_RANK": "0",
    "PMI_UNIVERSE_SIZE": "4",
    "PMI2_VERSION": "2",
    "MPI_LOCALNRANKS": "4",
    "MPI_LOCALRANKID": "0",
    "HYDI_CONTROL_FD": "98",
}
"""Of an outer launcher that speaks PMI: MPICH's, Intel's, Cray's, ``srun --mpi=pmi2``."""

FAMILIES = {
    "Slurm": SLURM,
    "PBS": PBS,
    "Open MPI": OPEN_MPI,
    "PMIx": PMIX,
    "Flux": FLUX,
    "PMI": PMI,
}

JOB = f"""
potential = "BKS"
reference = {{ file = "{REFERENCE}" }}
system = {{ formula = "SiO2", atoms = 306, density = 2.2, melt = {{ melt = 0.3, relax = 0.1 }} }}
protocol = {{ temperature = 3600.0, relax = 0.05, sample = 0.2, every_fs = 10.0, blocks = 4 }}
charges = {{ balance = "O" }}
parameters = {{ q_Si = {{ factor = 1.1 }} }}
limits = {{ evaluations = 2 }}
confirm = {{ candidates = 1, repeats = 1 }}
"""


def fit(variables, launcher, folder, dry):
    """Run the fit; return its exit code and what it said of errors."""
    (folder / "job.toml").write_text(JOB)
    words = ["fit", folder / "job.toml", "-o", folder / "run", "--oversubscribe"]
    words += ["--dry-run"] if dry else []
    workers = [] if launcher else ["--workers", "1"]
    done = subprocess.run(
        [str(word) for word in (*launcher, BIN / "lammpsfit", *words, *workers)],
        env=os.environ | variables,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=600,
        check=False,
    )
    return done.returncode, done.stderr


def tried(name, variables, dry):
    """Try variables with and without a launcher; print a line, return how often it went wrong."""
    said, words, bad = [], [], 0
    for launcher in ([BIN / "mpiexec", "-n", "3"], []):
        with tempfile.TemporaryDirectory() as folder:
            code, errors = fit(variables, launcher, Path(folder), dry)
        refused = code == 2 and errors.count("\n") == 1
        words.append("runs" if code == 0 else "refused" if refused else f"exit {code}")
        if code != 0:
            said.append(f"    {errors.strip()}")
        bad += not (code == 0 or refused)
    print("\n".join([f"  {name:<32}{words[0]:<14}{words[1]}", *said]), flush=True)
    return bad


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", default=[], help="variables or families to try")
    parser.add_argument("--fits", action="store_true", help="a real fit for every variable")
    options = parser.parse_args()
    bad = 0
    print(f"{'variable':<34}{'mpiexec -n 3':<14}without a launcher")
    for family, variables in FAMILIES.items():
        print(f"{family}:")
        for name, value in variables.items():
            if not options.only or name in options.only:
                bad += tried(name, {name: value}, not options.fits)
        if not options.only or family in options.only:
            # Hydra itself asks Slurm for its nodes where a job is said to have some
            hydra = {name: v for name, v in variables.items() if "NODELIST" not in name}
            bad += tried("all together, a real fit", hydra, False)
    if bad:
        raise SystemExit(f"{bad} fits neither ran nor were refused in one line")


if __name__ == "__main__":
    main()

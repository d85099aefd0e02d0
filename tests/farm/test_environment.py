"""What the environment says of the launcher, with all that batch systems leave in it."""

import os
import subprocess
import sysconfig
from importlib import util
from pathlib import Path

import pytest

from lammpsfit.child.process import child_environment
from lammpsfit.farm.environment import (
    Launcher,
    cannot_join,
    drop_stale,
    has_lost_its_launcher,
    read_launcher,
)

BIN = Path(sysconfig.get_path("scripts"))
LIST = Path(__file__).parent.parent.parent / "ci" / "environments.py"
specification = util.spec_from_file_location("environments", LIST)
FAMILIES = util.module_from_spec(specification)
specification.loader.exec_module(FAMILIES)
FAMILIES = FAMILIES.FAMILIES
EVERY = {name: value for family in FAMILIES.values() for name, value in family.items()}
HYDRA = {"PMI_RANK": "2", "PMI_SIZE": "3", "PMI_FD": "9", "HYDI_CONTROL_FD": "7"}
CLEAN = {"PATH": "/usr/bin:/bin", "HOME": "/root"}

SBATCH = {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "8", "SLURM_PROCID": "0"}
SHELL = SBATCH | {"SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "1"}


@pytest.mark.parametrize(
    ("environment", "launcher"),
    [
        ({}, None),
        ({"HOME": "/root", "PMI_RANK": ""}, None),
        ({"PMI_RANK": "2", "PMI_SIZE": "4"}, Launcher(2, 4)),
        ({"OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_SIZE": "4"}, Launcher(0, 4)),
        ({"PALS_RANKID": "5", "PMI_SIZE": "8"}, Launcher(5, 8)),
        ({"FLUX_TASK_RANK": "1", "FLUX_JOB_SIZE": "2"}, Launcher(1, 2)),
        ({"PMIX_RANK": "3"}, Launcher(3, None)),
        (SBATCH, None),
        (SBATCH | {"SLURM_STEP_ID": "4294967290"}, None),
        (SBATCH | {"SLURM_STEP_ID": "0"}, Launcher(0, 8)),
        (SBATCH | {"SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "4"}, Launcher(0, 4)),
        (SBATCH | {"PMI_RANK": "1", "PMI_SIZE": "8"}, Launcher(1, 8)),
        (SHELL, None),
        (SHELL | {"PMI_RANK": "0", "PMI_SIZE": "1"}, None),
        (SHELL | {"PMIX_RANK": "0"}, None),
        (SHELL | {"PMI_RANK": "1", "PMI_SIZE": "4"}, Launcher(1, 4)),
    ],
)
def test_the_environment_tells_the_launcher(environment, launcher):
    assert read_launcher(environment) == launcher


@pytest.mark.parametrize(
    ("library", "environment", "cannot"),
    [
        ("MPICH Version: 5.0.2 --with-pm=hydra", {"PMIX_RANK": "0"}, True),
        ("MPICH Version: 5.0.2 --with-pmix", {"PMIX_RANK": "0"}, False),
        ("MPICH Version: 5.0.2", {"PMIX_NAMESPACE": "x"}, True),
        ("MPICH Version: 5.0.2", {"PRTE_LAUNCHED": "1"}, True),
        ("MPICH Version: 5.0.2", {"PRTE_LAUNCHED": "1", "PMI_RANK": "0"}, False),
        ("Open MPI v5.0.11", {"PMIX_RANK": "0"}, False),
        ("MPICH Version: 5.0.2", {"PMIX_RANK": "0", "PMI_RANK": "0"}, False),
        ("MPICH Version: 5.0.2", {"PMI_RANK": "0"}, False),
    ],
)
def test_a_library_that_would_abort_is_known(library, environment, cannot):
    assert cannot_join(library, environment) == cannot


@pytest.mark.parametrize("name", EVERY)
def test_under_hydra_nothing_else_counts(name):
    """One by one: what an outer job left changes neither rank nor size, nor makes MPICH abort."""
    environment = {name: EVERY[name]} | HYDRA
    assert read_launcher(environment) == Launcher(2, 3)
    drop_stale(environment)
    assert HYDRA.items() <= environment.items()
    assert not [left for left in environment if left.startswith("PMIX_") or left == "PMI_SPAWNED"]


@pytest.mark.parametrize("name", EVERY)
def test_a_child_sees_none_of_them_that_mpi_would_heed(name):
    kept = child_environment({name: EVERY[name]})
    assert name not in kept or name.startswith(("PBS_", "NCPUS"))


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_no_launch_is_none(family):
    """Of one family at once, as it is in a batch script or a shell within a job."""
    launcher = read_launcher(FAMILIES[family])
    assert (launcher is None) == (family == "Slurm")


def test_stale_variables_stay_where_no_launcher_speaks_pmi():
    environment = dict(FAMILIES["PMIx"])
    drop_stale(environment)
    assert environment == FAMILIES["PMIx"]


def test_a_process_that_a_rank_started_has_no_launcher():
    reading, writing = os.pipe()
    try:
        assert not has_lost_its_launcher({"PMI_FD": f"{writing}"})
    finally:
        os.close(reading)
        os.close(writing)
    assert has_lost_its_launcher({"PMI_FD": f"{writing}"})
    assert not has_lost_its_launcher({"PMI_PORT": "localhost:1"})


def run(*command, **variables):
    return subprocess.run(
        [str(word) for word in command],
        env=child_environment(CLEAN) | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("family", ["PMIx", "every"])
def test_mpiexec_starts_with_all_of_them(family):
    outer = EVERY if family == "every" else FAMILIES[family]
    # Hydra itself would ask Slurm for its nodes
    outer = {name: value for name, value in outer.items() if not name.startswith("SLURM_")}
    done = run(BIN / "mpiexec", "-n", 3, BIN / "lammpsfit", "--version", **outer)
    assert (done.returncode, done.stdout.count("\n"), done.stderr) == (0, 1, "")


@pytest.mark.parametrize("family", FAMILIES)
def test_without_a_launcher_it_runs_or_is_refused_in_one_line(family):
    done = run(BIN / "lammpsfit", "--version", **FAMILIES[family])
    said = done.stdout + done.stderr
    assert said.count("\n") == 1
    assert (done.returncode, said.startswith("lammpsfit: ")) in ((0, False), (2, True)), said

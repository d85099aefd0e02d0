"""What environments mean, and which farms are refused. Real launches are in test_mpi.py."""

import os

import pytest

from lammpsfit.errors import InputError
from lammpsfit.farm.launch import (
    Launch,
    Launcher,
    Place,
    cannot_join,
    check_cores,
    open_farm,
    read_launcher,
)

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
        ("Open MPI v5.0.11", {"PMIX_RANK": "0"}, False),
        ("MPICH Version: 5.0.2", {"PMIX_RANK": "0", "PMI_RANK": "0"}, False),
        ("MPICH Version: 5.0.2", {"PMI_RANK": "0"}, False),
    ],
)
def test_a_library_that_would_abort_is_known(library, environment, cannot):
    assert cannot_join(library, environment) == cannot


def places(**cores):
    """Two workers on each host, with the cores they may use."""
    return [Place(host, frozenset(some)) for host, both in cores.items() for some in both]


def test_workers_with_a_core_each_pass():
    check_cores(places(a=[{0}, {1}], b=[{0, 1}, {0, 1}]))


@pytest.mark.parametrize("shared", [[{0}, {0}], [{3}, {3}]])
def test_workers_that_share_cores_are_refused(shared):
    with pytest.raises(InputError, match=r"2 of them share 1 on b.*--oversubscribe"):
        check_cores(places(a=[{0}, {1}], b=shared))


def test_local_workers_beyond_the_cores_are_refused():
    cores = len(os.sched_getaffinity(0))
    with pytest.raises(InputError, match=rf"at most {cores}, .*got {cores + 1}.*--oversubscribe"):
        open_farm(None, cores + 1, False)
    assert open_farm(None, cores + 1, True).workers == cores + 1
    assert open_farm(None, None, False).workers == cores


def test_workers_are_not_asked_for_under_a_launcher():
    with pytest.raises(InputError, match="leave it out, or use -n 5"):
        open_farm(Launch(None, ()), 4, False)

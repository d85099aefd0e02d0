"""What several packages' tests share: one molten box of silica, and where it is kept.

Tests may run side by side in several processes (``pytest -n 2``). What takes long to make and is
only read is made by the first process that needs it, in a folder that all of them see.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lammpsfit.config import read_job
from lammpsfit.fit.run.problem import build_problem
from lammpsfit.md.melt import melted_structure

LAMMPSFIT = Path(sys.executable).parent / "lammpsfit"
EXAMPLES = Path(__file__).parent.parent / "examples" / "silica"

JOB = f"""
title = "small"
potential = "BKS"
seed = 3

[reference]
file = "{EXAMPLES / "gr_aimd_3600K.csv"}"

[system]
formula = "SiO2"
atoms = 306
density = 2.2
structure = "random"
melt = {{ melt = 0.3, cool = 0.1, relax = 0.1 }}

[protocol]
temperature = 3600.0
relax = 0.05
sample = 0.2
every_fs = 10.0
blocks = 4

[charges]
balance = "O"

[parameters]
"q_Si" = {{ factor = 1.2 }}
"A_Si-O" = {{ factor = 1.2 }}

[strategy]
name = "paper"
gradients = "differences"
design = 4
plateau = 3
explore = 4
refine = 1

[confirm]
candidates = 1
repeats = 2
compare = ["CHIK"]
"""


@pytest.fixture(scope="session")
def common_folder(tmp_path_factory):
    """Return the folder that all processes of this run of the tests see."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def made_once(common_folder):
    """Make a folder once for all processes; those that need it meanwhile wait."""

    def once(name, make):
        folder, done = common_folder / name, common_folder / f"{name}.done"
        with (common_folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)
                make(folder)
                done.touch()
        return folder

    return once


@pytest.fixture(scope="session", autouse=True)
def own_cache(common_folder):
    """Keep molten structures and what JAX compiles, for all processes, apart from the user's."""
    folder = common_folder / "cache"
    folder.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        patch.setenv("JAX_COMPILATION_CACHE_DIR", str(folder / "jax"))
        patch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.05")
        yield folder


@pytest.fixture(scope="session")
def built_plugin(made_once, own_cache):
    """Compile the pair style of LAMMPS, unless another process does; all find it in the cache."""

    def build(folder):
        from lammpsfit.gap.lammps.build import build_plugin
        from lammpsfit.gap.lammps.installation import find_lammps

        folder.mkdir()
        build_plugin(find_lammps())

    return lambda: made_once("plugin", build)


@pytest.fixture
def job_text():
    return JOB


@pytest.fixture(scope="session")
def job_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("job") / "job.toml"
    path.write_text(JOB)
    return path


@pytest.fixture(scope="session")
def problem(job_file):
    return build_problem(read_job(job_file))


@pytest.fixture(scope="session")
def structure(problem):
    """A molten box of 306 atoms."""
    return melted_structure(problem.melt_potential, problem.system, problem.melting)


@pytest.fixture(scope="session")
def lammpsfit():
    """Call the command line in a process of its own, as a user does."""

    def call(*arguments, cwd=None, **environment):
        return subprocess.run(
            [LAMMPSFIT, *map(str, arguments)],
            cwd=cwd,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return call


@pytest.fixture(scope="session")
def finished_run(lammpsfit, job_file, structure, made_once):
    """The run folder of a whole fit with one worker: copy it before changing it."""

    def fit(path):
        done = lammpsfit("fit", job_file, "-o", path, "--workers", 1)
        assert done.returncode == 0, done.stderr

    return made_once("finished", fit)


@pytest.fixture(scope="session")
def alive():
    """Tell whether a process runs; one that ended but was not waited for does not."""

    def check(pid):
        try:
            return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
        except FileNotFoundError:
            return False

    return check

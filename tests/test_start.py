"""What a process loads before it works: a fit starts many, and each would pay for it."""

import subprocess
import sys

import pytest

HEAVY = {
    "jax",
    "matplotlib",
    "pandas",
    "parsl",
    "rich",
    "scipy.interpolate",
    "scipy.signal",
    "scipy.stats",
    "sklearn",
}
"""Each takes as long to import as all that an evaluation needs, or longer."""


def loaded(module):
    """Names of the modules that a fresh process has after it imported one."""
    code = f"import sys, {module}; print('\\n'.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    return set(done.stdout.splitlines())


@pytest.mark.parametrize(
    ("module", "besides"),
    [
        # the child of every evaluation, and the process that starts it
        ("lammpsfit.target.evaluate", {"pymatgen", "scipy.optimize", "typer"}),
        ("lammpsfit.fit.run.loop", {"typer"}),
        ("lammpsfit.fit.paper", {"typer"}),
        # a rank of an MPI job that runs children, and the command line
        ("lammpsfit.farm.mpi", {"numpy", "scipy", "pydantic", "lammpsfit.md", "typer"}),
        ("lammpsfit.cli", {"numpy", "scipy", "pydantic", "lammpsfit.md"}),
    ],
)
def test_a_process_starts_without_what_it_hardly_ever_needs(module, besides):
    found = loaded(module)
    assert module in found
    heavy = HEAVY - {"rich"} if module == "lammpsfit.cli" else HEAVY
    assert not found & (heavy | besides)

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lammpsfit.forcefield import (
    FORMS,
    DampedShiftedForce,
    Potential,
    Species,
    Term,
    load_potential,
)
from lammpsfit.forcefield.lammps_text import charge_lines, mass_lines

BOX = 18.0


@pytest.fixture
def bks():
    return load_potential("BKS")


@pytest.fixture
def three():
    """Three species, a pair without terms (Na-Na), one with the core only, different cutoffs."""
    buckingham, repulsion = FORMS["buckingham"], FORMS["repulsion"]
    return Potential(
        name="three",
        species={"Na": Species(23.0, 0.6), "Si": Species(28.1, 2.4), "O": Species(16.0, -1.2)},
        pairs={
            "O-Na": (Term(buckingham, {"A": 4383.7555, "rho": 0.243838, "C": 30.7}),),
            "Na-Si": (Term(repulsion, {"D": 50.0}),),
            "Si-O": (
                Term(buckingham, {"A": 13702.905, "rho": 0.193817, "C": 54.681}),
                Term(repulsion, {"D": 29.0}),
            ),
            "O-O": (
                Term(repulsion, {"D": 113.0}),
                Term(buckingham, {"A": 2029.2204, "rho": 0.343645, "C": 192.58}),
            ),
        },
        coulomb=DampedShiftedForce(0.2, 8.5),
        cutoff=7.5,
    )


class Oracle:
    """Energy and forces of a random box, summed directly and by LAMMPS."""

    @staticmethod
    def configuration(n_types, seed, n=100, alike=2.2, unlike=1.5):
        """Return positions, shape (n, 3), of a random box without close pairs, and types from 1."""
        generator = np.random.default_rng(seed)
        types = generator.integers(1, n_types + 1, n)
        positions = np.empty((0, 3))
        while len(positions) < n:
            trial = generator.uniform(0, BOX, 3)
            d = positions - trial
            d -= BOX * np.round(d / BOX)
            placed = types[: len(positions)]
            nearest = np.where(placed == types[len(positions)], alike, unlike)
            if np.all(np.linalg.norm(d, axis=1) > nearest):
                positions = np.vstack([positions, trial])
        return positions, types

    @staticmethod
    def direct_sum(potential, positions, types):
        """Return energy and forces, shape (n, 3), by minimum image over all pairs of atoms."""
        i, j = np.triu_indices(len(positions), 1)
        d = positions[i] - positions[j]
        d -= BOX * np.round(d / BOX)
        r = np.linalg.norm(d, axis=1)
        names = list(potential.species)
        energy, forces = 0.0, np.zeros_like(positions)
        kinds = np.sort(np.stack([types[i], types[j]]), axis=0) - 1
        for a, b in np.unique(kinds.T, axis=0):
            here = (kinds[0] == a) & (kinds[1] == b)
            pair = f"{names[a]}-{names[b]}"
            energy += potential.energy(pair, r[here]).sum()
            force = -(potential.slope(pair, r[here]) / r[here])[:, None] * d[here]
            np.add.at(forces, i[here], force)
            np.add.at(forces, j[here], -force)
        return energy, forces

    @staticmethod
    def self_energy(potential, types):
        """Return what the overlay's Coulomb style adds to the energy of these atoms."""
        charges = np.array([s.charge for s in potential.species.values()])[types - 1]
        return sum(potential.coulomb.self_energy(q) for q in charges) if potential.coulomb else 0

    @staticmethod
    def lammps(folder, *jobs):
        """Return energy and forces of each (potential, positions, types, pair lines)."""
        written = [
            {
                "box": BOX,
                "positions": positions.tolist(),
                "types": types.tolist(),
                "n_types": len(potential.species),
                "lines": [*mass_lines(potential), *charge_lines(potential), *lines],
            }
            for potential, positions, types, lines in jobs
        ]
        (folder / "jobs.json").write_text(json.dumps(written))
        script = Path(__file__).with_name("lammps_forces.py")
        command = [sys.executable, str(script), "jobs.json", "results.json"]
        run = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=120, check=False
        )
        assert run.returncode == 0, run.stderr
        results = json.loads((folder / "results.json").read_text())
        return [(result["energy"], np.array(result["forces"])) for result in results]


@pytest.fixture(scope="session")
def oracle():
    return Oracle

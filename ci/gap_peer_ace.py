"""Linear ACE of pacemaker (pyace), beside which the GAP benchmarks are set.

``pip install python-ace`` into an environment that has lammpsfit too. Its weights are a ridge
regression on energies, forces and stresses, as those of gap_peer_snap.py; stresses of its
functions are differences of their sums over strained cells. Run as a script it tells what its
settings were chosen from: errors on frames of the first 120 fs, which are in no split.

    python ci/gap_peer_ace.py
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.stress import voigt_6_to_full_3x3_strain
from gap_peer_snap import Rows, best_ridge, predictions, ridge_fit
from gap_splits import LEARN, VALIDATE, read_data

from lammpsfit.gap.predict import Prediction
from lammpsfit.labelled.frames import Frame, to_atoms

SIZES = {
    "small": ([12, 5, 3, 2], [0, 4, 3, 2]),
    "middle": ([15, 6, 4, 3], [0, 5, 4, 2]),
    "large": ([18, 8, 5, 3], [0, 6, 4, 3]),
}
"""Radial functions and largest l of each order: two to five atoms."""

TAKEN: dict[str, Any] = {"size": "small", "cutoff": 7.0, "ridge": 1e-6}

CUTOFFS = (6.0, 7.0)
STRAIN = 1e-3


def fit_and_predict(
    train: Sequence[Frame], test: Sequence[Frame], folder: Path
) -> tuple[list[Prediction], float]:
    """Fit, and predict other frames: predictions, and CPU seconds of the fit."""
    began = time.process_time()
    basis = Basis(TAKEN)
    weights = ridge_fit(train, [basis.rows(frame) for frame in train], TAKEN["ridge"])
    cpu = time.process_time() - began
    return predictions(test, [basis.rows(frame) for frame in test], weights), cpu


class Basis:
    """The functions of ACE."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        from pyace import (
            ACEBBasisSet,
            ACEBEvaluator,
            ACECalculator,
            create_multispecies_basis_config,
        )

        radial, degrees = SIZES[settings["size"]]
        bonds = {"radbase": "SBessel", "radparameters": [5.25], "dcut": 0.01}
        bonds |= {"rcut": settings["cutoff"], "NameOfCutoffFunction": "cos"}
        functions = {"nradmax_by_orders": radial, "lmax_by_orders": degrees}
        embedding = {"npot": "FinnisSinclair", "fs_parameters": [1, 1], "ndensity": 1}
        config = create_multispecies_basis_config(
            {
                "deltaSplineBins": 0.001,
                "elements": ["Al"],
                "embeddings": {"ALL": embedding},
                "bonds": {"ALL": bonds},
                "functions": {"ALL": functions},
            }
        )
        self.basis = ACEBBasisSet(config)
        self.evaluator = ACEBEvaluator(self.basis)
        self.calculator = ACECalculator(self.evaluator)

    def compute(self, atoms: Atoms, *, slopes: bool) -> np.ndarray:
        """Return the sum of each function over the atoms; what is left behind has the slopes."""
        from pyace.atomicenvironment import aseatoms_to_atomicenvironment

        surroundings = aseatoms_to_atomicenvironment(
            atoms,
            cutoff=self.basis.cutoffmax,
            elements_mapper_dict=self.basis.elements_to_index_map,
        )
        self.calculator.compute(surroundings, compute_projections=True, compute_b_grad=slopes)
        return np.sum(self.calculator.projections, axis=0)

    def rows(self, frame: Frame) -> Rows:
        """Return what each weight adds to energy, forces and stress of a frame."""
        atoms, n = to_atoms(frame), len(frame)
        energy = np.concatenate([[float(n)], self.compute(atoms, slopes=True)])
        found = np.array(self.calculator.forces_bfuncs).transpose(0, 2, 1).reshape(3 * n, -1)
        forces = np.column_stack([np.zeros(3 * n), found])
        stress = np.zeros((6, len(energy)))
        for row, step in zip(stress, STRAIN * np.eye(6), strict=True):
            above, below = (
                self.compute(strained(atoms, sign * step), slopes=False) for sign in (1.0, -1.0)
            )
            row[1:] = (above - below) / (2.0 * STRAIN * frame.volume)
        return Rows(energy, forces, stress)


def strained(atoms: Atoms, strain: np.ndarray) -> Atoms:
    """Return atoms after a strain xx yy zz yz xz xy."""
    moved = atoms.copy()
    moved.set_cell(moved.cell @ (np.eye(3) + voigt_6_to_full_3x3_strain(strain)), scale_atoms=True)
    return moved


def main() -> None:
    data = read_data()
    train, test = ([data[k] for k in some] for some in (LEARN, VALIDATE))
    for size in SIZES:
        for cutoff in CUTOFFS:
            began = time.process_time()
            basis = Basis({"size": size, "cutoff": cutoff})
            rows, asked = ([basis.rows(frame) for frame in some] for some in (train, test))
            cpu = time.process_time() - began
            said = best_ridge(train, rows, test, asked)
            functions = len(rows[0].energy) - 1
            print(f"{size} ({functions}), {cutoff:g} Å, {said}, {cpu:.1f} s of CPU", flush=True)


if __name__ == "__main__":
    main()

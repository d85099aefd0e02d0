"""pypolymlp, the polynomial potential of A. Seko, beside which the GAP benchmarks are set.

``pip install 'lammpsfit[bench]'`` installs it; where there is no wheel its build wants Eigen 3
(``apt install libeigen3-dev``). Linear in 432 or 308 invariants of up to four atoms, ridge
regression.
"""

import os
import time
from collections.abc import Sequence
from contextlib import chdir, redirect_stdout
from pathlib import Path

import numpy as np
from ase.stress import voigt_6_to_full_3x3_stress

from lammpsfit.gap.predict import Prediction
from lammpsfit.labelled.frames import Frame

SETTINGS = {
    "cutoff": 7.0,
    "model_type": 1,
    "max_p": 1,
    "gtinv_order": 3,
    "gaussian_params1": (1.0, 1.0, 1),
    "reg_alpha_params": (1.0, 1.0, 1),
}
SIZES = {
    "308": {"gtinv_maxl": (6, 4), "gaussian_params2": (0.0, 6.0, 14)},
    "432": {"gtinv_maxl": (8, 4), "gaussian_params2": (0.0, 6.0, 18)},
}
"""By the number of features."""


def fit_and_predict(
    train: Sequence[Frame], test: Sequence[Frame], folder: Path, size: str
) -> tuple[list[Prediction], float]:
    """Fit, and predict other frames: predictions, and CPU seconds of the fit."""
    from pypolymlp.calculator.properties import Properties
    from pypolymlp.mlp_dev.pypolymlp import Pypolymlp

    began = time.process_time()
    elements = tuple(sorted({symbol for frame in train for symbol in frame.symbols}))
    if len(elements) > 1:
        raise ValueError("these settings are for one element")
    alone = float(np.mean([frame.energy / len(frame) for frame in train]))
    labels = (
        np.array([frame.energy for frame in train]),
        [frame.forces.T for frame in train],
        np.array([-frame.volume * voigt_6_to_full_3x3_stress(frame.stress) for frame in train]),
    )
    structures = [structure_of(frame) for frame in train]
    with chdir(folder), Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        potential = Pypolymlp()
        potential.set_params(elements=elements, atomic_energy=(alone,), **SETTINGS, **SIZES[size])
        energies, forces, stresses = labels
        potential.set_datasets_structures(
            structures, structures, energies, energies, forces, forces, stresses, stresses
        )
        potential.run()
        potential.save_mlp(filename="polymlp.yaml")
        cpu = time.process_time() - began
        found = Properties(pot="polymlp.yaml")
        return [prediction(found, frame, alone) for frame in test], cpu


def structure_of(frame: Frame):
    """Return a frame as pypolymlp takes it."""
    from pypolymlp.core.data_format import PolymlpStructure

    return PolymlpStructure(
        axis=frame.cell.T,
        positions=np.linalg.solve(frame.cell.T, frame.positions.T),
        n_atoms=[len(frame)],
        elements=list(frame.symbols),
        types=[0] * len(frame),
    )


def prediction(potential, frame: Frame, alone: float) -> Prediction:
    """Predict a frame; its stresses are virials xx yy zz xy yz zx, in eV.

    `alone` is the energy of an atom, eV, which energies are told without.
    """
    energy, forces, virial = potential.eval(structure_of(frame), use_openmp=False)
    energy = energy + alone * len(frame)
    stress = -np.asarray(virial)[[0, 1, 2, 4, 5, 3]] / frame.volume
    energies = np.full(len(frame), energy / len(frame))
    return Prediction(float(energy), energies, np.asarray(forces).T, stress)

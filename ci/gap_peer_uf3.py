"""UF3, ultra-fast potentials of two and three atoms, beside which the GAP benchmarks are set.

``pip install uf3`` into an environment that has lammpsfit too. Linear in products of cubic
B-splines; it is fitted to energies and forces, as its own front door does it. Stresses are
differences of energies of strained cells. Run as a script it tells what its settings were chosen
from: errors on frames of the first 120 fs, which are in no split.

    python ci/gap_peer_uf3.py
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase.stress import voigt_6_to_full_3x3_strain
from gap_splits import LEARN, VALIDATE, errors_of, read_data

from lammpsfit.gap.predict import Prediction
from lammpsfit.labelled.frames import Frame, to_atoms

TAKEN: dict[str, Any] = {"cutoff": 4.5, "knots": 6, "weight": 0.9, "curve": 1e-4, "ridge": 1e-5}

TRIED = [
    TAKEN | {"weight": weight, "curve": curve, "ridge": ridge}
    for weight in (0.5, 0.9, 0.99)
    for curve in (1e-8, 1e-4, 1e-3, 1e-2)
    for ridge in (1e-8, 1e-5)
]

PAIR_CUTOFF, PAIR_KNOTS, SHORTEST = 7.0, 20, 1.5
STRAIN = 1e-3

known: dict[bytes, np.ndarray] = {}
"""Features that were worked out before: frames come back in many splits."""


def fit_and_predict(
    train: Sequence[Frame],
    test: Sequence[Frame],
    folder: Path,
    settings: Mapping[str, Any] = TAKEN,
    stresses: bool = True,
) -> tuple[list[Prediction], float]:
    """Fit, and predict other frames: predictions, and CPU seconds of the fit.

    The CPU seconds leave out features that were known from before.
    """
    from uf3.regression.least_squares import WeightedLinearModel

    began = time.process_time()
    basis, featurise = featuriser(settings)
    rows = [features(frame, featurise, settings) for frame in train]
    penalty = basis.get_regularization_matrix(
        ridge_map={1: 1e-8, 2: 0.0, 3: settings["ridge"]},
        curvature_map={1: 0.0, 2: settings["curve"], 3: settings["curve"]},
    )
    model = WeightedLinearModel(basis, regularizer=penalty)
    model.fit(
        np.array([row[0] / len(frame) for row, frame in zip(rows, train, strict=True)]),
        np.array([frame.energy / len(frame) for frame in train]),
        np.concatenate([row[1:] for row in rows]),
        np.concatenate([frame.forces.ravel() for frame in train]),
        weight=settings["weight"],
    )
    cpu = time.process_time() - began
    found = []
    for frame in test:
        values = features(frame, featurise, settings) @ model.coefficients
        stress = np.full(6, np.nan)
        if stresses:
            stress = stress_of(frame, featurise, settings, model.coefficients)
        each = np.full(len(frame), values[0] / len(frame))
        found.append(Prediction(float(values[0]), each, values[1:].reshape(-1, 3), stress))
    return found, cpu


def featuriser(settings: Mapping[str, Any]):
    """Return the basis, and what works out its functions."""
    from uf3.data.composition import ChemicalSystem
    from uf3.representation.bspline import BSplineBasis
    from uf3.representation.process import BasisFeaturizer

    pair, triple = ("Al", "Al"), ("Al", "Al", "Al")
    cutoff, knots = settings["cutoff"], settings["knots"]
    basis = BSplineBasis(
        ChemicalSystem(element_list=["Al"], degree=3),
        r_min_map={pair: SHORTEST, triple: [SHORTEST] * 3},
        r_max_map={pair: PAIR_CUTOFF, triple: [cutoff, cutoff, 2 * cutoff]},
        resolution_map={pair: PAIR_KNOTS, triple: [knots, knots, 2 * knots]},
        leading_trim=0,
        trailing_trim=3,
    )
    return basis, BasisFeaturizer(basis)


def features(
    frame: Frame, featurise, settings: Mapping[str, Any], strain: np.ndarray | None = None
) -> np.ndarray:
    """Return shares of the energy and of the forces x1 y1 z1 x2 ...; of the energy if strained."""
    atoms = to_atoms(frame)
    if strain is not None:
        atoms.set_cell(atoms.cell @ (np.eye(3) + strain), scale_atoms=True)
    name = atoms.positions.tobytes() + repr([settings[key] for key in ("cutoff", "knots")]).encode()
    if name not in known:
        n = len(atoms)
        forces = np.zeros((3, n)) if strain is None else None
        found = featurise.evaluate_configuration(atoms, energy=0.0, forces=forces)
        keys = [f"f{axis}_{atom}" for atom in range(n) for axis in "xyz"] if strain is None else []
        known[name] = np.array([found[key][1:] for key in ("energy", *keys)])
    return known[name]


def stress_of(
    frame: Frame, featurise, settings: Mapping[str, Any], coefficients: np.ndarray
) -> np.ndarray:
    """Return +dE/dstrain / V, eV/Å^3, xx yy zz yz xz xy."""
    found = []
    for step in STRAIN * np.eye(6):
        above, below = (
            features(frame, featurise, settings, voigt_6_to_full_3x3_strain(sign * step))[0]
            for sign in (1.0, -1.0)
        )
        found.append((above - below) @ coefficients / (2.0 * STRAIN * frame.volume))
    return np.array(found)


def main() -> None:
    data = read_data()
    train, test = ([data[k] for k in some] for some in (LEARN, VALIDATE))
    for settings in TRIED:
        found, cpu = fit_and_predict(train, test, Path(), settings, stresses=False)
        errors = errors_of(test, found)
        print(
            f"{settings}: forces {errors['forces']['mae']:.4f} eV/Å, energy "
            f"{1e3 * errors['energy']['mae']:.2f} meV/atom, {cpu:.1f} s of CPU",
            flush=True,
        )


if __name__ == "__main__":
    main()

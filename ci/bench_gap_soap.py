"""SOAP-GAP by QUIP, beside which the benchmarks of GAP potentials are set.

``pip install 'lammpsfit[bench]'`` installs it. Run as a script it tells what its settings were
chosen from: errors on one split of the DFT data of examples/aluminium, of which the best setting
is the one the benchmarks take.

    python ci/bench_gap_soap.py [--json FILE]
"""

import argparse
import os
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from ase.calculators.calculator import Calculator
from ase.io import write
from ase.stress import voigt_6_to_full_3x3_stress
from gap_splits import Unit, errors_of, read_data

from lammpsfit.child.process import THREAD_VARIABLES
from lammpsfit.errors import RunError
from lammpsfit.files import write_json
from lammpsfit.gap.predict import Prediction
from lammpsfit.labelled.frames import Frame, to_atoms


@dataclass(frozen=True)
class Soap:
    """Settings of a SOAP-GAP.

    Attributes
    ----------
    n_max, l_max, zeta
        Of the power spectrum and its kernel.
    cutoff : float, Å
    delta : float, eV
        Amplitude of its local energies.
    pairs : bool
        Whether a potential of two bodies is fitted beside it.
    noises : tuple of float
        Of energies and virials (eV per atom) and forces (eV/Å): energy, forces, virial.
    sparse : int
        Environments that are centres, at most.
    """

    n_max: int = 8
    l_max: int = 6
    zeta: int = 4
    cutoff: float = 6.0
    delta: float = 0.3
    pairs: bool = True
    noises: tuple[float, float, float] = (0.001, 0.02, 0.1)
    sparse: int = 300

    def gap(self, environments: int) -> str:
        """Return the descriptors as gap_fit wants them."""
        soap = (
            f"soap n_max={self.n_max} l_max={self.l_max} cutoff={self.cutoff} "
            f"cutoff_transition_width=1.0 atom_sigma=0.5 delta={self.delta} zeta={self.zeta} "
            f"covariance_type=dot_product n_sparse={min(self.sparse, environments)} "
            f"sparse_method=cur_points add_species=T"
        )
        pairs = (
            f"distance_2b cutoff={self.cutoff} cutoff_transition_width=1.0 "
            f"covariance_type=ard_se theta_uniform=1.0 delta=1.0 n_sparse=20 "
            f"sparse_method=uniform add_species=T : "
        )
        return "{" + pairs * self.pairs + soap + "}"


@dataclass(frozen=True)
class SoapFit:
    """A fitted SOAP-GAP: its file, and what the fit took."""

    path: Path
    cpu_s: float
    memory_MiB: float


LOOSE = replace(Soap(), pairs=False)

TRIED: Mapping[str, Soap] = {
    "the one taken": Soap(),
    "no pairs": LOOSE,
    "cutoff 5 Å": replace(LOOSE, cutoff=5.0),
    "cutoff 6.5 Å": replace(LOOSE, cutoff=6.5),
    "l_max 4": replace(LOOSE, l_max=4),
    "l_max 8": replace(Soap(), l_max=8),
    "zeta 2, delta 1": replace(Soap(), zeta=2, delta=1.0),
    "tight noise": replace(LOOSE, noises=(0.0005, 0.01, 0.01)),
    "tighter noise": replace(LOOSE, noises=(0.0002, 0.005, 0.005)),
    "loose noise": replace(LOOSE, noises=(0.001, 0.05, 0.05)),
}


def fit_soap(frames: Sequence[Frame], folder: Path, settings: Soap | None = None) -> SoapFit:
    """Fit a SOAP-GAP to frames, with its files in a folder.

    Raises
    ------
    RunError
        If gap_fit fails, or has not found every label.
    """
    settings = settings or Soap()
    write(folder / "train.xyz", [labelled(frame) for frame in frames], format="extxyz")
    sigma = " ".join(str(noise) for noise in settings.noises)
    command = [
        "gap_fit",
        "atoms_filename=train.xyz",
        "gp_file=gap.xml",
        "energy_parameter_name=REF_energy",
        "force_parameter_name=REF_forces",
        "virial_parameter_name=REF_virial",
        "e0_method=average",
        "do_copy_at_file=F",
        "sparse_separate_file=F",
        "sparse_jitter=1e-8",
        f"default_sigma={{{sigma} 0.0}}",
        f"gap={settings.gap(sum(len(frame) for frame in frames))}",
    ]
    environment = os.environ | dict.fromkeys(THREAD_VARIABLES, "1")
    with (folder / "gap_fit.log").open("w") as log:
        child = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    said = (folder / "gap_fit.log").read_text(encoding="utf-8", errors="replace")
    if child.returncode:
        raise RunError(f"gap_fit ended with {child.returncode}: {said[-500:]}")
    # a virial in a notation it does not know is left out without a word
    for label, count in (("energy", 1), ("forces", 3 * len(frames[0])), ("virial", 6)):
        found = re.search(rf"REF_{label}\) found: +(\d+)", said)
        if found is None or int(found[1]) != count * len(frames):
            raise RunError(f"gap_fit has not read every REF_{label}: see {folder}/gap_fit.log")
    return SoapFit(folder / "gap.xml", used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def labelled(frame: Frame):
    """Return a frame as gap_fit reads it: virials instead of stresses, in nine numbers."""
    atoms = to_atoms(frame)
    stress = voigt_6_to_full_3x3_stress(atoms.info.pop("REF_stress"))
    atoms.info["REF_virial"] = " ".join(f"{x:.10g}" for x in (-frame.volume * stress).ravel())
    return atoms


def load_soap(path: Path) -> Calculator:
    """Make a calculator of a fitted SOAP-GAP."""
    from quippy.potential import Potential

    return Potential("IP GAP", param_filename=str(path))


def predict_soap(fitted: SoapFit, frames: Sequence[Frame]) -> list[Prediction]:
    """Predict frames."""
    calculator = load_soap(fitted.path)
    found = []
    for frame in frames:
        atoms = to_atoms(frame.unlabelled())
        atoms.calc = calculator
        energy, forces = atoms.get_potential_energy(), atoms.get_forces()
        energies = np.full(len(frame), energy / len(frame))
        found.append(Prediction(energy, energies, forces, atoms.get_stress()))
    return found


def fit_and_predict(
    train: Sequence[Frame], test: Sequence[Frame], folder: Path
) -> tuple[list[Prediction], float]:
    """Fit, and predict other frames: predictions, and CPU seconds of the fit."""
    fitted = fit_soap(train, folder)
    return predict_soap(fitted, test), fitted.cpu_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    data = read_data()
    train, test = Unit("soap", "blocks", 1, 10).frames(data)
    rows = []
    print("| setting | forces MAE eV/Å | RMSE | energy MAE meV/atom | stress MAE meV/Å³ | CPU s |")
    print("|---|--:|--:|--:|--:|--:|")
    for name, settings in TRIED.items():
        with tempfile.TemporaryDirectory() as folder:
            fitted = fit_soap(train, Path(folder), settings)
            errors = errors_of(test, predict_soap(fitted, test))
        rows.append({"setting": name, "cpu_s": fitted.cpu_s, **errors})
        forces = errors["forces"]
        print(
            f"| {name} | {forces['mae']:.4f} | {forces['rmse']:.4f} "
            f"| {1e3 * errors['energy']['mae']:.2f} | {1e3 * errors['stress']['mae']:.2f} "
            f"| {fitted.cpu_s:.0f} |",
            flush=True,
        )
    if options.json:
        write_json(options.json, {"settings": rows})


if __name__ == "__main__":
    main()

"""Make data for a GAP: molecular dynamics of a crystal with any ASE calculator.

The calculator is named as `module:factory`, a function without arguments in a module that is
installed or lies in the current folder. With the one of this folder, which takes GPAW:

    python make_aimd.py --calculator gpaw_pbe:make --temperature 1000 --steps 240 -o bulk.extxyz

Every step is in the file before the next one begins. Under MPI: `gpaw -P 8 python make_aimd.py`.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.build import bulk
from ase.md.langevin import Langevin
from ase.parallel import parprint, world

from lammpsfit.errors import InputError, LammpsfitError
from lammpsfit.gap.factory import build
from lammpsfit.labelled.frames import Frame, Keys, from_atoms, read_frames, to_atoms, write_frames
from lammpsfit.outputs import check_outputs


def crystal(element: str, lattice: float | None, repeat: int) -> Atoms:
    """Return a cubic supercell of the element's own crystal; `lattice` in Å, of ASE if None."""
    return bulk(element, a=lattice, cubic=True).repeat(repeat)


def dynamics(atoms: Atoms, options: argparse.Namespace) -> Langevin:
    """Give the atoms velocities and a thermostat.

    A perfect crystal gets those of twice the temperature, of which half goes into its springs.
    """
    rng = np.random.default_rng(options.seed)
    first = options.temperature if options.start else 2.0 * options.temperature
    spread = np.sqrt(atoms.get_masses() * units.kB * first)
    atoms.set_momenta(spread[:, None] * rng.standard_normal((len(atoms), 3)))
    return Langevin(
        atoms,
        options.timestep_fs * units.fs,
        temperature_K=options.temperature,
        friction=options.friction / units.fs,
        rng=rng,
        fixcm=False,
    )


def labelled(atoms: Atoms, label: str) -> Frame:
    """Return the atoms as they are now with energy, forces and stress.

    The energy is the free energy where electrons have a temperature, since the forces are its
    derivative.
    """
    atoms.get_stress()
    return from_atoms(atoms, Keys("energy", "forces", "stress"), label)


def run(atoms: Atoms, options: argparse.Namespace) -> Iterator[Frame]:
    """Yield the first frame and that of every step."""
    steps = dynamics(atoms, options)
    for number, _ in enumerate(steps.irun(options.steps)):
        frame = labelled(atoms, f"step {number}")
        parprint(
            f"{number}/{options.steps}: {frame.energy:.4f} eV, {atoms.get_temperature():.0f} K, "
            f"largest force {np.abs(frame.forces).max():.2f} eV/Å",
            flush=True,
        )
        yield frame


def main() -> None:
    """Run the dynamics, and write every step."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calculator", required=True, help="module:factory")
    parser.add_argument("-o", "--output", type=Path, required=True, help="extended xyz to write")
    parser.add_argument("--element", default="Al")
    parser.add_argument("--lattice", type=float, default=4.16, help="of the cubic cell, Å")
    parser.add_argument("--repeat", type=int, default=2, help="cells along each side")
    parser.add_argument("--start", type=Path, help="file whose last frame to begin with instead")
    parser.add_argument("--temperature", type=float, default=1000.0, help="K")
    parser.add_argument("--steps", type=int, default=240)
    parser.add_argument("--timestep-fs", type=float, default=2.0)
    parser.add_argument("--friction", type=float, default=0.01, help="of the thermostat, 1/fs")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    try:
        begin(options)
    except LammpsfitError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


def begin(options: argparse.Namespace) -> None:
    """Do what the options say.

    Raises
    ------
    InputError
        If the output exists, or the calculator or the start cannot be had.
    """
    check_outputs("make_aimd", [options.output], [options.start] if options.start else [])
    if options.output.exists():
        raise InputError(f"{options.output} would be written over: choose another name")
    if options.start is None:
        atoms = crystal(options.element, options.lattice, options.repeat)
    else:
        atoms = to_atoms(read_frames([options.start], labelled=False)[-1])
    atoms.calc = build(options.calculator)
    frames: list[Frame] = []
    for frame in run(atoms, options):
        frames.append(frame)
        if world.rank == 0:
            write_frames(options.output, frames)


if __name__ == "__main__":
    main()

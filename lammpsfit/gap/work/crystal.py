"""Properties of an fcc metal as functions of the energies of a few configurations.

Every property is a :class:`Probe`: configurations, and the formula that turns their energies into
numbers. So what is uncertain about the energies, with all their correlations, becomes what is
uncertain about the property, by the formula itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from ase import Atoms
from ase.build import bulk, fcc100, fcc110, fcc111
from ase.calculators.calculator import BaseCalculator
from ase.optimize import BFGS
from numpy.typing import NDArray

from lammpsfit.errors import RunError
from lammpsfit.gap.work.strain import MODES, strained
from lammpsfit.units import BAR_PER_EV_PER_CUBIC_ANGSTROM, BAR_PER_GPA

FloatArray = NDArray[np.float64]

GPA: Final = BAR_PER_EV_PER_CUBIC_ANGSTROM / BAR_PER_GPA
"""1 eV/Å³ in GPa."""

JOULE: Final = 16.02176634
"""1 eV/Å² in J/m² (elementary charge of the SI of 2019)."""

FMAX: Final = 0.01
"""eV/Å; relaxed atoms feel less."""

RELAX_STEPS: Final = 200

RUNAWAY: Final = 1.5
"""Å; atoms of a vacancy or surface that relax further have left their places."""

SPREAD: Final = 0.01
"""Linear strain that equations of state reach to either side."""

SMALL: Final = 0.01
"""Largest strain of elastic constants."""

VACUUM: Final = 14.0
"""Å between the two faces of a slab."""

FACES: Final = {"100": (fcc100, 8), "110": (fcc110, 12), "111": (fcc111, 7)}
"""What builds a slab with a surface, and its layers."""


@dataclass(frozen=True, eq=False)
class Probe:
    """Configurations, and what their energies say.

    Attributes
    ----------
    frames : tuple of Atoms, n of them
    energies : ndarray, shape (n,), eV
    formula : callable
        Makes a dict of values of energies, shape (n,).
    """

    frames: tuple[Atoms, ...]
    energies: FloatArray
    formula: Callable[[FloatArray], dict[str, float]]

    @property
    def values(self) -> dict[str, float]:
        """What the energies say."""
        return self.formula(self.energies)


def free_energy(calculator: BaseCalculator, atoms: Atoms) -> float:
    """Return the energy that forces are the derivative of, eV."""
    known = calculator.implemented_properties
    name = "free_energy" if "free_energy" in known else "energy"
    return float(calculator.get_property(name, atoms))


def birch_murnaghan(volumes: FloatArray, energies: FloatArray) -> tuple[float, float, float]:
    """Return volume, energy and bulk modulus where the energy is lowest.

    The equation of state of Birch (1947) is a cubic polynomial in V^(-2/3).

    Parameters
    ----------
    volumes : ndarray, shape (n,), Å^3
    energies : ndarray, shape (n,), eV

    Returns
    -------
    volume : float, Å^3
    energy : float, eV
    modulus : float, eV/Å^3

    Raises
    ------
    RunError
        If the energy has no minimum among the volumes.

    Examples
    --------
    >>> V = np.linspace(60.0, 70.0, 7)
    >>> [round(x, 1) for x in birch_murnaghan(V, 0.5 * 0.6 * (V - 65.0) ** 2 / 65.0)]
    [65.0, -0.0, 0.6]
    """
    x = volumes ** (-2.0 / 3.0)
    shift, width = x.mean(), np.ptp(x)
    poly = np.polynomial.Polynomial.fit((x - shift) / width, energies, 3)
    slope, curvature = poly.deriv(), poly.deriv(2)
    for root in slope.roots():
        at = float(np.real(root))
        low, high = (x.min() - shift) / width, (x.max() - shift) / width
        if abs(np.imag(root)) < 1e-9 and low <= at <= high and curvature(at) > 0.0:
            y = shift + width * at
            volume = y**-1.5
            bend = curvature(at) / width**2 * (2.0 / 3.0 * volume ** (-5.0 / 3.0)) ** 2
            return float(volume), float(poly(at)), float(volume * bend)
    raise RunError(
        f"the energy has no minimum between {volumes.min():.1f} and {volumes.max():.1f} Å^3"
    )


def equation_of_state(calculator: BaseCalculator, atoms: Atoms, points: int = 9) -> Probe:
    """Return the equation of state of a crystal near its minimum, which is searched for.

    Its values are ``length`` (by how much the cell is scaled, from `atoms`), ``energy`` (eV per
    atom) and ``modulus`` (GPa).

    Raises
    ------
    RunError
        If no minimum is found.
    """
    scale, spread = 1.0, 3.0 * SPREAD
    for _ in range(4):
        scales = scale * np.linspace(1.0 - spread, 1.0 + spread, points)
        frames = tuple(strained(atoms, (s - 1.0) * np.eye(3)) for s in scales)
        energies = np.array([free_energy(calculator, frame) for frame in frames])
        volumes = np.array([frame.get_volume() for frame in frames])

        def formula(
            E: FloatArray, volumes: FloatArray = volumes, n: int = len(atoms)
        ) -> dict[str, float]:
            volume, energy, modulus = birch_murnaghan(volumes, E)
            length = (volume / atoms.get_volume()) ** (1.0 / 3.0)
            return {"length": length, "energy": energy / n, "modulus": GPA * modulus}

        try:
            found = formula(energies)["length"]
        except RunError:
            found = float(scales[np.argmin(energies)])  # beyond an end: go there
            scale = found
            continue
        if spread == SPREAD and abs(found / scale - 1.0) < 0.5 * SPREAD:
            return Probe(frames, energies, formula)
        scale, spread = found, SPREAD
    raise RunError(
        f"{atoms.symbols}: no minimum of the energy within {100 * abs(scale - 1):.0f} % of the "
        f"length it was looked for at"
    )


def elastic_constants(calculator: BaseCalculator, fcc: Atoms, modulus: float) -> Probe:
    """Return ``C11``, ``C12`` and ``C44`` (GPa) of a cubic crystal at its minimum.

    Of the energies per volume under strains of size e, tetragonal and trigonal
    (:data:`~lammpsfit.gap.work.strain.MODES`): 3/4 (C11 - C12) e^2 and 6 C44 e^2.

    Parameters
    ----------
    calculator, fcc
        The crystal, and what knows its energies.
    modulus
        Bulk modulus, GPa.
    """
    sizes = SMALL * np.array([-1.0, -0.5, 0.5, 1.0])
    modes = ("tetragonal", "trigonal")
    frames = (fcc, *(strained(fcc, e * MODES[mode]) for mode in modes for e in sizes))
    energies = np.array([free_energy(calculator, frame) for frame in frames])
    volume = fcc.get_volume()

    def formula(E: FloatArray) -> dict[str, float]:
        bends = []
        for k in range(len(modes)):
            rise = (E[1 + 4 * k : 5 + 4 * k] - E[0]) / volume
            # odd powers cancel between the two signs
            even = np.array([rise[3] + rise[0], rise[2] + rise[1]]) / 2.0
            x = np.array([sizes[3] ** 2, sizes[2] ** 2])
            bends.append(float(np.linalg.solve(np.stack([x, x**2], axis=1), even)[0]))
        difference, C44 = GPA * bends[0] / 0.75, GPA * bends[1] / 6.0
        return {
            "C11": modulus + 2.0 * difference / 3.0,
            "C12": modulus - difference / 3.0,
            "C44": C44,
        }

    return Probe(frames, energies, formula)


def vacancy(calculator: BaseCalculator, symbol: str, a: float, repeats: int = 3) -> Probe:
    """Return ``vacancy``, the energy (eV) of an atom less, relaxed at constant volume.

    Parameters
    ----------
    calculator
        What knows energies and forces.
    symbol
        The element.
    a : float, Å
        Edge of its cubic cell.
    repeats
        Cubic cells along each axis.

    Raises
    ------
    RunError
        If the relaxation does not converge, or atoms leave their places.
    """
    whole = bulk(symbol, "fcc", a=a, cubic=True).repeat(repeats)
    less = whole.copy()
    del less[0]
    less = relaxed(calculator, less, "vacancy")
    frames = (whole, less)
    energies = np.array([free_energy(calculator, frame) for frame in frames])
    n = len(whole)
    return Probe(frames, energies, lambda E: {"vacancy": float(E[1] - (n - 1) / n * E[0])})


def surface(calculator: BaseCalculator, fcc: Atoms, a: float, face: str) -> Probe:
    """Return the energy (J/m^2) of a surface, relaxed, by its name such as ``surface_100``.

    Parameters
    ----------
    calculator
        What knows energies and forces.
    fcc
        The crystal.
    a : float, Å
        Edge of its cubic cell.
    face : {"100", "110", "111"}

    Raises
    ------
    RunError
        As :func:`vacancy`.
    """
    build, layers = FACES[face]
    slab = build(fcc.get_chemical_symbols()[0], (1, 1, layers), a=a, vacuum=VACUUM / 2.0)
    slab.pbc = True
    slab = relaxed(calculator, slab, f"surface {face}")
    area = float(np.linalg.norm(np.cross(slab.cell[0], slab.cell[1])))
    frames = (fcc, slab)
    energies = np.array([free_energy(calculator, frame) for frame in frames])
    times = len(slab) / len(fcc)
    return Probe(
        frames,
        energies,
        lambda E: {f"surface_{face}": float(JOULE * (E[1] - times * E[0]) / (2.0 * area))},
    )


def relaxed(calculator: BaseCalculator, atoms: Atoms, what: str) -> Atoms:
    """Return atoms relaxed within their cell.

    Raises
    ------
    RunError
        If that does not converge, or an atom goes further than :data:`RUNAWAY`.
    """
    moved = atoms.copy()
    moved.calc = calculator
    search = BFGS(moved, logfile=None)
    for _ in search.irun(fmax=FMAX, steps=RELAX_STEPS):
        gone = float(np.linalg.norm(moved.positions - atoms.positions, axis=1).max())
        if not gone < RUNAWAY:
            raise RunError(
                f"{what}: an atom relaxed by {gone:.1f} Å (at most {RUNAWAY:g} Å): the potential "
                f"does not know such surroundings"
            )
    if not search.converged(moved.get_forces().ravel()):
        raise RunError(f"{what}: not relaxed after {RELAX_STEPS} steps (to {FMAX:g} eV/Å)")
    moved.calc = None
    return moved


def crystals(symbol: str, a: float) -> Mapping[str, Atoms]:
    """Return fcc, bcc and hcp (ideal c/a) of one volume per atom, fcc with the edge `a` in Å.

    Cells are primitive: DFT takes a fraction of the time that cubic ones take.
    """
    volume = a**3 / 4.0
    return {
        "fcc": bulk(symbol, "fcc", a=a),
        "bcc": bulk(symbol, "bcc", a=(2.0 * volume) ** (1.0 / 3.0)),
        "hcp": bulk(symbol, "hcp", a=a / np.sqrt(2.0), c=a / np.sqrt(2.0) * np.sqrt(8.0 / 3.0)),
    }

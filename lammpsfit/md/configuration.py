"""Atoms in a box before any MD, and the LAMMPS data file that carries them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lammpsfit.errors import InputError
from lammpsfit.md.system import System

BETA_CRISTOBALITE = "beta-cristobalite"

PACKING_FRACTION = 0.15
"""Spheres this fraction of the box full still fit in at random, one after the other (random
sequential addition jams at 0.38, doi:10.1103/PhysRevA.24.504), and keep neighbours apart."""


@dataclass(frozen=True)
class Configuration:
    """Atoms in a periodic box.

    Attributes
    ----------
    species
        Species in the order of the LAMMPS types.
    types
        Index into `species` of each atom, shape (n,).
    positions
        Positions in Å, shape (n, 3).
    cell
        Cell vectors as rows in Å, shape (3, 3): the first along x, the second in the plane of x and
        y, as LAMMPS has them.
    """

    species: tuple[str, ...]
    types: NDArray[np.int64]
    positions: NDArray[np.float64]
    cell: NDArray[np.float64]

    @classmethod
    def of(cls, names: Sequence[str], positions: ArrayLike, cell: ArrayLike) -> "Configuration":
        """Turn atoms in any cell, vectors as rows, so that LAMMPS takes them.

        Distances stay; a left-handed cell becomes its mirror image.
        """
        vectors = np.asarray(cell, dtype=np.float64)
        fractional = np.linalg.solve(vectors.T, np.asarray(positions, dtype=np.float64).T).T
        turned = np.linalg.cholesky(vectors @ vectors.T)
        absolute = fractional @ turned
        # other vectors of the same lattice, with the least tilt
        a, b, c = turned
        b = b - np.round(b[0] / a[0]) * a
        c = c - np.round(c[1] / b[1]) * b
        c = c - np.round(c[0] / a[0]) * a
        box = np.array([a, b, c])
        within = np.linalg.solve(box.T, absolute.T).T % 1.0
        species = tuple(dict.fromkeys(names))
        types = np.array([species.index(name) for name in names], dtype=np.int64)
        return cls(species, types, within @ box, box)

    @property
    def volume(self) -> float:
        """Volume in Å³."""
        return float(np.prod(np.diag(self.cell)))

    @property
    def tilted(self) -> bool:
        """Whether some vectors of the cell are not at right angles."""
        return bool(np.any(self.cell != np.diag(np.diag(self.cell))))

    def repeated(self, repeat: Sequence[int]) -> "Configuration":
        """Return so many cells along each cell vector as one."""
        shifts = np.array(list(np.ndindex(*repeat)), dtype=np.float64) @ self.cell
        positions = (self.positions[None] + shifts[:, None]).reshape(-1, 3)
        names = np.array(self.species)[np.tile(self.types, len(shifts))]
        return Configuration.of(
            names.tolist(), positions, self.cell * np.array(repeat)[:, None]
        ).ordered(self.species)

    def ordered(self, species: tuple[str, ...]) -> "Configuration":
        """Return the same atoms with types in this order of the species."""
        index = np.array([species.index(name) for name in self.species], dtype=np.int64)
        return Configuration(species, index[self.types], self.positions, self.cell)

    def write(
        self,
        path: Path,
        masses: Mapping[str, float],
        charges: Mapping[str, float],
        title: str = "start structure",
    ) -> None:
        """Write a LAMMPS data file of atoms at rest (``atom_style charge``, masses in Da)."""
        (xx, _, _), (xy, yy, _), (xz, yz, zz) = self.cell.tolist()
        lines = [f"{title} written by lammpsfit", ""]
        lines += [f"{len(self.types)} atoms", f"{len(self.species)} atom types", ""]
        lines += [
            f"0.0 {e!r} {axis}lo {axis}hi" for e, axis in zip((xx, yy, zz), "xyz", strict=True)
        ]
        if any((xy, xz, yz)):
            lines.append(f"{xy!r} {xz!r} {yz!r} xy xz yz")
        lines += ["", "Masses", ""]
        lines += [f"{i} {masses[name]!r}  # {name}" for i, name in enumerate(self.species, 1)]
        lines += ["", "Atoms # charge", ""]
        for i, (kind, (x, y, z)) in enumerate(
            zip(self.types.tolist(), self.positions.tolist(), strict=True), 1
        ):
            lines.append(f"{i} {kind + 1} {charges[self.species[kind]]!r} {x!r} {y!r} {z!r}")
        # LAMMPS makes its own for the temperature of a run
        lines += ["", "Velocities", "", *(f"{i} 0 0 0" for i in range(1, len(self.types) + 1))]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def beta_cristobalite_repeats(system: System) -> int:
    """Return how many conventional cells of beta-cristobalite make an edge of the box.

    The cell of Fd-3m has 24 atoms of SiO2, so `system.atoms` is 24 n³.

    Raises
    ------
    InputError
        If the system is not an AB2 compound of 24 n³ atoms.
    """
    repeats: int = round((system.atoms / 24) ** (1 / 3))
    if sorted(system.composition.values()) != [1, 2]:
        raise InputError(
            f"beta-cristobalite is a structure of AB2 compounds, got {system.formula}: "
            'use structure = "random"'
        )
    if 24 * repeats**3 != system.atoms:
        sizes = ", ".join(str(24 * n**3) for n in range(2, 8))
        raise InputError(
            f"beta-cristobalite fills a cube with 24 n³ atoms ({sizes}, ...), got {system.atoms}: "
            'use one of these or structure = "random"'
        )
    return repeats


def beta_cristobalite(system: System, length: float) -> Configuration:
    """Ideal beta-cristobalite, scaled to a cubic box of edge `length` Å.

    Raises
    ------
    InputError
        If the system is not an AB2 compound of 24 n³ atoms.
    """
    from pymatgen.core import Lattice, Structure  # no child needs it, and each would load it

    repeats = beta_cristobalite_repeats(system)
    cation, anion = sorted(system.species, key=lambda name: system.composition[name])
    cell = Structure.from_spacegroup(
        "Fd-3m", Lattice.cubic(1.0), [cation, anion], [[0, 0, 0], [0.125, 0.125, 0.125]]
    )
    shifts = np.array(list(np.ndindex(repeats, repeats, repeats)), dtype=np.float64)
    fractional = (cell.frac_coords[None, :, :] + shifts[:, None, :]).reshape(-1, 3) / repeats
    kinds = [system.species.index(site.specie.symbol) for site in cell]
    return Configuration(
        species=system.species,
        types=np.tile(np.array(kinds, dtype=np.int64), len(shifts)),
        positions=np.asarray(fractional % 1.0 * length, dtype=np.float64),
        cell=np.eye(3) * length,
    )


def random_packing(system: System, length: float, seed: int) -> Configuration:
    """Atoms dropped at random, none nearer to another than a distance set by the density.

    Raises
    ------
    InputError
        If the atoms do not fit (far too dense a box).
    """
    source = np.random.PCG64(seed)
    rng = np.random.Generator(source)
    distance = (6.0 * PACKING_FRACTION * length**3 / (np.pi * system.atoms)) ** (1 / 3)
    positions = np.empty((system.atoms, 3))
    placed = 0
    cells = _Cells(length, distance)
    left = 1000
    while placed < system.atoms:
        if left == 0:
            raise InputError(f"{system.atoms} atoms of {system.formula} do not fit at random")
        left -= 1
        # as many trials at a time as there are atoms: the same numbers as all at once
        for trial in rng.uniform(0.0, length, size=(system.atoms, 3)):
            apart = positions[cells.near(trial)] - trial
            apart -= length * np.round(apart / length)
            if np.all(np.einsum("ij,ij->i", apart, apart) >= distance**2):
                positions[placed] = trial
                cells.put(trial, placed)
                placed += 1
                if placed == system.atoms:
                    break
    # past the trials that were not needed, so that species are dealt out as after all of them
    source.advance(left * 3 * system.atoms)
    types = np.repeat(np.arange(len(system.species)), list(system.counts.values()))
    return Configuration(system.species, rng.permutation(types), positions, np.eye(3) * length)


class _Cells:
    """Numbers of points by the cell of a periodic box they lie in."""

    def __init__(self, length: float, distance: float) -> None:
        self._n = min(200, max(1, int(length / distance)))
        self._edge = length / self._n
        self._numbers: dict[tuple[int, int, int], list[int]] = {}

    def put(self, point: NDArray[np.float64], number: int) -> None:
        """Add a point."""
        self._numbers.setdefault(self._cell(point), []).append(number)

    def near(self, point: NDArray[np.float64]) -> list[int]:
        """Return the points that may be nearer than the distance asked for."""
        i, j, k = self._cell(point)
        # with few cells one of them may be a neighbour on both sides
        steps = range(-1, 2) if self._n > 2 else range(self._n)
        n = self._n
        return [
            number
            for a in steps
            for b in steps
            for c in steps
            for number in self._numbers.get(((i + a) % n, (j + b) % n, (k + c) % n), ())
        ]

    def _cell(self, point: NDArray[np.float64]) -> tuple[int, int, int]:
        i, j, k = (int(x / self._edge) % self._n for x in point)
        return i, j, k


def check_start(system: System, structure: str) -> None:
    """Refuse a system whose start structure cannot be built, without building it.

    Raises
    ------
    InputError
        As :func:`beta_cristobalite_repeats`.
    """
    if structure == BETA_CRISTOBALITE:
        beta_cristobalite_repeats(system)


def build(system: System, structure: str, length: float, seed: int) -> Configuration:
    """Build the start structure named by a job file, where it is no file."""
    if structure == BETA_CRISTOBALITE:
        return beta_cristobalite(system, length)
    return random_packing(system, length, seed)

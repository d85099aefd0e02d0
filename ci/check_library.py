"""Compare what potentials of the library give with what is known of them.

Crystals are brought to rest; a basalt is molten and kept at zero pressure; for SHIK silica, R
against the ab initio liquid and the density of the liquid are measured as ``validate`` does. The
known number is that of a paper, where it or one that cites it prints one; else that of experiment.
All takes about an hour on one core, the crystals twenty minutes. What is finished is kept in the
folder, and the same command goes on from there.

    python ci/check_library.py runs/check-library
    python ci/check_library.py runs/check-library --only PMMCS
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ase import Atoms
from ase.spacegroup import crystal as of_group

from lammpsfit.child.process import run_in_child
from lammpsfit.errors import LammpsfitError
from lammpsfit.forcefield import Potential, load_potential
from lammpsfit.md.configuration import Configuration
from lammpsfit.md.crystal import Crystal
from lammpsfit.md.melt import Melt, Melting
from lammpsfit.md.observe import Observe, Part
from lammpsfit.md.protocol import Protocol, timeout
from lammpsfit.md.read_structure import read_configuration
from lammpsfit.md.system import System

EXAMPLES = Path(__file__).resolve().parent.parent / "examples" / "silica"
LAMMPSFIT = Path(sys.executable).parent / "lammpsfit"

CLOSE = 0.1
"""How far off experiment an edge of a cell may be: the papers fitted other things."""

Found = Mapping[str, tuple[float, float]]
"""Values with their errors, by quantity."""


@dataclass(frozen=True)
class Known:
    """A number that was measured before, with how far off it may be."""

    value: float
    tolerance: float
    source: str


@dataclass(frozen=True)
class Check:
    """What is measured of a potential, and what is known of it."""

    potential: str
    what: str
    measure: Callable[[Path], Found]
    known: Mapping[str, Known]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path, help="folder for the runs")
    parser.add_argument("--only", nargs="*", help="potentials; default: all")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    off = 0
    for check in checks():
        if arguments.only and check.potential not in arguments.only:
            continue
        try:
            found = finished(check, arguments.output)
        except LammpsfitError as error:
            off += 1
            print(f"{check.potential:13} {check.what:12} OFF: {error}", flush=True)
            continue
        for quantity, expected in check.known.items():
            value, error = found[quantity]
            agrees = abs(value - expected.value) <= expected.tolerance + 2 * error
            off += not agrees
            print(
                f"{check.potential:13} {check.what:12} {quantity:14} {value:8.3f} ± {error:.3f}   "
                f"known {expected.value:g} ± {expected.tolerance:g} ({expected.source})"
                f"{'' if agrees else '   OFF'}",
                flush=True,
            )
    sys.exit(1 if off else 0)


def finished(check: Check, folder: Path) -> Found:
    """Return the values of a check, measured now or before."""
    path = folder / f"{check.potential}-{check.what}.json".replace(" ", "_")
    if not path.exists():
        found = check.measure(folder)
        path.write_text(json.dumps({name: list(value) for name, value in found.items()}))
    return {name: tuple(value) for name, value in json.loads(path.read_text()).items()}


def checks() -> Iterator[Check]:
    """Yield all checks, the quick ones first."""
    paper = "doi:10.1103/PhysRevLett.64.1955; C also in doi:10.1038/s41524-024-01390-8, Table 2"
    constants = {"C11": 90.6, "C33": 107.0, "C44": 50.2, "C66": 41.2, "C12": 8.1, "C13": 15.2}
    yield quartz(
        load_potential("BKS-Ewald"),
        {"a, Å": Known(4.941, 0.005, paper), "c, Å": Known(5.449, 0.005, paper)}
        | {f"{name}, GPa": Known(value, 2.0, paper) for name, value in constants.items()},
    )
    constants = {"C11": 86.8, "C33": 105.8, "C44": 58.2, "C66": 39.9}
    yield quartz(
        replace(load_potential("PMMCS"), cutoff=15.0),
        {"a, Å": Known(4.916, 0.05, "experiment"), "c, Å": Known(5.405, 0.054, "experiment")}
        | {f"{name}, GPa": Known(value, 10.0, "experiment") for name, value in constants.items()},
        "quartz, terms to 15 Å",
    )
    for name in ("PMMCS", "Guillot-Sator", "Teter-Ewald"):
        potential = load_potential(name)
        for formula, atoms in oxides().items():
            cation = next(symbol for symbol in atoms.get_chemical_symbols() if symbol != "O")
            if cation in potential.species:
                yield oxide(potential, formula, atoms)
    for formula in ("CaO", "Al2O3"):
        yield oxide(load_potential("BJP"), formula, oxides()[formula])
    for name in ("CHIK-Ewald", "BJP", "Guillot-Sator", "Teter-Ewald"):
        yield quartz(load_potential(name), of_experiment(4.916, 5.405))
    yield Check(
        "Guillot-Sator",
        "basalt",
        basalt,
        {
            "density, g/cm³": Known(
                2.59,
                0.05,
                "a MORB of the paper at 2073 K, in Table 1 of Wimert and Hier-Majumder (2012), "
                "as the program mumap has it",
            )
        },
    )
    before = "alpha = 0 shifted force, 10 Å, no smoothing, same protocol"
    yield Check(
        "SHIK",
        "silica",
        silica,
        {"R, %": Known(8.66, 0.4, before), "density, g/cm³": Known(2.174, 0.02, before)},
    )


def oxides() -> dict[str, Atoms]:
    """Return oxides of one cation with the cells of experiment (Wyckoff, Crystal Structures)."""
    salt = {"MgO": 4.212, "CaO": 4.811, "SrO": 5.160, "BaO": 5.539}
    salt |= {"MnO": 4.446, "FeO": 4.326, "CoO": 4.261, "NiO": 4.177}
    found = {f: built(f, 225, [(0, 0, 0), (0.5, 0.5, 0.5)], a, a) for f, a in salt.items()}
    for f, a in {"Li2O": 4.619, "Na2O": 5.55, "K2O": 6.436}.items():
        found[f] = built(f, 225, [(0.25, 0.25, 0.25), (0, 0, 0)], a, a)
    for f, a, c, u in (("TiO2", 4.594, 2.959, 0.305), ("SnO2", 4.737, 3.186, 0.307)):
        found[f] = built(f, 136, [(0, 0, 0), (u, u, 0)], a, c)
    found["GeO2"] = built("GeO2", 136, [(0, 0, 0), (0.306, 0.306, 0)], 4.395, 2.860)
    for f, a, c, z in (("Al2O3", 4.759, 12.991, 0.3522), ("Cr2O3", 4.959, 13.594, 0.3475)):
        found[f] = built(f, 167, [(0, 0, z), (0.306, 0, 0.25)], a, c, 120)
    for f, a, c, u in (("ZnO", 3.250, 5.207, 0.382), ("BeO", 2.698, 4.377, 0.379)):
        found[f] = built(f, 186, [(1 / 3, 2 / 3, 0), (1 / 3, 2 / 3, u)], a, c, 120)
    return found


def built(formula: str, group: int, places: list, a: float, c: float, gamma: float = 90) -> Atoms:
    """Return a crystal of a space group, with places of its cation and its oxygen."""
    cation = formula.partition("O")[0].rstrip("2")
    return of_group([cation, "O"], places, spacegroup=group, cellpar=[a, a, c, 90, 90, gamma])


def oxide(potential: Potential, formula: str, atoms: Atoms) -> Check:
    """Return the check of the cell of an oxide against experiment."""
    cell = Configuration.of(atoms.get_chemical_symbols(), atoms.positions, atoms.cell.array)
    a, _, c = atoms.cell.lengths()
    known = of_experiment(a, c)
    return Check(potential.name, formula, lambda _: at_rest(potential, cell), known)


def of_experiment(a: float, c: float) -> dict[str, Known]:
    """Return what is known of a cell; one edge of a cubic one is enough."""
    edges = {"a, Å": a} if a == c else {"a, Å": a, "c, Å": c}
    return {name: Known(edge, CLOSE * edge, "experiment") for name, edge in edges.items()}


def quartz(potential: Potential, known: Mapping[str, Known], what: str = "quartz") -> Check:
    """Return the check of alpha-quartz."""
    cell = read_configuration(EXAMPLES / "alpha_quartz.cif")
    return Check(potential.name, what, lambda _: at_rest(potential, cell), known)


def at_rest(potential: Potential, cell: Configuration) -> Found:
    """Bring a crystal to rest; return its cell and elastic constants."""
    species = tuple(name for name in potential.species if name in cell.species)
    task = Crystal("crystal", potential.restricted(species), cell, seed=1)
    found = run_in_child(task, 10 * task.timeout(task.atoms))
    a, _, c = task.lattice(found.solid)[:3]
    C = found.solid.stiffness
    values = {"a, Å": a, "c, Å": c, "density, g/cm³": found.series.density[0]}
    values |= {f"C{i + 1}{j + 1}, GPa": C[i, j] for i in range(6) for j in range(i, 6)}
    return {name: (float(value), 0.0) for name, value in values.items()}


def basalt(folder: Path) -> Found:
    """Melt a basalt of a mid-ocean ridge, all of its iron as Fe2+; return its density at 2073 K.

    In weight per cent 50.9 SiO2, 1.6 TiO2, 15.4 Al2O3, 9.4 FeO, 7.7 MgO, 11.9 CaO and 3.1 Na2O.
    """
    formula, temperature = "Si84Ti2Al30Fe13Mg19Ca21Na10O275", 2073.0
    system = System(formula, atoms=908, density=2.6)
    potential = load_potential("Guillot-Sator").restricted(system.species)
    melting = Melting("random", 3500.0, temperature, melt=3.0, cool=2.0, relax=0.0)
    start = folder / "basalt.data"
    if not start.exists():
        melt = Melt(potential, system, melting, start.absolute())
        run_in_child(melt, 10 * timeout(melting.steps, system.atoms))
    protocol = Protocol(temperature, relax=4.0, sample=10.0, ensemble="npt")
    task = Observe(Part.DENSITY, potential, protocol, start, seed=1, cutoffs={}, dr=0.05)
    found = run_in_child(task, 10 * task.timeout(system.atoms))
    estimate = found.series.estimate("density")
    return {"density, g/cm³": (estimate.mean, estimate.error)}


def silica(folder: Path) -> Found:
    """Validate SHIK on silica, 648 atoms at 3600 K, 3 + 12 ps."""
    result = folder / "SHIK.json"
    command = [LAMMPSFIT, "validate", "SHIK", "--job", EXAMPLES / "quick.toml"]
    options = ["-o", folder / "SHIK", "--atoms", 648, "--relax", 3, "--sample", 12, "--workers", 1]
    words = [*command, *options, "--json", result, "--force"]
    subprocess.run([str(word) for word in words], check=True, stdout=sys.stderr)
    facts = json.loads(result.read_text("utf-8"))["facts"]
    found = {}
    for group in facts.values():
        for quantity, fact in group.items():
            if estimate := fact["values"].get("SHIK"):
                found[f"{quantity}, {fact['unit']}"] = (estimate["mean"], estimate["error"])
    return found


if __name__ == "__main__":
    main()

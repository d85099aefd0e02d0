"""The liquids of check_jacobian.py: a job each, with every term that a run moves."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lammpsfit.config import read_job
from lammpsfit.fit.run.problem import Problem, build_problem
from lammpsfit.forcefield import Potential, load_potential
from lammpsfit.forcefield.potential_file import parse_potential
from lammpsfit.md.protocol import LEAST_BLOCKS, Ensemble
from lammpsfit.md.system import System
from lammpsfit.reference import read_reference
from lammpsfit.reference.table import write_columns, write_rdf_table
from lammpsfit.structure.rdf import PartialRdf
from lammpsfit.structure.scattering import neutron_weights, xray_weights
from lammpsfit.structure.structure_factor import transform
from lammpsfit.units import BOLTZMANN_CONSTANT

FloatArray = NDArray[np.float64]

SILICA: Final = Path(__file__).parent.parent / "examples" / "silica"


@dataclass(frozen=True)
class Liquid:
    """A small box of a liquid, and what is asked of it.

    Attributes
    ----------
    potential
        Name in the library, or text of a potential file.
    system
        Composition, atoms and density of the box.
    temperature, melt
        K, of the run and of the melt before.
    relax, sample
        ps of a run, as a default.
    protocol
        Lines of [protocol] beside these.
    pressure
        bar, where the box may change.
    free
        Beginnings of the names of the parameters that are free.
    balance
        Species whose charge follows; None where there are no charges.
    angles
        Triples whose distribution is a term.
    bonds
        Longest bond in Å, by pair, of the angles and of the coordination numbers asked for.
    window
        Width in Å over which g(r) is averaged to be compared.
    """

    potential: str
    system: System
    temperature: float
    melt: float
    relax: float
    sample: float
    protocol: str
    pressure: float
    free: tuple[str, ...]
    balance: str | None
    angles: tuple[str, ...]
    bonds: dict[str, float]
    window: float

    def load(self) -> Potential:
        """Return the potential in the middle of all runs."""
        if "\n" in self.potential:
            return parse_potential(self.potential)
        return load_potential(self.potential).for_composition(self.system.composition)

    def names(self) -> list[str]:
        """Return the names of the parameters that are free."""
        return [name for name in self.load().parameters if name.startswith(self.free)]


ARGON_KRYPTON: Final = """name = "ArKr"
cutoff = 8.0
[species.Ar]
mass = 39.948
[species.Kr]
mass = 83.798
[pairs.Ar-Ar]
lennard-jones = { epsilon = 0.010324, sigma = 3.405 }
[pairs.Ar-Kr]
lennard-jones = { epsilon = 0.012079, sigma = 3.616 }
[pairs.Kr-Kr]
lennard-jones = { epsilon = 0.014133, sigma = 3.827 }
"""
"""ε/k and σ of argon 119.8 K, 3.405 Å, of krypton 164 K, 3.827 Å (J. O. Hirschfelder, C. F. Curtiss
and R. B. Bird, Molecular Theory of Gases and Liquids, 1954); Lorentz and Berthelot between them."""

LIQUIDS: Final = {
    "silica": Liquid(
        potential="CHIK",
        system=System("SiO2", 306, 2.2),  # half the box is 8.3 Å, just above the cutoff
        temperature=3600.0,
        melt=4500.0,
        relax=10.0,
        sample=20.0,
        protocol="",
        pressure=0.0,
        free=("q_Si", "A_", "rho_", "C_"),
        balance="O",
        angles=("Si-O-Si", "O-Si-O"),
        bonds={"Si-O": 2.2, "O-O": 3.2},
        window=0.2,
    ),
    "argon-krypton": Liquid(
        potential=ARGON_KRYPTON,
        system=System("ArKr", 108, 1.9),
        temperature=110.0,
        melt=300.0,
        relax=20.0,
        sample=80.0,
        protocol="timestep_fs = 4.0\nevery_fs = 100.0\n",
        pressure=1000.0,
        free=("epsilon_", "sigma_"),
        balance=None,
        angles=("Ar-Kr-Ar", "Kr-Ar-Kr"),
        bonds={"Ar-Kr": 5.2, "Kr-Kr": 5.4},
        window=0.25,
    ),
}

JOB: Final = """title = "{name}"
potential = "{potential}"

[reference]
file = "{reference}"

[system]
formula = "{system.formula}"
atoms = {system.atoms}
density = {system.density}
structure = "random"
melt = {{ temperature = {liquid.melt} }}

[protocol]
temperature = {liquid.temperature}
relax = {relax}
sample = {sample}
blocks = {blocks}
ensemble = "{ensemble}"
{liquid.protocol}{pressure}
{charges}
[parameters]
"{free}" = {{ factor = 2.0 }}
"""

SCATTERING: Final = """
[[total_scattering]]
radiation = "{radiation}"
file = "sq_{radiation}.csv"
"""

TOTAL_RDF: Final = """
[[total_rdf]]
radiation = "neutron"
file = "t_neutron.csv"
quantity = "T"
r_min = 1.0
"""

COORDINATION: Final = """
[[coordination]]
centre = "{centre}"
neighbour = "{neighbour}"
cutoff = {cutoff}
value = 4.0
"""

ANGLES: Final = """
[[angle_distribution]]
angle = "{angle}"
file = "{file}"
whose = "{whose}"
cutoffs = {{ "{pair}" = {cutoff} }}
"""


def problem_of(name: str, folder: Path, relax: float, sample: float, ensemble: Ensemble) -> Problem:
    """Write the job of a liquid into a folder, with the curves that it names, and load it."""
    liquid = LIQUIDS[name]
    potential, reference = liquid.potential, SILICA / "gr_aimd_3600K.csv"
    if "\n" in potential:
        (folder / "potential.toml").write_text(potential, "utf-8")
        potential, reference = "potential.toml", folder / "gr.csv"
        write_rdf_table(reference, dilute(liquid))
    text = JOB.format(
        name=name,
        potential=potential,
        reference=reference.resolve(),
        system=liquid.system,
        liquid=liquid,
        relax=relax,
        sample=sample,
        blocks=LEAST_BLOCKS,
        ensemble=ensemble,
        pressure=f"pressure = {liquid.pressure}\n" if ensemble == "npt" else "",
        charges="" if liquid.balance is None else f'[charges]\nbalance = "{liquid.balance}"\n',
        free=liquid.names()[0],
    )
    write_curves(liquid, read_reference(reference).rdf, folder)
    if ensemble == "npt":
        text += f"\n[density]\nvalue = {liquid.system.density}\n"
    for radiation in ("neutron", "xray"):
        text += SCATTERING.format(radiation=radiation)
    text += TOTAL_RDF
    for pair, cutoff in liquid.bonds.items():
        centre, neighbour = pair.split("-")
        text += COORDINATION.format(centre=centre, neighbour=neighbour, cutoff=cutoff)
    pair, cutoff = next(iter(liquid.bonds.items()))
    file, whose = "angles.csv", "random"
    if liquid.potential == "CHIK":
        file, whose = str((SILICA / "bond_angles_3600K.csv").resolve()), "aimd"
    for angle in liquid.angles:
        text += ANGLES.format(angle=angle, file=file, whose=whose, pair=pair, cutoff=cutoff)
    job = folder / "job.toml"
    job.write_text(text, "utf-8")
    return build_problem(read_job(job))


def dilute(liquid: Liquid) -> PartialRdf:
    """Return exp(−u/kT), g(r) where atoms are few: something to be compared with."""
    potential = liquid.load()
    r = 0.02 * (np.arange(round(potential.outer_cutoff / 0.02)) + 0.5)
    kT = BOLTZMANN_CONSTANT * liquid.temperature
    g = np.zeros((len(potential.pair_names), len(r)))
    far = r > 1.0
    for row, pair in zip(g, potential.pair_names, strict=True):
        row[far] = np.exp(-potential.energy(pair, r[far]) / kT)
    return PartialRdf(potential.pair_names, r, g)


def write_curves(liquid: Liquid, rdf: PartialRdf, folder: Path) -> None:
    """Write curves of diffraction, made of the reference, and angles without any order."""
    system, masses = liquid.system, liquid.load().masses
    numbers = system.counts
    density = system.atoms / system.box_length(masses) ** 3
    q = np.arange(0.8, 15.0, 0.1)
    radiations = {
        "neutron": neutron_weights(numbers, rdf.pairs),
        "xray": xray_weights(numbers, rdf.pairs, q),
    }
    for radiation, weights in radiations.items():
        S = 1 + np.sum(weights * (transform(rdf.r, rdf.g, density, q) - 1), axis=0)
        np.savetxt(folder / f"sq_{radiation}.csv", np.transpose([q, S]))
    T = 4 * np.pi * density * rdf.r * np.sum(radiations["neutron"] * rdf.g, axis=0)
    np.savetxt(folder / "t_neutron.csv", np.transpose([rdf.r, T]))
    theta = np.arange(0.5, 180.0)
    columns = {f"{angle}_random": np.sin(np.radians(theta)) for angle in liquid.angles}
    write_columns(folder / "angles.csv", {"theta_deg": theta} | columns)

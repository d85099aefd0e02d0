"""What the tables of docs/which_silica_potential.md show (ci/truth.py), and what is known of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

POTENTIALS = (
    *("LF-Silica", "SHIK", "BKS", "CHIK", "ML-ALL", "ML", "Teter", "ML-SiO", "LF-SodiumSilicate"),
    *("BKS-Ewald", "CHIK-Ewald", "Teter-Ewald", "PMMCS", "BJP", "Guillot-Sator"),
)
"""Those of the library that hold Si and O, in the order they are run."""

SODIUM = ("SHIK", "LF-SodiumSilicate", "Teter", "PMMCS")
"""Those that hold Na, too."""


@dataclass(frozen=True)
class Column:
    """One quantity of a table: where ``validate.json`` has it, and what is known of it.

    `part` is the beginning of the name of a part.
    """

    title: str
    stage: str
    part: str
    fact: str
    known: str = ""


@dataclass(frozen=True)
class Table:
    """Columns that stand together, below a heading."""

    heading: str
    columns: tuple[Column, ...]
    known: str = "experiment"
    notes: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class Section:
    """Tables of the page between markers of their own.

    `name` stands in the markers, `stages` and `potentials` are those that its tables show, `runs`
    says how they were made, with the settings of a study in braces.
    """

    name: str
    potentials: tuple[str, ...]
    stages: Mapping[str, str]
    tables: tuple[Table, ...]
    runs: str
    sources: str


AB_INITIO = "ab initio"

QUARTZ = (
    ("C11", "86.8"),
    ("C33", "105.8"),
    ("C44", "58.2"),
    ("C66", "39.9"),
    ("C12", "7.0"),
    ("C13", "11.9"),
    ("C14", "18.0"),
)
"""Elastic constants of alpha-quartz in GPa, of experiment."""

SILICA_TABLES = (
    Table(
        "The liquid at 3600 K: structure",
        (
            Column("R (%)", "liquid", "liquid", "R"),
            Column(
                "O-Si-O overlap (%)",
                "liquid",
                "liquid",
                "O-Si-O: overlap with the reference",
                "100",
            ),
            Column(
                "Si-O-Si overlap (%)",
                "liquid",
                "liquid",
                "Si-O-Si: overlap with the reference",
                "100",
            ),
            Column("Si-O-Si mean (°)", "liquid", "liquid", "Si-O-Si: mean angle", "136.2"),
        ),
        AB_INITIO,
        (
            "R is the deviation from g(r) of the ab initio liquid, the overlap the common part "
            "of two distributions of bond angles. [Validating a potential](validation.md) says how "
            "they are measured, and where the ab initio values are from.",
        ),
    ),
    Table(
        "The liquid at 3600 K and 2.2 g/cm³: pressure and diffusion",
        (
            Column("P (GPa)", "liquid", "liquid", "pressure"),
            Column("D of Si (10⁻⁵ cm²/s)", "liquid", "liquid", "Si: diffusion"),
            Column("D of O (10⁻⁵ cm²/s)", "liquid", "liquid", "O: diffusion"),
            Column("exponent of O", "liquid", "liquid", "O: d ln MSD / d ln t (1 if diffusive)"),
        ),
        "",
        (
            "Where the exponent is well below 1, atoms are still in their cages: D is an upper "
            "bound then.",
        ),
    ),
    Table(
        "The glass at 300 K and zero pressure: density and moduli",
        (
            Column("density (g/cm³)", "glass", "glass", "density", "2.203"),
            Column("bulk modulus (GPa)", "glass", "glass", "bulk modulus, 0 K", "36.4"),
            Column("Young's modulus (GPa)", "glass", "glass", "Young's modulus, 0 K", "72 to 75"),
            Column("Poisson's ratio", "glass", "glass", "Poisson's ratio, 0 K"),
            Column("cooled at (K/ps)", "glass", "glass", "--quench"),
        ),
        notes=(
            "Moduli are those of the glass at rest, strained both ways, with forces brought to "
            "zero. Errors are those within one glass. Another glass of this size differs by more: "
            "it keeps the volume that the liquid happened to have where it froze, and that "
            "fluctuates by V·√(kT/KV). That is 1.1 % of the density, 0.025 g/cm³, for 1536 atoms "
            "that freeze at 3000 K with K = 15 GPa.",
            "ML-SiO was fitted to a liquid at a given density, and nothing but charges and a core "
            "holds O and O apart: at zero pressure it collapses.",
        ),
    ),
    Table(
        "The glass at 300 K: structure",
        (
            Column(
                "first peak of neutron S(q) (1/Å)",
                "glass",
                "glass",
                "neutron S(q): first peak at",
                "1.52",
            ),
            Column("its height", "glass", "glass", "neutron S(q): its height", "1.44"),
            Column("Si as Q4 (%)", "glass", "glass", "Si as Q4", "100"),
            Column("Si-O-Si mean (°)", "glass", "glass", "Si-O-Si: mean angle", "151"),
        ),
    ),
    Table(
        "Alpha-quartz at rest: cell",
        tuple(
            Column(*words)
            for words in (
                ("a (Å)", "crystals", "alpha_quartz", "a", "4.916"),
                ("c (Å)", "crystals", "alpha_quartz", "c", "5.405"),
                ("density (g/cm³)", "crystals", "alpha_quartz", "density", "2.646"),
                ("bulk modulus (GPa)", "crystals", "alpha_quartz", "bulk modulus", "37.4"),
            )
        ),
    ),
    Table(
        "Alpha-quartz at rest: elastic constants (GPa)",
        tuple(Column(C, "crystals", "alpha_quartz", C, known) for C, known in QUARTZ),
        notes=(
            "C14 changes its sign where x is turned by 180° about z. Crystals are at 0 K, "
            "experiments at room temperature.",
        ),
    ),
    Table(
        "Beta-cristobalite at rest",
        tuple(
            Column(*words)
            for words in (
                ("a (Å)", "crystals", "beta_cristobalite", "a", "7.166"),
                ("b (Å)", "crystals", "beta_cristobalite", "b", "7.166"),
                ("c (Å)", "crystals", "beta_cristobalite", "c", "7.166"),
                ("density (g/cm³)", "crystals", "beta_cristobalite", "density", "2.169"),
            )
        ),
        notes=(
            "The cubic crystal of high temperatures is a mean over oxygen atoms that are off its "
            "ideal places. At 0 K some potentials leave it for a denser one with bent bridges; a "
            "cell larger than that of experiment has Si-O-Si at 180°.",
        ),
    ),
)

SILICA_SOURCES = """Experiment: the moduli of the glass as
[doi:10.1038/s41524-024-01390-8](https://doi.org/10.1038/s41524-024-01390-8) tabulates them, its
density 2.203 ± 0.003 g/cm³; the peak of neutron diffraction is measured again in
[arXiv:2604.21222](https://arxiv.org/abs/2604.21222), and its height is that of data of the
diffractometer NIMROD that [Dissolve](https://github.com/disorderedmaterials/dissolve) has among its
examples (`SiO2_NIMROD.mint01`), over (Σ c b)² = 0.276 barn, good to some per cent; Si-O-Si by NMR
([doi:10.1103/PhysRevB.62.R4786](https://doi.org/10.1103/PhysRevB.62.R4786)); elastic constants of
quartz from [doi:10.1063/1.1703099](https://doi.org/10.1063/1.1703099) (C14 without its sign), and
the bulk modulus that follows from them; the cells as `examples/silica/alpha_quartz.cif` and
`beta_cristobalite.cif` have them, with their sources."""

NA2O = {"sodium-0": "0", "sodium-15": "15", "sodium-25": "25"}
"""mol % of Na2O by stage."""

NMR = {"sodium-15": ("", "", ""), "sodium-25": ("38", "61", "1")}
"""Si as Q4, Q3 and Q2 by NMR of 29Si, in per cent."""

SODIUM_TABLES = (
    Table(
        "Sodium silicate glasses: density (g/cm³)",
        tuple(
            Column(f"{NA2O[stage]} mol % Na₂O", stage, "glass", "density", known)
            for stage, known in zip(NA2O, ("2.203", "2.327", "2.412"), strict=True)
        ),
    ),
    Table(
        "Sodium silicate glasses: Young's modulus (GPa)",
        tuple(
            Column(f"{NA2O[stage]} mol % Na₂O", stage, "glass", "Young's modulus, 0 K", known)
            for stage, known in zip(NA2O, ("75.0", "65.0", "62.0"), strict=True)
        ),
    ),
    Table(
        "Sodium silicate glasses: Qn (%)",
        tuple(
            Column(f"Q{n} at {NA2O[stage]} mol % Na₂O", stage, "glass", f"Si as Q{n}", known)
            for stage, row in NMR.items()
            for n, known in zip((4, 3, 2), row, strict=True)
        ),
        "NMR",
        (
            "No NMR at 15 mol % was at hand; if no Q3 meets another as Q4 and Q2, there are 64.7 % "
            "of Q4 and 35.3 % of Q3. A glass that was cooled fast has more disorder. Bonds of Si "
            "and O end at 2.3 Å.",
        ),
    ),
)

SECTIONS = (
    Section(
        "ci/truth.py",
        POTENTIALS,
        {"crystals": "the crystals", "liquid": "the liquid", "glass": "the glass"},
        SILICA_TABLES,
        "{atoms} atoms, one run each, all from the same liquid, made with CHIK; timestep {step:g} "
        "fs. Liquids: {liquid} ps (to relax, to sample). Glasses: cooled from 3600 K to 300 K at "
        "zero pressure, {glass} ps there; the table says how fast. Errors are standard errors "
        "within one run.",
        SILICA_SOURCES,
    ),
    Section(
        "ci/truth.py: sodium silicates",
        SODIUM,
        {stage: f"{x} mol % Na₂O" for stage, x in NA2O.items()},
        SODIUM_TABLES,
        "{atoms} atoms or up to 60 more, {glasses} glasses each (one of Ewald sums), errors from "
        "the scatter between them. From 3000 K (without sodium 3600 K), all of a composition from "
        "the same liquid, made with SHIK (without sodium with CHIK), cooled to 300 K at "
        "{rate_fast:g} K/ps and zero pressure, {glass} ps there (to relax, to sample); "
        "timestep {step:g} fs.",
        "Experiment: densities and Young's moduli as Jabraoui et al. (2025) give them beside their "
        "simulations; Qn of Maekawa et al. "
        "([doi:10.1016/0022-3093(91)90400-Z](https://doi.org/10.1016/0022-3093(91)90400-Z)), as "
        "[StatMechGlass](https://github.com/OxideGlassGroupAAU/StatMechGlass) has them.",
    ),
)
"""All of the page."""

STAGES = tuple(stage for section in SECTIONS for stage in section.stages)
"""What is run of every potential, in this order."""

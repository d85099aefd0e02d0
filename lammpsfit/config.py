"""The job file: TOML in, validated models out.

Keys carry a unit in their name only where it is not that of LAMMPS ``metal`` (Å, ps, K, eV,
bar, g/cm³).
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import tomli_w
from pydantic import Field, field_validator, model_validator

from lammpsfit.forcefield import names_file, names_run
from lammpsfit.forcefield.guard import BARRIER, SAFE_BARRIER
from lammpsfit.forcefield.limits import LARGEST
from lammpsfit.inputs import parse_toml, quoted, read_text, shown
from lammpsfit.models import AnyModel, Model, checked

HOTTEST: Final = 1e5
"""Largest temperature, K: atoms have lost their electrons long before."""

LATEST: Final = 1e6
"""Longest time of a run, ps."""

HIGHEST: Final = 1e9
"""Largest pressure, bar."""

MOST_GPA: Final = 1e5
"""Largest elastic constant, GPa."""

LONGEST: Final = 1e3
"""Largest distance, Å."""

BAROSTAT: Final = ("pressure", "barostat")
"""Keys of ``[protocol]`` that are for constant pressure."""

OF_A_FILE: Final = ("formula", "atoms", "density")
"""Keys of ``[system]`` that a start structure of a file tells by itself."""

Weight = Annotated[float, Field(le=1e6)]
Value = Annotated[float, Field(ge=-LARGEST, le=LARGEST)]
"""A parameter of a potential, or a factor between two."""


class ReferenceTable(Model):
    """``[reference]``: what the fit reproduces."""

    file: Path = Field(description="CSV table of partial g(r), relative to the job file")
    r_min: float = Field(0.0, ge=0, le=LONGEST, description="lower end of the range of r, Å")
    r_max: float | None = Field(
        None,
        gt=0,
        le=LONGEST,
        description="upper end, Å; default: that of the table",
    )
    weights: dict[str, Weight] = Field(
        default_factory=dict, description="weight of a pair in R; default: 1"
    )
    pairs: tuple[str, ...] | None = Field(
        None, description="the pairs that are compared, such as Si-O; default: all there are"
    )
    error: dict[str, Annotated[float, Field(le=1e3)]] = Field(
        default_factory=dict,
        description="standard error of g for each pair, independent from bin to bin; the errors "
        "of the parameters use it; default: the err_ columns of the table, if any",
    )
    angles: Path | None = Field(
        None,
        description="CSV table of bond angles, relative to the job file; validate compares with "
        "it, a fit does not use it",
    )


class PressureTable(Model):
    """``[pressure]``: a pressure to fit to beside g(r), at the density of the job (NVT)."""

    value: float = Field(ge=-HIGHEST, le=HIGHEST, description="pressure wanted, bar")
    per_percent: float = Field(
        5000.0, ge=1e-3, le=HIGHEST, description="deviation that costs as much as R = 1 %, bar"
    )


class DensityTable(Model):
    """``[density]``: a density to fit to beside g(r), at the pressure of the protocol (NPT)."""

    value: float = Field(gt=0, le=100, description="mass density wanted, g/cm³")
    per_percent: float | None = Field(
        None,
        ge=1e-6,
        le=100,
        description="deviation that costs as much as R = 1 %, g/cm³; default: 1 % of the value",
    )


class BulkModulusTable(Model):
    """``[[bulk_modulus]]``: a bulk modulus to fit to, from two conditions at one temperature."""

    conditions: tuple[str, str] = Field(
        description="the two conditions, at two densities or at two pressures; 'main' is the "
        "job's own"
    )
    value_gpa: float = Field(gt=0, le=1e4, description="bulk modulus wanted, GPa")
    per_percent_gpa: float | None = Field(
        None,
        ge=1e-6,
        le=1e4,
        description="deviation that costs as much as R = 1 %, GPa; default: 5 % of the value",
    )


class CoordinationTable(Model):
    """``[[coordination]]``: a mean coordination number to fit to beside g(r)."""

    centre: str = Field(description="species whose neighbours are counted")
    neighbour: str = Field(description="species of the neighbours")
    cutoff: float = Field(gt=0, description="largest distance of a neighbour, Å")
    value: float = Field(ge=0, le=1e3, description="mean number of neighbours wanted")
    per_percent: float = Field(
        0.02, gt=0, le=1e3, description="deviation that costs as much as R = 1 %, neighbours"
    )


class AngleDistributionTable(Model):
    """``[[angle_distribution]]``: a distribution of bond angles to fit to beside g(r)."""

    angle: str = Field(description="the angle, such as Si-O-Si: the centre in the middle")
    file: Path = Field(
        description="CSV table of bond angles, as lammpsfit reference --angles writes it, relative "
        "to the job file"
    )
    whose: str | None = Field(
        None, description="whose column of the table, where it has several of this angle"
    )
    cutoffs: dict[str, Annotated[float, Field(gt=0, le=LONGEST)]] = Field(
        description="longest bond of each pair that the angle needs, Å"
    )
    width: float = Field(3.0, gt=0, le=10, description="width of the bins compared, degrees")
    per_percent: float = Field(
        0.01,
        gt=0,
        le=100,
        description="fraction of the angles out of place that costs as much as R = 1 %",
    )


class TotalScatteringTable(Model):
    """``[[total_scattering]]``: a total structure factor S(q) to fit to beside g(r)."""

    radiation: Literal["neutron", "xray"] = Field(description="what is scattered")
    file: Path = Field(description="table of q and the curve, relative to the job file")
    quantity: Literal["S", "S-1", "q(S-1)", "F_barn"] = Field(
        "S",
        description="what the file holds, S in the normalisation of Faber and Ziman, 1 at large q; "
        "F_barn: (Σ c b)² (S - 1) in barn per steradian, neutrons only",
    )
    compare: Literal["S", "q(S-1)"] = Field(
        "S", description="what is compared; q(S-1): bins count as q², as they do for G(r)"
    )
    unit: Literal["1/Å", "1/nm"] | None = Field(
        None, description="unit of q in the file; default: what the file says, else 1/Å"
    )
    q_min: float | None = Field(
        None, ge=0, le=LONGEST, description="lower end, 1/Å; default: that of the table"
    )
    q_max: float | None = Field(
        None, gt=0, le=LONGEST, description="upper end, 1/Å; default: that of the table"
    )
    width: float = Field(0.1, ge=0.01, le=1, description="width of the bins of q compared, 1/Å")
    per_percent: float = Field(
        0.01,
        gt=0,
        le=100,
        description="distance of the curves that costs as much as R = 1 %; 1 is a gas",
    )


class TotalRdfTable(Model):
    """``[[total_rdf]]``: a total pair distribution, g, G or T of r, to fit to."""

    radiation: Literal["neutron", "xray"] = Field(description="what is scattered")
    file: Path = Field(description="table of r and the curve, relative to the job file")
    quantity: Literal["g", "G", "T", "D_barn", "T_barn"] = Field(
        description="what the file holds: g, 1 at large r; G = 4πρr (g - 1); T = 4πρr g, both in "
        "1/Å²; D_barn and T_barn: G and T times (Σ c b)² in barn, neutrons only"
    )
    unit: Literal["Å", "nm"] | None = Field(
        None, description="unit of r in the file; default: what the file says, else Å"
    )
    r_min: float = Field(0.0, ge=0, le=LONGEST, description="lower end of the range of r, Å")
    r_max: float | None = Field(
        None,
        gt=0,
        le=LONGEST,
        description="upper end, Å; default: that of the table, or of the distances sampled",
    )
    q_max: float | None = Field(
        None,
        gt=1,
        le=LONGEST,
        description="largest q of the transform that the curve comes from, 1/Å; default: none, as "
        "for a table of a simulation",
    )
    window: Literal["none", "lorch"] = Field("none", description="window M(q) of that transform")
    per_percent: float = Field(
        0.01,
        gt=0,
        le=100,
        description="distance |curve - wanted| / |wanted| that costs as much as R = 1 %, of T "
        "where the file holds G, T or D",
    )


class LabelsTable(Model):
    """What the tables of labelled configurations and of crystals share."""

    forces_per_percent: float = Field(
        0.2, gt=0, le=1e6, description="rms error that costs as much as R = 1 %, eV/Å"
    )
    stress_per_percent: float = Field(
        5000.0, ge=1e-3, le=HIGHEST, description="rms error that costs as much as R = 1 %, bar"
    )

    @field_validator("fit", mode="before", check_fields=False)
    @classmethod
    def _one_or_more(cls, fit: Any) -> Any:
        return (fit,) if isinstance(fit, str) else fit

    @field_validator("fit", check_fields=False)
    @classmethod
    def _each_once(cls, fit: tuple[str, ...]) -> tuple[str, ...]:
        for kind in fit:
            if fit.count(kind) > 1:
                raise ValueError(f"must name each thing once, got {quoted(kind)} twice")
        return fit


class FramesTable(LabelsTable):
    """``[[frames]]``: labelled configurations to fit to beside g(r)."""

    file: Path = Field(
        description="configurations with REF_forces, REF_stress, REF_energy, in extended xyz or a "
        "vasprun.xml, relative to the job file"
    )
    name: str = Field("frames", min_length=1, max_length=40, description="what tables call them")
    fit: tuple[Literal["forces", "stress", "energy"], ...] = Field(
        ("forces",), min_length=1, description="which labels are compared: forces, stress, energy"
    )
    energy_per_percent: float = Field(
        0.01,
        gt=0,
        le=1e6,
        description="rms error of differences that costs as much as R = 1 %, eV/atom",
    )
    skip: int = Field(0, ge=0, description="frames left out at the beginning of the file")
    exclude: tuple[int | str, ...] = Field(
        (), max_length=10_000, description="frames left out: their number, or key=value"
    )


class CrystalTable(LabelsTable):
    """``[[crystal]]``: crystals that are to be at rest at the cells given."""

    file: Path = Field(
        description="CIF, POSCAR, extended xyz or what else ASE reads, relative to the job file"
    )
    name: str = Field("crystal", min_length=1, max_length=40, description="what tables call it")
    fit: tuple[Literal["forces", "stress", "cell", "places"], ...] = Field(
        ("forces", "stress"),
        min_length=1,
        description="what is compared: forces and stress there, cell and places at rest",
    )
    labelled: bool = Field(
        False,
        description="true: the file has REF_forces and REF_stress; false: both are to be zero",
    )
    cell_per_percent: float = Field(
        0.3,
        gt=0,
        le=1e6,
        description="rms strain to the cell at rest that costs as much as R = 1 %, %",
    )
    places_per_percent: float = Field(
        0.03,
        gt=0,
        le=1e6,
        description="rms move to the places at rest that costs as much as R = 1 %, Å",
    )
    elastic: dict[str, float] = Field(
        default_factory=dict,
        max_length=21,
        description="elastic constants to fit to, by name, such as C11, GPa",
    )
    elastic_per_percent: float = Field(
        5.0, gt=0, le=1e6, description="their rms error that costs as much as R = 1 %, GPa"
    )

    @field_validator("elastic")
    @classmethod
    def _named(cls, elastic: dict[str, float]) -> dict[str, float]:
        for name, value in elastic.items():
            if re.fullmatch("C[1-6][1-6]", name) is None or name[1] > name[2]:
                raise ValueError(f"must name some of C11, C12 to C66, got {quoted(name)}")
            if not abs(value) <= MOST_GPA:
                raise ValueError(f"must have {name} from -{MOST_GPA:g} to {MOST_GPA:g} GPa")
        return elastic

    @model_validator(mode="after")
    def _at_rest(self) -> "CrystalTable":
        kinds = [kind for kind in ("cell", "places") if kind in self.fit]
        if self.labelled and kinds:
            raise ValueError(
                f"fit: {' and '.join(kinds)} are those of a crystal at rest, which one with labels "
                "of its own is not: leave labelled out"
            )
        return self


class TermTables(Model):
    """The terms of the target beside partial g(r); each condition of ``[[also]]`` has its own."""

    pressure: PressureTable | None = Field(None, description="pressure to fit to; default: none")
    density: DensityTable | None = Field(None, description="density to fit to; default: none")
    coordination: tuple[CoordinationTable, ...] = Field(
        (), description="mean coordination numbers to fit to"
    )
    angle_distribution: tuple[AngleDistributionTable, ...] = Field(
        (), description="distributions of bond angles to fit to"
    )
    total_scattering: tuple[TotalScatteringTable, ...] = Field(
        (), description="total structure factors S(q) to fit to"
    )
    total_rdf: tuple[TotalRdfTable, ...] = Field(
        (), description="total pair distributions to fit to"
    )
    frames: tuple[FramesTable, ...] = Field(
        (), max_length=100, description="labelled configurations to fit to"
    )
    crystal: tuple[CrystalTable, ...] = Field(
        (), max_length=100, description="crystals that are to be at rest"
    )

    @property
    def term_files(self) -> list[Path]:
        """The files that its terms name."""
        found: list[Path] = []

        def seen(path: Path, _: str) -> Path:
            found.append(path)
            return path

        with_term_files(self, seen)
        return found


class MeltTable(Model):
    """``[system.melt]``: how the start structure is melted, once per job."""

    potential: str | None = Field(
        None, description="potential that melts it; default: the start potential of the fit"
    )
    temperature: float | None = Field(
        None,
        gt=0,
        le=HOTTEST,
        description="melt temperature, K; default: 1.25 times that of the protocol",
    )
    melt: float = Field(8.0, gt=0, le=LATEST, description="time at the melt temperature, ps")
    cool: float = Field(
        2.0, gt=0, le=LATEST, description="time to cool to the temperature of the protocol, ps"
    )
    relax: float = Field(
        5.0, gt=0, le=LATEST, description="time at the temperature of the protocol, ps"
    )
    pressure: float | None = Field(
        None,
        ge=-HIGHEST,
        le=HIGHEST,
        description="cool and relax at this pressure, bar, in a box that changes; default: at the "
        "density of the system",
    )
    seed: int = Field(1, ge=1, le=900_000_000, description="seed of the packing and the velocities")


class SystemTable(Model):
    """``[system]``: the material in the box."""

    formula: str | None = Field(
        None,
        max_length=100,
        description="chemical formula, for instance SiO2; its order is that of the LAMMPS types; "
        "default: that of the file",
    )
    atoms: int | None = Field(
        None, le=10_000_000, description="atoms in the box while fitting; default: as in the file"
    )
    density: float | None = Field(
        None, le=100, description="mass density, g/cm³; default: that of the file"
    )
    structure: Literal["beta-cristobalite", "random", "file"] = Field(
        "random",
        description="structure that is melted to make the start structure; file: what the file "
        "holds, not melted; default: file where one is named, else random",
    )
    file: Path | None = Field(
        None,
        description="start structure, relative to the job file: LAMMPS data, POSCAR, CIF or "
        "extended XYZ, in any periodic box",
    )
    repeat: tuple[Annotated[int, Field(ge=1, le=1000)], ...] | None = Field(
        None, min_length=3, max_length=3, description="cells of the file along each vector"
    )
    melted: bool = Field(
        False, description="true: the structure of the file is melted first, as melt says"
    )
    melt: MeltTable = Field(MeltTable(), description="how it is melted")

    @model_validator(mode="before")
    @classmethod
    def _file_is_a_structure(cls, content: Any) -> Any:
        if isinstance(content, Mapping) and content.get("file") is not None:
            return {"structure": "file", **content}
        return content

    @model_validator(mode="after")
    def _of_file_or_formula(self) -> "SystemTable":
        if self.structure == "file":
            if self.file is None:
                raise ValueError("structure = 'file' needs the file: add file")
            return self
        if self.file is not None or self.repeat is not None or self.melted:
            raise ValueError("file, repeat and melted are for structure = 'file'")
        missing = [key for key in OF_A_FILE if getattr(self, key) is None]
        if missing:
            raise ValueError(f"{', '.join(missing)} must be given, unless file names a structure")
        return self


class ProtocolTable(Model):
    """``[protocol]``: the run of one evaluation, at constant temperature."""

    temperature: float = Field(le=HOTTEST, description="temperature, K")
    relax: float = Field(10.0, le=LATEST, description="time before the first frame, ps")
    sample: float = Field(10.0, le=LATEST, description="time of sampling after that, ps")
    timestep_fs: float = Field(1.0, le=100, description="timestep, fs")
    every_fs: float = Field(50.0, le=1e6, description="time between sampled frames, fs")
    blocks: int | None = Field(
        None,
        le=10_000,
        description="blocks of the run, for the errors; default: 20, or 8 with npt, whose volume "
        "is slow",
    )
    ensemble: Literal["nvt", "npt"] = Field(
        "nvt",
        description="nvt: the box has the density of the system; npt: it begins there, and a "
        "barostat finds its volume",
    )
    pressure: float | None = Field(
        None,
        ge=-HIGHEST,
        le=HIGHEST,
        description="npt: pressure of the barostat, bar (1 GPa = 10000 bar); default: 0",
    )
    barostat: float | None = Field(
        None,
        gt=0,
        le=LATEST,
        description="npt: damping time of the barostat, ps; default: 1000 timesteps",
    )

    @model_validator(mode="after")
    def _barostat_of_npt(self) -> "ProtocolTable":
        given = [key for key in BAROSTAT if getattr(self, key) is not None]
        if given and self.ensemble != "npt":
            raise ValueError(f"{' and '.join(given)} needs a box that may change: ensemble = 'npt'")
        return self


class ParameterTable(Model):
    """``[parameters]``: one entry per free or tied parameter, such as ``q_Si`` or ``A_Si-O``."""

    min: Value | None = Field(None, description="lower bound")
    max: Value | None = Field(None, description="upper bound")
    factor: float | None = Field(
        None,
        gt=1,
        le=1e6,
        description="bounds: the start value divided by this, and multiplied by this",
    )
    log: bool = Field(True, description="search on a logarithmic scale")
    tied_to: str | None = Field(None, description="parameter that this one follows")
    times: Value = Field(1.0, description="with tied_to: this parameter over the other")

    @model_validator(mode="after")
    def _one_way(self) -> "ParameterTable":
        bounds = self.min is not None or self.max is not None
        if [bounds, self.factor is not None, self.tied_to is not None].count(True) != 1:
            raise ValueError("give one of: min and max; factor; tied_to")
        if bounds and (self.min is None or self.max is None):
            raise ValueError("give both min and max")
        return self


class ChargesTable(Model):
    """``[charges]``: how the system stays neutral."""

    balance: str | None = Field(
        None, description="species whose charge follows from neutrality of the formula"
    )
    per_composition: bool = Field(
        False,
        description="true: the charge follows from the formula of each condition, as that of "
        "oxygen in SHIK does; false: it follows from the formula of the job",
    )

    @model_validator(mode="after")
    def _of_a_species(self) -> "ChargesTable":
        if self.per_composition and self.balance is None:
            raise ValueError("per_composition needs the species: add balance")
        return self


class StrategyTable(Model):
    """``[strategy]``: the search."""

    name: Literal["auto", "gauss-newton", "paper"] = Field(
        "auto",
        description="gauss-newton: least squares with the derivatives of each run; paper: design, "
        "Gaussian process with expected improvement, then CG; auto: gauss-newton",
    )
    starts: int = Field(
        1,
        ge=1,
        le=10_000,
        description="gauss-newton: descents at a time; the first begins at the start potential; of "
        "two that meet one goes on",
    )
    batch: int = Field(
        1, ge=1, le=1000, description="gauss-newton: steps that each descent tries at once"
    )
    radius: float = Field(
        5.0, ge=0.5, le=20, description="gauss-newton: first step, in standard deviations of U/kT"
    )
    spread: float = Field(
        0.05,
        ge=0,
        le=10,
        description="gauss-newton: spread of R from run to run, as a fraction of R",
    )
    quiet: int = Field(
        12,
        ge=1,
        le=1_000_000,
        description="gauss-newton: a descent has converged after so many steps within the noise",
    )
    design: int = Field(
        64, ge=0, le=10_000, description="paper: points of the initial design, without the start"
    )
    plateau: int = Field(
        100,
        ge=1,
        le=1_000_000,
        description="paper: end exploration after so many evaluations without improvement",
    )
    explore: int = Field(
        1000,
        ge=0,
        le=100_000,
        description="paper: largest number of evaluations by expected improvement",
    )
    refine: int = Field(
        30, ge=0, le=10_000, description="paper: largest number of directions of CG; 0: none"
    )
    gradients: Literal["fluctuations", "differences"] = Field(
        "fluctuations",
        description="paper: gradients of CG; fluctuations: from the run itself; differences: "
        "finite differences, one more run for each parameter",
    )
    barrier: float | None = Field(
        None,
        gt=0,
        le=1e6,
        description="Buckingham barrier that a candidate needs, in kT of the protocol; default: "
        "45 for gauss-newton, 35 for paper, because that learns where runs fail",
    )
    race: float = Field(
        0.0,
        le=1e6,
        description="paper: end an evaluation early if its cost is certain to exceed the best so "
        "far times this; 0: never",
    )

    @property
    def guard(self) -> float:
        """Barrier in kT that a candidate must have."""
        if self.barrier is not None:
            return self.barrier
        return BARRIER if self.name == "paper" else SAFE_BARRIER

    @field_validator("race")
    @classmethod
    def _above_the_best(cls, race: float) -> float:
        if race and race < 1:
            raise ValueError("must be 0 (off) or at least 1")
        return race


class FarmTable(Model):
    """``[farm]``: how evaluations are distributed over workers."""

    ordered: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description="keep this many evaluations open and use their results in the order of asking: "
        "the fit repeats to the bit with any number of workers; default: first come, first used",
    )
    ranks_per_evaluation: int = Field(
        1,
        ge=1,
        le=100_000,
        description="MPI ranks that run each evaluation together, for systems too large for one "
        "core; no child process shields them: an evaluation that kills a rank ends the job, and "
        "counts as failed after it did so twice",
    )
    engine: Literal["auto", "parsl"] = Field(
        "auto",
        description="auto: the ranks of mpiexec or srun, or processes of this machine; parsl: "
        "workers that Parsl starts, which may come and go",
    )
    parsl: Path | None = Field(
        None,
        description="configuration of Parsl, a Python file, relative to the job file; default: the "
        "file of --parsl",
    )

    @model_validator(mode="after")
    def _parsl_alone(self) -> "FarmTable":
        if self.parsl is not None and self.engine != "parsl":
            raise ValueError("parsl is for engine = 'parsl'")
        if self.engine == "parsl" and self.ranks_per_evaluation > 1:
            raise ValueError("ranks_per_evaluation needs MPI: engine must be 'auto'")
        return self


class LimitsTable(Model):
    """``[limits]``: when a fit stops, finished or not."""

    evaluations: int | None = Field(
        None, ge=1, le=10**9, description="largest number of evaluations of the search"
    )
    evaluation_s: float | None = Field(
        None,
        gt=0,
        le=1e9,
        description="seconds after which an evaluation, or the run of one of its conditions, is "
        "ended as hung",
    )


class ConfirmTable(Model):
    """``[confirm]``: runs of the best candidates with fresh seeds, before one is called best."""

    candidates: int = Field(3, ge=1, le=1000, description="number of candidates to run again")
    repeats: int = Field(
        2, ge=1, le=1000, description="runs of each candidate, with different seeds"
    )
    atoms: int | None = Field(
        None, gt=0, le=10_000_000, description="atoms in the box; default: as in the system"
    )
    relax: float | None = Field(
        None, le=LATEST, description="time before the first frame, ps; default: as in the protocol"
    )
    sample: float | None = Field(
        None, le=LATEST, description="time of sampling, ps; default: as in the protocol"
    )
    compare: tuple[str, ...] = Field(
        (), max_length=100, description="known potentials to run beside them, for the table"
    )
    ensemble: int = Field(
        0,
        ge=0,
        le=1000,
        description="number of potentials to draw that should be as good as the best, and to run",
    )


class AlsoTable(TermTables):
    """``[[also]]``: another condition that the same potential is fitted to at once.

    It has the tables of the job itself. A key that a table leaves out has the value of the job.
    Terms beside partial g(r), such as a pressure, count only for the condition that names them.
    """

    name: str = Field(description="name of the condition, for tables and files")
    weight: float = Field(
        1.0,
        gt=0,
        le=1e6,
        description="weight of its squared objective; the job's own condition has weight 1",
    )
    reference: ReferenceTable | None = Field(
        None, description="its reference; false: no partial g(r) is wanted there"
    )
    system: SystemTable = Field(description="its system")
    protocol: ProtocolTable = Field(description="its protocol")

    @field_validator("name")
    @classmethod
    def _part_of_a_file_name(cls, name: str) -> str:
        if not re.fullmatch(r"(?!\.)[A-Za-z0-9_.]*[A-Za-z][A-Za-z0-9_.]*", name):
            raise ValueError("must be letters, digits, '_' and '.', with at least one letter")
        return name


class Job(TermTables):
    """A whole job file."""

    title: str = Field("", max_length=300, pattern=r"^[^\r\n]*$", description="title, one line")
    potential: str = Field(
        description="start of the search: a potential of the library, a TOML file, or the folder "
        "of a finished run"
    )
    seed: int = Field(1, ge=0, lt=2**63, description="seed of all random numbers")
    reference: ReferenceTable | None = Field(
        None, description="partial g(r) to fit to; default: none, where there are other terms"
    )
    system: SystemTable
    protocol: ProtocolTable
    splines: dict[str, tuple[float, ...]] = Field(
        default_factory=dict,
        description="corrections that are added to the start potential, zero at first: by pair, "
        "the knots of a cubic spline, Å; they need parameters to be free",
    )
    parameters: dict[str, ParameterTable] = Field(
        default_factory=dict,
        description="free and tied parameters by name; c_Si-O: all coefficients of the spline of "
        "the pair that have no entry of their own",
    )
    charges: ChargesTable = ChargesTable()
    strategy: StrategyTable = StrategyTable()
    farm: FarmTable = FarmTable()
    limits: LimitsTable = LimitsTable()
    confirm: ConfirmTable = ConfirmTable()
    also: tuple[AlsoTable, ...] = Field(
        (),
        max_length=100,
        description="other conditions that the same potential is fitted to at once",
    )
    bulk_modulus: tuple[BulkModulusTable, ...] = Field(
        (), max_length=100, description="bulk moduli to fit to, each between two conditions"
    )

    @model_validator(mode="before")
    @classmethod
    def _others_overlay_ours(cls, content: Any) -> Any:
        """Fill in what the tables of other conditions leave out."""
        if not isinstance(content, dict) or not isinstance(content.get("also"), list | tuple):
            return content
        return content | {"also": [_overlaid(content, other) for other in content["also"]]}

    @field_validator("also")
    @classmethod
    def _names_differ(cls, also: tuple[AlsoTable, ...]) -> tuple[AlsoTable, ...]:
        names = [other.name for other in also]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"names must differ, got {quoted(name)} more than once")
        return also

    def under(self, other: AlsoTable) -> "Job":
        """Return the job of another condition by itself."""
        tables = ("reference", "system", "protocol", *TermTables.model_fields)
        changes = {table: getattr(other, table) for table in tables}
        return self.model_copy(update={**changes, "also": (), "bulk_modulus": ()})

    @property
    def files(self) -> list[Path]:
        """The files that it names: references, angles, potentials and Parsl's configuration."""
        every: tuple[Job | AlsoTable, ...] = (self, *self.also)
        melting = [one.system.melt.potential or self.potential for one in every]
        potentials = [self.potential, *self.confirm.compare, *melting]
        known = [one.reference for one in every if one.reference is not None]
        tables = [path for one in known for path in (one.file, one.angles)]
        tables += [one.system.file for one in every]
        tables += [self.farm.parsl, *(path for one in every for path in one.term_files)]
        named = [Path(name) for name in potentials if names_file(name)]
        return [path for path in tables if path is not None] + named

    def dump(self) -> str:
        """Write the job as TOML, every default spelled out."""
        content = self.model_dump(mode="json", exclude_none=True)
        for other in content["also"]:
            other.setdefault("reference", False)  # else it would have ours
        return tomli_w.dumps({key: value for key, value in content.items() if value != []})


def with_term_files(tables: TermTables, change: Callable[[Path, str], Path]) -> dict[str, Any]:
    """Return the tables of terms with other names of their files, by the name of the term.

    `change` takes the name of a file and what it is for, such as ``angle_distribution-1-file``.
    """

    def changed(table: Model, role: str) -> Model:
        named = {key: value for key, value in table if isinstance(value, Path)}
        return table.model_copy(
            update={key: change(value, f"{role}-{key}") for key, value in named.items()}
        )

    updates: dict[str, Any] = {}
    for name in TermTables.model_fields:
        table = getattr(tables, name)
        if isinstance(table, tuple):
            updates[name] = tuple(changed(one, f"{name}-{k}") for k, one in enumerate(table, 1))
        elif table is not None:
            updates[name] = changed(table, name)
    return updates


def _overlaid(job: Mapping[str, Any], other: Any) -> Any:
    """Fill in the tables of another condition from those of the job, before either is checked."""
    if not isinstance(other, Mapping):
        return other
    terms = (name for name in TermTables.model_fields if name in other)
    wanted = ["system", "protocol", *terms]
    if other.get("reference") is False:
        other = {key: value for key, value in other.items() if key != "reference"}
    elif "reference" in job or "reference" in other:
        wanted.append("reference")
    ours = {
        **job,
        "system": _system_for(job.get("system"), other.get("system")),
        "protocol": _protocol_for(job.get("protocol"), other.get("protocol")),
    }
    return {**other, **{table: _merged(ours.get(table), other.get(table, {})) for table in wanted}}


def _protocol_for(ours: Any, theirs: Any) -> Any:
    """Leave the barostat out of our protocol where theirs keeps the volume."""
    constant = isinstance(theirs, Mapping) and theirs.get("ensemble") == "nvt"
    if not (constant and isinstance(ours, Mapping)):
        return ours
    return {key: value for key, value in ours.items() if key not in BAROSTAT}


def _system_for(ours: Any, theirs: Any) -> Any:
    """Leave out of our system what another start structure tells by itself, or has not."""
    if not (isinstance(ours, Mapping) and isinstance(theirs, Mapping)):
        return ours
    gone: tuple[str, ...] = ()
    if "file" in theirs:
        gone = (*OF_A_FILE, "structure", "repeat")
    elif theirs.get("structure", "file") != "file":
        gone = ("file", "repeat", "melted")
    return {key: value for key, value in ours.items() if key not in gone}


def _merged(ours: Any, theirs: Any) -> Any:
    """Lay a table over ours, and its ``melt`` over ours; what are no tables is refused later."""
    if not isinstance(ours, Mapping) or not isinstance(theirs, Mapping):
        return theirs
    merged = {**ours, **theirs}
    if "melt" in ours and "melt" in theirs:
        merged["melt"] = _merged(ours["melt"], theirs["melt"])
    return merged


def read_job(path: Path) -> Job:
    """Read a job file; file names in it become absolute.

    Raises
    ------
    InputError
        If it is missing, is no TOML, or does not fit the models: the first thing wrong, in
        one line, with the nearest known name for an unknown key.
    """
    return _absolute(read_tables(path, Job), path.resolve().parent)


def read_tables(path: Path, kind: type[AnyModel]) -> AnyModel:
    """Read a TOML file as one kind of model, its file names as they stand.

    Raises
    ------
    InputError
        If it is missing, is no TOML, or does not fit the models: the first thing wrong, in
        one line, with the nearest known name for an unknown key.
    """
    content = parse_toml(read_text(path, what="job file"), shown(path))
    return checked(kind, content, shown(path))


def _absolute(job: Job, folder: Path) -> Job:
    """Resolve the file names of a job against its folder."""

    def potential(name: str) -> str:
        is_path = names_file(name) or names_run(name, folder)
        return str(folder / name) if is_path else name

    def system(table: SystemTable) -> SystemTable:
        if table.file is not None:
            table = table.model_copy(update={"file": folder / table.file})
        if table.melt.potential is None:
            return table
        named = {"potential": potential(table.melt.potential)}
        return table.model_copy(update={"melt": table.melt.model_copy(update=named)})

    def reference(table: ReferenceTable | None) -> ReferenceTable | None:
        if table is None:
            return None
        angles = None if table.angles is None else folder / table.angles
        return table.model_copy(update={"file": folder / table.file, "angles": angles})

    def condition(table: AlsoTable) -> AlsoTable:
        ours = {"reference": reference(table.reference), "system": system(table.system)}
        return table.model_copy(update=ours | terms(table))

    def terms(tables: TermTables) -> dict[str, Any]:
        return with_term_files(tables, lambda path, _: folder / path)

    farm = job.farm
    if farm.parsl is not None:
        farm = farm.model_copy(update={"parsl": folder / farm.parsl})
    return job.model_copy(
        update={
            "potential": potential(job.potential),
            "reference": reference(job.reference),
            "system": system(job.system),
            "confirm": job.confirm.model_copy(
                update={"compare": tuple(map(potential, job.confirm.compare))}
            ),
            "also": tuple(map(condition, job.also)),
            "farm": farm,
            **terms(job),
        }
    )


def override(job: Job, *, strategy: str | None = None, evaluations: int | None = None) -> Job:
    """Return the job with what the command line says instead.

    Raises
    ------
    InputError
        If the value is not allowed.
    """
    content = job.model_dump()
    if strategy is not None:
        content["strategy"]["name"] = strategy
    if evaluations is not None:
        content["limits"]["evaluations"] = evaluations
    return checked(Job, content, "option")

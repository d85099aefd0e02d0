"""The job file: TOML in, validated models out.

Keys carry a unit in their name only where it is not that of LAMMPS ``metal`` (Å, ps, K, eV,
bar, g/cm³).
"""

import difflib
import tomllib
from pathlib import Path
from typing import Any, Literal

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from lammpsfit.errors import InputError
from lammpsfit.forcefield import names_file


class Model(BaseModel):
    """Base of the job file's tables: frozen, and strict about unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ReferenceTable(Model):
    """``[reference]``: what the fit reproduces."""

    file: Path = Field(description="CSV table of partial g(r), relative to the job file")
    r_min: float = Field(0.0, ge=0, description="lower end of the range compared, Å")
    r_max: float | None = Field(None, gt=0, description="upper end, Å; default: all of the table")
    weights: dict[str, float] = Field(
        default_factory=dict, description="weight of a pair in the cost, 1 where not given"
    )


class MeltTable(Model):
    """``[system.melt]``: how the start structure is molten, once per job."""

    potential: str | None = Field(
        None, description="potential that melts it; default: the start potential of the fit"
    )
    temperature: float | None = Field(
        None, gt=0, description="melt temperature, K; default: 1.25 times that of the protocol"
    )
    melt: float = Field(8.0, gt=0, description="time at the melt temperature, ps")
    cool: float = Field(2.0, gt=0, description="time down to the temperature of the protocol, ps")
    relax: float = Field(5.0, gt=0, description="time at that temperature, ps")
    seed: int = Field(1, ge=1, le=900_000_000, description="seed of packing and velocities")


class SystemTable(Model):
    """``[system]``: the material in the box."""

    formula: str = Field(description="chemical formula, for instance SiO2")
    atoms: int = Field(le=10_000_000, description="atoms in the box while fitting")
    density: float = Field(description="mass density, g/cm³")
    structure: Literal["beta-cristobalite", "random"] = Field(
        "random", description="what is molten to make the start structure"
    )
    melt: MeltTable = Field(MeltTable(), description="how it is molten")


class ProtocolTable(Model):
    """``[protocol]``: one evaluation's run at constant volume and temperature."""

    temperature: float = Field(description="temperature, K")
    relax: float = Field(10.0, description="time before the first frame, ps")
    sample: float = Field(10.0, description="time averaged over, ps")
    timestep_fs: float = Field(1.0, description="timestep, fs")
    every_fs: float = Field(50.0, description="time between frames, fs")
    blocks: int = Field(20, description="blocks for the errors")


class ParameterTable(Model):
    """``[parameters]``: one entry per free or tied parameter, such as ``q_Si`` or ``A_Si-O``."""

    min: float | None = Field(None, description="lower bound")
    max: float | None = Field(None, description="upper bound")
    factor: float | None = Field(
        None, gt=1, description="bounds from the start value divided to multiplied by this"
    )
    log: bool = Field(True, description="search on a logarithmic scale")
    tied_to: str | None = Field(None, description="parameter this one follows")
    times: float = Field(1.0, description="with tied_to: the factor it follows with")

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


class StrategyTable(Model):
    """``[strategy]``: the search."""

    name: Literal["paper"] = Field(
        "paper",
        description="paper: design, Gaussian process with expected improvement, then CG",
    )
    design: int = Field(64, ge=0, description="points of the initial design, beside the start")
    plateau: int = Field(
        100, ge=1, description="stop exploring after this many evaluations without improvement"
    )
    explore: int = Field(1000, ge=0, description="most evaluations by expected improvement")
    refine: int = Field(30, ge=0, description="most directions of conjugate gradients; 0: none")
    barrier: float = Field(
        35.0, gt=0, description="Buckingham barrier a candidate must have, in kT of the protocol"
    )
    race: float = Field(
        0.0,
        description="end an evaluation early that is certain to cost more than this many times "
        "the best so far; 0: never",
    )

    @field_validator("race")
    @classmethod
    def _above_the_best(cls, race: float) -> float:
        if race and race < 1:
            raise ValueError("must be 0 (off) or at least 1")
        return race


class FarmTable(Model):
    """``[farm]``: how evaluations are handed out."""

    ordered: int | None = Field(
        None,
        ge=1,
        description="keep this many evaluations open and take their results in order, so that "
        "the fit repeats to the bit with any number of workers; default: whoever is first",
    )
    ranks_per_evaluation: int = Field(
        1,
        ge=1,
        description="MPI ranks that run each evaluation together, for systems too large for one "
        "core; without the isolation of a child process: an evaluation that kills a rank ends "
        "the job, and is recorded as failed once it did so twice",
    )


class LimitsTable(Model):
    """``[limits]``: when a fit stops, finished or not."""

    evaluations: int | None = Field(None, ge=1, description="most evaluations of the search")
    evaluation_s: float | None = Field(
        None, gt=0, description="seconds after which an evaluation is taken for hung"
    )


class ConfirmTable(Model):
    """``[confirm]``: the best candidates run again with fresh seeds before one is called best."""

    candidates: int = Field(3, ge=1, description="how many of the best are run again")
    repeats: int = Field(2, ge=1, description="runs of each, with different seeds")
    atoms: int | None = Field(
        None, gt=0, le=10_000_000, description="atoms in the box; default: as while fitting"
    )
    relax: float | None = Field(None, description="ps; default: as in the protocol")
    sample: float | None = Field(None, description="ps; default: as in the protocol")
    compare: tuple[str, ...] = Field(
        (), description="known potentials run beside them, for the table"
    )


class Job(Model):
    """A whole job file."""

    title: str = Field("", pattern=r"^[^\r\n]*$", description="what this is, in one line")
    potential: str = Field(description="start: a potential of the library or a TOML file")
    seed: int = Field(1, ge=0, description="seed of everything random")
    reference: ReferenceTable
    system: SystemTable
    protocol: ProtocolTable
    parameters: dict[str, ParameterTable] = Field(
        default_factory=dict, description="free and tied parameters by name"
    )
    charges: ChargesTable = ChargesTable()
    strategy: StrategyTable = StrategyTable()
    farm: FarmTable = FarmTable()
    limits: LimitsTable = LimitsTable()
    confirm: ConfirmTable = ConfirmTable()

    def dump(self) -> str:
        """Write the job as TOML, every default spelled out."""
        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))


def read_job(path: Path) -> Job:
    """Read a job file; file names in it become absolute.

    Raises
    ------
    InputError
        If it is missing, is no TOML, or does not fit the models: the first thing wrong, in
        one line, with the nearest known name for an unknown key.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such job file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from error
    except ValueError as error:  # also of numbers with thousands of digits
        raise InputError(f"{path}: not valid TOML: {error}") from error
    try:
        job = Job.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{path}: {_first_line(error)}") from error
    return _absolute(job, path.resolve().parent)


def _absolute(job: Job, folder: Path) -> Job:
    """Resolve the file names of a job against its folder."""

    def potential(name: str) -> str:
        return str(folder / name) if names_file(name) else name

    melt = job.system.melt
    if melt.potential is not None:
        melt = melt.model_copy(update={"potential": potential(melt.potential)})
    return job.model_copy(
        update={
            "potential": potential(job.potential),
            "reference": job.reference.model_copy(update={"file": folder / job.reference.file}),
            "system": job.system.model_copy(update={"melt": melt}),
            "confirm": job.confirm.model_copy(
                update={"compare": tuple(map(potential, job.confirm.compare))}
            ),
        }
    )


def _first_line(error: ValidationError) -> str:
    """Say the first thing wrong with a job file in one line."""
    # where a key is misspelt another one is missing, and the first tells more
    first = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
    place = ".".join(str(part) for part in first["loc"]) or "the file"
    if first["type"] == "extra_forbidden":
        return f"unknown key {place!r}{_suggestion(first['loc'])}"
    if first["type"] == "missing":
        return f"{place} is missing"
    message = str(first["msg"]).removeprefix("Value error, ")
    given = first.get("input")
    shown = f", got {given!r}" if isinstance(given, str | int | float | bool) else ""
    return f"{place}: {message[0].lower()}{message[1:]}{shown}"


def _suggestion(location: tuple[int | str, ...]) -> str:
    """Name the known key nearest to an unknown one, else all of them."""
    table: Any = Job
    for part in location[:-1]:
        field = getattr(table, "model_fields", {}).get(part)
        table = ParameterTable if field is None else field.annotation
    known = list(table.model_fields) if hasattr(table, "model_fields") else []
    near = difflib.get_close_matches(str(location[-1]), known, n=1)
    if near:
        return f": did you mean {near[0]!r}?"
    return f" (known here: {', '.join(known)})"


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
    try:
        return Job.model_validate(content)
    except ValidationError as error:
        raise InputError(f"option: {_first_line(error)}") from error

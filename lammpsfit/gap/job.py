"""The job file of a GAP: TOML in, validated models out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

import tomli_w
from pydantic import BeforeValidator, Field, PlainSerializer, model_validator

from lammpsfit.config import read_tables
from lammpsfit.gap.bounds import NOISE
from lammpsfit.gap.descriptors import Settings
from lammpsfit.gap.descriptors.settings import MOST_CUTOFF
from lammpsfit.gap.fit import FitOptions
from lammpsfit.gap.train import TrainOptions
from lammpsfit.labelled.frames import Keys
from lammpsfit.models import Model

MOST_COUNT: Final = 100
"""Radial functions at most: 18 are many."""

MOST_DEGREE: Final = 20
"""Largest l: beyond 8 nothing is gained."""


Repeats = Annotated[
    tuple[Annotated[int, Field(ge=1, le=1000)], ...],
    BeforeValidator(lambda given: [given] if isinstance(given, int) else given),
    PlainSerializer(lambda each: each[0] if len(each) == 1 else list(each)),
]
"""A number for each size, or one for all."""


class KeysTable(Model):
    """``[data.keys]``: names of the labels; ``energy``, ``forces``, ``stress`` are ASE's own."""

    energy: str = Field(Keys.energy, description="total energy, eV")
    forces: str = Field(Keys.forces, description="forces, eV/Å")
    stress: str = Field(Keys.stress, description="+dE/dstrain / V, eV/Å³, xx yy zz yz xz xy")
    virial: str = Field(Keys.virial, description="-V times the stress, eV, if there is no stress")

    def keys(self) -> Keys:
        """Return them as the readers take them."""
        return Keys(self.energy, self.forces, self.stress, self.virial)


class DataTable(Model):
    """``[data]``: the frames there are."""

    files: tuple[Path, ...] = Field(
        min_length=1,
        description="extended xyz, vasprun.xml or other formats of ASE, relative to the job file",
    )
    skip: int = Field(0, ge=0, description="frames to leave out at the beginning of each file")
    exclude: tuple[int | str, ...] = Field(
        (),
        description="frames to leave out, before all checks: numbers as messages count them, "
        "'file:number' with several files, or 'key=value', such as 'config_type=dimer'",
    )
    keys: KeysTable = Field(KeysTable(), description="names of the labels")


class SplitTable(Model):
    """``[split]``: which frames are trained on."""

    how: Literal["random", "blocks"] = Field(
        "blocks",
        description="frames held out: drawn at random, or one stretch of time without training "
        "frames",
    )
    train: int = Field(ge=1, description="frames to fit to")
    held_out: int | None = Field(
        None,
        ge=1,
        description="frames for the reported errors; default, at random only: all others",
    )
    validation: int = Field(
        5,
        ge=1,
        description="number of the frames to fit to that decide which training step is kept",
    )

    @model_validator(mode="after")
    def _sizes(self) -> SplitTable:
        if self.how == "blocks" and self.held_out is None:
            raise ValueError("held_out: blocks need the number of held-out frames")
        return self


class DescriptorsTable(Model):
    """``[descriptors]``: what describes the surroundings of an atom."""

    radial_cutoff: float = Field(
        Settings.radial_cutoff,
        gt=0,
        le=MOST_CUTOFF,
        description="cutoff of the radial functions, Å",
    )
    radial_count: int = Field(
        Settings.radial_count,
        ge=0,
        le=MOST_COUNT,
        description="radial functions for each species; 0: none",
    )
    radial_width: float | None = Field(
        Settings.radial_width,
        gt=0,
        le=10 * MOST_CUTOFF,
        description="width of all of them at first, Å, with centres evenly spaced; default: "
        "centres at zero, widths evenly spaced from 0.1 to 2 cutoffs",
    )
    angular_cutoff: float = Field(
        Settings.angular_cutoff,
        gt=0,
        le=MOST_CUTOFF,
        description="cutoff of the angular functions, Å",
    )
    angular_count: int = Field(
        Settings.angular_count,
        ge=0,
        le=MOST_COUNT,
        description="radial parts of the angular functions; 0: none",
    )
    angular_width: float = Field(
        Settings.angular_width,
        gt=0,
        le=10 * MOST_CUTOFF,
        description="width of all of them at first, Å",
    )
    degrees: tuple[Annotated[int, Field(ge=0, le=MOST_DEGREE)], ...] = Field(
        Settings.degrees, max_length=MOST_DEGREE + 1, description="the l of the angular functions"
    )
    first_centre: float = Field(
        Settings.first_centre, gt=0, description="shortest distance of neighbours, roughly, Å"
    )
    invariant_cutoff: float = Field(
        Settings.invariant_cutoff,
        gt=0,
        le=MOST_CUTOFF,
        description="cutoff of the invariants of up to four atoms, Å",
    )
    invariant_count: int = Field(
        Settings.invariant_count,
        ge=0,
        le=MOST_COUNT,
        description="radial functions of the invariants; 0: none",
    )
    invariant_width: float = Field(
        Settings.invariant_width,
        gt=0,
        le=10 * MOST_CUTOFF,
        description="width of all of them at first, Å",
    )
    invariant_degrees: tuple[
        Annotated[int, Field(ge=0, le=MOST_DEGREE)], Annotated[int, Field(ge=0, le=MOST_DEGREE)]
    ] = Field(Settings.invariant_degrees, description="largest l of their second and third order")
    from_model: Path | None = Field(
        None,
        description="model file to take trained descriptors from; other keys here are not used",
    )

    def settings(self) -> Settings:
        """Return the choice."""
        return Settings(**self.model_dump(exclude={"from_model"}))


class TrainingTable(Model):
    """``[training]``: how the parameters of the descriptors are optimised."""

    optimise: bool = Field(True, description="optimise the descriptors; false: fit the model only")
    steps: int = Field(
        TrainOptions.steps,
        ge=1,
        le=1_000_000,
        description="largest number of Adam steps of each start",
    )
    rate: float = Field(
        TrainOptions.rate, gt=0, le=10, description="length of the first steps of Adam"
    )
    patience: int = Field(
        TrainOptions.patience, ge=1, description="steps without an improvement that end a start"
    )
    starts: int = Field(
        TrainOptions.starts,
        ge=1,
        le=10_000,
        description="starts; all but the first are moved at random",
    )
    spread: float = Field(
        TrainOptions.spread,
        gt=0,
        le=10,
        description="size of that move, in the logarithm of the widths",
    )


class ModelTable(Model):
    """``[model]``: the Gaussian process."""

    offsets: dict[str, float] | None = Field(
        None, description="energy of an atom of each species, eV; default: from the energies"
    )
    inducing: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description="centres of a lean model, for many frames; default: exact",
    )
    core: bool = Field(
        True,
        description="repulsion (ZBL) of pairs that are nearer than any in the training frames: it "
        "keeps atoms apart where there are no data",
    )
    uncertainty: bool = Field(
        True,
        description="check the errors that the model predicts on held-out frames; the model "
        "predicts them either way",
    )
    likelihood_frames: int = Field(
        FitOptions.likelihood_frames,
        ge=1,
        le=10_000,
        description="largest number of frames in the likelihood, evenly chosen: near copies "
        "mislead it",
    )
    likelihood_components: int = Field(
        FitOptions.likelihood_components,
        ge=1,
        le=100_000,
        description="force components of each such frame",
    )
    likelihood_blocks: int = Field(
        FitOptions.likelihood_blocks,
        ge=0,
        le=100_000,
        description="blocks of successive frames; each is predicted from the others; 0: "
        "marginal likelihood of all",
    )
    least_energy_noise: float = Field(
        FitOptions.least_energy_noise,
        gt=0,
        le=NOISE[0][1],
        description="lower bound of the noise of energies, eV/atom: the convergence of DFT",
    )
    least_stress_noise: float | None = Field(
        None,  # so that jobs of before stay what they were, to the letter
        gt=0,
        le=NOISE[2][1],
        description=f"lower bound of the noise of stresses, eV/Å³; default: {NOISE[2][0]:g}",
    )


class LearningCurveTable(Model):
    """``[learning_curve]``: numbers of training frames, and how often each."""

    sizes: tuple[int, ...] = Field((5, 10, 20, 30, 50), min_length=1, description="frames")
    repeats: Repeats = Field(
        (5,),
        min_length=1,
        description="training sets of each size, drawn at random: one number, or one for each",
    )

    @model_validator(mode="after")
    def _one_for_each(self) -> LearningCurveTable:
        if len(self.repeats) not in (1, len(self.sizes)):
            raise ValueError(
                f"repeats: there must be one for each of the {len(self.sizes)} sizes, or one for "
                f"all, got {len(self.repeats)}"
            )
        return self

    @property
    def sets(self) -> dict[int, int]:
        """Training sets of each size, smallest size first."""
        each = self.repeats * (len(self.sizes) if len(self.repeats) == 1 else 1)
        return dict(sorted(zip(self.sizes, each, strict=True)))


class GapFarmTable(Model):
    """``[farm]``: where the models of a learning curve are fitted."""

    engine: Literal["auto", "parsl"] = Field(
        "auto",
        description="auto: one after the other in this process; parsl: workers that Parsl starts",
    )
    parsl: Path | None = Field(
        None,
        description="configuration of Parsl, a Python file, relative to the job file; default: the "
        "file of --parsl",
    )

    @model_validator(mode="after")
    def _parsl_alone(self) -> GapFarmTable:
        if self.parsl is not None and self.engine != "parsl":
            raise ValueError("parsl is for engine = 'parsl'")
        return self


class GapJob(Model):
    """A job file."""

    title: str = Field("", description="title of pictures")
    seed: int = Field(1, ge=0, description="seed of splits, starts and draws")
    data: DataTable
    split: SplitTable
    descriptors: DescriptorsTable = DescriptorsTable()
    training: TrainingTable = TrainingTable()
    model: ModelTable = ModelTable()
    learning_curve: LearningCurveTable = LearningCurveTable()
    farm: GapFarmTable = GapFarmTable()

    @model_validator(mode="after")
    def _some_to_learn_from(self) -> GapJob:
        if self.training.optimise and self.split.validation >= self.split.train:
            raise ValueError(
                f"split.validation must be below split.train ({self.split.train}), or there is "
                f"nothing to learn from"
            )
        return self

    @property
    def uncertainty(self) -> bool:
        """Whether the errors that the model predicts are judged."""
        return self.model.uncertainty

    def fit_options(self) -> FitOptions:
        """Return how a model is fitted."""
        return FitOptions(
            offsets=self.model.offsets,
            inducing=self.model.inducing,
            core=self.model.core,
            keep_training=self.model.inducing is None,
            likelihood_frames=self.model.likelihood_frames,
            likelihood_components=self.model.likelihood_components,
            likelihood_blocks=self.model.likelihood_blocks,
            least_energy_noise=self.model.least_energy_noise,
            least_stress_noise=self.model.least_stress_noise or FitOptions.least_stress_noise,
            seed=self.seed,
        )

    def train_options(self) -> TrainOptions:
        """Return how descriptors are trained."""
        chosen = self.training.model_dump(exclude={"optimise"})
        return TrainOptions(**chosen, seed=self.seed, fit=self.fit_options())

    @property
    def files(self) -> list[Path]:
        """The files that it names: data, and a model to begin with."""
        model = self.descriptors.from_model
        return [*self.data.files, *(() if model is None else (model,))]

    def dump(self) -> str:
        """Write the job as TOML, every default spelled out; who does the work is no part of it."""
        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True, exclude={"farm"}))


def read_gap_job(path: Path) -> GapJob:
    """Read a job file; file names in it become absolute.

    Raises
    ------
    InputError
        If it is missing, is no TOML, or does not fit the models.
    """
    job = read_tables(path, GapJob)
    folder = path.resolve().parent
    files = tuple(folder / file for file in job.data.files)
    model = job.descriptors.from_model
    described = {"from_model": None if model is None else folder / model}
    parsl = job.farm.parsl
    farm = {"parsl": None if parsl is None else folder / parsl}
    return job.model_copy(
        update={
            "data": job.data.model_copy(update={"files": files}),
            "descriptors": job.descriptors.model_copy(update=described),
            "farm": job.farm.model_copy(update=farm),
        }
    )

"""What the records of journals and states of GAPs must hold to be believed.

The CRC of a line says that it is as it was written, not that a command of ours wrote it.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

import numpy as np
from pydantic import Field, TypeAdapter, ValidationError, model_validator

from lammpsfit.errors import InputError
from lammpsfit.farm.journal import Journal, Record
from lammpsfit.models import Count, Fields, Finite, first_wrong

Vector = Annotated[list[Finite], Field(min_length=3, max_length=3)]
Stress = Annotated[list[Finite], Field(min_length=6, max_length=6)]

ORIGINAL: Final = "original"
OPTIMISED: Final = "optimised"
"""Descriptors of a learning curve: as they were at first, and as the training left them."""

MAE: Final = {"forces": "mae_eV_per_A", "energy": "mae_eV_per_atom"}
"""Names of the errors that a learning curve is of."""


class Labels(Fields):
    """A labelled frame."""

    type: Literal["labels"]
    frame: Count
    energy: Finite
    forces: list[Vector]
    stress: Stress | None


class Failed(Fields):
    """A frame without labels."""

    type: Literal["failed"]
    frame: Count
    reason: str


class Point(Fields):
    """A point of a learning curve."""

    type: Literal["point"]
    descriptors: Literal["original", "optimised"]
    size: Annotated[int, Field(ge=1)]
    repeat: Count
    errors: dict[str, dict[str, Any]]
    forces: list[Finite] = Field([])

    @model_validator(mode="after")
    def _errors_are_numbers(self) -> Self:
        for of, name in MAE.items():
            value = self.errors.get(of, {}).get(name, 0.0)
            if not isinstance(value, int | float) or not np.isfinite(value):
                raise ValueError(f"errors.{of}.{name} must be a number")
        return self


class Results(Fields):
    """What a calculator computed."""

    energy: Finite
    free_energy: Finite
    forces: list[Vector]
    stress: Stress | None = None


class Configuration(Fields):
    """A configuration of a calculator that remembers."""

    type: Literal["configuration"]
    digest: str
    results: Results


class Steps(Fields):
    """Where a training has got to; losses and errors may be infinite, and end its start then."""

    # a list in the file
    steps: list[Annotated[tuple[Count, Count, float, float, float], Field(strict=False)]]
    origin: list[Finite]
    vector: list[Finite]
    first_moment: list[Finite]
    second_moment: list[Annotated[float, Field(ge=0, allow_inf_nan=False)]]
    best: list[Finite]

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        for name in ("origin", "first_moment", "second_moment", "best"):
            if len(getattr(self, name)) != len(self.vector):
                raise ValueError(f"{name} has another length than vector")
        return self


LABELS: TypeAdapter[Labels | Failed] = TypeAdapter(
    Annotated[Labels | Failed, Field(discriminator="type")]
)
POINT: TypeAdapter[Point] = TypeAdapter(Point)
CONFIGURATION: TypeAdapter[Configuration] = TypeAdapter(Configuration)
STEPS: TypeAdapter[Steps] = TypeAdapter(Steps)


def why_not(model: TypeAdapter[Any], record: Mapping[str, Any]) -> str | None:
    """Say what a record must hold and does not; None where it is sound."""
    try:
        model.validate_python(record)
    except ValidationError as error:
        return first_wrong(error)
    return None


def numbered(journal: Journal) -> Iterator[tuple[int, Record]]:
    """Yield the records after the header with their numbers, as messages count them."""
    for number, record in enumerate(journal.records, 1):
        if record["type"] != "header":
            yield number, record


def damaged(journal: Path, number: int, why: str, again: str) -> InputError:
    """Return the error of a record that no command of ours wrote."""
    return InputError(
        f"{journal}: record {number} is damaged: {why}: remove its line, and {again} again"
    )

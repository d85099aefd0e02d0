"""What ``result.json`` must hold to be shown."""

import json
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field, TypeAdapter, ValidationError

from lammpsfit.errors import InputError
from lammpsfit.inputs import read_json
from lammpsfit.models import Count, Fields, first_wrong

LARGEST: Final = 20_000_000
"""Bytes of a result; those of the largest fits are ten times smaller."""


class _Evaluations(Fields):
    ok: Count
    censored: Count
    failed: Count


class _Best(Fields):
    evaluation: Count


class _Direction(Fields):
    loadings: dict[str, float]
    curvature: float
    error: float | None  # None: not resolved
    reach: float | None
    resolved: bool
    words: str


class _Member(Fields):
    parameters: dict[str, float]
    predicted: float
    measured: float | None = None
    measured_error: float | None = None
    failed: str | None = None


class _Uncertainty(Fields):
    rise: float
    relative: dict[str, bool]
    bounds: dict[str, tuple[float, float]]
    errors: dict[str, float | None]
    reach: dict[str, float | None]
    at_bound: list[str]
    covariance: list[list[float]]
    directions: list[_Direction]
    ensemble: list[_Member]


class _Finished(Fields):
    status: Literal["finished"]
    evaluations: _Evaluations
    best: _Best
    confirmed: dict[str, dict[str, Any]] = Field({})
    uncertainty: _Uncertainty | None = None


class _Unfinished(Fields):
    status: Literal["unfinished"]
    stopped: str
    evaluations: _Evaluations


_RESULT: TypeAdapter[Any] = TypeAdapter(
    Annotated[_Finished | _Unfinished, Field(discriminator="status")]
)


def read_result(path: Path) -> dict[str, Any]:
    """Read the result of a fit.

    Raises
    ------
    InputError
        If there is none, or it is damaged or no fit wrote it.
    """
    content: dict[str, Any] = read_json(path, LARGEST, "result of a fit")
    try:
        # as JSON, where lists stand for pairs
        _RESULT.validate_json(json.dumps(content))
    except ValidationError as error:
        raise InputError(f"{path}: {first_wrong(error)}") from None
    return content


def told(result: dict[str, Any]) -> int:
    """Return how many evaluations a result tells of."""
    return sum(result["evaluations"][key] for key in ("ok", "censored", "failed"))

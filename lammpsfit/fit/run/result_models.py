"""What ``result.json`` must hold to be shown."""

import json
import stat
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from lammpsfit.errors import InputError
from lammpsfit.fit.run.record_models import Count, first_wrong

LARGEST: Final = 256 * 2**20
"""Bytes of a result; those of the largest fits are a hundred times smaller."""


class _Fields(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")


class _Evaluations(_Fields):
    ok: Count
    censored: Count
    failed: Count


class _Best(_Fields):
    evaluation: Count


class _Direction(_Fields):
    loadings: dict[str, float]
    curvature: float
    error: float | None  # None: not resolved
    reach: float | None
    resolved: bool
    words: str


class _Member(_Fields):
    parameters: dict[str, float]
    predicted: float
    measured: float | None = None
    measured_error: float | None = None
    failed: str | None = None


class _Uncertainty(_Fields):
    rise: float
    relative: dict[str, bool]
    bounds: dict[str, tuple[float, float]]
    errors: dict[str, float | None]
    reach: dict[str, float | None]
    at_bound: list[str]
    covariance: list[list[float]]
    directions: list[_Direction]
    ensemble: list[_Member]


class _Finished(_Fields):
    status: Literal["finished"]
    evaluations: _Evaluations
    best: _Best
    confirmed: dict[str, dict[str, Any]] = {}
    uncertainty: _Uncertainty | None = None


class _Unfinished(_Fields):
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
    FileNotFoundError
        If there is none.
    InputError
        If it is damaged or no fit wrote it.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode) or found.st_size > LARGEST:
            raise InputError(f"{path}: must be a regular file of at most {LARGEST} bytes")
        content: dict[str, Any] = json.loads(path.read_text("utf-8"))
        # as JSON, where lists stand for pairs
        _RESULT.validate_json(json.dumps(content))
    except FileNotFoundError:
        raise
    except ValidationError as error:
        raise InputError(f"{path}: {first_wrong(error)}") from None
    except RecursionError:
        raise InputError(f"{path}: is nested too deeply") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from None
    return content


def told(result: dict[str, Any]) -> int:
    """Return how many evaluations a result tells of."""
    return sum(result["evaluations"][key] for key in ("ok", "censored", "failed"))

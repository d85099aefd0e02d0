"""What a journal's records must hold to be believed.

The CRC of a line says that it is as it was written, not that a fit wrote it. Records that a reader
of ours could stumble over are left out like torn lines, and named.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from lammpsfit.child.failure import Reason
from lammpsfit.errors import InputError
from lammpsfit.farm.journal import Journal, Record
from lammpsfit.models import Count, Fields, Finite, first_wrong
from lammpsfit.target.objective import STRUCTURE
from lammpsfit.words import WARM

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Coordinate = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Pair = Annotated[list[float], Field(min_length=2, max_length=2)]


class Header(Fields):
    """The first record: what the run was begun with."""

    format: int
    job: dict[str, Any]
    inputs: dict[str, str]
    versions: dict[str, str] | None = None


class _Term(Fields):
    """What was wanted and reached of a term, and its share of the squared objective."""

    wanted: float | None
    value: Pair | None
    deviation: Pair
    share: Finite


class _Cost(Fields):
    """What any run has that gave a cost, under one condition."""

    cost: Finite | None = None
    cost_error: float | None = None
    cost_corrected: float | None = None
    objective: Pair
    cost_quarters: list[float] = Field([])
    pair_costs: dict[str, float] | None = None
    temperature: Pair | None = None
    pressure: Pair | None = None
    energy: Pair | None = None
    energy_drift: Pair | None = None
    density: Pair | None = None
    density_drift: Pair | None = None
    atom_steps: Count = 0
    terms: dict[str, _Term] = Field({})
    also: "dict[str, _Cost]" = Field({})

    @model_validator(mode="after")
    def _cost_of_structure(self) -> "_Cost":
        """R is there where g(r) is wanted: alone, as in early records, or by its name."""
        if "terms" not in self.model_fields_set or STRUCTURE in self.terms:
            for key in ("cost", "cost_error", "cost_corrected", "pair_costs"):
                if getattr(self, key) is None:
                    raise ValueError(f"{key} must be there, as g(r) is wanted")
        return self


class _Sound(_Cost):
    status: Literal["ok"]


class _GivenUp(Fields):
    level: Finite
    bound: Finite


class _Censored(_Cost):
    status: Literal["censored"]
    given_up: _GivenUp


class _Failed(Fields):
    status: Literal["failed"]
    reason: Annotated[Reason, Field(strict=False)]
    detail: str


class _Evaluation(Fields):
    id: Count
    stage: str
    x: list[Coordinate]
    parameters: dict[str, Finite]
    seconds: Seconds
    wall: Seconds
    origin: Count | None = None
    kept: bool = False
    asked_after: Count | None = None


class _TakenOver(_Evaluation):
    potential: str


class _Confirmation(Fields):
    label: str
    repeat: Count
    seconds: Seconds
    wall: Seconds


class _StartOfEvaluation(Fields):
    of: Literal["evaluation"]
    id: Count
    stage: str
    x: list[Coordinate]
    level: float | None
    origin: Count | None = None
    keep: bool
    note: dict[str, Any]


class _StartOfConfirmation(Fields):
    of: Literal["confirmation"]
    label: str
    repeat: Count
    note: dict[str, Any]


_RESULT: TypeAdapter[Any] = TypeAdapter(
    Annotated[_Sound | _Censored | _Failed, Field(discriminator="status")]
)
_START: TypeAdapter[Any] = TypeAdapter(
    Annotated[_StartOfEvaluation | _StartOfConfirmation, Field(discriminator="of")]
)
_KINDS: Mapping[str, tuple[TypeAdapter[Any], ...]] = {
    "evaluation": (TypeAdapter(_Evaluation), _RESULT),
    WARM: (TypeAdapter(_TakenOver), TypeAdapter(_Sound)),
    "confirmation": (TypeAdapter(_Confirmation), _RESULT),
    "start": (_START,),
}


def check_header(record: Record, source: str) -> None:
    """Refuse the first record of a journal that is none.

    Raises
    ------
    InputError
        If it does not say what the run was begun with.
    """
    try:
        Header.model_validate(record)
    except ValidationError as error:
        raise InputError(
            f"{source}, header: {first_wrong(error)}: no run can go on from it"
        ) from None


def sound_records(
    journal: Journal, dim: int, conditions: Iterable[str]
) -> tuple[Journal, list[str]]:
    """Leave out the records that no fit of this job can have written, and say which.

    Parameters
    ----------
    journal
        The records.
    dim
        Number of free parameters of the job.
    conditions
        Names of its conditions beside the main one.

    Returns
    -------
    journal : Journal
        Those that hold what they must.
    notes : list of str
        One for each of the others: record, what must hold.
    """
    wanted, kept, notes = set(conditions), [], []
    for number, record in enumerate(journal.records, 1):
        why = _wrong(record, dim, wanted)
        if why is None:
            kept.append(record)
        else:
            notes.append(f"record {number} ({record['type']}) is left out: {why}")
    return Journal(tuple(kept), journal.damaged), notes


def _wrong(record: Record, dim: int, conditions: set[str]) -> str | None:
    try:
        for model in _KINDS.get(record["type"], ()) if isinstance(record["type"], str) else ():
            model.validate_python(record)
    except ValidationError as error:
        return first_wrong(error)
    if "x" in record and len(record["x"]) != dim:
        return f"x must have {dim} numbers, got {len(record['x'])}"
    if record.get("status") in ("ok", "censored") and set(record.get("also", ())) != conditions:
        names = ", ".join(sorted(conditions)) or "no other condition"
        return f"also must be of {names}"
    return None

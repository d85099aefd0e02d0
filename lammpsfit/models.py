"""Input files as validated models: what is wrong with one is said in one line."""

import types
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from lammpsfit.errors import InputError
from lammpsfit.inputs import QUOTED, quoted
from lammpsfit.suggest import suggestion

AnyModel = TypeVar("AnyModel", bound=BaseModel)


Finite = Annotated[float, Field(allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]


class Fields(BaseModel):
    """Base of what our own files hold: strict about what is known, open to what comes later."""

    model_config = ConfigDict(strict=True, extra="allow")


class Model(BaseModel):
    """Base of the tables of a job: frozen, and strict about unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*")
    @classmethod
    def _no_nul(cls, value: Any) -> Any:
        """Refuse names that no system has; a message about such a file would come too late."""
        for text in value if isinstance(value, tuple) else (value,):
            if isinstance(text, str | Path) and "\0" in str(text):
                raise ValueError("must not hold a NUL")
        return value


def checked(kind: type[AnyModel], content: Mapping[str, Any], source: str) -> AnyModel:
    """Make a model of what `source`, a file or the options, says.

    Raises
    ------
    InputError
        If it does not fit the model: the first thing wrong, in one line, with the nearest known
        name for an unknown key.
    """
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{source}: {_first_line(error, kind)}") from error


def _first_line(error: ValidationError, kind: type[BaseModel]) -> str:
    """Say the first thing wrong with a file of one kind of model in one line."""
    # where a key is misspelt another one is missing, and the first tells more
    first = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
    place = ".".join(str(part)[:QUOTED] for part in first["loc"])[-QUOTED:] or "the file"
    if first["type"] == "extra_forbidden":
        return f"unknown key {quoted(place)}: {_suggestion(first['loc'], kind)}"
    if first["type"] == "missing":
        return f"{place} is missing"
    if first["type"] == "tuple_type" and isinstance(first.get("input"), Mapping):
        return f"{place} must be an array of tables: write [[{place}]]"
    message = str(first["msg"]).removeprefix("Value error, ")
    given = first.get("input")
    shown = f", got {quoted(given)}" if isinstance(given, str | int | float | bool) else ""
    return f"{place}: {message[0].lower()}{message[1:]}{shown}"


def first_wrong(error: ValidationError) -> str:
    """Say the first thing wrong with a record of ours: where, and what must hold."""
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    message = str(first["msg"]).removeprefix("Value error, ")
    return f"{place}: {message[0].lower()}{message[1:]}" if place else message


def _suggestion(location: tuple[int | str, ...], kind: type[BaseModel]) -> str:
    """Name the known key nearest to an unknown one, else all of them."""
    table: Any = kind
    for part in location[:-1]:
        table = _inside(table, part)
    known = list(table.model_fields) if hasattr(table, "model_fields") else []
    return suggestion(str(location[-1]), known)


def _inside(annotation: Any, part: int | str) -> Any:
    """Return the type of a part: a field of a model, a value of a mapping, an item of a list."""
    if hasattr(annotation, "model_fields"):
        field = annotation.model_fields.get(part)
        found = None if field is None else field.annotation
    elif get_origin(annotation) is dict:
        found = get_args(annotation)[1]
    else:
        found = next(iter(get_args(annotation)), None)
    if get_origin(found) in (Union, types.UnionType):
        return next(one for one in get_args(found) if one is not type(None))
    return found

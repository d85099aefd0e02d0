"""``job-reference``: the tables of a job file, from the models that validate it.

The directive takes the dotted name of a model. Keys, types, defaults and bounds are those of its
fields, descriptions are the fields' own, and the text above each table is the first paragraph of
the model's docstring: there is nothing here to keep up to date.
"""

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from docutils import nodes
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

WORDS = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    Path: "file",
}
SIGNS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


@dataclass(frozen=True)
class Place:
    """A model and where it stands in the file: the path of its table, and how it is written."""

    path: tuple[str, ...]
    kind: Literal["file", "table", "entries", "array"]
    model: type[BaseModel]

    @property
    def title(self) -> str:
        """Heading of the section."""
        name = ".".join(self.path)
        return {
            "file": "At the top",
            "table": f"`[{name}]`",
            "entries": f"`[{name}]`, each entry",
            "array": f"`[[{name}]]`",
        }[self.kind]


class JobReference(SphinxDirective):
    """One section for each table of the job file."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Write the sections as Markdown, and have them parsed like any other."""
        module, _, name = self.arguments[0].rpartition(".")
        model = getattr(import_module(module), name)
        self.env.note_dependency(inspect.getfile(model))
        text = "\n".join(line for place in places(model) for line in section(place))
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def places(model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[Place]:
    """Yield the tables of a model, each before those within it."""
    if not path:
        yield Place((), "file", model)
    for name, field in model.model_fields.items():
        found = table_of(field.annotation)
        if found is None:
            continue
        kind, within = found
        yield Place((*path, name), kind, within)
        if kind == "table":
            yield from places(within, (*path, name))


def table_of(annotation: Any) -> tuple[Literal["table", "entries", "array"], Any] | None:
    """Tell whether a field is a table, a table of tables by name, or an array of tables."""
    kinds = [kind for kind in members(annotation) if kind is not NoneType]
    if len(kinds) != 1:
        return None
    (kind,) = kinds
    within = [part for part in get_args(kind) if is_model(part)]
    if is_model(kind):
        return "table", kind
    if get_origin(kind) is dict and within:
        return "entries", within[0]
    if get_origin(kind) in (list, tuple) and within:
        return "array", within[0]
    return None


def members(annotation: Any) -> tuple[Any, ...]:
    """Members of a union, or the type itself."""
    return get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)


def is_model(kind: Any) -> bool:
    """Whether a type is a model."""
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def section(place: Place) -> Iterator[str]:
    """Yield the Markdown of a table: what it is, and its keys."""
    yield from (f"{'#' * (2 + max(0, len(place.path) - 1))} {place.title}", "")
    if place.kind != "file":
        yield from (as_markdown(purpose(place.model)), "")
    keys = {
        name: field
        for name, field in place.model.model_fields.items()
        if table_of(field.annotation) is None
    }
    yield from ("| key | value | default | what |", "|---|---|---|---|")
    for name, field in keys.items():
        value = "; ".join([words(field.annotation), *bounds(field)])
        row = (f"`{name}`", value, default(field), as_markdown(field.description or ""))
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"
    yield ""


def purpose(model: type[BaseModel]) -> str:
    """Docstring of a model without the name of the table that it begins with."""
    text = re.sub(r"^``\[.*?\]+``[:,]\s*", "", inspect.getdoc(model) or "")
    return text[:1].upper() + text[1:]


def as_markdown(text: str) -> str:
    """Turn the literals of a docstring into those of Markdown."""
    return text.replace("``", "`")


def words(annotation: Any) -> str:
    """Say in words what a value must be."""
    kinds = [kind for kind in members(annotation) if kind is not NoneType]
    return " or ".join(word(kind) for kind in kinds)


def word(kind: Any) -> str:
    """Say in words what a value of one type is."""
    origin, within = get_origin(kind), get_args(kind)
    if origin is Annotated:
        checks = [check for check in within[1:] if isinstance(check, FieldInfo)]
        return ", ".join([word(within[0]), *(limit for one in checks for limit in bounds(one))])
    if origin is Literal:
        return " or ".join(
            f'`"{value}"`' if isinstance(value, str) else f"`{value}`" for value in within
        )
    if origin is dict:
        return f"table of {words(within[1])} by name"
    if origin in (list, tuple):
        return f"list of {words(within[0])}"
    if kind in WORDS:
        return WORDS[kind]
    raise TypeError(f"the job reference has no word for {kind}: add it to WORDS")


def bounds(field: FieldInfo) -> list[str]:
    """Bounds of a number, as they are checked."""
    found = ((SIGNS[key], getattr(check, key, None)) for check in field.metadata for key in SIGNS)
    return [f"{sign} {value:,}".replace(",", " ") for sign, value in found if value is not None]


def default(field: FieldInfo) -> str:
    """Say what holds where the key is left out."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is None or value in ("", (), {}, []):
        return "–"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`{list(value)}`"
    return f'`"{value}"`' if isinstance(value, str | Path) else f"`{value}`"


def setup(app: Sphinx) -> Mapping[str, Any]:
    """Register the directive."""
    app.add_directive("job-reference", JobReference)
    return {"parallel_read_safe": True}

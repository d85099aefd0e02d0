"""Potentials as TOML text, read and written."""

import json
import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from lammpsfit.errors import InputError
from lammpsfit.forcefield.coulomb import COULOMB_SUMS, CoulombSum
from lammpsfit.forcefield.forms import FORMS
from lammpsfit.forcefield.potential import Potential
from lammpsfit.forcefield.species import Species
from lammpsfit.forcefield.term import Term, term_on_knots
from lammpsfit.inputs import parse_toml, quoted
from lammpsfit.models import checked
from lammpsfit.suggest import suggestion

_TEXTS = ("title", "doi", "note")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


class _Table(BaseModel):
    """Base of the tables of a potential: a number is no text, and a flag no number."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)


class SpeciesTable(_Table):
    """``[species.X]``: an atom type."""

    mass: float
    charge: float | None = None


class PotentialTable(_Table):
    """A whole potential file; forms and Coulomb sums know their own keys."""

    name: str
    title: str = ""
    doi: str = ""
    note: str = ""
    cutoff: float
    smoothing: float = 0.0
    balance: str | None = None
    coulomb: dict[str, Any] | None = None
    species: dict[str, SpeciesTable]
    pairs: dict[str, dict[str, dict[str, Any]]] = Field(default_factory=dict)


class _Numbers(_Table):
    """The values of forms by pair."""

    pairs: dict[str, dict[str, dict[str, float]]]


class _KnotsTable(_Table):
    """A form on knots: its coefficients are all 0 where none are given."""

    knots: list[float]
    c: list[float] | None = None


class _OnKnots(_Table):
    """The forms on knots by pair."""

    pairs: dict[str, dict[str, _KnotsTable]]


def parse_potential(text: str, source: str = "potential") -> Potential:
    """Return the potential that a TOML text describes.

    Parameters
    ----------
    text
        TOML with ``name``, ``cutoff``, ``[species.X]`` (``mass``, ``charge``),
        ``[pairs.X-Y]`` (one inline table for each form: numbers by parameter, or the lists
        ``knots`` and ``c`` for a spline), optionally
        ``[coulomb]``, ``smoothing``, ``balance``, ``title``, ``doi`` and ``note``.
        Å, eV, e and Da.
    source
        What to call it in messages: the path.

    Raises
    ------
    InputError
        If the TOML is malformed, a key unknown or missing, or a value not allowed.
    """
    return _potential(parse_toml(text, source), source)


def dump_potential(potential: Potential) -> str:
    """Return `potential` as TOML text that :func:`parse_potential` reads back exactly.

    Floats are written with `repr`, the shortest text that gives the same bits.
    """
    lines = [f"name = {_string(potential.name)}"]
    texts = ((key, getattr(potential, key)) for key in _TEXTS)
    lines += [f"{key} = {_string(text)}" for key, text in texts if text]
    lines.append(f"cutoff = {float(potential.cutoff)!r}  # Å")
    if potential.smoothing:
        lines.append(f"smoothing = {float(potential.smoothing)!r}  # Å")
    if potential.balance is not None:
        lines.append(
            f"balance = {_string(potential.balance)}  # its charge follows from the others"
        )
    if potential.coulomb:
        lines += ["", "[coulomb]", f"style = {_string(potential.coulomb.style)}"]
        for setting in potential.coulomb.settings:
            value = float(getattr(potential.coulomb, setting.name))
            lines.append(f"{_key(setting.name)} = {value!r}  # {setting.unit}")
    for name, species in potential.species.items():
        lines += ["", f"[species.{_key(name)}]"]
        lines.append(f"mass = {float(species.mass)!r}  # Da")
        lines.append(f"charge = {float(species.charge)!r}  # e")
    for pair, terms in potential.pairs.items():
        lines += ["", f"[pairs.{_key(pair)}]"]
        for term in terms:
            lines.append(f"{_key(term.form.name)} = {{ {', '.join(_values(term))} }}")
    return "\n".join(lines) + "\n"


def _potential(document: Mapping[str, Any], source: str) -> Potential:
    table = checked(PotentialTable, document, source)
    texts = {key: getattr(table, key) for key in _TEXTS}
    pairs = _checked_forms(table.pairs, source)
    coulomb = None if table.coulomb is None else _coulomb(table.coulomb, source)
    try:
        return Potential(
            name=table.name,
            species={name: _species(s, name, coulomb) for name, s in table.species.items()},
            pairs={pair: _terms(forms, pair) for pair, forms in pairs.items()},
            coulomb=coulomb,
            cutoff=table.cutoff,
            smoothing=table.smoothing,
            balance=table.balance,
            **texts,
        )
    except InputError as error:
        raise InputError(f"{source}: {error}") from error


def _coulomb(table: Mapping[str, Any], source: str) -> CoulombSum:
    """Make the sum of a style, whose settings are the keys of its table."""
    if "style" not in table:
        raise InputError(f"{source}: coulomb.style is missing")
    style = table["style"]
    if not isinstance(style, str) or style not in COULOMB_SUMS:
        hint = suggestion(str(style), COULOMB_SUMS)
        raise InputError(f"{source}: unknown coulomb.style {quoted(style)}: {hint}")
    kind = COULOMB_SUMS[style]
    keys: dict[str, Any] = {setting.name: (float, ...) for setting in kind.settings}
    settings = create_model(style, __base__=_Table, style=(str, ...), **keys)
    document = create_model("document", __base__=_Table, coulomb=(settings, ...))
    values = checked(document, {"coulomb": dict(table)}, source).model_dump()["coulomb"]
    try:
        return kind(**{setting.name: values[setting.name] for setting in kind.settings})
    except InputError as error:
        raise InputError(f"{source}: {error}") from error


def _species(table: SpeciesTable, name: str, coulomb: CoulombSum | None) -> Species:
    if table.charge is None and coulomb is not None:
        raise InputError(f"species.{name}.charge is missing")
    return Species(table.mass, table.charge or 0.0)


def _checked_forms(
    pairs: Mapping[str, Mapping[str, Any]], source: str
) -> dict[str, dict[str, dict[str, float] | _KnotsTable]]:
    """Check the values of each form as what it takes: numbers by parameter, or knots."""
    found: dict[str, dict[str, dict[str, float] | _KnotsTable]] = {}
    for pair, forms in pairs.items():
        found[pair] = {}
        for name, values in forms.items():
            content = {"pairs": {pair: {name: values}}}
            on_knots = name in FORMS and FORMS[name].on_knots is not None
            if on_knots:
                found[pair][name] = checked(_OnKnots, content, source).pairs[pair][name]
            else:
                found[pair][name] = checked(_Numbers, content, source).pairs[pair][name]
    return found


def _terms(forms: Mapping[str, Mapping[str, float] | _KnotsTable], pair: str) -> tuple[Term, ...]:
    for name in forms:
        if name not in FORMS:
            hint = suggestion(name, FORMS)
            raise InputError(f"unknown form {quoted(name)} of pair {pair}: {hint}")
    return tuple(
        term_on_knots(FORMS[name], pair, values.knots, values.c)
        if isinstance(values, _KnotsTable)
        else Term(FORMS[name], dict(values))
        for name, values in forms.items()
    )


def _values(term: Term) -> list[str]:
    """Return the values of a term as keys of its table."""
    values = [float(term.values[p]) for p in term.form.parameter_names]
    if term.form.knots:
        return [f"knots = {list(term.form.knots)!r}", f"c = {values!r}"]
    return [f"{p} = {v!r}" for p, v in zip(term.form.parameter_names, values, strict=True)]


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else _string(name)


def _string(text: str) -> str:
    # JSON's escapes are also TOML's; only DEL, which JSON leaves bare, is not allowed in TOML.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")

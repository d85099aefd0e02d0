"""Potentials as TOML text, read and written."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from lammpsfit.errors import InputError
from lammpsfit.forcefield.coulomb import COULOMB_SUMS, CoulombSum
from lammpsfit.forcefield.forms import FORMS
from lammpsfit.forcefield.potential import Potential
from lammpsfit.forcefield.species import Species
from lammpsfit.forcefield.term import Term
from lammpsfit.inputs import parse_toml, quoted
from lammpsfit.suggest import suggestion

_TEXTS = ("title", "doi", "note")
_OPTIONAL = (*_TEXTS, "smoothing", "balance", "coulomb", "pairs")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def parse_potential(text: str, source: str = "potential") -> Potential:
    """Return the potential that a TOML text describes.

    Parameters
    ----------
    text
        TOML with ``name``, ``cutoff``, ``[species.X]`` (``mass``, ``charge``),
        ``[pairs.X-Y]`` (one inline table for each form), optionally
        ``[coulomb]``, ``smoothing``, ``balance``, ``title``, ``doi`` and ``note``.
        Å, eV, e and Da.
    source
        What to call it in messages: the path.

    Raises
    ------
    InputError
        If the TOML is malformed, a key unknown or missing, or a value not allowed.
    """
    document = parse_toml(text, source)
    try:
        return _potential(document)
    except InputError as error:
        raise InputError(f"{source}: {error}") from error


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
            values = (f"{p} = {float(term.values[p])!r}" for p in term.form.parameter_names)
            lines.append(f"{_key(term.form.name)} = {{ {', '.join(values)} }}")
    return "\n".join(lines) + "\n"


def _potential(document: Mapping[str, Any]) -> Potential:
    _check_keys(document, ("name", "cutoff", "species"), _OPTIONAL, "")
    coulomb = _coulomb(_table(document, "coulomb")) if "coulomb" in document else None
    species = {
        name: _species(_table(document["species"], name), name, coulomb is not None)
        for name in _table(document, "species")
    }
    pairs = _table(document, "pairs") if "pairs" in document else {}
    return Potential(
        name=_text(document, "name"),
        species=species,
        pairs={pair: _terms(_table(pairs, pair), pair) for pair in pairs},
        coulomb=coulomb,
        cutoff=_number(document, "cutoff", "cutoff"),
        balance=_text(document, "balance") if "balance" in document else None,
        smoothing=_number(document, "smoothing", "smoothing") if "smoothing" in document else 0.0,
        **{key: _text(document, key) for key in _TEXTS if key in document},
    )


def _coulomb(table: Mapping[str, Any]) -> CoulombSum:
    if "style" not in table:
        raise InputError("the key 'coulomb.style' is missing: add it")
    style = _text(table, "style")
    if style not in COULOMB_SUMS:
        raise InputError(
            f"unknown coulomb.style {quoted(style)}: {suggestion(style, COULOMB_SUMS)}"
        )
    kind = COULOMB_SUMS[style]
    names = tuple(setting.name for setting in kind.settings)
    _check_keys(table, ("style", *names), (), "coulomb.")
    return kind(**{name: _number(table, name, f"coulomb.{name}") for name in names})


def _species(table: Mapping[str, Any], name: str, charged: bool) -> Species:
    where = f"species.{name}."
    needed = ("mass", "charge") if charged else ("mass",)
    _check_keys(table, needed, ("charge",), where)
    charge = _number(table, "charge", f"{where}charge") if "charge" in table else 0.0
    return Species(_number(table, "mass", f"{where}mass"), charge)


def _terms(table: Mapping[str, Any], pair: str) -> tuple[Term, ...]:
    terms = []
    for name in table:
        if name not in FORMS:
            raise InputError(
                f"unknown form {quoted(name)} of pair {pair}: {suggestion(name, FORMS)}"
            )
        given = _table(table, name)
        values = {key: _number(given, key, f"{key}_{pair}") for key in given}
        terms.append(Term(FORMS[name], values))
    return tuple(terms)


def _check_keys(
    table: Mapping[str, Any], needed: tuple[str, ...], optional: tuple[str, ...], where: str
) -> None:
    for key in table:
        if key not in needed + optional:
            hint = suggestion(key, needed + optional)
            raise InputError(f"unknown key {quoted(where + key)}: {hint}")
    for key in needed:
        if key not in table:
            raise InputError(f"the key {quoted(where + key)} is missing: add it")


def _table(parent: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = parent[key]
    if not isinstance(value, dict):
        raise InputError(f"{key} must be a table, got {quoted(value)}")
    return value


def _number(table: Mapping[str, Any], key: str, name: str) -> float:
    value = table[key]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InputError(f"{name} must be a finite number, got {quoted(value)}")
    return float(value)


def _text(table: Mapping[str, Any], key: str) -> str:
    value = table[key]
    if not isinstance(value, str):
        raise InputError(f"{key} must be a text in quotes, got {quoted(value)}")
    return value


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else _string(name)


def _string(text: str) -> str:
    # JSON's escapes are also TOML's; only DEL, which JSON leaves bare, is not allowed in TOML.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")

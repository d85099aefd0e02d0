"""Known potentials as lines of text and as plain data."""

from collections.abc import Sequence
from typing import Any

from lammpsfit.forcefield import Potential


def library_lines(potentials: Sequence[Potential]) -> list[str]:
    """Return lines on potentials: title, species, terms, Coulomb sum and source."""
    name = max(len(one.name) for one in potentials)
    lines = []
    for one in potentials:
        lines.append(f"{one.name:{name}}  {one.title}")
        lines.append(f"{'':{name}}  {' '.join(one.species)}")
        source = f"doi:{one.doi}" if one.doi else "fitted by lammpsfit"
        lines.append(f"{'':{name}}  {_made_of(one)}; {source}")
    return lines


def library_row(potential: Potential) -> dict[str, Any]:
    """Return one potential as plain data."""
    return {
        "species": list(potential.species),
        "terms": _terms(potential),
        "coulomb": potential.coulomb.style if potential.coulomb else None,
        "cutoff": potential.outer_cutoff,
        "balance": potential.balance,
        "title": potential.title,
        "doi": potential.doi,
        "note": potential.note,
    }


def _made_of(potential: Potential) -> str:
    coulomb = [potential.coulomb.style] if potential.coulomb else []
    return " + ".join([*_terms(potential), *coulomb])


def _terms(potential: Potential) -> list[str]:
    terms = (term.form.name for terms in potential.pairs.values() for term in terms)
    return list(dict.fromkeys(terms))

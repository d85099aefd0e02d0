"""A potential as LAMMPS text: table files and pair lines, in ``metal`` units.

Two equivalent ways to run the same U(r):

combined
    ``pair_style table`` with the whole U(r) of each pair, charges included:
    the fast one.
overlay
    ``pair_style hybrid/overlay`` with the styles that LAMMPS has (``buck``,
    ``coul/...``) and a table for the remainder: the one that people can read
    and edit. Terms that end smoothly are all in the table.

Forces agree; energies differ by the self-energy of the Coulomb style, a constant
for given charges (:meth:`CoulombSum.self_energy`).
"""

from dataclasses import replace
from typing import Literal

import numpy as np

from lammpsfit.forcefield.coulomb import CoulombSum
from lammpsfit.forcefield.forms.base import Array, LammpsStyle
from lammpsfit.forcefield.pairs import split_pair
from lammpsfit.forcefield.potential import Potential
from lammpsfit.forcefield.term import Term

Part = Literal["combined", "remainder"]

TABLE_POINTS = 5000
"""Points of a table: with linear interpolation in r^2 forces err by 5e-5 eV/Å rms in silica."""

_CEILING = 1.0e6
_INNERMOST = 0.1


def comment(text: str) -> str:
    """Return a user's text as a comment of LAMMPS may hold it: one line that ends where it ends.

    Even in a comment, three double quotes open a text that goes on to the next three, and an
    ampersand at the end joins the next line.

    >>> comment("Si & O " + 3 * chr(34) + " &")
    "Si & O '''"
    """
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line.replace(3 * '"', 3 * "'").rstrip("& ")


def table_text(
    potential: Potential,
    part: Part = "combined",
    n: int = TABLE_POINTS,
    header: str = "",
    *,
    within_secants: bool = False,
) -> str:
    """Return a LAMMPS table file, one section for each pair, named by the pair.

    Points are equally spaced in r^2 and as many as the pair lines ask for, so
    that LAMMPS takes them as they are, without a spline in between. Forces are
    the exact -dU/dr. LAMMPS acts only at r < the last point, so the last row
    holds the limit from inside, not the zero beyond the cutoff.

    Parameters
    ----------
    potential
        What to tabulate.
    part
        ``"combined"``: all of U(r), for every pair. ``"remainder"``: only the
        terms, and the charges, without a LAMMPS style, for the pairs that have some.
    n
        Number of points of each section.
    header
        Lines of comment at the top, without the ``#``.
    within_secants
        Whether forces are moved between the slopes of the energy to the two neighbouring points
        where they are not: LAMMPS warns of those, at extrema of the force and at a cutoff.
    """
    title = [f"# UNITS: metal  {comment(potential.name)}, {part} pair tables of lammpsfit"]
    title += [f"# {comment(line)}".rstrip() for line in header.splitlines()]
    sections = (
        _pair_section(potential, pair, part, n, within_secants)
        for pair in _tabulated(potential, part)
    )
    return "\n".join(title) + "\n\n" + "\n".join(sections)


def table_section(keyword: str, r: Array, U: Array, force: Array) -> str:
    """Return one section of a table file.

    Parameters
    ----------
    keyword
        Name of the section.
    r
        Distances in Å, shape (n,), equally spaced in r^2.
    U, force
        Energy in eV and -dU/dr in eV/Å, shape (n,).
    """
    head = f"{keyword}\nN {len(r)} RSQ {float(r[0])!r} {float(r[-1])!r}\n\n"
    rows = (
        f"{i} {x:.15g} {e:.15g} {f:.15g}\n"
        for i, (x, e, f) in enumerate(zip(r, U, force, strict=True), start=1)
    )
    return head + "".join(rows)


def inner_radius(potential: Potential, pair: str, part: Part = "combined") -> float:
    """Return the first distance in Å of the table of `pair`.

    LAMMPS stops with an error at distances below it. It is the outermost
    distance at which U is as far from zero as 1e6 eV: a run that gets there
    has failed, and from there on all entries are harmless numbers. Curves
    that never get so far (bare Coulomb) start at 0.1 Å.
    """
    held = _held(potential, pair, part)
    r = np.geomspace(_INNERMOST, held.outer_cutoff, 2000, endpoint=False)
    beyond = np.flatnonzero(np.abs(held.energy(pair, r)) >= _CEILING)
    return float(r[beyond[-1]]) if beyond.size else _INNERMOST


def combined_pair_lines(
    potential: Potential, table_file: str, n: int = TABLE_POINTS
) -> tuple[str, ...]:
    """Return the pair lines of the combined table.

    Charges play no part in the forces, but where the Coulomb sum is no sum over pairs.
    """
    file, pairs = _quoted(table_file), _tabulated(potential, "combined")
    if potential.coulomb is None or potential.coulomb.pairwise:
        coefficients = (f"pair_coeff {_types(potential, pair)} {file} {pair}" for pair in pairs)
        return (f"pair_style table linear {n}", *coefficients)
    style = f"{potential.coulomb.lammps} table linear {n}"
    return (
        f"pair_style hybrid/overlay {style if pairs else potential.coulomb.lammps}",
        *_coulomb_coefficients(potential.coulomb),
        *(f"pair_coeff {_types(potential, pair)} table {file} {pair}" for pair in pairs),
        *potential.coulomb.lammps_lines,
    )


def overlay_pair_lines(
    potential: Potential, table_file: str, n: int = TABLE_POINTS
) -> tuple[str, ...]:
    """Return the pair lines of the overlay; atoms must carry the charges of :func:`charge_lines`.

    `table_file` is the remainder's; it is not named where nothing is tabulated.
    """
    native = [
        (pair, style, term.values)
        for pair, terms in potential.pairs.items()
        for term in terms
        if (style := _style(potential, term))
    ]
    tabulated = _tabulated(potential, "remainder")
    styles = list(dict.fromkeys(f"{s.style} {float(potential.cutoff)!r}" for _, s, _ in native))
    lines = []
    if potential.coulomb and potential.coulomb.lammps:
        styles.append(potential.coulomb.lammps)
        lines += _coulomb_coefficients(potential.coulomb)
    else:
        active = {*tabulated, *(pair for pair, _, _ in native)}
        idle = (pair for pair in potential.pair_names if pair not in active)
        lines += [f"pair_coeff {_types(potential, pair)} none" for pair in idle]
    for pair, style, values in native:
        numbers = " ".join(map(repr, style.numbers(values)))
        lines.append(f"pair_coeff {_types(potential, pair)} {style.style} {numbers}  # {pair}")
    if tabulated:
        styles.append(f"table linear {n}")
        file = _quoted(table_file)
        lines += [f"pair_coeff {_types(potential, p)} table {file} {p}" for p in tabulated]
    if potential.coulomb:
        lines += potential.coulomb.lammps_lines
    return (f"pair_style hybrid/overlay {' '.join(styles)}", *lines)


def mass_lines(potential: Potential) -> tuple[str, ...]:
    """Return one ``mass`` line for each species."""
    return tuple(
        f"mass {i} {float(s.mass)!r}  # {name}"
        for i, (name, s) in enumerate(potential.species.items(), start=1)
    )


def charge_lines(potential: Potential) -> tuple[str, ...]:
    """Return one ``set type ... charge`` line for each species; none without Coulomb."""
    if not potential.coulomb:
        return ()
    return tuple(
        f"set type {i} charge {float(s.charge)!r}  # {name}"
        for i, (name, s) in enumerate(potential.species.items(), start=1)
    )


def _pair_section(potential: Potential, pair: str, part: Part, n: int, within_secants: bool) -> str:
    held = _held(potential, pair, part)
    inner, outer = inner_radius(potential, pair, part), held.outer_cutoff
    r = np.sqrt(np.linspace(inner**2, outer**2, n))
    r[0], r[-1] = inner, outer
    inside = np.minimum(r, np.nextafter(outer, 0.0))
    U, force = held.energy(pair, inside), -held.slope(pair, inside)
    if within_secants:
        force = _within_secants(r, U, force)
    return table_section(pair, r, U, force)


def _within_secants(r: Array, U: Array, force: Array) -> Array:
    """Return forces with the mean of the two secants where they lie outside of both.

    At an extremum this differs from the force by its curvature times a sixth of the spacing
    squared, which is about what the interpolation between points errs by.
    """
    secants = -np.diff(U) / np.diff(r)
    low = np.minimum(secants[:-1], secants[1:])
    high = np.maximum(secants[:-1], secants[1:])
    moved = force.copy()
    outside = (force[1:-1] <= low) | (force[1:-1] >= high)
    moved[1:-1][outside] = 0.5 * (low + high)[outside]
    return moved


def _held(potential: Potential, pair: str, part: Part) -> Potential:
    """Return the part of the potential that the table of `pair` holds."""
    if part == "combined":
        return replace(potential, coulomb=potential.pair_coulomb, balance=None)
    terms = tuple(t for t in potential.pairs.get(pair, ()) if not _style(potential, t))
    coulomb = None if potential.coulomb and potential.coulomb.lammps else potential.coulomb
    return replace(potential, pairs={pair: terms}, coulomb=coulomb, balance=None)


def _style(potential: Potential, term: Term) -> LammpsStyle | None:
    """Return the LAMMPS style of a term; there is none that smooths its end as we do."""
    return None if potential.smoothing else term.form.lammps


def _coulomb_coefficients(coulomb: CoulombSum) -> list[str]:
    """Return the line that applies the LAMMPS style of a sum to all pairs."""
    return [f"pair_coeff * * {coulomb.lammps.split()[0]}"] if coulomb.lammps else []


def _tabulated(potential: Potential, part: Part) -> tuple[str, ...]:
    """Return the pairs of which the table holds something."""
    if part == "combined" and (potential.coulomb is None or potential.coulomb.pairwise):
        return potential.pair_names
    if potential.coulomb and not potential.coulomb.lammps:
        return potential.pair_names
    return tuple(
        pair
        for pair, terms in potential.pairs.items()
        if any(part == "combined" or not _style(potential, term) for term in terms)
    )


def _quoted(path: str) -> str:
    return f'"{path}"' if any(c.isspace() or c == "#" for c in path) else path


def _types(potential: Potential, pair: str) -> str:
    order = list(potential.species)
    a, b = split_pair(pair)
    return f"{order.index(a) + 1} {order.index(b) + 1}"

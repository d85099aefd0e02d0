"""The page of phonons, beside those of others and what is known of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from lammpsfit.gap.work.literature import Known
from lammpsfit.gap.work.phonons import FREQUENCIES, PATH, Phonons
from lammpsfit.report.html import (
    Section,
    element,
    items,
    join,
    page,
    paragraph,
    picture,
    table,
)
from lammpsfit.report.phonon_plot import Dispersion, plot_phonons

NAMES: Final = {
    "X_T": "X, transverse",
    "X_L": "X, longitudinal",
    "L_T": "L, transverse",
    "L_L": "L, longitudinal",
}
"""Names of frequencies for people."""

UNSTABLE: Final = "the crystal is not stable: some frequencies are imaginary (drawn as negative)"


def phonon_lines(
    found: Phonons, beside: Mapping[str, Phonons], known: Mapping[str, Known]
) -> Iterator[str]:
    """Say the frequencies at X and L, a line for each."""
    for name in FREQUENCIES:
        line = f"{NAMES[name]:>16}: {found.special[name]:6.2f} THz"
        others = [f"{label} {one.special[name]:.2f}" for label, one in beside.items()]
        if name in known:
            others.append(f"literature {known[name].value:g}")
        yield f"{line}  ({', '.join(others)})" if others else line
    if not found.stable:
        yield UNSTABLE


def short(name: str) -> str:
    """Return the name of a calculator without its packages, for legends and columns.

    >>> short("ase.calculators.emt:EMT")
    'emt:EMT'
    """
    return name.rpartition(".")[2]


def phonons_page(
    symbol: str,
    name: str,
    found: Phonons,
    beside: Mapping[str, Phonons],
    known: Mapping[str, Known],
) -> str:
    """Make the page of the phonons of an element by the calculator `name`."""
    all_of = {short(label): one for label, one in {name: found, **beside}.items()}
    figure = plot_phonons(
        {label: _dispersion(one) for label, one in all_of.items()},
        PATH,
        {"experiment": [(key.split("_")[0], one.value) for key, one in known.items()]}
        if known
        else {},
        None,
    )
    heading = join(
        [
            element("h1", f"{symbol}: phonons"),
            paragraph(f"Calculator: {name}."),
            *([] if found.stable else [paragraph(f"Beware: {UNSTABLE}.")]),
        ]
    )
    head = ("frequency (THz)", *all_of, "experiment")
    sources = dict.fromkeys(one.source for one in known.values())
    sections = [
        Section(
            "bands",
            "Bands and density of states",
            picture(figure, "phonon bands along Γ, X, K, Γ, L", wide=True),
        ),
        Section("frequencies", "Frequencies at X and L", table(head, _rows(all_of, known))),
    ]
    if sources:
        sections.append(Section("literature", "Literature", items(sources)))
    return page(f"{symbol}: phonons", heading, sections)


def _rows(all_of: Mapping[str, Phonons], known: Mapping[str, Known]) -> Sequence[Sequence[str]]:
    rows = [
        (
            NAMES[key],
            *(f"{one.special[key]:.2f}" for one in all_of.values()),
            f"{known[key].value:.2f}" if key in known else "",
        )
        for key in FREQUENCIES
    ]
    edges = ("lattice constant (Å)", *(f"{one.lattice:.4f}" for one in all_of.values()), "")
    return [*rows, edges]


def _dispersion(one: Phonons) -> Dispersion:
    return Dispersion(one.distances, one.bands, one.frequency, one.density)

from dataclasses import replace

import numpy as np
import pytest

from lammpsfit.forcefield import FORMS, Potential, Species, Term, load_potential
from lammpsfit.forcefield.lammps_text import (
    charge_lines,
    combined_pair_lines,
    inner_radius,
    mass_lines,
    overlay_pair_lines,
    table_text,
)


def sections(text):
    """Return the sections of a table file: keyword -> (head words, rows)."""
    found, lines = {}, iter(text.splitlines())
    for line in lines:
        if line and not line.startswith("#"):
            head = next(lines).split()
            assert next(lines) == ""
            rows = np.array([next(lines).split() for _ in range(int(head[1]))], dtype=float)
            found[line] = head, rows
    return found


def without_coulomb():
    species = {"Ar": Species(39.9), "Kr": Species(83.8)}
    terms = (Term(FORMS["buckingham"], {"A": 1.7e3, "rho": 0.35, "C": 60.0}),)
    core = (Term(FORMS["repulsion"], {"D": 1e3}),)
    return Potential("noble", species, {"Ar-Ar": terms, "Ar-Kr": core}, None, 7.0)


def test_combined_table_holds_the_curve_and_its_exact_force(three):
    tables = sections(table_text(three, n=300))
    assert tuple(tables) == three.pair_names
    for pair, (head, rows) in tables.items():
        inner, outer = float(head[3]), float(head[4])
        assert head[:3] == ["N", "300", "RSQ"]
        assert (inner, outer) == (inner_radius(three, pair), 8.5)
        assert np.array_equal(rows[:, 0], np.arange(1, 301))
        r = rows[:, 1]
        assert (r[0], r[-1]) == pytest.approx((inner, outer), rel=1e-14)
        np.testing.assert_allclose(np.diff(r**2), (outer**2 - inner**2) / 299, rtol=1e-9)
        np.testing.assert_allclose(rows[:-1, 2], three.energy(pair, r[:-1]), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(rows[:-1, 3], -three.slope(pair, r[:-1]), rtol=1e-9, atol=1e-12)
        assert np.all(np.isfinite(rows))


def test_last_row_is_the_limit_from_inside():
    bare = without_coulomb()
    _, rows = sections(table_text(bare, n=10))["Ar-Ar"]
    inside = np.nextafter(7.0, 0)
    np.testing.assert_allclose(
        rows[-1, 2:], [bare.energy("Ar-Ar", inside), -bare.slope("Ar-Ar", inside)]
    )
    assert rows[-1, 2] != 0


def test_remainder_table_holds_only_what_lammps_has_no_style_for(bks, three):
    tables = sections(table_text(bks, "remainder", n=50))
    for pair, (head, rows) in tables.items():
        r = rows[:, 1]
        np.testing.assert_allclose(rows[:, 2], bks.parameters[f"D_{pair}"] / r**24, rtol=1e-9)
        assert head[4] == "8.0"
    assert set(sections(table_text(three, "remainder", n=50))) == {"Na-Si", "Si-O", "O-O"}


def test_header_is_comment_and_names_the_units(bks):
    first, second, third, fourth, *_ = table_text(bks, n=5, header="one\n\ntwo").splitlines()
    assert first.startswith("# UNITS: metal")
    assert (second, third, fourth) == ("# one", "#", "# two")


def test_inner_radius_is_where_the_curve_leaves_all_bounds(bks, three):
    for pair in bks.pair_names:
        r = inner_radius(bks, pair)
        assert bks.energy(pair, r) >= 1e6 > bks.energy(pair, r * 1.003)
        assert 0.5 < r < 1.1
    assert inner_radius(three, "Na-Na") == 0.1
    assert three.energy("Na-O", inner_radius(three, "Na-O")) <= -1e6


def test_lines_of_the_overlay(bks):
    assert overlay_pair_lines(bks, "x.table", 1000) == (
        "pair_style hybrid/overlay buck 8.0 coul/dsf 0.25 8.0 table linear 1000",
        "pair_coeff * * coul/dsf",
        "pair_coeff 1 1 buck 0.0 1.0 0.0  # Si-Si",
        f"pair_coeff 1 2 buck 18003.7572 {1 / 4.87318!r} 133.5381  # Si-O",
        f"pair_coeff 2 2 buck 1388.773 {1 / 2.76!r} 175.0  # O-O",
        "pair_coeff 1 1 table x.table Si-Si",
        "pair_coeff 1 2 table x.table Si-O",
        "pair_coeff 2 2 table x.table O-O",
    )


def test_lines_of_the_overlay_without_coulomb_and_without_table():
    noble = without_coulomb()
    assert overlay_pair_lines(noble, "my table")[:2] == (
        "pair_style hybrid/overlay buck 7.0 table linear 5000",
        "pair_coeff 2 2 none",
    )
    assert overlay_pair_lines(noble, "my table")[-1] == 'pair_coeff 1 2 table "my table" Ar-Kr'
    assert "table" not in " ".join(overlay_pair_lines(noble.restricted(("Ar",)), "x"))
    assert charge_lines(noble) == ()


def test_terms_that_end_smoothly_are_all_in_the_table(bks):
    """LAMMPS has no style that ends them so."""
    smooth = replace(bks, smoothing=0.2)
    lines = overlay_pair_lines(smooth, "x.table")
    assert lines[0] == "pair_style hybrid/overlay coul/dsf 0.25 8.0 table linear 5000"
    assert not any("buck" in line for line in lines)
    _, rows = sections(table_text(smooth, "remainder", n=50))["O-O"]
    at = rows[:-1, 1]
    coulomb = smooth.energy("O-O", at) - replace(smooth, coulomb=None).energy("O-O", at)
    np.testing.assert_allclose(rows[:-1, 2], smooth.energy("O-O", at) - coulomb, rtol=1e-9)
    assert abs(rows[-1, 2]) < 1e-12


def test_lines_of_the_table_and_the_species(bks):
    assert combined_pair_lines(bks, "x.table") == (
        "pair_style table linear 5000",
        "pair_coeff 1 1 x.table Si-Si",
        "pair_coeff 1 2 x.table Si-O",
        "pair_coeff 2 2 x.table O-O",
    )
    assert mass_lines(bks) == ("mass 1 28.0855  # Si", "mass 2 15.9994  # O")
    assert charge_lines(bks) == ("set type 1 charge 2.4  # Si", "set type 2 charge -1.2  # O")


def rms(x):
    return float(np.sqrt(np.mean(x**2)))


def some_potentials(three):
    return {
        "BKS": load_potential("BKS"),
        "CHIK": load_potential("CHIK"),
        "three": three,
        "noble": without_coulomb(),
        "smooth": replace(load_potential("BKS"), smoothing=0.3),
    }


@pytest.mark.lammps
@pytest.mark.parametrize("name", ["BKS", "CHIK", "three", "noble", "smooth"])
def test_lammps_computes_the_same_energy_and_forces(name, three, tmp_path, oracle):
    potential = some_potentials(three)[name]
    positions, types = oracle.configuration(len(potential.species), seed=7)
    energy, forces = oracle.direct_sum(potential, positions, types)
    (tmp_path / "combined.table").write_text(table_text(potential), encoding="utf-8")
    (tmp_path / "remainder.table").write_text(table_text(potential, "remainder"), encoding="utf-8")
    combined, overlay = oracle.lammps(
        tmp_path,
        (potential, positions, types, combined_pair_lines(potential, "combined.table")),
        (potential, positions, types, overlay_pair_lines(potential, "remainder.table")),
    )
    for _, F in (combined, overlay):
        assert rms(F - forces) < 1e-4
    assert abs(combined[0] - energy) < 1e-3
    assert abs(overlay[0] - energy - oracle.self_energy(potential, types)) < 1e-3


@pytest.mark.lammps
def test_lammps_styles_agree_to_rounding_without_the_table(three, tmp_path, oracle):
    """What is left is the erfc of the Coulomb style, a polynomial good to 1e-7."""
    jobs = []
    for name in ("BKS", "three"):
        potential = some_potentials(three)[name]
        pairs = {
            pair: tuple(term for term in terms if not term.form.core)
            for pair, terms in potential.pairs.items()
        }
        bare = replace(potential, pairs=pairs)
        positions, types = oracle.configuration(len(bare.species), seed=8)
        jobs.append((bare, positions, types, overlay_pair_lines(bare, "none")))
    for job, (U, F) in zip(jobs, oracle.lammps(tmp_path, *jobs), strict=True):
        energy, forces = oracle.direct_sum(*job[:3])
        assert rms(F - forces) < 2e-6
        assert abs(U - energy - oracle.self_energy(job[0], job[2])) < 5e-4

import json
import subprocess
import sys
from pathlib import Path

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

BOX = 18.0


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


def test_lines_of_the_table_and_the_species(bks):
    assert combined_pair_lines(bks, "x.table") == (
        "pair_style table linear 5000",
        "pair_coeff 1 1 x.table Si-Si",
        "pair_coeff 1 2 x.table Si-O",
        "pair_coeff 2 2 x.table O-O",
    )
    assert mass_lines(bks) == ("mass 1 28.0855  # Si", "mass 2 15.9994  # O")
    assert charge_lines(bks) == ("set type 1 charge 2.4  # Si", "set type 2 charge -1.2  # O")


def configuration(n_types, seed, n=100, alike=2.2, unlike=1.5):
    """Return positions, shape (n, 3), of a random box without close pairs, and types from 1."""
    generator = np.random.default_rng(seed)
    types = generator.integers(1, n_types + 1, n)
    positions = np.empty((0, 3))
    while len(positions) < n:
        trial = generator.uniform(0, BOX, 3)
        d = positions - trial
        d -= BOX * np.round(d / BOX)
        placed = types[: len(positions)]
        nearest = np.where(placed == types[len(positions)], alike, unlike)
        if np.all(np.linalg.norm(d, axis=1) > nearest):
            positions = np.vstack([positions, trial])
    return positions, types


def direct_sum(potential, positions, types):
    """Return energy and forces, shape (n, 3), by minimum image over all pairs of atoms."""
    i, j = np.triu_indices(len(positions), 1)
    d = positions[i] - positions[j]
    d -= BOX * np.round(d / BOX)
    r = np.linalg.norm(d, axis=1)
    names = list(potential.species)
    energy, forces = 0.0, np.zeros_like(positions)
    kinds = np.sort(np.stack([types[i], types[j]]), axis=0) - 1
    for a, b in np.unique(kinds.T, axis=0):
        here = (kinds[0] == a) & (kinds[1] == b)
        pair = f"{names[a]}-{names[b]}"
        energy += potential.energy(pair, r[here]).sum()
        force = -(potential.slope(pair, r[here]) / r[here])[:, None] * d[here]
        np.add.at(forces, i[here], force)
        np.add.at(forces, j[here], -force)
    return energy, forces


def lammps_says(folder, potential, positions, types, pair_lines):
    lines = [
        *mass_lines(potential),
        *charge_lines(potential),
        *pair_lines,
    ]
    job = {
        "box": BOX,
        "positions": positions.tolist(),
        "types": types.tolist(),
        "n_types": len(potential.species),
        "lines": lines,
    }
    (folder / "job.json").write_text(json.dumps(job))
    script = Path(__file__).with_name("lammps_forces.py")
    command = [sys.executable, str(script), "job.json", "result.json"]
    run = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert run.returncode == 0, run.stderr
    result = json.loads((folder / "result.json").read_text())
    return result["energy"], np.array(result["forces"])


def rms(x):
    return float(np.sqrt(np.mean(x**2)))


def some_potentials(three):
    return {
        "BKS": load_potential("BKS"),
        "CHIK": load_potential("CHIK"),
        "three": three,
        "noble": without_coulomb(),
    }


@pytest.mark.lammps
@pytest.mark.parametrize("name", ["BKS", "CHIK", "three", "noble"])
def test_lammps_computes_the_same_energy_and_forces(name, three, tmp_path):
    potential = some_potentials(three)[name]
    positions, types = configuration(len(potential.species), seed=7)
    energy, forces = direct_sum(potential, positions, types)
    charges = np.array([s.charge for s in potential.species.values()])[types - 1]
    self_energy = sum(potential.coulomb.self_energy(q) for q in charges) if potential.coulomb else 0

    (tmp_path / "combined.table").write_text(table_text(potential), encoding="utf-8")
    lines = combined_pair_lines(potential, "combined.table")
    U, F = lammps_says(tmp_path, potential, positions, types, lines)
    assert rms(F - forces) < 1e-4
    assert abs(U - energy) < 1e-3

    (tmp_path / "remainder.table").write_text(table_text(potential, "remainder"), encoding="utf-8")
    lines = overlay_pair_lines(potential, "remainder.table")
    U, F = lammps_says(tmp_path, potential, positions, types, lines)
    assert rms(F - forces) < 1e-4
    assert abs(U - energy - self_energy) < 1e-3


@pytest.mark.lammps
@pytest.mark.parametrize("name", ["BKS", "three"])
def test_lammps_styles_agree_to_rounding_without_the_table(name, three, tmp_path):
    """What is left is the erfc of coul/dsf, a polynomial good to 1e-7."""
    potential = some_potentials(three)[name]
    cores = {p: 0.0 for p in potential.parameters if p.startswith("D_")}
    bare = Potential(
        potential.name,
        potential.species,
        {
            pair: tuple(term for term in terms if not term.form.core)
            for pair, terms in potential.replace(cores).pairs.items()
        },
        potential.coulomb,
        potential.cutoff,
    )
    positions, types = configuration(len(bare.species), seed=8)
    energy, forces = direct_sum(bare, positions, types)
    charges = np.array([s.charge for s in bare.species.values()])[types - 1]
    self_energy = sum(bare.coulomb.self_energy(q) for q in charges)
    U, F = lammps_says(tmp_path, bare, positions, types, overlay_pair_lines(bare, "none"))
    assert rms(F - forces) < 2e-6
    assert abs(U - energy - self_energy) < 5e-4

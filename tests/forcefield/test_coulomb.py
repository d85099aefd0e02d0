"""Conformance of every registered Coulomb sum: a new sum is checked without a line here."""

import math
import pickle
from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad

from lammpsfit.errors import InputError
from lammpsfit.forcefield import (
    COULOMB_SUMS,
    DampedShiftedForce,
    Free,
    ParameterSpace,
    Tie,
    collapse,
    dump_potential,
    load_potential,
)
from lammpsfit.forcefield.coulomb.ewald import periodic_coulomb
from lammpsfit.forcefield.coulomb.wolf import Wolf
from lammpsfit.forcefield.coulomb.wolf_smooth import SmoothWolf
from lammpsfit.forcefield.lammps_text import combined_pair_lines, overlay_pair_lines, table_text
from lammpsfit.forcefield.potential_file import parse_potential

STEP = 1e-5
BOX = 18.0

PAIRWISE = {style: kind for style, kind in COULOMB_SUMS.items() if kind.pairwise}
PERIODIC = {style: kind for style, kind in COULOMB_SUMS.items() if not kind.pairwise}
RANGES = {"cutoff": (7.0, 8.9), "accuracy": (1e-7, 2e-7)}

every_sum = pytest.mark.parametrize("kind", COULOMB_SUMS.values(), ids=COULOMB_SUMS)
every_pairwise_sum = pytest.mark.parametrize("kind", PAIRWISE.values(), ids=PAIRWISE)
every_periodic_sum = pytest.mark.parametrize("kind", PERIODIC.values(), ids=PERIODIC)


def some_sum(kind, seed):
    generator = np.random.default_rng(seed)
    ranges = {setting.name: RANGES.get(setting.name, (0.1, 0.3)) for setting in kind.settings}
    return kind(**{name: float(generator.uniform(*span)) for name, span in ranges.items()})


def distances(coulomb):
    return np.linspace(0.5, coulomb.cutoff - 2 * STEP, 300)


@every_sum
@pytest.mark.parametrize("seed", range(3))
def test_slope_is_the_derivative_of_the_energy(kind, seed):
    coulomb = some_sum(kind, seed)
    r = distances(coulomb)
    difference = coulomb.energy(r + STEP) - coulomb.energy(r - STEP)
    np.testing.assert_allclose(coulomb.slope(r), difference / (2 * STEP), rtol=1e-6, atol=1e-9)


@every_pairwise_sum
def test_energy_ends_at_the_cutoff_without_a_jump(kind):
    coulomb = some_sum(kind, 1)
    inside = np.array([coulomb.cutoff - 1e-9, np.nextafter(coulomb.cutoff, 0.0)])
    np.testing.assert_allclose(coulomb.energy(inside), 0.0, atol=1e-10)
    beyond = np.array([coulomb.cutoff, coulomb.cutoff + 1.0])
    assert not coulomb.energy(beyond).any()
    assert not coulomb.slope(beyond).any()


@every_sum
def test_charges_that_touch_feel_each_other_bare(kind):
    coulomb, r = some_sum(kind, 2), np.array([1e-7])
    np.testing.assert_allclose(coulomb.energy(r) * r, 1.0, atol=1e-2)
    np.testing.assert_allclose(coulomb.slope(r) * r**2, -1.0, atol=1e-2)


@every_sum
def test_shapes_follow_the_distances(kind):
    coulomb = some_sum(kind, 0)
    for shape in ((), (3,), (2, 3)):
        r = np.full(shape, 2.0)
        assert np.shape(coulomb.energy(r)) == shape
        assert np.shape(coulomb.slope(r)) == shape


@every_sum
def test_sum_describes_itself(kind):
    assert kind.formula
    names = [setting.name for setting in kind.settings]
    assert names == list(kind.__dataclass_fields__)
    assert "cutoff" in names
    assert all(setting.unit for setting in kind.settings)


@every_sum
def test_senseless_settings_are_refused(kind):
    good = some_sum(kind, 0)
    for setting in kind.settings:
        bad = {"positive": 0.0, "zero or positive": -0.1, "any": math.nan}[setting.sign]
        for value in (bad, math.nan, math.inf):
            with pytest.raises(InputError, match=f"coulomb {setting.name} must be {setting.sign}"):
                replace(good, **{setting.name: value})


@every_sum
def test_sum_is_a_value(kind):
    """Equal ones are the same key of a cache, in any process; and it survives a file."""
    coulomb = some_sum(kind, 0)
    assert pickle.loads(pickle.dumps(coulomb)) == coulomb == some_sum(kind, 0)
    assert hash(coulomb) == hash(some_sum(kind, 0))


@every_sum
def test_sum_survives_a_file(kind, three):
    potential = replace(three, coulomb=some_sum(kind, 3))
    assert parse_potential(dump_potential(potential)) == potential


@every_pairwise_sum
def test_derivatives_in_the_charges(kind, three):
    potential = replace(three, pairs={}, coulomb=some_sum(kind, 4))
    r = distances(potential.coulomb)
    for pair in potential.pair_names:
        gradient = potential.gradient(pair, r)
        for name in ("q_Na", "q_Si", "q_O"):
            q = potential.parameters[name]
            up, down = (potential.replace({name: q + s}).energy(pair, r) for s in (STEP, -STEP))
            found = gradient.get(name, np.zeros_like(r))
            np.testing.assert_allclose(found, (up - down) / (2 * STEP), rtol=1e-6, atol=1e-6)


@pytest.mark.lammps
@every_pairwise_sum
def test_lammps_computes_the_same_energy_and_forces(kind, three, tmp_path, oracle):
    """Self-energies too; where there is a style, forces without any table agree more closely."""
    potential = replace(three, coulomb=some_sum(kind, 5))
    charges = replace(potential, pairs={})
    positions, types = oracle.configuration(3, seed=9)
    (tmp_path / "combined.table").write_text(table_text(potential), encoding="utf-8")
    (tmp_path / "remainder.table").write_text(table_text(potential, "remainder"), encoding="utf-8")
    (tmp_path / "charges.table").write_text(table_text(charges, "remainder"), encoding="utf-8")
    jobs = (
        (potential, positions, types, combined_pair_lines(potential, "combined.table")),
        (potential, positions, types, overlay_pair_lines(potential, "remainder.table")),
        (charges, positions, types, overlay_pair_lines(charges, "charges.table")),
    )
    tolerance = 2e-6 if potential.coulomb.lammps else 1e-4
    for job, (U, F), close in zip(
        jobs, oracle.lammps(tmp_path, *jobs), (1e-4, 1e-4, tolerance), strict=True
    ):
        energy, forces = oracle.direct_sum(*job[:3])
        own = 0.0 if job is jobs[0] else oracle.self_energy(job[0], types)
        assert np.sqrt(np.mean((F - forces) ** 2)) < close
        assert abs(U - energy - own) < 1e-3


@every_pairwise_sum
def test_lines_name_the_style_or_a_table_of_every_pair(kind, bks):
    potential = replace(bks, coulomb=some_sum(kind, 6))
    lines = overlay_pair_lines(potential, "x.table")
    if style := potential.coulomb.lammps:
        assert f" {style} " in lines[0]
        assert lines[1] == f"pair_coeff * * {style.split()[0]}"
    else:
        assert not any("* *" in line for line in lines)
        bare = replace(potential, pairs={})
        tabulated = [line for line in overlay_pair_lines(bare, "x.table") if "x.table" in line]
        assert len(tabulated) == len(bare.pair_names)


@pytest.mark.lammps
@every_periodic_sum
def test_lammps_and_a_direct_sum_agree_on_a_periodic_box(kind, bks, tmp_path, oracle):
    """Each realisation is LAMMPS's sum with the terms beside it, as styles or as a table."""
    potential = replace(bks, coulomb=some_sum(kind, 7))
    positions, _ = oracle.configuration(2, seed=12, n=99, unlike=2.2)
    types = np.array([1, 2, 2] * 33)
    (tmp_path / "combined.table").write_text(table_text(potential), encoding="utf-8")
    (tmp_path / "remainder.table").write_text(table_text(potential, "remainder"), encoding="utf-8")
    bare = replace(potential, pairs={})
    jobs = (
        (potential, positions, types, combined_pair_lines(potential, "combined.table")),
        (potential, positions, types, overlay_pair_lines(potential, "remainder.table")),
        (bare, positions, types, combined_pair_lines(bare, "none")),
    )
    charges = np.array([s.charge for s in bks.species.values()])[types - 1]
    own, pull = periodic_coulomb(positions, charges, np.full(3, BOX))
    assert np.abs(pull.sum(axis=0)).max() < 1e-7
    for job, (U, F) in zip(jobs, oracle.lammps(tmp_path, *jobs), strict=True):
        energy, forces = oracle.direct_sum(*job[:3])
        assert np.sqrt(np.mean((F - forces - pull) ** 2)) < 1e-4
        assert abs(U - energy - own) < 2e-3


def test_the_direct_sum_gives_the_madelung_constant_and_forces_that_are_its_derivative():
    grid = np.stack(np.meshgrid(*[np.arange(4)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    positions, charges, box = 2.82 * grid, (-1.0) ** grid.sum(axis=1), np.full(3, 4 * 2.82)
    energy, forces = periodic_coulomb(positions, charges, box)
    madelung = -energy * 2.82 / 14.399645 / (len(grid) / 2)
    assert madelung == pytest.approx(1.747564594633, abs=1e-8)
    assert np.abs(forces).max() < 1e-6
    moved = positions + np.random.default_rng(1).uniform(-0.4, 0.4, positions.shape)
    _, forces = periodic_coulomb(moved, charges, box)
    for atom, axis in ((0, 0), (17, 2)):
        step = np.zeros_like(moved)
        step[atom, axis] = 1e-4
        up, down = (periodic_coulomb(moved + s * step, charges, box)[0] for s in (1, -1))
        assert forces[atom, axis] == pytest.approx(-(up - down) / 2e-4, abs=1e-5)


@every_periodic_sum
def test_what_is_no_sum_over_pairs_is_no_part_of_the_curves(kind, bks):
    potential = replace(bks, coulomb=some_sum(kind, 8))
    r = np.linspace(1.0, 7.9, 50)
    neutral = replace(bks, coulomb=None)
    np.testing.assert_array_equal(potential.energy("Si-O", r), neutral.energy("Si-O", r))
    np.testing.assert_array_equal(potential.slope("Si-O", r), neutral.slope("Si-O", r))
    assert "q_Si" not in potential.gradient("Si-O", r)
    assert collapse(potential, 3600.0).sound
    space = ParameterSpace(potential, (Free("A_Si-O", 1e4, 2e4),), composition={"Si": 1, "O": 2})
    assert space.gradient([0.5], "Si-O", r).shape == (1, 50)


@every_periodic_sum
def test_charges_scale_together_where_the_sum_is_none_over_pairs(kind, bks):
    potential = replace(bks, coulomb=some_sum(kind, 8))
    q_Si = Free("q_Si", 2.0, 2.6)
    space = ParameterSpace(potential, (q_Si,), balance="O", composition={"Si": 1, "O": 2})
    slopes = space.charge_gradient([0.5])
    assert slopes["O"] == pytest.approx(-0.5 * slopes["Si"])
    alone = {"Si": 1, "Na": 2, "O": 3}
    three = replace(load_potential("Teter").restricted(tuple(alone)), coulomb=some_sum(kind, 8))
    with pytest.raises(InputError, match=f"charges must scale together with {kind.style}, whose"):
        ParameterSpace(three, (q_Si,), balance="O", composition=alone)
    q_Na, q_O = (three.species[name].charge / three.species["Si"].charge for name in ("Na", "O"))
    ties = [Tie("q_Na", "q_Si", q_Na)]
    tied = ParameterSpace(three, (q_Si,), ties, balance="O", composition=alone)
    assert tied.charge_gradient([0.5])["O"] == pytest.approx(
        q_O * tied.charge_gradient([0.5])["Si"]
    )


DSF = DampedShiftedForce(0.25, 8.0)


def test_dsf_ends_with_no_force():
    assert DSF.slope(np.array([8.0 - 1e-7]))[0] == pytest.approx(0.0, abs=1e-6)


def test_dsf_is_minus_the_integral_of_its_slope_to_the_cutoff():
    for r in (1.0, 2.5, 6.0):
        integral, _ = quad(lambda x: float(DSF.slope(np.float64(x))), r, 8.0, epsabs=1e-12)
        assert DSF.energy(np.array(r)) == pytest.approx(-integral, abs=1e-9)


def test_dsf_is_bare_coulomb_for_no_damping_and_far_cutoff():
    far = DampedShiftedForce(0.0, 1e9)
    np.testing.assert_allclose(far.energy(np.array([1.0, 3.0])), [1.0, 1 / 3], rtol=1e-8)
    assert far.self_energy(1.0) == pytest.approx(0.0, abs=1e-7)


@pytest.mark.lammps
def test_coul_wolf_of_lammps_has_the_energy_of_wolf_with_the_forces_of_dsf(three, tmp_path, oracle):
    """So its forces are not the derivative of its energy, and no sum here can name it."""
    alpha, R = 0.2, 8.5
    wolf = replace(three, pairs={}, coulomb=Wolf(alpha, R))
    positions, types = oracle.configuration(3, seed=10)
    lines = (f"pair_style coul/wolf {alpha} {R}", "pair_coeff * *")
    [(U, F)] = oracle.lammps(tmp_path, (wolf, positions, types, lines))
    energy, _ = oracle.direct_sum(wolf, positions, types)
    dsf = replace(wolf, coulomb=DampedShiftedForce(alpha, R))
    _, forces = oracle.direct_sum(dsf, positions, types)
    charges = np.array([s.charge for s in wolf.species.values()])[types - 1]
    per_square = math.erfc(alpha * R) / (2 * R) + alpha / math.sqrt(math.pi)
    assert abs(U - energy + 14.399645 * per_square * np.sum(charges**2)) < 1e-6 * abs(U)
    np.testing.assert_allclose(F, forces, atol=1e-5)


def test_smooth_wolf_is_the_shifted_force_but_for_its_last_angstroms():
    smooth, sharp = SmoothWolf(0.2, 10.0), DampedShiftedForce(0.0, 10.0)
    r = np.array([1.0, 3.0, 6.0, 9.0, 9.9])
    expected = [
        0.81 * 0.9995063,
        0.1633333 * 0.9991840,
        0.0266667 * 0.9975031,
        0.0011111 * 0.960789,
    ]
    np.testing.assert_allclose(smooth.energy(r[:4]), expected, rtol=1e-4)
    assert smooth.energy(r[4:]) == pytest.approx(sharp.energy(r[4:]) * math.exp(-4.0))
    np.testing.assert_allclose(SmoothWolf(1e-9, 10.0).energy(r), sharp.energy(r), rtol=1e-12)
    near = np.array([10.0 - 1e-3])
    assert smooth.slope(near) == smooth.energy(near) == 0.0

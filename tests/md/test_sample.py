from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from lammpsfit.child.process import run_in_child
from lammpsfit.errors import InputError, RunError
from lammpsfit.forcefield import load_potential
from lammpsfit.md import session as session_module
from lammpsfit.md.histogram import Histogram
from lammpsfit.md.protocol import Protocol
from lammpsfit.md.sample import pool, sample
from lammpsfit.md.sample_file import load_sample, save_sample
from lammpsfit.md.session import reason_of
from lammpsfit.target.evaluate import Evaluate

SHORT = Protocol(3600.0, relax=0.05, sample=0.2, every_fs=10.0, blocks=4)
R = 0.02 * (np.arange(300) + 0.5)


def run(problem, structure, protocol=SHORT, r=R, seed=5, potential=None, **options):
    task = partial(sample, potential or problem.potential, protocol, structure, seed, r, **options)
    return run_in_child(task, 60.0)


def read_data(path):
    """Types and positions of a LAMMPS data file, and the edge of its box."""
    text = path.read_text()
    low, high = map(float, next(x for x in text.splitlines() if "xlo xhi" in x).split()[:2])
    rows = [x.split() for x in text.split("Atoms")[1].split("Velocities")[0].splitlines()[1:]]
    atoms = np.array([row[:6] for row in rows if row], dtype=float)
    return atoms[:, 1].astype(int), atoms[:, 3:6], high - low


@pytest.mark.lammps
@pytest.mark.parametrize(
    "r",
    [R, 1.2 + 0.02 * (np.arange(100) + 0.5), 0.02 * np.arange(1, 300)],
    ids=["from zero", "from 1.2 Å", "centres on multiples"],
)
def test_g_of_frozen_atoms_is_a_plain_count(problem, structure, r):
    # a timestep of 1e-9 fs moves nothing, so every frame is the start structure
    frozen = replace(SHORT, timestep_fs=1e-9, every_fs=1e-9, relax=0.0, sample=4e-12)
    found = run(problem, structure, frozen, r).rdf
    types, positions, edge = read_data(structure)
    dr = r[1] - r[0]
    edges = np.append(r - dr / 2, r[-1] + dr / 2)
    for pair, (a, b) in {"Si-Si": (1, 1), "Si-O": (1, 2), "O-O": (2, 2)}.items():
        apart = positions[types == a][:, None] - positions[types == b][None, :]
        apart -= edge * np.round(apart / edge)
        distances = np.linalg.norm(apart, axis=-1)
        counts, _ = np.histogram(distances[distances > 0], edges)
        n_a, n_b = np.sum(types == a), np.sum(types == b) - (a == b)
        shells = 4 / 3 * np.pi * np.diff(edges**3)
        expected = counts * edge**3 / (n_a * n_b * shells)
        g = found.g[found.pairs.index(pair)]
        # velocities of 3600 K over 1e-9 fs: 1e-11 Å, which may push a pair over an edge
        assert np.count_nonzero(np.abs(g - expected) > 1e-6 * (1 + expected)) <= 2


@pytest.mark.lammps
def test_an_evaluation_has_the_same_bits_in_any_process(problem, structure):
    first, again = (run(problem, structure) for _ in range(2))
    assert np.array_equal(first.rdf.blocks, again.rdf.blocks)
    assert (first.pressure, first.energy) == (again.pressure, again.energy)
    other = run(problem, structure, seed=6)
    assert not np.array_equal(first.rdf.blocks, other.rdf.blocks)


@pytest.mark.lammps
def test_chunks_have_the_bits_of_one_run(problem, structure, monkeypatch):
    whole = sample(problem.potential, SHORT, structure, 5, R)
    monkeypatch.setattr(session_module, "CHECK_STEPS", 7)
    chunked = sample(problem.potential, SHORT, structure, 5, R)
    assert np.array_equal(whole.rdf.blocks, chunked.rdf.blocks)
    assert whole.energy == chunked.energy


@pytest.mark.lammps
def test_both_realisations_sample_the_same(problem, structure):
    short = replace(SHORT, relax=0.0, sample=0.04)
    combined = run(problem, structure, short)
    overlay = run(problem, structure, short, realisation="overlay")
    # until chaos sets in both see the same trajectory
    assert overlay.temperature.mean == pytest.approx(combined.temperature.mean, rel=1e-4)
    assert np.abs(overlay.rdf.g - combined.rdf.g).sum() < 0.01 * combined.rdf.g.sum()
    # the energies differ by the self-energy of coul/dsf
    self_energy = sum(
        n * problem.potential.coulomb.self_energy(problem.potential.species[name].charge)
        for name, n in problem.system.counts.items()
    )
    difference = overlay.energy.mean - combined.energy.mean
    assert difference == pytest.approx(self_energy / problem.system.atoms, rel=1e-4)


@pytest.mark.lammps
def test_the_thermostat_holds_and_work_is_counted(problem, structure):
    found = run(problem, structure, replace(SHORT, relax=0.3, sample=0.4, every_fs=50.0))
    assert found.temperature.mean == pytest.approx(3600.0, rel=0.1)
    assert found.atom_steps == 306 * 700
    assert 0 < found.md_seconds < found.wall_seconds


@pytest.mark.lammps
@pytest.mark.parametrize(
    ("changes", "protocol", "message"),
    [
        # a wall five times weaker lets Si and O fall into each other
        ({"A_Si-O": 3600.0}, SHORT, "collapse|lost atoms|runaway|not a number"),
        # steps of 20 fs are ten times what silica bears
        (
            {},
            replace(SHORT, timestep_fs=20.0, every_fs=20.0, relax=20.0, sample=0.4),
            "collapse|lost atoms|runaway|not a number",
        ),
    ],
    ids=["collapse", "long timestep"],
)
def test_a_lost_run_fails_with_its_reason(problem, structure, changes, protocol, message):
    with pytest.raises(RunError, match=message):
        run(problem, structure, protocol, potential=problem.potential.replace(changes))


def test_a_structure_that_is_gone_is_no_property_of_the_potential(problem, tmp_path):
    with pytest.raises(RunError, match=r"a run could not work: .*gone\.data"):
        run(problem, tmp_path / "gone.data")


@pytest.mark.lammps
def test_an_evaluation_carries_the_cost_of_its_sample(problem, structure):
    task = Evaluate(problem.load("CHIK"), SHORT, structure, 5, problem.target)
    evaluation = run_in_child(task, 60.0)
    assert evaluation.cost.value == problem.target.structure.cost(evaluation.sample.rdf).value
    assert set(evaluation.cost.pairs) == {"Si-O", "O-O", "Si-Si"}


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("ERROR: Lost atoms: original 648 current 646", "lost atoms"),
        ("ERROR on proc 0: Pair distance < table inner cutoff", "collapse"),
        ("ERROR: Non-numeric atom coords - simulation unstable", "not a number"),
        ("ERROR on proc 0: Failed to allocate 8000000000 bytes for array", "out of memory"),
        ("ERROR: Unknown pair style", "LAMMPS error"),
    ],
)
def test_messages_of_lammps_are_sorted(message, reason):
    assert reason_of(message) == reason


@pytest.mark.parametrize(
    ("r", "merge", "first"),
    [
        (0.02 * (np.arange(300) + 0.5), 1, 0),
        (0.02 * np.arange(1, 300), 2, 1),
        (1.0 + 0.02 * (np.arange(100) + 0.5), 1, 50),
    ],
)
def test_histograms_fit_the_bins_asked_for(r, merge, first):
    histogram = Histogram.onto(r, 8.0)
    assert (histogram.merge, histogram.first) == (merge, first)
    edges = histogram.edges()
    assert (edges[1:] + edges[:-1]) / 2 == pytest.approx(r)
    counts = np.arange(histogram.size, dtype=float)
    assert histogram.coarse(counts).sum() == counts[first : first + merge * len(r)].sum()
    assert histogram.cutoff == 8.0
    assert Histogram.onto(r, 8.01).cutoff == pytest.approx(8.02, abs=0.011)
    assert histogram.coarse(counts)[0] == counts[first : first + merge].sum()


def test_bins_off_any_grid_are_refused():
    with pytest.raises(InputError, match="resample the reference"):
        Histogram.onto(0.05 * (np.arange(120) + 0.2345), 8.0)


@pytest.mark.lammps
def test_pooled_runs_and_files(problem, structure, tmp_path):
    runs = [run(problem, structure, seed=seed) for seed in (5, 6)]
    pooled = pool(runs)
    assert pooled.rdf.g == pytest.approx((runs[0].rdf.g + runs[1].rdf.g) / 2)
    assert len(pooled.rdf.blocks) == 2 * SHORT.blocks
    # the first quarter of the pooled run is the first quarter of both
    first = pooled.rdf.segments(4)[0].g
    assert first == pytest.approx(np.mean([one.rdf.segments(4)[0].g for one in runs], axis=0))
    assert pooled.pressure.mean == pytest.approx(np.mean([one.pressure.mean for one in runs]))
    save_sample(tmp_path / "x.npz", pooled)
    loaded = load_sample(tmp_path / "x.npz")
    assert np.array_equal(loaded.rdf.blocks, pooled.rdf.blocks)
    assert loaded.rdf.pairs == pooled.rdf.pairs
    assert (loaded.energy_drift, loaded.atom_steps) == (pooled.energy_drift, pooled.atom_steps)
    assert [path.name for path in tmp_path.iterdir()] == ["x.npz"]


def test_any_potential_of_the_library_may_be_sampled(problem):
    for name in ("CHIK", "ML", "ML-ALL", "ML-SiO"):
        assert problem.load(name).species.keys() == load_potential(name).species.keys()

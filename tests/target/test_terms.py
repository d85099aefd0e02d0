"""What every term must do, and what each of them means."""

import pickle
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from lammpsfit.child.process import run_in_child
from lammpsfit.config import TermTables, read_job
from lammpsfit.errors import InputError, RunError
from lammpsfit.forcefield import Free, ParameterSpace
from lammpsfit.md.frames import Frames
from lammpsfit.md.histogram import Histogram
from lammpsfit.md.sample import Sample, pool
from lammpsfit.md.sample_file import load_sample, save_sample
from lammpsfit.structure.blocks import Estimate, block_means
from lammpsfit.structure.neighbours import bonds_within
from lammpsfit.structure.pair_counts import Composition
from lammpsfit.structure.rdf import PartialRdf
from lammpsfit.target import TERMS, ScalarTerm, Setting, Target, build_terms
from lammpsfit.target.evaluate import Evaluate
from lammpsfit.target.terms.coordination import Coordination
from lammpsfit.target.terms.pair_distribution import PairDistribution

SILICA = Path(__file__).parents[2] / "examples" / "silica"
CURVES = Path(__file__).with_name("curves")

EXAMPLES = {
    "pressure": {"value": 2000.0},
    "density": {"value": 2.2},
    "coordination": [{"centre": "Si", "neighbour": "O", "cutoff": 2.2, "value": 4.0}],
    "angle_distribution": [
        {
            "angle": "Si-O-Si",
            "file": SILICA / "bond_angles_3600K.csv",
            "whose": "aimd",
            "cutoffs": {"Si-O": 2.2},
        }
    ],
    "total_scattering": [{"radiation": "xray", "file": CURVES / "sq.csv"}],
    "total_rdf": [{"radiation": "neutron", "file": CURVES / "gr.csv", "quantity": "g"}],
    "crystal": [{"file": SILICA / "alpha_quartz.cif"}],
    "frames": [{"file": SILICA / "labelled.extxyz"}],
}
"""A table for every term of the registry."""

BLOCKS = 5


@pytest.fixture(scope="module")
def setting(problem):
    return Setting(problem.potential, problem.system, problem.protocol)


@pytest.fixture(scope="module")
def frames(problem, terms):
    """Frames of a gas of made-up density."""
    rng = np.random.default_rng(1)
    histogram = Histogram.onto(problem.target.reference.r, problem.potential.outer_cutoff).refined()
    atoms = {"Si": 102, "O": 204}
    shells = histogram.centres**2 * (1 + 0.3 * rng.standard_normal((20, 3, 1)))
    counts = rng.poisson(0.02 * np.abs(shells)).astype(np.uint16)
    volume = 306 / 0.066 * (1 + 0.02 * rng.standard_normal(20))
    composition = Composition.of([name for name, n in atoms.items() for _ in range(n)])
    cells = np.eye(3) * np.cbrt(volume)[:, None, None]
    places = np.cbrt(volume)[:, None, None] * rng.random((20, 306, 3))
    measured = {
        term.name: np.array(
            [term.measure(composition, *frame) for frame in zip(places, cells, strict=True)]
        )
        for term in terms
        if term.measure is not None
    }
    return Frames(histogram, atoms, volume, counts, 1e4 * rng.standard_normal(20), measured)


def sample_of(frames, terms):
    """The sample that a run with these frames gives."""
    nothing = Estimate(0.0, 0.0)
    rdf = PartialRdf.from_blocks(frames.pairs, RDF_BINS(frames), frames.g(BLOCKS))
    observed = {term.name: block_means(term.observe(frames), BLOCKS) for term in terms}
    return Sample(rdf, nothing, nothing, nothing, nothing, 1, 0.0, 0.0, frames, None, observed)


def RDF_BINS(frames):
    edges = frames.histogram.edges()
    return (edges[1:] + edges[:-1]) / 2


@pytest.fixture(scope="module")
def terms(problem, setting):
    """Every term there is that needs a run, each where it can be."""
    npt = replace(setting, protocol=setting.protocol.at_pressure)
    built = [
        build_terms(TermTables.model_validate({name: table}), npt if name == "density" else setting)
        for name, table in EXAMPLES.items()
    ]
    others = tuple(term for terms in built for term in terms)
    return Target(problem.target.structure, others).ensemble


def test_every_term_has_a_table_and_an_example():
    assert set(TERMS) == set(TermTables.model_fields) == set(EXAMPLES)


def test_without_tables_nothing_is_wanted(setting):
    assert build_terms(TermTables(), setting) == ()


def test_shapes(terms, frames):
    for term in terms:
        K = term.wanted.size
        assert term.wanted.shape == term.scale.shape == (K,), term.name
        assert term.observe(frames).shape == term.per_frame(frames).shape == (len(frames), K)
        assert term.wanted_error is None or term.wanted_error.shape == (K,)
        assert np.all(term.scale >= 0)


def test_residuals_of_frames_and_of_blocks_have_one_mean(terms, frames):
    sample = sample_of(frames, terms)
    for term in terms:
        by_frame = term.per_frame(frames).mean(axis=0)
        assert term.per_block(sample).shape == (BLOCKS, term.wanted.size)
        assert term.per_block(sample).mean(axis=0) == pytest.approx(by_frame, abs=1e-12)
        squares = float(by_frame @ by_frame)
        assert term.deviation(sample).mean == pytest.approx(np.sqrt(squares))


def test_what_is_wanted_has_no_residual(terms, frames):
    for term in terms:
        if isinstance(term, ScalarTerm):
            reached = replace(term, wanted_value=float(term.observe(frames).mean()))
            assert reached.deviation(sample_of(frames, terms)).mean == pytest.approx(0, abs=1e-9)


def test_slopes_have_the_shape_of_their_residuals(terms, frames, problem):
    space = ParameterSpace(
        problem.potential, (Free("A_Si-O", 1e4, 3e4), Free("rho_Si-O", 0.1, 0.3))
    )
    for term in terms:
        slope = term.per_frame_slope(frames, space, np.array([0.4, 0.5]))
        assert slope is None or slope.shape == (len(frames), term.wanted.size, 2)


def test_terms_travel_to_the_worker_and_back(terms, frames):
    for term in terms:
        there = pickle.loads(pickle.dumps(term))
        assert there.name == term.name
        assert np.array_equal(there.per_frame(frames), term.per_frame(frames))


def test_columns_tell_what_is_wanted(terms):
    names = [term.column.name for term in terms]
    assert len(set(names)) == len(names)
    pressure = next(term.column for term in terms if term.name == "pressure")
    assert (pressure.unit, pressure.wanted * pressure.factor) == ("GPa", pytest.approx(0.2))
    assert pressure.words == "P: a deviation of 0.5 GPa counts as much as R = 1 %"


def test_a_sample_of_a_run_without_the_term_is_refused(terms, frames):
    sample = sample_of(frames, terms[1:2])
    with pytest.raises(InputError, match=r"must hold density, got only pressure"):
        terms[2].deviation(sample)


def test_two_terms_of_one_name_are_refused(problem, terms):
    with pytest.raises(InputError, match="want each thing once, got pressure twice"):
        Target(problem.target.structure, (terms[1], terms[1]))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"centre": "Na"}, r"centre must be one of Si, O, got 'Na'"),
        ({"neighbour": "si"}, r"neighbour must be one of Si, O, got 'si'"),
        ({"cutoff": 8.5}, r"at most the cutoff of the potential \(8 Å\), got 8.5 Å"),
    ],
)
def test_a_coordination_that_cannot_be_is_refused(setting, change, match):
    tables = {"coordination": [EXAMPLES["coordination"][0] | change]}
    with pytest.raises(InputError, match=match):
        build_terms(TermTables.model_validate(tables), setting)


@pytest.mark.parametrize(
    ("ensemble", "tables", "match"),
    [
        (
            "nvt",
            {"density": {"value": 2.2}},
            r'needs a box that may change: write ensemble = "npt"',
        ),
        (
            "npt",
            {"pressure": {"value": 0.0}},
            r"what the barostat sets: fit to a \[density\] there",
        ),
    ],
)
def test_what_the_ensemble_holds_is_no_term(setting, ensemble, tables, match):
    there = replace(setting, protocol=replace(setting.protocol, ensemble=ensemble))
    with pytest.raises(InputError, match=match):
        build_terms(TermTables.model_validate(tables), there)


def test_a_deviation_of_one_per_cent_of_the_density_counts_as_one_of_r(terms):
    density = next(term for term in terms if term.name == "density")
    assert density.per_percent == pytest.approx(0.022)
    assert density.column.words.startswith("density: a deviation of 0.022 g/cm³ counts")


@dataclass(frozen=True)
class Counted(ScalarTerm):
    """Neighbours counted on the positions of each frame, by another route."""

    centre: str = "Si"
    neighbour: str = "O"
    cutoff: float = 2.2
    name = "counted"
    label = "counted"

    def measure(self, composition, positions, cell):
        bonds = bonds_within(positions, cell, self.cutoff)
        kinds = np.array(composition.species)[composition.kinds]
        mine = (kinds[bonds.centre] == self.centre) & (kinds[bonds.neighbour] == self.neighbour)
        return np.array([mine.sum() / np.sum(kinds == self.centre)])

    def observe(self, frames):
        return frames.measured[self.name]


@pytest.mark.lammps
@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize(("centre", "neighbour"), [("Si", "O"), ("O", "Si"), ("O", "O")])
def test_coordination_is_what_counting_neighbours_gives(
    problem, structure, centre, neighbour, keep, tmp_path
):
    cutoff = 3.0 if centre == neighbour else 2.2
    both = (
        Coordination(4.0, 0.02, centre, neighbour, cutoff),
        Counted(4.0, 0.02, centre, neighbour, cutoff),
    )
    target = Target(problem.target.structure, both)
    task = Evaluate(problem.potential, problem.protocol, structure, 5, target, keep=keep)
    found = run_in_child(task, 60.0)
    by_histogram, by_position = (found.terms[term.name].value for term in both)
    # a bin of 1.6e-3 Å at the cutoff holds few pairs
    assert by_histogram.mean == pytest.approx(by_position.mean, abs=2e-3)
    assert by_histogram.mean > 1
    save_sample(tmp_path / "s.npz", found.sample)
    loaded = load_sample(tmp_path / "s.npz")
    again = target.evaluation(loaded)
    assert again.objective == found.objective
    if keep:
        frames = loaded.frames
        mean = [float(term.observe(frames).mean()) for term in both]
        assert mean == pytest.approx([by_histogram.mean, by_position.mean])
    twice = target.evaluation(pool([loaded, loaded]))
    assert twice.objective.mean == pytest.approx(found.objective.mean)
    assert len(twice.sample.observed["counted"]) == 2 * len(loaded.observed["counted"])


@dataclass(frozen=True)
class Broken(ScalarTerm):
    """A term whose Python is wrong in one way or another."""

    values: object = None
    name = "broken"
    label = "broken"

    def measure(self, composition, positions, cell):
        if self.values is None:
            return composition.kind
        return self.values

    def observe(self, frames):
        return frames.measured[self.name]


class Flat(Broken):
    """One that forgets the second axis."""

    def observe(self, frames):
        return frames.measured[self.name][:, 0]


def run_with(problem, structure, term):
    target = Target(problem.target.structure, (term,))
    task = Evaluate(problem.potential, problem.protocol, structure, 5, target)
    return run_in_child(task, 60.0)


@pytest.mark.lammps
@pytest.mark.parametrize(
    ("term", "match"),
    [
        (Broken(1.0, 0.1), r"the term broken failed: AttributeError: .*'kind' \(.*test_terms.py:"),
        (Broken(1.0, 0.1, 3.0), r"the term broken must give .* \(K,\) from measure, got \(\)"),
        (Flat(1.0, 0.1, [3.0]), r"\(n_frames, K\) from observe with 20 frames, got \(20,\)"),
        (Broken(1.0, 0.1, [np.nan]), "not a number: in broken"),
    ],
)
def test_a_mistake_in_a_term_names_the_term(problem, structure, term, match):
    with pytest.raises(RunError, match=match):
        run_with(problem, structure, term)


def test_a_table_where_an_array_of_tables_belongs_is_told(job_file, tmp_path):
    text = job_file.read_text() + '[coordination]\ncentre = "Si"\n'
    (tmp_path / "job.toml").write_text(text)
    with pytest.raises(InputError, match=r"must be an array of tables: write \[\[coordination\]\]"):
        read_job(tmp_path / "job.toml")


def test_g_of_r_finds_its_bins_in_a_longer_table(problem, frames):
    structure = problem.target.structure
    shorter = PairDistribution(structure.reference.select(1.0, 4.0), structure.weights)
    sample = sample_of(frames, ())
    assert shorter.deviation(sample).mean == pytest.approx(
        np.sqrt(np.sum(shorter.per_block(sample).mean(axis=0) ** 2))
    )

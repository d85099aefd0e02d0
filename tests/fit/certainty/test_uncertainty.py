"""Errors of fitted parameters: against what is known exactly, and from a run folder."""

import json
import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from lammpsfit.config import Job, read_job
from lammpsfit.errors import InputError
from lammpsfit.farm.journal import JournalWriter
from lammpsfit.farm.local import LocalFarm
from lammpsfit.fit.base import Ask
from lammpsfit.fit.certainty.nonlinear import NonlinearModel, NonlinearResiduals
from lammpsfit.fit.certainty.uncertainty import RISE, SEEN, ensemble, uncertainty
from lammpsfit.fit.certainty.words import describe, sentences
from lammpsfit.fit.domain import Domain
from lammpsfit.fit.newton.local_model import Fluctuations, LocalModel
from lammpsfit.fit.run.ensemble import members, uncertainty_of
from lammpsfit.fit.run.loop import run_fit
from lammpsfit.fit.run.open_fit import Silent, open_fit
from lammpsfit.fit.run.records import evaluation_record
from lammpsfit.fit.run.result import finished
from lammpsfit.fit.run.run_folder import create_run, open_run
from lammpsfit.forcefield import Free
from lammpsfit.md.frames import Frames
from lammpsfit.md.histogram import Histogram
from lammpsfit.md.sample import Sample
from lammpsfit.md.sample_file import save_sample
from lammpsfit.reference import Reference
from lammpsfit.reference.errors import reference_errors
from lammpsfit.structure.blocks import Estimate
from lammpsfit.structure.fluctuations import Response
from lammpsfit.structure.rdf import PartialRdf
from lammpsfit.target import MAIN

K, BLOCKS, REPETITIONS = 30, 40, 400
DESIGN = np.random.default_rng(5).standard_normal((K, 3)) * [1.0, 0.5, 0.2]
"""Jacobian of the toy in ln θ."""

MISFIT = np.random.default_rng(6).standard_normal(K)
MISFIT -= DESIGN @ np.linalg.lstsq(DESIGN, MISFIT, rcond=None)[0]
MISFIT *= 0.5 / np.linalg.norm(MISFIT)
"""Residuals at the minimum, which no parameters make smaller."""

SIGMA = 0.005
"""Standard deviation of the mean of each residual."""


def free(n=3, width=9.0):
    """Parameters whose logarithm spans `width`."""
    return tuple(Free(name, 1.0, math.exp(width)) for name in "ABCDEFGHIJ"[:n])


def without_one(values):
    return (values.sum(axis=0) - values) / (len(values) - 1)


def toy(rng, design=DESIGN, y=MISFIT, sigma=SIGMA, slope_sigma=0.0, width=9.0):
    """The model of a linear problem whose blocks scatter so much that the means have `sigma`.

    `design` and its `slope_sigma` are in ln θ, whose bounds are `width` apart.
    """
    spread = math.sqrt(BLOCKS)
    ys = y + sigma * spread * rng.standard_normal((BLOCKS, len(y)))
    Js = design + slope_sigma * spread * rng.standard_normal((BLOCKS, *design.shape))
    Js *= width
    d = design.shape[1]
    response = Response.of(
        ys.mean(axis=0), Js.mean(axis=0), np.eye(d), without_one(ys), without_one(Js)
    )
    return LocalModel(response, 100.0)


def middle(d=3):
    return np.full(d, 0.5)


def coverage(make, **options):
    """Offsets of the minimum found from the true one, and the errors claimed."""
    found = [uncertainty(make(k), middle(), free(), **options) for k in range(REPETITIONS)]
    return np.array([f.offset for f in found]), np.array([f.errors for f in found])


def check_coverage(offsets, errors):
    """Within two standard errors are 95 % (of a normal distribution, which this nearly is)."""
    inside = np.mean(np.abs(offsets) < 2 * errors, axis=0)
    assert np.all(inside > 0.91)
    assert np.all(inside < 0.985)


def test_the_covariance_is_that_of_least_squares_where_it_is_exact():
    exact = SIGMA**2 * np.linalg.inv(DESIGN.T @ DESIGN)
    found = [
        uncertainty(toy(np.random.default_rng([1, k])), middle(), free()).covariance
        for k in range(REPETITIONS)
    ]
    scale = np.sqrt(np.diag(exact))
    assert np.mean(found, axis=0) / np.outer(scale, scale) == pytest.approx(
        exact / np.outer(scale, scale), abs=0.05
    )


def test_errors_cover_the_true_minimum_far_from_a_perfect_fit():
    assert np.linalg.norm(MISFIT) > 10 * SIGMA
    check_coverage(*coverage(lambda k: toy(np.random.default_rng([2, k]))))


def test_errors_cover_where_the_noise_of_the_derivatives_meets_the_misfit():
    def make(k):
        return toy(np.random.default_rng([3, k]), sigma=1e-5, slope_sigma=0.02)

    offsets, errors = coverage(make)
    check_coverage(offsets, errors)
    fixed = 1e-5 * np.sqrt(np.diag(np.linalg.inv(DESIGN.T @ DESIGN)))
    assert np.all(errors.mean(axis=0) > 30 * fixed)


def test_the_noise_of_the_reference_counts():
    noise = SIGMA * np.linspace(1.0, 3.0, K)

    def make(k):
        rng = np.random.default_rng([4, k])
        return toy(rng, y=MISFIT - noise * rng.standard_normal(K), sigma=SIGMA / 5)

    check_coverage(*coverage(make, reference_error=noise))


def test_variance_from_run_to_run_widens_the_errors():
    model = toy(np.random.default_rng(7))
    one = uncertainty(model, middle(), free())
    nine = uncertainty(model, middle(), free(), run_factor=9.0)
    assert nine.errors == pytest.approx(3 * one.errors)


def test_coordinates_of_the_cube_do_not_matter():
    narrow, wide = (
        uncertainty(toy(np.random.default_rng(8), width=w), middle(), free(width=w)) for w in (1, 9)
    )
    assert all(direction.resolved for direction in narrow.directions)
    assert wide.covariance == pytest.approx(narrow.covariance)
    assert wide.reach == pytest.approx(narrow.reach)


def test_a_reach_raises_the_cost_by_what_it_says():
    found = uncertainty(toy(np.random.default_rng(9), sigma=1e-9), middle(), free())
    R = np.linalg.norm(MISFIT)
    assert found.cost == pytest.approx(R)
    assert found.rise == pytest.approx(RISE * R)
    for direction in found.directions:
        s = direction.reach * direction.loadings
        assert np.linalg.norm(MISFIT + DESIGN @ s) == pytest.approx(R + found.rise)
        assert found.predicted(middle() + s / 9.0) == pytest.approx(R + found.rise)
    inverse = np.linalg.inv(DESIGN.T @ DESIGN)
    rise2 = (R + found.rise) ** 2 - R**2
    assert found.reach == pytest.approx(np.sqrt(rise2 * np.diag(inverse)))


def test_directions_run_from_stiff_to_soft():
    found = uncertainty(toy(np.random.default_rng(10)), middle(), free())
    curvatures = [direction.curvature for direction in found.directions]
    assert curvatures == sorted(curvatures, reverse=True)
    for direction in found.directions:
        assert np.linalg.norm(direction.loadings) == pytest.approx(1.0)
        assert direction.loadings[np.argmax(np.abs(direction.loadings))] > 0


@pytest.mark.parametrize("slope_sigma", [0.0, 0.02])
def test_two_parameters_that_act_as_one_are_known_as_a_product(slope_sigma):
    design = DESIGN[:, [0, 0]]
    unresolved = 0
    for k in range(50):
        rng = np.random.default_rng([11, k])
        model = toy(rng, design, slope_sigma=slope_sigma, width=1.0)
        found = uncertainty(model, middle(2), free(2, width=1.0))
        stiff, soft = found.directions
        assert stiff.resolved
        assert stiff.loadings == pytest.approx([math.sqrt(0.5)] * 2, abs=0.05)
        unresolved += not soft.resolved
        if not soft.resolved:
            assert np.isnan([*found.errors, *found.reach, soft.error, soft.reach]).all()
    assert unresolved >= 48
    assert stiff.error < 0.05
    known, loose = sentences(found)
    assert known.startswith(("A^0.7", "B^0.7"))
    assert " · " in known
    assert loose.startswith("A^")
    assert loose.endswith(": not resolved by these runs")


def with_an_unresolved_direction(seed, width):
    """The toy whose third parameter does nothing, within bounds of this width."""
    model = toy(np.random.default_rng(seed), DESIGN * [1.0, 1.0, 0.0], width=width)
    return uncertainty(model, middle(), free(width=width))


def test_what_the_runs_do_not_resolve_has_no_number():
    found = with_an_unresolved_direction(12, width=0.8)
    assert [direction.resolved for direction in found.directions] == [True, True, False]
    assert found.resolved.tolist() == [True, True, False]
    assert np.isnan([found.errors[2], found.reach[2], found.directions[2].error]).all()
    assert np.isnan(found.correlation[2]).all()
    assert np.all(np.isfinite([*found.errors[:2], *found.reach[:2]]))
    assert found.offset[2] == 0.0
    assert sentences(found)[2] == "C: not resolved by these runs"


def test_no_number_depends_on_the_bounds():
    """Bounds are a prior: what is said of a fit is the same within bounds five times as wide."""
    narrow, wide = (with_an_unresolved_direction(12, width) for width in (0.8, 4.0))
    assert sentences(narrow) == sentences(wide)
    for name in ("errors", "reach", "covariance", "offset"):
        ours, theirs = getattr(narrow, name), getattr(wide, name)
        assert ours == pytest.approx(theirs, nan_ok=True), name


def test_an_ensemble_holds_what_is_not_resolved():
    found = with_an_unresolved_direction(16, width=0.8)
    points, _ = ensemble(found, 50, Domain(3), 1)
    assert points[:, 2] == pytest.approx(found.x[2])
    assert np.all(points[:, :2].std(axis=0) > 0)


def test_an_error_beyond_the_bounds_resolves_nothing():
    found = uncertainty(toy(np.random.default_rng(13), width=1e-3), middle(), free(width=1e-3))
    assert len(ensemble(found, 5, Domain(3), 1)[0]) == 0
    assert [direction.resolved for direction in found.directions] == [False] * 3
    assert np.isnan(found.errors).all()


def test_a_reach_beyond_what_the_frames_have_seen_is_no_number():
    model = toy(np.random.default_rng(9), sigma=1e-9)
    near = uncertainty(model, middle(), free())
    metric = 1e8 * model.response.metric
    steep = replace(model, response=replace(model.response, fluctuation=lambda: metric))
    far = uncertainty(steep, middle(), free())
    assert all(direction.resolved for direction in far.directions)
    assert np.isfinite(near.reach).all()
    assert np.isnan(far.reach).all()
    assert far.errors == pytest.approx(near.errors)
    assert "these runs do not resolve" in sentences(far)[-1]


def test_bounds_of_one_sign_make_changes_relative_and_others_do_not():
    parameters = (
        Free("q", -2.0, -1.0, log=False),
        Free("D", -3.0, 3.0, log=False),
        Free("A", 1.0, 2.0),
    )
    x = np.array([0.25, 0.5, 0.999999])
    found = uncertainty(toy(np.random.default_rng(14)), x, parameters)
    assert found.relative == (True, False, True)
    assert found.scale == pytest.approx([1.0 / -1.75, 1.0, math.log(2.0)])
    assert found.at_bound == ("A",)


def test_an_ensemble_is_spread_as_its_covariance_says():
    found = uncertainty(toy(np.random.default_rng(15)), middle(), free())
    points, costs = ensemble(found, 4000, Domain(3), 1)
    scaled = (points - found.x) * found.scale
    scale = np.outer(found.errors, found.errors)
    assert np.cov(scaled.T) / scale == pytest.approx(found.covariance / scale, abs=0.08)
    assert costs[7] == pytest.approx(found.predicted(points[7]))


def test_an_ensemble_keeps_to_what_is_allowed_and_repeats():
    found = uncertainty(toy(np.random.default_rng(16), width=0.8), middle(), free(width=0.8))
    assert found.resolved.all()
    domain = Domain(3, lambda points: points[:, 2] - 0.5)
    points, costs = ensemble(found, 50, domain, (3, 2))
    assert points.shape == (50, 3)
    assert domain.allowed(points).all()
    assert points[:, 2].std() > 0.3 * found.errors[2] / 0.8
    fewer, fewer_costs = ensemble(found, 20, domain, (3, 2))
    assert np.array_equal(fewer, points[:20])
    assert np.array_equal(fewer_costs, costs[:20])
    assert not np.array_equal(ensemble(found, 20, domain, (4, 2))[0], fewer)


def test_an_ensemble_with_no_room_is_empty():
    found = uncertainty(toy(np.random.default_rng(17)), middle(), free())
    points, costs = ensemble(found, 3, Domain(3, lambda points: -np.ones(len(points))), 1)
    assert points.shape == (0, 3)
    assert costs.shape == (0,)


def direction_of(loadings, error=0.004, reach=0.01, resolved=True):
    loadings = np.array(loadings) / np.linalg.norm(loadings)
    return SimpleNamespace(
        loadings=loadings, error=error, reach=reach, resolved=resolved, curvature=1.0
    )


@pytest.mark.parametrize(
    ("direction", "words"),
    [
        (direction_of([1.0, 0.05, 0.0]), "q alone: ± 0.40 %"),
        (direction_of([0.0, 0.24, 0.97]), "A^0.24 · rho^0.97: ± 0.40 %"),
        (
            direction_of([0.0, 0.97, -0.24], reach=0.3),
            "A and rho are determined only in combination: A +34 % with rho -7 %, or the reverse, "
            "raises R by 0.10 points at most",
        ),
        (
            direction_of([0.0, 1.0, 0.1], reach=0.7),
            "A matters little: A × 2, or the reverse, raises R by 0.10 points at most",
        ),
        (
            direction_of([0.0, 0.0, 1.0], resolved=False),
            "rho: not resolved by these runs",
        ),
    ],
)
def test_words(direction, words):
    assert describe(direction, ["q", "A", "rho"], [True] * 3, 0.001) == words


def test_words_say_where_an_error_holds_for_fixed_other_parameters_only():
    direction = direction_of([0.99, 0.141])
    covariance = np.diag([0.2**2, 1.0])
    words = describe(direction, ["q", "A"], [True, True], 0.001, covariance)
    assert words == "q: ± 0.40 %, all else held"


def test_words_for_a_parameter_that_may_be_zero():
    direction = direction_of([0.6, 0.8])
    words = describe(direction, ["D", "A"], [False, True], 0.001)
    assert words == "0.60 D +0.80 ln A: ± 0.40 %"


R = np.arange(0.05, 6.0, 0.1)
RDF = PartialRdf(("Si-O", "O-O"), R, np.ones((2, R.size)))


def test_errors_of_the_reference_come_from_its_table_and_from_the_job():
    reference = Reference(RDF, {"Si-O": np.arange(R.size) / 100})
    onto = RDF.select(1.0, 5.0)
    assert reference_errors(Reference(RDF), {}, onto) is None
    table = reference_errors(reference, {}, onto)
    assert table[0] == pytest.approx(np.arange(10, 50) / 100)
    assert not table[1].any()
    both = reference_errors(reference, {"O-Si": 0.3, "O-O": 0.2}, onto)
    assert np.all(both == [[0.3], [0.2]])


@pytest.mark.parametrize(
    ("given", "match"),
    [({"Si-Si": 0.1}, "no pair of the reference"), ({"O-O": 0.0}, "must be positive")],
)
def test_errors_of_the_reference_must_make_sense(given, match):
    with pytest.raises(InputError, match=match):
        reference_errors(Reference(RDF), given, RDF)


FRAMES = 400
"""Frames of each made-up run: enough to resolve both parameters."""


def frames_of(problem, rng):
    """Frames of a gas whose density varies from shell to shell and from frame to frame."""
    histogram = Histogram.onto(problem.target.reference.r, problem.potential.outer_cutoff).refined()
    r = histogram.centres
    atoms, volume = {"Si": 102, "O": 204}, 306 / 0.066
    pairs = Frames(histogram, atoms, volume, np.zeros((1, 3, 1)), np.zeros(1)).pairs
    counts = np.zeros((FRAMES, 3, histogram.size), dtype=np.uint16)
    for k, pair in enumerate(pairs):
        a, b = pair.split("-")
        number = atoms[a] * (atoms[b] - 1) / 2 if a == b else atoms[a] * atoms[b]
        ideal = number * 4 * np.pi * r**2 * histogram.dr / volume
        wave = 1 + 0.3 * rng.standard_normal((FRAMES, 1)) * np.sin(3 * r) / r
        counts[:, k] = rng.poisson(np.where(r > {"Si-O": 1.5}.get(pair, 2.3), ideal * wave, 0.0))
    return Frames(histogram, atoms, volume, counts, np.zeros(FRAMES))


def sample_of(problem, rng):
    frames = frames_of(problem, rng)
    estimate = Estimate(1.0, 0.1)
    rdf = PartialRdf.from_blocks(frames.pairs, problem.target.reference.r, frames.g(20))
    return Sample(rdf, *[estimate] * 4, 1, 1.0, 1.0, frames=frames, configuration="")


def changed(job_file, ensemble, evaluations=None, error=None):
    """The job of the tests, with a search that keeps frames and nothing to compare with."""
    content = read_job(job_file).model_dump()
    content["strategy"] |= {"name": "gauss-newton", "spread": 0.003}
    content["limits"]["evaluations"] = evaluations
    content["confirm"] |= {"ensemble": ensemble, "compare": ()}
    content["reference"]["error"] = error or {}
    return Job.model_validate(content)


@pytest.fixture
def fit(tmp_path, job_file):
    """A fit whose three runs were made up: two kept their frames, one did not."""
    error = {"Si-O": 0.012}
    folder = create_run(tmp_path / "run", changed(job_file, ensemble=2, error=error))
    opened = open_fit(*open_run(folder.path))
    start = opened.space.unit(opened.problem.potential)
    with JournalWriter(folder.journal) as journal:
        for k, keep in enumerate((True, True, False)):
            sample = sample_of(opened.problem, np.random.default_rng([20, k]))
            save_sample(folder.sample(f"{k:06d}"), sample)
            ask = Ask(k, start + 1e-4 * k, "descent", keep=keep)
            result = opened.problem.target.evaluation(sample)
            journal.append(
                evaluation_record(ask, opened.space.values(ask.x), k, result, 1.0) | {"wall": 1.0}
            )
    return open_fit(*open_run(folder.path))


def test_a_run_folder_tells_the_uncertainty_of_its_points(fit):
    found = uncertainty_of(fit, 0)
    assert found.names == ("q_Si", "A_Si-O")
    assert np.all(found.errors > 0)
    assert found.resolved.all()
    assert found.run_factor > 1
    assert np.array_equal(uncertainty_of(fit, 0).covariance, found.covariance)


def test_runs_near_a_point_are_pooled(fit):
    pooled = uncertainty_of(fit, 0)
    alone = uncertainty_of(replace(fit, records=fit.records[:1]), 0)
    assert not np.array_equal(pooled.covariance, alone.covariance)


@pytest.fixture
def valley(fit):
    """The valley of the made-up fit, and its uncertainty."""
    found = uncertainty_of(fit, 0)
    target, temperature = fit.problem.target, fit.problem.protocol.temperature
    run = fit.told(fit.records[0])[1].run[MAIN]
    model = Fluctuations(fit.space, target, temperature)([(found.x, run)], found.x)
    runs = [(found.x, run.frames)]
    domain = Domain(2)
    bend = NonlinearResiduals(fit.space, target, temperature, runs)
    return found, NonlinearModel(found, model.response, [(1.0, bend)], domain)


def test_a_valley_begins_at_the_fitted_point(valley):
    found, bent = valley
    at, cost = bent.follow(found.x)
    assert np.array_equal(at, found.x)
    assert cost == pytest.approx(found.cost)


def test_a_valley_bends_with_the_square_of_the_distance(valley):
    found, bent = valley
    s = np.array([0.001, -0.002])
    near, distance = bent._bend(found.x + s)
    far, twice = bent._bend(found.x + 2 * s)
    assert np.linalg.norm(near) > 0
    assert np.linalg.norm(far) == pytest.approx(4 * np.linalg.norm(near), rel=0.2)
    assert twice == pytest.approx(2 * distance, rel=0.1)


def test_a_point_of_the_valley_is_within_the_errors_and_the_reach_of_the_frames(valley):
    found, bent = valley
    for seed in range(5):
        rng = np.random.default_rng([30, seed])
        # gas pushed together by a potential for silica: its energies reach a short way only
        drawn = found.x + 0.02 * found.errors * rng.standard_normal(2) / found.scale
        member = bent.follow(drawn)
        assert member is not None
        assert np.all((member[0] >= 0) & (member[0] <= 1))
        assert bent._bend(member[0])[1] <= SEEN


def test_what_kept_no_frames_or_lost_them_has_no_uncertainty(fit):
    assert uncertainty_of(fit, 2) is None
    fit.folder.sample("000001").unlink()
    assert uncertainty_of(fit, 1) is None
    assert uncertainty_of(fit, 0) is not None


def test_a_finished_fit_lists_its_uncertainty(fit):
    evaluation = fit.problem.target.evaluation(fit.told(fit.records[0])[1].run[MAIN])
    labels = list(members(fit, 0))
    assert len(labels) == 2
    ensemble_runs = {labels[0]: evaluation}
    finished(fit, {"fit-0": fit.potential(fit.records[0])}, {"fit-0": evaluation}, ensemble_runs)
    block = json.loads(fit.folder.result.read_text())["uncertainty"]
    assert set(block["errors"]) == {"q_Si", "A_Si-O"}
    assert len(block["directions"]) == 2
    assert 2 <= len(block["ensemble"]) <= 8
    assert all(0 < member["predicted"] < 10 for member in block["ensemble"])
    assert block["ensemble"][0]["measured"] == pytest.approx(evaluation.objective.mean)
    assert "measured" not in block["ensemble"][1]
    second = members(fit, 0)[labels[1]]
    assert block["ensemble"][1]["parameters"] == pytest.approx(
        fit.space.values(fit.space.unit(second))
    )


class Labels(Silent):
    """A monitor that keeps the labels it sees."""

    def __init__(self):
        self.labels = []

    def finished(self, record):
        self.labels.append(record.get("label"))


@pytest.mark.lammps
def test_members_of_the_ensemble_are_run_once(tmp_path, job_file, structure):
    job = changed(job_file, ensemble=1, evaluations=2)
    longer = job.protocol.model_copy(update={"sample": 2.0, "blocks": 10})
    folder = create_run(tmp_path / "run", job.model_copy(update={"protocol": longer}))
    results, seen = [], []
    for _ in range(2):
        monitor = Labels()
        fit = open_fit(*open_run(folder.path))
        result = run_fit(fit, LocalFarm(1), monitor, lambda: None)
        results.append(result.summary["uncertainty"])
        seen.append([label for label in monitor.labels if label])
    assert results[0] == results[1]
    assert [label.split("-")[0] for label in seen[0]] == ["fit", "fit", "member", "member"]
    assert seen[1] == []
    member = results[0]["ensemble"][0]
    assert 0 < member["predicted"] < 1
    assert 0 < member["measured"] < 1

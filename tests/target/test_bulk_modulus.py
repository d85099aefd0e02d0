"""A bulk modulus between two conditions: its value, residual, derivatives, and what is refused."""

import math
from dataclasses import replace

import numpy as np
import pytest

from lammpsfit.config import BulkModulusTable, Job, read_job
from lammpsfit.errors import InputError
from lammpsfit.fit.newton.local_model import LocalModel, Several
from lammpsfit.fit.run.build import build_conditions
from lammpsfit.forcefield import load_potential
from lammpsfit.md.protocol import Protocol
from lammpsfit.md.sample import Sample
from lammpsfit.md.system import System
from lammpsfit.structure.blocks import Estimate
from lammpsfit.structure.fluctuations import linear_response, stacked
from lammpsfit.structure.rdf import PartialRdf
from lammpsfit.target import Setting, Target, together
from lammpsfit.target.bulk_modulus import build
from lammpsfit.target.terms.pressure import Pressure

BAR = 1e4
"""Bar in a GPa."""
SIO2 = System("SiO2", 306, 2.2)


def setting(density=2.2, pressure=None, temperature=3600.0, formula="SiO2", atoms=306):
    barostat = {} if pressure is None else {"ensemble": "npt", "pressure": pressure}
    protocol = Protocol(temperature=temperature, relax=0.1, sample=0.4, blocks=4, **barostat)
    return Setting(load_potential("BKS"), System(formula, atoms, density), protocol)


BOXES = {"main": setting(2.2), "dense": setting(2.4)}
BAROSTATS = {"main": setting(pressure=0.0), "dense": setting(pressure=2e4)}


def term(settings=BOXES, names=("main", "dense"), gpa=20.0, enough=None):
    table = BulkModulusTable(conditions=names, value_gpa=gpa, per_percent_gpa=enough)
    (made,) = build([table], settings)
    return made


def averages(made, K):
    """Return pressures or densities that have this modulus, in bar."""
    if made.at_pressures:
        return np.array([2.2, 2.2 * math.exp(2e4 / K)])
    return np.array([-3e3, -3e3 + K * math.log(2.4 / 2.2)])


@pytest.mark.parametrize("settings", [BOXES, BAROSTATS])
def test_the_value_is_that_of_the_equation_of_state(settings):
    made = term(settings)
    assert made.value(averages(made, 15.0 * BAR)) == pytest.approx(15.0 * BAR)
    assert made.residual(averages(made, 20.0 * BAR)) == pytest.approx(0.0, abs=1e-12)
    # 5 % of 20 GPa counts as R = 1 %; what is kept and averaged may be named in either order
    near = averages(made, 20.1 * BAR)
    assert made.residual(near) == pytest.approx(0.01 * 0.1 / 1.0, rel=0.006)
    swapped = term(settings, ("dense", "main"))
    assert swapped.value(near[::-1]) == pytest.approx(20.1 * BAR)
    assert swapped.residual(near[::-1]) == pytest.approx(float(made.residual(near)))
    assert term(settings, enough=0.5).residual(near) == pytest.approx(
        2 * float(made.residual(near))
    )


def test_an_ideal_gas_has_its_pressure_as_modulus():
    made = term({"main": setting(0.1), "dense": setting(0.1 * 1.001)})
    n_kT = 500.0
    x = n_kT * np.array([1.0, 1.001])
    assert made.value(x) == pytest.approx(n_kT, rel=1e-3)


def test_where_densities_meet_the_residual_stays_finite():
    made = term(BAROSTATS)
    assert made.residual(np.array([2.2, 2.2])) == pytest.approx(0.01 * 20.0 / 1.0)
    assert made.value(np.array([2.2, 2.2])) == np.inf


@pytest.mark.parametrize("settings", [BOXES, BAROSTATS])
@pytest.mark.parametrize("K", [12.0, 20.0, 45.0])
def test_slopes_are_those_of_differences(settings, K):
    made = term(settings)
    x = averages(made, K * BAR)
    for of, slope in (
        (made.value, made.value_slope(x)),
        (made.residual, made.residual_slope(x)),
    ):
        for k, h in enumerate(1e-5 * np.abs(x)):
            step = h * np.eye(2)[k]
            assert slope[k] == pytest.approx(float(of(x + step) - of(x - step)) / (2 * h), rel=1e-6)
    several = np.tile(x, (3, 1))
    assert made.residual(several).shape == (3,)
    assert made.residual_slope(several) == pytest.approx(np.tile(made.residual_slope(x), (3, 1)))


@pytest.fixture(params=["densities", "pressures"])
def fluctuating(request):
    """Frames of two conditions, whose energies and averages are functions of two parameters."""
    made = term(BOXES if request.param == "pressures" else BAROSTATS)
    x, rng = averages(made, 15.0 * BAR), np.random.default_rng(4)
    beta, frames = 3.0, {}
    for name, mean, spread in zip(made.conditions, x, 0.02 * np.abs(x), strict=True):
        dU = rng.standard_normal((400, 2))
        A = mean + spread * (dU @ [0.7, -0.4] + 0.3 * rng.standard_normal(400))
        dA = 0.1 * spread * rng.standard_normal((400, 1, 2))
        frames[name] = A[:, None], dU, dA if request.param == "pressures" else None
    return made, beta, frames


def response(frames, beta, blocks=8):
    A, dU, dA = frames
    return linear_response(A, dU, beta, np.repeat(np.arange(blocks), 50), dA=dA)


def test_the_derivative_is_that_of_the_reweighted_residual(fluctuating):
    """Of the same frames, weighted anew at parameters a little off: exact but for rounding."""
    made, beta, frames = fluctuating

    def residual(s):
        x = []
        for A, dU, dA in frames.values():
            w = np.exp(-beta * dU @ s)
            moved = A[:, 0] if dA is None else A[:, 0] + dA[:, 0] @ s
            x.append(np.average(moved, weights=w))
        return float(made.residual(np.array(x)))

    found = made.response({name: response(one, beta) for name, one in frames.items()})
    assert found.mean == pytest.approx([residual(np.zeros(2))])
    for k in range(2):
        step = 1e-5 * np.eye(2)[k]
        slope = (residual(step) - residual(-step)) / 2e-5
        assert found.jacobian[0, k] == pytest.approx(slope, rel=1e-6)


def test_the_model_of_all_conditions_ends_with_it(fluctuating):
    made, beta, frames = fluctuating
    watched = [response(one, beta) for one in frames.values()]
    own = [one.rows(0, 0) for one in watched]  # nothing is wanted of either alone
    models = [LocalModel(o, 9.0, 1.0, w) for o, w in zip(own, watched, strict=True)]
    parts = {
        name: (0.0, lambda runs, x, model=model: model)
        for name, model in zip(made.conditions, models, strict=True)
    }
    runs = [(np.zeros(2), dict.fromkeys(made.conditions))]
    model = Several(parts, [made])(runs, np.zeros(2))
    expected = made.response(dict(zip(made.conditions, watched, strict=True)))
    assert model.response.mean == pytest.approx(expected.mean)
    assert model.response.jacobian == pytest.approx(expected.jacobian)
    assert model.response.metric == pytest.approx(stacked(own, [1.0, 1.0]).metric)
    # the error is that of the averages, propagated: they are of different runs
    errors = made.residual_slope(averages_of(watched)) * [float(w.mean_error[0]) for w in watched]
    assert model.response.mean_error == pytest.approx([math.hypot(*errors)], rel=0.02)


def averages_of(responses):
    return np.concatenate([one.mean for one in responses])


def sample_of(made, name, blocks):
    g = np.ones((len(blocks), 1, 4))
    rdf = PartialRdf.from_blocks(["Si-O"], np.arange(4) + 0.5, g)
    observed = {made.watched(name).name: np.c_[blocks], "pressure": np.c_[blocks]}
    return Sample(
        rdf, *[Estimate(0.0, 0.0)] * 4, atom_steps=1, md_seconds=0.0, wall_seconds=0.0,
        observed=observed,
    )  # fmt: skip


def test_its_square_adds_to_the_objective_of_all_conditions():
    made, rng = term(), np.random.default_rng(2)
    x = averages(made, 18.0 * BAR)
    samples = {
        name: sample_of(made, name, mean + 300.0 * rng.standard_normal(200))
        for name, mean in zip(made.conditions, x, strict=True)
    }
    wanted = Pressure(0.0, 5000.0)
    bins = np.arange(4) + 0.5
    targets = {
        "main": Target(None, (wanted,), bins, (made.watched("main"),)),
        "dense": Target(None, (), bins, (made.watched("dense"),)),
    }
    parts = {name: targets[name].evaluation(one) for name, one in samples.items()}
    assert parts["dense"].objective == Estimate(0.0, 0.0)
    weights = {"main": 1.0, "dense": 0.0}
    both = together(parts, weights, [made], targets)
    (found,) = both.joint.values()
    P = {name: float(np.mean(made.blocks(samples)[k])) for k, name in enumerate(made.conditions)}
    K = (P["dense"] - P["main"]) / math.log(2.4 / 2.2)
    y = 0.01 / (1.0 * BAR) * (K - 20.0 * BAR)
    square = (0.01 / 5000.0 * P["main"]) ** 2 + y**2
    assert found.value.mean == pytest.approx(K)
    assert found.value.error == pytest.approx(
        math.sqrt(2) * 300.0 / math.sqrt(200) / math.log(2.4 / 2.2), rel=0.15
    )
    assert found.deviation.mean == pytest.approx(abs(y))
    assert found.share == pytest.approx(y**2 / square)
    assert both.objective.mean == pytest.approx(math.sqrt(square))
    # the pressure of the main condition is in both of its terms
    slope = 2 * (0.01 / 5000.0) ** 2 * P["main"] - 2 * y * 0.01 / BAR / math.log(2.4 / 2.2)
    other = 2 * y * 0.01 / BAR / math.log(2.4 / 2.2)
    errors = [float(np.std(one, ddof=1)) / math.sqrt(200) for one in made.blocks(samples)]
    error = math.hypot(slope * errors[0], other * errors[1]) / (2 * math.sqrt(square))
    assert both.objective.error == pytest.approx(error, rel=0.02)


def test_a_run_without_it_is_refused():
    made = term()
    bare = replace(sample_of(made, "main", np.ones(4)), observed={})
    with pytest.raises(InputError, match="must hold mean pressure, got only g"):
        made.reached({"main": bare, "dense": bare})


@pytest.mark.parametrize(
    ("settings", "names", "message"),
    [
        (BOXES, ("main", "dens"), r"conditions must be two of main, dense, got 'dens'"),
        (BOXES, ("main", "main"), r"must be two different ones, got 'main' twice"),
        (BOXES | {"b": setting(2.2)}, ("main", "b"), r"needs two densities, got 2\.2 g/cm³ in"),
        (BAROSTATS | {"b": setting(2.4, 0.0)}, ("main", "b"), r"needs two pressures, got 0 bar"),
        (BOXES | {"b": setting(pressure=1e4)}, ("main", "b"), r"same ensemble in both, got nvt"),
        (
            BOXES | {"b": setting(2.4, temperature=300.0)},
            ("main", "b"),
            r"between main and b needs the same temperature in both, got 3600 K and 300 K",
        ),
        (
            BOXES | {"b": setting(2.4, formula="Si2O5", atoms=308)},
            ("main", "b"),
            r"same formula in both, got SiO2 and Si2O5",
        ),
    ],
)
def test_what_has_no_modulus_is_refused(settings, names, message):
    with pytest.raises(InputError, match=message):
        term(settings, names)


def test_the_same_two_are_asked_once():
    one = BulkModulusTable(conditions=("main", "dense"), value_gpa=20.0)
    two = BulkModulusTable(conditions=("dense", "main"), value_gpa=30.0)
    with pytest.raises(InputError, match="wanted once between main and dense, got it twice"):
        build([one, two], BOXES)


def test_sizes_may_differ():
    settings = BOXES | {"b": setting(2.4, atoms=648), "c": setting(2.4, formula="Si2O4")}
    assert term(settings, ("main", "b")).fixed == (2.2, 2.4)
    assert term(settings, ("main", "c")).fixed == (2.2, 2.4)


def several(job_file, **changes):
    content = read_job(job_file).model_dump()
    content["strategy"] = {"name": "gauss-newton"}
    content["also"] = [
        {"name": "free", "reference": False, "protocol": {"ensemble": "npt"}},
        {
            "name": "squeezed",
            "reference": False,
            "protocol": {"ensemble": "npt", "pressure": 2e4},
        },
    ]
    content["bulk_modulus"] = [{"conditions": ("free", "squeezed"), "value_gpa": 20.0}]
    return Job.model_validate(content | changes)


def test_a_condition_may_be_there_for_it_alone(job_file):
    conditions = build_conditions(several(job_file))
    assert conditions.shares == {"main": 1.0, "free": 0.0, "squeezed": 0.0}
    assert [term.name for term in conditions.joint] == ["bulk modulus free-squeezed"]
    watched = [[one.name for one in c.problem.target.watched] for c in conditions.every]
    assert watched == [[], ["mean density"], ["mean density"]]
    assert conditions.minimised == "objective"


def test_it_needs_another_condition(job_file):
    with pytest.raises(InputError, match=r"bulk_modulus needs two conditions: add another one"):
        build_conditions(several(job_file, also=[]))

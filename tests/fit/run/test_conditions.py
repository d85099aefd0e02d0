"""Several conditions at once: what is refused, what is joined, and whole fits with LAMMPS."""

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lammpsfit.child.failure import Failure, Reason, SimulationError
from lammpsfit.child.process import run_in_child
from lammpsfit.config import Job, read_job
from lammpsfit.errors import InputError
from lammpsfit.farm.base import Part
from lammpsfit.farm.journal import read_journal
from lammpsfit.farm.local import LocalFarm
from lammpsfit.farm.parts import PartsFarm
from lammpsfit.fit.base import Ask
from lammpsfit.fit.run.build import build_conditions, build_constraint, build_optimiser, build_space
from lammpsfit.fit.run.conditions import Conditions
from lammpsfit.fit.run.ensemble import uncertainty_of
from lammpsfit.fit.run.loop import run_fit
from lammpsfit.fit.run.open_fit import Silent, open_fit
from lammpsfit.fit.run.run_folder import create_run, open_run
from lammpsfit.fit.run.search import _task
from lammpsfit.forcefield.guard import collapse
from lammpsfit.report.results import levels, results_json, rows, under
from lammpsfit.structure.blocks import Estimate
from lammpsfit.target import MAIN, Evaluation, together
from lammpsfit.target.evaluate import Evaluate, EvaluateSeveral
from lammpsfit.units import BAR_PER_EV_PER_CUBIC_ANGSTROM, BOLTZMANN_CONSTANT

POTENTIALS = Path(__file__).parents[3] / "potentials"
COOLER = {"name": "2500K", "weight": 3.0, "protocol": {"temperature": 2500.0}}
SILICATE = {
    "name": "Na2Si2O5",
    "system": {"formula": "Na2Si2O5", "atoms": 630, "density": 2.4},
    "protocol": {"temperature": 2500.0},
}
TETER = {
    "potential": "Teter",
    "system": {
        "formula": "SiO2",
        "atoms": 600,
        "density": 2.2,
        "melt": {"melt": 0.1, "cool": 0.05, "relax": 0.05},
    },
    "parameters": {
        "q_Si": {"factor": 1.1},
        "q_Na": {"tied_to": "q_Si", "times": 0.25},
        "A_Na-O": {"factor": 1.2},
    },
    "strategy": {"name": "gauss-newton", "barrier": 10.0},
}


@pytest.fixture
def job_of(job_file, tmp_path):
    """Make the job of the tests with changes, its references being beside it."""

    def make(also=(), **changes):
        content = read_job(job_file).model_dump()
        content["strategy"] = {"name": "gauss-newton"}
        content["confirm"] = {"candidates": 1, "repeats": 1}
        for table, change in changes.items():
            merge = isinstance(change, dict) and table not in ("parameters", "pressure")
            content[table] = content[table] | change if merge else change
        return Job.model_validate(content | {"also": also})

    return make


@pytest.fixture
def silicate(tmp_path):
    """The condition of a silicate, whose reference is made up."""
    r = 0.05 * (np.arange(100) + 0.5)
    names = ("Na-Na", "Na-Si", "Na-O", "Si-Si", "Si-O", "O-O")
    g = {name: 1 - np.exp(-((r / (1.5 + 0.2 * k)) ** 8)) for k, name in enumerate(names)}
    path = tmp_path / "gr.csv"
    header = ",".join(["r_A", *(f"g_{name}" for name in names)])
    np.savetxt(path, np.column_stack([r, *g.values()]), header=header, delimiter=",", comments="")
    return SILICATE | {"reference": {"file": path, "r_max": 5.0}}


# What is asked for


def test_a_condition_is_the_job_but_for_what_it_says(job_of):
    job = job_of([COOLER], pressure={"value": 1.0})
    conditions = build_conditions(job)
    main, cooler = (one.problem for one in conditions.every)
    assert conditions.names == (MAIN, "2500K")
    assert conditions.shares == {MAIN: 0.25, "2500K": 0.75}
    assert cooler.protocol == replace(main.protocol, temperature=2500.0)
    assert cooler.melting.melt_temperature == 1.25 * 2500.0
    assert cooler.system == main.system
    assert [term.name for term in main.target.others] == ["pressure"]
    assert main.target.others[0].wanted_value == 1.0
    assert cooler.target.others == ()
    assert conditions.potential == main.potential
    assert conditions.temperature == 3600.0
    assert conditions.timeout == pytest.approx(2 * main.protocol.timeout(306))


def test_a_gas_without_structure_costs_the_same_as_a_sample_of_it(job_of):
    conditions = build_conditions(job_of([COOLER]))
    squares = []
    for one in conditions.every:
        g = one.problem.target.reference.g
        chi2 = ((g - 1) ** 2).sum(axis=1) / (g**2).sum(axis=1)
        squares.append(chi2.mean())
    expected = math.sqrt(0.25 * squares[0] + 0.75 * squares[1])
    assert conditions.structureless == pytest.approx(expected)


def test_the_job_alone_is_its_only_condition(job_of, tmp_path):
    job = job_of()
    conditions = build_conditions(job)
    assert conditions == Conditions.only(conditions.main)
    assert "also" not in job.dump()
    path = tmp_path / "start.data"
    task = conditions.task(conditions.potential, {MAIN: path}, 7, keep=True)
    main = conditions.main
    expected = Evaluate(main.potential, main.protocol, path, 7, main.target, keep=True)
    assert isinstance(task, Evaluate)
    assert replace(task, target=expected.target) == expected
    assert task.target is main.target


def test_each_condition_has_its_own_seed_and_potential(job_of, silicate, tmp_path):
    conditions = build_conditions(job_of([COOLER, silicate], **TETER))
    structures = {name: tmp_path / name for name in conditions.names}
    task = conditions.task(conditions.potential, structures, 7)
    assert list(task.parts) == [MAIN, "2500K", "Na2Si2O5"]
    assert task.parts[MAIN].seed == 7
    assert len({one.seed for one in task.parts.values()}) == 3
    assert task == conditions.task(conditions.potential, structures, 7)
    assert [one.structure for one in task.parts.values()] == list(structures.values())
    assert list(conditions.potential.species) == ["Na", "Si", "O"]
    species = [list(one.potential.species) for one in task.parts.values()]
    assert species == [["Si", "O"], ["Si", "O"], ["Na", "Si", "O"]]
    assert conditions.whole.name == "Na2Si2O5"


def test_all_species_are_fitted_and_neutral_everywhere(job_of, silicate):
    job = job_of([silicate], **TETER)
    conditions = build_conditions(job)
    space = build_space(job, conditions)
    assert space.names == ("q_Si", "A_Na-O")
    for u in np.random.default_rng(3).random((5, 2)):
        for one in conditions.every:
            space.potential(u).check_neutral(one.problem.system.composition)
    build_optimiser(job, conditions, space)


def test_charges_that_are_neutral_under_one_condition_only_are_refused(job_of, silicate):
    loose = {"q_Si": {"factor": 1.1}, "A_Si-O": {"factor": 1.2}}
    job = job_of([silicate], **(TETER | {"parameters": loose}))
    with pytest.raises(InputError, match=r"\[\[also\]\] Na2Si2O5: the charges .* add up to zero"):
        build_space(job, build_conditions(job))


def test_one_charge_may_follow_from_each_composition(job_of, silicate, tmp_path):
    """As the oxygen of SHIK: cations keep their charges, that of oxygen differs."""
    charges = {"balance": "O", "per_composition": True}
    free = {"q_Si": {"factor": 1.1}, "q_Na": {"factor": 1.1}}
    job = job_of([silicate], **(TETER | {"parameters": free}), charges=charges)
    conditions = build_conditions(job)
    space = build_space(job, conditions)
    structures = {name: tmp_path / name for name in conditions.names}
    task = conditions.task(space.potential([0.9, 0.2]), structures, 7)
    silica, silicate = (one.potential.parameters for one in task.parts.values())
    assert silica["q_Si"] == silicate["q_Si"]
    assert silica["q_O"] == pytest.approx(-silica["q_Si"] / 2)
    assert silicate["q_O"] == pytest.approx(-(2 * silica["q_Si"] + 2 * silicate["q_Na"]) / 5)
    points = np.array([[0.2, 0.7], [0.5, 0.5]])
    margins = build_constraint(job, conditions, space)(points)
    assert margins.shape == (2, 2 * len(conditions.potential.pair_names))
    build_optimiser(job, conditions, space)


def test_what_helps_with_two_compositions_is_said(job_of, silicate):
    job = job_of([silicate], **(TETER | {"parameters": {"q_Si": {"factor": 1.1}}}))
    with pytest.raises(InputError, match=r"\[charges\] per_composition = true"):
        build_space(job, build_conditions(job))


def test_the_start_is_balanced_before_it_is_checked(job_of, tmp_path):
    """Only the balancing charge is off: the job says what it is to be."""
    text = (POTENTIALS / "BKS.toml").read_text("utf-8").replace("charge = -1.2", "charge = -1.5")
    (tmp_path / "start.toml").write_text(text, encoding="utf-8")
    start = {"potential": str(tmp_path / "start.toml")}
    assert build_conditions(job_of(**start)).potential.parameters["q_O"] == pytest.approx(-1.2)
    with pytest.raises(InputError, match=r"the charges of Si1 O2 must add up to zero, got -0\.6 e"):
        build_conditions(job_of(**start, charges={"balance": None}))
    with pytest.raises(InputError, match="unknown species 'N' to balance charges"):
        build_conditions(job_of(**start, charges={"balance": "N"}))


@pytest.mark.parametrize("formula", ["SiO2", "O2Si"])
@pytest.mark.parametrize("name", ["A_Si-O", "A_O-Si"])
def test_a_parameter_is_the_same_whatever_the_order_of_its_pair(job_of, formula, name):
    job = job_of(system={"formula": formula}, parameters={name: {"factor": 1.2}})
    conditions = build_conditions(job)
    space = build_space(job, conditions)
    assert space.names == (f"A_{'O-Si' if formula == 'O2Si' else 'Si-O'}",)
    assert space.values([0.5])[space.names[0]] == pytest.approx(18003.7572)
    twice = job_of(parameters={"A_Si-O": {"factor": 1.2}, "A_O-Si": {"factor": 1.3}})
    with pytest.raises(InputError, match="A_Si-O must be free or tied once, got it twice"):
        build_space(twice, build_conditions(twice))


def test_the_guard_is_that_of_the_hottest_condition(job_of):
    hot = COOLER | {"name": "hot", "protocol": {"temperature": 5000.0}}
    job, alone = job_of([hot]), job_of(protocol={"temperature": 5000.0})
    conditions, only = build_conditions(job), build_conditions(alone)
    space = build_space(job, conditions)
    points = np.random.default_rng(4).random((6, space.dim))
    margins = build_constraint(job, conditions, space)(points)
    np.testing.assert_array_equal(margins, build_constraint(alone, only, space)(points))
    assert not collapse(conditions.potential, 12000.0, job.strategy.guard).sound
    hotter = job_of([hot | {"protocol": {"temperature": 12000.0}}])
    with pytest.raises(InputError, match="must not collapse at 12000 K"):
        build_optimiser(hotter, build_conditions(hotter), space)


@pytest.mark.parametrize(
    ("also", "changes", "message"),
    [
        (COOLER | {"name": MAIN}, {}, "must not be named 'main'"),
        (COOLER, {"strategy": {"name": "paper", "race": 1.5}}, r"strategy\.race must be 0"),
        (COOLER | {"system": {"formula": "Na2O"}}, {}, r"\[\[also\]\] 2500K: .*no species 'Na'"),
        (COOLER | {"system": {"atoms": 307}}, {}, r"\[\[also\]\] 2500K: atoms must be a multiple"),
        (COOLER | {"system": {"density": 30.0}}, {}, r"\[\[also\]\] 2500K: cutoff must be at most"),
        (COOLER | {"reference": {"r_max": 9.0}}, {}, r"\[\[also\]\] 2500K: r_max must be at most"),
        (COOLER | {"reference": {"file": "none.csv"}}, {}, r"\[\[also\]\] 2500K: .*none\.csv"),
        (COOLER | {"protocol": {"blocks": 3}}, {}, r"\[\[also\]\] 2500K: .*at least 4 blocks"),
        (COOLER | {"protocol": {"blocks": 7}}, {}, r"\[\[also\]\] 2500K: sample must hold"),
        (SILICATE, TETER, r"\[\[also\]\] Na2Si2O5: .*Na"),
    ],
)
def test_what_does_not_fit_together_is_refused_before_anything_runs(job_of, also, changes, message):
    with pytest.raises(InputError, match=message) as caught:
        build_conditions(job_of([also], **changes))
    assert "\n" not in str(caught.value)


def test_confirmations_and_comparisons_are_checked_under_every_condition(job_of, silicate):
    job = job_of([silicate], **TETER)
    conditions = build_conditions(job)
    assert list(conditions.load("Teter").species) == ["Na", "Si", "O"]
    with pytest.raises(InputError, match=r"\[\[also\]\] Na2Si2O5: .*no species 'Na'"):
        conditions.load_known(["BKS"])
    with pytest.raises(InputError, match=r"\[\[also\]\] Na2Si2O5: atoms must be a multiple of 9"):
        conditions.of_size(job.confirm.model_copy(update={"atoms": 606}))
    assert conditions.of_size(job.confirm).every == conditions.every


# What is joined


def evaluation(objective, error, **changes):
    return Evaluation(None, None, {}, Estimate(objective, error), **changes)


def test_the_objective_is_the_weighted_mean_square():
    found = {MAIN: evaluation(0.1, 0.003), "a": evaluation(0.2, 0.002), "b": evaluation(0.4, 0.001)}
    both = together(found, {MAIN: 1.0, "a": 2.0, "b": 5.0})
    value = math.sqrt((1 * 0.01 + 2 * 0.04 + 5 * 0.16) / 8)
    assert both.objective.mean == pytest.approx(value)
    error = math.hypot(1 * 0.1 * 0.003, 2 * 0.2 * 0.002, 5 * 0.4 * 0.001) / 8 / value
    assert both.objective.error == pytest.approx(error)
    assert both.also == {"a": found["a"], "b": found["b"]}
    assert list(both.conditions) == [MAIN, "a", "b"]
    assert together({MAIN: found["a"]}, {MAIN: 1.0}) is found["a"]


@pytest.mark.parametrize(
    ("error", "reason", "detail"),
    [
        (SimulationError(Reason.LOST_ATOMS, "3 of 306"), Reason.LOST_ATOMS, "b: 3 of 306"),
        (MemoryError("8 GB"), Reason.OUT_OF_MEMORY, "b: 8 GB"),
    ],
)
def test_a_failure_names_its_condition_and_is_that_of_all(error, reason, detail):
    ran = []

    def fails():
        raise error

    def sound(name):
        ran.append(name)
        return evaluation(0.1, 0.01)

    tasks = {MAIN: lambda: sound(MAIN), "b": fails, "c": lambda: sound("c")}
    with pytest.raises(SimulationError) as caught:
        EvaluateSeveral(tasks, dict.fromkeys(tasks, 1.0))()
    assert caught.value.failure == Failure(reason, detail)
    assert ran == [MAIN]


# With LAMMPS


def run(path):
    return run_fit(open_fit(*open_run(path)), LocalFarm(1), Silent(), lambda: None)


def records(path, kind="evaluation"):
    clock = ("seconds", "wall")
    found = read_journal(path / "journal.jsonl").of_type(kind)
    return [{key: value for key, value in r.items() if key not in clock} for r in found]


def several_job(job_file):
    """Two temperatures, with a pressure wanted at the lower one, from 306 atoms each."""
    content = read_job(job_file).model_dump()
    content["strategy"] = {"name": "gauss-newton", "batch": 1}
    content["limits"] = {"evaluations": 3}
    content["confirm"] |= {"repeats": 2, "ensemble": 1}
    content["also"] = [COOLER | {"pressure": {"value": -2000.0, "per_percent": 4000.0}}]
    return Job.model_validate(content)


@pytest.fixture(scope="module")
def fitted(job_file, structure, tmp_path_factory):
    """The run folder of a whole fit to two temperatures, and what came of it."""
    folder = create_run(tmp_path_factory.mktemp("several") / "run", several_job(job_file))
    return folder.path, run(folder.path)


@pytest.mark.lammps
def test_every_evaluation_tells_of_every_condition(fitted):
    path, _ = fitted
    found = records(path)
    assert len(found) == 3
    for record in found:
        assert record["status"] == "ok"
        cooler = record["also"]["2500K"]
        assert abs(record["temperature"][0] - 3600) < 500
        assert abs(cooler["temperature"][0] - 2500) < 500
        pressure = 0.01 / 4000.0 * (cooler["pressure"][0] + 2000.0)
        assert cooler["objective"][0] == pytest.approx(math.hypot(cooler["cost"], pressure))
        squares = 0.25 * record["cost"] ** 2 + 0.75 * cooler["objective"][0] ** 2
        assert record["objective"][0] == pytest.approx(math.sqrt(squares))
        assert record["atom_steps"] == 2 * cooler["atom_steps"]
        for name in (f"{record['id']:06d}", f"{record['id']:06d}-2500K"):
            assert (path / "samples" / f"{name}.npz").exists()
            assert (path / "samples" / f"{name}.data").exists()
    inputs = {file.name for file in (path / "inputs").iterdir()}
    assert inputs >= {"start-306.data", "start-306-2500K.data", "reference-2500K.csv"}


class Noting(LocalFarm):
    """Workers that note which of them ran what."""

    def wait(self, seconds):
        finished = super().wait(seconds)
        self.ran = getattr(self, "ran", {}) | {back.key: back.worker for back in finished}
        return finished


@pytest.mark.lammps
def test_two_workers_bring_the_same_numbers_as_one(fitted, job_file, tmp_path):
    path, _ = fitted
    again, farm = create_run(tmp_path / "run", several_job(job_file)).path, Noting(2)

    def stop():
        return "three are enough" if len(records(again)) == 3 else None

    run_fit(open_fit(*open_run(again)), PartsFarm(farm), Silent(), stop)
    assert records(again) == records(path)
    parts = [[farm.ran[Part(k, name)] for name in (MAIN, "2500K")] for k in range(3)]
    assert [sorted(workers) for workers in parts] == [[1, 2]] * 3


@pytest.mark.lammps
def test_a_run_goes_on_from_the_configuration_of_its_own_condition(fitted):
    path, _ = fitted
    fit = open_fit(*open_run(path))
    assert records(path)[1]["origin"] == 0
    ask = Ask(9, np.array(records(path)[1]["x"]), "descent", origin=0, keep=True)
    task, hung = _task(fit, ask, {})
    names = [one.structure.name for one in task.parts.values()]
    assert names == ["000000.data", "000000-2500K.data"]
    assert hung == pytest.approx(fit.conditions.timeout)
    assert all(one.keep for one in task.parts.values())


@pytest.mark.lammps
def test_a_run_that_is_just_back_is_told_as_it_is_on_the_disk(fitted, tmp_path):
    path = shutil.copytree(fitted[0], tmp_path / "run")
    fit = open_fit(*open_run(path))
    record, kept = fit.records[0], fit.samples("000000")
    fit.save("000000", fit.conditions.evaluation(kept), tell=True)
    file = path / "samples" / "000000.npz"
    content = file.read_bytes()
    file.unlink()
    _, outcome = fit.told(record)
    assert list(outcome.run) == [MAIN, "2500K"]
    for condition, sample in kept.items():
        told = outcome.run[condition]
        assert np.array_equal(told.frames.counts, sample.frames.counts)
        assert np.array_equal(told.rdf.blocks, sample.rdf.blocks)
        assert told.packed is None
    with pytest.raises(InputError, match="no such file"):  # it has left the memory
        fit.told(record)
    file.write_bytes(content)
    fit.told(record)


@pytest.mark.lammps
def test_the_model_of_a_run_holds_the_residuals_of_all(fitted):
    path, _ = fitted
    fit = open_fit(*open_run(path))
    ask, outcome = fit.told(fit.records[0])
    assert list(outcome.run) == [MAIN, "2500K"]
    model = fit.conditions.linearise(fit.space)([(ask.x, outcome.run)], ask.x)
    # the pressure is the mean of the frames in both: residuals are those of the record
    squares = float(model.response.mean @ model.response.mean)
    assert squares == pytest.approx(fit.records[0]["objective"][0] ** 2, rel=1e-6)
    assert model.response.means.shape == (8, 2 * 3 * 300 + 1)


@pytest.mark.lammps
def test_the_result_tells_of_every_condition(fitted):
    path, result = fitted
    summary = json.loads((path / "result.json").read_text())
    best = summary["best"]
    assert best["objective"] >= best["cost"] * 0.5
    assert set(best["also"]["2500K"]) >= {"cost", "cost_error", "pair_costs", "definition"}
    assert set(summary["confirmed"]["CHIK"]["also"]) == {"2500K"}
    assert set(summary["uncertainty"]["errors"]) == {"q_Si", "A_Si-O"}
    block = summary["uncertainty"]
    resolved = any(direction["resolved"] for direction in block["directions"])
    assert ["measured" in member for member in block["ensemble"][:1]] == [True] * resolved
    everything = records(path) + records(path, "confirmation")
    assert summary["atom_steps"] == sum(r["atom_steps"] for r in everything)
    assert "main: R =" in result.potential.note
    assert "2500K: R =" in result.potential.note


@pytest.mark.lammps
def test_the_table_has_a_block_for_each_condition(fitted):
    _, result = fitted
    found = rows(result.rows)
    labels = [row.label for row in found]
    assert labels == ["fit, main", "CHIK, main", "fit, 2500K", "CHIK, 2500K"]
    assert "over all conditions" in found[0].note
    assert not found[2].note
    data = results_json(result.rows)
    assert data["fit"]["also"]["2500K"]["cost"] == found[2].cost.value
    assert levels(result.rows)["fit"] == data["fit"]["objective"]
    assert under(result.rows, "2500K")["CHIK"].cost.value == found[3].cost.value
    failed = result.rows | {"worse": Failure(Reason.COLLAPSE)}
    assert [row.label for row in rows(failed)].count("worse, main") == 1
    assert len(rows(failed)) == 5


@pytest.mark.lammps
def test_a_cut_fit_goes_on_as_if_nothing_had_happened(fitted, tmp_path):
    path, _ = fitted
    cut = Path(shutil.copytree(path, tmp_path / "cut"))
    whole = read_journal(path / "journal.jsonl").records
    lines = [line for line in (path / "journal.jsonl").read_text().splitlines(True) if line.strip()]
    keep = next(i for i, line in enumerate(lines) if '"evaluation"' in line) + 2
    (cut / "journal.jsonl").write_text("".join(lines[:keep]))
    (cut / "samples" / "000001-2500K.npz").unlink(missing_ok=False)
    with pytest.raises(InputError, match="000001-2500K"):
        open_fit(*open_run(cut)).samples("000001")
    shutil.copy(path / "samples" / "000001-2500K.npz", cut / "samples")
    run(cut)
    for kind in ("evaluation", "confirmation"):
        assert records(cut, kind) == records(path, kind)
    assert len(read_journal(cut / "journal.jsonl").records) == len(whole)
    again, before = (json.loads((p / "result.json").read_text()) for p in (cut, path))
    assert again["best"] == before["best"]


@pytest.mark.lammps
def test_a_changed_condition_is_refused(fitted, tmp_path):
    path, _ = fitted
    copy = Path(shutil.copytree(path, tmp_path / "copy"))
    text = (copy / "job.toml").read_text()
    assert text.count("temperature = 2500.0") == 1
    (copy / "job.toml").write_text(text.replace("temperature = 2500.0", "temperature = 2600.0"))
    with pytest.raises(InputError, match="changed since the run began"):
        open_run(copy)


@pytest.mark.lammps
def test_potentials_are_evaluated_under_every_condition(lammpsfit, fitted, job_file, tmp_path):
    job = several_job(job_file).model_copy(update={"title": "two"})
    (tmp_path / "job.toml").write_text(job.dump())
    checked = lammpsfit("fit", tmp_path / "job.toml", "-o", tmp_path / "run", "--dry-run")
    assert checked.returncode == 0, checked.stderr
    assert "also 2500K: 306 atoms of SiO2 at 2.2 g/cm³ and 2500 K" in checked.stdout
    out, picture = tmp_path / "out.json", tmp_path / "gr.png"
    arguments = ("--job", tmp_path / "job.toml", "--json", out, "--plot", picture, "--workers", 1)
    done = lammpsfit("evaluate", "CHIK", *arguments)
    assert done.returncode == 0, done.stderr
    assert "CHIK, 2500K" in done.stdout
    assert set(json.loads(out.read_text())["CHIK"]["also"]) == {"2500K"}
    assert picture.exists()
    assert (tmp_path / "gr-2500K.png").exists()


@pytest.mark.lammps
def test_two_compositions_run_with_the_species_of_each(job_of, silicate, tmp_path):
    job = job_of([silicate], **TETER, protocol={"sample": 0.04, "relax": 0.01})
    conditions = build_conditions(job)
    structures = {one.name: one.problem.melted() for one in conditions.every}
    space = build_space(job, conditions)
    x = space.unit(conditions.potential)
    potential = space.potential(x)
    task = conditions.task(potential, structures, 5, keep=True)
    result = run_in_child(task, conditions.timeout)
    frames = {name: one.sample.frames for name, one in result.conditions.items()}
    assert dict(frames[MAIN].atoms) == {"Si": 200, "O": 400}
    assert dict(frames["Na2Si2O5"].atoms) == {"Na": 140, "Si": 140, "O": 350}
    samples = {name: one.sample for name, one in result.conditions.items()}
    model = conditions.linearise(space)([(x, samples)], x)
    squares = float(model.response.mean @ model.response.mean)
    assert squares == pytest.approx(result.objective.mean**2, rel=1e-6)
    (k,) = (k for k, name in enumerate(space.names) if name.startswith("A_"))
    silica = 3 * conditions.main.target.reference.r.size
    assert not model.response.jacobian[:silica, k].any()
    assert model.response.jacobian[silica:, k].any()


# A pressure wanted


@pytest.fixture(scope="module")
def pressed(job_file, structure, tmp_path_factory):
    """A fit with a pressure wanted, under one condition."""
    content = read_job(job_file).model_dump()
    content["strategy"] = {"name": "gauss-newton"}
    content["limits"] = {"evaluations": 2}
    content["confirm"] |= {"repeats": 1, "compare": ()}
    content["pressure"] = {"value": 5000.0, "per_percent": 3000.0}
    folder = create_run(tmp_path_factory.mktemp("pressed") / "run", Job.model_validate(content))
    return folder.path, run(folder.path)


@pytest.mark.lammps
def test_the_objective_holds_the_pressure(pressed):
    path, result = pressed
    for record in (*records(path), *records(path, "confirmation")):
        value, error = record["pressure"]
        slope = 0.01 / 3000.0
        P = slope * (value - 5000.0)
        assert abs(P) > 0.01
        expected = math.hypot(record["cost"], P)
        assert record["objective"][0] == pytest.approx(expected)
        # as if both were independent; the error of the objective knows how they go together
        errors = math.hypot(record["cost"] * record["cost_error"], P * slope * error)
        assert 0.2 < record["objective"][1] / (errors / expected) < 2
        terms = record["terms"]
        assert terms["pressure"]["wanted"] == 5000.0
        assert terms["pressure"]["value"] == pytest.approx(record["pressure"])
        assert terms["pressure"]["deviation"][0] == pytest.approx(abs(P))
        assert terms["g(r)"]["deviation"][0] == record["cost"]
        assert sum(one["share"] for one in terms.values()) == pytest.approx(1.0)
        assert "also" not in record
    best = result.summary["best"]
    confirmed = records(path, "confirmation")[0]
    assert (best["minimised"], best["objective"]) == ("objective", confirmed["objective"][0])
    assert (best["cost"], best["terms"]) == (confirmed["cost"], confirmed["terms"])
    assert uncertainty_of(open_fit(*open_run(path)), 0) is not None


@pytest.mark.lammps
def test_the_derivative_of_the_pressure_is_that_of_reweighted_frames(pressed):
    """P of the frames in another potential, from its slope, with the weights of its energy."""
    path, _ = pressed
    fit = open_fit(*open_run(path))
    ask, outcome = fit.told(fit.records[0])
    frames = outcome.run[MAIN].frames
    J = fit.conditions.linearise(fit.space)([(ask.x, outcome.run)], ask.x).response.jacobian
    beta = 1 / (BOLTZMANN_CONSTANT * 3600.0)
    here, r = fit.space.potential(ask.x), frames.histogram.centres

    def virial(potential):
        total = np.zeros(len(frames))
        for k, pair in enumerate(frames.pairs):
            seen = frames.counts[:, k].any(axis=0)
            total += frames.counts[:, k, seen] @ (r * potential.slope(pair, r))[seen]
        return -BAR_PER_EV_PER_CUBIC_ANGSTROM / 3 / frames.volume[0] * total

    def pressure(x):
        there = fit.space.potential(x)
        U, U_here = frames.energies([there, here]).T
        w = np.exp(-beta * (U - U_here - (U - U_here).mean()))
        return w @ (frames.pressure + virial(there) - virial(here)) / w.sum()

    for k in range(fit.space.dim):
        h = 1e-4 * np.eye(fit.space.dim)[k]
        difference = (pressure(ask.x + h) - pressure(ask.x - h)) / 2e-4
        assert J[-1, k] == pytest.approx(0.01 / 3000.0 * difference, rel=1e-3)


@pytest.mark.parametrize("size", ["system", "confirm"])
def test_a_crystal_that_does_not_fill_the_box_is_refused_before_anything_runs(size):
    job = read_job(Path(__file__).parents[3] / "examples" / "silica" / "quick.toml")
    changed = getattr(job, size).model_copy(update={"atoms": 1500})
    job = job.model_copy(update={size: changed})
    with pytest.raises(InputError, match=r"fills a cube with 24 n³ atoms .*, got 1500"):
        build_conditions(job).of_size(job.confirm)

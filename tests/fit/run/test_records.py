from dataclasses import replace

import numpy as np
import pytest

from lammpsfit.child.failure import Failure, Reason
from lammpsfit.farm.journal import Journal, encode, read_journal
from lammpsfit.fit.base import Ask, Outcome
from lammpsfit.fit.run.records import as_told, evaluation_record
from lammpsfit.fit.run.run_folder import evaluations
from lammpsfit.fit.seeds import Draws, Runs, condition_seed, run_seed
from lammpsfit.md.racing import GivenUp
from lammpsfit.md.sample import Sample
from lammpsfit.structure.blocks import Estimate
from lammpsfit.structure.rdf import PartialRdf
from lammpsfit.target import Target
from lammpsfit.target.terms.pair_distribution import PairDistribution

R = 0.1 * (np.arange(40) + 0.5)
X = np.array([1 / 3, 0.1, np.nextafter(1.0, 0.0)])


def evaluation():
    rng = np.random.default_rng(7)
    rdf = PartialRdf.from_blocks(("Si-O",), R, 1 + 0.1 * rng.normal(size=(8, 1, R.size)))
    estimates = (Estimate(3600.0, 1 / 7), Estimate(-1e4, 3.0), Estimate(-20.0, 0.1))
    sample = Sample(rdf, *estimates, Estimate(0.0, 0.1), 1000, 0.5, 0.6)
    target = Target(PairDistribution(PartialRdf(("Si-O",), R, np.ones((1, R.size)))))
    return target.evaluation(sample)


def test_a_bound_comes_back_from_the_journal_to_the_bit(tmp_path):
    result = replace(evaluation(), given_up=GivenUp(level=0.1, bound=1 / 7))
    record = evaluation_record(Ask(17, X, "explore", 0.1), {"q_Si": 2.4}, 5, result, 1.2)
    (tmp_path / "journal.jsonl").write_bytes(encode(record))
    (found,) = read_journal(tmp_path / "journal.jsonl").of_type("evaluation")
    _, outcome = as_told(found)
    assert found["status"] == "censored"
    assert found["given_up"] == {"level": 0.1, "bound": 1 / 7}
    assert (found["cost"], found["atom_steps"]) == (result.cost.value, 1000)
    assert outcome == Outcome(None, result.cost.error, 1 / 7)
    assert not outcome.ok


@pytest.mark.parametrize("result", [evaluation(), Failure(Reason.LOST_ATOMS, "3 of 306")], ids=str)
def test_what_is_told_comes_back_from_the_journal_to_the_bit(tmp_path, result):
    ask = Ask(17, X, "explore")
    record = evaluation_record(ask, {"q_Si": 2.4}, 5, result, 1.23456)
    (tmp_path / "journal.jsonl").write_bytes(encode(record))
    (found,) = read_journal(tmp_path / "journal.jsonl").of_type("evaluation")
    again, outcome = as_told(found)
    assert (again.id, again.stage) == (ask.id, ask.stage)
    assert np.array_equal(again.x, ask.x)
    if isinstance(result, Failure):
        assert (outcome.cost, outcome.error) == (None, 0.0)
        assert (found["reason"], found["detail"]) == ("lost atoms", "3 of 306")
    else:
        assert (outcome.cost, outcome.error) == (result.cost.value, result.cost.error)


def test_an_evaluation_that_is_there_twice_counts_once_where_it_was_first():
    records = [
        {"type": "evaluation", "id": number, "cost": k} for k, number in enumerate((2, 0, 2, 1, 0))
    ]
    journal = Journal((*records, {"type": "confirmation", "id": 9}), 0)
    assert [(r["id"], r["cost"]) for r in evaluations(journal)] == [(2, 0), (0, 1), (1, 3)]


def test_seeds_differ_between_jobs_streams_and_numbers():
    seeds = {
        (job, stream, number): run_seed(job, stream, number)
        for job in range(5)
        for stream in Runs
        for number in range(100)
    }
    assert len(set(seeds.values())) == len(seeds)
    assert all(1 <= seed <= 900_000_000 for seed in seeds.values())
    assert run_seed(3, Runs.SEARCH, 7) == seeds[3, Runs.SEARCH, 7]


def test_seeds_are_those_of_the_journals_that_are_there():
    """A journal of before is resumed with the same points and seeds, or not at all."""
    assert {stream.name: stream.value for stream in Runs} | {
        stream.name: stream.value for stream in Draws
    } == {"SEARCH": 0, "CONFIRM": 1, "VALIDATE": 2, "DESIGN": 0, "EXPLORE": 1, "ENSEMBLE": 2}
    assert run_seed(1, Runs.SEARCH, 0) == 323998542
    assert condition_seed(323998542, 0) == 323998542
    assert condition_seed(323998542, 1) == 113258666

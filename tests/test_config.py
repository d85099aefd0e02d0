import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lammpsfit.config import Job, ParameterTable, override, read_job
from lammpsfit.errors import InputError

LEAST = """
potential = "BKS"
[reference]
file = "gr.csv"
[system]
formula = "SiO2"
atoms = 306
density = 2.2
[protocol]
temperature = 3600.0
"""

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").rglob("*.toml"))


@pytest.fixture
def job_of(tmp_path):
    """Read a job file with this text."""

    def read(text):
        (tmp_path / "job.toml").write_text(text, encoding="utf-8")
        return read_job(tmp_path / "job.toml")

    return read


@pytest.mark.parametrize("text", ["LEAST", "job_text"])
def test_a_dumped_job_reads_back_as_itself(job_of, job_text, text):
    job = job_of(LEAST if text == "LEAST" else job_text)
    assert job_of(job.dump()) == job
    assert job_of(job.dump()).dump() == job.dump()


def test_a_dump_spells_out_every_default(job_of):
    dumped = tomllib.loads(job_of(LEAST).dump())
    assert dumped["strategy"]["design"] == 64
    assert dumped["system"]["melt"]["seed"] == 1
    assert dumped["confirm"]["repeats"] == 2


@given(st.floats(allow_nan=False, min_value=1e-9, max_value=100), st.integers(0, 2**63 - 1))
def test_numbers_survive_to_the_bit(number, seed):
    content = tomllib.loads(LEAST) | {"seed": seed}
    content["system"]["density"] = number
    again = Job.model_validate(tomllib.loads(Job.model_validate(content).dump()))
    assert again.system.density == number
    assert again.seed == seed


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_are_jobs_or_potentials(path):
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    if "reference" in content:
        assert read_job(path).reference.file.exists()


def test_files_are_found_beside_the_job(job_of, tmp_path):
    job = job_of(
        LEAST.replace('"BKS"', '"sub/mine.toml"')
        + 'relax = 1.0\n[confirm]\ncompare = ["CHIK", "my.TOML", "sub/other", "/abs/x.toml"]\n'
        + '[system.melt]\npotential = "sub/melt"\n'
    )
    assert job.reference.file == tmp_path / "gr.csv"
    assert job.potential == str(tmp_path / "sub/mine.toml")
    assert job.system.melt.potential == str(tmp_path / "sub/melt")
    assert job.confirm.compare == (
        "CHIK",
        str(tmp_path / "my.TOML"),
        str(tmp_path / "sub/other"),
        "/abs/x.toml",
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("atoms", "atomz"), r"unknown key 'system\.atomz': did you mean 'atoms'\?"),
        (("[protocol]", "[protocl]"), r"unknown key 'protocl': did you mean 'protocol'\?"),
        (("atoms = 306", "x = 1\natoms = 306"), r"unknown key 'system\.x': known: formula"),
        (("density = 2.2", ""), r"system: density must be given"),
        (("306", "306.5"), r"system\.atoms: .*integer.*, got 306\.5"),
        (("306", '"many"'), r"system\.atoms: .*integer.*, got 'many'"),
        (("3600.0", "nan"), r"protocol\.temperature: .*finite"),
        (("3600.0", "inf"), r"protocol\.temperature: .*finite"),
        (("3600.0", '[1, "x"]'), r"protocol\.temperature: .*number"),
        (('"SiO2"', "2"), r"system\.formula: .*string, got 2"),
        (('[reference]\nfile = "gr.csv"', "reference = 3"), r"reference: .*"),
        (("[protocol]", "[parameters]\nq_Si = 3\n[protocol]"), r"parameters\.q_Si: .*"),
        (
            ("[protocol]", "[parameters]\nq_Si = { factr = 3 }\n[protocol]"),
            r"'parameters\.q_Si\.factr': did you mean 'factor'\?",
        ),
        (
            ("[protocol]", "[system.melt]\nsed = 3\n[protocol]"),
            r"'system\.melt\.sed': did you mean 'seed'\?",
        ),
        (("[protocol]", '[strategy]\nname = "magic"\n[protocol]'), r"strategy\.name: .*'paper'"),
        (
            ("[protocol]", "[strategy]\nrace = 0.5\n[protocol]"),
            r"strategy\.race: must be 0 \(off\) or at least 1, got 0\.5",
        ),
        (("[protocol]", "[limits]\nevaluations = 0\n[protocol]"), r"limits\.evaluations: .*got 0"),
        (("[protocol]", "[protocol"), "not valid TOML"),
        (("306", "9" * 5000), "not valid TOML"),
        ((LEAST, ""), "potential is missing"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(job_of, change, message):
    assert LEAST.count(change[0]) == 1
    with pytest.raises(InputError, match=message) as caught:
        job_of(LEAST.replace(*change))
    assert "\n" not in str(caught.value)
    assert "job.toml: " in str(caught.value)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({}, "give one of"),
        ({"min": 1.0}, "give both min and max"),
        ({"min": 1.0, "max": 2.0, "factor": 2.0}, "give one of"),
        ({"factor": 2.0, "tied_to": "q_O"}, "give one of"),
        ({"factor": 1.0}, "greater than 1"),
        ({"tied_to": "q_O", "times": float("nan")}, "finite"),
    ],
)
def test_a_parameter_is_free_or_tied_in_one_way(table, message):
    with pytest.raises(ValueError, match=message):
        ParameterTable(**table)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"\xff\xfe", "cannot be read"), (None, "no such job file")],
    ids=["binary", "missing"],
)
def test_files_that_are_no_text(tmp_path, content, message):
    path = tmp_path / "job.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_job(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_job(tmp_path)


def test_the_command_line_overrides_the_job(job_of):
    job = job_of(LEAST)
    assert override(job) == job
    assert override(job, evaluations=7).limits.evaluations == 7
    with pytest.raises(InputError, match=r"option: limits\.evaluations: .*got -1"):
        override(job, evaluations=-1)
    with pytest.raises(InputError, match=r"option: strategy\.name: .*got 'magic'"):
        override(job, strategy="magic")


ALSO = """
[system.melt]
potential = "melt.toml"
melt = 3.0
[pressure]
value = 10.0
per_percent = 700.0
[[also]]
name = "cold"
reference = { file = "cold.csv" }
protocol = { temperature = 300.0 }
[[also]]
name = "dense_2.6"
weight = 2.5
system = { density = 2.6, melt = { melt = 9.0 } }
pressure = { value = 20.0 }
"""


def test_another_condition_is_the_job_but_for_what_it_says(job_of, tmp_path):
    job = job_of(LEAST + ALSO)
    cold, dense = job.also
    assert (cold.weight, dense.weight) == (1.0, 2.5)
    assert cold.reference == job.reference.model_copy(update={"file": tmp_path / "cold.csv"})
    assert cold.protocol == job.protocol.model_copy(update={"temperature": 300.0})
    assert (cold.system, cold.pressure) == (job.system, None)
    assert dense.reference.file == tmp_path / "gr.csv"
    assert (dense.system.formula, dense.system.density) == ("SiO2", 2.6)
    assert (dense.system.melt.melt, job.system.melt.melt) == (9.0, 3.0)
    assert dense.system.melt.potential == str(tmp_path / "melt.toml")
    assert (dense.pressure.value, dense.pressure.per_percent) == (20.0, 700.0)
    alone = job.under(dense)
    assert (alone.system, alone.pressure, alone.also) == (dense.system, dense.pressure, ())
    assert alone.strategy is job.strategy


def test_other_conditions_survive_a_dump_and_the_command_line(job_of):
    job = job_of(LEAST + ALSO)
    assert job_of(job.dump()) == job
    assert override(job, evaluations=7).also == job.also
    assert "also" not in job_of(LEAST).dump()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('"cold"', '"dense_2.6"'), r"also: names must differ, got 'dense_2\.6' more than once"),
        (('"cold"', '"a/b"'), r"also\.0\.name: must be letters, digits.*got 'a/b'"),
        (('"cold"', '"2500"'), r"also\.0\.name: must be .* at least one letter, got '2500'"),
        (('"cold"', '"cold-1"'), r"also\.0\.name: must be letters"),
        (('"cold"', '".a"'), r"also\.0\.name: must be letters"),
        (('name = "cold"', ""), r"also\.0\.name is missing"),
        (("2.5", "0.0"), r"also\.1\.weight: .*greater than 0, got 0\.0"),
        (("weight", "wait"), r"unknown key 'also\.1\.wait': did you mean 'weight'\?"),
        (("density = 2.6", "densty = 2.6"), r"'also\.1\.system\.densty': did you mean 'density'\?"),
        (("value = 20.0", "valu = 20.0"), r"'also\.1\.pressure\.valu': did you mean 'value'\?"),
        (("{ temperature = 300.0 }", "300.0"), r"also\.0\.protocol: .*"),
        (('[[also]]\nname = "cold"', "[other]"), r"unknown key 'other'"),
    ],
)
def test_what_is_wrong_with_another_condition_is_said_in_one_line(job_of, change, message):
    assert ALSO.count(change[0]) == 1
    with pytest.raises(InputError, match=message) as caught:
        job_of(LEAST + ALSO.replace(*change))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("also", ["also = 3", 'also = ["cold"]', 'also = { name = "cold" }'])
def test_other_conditions_must_be_tables(job_of, also):
    with pytest.raises(InputError, match=r"also"):
        job_of(also + LEAST)


FREE = LEAST + 'ensemble = "npt"\npressure = 1000.0\nbarostat = 0.5\n'


def test_a_condition_at_constant_volume_inherits_no_barostat(job_of):
    also = '[[also]]\nname = "box"\nprotocol = { ensemble = "nvt" }\n'
    also += '[[also]]\nname = "cold"\nprotocol = { temperature = 2500.0 }\n'
    job = job_of(FREE + also)
    box, cold = (one.protocol for one in job.also)
    assert (box.ensemble, box.pressure, box.barostat) == ("nvt", None, None)
    assert (cold.ensemble, cold.pressure, cold.barostat) == ("npt", 1000.0, 0.5)
    assert job_of(job.dump()) == job


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (('ensemble = "npt"\n', ""), "pressure and barostat needs a box that may change"),
        (('"npt"', '"nph"'), "ensemble: .*nvt.*npt"),
        (("1000.0", "1e12"), r"pressure: .*less than or equal to 1000000000"),
        (("0.5", "0.0"), r"barostat: .*greater than 0"),
    ],
)
def test_a_wrong_barostat_is_refused_in_a_line(job_of, change, match):
    with pytest.raises(InputError, match=match):
        job_of(FREE.replace(*change))

import math
import tomllib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lammpsfit import resources
from lammpsfit.errors import InputError, RunError
from lammpsfit.forcefield import (
    DampedShiftedForce,
    dump_potential,
    library_names,
    load_potential,
    names_run,
)
from lammpsfit.forcefield.coulomb.wolf_smooth import SmoothWolf
from lammpsfit.forcefield.limits import LARGEST
from lammpsfit.forcefield.potential_file import parse_potential

GOOD = """
name = "x"
cutoff = 8
[coulomb]
style = "dsf"
alpha = 0.25
cutoff = 8.0
[species.Si]
mass = 28.0855
charge = 2.4
[species.O]
mass = 15.9994
charge = -1.2
[pairs.O-Si]
buckingham = { A = 18003.7572, rho = 0.2, C = 133.5381 }
repulsion = { D = 29 }
"""

# doi:10.1103/PhysRevLett.64.1955, doi:10.1209/0295-5075/82/17001, doi:10.1557/mrc.2019.47
LITERATURE = {
    "BKS": {"q_Si": 2.4, "A_Si-O": 18003.7572, "rho_Si-O": 1 / 4.87318, "C_O-O": 175.0},
    "CHIK": {"q_Si": 1.910418, "rho_O-O": 1 / 2.590066, "rho_Si-Si": 1 / 2.851451},
    "ML": {"q_Si": 1.955, "A_Si-O": 20453.601, "rho_O-O": 0.356855, "A_Si-Si": 0.0},
    "ML-SiO": {"q_Si": 1.484, "A_Si-O": 3968.508, "A_O-O": 0.0, "C_O-O": 0.0},
    "ML-ALL": {"q_Si": 1.955, "A_Si-O": 20453.601, "C_Si-Si": 232.009},
}
WITH_DSF = (*LITERATURE, "Teter")
FORMULA = {"Teter": {"Na": 2, "Si": 1, "O": 3}}


@pytest.mark.parametrize("name", library_names())
def test_library_file_is_sound(name):
    potential = load_potential(name)
    assert potential.name == name
    assert potential.title
    assert potential.doi.startswith("10.") or name.startswith("LF-")
    potential.check_neutral(FORMULA.get(name, {"Si": 1, "O": 2}))
    if name in WITH_DSF:
        assert (potential.cutoff, potential.coulomb) == (8, DampedShiftedForce(0.25, 8.0))


def test_shik_is_as_published():
    """Digits of the authors' input files; their charges are in units of 3.79475 per e."""
    shik = load_potential("SHIK")
    assert (shik.cutoff, shik.smoothing, shik.coulomb) == (8, 0.2, SmoothWolf(0.2, 10.0))
    p = shik.parameters
    assert (p["A_Si-O"], p["C_Si-O"], p["D_Si-O"]) == (23107.84764, 139.6947857, 66)
    assert (p["rho_O-O"], p["rho_Na-O"]) == (1 / 2.892741833, 1 / 6.8986)
    in_lj = {"Si": 6.737574454, "Na": 2.283679136, "Ca": 5.683210502, "B": 6.119348098}
    scale = in_lj["Si"] / p["q_Si"]
    for name, charge in in_lj.items():
        assert p[f"q_{name}"] == pytest.approx(charge / scale, abs=5e-5)
    glasses = {
        -3.501961788: {"Na": 2, "Si": 4, "O": 9},
        -3.947393046: {"Ca": 2, "Si": 3, "O": 8},
        -4.117087927: {"Na": 1, "B": 4, "O": 6.5},
        -4.371160055: {"Ca": 2, "B": 6, "O": 11},
    }
    for charge, composition in glasses.items():
        there = shik.for_composition({name: int(2 * n) for name, n in composition.items()})
        assert there.parameters["q_O"] == pytest.approx(charge / scale, abs=5e-5)


def test_shik_against_a_formula_written_out():
    """One pair, both sides of the two cutoffs and their smoothing."""
    A, B, C, D, qq = 23107.84764, 5.097856735, 139.6947857, 66.0, -1.7755 * 0.88775 * 14.399645
    for r in (1.5, 1.7, 3.0, 7.5, 7.95, 8.5, 9.9, 10.1):
        expected = 0.0
        if r < 10.0:
            expected += qq * (1 / r - 0.1 + (r - 10) / 100) * math.exp(-0.04 / (r - 10) ** 2)
        if r < 8.0:
            v, end = (A * math.exp(-B * x) - C / x**6 + D / x**24 for x in (r, 8.0))
            expected += (v - end) * math.exp(-0.04 / (r - 8) ** 2)
        assert load_potential("SHIK").energy("O-Si", r) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", LITERATURE)
def test_library_has_the_numbers_of_the_literature(name):
    parameters = load_potential(name).parameters
    assert {key: parameters[key] for key in LITERATURE[name]} == LITERATURE[name]
    assert (parameters["D_Si-Si"], parameters["D_Si-O"], parameters["D_O-O"]) == (3423200, 29, 113)
    assert parameters["q_O"] == pytest.approx(-parameters["q_Si"] / 2, rel=1e-12)


@pytest.mark.parametrize("name", library_names())
def test_dump_reads_back_to_the_bit(name):
    potential = load_potential(name)
    text = dump_potential(potential)
    assert parse_potential(text) == potential
    assert dump_potential(parse_potential(text)) == text


@given(
    st.text(max_size=30),
    st.floats(min_value=-LARGEST, max_value=LARGEST),
    st.floats(min_value=5e-324, max_value=LARGEST),
)
def test_dump_reads_back_any_text_and_number(text, C, rho):
    potential = parse_potential(GOOD).replace({"C_Si-O": C, "rho_Si-O": rho})
    object.__setattr__(potential, "note", text)
    assert parse_potential(dump_potential(potential)) == potential


def test_dump_keeps_how_terms_end_and_charges_follow():
    potential = replace(parse_potential(GOOD), smoothing=0.2, balance="O")
    assert parse_potential(dump_potential(potential)) == potential


def test_dump_quotes_keys_that_need_it():
    text = dump_potential(parse_potential(GOOD.replace("Si", "'Fe3+'").replace("O-'Fe", "'O-Fe")))
    assert set(tomllib.loads(text)["species"]) == {"Fe3+", "O"}
    assert parse_potential(text).pair_names == ("Fe3+-Fe3+", "Fe3+-O", "O-O")


def test_coulomb_and_pairs_are_optional():
    potential = parse_potential('name = "hard"\ncutoff = 5.0\n[species.Ar]\nmass = 39.9\n')
    assert potential.coulomb is None
    assert potential.species["Ar"].charge == 0.0
    assert parse_potential(dump_potential(potential)) == potential


def test_names_are_found_in_any_case_and_paths_are_read(tmp_path, monkeypatch):
    assert load_potential("chik") == load_potential("CHIK")
    path = tmp_path / "mine.toml"
    path.write_text(GOOD, encoding="utf-8")
    assert load_potential(path) == load_potential(str(path)) == parse_potential(GOOD)
    monkeypatch.chdir(tmp_path)
    assert load_potential("mine.toml") == parse_potential(GOOD)


def test_a_folder_hides_a_potential_of_its_name_only_if_it_holds_a_fit(tmp_path):
    for name in ("CHIK", "mine"):
        (tmp_path / name).mkdir()
    assert not names_run("CHIK", tmp_path)
    assert names_run("mine", tmp_path)
    assert names_run(f"{tmp_path}/CHIK")
    (tmp_path / "CHIK" / "potential.toml").write_text(GOOD, encoding="utf-8")
    assert names_run("CHIK", tmp_path)


def test_unknown_name_lists_what_there_is():
    with pytest.raises(InputError, match="no potential 'BKZ' in the library: did you mean 'BKS'"):
        load_potential("BKZ")
    with pytest.raises(InputError, match=f"known: {', '.join(library_names())}; a file of"):
        load_potential("tersoff-1988")


def test_missing_and_unreadable_files(tmp_path):
    with pytest.raises(InputError, match="no such potential file"):
        load_potential(tmp_path / "nowhere.toml")
    with pytest.raises(InputError, match="no finished fit in this folder"):
        load_potential(f"{tmp_path}/")
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe9"')
    with pytest.raises(InputError, match="cannot be read"):
        load_potential(tmp_path / "latin.toml")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("cutoff = 8\n", "cutoff 8\n", "mine: not valid TOML"),
        ("cutoff = 8\n", "", "mine: cutoff is missing"),
        ("cutoff = 8\n", "cutoff = 0\n", "mine: cutoff must be positive"),
        ("cutoff = 8\n", "cutoff = nan\n", "mine: cutoff: input should be a finite number"),
        ("cutoff = 8\n", "cutoff = true\n", "cutoff: input should be a valid number, got True"),
        ("cutoff = 8\n", "cuttoff = 8\n", "unknown key 'cuttoff': did you mean 'cutoff'"),
        ('name = "x"', "name = 3", "name: input should be a valid string, got 3"),
        ('"dsf"', '"reaction"', "unknown coulomb.style 'reaction': known: dsf, wolf"),
        ("alpha", "alhpa", "unknown key 'coulomb.alhpa': did you mean 'alpha'"),
        (
            "alpha = 0.25",
            "alpha = '0.25'",
            "coulomb.alpha: input should be a valid number, got '0",
        ),
        ("mass = 28.0855", "weight = 28", "unknown key 'species.Si.weight'"),
        ("charge = 2.4", "", "mine: species.Si.charge is missing"),
        ('style = "dsf"\n', "", "mine: coulomb.style is missing"),
        ('style = "dsf"', "style = 3", "unknown coulomb.style 3: known: dsf"),
        ("cutoff = 8\n", "cutoff = 8\nsmoothing = -1\n", "smoothing must be zero or positive"),
        ("alpha = 0.25", "alpha = -1", "coulomb alpha must be zero or positive \\(1/Å\\), got -1"),
        ("cutoff = 8\n", "cutoff = 8\nbalance = 'N'\n", "unknown species 'N' to balance"),
        (
            "cutoff = 8\n",
            "cutoff = 8\nbalance = true\n",
            "balance: input should be a valid string",
        ),
        ("[species.O]", "[species.N]", "unknown species 'O'"),
        ("[pairs.O-Si]", "[pairs.OSi]", "two species with a hyphen, like 'Si-O', got 'OSi'"),
        ("buckingham =", "buckinghan =", "unknown form 'buckinghan' of pair O-Si: did you mean"),
        ("rho = 0.2", "rho = -0.2", "rho_Si-O must be positive, got -0.2"),
        ("rho = 0.2", "rho = nan", "pairs.O-Si.buckingham.rho: input should be a finite number"),
        ("rho = 0.2", "Rho = 0.2", "no parameter 'Rho': did you mean 'rho'"),
        ("rho = 0.2, ", "", "buckingham of pair Si-O needs rho"),
        ("{ D = 29 }", "29", "pairs.O-Si.repulsion: input should be a valid dictionary"),
    ],
)
def test_errors_say_what_is_wrong(old, new, message):
    assert GOOD.count(old) >= 1
    with pytest.raises(InputError, match=message) as caught:
        parse_potential(GOOD.replace(old, new, 1), "mine")
    assert "\n" not in str(caught.value)


SPLINE = "spline = { knots = [1.2, 1.6, 2.0, 3.0], c = [0.1, 0.2, 0.3] }"


def test_a_spline_is_read_and_written_with_its_knots():
    potential = parse_potential(f"{GOOD}{SPLINE}\n")
    assert [potential.parameters[f"c{k}_Si-O"] for k in (1, 2, 3)] == [0.1, 0.2, 0.3]
    assert SPLINE in dump_potential(potential)
    assert parse_potential(dump_potential(potential)) == potential
    bare = parse_potential(f"{GOOD}{SPLINE.replace(', c = [0.1, 0.2, 0.3]', '')}\n")
    assert bare != potential
    assert bare.parameters["c3_Si-O"] == 0.0
    moved = parse_potential(f"{GOOD}{SPLINE.replace('1.6', '1.7')}\n")
    assert moved.parameters == potential.parameters
    assert moved != potential


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (", 0.3]", "]", "mine: spline of pair O-Si: c must have 3 numbers, one for each interval"),
        ("3.0]", "9.0]", "spline of pair Si-O: the last knot must be within the cutoff .8 Å., got"),
        ("1.6", "2.6", "mine: spline of pair O-Si: knots must rise by 0.02 Å or more"),
        ("knots =", "knot =", "mine: unknown key 'pairs.O-Si.spline.knot': did you mean 'knots'"),
        ("1.6", "'a'", "mine: pairs.O-Si.spline.knots.1: input should be a valid number, got 'a'"),
        ("0.2", "nan", "mine: pairs.O-Si.spline.c.1: input should be a finite number"),
        ("0.2", "1e300", "c2_Si-O must be a finite number up to 1e.15"),
        ("{ knots = [1.2, 1.6, 2.0, 3.0], c", "{ c", "mine: pairs.O-Si.spline.knots is missing"),
    ],
)
def test_splines_that_are_wrong_are_refused_in_a_line(old, new, message):
    assert old in SPLINE
    with pytest.raises(InputError, match=message) as caught:
        parse_potential(f"{GOOD}{SPLINE.replace(old, new)}\n", "mine")
    assert "\n" not in str(caught.value)


def test_resources_prefer_the_installed_copy(tmp_path, monkeypatch):
    package = tmp_path / "site-packages" / "lammpsfit"
    package.mkdir(parents=True)
    monkeypatch.setattr(resources, "_PACKAGE", package)
    with pytest.raises(RunError, match="install lammpsfit again"):
        resources.potentials()
    (package.parent / "potentials").mkdir()
    assert resources.potentials() == package.parent / "potentials"
    (package / "data" / "potentials").mkdir(parents=True)
    assert resources.potentials() == package / "data" / "potentials"

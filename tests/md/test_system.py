import pytest

from lammpsfit.errors import InputError
from lammpsfit.md.system import System

MASSES = {"Na": 22.98977, "Si": 28.0855, "O": 15.9994}


def test_types_follow_the_formula():
    system = System("Na2Si3O7", atoms=24, density=2.5)
    assert system.species == ("Na", "Si", "O")
    assert system.counts == {"Na": 4, "Si": 6, "O": 14}


def test_box_of_the_literature():
    # 3000 atoms at 2.2 g/cm3: 35.661 Å, doi:10.1557/mrc.2019.47
    assert System("SiO2", 3000, 2.2).box_length(MASSES) == pytest.approx(35.661, abs=2e-3)


@pytest.mark.parametrize(
    ("formula", "atoms", "density", "message"),
    [
        ("SiO2", 100, 2.2, r"multiple of 3 for SiO2, got 100: use 99"),
        ("SiO2", 0, 2.2, r"multiple of 3"),
        ("SiO2", 300, -2.2, r"density must be positive"),
        ("SiO2", 300, float("nan"), r"density must be positive"),
        ("Si0.5O", 300, 2.2, r"whole numbers of atoms"),
        ("silica", 300, 2.2, r"'silica' cannot be read"),
    ],
)
def test_bad_systems(formula, atoms, density, message):
    with pytest.raises(InputError, match=message):
        System(formula, atoms, density)

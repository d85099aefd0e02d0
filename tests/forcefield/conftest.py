import pytest

from lammpsfit.forcefield import (
    FORMS,
    DampedShiftedForce,
    Potential,
    Species,
    Term,
    load_potential,
)


@pytest.fixture
def bks():
    return load_potential("BKS")


@pytest.fixture
def three():
    """Three species, a pair without terms (Na-Na), one with the core only, different cutoffs."""
    buckingham, repulsion = FORMS["buckingham"], FORMS["repulsion"]
    return Potential(
        name="three",
        species={"Na": Species(23.0, 0.6), "Si": Species(28.1, 2.4), "O": Species(16.0, -1.2)},
        pairs={
            "O-Na": (Term(buckingham, {"A": 4383.7555, "rho": 0.243838, "C": 30.7}),),
            "Na-Si": (Term(repulsion, {"D": 50.0}),),
            "Si-O": (
                Term(buckingham, {"A": 13702.905, "rho": 0.193817, "C": 54.681}),
                Term(repulsion, {"D": 29.0}),
            ),
            "O-O": (
                Term(repulsion, {"D": 113.0}),
                Term(buckingham, {"A": 2029.2204, "rho": 0.343645, "C": 192.58}),
            ),
        },
        coulomb=DampedShiftedForce(0.2, 8.5),
        cutoff=7.5,
    )

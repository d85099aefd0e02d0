import pytest

from lammpsfit.errors import InputError
from lammpsfit.forcefield import all_pairs, ordered_pair, pair_name, split_pair

ORDER = ("Na", "Si", "O")


def test_all_pairs_are_in_species_order():
    assert all_pairs(("Si", "O")) == ("Si-Si", "Si-O", "O-O")
    assert all_pairs(ORDER) == ("Na-Na", "Na-Si", "Na-O", "Si-Si", "Si-O", "O-O")


@pytest.mark.parametrize("pair", all_pairs(ORDER))
def test_either_spelling_gives_the_canonical_name(pair):
    a, b = split_pair(pair)
    assert pair_name(a, b, ORDER) == pair_name(b, a, ORDER) == ordered_pair(f"{b}-{a}", ORDER)
    assert pair_name(a, b, ORDER) == pair


@pytest.mark.parametrize("pair", ["SiO", "Si-", "Si-O-Si", ""])
def test_malformed_pair(pair):
    with pytest.raises(InputError, match="two species with a hyphen"):
        split_pair(pair)


def test_unknown_species_is_named_with_the_nearest():
    with pytest.raises(InputError, match="unknown species 'si': did you mean 'Si'"):
        ordered_pair("si-O", ORDER)
    with pytest.raises(InputError, match="unknown species 'Cl': known: Na, Si, O"):
        pair_name("Cl", "O", ORDER)

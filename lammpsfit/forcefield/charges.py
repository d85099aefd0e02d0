"""Charges that follow from a composition."""

from collections.abc import Mapping

from lammpsfit.errors import InputError

NEUTRAL = 1e-8
"""Net charge per atom (e) up to which a composition counts as neutral: rounding, not physics."""


def balance_weights(balance: str, composition: Mapping[str, int]) -> dict[str, float]:
    """Return the weights w_s of the charge that keeps a composition neutral.

    The charge of the species `balance` is q_b = sum of w_s q_s over the other species, with
    w_s = -n_s/n_b.

    Raises
    ------
    InputError
        If the composition has no atoms of the species.

    Examples
    --------
    >>> balance_weights("O", {"Na": 2, "Si": 1, "O": 4})
    {'Na': -0.5, 'Si': -0.25}
    """
    n = composition.get(balance, 0)
    if n <= 0:
        raise InputError(f"the composition must have atoms of {balance}, whose charge balances")
    return {species: -k / n for species, k in composition.items() if species != balance}

"""Weights of neutrons and X-rays against published numbers."""

import numpy as np
import pytest

from lammpsfit.errors import InputError
from lammpsfit.structure.scattering import neutron_weights, xray_weights

SILICA = {"Si": 100, "O": 200}
PAIRS = ("Si-Si", "Si-O", "O-O")


def test_neutron_weights_of_silica_are_those_published():
    # b of Si and O, in fm: V. F. Sears, Neutron News 3, 26 (1992),
    # doi:10.1080/10448639208218770
    b_si, b_o = 4.1491, 5.803
    mean = (b_si + 2 * b_o) / 3
    expected = np.array([b_si**2 / 9, 4 * b_si * b_o / 9, 4 * b_o**2 / 9]) / mean**2
    found = neutron_weights(SILICA, PAIRS).ravel()
    assert found == pytest.approx(expected, abs=5e-4)
    assert expected == pytest.approx([0.0694, 0.3880, 0.5426], abs=1e-4)


def test_xray_weights_begin_with_the_electrons():
    found = xray_weights(SILICA, PAIRS, np.array([0.0])).ravel()
    assert found == pytest.approx(np.array([14**2, 4 * 14 * 8, 4 * 8**2]) / 30**2, rel=2e-3)


@pytest.mark.parametrize(
    "numbers", [SILICA, {"Na": 2, "Si": 3, "O": 7}, {"Al": 5}], ids=["SiO2", "Na2Si3O7", "Al"]
)
def test_weights_add_up_to_one(numbers):
    names = list(numbers)
    pairs = [f"{a}-{b}" for k, a in enumerate(names) for b in names[k:]]
    q = np.linspace(0, 15, 31)
    assert neutron_weights(numbers, pairs).sum() == pytest.approx(1, abs=1e-12)
    assert xray_weights(numbers, pairs, q).sum(axis=0) == pytest.approx(1, abs=1e-12)


def test_xrays_see_less_of_the_light_atoms_at_large_q():
    light = xray_weights(SILICA, PAIRS, np.array([0.0, 10.0]))[2]
    assert light[1] < 0.8 * light[0]


@pytest.mark.parametrize("name", ["Xx", "A1"])
def test_what_is_no_element_is_refused(name):
    with pytest.raises(InputError, match="chemical elements"):
        neutron_weights({name: 1}, [f"{name}-{name}"])


def test_an_element_without_a_table_is_refused():
    with pytest.raises(InputError, match="scattering of Po is not tabulated"):
        neutron_weights({"Po": 1}, ["Po-Po"])

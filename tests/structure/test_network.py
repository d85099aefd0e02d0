"""Qn and rings of crystals whose networks are known."""

import numpy as np
import pytest
from ase.spacegroup import crystal

from lammpsfit.md.configuration import build
from lammpsfit.md.system import System
from lammpsfit.structure.network import Network, NetworkCounts, mean_network
from lammpsfit.structure.pair_counts import Composition

BONDS = {"O-Si": 2.0}


def count(atoms, cutoffs=BONDS):
    found = Network(Composition.of(atoms.get_chemical_symbols()), cutoffs)
    return found, found.count(atoms.positions, atoms.cell.array)


def quartz():
    """Levien, Prewitt and Weidner, Am. Mineral. 65, 920 (1980)."""
    places = [(0.4697, 0, 2 / 3), (0.4135, 0.2669, 0.1191 + 2 / 3)]
    lengths = [4.916, 4.916, 5.4054, 90, 90, 120]
    return crystal(["Si", "O"], places, spacegroup=154, cellpar=lengths).repeat(4)


def test_beta_cristobalite_has_two_rings_of_six_for_each_silicon():
    """Its silicon is diamond, which has two six-rings for each atom and no others."""
    system = System("SiO2", 192, 2.2)
    length = system.box_length({"Si": 28.0855, "O": 15.9994})
    box = build(system, "beta-cristobalite", length, seed=1)
    network = Network(Composition(box.species, box.types), {"Si-O": 2.0})
    # two cells along an edge are too few for the longest rings: a larger box has them right
    shifts = length * np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)])
    positions = np.concatenate([box.positions + shift for shift in shifts])
    large = Network(Composition(box.species, np.tile(box.types, 8)), {"Si-O": 2.0})
    found = large.count(positions, 2 * length * np.eye(3))
    assert network.formers == ("Si",)
    assert found.bridging[0].tolist() == [0, 0, 0, 0, 512, 0, 0, 0, 0]
    assert found.rings.tolist() == [0, 0, 0, 0, 0, 0, 1024, 0, 0, 0, 0, 0, 0]


def test_quartz_has_rings_of_six_and_eight_and_all_q4():
    _, found = count(quartz())
    silicon = 4**3 * 3
    assert found.bridging[0, 4] == silicon
    assert np.flatnonzero(found.rings).tolist() == [6, 8]
    assert found.rings[6] == silicon


def test_a_broken_bridge_makes_two_q3_and_fewer_rings():
    atoms = quartz()
    _, whole = count(atoms)
    oxygen = [atom.index for atom in atoms if atom.symbol == "O"]
    del atoms[oxygen[7]]
    _, broken = count(atoms)
    assert broken.bridging[0, [3, 4]].tolist() == [2, whole.bridging[0, 4] - 2]
    assert broken.rings[6] < whole.rings[6]


def test_sodium_is_no_former_and_without_oxygen_there_is_no_network():
    composition = Composition.of(["Na", "Si", "O", "O"])
    assert Network(composition, {"Na-O": 3.0, "Si-O": 2.0}).formers == ("Si",)
    assert Network(composition, {"Na-O": 3.0}).formers == ()
    assert Network(Composition.of(["Na", "Cl"]), {"Cl-Na": 3.0}).formers == ()


def test_tetrahedra_that_share_nothing_have_no_rings():
    tetrahedron = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) * 1.61 / 3**0.5
    positions = np.concatenate([[[9.0, 9.0, 9.0]], 9.0 + tetrahedron])
    network = Network(Composition.of(["Si", "O", "O", "O", "O"]), BONDS)
    found = network.count(positions, 18.0 * np.eye(3))
    assert found.bridging[0, 0] == 1
    assert not found.rings.any()


def test_blocks_are_fractions_and_rings_for_each_former():
    bridging = np.zeros((2, 9))
    bridging[0, [3, 4]], bridging[1, 2] = [1, 3], 4
    fractions, rings = mean_network([NetworkCounts(bridging, np.full(13, 16.0))])
    assert fractions[0, 0, [3, 4]].tolist() == [0.25, 0.75]
    assert fractions[0, 1, 2] == 1.0
    assert rings[0] == pytest.approx(2.0)

"""Labels from vasprun.xml, beside what ASE makes of the same file."""

import gzip

import ase.io
import numpy as np
import pytest
from ase import units
from ase.build import bulk

from lammpsfit.errors import InputError
from lammpsfit.labelled.frames import read_frames


def varray(name, rows):
    text = "".join("<v>" + " ".join(f"{x:.10f}" for x in row) + "</v>" for row in np.array(rows))
    return f'<varray name="{name}">{text}</varray>'


def structure(atoms, name=""):
    volume = f'<i name="volume">{atoms.get_volume()}</i>'
    crystal = f"<crystal>{varray('basis', atoms.cell.array)}{volume}</crystal>"
    return (
        f"<structure{name}>{crystal}{varray('positions', atoms.get_scaled_positions())}</structure>"
    )


def vasprun(steps=3, cycles=(5, 5, 5), nelm=60):
    """A run of MD as VASP writes it, with numbers of our own; and what they are."""
    rng = np.random.default_rng(7)
    atoms = bulk("Al", cubic=True)
    types = "<rc><c>Al</c><c>   1</c></rc>" * 4
    one = "<rc><c>4</c><c>Al</c><c>26.98</c><c>3.0</c><c>PAW_PBE Al 04Jan2001</c></rc>"
    text = f"""<?xml version="1.0" encoding="ISO-8859-1"?><modeling>
<generator><i name="version" type="string">6.4.2</i></generator>
<incar><i type="int" name="IBRION">0</i></incar>
<kpoints><varray name="kpointlist"><v>0 0 0</v></varray>
<varray name="weights"><v>1.0</v></varray></kpoints>
<parameters><i type="int" name="NELM">{nelm}</i></parameters>
<atominfo><atoms>4</atoms><types>1</types>
<array name="atoms"><set>{types}</set></array>
<array name="atomtypes"><set>{one}</set></array></atominfo>
{structure(atoms, ' name="initialpos"')}"""
    made = []
    for k in range(steps):
        atoms.rattle(0.1, seed=k)
        forces, kbar = rng.normal(size=(4, 3)), rng.normal(size=(3, 3)) * 20
        kbar = 0.5 * (kbar + kbar.T)
        free = -14.0 - k
        energy = "".join(
            f'<i name="{name}">{value:.8f}</i>'
            for name, value in (
                ("e_fr_energy", free),
                ("e_wo_entrp", free + 0.2),
                ("e_0_energy", free + 0.1),
            )
        )
        cycle = f"<scstep><energy>{energy}</energy></scstep>" * cycles[k]
        text += f"<calculation>{cycle}{structure(atoms)}{varray('forces', forces)}"
        text += f"{varray('stress', kbar)}<energy>{energy}</energy></calculation>\n"
        made.append((atoms.get_positions(), free, forces, kbar))
    return text + structure(atoms, ' name="finalpos"') + "</modeling>\n", made


@pytest.mark.parametrize("packed", [False, True])
def test_numbers_are_those_of_the_file_and_of_ase(tmp_path, packed):
    text, made = vasprun()
    plain, path = tmp_path / "vasprun.xml", tmp_path / "vasprun.xml.gz"
    plain.write_text(text)
    path.write_bytes(gzip.compress(text.encode()))
    frames = read_frames([path if packed else plain])
    for frame, atoms, (positions, free, forces, kbar) in zip(
        frames, ase.io.read(plain, index=":"), made, strict=True
    ):
        np.testing.assert_allclose(frame.forces, forces, atol=1e-9)
        assert frame.energy == free == pytest.approx(atoms.get_potential_energy(True))
        expected = -kbar.ravel()[[0, 4, 8, 5, 2, 1]] * 0.1 * units.GPa
        np.testing.assert_allclose(frame.stress, expected, rtol=1e-7, atol=1e-12)
        np.testing.assert_allclose(frame.stress, atoms.get_stress(), rtol=1e-7, atol=1e-12)
        np.testing.assert_allclose(frame.positions, atoms.positions, atol=1e-7)
        shift = (frame.positions - positions) @ np.linalg.inv(frame.cell)
        np.testing.assert_allclose(shift, np.round(shift), atol=1e-7)


def test_steps_without_sound_dft_are_left_out(tmp_path):
    (tmp_path / "vasprun.xml").write_text(vasprun(cycles=(5, 60, 0))[0])
    said = []
    frames = read_frames([tmp_path / "vasprun.xml"], tell=said.append)
    assert [frame.label[-6:] for frame in frames] == ["step 1"]
    assert "left out 1 steps that did not converge (NELM = 60)" in said[0]
    assert "left out 1 of 3 steps without DFT" in said[1]
    (tmp_path / "vasprun.xml").write_text(vasprun(cycles=(60, 60, 0))[0])
    with pytest.raises(InputError, match="none of its 3 steps is a converged one"):
        read_frames([tmp_path / "vasprun.xml"])


def test_a_vasprun_may_have_a_longer_name(tmp_path):
    """ASE would read it too, with the energy extrapolated, under keys of its own."""
    (tmp_path / "al_vasprun_300K.xml").write_text(vasprun()[0])
    frames = read_frames([tmp_path / "al_vasprun_300K.xml"])
    assert [frame.energy for frame in frames] == [-14.0, -15.0, -16.0]


def test_a_run_that_goes_on_gives_what_it_has_finished(tmp_path):
    text, _ = vasprun()
    (tmp_path / "vasprun.xml").write_text(text[: text.rindex("<calculation>") + 400])
    assert len(read_frames([tmp_path / "vasprun.xml"])) == 2


@pytest.mark.parametrize("text", ["", "no xml", "<modeling></modeling>"])
def test_what_is_no_vasprun(tmp_path, text):
    (tmp_path / "vasprun.xml").write_text(text)
    with pytest.raises(InputError, match=r"vasprun\.xml: n") as caught:
        read_frames([tmp_path / "vasprun.xml"])
    assert "\n" not in str(caught.value)

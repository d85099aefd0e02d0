"""Small trajectories, written in every format by ASE and by hand."""

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from ase import Atoms
from ase.io import write

from lammpsfit.cli import main

SIO2 = ("Si",) * 8 + ("O",) * 16
EDGE = 7.13
"""Å: beta-cristobalite of the density of the liquid, 2.2 g/cm³."""


def beta_cristobalite(repeats=1):
    """Ideal beta-cristobalite: Si on the sites of diamond, O half way between them."""
    fcc = np.array([[0, 0, 0], [0, 2, 2], [2, 0, 2], [2, 2, 0]]) / 4
    si = np.concatenate([fcc, fcc + 0.25])
    o = np.concatenate(
        [fcc + np.array(d) / 8 for d in ([1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1])]
    )
    atoms = Atoms(SIO2, scaled_positions=np.concatenate([si, o]) % 1, cell=[EDGE] * 3, pbc=True)
    return atoms.repeat(repeats)


def trajectory(n_frames, *, tilt=0.0, variable=False, repeats=1, noise=0.1, seed=0):
    """Beta-cristobalite shaken at random, in a cell that may be sheared and may change."""
    rng = np.random.default_rng(seed)
    frames = []
    for _ in range(n_frames):
        atoms = beta_cristobalite(repeats)
        strain = 0.03 * rng.standard_normal(3) * variable
        edge = EDGE * repeats * (1 + strain)
        cell = np.diag(edge)
        cell[1, 0], cell[2, 0], cell[2, 1] = (
            tilt * edge[0],
            -0.7 * tilt * edge[0],
            0.4 * tilt * edge[1],
        )
        atoms.set_cell(cell, scale_atoms=True)
        atoms.positions += noise * rng.standard_normal((len(atoms), 3))
        frames.append(atoms)
    return frames


def write_extxyz(path, frames):
    write(path, frames, format="extxyz")


def write_cp2k(path, frames):
    """A trajectory PROJECT-pos-1.xyz, and the cell file PROJECT-1.cell beside it."""
    lines, cells = [], ["#   Step   Time [fs]   Ax Ay Az Bx By Bz Cx Cy Cz [Angstrom]   Volume"]
    for k, atoms in enumerate(frames):
        lines += [f"{len(atoms)}", f" i = {5 * k:8d}, time = {2.5 * k:12.3f}, E = -17.16"]
        lines += [
            f"{s} {x:.10f} {y:.10f} {z:.10f}"
            for s, (x, y, z) in zip(atoms.symbols, atoms.positions, strict=True)
        ]
        numbers = " ".join(f"{x:.10f}" for x in atoms.cell.array.ravel())
        cells.append(f"{5 * k} {2.5 * k:.3f} {numbers} {atoms.get_volume():.10f}")
    path.write_text("\n".join(lines) + "\n")
    path.with_name(path.name.replace("-pos-1.xyz", "-1.cell")).write_text("\n".join(cells) + "\n")


def write_xdatcar(path, frames):
    """With a header for each frame, as VASP writes it where the cell changes."""
    text = ""
    for k, atoms in enumerate(frames, start=1):
        kinds = list(dict.fromkeys(atoms.symbols))
        order = np.argsort([kinds.index(s) for s in atoms.symbols], kind="stable")
        cell = atoms.cell.array
        text += "silica\n 1.0\n" + rows(cell) + " ".join(kinds) + "\n"
        text += " ".join(str(list(atoms.symbols).count(kind)) for kind in kinds) + "\n"
        text += f"Direct configuration= {k:5d}\n" + rows(atoms.get_scaled_positions()[order])
    path.write_text(text)


def write_vasprun(path, frames, potim=2.0):
    atoms = frames[0]
    types = "".join(f"<rc><c>{s:2s}</c><c>1</c></rc>" for s in atoms.symbols)
    text = '<?xml version="1.0" encoding="ISO-8859-1"?>\n<modeling>\n<incar>'
    text += f'<i type="int" name="IBRION"> 0</i><i name="POTIM"> {potim}</i></incar>\n'
    text += '<kpoints><varray name="kpointlist"><v>0 0 0</v></varray>'
    text += '<varray name="weights"><v>1.0</v></varray></kpoints>\n'
    text += f'<atominfo><atoms>{len(atoms)}</atoms><array name="atoms"><set>{types}</set>'
    text += "</array></atominfo>\n"
    text += structure(frames[0], ' name="initialpos"')
    for atoms in frames:
        energy = "".join(f'<i name="{name}">-1.0</i>' for name in ("e_fr_energy", "e_0_energy"))
        energy = f"<energy>{energy}</energy>"
        text += f"<calculation>\n<scstep>{energy}</scstep>{structure(atoms)}{energy}"
        text += "</calculation>\n"
    path.write_text(text + structure(frames[-1], ' name="finalpos"') + "</modeling>\n")


def structure(atoms, name=""):
    def array(key, values):
        lines = "".join(f"<v>{row}</v>\n" for row in rows(values).splitlines())
        return f'<varray name="{key}">\n{lines}</varray>\n'

    crystal = f"<crystal>{array('basis', atoms.cell.array)}</crystal>"
    positions = array("positions", atoms.get_scaled_positions())
    return f"<structure{name}>{crystal}{positions}</structure>\n"


def write_dump(path, frames, kinds=("Si", "O"), columns="id type x y z", scaled=False):
    """A dump of LAMMPS with atoms in another order in each frame, and an origin off zero."""
    rng = np.random.default_rng(5)
    text = ""
    for k, atoms in enumerate(frames):
        (lx, _, _), (xy, ly, _), (xz, yz, lz) = atoms.cell.array.tolist()
        origin = np.array([1.5, -2.0, 0.25])
        ends = [
            (min(0, xy, xz, xy + xz), lx + max(0, xy, xz, xy + xz), xy),
            (min(0, yz), ly + max(0, yz), xz),
            (0, lz, yz),
        ]
        text += f"ITEM: TIMESTEP\n{100 * k}\nITEM: NUMBER OF ATOMS\n{len(atoms)}\n"
        text += "ITEM: BOX BOUNDS xy xz yz pp pp pp\n"
        text += "".join(
            f"{low + o!r} {high + o!r} {t!r}\n"
            for (low, high, t), o in zip(ends, origin.tolist(), strict=True)
        )
        text += f"ITEM: ATOMS {columns}\n"
        for i in rng.permutation(len(atoms)):
            x = atoms.get_scaled_positions()[i] if scaled else atoms.positions[i] + origin
            known = {
                "id": i + 1,
                "type": kinds.index(atoms.symbols[i]) + 1,
                "element": atoms.symbols[i],
            }
            known |= {
                c: repr(float(value)) for c, value in zip(columns.split()[-3:], x, strict=True)
            }
            text += " ".join(str(known[c]) for c in columns.split()) + "\n"
    path.write_text(text)


def rows(values):
    return "".join(" ".join(f"{x:.12f}" for x in row) + "\n" for row in np.asarray(values))


@pytest.fixture(scope="session")
def made():
    """Make trajectories, and write them."""
    return SimpleNamespace(
        trajectory=trajectory,
        extxyz=write_extxyz,
        cp2k=write_cp2k,
        xdatcar=write_xdatcar,
        vasprun=write_vasprun,
        dump=write_dump,
    )


@pytest.fixture
def here(tmp_path, monkeypatch, capsys):
    """Call ``lammpsfit`` in this process, in the folder `tmp_path`."""

    def call(*arguments):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["lammpsfit", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        said = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, caught.value.code, said.out, said.err)

    return call

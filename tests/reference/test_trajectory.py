"""Readers of trajectories, against the libraries that read whole files."""

import gzip
import sys
import warnings

import numpy as np
import pytest
from ase.io import read
from pymatgen.io.vasp.outputs import Xdatcar

from lammpsfit.errors import InputError
from lammpsfit.reference.frame import Hints
from lammpsfit.reference.trajectory import Selection, detect_format, read_trajectory

TYPES = Hints({1: "Si", 2: "O"})
NAMES = {
    "extxyz": ("frames.xyz", "xyz"),
    "cp2k": ("SILICA-pos-1.xyz", "xyz"),
    "xdatcar": ("XDATCAR", "xdatcar"),
    "vasprun": ("vasprun.xml", "vasprun"),
    "dump": ("silica.lammpstrj", "lammps-dump"),
}


@pytest.fixture(params=NAMES)
def written(request, made, tmp_path):
    """A file in each format, its format, and the frames in it."""
    name, form = NAMES[request.param]
    frames = made.trajectory(3, tilt=0.3, variable=True)
    getattr(made, request.param)(tmp_path / name, frames)
    return tmp_path / name, form, frames


def same_frames(path, form, frames, hints=TYPES, tolerance=1e-7):
    found = list(read_trajectory(path, form, hints))
    assert len(found) == len(frames)
    for one, atoms in zip(found, frames, strict=True):
        assert one.species == tuple(atoms.symbols)
        np.testing.assert_allclose(one.cell, atoms.cell.array, atol=tolerance)
        moved = one.positions - atoms.positions
        # a shift of all atoms does not matter: dumps keep the origin of their box
        shift = np.linalg.solve(atoms.cell.array.T, (moved - moved[0]).T).T
        np.testing.assert_allclose(shift, np.round(shift), atol=tolerance)


def test_every_format_gives_the_frames_back(written):
    path, form, frames = written
    assert detect_format(path) == form
    same_frames(path, form, frames)


def test_compressed_files_are_read(written):
    path, form, frames = written
    packed = path.with_name(path.name + ".gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert detect_format(packed) == form
    same_frames(packed, form, frames)


def test_a_file_that_ends_within_a_frame_ends_before_it(written):
    """As that of a run that was killed; wherever it ends."""
    path, form, _ = written
    whole = path.read_bytes()
    for fraction in (0.75, 0.9, 0.98):
        path.write_bytes(whole[: int(fraction * len(whole))])
        said = []
        found = list(read_trajectory(path, form, TYPES, said.append))
        if form == "vasprun" and fraction > 0.75:
            assert len(found) in (2, 3)  # it ends within finalpos
        else:
            assert len(found) == 2
        assert said == [f"{path}: ends within frame {len(found) + 1}, which is left out"]
    path.write_bytes(whole[: len(whole) // 8])
    with pytest.raises(InputError, match=r"no whole frame|no frame of"):
        list(read_trajectory(path, form, TYPES))


@pytest.mark.parametrize("name", NAMES)
def test_only_the_last_frame_may_be_cut_short(made, tmp_path, name):
    """Wherever the second of four frames ends, what follows is not lost without a word."""
    file, form = NAMES[name]
    path, frames = tmp_path / file, made.trajectory(4, tilt=0.3, variable=True)
    sizes = []
    for n in (1, 2, 4):
        getattr(made, name)(path, frames[:n])
        end = path.read_bytes().find(b"<structure name='finalpos'") if form == "vasprun" else -1
        sizes.append(end if end > 0 else path.stat().st_size)
    whole = path.read_bytes()
    for fraction in np.linspace(0.02, 0.98, 49):
        cut = sizes[0] + int(fraction * (sizes[1] - sizes[0]))
        path.write_bytes(whole[:cut] + whole[sizes[1] :])
        with pytest.raises(InputError, match=r"frame [123]\b"):
            list(read_trajectory(path, form, TYPES))


def test_a_dump_that_goes_on_within_a_line(made, tmp_path):
    """The header of the third frame is cut off, and the fourth begins there."""
    made.dump(tmp_path / "d", made.trajectory(4))
    first, second, _, fourth = (tmp_path / "d").read_text().split("ITEM: TIMESTEP\n")[1:]
    for begun in ("ITEM: TIME", "ITEM: TIMESTEP\n200\nITEM: NUMBER OF ATOMS\n24\nITEM: BOX"):
        text = "ITEM: TIMESTEP\n".join(["", first, second + begun, fourth])
        (tmp_path / "d").write_text(text)
        with pytest.raises(InputError, match=r"frame [23]: not all of it is there"):
            list(read_trajectory(tmp_path / "d", "lammps-dump", TYPES))


@pytest.mark.parametrize(
    "head",
    [
        "ITEM: NUMBER OF ATOMS\n-5\nITEM: ATOMS id type\n",
        "ITEM: ATOMS id type\nITEM: NUMBER OF ATOMS\n",
        "ITEM: NUMBER OF ATOMS\n1\nITEM: ATOMS id\nITEM: ATOMS id type\n",
    ],
)
def test_damaged_heads_of_a_dump_are_refused(tmp_path, head):
    (tmp_path / "d").write_text(f"ITEM: TIMESTEP\n0\n{head}")
    with pytest.raises(InputError, match=r"frame 1: (the number of atoms is none|not all of it)"):
        list(read_trajectory(tmp_path / "d", "lammps-dump", TYPES))


def test_a_dump_that_ends_within_a_head(made, tmp_path):
    made.dump(tmp_path / "d", made.trajectory(2))
    (tmp_path / "d").write_text((tmp_path / "d").read_text() + "ITEM: TIMESTEP\n200\nITEM: ")
    said = []
    assert len(list(read_trajectory(tmp_path / "d", "lammps-dump", TYPES, said.append))) == 2
    assert said == [f"{tmp_path / 'd'}: ends within frame 3, which is left out"]


def test_frames_are_read_one_at_a_time(written):
    """What comes later in a file is not looked at before."""
    path, form, _ = written
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] + b"\n\x01<&\n nonsense\n" * 40)
    frames = read_trajectory(path, form, TYPES)
    assert len(next(frames).species) == 24
    with pytest.raises(InputError, match=r"frame|form"):
        print(len(list(read_trajectory(path, form, TYPES))))


def test_xdatcar_is_read_as_pymatgen_reads_it(made, tmp_path):
    """One header for all frames, a scale, and the names of species as VASP 5 writes them."""
    frames = made.trajectory(4)
    made.xdatcar(tmp_path / "XDATCAR", frames)
    text = (tmp_path / "XDATCAR").read_text()
    header, _, rest = text.partition("Direct")
    single = header.replace(" 1.0\n", " 1.01\n", 1) + "Direct" + rest.replace(header, "")
    (tmp_path / "XDATCAR").write_text(single)
    found = list(read_trajectory(tmp_path / "XDATCAR", "xdatcar"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = Xdatcar(str(tmp_path / "XDATCAR")).structures
    assert len(found) == len(expected) == 4
    for one, structure in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.positions, structure.cart_coords, atol=1e-9)
        np.testing.assert_allclose(one.cell, structure.lattice.matrix)
        assert one.species == tuple(site.specie.symbol for site in structure)


def test_vasprun_is_read_as_ase_reads_it(made, tmp_path):
    frames = made.trajectory(3, tilt=0.2)
    made.vasprun(tmp_path / "vasprun.xml", frames, potim=1.5)
    found = list(read_trajectory(tmp_path / "vasprun.xml", "vasprun"))
    for one, atoms in zip(found, read(tmp_path / "vasprun.xml", index=":"), strict=True):
        np.testing.assert_allclose(one.positions, atoms.positions, atol=1e-9)
        assert one.species == tuple(atoms.symbols)
    assert [one.time for one in found] == pytest.approx([0.0, 0.0015, 0.003])


@pytest.mark.parametrize(
    ("columns", "scaled", "hints"),
    [
        ("id type xs ys zs", True, TYPES),
        ("type id xu yu zu", False, TYPES),
        ("id element x y z", False, Hints()),
        ("element type id xsu ysu zsu", True, TYPES),
    ],
)
def test_dumps_have_many_columns(made, tmp_path, columns, scaled, hints):
    frames = made.trajectory(2, tilt=-0.25)
    made.dump(tmp_path / "d", frames, columns=columns, scaled=scaled)
    same_frames(tmp_path / "d", "lammps-dump", frames, hints)


def test_types_have_the_last_word_over_elements(made, tmp_path):
    """A dump without dump_modify element has C for all."""
    frames = made.trajectory(1)
    made.dump(tmp_path / "d", frames, columns="id type element x y z")
    text = (tmp_path / "d").read_text().replace(" Si ", " C ").replace(" O ", " C ")
    (tmp_path / "d").write_text(text)
    same_frames(tmp_path / "d", "lammps-dump", frames)


def test_cp2k_cells_are_found_by_step(made, tmp_path):
    """Positions written half as often as cells; times in ps."""
    frames = made.trajectory(6, variable=True)
    made.cp2k(tmp_path / "S-pos-1.xyz", frames)
    chunks = (tmp_path / "S-pos-1.xyz").read_text().split("24\n i =")[1:]
    thin = "".join("24\n i =" + chunk for chunk in chunks[::2])
    (tmp_path / "S-pos-1.xyz").write_text(thin)
    same_frames(tmp_path / "S-pos-1.xyz", "xyz", frames[::2])
    found = list(read_trajectory(tmp_path / "S-pos-1.xyz", "xyz"))
    assert [one.time for one in found] == pytest.approx([0.0, 0.005, 0.01])
    cells = tmp_path / "S-1.cell"
    cells.write_text("".join(cells.read_text().splitlines(keepends=True)[:4]))
    with pytest.raises(InputError, match=r"frame 3: .*S-1.cell has no cell of step 20"):
        list(read_trajectory(tmp_path / "S-pos-1.xyz", "xyz"))


@pytest.mark.parametrize(
    ("written", "time"),
    [
        ("0.25D+01", 0.0025),
        ("2.5e0,", 0.0025),
        (".5E-1", 5e-5),
        ("-3.", -0.003),
        ("ended", None),
        ("e", None),
        ("1.2.3", None),
        ("2.5ps", None),
    ],
)
def test_times_of_cp2k(made, tmp_path, written, time):
    """Doubles of Fortran are numbers; what is none is no time."""
    made.cp2k(tmp_path / "S-pos-1.xyz", made.trajectory(1))
    text = (tmp_path / "S-pos-1.xyz").read_text()
    (tmp_path / "S-pos-1.xyz").write_text(text.replace("0.000,", written, 1))
    (found,) = read_trajectory(tmp_path / "S-pos-1.xyz", "xyz")
    assert found.time == (None if time is None else pytest.approx(time))


@pytest.mark.parametrize(
    "cell", ["7.13,7.13,7.13", "7.13 7.13 7.13 90 90 90", "7.13,0,0,0,7.13,0,0,0,7.13"]
)
def test_a_cell_for_plain_xyz(made, tmp_path, cell):
    frames = made.trajectory(2)
    made.cp2k(tmp_path / "S-pos-1.xyz", frames)
    text = (tmp_path / "S-pos-1.xyz").read_text().replace("E =", "\"no ' E={")
    (tmp_path / "plain.xyz").write_text(text)
    same_frames(tmp_path / "plain.xyz", "xyz", frames, Hints(cell=cell))


@pytest.mark.parametrize(
    ("skip", "interval", "frames"),
    [
        ("0", None, 0),
        ("12", None, 12),
        ("2ps", 0.5, 4),
        ("2.1 ps", 0.5, 5),
        ("0.3ps", 0.1, 3),
        ("1e400ps", 0.5, sys.maxsize),
        ("1e308ps", 1e-4, sys.maxsize),
        ("9" * 400, None, sys.maxsize),
    ],
)
def test_frames_to_skip(skip, interval, frames):
    assert Selection(skip).frames(interval) == frames


def test_what_is_no_selection_is_refused():
    with pytest.raises(InputError, match="skip must be a number of frames or a time in ps"):
        Selection("2fs")
    with pytest.raises(InputError, match="skip must be"):
        Selection("-3")
    with pytest.raises(InputError, match="stride must be at least 1, got 0"):
        Selection(stride=0)
    with pytest.raises(InputError, match="do not tell the time between frames"):
        Selection("2ps").frames(None)

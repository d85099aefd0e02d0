"""What a file says of itself is believed or refused, never ignored."""

import re

import numpy as np
import pytest
from pymatgen.io.vasp.outputs import Vasprun

from lammpsfit.errors import InputError
from lammpsfit.reference.analyse import Settings, analyse
from lammpsfit.reference.frame import MOST_ATOMS, Hints
from lammpsfit.reference.lammps_rdf import read_lammps_rdf
from lammpsfit.reference.options import parse_types
from lammpsfit.reference.plausible import check_first_peak
from lammpsfit.reference.table import read_reference
from lammpsfit.reference.trajectory import Selection, detect_format, read_trajectory
from lammpsfit.reference.two_columns import read_two_columns
from lammpsfit.structure.rdf import PartialRdf

R = 0.1 * np.arange(1, 80)
G = np.where(R > 2.0, 1.0 + 2.0 * np.exp(-((R - 2.8) ** 2) / 0.05), 0.0)
GROWING = np.cumsum(G * R**2)


def times(path, form="vasprun", warn=lambda line: None):
    return [frame.time for frame in read_trajectory(path, form, Hints(), warn)]


# vasprun.xml


@pytest.fixture
def learned_field(made, tmp_path):
    """A run of MD of 12 steps, of which VASP's learned field made all but the 1st, 2nd and 7th."""
    path, frames = tmp_path / "vasprun.xml", made.trajectory(12)
    made.vasprun(path, frames, potim=2.0)
    text = path.read_text().replace("<incar>", '<incar><i type="logical" name="ML_LMLFF">T</i>')
    steps = re.findall(r"<calculation>.*?</calculation>", text, flags=re.DOTALL)
    for k, step in enumerate(steps):
        if k not in (0, 1, 6):
            structure = re.search(r"<structure>.*</structure>", step, flags=re.DOTALL)[0]
            text = text.replace(step, structure + '<energy><i name="kinetic">1.0</i></energy>')
    path.write_text(text)
    return path, frames


def test_steps_of_the_learned_field_are_steps(learned_field):
    path, frames = learned_field
    said = []
    found = list(read_trajectory(path, "vasprun", warn=said.append))
    assert [frame.time for frame in found] == pytest.approx([0.002 * k for k in range(12)])
    assert said == [f"{path}: 9 of 12 steps are of VASP's machine-learned field, not of DFT"]
    for frame, atoms in zip(found, frames, strict=True):
        same_places(frame, atoms.positions)


def same_places(frame, positions):
    shift = np.linalg.solve(frame.cell.T, (frame.positions - positions).T)
    np.testing.assert_allclose(shift, np.round(shift), atol=1e-7)


def test_pymatgen_sees_the_same_steps(learned_field):
    path, _ = learned_field
    generator = '<generator><i name="version" type="string">6.3.0</i></generator><incar>'
    text = path.read_text().replace("<incar>", generator)
    text = text.replace("<atominfo>", "<parameters/><atominfo>")
    types = '<array name="atomtypes"><set><rc><c>8</c><c>Si</c><c>1</c><c>4</c><c>PAW Si x</c></rc>'
    types += "<rc><c>16</c><c>O</c><c>1</c><c>6</c><c>PAW O x</c></rc></set></array></atominfo>"
    path.write_text(text.replace("</atominfo>", types))
    options = {"parse_dos": False, "parse_eigen": False, "parse_potcar_file": False}
    oracle = Vasprun(str(path), **options).md_data
    found = list(read_trajectory(path, "vasprun"))
    assert len(found) == len(oracle)
    for frame, step in zip(found, oracle, strict=True):
        same_places(frame, step["structure"].cart_coords)


def test_time_is_skipped_by_the_clock_of_the_run(learned_field, tmp_path):
    path, _ = learned_field
    settings = Settings(Selection("0.016ps"), blocks=1)
    assert analyse([path], ["vasprun"], [Hints()], settings, tmp_path).used == 4


@pytest.mark.parametrize("given", ["********", "nan", "", "1,0"])
def test_a_potim_that_is_no_number_leaves_no_times(made, tmp_path, given):
    path = tmp_path / "vasprun.xml"
    made.vasprun(path, made.trajectory(2), potim=given)
    said = []
    assert times(path, warn=said.append) == [None, None]
    assert f"POTIM is no number, but '{given}'" in said[0]
    with pytest.raises(InputError, match="do not tell the time between frames"):
        analyse([path], ["vasprun"], [Hints()], Settings(Selection("1ps"), blocks=1), tmp_path)


@pytest.mark.parametrize("encoding", ["ISO-8859-1", "UTF-8", "UTF-16", "windows-1252"])
def test_the_declared_encoding_holds(made, tmp_path, encoding):
    path = tmp_path / "vasprun.xml"
    made.vasprun(path, made.trajectory(2))
    text = path.read_text().replace("ISO-8859-1", encoding)
    text = text.replace("<incar>", '<incar><i name="SYSTEM">Gläser</i>')
    path.write_bytes(text.encode(encoding))
    if encoding != "UTF-16":
        assert detect_format(path) == "vasprun"
    assert len(times(path)) == 2


@pytest.mark.parametrize(
    "text",
    [
        '<?xml version="1.0" encoding="klingon"?><modeling></modeling>',
        "<modeling>" + "<a>" * 100_000,
        '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
        + "".join(
            f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True)
        )
        + "]><modeling>&i;</modeling>",
    ],
    ids=["encoding", "depth", "entities"],
)
def test_xml_that_is_made_to_harm(tmp_path, text):
    (tmp_path / "v.xml").write_text(text)
    with pytest.raises(InputError, match=r"v\.xml: (cannot be read|no whole frame)"):
        times(tmp_path / "v.xml")


# XDATCAR, xyz, dumps


@pytest.mark.parametrize(
    "title", ["glass, configuration 7", "Direct configurations", "direct sum", "Gläser 3 4"]
)
def test_the_title_of_an_xdatcar_is_anything(made, tmp_path, title):
    made.xdatcar(tmp_path / "X", made.trajectory(3))
    text = (tmp_path / "X").read_text().replace("silica", title)
    (tmp_path / "X").write_bytes(text.encode("latin-1"))
    assert detect_format(tmp_path / "X") == "xdatcar"
    assert len(times(tmp_path / "X", "xdatcar")) == 3


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ("8 999999999999999999", "the number of atoms must be 1 to"),
        (f"1 {MOST_ATOMS}", "the number of atoms must be 1 to"),
        ("25 -1", "every number of atoms must be at least 1, got '25 -1'"),
        ("0 24", "every number of atoms must be at least 1"),
        ("9" * 5000, "no numbers of atoms above"),
        ("8 1e400", "no numbers of atoms above"),
    ],
)
def test_absurd_numbers_of_atoms(made, tmp_path, counts, message):
    made.xdatcar(tmp_path / "X", made.trajectory(2))
    text = (tmp_path / "X").read_text().replace("\n8 16\n", f"\n{counts}\n", 1)
    (tmp_path / "X").write_text(text)
    with pytest.raises(InputError, match=message):
        times(tmp_path / "X", "xdatcar")


@pytest.mark.parametrize("form", ["xyz", "lammps-dump"])
@pytest.mark.parametrize("n", [0, MOST_ATOMS + 1, 10**17])
def test_absurd_numbers_of_atoms_elsewhere(tmp_path, form, n):
    text = f"{n}\n\n" if form == "xyz" else f"ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n{n}\n"
    (tmp_path / "a").write_text(text + "ITEM: ATOMS id type x y z\n" * (form != "xyz"))
    with pytest.raises(InputError, match="frame 1: the number of atoms must be 1 to 1000000, got"):
        times(tmp_path / "a", form)


def test_xdatcar_of_vasp_4_is_named(made, tmp_path):
    head = "  64  64  1\n  0.1E+02  0.4E-09  0.4E-09  0.4E-09  0.1E-14\n  300.0\n  CAR\n title\n\n"
    (tmp_path / "X").write_text(head + "  0.1 0.2 0.3\n" * 64)
    with pytest.raises(InputError, match="an XDATCAR of VASP 4, which has neither cell nor"):
        detect_format(tmp_path / "X")
    made.xdatcar(tmp_path / "X", made.trajectory(1))
    (tmp_path / "X").write_text((tmp_path / "X").read_text().replace("Si O\n", ""))
    with pytest.raises(InputError, match="no names of species above the numbers of atoms"):
        times(tmp_path / "X", "xdatcar")


def test_dumps_in_yaml_are_named(tmp_path):
    (tmp_path / "d").write_text("---\ncreator: LAMMPS\ntimestep: 0\nnatoms: 8\n")
    with pytest.raises(InputError, match="a dump of LAMMPS in yaml: write text instead"):
        detect_format(tmp_path / "d")


@pytest.mark.parametrize(
    "comment",
    ["snapshot 0, lattice constant 5.0", "a superLattice=5", "lattice", "pbc lattice 5"],
)
def test_the_comment_of_a_plain_xyz_is_anything(tmp_path, comment):
    (tmp_path / "a").write_text(f"1\n{comment}\nSi 0 0 0\n")
    (frame,) = read_trajectory(tmp_path / "a", "xyz", Hints(cell="5,6,7"))
    np.testing.assert_array_equal(frame.cell.diagonal(), [5, 6, 7])


@pytest.mark.parametrize("lattice", ["lattice", "Lattice", "LATTICE"])
def test_keys_of_extended_xyz_in_any_case(tmp_path, lattice):
    properties = lattice.replace("attice", "x").replace("ATTICE", "X")
    properties = {"lx": "properties", "Lx": "Properties", "LX": "PROPERTIES"}[properties]
    comment = f'{lattice}="5 0 0 0 6 0 0 0 7" energy=-1 {properties}=species:S:1:pos:R:3:force:R:3'
    (tmp_path / "a").write_text(f"1\n{comment}\nSi 0 1 0 9 9 9\n")
    (frame,) = read_trajectory(tmp_path / "a", "xyz")
    np.testing.assert_array_equal(frame.cell.diagonal(), [5, 6, 7])
    np.testing.assert_array_equal(frame.positions, [[0, 1, 0]])


# restarts


def cp2k(path, frames, steps):
    text = ""
    for step, atoms in zip(steps, frames, strict=True):
        text += f"{len(atoms)}\n i = {step}, time = {0.5 * step}, E = -1.0\n"
        text += "".join(
            f"{s} {x:.8f} {y:.8f} {z:.8f}\n"
            for s, (x, y, z) in zip(atoms.symbols, atoms.positions, strict=True)
        )
    path.write_text(text)


def analysed(path, form="xyz", cell="7.13,7.13,7.13"):
    hints = Hints({1: "Si", 2: "O"}, cell if form == "xyz" else None)
    return analyse([path], [form], [hints], Settings(blocks=1), path.parent)


def test_frames_of_a_restart_count_once(made, tmp_path):
    frames = made.trajectory(6)
    cp2k(tmp_path / "once", frames, range(6))
    cp2k(tmp_path / "twice", [*frames[:4], *frames[2:]], [0, 1, 2, 3, 2, 3, 4, 5])
    once, twice = analysed(tmp_path / "once"), analysed(tmp_path / "twice")
    assert twice.used == once.used == 6
    np.testing.assert_array_equal(twice.rdf.g, once.rdf.g)
    assert any("2 frames are those of an earlier step once more" in line for line in twice.warnings)
    assert not any("once more" in line for line in once.warnings)


def test_another_run_that_counts_from_zero_counts_in_full(made, tmp_path):
    """Also from the same first frame: only that one is there twice."""
    first, second = made.trajectory(3), made.trajectory(3, seed=1)
    cp2k(tmp_path / "a", [*first, *second], [0, 1, 2, 0, 1, 2])
    found = analysed(tmp_path / "a")
    assert found.used == 6
    assert any(
        "3 frames have the step of an earlier one but other pos" in x for x in found.warnings
    )
    cp2k(tmp_path / "a", [*first, first[0], *second[1:]], [0, 1, 2, 0, 1, 2])
    assert analysed(tmp_path / "a").used == 5


def test_dumps_that_were_appended_to_count_once(made, tmp_path):
    frames = made.trajectory(3)
    made.dump(tmp_path / "d", frames)
    text = (tmp_path / "d").read_text()
    last = text[text.index("ITEM: TIMESTEP\n200") :]
    (tmp_path / "d").write_text(text + last)
    assert analysed(tmp_path / "d", "lammps-dump").used == 3


# tables


def written(path, columns, separator=" ", head="", tail=""):
    rows = [separator.join(f"{x:.6f}" for x in row) for row in zip(*columns, strict=True)]
    path.write_text(head + "\n".join(rows) + "\n" + tail)
    return path


XVG = '# GROMACS\n@    title "RDF"\n@    xaxis  label "r (nm)"\n@TYPE xy\n'


@pytest.mark.parametrize(
    ("head", "scale"),
    [
        (XVG, 10.0),
        (XVG.replace("@TYPE", "".join(f"# line {k}\n" for k in range(60)) + "@TYPE"), 10.0),
        ("# Distance / pm;  g(r);\n", 0.01),
        ("r_nm g\n", 10.0),
        ("r[pm] g\n", 0.01),
        ("# r in bohr\n", 0.529177210903),
        ("# r (A), g\n", 1.0),
        ("", 1.0),
    ],
)
def test_the_unit_of_r_is_read(tmp_path, head, scale):
    path = written(tmp_path / "g.xvg", (R / scale, G), head=head)
    assert detect_format(path) == "rdf-table"
    found = read_two_columns([path], ["O-O"])
    np.testing.assert_allclose(found.rdf.r, R, rtol=1e-3)
    assert any("is in Å" in note for note in found.notes) == (scale != 1.0)


@pytest.mark.parametrize(("scale", "unit"), [(10.0, "nm"), (0.01, "pm")])
def test_a_first_peak_where_no_atoms_are(tmp_path, scale, unit):
    """Also where nothing tells the unit, in tables made by hand, and of trajectories."""
    where = rf"the first peak of O-O must be .* Å, but g is .* is r in {unit}\?"
    path = written(tmp_path / "g", (R / scale, G))
    with pytest.raises(InputError, match=where):
        read_two_columns([path], ["O-O"])
    path = written(tmp_path / "g.csv", (R / scale, G), ",", "r_A,g_O-O\n")
    with pytest.raises(InputError, match=where):
        read_reference(path)
    check_first_peak(PartialRdf(("O-O",), R, G[None]), "here")
    check_first_peak(PartialRdf(("O-O",), R, np.ones((1, len(R)))), "a gas without order")


@pytest.mark.parametrize(
    ("columns", "n_pairs"),
    [
        ((R, G), 1),
        ((R, G, GROWING), 1),
        ((R, G, R, G), 2),
        ((R, G, G), 2),
        ((R, G, G, G), 3),
        ((R, G, GROWING, G, GROWING), 2),
    ],
    ids=["r g", "r g N", "r g r g", "r g g", "r g g g", "r g N g N"],
)
def test_columns_are_what_they_can_be(tmp_path, columns, n_pairs):
    pairs = ["Si-O", "O-O", "Si-Si"]
    path = written(tmp_path / "g", columns, "; ")
    assert detect_format(path) == "rdf-table"
    found = read_two_columns([path], pairs[:n_pairs])
    np.testing.assert_allclose(found.rdf.g, [G] * n_pairs, atol=1e-6)
    assert ("integrals left out" in found.notes) == any(c is GROWING for c in columns)
    for wrong in set(range(1, 4)) - {n_pairs}:
        with pytest.raises(InputError, match=r"--pairs must name|the columns must be"):
            read_two_columns([path], pairs[:wrong])


def test_sets_of_xmgrace_are_pairs(tmp_path):
    rows = "\n".join(f"{r} {g}" for r, g in zip(R, G, strict=True))
    (tmp_path / "g.agr").write_text(f"@TYPE xy\n{rows}\n&\n@TYPE xy\n{rows}\n&\n")
    assert detect_format(tmp_path / "g.agr") == "rdf-table"
    assert read_two_columns([tmp_path / "g.agr"], ["Si-O", "O-O"]).rdf.g.shape == (2, len(R))
    with pytest.raises(InputError, match="2 of them, got 1"):
        read_two_columns([tmp_path / "g.agr"], ["O-O"])


@pytest.mark.parametrize("dr", [1e-12, 1e-300])
def test_bins_without_number(tmp_path, dr):
    with pytest.raises(InputError, match=r"dr must be at least 0.0001 Å"):
        Settings(dr=dr)
    path = written(tmp_path / "g", (R, G))
    with pytest.raises(InputError, match="give a larger --dr"):
        read_two_columns([path], ["O-O"], dr=dr)


@pytest.mark.parametrize("text", ["¹=Si", "1=Si,²=O", "١=Si", "1=Si,1=O", "1=7", "1" * 50 + "=Si"])
def test_types_are_plain_digits(text):
    with pytest.raises(InputError, match=r"^species"):
        parse_types(text)


# fix ave/time


def ave_time(path, outputs):
    text = "# Time-averaged data for fix f\n# TimeStep Number-of-rows\n# Row c_r[1] c_r[2] c_r[3]\n"
    for step, g in enumerate(outputs, start=1):
        text += f"{100 * step} {len(R)}\n"
        text += "".join(
            f"{k} {r:.4f} {x:.6f} 1\n" for k, (r, x) in enumerate(zip(R, g, strict=True), 1)
        )
    path.write_text(text)
    return path


def averages(kind, n):
    own = G + 0.2 * G * np.random.default_rng(3).standard_normal((n, len(R)))
    if kind == "running":
        return np.cumsum(own, axis=0) / np.arange(1, n + 1)[:, None]
    if kind == "window":
        return np.array([own[max(0, k - 4) : k + 1].mean(axis=0) for k in range(n)])
    return own


@pytest.mark.parametrize("n", [5, 8, 20, 100])
@pytest.mark.parametrize("kind", ["one", "running", "window"])
def test_running_averages_are_no_averages_of_their_own(tmp_path, kind, n):
    outputs = averages(kind, n)
    found = read_lammps_rdf(ave_time(tmp_path / "f", outputs), ["O-O"], 5)
    blocks, note = found.rdf.blocks, " ".join(found.notes)
    if kind == "running":
        assert len(blocks) == 1
        np.testing.assert_allclose(found.rdf.g[0], outputs[-1], atol=1e-6)
        assert "as running averages do: the last is taken, without errors" in note
    elif kind == "one":
        assert len(blocks) == 5
        np.testing.assert_allclose(found.rdf.g[0], outputs[n % 5 :].mean(axis=0), atol=1e-5)
        assert "alike" not in note
    elif n >= 20:
        assert "successive outputs are alike" in note

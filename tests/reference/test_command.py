"""``lammpsfit reference`` from the files to what it writes."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lammpsfit.reference.table import read_reference

HERE = Path(__file__).parent
SPECIES = ("--species", "1=Si,2=O")


def table_of(path):
    """Columns of a CSV file below its comments."""
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    values = np.array([[float(cell) for cell in line.split(",")] for line in lines[1:]])
    return dict(zip(lines[0].split(","), values.T, strict=True))


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_all_formats_give_the_same(here, made, tmp_path):
    """g(r), errors, angles and coordination, of a sheared cell that changes."""
    frames = made.trajectory(12, tilt=0.25, variable=True)
    files = {
        "frames.xyz": (made.extxyz, ()),
        "S-pos-1.xyz": (made.cp2k, ()),
        "XDATCAR": (made.xdatcar, ()),
        "vasprun.xml": (made.vasprun, ()),
        "s.dump": (made.dump, SPECIES),
    }
    first = None
    for name, (write, options) in files.items():
        write(tmp_path / name, frames)
        outputs = ("-o", "g.csv", "--angles", "a.csv", "--json", "s.json")
        done = here("reference", name, *outputs, "--blocks", 4, *options)
        assert done.returncode == 0, done.stderr
        found = table_of(tmp_path / "g.csv"), table_of(tmp_path / "a.csv")
        summary = json.loads((tmp_path / "s.json").read_text())
        coordination = {(c["centre"], c["neighbour"]): c["mean"] for c in summary["coordination"]}
        first = first or (*found, coordination)
        assert coordination == pytest.approx(first[2])
        for one, other in zip(found, first, strict=False):
            assert one.keys() == other.keys()
            for column in one:
                np.testing.assert_allclose(one[column], other[column], rtol=1e-6, atol=1e-9)
    assert {"err_Si-O", "g_O-O"} <= first[0].keys()
    assert {"p_O-Si-O", "err_Si-O-Si"} <= first[1].keys()
    assert first[2]["Si", "O"] == pytest.approx(4.0, abs=0.3)


def test_what_is_written_is_a_reference_with_errors(here, made, tmp_path):
    frames = made.trajectory(23)
    made.extxyz(tmp_path / "a.xyz", frames)
    done = here("reference", "a.xyz", "-o", "g.csv", "--skip", 2, "--stride", 2, "--blocks", 5)
    assert done.returncode == 0, done.stderr
    reference = read_reference(tmp_path / "g.csv")
    assert reference.rdf.pairs == ("Si-Si", "Si-O", "O-O")
    assert reference.errors.keys() == set(reference.rdf.pairs)
    assert all(error.max() > 0 for error in reference.errors.values())
    header = "\n".join(reference.header)
    for words in (
        "24 atoms: 8 Si, 16 O",
        "Source: a.xyz (xyz, 23 frames)",
        "Frames: 10 of 23, the first 2 skipped, then one in 2, then 1 left out for blocks of equal",
        "volume 362.467 Å^3 (constant), smallest height 7.13 Å",
        "2.202 g/cm^3",
        "Temperature: unknown",
        "N_i (N_j - delta_ij)",
        "5 blocks of 2 frames",
        "up to 3.56 Å, within half",
        "(first minimum of g(r))",
        "Coordination: O around Si 4.0",
        "Command: lammpsfit reference a.xyz -o g.csv --skip 2 --stride 2 --blocks 5",
    ):
        assert words in header
    # the blocks by hand: frames 3, 5, 7, ... of which the first is left out
    made.extxyz(tmp_path / "b.xyz", frames[4::2])
    again = here("reference", "b.xyz", "-o", "b.csv", "--blocks", 1)
    assert again.returncode == 0, again.stderr
    b = read_reference(tmp_path / "b.csv")
    np.testing.assert_allclose(b.rdf.g, reference.rdf.g, rtol=1e-6)
    assert b.errors == {}


def test_errors_are_the_scatter_of_blocks(here, made, tmp_path):
    frames = made.trajectory(6)
    made.extxyz(tmp_path / "a.xyz", frames)
    assert here("reference", "a.xyz", "-o", "g.csv", "--blocks", 3).returncode == 0
    blocks = []
    for k in range(3):
        made.extxyz(tmp_path / "part.xyz", frames[2 * k : 2 * k + 2])
        assert here("reference", "part.xyz", "-o", "part.csv", "--blocks", 1).returncode == 0
        blocks.append(table_of(tmp_path / "part.csv")["g_Si-O"])
    error = np.std(blocks, axis=0, ddof=1) / np.sqrt(3)
    whole = table_of(tmp_path / "g.csv")
    np.testing.assert_allclose(whole["err_Si-O"], error, rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(whole["g_Si-O"], np.mean(blocks, axis=0), rtol=1e-6, atol=1e-8)


def test_files_are_joined(here, made, tmp_path):
    """Of different formats, too; and skipped frames are those of the whole."""
    frames = made.trajectory(9)
    made.extxyz(tmp_path / "all.xyz", frames)
    made.xdatcar(tmp_path / "XDATCAR", frames[:4])
    made.vasprun(tmp_path / "vasprun.xml", frames[4:])
    options = ("--skip", 5, "--blocks", 2)
    assert here("reference", "all.xyz", "-o", "g.csv", *options).returncode == 0
    joined = here("reference", "XDATCAR", "vasprun.xml", "-o", "j.csv", *options)
    assert joined.returncode == 0, joined.stderr
    one, other = table_of(tmp_path / "g.csv"), table_of(tmp_path / "j.csv")
    for column in one:
        np.testing.assert_allclose(one[column], other[column], rtol=1e-6, atol=1e-9)
    made.vasprun(tmp_path / "vasprun.xml", frames, potim=2.0)
    timed = here("reference", "vasprun.xml", "-o", "t.csv", "--skip", "0.01ps", "--blocks", 2)
    assert timed.returncode == 0, timed.stderr
    np.testing.assert_allclose(table_of(tmp_path / "t.csv")["g_Si-O"], one["g_Si-O"], atol=1e-6)


def test_a_sheared_cell_of_the_same_crystal_is_the_same(here, made, tmp_path):
    """Other cell vectors of one lattice: c + a instead of c."""
    frames = made.trajectory(4, repeats=2)
    made.extxyz(tmp_path / "a.xyz", frames)
    for atoms in frames:
        cell = atoms.cell.array.copy()
        cell[2] += cell[0]
        atoms.set_cell(cell)
    made.extxyz(tmp_path / "b.xyz", frames)
    options = ("--blocks", 2, "--r-max", 5.0)
    assert here("reference", "a.xyz", "-o", "a.csv", *options).returncode == 0
    assert here("reference", "b.xyz", "-o", "b.csv", *options).returncode == 0
    one, other = table_of(tmp_path / "a.csv"), table_of(tmp_path / "b.csv")
    for column in one:
        np.testing.assert_allclose(one[column], other[column], rtol=1e-7, atol=1e-9)
    assert here("reference", "a.xyz", "-o", "a.csv", "--blocks", 1).returncode == 0
    assert read_reference(tmp_path / "a.csv").rdf.edges[-1] == pytest.approx(7.12)
    assert here("reference", "b.xyz", "-o", "b.csv", "--blocks", 1).returncode == 0
    # the sheared cell is flatter: 7.13 · √2 high
    assert read_reference(tmp_path / "b.csv").rdf.edges[-1] == pytest.approx(5.04)


def lammps_rdf(atoms, folder, cutoff, bins):
    """Let LAMMPS compute g(r): the file ``fix ave/time`` writes."""
    job, out = folder / "job.json", folder / "lammps.txt"
    types = [1 + ("Si", "O").index(name) for name in atoms.symbols]
    values = {
        "positions": atoms.get_positions(wrap=True).tolist(),
        "types": types,
        "cell": atoms.cell.array.tolist(),
        "cutoff": cutoff,
        "bins": bins,
    }
    job.write_text(json.dumps(values))
    subprocess.run([sys.executable, HERE / "lammps_rdf.py", job, out], check=True, timeout=120)
    return out.read_text()


@pytest.mark.lammps
@pytest.mark.parametrize(
    ("cutoff", "options"), [(3.5, ("--dr", 0.05)), (6.0, ("--r-max", 6.0, "--dr", 0.05))]
)
def test_g_is_that_of_lammps(here, made, tmp_path, cutoff, options):
    """Compute rdf of the same frames: sheared, changing, and beyond half the box."""
    frames = made.trajectory(2, tilt=0.05, variable=True)
    texts = [lammps_rdf(atoms, tmp_path, cutoff, round(cutoff / 0.05)) for atoms in frames]
    made.dump(tmp_path / "s.dump", frames)
    options = (*options, *SPECIES)
    done = here("reference", "s.dump", "-o", "g.csv", "--blocks", 2, *options)
    assert done.returncode == 0, done.stderr
    assert ("counts periodic images" in done.stdout) == (cutoff > 4)
    (tmp_path / "rdf.txt").write_text(texts[0] + "\n".join(texts[1].splitlines()[3:]) + "\n")
    pairs = ("--pairs", "1-1,1-2,2-2", "--species", "1=Si,2=O")
    converted = here("reference", "rdf.txt", "-o", "l.csv", *pairs)
    assert converted.returncode == 0, converted.stderr
    ours, theirs = table_of(tmp_path / "g.csv"), table_of(tmp_path / "l.csv")
    n = len(ours["r_A"])
    assert n >= 60
    assert theirs.keys() == ours.keys()
    for column in theirs:
        np.testing.assert_allclose(ours[column], theirs[column][:n], rtol=1e-6, atol=1e-7)
    assert theirs["g_Si-O"].max() > 3


def test_three_species_and_a_single_atom(here, made, tmp_path):
    frames = made.trajectory(2, repeats=2)
    for atoms in frames:
        atoms.symbols[[0, 1]] = "Al"
        atoms.symbols[2] = "Na"
    made.extxyz(tmp_path / "a.xyz", frames)
    done = here("reference", "a.xyz", "-o", "g.csv", "--blocks", 1, "--png", "g.png")
    assert done.returncode == 0, done.stderr
    pairs = set(read_reference(tmp_path / "g.csv").rdf.pairs)
    assert len(pairs) == 9  # of four species, without Na-Na
    assert "Na-Na" not in pairs
    assert (tmp_path / "g.png").read_bytes().startswith(b"\x89PNG")


def test_cutoffs_may_be_given(here, made, tmp_path):
    made.extxyz(tmp_path / "a.xyz", made.trajectory(3, repeats=2))
    options = ("--blocks", 3, "--cutoff", "O-Si=0.5", "--cutoff", "O-O=3.1,Si-Si=3.6")
    done = here("reference", "a.xyz", "-o", "g.csv", *options, "--json", "s.json")
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "s.json").read_text())
    assert summary["cutoffs"]["Si-O"] == {"r_A": 0.5, "given": True}
    assert "cutoff Si-Si 3.60 Å (given)" in done.stdout
    (none,) = [c for c in summary["coordination"] if c["centre"] == "Si" and c["neighbour"] == "O"]
    assert (none["mean"], none["fraction"]) == (0.0, [1.0])


def test_columns_of_pairs_become_a_reference(here, tmp_path):
    r = 0.05 * (np.arange(60) + 0.5)
    g = {"Si-O": np.exp(-((r - 1.6) ** 2) / 0.02), "O-O": np.exp(-((r - 2.6) ** 2) / 0.1)}
    names = "# r g\n"
    for pair, values in g.items():
        rows = np.column_stack([r, values])
        (tmp_path / f"{pair}.dat").write_text(names + "\n".join(f"{a} {b}" for a, b in rows))
    both = np.column_stack([r, g["Si-O"], r, g["O-O"]])
    text = "r;g1;r;g2\n" + "\n".join(";".join(map(repr, row)) for row in both.tolist())
    (tmp_path / "both.csv").write_text(text)
    for files in (("Si-O.dat", "O-O.dat"), ("both.csv",)):
        done = here("reference", *files, "-o", "g.csv", "--pairs", "Si-O,2-2", "--species", "2=O")
        assert done.returncode == 0, done.stderr
        rdf = read_reference(tmp_path / "g.csv").rdf
        np.testing.assert_allclose(rdf.r, r)
        np.testing.assert_allclose(rdf.g, list(g.values()), atol=1e-7)


def test_columns_with_other_radii_are_interpolated(here, tmp_path):
    fine, coarse = np.arange(0.2, 4.0, 0.01), np.arange(0.31, 3.9, 0.037)
    for name, r in (("a.dat", fine), ("b.dat", coarse)):
        (tmp_path / name).write_text("\n".join(f"{x} {2.0 * x}" for x in r))
    options = ("--pairs", "Si-O,O-O", "--dr", 0.05)
    done = here("reference", "a.dat", "b.dat", "-o", "g.csv", *options, "--r-max", 3.0)
    assert done.returncode == 0, done.stderr
    assert "interpolated linearly onto bins of 0.05 Å" in done.stdout
    rdf = read_reference(tmp_path / "g.csv").rdf
    assert rdf.r[0] == pytest.approx(0.325)
    assert rdf.r[-1] == pytest.approx(2.975)
    np.testing.assert_allclose(rdf.g, [2.0 * rdf.r] * 2, rtol=1e-6)


CUBE = ("--cell", "7.13,7.13,7.13")

BAD = {
    "no file": (("no.xyz",), "no.xyz: no such file"),
    "folder": ((".",), "cannot be read"),
    "empty": (("empty",), "empty: empty file"),
    "unknown format": (("text",), "text: unknown format: give --format, one of vasprun"),
    "no format": (("a.xyz", "--format", "pdb"), "format must be auto or one of"),
    "other format": (
        ("a.xyz", "--format", "xdatcar"),
        "a.xyz, frame 1: no line 'Direct configuration='",
    ),
    "other format 2": (("a.xyz", "--format", "vasprun"), "no whole frame of a vasprun.xml"),
    "binary": (("binary",), "binary: cannot be read: not a text file"),
    "no cell": (("plain.xyz",), "plain.xyz: no cell: give --cell a,b,c"),
    "bad cell": (("plain.xyz", "--cell", "7,7"), "a cell must be a,b,c in Å"),
    "flat cell": (("plain.xyz", "--cell", "7,7,0"), "a cell must have a volume"),
    "cell file": (("plain.xyz", "--cell", "none.cell"), "none.cell: no such cell file"),
    "no cell file": (("plain.xyz", "--cell", "text"), "text: no cell file of CP2K"),
    "cell for all": (("a.xyz", "a.xyz", "b.xyz", *["--cell", "7,7,7"] * 2), "once for each of"),
    "cell for none": (("s.dump", *SPECIES, "--cell", "7,7,7"), "--cell is for xyz files"),
    "no species": (("s.dump",), "frame 1: no element column: say what the types are, --species 1="),
    "species missing": (("s.dump", "--species", "1=Si"), "type 2 has no species"),
    "species wrong": (("s.dump", "--species", "Si,O"), "species must be given once by type"),
    "species for none": (("a.xyz", *SPECIES), "--species names LAMMPS types"),
    "no element": (("unknown.xyz",), "frame 1: 'Qq' is no chemical symbol"),
    "not finite": (("nan.xyz",), "nan.xyz, frame 2: the position of atom 3 is not finite"),
    "not periodic": (("slab.xyz",), "slab.xyz, frame 1: must be periodic in all directions"),
    "count": (("minus.xyz",), "frame 2: must begin with the number of atoms, got '-5'"),
    "count too large": (
        ("huge.xyz",),
        "frame 2: must begin with the number of atoms, got '100000000000000000000'",
    ),
    "torn": (("torn.dump", *SPECIES), "torn.dump, frame 3: not all of it is there, but more"),
    "torn xyz": (("torn.xyz",), "torn.xyz, frame 3: not all of it is there, but more follows"),
    "step of a cell": (("plain.xyz", "--cell", "nan.cell"), "nan.cell: no cell file of CP2K: a"),
    "atoms change": (
        ("a.xyz", "b.xyz"),
        "b.xyz, frame 1: every frame must have the same atoms, but this one has 7 Si, 16 O and",
    ),
    "frames for blocks": (("a.xyz", "--blocks", 7), "7 blocks need at least as many frames, got 6"),
    "blocks": (("a.xyz", "--blocks", 0), "blocks must be 1 to 10000, got 0"),
    "r_max": (("a.xyz", "--r-max", 8, "--blocks", 2), "r_max must be at most the smallest height"),
    "r_max nan": (("a.xyz", "--r-max", "nan"), "r_max must hold at least two bins"),
    "dr": (("a.xyz", "--dr", 0), "dr must be at least 0.0001"),
    "dr wide": (("a.xyz", "--dr", 3, "--blocks", 2), "must hold 2 to"),
    "all skipped": (("a.xyz", "--skip", 6), "no frame is left: all 6 are skipped by --skip 6"),
    "skip far": (("plain.xyz", *CUBE, "--skip", "1e400ps"), "all 6 are skipped by --skip 1e400ps"),
    "skip many": (("a.xyz", "--skip", "9" * 400), "no frame is left: all 6 are skipped"),
    "skip: no time": (("ended.xyz", *CUBE, "--skip", "1ps"), "do not tell the time between frames"),
    "skip": (("a.xyz", "--skip", "x"), "skip must be a number of frames or a time in ps"),
    "skip time": (("a.xyz", "--skip", "1ps"), "do not tell the time between frames"),
    "stride": (("a.xyz", "--stride", 0), "stride must be at least 1, got 0"),
    "cutoff": (("a.xyz", "--cutoff", "Si-O"), "a cutoff must be given as Si-O=2.2"),
    "cutoff species": (("a.xyz", "--cutoff", "Na-O=2"), "cutoff of Na-O: no such pair in the"),
    "cutoff twice": (("a.xyz", "--cutoff", "Si-O=2,O-Si=2"), "cutoff of O-Si is given twice"),
    "cutoff far": (
        ("a.xyz", "--cutoff", "Si-O=9", "--blocks", 2),
        "cutoff of Si-O must be at most",
    ),
    "cutoff sign": (("a.xyz", "--cutoff", "Si-O=-1"), "cutoff of Si-O must be positive"),
    "pairs": (("a.xyz", "--pairs", "Si-O"), "--pairs is for tables"),
    "mixed": (("a.xyz", "g.dat"), "trajectories and tables cannot be joined"),
    "table angles": (("g.dat", "--pairs", "Si-O", "--angles", "x"), "need a trajectory"),
    "table pairs": (("g.dat",), "--pairs must name the pairs of the columns"),
    "table type": (("g.dat", "--pairs", "1-2"), "pair 1-2: type 1 has no species"),
    "table pair": (("g.dat", "--pairs", "SiO"), "a pair must be two species joined by '-'"),
    "over the input": (("a.xyz", "--png", "a.xyz"), "cannot write a.xyz: it is read"),
    "twice": (("a.xyz", "--png", "g.csv"), "cannot write g.csv: it is given twice"),
    "no folder": (("a.xyz", "--angles", "no/a.csv"), "there is no folder no"),
}


def without_a_line(whole, torn, begin):
    """Write a copy whose third frame lacks its last line, as where a run was restarted."""
    frames = whole.read_text().split(begin)
    frames[3] = frames[3][: frames[3].rindex("\n", 0, -1) + 1]
    torn.write_text(begin.join(frames))


@pytest.fixture
def bad(made, tmp_path):
    """Good files and bad ones."""
    frames = made.trajectory(6)
    made.extxyz(tmp_path / "a.xyz", frames)
    made.cp2k(tmp_path / "plain-pos-1.xyz", frames)
    (tmp_path / "plain-pos-1.xyz").rename(tmp_path / "plain.xyz")
    made.dump(tmp_path / "s.dump", frames)
    without_a_line(tmp_path / "s.dump", tmp_path / "torn.dump", "ITEM: TIMESTEP\n")
    without_a_line(tmp_path / "a.xyz", tmp_path / "torn.xyz", "24\n")
    text = (tmp_path / "plain.xyz").read_text()
    (tmp_path / "ended.xyz").write_text(text.replace("time = ", "time = ended"))
    cells = (tmp_path / "plain-1.cell").read_text()
    (tmp_path / "nan.cell").write_text(cells.replace("\n5 ", "\nnan ", 1))
    made.extxyz(tmp_path / "b.xyz", [atoms[1:] for atoms in frames])
    text = (tmp_path / "a.xyz").read_text()
    (tmp_path / "unknown.xyz").write_text(re.sub("(?m)^Si ", "Qq ", text))
    for name, count in (("minus.xyz", "-5"), ("huge.xyz", "1" + 20 * "0")):
        first, second = text.split("24\nLattice")[1:3]
        (tmp_path / name).write_text(f"24\nLattice{first}{count}\nLattice{second}")
    (tmp_path / "slab.xyz").write_text(text.replace('pbc="T T T"', 'pbc="T T F"'))
    frames[1].positions[2, 1] = np.nan
    made.extxyz(tmp_path / "nan.xyz", frames)
    (tmp_path / "empty").write_text("\n\n")
    (tmp_path / "text").write_text("Once upon a time\nthere was a liquid.\n")
    (tmp_path / "binary").write_bytes(b"\x93\xff\x00\xfe" * 9)
    (tmp_path / "g.dat").write_text("0.1 0.0\n0.2 1.0\n0.3 0.9\n")
    return tmp_path


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_leaves_nothing(here, bad, case):
    arguments, message = BAD[case]
    before = contents(bad)
    done = here("reference", *arguments, "-o", "g.csv")
    assert done.returncode == 2, done.stdout
    assert message in done.stderr
    assert done.stderr.startswith("lammpsfit: ")
    assert done.stderr.count("\n") == 1
    assert contents(bad) == before


def test_a_killed_run_is_said(here, made, tmp_path):
    made.xdatcar(tmp_path / "XDATCAR", made.trajectory(5))
    text = (tmp_path / "XDATCAR").read_text()
    (tmp_path / "XDATCAR").write_text(text[:-100])
    done = here("reference", "XDATCAR", "-o", "g.csv", "--blocks", 2)
    assert done.returncode == 0, done.stderr
    said = "XDATCAR: ends within frame 5, which is left out"
    assert f"note: {said}" in done.stdout
    assert f"# Note: {said}" in (tmp_path / "g.csv").read_text()


def test_the_page_can_be_followed(here, made, tmp_path):
    """Every command of docs/reference.md, with files of these names."""
    page = (HERE.parents[1] / "docs" / "reference.md").read_text()
    frames = made.trajectory(60, repeats=2)
    made.vasprun(tmp_path / "vasprun.xml", frames[:40])
    made.xdatcar(tmp_path / "XDATCAR", frames[:30])
    made.xdatcar(tmp_path / "XDATCAR.2", frames[30:])
    made.cp2k(tmp_path / "SILICA-pos-1.xyz", frames[:20])
    made.cp2k(tmp_path / "OTHER-pos-1.xyz", frames[:20])
    (tmp_path / "OTHER-pos-1.xyz").rename(tmp_path / "plain.xyz")
    made.extxyz(tmp_path / "frames.extxyz", frames[:20])
    made.dump(tmp_path / "silica.lammpstrj", frames[:20])
    r = 0.05 * (np.arange(60) + 0.5)
    for name in ("SiO.dat", "OO.dat", "SiSi.dat"):
        (tmp_path / name).write_text("\n".join(f"{x} {x}" for x in r))
    output = "# Time-averaged data for fix f\n# TimeStep Number-of-rows\n"
    output += "# Row c_r[1] c_r[2] c_r[3] c_r[4] c_r[5] c_r[6] c_r[7]\n"
    for step in (100, 200, 300):
        output += f"{step} 60\n" + "".join(f"{k} {x} 1 2 1 4 1 6\n" for k, x in enumerate(r, 1))
    (tmp_path / "rdf.txt").write_text(output)
    blocks = re.findall(r"```sh\n(.*?)```", page, flags=re.DOTALL)
    text = "\n".join(blocks).replace("\\\n", " ")
    commands = [shlex.split(line, comments=True) for line in text.splitlines() if line.strip()]
    assert len(commands) >= 8
    for command in commands:
        assert command[:2] == ["lammpsfit", "reference"]
        done = here(*command[1:])
        assert done.returncode == 0, (command, done.stderr)
        assert (tmp_path / command[command.index("-o") + 1]).exists()

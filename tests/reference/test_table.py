import math
from pathlib import Path

import numpy as np
import pytest

from lammpsfit.errors import InputError, RunError
from lammpsfit.reference import read_rdf_table, read_reference, require_pairs, write_rdf_table
from lammpsfit.structure.rdf import PartialRdf

SILICA = Path(__file__).parents[2] / "examples" / "silica"
GOOD = "# from nowhere\nr_A,g_Si-O,g_O-O\n0.5,0.0,0.0\n1.5,1.2,0.9\n2.5,1.0,1.1\n"


@pytest.fixture
def table(tmp_path):
    def write(text):
        path = tmp_path / "g.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


@pytest.mark.parametrize("name", ["aimd", "bks", "ml"])
def test_shipped_tables(name):
    reference = read_reference(SILICA / f"gr_{name}_3600K.csv")
    assert reference.rdf.pairs == ("Si-O", "O-O", "Si-Si")
    assert reference.rdf.r.size == 300
    assert reference.rdf.dr == pytest.approx(0.02)
    assert reference.rdf.edges[[0, -1]] == pytest.approx([0.0, 6.0], abs=1e-9)
    assert reference.errors == {}
    assert any("doi:10.1557/mrc.2019.47" in line for line in reference.header)


def test_plain_table(table):
    reference = read_reference(table(GOOD))
    np.testing.assert_array_equal(reference.rdf.g, [[0.0, 1.2, 1.0], [0.0, 0.9, 1.1]])
    assert reference.header == ("from nowhere",)
    assert reference.path.name == "g.csv"


@pytest.mark.parametrize(
    "text",
    [
        GOOD.replace("\n", "\r\n"),
        "\ufeff" + GOOD,
        GOOD.replace(",", " , "),
        GOOD.replace("0.5,", "\n# a note\n0.5,"),
        "g_Si-O,r_A,g_O-O\n0,0.5,0\n1.2,1.5,0.9\n1.0,2.5,1.1",
    ],
    ids=["windows", "byte-order mark", "spaces", "blank lines", "column order"],
)
def test_harmless_variants(table, text):
    np.testing.assert_array_equal(read_rdf_table(table(text)).g, [[0.0, 1.2, 1.0], [0.0, 0.9, 1.1]])


def test_reading_error_below_zero_is_kept(table):
    assert read_rdf_table(table(GOOD.replace("0.5,0.0", "0.5,-0.012"))).g[0, 0] == -0.012


def test_rounded_bins_are_uniform_enough(table):
    r = (np.arange(300) + 0.5) / 60.0
    text = "r_A,g_O-O\n" + "".join(f"{x:.4f},1.0\n" for x in r)
    assert read_rdf_table(table(text)).dr == pytest.approx(1.0 / 60.0, rel=1e-4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty table"),
        ("# only a comment\n", "empty table"),
        ("0.5,1.0\n1.5,1.0\n", "line 1: no header"),
        ("r_A g_O-O\n0.5 1\n1.5 1\n", "line 1: no header: expected .* with commas"),
        ("r_A,g_O-O\n0.5,1\n", "at least two rows, got 1"),
        ("r,g_O-O\n0.5,1\n1.5,1\n", "line 1: no column r_A"),
        ("r_A,err_O-O\n0.5,1\n1.5,1\n", "line 1: no pair"),
        ("r_A,g_SiO\n0.5,1\n1.5,1\n", "line 1: column 'g_SiO' .*: write g_Si-O"),
        ("r_A,O-O\n0.5,1\n1.5,1\n", "line 1: column 'O-O' must be r_A, g_<pair>"),
        ("r_A,g_O-O,err_Si-O\n0.5,1,1\n1.5,1,1\n", "err_Si-O has no column g_Si-O"),
        (GOOD.replace("g_O-O", "g_O-Si"), "line 2: column g_O-Si and column g_Si-O are the same"),
        (GOOD.replace("g_O-O", "r_A"), "line 2: column r_A and column r_A"),
        (GOOD.replace("0.9", "nan"), "line 4: g_O-O must be a finite number, got 'nan'"),
        (GOOD.replace("0.9", "inf"), "line 4: g_O-O must be a finite number, got 'inf'"),
        (GOOD.replace("0.9", "o.9"), "line 4: g_O-O must be a finite number, got 'o.9'"),
        (GOOD.replace(",0.9", ","), "line 4: g_O-O must be a finite number, got ''"),
        (GOOD.replace(",0.9", ""), "line 4: must have 3 values .*, got 2"),
        (GOOD.replace("0.9", "0,9"), "line 4: must have 3 values .*, got 4"),
        (GOOD.replace("0.5,", "0.0,"), "line 3: r_A must be above 0, got 0"),
        (GOOD.replace("2.5,", "1.5,"), "line 5: r_A must increase, got 1.5 after 1.5"),
        (GOOD + "3.5,1,1\n4.7,1,1\n", "line 7: r_A must be uniform, got a step of 1.2 Å"),
        (GOOD.replace("0.9", "-0.2"), "line 4: g_O-O must not be negative, got -0.2"),
        ("r_A,g_O-O,err_O-O\n1,1,0.1\n2,1,-0.1\n", "line 3: err_O-O must not be negative"),
        (b"r_A,g_O-O\n\xff\xfe,1\n", "not a text file in UTF-8"),
    ],
)
def test_wrong_tables_are_refused(table, text, message):
    path = table(text)
    with pytest.raises(InputError, match=message) as caught:
        read_rdf_table(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_slowly_stretched_bins_are_refused(table):
    r = 0.1 * np.arange(1, 41) ** 1.01
    path = table("r_A,g_O-O\n" + "".join(f"{x:.6f},1.0\n" for x in r))
    with pytest.raises(InputError, match=r"g\.csv.*must be uniform"):
        read_rdf_table(path)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(InputError, match=r"none\.csv: no such file"):
        read_rdf_table(tmp_path / "none.csv")
    with pytest.raises(InputError, match="cannot be read"):
        read_rdf_table(tmp_path)


def test_required_pairs(table):
    reference = read_reference(table(GOOD))
    require_pairs(reference, ["O-Si", "O-O"])
    require_pairs(reference.rdf, ["O-O"])
    with pytest.raises(
        InputError, match=r"g\.csv must have every pair .* Si-Si is missing .*add column g_Si-Si$"
    ):
        require_pairs(reference, ["Si-O", "Si-Si"])


def test_near_names_are_suggested(table):
    reference = read_reference(table(GOOD.replace("Si-O", "SI-O")))
    with pytest.raises(InputError, match="rename SI-O for Si-O"):
        require_pairs(reference, ["Si-O"])


def make_rdf():
    blocks = np.random.default_rng(0).uniform(0.0, 3.0, (5, 2, 40))
    return PartialRdf.from_blocks(["Si-O", "O-O"], 0.5 + (np.arange(40) + 0.5) / 7.0, blocks)


def test_round_trip(tmp_path):
    rdf, path = make_rdf(), tmp_path / "g.csv"
    write_rdf_table(path, rdf, ["made up, 3600 K", "two lines\nin one"])
    back = read_reference(path)
    assert back.rdf.pairs == rdf.pairs
    assert back.header == ("made up, 3600 K", "two lines", "in one")
    np.testing.assert_allclose(back.rdf.r, rdf.r, rtol=1e-7)
    np.testing.assert_allclose(back.rdf.g, rdf.g, rtol=1e-7)
    for pair, variance in zip(rdf.pairs, rdf.variance, strict=True):
        np.testing.assert_allclose(back.errors[pair], np.sqrt(variance), rtol=1e-7)


def test_errors_follow_the_spelling_of_the_curve(table):
    text = "r_A,g_Si-O,err_O-Si\n0.5,1,0.1\n1.5,1,0.2\n"
    np.testing.assert_array_equal(read_reference(table(text)).errors["Si-O"], [0.1, 0.2])


def test_no_error_columns_without_blocks(tmp_path):
    rdf, path = make_rdf(), tmp_path / "g.csv"
    write_rdf_table(path, PartialRdf(rdf.pairs, rdf.r, rdf.g))
    assert path.read_text().splitlines()[0] == "r_A,g_Si-O,g_O-O"


def test_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "g.csv"
    path.write_text("old")

    def full_disk(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full_disk)
    with pytest.raises(RunError, match=r"cannot write .*No space left"):
        write_rdf_table(path, make_rdf())
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_write_into_no_folder(tmp_path):
    with pytest.raises(InputError, match=r"cannot write .*No such file"):
        write_rdf_table(tmp_path / "none" / "g.csv", make_rdf())


def test_numbers_are_written_as_numbers(tmp_path):
    path = tmp_path / "g.csv"
    write_rdf_table(path, make_rdf())
    rows = [line.split(",") for line in path.read_text().splitlines()[1:]]
    assert all(math.isfinite(float(cell)) for row in rows for cell in row)

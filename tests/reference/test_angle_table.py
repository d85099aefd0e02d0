"""Tables of bond angles: read, mended where they say so, refused where they are wrong."""

from pathlib import Path

import numpy as np
import pytest

from lammpsfit.errors import InputError
from lammpsfit.reference.angle_table import read_angle_table

SILICA = Path(__file__).parents[2] / "examples" / "silica" / "bond_angles_3600K.csv"

TABLE = """# made up
theta_deg,O-Si-O_one,O-Si-O_two,Si-O-Si_one
90,0.0,1.0,0.0
100,2.0,1.0,1.0
110,4.0,1.0,2.0
120,2.0,9.0,1.0
130,0.02,1.0,0.02
"""


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "angles.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_curves_by_whose_they_are(written):
    table = read_angle_table(written(TABLE))
    assert list(table.curves) == ["one", "two"]
    assert list(table.curves["one"]) == ["O-Si-O", "Si-O-Si"]
    for curves in table.curves.values():
        for p in curves.values():
            assert 10 * np.sum((p[1:] + p[:-1]) / 2) == pytest.approx(1)
    assert table.at("one", "Si-O-Si", np.array([105.0])) == pytest.approx(1.5 / 40.1)
    assert table.at("two", "Si-O-Si", np.array([105.0])) is None


def test_an_angle_reads_both_ways(written):
    table = read_angle_table(written(TABLE.replace("O-Si-O_one", "Na-O-Si_one")))
    theta = np.array([100.0])
    assert table.at("one", "Si-O-Na", theta) == table.at("one", "Na-O-Si", theta)


def test_what_the_header_calls_unreliable_is_bridged(written):
    marks = "# Unreliable: O-Si-O_two 115 125\n# Floor: 0.05\n"
    table = read_angle_table(written(marks + TABLE))
    assert table.curves["two"]["O-Si-O"] == pytest.approx(1 / 40)  # flat: the 9 is gone
    assert table.curves["one"]["O-Si-O"][-1] == 0.0
    assert table.curves["one"]["O-Si-O"][3] > 0.0
    both = read_angle_table(written(marks.replace("_two", "") + TABLE)).curves["one"]["O-Si-O"]
    assert both[3] == pytest.approx(both[2] / 2)  # half way from 110 to 130, where it is 0


def test_a_table_of_lammpsfit_reference_is_read(written):
    text = "theta_deg,p_O-Si-O,err_O-Si-O\n1,1,0.1\n2,2,0.1\n3,1,0.1\n"
    table = read_angle_table(written(text))
    assert list(table.curves) == ["reference"]
    assert list(table.curves["reference"]) == ["O-Si-O"]


def test_the_published_table_of_silica():
    table = read_angle_table(SILICA)
    assert list(table.curves) == ["aimd", "bks", "ml"]
    p = table.curves["aimd"]["O-Si-O"]
    assert 104 <= table.theta[np.argmax(p)] <= 107
    hump = (table.theta >= 124) & (table.theta <= 133)
    assert np.all(np.diff(p[hump]) < 0)  # the legend of the figure is gone
    p = table.curves["aimd"]["Si-O-Si"]
    at = dict(zip(table.theta, p, strict=True))
    assert at[112.0] == pytest.approx((at[111.0] + at[113.0]) / 2)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("theta_deg", "theta", "first column must be theta_deg, got 'theta'"),
        ("O-Si-O_two", "OSiO_two", "must name an angle and whose it is, as in O-Si-O_aimd"),
        ("100,2.0", "80,2.0", "must increase from 0 to 180"),
        ("130,", "230,", "must increase from 0 to 180"),
        ("4.0", "many", "line 5: could not convert string to float: 'many'"),
        ("4.0", "nan", "line 5: must have 4 finite numbers"),
        ("4.0,", "", "line 5: must have 4 finite numbers"),
        ("4.0", "-4.0", "column 'O-Si-O_one' must be positive somewhere, negative nowhere"),
        ("O-Si-O_one,O-Si-O_two,Si-O-Si_one", "err_A-B-A,err_B-A-B,err_A-A-A", "no angle"),
    ],
)
def test_wrong_tables_are_refused(written, old, new, message):
    assert TABLE.count(old) == 1
    with pytest.raises(InputError, match=message):
        read_angle_table(written(TABLE.replace(old, new)))


def test_short_and_missing_files_are_refused(written, tmp_path):
    with pytest.raises(InputError, match="at least three rows"):
        read_angle_table(written("theta_deg,O-Si-O\n1,2\n"))
    with pytest.raises(InputError, match="no such file"):
        read_angle_table(tmp_path / "none.csv")
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not a text file"):
        read_angle_table(tmp_path / "bytes.csv")

"""Measured S(q) that a validation is compared with."""

import numpy as np
import pytest

from lammpsfit.errors import InputError
from lammpsfit.md.observe import Part, Quench
from lammpsfit.validate.against import parse_measured
from lammpsfit.validate.plan import Request, build_plan


def S(q):
    """A smooth curve with a peak at 1.5 1/Å that is 1 at large q."""
    return 1 - np.exp(-((q / 1.5) ** 4)) + 1.2 * np.exp(-(((q - 1.5) / 0.3) ** 2))


@pytest.fixture
def table(tmp_path):
    def write(header, factor=1.0, curve=S, low=0.5):
        q = np.linspace(low, 20.0, 4000)
        rows = "\n".join(f"{factor * x} {y}" for x, y in zip(q, curve(q), strict=True))
        path = tmp_path / "sq.dat"
        path.write_text(f"{header}\n{rows}\n")
        return path

    return write


def plan(job_file, *against, **changes):
    return build_plan(Request(["BKS"], job_file, against=against, **changes))


def test_units_of_the_header_are_believed(job_file, table):
    of = plan(job_file, f"neutron={table('# q (1/nm) S', 10.0)}").measured["neutron"]
    assert of.q[[0, -1]] == pytest.approx([0.5, 20.0])
    q = np.array([0.3, 1.0, 1.5, 3.0, 25.0])
    assert of.covers(q).tolist() == [False, True, True, True, False]
    # means over bins of 0.1 1/Å
    assert of.at(np.array([1.5])) == pytest.approx(S(np.linspace(1.45, 1.55, 101)).mean(), abs=2e-3)


def test_another_quantity_is_turned_into_s(job_file, table):
    path = table("# q (1/A)", curve=lambda q: q * (S(q) - 1))
    of = plan(job_file, f"xray:q(S-1)={path}").measured["X-ray"]
    assert pytest.approx(S(of.q)) == of.S


def test_the_distance_is_none_for_the_same_and_one_for_a_gas(job_file, table):
    of = plan(job_file, f"neutron={table('# q (1/A)')}").measured["neutron"]
    q = np.linspace(0.2, 12.0, 119)
    assert of.distance(q, of.at(q)) == pytest.approx(0, abs=1e-12)
    assert of.distance(q, np.ones_like(q)) == pytest.approx(1)
    assert of.distance(q, 1 + 1.1 * (of.at(q) - 1)) == pytest.approx(0.1)


def test_the_glass_is_compared_where_there_is_one(job_file, table):
    against = f"neutron={table('# q (1/A)')}"
    liquid = plan(job_file, against)
    assert list(liquid.measured_in(Part.LIQUID)) == ["neutron"]
    glass = plan(job_file, against, quench=Quench(10.0))
    assert list(glass.measured_in(Part.GLASS)) == ["neutron"]
    assert not glass.measured_in(Part.LIQUID)


@pytest.mark.parametrize(
    "text", ["sq.dat", "electron=sq.dat", "neutron:G=sq.dat", "neutron=", "neutron:=x=y:"]
)
def test_what_is_no_such_option_is_refused(text):
    if text == "neutron:=x=y:":  # names of files may have anything in them
        assert parse_measured([text])[0].file.name == "x=y:"
        return
    with pytest.raises(InputError, match=r"--against must be neutron=FILE or xray=FILE"):
        parse_measured([text])


def test_what_cannot_be_is_refused(job_file, table):
    with pytest.raises(InputError, match=r"must be given once"):
        parse_measured(["neutron=a", "neutron=b"])
    with pytest.raises(InputError, match=r"S must be 1 at the end of the table, but it is"):
        plan(job_file, f"neutron={table('# q (1/A)', curve=lambda q: S(q) - 1)}")
    with pytest.raises(InputError, match=r"highest peak of S is at q = 0.15"):
        plan(job_file, f"neutron={table('# q (1/nm)')}")
    high = table("# q", curve=lambda q: 1 + np.exp(-((q - 8) ** 2)), low=7.0)
    with pytest.raises(InputError, match=r"must begin below q = 6 1/Å, got 7"):
        plan(job_file, f"neutron={high}")

"""What is wrong ends in one line of LAMMPS that says what."""

import re
import shutil

import pytest

from lammpsfit.child import SimulationError
from lammpsfit.gap.lammps.build import PLUGIN
from lammpsfit.md.session import session, workplace

pytestmark = pytest.mark.lammps

SETUP = """
units metal
region box block 0 8 0 8 0 8
create_box 2 box
create_atoms 1 single 1 1 1
mass * 27.0
plugin load export/{plugin}
pair_style lammpsfit/gap
"""
RIGHT = "pair_coeff * * export/model.gap Al Ni\n"


def fails(folder, text):
    """Run commands, and return the message they end with."""
    with pytest.raises(SimulationError) as caught, workplace({"export": folder}), session() as lmp:
        lmp.commands_string(text)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Al Ni", "Al Cu", "export/model.gap has no Cu: its species are Al, Ni"),
        ("model.gap", "other.gap", "there is no file export/other.gap"),
        ("Al Ni", "Al", r"must be \* \* FILE and an element for each of the 2 atom types"),
        ("pair_coeff * *", "pair_coeff 1 2", r"must start with \* \* for pair style lammpsfit/gap"),
        ("style lammpsfit/gap", "style lammpsfit/gap 8.0", "takes no arguments"),
        ("units metal", "units real", "needs units metal, not real"),
        ("units metal", "units metal\nnewton off", "needs newton pair on"),
        ("run 0", "compute e all lammpsfit/gap/error 3", "no argument but 'energy'"),
        ("lammpsfit/gap\n" + RIGHT, "zero 3\npair_coeff * *\n", "needs pair style lammpsfit/gap"),
    ],
)
def test_wrong_input(exported, old, new, message):
    text = SETUP.format(plugin=PLUGIN) + RIGHT + "compute x all lammpsfit/gap/error\nrun 0"
    assert old in text
    assert re.search(message, fails(exported.folder, text.replace(old, new)))


@pytest.mark.parametrize(
    ("pattern", "replacement", "message"),
    [
        ("format 1", "format 7", "is of format 7, this plugin reads format 1: export the model"),
        ("lammpsfit-gap", "soup", "is no GAP of lammpsfit"),
        ("part angular", "part psychic", "knows no descriptors of the kind 'psychic'"),
        ("\nweight ", "\nweight nonsense ", r"line \d+: there is no number"),
        ("\nweight ", "\nweight nan ", r"line \d+: there is no number"),
        ("\noffset ", "\noffset 1.0 ", r"line \d+: 'weight' must stand here"),
        ("widths ", "widths -1.0 ", r"line \d+: there is no positive number"),
        ("(?s)posterior.*", "", "it ends too early"),
    ],
)
def test_a_model_that_is_damaged_or_of_another_version(
    exported, tmp_path, pattern, replacement, message
):
    text = (exported.folder / "model.gap").read_text()
    changed = re.sub(pattern, replacement, text, count=1)
    assert changed != text
    (tmp_path / "model.gap").write_text(changed)
    shutil.copyfile(exported.folder / PLUGIN, tmp_path / PLUGIN)
    found = fails(tmp_path, SETUP.format(plugin=PLUGIN) + RIGHT)
    assert re.search(message, found)
    assert "export/model.gap" in found


def test_a_model_without_errors_says_so(exported, tmp_path):
    text = (exported.folder / "model.gap").read_text()
    (tmp_path / "model.gap").write_text(re.sub(r"(?s)\nerrors\n.*", "\nend\n", text))
    shutil.copyfile(exported.folder / PLUGIN, tmp_path / PLUGIN)
    commands = SETUP.format(plugin=PLUGIN) + RIGHT + "compute e all lammpsfit/gap/error\nrun 0"
    assert "export/model.gap has no errors" in fails(tmp_path, commands)

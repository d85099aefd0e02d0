"""Files are written whole or not at all."""

import pytest

from lammpsfit.errors import InputError
from lammpsfit.files import write_text


def test_what_is_no_text_leaves_the_old_file(tmp_path):
    """A name of a file that is not in UTF-8, as Python holds it, within what is written."""
    path = tmp_path / "g.csv"
    path.write_text("old")
    with pytest.raises(InputError, match=r"cannot write .*g\.csv: it would hold a name that is"):
        write_text(path, "# lammpsfit reference a.xyz -o g\udcff.csv")
    assert path.read_text() == "old"
    assert [other.name for other in tmp_path.iterdir()] == ["g.csv"]

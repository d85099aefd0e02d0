import pytest

from lammpsfit.errors import InputError
from lammpsfit.md.protocol import Protocol, timeout


def test_steps_of_the_literature():
    protocol = Protocol(3600.0, relax=10.0, sample=10.0)
    assert (protocol.relax_steps, protocol.frames, protocol.frame_steps) == (10000, 200, 50)
    assert protocol.steps == 20000
    assert protocol.timestep == pytest.approx(0.001)


def test_a_timeout_grows_with_the_work():
    assert timeout(20000, 3000) > 10 * 80.0  # some ten times what one idle core takes


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"temperature": -1.0}, "temperature must be positive"),
        ({"sample": 0.0}, "sample must be positive"),
        ({"relax": -1.0}, "relax must not be negative"),
        ({"relax": float("nan")}, "relax must not be negative"),
        ({"every_fs": 1.5}, "multiple of the timestep"),
        ({"every_fs": 0.5}, "multiple of the timestep"),
        ({"blocks": 3}, "at least 4 blocks"),
        ({"blocks": 7}, "200 frames for 7 blocks"),
        ({"sample": 0.5}, "10 frames for 20 blocks: use a multiple of 1 ps"),
    ],
)
def test_bad_protocols(changes, message):
    with pytest.raises(InputError, match=message):
        Protocol(**{"temperature": 3600.0} | changes)

"""Which frames are trained on and which are held out."""

import numpy as np
import pytest

from lammpsfit.errors import InputError
from lammpsfit.gap.split import split


@pytest.mark.parametrize("how", ["random", "blocks"])
@pytest.mark.parametrize("seed", range(5))
def test_no_frame_is_on_both_sides(how, seed):
    parts = split(100, 20, 30, how, seed)
    assert (len(parts.train), len(parts.held_out)) == (20, 30)
    both = np.concatenate([parts.train, parts.held_out])
    assert len(set(both.tolist())) == 50
    assert both.min() >= 0
    assert both.max() < 100
    again = split(100, 20, 30, how, seed)
    np.testing.assert_array_equal(again.train, parts.train)
    np.testing.assert_array_equal(again.held_out, parts.held_out)
    assert split(100, 20, 30, how, seed + 100).train.tolist() != parts.train.tolist()


def test_a_block_is_one_stretch_of_time():
    starts = set()
    for seed in range(40):
        held_out = split(60, 10, 20, "blocks", seed).held_out
        assert np.all(np.diff(held_out) == 1)
        starts.add(int(held_out[0]))
    assert len(starts) > 15


def test_all_that_is_left_is_held_out():
    parts = split(30, 12, None, "random", 1)
    assert sorted([*parts.train, *parts.held_out]) == list(range(30))


@pytest.mark.parametrize("numbers", [(31, 0), (20, 11), (0, 5), (10, -1)])
@pytest.mark.parametrize("how", ["random", "blocks"])
def test_too_few_frames(how, numbers):
    with pytest.raises(InputError, match="30 frames cannot give"):
        split(30, *numbers, how, 1)


def test_a_block_needs_a_length():
    with pytest.raises(InputError, match="needs the number of held-out frames"):
        split(30, 10, None, "blocks", 1)

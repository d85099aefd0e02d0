"""Which farms are refused. Real launches are in test_mpi.py."""

import os

import pytest

from lammpsfit.errors import InputError
from lammpsfit.farm.launch import Launch, Place, check_cores, open_farm


def places(**cores):
    """Two workers on each host, with the cores they may use."""
    return [Place(host, frozenset(some)) for host, both in cores.items() for some in both]


def test_workers_with_a_core_each_pass():
    check_cores(places(a=[{0}, {1}], b=[{0, 1}, {0, 1}]))


@pytest.mark.parametrize("shared", [[{0}, {0}], [{3}, {3}]])
def test_workers_that_share_cores_are_refused(shared):
    with pytest.raises(InputError, match=r"2 of them share 1 on b.*--oversubscribe"):
        check_cores(places(a=[{0}, {1}], b=shared))


def test_local_workers_beyond_the_cores_are_refused():
    cores = len(os.sched_getaffinity(0))
    with pytest.raises(InputError, match=rf"at most {cores}, .*got {cores + 1}.*--oversubscribe"):
        open_farm(None, cores + 1, False)
    assert open_farm(None, cores + 1, True).workers == cores + 1
    assert open_farm(None, None, False).workers == cores


def test_workers_are_not_asked_for_under_a_launcher():
    with pytest.raises(InputError, match="leave it out, or use -n 5"):
        open_farm(Launch(None, ()), 4, False)

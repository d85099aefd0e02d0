"""What `gap` is given says one thing, and is read as that, or refused in one line."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from hypothesis import given
from hypothesis import strategies as st

from lammpsfit.errors import InputError
from lammpsfit.farm.journal import JournalWriter
from lammpsfit.gap.frame_roles import load_frame_roles
from lammpsfit.gap.job import GapJob, read_gap_job
from lammpsfit.gap.label_record import check_record
from lammpsfit.gap.learning import open_points
from lammpsfit.gap.model_file import load_model
from lammpsfit.gap.train_state import TrainState
from lammpsfit.inputs import LINE, one_line
from lammpsfit.labelled.checks import is_alone, label_suspicions
from lammpsfit.labelled.exclusion import Exclusion
from lammpsfit.labelled.frames import Frame, read_frames, write_frames

EMT = "ase.calculators.emt:EMT"


def aluminium(n, seed=0):
    """Frames of four atoms with an energy, forces and a small stress."""
    rng = np.random.default_rng(seed)
    frames = []
    for k in range(n):
        atoms = bulk("Al", cubic=True)
        atoms.rattle(0.05, seed=seed + k)
        atoms.info["REF_energy"] = -14.0 + 0.1 * rng.standard_normal()
        atoms.info["REF_stress"] = 0.01 * rng.standard_normal(6)
        atoms.arrays["REF_forces"] = rng.standard_normal((4, 3))
        frames.append(atoms)
    return frames


def single(energy=-0.2, edge=15.0):
    atoms = Atoms("Al", cell=[edge] * 3, pbc=True)
    atoms.info |= {"REF_energy": energy, "REF_stress": np.zeros(6), "config_type": "isolated_atom"}
    atoms.arrays["REF_forces"] = np.zeros((1, 3))
    return atoms


def written(path, images):
    ase.io.write(path, images, format="extxyz")
    return path


def one_line_of(done):
    assert done.returncode == 2, (done.stdout, done.stderr)
    (line,) = done.stderr.splitlines()
    assert len(line) <= LINE
    return line


# files


@pytest.mark.parametrize("name", ["Al@1000K.extxyz", "a@0.xyz", "@.extxyz", "a@-1.traj"])
def test_an_at_sign_is_part_of_the_name(tmp_path, name):
    frames = aluminium(6)
    ase.io.write(tmp_path / name.split("@")[0], frames[:1], format="extxyz") if name[
        0
    ] != "@" else 0
    ase.io.write(tmp_path / name, frames, format="traj" if name.endswith("traj") else "extxyz")
    assert len(read_frames([tmp_path / name], labelled=False)) == 6


def test_what_is_no_file_of_frames(tmp_path):
    os.mkfifo(tmp_path / "pipe.xyz")
    (tmp_path / "zero.xyz").symlink_to("/dev/zero")
    (tmp_path / "long.xyz").write_text("1" * 2_000_000)
    (tmp_path / "many.xyz").write_text("999999999999\n\nAl 0 0 0\n")
    (tmp_path / "torn.xyz").write_text("2\n\nAl 0 0 0\n")
    (tmp_path / "blob.dat").write_bytes(bytes(range(256)) * 999)
    (tmp_path / "text.dat").write_text("word " * 200_000)
    (tmp_path / "empty.xyz").write_text("")
    (tmp_path / "bomb.cif.gz").write_bytes(gzip.compress(bytes(40_000_000)))
    (tmp_path / "torn.cif.gz").write_bytes(gzip.compress(os.urandom(2000))[:900])
    for path in [*tmp_path.iterdir(), tmp_path / "a\0.xyz", tmp_path / ("x" * 300), tmp_path]:
        with pytest.raises(InputError) as caught:
            read_frames([path], labelled=False)
        assert len(one_line(str(caught.value))) <= LINE
        assert "\n" not in str(caught.value)


def test_a_vasprun_is_told_by_what_it_says(tmp_path):
    from tests.labelled.test_vasp import vasprun

    (tmp_path / "run300.xml").write_text(vasprun()[0])
    assert [frame.energy for frame in read_frames([tmp_path / "run300.xml"])] == [-14, -15, -16]


@pytest.mark.parametrize("lattice", ["lattice", "Lattice"])
def test_keys_of_xyz_in_any_case(tmp_path, lattice):
    comment = f'{lattice}="4 0 0 0 4 0 0 0 4" energy=-1.0 properties=species:S:1:pos:R:3:force:R:3'
    (tmp_path / "nep.xyz").write_text(f"1\n{comment}\nAl 0 0 0 0 0 0\n")
    (frame,) = read_frames([tmp_path / "nep.xyz"], labelled=False)
    assert frame.volume == pytest.approx(64.0)


# labels


@pytest.mark.parametrize(("factor", "said"), [(-1.0, ", of opposite sign"), (160.0, ""), (2.0, "")])
def test_a_stress_and_a_virial_that_contradict(tmp_path, factor, said):
    frames = aluminium(2)
    for atoms in frames:
        stress = atoms.info["REF_stress"]
        atoms.info["REF_virial"] = -stress * atoms.get_volume()
    written(tmp_path / "a.xyz", frames)
    assert len(read_frames([tmp_path / "a.xyz"])) == 2
    frames[1].info["REF_virial"] *= factor
    written(tmp_path / "a.xyz", frames)
    with pytest.raises(InputError, match=rf"frame 2: REF_stress and REF_virial contr.*{said}: rem"):
        read_frames([tmp_path / "a.xyz"])


def told(path, **options):
    lines = []
    frames = read_frames([path], tell=lines.append, **options)
    return frames, lines


@pytest.mark.parametrize("factor", [1602.0, 160.2])
def test_stresses_in_another_unit_are_told(tmp_path, factor):
    frames = aluminium(4)
    assert told(written(tmp_path / "a.xyz", frames))[1] == []
    for atoms in frames:
        atoms.info["REF_stress"] *= factor
    (line,) = told(written(tmp_path / "a.xyz", frames))[1]
    assert "eV/Å³" in line
    assert "are they in kbar or GPa?" in line


def test_energies_per_atom_in_half_of_the_frames_are_told(tmp_path):
    frames = aluminium(6)
    for atoms in frames[::2]:
        atoms.info["REF_energy"] /= len(atoms)
    (line,) = told(written(tmp_path / "a.xyz", frames))[1]
    assert "differ by 2." in line
    assert "are some of them per atom" in line
    assert (
        label_suspicions(read_frames([written(tmp_path / "b.xyz", [*frames[1::2], single()])]))
        == []
    )


# leaving frames out


def test_one_bad_frame_can_be_left_out(tmp_path):
    frames = aluminium(4)
    frames[2].positions[1] = frames[2].positions[0] + [0.49, 0, 0]
    frames[2].info["config_type"] = "broken"
    path = written(tmp_path / "a.xyz", frames)
    with pytest.raises(InputError, match=r"frame 3: atoms 1 and 2 overlap .*exclude"):
        read_frames([path])
    for entry in (3, "3", "a.xyz:3", f"{path}:3", "config_type=broken", "config_type = broken"):
        kept, lines = told(path, exclude=[entry])
        assert [frame.label[-1] for frame in kept] == ["1", "2", "4"]
        assert lines == [f"{path}: left out 1 frames, as exclude says"]
    assert [frame.label[-1] for frame in told(path, exclude=[3], skip=1)[0]] == ["2", "4"]


def test_damaged_frames_that_are_left_out_are_not_looked_at(tmp_path):
    frames = aluminium(3)
    frames[1].arrays["REF_forces"][0, 0] = np.nan
    del frames[2].info["REF_stress"]
    path = written(tmp_path / "a.xyz", frames)
    assert len(read_frames([path], exclude=[2, 3])) == 1
    with pytest.raises(InputError, match="exclude leave none"):
        read_frames([path], exclude=[1, 2, 3])


@pytest.mark.parametrize("entry", [9, "a.xyz:9", "config_type=none", "no=thing"])
def test_what_leaves_out_nothing_is_refused(tmp_path, entry):
    path = written(tmp_path / "a.xyz", aluminium(2))
    with pytest.raises(InputError, match="exclude: there is no frame"):
        read_frames([path], exclude=[entry])


@pytest.mark.parametrize("entry", [0, -1, "b.xyz:1", "one", "a.xyz:x", ":", "1.5"])
def test_what_names_no_frame_is_refused(entry):
    with pytest.raises(InputError, match=r"^exclude"):
        Exclusion([entry], [Path("a.xyz")])
    with pytest.raises(InputError, match="must name one of the files"):
        Exclusion([1], [Path("a.xyz"), Path("b.xyz")])


@given(st.sets(st.integers(1, 9)), st.sets(st.integers(1, 9)))
def test_numbers_leave_out_what_they_say(first, second):
    paths = [Path("a.xyz"), Path("b.xyz")]
    entries = [f"a.xyz:{n}" for n in first] + [f"b.xyz:{n}" for n in second]
    excluded = Exclusion(entries, paths)
    for path, numbers in zip(paths, (first, second), strict=True):
        assert {n for n in range(1, 12) if excluded.leaves_out(path, n, {})} == numbers
    excluded.check()


def test_exclude_in_a_job_and_as_an_option(here):
    images = ase.io.read("al.extxyz", index=":")
    images[4].positions[1] = images[4].positions[0] + [0.3, 0, 0]
    images[4].info["config_type"] = "bad"
    ase.io.write("al.extxyz", images)
    assert "frame 5: atoms 1 and 2 overlap" in one_line_of(
        here("fit", "job.toml", "-o", "r", "--dry-run")
    )
    text = Path("job.toml").read_text()
    for entry in ("5", '"config_type=bad"'):
        Path("job.toml").write_text(text.replace("[data]", f"[data]\nexclude = [{entry}]"))
        done = here("fit", "job.toml", "-o", "r", "--dry-run")
        assert done.returncode == 0, done.stderr
        assert "left out 1 frames, as exclude says" in done.stderr
    options = ("label", "al.extxyz", "--calculator", EMT, "-o", "o.extxyz", "--exclude", "5")
    assert "19 of 19 frames labelled" in here(*options).stdout


# single atoms


def test_a_single_atom_is_never_held_out(tmp_path):
    written(tmp_path / "a.xyz", [*aluminium(9), single(), single(-0.3, edge=18.0)])
    job = {
        "data": {"files": [tmp_path / "a.xyz"]},
        "split": {"how": "random", "train": 6, "held_out": 5, "validation": 2},
        "descriptors": {"radial_cutoff": 4.0, "radial_count": 2, "angular_count": 0},
    }
    for how in ("random", "blocks"):
        for seed in range(12):
            job["split"]["how"] = how
            lines = []
            parts = load_frame_roles(GapJob.model_validate(job | {"seed": seed}), lines.append)
            assert lines == ["2 single atoms without neighbours are fitted to, and never held out"]
            assert sum(map(is_alone, parts.learn)) == sum(map(is_alone, parts.train)) == 2
            assert not any(map(is_alone, (*parts.held_out, *parts.validation, *parts.spare)))
            assert (len(parts.train), len(parts.held_out)) == (6, 5)
    job["split"] |= {"train": 2, "validation": 1}
    with pytest.raises(InputError, match="more frames to train on than the 2 single atoms"):
        load_frame_roles(GapJob.model_validate(job))


def test_one_atom_of_a_crystal_is_not_single():
    assert not is_alone(Frame(("Al",), np.zeros((1, 3)), 2.86 * np.eye(3), (True,) * 3))
    assert is_alone(Frame(("Al",), np.zeros((1, 3)), np.zeros((3, 3)), (False,) * 3))


# jobs, models, states, journals


@pytest.mark.parametrize(
    "line",
    [
        "[descriptors]\nradial_cutoff = 200.0",
        "[descriptors]\nradial_cutoff = 1e308",
        "[descriptors]\nangular_cutoff = 1e9",
        "[descriptors]\nradial_count = 1000000000",
        "[descriptors]\nangular_count = 1000000000",
        "[descriptors]\ndegrees = [1000000000]",
        "[descriptors]\ndegrees = [-1]",
        "[descriptors]\nradial_width = 1e308",
        "[learning_curve]\nrepeats = 1000000000",
        "[training]\nstarts = 1000000000",
        "[training]\nrate = 1e308",
        "[model]\ninducing = 1000000000000",
        "[model]\nlikelihood_components = 1000000000000",
    ],
)
def test_absurd_values_are_refused_by_the_job(tmp_path, line):
    text = f'[data]\nfiles = ["a.xyz"]\n[split]\ntrain = 8\nheld_out = 4\n{line}\n'
    (tmp_path / "job.toml").write_text(text)
    key = line.split("\n")[1].split(" ")[0]
    with pytest.raises(InputError, match=rf"{key}.*(less|greater|at most) than|{key}.*should be"):
        read_gap_job(tmp_path / "job.toml")


def test_a_name_with_a_nul(here):
    text = Path("job.toml").read_text()
    Path("job.toml").write_text(text.replace("al.extxyz", "al\\u0000.extxyz"))
    assert "data.files: must not hold a NUL" in one_line_of(here("fit", "job.toml", "-o", "run"))


@pytest.mark.parametrize("depth", [60, 500, 50_000])
def test_models_that_are_nested_deeply(tmp_path, depth):
    path = tmp_path / "model.json"
    path.write_text(
        '{"format": "lammpsfit GAP", "version": 1, "model": ' + "[" * depth + "]" * depth + "}"
    )
    with pytest.raises(InputError, match=r"model.json: not valid JSON: nested too deeply"):
        load_model(path)


STATE = {
    "steps": [[0, 0, 0.5, 0.1, 0.1], [0, 1, float("inf"), float("inf"), float("inf")]],
    **{name: [0.0] for name in ("origin", "vector", "first_moment", "second_moment", "best")},
}


@pytest.mark.parametrize("value", ["Infinity", "-Infinity", "NaN", "1e999", '"x"', "null", "[]"])
@pytest.mark.parametrize("name", STATE)
def test_states_with_what_is_no_number(name, value):
    assert len(TrainState.from_dict(STATE).steps) == 2
    bad = json.loads(f"[[{value}, 0, 0.0, 0.0, 0.0]]" if name == "steps" else f"[{value}]")
    with pytest.raises(InputError, match=f"this is no state of a training: {name}.0"):
        TrainState.from_dict(STATE | {name: bad})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"best": [0.0, 0.0]}, "best has another length than vector"),
        ({"second_moment": [-1.0]}, "second_moment.0: input should be greater than or equal to 0"),
        ({"steps": [[0, -1, 0.5, 0.1, 0.1]]}, "steps.0.1: input should be greater than"),
        ({"steps": [[0, True, 0.5, 0.1, 0.1]]}, "steps.0.1: input should be a valid integer"),
        ({"steps": None}, "steps: input should be a valid list"),
    ],
)
def test_states_that_no_training_wrote(change, said):
    with pytest.raises(InputError, match=said):
        TrainState.from_dict(STATE | change)


RECORD = {
    "type": "labels",
    "frame": 0,
    "energy": -1.0,
    "forces": [[0.0] * 3] * 4,
    "stress": [0.0] * 6,
}


@pytest.mark.parametrize(
    "change",
    [
        {"frame": 9},
        {"frame": -1},
        {"frame": "0"},
        {"frame": None},
        {"energy": None},
        {"energy": "x"},
        {"energy": float("inf")},
        {"forces": None},
        {"forces": [[0.0] * 3] * 3},
        {"forces": [[float("nan")] * 3] * 4},
        {"forces": [["a"] * 3] * 4},
        {"stress": [0.0] * 5},
        {"stress": [float("inf")] * 6},
        {"frame": True},
        {"type": "other"},
        {"type": ["labels"]},
        {"type": "failed"},
    ],
    ids=str,
)
def test_records_that_were_tampered_with(tmp_path, change):
    frames = read_frames([written(tmp_path / "a.xyz", aluminium(2))])
    assert check_record(RECORD, frames, Path("j"), 7) == 0
    with pytest.raises(InputError, match=r"^j: record 7 is damaged: .*: remove its line"):
        check_record(RECORD | change, frames, Path("j"), 7)


def test_a_journal_that_was_tampered_with(here):
    options = ("label", "al.extxyz", "--calculator", EMT, "-o", "o.extxyz")
    assert here(*options).returncode == 0
    Path("o.extxyz").unlink()
    with JournalWriter(Path("o.extxyz.journal.jsonl")) as journal:
        journal.append(RECORD | {"frame": 77})
    assert "record 22 is damaged: there is no frame 77" in one_line_of(here(*options))


def test_a_damaged_line_of_a_journal_is_labelled_again_and_said(here):
    options = ("label", "al.extxyz", "--calculator", EMT, "-o", "o.extxyz")
    assert here(*options).returncode == 0
    path, before = Path("o.extxyz.journal.jsonl"), Path("o.extxyz").read_text()
    path.write_text(path.read_text().replace('"energy": ', '"energy": 1', 1))
    done = here(*options)
    assert (done.returncode, Path("o.extxyz").read_text()) == (0, before)
    assert "journal.jsonl: 1 damaged line(s) left out: their frames are labelled" in done.stderr


def test_points_that_were_tampered_with(tmp_path):
    path = tmp_path / "points.jsonl"
    point = {"type": "point", "descriptors": "original", "size": 2, "repeat": 0, "errors": {}}
    assert open_points(path, "mark") == {}
    with JournalWriter(path) as journal:
        journal.append(point)
    assert list(open_points(path, "mark")) == [("original", 2, 0)]
    for change in (
        *({"size": "x"}, {"errors": None}, {"descriptors": 3}, {"forces": ["a"]}),
        *({"size": 0}, {"repeat": -1}, {"forces": [[0.0]]}, {"type": "other"}),
        *({"errors": {"forces": {"mae_eV_per_A": bad}}} for bad in ("x", float("inf"), None)),
    ):
        before = path.read_bytes()
        with JournalWriter(path) as journal:
            journal.append(point | change)
        with pytest.raises(InputError, match=r"points\.jsonl: record 3 is damaged: "):
            open_points(path, "mark")
        path.write_bytes(before)


# modules of calculators


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("import os; os._exit(0)", "its module ends the process that imports it"),
        ("raise KeyboardInterrupt", "importing bad fails: KeyboardInterrupt"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "segmentation fault"),
        ("class Other(BaseException): pass\nraise Other('x' * 10**6)", "Other: xxx"),
        ("def make(): raise KeyboardInterrupt", "cannot make a calculator: KeyboardInterrupt"),
    ],
)
def test_modules_that_end_the_process(here, body, said):
    Path("bad.py").write_text(body)
    done = here("label", "al.extxyz", "--calculator", "bad:make", "-o", "out.extxyz")
    assert said in one_line_of(done)
    assert not Path("out.extxyz").exists()


@pytest.mark.parametrize("act", ["raise KeyboardInterrupt", "import os; os._exit(0)"])
def test_calculators_that_end_the_process_fail_their_frame(here, act):
    Path("bad.py").write_text(
        "from ase.calculators.emt import EMT\n"
        "class Bad(EMT):\n"
        "    def calculate(self, atoms=None, *rest):\n"
        f"        {act}\n"
    )
    ase.io.write("two.extxyz", ase.io.read("al.extxyz", index=":2"))
    done = here("label", "two.extxyz", "--calculator", "bad:Bad", "-o", "out.extxyz")
    assert done.returncode == 1
    assert "no frame could be labelled" in done.stderr


# the environment


@pytest.mark.parametrize(
    ("variable", "value", "code"),
    [
        ("JAX_PLATFORMS", "cuda", 2),
        ("MPLBACKEND", "module://matplotlib_inline.backend_inline", 0),
    ],
)
def test_what_a_notebook_leaves_in_the_environment(here, variable, value, code):
    command = [Path(sys.executable).parent / "lammpsfit", "gap", "fit", "job.toml", "-o", "run"]
    done = subprocess.run(
        [*command, "--dry-run"],
        env=os.environ | {variable: value},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    if code:
        assert f"JAX_PLATFORMS={value!r} asks for: set JAX_PLATFORMS=cpu" in one_line_of(done)


def test_frames_come_back_as_they_were_written(tmp_path):
    frames = read_frames([written(tmp_path / "a.xyz", aluminium(3))])
    write_frames(tmp_path / "b.xyz", frames)
    for one, two in zip(frames, read_frames([tmp_path / "b.xyz"]), strict=True):
        np.testing.assert_allclose(one.forces, two.forces, atol=1e-7)
        assert one.energy == pytest.approx(two.energy)

"""The plugin is built once, where it belongs, and found by LAMMPS without being named."""

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from lammpsfit.errors import InputError, RunError
from lammpsfit.files import cache_folder
from lammpsfit.gap.lammps import build, entry
from lammpsfit.gap.lammps.build import PLUGIN, NoCompilerError, build_plugin, find_compiler
from lammpsfit.gap.lammps.export import write_files
from lammpsfit.gap.lammps.installation import find_lammps
from lammpsfit.gap.lammps.run import compute, run_input, upright
from lammpsfit.gap.predict import predict
from lammpsfit.md.session import session

pytestmark = pytest.mark.lammps


def test_it_is_built_once(exported, monkeypatch):
    monkeypatch.setattr(build, "_compile", None)
    path = build_plugin(exported.lammps)
    assert path.is_relative_to(cache_folder())
    assert path.read_bytes() == (exported.folder / PLUGIN).read_bytes()


def test_lammps_finds_it_by_itself(exported, small, tmp_path):
    """By the entry point of the package."""
    assert Path(entry.plugin_folder(), PLUGIN).exists()
    (tmp_path / "in.test").write_text("units metal\npair_style lammpsfit/gap\ninfo styles pair")
    assert "lammpsfit/gap" in run_input(exported.lammps, tmp_path, "in.test")


def test_what_lammps_asks_for_a_folder_never_fails(monkeypatch):
    monkeypatch.setattr(build, "built_folder", None)
    assert entry.plugin_folder() == os.devnull


def test_a_plugin_for_another_lammps_or_a_plain_processor(
    exported, small, compiler, tmp_path, monkeypatch
):
    """One build for both, with the narrowest vectors: as it is, then for a wrong LAMMPS."""
    monkeypatch.setenv("CXXFLAGS", "-O1 -march=x86-64")
    plugin = build_plugin(exported.lammps)
    frame = upright(small.frame(21).unlabelled())
    write_files(exported.model, None, tmp_path, frame, "narrow")
    (tmp_path / PLUGIN).write_bytes(plugin.read_bytes())
    found = compute(exported.lammps, tmp_path, frame, exported.model.species)
    ours = predict(exported.model, frame)
    assert found.energy == pytest.approx(ours.energy, abs=1e-9)
    assert abs(found.forces - ours.forces).max() < 1e-9

    older = find_lammps().version.to_bytes(4, "little")
    code = plugin.read_bytes()
    assert 0 < code.count(older) < 9, "the version it compares with, and tells of"
    (tmp_path / PLUGIN).write_bytes(code.replace(older, (20240829).to_bytes(4, "little")))
    commands = f"plugin clear\nplugin load ./{PLUGIN}\npair_style lammpsfit/gap"
    (tmp_path / "in.test").write_text(commands)
    with pytest.raises(RunError, match=r"built for LAMMPS 20240829, this is 20\d{6}: build it"):
        run_input(exported.lammps, tmp_path, "in.test")


def test_a_compiler_is_one_that_is_named_or_one_that_is_there(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(NoCompilerError, match=r"no compiler 'no-such-compiler', which CXX names"):
        find_compiler()
    monkeypatch.delenv("CXX")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NoCompilerError, match=r"install g\+\+ or clang\+\+"):
        find_compiler()


def test_what_does_not_compile_is_one_line(compiler, monkeypatch):
    monkeypatch.setenv("CXXFLAGS", "-no-such-flag")
    with pytest.raises(RunError, match=r"does not compile .*-no-such-flag") as caught:
        build_plugin(find_lammps())
    assert "\n" not in str(caught.value)


def test_headers_without_an_mpi_say_which_compiler_it_takes(compiler, monkeypatch):
    monkeypatch.setattr(build, "_sources", lambda suffixes=(): [build.SOURCE / "plugin.cpp"])
    found = find_lammps()
    with pytest.raises(RunError, match=r"mpi\.h.*set CXX to the mpicxx"):
        build_plugin(replace(found, headers=found.headers[:1]))


def test_a_cache_that_cannot_be_written(compiler, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(InputError, match="set XDG_CACHE_HOME to a folder"):
        build_plugin(find_lammps())


def test_sources_of_a_lammps(tmp_path):
    with pytest.raises(InputError, match=r"no sources of LAMMPS: there must be src/pair\.h"):
        find_lammps(tmp_path, "true")
    source = tmp_path / "src"
    source.mkdir()
    (source / "pair.h").touch()
    with pytest.raises(InputError, match=r"which program was built of it\? Name it with --lmp"):
        find_lammps(tmp_path)
    with pytest.raises(InputError, match=r"--lmp 'no-such-lmp': there is no such program"):
        find_lammps(tmp_path, "no-such-lmp")
    with pytest.raises(InputError, match="says no version of LAMMPS"):
        find_lammps(tmp_path, "true")
    (source / "version.h").write_text('#define LAMMPS_VERSION "2 Aug 2023"\n')
    found = find_lammps(tmp_path, "true -x")
    assert (found.version, found.headers, found.command) == (20230802, (source,), ("true", "-x"))
    assert find_lammps(source, "true") == replace(found, command=("true",))


def test_the_version_is_the_one_lammps_has():
    with session() as lmp:
        assert lmp.version() == find_lammps().version


def test_a_lammps_that_fails_says_its_own_line(tmp_path):
    (tmp_path / "in.test").write_text("units metal\npair_style nothing/like/that")
    with pytest.raises(RunError, match=r"^LAMMPS: ERROR: .*nothing/like/that"):
        run_input(find_lammps(), tmp_path, "in.test")
    broken = replace(find_lammps(), command=("false",))
    with pytest.raises(RunError, match="ended with code 1"):
        run_input(broken, tmp_path, "in.test")
    missing = replace(find_lammps(), command=("/no/such/lmp",))
    with pytest.raises(RunError, match="LAMMPS cannot be run"):
        run_input(missing, tmp_path, "in.test")


def test_the_source_compiles_without_warnings(compiler):
    """As strict as the Python: syntax only, all warnings."""
    found = find_lammps()
    include = [f"-I{build.SOURCE}"]
    include += [word for folder in found.headers for word in ("-isystem", str(folder))]
    version = f"-DLAMMPSFIT_LAMMPS_VERSION={found.version}"
    flags = ["-std=c++17", "-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic", "-DLAMMPS_SMALLBIG"]
    command = [*compiler, *flags, version, *include, "-x", "c++", "-"]
    source = build.whole_source()
    done = subprocess.run(command, input=source, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")

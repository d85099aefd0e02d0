"""The plugin, compiled once for each LAMMPS, compiler, processor and state of the source.

Plugins are kept in ``$XDG_CACHE_HOME/lammpsfit/plugins`` (``~/.cache/lammpsfit/plugins``), each in
a folder of its own whose name says what it was built for.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from lammpsfit.errors import InputError, RunError
from lammpsfit.files import cache_folder
from lammpsfit.gap.lammps.installation import Lammps

SOURCE: Final = Path(__file__).parent / "source"

PLUGIN: Final = "lammpsfitgapplugin.so"
"""LAMMPS loads what ends in plugin.so by itself."""

COMPILERS: Final = ("g++", "clang++")

FLAGS: Final = ("-std=c++17", "-O3", "-march=native", "-fPIC", "-shared", "-DLAMMPS_SMALLBIG")
"""Never -ffast-math: the rounding in vec.h would be optimised away."""

TIMEOUT: Final = 3600.0
"""Seconds a compiler may take: many times what it needs alone, since others may work beside it."""


class NoCompilerError(InputError):
    """There is no C++ compiler."""


def find_compiler() -> tuple[str, ...]:
    """Return the compiler: $CXX if it is set, else the first of :data:`COMPILERS` there is.

    Raises
    ------
    NoCompilerError
        If there is none.
    """
    if named := os.environ.get("CXX"):
        words = tuple(shlex.split(named))
        if not words or shutil.which(words[0]) is None:
            raise NoCompilerError(f"there is no compiler {named!r}, which CXX names")
        return words
    for name in COMPILERS:
        if shutil.which(name):
            return (name,)
    raise NoCompilerError(
        f"there is no C++ compiler: install {' or '.join(COMPILERS)}, or name one with CXX"
    )


def build_plugin(lammps: Lammps) -> Path:
    """Return the plugin for a LAMMPS, compiled now if it is not yet there.

    Raises
    ------
    NoCompilerError
        If there is no compiler.
    InputError
        If the place for it cannot be written to.
    RunError
        If it does not compile.
    """
    compiler = find_compiler()
    flags = (*FLAGS, *shlex.split(os.environ.get("CXXFLAGS", "")))
    made_with = _short(_identity(compiler), *flags, *map(str, lammps.headers))
    folder = plugins() / f"{_mark(lammps.version)}-{made_with}"
    path = folder / PLUGIN
    if path.exists():
        return path
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix="build-") as name:
            made = Path(name) / PLUGIN
            _compile([*compiler, *flags], lammps, made)
            made.replace(path)  # whole or not at all, also where two build at once
    except OSError as error:
        raise InputError(
            f"the plugin cannot be kept ({error}): set XDG_CACHE_HOME to a folder that can be "
            f"written to"
        ) from error
    return path


def built_folder(version: int) -> Path:
    """Return where the newest plugin for a LAMMPS and this processor is, or would be."""
    mark = _mark(version)
    found = plugins().glob(f"{mark}-*/{PLUGIN}")
    newest = max(found, key=lambda path: path.stat().st_mtime, default=None)
    return plugins() / mark if newest is None else newest.parent


def plugins() -> Path:
    """Return the folder of all plugins."""
    return cache_folder() / "plugins"


def _mark(version: int) -> str:
    """Say what a plugin must fit to be loaded here: LAMMPS, the processor, and the source."""
    source = [path.name + path.read_text(encoding="utf-8") for path in _sources()]
    return f"{version}-{_short(_processor())}-{_short(*source)}"


def whole_source() -> str:
    """Return one source that includes all others.

    The headers of LAMMPS take longer to compile than the plugin: once instead of for each file,
    the plugin takes 9 s of CPU time instead of 21.
    """
    return "".join(f'#include "{path.name}"\n' for path in _sources((".cpp",)))


def _sources(suffixes: Sequence[str] = (".cpp", ".h")) -> list[Path]:
    return sorted(path for path in SOURCE.iterdir() if path.suffix in suffixes)


def _short(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:10]


def _processor() -> str:
    """Say what -march=native depends on."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    named = ("model name", "flags", "Features", "CPU part")
    return "\n".join(sorted({line for line in lines if line.startswith(named)}))


def _identity(compiler: Sequence[str]) -> str:
    """Say which compiler it is."""
    try:
        done = subprocess.run(
            [*compiler, "--version"], capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoCompilerError(
            f"the compiler {shlex.join(compiler)} does not run: {error}"
        ) from None
    return f"{shlex.join(compiler)}\n{done.stdout}"


def _compile(command: Sequence[str], lammps: Lammps, path: Path) -> None:
    include = [f"-I{folder}" for folder in (*lammps.headers, SOURCE)]
    version = f"-DLAMMPSFIT_LAMMPS_VERSION={lammps.version}"
    whole = [*command, version, *include, "-x", "c++", "-", "-o", str(path)]
    try:
        done = subprocess.run(
            whole,
            input=whole_source(),
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise RunError(f"{command[0]} was not done in {TIMEOUT:g} s") from None
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if "error:" in line] or [
            done.stderr[:300]
        ]
        hint = ": set CXX to the mpicxx that LAMMPS was built with" if "mpi.h" in said[0] else ""
        raise RunError(f"the plugin does not compile ({shlex.join(command)}): {said[0]}{hint}")

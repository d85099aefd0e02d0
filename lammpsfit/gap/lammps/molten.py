"""LAMMPS as what runs a melting point, with an exported model or any other potential."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
from ase import Atoms, units
from numpy.typing import NDArray

from lammpsfit.errors import RunError
from lammpsfit.gap.lammps.installation import Lammps
from lammpsfit.gap.lammps.run import data_text, error_message
from lammpsfit.gap.work.melt import (
    HEATS,
    HOTTER,
    MOVED,
    MeltRequest,
    Phase,
    PhaseAlone,
    TwoPhaseStart,
    Watch,
)
from lammpsfit.gap.work.properties import first_length
from lammpsfit.gap.work.two_phase import BLOCKS, Course, crystal
from lammpsfit.labelled.frames import from_atoms
from lammpsfit.md.template import render

FloatArray = NDArray[np.float64]

SAMPLE: Final = 10
"""Steps between two values of temperature and pressure."""

COLUMNS: Final = 6
"""Of a line of numbers in the log, as the templates have them; the first is the step."""

POLL: Final = 0.5
"""Seconds between two looks at how far LAMMPS is."""

GUARDED: Final = """import os, sys
from lammpsfit.child.main import die_with_parent
die_with_parent(int(sys.argv[1]))
os.execvp(sys.argv[2], sys.argv[2:])"""
"""Becomes a program that ends when we do, however that ends."""

HEAD: Final = 9
"""Lines before the atoms of a frame of a dump."""


class LammpsEngine:
    """Runs melting points by LAMMPS.

    Parameters
    ----------
    lammps
        What to run.
    potential
        Input file with masses, ``pair_style`` and ``pair_coeff`` of one type of atoms. It may use
        ``${potential_dir}`` for the folder it is in.
    name
        What the potential is.
    """

    def __init__(self, lammps: Lammps, potential: Path, name: str) -> None:
        self.name = name
        self._lammps = lammps
        self._potential = potential.resolve()

    def phase(
        self, request: MeltRequest, phase: Phase, temperature: float, watch: Watch
    ) -> PhaseAlone:
        """Run a phase alone at a temperature and zero pressure; half the cell of both."""
        n, m = request.cells
        atoms = crystal(request.symbol, first_length(request.symbol), (n, max(m // 2, 2)))
        hot = request.hot * request.temperature

        def steps(time: float) -> int:
            return request.steps(time, request.careful)

        melting, before = "", 0
        if phase == "liquid":
            before = steps(request.melt) + steps(request.cool)
            melting = "\n".join(
                f"fix             heat all npt temp {hot:g} {end:g} 0.1 iso 0.0 0.0 0.5\n"
                f"run             {count}\nunfix           heat"
                for end, count in ((hot, steps(request.melt)), (temperature, steps(request.cool)))
            )
        sampled = SAMPLE * max(steps(2.0 * request.relax) // SAMPLE, BLOCKS)
        text = render(
            "gap_phase",
            include=self._potential.name,
            timestep=request.careful / 1000.0,
            first=2.0 * temperature if phase == "solid" else 2.0 * hot,
            seed=request.seeds[0],
            melting=melting,
            temperature=temperature,
            relax=steps(request.relax),
            every=SAMPLE,
            steps=sampled,
        )
        with self._run(text, atoms, before + steps(request.relax) + sampled, watch) as folder:
            series = np.loadtxt(folder / "series.txt", ndmin=2)
        return PhaseAlone.of(series[:, 1] / len(atoms), series[:, 2] / len(atoms))

    def coexistence(self, request: MeltRequest, start: TwoPhaseStart, watch: Watch) -> Course:
        """Melt the second half of the atoms at the start, and run without thermostat.

        Raises
        ------
        RunError
            If it does not melt, or LAMMPS fails.
        """
        melt, cool, relax = (
            request.steps(time, request.careful)
            for time in (request.melt, request.cool, request.relax / 2.0)
        )
        look = request.steps(request.look, request.timestep)
        steps = request.steps(request.time, request.timestep)
        n = len(start.atoms)
        text = render(
            "gap_melt",
            include=self._potential.name,
            careful=request.careful / 1000.0,
            timestep=request.timestep / 1000.0,
            half=n // 2,
            temperature=start.temperature,
            double=2.0 * start.temperature,
            hot=request.hot * request.temperature,
            hotter=HOTTER,
            heats=HEATS,
            moved=0.5 * MOVED,
            energy=start.energy,
            boltzmann=units.kB,
            seed=start.seed,
            melt=melt,
            cool=cool,
            relax=relax,
            sample=SAMPLE,
            look=look,
            steps=steps,
        )
        with self._run(text, start.atoms, melt + cool + relax + steps, watch) as folder:
            series = np.loadtxt(folder / "series.txt", ndmin=2)
            positions, lengths = _frames(folder / "frames.txt", n)
        per_ps = request.timestep / 1000.0
        series = series[series[:, 0] > 0]
        return Course(
            time=look * per_ps * np.arange(len(positions), dtype=np.float64),
            positions=positions,
            lengths=lengths,
            series_time=per_ps * series[:, 0],
            temperature=series[:, 1],
            energy=series[:, 2] / n,
            pressure=series[:, 3],
            normal=series[:, 4],
        )

    @contextmanager
    def _run(self, text: str, atoms: Atoms, total: int, watch: Watch) -> Iterator[Path]:
        """Run an input in a folder of its own, which is there within the context."""
        with tempfile.TemporaryDirectory(prefix="lammpsfit-") as name:
            folder = Path(name)
            (folder / "export").symlink_to(self._potential.parent)
            data = data_text(from_atoms(atoms, labelled=False), (atoms.get_chemical_symbols()[0],))
            (folder / "start.data").write_text(data, encoding="utf-8")
            (folder / "in.run").write_text(text, encoding="utf-8")
            self._follow(folder, total, watch)
            yield folder

    def _follow(self, folder: Path, total: int, watch: Watch) -> None:
        """Run LAMMPS, and tell how far it is.

        Raises
        ------
        RunError
            With LAMMPS's own message, if the run fails.
        """
        program = self._lammps.command
        if shutil.which(program[0]) is None:
            raise RunError(f"LAMMPS cannot be run: there is no {program[0]}")
        guarded = [sys.executable, "-c", GUARDED, str(os.getpid()), *program]
        log = folder / "log.lammps"
        with (folder / "said.txt").open("w", encoding="utf-8") as said:
            child = subprocess.Popen(
                [*guarded, "-in", "in.run", "-log", log.name, "-nocite"],
                cwd=folder,
                env=os.environ | {"OMP_NUM_THREADS": "1"},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
            )
            try:
                while child.poll() is None:
                    time.sleep(POLL)
                    watch(min(_steps(log) / max(total, 1), 1.0))
            finally:
                if child.poll() is None:
                    child.kill()
                    child.wait()
        if child.returncode:
            output = (folder / "said.txt").read_text(encoding="utf-8", errors="replace")
            raise RunError(f"LAMMPS: {error_message(output, child.returncode)}")


def _steps(log: Path) -> int:
    """Return how many steps the runs in a log have done, by its lines of numbers."""
    if not log.exists():
        return 0
    done = first = last = 0
    with log.open(encoding="utf-8", errors="replace") as stream:
        for line in stream:
            words = line.split()
            if words[:1] == ["Step"]:  # another run
                done, first = done + last - first, -1
                last = first
            elif len(words) == COLUMNS and words[0].isdigit():
                last = int(words[0])
                first = last if first < 0 else first
    return done + last - first


def _frames(path: Path, n: int) -> tuple[FloatArray, FloatArray]:
    """Return positions, shape (n_frames, n, 3), and the edges of the cell, Å."""
    lines = path.read_text(encoding="utf-8").splitlines()
    size = HEAD + n
    count = len(lines) // size
    bounds = np.array([line.split() for line in lines[5:8]], dtype=np.float64)
    rows = [" ".join(lines[k * size + HEAD : (k + 1) * size]) for k in range(count)]
    values = np.array(" ".join(rows).split(), dtype=np.float64).reshape(count, n, 4)
    lengths: FloatArray = bounds[:, 1] - bounds[:, 0]
    return values[:, :, 1:], lengths

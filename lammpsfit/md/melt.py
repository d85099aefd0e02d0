"""The start structure: built, melted once, and shared by every evaluation of a job."""

import hashlib
import math
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from lammpsfit.child.process import run_in_child
from lammpsfit.errors import InputError, RunError
from lammpsfit.files import cache_folder, check_folder
from lammpsfit.forcefield import Potential, dump_potential
from lammpsfit.md.configuration import Configuration, build
from lammpsfit.md.ensemble import check_volume, motion
from lammpsfit.md.potential_text import pair_lines, species_lines
from lammpsfit.md.protocol import BAROSTAT_STEPS, MOST_STEPS, timeout
from lammpsfit.md.session import check_temperature, session, workplace
from lammpsfit.md.structure_file import check_structure
from lammpsfit.md.system import System
from lammpsfit.md.template import render
from lammpsfit.resources import templates
from lammpsfit.units import FS_PER_PS


@dataclass(frozen=True)
class Melting:
    """How the start structure is made.

    Velocities are drawn for twice the melt temperature, since half of that energy goes into
    the potential of the crystal or the packing.

    Attributes
    ----------
    structure
        ``"beta-cristobalite"``, ``"random"``, or ``"file"``: what was read.
    melt_temperature, temperature
        Temperature in K the structure is melted at, and the one it is left at.
    melt, cool, relax
        Times in ps: at the melt temperature, down to `temperature`, and at `temperature`.
    timestep_fs
        Timestep in fs.
    seed
        Seed of the packing and the velocities.
    pressure
        Pressure in bar at which it is cooled and relaxed, in a box that changes; None: at the
        density it was built with. It is molten at that density in any case.
    """

    structure: str
    melt_temperature: float
    temperature: float
    melt: float = 8.0
    cool: float = 2.0
    relax: float = 5.0
    timestep_fs: float = 1.0
    seed: int = 1
    pressure: float | None = None

    def __post_init__(self) -> None:
        for name in ("melt", "cool", "relax"):
            time = getattr(self, name)
            if not 0 <= time * FS_PER_PS / self.timestep_fs < MOST_STEPS:
                raise InputError(
                    f"melt.{name} must be below {MOST_STEPS:g} steps, got {time:g} ps in steps of "
                    f"{self.timestep_fs:g} fs"
                )

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return sum(self.steps_of(time) for time in (self.melt, self.cool, self.relax))

    def steps_of(self, time: float) -> int:
        """Return the steps in `time` ps."""
        return round(time * FS_PER_PS / self.timestep_fs)

    def motion(self, begin: float, end: float) -> str:
        """Return style and arguments of the LAMMPS ``fix`` that takes it from T to T, in K."""
        timestep = self.timestep_fs / FS_PER_PS
        damping, barostat = 100 * timestep, BAROSTAT_STEPS * timestep
        return motion(begin, end, damping, self.pressure, barostat)


@dataclass(frozen=True)
class Melt:
    """The task that melts a start structure and writes it as a LAMMPS data file.

    `start` was read from a file; None: it is built.
    """

    potential: Potential
    system: System
    melting: Melting
    path: Path
    start: Configuration | None = None

    def __call__(self) -> None:
        """Build, melt and write.

        Raises
        ------
        RunError
            If the structure did not melt.
        """
        masses, charges = self.potential.masses, self.potential.charges
        melting = self.melting
        start = self.start or build(
            self.system, melting.structure, self.system.box_length(masses), melting.seed
        )
        timestep = melting.timestep_fs / FS_PER_PS
        output = self.path.absolute()
        with workplace({}), session() as lmp:
            start.write(Path("built.data"), masses, charges)
            script = render(
                "melt",
                title=self.system.formula,
                structure="built.data",
                species=species_lines(self.potential),
                pair_potential=pair_lines(self.potential, "combined", Path()),
                timestep=timestep,
                velocity_temperature=2 * melting.melt_temperature,
                seed=melting.seed,
                melt_temperature=melting.melt_temperature,
                damping=100 * timestep,
                melt_steps=melting.steps_of(melting.melt),
                cool_motion=melting.motion(melting.melt_temperature, melting.temperature),
                relax_motion=melting.motion(melting.temperature, melting.temperature),
                cool_steps=melting.steps_of(melting.cool),
                relax_steps=melting.steps_of(melting.relax),
                melted="melted.data",
            )
            lmp.commands_string(script)
            check_temperature(lmp, melting.temperature)
            check_volume(lmp, start.volume)
            if melting.structure != "random":  # which has no lattice to forget
                _check_molten(
                    math.sqrt(lmp.numpy.extract_compute("moved", 0, 1)[3]), start, melting
                )
            shutil.copyfile("melted.data", output)


def _check_molten(moved: float, start: Configuration, melting: Melting) -> None:
    """Refuse a crystal whose atoms still remember where they were.

    A superheated crystal looks like a liquid to a thermometer; its g(r) and every cost made
    from it are wrong by tens of per cent.
    """
    spacing = (start.volume / len(start.types)) ** (1 / 3)
    if not moved > spacing:
        raise RunError(
            f"the start structure did not melt: atoms must move by more than their spacing "
            f"({spacing:.2f} Å rms), got {moved:.2f} Å after {melting.melt:g} ps at "
            f"{melting.melt_temperature:g} K: melt hotter or longer ([system.melt]), with another "
            f'potential, or begin with structure = "random"'
        )


def melted_structure(
    potential: Potential,
    system: System,
    melting: Melting,
    stop: Callable[[], str | None] = lambda: None,
    tell: Callable[[str], None] = lambda line: None,
    start: Configuration | None = None,
) -> Path:
    """Return the melted start structure, from the cache or by making it now.

    The cache is ``$XDG_CACHE_HOME/lammpsfit`` (``~/.cache/lammpsfit``); a file is named after
    everything that determines its content, so that it is never stale, and is put in place in
    one step, so that it is never half-written.

    `stop` says why to give up before the end, or None to go on; `tell` is told in a line what takes
    so long, if it is not there already. `start` was read from a file; it is written as it is where
    melting takes no time.

    Raises
    ------
    InputError
        If the cache cannot be written, or the file in it is damaged.
    RunError
        If the melt fails; the potential it is made with is unsound then.
    StoppedError
        If it was told to stop.
    """
    path = (
        cache_folder()
        / f"start-{system.formula}-{system.atoms}-{_key(potential, system, melting, start)}.data"
    )
    if not path.exists():
        try:
            check_folder(path.parent)
            path.parent.mkdir(parents=True, exist_ok=True)
        except (OSError, InputError) as error:
            raise InputError(
                f"the start structure cannot be kept ({error}): set XDG_CACHE_HOME to a folder "
                "that can be written to"
            ) from error
        part = path.with_suffix(f".{os.getpid()}.part")
        if start is not None and not melting.steps:
            start.write(part, potential.masses, potential.charges)
            part.replace(path)
            return path
        tell(
            f"melting {system.atoms} atoms of {system.formula} to begin with: "
            f"{melting.steps * melting.timestep_fs / FS_PER_PS:g} ps, once"
        )
        try:
            run_in_child(
                Melt(potential, system, melting, part, start),
                timeout(melting.steps, system.atoms),
                stop,
            )
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    check_structure(path, system.atoms)
    return path


def _key(
    potential: Potential, system: System, melting: Melting, start: Configuration | None
) -> str:
    content = [
        dump_potential(potential),
        repr(asdict(system)),
        repr(asdict(melting)),
        (templates() / "melt.in").read_text(encoding="utf-8"),
        version("lammps"),
    ]
    if start is not None:
        content += [repr(start.types.tolist()), repr(start.positions.tolist())]
        content.append(repr(start.cell.tolist()))
    return hashlib.sha256("\0".join(content).encode()).hexdigest()[:16]

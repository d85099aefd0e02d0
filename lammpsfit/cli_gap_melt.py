"""The command line of melting points: ``lammpsfit gap melt``."""

import time as clock
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lammpsfit.cli_gap_work import Factory, Model, exported_potential, make_folder, metal
from lammpsfit.cli_output import Force, JsonFile, Session, Walltime, open_session, say, write_result
from lammpsfit.errors import InputError, StoppedError, warn

if TYPE_CHECKING:
    from lammpsfit.gap.work.melt import Engine, Melting, MeltRequest
    from lammpsfit.gap.work.source import Source


def add_commands(app: typer.Typer) -> None:
    """Give the commands of this module to the application they belong to."""
    app.command()(melt)


def melt(
    output: Annotated[Path, typer.Option("-o", "--output", help="folder to make")],
    model: Model = None,
    calculator: Factory = None,
    potential: Annotated[
        Path | None,
        typer.Option(
            help="instead of a model: LAMMPS input with mass, pair_style and pair_coeff of one type"
        ),
    ] = None,
    element: Annotated[
        str | None, typer.Option(help="fcc metal; default: the only species of the model")
    ] = None,
    lammps: Annotated[
        bool,
        typer.Option(help="run a model by LAMMPS, if there is a C++ compiler; otherwise by ASE"),
    ] = True,
    temperature: Annotated[
        float | None,
        typer.Option(help="where to begin, K; default: the melting point that was measured"),
    ] = None,
    across: Annotated[int, typer.Option(help="cubic cells along x and y")] = 4,
    along: Annotated[int, typer.Option(help="cubic cells along z, across both phases")] = 10,
    seeds: Annotated[int, typer.Option(min=1, max=1000, help="number of runs")] = 2,
    seed: Annotated[int, typer.Option(min=1, help="seed of the first run")] = 1,
    time: Annotated[float, typer.Option(help="time without thermostat, ps")] = 60.0,
    settle: Annotated[float, typer.Option(help="part of it that averages leave out, ps")] = 20.0,
    timestep: Annotated[float, typer.Option(help="timestep without thermostat, fs")] = 3.0,
    prepare: Annotated[
        float, typer.Option(help="ps in which a half melts, and in which both relax")
    ] = 5.0,
    look: Annotated[float, typer.Option(help="time between frames, ps")] = 0.15,
    tries: Annotated[
        int, typer.Option(min=1, help="first temperatures of each run before it is given up")
    ] = 5,
    walltime: Walltime = None,
    json_file: JsonFile = None,
    force: Force = False,
) -> None:
    """Find the melting point of an fcc metal, where its solid and its liquid live together."""
    from lammpsfit.files import write_json, write_text
    from lammpsfit.gap.work.literature import MELTING
    from lammpsfit.gap.work.melt import MeltRequest
    from lammpsfit.labelled.frames import write_images
    from lammpsfit.run_pages.gap_melt import melt_lines, melt_page

    page, data, final = (output / name for name in ("melt.html", "melt.json", "final.extxyz"))
    state = output / "melt.state.json"
    session = open_session(
        "gap melt",
        json_file,
        files=(page, data, final),
        inputs=[model, potential, state],
        folder=output,
        walltime=walltime,
        force=force,
    )
    source, symbol = _source(model, calculator, potential, element)
    request = MeltRequest(
        symbol,
        measured(symbol) if temperature is None else temperature,
        cells=(across, along),
        time=time,
        settle=settle,
        timestep=timestep,
        melt=prepare,
        cool=0.4 * prepare,
        relax=prepare,
        look=look,
        seeds=tuple(range(seed, seed + seeds)),
        tries=tries,
    )
    make_folder(output)
    engine = _engine(source, potential, output / "lammps", lammps, session)
    found = _run(engine, request, source, state, session)
    known = MELTING.get(symbol, {})
    for line in melt_lines(found, known):
        say(session.console, line)
    content = {
        "element": symbol,
        "potential": engine.name,
        "atoms": request.atoms,
        **found.as_dict(),
        "literature": {name: vars(value) for name, value in known.items()},
    }
    with session.outputs.writing():
        write_json(data, content)
        write_images(final, [run.atoms for run in found.runs])
        write_text(page, melt_page(symbol, engine.name, found, known))
    write_result(session, content)


def measured(symbol: str) -> float:
    """Return the measured melting point of an element, K.

    Raises
    ------
    InputError
        If none is known.
    """
    from lammpsfit.gap.work.literature import melting_point

    found = melting_point(symbol)
    if found is None:
        raise InputError(f"--temperature is needed: no melting point of {symbol} is known")
    return found


def _source(
    model: Path | None, calculator: str | None, potential: Path | None, element: str | None
) -> "tuple[Source | None, str]":
    """Return what computes, if it is no potential of LAMMPS, and the element."""
    from lammpsfit.gap.work.source import open_source
    from lammpsfit.inputs import read_text

    source = None
    if potential is None:
        source = open_source(model, calculator)
    elif model is not None or calculator is not None:
        raise InputError("give a model, --calculator or --potential, and only one of them")
    else:
        read_text(potential)
    return source, metal(element, source, "potential")


def _engine(
    source: "Source | None", potential: Path | None, folder: Path, lammps: bool, session: Session
) -> "Engine":
    """Return what runs: LAMMPS where it can, ASE otherwise."""
    from lammpsfit.gap.lammps.installation import find_lammps
    from lammpsfit.gap.lammps.molten import LammpsEngine
    from lammpsfit.gap.work.melt_ase import AseEngine
    from lammpsfit.inputs import sha256

    if potential is not None:
        name = f"{potential.name} {sha256(potential)[:16]}"
        return LammpsEngine(find_lammps(), potential, name)
    assert source is not None
    if source.model is None or not lammps:
        return AseEngine(source.calculator, source.name)
    path = exported_potential(source, folder, session)
    if path is None:
        return AseEngine(source.calculator, source.name)
    return LammpsEngine(find_lammps(), path, source.name)


def _run(
    engine: "Engine",
    request: "MeltRequest",
    source: "Source | None",
    state: Path,
    session: Session,
) -> "Melting":
    """Run, keeping what is known in a file after every run; warn once of extrapolation."""
    from dataclasses import asdict

    from lammpsfit.farm.stop import Stop
    from lammpsfit.gap.work.checkpoint import Checkpoint
    from lammpsfit.gap.work.melt import melt as find
    from lammpsfit.report.count_progress import StepProgress

    # more seeds may be asked for later
    about = {"potential": engine.name, "request": asdict(request) | {"seeds": 0, "tries": 0}}
    checkpoint = Checkpoint(state, about)
    warned, told = False, ("", 0)
    with StepProgress(session.console) as progress, Stop(session.walltime) as stop:
        left = time_left()

        def keep(known: dict[str, Any]) -> None:
            nonlocal warned
            checkpoint.keep(known)
            grade = known["tries"][-1]["grade"] if known["tries"] else None
            if grade is not None and grade > 1.0 and not warned:
                warned = True
                warn(
                    f"the model extrapolates: an atom is {grade:.2f} times as far from all "
                    f"training atoms as these are from one another"
                )

        def tell(what: str, part: float) -> None:
            nonlocal told
            if told != (now := (what, round(100 * part))):
                told = now
                progress(*now, 100, left(what, part))
            if (why := stop()) is not None:
                raise StoppedError(f"stopped ({why}) in {what}: the same command goes on")

        grade = None if source is None else source.grade
        return find(engine, request, checkpoint.read(), keep, tell, grade)


def time_left() -> Callable[[str, float], str]:
    """Return what says how long a step still takes, by how long its parts took."""
    began: dict[str, float] = {}

    def left(what: str, part: float) -> str:
        now = clock.monotonic()
        first = began.setdefault(what, now)
        if part < 0.05:
            return "begins"
        seconds = (now - first) * (1.0 - part) / part
        return f"{seconds / 60.0:.0f} min left" if seconds > 90.0 else f"{seconds:.0f} s left"

    return left

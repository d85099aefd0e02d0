"""The command line of GAP potentials at work: ``lammpsfit gap sample``, ``properties``, ``md``."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from lammpsfit.cli_output import Force, JsonFile, Session, Walltime, open_session, say, write_result
from lammpsfit.errors import InputError, StoppedError, warn
from lammpsfit.inputs import quoted, read_json

if TYPE_CHECKING:
    from lammpsfit.gap.work.md import MdRequest, MdResult
    from lammpsfit.gap.work.sample import SampleRequest
    from lammpsfit.gap.work.source import Source

# Each command imports what it needs when it runs: JAX takes seconds, and is an extra.

Model = Annotated[
    Path | None,
    typer.Argument(help="model.json of a fit, or its run folder", metavar="[MODEL]"),
]
ModelOption = Annotated[
    Path | None, typer.Option("--model", help="model.json of a fit, or its run folder")
]
Factory = Annotated[
    str | None,
    typer.Option(
        "--calculator", help="instead of a model: module:factory, as in ase.calculators.emt:EMT"
    ),
]

ByLammps = Annotated[
    bool,
    typer.Option(
        "--lammps", help="compute forces of a model by LAMMPS, if there is a C++ compiler"
    ),
]


T = TypeVar("T")


def add_commands(app: typer.Typer) -> None:
    """Give the commands of this module to the application they belong to."""
    app.command()(sample)
    app.command()(properties)
    app.command()(md)


def metal(element: str | None, source: "Source | None", what: str) -> str:
    """Return the fcc metal that is meant: as the user says, else as the source does.

    Raises
    ------
    InputError
        If nobody says, or it is no metal that is known.
    """
    from lammpsfit.gap.work.properties import first_length

    symbol = element or (None if source is None else source.species())
    if symbol is None:
        raise InputError(f"--element is needed: the {what} does not say which metal it is for")
    first_length(symbol)
    return symbol


def exported_potential(source: "Source", folder: Path, session: Session) -> Path | None:
    """Return the LAMMPS input of a model, exported; None, and a warning, without a compiler."""
    from lammpsfit.gap.lammps.build import NoCompilerError
    from lammpsfit.gap.lammps.export import exported

    assert source.model is not None
    try:
        return exported(source.model, folder, source.name, lambda line: say(session.console, line))
    except NoCompilerError as error:
        warn(f"{error}: the calculator of ASE runs instead, many times as long")
        return None


def sample(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="structures to begin with, in any format ASE reads", metavar="START..."
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="extended xyz file to write")],
    model: ModelOption = None,
    calculator: Factory = None,
    strain: Annotated[
        float | None,
        typer.Option(
            help="make strained cells instead of dynamics: the largest strain, such as 0.06"
        ),
    ] = None,
    temperature: Annotated[
        list[float] | None,
        typer.Option(help="temperature, K; give it several times for several runs"),
    ] = None,
    quench: Annotated[
        float | None,
        typer.Option(help="cool each run in equal steps to this temperature, K, at its last frame"),
    ] = None,
    frames: Annotated[
        int, typer.Option(min=1, help="frames of each run, or strained cells of each start")
    ] = 30,
    ensemble: Annotated[str, typer.Option(help="npt, nvt or nve")] = "npt",
    pressure: Annotated[float, typer.Option(help="pressure, bar")] = 0.0,
    timestep: Annotated[float, typer.Option(help="timestep, fs")] = 2.0,
    equilibrate: Annotated[float, typer.Option(help="time before the first frame, ps")] = 2.0,
    interval: Annotated[float, typer.Option(help="time between frames, ps")] = 0.1,
    lammps: ByLammps = False,
    seed: Annotated[int, typer.Option(min=0, help="seed of velocities and thermostats")] = 1,
    walltime: Walltime = None,
    json_file: JsonFile = None,
    force: Force = False,
) -> None:
    """Make frames to label: strained cells or dynamics; after a stop, the same command goes on."""
    from lammpsfit.gap.work.dynamics import Dynamics
    from lammpsfit.gap.work.sample import SampleRequest, strained_frames
    from lammpsfit.gap.work.source import open_source
    from lammpsfit.labelled.frames import from_atoms, read_frames, to_atoms, write_images

    state = output.with_name(f"{output.name}.state.json")
    session = open_session(
        "gap sample",
        json_file,
        files=[output],
        inputs=[*files, state],
        walltime=walltime,
        force=force,
    )
    starts = [to_atoms(frame) for frame in read_frames(files, labelled=False)]
    if strain is not None:
        given = (model, calculator, quench)
        if lammps or temperature or any(option is not None for option in given):
            raise InputError("--strain takes no model, calculator or temperature")
        made = strained_frames(starts, strain, frames)
        summary: dict[str, Any] = {"frames": len(made), "strain": strain}
    else:
        dynamics = Dynamics(
            ensemble=ensemble,  # type: ignore[arg-type]  # it checks this
            pressure=pressure,
            timestep=timestep,
            seed=seed,
        )
        request = SampleRequest(
            *(dynamics, tuple(temperature or ()), frames, equilibrate, interval, quench)
        )
        source = open_source(model, calculator)
        if lammps:
            source = by_lammps(source, output.with_name(f"{output.name}.lammps"), session)
        made = _dynamics(starts, source, request, state, session)
        summary = {"frames": len(made), "temperatures": temperature, "seed": seed}
    for number, atoms in enumerate(made):
        from_atoms(atoms, label=f"frame {number + 1}", labelled=False)  # a sound frame, or none
    with session.outputs.writing():
        write_images(output, made)
    say(session.console, f"{output}: {len(made)} frames")
    write_result(session, summary)


def _dynamics(
    starts: list[Any],
    source: "Source",
    request: "SampleRequest",
    state: Path,
    session: Session,
) -> list[Any]:
    """Sample ASE's atoms by dynamics, keeping what is known in a file after every frame."""
    from dataclasses import asdict

    from lammpsfit.farm.stop import Stop
    from lammpsfit.gap.work.checkpoint import Checkpoint
    from lammpsfit.gap.work.sample import sample as run_sample
    from lammpsfit.labelled.frame import digest
    from lammpsfit.labelled.frames import from_atoms
    from lammpsfit.report.count_progress import FrameProgress

    about = {
        "starts": digest([from_atoms(start, labelled=False) for start in starts]),
        "calculator": source.name,
        "request": {name: value for name, value in asdict(request).items() if value is not None},
    }
    checkpoint = Checkpoint(state, about)
    total = request.frames * len(request.temperatures) * len(starts)
    with FrameProgress(session.console) as progress, Stop(session.walltime) as stop:

        def keep(known: dict[str, Any]) -> None:
            checkpoint.keep(known)
            done = sum(len(one["frames"]) for one in known["runs"].values())
            progress("sample", done, total)
            if done < total and (why := stop()) is not None:
                raise StoppedError(
                    f"stopped ({why}) with {done} of {total} frames: the same command goes on"
                )

        return run_sample(starts, source.calculator, request, checkpoint.read(), keep)


def properties(
    output: Annotated[Path, typer.Option("-o", "--output", help="folder to make")],
    model: Model = None,
    calculator: Factory = None,
    element: Annotated[
        str | None, typer.Option(help="fcc metal; default: the only species of the model")
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(help="property, such as C44 or vacancy; may be repeated; default: all"),
    ] = None,
    cells: Annotated[
        int, typer.Option(help="cubic cells along each axis of the crystal with a vacancy")
    ] = 3,
    beside: Annotated[
        list[Path] | None,
        typer.Option(help="properties.json of an earlier call to show beside; may be repeated"),
    ] = None,
    json_file: JsonFile = None,
    force: Force = False,
) -> None:
    """Compute properties of an fcc metal: a0, moduli, vacancy, surfaces, bcc and hcp."""
    from lammpsfit.files import write_json, write_text
    from lammpsfit.gap.work.literature import LITERATURE
    from lammpsfit.gap.work.properties import Property, check_cells, chosen, measure, properties_of
    from lammpsfit.gap.work.remembered import Remembering
    from lammpsfit.gap.work.source import open_source
    from lammpsfit.report.count_progress import StepProgress
    from lammpsfit.run_pages.gap_work import properties_page, property_line

    page, data = output / "properties.html", output / "properties.json"
    session = open_session(
        "gap properties",
        json_file,
        files=(page, data),
        inputs=[model, *(beside or ())],
        folder=output,
        force=force,
    )
    wanted = chosen(only or ())
    check_cells(cells)
    source = open_source(model, calculator)
    symbol = metal(element, source, "calculator")
    others: dict[str, dict[str, Property]] = {}
    for path in beside or ():
        name, theirs = read_found(path, symbol, "properties", properties_of)
        others[name] = others.get(name, {}) | theirs
    make_folder(output)
    remembering = Remembering(source.calculator, source.name, output / "energies.jsonl")
    known = LITERATURE.get(symbol, {})
    found = []
    with StepProgress(session.console) as progress:
        for one in measure(remembering, symbol, source.covariance, wanted, cells):
            found.append(one)
            progress("properties", len(found), len(wanted), one.name)
    for one in found:
        say(session.console, property_line(one, known.get(one.name), others))
    content = {
        "element": symbol,
        "calculator": source.name,
        "cells": cells,
        "properties": {one.name: one.as_dict() for one in found},
        "literature": {name: vars(value) for name, value in known.items()},
    }
    with session.outputs.writing():
        write_json(data, content)
        write_text(page, properties_page(symbol, source.name, found, known, others))
    write_result(session, content)


def read_found(path: Path, symbol: str, what: str, parse: Callable[[Any], T]) -> tuple[str, T]:
    """Read what an earlier call found, ``WHAT.json``, with the name of its calculator.

    Raises
    ------
    InputError
        If the file holds no such thing, or that of another element.
    """
    content = read_json(path)
    try:
        name, theirs, read = content["calculator"], content["element"], parse(content)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise InputError(f"{path}: holds no {what}: give {what}.json of an earlier call") from None
    if theirs != symbol:
        raise InputError(f"{path}: holds {what} of {quoted(theirs)}, not of {symbol}")
    return str(name), read


def make_folder(path: Path) -> None:
    """Make a folder for results.

    Raises
    ------
    InputError
        If it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path}: cannot make the folder ({error.strerror})") from None


def md(
    start: Annotated[
        Path, typer.Argument(help="structure to begin with, any format of ASE", metavar="START")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="folder to make")],
    model: ModelOption = None,
    calculator: Factory = None,
    ensemble: Annotated[str, typer.Option(help="nvt, npt or nve")] = "nvt",
    temperature: Annotated[float, typer.Option(help="temperature, K")] = 300.0,
    pressure: Annotated[float, typer.Option(help="pressure, bar")] = 0.0,
    time: Annotated[float, typer.Option(help="time of sampling, ps")] = 10.0,
    equilibrate: Annotated[float, typer.Option(help="time before sampling, ps")] = 1.0,
    look: Annotated[float, typer.Option(help="time between samples, ps")] = 0.05,
    timestep: Annotated[float, typer.Option(help="timestep, fs")] = 2.0,
    repeat: Annotated[
        int, typer.Option(min=1, max=100, help="copies of the structure along each axis")
    ] = 1,
    lammps: ByLammps = False,
    stop_at: Annotated[
        float,
        typer.Option(
            help="end the run if an atom has this grade: its distance from the training data"
        ),
    ] = 5.0,
    seed: Annotated[int, typer.Option(min=0, help="seed of velocities and thermostat")] = 1,
    walltime: Walltime = None,
    json_file: JsonFile = None,
    force: Force = False,
) -> None:
    """Run molecular dynamics, and tell energies, pressure, g(r), displacements and their errors."""
    from lammpsfit.files import write_json, write_text
    from lammpsfit.gap.work.dynamics import Dynamics
    from lammpsfit.gap.work.md import MdRequest, repeated
    from lammpsfit.gap.work.source import open_source
    from lammpsfit.labelled.frames import read_frames, to_atoms, write_images
    from lammpsfit.run_pages.gap_md import md_lines, md_page

    page, data, final = (output / name for name in ("md.html", "md.json", "final.extxyz"))
    session = open_session(
        "gap md",
        json_file,
        files=(page, data, final),
        inputs=[start, model, output / "md.state.json"],
        folder=output,
        walltime=walltime,
        force=force,
    )
    dynamics = Dynamics(
        ensemble=ensemble,  # type: ignore[arg-type]  # it checks this
        temperature=temperature,
        pressure=pressure,
        timestep=timestep,
        seed=seed,
    )
    request = MdRequest(dynamics, time, equilibrate, look, stop_at=stop_at)
    frames = read_frames([start], labelled=False)
    if len(frames) > 1:
        raise InputError(f"{start} has {len(frames)} frames: a run begins with one")
    atoms = repeated(to_atoms(frames[0]), repeat)
    source = open_source(model, calculator)
    if lammps:
        source = by_lammps(source, output / "lammps", session)
    make_folder(output)
    result = _run_md(atoms, source, request, output / "md.state.json", session)
    for line in md_lines(result):
        say(session.console, line)
    content = {"calculator": source.name, "atoms": len(atoms), **result.as_dict()}
    with session.outputs.writing():
        write_json(data, content)
        write_images(final, [result.atoms])
        write_text(page, md_page(result, f"{start.name}, {ensemble} {temperature:g} K"))
    write_result(session, content)


def by_lammps(source: "Source", folder: Path, session: Session) -> "Source":
    """Let LAMMPS compute what a model says, where it can; the folder is made.

    Raises
    ------
    InputError
        If there is no model, or LAMMPS cannot read from the folder.
    """
    from dataclasses import replace

    from lammpsfit.gap.factory_check import failing_in_a_line
    from lammpsfit.gap.lammps.forces import plain, plugin_calculator

    if source.model is None:
        raise InputError("--lammps runs a model: give one")
    plain(folder)  # refuses what cannot be, before anything is built
    make_folder(folder)
    path = exported_potential(source, folder, session)
    if path is None:
        return source
    found = plugin_calculator(path.parent, source.model.species)
    return replace(source, calculator=failing_in_a_line(found, source.name))


def _run_md(
    atoms: Any, source: "Source", request: "MdRequest", state: Path, session: Session
) -> "MdResult":
    """Run, keeping what is known in a file after every look; warn once of extrapolation."""
    from dataclasses import asdict

    from lammpsfit.farm.stop import Stop
    from lammpsfit.gap.work.checkpoint import Checkpoint
    from lammpsfit.gap.work.md import run_md
    from lammpsfit.labelled.frame import digest
    from lammpsfit.labelled.frames import from_atoms
    from lammpsfit.report.count_progress import StepProgress

    about = {
        "start": digest([from_atoms(atoms, labelled=False)]),
        "calculator": source.name,
        "request": asdict(request),
    }
    checkpoint = Checkpoint(state, about)
    warned = False
    with StepProgress(session.console) as progress, Stop(session.walltime) as stop:

        def keep(known: dict[str, Any]) -> None:
            nonlocal warned
            checkpoint.keep(known)
            looks = known["looks"]
            at = looks[-1]
            done = f"{at['time']:.2f} ps, {at['temperature']:.0f} K"
            progress("md", len(looks), request.looks, done)
            if at.get("grade", 0.0) > 1.0 and not warned:
                warned = True
                warn(
                    f"after {at['time']:.2f} ps the model extrapolates: an atom is "
                    f"{at['grade']:.2f} times as far from all training atoms as these are from "
                    f"one another"
                )
            if len(looks) < request.looks and (why := stop()) is not None:
                raise StoppedError(f"stopped ({why}) after {done}: the same command goes on")

        return run_md(atoms, source.calculator, request, source.grade, checkpoint.read(), keep)

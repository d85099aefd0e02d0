"""``lammpsfit init``: a first job file from a formula, or from a trajectory."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lammpsfit.cli_fit import describe
from lammpsfit.cli_output import Force, Session, open_session, say
from lammpsfit.errors import InputError

if TYPE_CHECKING:
    from lammpsfit.fit.run.new_job import Known


def init(
    material: Annotated[
        list[str],
        typer.Argument(
            help="a formula such as SiO2, or trajectories of one system", metavar="MATERIAL..."
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="job file to write (TOML)")],
    temperature: Annotated[float, typer.Option(help="temperature of the reference in K")],
    density: Annotated[
        float | None, typer.Option(help="g/cm³; default: that of the trajectory")
    ] = None,
    gr: Annotated[
        Path | None,
        typer.Option("--gr", help="table of partial g(r), with a formula (CSV)"),
    ] = None,
    angles: Annotated[
        Path | None, typer.Option(help="table of bond angles, with a formula (CSV)")
    ] = None,
    pressure: Annotated[float | None, typer.Option(help="pressure to fit to as well, bar")] = None,
    potential: Annotated[
        str | None,
        typer.Option(help="where the search begins: a name or a file; default: of the library"),
    ] = None,
    species: Annotated[
        str | None, typer.Option(help="species of the LAMMPS types of a trajectory: 1=Si,2=O")
    ] = None,
    skip: Annotated[
        str, typer.Option(help="frames of a trajectory to leave out first, or a time such as 2ps")
    ] = "0",
    force: Force = False,
) -> None:
    """Write a first job file, with every choice made and explained."""
    files = [Path(name) for name in material if Path(name).exists() or Path(name).suffix]
    if files and len(files) != len(material):
        raise InputError("give one formula, or files of trajectories, not both")
    if not files and len(material) > 1:
        raise InputError(f"give one formula, got {len(material)}")
    made = [output.with_name(f"{output.stem}-{part}.csv") for part in ("gr", "angles")]
    given = [gr, angles, Path(potential) if potential and Path(potential).is_file() else None]
    session = open_session(
        "init",
        None,
        files=[output, *(made if files else [])],
        inputs=[*files, *given],
        force=force,
    )
    if files:
        if gr or angles:
            raise InputError(
                "a trajectory brings its own g(r) and angles: leave out --gr, --angles"
            )
        known = _of_trajectory(session, files, made, temperature, density, species, skip, pressure)
    else:
        known = _of_formula(material[0], output, temperature, density, gr, angles, pressure)
    _write(session, output, known, potential)


def _of_formula(
    formula: str,
    output: Path,
    temperature: float,
    density: float | None,
    gr: Path | None,
    angles: Path | None,
    pressure: float | None,
) -> "Known":
    from lammpsfit.config import SystemTable
    from lammpsfit.fit.run.new_job import Known
    from lammpsfit.forcefield import all_pairs
    from lammpsfit.md.system import System, composition_of
    from lammpsfit.models import checked
    from lammpsfit.reference import read_reference, require_pairs
    from lammpsfit.reference.angle_table import read_angle_table

    composition = composition_of(formula)
    if density is None:
        raise InputError("a formula needs the density of the reference: add --density in g/cm³")
    if gr is None:
        raise InputError(
            "there is nothing to fit to: add --gr TABLE.csv, or give a trajectory instead of "
            "the formula"
        )
    atoms = sum(composition.values())
    checked(SystemTable, {"formula": formula, "atoms": atoms, "density": density}, "option")
    System(formula, atoms, density)
    if angles is not None:
        read_angle_table(angles)
    reference = read_reference(gr)
    require_pairs(reference, all_pairs(tuple(composition)))
    reach = float(reference.rdf.edges[-1])
    named = [None if path is None else _beside(path, output) for path in (gr, angles)]
    assert named[0] is not None
    return Known(formula, density, temperature, named[0], reach, named[1], pressure)


def _of_trajectory(
    session: Session,
    files: list[Path],
    made: list[Path],
    temperature: float,
    density: float | None,
    species: str | None,
    skip: str,
    pressure: float | None,
) -> "Known":
    from lammpsfit.fit.run.new_job import Known
    from lammpsfit.md.system import reduced_formula
    from lammpsfit.reference.analyse import Settings
    from lammpsfit.reference.command import Request, make_reference
    from lammpsfit.reference.options import file_formats, is_table, parse_types
    from lammpsfit.reference.trajectory import Selection
    from lammpsfit.report.count_progress import FrameProgress

    if is_table(file_formats(tuple(files), "auto")):
        raise InputError(f"{files[0]} is a table of g(r): give the formula, and --gr {files[0]}")
    request = Request(
        tuple(files),
        "auto",
        Settings(Selection(skip, 1), None, None, 10, {}),
        parse_types(species),
        (),
        (),
        shlex.join(["lammpsfit", *sys.argv[1:]]),
    )
    with session.outputs.writing(), FrameProgress(session.console) as progress:
        result = make_reference(request, made[0], made[1], progress)
    for line in result.lines:
        say(session.console, line)
    density = density or result.summary["density_g_per_cm3"]
    if density is None:
        raise InputError(f"{files[0]} names no elements: add --species, such as 1=Si,2=O")
    table, angle_table = (Path(path.name) for path in made)
    reach = float(result.rdf.edges[-1])
    formula = reduced_formula(result.summary["atoms"])
    return Known(formula, round(density, 5), temperature, table, reach, angle_table, pressure)


def _beside(path: Path, output: Path) -> Path:
    """Name a file as a job file in another folder does."""
    return Path(path.name) if path.resolve().parent == output.resolve().parent else path.resolve()


def _write(session: Session, output: Path, known: "Known", potential: str | None) -> None:
    """Choose, write, and check what was written as a fit would; nothing stays where it fails."""
    from lammpsfit.config import read_job
    from lammpsfit.files import replacing
    from lammpsfit.fit.run.new_job import choose_potential, describe_choice, new_job
    from lammpsfit.forcefield import load_potential

    start = choose_potential(known) if potential is None else load_potential(potential)
    name = start.name if potential is None else potential
    if potential is not None and Path(potential).is_file():
        name = str(_beside(Path(potential), output))
    text = new_job(known, start, name)
    with session.outputs.writing(), replacing(output) as draft:
        draft.write_text(text, encoding="utf-8")
        try:
            describe(read_job(draft), session.console)
        except InputError as error:
            raise InputError(str(error).replace(draft.name, output.name)) from error
    if potential is None:
        say(session.console, describe_choice(known, start))
    say(session.console, f"{output} is ready: lammpsfit fit {shlex.quote(str(output))} -o run")

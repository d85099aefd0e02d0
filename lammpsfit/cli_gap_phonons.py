"""The command line of phonons: ``lammpsfit gap phonons``."""

from pathlib import Path
from typing import Annotated

import typer

from lammpsfit.cli_gap_work import Factory, Model, make_folder, metal, read_found
from lammpsfit.cli_output import Force, JsonFile, open_session, say, write_result
from lammpsfit.errors import warn


def add_commands(app: typer.Typer) -> None:
    """Give the commands of this module to the application they belong to."""
    app.command()(phonons)


def phonons(
    output: Annotated[Path, typer.Option("-o", "--output", help="folder to make")],
    model: Model = None,
    calculator: Factory = None,
    element: Annotated[
        str | None, typer.Option(help="fcc metal; default: the only species of the model")
    ] = None,
    beside: Annotated[
        list[Path] | None,
        typer.Option(help="phonons.json of an earlier call to show beside; may be repeated"),
    ] = None,
    supercell: Annotated[
        int, typer.Option(min=1, max=20, help="cubic cells along each axis of the supercell")
    ] = 4,
    displacement: Annotated[float, typer.Option(help="displacement of an atom, Å")] = 0.02,
    lattice: Annotated[
        float | None,
        typer.Option(help="lattice constant, Å; default: that of the lowest energy"),
    ] = None,
    json_file: JsonFile = None,
    force: Force = False,
) -> None:
    """Compute phonons of an fcc metal: bands, density of states, frequencies at X and L."""
    from lammpsfit.files import write_json, write_text
    from lammpsfit.gap.work.literature import PHONONS
    from lammpsfit.gap.work.phonons import PhononRequest, Phonons
    from lammpsfit.gap.work.phonons import phonons as find_phonons
    from lammpsfit.gap.work.remembered import Remembering
    from lammpsfit.gap.work.source import open_source
    from lammpsfit.report.count_progress import StepProgress
    from lammpsfit.run_pages.gap_phonons import UNSTABLE, phonon_lines, phonons_page

    page, data = output / "phonons.html", output / "phonons.json"
    session = open_session(
        "gap phonons",
        json_file,
        files=(page, data),
        inputs=[model, *(beside or ())],
        folder=output,
        force=force,
    )
    request = PhononRequest(supercell, displacement, lattice)
    source = open_source(model, calculator)
    symbol = metal(element, source, "calculator")
    others = dict(read_found(path, symbol, "phonons", Phonons.from_dict) for path in beside or ())
    make_folder(output)
    remembering = Remembering(source.calculator, source.name, output / "energies.jsonl")
    steps = iter(range(1, 3))
    with StepProgress(session.console) as progress:
        found = find_phonons(
            remembering, symbol, request, lambda what: progress("phonons", next(steps), 2, what)
        )
    known = PHONONS.get(symbol, {})
    for line in phonon_lines(found, others, known):
        say(session.console, line)
    if not found.stable:
        warn(UNSTABLE)
    content = {
        "element": symbol,
        "calculator": source.name,
        "supercell": supercell,
        "displacement": displacement,
        **found.as_dict(),
        "literature": {name: vars(value) for name, value in known.items()},
    }
    with session.outputs.writing():
        write_json(data, content)
        write_text(page, phonons_page(symbol, source.name, found, others, known))
    write_result(session, content)

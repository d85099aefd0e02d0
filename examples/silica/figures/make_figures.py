"""The illustrations of the silica paper, run for real: MD, tables, pictures.

Without ``--keep`` the pictures are drawn again from the tables in ``data/``. With it everything is
run; what the folder holds already is not run again, and what was stopped goes on.

    python make_figures.py [--only fig2 ...] [--pictures FOLDER]
    python make_figures.py --keep FOLDER [--only fig2 ...] [--workers 1] [--quick]

The method and the figures are those of H. Liu et al., MRS Communications 9, 593 (2019),
doi:10.1557/mrc.2019.47, numbered as in its preprint.
"""

import argparse
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import facts
import searches
import structures
from runs import FITTED, HERE, KNOWN, Place, fit, trajectory

from lammpsfit.errors import LammpsfitError


@dataclass(frozen=True)
class Figure:
    """A picture: its name, the functions that draw it and tell it in numbers, and its runs."""

    name: str
    draw: Callable[[Path, Path], None]
    tell: Callable[[Path], Iterable[str]]
    fits: tuple[str, ...] = ()
    trajectories: tuple[str, ...] = ()


FIGURES: Final = {
    "fig2": Figure("charge", searches.draw_charge, facts.of_charge, ("line",)),
    "fig3": Figure("paths", searches.draw_paths, facts.of_paths, ("map", *searches.SEARCHES)),
    "fig8": Figure("complexity", searches.draw_complexity, facts.of_complexity, FITTED),
    "fig5": Figure("classics", structures.draw_classics, facts.of_classics, (), KNOWN),
    "fig9": Figure("fits", structures.draw_fits, facts.of_fits, (), FITTED),
    "fig6": Figure(
        "angles", structures.draw_angles, facts.of_angles, (), (*KNOWN, "fit7", "fit10")
    ),
}
"""By number in the preprint; fig3 is also 4 and 7."""


def main() -> None:
    """Run what is asked for, then draw it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", type=Path, help="folder of the runs")
    parser.add_argument("--only", nargs="+", choices=FIGURES, default=list(FIGURES))
    parser.add_argument("--pictures", type=Path, help="folder of the PNG files; default: docs")
    parser.add_argument("--workers", type=int, default=1, help="evaluations at a time")
    parser.add_argument("--quick", action="store_true", help="next to no MD, to see that all works")
    options = parser.parse_args()
    if options.quick and not options.keep:
        parser.error("--quick runs something, so it needs --keep")

    data = options.keep / "data" if options.quick else HERE / "data"
    folder = options.pictures or (data if options.quick else HERE.parents[2] / "docs")
    for path in (data, folder):
        path.mkdir(parents=True, exist_ok=True)
    for name in options.only:
        figure = FIGURES[name]
        if options.keep:
            place = Place(options.keep.resolve(), data, options.workers, options.quick)
            for each in figure.fits:
                fit(each, place)
            for each in figure.trajectories:
                trajectory(each, place)
        picture = folder / f"figures-{figure.name}.png"
        figure.draw(data, picture)
        print(f"{name}: {picture}", *figure.tell(data), sep="\n  ", flush=True)
    print(facts.work(data))


if __name__ == "__main__":
    try:
        main()
    except LammpsfitError as error:
        print(f"make_figures: {error}", file=sys.stderr)
        sys.exit(error.exit_code)

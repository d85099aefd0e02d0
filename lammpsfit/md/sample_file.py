"""Samples on disk: one ``.npz`` file each, put in place in one step."""

from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from lammpsfit.errors import InputError
from lammpsfit.files import replacing
from lammpsfit.md.sample import Sample
from lammpsfit.structure.blocks import Estimate
from lammpsfit.structure.rdf import PartialRdf

ESTIMATES = ("temperature", "pressure", "energy", "energy_drift")
NUMBERS = ("atom_steps", "md_seconds", "wall_seconds")


def save_sample(path: Path, sample: Sample) -> None:
    """Write a sample; a kill leaves the whole file or none."""
    arrays: dict[str, Any] = {
        "pairs": np.array(sample.rdf.pairs),
        "r": sample.rdf.r,
        "blocks": sample.rdf.blocks,
    }
    for name in ESTIMATES:
        estimate = getattr(sample, name)
        arrays[name] = np.array([estimate.mean, estimate.error])
    for name in NUMBERS:
        arrays[name] = np.array(getattr(sample, name))
    path.parent.mkdir(exist_ok=True)
    with replacing(path) as part, part.open("wb") as file:
        np.savez_compressed(file, **arrays)


def load_sample(path: Path) -> Sample:
    """Read a sample that :func:`save_sample` wrote.

    Raises
    ------
    InputError
        If the file is missing or damaged.
    """
    try:
        return _load(path)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise InputError(f"{path}: no sample can be read from it ({error})") from error


def _load(path: Path) -> Sample:
    # opened here, since NumPy leaves open what turns out to be no archive
    with path.open("rb") as file, np.load(file, allow_pickle=False) as data:
        estimates = {name: Estimate(*map(float, data[name])) for name in ESTIMATES}
        return Sample(
            rdf=PartialRdf.from_blocks([str(p) for p in data["pairs"]], data["r"], data["blocks"]),
            atom_steps=int(data["atom_steps"]),
            md_seconds=float(data["md_seconds"]),
            wall_seconds=float(data["wall_seconds"]),
            **estimates,
        )

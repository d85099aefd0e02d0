"""Observations on disk: one ``.npz`` file each, put in place in one step and synced."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lammpsfit.files import replacing
from lammpsfit.md.arrays_file import reading_arrays
from lammpsfit.md.observation import Observation, Series, Solid
from lammpsfit.structure.bonding import BondCounts
from lammpsfit.structure.diffusion import Displacements
from lammpsfit.structure.network import NetworkCounts
from lammpsfit.structure.observables import Observables
from lammpsfit.structure.rdf import PartialRdf
from lammpsfit.structure.structure_factor import StructureFactors

SERIES = ("temperature", "pressure", "energy", "density")
BONDS = ("neighbours", "angles", "angle_sums")
NETWORK = ("bridging", "rings")


def save_observation(path: Path, observation: Observation) -> None:
    """Write an observation; a kill leaves the whole file or none."""
    series = observation.series
    arrays: dict[str, Any] = {name: getattr(series, name) for name in SERIES}
    arrays["blocks"] = np.array(series.blocks)
    arrays["steps"] = np.array(observation.steps)
    arrays["wall_seconds"] = np.array(observation.wall_seconds)
    if observation.structure is not None:
        arrays |= _structure_arrays(observation.structure)
    arrays["diffusing"] = np.array(list(observation.displacements), dtype=np.str_)
    for name, moved in observation.displacements.items():
        arrays["lags"] = moved.t
        arrays[f"regions_{name}"] = moved.regions
        arrays[f"atoms_{name}"] = moved.atoms
    if (solid := observation.solid) is not None:
        arrays |= {
            "atoms": np.array(solid.species, dtype=np.str_),
            "positions": solid.positions,
            "cell": solid.cell,
            "stiffness": solid.stiffness,
        }
    with replacing(path) as part, part.open("wb") as file:
        np.savez_compressed(file, **arrays)
        file.flush()
        os.fsync(file.fileno())


def load_observation(path: Path) -> Observation:
    """Read an observation that :func:`save_observation` wrote.

    Raises
    ------
    InputError
        If the file is missing or damaged.
    """
    with reading_arrays(path, ": remove it, and the run is done again") as data:
        return _load(data)


def _structure_arrays(structure: Observables) -> dict[str, Any]:
    return {
        "species": np.array(list(structure.numbers)),
        "numbers": np.array(list(structure.numbers.values())),
        "bonded": np.array(list(structure.cutoffs), dtype=np.str_),
        "cutoffs": np.array(list(structure.cutoffs.values())),
        "pairs": np.array(structure.rdf.pairs),
        "r": structure.rdf.r,
        "g": structure.rdf.blocks,
        "q": structure.factors.q,
        "S": structure.factors.blocks,
        **{name: np.array([getattr(b, name) for b in structure.bonds]) for name in BONDS},
        **{name: np.array([getattr(n, name) for n in structure.network]) for name in NETWORK},
    }


def _load(data: Mapping[str, Any]) -> Observation:
    series = {name: data[name] for name in SERIES}
    return Observation(
        Series(**series, blocks=int(data["blocks"])),
        _structure(data) if "species" in data else None,
        {
            str(name): Displacements(data["lags"], data[f"regions_{name}"], data[f"atoms_{name}"])
            for name in data["diffusing"]
        },
        int(data["steps"]),
        float(data["wall_seconds"]),
        _solid(data) if "stiffness" in data else None,
    )


def _solid(data: Mapping[str, Any]) -> Solid:
    species = tuple(map(str, data["atoms"]))
    return Solid(species, data["positions"], data["cell"], data["stiffness"])


def _structure(data: Mapping[str, Any]) -> Observables:
    pairs = tuple(map(str, data["pairs"]))
    return Observables(
        dict(zip(map(str, data["species"]), map(int, data["numbers"]), strict=True)),
        dict(zip(map(str, data["bonded"]), map(float, data["cutoffs"]), strict=True)),
        PartialRdf.from_blocks(pairs, data["r"], data["g"]),
        StructureFactors(pairs, data["q"], data["S"]),
        tuple(BondCounts(*rows) for rows in zip(*(data[name] for name in BONDS), strict=True)),
        tuple(NetworkCounts(*rows) for rows in zip(*(data[n] for n in NETWORK), strict=True)),
    )

"""Samples on disk: one ``.npz`` file each, put in place in one step.

Packing takes longer than all else about a file. Whoever ran a sample packs it, see
:func:`packed`, so that the master of many workers only has to write it.
"""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from lammpsfit.errors import InputError
from lammpsfit.files import replacing, write_text
from lammpsfit.md.arrays_file import reading_arrays
from lammpsfit.md.frames import Frames
from lammpsfit.md.histogram import FloatArray, Histogram
from lammpsfit.md.sample import Sample
from lammpsfit.structure.blocks import Estimate
from lammpsfit.structure.rdf import PartialRdf

ESTIMATES = ("temperature", "pressure", "energy", "energy_drift")
NUMBERS = ("atom_steps", "md_seconds", "wall_seconds")
BINS = ("merge", "first", "n_bins", "size")

OBSERVED, MEASURED = "observed ", "measured "
"""Before the names of what was observed by blocks, and measured by frames."""

CONFIGURATION = ".data"
"""Suffix of the last configuration beside its sample."""

LEVEL: Final = 1
"""Of zlib: a seventh of the time of its default, for files that are a tenth longer."""


def save_sample(path: Path, sample: Sample) -> None:
    """Write a sample; a kill leaves the whole file or none.

    The last configuration, where it was kept, goes into a LAMMPS data file of the same name.
    """
    path.parent.mkdir(exist_ok=True)
    if sample.configuration is not None:
        write_text(path.with_suffix(CONFIGURATION), sample.configuration)
    content = sample.packed or _content(sample)
    with replacing(path) as part:
        part.write_bytes(content)


def packed(sample: Sample) -> Sample:
    """Return a sample with the content of its file."""
    return replace(sample, packed=_content(sample))


def _content(sample: Sample) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL) as archive:
        for name, array in _arrays(sample).items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)
    return file.getvalue()


def _arrays(sample: Sample) -> dict[str, Any]:
    """Return what is kept of a sample, by name."""
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
    if sample.density is not None and (drift := sample.density_drift) is not None:
        arrays |= {"density": sample.density, "density_drift": np.array([drift.mean, drift.error])}
    arrays |= {OBSERVED + name: values for name, values in sample.observed.items()}
    if (frames := sample.frames) is not None:
        arrays["atoms"] = np.array(list(frames.atoms.values()))
        arrays["species"] = np.array(list(frames.atoms))
        arrays["volume"] = frames.volume
        arrays["counts"] = frames.counts
        arrays["pressures"] = frames.pressure
        arrays["bins"] = np.array([getattr(frames.histogram, name) for name in BINS])
        arrays["dr"] = np.array(frames.histogram.dr)
        if frames.coulomb is not None:
            arrays["coulomb"] = frames.coulomb
            arrays["charges"] = np.array([frames.charges[name] for name in frames.atoms])
        arrays |= {MEASURED + name: values for name, values in frames.measured.items()}
    return arrays


def load_sample(path: Path) -> Sample:
    """Read a sample that :func:`save_sample` wrote.

    Raises
    ------
    InputError
        If the file is missing or damaged.
    """
    with reading_arrays(path) as data:
        estimates: dict[str, Any] = {name: _estimate(data[name]) for name in ESTIMATES}
        rdf = PartialRdf.from_blocks([str(p) for p in data["pairs"]], data["r"], data["blocks"])
        return Sample(
            rdf=rdf,
            frames=_frames(data, rdf) if "counts" in data else None,
            atom_steps=int(data["atom_steps"]),
            md_seconds=float(data["md_seconds"]),
            wall_seconds=float(data["wall_seconds"]),
            observed=_named(data, OBSERVED),
            density=data.get("density"),
            density_drift=_estimate(data["density_drift"]) if "density" in data else None,
            **estimates,
        )


def _estimate(pair: FloatArray) -> Estimate:
    mean, error = map(float, pair)
    return Estimate(mean, error)


def _named(data: Mapping[str, Any], prefix: str) -> dict[str, FloatArray]:
    return {name.removeprefix(prefix): data[name] for name in data if name.startswith(prefix)}


def _frames(data: Mapping[str, Any], rdf: PartialRdf) -> Frames:
    bins = dict(zip(BINS, map(int, data["bins"]), strict=True))
    frames = Frames(
        histogram=Histogram(dr=float(data["dr"]), **bins),
        atoms=dict(zip(map(str, data["species"]), map(int, data["atoms"]), strict=True)),
        volume=data["volume"],
        counts=data["counts"],
        pressure=data["pressures"],
        measured=_named(data, MEASURED),
        coulomb=data.get("coulomb"),
        charges=dict(zip(map(str, data["species"]), map(float, data["charges"]), strict=True))
        if "coulomb" in data
        else {},
    )
    n, histogram = len(frames.pressure), frames.histogram
    shape = (n, len(frames.pairs), histogram.size)
    if frames.counts.shape != shape or frames.counts.dtype.kind not in "iu":
        raise InputError(
            f"counts must be whole numbers of shape {shape}, got {frames.counts.dtype} of "
            f"{frames.counts.shape}"
        )
    if frames.coulomb is not None and frames.coulomb.shape != (n,):
        raise InputError(f"coulomb must have the shape ({n},), got {frames.coulomb.shape}")
    if not (histogram.dr > 0 and np.all(frames.volume > 0) and min(frames.atoms.values()) > 0):
        raise InputError("bins, volume and numbers of atoms must be positive")
    if histogram.edges().size != rdf.r.size + 1 or not np.allclose(
        histogram.edges(), rdf.edges, rtol=0, atol=0.1 * rdf.dr
    ):
        raise InputError("the bins of the frames must be those of g(r)")
    return frames

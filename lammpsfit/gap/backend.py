"""JAX in double precision: every module that needs JAX takes it from here.

Numbers of single precision are no use for a Gaussian process with little noise, whose matrices
are nearly singular, and JAX has to be told so before it makes its first array.
"""

from __future__ import annotations

import os
from typing import Any

from numpy.typing import NDArray

from lammpsfit.errors import InputError
from lammpsfit.inputs import quoted

try:
    import jax
    import jax.numpy as jnp
except ImportError as error:  # an extra: pair potentials do without
    raise InputError(
        f"GAP potentials need JAX and optax ({error}): pip install 'lammpsfit[gap]'"
    ) from None

jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]

if "JAX_PLATFORMS" in os.environ:
    try:
        jax.devices()
    except (RuntimeError, AssertionError):  # JAX 0.10 asserts
        raise InputError(
            f"JAX has no such device here as JAX_PLATFORMS={quoted(os.environ['JAX_PLATFORMS'])} "
            f"asks for: set JAX_PLATFORMS=cpu, or leave it out"
        ) from None

Array = jax.Array

Values = jax.Array | NDArray[Any]
"""What JAX takes for an array: its own or one of NumPy."""

__all__ = ["Array", "Values", "jax", "jnp"]

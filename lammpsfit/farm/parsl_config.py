"""Parsl's own configuration file, read and made fit for a farm.

The file is Python, as users of Parsl have it: it makes a ``parsl.Config``, by whatever name. What
it says of executors, providers and blocks is kept. What a farm does itself is taken from it:
Parsl must not run a lost task again, and must notice within seconds that a worker is lost.
"""

import runpy
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lammpsfit.errors import InputError
from lammpsfit.inputs import read_text

if TYPE_CHECKING:
    from parsl.config import Config

PERIODS_S: Final = {
    "heartbeat_period": (30, 2),
    "heartbeat_threshold": (120, 10),
}
"""Parsl's default and ours, s: how often a node says that it is there, and when it is lost."""

STRATEGY_PERIOD_S: Final = (5, 2)
"""Likewise, how often it is asked whether a block is to be started."""

INTERCHANGE: Final = [
    *(sys.executable, "-m", "lammpsfit.farm.die_with_us"),
    "parsl.executors.high_throughput.interchange",
]
"""Command of the interchange that ends with us, and is found without an activated environment."""

NODE: Final = "python3 -m lammpsfit.farm.parsl_node"
"""Put before the command of a node, which its own environment must find."""

EXTRA: Final = (
    "Parsl is needed for this: install it with pip install 'lammpsfit[parsl]', here and in the "
    "environment of the workers"
)


def read_config(path: Path) -> "Config":
    """Run a configuration file and return the ``parsl.Config`` that it makes.

    Raises
    ------
    InputError
        If Parsl is not installed, or the file does not make one configuration whose executors are
        all ``HighThroughputExecutor``.
    """
    try:
        from parsl.config import Config
    except ImportError:
        raise InputError(EXTRA) from None
    found = [value for value in _run(path).values() if isinstance(value, Config)]
    if len({id(config) for config in found}) != 1:
        raise InputError(
            f"{path} must make one parsl.Config, as in config = Config(executors=[...]), got "
            f"{len(found)}"
        )
    return _fit_for_a_farm(found[0], path)


def _run(path: Path) -> dict[str, Any]:
    read_text(path, what="configuration of Parsl")  # refuses what is no file, or has no end
    try:
        return runpy.run_path(str(path))
    except (Exception, SystemExit) as error:
        said = " ".join(str(error).split())[:200]
        raise InputError(f"{path} does not run: {type(error).__name__}: {said}") from error


def _fit_for_a_farm(config: "Config", path: Path) -> "Config":
    from parsl.executors import HighThroughputExecutor
    from parsl.executors.high_throughput.executor import (
        DEFAULT_INTERCHANGE_LAUNCH_CMD,
        DEFAULT_LAUNCH_CMD,
    )
    from parsl.jobs.error_handlers import noop_error_handler, simple_error_handler

    default, ours = STRATEGY_PERIOD_S
    if config.strategy_period == default:
        config.strategy_period = ours
    config.retries = 0  # who lost a worker is run again by us, who know what it was at
    for executor in config.executors:
        if not isinstance(executor, HighThroughputExecutor) or executor.enable_mpi_mode:
            raise InputError(
                f"{path}: executors must be HighThroughputExecutor, got {type(executor).__name__}"
            )
        for name, (default, ours) in PERIODS_S.items():
            if getattr(executor, name) == default:
                setattr(executor, name, ours)
        if executor.block_error_handler is simple_error_handler:
            # it gives up as soon as all blocks have ended, be it by their walltime
            executor.block_error_handler = noop_error_handler
        if executor.interchange_launch_cmd == DEFAULT_INTERCHANGE_LAUNCH_CMD:
            executor.interchange_launch_cmd = INTERCHANGE
        if executor.launch_cmd == DEFAULT_LAUNCH_CMD:
            executor.launch_cmd = f"{NODE} {DEFAULT_LAUNCH_CMD}"
    return config

"""Parsl at work: its blocks, nodes and workers, and whether more of them may come."""

import atexit
import logging
import os
import shutil
import sysconfig
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lammpsfit.child.patience import Patience
from lammpsfit.errors import RunError

if TYPE_CHECKING:
    from parsl.config import Config
    from parsl.dataflow.dflow import DataFlowKernel
    from parsl.executors import HighThroughputExecutor

_LOG: Final = logging.getLogger("parsl")

LOOK_S: Final = 0.5
"""Seconds between two looks at who is there."""

SILENT_S: Final = 60.0
"""Seconds without an answer after which the interchange is given up."""

FAILED_BLOCKS: Final = 3
"""Blocks, one after the other, that ended before a worker of theirs came, after which we stop."""

DEAD_BLOCK_S: Final = 20.0
"""Seconds without a node after which a block that was there is ended."""

LOST: Final = ("WorkerLost", "ManagerLost")
"""Names of the errors of Parsl for what has taken its worker along."""


@dataclass(frozen=True)
class _Node:
    """A manager that is connected, the block it belongs to, and its number of workers."""

    name: str
    block: str
    workers: int
    executor: "HighThroughputExecutor"


@dataclass(frozen=True)
class _View:
    """What was seen at a look: nodes that take work, and the blocks a node ever came from."""

    nodes: tuple[_Node, ...] = ()
    connected_blocks: frozenset[str] = frozenset()


class Pool:
    """The workers of a configuration.

    Parameters
    ----------
    config
        Parsl's configuration, which can be started once.
    tell
        Told in a line when the number of workers has changed.
    """

    def __init__(self, config: "Config", tell: Callable[[str], None]) -> None:
        self._config = config
        self._tell = tell
        self._kernel: DataFlowKernel | None = None
        self._view = _View()
        self._told = 0
        self._patience = Patience(SILENT_S)
        self._logs: set[logging.Handler] = set()
        self._lost_blocks: dict[str, Patience] = {}
        self._closing = threading.Event()
        self._broken = False

    @property
    def executors(self) -> "list[HighThroughputExecutor]":
        """The executors of the configuration."""
        return list(self._config.executors)

    @property
    def workers(self) -> int:
        """Number of workers that are there."""
        return sum(node.workers for node in self._view.nodes)

    @property
    def capacity(self) -> int:
        """Number of tasks that are wanted now: for each worker, and for the block that may come.

        Parsl starts a further block only where tasks wait for it.
        """
        return max(1, self.workers + sum(map(self._next_block, self.executors)))

    def start(self) -> None:
        """Start Parsl, and with it the first blocks.

        Raises
        ------
        RunError
            If it cannot be started.
        """
        from parsl.dataflow.dflow import DataFlowKernel

        if shutil.which("process_worker_pool.py") is None:
            # not in an activated environment; batch systems hand the path on to the blocks
            scripts = sysconfig.get_path("scripts")
            os.environ["PATH"] = os.pathsep.join([scripts, os.environ.get("PATH", "")])
        before = set(_LOG.handlers)
        try:
            self._kernel = DataFlowKernel(self._config)
        except Exception as error:
            self._cancel()
            raise RunError(f"Parsl cannot be started: {error}") from error
        self._logs = set(_LOG.handlers) - before
        self._patience = Patience(SILENT_S)
        threading.Thread(target=self._watch, name="lammpsfit-parsl", daemon=True).start()

    def close(self) -> None:
        """End all blocks and Parsl itself."""
        self._closing.set()
        if self._kernel is None:
            return
        if self._broken:  # what of Parsl asks the interchange would wait for ever
            self._cancel()
            atexit.unregister(self._kernel.atexit_cleanup)
        else:
            self._kernel.cleanup()
        self._kernel = None
        for handler in self._logs:  # which Parsl leaves open
            handler.close()

    def submit(self, function: Callable[..., Any], order: object) -> "Future[Any]":
        """Hand a task to the executor that has most room for it."""
        assert self._kernel is not None
        best = max(self.executors, key=lambda one: self._room(one) - one.outstanding())
        future: Future[Any] = self._kernel.submit(function, (order,), [best.label], False, None, {})
        return future

    def hold(self, name: str) -> None:
        """Give no more work to a node."""
        for node in self._view.nodes:
            if node.name == name:
                node.executor._hold_manager(name)

    def has_other_nodes(self, name: str) -> bool:
        """Whether a task can avoid a node."""
        return any(node.name != name for node in self._view.nodes)

    def is_loss(self, error: BaseException) -> bool:
        """Whether an error means that the worker of a task is gone."""
        return type(error).__name__ in LOST

    def look(self) -> None:
        """See whether Parsl is well, and tell if there are more workers or fewer.

        Raises
        ------
        RunError
            If it is not, or no worker is there and none can come.
        """
        for executor in self.executors:
            process = executor.interchange_proc
            if process is not None and (code := process.poll()) is not None:
                self._give_up(f"Parsl's interchange ended (exit code {code})")
            if executor.bad_state_is_set:
                self._give_up(f"Parsl gave up: {_line(executor.executor_exception)}")
            self._check_blocks(executor)
            self._end_dead_blocks(executor)
        if self._patience.over:
            self._give_up(f"Parsl's interchange did not answer for {SILENT_S:g} s")
        if self.workers != self._told:
            here = (self.workers, "worker"), (len(self._view.nodes), "node")
            workers, nodes = (f"{count} {what}{'s' * (count != 1)}" for count, what in here)
            self._tell(f"Parsl: {workers} on {nodes}")
            self._told = self.workers

    def _give_up(self, why: str) -> None:
        self._broken = True
        raise RunError(f"{why}: see its logs in {self._config.run_dir}, and resume")

    def _check_blocks(self, executor: "HighThroughputExecutor") -> None:
        """Stop where no worker is there, and blocks fail or no block is to come."""
        if any(node.executor is executor for node in self._view.nodes):
            return
        blocks = sorted(executor.status_facade.items(), key=lambda item: int(item[0]))
        if len(blocks) < 1 or not blocks[-1][1].terminal:
            return
        last = blocks[-FAILED_BLOCKS:]
        fruitless = all(
            status.terminal and number not in self._view.connected_blocks for number, status in last
        )
        if not self._grows():
            self._give_up(
                "no worker of Parsl is left, and its strategy 'none' starts no further block"
            )
        if len(last) == FAILED_BLOCKS and fruitless:
            status = blocks[-1][1]
            said = (status.stderr_summary or status.message or "").strip().splitlines()
            why = f": {said[-1][:200]}" if said else ""
            self._give_up(f"{FAILED_BLOCKS} blocks of Parsl ended before a worker came{why}")

    def _end_dead_blocks(self, executor: "HighThroughputExecutor") -> None:
        """End blocks whose nodes are all lost although they run, so that others can begin."""
        alive = {node.block for node in self._view.nodes}
        for block, status in list(executor.status_facade.items()):
            was_there = block in self._view.connected_blocks and not status.terminal
            if not was_there or block in alive:
                self._lost_blocks.pop(block, None)
                continue
            patience = self._lost_blocks.setdefault(block, Patience(DEAD_BLOCK_S))
            if patience.over:
                executor.provider.cancel([executor.blocks_to_job_id[block]])
                self._lost_blocks[block] = Patience(DEAD_BLOCK_S)

    def _grows(self) -> bool:
        return self._config.strategy not in (None, "none")

    def _next_block(self, executor: "HighThroughputExecutor") -> int:
        """Count the workers of the next block, 0 if there is none to come."""
        provider = executor.provider
        blocks = list(executor.status_facade.values())
        active = sum(not status.terminal for status in blocks)
        if not self._grows() or active >= provider.max_blocks:
            return 0
        return int(executor.workers_per_node * provider.nodes_per_block)

    def _room(self, executor: "HighThroughputExecutor") -> int:
        here = sum(node.workers for node in self._view.nodes if node.executor is executor)
        return here + self._next_block(executor)

    def _watch(self) -> None:
        """Ask who is there, in a thread: an interchange that hangs would not answer."""
        while not self._closing.wait(LOOK_S):
            with suppress(Exception):  # it may be closed just now; silence is noticed elsewhere
                self._view = self._seen()
                self._patience = Patience(SILENT_S)

    def _seen(self) -> _View:
        nodes, blocks = [], set[str]()
        for executor in self.executors:
            blocks.update(executor.connected_blocks())
            nodes += [
                _Node(one["manager"], one["block_id"], one["worker_count"], executor)
                for one in executor.connected_managers()
                if one["active"] and not one["draining"]
            ]
        return _View(tuple(nodes), frozenset(blocks))

    def _cancel(self) -> None:
        """End blocks and interchange without asking either."""
        for executor in self.executors:
            with suppress(Exception):
                executor.provider.cancel(list(executor.job_ids_to_block))
            if executor.interchange_proc is not None:
                executor.interchange_proc.kill()
                executor.interchange_proc.wait()


def _line(error: BaseException | None) -> str:
    return " ".join(str(error).split())[:300]

"""How an evaluation fails: one enumeration, each reason with what usually causes it."""

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why an evaluation gave no sample. The value is what the journal and the tables say."""

    LOST_ATOMS = "lost atoms"
    """Atoms flew out of the box: the potential collapsed, or the timestep is too long."""

    COLLAPSE = "collapse"
    """A pair fell through the Buckingham barrier, below the inner radius of the table."""

    NOT_A_NUMBER = "not a number"
    """Temperature or energy became NaN or infinite. LAMMPS itself does not raise for it."""

    RUNAWAY = "runaway temperature"
    """The thermostat could not hold the temperature: atoms fall into a deep well."""

    STOPPED_EARLY = "stopped early"
    """LAMMPS came back before the step that was asked for."""

    LAMMPS_ERROR = "LAMMPS error"
    """Any other error LAMMPS raised."""

    TIMEOUT = "timeout"
    """The run hung, or was far slower than any sound run of its size."""

    OUT_OF_MEMORY = "out of memory"
    """The run wanted more than its share of the machine's memory."""

    SEGFAULT = "segmentation fault"
    """The child process that runs LAMMPS died of a memory error."""

    KILLED = "killed"
    """The child process was ended by a signal of somebody else."""

    CRASH = "crash"
    """The child process ended without a result for another reason."""

    LOST_WORKER = "lost worker"
    """The process that watched over the child was lost, with its node or at the end of its job."""

    KILLED_JOB = "killed the job"
    """The whole job died twice while this ran, on several ranks without a child to shield it."""


@dataclass(frozen=True)
class Failure:
    """A failed evaluation: a reason to count by, and a detail to read."""

    reason: Reason
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}" if self.detail else str(self.reason)


class SimulationError(Exception):
    """Raised inside the child process where a run fails; carried to the parent as a `Failure`."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}")
        self.failure = Failure(reason, detail)

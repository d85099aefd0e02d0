"""Workers in pieces from Slurm: ``lammpsfit fit job.toml -o run --parsl parsl_slurm.py``.

Start it where it may stay, such as a login node or a small job of its own: it asks and records,
and takes no core. Each block is a job of Slurm, which may begin late, be cancelled or end at its
walltime: what it was at is run again by others.
"""

import sys
from pathlib import Path

from parsl.config import Config
from parsl.executors import HighThroughputExecutor
from parsl.providers import SlurmProvider

ENVIRONMENT = Path(sys.prefix)  # the .venv that lammpsfit runs in, seen by all nodes

config = Config(
    executors=[
        HighThroughputExecutor(
            label="slurm",
            cores_per_worker=1,
            max_workers_per_node=128,
            provider=SlurmProvider(
                partition="standard",
                nodes_per_block=1,
                cores_per_node=128,
                init_blocks=2,
                max_blocks=8,
                walltime="02:00:00",
                worker_init=f"source {ENVIRONMENT}/bin/activate",
            ),
        )
    ],
)

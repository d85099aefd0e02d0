#!/bin/bash
#SBATCH --job-name=lammpsfit
#SBATCH --ntasks=257            # rank 0 hands out the work, 256 workers do it
#SBATCH --cpus-per-task=1
#SBATCH --time=12:00:00
#SBATCH --signal=USR1@120       # two minutes before the end: stop in order
#SBATCH --requeue
#SBATCH --open-mode=append
#
# sbatch slurm.sh job.toml RUN
#
# The same line begins a fit and continues it: what is in the journal is not run again.
# Exit code 75 means: stopped before the end, resume. The job then puts itself back in the queue.

set -u
job=$1 run=$2
bin=${LAMMPSFIT_BIN:-$HOME/lammpsfit/.venv/bin}   # where make install put it, with its mpiexec

if [ -e "$run/journal.jsonl" ]; then
    command=(resume "$run")
else
    command=(fit "$job" -o "$run")
fi

# TMPDIR on a local disk: each evaluation writes its tables there
export TMPDIR=${SLURM_TMPDIR:-/tmp}

"$bin/mpiexec" -n "$SLURM_NTASKS" "$bin/lammpsfit" "${command[@]}" --walltime 11:55:00
code=$?

[ "$code" -eq 75 ] && scontrol requeue "$SLURM_JOB_ID"
exit "$code"

#!/bin/bash
#PBS -N lammpsfit
#PBS -l select=2:ncpus=128:mpiprocs=128
#PBS -l walltime=12:00:00
#PBS -j oe
#
# qsub -v JOB=job.toml,RUN=run pbs.sh
#
# The same line begins a fit and continues it: what is in the journal is not run again.
# Exit code 75 means: stopped before the end, resume. The job then hands itself in again.

set -u
cd "$PBS_O_WORKDIR"
bin=${LAMMPSFIT_BIN:-$HOME/lammpsfit/.venv/bin}   # where make install put it, with its mpiexec

if [ -e "$RUN/journal.jsonl" ]; then
    command=(resume "$RUN")
else
    command=(fit "$JOB" -o "$RUN")
fi

# one rank per core and one more, since rank 0 sleeps while the others work
ranks=$(($(wc -l < "$PBS_NODEFILE") + 1))

"$bin/mpiexec" -f "$PBS_NODEFILE" -n "$ranks" \
    "$bin/lammpsfit" "${command[@]}" --walltime 11:55:00
code=$?

[ "$code" -eq 75 ] && qsub -v JOB="$JOB",RUN="$RUN" pbs.sh
exit "$code"

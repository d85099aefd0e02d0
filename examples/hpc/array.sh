#!/bin/bash
#SBATCH --job-name=lammpsfit
#SBATCH --array=1-8             # eight fits that differ in their seed
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=4       # four evaluations at a time each
#SBATCH --time=12:00:00
#SBATCH --open-mode=append
#
# sbatch array.sh job.toml RUNS
#
# Fits RUNS/1, RUNS/2, ... on one node each, without MPI. The same line continues what is unfinished.

set -u
job=$1 runs=$2 k=$SLURM_ARRAY_TASK_ID
bin=${LAMMPSFIT_BIN:-$HOME/lammpsfit/.venv/bin}   # where make install put it

mkdir -p "$runs"
if [ -e "$runs/$k/journal.jsonl" ]; then
    command=(resume "$runs/$k")
else
    sed "/^seed *=/d; 1i seed = $k" "$job" > "$runs/$k.toml"
    command=(fit "$runs/$k.toml" -o "$runs/$k")
fi
exec "$bin/lammpsfit" "${command[@]}" --walltime 11:55:00

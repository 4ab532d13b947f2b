#!/bin/bash
# One training on several nodes of a Slurm cluster, a worker on each:
#
#   sbatch --nodes 2 slurm.sh PHOTOGRAPHS --out RUN [other options of edgeclf train]
#
# All nodes see the same folders. Submitted again after a failure, it goes on where it was.
#SBATCH --job-name=edgeclf
#SBATCH --ntasks-per-node=1
#SBATCH --requeue
set -euo pipefail

# A port for each worker, so that two jobs on a node are unlikely to meet.
port=$((20000 + SLURM_JOB_ID % 2000 * 10))
workers=()
for host in $(scontrol show hostnames "$SLURM_JOB_NODELIST"); do
    workers+=("\"$host:$((port + ${#workers[@]}))\"")
done
export WORKERS=$(IFS=,; echo "${workers[*]}")

# When one worker ends with an error, the others would wait for it.
srun --kill-on-bad-exit=1 bash -c '
    export TF_CONFIG="{\"cluster\": {\"worker\": [$WORKERS]},
                       \"task\": {\"type\": \"worker\", \"index\": $SLURM_PROCID}}"
    exec edgeclf train "$@" --resume' edgeclf "$@"

#!/usr/bin/env bash
# Train under Slurm: GPUS=8 GPUS_PER_NODE=8 tools/slurm_train.sh PARTITION JOB_NAME CONFIG [options of train.py]
set -euo pipefail
if [ $# -lt 3 ]; then echo "usage: $0 PARTITION JOB_NAME CONFIG [options of train.py]" >&2; exit 2; fi
# shellcheck disable=SC2086  # SRUN_ARGS may contain several arguments
exec srun -p "$1" --job-name="$2" \
    --gres=gpu:"${GPUS_PER_NODE:-4}" --ntasks="${GPUS:-4}" --ntasks-per-node="${GPUS_PER_NODE:-4}" \
    --cpus-per-task="${CPUS_PER_TASK:-5}" --kill-on-bad-exit=1 ${SRUN_ARGS:-} \
    "${PYTHON:-python}" -u "$(dirname "$0")/train.py" "$3" --launcher slurm "${@:4}"

#!/usr/bin/env bash
# Shows each rank one GPU of its node, in turn:  mpirun -n 8 jobs/bind-gpu.sh incipit run my.ini
# Where the scheduler has bound them already, as srun --gpus-per-task=1 does, nothing changes.
rank=${OMPI_COMM_WORLD_LOCAL_RANK:-${MPI_LOCALRANKID:-${PMI_LOCAL_RANK:-${PALS_LOCAL_RANKID:-${FLUX_TASK_LOCAL_ID:-${SLURM_LOCALID:-0}}}}}}
if [ -n "${CUDA_VISIBLE_DEVICES:-}" ]; then
  IFS=, read -r -a devices <<<"$CUDA_VISIBLE_DEVICES"
else
  mapfile -t devices < <(nvidia-smi --query-gpu=index --format=csv,noheader 2>/dev/null)
fi
if [ "${#devices[@]}" -gt 1 ]; then
  export CUDA_VISIBLE_DEVICES=${devices[rank % ${#devices[@]}]}
fi
exec "$@"

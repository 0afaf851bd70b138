#!/usr/bin/env bash
# A job for each model extracts its checkpoints, as nodes come free; a job that waits for all of them does the rest, what
# one of them has left over at its limit included.
#   bash array.flux submit
# flux: --job-name=incipit
# flux: --nslots=8
# flux: --cores-per-slot=4
# flux: --time-limit=8h
# flux: --output=incipit-{{id}}.log

prefix=$HOME/incipit         # where Incipit is installed
deck=my.ini
output=results/my            # on a file system that all nodes see
modules=()                   # such as (gcc openmpi hdf5-parallel)
words=()                     # more for the program, such as (--run.memory=60G)
models=(pythia-70m pythia-410m pythia-2.8b)
launcher=(flux run -n 8 -c 4)                # as many as --nslots and --cores-per-slot above
notice=300                   # seconds before the end at which it has stopped

if [ "${1:-}" = submit ]; then
  waits_for=()
  for model in "${models[@]}"; do
    waits_for+=("--dependency=afterany:$(flux batch "$0" "$model")") || exit
  done
  flux batch "${waits_for[@]}" "$0"
  exit
fi

# shellcheck source-path=SCRIPTDIR source=../common.sh
. "$prefix/share/incipit/jobs/common.sh"
begin flux
if [ -n "${1:-}" ]; then
  run_program extract "--run.only=$1"
  finish
fi
run_program run
go_on

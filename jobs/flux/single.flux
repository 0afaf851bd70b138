#!/usr/bin/env bash
# One job, which stops before its limit and submits itself again until it is done.
#   flux batch single.flux      to end it: touch OUTPUT/STOP, or flux cancel
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
launcher=(flux run -n 8 -c 4)                # as many as --nslots and --cores-per-slot above
notice=300                   # seconds before the end at which it has stopped

# shellcheck source-path=SCRIPTDIR source=../common.sh
. "$prefix/share/incipit/jobs/common.sh"
begin flux
run_program run
go_on

# shellcheck shell=bash disable=SC2154
# What the batch templates share. They source it once their variables are set:
#   prefix     where Incipit is installed: prefix/bin/incipit
#   deck, output, modules, words, launcher
# and then call
#   begin SCHEDULER           modules, and a record of the job beside its results
#   run_program COMMAND ...   the program, told how much time is left; USR1 goes on to it; sets `code`
#   finish                    what the exit code means, and the end of the script
#   go_on                     the same, but a job that was stopped in time (75) is put into the queue again

# Starts without a new result after which a job is not put into the queue again.
patience=3

# begin SCHEDULER: slurm, pbs, lsf or flux.
begin() {
  scheduler=$1
  "name_job_$scheduler"
  load_modules
  record=$output/jobs/$job
  mkdir -p "$record" || exit 74
  cp -- "$0" "$record/script"
  cp -- "$deck" "$record/deck" || exit 64
  describe >"$record/environment"
}

load_modules() {
  [ "${#modules[@]}" -gt 0 ] || return 0
  # A batch shell need not have read the files that define it.
  local file
  for file in /etc/profile.d/lmod.sh /etc/profile.d/modules.sh /etc/profile.d/z00_lmod.sh; do
    # shellcheck disable=SC1090
    type module >/dev/null 2>&1 || [ ! -r "$file" ] || . "$file"
  done
  module load "${modules[@]}" || exit 69
}

# describe: enough to tell one job from another. Only variables of schedulers and libraries, and no secrets among them.
describe() {
  date -u '+started %Y-%m-%dT%H:%M:%SZ'
  printf 'host %s\nfolder %s\nmodules %s\nlauncher %s\nwords %s\n' \
    "$(uname -n)" "$PWD" "${LOADEDMODULES:-${modules[*]}}" "${launcher[*]}" "${words[*]}"
  "$prefix/bin/incipit" --version 2>&1
  env | grep -E '^(SLURM|PBS|LSB|FLUX|OMP|OMPI|PMIX|UCX|MPICH|I_MPI|CUDA|HDF5)_' | grep -v -E -i '^[^=]*(jwt|key|token|secret|password)' | sort
}

# run_program COMMAND [WORDS...]: runs `incipit COMMAND deck` and waits for it. The launcher gets USR1 where this shell
# gets it: mpirun and srun send it on to all ranks, which finish what they are at, write it, and leave with 75. Never
# TERM: Open MPI's mpirun ends its ranks within a second of that.
run_program() {
  local command=$1 signalled child
  shift
  local call=("${launcher[@]}" "$prefix/bin/incipit" "$command" "$deck" "--run.output=$output" "${words[@]}" "$@")
  time_words "$("seconds_left_$scheduler")"
  printf '%s\n' "${call[*]}" | tee -a "$record/environment"
  trap 'signalled=yes; kill -USR1 "$child" 2>/dev/null' USR1
  "${call[@]}" &
  child=$!
  # A trap ends `wait` before the program has ended.
  while :; do
    signalled=no
    wait "$child"
    code=$?
    [ "$signalled" = yes ] || break
  done
  trap '' USR1
  # USR1 came before the program listened to it (128 + 10): nothing was begun.
  [ "$code" -ne 138 ] || code=75
}

# time_words SECONDS: adds run.max_time to `call`, so that the program stops by itself at 97 % of what is left. Where
# the scheduler sends no signal `notice` says how many seconds before the end that has to be at least.
time_words() {
  local left=$1 limit
  [[ $left =~ ^[0-9]+$ ]] || return 0
  limit=$(((left - ${notice:-0}) * 100 / 97))
  [ "$limit" -le "$left" ] || limit=$left
  [ "$limit" -gt 0 ] || limit=1
  call+=("--run.max_time=${limit}s")
}

# seconds [[D-]H:]M:S: as schedulers write times; nothing for other words, such as UNLIMITED.
seconds() {
  [[ $1 =~ ^(([0-9]+)-)?(([0-9]+):)?([0-9]+):([0-9]+)$ ]] || return 0
  echo $((((10#0${BASH_REMATCH[2]} * 24 + 10#0${BASH_REMATCH[4]}) * 60 + 10#0${BASH_REMATCH[5]}) * 60 + 10#0${BASH_REMATCH[6]}))
}

finish() {
  case $code in
    0) echo "done: $output" ;;
    75) echo "stopped in time (exit code 75): submit the same script again and it goes on" ;;
    *) echo "exit code $code: see $output/run.log and the table in jobs/README.md" ;;
  esac
  exit "$code"
}

go_on() {
  [ "$code" -eq 75 ] || finish
  if [ -e "$output/STOP" ]; then
    echo "not put into the queue again: $output/STOP is there"
    finish
  fi
  local starts
  starts=$(count_fruitless)
  if [ "$starts" -ge "$patience" ]; then
    echo "not put into the queue again: $starts starts one after the other have left nothing new in $output"
    finish
  fi
  echo "stopped in time (exit code 75): into the queue again"
  "again_$scheduler" || finish
}

# count_fruitless: how many starts of this chain of jobs, this one the last, have left no new file.
count_fruitless() {
  local count=0 file=$output/jobs/$chain/fruitless
  if [ -z "$(find "$output" -path "$output/jobs" -prune -o -type f -newer "$record/environment" \
    ! -name run.log ! -name deck.ini ! -name '.*' ! -name '*.lock' -print -quit)" ]; then
    [ ! -r "$file" ] || count=$(<"$file")
    count=$((count + 1))
  fi
  echo "$count" | tee "$file"
}

# For each scheduler: `job`, a name for this start; `chain`, one for all starts that go on from one another; the seconds
# that are left (nothing where there is no limit); and into the queue again.

name_job_slurm() {
  chain=$SLURM_JOB_ID
  [ -z "${SLURM_ARRAY_JOB_ID:-}" ] || chain=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID
  job=$chain
  [ "${SLURM_RESTART_COUNT:-0}" -eq 0 ] || job=$chain.$SLURM_RESTART_COUNT
}

seconds_left_slurm() {
  seconds "$(squeue -h -j "$chain" -o %L)"
}

again_slurm() {
  # Slurm ends this script as it puts the job back.
  scontrol requeue "$chain" && sleep 60
}

name_job_pbs() {
  job=$PBS_JOBID
  chain=${INCIPIT_CHAIN:-$job}
}

seconds_left_pbs() {
  local limit used
  limit=$(qstat -f "$PBS_JOBID" | sed -n 's/^ *Resource_List.walltime = //p')
  used=$(qstat -f "$PBS_JOBID" | sed -n 's/^ *resources_used.walltime = //p')
  [ -z "$limit" ] || echo $(($(seconds "$limit") - $(seconds "${used:-0:0}")))
}

again_pbs() {
  cd "$PBS_O_WORKDIR" && qsub -v "INCIPIT_CHAIN=$chain" "$record/script" && exit 0
}

name_job_lsf() {
  chain=$LSB_JOBID
  [ "${LSB_JOBINDEX:-0}" -eq 0 ] || chain=${LSB_JOBID}_$LSB_JOBINDEX
  # LSF gives a job that goes on no number of its own.
  job=$chain
  local starts=0
  while [ -e "$output/jobs/$job" ]; do
    starts=$((starts + 1))
    job=$chain.$starts
  done
}

# What the template says after -W, in `limit`.
seconds_left_lsf() {
  echo $(($(seconds "$limit:00") - SECONDS))
}

again_lsf() {
  # The template says -Q 99, since LSF itself takes jobs that leave with this code back into the queue.
  exit 99
}

name_job_flux() {
  job=${FLUX_ENCLOSING_ID:-$FLUX_JOB_ID}
  chain=${INCIPIT_CHAIN:-$job}
}

seconds_left_flux() {
  local left
  left=$(flux job timeleft)
  echo "${left%.*}"
}

again_flux() {
  INCIPIT_CHAIN=$chain flux --parent batch "$record/script" && exit 0
}

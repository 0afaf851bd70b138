#!/usr/bin/env bash
# Builds Incipit and runs its tests: what CI runs, in under 30 minutes on two cores.
#   tests/run.sh [--all]      --all: the long tests too, kernels for every GPU, every unit test under the sanitizers, and
#                             ten minutes of fuzzing for each parser
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
. jobs/setup.sh

all=no
for word in "$@"; do
  case $word in
    --all) all=yes ;;
    *)
      echo "usage: tests/run.sh [--all]" >&2
      exit 64
      ;;
  esac
done

logs=build/tests
mkdir -p "$logs"
results=()
notes=()
failures=0

# record NAME CODE SECONDS
record() {
  local verdict=passed
  if [ "$2" -ne 0 ]; then
    verdict="FAILED ($logs/$1.log)"
    failures=$((failures + 1))
  fi
  results+=("$(printf '  %-14s %5d s  %s' "$1" "$3" "$verdict")")
}

# step NAME COMMAND...: output goes to a log; its end is shown when the command fails. Later steps run all the same.
step() {
  local name=$1 begin=$SECONDS code=0
  shift
  say "$name"
  "$@" >"$logs/$name.log" 2>&1 || code=$?
  [ "$code" -eq 0 ] || tail -n 60 "$logs/$name.log"
  record "$name" "$code" $((SECONDS - begin))
  return "$code"
}

build() {
  # One GPU's code tells whether a kernel compiles; that of all takes half as much time again.
  local codes=(-DINCIPIT_GPU_CODES=sm_90)
  [ "$all" = no ] || codes=()
  cmake --preset dev -DPython3_EXECUTABLE="$(command -v "$PYTHON")" "${codes[@]}" && cmake --build --preset dev
}

style() {
  find src kernels tests \( -name '*.[hc]pp' -o -name '*.cu' -o -name '*.cuh' -o -name '*.h' \) -print0 | xargs -0 clang-format --dry-run -Werror
}

scripts() {
  command -v shellcheck >/dev/null 2>&1 || { notes+=("no shellcheck: the scripts were not looked at") && return; }
  shellcheck -x -S warning tests/*.sh tests/*/*.sh jobs/*.sh jobs/*/*
}

lint() {
  # Bounded, so that a slow machine stays within the half hour; what was found until then counts. The path-walking
  # analyzer costs eight times all other checks together and is left to --all.
  local code=0 bound=600 checks='-clang-analyzer-*'
  [ "$all" = no ] || { bound=0 checks=; }
  # Each folder as one bundle: two thirds of a bundle's time go to the headers of libraries.
  cmake --preset dev -B build/lint -DINCIPIT_TESTS=OFF -DINCIPIT_CUDA=OFF -DCMAKE_UNITY_BUILD_BATCH_SIZE=0 || return
  timeout "$bound" run-clang-tidy -quiet -p build/lint -j "$cores" -checks="$checks" "$root/(build/lint/)?src/.*\.(cpp|cxx)$" \
    >"$logs/clang-tidy.log" 2>&1 || code=$?
  grep -A 5 'error:' "$logs/clang-tidy.log" || true
  [ "$code" -eq 124 ] || return "$code"
  notes+=("lint stopped after $bound s: not every file was looked at")
}

sanitize() {
  cmake --preset asan -DPython3_EXECUTABLE="$(command -v "$PYTHON")" || return
  # The parsers of corpus/ and deck/ run under the sanitizers as fuzz targets; sae/ is a schedule of device operations.
  local chosen='^(checkpoint|device)_'
  [ "$all" = no ] || chosen='_test$'
  local tests
  mapfile -t tests < <(ctest --preset asan -N -L unit | sed -n 's/^ *Test *#[0-9]*: //p' | grep -E "$chosen")
  [ "${#tests[@]}" -gt 0 ] || { echo "no unit tests found"; return 1; }
  # On the host's device several threads do what one does; these tools do not look for races.
  local filter='-*host_3_threads*:*SameBytesForAnyThreads*'
  [ "$all" = no ] || filter='*'
  cmake --build --preset asan --target "${tests[@]}" || return
  # One test program takes longer than all others together, so each runs in parts: an odd number of them, since every
  # second test is that of a slow device.
  local parts=$((2 * cores + 1))
  seq 0 $((parts - 1)) | GTEST_FILTER=$filter GTEST_TOTAL_SHARDS=$parts xargs -P "$cores" -I PART env GTEST_SHARD_INDEX=PART \
    ctest --preset asan --output-log "$logs/sanitize-PART.log" -R "^($(IFS='|' && echo "${tests[*]}"))$"
}

fuzz() {
  local seconds=5
  [ "$all" = no ] || seconds=600
  tests/fuzz/run.sh "$seconds"
}

kernels() {
  # The build has compiled every kernel, without a GPU: no register of any of them in memory; and
  # kernels/ must configure alone. The bench, whose sources shim_bench compiles for the host, is left to --all.
  "$PYTHON" kernels/check_resources.py build/dev/kernels && cmake -S kernels -B build/kernels -G Ninja -DINCIPIT_TESTS=OFF || return
  [ "$all" = no ] || cmake --build --preset dev --target kernels_bench
}

python_tests() {
  local folders=()
  local folder
  for folder in tests/program analysis/tests; do
    [ ! -d "$folder" ] || folders+=("$folder")
  done
  local marks=()
  [ "$all" = yes ] || marks=(-m "not long and not server")
  # One more than there are cores, since tests wait too: for disks, for clocks, for Slurm.
  INCIPIT_BIN=$root/build/dev/src/incipit INCIPIT_SHIM_BIN=$root/build/dev/tests/shim/incipit-shim "$PYTHON" -m pytest -q -rs -p no:cacheprovider -n $((cores + 1)) --dist loadfile "${marks[@]}" "${folders[@]}"
}

mpich() {
  # The program and the tests of its ground, with the other MPI. Its ranks spin while they wait, and two cores carry two.
  cmake --preset mpich -DPython3_EXECUTABLE="$(command -v "$PYTHON")" &&
    cmake --build --preset mpich --target incipit parallel_mpi_test store_mpi_test failing_rank watched_rank || return
  ctest --preset mpich -j "$cores" -R '^(parallel_mpi_test\.|store_mpi_test\.[12]$|watchdog$|failing_rank$)' || return
  INCIPIT_BIN=$root/build/dev/src/incipit INCIPIT_MPICH_BIN=$root/build/mpich/src/incipit "$PYTHON" -m pytest -q -p no:cacheprovider \
    tests/program/mpich_test.py
}

encoders() {
  # Real weights for the tests of match/, which are skipped without them.
  [ -z "${INCIPIT_ENCODERS:-}" ] || return 0
  local name code
  for name in all-MiniLM-L6-v2 all-mpnet-base-v2; do
    code=0
    timeout 120 jobs/get-encoder.sh "build/encoders/$name" "$name" || code=$?
    case $code in
      0) ;;
      69 | 124) notes+=("$name could not be fetched: the test with its weights was skipped") ;;
      *) return "$code" ;;
    esac
  done
}

unit_tests() {
  local labels=()
  [ "$all" = yes ] || labels=(-LE "long|server")
  ctest --preset dev -j "$cores" "${labels[@]}"
}

ensure_packages "${setup_build_packages[@]}" "${setup_test_packages[@]}"
if ! ensure_python "${setup_report_packages[@]}" "${setup_test_python_packages[@]}" -- \
  "${setup_report_modules[@]}" "${setup_test_modules[@]}"; then
  echo "no Python with ${setup_report_modules[*]} ${setup_test_modules[*]}, and none could be installed" >&2
  exit 69
fi
try_packages "${setup_browser_packages[@]}" || notes+=("no Chromium: the page that raters fill in was not opened")
try_packages "${setup_script_packages[@]}" || true
try_packages "${setup_slurm_packages[@]}" || notes+=("no Slurm: the batch templates were not submitted")
prepare_mpi
export OMP_NUM_THREADS=1

# What fails fastest comes first.
step style style || true
step scripts scripts || true
step build build || exit 1
step encoders encoders || true
step ctest unit_tests || true
step python-tests python_tests || true
step lint lint || true
step fuzz fuzz || true
step sanitize sanitize || true
if command -v nvcc >/dev/null 2>&1; then
  step kernels kernels || true
else
  notes+=("no nvcc: the kernels were compiled for the host only")
fi
if try_packages "${setup_mpich_packages[@]}"; then
  step mpich mpich || true
else
  notes+=("no MPICH: everything was tested with Open MPI alone")
fi

printf '\n%s\n\n' "tests/run.sh took $SECONDS s"
printf '%s\n' "${results[@]}"
[ "${#notes[@]}" -eq 0 ] || printf '  note: %s\n' "${notes[@]}"
printf '\n'
grep '^SKIPPED' "$logs/python-tests.log" || true
tail -n 1 "$logs/python-tests.log"
grep -A 100 'tests passed' "$logs/ctest.log" || tail -n 5 "$logs/ctest.log"
[ "$failures" -eq 0 ]

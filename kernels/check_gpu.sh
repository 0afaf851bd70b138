#!/usr/bin/env bash
# Everything that a machine with an NVIDIA GPU can say about kernels/, in one command: docs/gpu-checklist.md.
#   kernels/check_gpu.sh [STAGE...]    build, tests, sanitizer (or memcheck, racecheck, synccheck), bench, peers, goals;
#                                      without a name all of them, in this order
#
# Needs nvcc, CMake, ninja and Python; GoogleTest installed, or its sources in /usr/src/googletest, build/googletest or
# INCIPIT_GTEST_SOURCE. Results go to build/kernels-gpu/results, and to OUT where that is set. A stage stops after LIMIT
# seconds (570). BENCH holds more words for kernels_bench and peers.py, such as --quick.
# Exit: 0; 1 where something failed; 71 where there is no GPU, after what needs none has run.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
build=build/kernels-gpu
results=$build/results
limit=${LIMIT:-570}
read -r -a bench_words <<<"${BENCH:-}"
mkdir -p "$results"

summary=()
failures=0
missing=no

say() { printf '==> %s\n' "$*"; }

# note STAGE SECONDS VERDICT
note() { summary+=("$(printf '%-12s %5d s  %s' "$1" "$2" "$3")"); }

not_run() {
  say "NOT RUN: $1: $2"
  note "$1" 0 "NOT RUN: $2"
}

# stage NAME COMMAND...: output to the terminal and to a log; 77 means that the command found nothing to do.
stage() {
  local name=$1 begin=$SECONDS code=0
  shift
  say "$name"
  # The stages' functions are this shell's own, so the clock stands beside them and not in front.
  "$@" 2>&1 | tee "$results/$name.log" || code=${PIPESTATUS[0]}
  case $code in
    0) note "$name" $((SECONDS - begin)) passed ;;
    77) note "$name" $((SECONDS - begin)) "NOT RUN: $(grep -m 1 'NOT RUN' "$results/$name.log" || echo 'nothing to do')" ;;
    124 | 137)
      note "$name" $((SECONDS - begin)) "FAILED: stopped after $limit s"
      failures=$((failures + 1))
      ;;
    *)
      note "$name" $((SECONDS - begin)) "FAILED: exit $code, $results/$name.log"
      failures=$((failures + 1))
      ;;
  esac
}

bounded() { timeout --kill-after=10 "$limit" "$@"; }

compute_capability() {
  command -v nvidia-smi >/dev/null 2>&1 || return 0
  nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | head -n 1 | tr -d '. ' || true
}

# What the results were made with.
about() {
  date -u '+%Y-%m-%d %H:%M UTC'
  echo "kernels/check_gpu.sh $*"
  git rev-parse --short HEAD 2>/dev/null || echo "no git here"
  nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>/dev/null || echo "no GPU"
  "$nvcc" --version 2>/dev/null | tail -n 2 || echo "no nvcc"
  cmake --version | head -n 1
  "${CXX:-c++}" --version | head -n 1
  nproc
}

find_googletest() {
  local folder
  for folder in "${INCIPIT_GTEST_SOURCE:-}" build/googletest; do
    if [ -n "$folder" ] && [ -f "$folder/CMakeLists.txt" ]; then
      (cd "$folder" && pwd)
      return
    fi
  done
  echo /usr/src/googletest
}

configure() {
  # Another compiler's warnings are no reason to leave a GPU unused.
  local words=(-DINCIPIT_WERROR=OFF -DINCIPIT_GTEST_SOURCE="$(find_googletest)")
  [ -z "$capability" ] || words+=(-DCMAKE_CUDA_ARCHITECTURES="$capability-real" -DINCIPIT_CUDA=ON)
  cmake -S kernels -B "$build" -G Ninja "${words[@]}"
}

targets() {
  printf '%s\n' shim_test shim_device_test shim_bench
  [ -z "$capability" ] || printf '%s\n' cuda_device_test kernels_bench
}

build_all() {
  local names
  mapfile -t names < <(targets)
  configure && bounded cmake --build "$build" --target "${names[@]}"
}

# Without a GPU those of the shim are left. Where there is one, a test program that sees none has failed.
run_tests() {
  bounded ctest --test-dir "$build" --output-on-failure --no-tests=error -j "$(nproc)" -R '^shim_' || return
  [ -n "$capability" ] || return 0
  local code=0
  bounded "$build/cuda_device_test" || code=$?
  [ "$code" -ne 77 ] || return 1
  return "$code"
}

# Every test of the operations under one tool, in several processes that share the GPU.
sanitize() {
  local tool=$1 shards=4 shard code=0 process processes=()
  for ((shard = 0; shard < shards; ++shard)); do
    GTEST_TOTAL_SHARDS=$shards GTEST_SHARD_INDEX=$shard timeout --kill-after=10 "$limit" \
      "$sanitizer" --tool "$tool" --report-api-errors no --error-exitcode 99 "$build/cuda_device_test" \
      >"$build/$tool.$shard.log" 2>&1 &
    processes+=($!)
  done
  for process in "${processes[@]}"; do
    wait "$process" || code=$?
  done
  for ((shard = 0; shard < shards; ++shard)); do
    grep -E '^=========|FAILED|PASSED|tests ran' "$build/$tool.$shard.log" || true
  done
  return "$code"
}

run_bench() { bounded "$build/bench/kernels_bench" "${bench_words[@]}" --out="$results/bench.csv"; }

run_peers() {
  local words=()
  [ ! -f "$results/bench.csv" ] || words=(--bench "$results/bench.csv")
  PYTHONUNBUFFERED=1 bounded python3 kernels/bench/peers.py "${words[@]}" "${bench_words[@]}" --out "$results/peers.csv"
}

run_goals() {
  if [ ! -f "$results/bench.csv" ]; then
    echo "NOT RUN: no figures of kernels_bench in $results"
    return 77
  fi
  python3 kernels/bench/goals.py "$results/bench.csv" "$results/peers.csv"
}

# gpu_stage NAME COMMAND...: only where there is a GPU.
gpu_stage() {
  if [ -z "$capability" ]; then
    missing=yes
    not_run "$1" "no GPU here"
  else
    stage "$@"
  fi
}

sanitizer_stage() {
  if [ -n "$capability" ] && [ -z "$sanitizer" ]; then
    not_run "$1" "no compute-sanitizer here"
  else
    gpu_stage "$1" sanitize "$1"
  fi
}

run() {
  case $1 in
    build) stage build build_all ;;
    tests)
      stage tests run_tests
      [ -n "$capability" ] || gpu_stage cuda-tests
      ;;
    sanitizer)
      for tool in memcheck racecheck synccheck; do sanitizer_stage "$tool"; done
      ;;
    memcheck | racecheck | synccheck) sanitizer_stage "$1" ;;
    bench) gpu_stage bench run_bench ;;
    peers) gpu_stage peers run_peers ;;
    goals) gpu_stage goals run_goals ;;
  esac
}

stages=("$@")
[ $# -gt 0 ] || stages=(build tests sanitizer bench peers goals)
for name in "${stages[@]}"; do
  case $name in
    build | tests | sanitizer | memcheck | racecheck | synccheck | bench | peers | goals) ;;
    *)
      echo "check_gpu.sh: unknown stage '$name'; known: build tests sanitizer memcheck racecheck synccheck bench peers goals" >&2
      exit 64
      ;;
  esac
done

PATH=$PATH:/usr/local/cuda/bin
nvcc=$(command -v nvcc || true)
sanitizer=$(command -v compute-sanitizer || true)
capability=$(compute_capability)
about "$@" | tee "$results/about.txt"

# Everything else needs what the build makes.
case ${stages[0]} in
  build | peers | goals) ;;
  *) run build ;;
esac
for name in "${stages[@]}"; do
  [ "$failures" -eq 0 ] || [ -x "$build/shim_device_test" ] || break
  run "$name"
done

printf '\n'
printf '%s\n' "${summary[@]}" | tee -a "$results/about.txt"
if [ -n "${OUT:-}" ]; then
  mkdir -p "$OUT"
  # What a machine that is given back may forget: few files, without folders.
  cp "$results"/about.txt "$results"/*.csv "$OUT"/ 2>/dev/null || true
  cat "$results"/*.log >"$OUT/logs.txt" 2>/dev/null || true
fi
[ "$failures" -eq 0 ] || exit 1
if [ "$missing" = yes ]; then
  echo "no GPU here: what needs one was not run" >&2
  exit 71
fi

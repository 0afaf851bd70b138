#!/usr/bin/env bash
# Fuzzes every parser for some seconds, from the corpora that seeds.py writes; what is found lies in build/fuzz/findings.
#   tests/fuzz/run.sh [SECONDS = 10]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
seconds=${1:-10}
cores=$(env -u OMP_NUM_THREADS nproc)

cmake --preset fuzz
cmake --build --preset fuzz --target fuzz
python3 tests/fuzz/seeds.py build/fuzz/corpus
mkdir -p build/fuzz/findings

# one BINARY: 500 MB hold any input of 64 kB; a parse of more than 10 s is a finding too.
one() {
  local name
  name=$(basename "$1" _fuzz)
  ASAN_OPTIONS=allocator_may_return_null=1 "$1" -max_total_time="$seconds" -max_len=65536 -timeout=10 -rss_limit_mb=2000 \
    -print_final_stats=1 -artifact_prefix="build/fuzz/findings/$name-" "build/fuzz/corpus/$name" \
    >"build/fuzz/$name.log" 2>&1 || {
    tail -n 40 "build/fuzz/$name.log"
    echo "$name: a finding, in build/fuzz/findings"
    return 1
  }
  echo "$name: $(sed -n 's/^stat::number_of_executed_units: *//p' "build/fuzz/$name.log") inputs in $seconds s, no finding"
}
export -f one
export seconds
printf '%s\0' build/fuzz/tests/fuzz/*_fuzz | xargs -0 -n 1 -P "$cores" bash -c 'one "$0"'

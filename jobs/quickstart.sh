#!/usr/bin/env bash
# From a checkout to results: installs what is missing, builds, and runs the bundled family.
#   jobs/quickstart.sh [--section.key=value ...]     further deck keys go to the run
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
. jobs/setup.sh

deck=inputs/nano.ini
output=results/nano
for word in "$@"; do
  case $word in
    --run.output=*) output=${word#--run.output=} ;;
  esac
done

ensure_packages "${setup_build_packages[@]}"

say "building (log: build/quickstart.log)"
# shellcheck disable=SC2317
build() {
  cmake --preset release && cmake --build --preset release &&
    cmake --install build/release --prefix build/incipit
}
quietly build/quickstart.log build

prepare_mpi
run=(mpirun -n 2 build/incipit/bin/incipit run "$deck" "$@")
say "${run[*]}"
"${run[@]}"

page=$output/report.html
code=0
if ! ensure_python "${setup_report_packages[@]}" -- "${setup_report_modules[@]}"; then
  page="skipped: no Python with ${setup_report_modules[*]}, and none could be installed"
else
  say "$PYTHON -m analysis report $output/emergence.h5 -o $page"
  "$PYTHON" -m analysis report "$output/emergence.h5" -o "$page" >/dev/null || code=$?
  [ "$code" -eq 0 ] || page="failed with exit code $code (above)"
fi

printf '\nresults  %s\nfigures  %s\nprogram  %s\n' "$output/emergence.h5" "$page" build/incipit/bin/incipit
exit "$code"

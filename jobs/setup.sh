# shellcheck shell=bash disable=SC2034,SC2154
# Shared by jobs/quickstart.sh and tests/run.sh, which source it: brings a machine to where Incipit can be built
# and run. What is missing is installed where apt and rights are there, and listed where not (exit 69).
# INCIPIT_NO_INSTALL=1 takes the machine as it is, for sites whose libraries come from modules or Spack.

setup_build_packages=(
  cmake ninja-build g++ git ca-certificates
  libopenmpi-dev openmpi-bin libhdf5-openmpi-dev
  libboost-program-options-dev libfmt-dev nlohmann-json3-dev
  libopenblas-dev liblapack-dev libicu-dev zlib1g-dev libssl-dev libcurl4-openssl-dev
)
setup_report_packages=(python3-numpy python3-h5py python3-matplotlib python3-xarray python3-h5netcdf)
setup_test_packages=(libgtest-dev clang clang-format clang-tidy libclang-rt-dev libomp-dev hdf5-tools procps)
# The page that `incipit sheet` writes is tested in a browser, where there is one: not every relative of Debian has it.
setup_browser_packages=(chromium chromium-driver)
# A second MPI. Debian's alternatives (mpicc, mpirun, h5pcc) stay with Open MPI, whose priorities are higher.
setup_mpich_packages=(mpich libmpich-dev libhdf5-mpich-dev)
# The batch templates are run by a Slurm that the tests start themselves, with files and ports of its own.
setup_slurm_packages=(slurm-wlm munge)
setup_script_packages=(shellcheck)
setup_test_python_packages=(python3-scipy python3-pytest python3-pytest-xdist)
# As Python imports them, and behind a colon the package's name where it is another.
setup_report_modules=(numpy h5py matplotlib xarray h5netcdf)
setup_test_modules=(scipy pytest xdist:pytest-xdist)

# Cores this process may use; nproc would answer OMP_NUM_THREADS where that is set.
cores=$(env -u OMP_NUM_THREADS -u OMP_THREAD_LIMIT nproc)

say() { printf '==> %s\n' "$*"; }

# can_install: rights to install are there, asking for sudo's password only where a person can type it.
can_install() {
  [ "$(id -u)" -ne 0 ] || return 0
  command -v sudo >/dev/null 2>&1 || return 1
  sudo -n true 2>/dev/null && return 0
  [ -t 0 ] && sudo -v
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  else
    sudo "$@"
  fi
}

missing_packages() {
  local package
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || echo "$package"
  done
}

# apt_install PACKAGE...: installs, showing what apt said only if it failed.
apt_install() {
  local log
  log=$(mktemp)
  if { as_root apt-get -q update &&
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends \
      -o DPkg::Lock::Timeout=300 install "$@"; } >"$log" 2>&1; then
    rm -f "$log"
    return 0
  fi
  tail -n 20 "$log" >&2
  rm -f "$log"
  return 1
}

# ensure_packages PACKAGE...: all of them are there afterwards, or the script has ended with exit 69.
ensure_packages() {
  [ -z "${INCIPIT_NO_INSTALL:-}" ] || return 0
  if ! command -v dpkg-query >/dev/null 2>&1; then
    say "not a Debian machine, so nothing is installed here; INSTALL.md says what the build needs"
    return 0
  fi
  local missing
  mapfile -t missing < <(missing_packages "$@")
  [ "${#missing[@]}" -gt 0 ] || return 0
  if can_install; then
    say "installing ${#missing[@]} packages: ${missing[*]}"
    apt_install "${missing[@]}" && return 0
    echo "apt-get could not install them (above)." >&2
  else
    echo "These packages are missing, and there are no rights to install them:" >&2
    printf '  %s\n' "${missing[@]}" >&2
  fi
  cat >&2 <<MESSAGE

Ask for, or run yourself:
  sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}
Libraries that come from modules or Spack instead: see INSTALL.md, and set INCIPIT_NO_INSTALL=1.
MESSAGE
  exit 69
}

# try_packages PACKAGE...: installs them where that is possible; fails, with nothing ended, where it is not.
try_packages() {
  local missing
  mapfile -t missing < <(missing_packages "$@" 2>/dev/null)
  [ "${#missing[@]}" -gt 0 ] || return 0
  [ -z "${INCIPIT_NO_INSTALL:-}" ] && command -v dpkg-query >/dev/null 2>&1 && can_install || return 1
  say "installing: ${missing[*]}"
  apt_install "${missing[@]}"
}

# python_has PYTHON MODULE...
python_has() {
  local python=$1
  shift
  command -v "$python" >/dev/null 2>&1 || return 1
  "$python" - "${@%%:*}" <<'PYTHON' >/dev/null 2>&1
import importlib
import sys
for name in sys.argv[1:]:
    importlib.import_module(name)
PYTHON
}

# find_python MODULE...: sets PYTHON to the first Python that has all of them, or fails.
find_python() {
  local python
  for python in ${INCIPIT_PYTHON:-} "$root/.venv/bin/python" python3 /usr/bin/python3; do
    if python_has "$python" "$@"; then
      PYTHON=$python
      return 0
    fi
  done
  return 1
}

# ensure_python PACKAGES -- MODULES: sets PYTHON; where none has the modules it tries Debian's packages and then
# a virtual environment in .venv. Fails, with nothing set, where neither can be had.
ensure_python() {
  local packages=()
  while [ "$1" != -- ]; do
    packages+=("$1")
    shift
  done
  shift
  find_python "$@" && return 0
  [ -z "${INCIPIT_NO_INSTALL:-}" ] || return 1
  if command -v dpkg-query >/dev/null 2>&1 && can_install; then
    say "installing for Python: ${packages[*]}"
    apt_install python3 "${packages[@]}" && find_python "$@" && return 0
  fi
  say "making a Python environment in .venv with: $*"
  python3 -m venv "$root/.venv" >/dev/null 2>&1 && "$root/.venv/bin/python" -m pip install -q "${@##*:}" &&
    find_python "$@"
}

# prepare_mpi: lets mpirun start ranks as root (containers) and more ranks than cores (small machines).
prepare_mpi() {
  if [ "$(id -u)" -eq 0 ]; then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
  fi
  # Open MPI binds two ranks to one core each; unbound, they share out all cores among them as threads.
  export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none
  # Ranks that share a core must not spin on it while they wait.
  [ "$cores" -ge 2 ] || export OMPI_MCA_mpi_yield_when_idle=1
}

# quietly LOG COMMAND...: output goes to LOG; if it fails, the end of it is shown and the script ends with its code.
quietly() {
  local log=$1 code=0
  shift
  mkdir -p "$(dirname "$log")"
  "$@" >"$log" 2>&1 || code=$?
  [ "$code" -ne 0 ] || return 0
  tail -n 40 "$log" >&2
  echo "failed with exit code $code: $*" >&2
  echo "all of its output: $log" >&2
  exit "$code"
}

# shellcheck shell=bash
# What the scripts start from: what a machine must have, how it gets it, quiet runs with a log, words for sizes.
#
#     . "$(dirname "$0")/lib/common.sh"

set -euo pipefail

script=$(basename "$0")
top=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
logs=$top/.build/logs
PATH=$PATH:/usr/sbin:/sbin
export PATH LC_ALL=C

# What must be there, as COMMAND:PACKAGE, lib:NAME:PACKAGE for what pkg-config knows, so:NAME:PACKAGE for what the linker
# loads, file:PATH:PACKAGE for anything else; the packages are Debian's.
# shellcheck disable=SC2034 # for the scripts
build_needs=(
  git:git file:/etc/ssl/certs/ca-certificates.crt:ca-certificates c++:g++ pkg-config:pkg-config
  lib:libcrypto:libssl-dev lib:libzstd:libzstd-dev lib:libxxhash:libxxhash-dev
  lib:libdeflate:libdeflate-dev lib:libnbd:libnbd-dev lib:libarchive:libarchive-dev lib:expat:libexpat1-dev
)
# What Swift's own programs load.
swift_needs=(
  so:libcurl.so.4:libcurl4 so:libncurses.so.6:libncurses6 so:libsqlite3.so.0:libsqlite3-0 so:libxml2.so.2:libxml2
)
# shellcheck disable=SC2034 # for the scripts
disk_needs=(
  sgdisk:gdisk mkfs.vfat:dosfstools mcopy:mtools mke2fs:e2fsprogs debugfs:e2fsprogs mkswap:util-linux openssl:openssl
)

fail() {
  echo "$script: $*" >&2
  exit 2
}

hint() {
  echo "$script: hint: $*" >&2
}

misused() {
  echo "$script: $*; $script --help tells the options" >&2
  exit 64
}

# usage: the comment at the head of the script.
usage() {
  sed -n '2,${/^# shellcheck/q;/^[^#]/q;s/^# \{0,1\}//p}' "$0"
}

# has NEED: whether the machine has it.
has() {
  case $1 in
    lib:*)
      local name=${1#lib:}
      command -v pkg-config >/dev/null && pkg-config --exists "${name%%:*}"
      ;;
    so:*)
      local name=${1#so:}
      [[ $(ldconfig -p) == *"${name%%:*} "* ]]
      ;;
    file:*)
      local name=${1#file:}
      [ -e "${name%%:*}" ]
      ;;
    *) command -v "${1%%:*}" >/dev/null ;;
  esac
}

# lacking NEED...: the packages, one a line, that are needed and not there.
lacking() {
  local need
  for need; do has "$need" || echo "${need##*:}"; done | sort -u
}

# can_install: whether packages can be installed here without asking anybody.
can_install() {
  command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || command -v sudo >/dev/null; }
}

# install_packages PACKAGE...: with apt, as root or through sudo; status 1 when it failed.
install_packages() {
  local -a root=() apt=(apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
  [ "$(id -u)" = 0 ] || root=(sudo)
  if [ ${#root[@]} -gt 0 ] && ! sudo -n true 2>/dev/null; then
    [ -t 0 ] || return 1
    sudo -v || return 1
  fi
  {
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive "${apt[@]}" update
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive "${apt[@]}" install -y --no-install-recommends "$@"
  } </dev/null >"$logs/install.log" 2>&1
}

# provide NEED...: installs what is missing; ends the script where that cannot be done.
provide() {
  local -a packages
  mapfile -t packages < <(lacking "$@")
  [ ${#packages[@]} -gt 0 ] || return 0
  echo "installing: ${packages[*]}"
  if ! can_install; then
    echo "$script: these packages are needed and missing: ${packages[*]}" >&2
    if command -v apt-get >/dev/null; then
      hint "this user is not root and there is no sudo; as root: apt-get install ${packages[*]}"
    else
      hint 'they are named as in Debian; install what your system calls them'
    fi
    exit 2
  fi
  if ! install_packages "${packages[@]}"; then
    [ ! -s "$logs/install.log" ] || tail -n 15 "$logs/install.log" >&2
    echo "$script: cannot install: ${packages[*]}" >&2
    hint "try it by hand, as root: apt-get update && apt-get install ${packages[*]}"
    exit 2
  fi
  mapfile -t packages < <(lacking "$@")
  [ ${#packages[@]} -eq 0 ] || fail "still missing after its installation: ${packages[*]}"
}

# require_swift: ends the script without Swift 6.3 or later; installs what Swift itself needs.
require_swift() {
  local version
  if ! command -v swift >/dev/null; then
    echo "$script: swift is not in the PATH" >&2
    hint 'Swift 6.3 for Debian 12: https://www.swift.org/install/linux/'
    exit 2
  fi
  provide "${swift_needs[@]}"
  version=$({ swift --version 2>/dev/null || true; } | sed -n 's/.*Swift version \([0-9]*\.[0-9]*\).*/\1/p' | head -n 1)
  if [ -z "$version" ]; then
    echo "$script: swift does not run: $(swift --version 2>&1 | head -n 1 || true)" >&2
    hint 'the packages that Swift itself needs: https://www.swift.org/install/linux/'
    exit 2
  fi
  case $version in
    [0-5].* | 6.[0-2])
      echo "$script: Swift $version is too old; 6.3 is needed" >&2
      hint 'Swift 6.3 for Debian 12: https://www.swift.org/install/linux/'
      exit 2
      ;;
  esac
}

# quietly NAME COMMAND...: its output goes to a log, whose end is shown when it fails.
quietly() {
  local name=$1 status=0
  shift
  "$@" </dev/null >"$logs/$name.log" 2>&1 || status=$?
  [ $status -ne 0 ] || return 0
  {
    echo "$script: status $status: $*"
    show_errors "$logs/$name.log"
    echo "$script: the whole log: $logs/$name.log"
  } >&2
  return $status
}

# show_errors LOG: the compiler's errors where there are some, else the end.
show_errors() {
  if ! grep -A 4 -m 20 -E '(^|[^a-z])error:' "$1"; then tail -n 40 "$1"; fi | sed 's/^/    /'
}

# release_build: the tools, as they are installed, in .build/release.
release_build() {
  quietly release-build swift build -c release --static-swift-stdlib
}

# human BYTES: as the tools tell sizes.
human() {
  awk -v bytes="$1" 'BEGIN {
    split("B KiB MiB GiB TiB", unit, " ")
    for (n = 1; bytes >= 1024 && n < 5; n++) bytes /= 1024
    form = n == 1 || bytes >= 100 ? "%.0f %s\n" : bytes >= 10 ? "%.1f %s\n" : "%.2f %s\n"
    printf form, bytes, unit[n]
  }'
}

# took SECONDS: 75 as "1 min 15 s".
took() {
  if [ "$1" -ge 60 ]; then echo "$(($1 / 60)) min $(($1 % 60)) s"; else echo "$1 s"; fi
}

mkdir -p "$logs"

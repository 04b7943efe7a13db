# Sourced by what needs a program of Debian's that is no service of this machine: unpacked into target/, not installed.
# shellcheck shell=bash

readonly debian_tools=$PWD/target/debian-tools

# unpack_debian_tools <program:package...>: those that are missing, with the libraries they lack. Not installed: haproxy,
# Prometheus and PgBouncer would be services of this machine, started with it.
unpack_debian_tools() {
  local wanted packages=()
  use_debian_tools
  for wanted in "$@"; do
    command -v "${wanted%:*}" >/dev/null 2>&1 || packages+=("${wanted#*:}")
  done
  if ((${#packages[@]} == 0)); then
    return
  fi
  command -v apt-get >/dev/null 2>&1 ||
    die "the tests need what Debian calls ${packages[*]}: install it with this system's package manager."
  say "Unpacking ${packages[*]}"
  download_with_libraries "${packages[@]}" || {
    if ((EUID == 0)); then
      apt-get -qq -o DPkg::Lock::Timeout=300 update
    fi
    download_with_libraries "${packages[@]}"
  } || die "could not download ${packages[*]}: the first time needs the network (and, as root, apt-get update)."
  for wanted in "$debian_tools"/downloads/*.deb; do
    dpkg-deb --extract "$wanted" "$debian_tools"
  done
  rm -rf "$debian_tools/downloads"
  use_debian_tools
}

# What apt would install for them, but for the pages of Prometheus that nobody looks at here.
download_with_libraries() {
  local missing
  missing=$(apt-get -s install --no-install-recommends "$@" 2>/dev/null |
    sed -nE 's/^Inst ([^ ]+) .*/\1/p' | grep -vE '^(fonts|libjs)-') || return 1
  rm -rf "$debian_tools/downloads"
  mkdir -p "$debian_tools/downloads"
  # shellcheck disable=SC2086
  (cd "$debian_tools/downloads" && apt-get -qq -o APT::Sandbox::User=root download $missing)
}

use_debian_tools() {
  local folder
  PATH=$debian_tools/usr/bin:$debian_tools/usr/sbin:$debian_tools/bin:$PATH:/usr/sbin:/sbin
  for folder in "$debian_tools"/usr/lib/*-linux-gnu{,/systemd} "$debian_tools"/lib/*-linux-gnu; do
    if [[ -d $folder ]]; then
      export LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$folder
    fi
  done
}

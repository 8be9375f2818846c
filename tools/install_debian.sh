#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian packages that adam is built and tested with, where they are missing.
#   tools/install_debian.sh          what `make`, `make run` and `make test` need
#   tools/install_debian.sh --long   and what `make check-long` and `make format` need
set -euo pipefail

packages=(gcc g++ make cmake ninja-build pkg-config python3 python3-pip ca-certificates
  libpcre2-dev libutf8proc-dev libssl-dev libcurl4-openssl-dev libsqlite3-dev libinih-dev libjansson-dev libedit-dev libcmocka-dev)
if [ "${1:-}" = --long ]; then
  packages+=(clang llvm clang-format valgrind qemu-user shellcheck zsh fish python3-venv)
fi

if ! command -v dpkg-query >/dev/null; then
  echo "install_debian.sh: this is no Debian: these packages, or what they are called here, are needed:" >&2
  echo "  ${packages[*]}" >&2
  exit 0 # they may be there: cmake says what is missing
fi

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "install_debian.sh: as root, run: apt-get install ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi
echo "Installing Debian packages${as_root[0]:+ with sudo}: ${missing[*]}" >&2
"${as_root[@]}" apt-get update -q
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" </dev/null

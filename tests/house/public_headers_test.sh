#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Each public header compiles alone, and twice in one file, as C11, C17 and C++11.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
n=0
try() { # COMPILER STANDARD LANGUAGE
  command -v "$1" >/dev/null || { echo "no $1 here: not tried"; return; }
  for header in include/adam/*.h; do
    name=adam/${header##*/}
    printf '#include <%s>\n#include <%s>\n' "$name" "$name" > "$work/alone.c"
    "$1" "-std=$2" -x "$3" -Wall -Wextra -Wpedantic -Werror -Iinclude -fsyntax-only "$work/alone.c" ||
      { echo "FAIL: $name alone with $1 -std=$2"; exit 1; }
    n=$((n + 1))
  done
}
try gcc c11 c
try gcc c17 c
try g++ c++11 c++
try clang c11 c
try clang++ c++11 c++
[ "$n" -gt 0 ] || { echo "SKIP: no compiler here"; exit 77; }
echo "public headers: $n compilations"

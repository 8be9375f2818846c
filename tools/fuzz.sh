#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs every fuzz target for FUZZ_SECONDS (60), several at a time. New inputs stay in build/fuzz/corpus, what
# breaks a target in build/fuzz/broken. Arguments: targets (all).
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${FUZZ_SECONDS:-60}
jobs=$(nproc)

cmake --preset fuzz
cmake --build build/fuzz

fuzz_one() {
  local target=$1 seconds=$2 name corpus
  name=$(basename "$target")
  corpus=build/fuzz/corpus/$name
  mkdir -p "$corpus" build/fuzz/broken
  local seeds=()
  [ -d "tests/fuzz/corpus/$name" ] && seeds=("tests/fuzz/corpus/$name")
  if "$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="build/fuzz/broken/$name-" "$corpus" "${seeds[@]}" >"build/fuzz/$name.log" 2>&1; then
    echo "clean   $name: $(grep -o 'number_of_executed_units: .*' "build/fuzz/$name.log" | tr -s ' ')"
  else
    echo "BROKEN  $name: see build/fuzz/$name.log"
    return 1
  fi
}
export -f fuzz_one

targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(find build/fuzz/fuzz -type f -name 'fuzz_*' -perm -u+x | sort)
# shellcheck disable=SC2016 # expanded by the inner shell
printf '%s\n' "${targets[@]}" | xargs -P "$jobs" -I{} bash -c 'fuzz_one "$1" "$2"' _ {} "$seconds"

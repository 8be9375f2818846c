#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The checks that take long: clang, thread sanitizer, valgrind, older processors, fuzzing.
# FUZZ_SECONDS: time for each fuzz target (600).
set -euo pipefail
cd "$(dirname "$0")/.."
jobs=$(nproc)
export TSAN_OPTIONS="suppressions=$PWD/tests/tsan.supp"

step() { printf '\n== %s\n' "$*"; }

for preset in clang tsan; do
  step "$preset: build and tests"
  cmake --preset "$preset"
  cmake --build "build/$preset"
  ctest --test-dir "build/$preset" --output-on-failure -j "$jobs"
done

step "valgrind: unit tests and one answer"
cmake --preset release
cmake --build build
memcheck=(valgrind --quiet --error-exitcode=9 --leak-check=full)
# Valgrind knows no AVX-512. Tests of 10,000 cases are too slow under it: five minutes each, then on.
export ADAM_CPU=avx2
for test in build/tests/src-*_test; do
  code=0
  timeout 300 "${memcheck[@]}" "$test" </dev/null >/dev/null || code=$?
  case $code in
    0 | 77) echo "clean    $test" ;;
    124) echo "too slow $test" ;;
    *) echo "FAILED   $test" && exit 1 ;;
  esac
done
"${memcheck[@]}" build/adam run demo --temperature 0 --max-tokens 16 "Hello" >/dev/null
unset ADAM_CPU

step "older processors: the same greedy answer on each"
expected=$(build/adam run demo --temperature 0 --max-tokens 24 "How do I list my models?" 2>/dev/null)
for processor in Haswell Nehalem; do
  answer=$(qemu-x86_64 -cpu "$processor" build/adam run demo --temperature 0 --max-tokens 24 "How do I list my models?" 2>/dev/null)
  [ "$answer" = "$expected" ] || { echo "$processor answers otherwise: $answer"; exit 1; }
  echo "$processor: same"
done

FUZZ_SECONDS=${FUZZ_SECONDS:-600} tools/fuzz.sh

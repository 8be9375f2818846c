#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Compiles the examples as a user would, with the public headers and the library of the build folder
# alone, and runs them. Argument: the build folder.
set -euo pipefail
build=$(cd "$1" && pwd)
source=$(pwd)
if [ ! -e "$build/libadam.a" ]; then echo "SKIP: $build/libadam.a is not there"; exit 77; fi
out=$(mktemp -d)
trap 'rm -r "$out"' EXIT
# The compiler and the sanitizers that the library was built with.
cc=$(sed -n 's/^CMAKE_C_COMPILER:[A-Z]*=//p' "$build/CMakeCache.txt")
sanitize=$(sed -n 's/^ADAM_SANITIZE:[A-Z]*=//p' "$build/CMakeCache.txt")
coverage=$(sed -n 's/^ADAM_COVERAGE:[A-Z]*=//p' "$build/CMakeCache.txt")
flags=(-std=c11 -Wall -Wextra -Werror -I "$source/include")
if [ -n "$sanitize" ]; then flags+=("-fsanitize=${sanitize//;/,}"); fi
if [ "$coverage" = ON ]; then flags+=(--coverage); fi
read -ra packages < <(sed -n 's/^Requires.private: //p' "$source/cmake/adam.pc.in")
read -ra libraries < <(pkg-config --libs "${packages[@]}")
for example in hello own_backend logits_hook; do
  "$cc" "${flags[@]}" "$source/examples/$example.c" "$build/libadam.a" "${libraries[@]}" -lcurl -lpthread -lm -ldl -o "$out/$example"
done

expect() { # WHAT WANTED GOT
  if [ "$2" != "$3" ]; then echo "$1: expected '$2', got '$3'"; exit 1; fi
}
expect own_backend "GOOD DAY" "$("$out/own_backend" 'good day')"
expect hello "Good day." "$("$out/hello" 'mock:Good day.' 2>"$out/stats")"
grep -q '^[0-9]* tokens in, 10 out' "$out/stats" || { echo "hello: statistics: $(cat "$out/stats")"; exit 1; }
status=0
"$out/hello" "mock:open_error=not_found" >/dev/null 2>"$out/error" || status=$?
expect "hello's exit code" 3 "$status"
grep -q '^hello: mock: ' "$out/error" || { echo "hello: error line: $(cat "$out/error")"; exit 1; }
# "demo" is looked for beside the program or where ADAM_SHARE_DIR says.
if [ -e "$source/models/demo/config.json" ]; then
  answer=$(ADAM_SHARE_DIR="$source" "$out/hello" 2>/dev/null)
  if [ -z "$answer" ]; then echo "hello: the demo model said nothing"; exit 1; fi
  answer=$(ADAM_SHARE_DIR="$source" "$out/logits_hook" "Hello" 2>/dev/null)
  case $answer in *[eE]*) echo "logits_hook: the answer has a letter e: $answer"; exit 1 ;; "") echo "logits_hook: no answer"; exit 1 ;; esac
else
  echo "without the demo model: models/demo is not there"
fi
echo "examples: compiled and ran"

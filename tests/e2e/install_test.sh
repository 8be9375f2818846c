#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs into an empty folder, then builds and runs a program over the installed library: by pkg-config
# (shared and static) and by find_package(adam). Documents land where shells and man look.
set -euo pipefail
source_folder=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "$1" && pwd)

if grep -q '^ADAM_SANITIZE:[A-Z]*=.' "$build/CMakeCache.txt" || grep -q '^ADAM_COVERAGE:BOOL=ON' "$build/CMakeCache.txt"; then
  echo "SKIP: an instrumented library is not for installing"
  exit 77
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/usr
cmake --install "$build" --prefix "$prefix" >"$work/install.log"
libdir=$(dirname "$(find "$prefix" -name libadam.a)")

for file in bin/adam include/adam/adam.h share/man/man1/adam.1 share/bash-completion/completions/adam \
  share/zsh/site-functions/_adam share/fish/vendor_completions.d/adam.fish; do
  [ -f "$prefix/$file" ] || { echo "not installed: $file" >&2; exit 1; }
done
"$prefix/bin/adam" run mock:say=installed x | grep -x installed >/dev/null
if [ -d "$source_folder/models/demo" ]; then
  "$prefix/bin/adam" show demo | grep "$prefix/share/adam/models/demo" >/dev/null || { echo "the installed demo is not found" >&2; exit 1; }
fi

cat >"$work/hello.c" <<'C'
#include <adam/adam.h>
#include <stdio.h>
#include <string.h>
int main(void) {
  adam_manager_options options = {.struct_size = sizeof options, .model = "mock:echo"};
  adam_request request = {.struct_size = sizeof request, .prompt = "hello", .prompt_bytes = 5};
  adam_manager *manager = NULL;
  adam_error error = {0};
  adam_result result = {0};
  if (adam_manager_open(&options, &manager, &error) != ADAM_OK) return 1;
  adam_status status = adam_manager_generate(manager, &request, NULL, NULL, &result, &error);
  int right = status == ADAM_OK && strcmp(result.text, "hello") == 0;
  printf("%s %s\n", adam_version(), result.text);
  adam_result_close(&result);
  adam_manager_close(&manager);
  return right ? 0 : 1;
}
C

export PKG_CONFIG_PATH=$libdir/pkgconfig
compiler=${CC:-cc}
read -ra flags < <(pkg-config --cflags adam)
read -ra libraries < <(pkg-config --libs adam)
"$compiler" -std=c11 -Wall -Wextra -Werror -o "$work/shared" "$work/hello.c" "${flags[@]}" "${libraries[@]}"
LD_LIBRARY_PATH=$libdir "$work/shared"
if command -v ldd >/dev/null; then LD_LIBRARY_PATH=$libdir ldd "$work/shared" | grep "libadam.so.0 => $libdir" >/dev/null; fi

read -ra libraries < <(pkg-config --static --libs adam)
libraries=("${libraries[@]/#-ladam/$libdir/libadam.a}")
"$compiler" -std=c11 -o "$work/static" "$work/hello.c" "${flags[@]}" "${libraries[@]}"
"$work/static"
if command -v ldd >/dev/null && ldd "$work/static" | grep libadam >/dev/null; then
  echo "the static program needs libadam.so" >&2
  exit 1
fi

mkdir "$work/project"
cp "$work/hello.c" "$work/project"
cat >"$work/project/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.25)
project(hello LANGUAGES C)
find_package(adam REQUIRED)
add_executable(hello hello.c)
target_link_libraries(hello PRIVATE adam::adam)
add_executable(hello_static hello.c)
target_link_libraries(hello_static PRIVATE adam::static)
CMAKE
cmake -S "$work/project" -B "$work/project/build" -G Ninja -DCMAKE_PREFIX_PATH="$prefix" >"$work/configure.log" 2>&1 ||
  { cat "$work/configure.log" >&2; exit 1; }
cmake --build "$work/project/build" >"$work/build.log" 2>&1 || { cat "$work/build.log" >&2; exit 1; }
"$work/project/build/hello"
"$work/project/build/hello_static"

echo "installed: command, documents, pkg-config (shared, static), find_package (shared, static)"

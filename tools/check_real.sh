#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Compares adam with the reference implementations: every script test of the build folder, with the
# references' Python first in PATH. A test that skips for want of a reference is a failure here.
#   tools/check_real.sh BUILD_FOLDER [REFERENCES_FOLDER]
set -euo pipefail
build=$1
references=$(realpath "${2:-build/refs}")
log=$build/check-real.log

export PATH="$references/bin:$PATH" ADAM_REQUIRE_REFERENCES=1
tools/get_smollm2.sh
ctest --test-dir "$build" --output-on-failure -R '_test\.(py|sh)$'

# Data that lies outside the repository may be missing, a reference may not.
log=$build/Testing/Temporary/LastTest.log
skipped=$(grep '^SKIP: ' "$log" | grep -v '^SKIP: no templates in' || true)
if [ -n "$skipped" ]; then
  echo "check_real.sh: skipped for want of something that should be here:" >&2
  echo "$skipped" >&2
  exit 1
fi

# A real model: the best next token over prose that no model has read.
gguf=$("$build/adam" show smollm2 --json | python -c 'import json, sys; print(json.load(sys.stdin)["path"])')
python tests/golden/agree_llama_cpp.py "$build/adam" "$gguf" docs/HOUSE.md 300
echo "check-real: all comparisons hold"

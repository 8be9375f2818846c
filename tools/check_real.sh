#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Compares adam with the reference implementations: every script test of the build folder, with the
# references' Python and Go first in PATH and a real Ollama. A test that skips for want of a reference is a
# failure here. ADAM_OLLAMA names another server's program than REFERENCES_FOLDER/ollama.
#   tools/check_real.sh BUILD_FOLDER [REFERENCES_FOLDER]
set -euo pipefail
build=$1
references=$(realpath "${2:-build/refs}")
log=$build/check-real.log

export PATH="$references/bin:$PATH" ADAM_REQUIRE_REFERENCES=1
export ADAM_OLLAMA="${ADAM_OLLAMA:-$references/ollama}"
for program in "$ADAM_OLLAMA" go; do
  command -v "$program" >/dev/null || { echo "check_real.sh: no $program: tools/setup_ollama.sh" >&2; exit 1; }
done
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

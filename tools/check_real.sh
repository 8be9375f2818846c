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
ctest --test-dir "$build" --output-on-failure -R '_test\.(py|sh)$' --output-log "$log"
skipped=$(grep -E '\*\*\*Skipped' "$log" || true)
if [ -n "$skipped" ]; then
  echo "check_real.sh: nothing may be skipped here:" >&2
  echo "$skipped" >&2
  exit 1
fi

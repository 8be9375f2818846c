#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Shell scripts are clean by shellcheck; the options in them are the parser's own.
set -euo pipefail
cd "$(dirname "$0")/../.."
command -v shellcheck >/dev/null || { echo "SKIP: no shellcheck here"; exit 77; }
find .ci tools bench tests -type f \( -name '*.sh' -o -path '.ci/run' \) -print0 | xargs -0 shellcheck
echo "scripts: clean"

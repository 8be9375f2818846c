#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Speed of the build in build/: SmolLM2 where it is on this machine, else the demo model. Arguments go to
# `adam bench`, such as -p 512 -n 128 -r 5 -t 2 --json.
set -euo pipefail
cd "$(dirname "$0")/.."
model=smollm2
build/adam show "$model" >/dev/null 2>&1 || model=demo
build/adam bench -m "$model" "$@"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The committed documents are those that the option table makes, and shells and man can read them.
set -euo pipefail
cd "$(dirname "$0")/../.."
adam=$1/adam

same() {
  if ! diff -u "$2" <("$adam" --dump-docs "$1"); then
    echo "$2 is not what the option table says: run 'make docs'" >&2
    exit 1
  fi
}
same man docs/man/adam.1
same markdown docs/commands.md
same presets docs/presets.md
same bash docs/completions/adam.bash
same zsh docs/completions/_adam
same fish docs/completions/adam.fish

bash -n docs/completions/adam.bash
if command -v zsh >/dev/null; then zsh -n docs/completions/_adam; else echo "no zsh: its completion was not read"; fi
if command -v fish >/dev/null; then fish --no-execute docs/completions/adam.fish; else echo "no fish: its completion was not read"; fi
if command -v groff >/dev/null; then
  warnings=$(groff -man -Tutf8 -ww docs/man/adam.1 2>&1 >/dev/null)
  [ -z "$warnings" ] || { echo "$warnings" >&2; exit 1; }
else
  echo "no groff: the man page was not read"
fi

# What bash offers: completes as a person would see it.
offers() { # WORDS... : the last one is being typed
  bash -c '
    source docs/completions/adam.bash
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    _adam
    printf "%s\n" "${COMPREPLY[@]}"' _ "$@" 2>/dev/null
}
expect() { # EXPECTED WORDS...
  local expected=$1 got
  shift
  got=$(offers "$@" | tr '\n' ' ')
  [ "$got" = "$expected " ] || { echo "completion of '$*': '$got', expected '$expected'" >&2; exit 1; }
}
expect "tokenize template" adam t
expect "cpu cuda" adam run --device c
expect "--repetition-penalty" adam run --rep
expect "--no-special" adam tokenize --no-
expect "tokenize template" adam help t
expect "qwen3_moe_small qwen3_moe_large" adam run qwen3_moe
expect "smollm2" adam tokenize -m smol
echo "documents: same, readable"

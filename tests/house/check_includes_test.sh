#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The sources keep to the floor table of docs/HOUSE.md; and the checker finds each kind of offence.
set -euo pipefail
cd "$(dirname "$0")/../.."
python3 tools/check_includes.py

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A small house that is in order.
build() {
  rm -rf "$work/house"
  mkdir -p "$work/house"/{docs,include/adam,src/base,src/os,src/kernels,src/engine/deep,cli,tests/golden}
  cd "$work/house"
  cat > docs/HOUSE.md <<'TABLE'
| floor | folder | one-line purpose | may include |
|---|---|---|---|
| 0 | include/adam | the promise | - |
| 1 | src/base | words | - |
| 2 | src/os | the machine | base |
| 3 | src/kernels | loops | base |
| 4 | src/engine | all | base os |
| 11 | cli | the door | - |
TABLE
  echo '#include <stddef.h>' > include/adam/adam.h
  echo '#include <adam/adam.h>' > src/base/buf.h
  printf '#include "base/buf.h"\n#include <string.h>\n' > src/base/buf.c
  echo '#include <cpuid.h>' > src/os/cpu.c
  echo '#include <immintrin.h>' > src/kernels/dot.c
  printf '#include "os/file.h"\n#include "base/buf.h"\n' > src/engine/deep/engine.c
  echo '#include "base/buf.h"' > src/os/file.h
  printf '#include "base/buf.h"\n#include "golden/lines.h"\n' > src/base/buf_test.c
  touch tests/golden/lines.h
  printf '#include "help.h"\n#include <adam/adam.h>\n' > cli/main.c
  touch cli/help.h
  cd - >/dev/null
}

clean() {
  python3 tools/check_includes.py "$work/house" || { echo "FAIL: $1 is refused"; exit 1; }
}

# offence FILE LINE-OF-OFFENCE TEXT-APPENDED WORDS
offence() {
  build
  printf '%b\n' "$3" >> "$work/house/$1"
  local output
  if output=$(python3 tools/check_includes.py "$work/house"); then
    echo "FAIL: $3 in $1 is accepted"
    exit 1
  fi
  if ! grep -qF "$1:$2: " <<<"$output" || ! grep -qF "$4" <<<"$output"; then
    printf 'FAIL: %s in %s gives\n%s\n' "$3" "$1" "$output"
    exit 1
  fi
}

build
clean "a house in order"
offence src/base/buf.c 3 '#include "os/file.h"' 'src/base may not include os'              # upwards
offence src/os/file.h 2 '#include "kernels/dot.h"' 'src/os may not include kernels'        # upwards
offence src/kernels/dot.c 2 '#  include "os/file.h"' 'src/kernels may not include os'      # lower, but not in the row
offence src/engine/deep/engine.c 3 '#include "../../os/file.h"' 'leaves the room'          # round the back
offence src/engine/deep/engine.c 3 '#include "/etc/file.h"' 'leaves the room'
offence src/engine/deep/engine.c 3 '#include "engine/none.h"' 'does not exist'
offence src/engine/deep/engine.c 3 '#include "common.h"' 'in no room'
offence src/engine/deep/engine.c 3 '#include "golden/lines.h"' 'in no room'                # for unit tests only
offence src/engine/deep/engine.c 3 '#include <os/file.h>' 'with quotes'
offence src/engine/deep/engine.c 3 '#include <immintrin.h>' 'instruction set'
offence src/os/file.h 2 '#include <cpuid.h>' 'instruction set'
offence src/engine/deep/engine.c 3 '#include HEADER' 'cannot be read'
offence src/base/buf.c 4 '/* hidden\n*/ #include "os/file.h"' 'may not include os'         # behind a comment
offence include/adam/adam.h 2 '#include "base/buf.h"' 'include/adam may not include base'
offence cli/main.c 3 '#include "base/buf.h"' 'cli may not include base'
offence docs/HOUSE.md 1 '| 2 | src/net | wires | base os |' 'names os (floor 2)'           # its own floor
offence docs/HOUSE.md 1 '| 5 | src/model | sums | nothing |' 'which has no row'

build
sed -i '1i #include <stdio.h>' "$work/house/src/base/buf.c"
if python3 tools/check_includes.py "$work/house" > "$work/out"; then echo "FAIL: foo.h second is accepted"; exit 1; fi
grep -qF 'src/base/buf.c:1: buf.c does not include buf.h first' "$work/out"
build
mkdir "$work/house/src/attic" && touch "$work/house/src/attic/old.c"
if python3 tools/check_includes.py "$work/house" > "$work/out"; then echo "FAIL: a room without a row is accepted"; exit 1; fi
grep -qF 'src/attic:1: this room has no row' "$work/out"
build
echo '/* #include "os/file.h" */ // #include "os/file.h"' >> "$work/house/src/base/buf.c"
clean "an include in a comment"
echo "includes: every offence is found"

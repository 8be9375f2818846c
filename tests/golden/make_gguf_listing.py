# SPDX-License-Identifier: Apache-2.0
"""Writes gguf_listing.json: what gguf's own reader finds in the GGUF files of models/.

    python tests/golden/make_gguf_listing.py        (needs: numpy, gguf)
"""
import glob
import hashlib
import json
import os

import gguf


def value(field):
    """Scalars and arrays of numbers as JSON; arrays of strings as their number and a digest."""
    found = field.contents()
    if isinstance(found, list) and found and isinstance(found[0], str):
        joined = "\n".join(found).encode()
        return {"strings": len(found), "sha256": hashlib.sha256(joined).hexdigest()}
    return found


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    out = {}
    for path in sorted(glob.glob(os.path.join(here, "models", "*", "*.gguf"))):
        reader = gguf.GGUFReader(path)
        out[os.path.relpath(path, here)] = {
            "metadata": {k: value(f) for k, f in reader.fields.items() if not k.startswith("GGUF.")},
            "tensors": [{"name": t.name, "shape": [int(n) for n in reversed(t.shape)], "type": int(t.tensor_type),
                         "sha256": hashlib.sha256(t.data.tobytes()).hexdigest()} for t in reader.tensors],
        }
    with open(os.path.join(here, "gguf_listing.json"), "w") as f:
        f.write("{\n" + ",\n".join(json.dumps(k) + ": " + json.dumps(v) for k, v in out.items()) + "\n}\n")
    print(len(out), "files")


if __name__ == "__main__":
    main()

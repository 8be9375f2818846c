# SPDX-License-Identifier: Apache-2.0
"""Writes the first inputs of fuzz_prequant into corpus/: a quantization_config, a NUL, one small quantised matrix.

    python tests/fuzz/make_prequant_corpus.py        (needs: torch, bitsandbytes, compressed-tensors, safetensors)
"""
import json
import os
import sys

import numpy as np
import torch
from safetensors.torch import save

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "golden"))
import tiny_prequant  # noqa: E402

CASES = {
    "nf4": ("bnb4", {}, (8, 64)), "nf4_crossing": ("bnb4", {"double": True}, (6, 33)), "nf4_units": ("bnb4", {}, (4, 96)),
    "int8": ("bnb8", {}, (4, 24)), "gptq2": ("gptq", {"bits": 2, "group": 16}, (32, 32)),
    "gptq3_order": ("gptq", {"bits": 3, "order": True, "sym": False}, (32, 64)), "gptq4": ("gptq", {"group": -1}, (8, 32)),
    "gptq8": ("gptq", {"bits": 8, "sym": False}, (8, 32)), "awq": ("awq", {}, (16, 32)),
    "ct_int4": ("ct-packed", {"order": True, "sym": False}, (8, 64)), "ct_int3": ("ct-packed", {"bits": 3}, (4, 40)),
    "ct_int8_packed": ("ct-packed", {"bits": 8, "sym": False}, (4, 36)), "ct_int8": ("ct-int8", {"sym": False}, (4, 20)),
    "ct_fp8": ("fp8", {"strategy": "channel"}, (4, 20)), "nvfp4": ("nvfp4", {}, (4, 48)),
    "fp8_block": ("fp8", {"block": (4, 16), "suffix": ".weight_scale_inv"}, (6, 40)),
    "mxfp4": ("mxfp4", {"kind": "mxfp4-blocks"}, (4, 64)), "ct_mxfp4": ("mxfp4", {"kind": "mxfp4"}, (4, 64)),
}


def main():
    folder = os.path.join(HERE, "corpus", "fuzz_prequant")
    os.makedirs(folder, exist_ok=True)
    rng = np.random.default_rng(4)
    for name, (scheme, arguments, shape) in CASES.items():
        weights = {"l.weight": torch.from_numpy(rng.normal(0, 1, shape).astype(np.float32)), "b": torch.ones(2)}
        saved, _ = tiny_prequant.quantise(weights, {"scheme": scheme, **arguments}, rng)
        config = tiny_prequant.SCHEMES[scheme][1](**arguments)
        with open(os.path.join(folder, name), "wb") as f:
            f.write(json.dumps(config).encode() + b"\0" + save(saved))


if __name__ == "__main__":
    main()

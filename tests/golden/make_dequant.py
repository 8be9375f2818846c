# SPDX-License-Identifier: Apache-2.0
"""Writes dequant/TYPE.raw (blocks) and dequant/TYPE.f32 (their values by gguf.quants.dequantize).

    python tests/golden/make_dequant.py        (needs: numpy, gguf)
"""
import os

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType as T
from gguf.quants import dequantize

import random_blocks

N = 1536  # elements of each type: a multiple of every block size


def main():
    out = os.path.join(os.path.dirname(os.path.abspath(__file__)), "dequant")
    os.makedirs(out, exist_ok=True)
    rng = np.random.default_rng(20261123)
    bits = np.arange(1 << 16, dtype=np.uint16)
    for qtype, exponent in ((T.F16, 0x7C00), (T.BF16, 0x7F80)):
        finite = bits[(bits & exponent) != exponent]
        chosen = rng.choice(finite, N - 16).astype(np.uint16)
        # zeros, smallest and largest denormals and normals, infinities
        edge = [0x0000, 0x8000, 0x0001, 0x8001, exponent - 1, exponent | 0x8000, exponent, 0x03FF,
                0x0400, 0x007F, 0x0080, 0x3C00, 0x3F80, 0xBC00, 0xBF80, 0x7BFF]
        raw = np.concatenate([np.array(edge, np.uint16), chosen])
        write(out, qtype, raw.view(np.uint8))
    for qtype in random_blocks.SCALES:
        elements, n_bytes = GGML_QUANT_SIZES[qtype]
        sane = random_blocks.rows(rng, 1, N // 2 if elements < 256 else 2 * 256, qtype, 0.3).reshape(-1, n_bytes)
        wild = rng.integers(0, 256, (N // elements - len(sane), n_bytes), np.uint8)
        random_blocks.hostile_scales(rng, wild, qtype)
        write(out, qtype, np.concatenate([sane, wild]).reshape(-1))


def write(out, qtype, raw):
    with np.errstate(all="ignore"):
        if qtype == T.F16:
            values = raw.view(np.float16).astype(np.float32)
        else:
            values = dequantize(raw.reshape(1, -1), qtype).reshape(-1)
    assert len(values) == N and values.dtype == np.float32
    raw.tofile(os.path.join(out, f"{qtype.name.lower()}.raw"))
    values.tofile(os.path.join(out, f"{qtype.name.lower()}.f32"))
    print(f"{qtype.name}: {len(raw)} bytes, values {np.nanmin(values):.4g} .. {np.nanmax(values):.4g}")


if __name__ == "__main__":
    main()

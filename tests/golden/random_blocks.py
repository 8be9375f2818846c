# SPDX-License-Identifier: Apache-2.0
"""Random blocks of ggml's quantised types: every bit random, the float scales finite and chosen.

Where the scales lie in a block is from ggml's block structs (ggml-common.h)."""
import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType as T

# type -> byte offsets of the f16 scale d (None: it has none), and of the f16 minimum (dmin or m) or None
SCALES = {
    T.Q8_0: (0, None), T.Q4_0: (0, None), T.Q4_1: (0, 2), T.Q5_0: (0, None), T.Q5_1: (0, 2),
    T.Q2_K: (80, 82), T.Q3_K: (108, None), T.Q4_K: (0, 2), T.Q5_K: (0, 2), T.Q6_K: (208, None),
    T.IQ4_NL: (0, None), T.IQ4_XS: (0, None), T.MXFP4: (None, None),
}
# Typical magnitude of y / d, and the minimum that centres y, as a multiple of d.
SPREAD = {
    T.Q8_0: (74.0, 0), T.Q4_0: (4.6, 0), T.Q4_1: (4.6, -7.5), T.Q5_0: (9.2, 0), T.Q5_1: (9.2, -15.5),
    T.Q2_K: (14.0, 1.5), T.Q3_K: (37.0, 0), T.Q4_K: (220.0, 7.5), T.Q5_K: (450.0, 15.5), T.Q6_K: (1100.0, 0),
    T.IQ4_NL: (66.0, 0), T.IQ4_XS: (1200.0, 0), T.MXFP4: (6.1, 0),
}


def put_f16(blocks, offset, values):
    blocks[:, offset:offset + 2] = np.asarray(values, np.float16).view(np.uint8).reshape(-1, 2)


def rows(rng, n_rows, n_columns, qtype, std):
    """(n_rows, row bytes) u8 of random blocks whose values have about the standard deviation std."""
    elements, n_bytes = GGML_QUANT_SIZES[qtype]
    n_blocks = n_rows * n_columns // elements
    blocks = rng.integers(0, 256, (n_blocks, n_bytes), np.uint8)
    spread, centre = SPREAD[qtype]
    d = std / spread * rng.uniform(0.7, 1.3, n_blocks)
    d_at, m_at = SCALES[qtype]
    if d_at is None:  # MXFP4: the scale is 2^(byte - 128)
        blocks[:, 0] = np.round(128 + np.log2(d)).astype(np.uint8)
    else:
        put_f16(blocks, d_at, d)
    if m_at is not None:
        put_f16(blocks, m_at, d * centre * rng.uniform(0.9, 1.1, n_blocks))
    return blocks.reshape(n_rows, -1)


def hostile_scales(rng, blocks, qtype):
    """Overwrites scales by any finite f16: denormals, zeros, negative, huge."""
    for at in SCALES[qtype]:
        if at is None:
            continue
        bits = rng.integers(0, 1 << 16, len(blocks)).astype(np.uint16)
        bits = np.where((bits & 0x7C00) == 0x7C00, bits & 0x83FF, bits).astype(np.uint16)
        bits[:4] = [0x0001, 0x83FF, 0x7BFF, 0x8000][: len(bits[:4])]
        blocks[:, at:at + 2] = bits.view(np.uint8).reshape(-1, 2)

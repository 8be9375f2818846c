/* SPDX-License-Identifier: Apache-2.0 */
/* tensor/dtype: one row per element type: its names in safetensors and GGUF, block size and bytes.
 * A row of n elements takes n / block_elements * block_bytes bytes; n must be a multiple. Where
 * block_elements is 0, a row of any length is one record of block_bytes (tensor/scaled.h).
 * Layouts: docs and sources in formats/gguf.h, kernels/blocks.h and tensor/scaled.h. Pure data. */
#ifndef AM_TENSOR_DTYPE_H
#define AM_TENSOR_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* X(enumerator, printed name, safetensors name or "", GGUF type number or -1, block elements, block bytes) */
#define AM_DTYPE_LIST(X)                      \
  X(F32, "f32", "F32", 0, 1, 4)               \
  X(F16, "f16", "F16", 1, 1, 2)               \
  X(BF16, "bf16", "BF16", 30, 1, 2)           \
  X(F64, "f64", "F64", 28, 1, 8)              \
  X(Q4_0, "q4_0", "", 2, 32, 18)              \
  X(Q4_1, "q4_1", "", 3, 32, 20)              \
  X(Q5_0, "q5_0", "", 6, 32, 22)              \
  X(Q5_1, "q5_1", "", 7, 32, 24)              \
  X(Q8_0, "q8_0", "", 8, 32, 34)              \
  X(Q2_K, "q2_k", "", 10, 256, 84)            \
  X(Q3_K, "q3_k", "", 11, 256, 110)           \
  X(Q4_K, "q4_k", "", 12, 256, 144)           \
  X(Q5_K, "q5_k", "", 13, 256, 176)           \
  X(Q6_K, "q6_k", "", 14, 256, 210)           \
  X(IQ4_NL, "iq4_nl", "", 20, 32, 18)         \
  X(IQ4_XS, "iq4_xs", "", 23, 256, 136)       \
  X(MXFP4, "mxfp4", "", 39, 32, 17)           \
  X(SCALED_U4, "scaled_u4", "", -1, 0, 40)    \
  X(SCALED_T4, "scaled_t4", "", -1, 0, 40)    \
  X(SCALED_I8, "scaled_i8", "", -1, 0, 40)    \
  X(SCALED_F8, "scaled_f8", "", -1, 0, 40)    \
  X(I8, "i8", "I8", 24, 1, 1)                 \
  X(I16, "i16", "I16", 25, 1, 2)              \
  X(I32, "i32", "I32", 26, 1, 4)              \
  X(I64, "i64", "I64", 27, 1, 8)              \
  X(U8, "u8", "U8", -1, 1, 1)                 \
  X(U16, "u16", "U16", -1, 1, 2)              \
  X(U32, "u32", "U32", -1, 1, 4)              \
  X(U64, "u64", "U64", -1, 1, 8)              \
  X(BOOL, "bool", "BOOL", -1, 1, 1)           \
  X(F8_E4M3, "f8_e4m3", "F8_E4M3", -1, 1, 1)  \
  X(F8_E5M2, "f8_e5m2", "F8_E5M2", -1, 1, 1)  \
  X(F8_E8M0, "f8_e8m0", "F8_E8M0", -1, 1, 1)

typedef enum am_dtype {
#define AM_DTYPE_ENUM(id, name, st, gguf, elements, bytes) AM_DTYPE_##id,
  AM_DTYPE_LIST(AM_DTYPE_ENUM)
#undef AM_DTYPE_ENUM
  AM_DTYPE_COUNT
} am_dtype;

typedef struct am_dtype_row {
  const char *name;        /* as printed and as --type takes it */
  const char *safetensors; /* "" = does not occur there */
  int gguf;                /* ggml type number; -1 = does not occur there */
  uint32_t block_elements; /* 0: a row is one record, whatever its length */
  uint32_t block_bytes;
} am_dtype_row;

const am_dtype_row *am_dtype_info(am_dtype dtype);
bool am_dtype_from_safetensors(const char *name, size_t name_bytes, am_dtype *out);
bool am_dtype_from_gguf(uint32_t type, am_dtype *out);
bool am_dtype_is_quantized(am_dtype dtype); /* a row is blocks of several elements, or a record */
bool am_dtype_is_scaled(am_dtype dtype);    /* a row is an am_scaled_row (tensor/scaled.h) */
bool am_dtype_is_float(am_dtype dtype);     /* F32, F16, BF16, F64 or quantized: can be dequantised */
/* Bytes of n_elements in one row; false: not a multiple of the block, or overflow. */
bool am_dtype_row_bytes(am_dtype dtype, uint64_t n_elements, uint64_t *bytes);

#endif

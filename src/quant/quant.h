/* SPDX-License-Identifier: Apache-2.0 */
/* quant: weights made smaller.
 * Purpose: names of quantisations ("q4_k_m") as recipes, which element type each tensor of a model gets under
 *   one, and rows of float32 packed into that type.
 * In: names, places of tensors, rows. Out: dtypes, packed rows, the squared error.
 * Owned: nothing. Threads: any; pure functions without locks, and no memory beyond a few KB of stack.
 * Invariant: the bytes do not depend on the processor, nor on how rows are split over calls. */
#ifndef AM_QUANT_QUANT_H
#define AM_QUANT_QUANT_H

#include "tensor/dtype.h"
#include <adam/status.h>

/* A recipe. file_type is GGUF's general.file_type: what most of the weights are. */
typedef struct am_quant_type {
  const char *name; /* static: "q4_k_m" */
  uint32_t file_type;
  am_dtype base; /* of a matrix that no rule names */
} am_quant_type;

/* By name, upper or lower case; "q4_k" and "4bit" mean q4_k_m, "q5_k" q5_k_m, "q3_k" q3_k_m, "8bit" q8_0.
 * false: no such recipe, *out untouched. */
bool am_quant_find(const char *name, am_quant_type *out);
/* All recipes, best first ("f32", ..., "q2_k"); NULL past the last one. Static. */
const am_quant_type *am_quant_at(size_t index);

/* What the rules ask about a model; the numbers are those of its GGUF keys. */
typedef struct am_quant_model {
  const char *architecture; /* general.architecture */
  uint32_t n_layers;        /* ARCH.block_count */
  uint32_t n_heads, n_kv_heads;
  uint32_t n_experts; /* 0 = none */
  bool tied;          /* there is no "output.weight": the embedding is the output matrix too */
} am_quant_model;

/* The dtype of a tensor under a recipe: what llama.cpp's quantize gives it. name as in the GGUF
 * ("blk.3.ffn_down.weight"); n_columns is the length of a row, the last axis in our order.
 * What is no matrix of weights (one axis, norms, routers, tables of positions and types) stays F32. Where
 * n_columns does not divide by the blocks, the nearest type of smaller blocks is taken, or F16. */
am_dtype am_quant_choose(const am_quant_type *type, const am_quant_model *model, const char *name, uint32_t n_dims,
                         uint64_t n_columns);

/* Sums over the rows that were packed, for RMSE = sqrt(squared_error / n). Add those of several threads. */
typedef struct am_quant_error {
  double squared_error; /* sum of (x - y)^2, y = what the packed rows hold */
  double squared_sum;   /* sum of x^2 */
  uint64_t n;
} am_quant_error;

/* Whether am_quant_rows can make this dtype. */
bool am_quant_can(am_dtype dtype);
/* Packs n_rows rows of n_columns, side by side, into out (am_dtype_row_bytes each, without padding).
 * n_columns must be a multiple of the dtype's block (ADAM_INVALID). x and out must not overlap. error_sum (may
 * be NULL) is added to; asking for it costs a dequantisation. NaN or infinity in x: ADAM_DAMAGED, naming `name`
 * (the tensor), its row counted from first_row, and the column; a number too great for the dtype (65504 where
 * scales are binary16): ADAM_UNSUPPORTED. out may be partly written then. */
adam_status am_quant_rows(am_dtype dtype, const float *x, size_t n_rows, size_t n_columns, void *out,
                          am_quant_error *error_sum, const char *name, uint64_t first_row, adam_error *error);

#endif

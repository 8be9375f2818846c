/* SPDX-License-Identifier: Apache-2.0 */
/* loader/prequant: the weights of a pre-quantised checkpoint, each composed of its several tensors.
 * Purpose: what stood in the files as codes, scales, zeros and maps becomes one tensor of a SCALED dtype
 *   (tensor/scaled.h) under the weight's plain name; so everything above finds weights as in any model.
 * In: the loader's table of tensors and the scheme. Out: a new table. Codes stay in the mapped file where
 *   their rows are contiguous, else they are repacked once, to 4 or 8 bits; scales become float32.
 * Work: plan() reads shapes and small headers only; build() reads the data, one weight at a time on any
 *   thread. Invariant: no index read from a file is used before it was checked.
 * Adding a method: a file with its am_prequant_ops, a row in prequant.c, its config in scheme.c. */
#ifndef AM_LOADER_PREQUANT_PREQUANT_H
#define AM_LOADER_PREQUANT_PREQUANT_H

#include "loader/prequant/scheme.h"
#include "loader/state.h"
#include "tensor/scaled.h"
#include <string.h>

enum { AM_PREQUANT_MAX_OWNED = 8 };

struct am_prequant {
  am_tensor tensor;        /* what the loader shows; data is the table of rows, NULL until built */
  const am_scheme *scheme; /* borrowed */
  const char *file;        /* for errors; borrowed */
  /* Parts in the files, borrowed; NULL = absent. */
  const am_tensor *codes, *scales, *zeros, *map;
  const am_tensor *table, *nested_scales,
      *nested_table;             /* bitsandbytes: quant_map, and of double quantisation */
  const am_tensor *global_scale; /* NVFP4 */
  uint64_t n_rows, n_in;         /* of all planes of `tensor`; set by plan */
  uint32_t bits;                 /* of a code in the file */
  uint32_t group;                /* columns that share a scale, as plan found it */
  uint32_t block_rows;           /* rows that share scales; 0 = all */
  uint32_t nested_group;
  float nested_offset;
  adam_status (*build)(am_prequant *p, adam_error *error);
  am_scaled_layout layout;
  am_scaled_row *rows;
  void *owned[AM_PREQUANT_MAX_OWNED];
  uint32_t n_owned;
  uint64_t stored_bytes; /* of all parts in the files */
  uint64_t file_bytes;   /* of those that stay in use */
  uint64_t owned_bytes;  /* of memory */
};

/* How a method names its tensors, and makes weights of them. */
typedef struct am_prequant_ops {
  /* If `tensor` carries the codes of a weight: true, and the length of what the names of all its parts
   * have in common goes to *base. */
  bool (*is_codes)(const am_loader *loader, const am_tensor *tensor, size_t *base);
  const char *const
      *parts;         /* NULL-terminated endings of the other parts, which are not shown by themselves */
  const char *weight; /* what makes the weight's name of the base: ".weight", or "" */
  /* Finds and checks the parts by name, shape and dtype; sets tensor.dtype, shape, build. */
  adam_status (*plan)(am_prequant *p, const am_loader *loader, const char *base, adam_error *error);
} am_prequant_ops;

extern const am_prequant_ops am_prequant_bitsandbytes, am_prequant_gptq, am_prequant_awq,
    am_prequant_compressed, am_prequant_fp8, am_prequant_mxfp4;

/* Composes the loader's weights by loader->scheme. The table of tensors is replaced. build: also the data. */
adam_status am_prequant_compose(am_loader *loader, bool build, adam_error *error);
void am_prequant_close(am_loader *loader);

/* For the methods. Tensor base + ending, NULL = absent. */
const am_tensor *am_prequant_part(const am_loader *loader, const char *base, const char *ending);
/* The same where the weight cannot be without it: ADAM_DAMAGED names it. */
adam_status am_prequant_need(const am_prequant *p, const am_loader *loader, const char *base,
                             const char *ending, const am_tensor **out, adam_error *error);
/* ADAM_DAMAGED unless the tensor has these axes. */
adam_status am_prequant_shape(const am_prequant *p, const am_tensor *tensor, uint32_t n_dims, uint64_t first,
                              uint64_t second, adam_error *error);
adam_status am_prequant_dtype(const am_prequant *p, const am_tensor *tensor, am_dtype expected,
                              adam_error *error);
/* Sets the shape (n_out, n_in) and the dtype of the composed tensor. A matrix without elements, or one larger
 * than 2^31 - 1 either way, is ADAM_DAMAGED. */
adam_status am_prequant_matrix(am_prequant *p, am_dtype dtype, uint64_t n_out, uint64_t n_in,
                               adam_error *error);
/* Memory that lives as long as the weight. count * size bytes, zeroed. */
adam_status am_prequant_alloc(am_prequant *p, uint64_t count, size_t size, void *out, adam_error *error);
/* Element i of a tensor of any plain number type. */
float am_prequant_number(const am_tensor *tensor, uint64_t i);
/* A tensor's n elements as float32: the file's own where they can be, else a copy. */
adam_status am_prequant_floats(am_prequant *p, const am_tensor *tensor, uint64_t n, const float **out,
                               adam_error *error);
/* layout.group_of from an int32 tensor of n_in groups, each below n_groups; left NULL where column i has
 * group i / p->group. */
adam_status am_prequant_map(am_prequant *p, uint64_t n_groups, adam_error *error);
/* Gives zeros (n_rows, n_groups) to the layout where they are all one number: then *zeros becomes NULL. */
void am_prequant_one_zero(am_prequant *p, const float **zeros, uint64_t n);
/* One byte a weight (int8 or E4M3), in rows as they are; `scales` is one number, one for each row, one for
 * each group of a row, or one for each block of (block_rows, block_columns) where these are not 0. Sets
 * shape, dtype and p->build; p->codes, p->scales and, for int8, p->zeros (a number for each scale) are set.
 */
adam_status am_prequant_plan_bytes(am_prequant *p, uint32_t block_rows, uint32_t block_columns,
                                   adam_error *error);
/* p->group, p->block_rows and *n_groups out of the shape of p->scales; n_rows and n_in are set. */
adam_status am_prequant_grid(am_prequant *p, uint32_t block_rows, uint32_t block_columns, uint64_t *n_groups,
                             adam_error *error);
/* The table of rows. Row r has its codes at codes + r * code_bytes, its scales (and zeros, unless NULL) at
 * row r / block_rows of n_groups each; block_rows 0 = one row of scales for all. */
adam_status am_prequant_rows(am_prequant *p, const uint8_t *codes, uint64_t code_bytes, const float *scales,
                             const float *zeros, uint64_t n_groups, uint64_t block_rows, adam_error *error);
/* `bits` bits from bit `at` of 32-bit little-endian words that stand `stride` words apart. */
static inline uint32_t am_prequant_bits(const uint8_t *words, uint64_t stride, uint64_t at, uint32_t bits) {
  uint32_t low, high = 0, shift = (uint32_t)(at % 32);
  memcpy(&low, words + at / 32 * stride * 4, 4);
  low >>= shift;
  if (shift + bits > 32) {
    memcpy(&high, words + (at / 32 + 1) * stride * 4, 4);
    low |= high << (32 - shift);
  }
  return low & (bits == 32 ? UINT32_MAX : (1u << bits) - 1);
}

#endif

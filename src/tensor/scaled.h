/* SPDX-License-Identifier: Apache-2.0 */
/* tensor/scaled: weights whose codes, scales and zeros stand apart, as pre-quantised checkpoints have
 * them (bitsandbytes, GPTQ, AWQ, compressed-tensors, FP8, MXFP4).
 * A tensor of one of the SCALED dtypes has one record for each row, which tells where the row's parts
 * are. So everything above sees rows of a fixed number of bytes: ranges of rows, tables of experts and
 * single rows need nothing special. Element i of a row is
 *   y = (value(code i) - zero of its group) * scale of its group,      computed in float32, where
 *   SCALED_U4: code of 4 bits, value = code          SCALED_T4: code of 4 bits, value = table[code]
 *   SCALED_I8: code is an int8, value = code         SCALED_F8: code is E4M3 ("fn"), value = the number
 * Codes of 4 bits lie two in a byte, the low bits first unless high_first.
 * Records, parts and layout belong to whoever made the tensor, and live as long as it. */
#ifndef AM_TENSOR_SCALED_H
#define AM_TENSOR_SCALED_H

#include <stdbool.h>
#include <stdint.h>

/* What all rows of a matrix have in common. */
typedef struct am_scaled_layout {
  uint32_t group;           /* columns that share a scale, >= 1 */
  uint32_t n_groups;        /* of a row; with group_of */
  const uint32_t *group_of; /* (columns) group of each column; NULL: (offset + i) / group */
  float zero;               /* where the rows have no zeros of their own */
  float table[16];          /* SCALED_T4 */
  bool high_first;
  bool uneven; /* rows may begin within a group or a byte: offset and skip count */
} am_scaled_layout;

typedef struct am_scaled_row {
  const uint8_t *codes;
  const float *scales; /* by group */
  const float *zeros;  /* by group; NULL: the layout's */
  const am_scaled_layout *layout;
  uint32_t offset; /* columns of the first group that stand before this row; < group */
  uint32_t skip;   /* codes of the first byte that stand before this row; 0 or 1 */
} am_scaled_row;

_Static_assert(sizeof(am_scaled_row) == 40, "dtype.h has these bytes");

static inline uint32_t am_scaled_group(const am_scaled_row *row, uint32_t column) {
  const am_scaled_layout *layout = row->layout;
  return layout->group_of ? layout->group_of[column] : (row->offset + column) / layout->group;
}

#endif

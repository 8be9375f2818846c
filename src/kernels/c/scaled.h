/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/c/scaled: the elements of a row of the SCALED dtypes (tensor/scaled.h), one at a time. */
#ifndef AM_KERNELS_C_SCALED_H
#define AM_KERNELS_C_SCALED_H

#include "kernels/c/half.h"
#include "kernels/kernels.h"
#include "tensor/scaled.h"
#include <stddef.h>

/* The matmul slot of a SCALED dtype, for any layout. */
void am_kernels_c_scaled_matmul(am_dtype dtype, const am_matmul *m);

/* E4M3 is binary16 with fewer bits and another bias: exact. 0x7F and 0xFF are NaN. */
static inline float e4m3_to_float(uint8_t code) {
  if ((code & 0x7F) == 0x7F) return half_bits(0x7FC00000u | (uint32_t)(code & 0x80) << 24);
  return half_to_float((uint16_t)((code & 0x80) << 8 | (code & 0x7F) << 7)) * 256.0f;
}

static inline uint32_t scaled_nibble(const am_scaled_row *row, size_t i) {
  size_t at = i + row->skip;
  bool high = (at & 1) != row->layout->high_first;
  return high ? row->codes[at / 2] >> 4 : row->codes[at / 2] & 15;
}

static inline float scaled_value(am_dtype dtype, const am_scaled_row *row, size_t i) {
  switch (dtype) {
    case AM_DTYPE_SCALED_U4:
      return (float)scaled_nibble(row, i);
    case AM_DTYPE_SCALED_T4:
      return row->layout->table[scaled_nibble(row, i)];
    case AM_DTYPE_SCALED_I8:
      return (float)(int8_t)row->codes[i];
    default:
      return e4m3_to_float(row->codes[i]);
  }
}

static inline float scaled_element(am_dtype dtype, const am_scaled_row *row, size_t i) {
  uint32_t group = am_scaled_group(row, (uint32_t)i);
  float zero = row->zeros ? row->zeros[group] : row->layout->zero;
  return (scaled_value(dtype, row, i) - zero) * row->scales[group];
}

#endif

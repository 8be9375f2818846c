/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of float32 into packed ones: checks the numbers, hands pieces that stay in the first cache to the kernels,
 * and adds up the error. */
#include "base/error.h"
#include "kernels/kernels.h"
#include "quant/quant.h"
#include <float.h>
#include <math.h>

enum { PIECE = 4096 }; /* elements; a multiple of every block, and of what a kernel takes at once */

/* The greatest magnitude that a type takes: beyond it binary16 scales, or rounding to bfloat16, give infinity. */
static float greatest_of(am_dtype dtype) {
  if (dtype == AM_DTYPE_F32) return FLT_MAX;
  return dtype == AM_DTYPE_BF16 ? 0x1.FEp127f : 65504.0f;
}

/* The first number that is refused; there is one. */
static adam_status refuse(am_dtype dtype, const float *x, size_t at, size_t n_columns, const char *name,
                          uint64_t first_row, adam_error *error) {
  while (fabsf(x[at]) <= greatest_of(dtype)) at++;
  unsigned long long row = (unsigned long long)first_row + at / n_columns, column = at % n_columns;
  if (!isfinite(x[at]))
    return am_fail(error, ADAM_DAMAGED, name, "get the file again, or ask who made it", "row %llu, column %llu is %s",
                   row, column, isnan(x[at]) ? "not a number" : "infinite");
  return am_fail(error, ADAM_UNSUPPORTED, name, dtype == AM_DTYPE_BF16 ? "use f32" : "use bf16 or f32",
                 "row %llu, column %llu is %g, and %s holds numbers up to %g", row, column, (double)x[at],
                 am_dtype_info(dtype)->name, (double)greatest_of(dtype));
}

static void add_error(const am_kernels *k, am_dtype dtype, const float *x, size_t n, const void *packed,
                      am_quant_error *sum) {
  float y[PIECE];
  double squares = 0, errors = 0;
  k->dequantize[dtype](y, packed, n);
  for (size_t i = 0; i < n; i++) {
    double e = (double)x[i] - (double)y[i];
    errors += e * e;
    squares += (double)x[i] * (double)x[i];
  }
  sum->squared_error += errors;
  sum->squared_sum += squares;
  sum->n += n;
}

bool am_quant_can(am_dtype dtype) { return am_kernels_get()->pack[dtype] != NULL; }

adam_status am_quant_rows(am_dtype dtype, const float *x, size_t n_rows, size_t n_columns, void *out,
                          am_quant_error *error_sum, const char *name, uint64_t first_row, adam_error *error) {
  const am_kernels *k = am_kernels_get();
  const am_dtype_row *info = am_dtype_info(dtype);
  uint8_t *bytes = out;
  if (!k->pack[dtype])
    return am_fail(error, ADAM_INVALID, name, NULL, "nothing is quantised to %s here", info->name);
  if (n_columns % info->block_elements)
    return am_fail(error, ADAM_INVALID, name, NULL, "%zu columns do not divide by the %u of a block of %s", n_columns,
                   (unsigned)info->block_elements, info->name);
  for (size_t at = 0, n_all = n_rows * n_columns; at < n_all; at += PIECE) {
    size_t n = n_all - at < PIECE ? n_all - at : PIECE;
    if (!(k->greatest(x + at, n) <= greatest_of(dtype))) return refuse(dtype, x, at, n_columns, name, first_row, error);
    void *to = bytes + at / info->block_elements * info->block_bytes;
    k->pack[dtype](to, x + at, n);
    if (error_sum) add_error(k, dtype, x + at, n, to, error_sum);
  }
  return ADAM_OK;
}

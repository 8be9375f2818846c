/* SPDX-License-Identifier: Apache-2.0 */
#include "tensor/tensor.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/size.h"

static bool product(uint32_t n_dims, const uint64_t *shape, uint64_t *n) {
  uint64_t total = 1;
  for (uint32_t i = 0; i < n_dims; i++)
    if (!am_u64_mul(total, shape[i], &total)) return false;
  *n = total;
  return true;
}

bool am_tensor_elements(const am_tensor *tensor, uint64_t *n) { return product(tensor->n_dims, tensor->shape, n); }

bool am_tensor_bytes(am_dtype dtype, uint32_t n_dims, const uint64_t *shape, uint64_t *bytes) {
  uint64_t n_rows, row_bytes;
  uint64_t row_elements = n_dims > 0 ? shape[n_dims - 1] : 1;
  if (!product(n_dims > 0 ? n_dims - 1 : 0, shape, &n_rows)) return false;
  if (!am_dtype_row_bytes(dtype, row_elements, &row_bytes)) return false;
  return am_u64_mul(n_rows, row_bytes, bytes);
}

void am_tensor_shape_text(uint32_t n_dims, const uint64_t *shape, char *out, size_t capacity) {
  if (capacity == 0) return;
  out[0] = 0;
  size_t at = 0;
  for (uint32_t i = 0; i <= n_dims && at < capacity; i++) {
    int n = i < n_dims ? snprintf(out + at, capacity - at, "%s%" PRIu64, i == 0 ? "(" : ", ", shape[i])
                       : snprintf(out + at, capacity - at, "%s)", n_dims == 0 ? "(" : "");
    if (n < 0) return;
    at += (size_t)n;
  }
}

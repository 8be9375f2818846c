/* SPDX-License-Identifier: Apache-2.0 */
/* tensor: what a tensor is; computes nothing.
 * Shapes are written slowest axis first, as Hugging Face and C do: a linear weight is
 * (n_out, n_in), with each row of n_in contiguous. GGUF's reversed order is turned round by its
 * reader. Data is borrowed from whoever opened the file. */
#ifndef AM_TENSOR_TENSOR_H
#define AM_TENSOR_TENSOR_H

#include "tensor/dtype.h"

enum { AM_TENSOR_MAX_DIMS = 8 };

typedef struct am_tensor {
  const char *name; /* borrowed; as in the file */
  am_dtype dtype;
  uint32_t n_dims;
  uint64_t shape[AM_TENSOR_MAX_DIMS]; /* slowest first; a scalar has n_dims 0 */
  const void *data;
  uint64_t n_bytes;
} am_tensor;

/* Product of the shape; false on overflow. */
bool am_tensor_elements(const am_tensor *tensor, uint64_t *n);
/* Bytes that dtype and shape ask for; false on overflow or a ragged last axis. */
bool am_tensor_bytes(am_dtype dtype, uint32_t n_dims, const uint64_t *shape, uint64_t *bytes);
/* "(1024, 3072)" into out; always NUL-terminated. */
void am_tensor_shape_text(uint32_t n_dims, const uint64_t *shape, char *out, size_t capacity);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "tensor/dtype.h"

#include <string.h>

#include "base/size.h"

static const am_dtype_row rows[AM_DTYPE_COUNT] = {
#define DTYPE_ROW(id, name, st, gguf, elements, bytes) {name, st, gguf, elements, bytes},
    AM_DTYPE_LIST(DTYPE_ROW)
#undef DTYPE_ROW
};

const am_dtype_row *am_dtype_info(am_dtype dtype) { return &rows[dtype]; }

bool am_dtype_from_safetensors(const char *name, size_t name_bytes, am_dtype *out) {
  if (name_bytes == 0) return false;
  for (int i = 0; i < AM_DTYPE_COUNT; i++) {
    if (strlen(rows[i].safetensors) == name_bytes && memcmp(rows[i].safetensors, name, name_bytes) == 0) {
      *out = (am_dtype)i;
      return true;
    }
  }
  return false;
}

bool am_dtype_from_gguf(uint32_t type, am_dtype *out) {
  for (int i = 0; i < AM_DTYPE_COUNT; i++) {
    if (rows[i].gguf >= 0 && (uint32_t)rows[i].gguf == type) {
      *out = (am_dtype)i;
      return true;
    }
  }
  return false;
}

bool am_dtype_is_quantized(am_dtype dtype) { return rows[dtype].block_elements != 1; }

bool am_dtype_is_scaled(am_dtype dtype) { return rows[dtype].block_elements == 0; }

bool am_dtype_is_float(am_dtype dtype) { return dtype <= AM_DTYPE_F64 || am_dtype_is_quantized(dtype); }

bool am_dtype_row_bytes(am_dtype dtype, uint64_t n_elements, uint64_t *bytes) {
  const am_dtype_row *row = &rows[dtype];
  if (row->block_elements == 0) {
    *bytes = row->block_bytes;
    return true;
  }
  if (n_elements % row->block_elements != 0) return false;
  return am_u64_mul(n_elements / row->block_elements, row->block_bytes, bytes);
}

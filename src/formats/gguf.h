/* SPDX-License-Identifier: Apache-2.0 */
/* formats/gguf: reads a GGUF file, version 2 or 3, little-endian, in one or several parts.
 * Purpose: metadata and named tensors over the mapped bytes. In: path of the file, or of the first
 *   part NAME-00001-of-0000N.gguf (the others are found beside it; split.* keys are checked).
 * Out: an open file that owns maps and tables; everything borrowed until close.
 * Layout: ggml's docs/gguf.md: magic "GGUF", u32 version, u64 n_tensors, u64 n_kv, pairs, tensor
 *   infos (name, n_dims, ne fastest first, type, offset), padding to general.alignment, data.
 * Errors: ADAM_DAMAGED / ADAM_UNSUPPORTED with file, offset, found, expected. Immutable after open. */
#ifndef AM_FORMATS_GGUF_H
#define AM_FORMATS_GGUF_H

#include "base/json.h"
#include "tensor/tensor.h"

typedef struct am_gguf am_gguf;

typedef enum am_gguf_type {
  AM_GGUF_U8,
  AM_GGUF_I8,
  AM_GGUF_U16,
  AM_GGUF_I16,
  AM_GGUF_U32,
  AM_GGUF_I32,
  AM_GGUF_F32,
  AM_GGUF_BOOL,
  AM_GGUF_STRING,
  AM_GGUF_ARRAY,
  AM_GGUF_U64,
  AM_GGUF_I64,
  AM_GGUF_F64
} am_gguf_type; /* values are the file's own */

typedef struct am_gguf_string {
  const char *bytes;
  size_t n_bytes;
} am_gguf_string; /* no NUL after */

/* One metadata value; strings and arrays point into the map. */
typedef struct am_gguf_value {
  am_gguf_string key;
  am_gguf_type type;
  am_gguf_type element_type; /* arrays */
  uint64_t n;                /* arrays: elements */
  union {
    uint64_t u;
    int64_t i;
    double f;
    bool b;
    am_gguf_string s;
    const uint8_t *array;
  } as;
  const am_gguf_string *strings; /* arrays of strings: n of them, else NULL */
} am_gguf_value;

adam_status am_gguf_open(const char *path, am_gguf **out, adam_error *error);
adam_status am_gguf_open_bytes(const char *name, const void *bytes, size_t n_bytes, am_gguf **out,
                               adam_error *error);
void am_gguf_close(am_gguf **file);
uint32_t am_gguf_version(const am_gguf *file);
size_t am_gguf_n_parts(const am_gguf *file);
const char *am_gguf_part_name(const am_gguf *file, size_t index); /* its path */
size_t am_gguf_count(const am_gguf *file);
const am_tensor *am_gguf_at(const am_gguf *file, size_t index);
const am_tensor *am_gguf_find(const am_gguf *file, const char *name); /* shape slowest first */
size_t am_gguf_n_values(const am_gguf *file);
const am_gguf_value *am_gguf_value_at(const am_gguf *file, size_t index);
const am_gguf_value *am_gguf_get(const am_gguf *file, const char *key); /* NULL: absent */
/* Scalars with conversion between integer widths; the fallback where absent or of another kind. */
int64_t am_gguf_int(const am_gguf *file, const char *key, int64_t fallback);
double am_gguf_real(const am_gguf *file, const char *key, double fallback);
bool am_gguf_bool(const am_gguf *file, const char *key, bool fallback);
/* What most of the weights are, by general.file_type: "Q4_K_M", "F16"; "" = not said. */
const char *am_gguf_file_type(const am_gguf *file);
/* All scalar values, and arrays of numbers up to 4096 elements, as one JSON object in arena: the
 * form in which src/arch reads a GGUF's hyperparameters. Strings longer than 64 KiB and arrays of
 * strings are left out. */
adam_status am_gguf_metadata_json(const am_gguf *file, am_arena *arena, am_json *out, adam_error *error);

#endif

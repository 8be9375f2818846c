/* SPDX-License-Identifier: Apache-2.0 */
/* formats/gguf_parse: the bytes of one GGUF part -> values and tensor descriptions.
 * Only gguf.c uses it. Everything points into the bytes or into the arena. */
#ifndef AM_FORMATS_GGUF_PARSE_H
#define AM_FORMATS_GGUF_PARSE_H

#include "formats/gguf.h"

typedef struct am_gguf_part {
  const char *name; /* for errors */
  const uint8_t *bytes;
  size_t size;
  uint32_t version;
  uint64_t alignment;
  am_gguf_value *values;
  size_t n_values;
  am_tensor *tensors; /* data and n_bytes set */
  size_t n_tensors;
} am_gguf_part;

/* name, bytes and size are set by the caller. */
adam_status am_gguf_parse(am_gguf_part *part, am_arena *arena, adam_error *error);
/* Integer value of any width as int64_t; false for other kinds and for more than INT64_MAX. */
bool am_gguf_value_int(const am_gguf_value *value, int64_t *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* arch/keys: one value out of a config or of GGUF metadata, checked. Errors name file, key, what was
 * found and what was expected. A null counts as absent. */
#ifndef AM_ARCH_KEYS_H
#define AM_ARCH_KEYS_H

#include "base/error.h"
#include "base/json.h"

typedef struct am_keys {
  const am_json *object;
  const char *path;   /* for errors */
  const char *prefix; /* put before each key: "" or "llama." */
  adam_error *error;
} am_keys;

/* What a key may be. `required`: absence is an error; else *out is left alone. */
adam_status am_keys_u32(const am_keys *keys, const char *key, bool required, uint32_t least,
                        uint32_t most, uint32_t *out);
/* A finite number in [least, most]. */
adam_status am_keys_real(const am_keys *keys, const char *key, bool required, double least,
                         double most, double *out);
adam_status am_keys_bool(const am_keys *keys, const char *key, bool *out);
/* Text of a string key, *out is left alone where it is absent. */
adam_status am_keys_string(const am_keys *keys, const char *key, const char **out);
/* An id, or a list of ids (the first `capacity` are kept). Absent: *n = 0. */
adam_status am_keys_ids(const am_keys *keys, const char *key, int32_t *ids, uint32_t capacity,
                        uint32_t *n);
/* The value, NULL where absent or null. */
const am_json *am_keys_get(const am_keys *keys, const char *key);
/* ADAM_UNSUPPORTED: "KEY is VALUE, which is not supported yet". */
adam_status am_keys_unsupported(const am_keys *keys, const char *key, const char *value);

#endif

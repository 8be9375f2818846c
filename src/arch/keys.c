/* SPDX-License-Identifier: Apache-2.0 */
#include "arch/keys.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

enum {
  KEY_CAPACITY = 160,
  SHOWN_BYTES = 60, /* of a wrong value in an error */
};

const am_json *am_keys_get(const am_keys *keys, const char *key) {
  char full[KEY_CAPACITY];
  if (keys->prefix[0]) {
    if (snprintf(full, sizeof full, "%s%s", keys->prefix, key) >= (int)sizeof full) return NULL;
    key = full;
  }
  const am_json *value = am_json_get(keys->object, key);
  return am_json_is_null(value) ? NULL : value;
}

static adam_status missing(const am_keys *keys, const char *key) {
  return am_fail(keys->error, ADAM_DAMAGED, keys->path, NULL, "%s%s is missing", keys->prefix, key);
}

/* "KEY is FOUND, expected EXPECTED", with the value as it stands in the file. */
static adam_status wrong(const am_keys *keys, const char *key, const am_json *value, const char *expected) {
  am_buf text = {0};
  am_json_write(&text, value);
  if (text.len > SHOWN_BYTES) text.data[am_utf8_valid_prefix(text.data, SHOWN_BYTES)] = 0;
  adam_status status = am_fail(keys->error, ADAM_DAMAGED, keys->path, NULL, "%s%s is %s, expected %s",
                               keys->prefix, key, text.data ? text.data : "of another kind", expected);
  am_buf_close(&text);
  return status;
}

adam_status am_keys_u32(const am_keys *keys, const char *key, bool required, uint32_t least, uint32_t most,
                        uint32_t *out) {
  const am_json *value = am_keys_get(keys, key);
  if (!value) return required ? missing(keys, key) : ADAM_OK;
  int64_t n = am_json_int(value, -1);
  if ((value->type != AM_JSON_INT && value->type != AM_JSON_FLOAT) || n < least || n > most) {
    char range[80];
    snprintf(range, sizeof range, "a whole number from %" PRIu32 " to %" PRIu32, least, most);
    return wrong(keys, key, value, range);
  }
  *out = (uint32_t)n;
  return ADAM_OK;
}

adam_status am_keys_real(const am_keys *keys, const char *key, bool required, double least, double most,
                         double *out) {
  const am_json *value = am_keys_get(keys, key);
  if (!value) return required ? missing(keys, key) : ADAM_OK;
  double x = am_json_real(value, NAN);
  if (!(x >= least && x <= most)) {
    char range[80];
    snprintf(range, sizeof range, "a number from %g to %g", least, most);
    return wrong(keys, key, value, range);
  }
  *out = x;
  return ADAM_OK;
}

adam_status am_keys_bool(const am_keys *keys, const char *key, bool *out) {
  const am_json *value = am_keys_get(keys, key);
  if (!value) return ADAM_OK;
  if (value->type != AM_JSON_BOOL) return wrong(keys, key, value, "true or false");
  *out = value->as.boolean;
  return ADAM_OK;
}

adam_status am_keys_string(const am_keys *keys, const char *key, const char **out) {
  const am_json *value = am_keys_get(keys, key);
  if (!value) return ADAM_OK;
  if (value->type != AM_JSON_STRING) return wrong(keys, key, value, "a string");
  *out = value->as.string;
  return ADAM_OK;
}

adam_status am_keys_ids(const am_keys *keys, const char *key, int32_t *ids, uint32_t capacity, uint32_t *n) {
  const am_json *value = am_keys_get(keys, key);
  *n = 0;
  if (!value) return ADAM_OK;
  uint32_t n_found = value->type == AM_JSON_ARRAY ? value->n : 1;
  for (uint32_t i = 0; i < n_found; i++) {
    const am_json *one = value->type == AM_JSON_ARRAY ? am_json_at(value, i) : value;
    int64_t id = am_json_int(one, -1);
    /* transformers writes -1 for "none" in a few configs. */
    if (one->type != AM_JSON_INT || id < -1 || id > INT32_MAX)
      return wrong(keys, key, value, "a token id or a list");
    if (id >= 0 && *n < capacity) ids[(*n)++] = (int32_t)id;
  }
  return ADAM_OK;
}

adam_status am_keys_unsupported(const am_keys *keys, const char *key, const char *value) {
  return am_fail(keys->error, ADAM_UNSUPPORTED, keys->path, NULL, "%s%s is %s, which is not supported",
                 keys->prefix, key, value);
}

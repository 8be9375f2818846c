/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/remote/fields.h"

#include <string.h>

void am_field_key(am_buf *out, const char *name) {
  if (out->len && out->data[out->len - 1] != '{') am_buf_append_char(out, ',');
  am_json_write_string(out, name, strlen(name));
  am_buf_append_char(out, ':');
}

void am_field_text(am_buf *out, const char *name, const char *text, size_t n_bytes) {
  am_field_key(out, name);
  am_json_write_string(out, text, n_bytes);
}

void am_field_real(am_buf *out, const char *name, double value) {
  am_field_key(out, name);
  am_json_write_real(out, value);
}

void am_field_int(am_buf *out, const char *name, int64_t value) {
  am_field_key(out, name);
  am_buf_printf(out, "%lld", (long long)value);
}

void am_field_json(am_buf *out, const char *name, const am_json *value) {
  am_field_key(out, name);
  am_json_write(out, value);
}

adam_status am_field_parse(const char *text, const char *what, am_json_type type, am_arena *arena,
                           am_json *out, adam_error *error) {
  adam_status status = am_json_parse(text, strlen(text), what, 0, arena, out, error);
  if (status == ADAM_DAMAGED) {
    if (error) error->status = ADAM_INVALID;
    return ADAM_INVALID;
  }
  if (!status && out->type != type)
    return am_fail(error, ADAM_INVALID, what, NULL, "expected %s",
                   type == AM_JSON_ARRAY ? "an array" : "an object");
  return status;
}

const char *am_field_image_data(const char *url) {
  if (!strncmp(url, "data:", 5)) {
    const char *comma = strstr(url, ";base64,");
    return comma ? comma + 8 : NULL;
  }
  return strstr(url, "://") ? NULL : url;
}

const char *am_field_image(const am_json *part) {
  const am_json *image = am_json_get(part, "image_url");
  const char *url = am_json_str(am_json_get(image, "url"), am_json_str(image, NULL));
  return url ? url : am_json_str(am_json_get(part, "image"), NULL);
}

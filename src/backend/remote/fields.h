/* SPDX-License-Identifier: Apache-2.0 */
/* backend/remote/fields: the JSON of a request, written member by member, and a caller's JSON read.
 * Each writer puts a comma where one belongs: the buffer is not empty and ends in '{' or behind a value. */
#ifndef AM_BACKEND_REMOTE_FIELDS_H
#define AM_BACKEND_REMOTE_FIELDS_H

#include "base/json.h"

void am_field_key(am_buf *out, const char *name);
void am_field_text(am_buf *out, const char *name, const char *text, size_t n_bytes);
void am_field_real(am_buf *out, const char *name, double value);
void am_field_int(am_buf *out, const char *name, int64_t value);
void am_field_json(am_buf *out, const char *name, const am_json *value);

/* What a caller gave as `what`: ADAM_INVALID where it is no JSON, or another type than wanted. */
adam_status am_field_parse(const char *text, const char *what, am_json_type type, am_arena *arena,
                           am_json *out, adam_error *error);

/* The address or data URL of a part of a message's content; NULL = it is no picture. */
const char *am_field_image(const am_json *part);
/* data:image/png;base64,DATA -> DATA; what is plain base64 already is taken as it is. NULL = an address. */
const char *am_field_image_data(const char *url);

#endif

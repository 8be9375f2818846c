/* SPDX-License-Identifier: Apache-2.0 */
#include "reply.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "report.h"

/* Length of the well-formed UTF-8 character at text, 0 when there is none (Unicode, table 3-7). */
static size_t character_bytes(const unsigned char *text, size_t n_left) {
  unsigned char first = text[0];
  size_t n = first < 0x80                    ? 1
             : first >= 0xC2 && first < 0xE0 ? 2
             : first >= 0xE0 && first < 0xF0 ? 3
             : first >= 0xF0 && first < 0xF5 ? 4
                                             : 0;
  if (n == 0 || n > n_left) return 0;
  for (size_t i = 1; i < n; i++)
    if ((text[i] & 0xC0) != 0x80) return 0;
  if (first == 0xE0 && text[1] < 0xA0) return 0;
  if (first == 0xED && text[1] > 0x9F) return 0;
  if (first == 0xF0 && text[1] < 0x90) return 0;
  if (first == 0xF4 && text[1] > 0x8F) return 0;
  return n;
}

json_t *am_reply_text(const char *text, size_t n_bytes) {
  if (!text) return json_null();
  json_t *whole = json_stringn(text, n_bytes);
  if (whole) return whole;
  char *mended = malloc(n_bytes * 3 + 1);
  size_t n = 0;
  if (!mended) return NULL;
  for (size_t i = 0; i < n_bytes;) {
    size_t length = character_bytes((const unsigned char *)text + i, n_bytes - i);
    memcpy(mended + n, length ? text + i : "\xEF\xBF\xBD", length ? length : 3);
    n += length ? length : 3;
    i += length ? length : 1;
  }
  whole = json_stringn(mended, n);
  free(mended);
  return whole;
}

json_t *am_reply_string(const char *text) { return am_reply_text(text, text ? strlen(text) : 0); }

json_t *am_reply_number(double value) { return isfinite(value) ? json_real(value) : json_null(); }

json_t *am_reply_ids(const int32_t *ids, size_t n_ids) {
  json_t *list = json_array();
  for (size_t i = 0; i < n_ids; i++) json_array_append_new(list, json_integer(ids[i]));
  return list;
}

json_t *am_reply_notice(const adam_notice *notice) {
  return json_pack("{s:o, s:s, s:o}", "code", am_reply_string(notice->code), "level",
                   notice->level == ADAM_NOTICE_DEGRADED ? "degraded" : "info", "text",
                   am_reply_string(notice->text));
}

json_t *am_reply_sampling(const adam_sampling *sampling) {
  const struct {
    const char *key;
    uint32_t bit;
    bool whole;
    double number;
    int64_t integer;
  } fields[] = {
      {"temperature", ADAM_SET_TEMPERATURE, false, sampling->temperature, 0},
      {"top_p", ADAM_SET_TOP_P, false, sampling->top_p, 0},
      {"top_k", ADAM_SET_TOP_K, true, 0, sampling->top_k},
      {"min_p", ADAM_SET_MIN_P, false, sampling->min_p, 0},
      {"repetition_penalty", ADAM_SET_REPETITION_PENALTY, false, sampling->repetition_penalty, 0},
      {"presence_penalty", ADAM_SET_PRESENCE_PENALTY, false, sampling->presence_penalty, 0},
      {"frequency_penalty", ADAM_SET_FREQUENCY_PENALTY, false, sampling->frequency_penalty, 0},
      {"max_tokens", ADAM_SET_MAX_TOKENS, true, 0, sampling->max_tokens},
  };
  json_t *object = json_object();
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
    if (sampling->set & fields[i].bit)
      json_object_set_new(
          object, fields[i].key,
          fields[i].whole ? json_integer(fields[i].integer) : am_reply_number(fields[i].number));
  return object;
}

adam_status am_reply_print(json_t *object, adam_error *error) {
  char *text = object ? json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
  json_decref(object);
  if (!text) return am_report_no_memory(error);
  am_output_text(text);
  am_output_text("\n");
  free(text);
  return ADAM_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "tokenizer/postprocessor.h"

#include <string.h>

static adam_status no_memory(adam_error *error) { return am_fail_memory(error, "tokenizer"); }

static adam_status bad(adam_error *error, const char *type, const char *what) {
  return am_fail(error, ADAM_DAMAGED, "tokenizer", NULL, "post_processor %s: %s", type, what);
}

static bool add_id(am_ids *ids, const am_json *id) { return am_ids_add(ids, (int32_t)am_json_int(id, 0)); }

static bool is_id(const am_json *value) {
  return value && value->type == AM_JSON_INT && value->as.integer >= 0 && value->as.integer < INT32_MAX;
}

static adam_status read_template(const am_json *json, am_postprocessor *out, adam_error *error) {
  static const char type[] = "TemplateProcessing";
  const am_json *single = am_json_get(json, "single"), *specials = am_json_get(json, "special_tokens");
  int texts = 0;
  if (!single || single->type != AM_JSON_ARRAY) return bad(error, type, "no \"single\"");
  for (size_t i = 0; i < single->n; i++) {
    const am_json *piece = am_json_at(single, i);
    const char *token = am_json_str(am_json_path(piece, "SpecialToken.id"), NULL);
    const char *sequence = am_json_str(am_json_path(piece, "Sequence.id"), NULL);
    if (sequence && strcmp(sequence, "A") == 0 && texts++ == 0) continue;
    if (!token) return bad(error, type, "\"single\" is not tokens around one text");
    const am_json *ids = am_json_get(am_json_get(specials, token), "ids");
    if (!ids || ids->type != AM_JSON_ARRAY) return bad(error, type, "a token without ids");
    for (size_t k = 0; k < ids->n; k++) {
      if (!is_id(am_json_at(ids, k))) return bad(error, type, "an id is no number");
      if (!add_id(texts ? &out->behind : &out->before, am_json_at(ids, k))) return no_memory(error);
    }
  }
  return texts == 1 ? ADAM_OK : bad(error, type, "\"single\" has no text");
}

/* BertProcessing and RobertaProcessing: [name, id] before and behind. */
static adam_status read_bert(const am_json *json, am_postprocessor *out, adam_error *error) {
  const am_json *first = am_json_at(am_json_get(json, "cls"), 1),
                *last = am_json_at(am_json_get(json, "sep"), 1);
  if (!is_id(first) || !is_id(last)) return bad(error, "BertProcessing", "no usable \"cls\" and \"sep\"");
  return add_id(&out->before, first) && add_id(&out->behind, last) ? ADAM_OK : no_memory(error);
}

/* Concerns offsets alone, which nobody asks for here. */
static adam_status read_byte_level(const am_json *json, am_postprocessor *out, adam_error *error) {
  (void)json;
  (void)out;
  (void)error;
  return ADAM_OK;
}

static const struct {
  const char *type;
  adam_status (*read)(const am_json *json, am_postprocessor *out, adam_error *error);
} rows[] = {
    {"TemplateProcessing", read_template},
    {"ByteLevel", read_byte_level},
    {"BertProcessing", read_bert},
    {"RobertaProcessing", read_bert},
};

static bool append(am_ids *to, const am_ids *from) {
  for (size_t i = 0; i < from->n; i++)
    if (!am_ids_add(to, from->data[i])) return false;
  return true;
}

/* Each processor of a sequence wraps what the ones before it made. */
static adam_status wrap(const am_json *json, am_postprocessor *inner, int depth, adam_error *error) {
  const char *type = am_json_str(am_json_get(json, "type"), "");
  if (strcmp(type, "Sequence") == 0) {
    const am_json *list = am_json_get(json, "processors");
    if (!list || list->type != AM_JSON_ARRAY || depth > 8)
      return bad(error, type, "no usable \"processors\"");
    for (size_t i = 0; i < list->n; i++) {
      adam_status status = wrap(am_json_at(list, i), inner, depth + 1, error);
      if (status != ADAM_OK) return status;
    }
    return ADAM_OK;
  }
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    if (strcmp(rows[i].type, type) != 0) continue;
    am_postprocessor outer = {0};
    adam_status status = rows[i].read(json, &outer, error);
    if (status == ADAM_OK &&
        !(append(&outer.before, &inner->before) && append(&inner->behind, &outer.behind)))
      status = no_memory(error);
    if (status == ADAM_OK) {
      am_ids_close(&inner->before);
      inner->before = outer.before;
      outer.before = (am_ids){0};
    }
    am_postprocessor_close(&outer);
    return status;
  }
  return am_fail(error, ADAM_UNSUPPORTED, "tokenizer", NULL, "post_processor type \"%.60s\"", type);
}

adam_status am_postprocessor_open(const am_json *json, am_postprocessor *out, adam_error *error) {
  am_postprocessor made = {0};
  adam_status status = am_json_is_null(json) ? ADAM_OK : wrap(json, &made, 0, error);
  if (status == ADAM_OK)
    *out = made;
  else
    am_postprocessor_close(&made);
  return status;
}

void am_postprocessor_close(am_postprocessor *postprocessor) {
  am_ids_close(&postprocessor->before);
  am_ids_close(&postprocessor->behind);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "tokenizer/postprocessor.h"

#include "base/mem.h"
#include "tokenizer/pieces.h"

#include <string.h>

#define MOST_ITEMS 4096

static adam_status no_memory(adam_error *error) { return am_fail_memory(error, "tokenizer"); }

static adam_status bad(adam_error *error, const char *type, const char *what) {
  return am_fail(error, ADAM_DAMAGED, "tokenizer", NULL, "post_processor %s: %s", type, what);
}

static adam_status add(am_post_template *t, am_post_item item, adam_error *error) {
  if (t->n == MOST_ITEMS) return am_fail(error, ADAM_LIMIT, "tokenizer", NULL, "post_processor is too long");
  am_post_item *items = am_grow(t->items, t->n, 1, &t->capacity, sizeof *items);
  if (!items) return no_memory(error);
  t->items = items;
  items[t->n++] = item;
  t->n_ids += item.kind == AM_POST_ID;
  return ADAM_OK;
}

static void close_template(am_post_template *t) {
  am_mem_free(t->items);
  *t = (am_post_template){0};
}

static uint32_t n_segments(const am_post_template *t) { return t->n ? t->items[t->n - 1].segment + 1 : 0; }

static bool is_id(const am_json *value) {
  return value && value->type == AM_JSON_INT && value->as.integer >= 0 && value->as.integer < INT32_MAX;
}

/* One piece of a TemplateProcessing: a segment of `in`, or special ids. */
static adam_status add_piece(const am_json *piece, const am_json *specials, const am_post_template *in,
                             uint32_t segment, am_post_template *out, adam_error *error) {
  static const char type[] = "TemplateProcessing";
  adam_status status = ADAM_OK;
  const am_json *sequence = am_json_get(piece, "Sequence"), *special = am_json_get(piece, "SpecialToken");
  int64_t type_id = am_json_int(am_json_get(sequence ? sequence : special, "type_id"), 0);
  if (type_id < 0 || type_id > INT32_MAX) return bad(error, type, "a type_id is no number");
  if (sequence) {
    const char *name = am_json_str(am_json_get(sequence, "id"), "");
    uint32_t wanted = strcmp(name, "B") == 0;
    if ((!wanted && strcmp(name, "A") != 0) || wanted >= n_segments(in))
      return bad(error, type, "a text that is not there");
    for (size_t i = 0; status == ADAM_OK && i < in->n; i++) {
      am_post_item item = in->items[i];
      if (item.segment != wanted) continue;
      item.type_id = (int32_t)type_id;
      item.segment = segment;
      status = add(out, item, error);
    }
    return status;
  }
  const char *token = am_json_str(am_json_get(special, "id"), NULL);
  const am_json *ids = token ? am_json_get(am_json_get(specials, token), "ids") : NULL;
  if (!ids || ids->type != AM_JSON_ARRAY) return bad(error, type, "a token without ids");
  for (size_t k = 0; status == ADAM_OK && k < ids->n; k++) {
    if (!is_id(am_json_at(ids, k))) return bad(error, type, "an id is no number");
    int32_t id = (int32_t)am_json_int(am_json_at(ids, k), 0);
    status = add(out, (am_post_item){AM_POST_ID, id, (int32_t)type_id, segment}, error);
  }
  return status;
}

static adam_status run_template(const am_json *json, const am_post_template *in, am_post_template *out,
                                adam_error *error) {
  static const char type[] = "TemplateProcessing";
  uint32_t n = n_segments(in);
  const am_json *list = am_json_get(json, n == 1 ? "single" : "pair");
  if (n > 2)
    return am_fail(error, ADAM_UNSUPPORTED, "tokenizer", NULL, "post_processor %s behind another", type);
  if (n == 2 && am_json_is_null(list)) { /* "$A:0 $B:1" */
    adam_status status = ADAM_OK;
    for (size_t i = 0; status == ADAM_OK && i < in->n; i++) {
      am_post_item item = in->items[i];
      item.type_id = (int32_t)item.segment;
      status = add(out, item, error);
    }
    return status;
  }
  if (!list || list->type != AM_JSON_ARRAY) return bad(error, type, n == 1 ? "no \"single\"" : "no \"pair\"");
  for (size_t i = 0; i < list->n; i++) {
    adam_status status =
        add_piece(am_json_at(list, i), am_json_get(json, "special_tokens"), in, (uint32_t)i, out, error);
    if (status != ADAM_OK) return status;
  }
  return ADAM_OK;
}

/* BertProcessing and RobertaProcessing put ids around each segment: the first gets cls before it, the
 * others what `between` says. */
static adam_status wrap(const am_json *json, const am_post_template *in, bool between, bool typed,
                        am_post_template *out, adam_error *error) {
  const am_json *cls = am_json_at(am_json_get(json, "cls"), 1),
                *sep = am_json_at(am_json_get(json, "sep"), 1);
  if (!is_id(cls) || !is_id(sep)) return bad(error, "BertProcessing", "no usable \"cls\" and \"sep\"");
  int32_t first = (int32_t)cls->as.integer, last = (int32_t)sep->as.integer;
  adam_status status = ADAM_OK;
  for (uint32_t s = 0; status == ADAM_OK && s < n_segments(in); s++) {
    int32_t type_id = typed && s > 0;
    if (s == 0 || between)
      status = add(out, (am_post_item){AM_POST_ID, s == 0 ? first : last, type_id, s}, error);
    for (size_t i = 0; status == ADAM_OK && i < in->n; i++) {
      am_post_item item = in->items[i];
      if (item.segment != s) continue;
      if (!typed) item.type_id = 0;
      status = add(out, item, error);
    }
    if (status == ADAM_OK) status = add(out, (am_post_item){AM_POST_ID, last, type_id, s}, error);
  }
  return status;
}

static adam_status run_bert(const am_json *json, const am_post_template *in, am_post_template *out,
                            adam_error *error) {
  return wrap(json, in, false, true, out, error);
}

static adam_status run_roberta(const am_json *json, const am_post_template *in, am_post_template *out,
                               adam_error *error) {
  return wrap(json, in, true, false, out, error);
}

/* Concerns offsets alone, which nobody asks for here. */
static adam_status run_byte_level(const am_json *json, const am_post_template *in, am_post_template *out,
                                  adam_error *error) {
  (void)json;
  adam_status status = ADAM_OK;
  for (size_t i = 0; status == ADAM_OK && i < in->n; i++) status = add(out, in->items[i], error);
  return status;
}

static const struct {
  const char *type;
  adam_status (*run)(const am_json *json, const am_post_template *in, am_post_template *out,
                     adam_error *error);
} rows[] = {
    {"TemplateProcessing", run_template},
    {"ByteLevel", run_byte_level},
    {"BertProcessing", run_bert},
    {"RobertaProcessing", run_roberta},
};

/* Each processor of a sequence works on what the ones before it made. */
static adam_status run(const am_json *json, am_post_template *now, int depth, adam_error *error) {
  const char *type = am_json_str(am_json_get(json, "type"), "");
  if (strcmp(type, "Sequence") == 0) {
    const am_json *list = am_json_get(json, "processors");
    if (!list || list->type != AM_JSON_ARRAY || depth > 8)
      return bad(error, type, "no usable \"processors\"");
    for (size_t i = 0; i < list->n; i++) {
      adam_status status = run(am_json_at(list, i), now, depth + 1, error);
      if (status != ADAM_OK) return status;
    }
    return ADAM_OK;
  }
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    if (strcmp(rows[i].type, type) != 0) continue;
    am_post_template made = {0};
    adam_status status = rows[i].run(json, now, &made, error);
    close_template(status == ADAM_OK ? now : &made);
    if (status == ADAM_OK) *now = made;
    return status;
  }
  return am_fail(error, ADAM_UNSUPPORTED, "tokenizer", NULL, "post_processor type \"%.60s\"", type);
}

static adam_status fill(const am_json *json, bool pair, am_post_template *out, adam_error *error) {
  adam_status status = add(out, (am_post_item){AM_POST_FIRST, 0, 0, 0}, error);
  if (status == ADAM_OK && pair) status = add(out, (am_post_item){AM_POST_SECOND, 0, 1, 1}, error);
  if (status == ADAM_OK && !am_json_is_null(json)) status = run(json, out, 0, error);
  return status;
}

adam_status am_postprocessor_open(const am_json *json, am_postprocessor *out, adam_error *error) {
  am_postprocessor made = {0};
  adam_status status = fill(json, false, &made.single, error);
  if (status == ADAM_OK) status = fill(json, true, &made.pair, error);
  if (status == ADAM_OK)
    *out = made;
  else
    am_postprocessor_close(&made);
  return status;
}

void am_postprocessor_close(am_postprocessor *postprocessor) {
  close_template(&postprocessor->single);
  close_template(&postprocessor->pair);
}

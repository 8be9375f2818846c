/* SPDX-License-Identifier: Apache-2.0 */
#include "convert/tokenizer_json.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

static const char *text_of(const am_json *object, const char *key) {
  return am_json_str(am_json_get(object, key), "");
}

static void write_flag(am_buf *out, const am_json *object, const char *key, bool fallback) {
  bool value = am_json_bool(am_json_get(object, key), fallback);
  am_buf_printf(out, ",\"%s\":%s", key, value ? "true" : "false");
}

static void write_piece(const am_tokenizer *t, int64_t id, am_buf *out) {
  size_t n = 0;
  const char *text = am_tokenizer_piece(t, (int32_t)id, &n);
  am_json_write_string(out, text ? text : "", n);
}

static void write_added(const am_tokenizer *t, const am_json *list, am_buf *out) {
  bool any = false;
  am_buf_append_str(out, "[");
  for (uint32_t i = 0; list && i < list->n; i++) {
    const am_json *item = am_json_at(list, i), *content = am_json_get(item, "content");
    int64_t id = am_json_int(am_json_get(item, "id"), -1);
    if (!content || am_tokenizer_find(t, content->as.string, content->n) != id) continue;
    am_buf_printf(out, "%s\n{\"id\":%lld,\"content\":", any ? "," : "", (long long)id);
    am_json_write_string(out, content->as.string, content->n);
    write_flag(out, item, "single_word", false);
    write_flag(out, item, "lstrip", false);
    write_flag(out, item, "rstrip", false);
    write_flag(out, item, "normalized", false);
    write_flag(out, item, "special", false);
    am_buf_append_char(out, '}');
    any = true;
  }
  am_buf_append_str(out, "]");
}

static void write_byte_level(const am_json *stage, am_buf *out) {
  am_buf_append_str(out, "{\"type\":\"ByteLevel\"");
  write_flag(out, stage, "add_prefix_space", true);
  write_flag(out, stage, "trim_offsets", true);
  write_flag(out, stage, "use_regex", true);
  am_buf_append_char(out, '}');
}

static void write_bert_normalizer(const am_json *stage, am_buf *out) {
  const am_json *accents = am_json_get(stage, "strip_accents");
  am_buf_append_str(out, "{\"type\":\"BertNormalizer\"");
  write_flag(out, stage, "clean_text", true);
  write_flag(out, stage, "handle_chinese_chars", true);
  am_buf_append_str(out, ",\"strip_accents\":");
  am_buf_append_str(out, am_json_is_null(accents) ? "null" : am_json_bool(accents, false) ? "true" : "false");
  write_flag(out, stage, "lowercase", true);
  am_buf_append_char(out, '}');
}

/* A normalizer, pre-tokenizer or decoder; `list` is where a Sequence of its kind has the steps. */
static void write_stage(const am_json *stage, const char *list, am_buf *out) {
  const am_json *steps = am_json_get(stage, list);
  if (am_json_is_null(stage)) {
    am_buf_append_str(out, "null");
  } else if (strcmp(text_of(stage, "type"), "ByteLevel") == 0 && strcmp(list, "normalizers") != 0) {
    write_byte_level(stage, out);
  } else if (strcmp(text_of(stage, "type"), "BertNormalizer") == 0) {
    write_bert_normalizer(stage, out);
  } else if (steps && steps->type == AM_JSON_ARRAY) {
    am_buf_printf(out, "{\"type\":\"Sequence\",\"%s\":[", list);
    for (uint32_t i = 0; i < steps->n; i++) {
      if (i > 0) am_buf_append_char(out, ',');
      write_stage(am_json_at(steps, i), list, out);
    }
    am_buf_append_str(out, "]}");
  } else {
    am_json_write(out, stage);
  }
}

/* The id that a special token of a template stands for; -1: none or several. */
static int64_t template_id(const am_json *post, const char *name) {
  const am_json *tokens = am_json_get(post, "special_tokens");
  const am_json *ids = am_json_get(am_json_get(tokens, name), "ids");
  return ids && ids->n == 1 ? am_json_int(am_json_at(ids, 0), -1) : -1;
}

static void write_template(const am_tokenizer *t, const am_json *post, const char *key, am_buf *out) {
  const am_json *items = am_json_get(post, key);
  am_buf_printf(out, ",\"%s\":[", key);
  for (uint32_t i = 0; items && i < items->n; i++) {
    const am_json *item = am_json_at(items, i), *special = am_json_get(item, "SpecialToken");
    const am_json *body = special ? special : am_json_get(item, "Sequence");
    am_buf_append_str(out, i > 0 ? ",{" : "{");
    am_buf_append_str(out, special ? "\"SpecialToken\":{\"id\":" : "\"Sequence\":{\"id\":");
    if (special)
      write_piece(t, template_id(post, text_of(body, "id")), out);
    else
      am_json_write_string(out, text_of(body, "id"), strlen(text_of(body, "id")));
    am_buf_printf(out, ",\"type_id\":%lld}}", (long long)am_json_int(am_json_get(body, "type_id"), 0));
  }
  am_buf_append_char(out, ']');
}

/* "cls" or "sep": [text, id] */
static void write_frame(const am_tokenizer *t, const am_json *post, const char *key, am_buf *out) {
  int64_t id = am_json_int(am_json_at(am_json_get(post, key), 1), -1);
  am_buf_printf(out, ",\"%s\":[", key);
  write_piece(t, id, out);
  am_buf_printf(out, ",%lld]", (long long)id);
}

static void write_post_processor(const am_tokenizer *t, const am_json *post, am_buf *out) {
  const char *type = text_of(post, "type");
  const am_json *tokens = am_json_get(post, "special_tokens");
  if (am_json_is_null(post)) {
    am_buf_append_str(out, "null");
    return;
  }
  am_buf_printf(out, "{\"type\":\"%s\"", type);
  if (strcmp(type, "TemplateProcessing") != 0) {
    write_frame(t, post, "sep", out);
    write_frame(t, post, "cls", out);
    if (strcmp(type, "RobertaProcessing") == 0)
      am_buf_append_str(out, ",\"trim_offsets\":true,\"add_prefix_space\":false");
    am_buf_append_char(out, '}');
    return;
  }
  write_template(t, post, "single", out);
  write_template(t, post, "pair", out);
  am_buf_append_str(out, ",\"special_tokens\":{");
  bool any = false;
  int64_t before = -1;
  for (uint32_t i = 0; tokens && i < tokens->n; i++) {
    int64_t id = template_id(post, tokens->as.members[i].key);
    if (id < 0 || id == before) continue; /* bos and eos may be one token */
    before = id;
    if (any) am_buf_append_char(out, ',');
    write_piece(t, id, out);
    am_buf_append_str(out, ":{\"id\":");
    write_piece(t, id, out);
    am_buf_printf(out, ",\"ids\":[%lld],\"tokens\":[", (long long)id);
    write_piece(t, id, out);
    am_buf_append_str(out, "]}");
    any = true;
  }
  am_buf_append_str(out, "}}");
}

/* The spelling under which a word of the model stands in the file. */
static void write_word(const am_tokenizer *t, int32_t id, am_buf *out) {
  char other[32];
  size_t n = 0;
  const char *text = am_tokenizer_word(t, id, &n);
  if (text && am_tokenizer_find(t, text, n) == id) {
    am_json_write_string(out, text, n);
    return;
  }
  for (int k = 0; k == 0 || am_tokenizer_find(t, other, n) >= 0; k++) /* a text that no token has */
    n = (size_t)snprintf(other, sizeof other, "[DUP%d_%d]", (int)id, k);
  am_json_write_string(out, other, n);
}

static void write_vocab(const am_tokenizer *t, const am_tokenizer_parts *parts, am_buf *out) {
  bool any = false, pieces = parts->scores != NULL;
  am_buf_append_str(out, pieces ? ",\"vocab\":[" : ",\"vocab\":{");
  for (size_t id = 0; id < parts->n_words; id++) {
    size_t n;
    if (!pieces && !am_tokenizer_word(t, (int32_t)id, &n)) continue;
    am_buf_append_str(out, any ? ",\n" : "\n");
    if (pieces) am_buf_append_char(out, '[');
    write_word(t, (int32_t)id, out);
    if (pieces) {
      am_buf_append_char(out, ',');
      am_json_write_real(out, parts->scores[id]);
      am_buf_append_char(out, ']');
    } else {
      am_buf_printf(out, ":%zu", id);
    }
    any = true;
  }
  am_buf_append_char(out, pieces ? ']' : '}');
}

static adam_status write_merges(const am_tokenizer *t, am_buf *out, adam_error *error) {
  am_merge_ids *merges = NULL;
  size_t n = 0;
  adam_status status = am_tokenizer_merges(t, &merges, &n, error);
  am_buf_append_str(out, ",\"merges\":[");
  for (size_t i = 0; status == ADAM_OK && i < n; i++) {
    am_buf_append_str(out, i > 0 ? ",\n[" : "\n[");
    write_word(t, merges[i].left, out);
    am_buf_append_char(out, ',');
    write_word(t, merges[i].right, out);
    am_buf_append_char(out, ']');
  }
  am_buf_append_char(out, ']');
  am_mem_free(merges);
  return status;
}

static void write_text(am_buf *out, const char *key, const am_json *value) {
  am_buf_printf(out, ",\"%s\":", key);
  if (value && value->type == AM_JSON_STRING)
    am_json_write_string(out, value->as.string, value->n);
  else
    am_buf_append_str(out, "null");
}

static void write_bpe(const am_tokenizer *t, const am_json *model, bool spm, am_buf *out) {
  int64_t unknown = am_json_int(am_json_get(model, "unk_id"), -1);
  am_buf_append_str(out, "{\"type\":\"BPE\",\"dropout\":null");
  if (spm && unknown >= 0) {
    am_buf_append_str(out, ",\"unk_token\":");
    write_word(t, (int32_t)unknown, out);
  } else {
    write_text(out, "unk_token", am_json_get(model, "unk_token"));
  }
  write_text(out, "continuing_subword_prefix", am_json_get(model, "continuing_subword_prefix"));
  write_text(out, "end_of_word_suffix", am_json_get(model, "end_of_word_suffix"));
  write_flag(out, model, "fuse_unk", spm);
  write_flag(out, model, "byte_fallback", spm);
  write_flag(out, model, "ignore_merges", false);
}

static adam_status write_model(const am_tokenizer *t, const am_tokenizer_parts *parts, am_buf *out,
                               adam_error *error) {
  const am_json *model = am_json_get(parts->config, "model");
  bool spm = strcmp(parts->model, "SPM") == 0, bpe = spm || strcmp(parts->model, "BPE") == 0;
  if (bpe) {
    write_bpe(t, model, spm, out);
  } else if (parts->scores) {
    int64_t unknown = am_json_int(am_json_get(model, "unk_id"), -1);
    am_buf_append_str(out, "{\"type\":\"Unigram\",\"unk_id\":");
    if (unknown >= 0)
      am_buf_printf(out, "%lld", (long long)unknown);
    else
      am_buf_append_str(out, "null");
    write_flag(out, model, "byte_fallback", false);
  } else if (strcmp(parts->model, "WordPiece") == 0) {
    am_buf_append_str(out, "{\"type\":\"WordPiece\"");
    write_text(out, "unk_token", am_json_get(model, "unk_token"));
    write_text(out, "continuing_subword_prefix", am_json_get(model, "continuing_subword_prefix"));
    am_buf_printf(out, ",\"max_input_chars_per_word\":%lld",
                  (long long)am_json_int(am_json_get(model, "max_input_chars_per_word"), 100));
  } else {
    return am_fail(error, ADAM_UNSUPPORTED, "tokenizer", NULL, "a tokenizer of the type %s", parts->model);
  }
  write_vocab(t, parts, out);
  adam_status status = bpe ? write_merges(t, out, error) : ADAM_OK;
  am_buf_append_char(out, '}');
  return status;
}

adam_status am_tokenizer_json_write(const am_tokenizer *tokenizer, am_buf *out, adam_error *error) {
  am_tokenizer_parts parts;
  am_tokenizer_parts_of(tokenizer, &parts);
  am_buf_append_str(out, "{\"version\":\"1.0\",\n\"truncation\":null,\n\"padding\":null,\n\"added_tokens\":");
  write_added(tokenizer, am_json_get(parts.config, "added_tokens"), out);
  am_buf_append_str(out, ",\n\"normalizer\":");
  write_stage(am_json_get(parts.config, "normalizer"), "normalizers", out);
  am_buf_append_str(out, ",\n\"pre_tokenizer\":");
  write_stage(am_json_get(parts.config, "pre_tokenizer"), "pretokenizers", out);
  am_buf_append_str(out, ",\n\"post_processor\":");
  write_post_processor(tokenizer, am_json_get(parts.config, "post_processor"), out);
  am_buf_append_str(out, ",\n\"decoder\":");
  write_stage(am_json_get(parts.config, "decoder"), "decoders", out);
  am_buf_append_str(out, ",\n\"model\":");
  adam_status status = write_model(tokenizer, &parts, out, error);
  am_buf_append_str(out, "}\n");
  return status == ADAM_OK && out->failed ? am_fail_memory(error, "tokenizer") : status;
}

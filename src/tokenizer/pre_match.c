/* SPDX-License-Identifier: Apache-2.0 */
/* Which tokenizer.ggml.pre cuts as a tokenizer does. */
#include "tokenizer/parts.h"

#include "base/mem.h"
#include "tokenizer/pipeline.h"
#include "tokenizer/pre_types.h"
#include "tokenizer/probe.h"

#include <string.h>

/* Names that share their patterns with the first of that kind in the table; a model is known by a token that
 * only it has. */
static const struct {
  const char *name, *token;
} known[] = {{"deepseek-r1-qwen", "<｜begin▁of▁sentence｜>"},
             {"starcoder", "<fim_prefix>"},
             {"command-r", "<|START_OF_TURN_TOKEN|>"},
             {"phi-2", "                               "},
             {"falcon3", ">>TITLE<<"},
             {"pixtral", "[IMG_BREAK]"},
             {"glm4", "<|observation|>"},
             {"llama4", "<|header_start|>"}};

/* Of names with one kind: what is said when no token tells them apart. */
static const char *const plain_names[] = {"gpt-2", "llama-bpe", "smollm", "smaug-bpe", "stablelm2"};

typedef struct cutter {
  am_arena arena;
  am_json json;
  am_pretokenizer pretokenizer;
} cutter;

static void cutter_close(cutter *c) {
  am_pretokenizer_close(&c->pretokenizer);
  am_arena_close(&c->arena);
}

static adam_status cutter_open(const am_pre_type *type, cutter *out, adam_error *error) {
  am_buf text = {0};
  am_pre_type_write(type, &text);
  adam_status status = text.failed
                           ? am_fail_memory(error, "tokenizer")
                           : am_json_parse(text.data, text.len, "pre", 0, &out->arena, &out->json, error);
  if (status == ADAM_OK) status = am_pretokenizer_open(&out->json, true, &out->pretokenizer, error);
  am_buf_close(&text);
  return status;
}

static adam_status cut(const am_pretokenizer *p, const char *text, am_stage_memory *memory,
                       adam_error *error) {
  size_t n = strlen(text);
  am_buf_clear(&memory->pieces.text);
  memory->pieces.spans.n = 0;
  if (!am_buf_append(&memory->pieces.text, text, n) || !am_spans_add(&memory->pieces.spans, 0, n, true))
    return am_fail_memory(error, "tokenizer");
  return am_pretokenizer_run(p, memory, error);
}

static bool same_pieces(const am_pieces *a, const am_pieces *b) {
  if (a->spans.n != b->spans.n) return false;
  for (size_t i = 0; i < a->spans.n; i++) {
    const am_span *x = &a->spans.data[i], *y = &b->spans.data[i];
    if (x->end - x->start != y->end - y->start ||
        memcmp(a->text.data + x->start, b->text.data + y->start, x->end - x->start) != 0)
      return false;
  }
  return true;
}

static adam_status cuts_alike(const am_pretokenizer *a, const am_pretokenizer *b, bool *alike,
                              adam_error *error) {
  am_stage_memory x = {0}, y = {0};
  adam_status status = ADAM_OK;
  bool composed;
  const char *text;
  *alike = true;
  for (size_t i = 0; status == ADAM_OK && *alike && (text = am_probe_at(i, &composed)); i++) {
    status = cut(a, text, &x, error);
    if (status == ADAM_OK) status = cut(b, text, &y, error);
    if (status == ADAM_OK) *alike = same_pieces(&x.pieces, &y.pieces);
  }
  am_stage_memory_close(&x);
  am_stage_memory_close(&y);
  return status;
}

/* The steps of the file are those that the type would be written as: ByteLevel's own pattern counts as one.
 */
static bool is_spelled_so(const am_json *pre, const am_pre_type *type) {
  const am_json *list = am_json_get(pre, "pretokenizers");
  size_t n = list ? list->n : 1, n_patterns = 0, n_type = 0;
  bool digits = false;
  while (n_type < AM_PRE_TYPE_MOST_PATTERNS && type->patterns[n_type]) n_type++;
  for (size_t i = 0; i < n; i++) {
    const am_json *step = list ? am_json_at(list, i) : pre;
    const char *kind = am_json_str(am_json_get(step, "type"), ""), *pattern = NULL;
    if (strcmp(kind, "Digits") == 0 && am_json_bool(am_json_get(step, "individual_digits"), false) &&
        i == 0) {
      digits = true;
      continue;
    }
    if (strcmp(kind, "ByteLevel") == 0 && i == n - 1) {
      if (am_json_bool(am_json_get(step, "add_prefix_space"), true)) return false;
      if (!am_json_bool(am_json_get(step, "use_regex"), true)) continue;
      pattern = am_word_pattern_gpt2;
    } else if (strcmp(kind, "Split") == 0 && !am_json_bool(am_json_get(step, "invert"), false) &&
               strcmp(am_json_str(am_json_get(step, "behavior"), ""), "Isolated") == 0) {
      pattern = am_json_str(am_json_path(step, "pattern.Regex"), NULL);
    }
    if (!pattern || n_patterns == n_type || strcmp(pattern, type->patterns[n_patterns]) != 0) return false;
    n_patterns++;
  }
  return n_patterns == n_type && digits == type->digits;
}

/* How well a row fits beyond its cuts; higher is better. */
static int fit(const am_tokenizer *t, const am_pre_type *type, const char *name) {
  bool ignore = am_json_bool(am_json_path(&t->config, "model.ignore_merges"), false);
  bool nfc = strcmp(am_json_str(am_json_path(&t->config, "normalizer.type"), ""), "NFC") == 0;
  int points = (ignore == type->ignore_merges) * 16 + (nfc == type->nfc) * 8;
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    if (strcmp(known[i].name, name) != 0) continue;
    bool has = am_tokenizer_find(t, known[i].token, strlen(known[i].token)) >= 0;
    return has ? points + 4 : points;
  }
  bool roberta =
      strcmp(am_json_str(am_json_path(&t->config, "post_processor.type"), ""), "RobertaProcessing") == 0;
  if (strcmp(name, "roberta-bpe") == 0) return roberta ? points + 4 : points;
  for (size_t i = 0; i < sizeof plain_names / sizeof *plain_names; i++)
    if (strcmp(plain_names[i], name) == 0) return points + 2;
  return points + 1;
}

adam_status am_pre_type_match(const am_tokenizer *tokenizer, const char **name, bool *same_merges,
                              adam_error *error) {
  const am_json *pre = am_json_get(&tokenizer->config, "pre_tokenizer");
  const am_pre_type *checked[64];
  bool alike[64];
  size_t n_checked = 0;
  const char *best = NULL, *row_name;
  const am_pre_type *type, *best_type = NULL;
  int best_points = -1;
  for (size_t i = 0; (type = am_pre_type_at(i, &row_name)); i++) {
    size_t k = 0;
    while (k < n_checked && checked[k] != type) k++;
    if (k == n_checked) {
      if (n_checked == sizeof checked / sizeof *checked) break;
      checked[k] = type;
      alike[k] = is_spelled_so(pre, type);
      cutter c = {0};
      adam_status status = alike[k] ? ADAM_OK : cutter_open(type, &c, error);
      if (status == ADAM_OK && !alike[k])
        status = cuts_alike(&tokenizer->pretokenizer, &c.pretokenizer, &alike[k], error);
      cutter_close(&c);
      if (status != ADAM_OK) return status;
      n_checked++;
    }
    int points = alike[k] ? fit(tokenizer, type, row_name) + 64 * is_spelled_so(pre, type) : -1;
    if (points <= best_points) continue;
    best_points = points;
    best = row_name;
    best_type = type;
  }
  if (!best)
    return am_fail(error, ADAM_UNSUPPORTED, "tokenizer", NULL,
                   "its pre-tokenizer cuts text as none of those that a GGUF can name");
  *name = best;
  *same_merges = best_type->ignore_merges ==
                 am_json_bool(am_json_path(&tokenizer->config, "model.ignore_merges"), false);
  return ADAM_OK;
}

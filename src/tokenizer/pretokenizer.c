/* SPDX-License-Identifier: Apache-2.0 */
#include "tokenizer/pretokenizer.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "tokenizer/alphabet.h"
#include "tokenizer/scripts.h"
#include "tokenizer/split.h"
#include "tokenizer/unicode.h"

#include <string.h>

#define MAX_STEPS 64
#define NONE UINT32_MAX

typedef struct am_pretokenizer_row {
  const char *type;
  /* Fills a zeroed step (character = NONE) from its JSON. */
  adam_status (*read)(const am_json *json, am_pretokenizer_step *step, adam_error *error);
  adam_status (*run)(const am_pretokenizer_step *step, am_stage_memory *memory, adam_error *error);
} am_pretokenizer_row;

static adam_status bad_field(adam_error *error, const char *type, const char *field) {
  return am_fail(error, ADAM_DAMAGED, "tokenizer", NULL, "pre_tokenizer %s: no usable \"%s\"", type, field);
}

static bool read_character(const am_json *json, const char *key, uint32_t *out) {
  const am_json *value = am_json_get(json, key);
  if (!value || value->type != AM_JSON_STRING || value->n == 0) return false;
  return am_utf8_decode(value->as.string, value->n, out) == (int)value->n;
}

/* Exchanges pieces and other after a stage wrote `other`. */
static void exchange(am_stage_memory *memory) {
  am_pieces pieces = memory->pieces;
  memory->pieces = memory->other;
  memory->other = pieces;
}

static void exchange_spans(am_stage_memory *memory) {
  am_spans spans = memory->pieces.spans;
  memory->pieces.spans = memory->other.spans;
  memory->other.spans = spans;
}

static adam_status no_memory(adam_error *error) { return am_fail_memory(error, "tokenizer"); }

/* Cuts every span by the step's regex or class. */
static adam_status run_split(const am_pretokenizer_step *step, am_stage_memory *memory, adam_error *error) {
  const am_spans *spans = &memory->pieces.spans;
  const char *text = memory->pieces.text.data;
  memory->other.spans.n = 0;
  for (size_t i = 0; i < spans->n; i++) {
    const am_span *span = &spans->data[i];
    adam_status status = step->words ? am_split_by_words(step->words, memory, text, span, error)
                         : step->regex
                             ? am_split_by_regex(step->regex, memory, text, span, error)
                             : am_split_by_class(step->mask, step->character, memory, text, span, error);
    if (status != ADAM_OK) return status;
    if (step->invert) am_split_invert(&memory->events);
    if (!am_split_apply(span, &memory->events, step->behavior, &memory->other.spans)) return no_memory(error);
  }
  exchange_spans(memory);
  return ADAM_OK;
}

static adam_status read_split(const am_json *json, am_pretokenizer_step *step, adam_error *error) {
  const am_json *pattern = am_json_get(json, "pattern");
  const am_json *text = am_json_get(pattern, "Regex");
  bool literal = !text;
  if (literal) text = am_json_get(pattern, "String");
  step->behavior = am_split_behavior_named(am_json_str(am_json_get(json, "behavior"), NULL));
  step->invert = am_json_bool(am_json_get(json, "invert"), false);
  if (!text || text->type != AM_JSON_STRING) return bad_field(error, "Split", "pattern");
  if (step->behavior < 0) return bad_field(error, "Split", "behavior");
  if (!literal && strlen(text->as.string) == text->n) {
    step->words = am_word_matcher(text->as.string);
    if (strcmp(text->as.string, "\\p{N}") == 0) step->mask = AM_CLASS_NUMBER;
  }
  if (step->words || step->mask) return ADAM_OK;
  return am_regex_open(text->as.string, text->n, literal, &step->regex, error);
}

static adam_status read_byte_level(const am_json *json, am_pretokenizer_step *step, adam_error *error) {
  step->prefix_space = am_json_bool(am_json_get(json, "add_prefix_space"), true);
  step->behavior = AM_SPLIT_ISOLATED;
  (void)error;
  if (am_json_bool(am_json_get(json, "use_regex"), true)) step->words = am_word_matcher(am_word_pattern_gpt2);
  return ADAM_OK;
}

/* Puts the UTF-8 of `prefix` before each span that `wants` it. */
static adam_status copy_spans(am_stage_memory *memory, const char *prefix,
                              bool (*wants)(const am_pretokenizer_step *, const char *, const am_span *),
                              const am_pretokenizer_step *step, adam_error *error) {
  const am_pieces *in = &memory->pieces;
  am_pieces *out = &memory->other;
  am_buf_clear(&out->text);
  out->spans.n = 0;
  for (size_t i = 0; i < in->spans.n; i++) {
    const am_span *span = &in->spans.data[i];
    size_t start = out->text.len;
    if (wants(step, in->text.data + span->start, span)) am_buf_append_str(&out->text, prefix);
    am_buf_append(&out->text, in->text.data + span->start, span->end - span->start);
    if (out->text.failed || !am_spans_add(&out->spans, start, out->text.len, span->first))
      return no_memory(error);
  }
  exchange(memory);
  return ADAM_OK;
}

static bool wants_space(const am_pretokenizer_step *step, const char *text, const am_span *span) {
  (void)step;
  (void)span;
  return text[0] != ' ';
}

/* ByteLevel without its last part, the mapping to the alphabet. */
static adam_status run_byte_words(const am_pretokenizer_step *step, am_stage_memory *memory,
                                  adam_error *error) {
  adam_status status = ADAM_OK;
  if (step->prefix_space) status = copy_spans(memory, " ", wants_space, step, error);
  if (status == ADAM_OK && step->words) status = run_split(step, memory, error);
  return status;
}

static adam_status run_byte_level(const am_pretokenizer_step *step, am_stage_memory *memory,
                                  adam_error *error) {
  adam_status status = run_byte_words(step, memory, error);
  if (status != ADAM_OK) return status;
  const am_pieces *in = &memory->pieces;
  am_pieces *out = &memory->other;
  am_buf_clear(&out->text);
  out->spans.n = 0;
  for (size_t i = 0; i < in->spans.n; i++) {
    const am_span *span = &in->spans.data[i];
    size_t n_bytes = span->end - span->start, start = out->text.len;
    if (!am_buf_reserve(&out->text, 2 * n_bytes)) return no_memory(error);
    out->text.len += am_alphabet_spell_bytes(in->text.data + span->start, n_bytes, out->text.data + start);
    if (!am_spans_add(&out->spans, start, out->text.len, span->first)) return no_memory(error);
  }
  exchange(memory);
  return ADAM_OK;
}

static adam_status read_digits(const am_json *json, am_pretokenizer_step *step, adam_error *error) {
  (void)error;
  step->mask = AM_CLASS_NUMERIC;
  step->behavior =
      am_json_bool(am_json_get(json, "individual_digits"), false) ? AM_SPLIT_ISOLATED : AM_SPLIT_CONTIGUOUS;
  return ADAM_OK;
}

static adam_status read_punctuation(const am_json *json, am_pretokenizer_step *step, adam_error *error) {
  const am_json *behavior = am_json_get(json, "behavior");
  step->mask = AM_CLASS_PUNCTUATION;
  step->behavior = behavior ? am_split_behavior_named(am_json_str(behavior, NULL)) : AM_SPLIT_ISOLATED;
  return step->behavior < 0 ? bad_field(error, "Punctuation", "behavior") : ADAM_OK;
}

static adam_status read_whitespace_split(const am_json *json, am_pretokenizer_step *step, adam_error *error) {
  (void)json;
  (void)error;
  step->mask = AM_CLASS_SPACE;
  step->behavior = AM_SPLIT_REMOVED;
  return ADAM_OK;
}

static adam_status read_delimiter(const am_json *json, am_pretokenizer_step *step, adam_error *error) {
  step->behavior = AM_SPLIT_REMOVED;
  if (!read_character(json, "delimiter", &step->character))
    return bad_field(error, "CharDelimiterSplit", "delimiter");
  return ADAM_OK;
}

static adam_status read_nothing(const am_json *json, am_pretokenizer_step *step, adam_error *error) {
  (void)json;
  (void)step;
  (void)error;
  return ADAM_OK;
}

/* \w+|[^\w\s]+ kept, the rest dropped; \w as Rust's regex crate has it. */
static adam_status run_whitespace(const am_pretokenizer_step *step, am_stage_memory *memory,
                                  adam_error *error) {
  const am_pieces *in = &memory->pieces;
  am_spans *out = &memory->other.spans;
  (void)step;
  out->n = 0;
  for (size_t i = 0; i < in->spans.n; i++) {
    const am_span *span = &in->spans.data[i];
    size_t start = span->start;
    int previous = 0;
    for (size_t p = span->start; p <= span->end;) {
      uint32_t codepoint;
      size_t length = 1;
      int kind = 0;
      if (p < span->end) {
        length = am_unicode_next((const uint8_t *)in->text.data + p, &codepoint);
        uint16_t value = am_unicode_class(codepoint);
        kind = value & AM_CLASS_WORD ? 1 : value & AM_CLASS_SPACE ? 0 : 2;
      }
      if (kind != previous || p == span->end) {
        if (previous && !am_spans_add(out, start, p, span->first && start == span->start))
          return no_memory(error);
        start = p;
        previous = kind;
      }
      p += length;
    }
  }
  exchange_spans(memory);
  return ADAM_OK;
}

/* Blanks dropped, every mark of punctuation alone. */
static adam_status run_bert(const am_pretokenizer_step *step, am_stage_memory *memory, adam_error *error) {
  const am_pieces *in = &memory->pieces;
  am_spans *out = &memory->other.spans;
  (void)step;
  out->n = 0;
  for (size_t i = 0; i < in->spans.n; i++) {
    const am_span *span = &in->spans.data[i];
    size_t start = span->start, next;
    bool ok = true;
    for (size_t p = span->start; ok && p < span->end; p = next) {
      uint32_t codepoint;
      next = p + am_unicode_next((const uint8_t *)in->text.data + p, &codepoint);
      uint16_t value = am_unicode_class(codepoint);
      if (!(value & (AM_CLASS_SPACE | AM_CLASS_PUNCTUATION))) continue;
      ok = am_spans_add(out, start, p, span->first && start == span->start);
      if (ok && !(value & AM_CLASS_SPACE)) ok = am_spans_add(out, p, next, span->first && p == span->start);
      start = next;
    }
    if (!ok || !am_spans_add(out, start, span->end, span->first && start == span->start))
      return no_memory(error);
  }
  exchange_spans(memory);
  return ADAM_OK;
}

static adam_status read_metaspace(const am_json *json, am_pretokenizer_step *step, adam_error *error) {
  static const char *const schemes[] = {"never", "first", "always"};
  const char *scheme = am_json_str(am_json_get(json, "prepend_scheme"), "always");
  if (!read_character(json, "replacement", &step->character))
    return bad_field(error, "Metaspace", "replacement");
  int found = -1;
  for (int i = 0; i < 3; i++)
    if (strcmp(scheme, schemes[i]) == 0) found = i;
  if (found < 0) return bad_field(error, "Metaspace", "prepend_scheme");
  step->prepend = (am_prepend_scheme)found;
  if (!am_json_bool(am_json_get(json, "add_prefix_space"), true)) step->prepend = AM_PREPEND_NEVER;
  step->split = am_json_bool(am_json_get(json, "split"), true);
  step->behavior = AM_SPLIT_MERGED_WITH_NEXT;
  return ADAM_OK;
}

static adam_status run_metaspace(const am_pretokenizer_step *step, am_stage_memory *memory,
                                 adam_error *error) {
  const am_pieces *in = &memory->pieces;
  am_pieces *out = &memory->other;
  char mark[5] = {0};
  size_t mark_bytes = (size_t)am_utf8_encode(step->character, mark);
  am_buf_clear(&out->text);
  out->spans.n = 0;
  for (size_t i = 0; i < in->spans.n; i++) {
    const am_span *span = &in->spans.data[i];
    const char *text = in->text.data + span->start;
    size_t n_bytes = span->end - span->start, start = out->text.len;
    bool marked = text[0] == ' ' || (n_bytes >= mark_bytes && memcmp(text, mark, mark_bytes) == 0);
    bool wanted = step->prepend == AM_PREPEND_ALWAYS || (step->prepend == AM_PREPEND_FIRST && span->first);
    if (wanted && !marked) am_buf_append(&out->text, mark, mark_bytes);
    for (size_t p = 0; p < n_bytes;) {
      const char *space = memchr(text + p, ' ', n_bytes - p);
      size_t stop = space ? (size_t)(space - text) : n_bytes;
      am_buf_append(&out->text, text + p, stop - p);
      if (space) am_buf_append(&out->text, mark, mark_bytes);
      p = stop + 1;
    }
    if (out->text.failed || !am_spans_add(&out->spans, start, out->text.len, span->first))
      return no_memory(error);
  }
  exchange(memory);
  return step->split ? run_split(step, memory, error) : ADAM_OK;
}

static adam_status read_fixed_length(const am_json *json, am_pretokenizer_step *step, adam_error *error) {
  int64_t length = am_json_int(am_json_get(json, "length"), 5);
  if (length < 1) return bad_field(error, "FixedLength", "length");
  step->length = (size_t)length;
  return ADAM_OK;
}

static adam_status run_fixed_length(const am_pretokenizer_step *step, am_stage_memory *memory,
                                    adam_error *error) {
  const am_pieces *in = &memory->pieces;
  am_spans *out = &memory->other.spans;
  out->n = 0;
  for (size_t i = 0; i < in->spans.n; i++) {
    const am_span *span = &in->spans.data[i];
    size_t start = span->start, p = span->start, n = 0;
    while (p < span->end) {
      uint32_t codepoint;
      p += am_unicode_next((const uint8_t *)in->text.data + p, &codepoint);
      if (++n < step->length && p < span->end) continue;
      if (!am_spans_add(out, start, p, span->first && start == span->start)) return no_memory(error);
      start = p;
      n = 0;
    }
  }
  exchange_spans(memory);
  return ADAM_OK;
}

static adam_status run_scripts(const am_pretokenizer_step *step, am_stage_memory *memory, adam_error *error) {
  const am_pieces *in = &memory->pieces;
  (void)step;
  memory->other.spans.n = 0;
  for (size_t i = 0; i < in->spans.n; i++)
    if (!am_scripts_cut(in->text.data, &in->spans.data[i], &memory->other.spans)) return no_memory(error);
  exchange_spans(memory);
  return ADAM_OK;
}

static const am_pretokenizer_row rows[] = {
    {"ByteLevel", read_byte_level, run_byte_level},
    {"Split", read_split, run_split},
    {"Digits", read_digits, run_split},
    {"Punctuation", read_punctuation, run_split},
    {"WhitespaceSplit", read_whitespace_split, run_split},
    {"Whitespace", read_nothing, run_whitespace},
    {"Metaspace", read_metaspace, run_metaspace},
    {"CharDelimiterSplit", read_delimiter, run_split},
    {"Delimiter", read_delimiter, run_split},
    {"BertPreTokenizer", read_nothing, run_bert},
    {"UnicodeScripts", read_nothing, run_scripts},
    {"FixedLength", read_fixed_length, run_fixed_length},
};
static const am_pretokenizer_row byte_words = {"ByteLevel", read_byte_level, run_byte_words};

static adam_status add_steps(const am_json *json, am_pretokenizer *out, int depth, adam_error *error) {
  const char *type = am_json_str(am_json_get(json, "type"), "");
  if (strcmp(type, "Sequence") == 0) {
    const am_json *list = am_json_get(json, "pretokenizers");
    if (!list || list->type != AM_JSON_ARRAY || depth > 8) return bad_field(error, type, "pretokenizers");
    for (size_t i = 0; i < list->n; i++) {
      adam_status status = add_steps(&list->as.items[i], out, depth + 1, error);
      if (status != ADAM_OK) return status;
    }
    return ADAM_OK;
  }
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    if (strcmp(rows[i].type, type) != 0) continue;
    if (out->n == MAX_STEPS) return am_fail(error, ADAM_LIMIT, "tokenizer", NULL, "too many pre_tokenizers");
    am_pretokenizer_step *steps = am_grow(out->steps, out->n, 1, &out->capacity, sizeof *steps);
    if (!steps) return no_memory(error);
    out->steps = steps;
    steps[out->n] = (am_pretokenizer_step){.row = &rows[i], .character = NONE};
    return rows[i].read(json, &steps[out->n++], error);
  }
  return am_fail(error, ADAM_UNSUPPORTED, "tokenizer", NULL, "pre_tokenizer type \"%.60s\"", type);
}

/* One ByteLevel step at the very end? Walks the JSON backwards. */
static void count_byte_level(const am_json *json, int depth, int *n, bool *last) {
  const char *type = am_json_str(am_json_get(json, "type"), "");
  const am_json *list = am_json_get(json, "pretokenizers");
  if (strcmp(type, "Sequence") == 0) {
    for (size_t i = 0; list && list->type == AM_JSON_ARRAY && depth < 9 && i < list->n; i++)
      count_byte_level(&list->as.items[i], depth + 1, n, last);
    return;
  }
  *last = strcmp(type, "ByteLevel") == 0;
  *n += *last;
}

bool am_pretokenizer_ends_with_bytes(const am_json *json) {
  int n = 0;
  bool last = false;
  count_byte_level(json, 0, &n, &last);
  return last && n == 1;
}

/* Recognises [isolated digits], one known pattern, ByteLevel: then no spans are needed at all. */
static void find_words(am_pretokenizer *p) {
  const am_pretokenizer_step *last = &p->steps[p->n - 1];
  size_t n = p->n - 1;
  am_word_end words = last->words;
  if (last->prefix_space) return;
  if (!words && n > 0 && p->steps[n - 1].behavior == AM_SPLIT_ISOLATED) words = p->steps[--n].words;
  if (!words || n > 1) return;
  if (n == 1) {
    const am_pretokenizer_step *digits = &p->steps[0];
    if (digits->row->run != run_split || digits->behavior != AM_SPLIT_ISOLATED) return;
    if (digits->mask != AM_CLASS_NUMBER && digits->mask != AM_CLASS_NUMERIC) return;
    p->isolate = digits->mask;
  }
  p->words = words;
}

adam_status am_pretokenizer_open(const am_json *json, bool raw_bytes, am_pretokenizer *out,
                                 adam_error *error) {
  am_pretokenizer made = {0};
  if (am_json_is_null(json)) {
    *out = made;
    return ADAM_OK;
  }
  adam_status status = add_steps(json, &made, 0, error);
  if (status != ADAM_OK) {
    am_pretokenizer_close(&made);
    return status;
  }
  if (raw_bytes && am_pretokenizer_ends_with_bytes(json)) {
    made.bytes = true;
    made.steps[made.n - 1].row = &byte_words;
    find_words(&made);
  }
  *out = made;
  return ADAM_OK;
}

void am_pretokenizer_close(am_pretokenizer *pretokenizer) {
  for (size_t i = 0; i < pretokenizer->n; i++) am_regex_close(&pretokenizer->steps[i].regex);
  am_mem_free(pretokenizer->steps);
  *pretokenizer = (am_pretokenizer){0};
}

adam_status am_pretokenizer_run(const am_pretokenizer *pretokenizer, am_stage_memory *memory,
                                adam_error *error) {
  for (size_t i = 0; i < pretokenizer->n; i++) {
    const am_pretokenizer_step *step = &pretokenizer->steps[i];
    adam_status status = step->row->run(step, memory, error);
    if (status != ADAM_OK) return status;
    if (memory->pieces.text.len > UINT32_MAX / 4)
      return am_fail(error, ADAM_LIMIT, "tokenizer", NULL, "the pre-tokenised text grew beyond 1 GiB");
  }
  return ADAM_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "tokenizer/normalizer.h"

#include "base/mem.h"
#include "tokenizer/alphabet.h"
#include "tokenizer/unicode.h"

#include <string.h>

#define MAX_STEPS 64
#define MAX_BYTES ((size_t)1 << 30)

typedef struct am_normalizer_row {
  const char *type;
  am_form form;
  adam_status (*read)(const am_json *json, am_normalizer_step *step, adam_error *error);
  /* Appends the normal form of in to out, sets *lost_start if the first character is gone without
   * a trace. *unchanged = true: out was left alone, in is the result. */
  adam_status (*run)(const am_normalizer_step *step, const am_normalized *in, am_stage_memory *memory,
                     am_buf *out, bool *lost_start, bool *unchanged, adam_error *error);
} am_normalizer_row;

static adam_status done(const am_buf *out, adam_error *error) {
  return out->failed ? am_fail_memory(error, "tokenizer") : ADAM_OK;
}

static adam_status bad_field(adam_error *error, const char *type, const char *field) {
  return am_fail(error, ADAM_DAMAGED, "tokenizer", NULL, "normalizer %s: no usable \"%s\"", type, field);
}

static adam_status read_nothing(const am_json *json, am_normalizer_step *step, adam_error *error) {
  (void)json;
  (void)step;
  (void)error;
  return ADAM_OK;
}

static adam_status run_form(const am_normalizer_step *step, const am_normalized *in, am_stage_memory *memory,
                            am_buf *out, bool *lost_start, bool *unchanged, adam_error *error) {
  (void)lost_start;
  *unchanged = am_normal_form_is_quick(step->row->form, in->text, in->n_bytes);
  if (*unchanged) return ADAM_OK;
  if (!am_normal_form(step->row->form, in->text, in->n_bytes, memory, out))
    return am_fail_memory(error, "tokenizer");
  return ADAM_OK;
}

static adam_status run_lowercase(const am_normalizer_step *step, const am_normalized *in,
                                 am_stage_memory *memory, am_buf *out, bool *lost_start, bool *unchanged,
                                 adam_error *error) {
  (void)step;
  (void)memory;
  (void)lost_start;
  (void)unchanged;
  for (size_t p = 0; p < in->n_bytes;) {
    uint32_t codepoint, lower[2];
    p += am_unicode_next((const uint8_t *)in->text + p, &codepoint);
    int n = am_unicode_lower(codepoint, lower);
    for (int i = 0; i < n; i++) am_buf_append_codepoint(out, lower[i]);
  }
  return done(out, error);
}

static adam_status read_strip(const am_json *json, am_normalizer_step *step, adam_error *error) {
  (void)error;
  step->left = am_json_bool(am_json_get(json, "strip_left"), true);
  step->right = am_json_bool(am_json_get(json, "strip_right"), true);
  return ADAM_OK;
}

static adam_status run_strip(const am_normalizer_step *step, const am_normalized *in, am_stage_memory *memory,
                             am_buf *out, bool *lost_start, bool *unchanged, adam_error *error) {
  const uint8_t *text = (const uint8_t *)in->text;
  size_t start = 0, end = in->n_bytes;
  (void)memory;
  (void)unchanged;
  while (step->left && start < end) {
    uint32_t codepoint;
    size_t length = am_unicode_next(text + start, &codepoint);
    if (!(am_unicode_class(codepoint) & AM_CLASS_SPACE)) break;
    start += length;
  }
  while (step->right && end > start) {
    uint32_t codepoint;
    size_t last = am_unicode_previous(text, end);
    am_unicode_next(text + last, &codepoint);
    if (!(am_unicode_class(codepoint) & AM_CLASS_SPACE)) break;
    end = last;
  }
  *lost_start = start > 0;
  am_buf_append(out, in->text + start, end - start);
  return done(out, error);
}

static adam_status run_strip_accents(const am_normalizer_step *step, const am_normalized *in,
                                     am_stage_memory *memory, am_buf *out, bool *lost_start, bool *unchanged,
                                     adam_error *error) {
  (void)step;
  (void)memory;
  (void)unchanged;
  for (size_t p = 0; p < in->n_bytes;) {
    uint32_t codepoint;
    size_t length = am_unicode_next((const uint8_t *)in->text + p, &codepoint);
    if (am_unicode_class(codepoint) & AM_CLASS_ACCENT)
      *lost_start |= p == 0;
    else
      am_buf_append(out, in->text + p, length);
    p += length;
  }
  return done(out, error);
}

static adam_status read_content(const am_json *json, const char *key, am_normalizer_step *step,
                                adam_error *error) {
  const am_json *content = am_json_get(json, key);
  if (!content || content->type != AM_JSON_STRING) return bad_field(error, step->row->type, key);
  step->content = am_mem_dup(content->as.string, content->n);
  step->content_bytes = content->n;
  return step->content ? ADAM_OK : am_fail_memory(error, "tokenizer");
}

static adam_status read_replace(const am_json *json, am_normalizer_step *step, adam_error *error) {
  const am_json *pattern = am_json_get(json, "pattern");
  const am_json *text = am_json_get(pattern, "Regex");
  bool literal = !text;
  if (literal) text = am_json_get(pattern, "String");
  if (!text || text->type != AM_JSON_STRING) return bad_field(error, "Replace", "pattern");
  adam_status status = read_content(json, "content", step, error);
  if (status != ADAM_OK) return status;
  return am_regex_open(text->as.string, text->n, literal, &step->regex, error);
}

static adam_status run_replace(const am_normalizer_step *step, const am_normalized *in,
                               am_stage_memory *memory, am_buf *out, bool *lost_start, bool *unchanged,
                               adam_error *error) {
  am_matcher *matcher = am_stage_matcher(memory);
  if (!matcher) return am_fail_memory(error, "tokenizer");
  if (in->n_bytes == 0) {
    *unchanged = true;
    return ADAM_OK;
  }
  am_regex_scan scan = am_regex_begin(step->regex, matcher, in->text, in->n_bytes);
  size_t previous = 0, start = 0, end = 0;
  for (;;) {
    bool found = false;
    adam_status status = am_regex_next(&scan, &found, &start, &end, error);
    if (status != ADAM_OK) return status;
    if (!found) break;
    am_buf_append(out, in->text + previous, start - previous);
    am_buf_append(out, step->content, step->content_bytes);
    if (out->len > MAX_BYTES) return am_fail(error, ADAM_LIMIT, "tokenizer", NULL, "Replace made over 1 GiB");
    /* What replaces several characters is counted as standing at the last of them. */
    if (start == 0 && end > 0)
      *lost_start = step->content_bytes == 0 || am_unicode_previous((const uint8_t *)in->text, end) > 0;
    previous = end;
  }
  am_buf_append(out, in->text + previous, in->n_bytes - previous);
  return done(out, error);
}

static adam_status read_prepend(const am_json *json, am_normalizer_step *step, adam_error *error) {
  return read_content(json, "prepend", step, error);
}

static adam_status run_prepend(const am_normalizer_step *step, const am_normalized *in,
                               am_stage_memory *memory, am_buf *out, bool *lost_start, bool *unchanged,
                               adam_error *error) {
  (void)memory;
  (void)lost_start;
  *unchanged = in->n_bytes == 0;
  if (*unchanged) return ADAM_OK;
  am_buf_append(out, step->content, step->content_bytes);
  am_buf_append(out, in->text, in->n_bytes);
  return done(out, error);
}

static adam_status run_byte_level(const am_normalizer_step *step, const am_normalized *in,
                                  am_stage_memory *memory, am_buf *out, bool *lost_start, bool *unchanged,
                                  adam_error *error) {
  (void)step;
  (void)memory;
  (void)lost_start;
  (void)unchanged;
  if (!am_buf_reserve(out, 2 * in->n_bytes)) return am_fail_memory(error, "tokenizer");
  if (in->n_bytes > 0) out->len += am_alphabet_spell_bytes(in->text, in->n_bytes, out->data + out->len);
  return ADAM_OK;
}

/* The spaces and controls of NMT's own rules. */
static adam_status run_nmt(const am_normalizer_step *step, const am_normalized *in, am_stage_memory *memory,
                           am_buf *out, bool *lost_start, bool *unchanged, adam_error *error) {
  (void)step;
  (void)memory;
  (void)unchanged;
  for (size_t p = 0; p < in->n_bytes;) {
    uint32_t c;
    size_t length = am_unicode_next((const uint8_t *)in->text + p, &c);
    bool dropped =
        (c >= 1 && c <= 8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F || c == 0x8F || c == 0x9F;
    bool blank = c == 9 || c == 0xA || c == 0xC || c == 0xD || c == 0x1680 || (c >= 0x200B && c <= 0x200F) ||
                 c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xFEFF || c == 0xFFFD;
    if (dropped)
      *lost_start |= p == 0;
    else if (blank)
      am_buf_append_char(out, ' ');
    else
      am_buf_append(out, in->text + p, length);
    p += length;
  }
  return done(out, error);
}

/* strip_accents null or absent: as lowercase. */
static adam_status read_bert(const am_json *json, am_normalizer_step *step, adam_error *error) {
  (void)error;
  step->bert.clean = am_json_bool(am_json_get(json, "clean_text"), true);
  step->bert.chinese = am_json_bool(am_json_get(json, "handle_chinese_chars"), true);
  step->bert.lower = am_json_bool(am_json_get(json, "lowercase"), true);
  step->bert.accents = am_json_bool(am_json_get(json, "strip_accents"), step->bert.lower);
  return ADAM_OK;
}

static adam_status run_bert(const am_normalizer_step *step, const am_normalized *in, am_stage_memory *memory,
                            am_buf *out, bool *lost_start, bool *unchanged, adam_error *error) {
  (void)unchanged;
  bool ok = am_bert_normal(step->bert, in->text, in->n_bytes, memory, out, lost_start);
  return ok ? ADAM_OK : am_fail_memory(error, "tokenizer");
}

static adam_status read_precompiled(const am_json *json, am_normalizer_step *step, adam_error *error) {
  const am_json *text = am_json_get(json, "precompiled_charsmap");
  if (!text || text->type != AM_JSON_STRING) return bad_field(error, "Precompiled", "precompiled_charsmap");
  return am_charsmap_open(text->as.string, text->n, &step->charsmap, error);
}

static adam_status run_precompiled(const am_normalizer_step *step, const am_normalized *in,
                                   am_stage_memory *memory, am_buf *out, bool *lost_start, bool *unchanged,
                                   adam_error *error) {
  (void)memory;
  (void)lost_start;
  (void)unchanged;
  bool ok = am_charsmap_run(step->charsmap, in->text, in->n_bytes, out);
  return ok ? ADAM_OK : am_fail_memory(error, "tokenizer");
}

static const am_normalizer_row rows[] = {
    {"NFC", AM_FORM_NFC, read_nothing, run_form},
    {"NFD", AM_FORM_NFD, read_nothing, run_form},
    {"NFKC", AM_FORM_NFKC, read_nothing, run_form},
    {"NFKD", AM_FORM_NFKD, read_nothing, run_form},
    {"Lowercase", 0, read_nothing, run_lowercase},
    {"Strip", 0, read_strip, run_strip},
    {"StripAccents", 0, read_nothing, run_strip_accents},
    {"Replace", 0, read_replace, run_replace},
    {"Prepend", 0, read_prepend, run_prepend},
    {"ByteLevel", 0, read_nothing, run_byte_level},
    {"Nmt", 0, read_nothing, run_nmt},
    {"BertNormalizer", 0, read_bert, run_bert},
    {"Precompiled", 0, read_precompiled, run_precompiled},
};

static adam_status add_steps(const am_json *json, am_normalizer *out, int depth, adam_error *error) {
  const char *type = am_json_str(am_json_get(json, "type"), "");
  if (strcmp(type, "Sequence") == 0) {
    const am_json *list = am_json_get(json, "normalizers");
    if (!list || list->type != AM_JSON_ARRAY || depth > 8) return bad_field(error, type, "normalizers");
    for (size_t i = 0; i < list->n; i++) {
      adam_status status = add_steps(&list->as.items[i], out, depth + 1, error);
      if (status != ADAM_OK) return status;
    }
    return ADAM_OK;
  }
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    if (strcmp(rows[i].type, type) != 0) continue;
    if (out->n == MAX_STEPS) return am_fail(error, ADAM_LIMIT, "tokenizer", NULL, "too many normalizers");
    am_normalizer_step *steps = am_grow(out->steps, out->n, 1, &out->capacity, sizeof *steps);
    if (!steps) return am_fail_memory(error, "tokenizer");
    out->steps = steps;
    steps[out->n] = (am_normalizer_step){.row = &rows[i]};
    return rows[i].read(json, &steps[out->n++], error);
  }
  return am_fail(error, ADAM_UNSUPPORTED, "tokenizer", NULL, "normalizer type \"%.60s\"", type);
}

adam_status am_normalizer_open(const am_json *json, am_normalizer *out, adam_error *error) {
  am_normalizer made = {0};
  adam_status status = am_json_is_null(json) ? ADAM_OK : add_steps(json, &made, 0, error);
  if (status == ADAM_OK)
    *out = made;
  else
    am_normalizer_close(&made);
  return status;
}

void am_normalizer_close(am_normalizer *normalizer) {
  for (size_t i = 0; i < normalizer->n; i++) {
    am_regex_close(&normalizer->steps[i].regex);
    am_mem_free(normalizer->steps[i].content);
    am_charsmap_close(&normalizer->steps[i].charsmap);
  }
  am_mem_free(normalizer->steps);
  *normalizer = (am_normalizer){0};
}

adam_status am_normalizer_run(const am_normalizer *normalizer, const char *text, size_t n_bytes,
                              am_stage_memory *memory, am_normalized *out, adam_error *error) {
  am_normalized now = {text, n_bytes, false};
  int next = 0;
  for (size_t i = 0; i < normalizer->n; i++) {
    const am_normalizer_step *step = &normalizer->steps[i];
    am_buf *buf = &memory->normalized[next];
    bool lost_start = false, unchanged = false;
    am_buf_clear(buf);
    adam_status status = step->row->run(step, &now, memory, buf, &lost_start, &unchanged, error);
    if (status != ADAM_OK) return status;
    now.lost_start |= lost_start;
    if (unchanged) continue;
    if (buf->len > MAX_BYTES)
      return am_fail(error, ADAM_LIMIT, "tokenizer", NULL, "the normalised text grew beyond 1 GiB");
    now.text = buf->data ? buf->data : "";
    now.n_bytes = buf->len;
    next = !next;
  }
  *out = now;
  return ADAM_OK;
}

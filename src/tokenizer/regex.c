/* SPDX-License-Identifier: Apache-2.0 */
#include "tokenizer/regex.h"

#include "base/mem.h"
#include "tokenizer/unicode.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <string.h>

#define MATCH_LIMIT 4000000u
#define HEAP_LIMIT_KIB 65536u
#define JIT_STACK_START (32u << 10)
#define JIT_STACK_LIMIT (4u << 20)

struct am_regex {
  char *pattern; /* owned, NUL-terminated */
  size_t n_bytes;
  bool literal;
  pcre2_code *code; /* NULL for a literal */
};

struct am_matcher {
  pcre2_general_context *general;
  pcre2_match_context *context;
  pcre2_match_data *data;
  pcre2_jit_stack *stack;
};

static void *pcre_alloc(size_t n_bytes, void *unused) {
  (void)unused;
  return am_mem_alloc(n_bytes);
}

static void pcre_free(void *p, void *unused) {
  (void)unused;
  am_mem_free(p);
}

static adam_status compile(am_regex *regex, const char *text, size_t n_bytes, adam_error *error) {
  adam_status status = ADAM_NO_MEMORY;
  pcre2_compile_context *context = NULL;
  pcre2_general_context *general = pcre2_general_context_create(pcre_alloc, pcre_free, NULL);
  if (general) context = pcre2_compile_context_create(general);
  if (context) {
    int code = 0;
    PCRE2_SIZE offset = 0;
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    pcre2_set_parens_nest_limit(context, 100);
    regex->code = pcre2_compile((PCRE2_SPTR)text, n_bytes,
                                PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &code,
                                &offset, context);
    if (regex->code) {
      (void)pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE); /* without it: slower, not wrong */
      status = ADAM_OK;
    } else if (code != PCRE2_ERROR_HEAP_FAILED) {
      PCRE2_UCHAR words[160] = {0};
      pcre2_get_error_message(code, words, sizeof words);
      status = am_fail(error, ADAM_UNSUPPORTED, "tokenizer regex", NULL, "`%.200s`: %s at byte %zu",
                       regex->pattern, (const char *)words, (size_t)offset);
    }
  }
  if (context) pcre2_compile_context_free(context);
  if (general) pcre2_general_context_free(general);
  return status == ADAM_NO_MEMORY ? am_fail_memory(error, "tokenizer regex") : status;
}

adam_status am_regex_open(const char *pattern, size_t n_bytes, bool literal, am_regex **out,
                          adam_error *error) {
  adam_status status = ADAM_OK;
  am_buf rewritten = {0};
  const char *problem = NULL;
  am_regex *regex = am_mem_zalloc(1, sizeof *regex);
  if (regex) regex->pattern = am_mem_dup(pattern, n_bytes);
  if (!regex || !regex->pattern) {
    status = am_fail_memory(error, "tokenizer regex");
    goto done;
  }
  regex->n_bytes = n_bytes;
  regex->literal = literal;
  if (literal) goto done;
  if (!am_onig_rewrite(pattern, n_bytes, &rewritten, &problem))
    status = am_fail_memory(error, "tokenizer regex");
  else if (problem)
    status = am_fail(error, ADAM_UNSUPPORTED, "tokenizer regex", NULL, "`%.200s` uses %s", regex->pattern,
                     problem);
  else
    status = compile(regex, rewritten.data ? rewritten.data : "", rewritten.len, error);
done:
  am_buf_close(&rewritten);
  if (status == ADAM_OK)
    *out = regex;
  else
    am_regex_close(&regex);
  return status;
}

void am_regex_close(am_regex **regex) {
  if (!regex || !*regex) return;
  if ((*regex)->code) pcre2_code_free((*regex)->code);
  am_mem_free((*regex)->pattern);
  am_mem_free(*regex);
  *regex = NULL;
}

const char *am_regex_pattern(const am_regex *regex) { return regex->pattern; }

am_matcher *am_matcher_open(void) {
  am_matcher *matcher = am_mem_zalloc(1, sizeof *matcher);
  if (!matcher) return NULL;
  matcher->general = pcre2_general_context_create(pcre_alloc, pcre_free, NULL);
  if (matcher->general) {
    matcher->context = pcre2_match_context_create(matcher->general);
    matcher->data = pcre2_match_data_create(1, matcher->general);
    matcher->stack = pcre2_jit_stack_create(JIT_STACK_START, JIT_STACK_LIMIT, matcher->general);
  }
  if (!matcher->context || !matcher->data) {
    am_matcher_close(&matcher);
    return NULL;
  }
  pcre2_set_match_limit(matcher->context, MATCH_LIMIT);
  pcre2_set_heap_limit(matcher->context, HEAP_LIMIT_KIB);
  if (matcher->stack) pcre2_jit_stack_assign(matcher->context, NULL, matcher->stack);
  return matcher;
}

void am_matcher_close(am_matcher **matcher) {
  if (!matcher || !*matcher) return;
  am_matcher *m = *matcher;
  if (m->stack) pcre2_jit_stack_free(m->stack);
  if (m->data) pcre2_match_data_free(m->data);
  if (m->context) pcre2_match_context_free(m->context);
  if (m->general) pcre2_general_context_free(m->general);
  am_mem_free(m);
  *matcher = NULL;
}

am_regex_scan am_regex_begin(const am_regex *regex, am_matcher *matcher, const char *text, size_t n_bytes) {
  return (am_regex_scan){regex, matcher, text, n_bytes, 0, SIZE_MAX};
}

static adam_status next_literal(am_regex_scan *scan, bool *found, size_t *start, size_t *end) {
  const am_regex *regex = scan->regex;
  *found = false;
  if (regex->n_bytes == 0) { /* an empty pattern matches at every border between characters */
    if (scan->last_end != SIZE_MAX) {
      if (scan->position >= scan->n_bytes) return ADAM_OK;
      uint32_t codepoint;
      scan->position += am_unicode_next((const uint8_t *)scan->text + scan->position, &codepoint);
    }
    *start = *end = scan->last_end = scan->position;
    *found = true;
    return ADAM_OK;
  }
  const char *hit =
      memmem(scan->text + scan->position, scan->n_bytes - scan->position, regex->pattern, regex->n_bytes);
  if (!hit) return ADAM_OK;
  *start = (size_t)(hit - scan->text);
  *end = scan->position = scan->last_end = *start + regex->n_bytes;
  *found = true;
  return ADAM_OK;
}

adam_status am_regex_next(am_regex_scan *scan, bool *found, size_t *start, size_t *end, adam_error *error) {
  if (scan->regex->literal) return next_literal(scan, found, start, end);
  am_matcher *matcher = scan->matcher;
  *found = false;
  while (scan->position <= scan->n_bytes) {
    int code = pcre2_match(scan->regex->code, (PCRE2_SPTR)scan->text, scan->n_bytes, scan->position,
                           PCRE2_NO_UTF_CHECK, matcher->data, matcher->context);
    if (code == PCRE2_ERROR_JIT_STACKLIMIT)
      code = pcre2_match(scan->regex->code, (PCRE2_SPTR)scan->text, scan->n_bytes, scan->position,
                         PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, matcher->data, matcher->context);
    if (code == PCRE2_ERROR_NOMATCH) return ADAM_OK;
    if (code == PCRE2_ERROR_NOMEMORY) return am_fail_memory(error, "tokenizer regex");
    if (code < 0)
      return am_fail(error, ADAM_LIMIT, "tokenizer regex", NULL,
                     "`%.200s` needs too many steps on this text (PCRE2 error %d)", scan->regex->pattern,
                     code);
    const PCRE2_SIZE *ovector = pcre2_get_ovector_pointer(matcher->data);
    size_t from = ovector[0], to = ovector[1];
    if (from > to) from = to; /* \K inside of a lookahead */
    if (from == to && scan->last_end == to) {
      if (scan->position >= scan->n_bytes) return ADAM_OK;
      uint32_t codepoint;
      scan->position += am_unicode_next((const uint8_t *)scan->text + scan->position, &codepoint);
      continue;
    }
    scan->position = scan->last_end = to;
    *start = from;
    *end = to;
    *found = true;
    return ADAM_OK;
  }
  return ADAM_OK;
}

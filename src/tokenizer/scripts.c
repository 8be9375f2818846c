/* SPDX-License-Identifier: Apache-2.0 */
#include "tokenizer/scripts.h"

#include "tokenizer/unicode.h"

#include "tokenizer/script_data.h"

static int script_of(uint32_t codepoint) {
  int script = am_unicode_range_value(scripts, sizeof scripts / sizeof scripts[0], codepoint);
  return script ? script : SCRIPT_REST;
}

bool am_scripts_cut(const char *text, const am_span *span, am_spans *out) {
  int last = SCRIPT_JOINER; /* none so far */
  size_t start = span->end, next;
  for (size_t p = span->start; p < span->end; p = next) {
    uint32_t codepoint;
    next = p + am_unicode_next((const uint8_t *)text + p, &codepoint);
    int script = script_of(codepoint);
    if (script == SCRIPT_JOINER || script == last) continue;
    if (last != SCRIPT_JOINER && !am_spans_add(out, start, p, span->first && start == span->start))
      return false;
    start = p;
    last = script;
  }
  return am_spans_add(out, start, span->end, span->first && start == span->start);
}

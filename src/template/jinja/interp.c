/* SPDX-License-Identifier: Apache-2.0 */
#include "template/jinja/interp.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "base/utf8.h"

bool am_jinja_raise(am_jinja *jinja, const char *format, ...) {
  if (jinja->status) return false; /* the first cause counts */
  char why[440];
  va_list list;
  va_start(list, format);
  vsnprintf(why, sizeof why, format, list);
  va_end(list);
  jinja->status = am_fail(jinja->error, ADAM_TEMPLATE, jinja->name, NULL, "line %u: %s", jinja->line, why);
  return false;
}

bool am_jinja_limit(am_jinja *jinja, const char *what, const char *hint) {
  if (!jinja->status)
    jinja->status = am_fail(jinja->error, ADAM_LIMIT, jinja->name, hint, "line %u: %s", jinja->line, what);
  return false;
}

bool am_jinja_charge(am_jinja *jinja, uint64_t n) {
  if (n <= jinja->steps_left) {
    jinja->steps_left -= n;
    return true;
  }
  jinja->steps_left = 0;
  return am_jinja_limit(jinja, "the template does too much work", "it may loop without end");
}

bool am_jinja_stack_ok(am_jinja *jinja) {
  const char *here = __builtin_frame_address(0);
  size_t used = here < jinja->stack_start ? (size_t)(jinja->stack_start - here) : 0;
  if (used < AM_JINJA_STACK_BYTES) return true;
  return am_jinja_raise(jinja, "the template or its data is nested too deep");
}

void *am_jinja_alloc(am_jinja *jinja, size_t count, size_t size) {
  size_t n_bytes = 0;
  if (am_size_mul(count, size, &n_bytes)) {
    void *p = am_arena_alloc(&jinja->arena, n_bytes);
    if (p) return p;
  }
  size_t limit = jinja->arena.limit_bytes;
  /* the arena rounds up to 16 */
  if (limit && (n_bytes >= limit || count > limit || jinja->arena.used_bytes + 16 > limit - n_bytes))
    am_jinja_limit(jinja, "the template uses too much memory", NULL);
  else if (!jinja->status)
    jinja->status = am_fail_memory(jinja->error, jinja->name);
  return NULL;
}

bool am_jinja_raise_undefined(am_jinja *jinja, const am_jvalue *undefined) {
  return am_jinja_raise(jinja, "%s", undefined->as.undefined->message);
}

bool am_jinja_put(am_jinja *jinja, const char *data, size_t n_bytes) {
  if (n_bytes > jinja->max_output_bytes || jinja->out.len > jinja->max_output_bytes - n_bytes)
    return am_jinja_limit(jinja, "the template writes too much text", NULL);
  if (n_bytes >= 64 && !am_jinja_charge(jinja, n_bytes / 64)) return false;
  if (am_buf_append(&jinja->out, data, n_bytes)) return true;
  if (!jinja->status) jinja->status = am_fail_memory(jinja->error, jinja->name);
  return false;
}

bool am_jinja_put_text(am_jinja *jinja, const char *text) { return am_jinja_put(jinja, text, strlen(text)); }

bool am_jinja_put_repeated(am_jinja *jinja, const char *data, size_t n_bytes, uint64_t times) {
  if (!n_bytes || !times) return true;
  if (times > jinja->max_output_bytes / n_bytes)
    return am_jinja_limit(jinja, "the template writes too much text", NULL);
  char chunk[1024];
  size_t in_chunk = n_bytes < sizeof chunk ? sizeof chunk / n_bytes : 0;
  if (in_chunk > times) in_chunk = (size_t)times;
  for (size_t i = 0; i < in_chunk; i++) memcpy(chunk + i * n_bytes, data, n_bytes);
  for (; in_chunk && times >= in_chunk; times -= in_chunk)
    if (!am_jinja_put(jinja, chunk, in_chunk * n_bytes)) return false;
  for (; times; times--)
    if (!am_jinja_put(jinja, data, n_bytes)) return false;
  return true;
}

bool am_jinja_put_codepoint(am_jinja *jinja, uint32_t codepoint) {
  char bytes[4];
  int n = am_utf8_encode(codepoint, bytes);
  if (n <= 0) n = am_utf8_encode(AM_UTF8_REPLACEMENT, bytes);
  return am_jinja_put(jinja, bytes, (size_t)n);
}

bool am_jinja_cut(am_jinja *jinja, size_t mark, am_jvalue *out) {
  if (!am_jstring_copy(jinja, jinja->out.data ? jinja->out.data + mark : "", jinja->out.len - mark, out))
    return false;
  am_jinja_drop(jinja, mark);
  return true;
}

void am_jinja_drop(am_jinja *jinja, size_t mark) {
  jinja->out.len = mark;
  if (jinja->out.data) jinja->out.data[mark] = 0;
}

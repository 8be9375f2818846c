/* SPDX-License-Identifier: Apache-2.0 */
/* The wordwrap filter: Python's textwrap.wrap for each line of the text. */
#include "template/jinja/filters.h"

#include <string.h>

#include "template/jinja/attribute.h"
#include "template/jinja/eval.h"
#include "template/jinja/iterate.h"
#include "template/jinja/text.h"
#include "template/jinja/unicode.h"

/* The line as code points: the rules look around freely. */
typedef struct wrapper {
  am_jinja *jinja;
  const am_jvalue *line;
  uint32_t *codes;
  size_t n;
  int64_t width;
  bool break_long, break_hyphens;
  const am_jstring *separator;
  bool wrote; /* a line of the result is out */
} wrapper;

static bool is_blank(uint32_t c) { return c == ' ' || (c >= 9 && c <= 13); }
static bool is_word(uint32_t c) { return c == '_' || am_unicode_is_alpha(c) || am_unicode_is_numeric(c); }
static bool is_letter(uint32_t c) { return is_word(c) && !am_unicode_is_decimal(c); }
static bool is_word_or_mark(uint32_t c) {
  return is_word(c) || (c < 0x80 && c && strchr("!\"'&.,?", (int)c));
}

/* -{2,} before a word character, at i: how many; 0 for none. */
static size_t em_dash(const wrapper *w, size_t i) {
  size_t end = i;
  while (end < w->n && w->codes[end] == '-') end++;
  return end - i >= 2 && end < w->n && is_word(w->codes[end]) ? end - i : 0;
}

/* A hyphen at j after which a word may break. */
static bool breaks_at_hyphen(const wrapper *w, size_t j) {
  const uint32_t *c = w->codes;
  if (c[j] != '-') return false;
  bool before = (j >= 2 && is_letter(c[j - 1]) && is_letter(c[j - 2])) ||
                (j >= 3 && is_letter(c[j - 1]) && c[j - 2] == '-' && is_letter(c[j - 3]));
  if (!before || j + 2 >= w->n || !is_letter(c[j + 1])) return false;
  return is_letter(c[j + 2]) || (c[j + 2] == '-' && j + 3 < w->n && is_letter(c[j + 3]));
}

/* The end of the chunk that begins at i (textwrap's wordsep_re and wordsep_simple_re). */
static size_t chunk_end(const wrapper *w, size_t i) {
  const uint32_t *c = w->codes;
  size_t j = i;
  if (is_blank(c[i])) {
    while (j < w->n && is_blank(c[j])) j++;
    return j;
  }
  if (!w->break_hyphens) {
    while (j < w->n && !is_blank(c[j])) j++;
    return j;
  }
  size_t dashes = i > 0 && is_word_or_mark(c[i - 1]) ? em_dash(w, i) : 0;
  if (dashes) return i + dashes;
  for (j = i + 1;; j++) {
    if (j >= w->n || is_blank(c[j])) return j;
    if (breaks_at_hyphen(w, j)) return j + 1;
    if (is_word_or_mark(c[j - 1]) && em_dash(w, j)) return j;
  }
}

typedef struct chunk {
  size_t start, end;
} chunk;

static bool is_space_chunk(const wrapper *w, chunk k) {
  for (size_t i = k.start; i < k.end; i++)
    if (!am_unicode_is_space(w->codes[i])) return false;
  return true;
}

/* How much of a chunk that fits on no line goes on this one. */
static size_t long_word_cut(const wrapper *w, chunk k, size_t space) {
  if (!w->break_hyphens || k.end - k.start <= space) return space;
  size_t hyphen = 0;
  for (size_t i = 1; i < space; i++)
    if (w->codes[k.start + i] == '-') hyphen = i;
  for (size_t i = 0; i < hyphen; i++)
    if (w->codes[k.start + i] != '-') return hyphen + 1;
  return space;
}

static bool put_line(wrapper *w, size_t start, size_t end) {
  am_jvalue part;
  if (w->wrote && !am_jinja_put(w->jinja, w->separator->data, w->separator->n_bytes)) return false;
  w->wrote = true;
  return am_jstring_part(w->jinja, w->line, start, end, &part) &&
         am_jinja_put(w->jinja, part.as.string->data, part.as.string->n_bytes);
}

static bool wrap_chunks(wrapper *w, chunk *chunks, size_t n) {
  bool has_lines = false;
  size_t width = (size_t)w->width;
  for (size_t i = 0; i < n;) {
    size_t first, last, used = 0;
    if (has_lines && is_space_chunk(w, chunks[i]) && ++i == n) break;
    first = last = chunks[i].start;
    size_t line_first_chunk = i, before_last = first;
    for (; i < n && used + (chunks[i].end - chunks[i].start) <= width; i++) {
      used += chunks[i].end - chunks[i].start;
      before_last = last;
      last = chunks[i].end;
    }
    bool cut_word = false;
    if (i < n && chunks[i].end - chunks[i].start > width) {
      if (w->break_long) {
        size_t cut = long_word_cut(w, chunks[i], width - used);
        before_last = last;
        last = chunks[i].start += cut;
        cut_word = true;
      } else if (i == line_first_chunk) {
        last = chunks[i++].end;
      }
    }
    chunk tail = {before_last, last};
    if ((i > line_first_chunk || cut_word) && tail.end > tail.start && is_space_chunk(w, tail))
      last = before_last;
    if (last == first && !(cut_word && i == line_first_chunk)) continue;
    if (!am_jinja_charge(w->jinja, 1) || !put_line(w, first, last)) return false;
    has_lines = true;
  }
  return true;
}

static bool wrap_line(wrapper *w, const am_jvalue *line) {
  const am_jstring *s = line->as.string;
  w->line = line;
  w->n = 0;
  w->codes = am_jinja_alloc(w->jinja, s->n_chars + 1, sizeof *w->codes);
  chunk *chunks = am_jinja_alloc(w->jinja, s->n_chars + 1, sizeof *chunks);
  if (!w->codes || !chunks || !am_jinja_charge(w->jinja, s->n_bytes)) return false;
  for (size_t i = 0; i < s->n_bytes;) w->codes[w->n++] = am_unicode_next(s->data, s->n_bytes, &i);
  size_t n = 0;
  for (size_t i = 0; i < w->n; n++) {
    chunks[n] = (chunk){i, chunk_end(w, i)};
    i = chunks[n].end;
  }
  return wrap_chunks(w, chunks, n);
}

bool am_jfilter_wordwrap(am_jinja *jinja, const am_jvalue *value, const am_jargs *args, am_jvalue *out) {
  static const char *const params[] = {"width", "break_long_words", "wrapstring", "break_on_hyphens"};
  am_jvalue given[4];
  am_jlist *lines = NULL;
  if (!am_jargs_bind(jinja, "do_wordwrap", args, params, 4, 0, given)) return false;
  if (value->kind == AM_J_UNDEFINED) return am_jinja_raise_undefined(jinja, value);
  if (value->kind != AM_J_STRING)
    return am_jinja_raise(jinja, "'%s' object has no attribute 'splitlines'", am_jvalue_type(value));
  wrapper w = {.jinja = jinja, .width = 79};
  w.break_long = given[1].kind == AM_J_MISSING || am_jvalue_truth(&given[1]);
  w.break_hyphens = given[3].kind == AM_J_MISSING || am_jvalue_truth(&given[3]);
  if (given[0].kind != AM_J_MISSING && !am_jvalue_as_int(&given[0], &w.width))
    return am_jinja_raise(jinja, "the width must be an integer");
  if ((given[2].kind == AM_J_MISSING || given[2].kind == AM_J_NONE) &&
      !am_jstring_text(jinja, "\n", &given[2]))
    return false;
  if (given[2].kind != AM_J_STRING)
    return am_jinja_raise(jinja, "'%s' object has no attribute 'join'", am_jvalue_type(&given[2]));
  w.separator = given[2].as.string;
  am_jvalue plain = *value;
  plain.marked = false;
  if (!am_jtext_lines(jinja, &plain, false, &lines)) return false;
  if (w.width <= 0 && lines->n)
    return am_jinja_raise(jinja, "invalid width %lld (must be > 0)", (long long)w.width);
  size_t mark = am_jinja_mark(jinja);
  for (size_t i = 0; i < lines->n; i++) {
    if (i && !am_jinja_put(jinja, w.separator->data, w.separator->n_bytes)) return false;
    w.wrote = false;
    if (!wrap_line(&w, &lines->items[i])) return false;
  }
  return am_jinja_cut(jinja, mark, out);
}

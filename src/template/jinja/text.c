/* SPDX-License-Identifier: Apache-2.0 */
#include "template/jinja/text.h"

#include <string.h>

#include "template/jinja/unicode.h"

bool am_jtext_bytes(am_jinja *jinja, const am_jvalue *text, size_t start, size_t end, am_jvalue *out) {
  bool marked = text->marked;
  if (!am_jstring_view(jinja, text->as.string->data + start, end - start, out)) return false;
  out->marked = marked;
  return true;
}

/* --- case --- */
/* A capital sigma at the end of a word becomes the final one (Unicode's Final_Sigma). */
static uint32_t lower_sigma(const am_jstring *s, size_t start, size_t end) {
  uint32_t c = 0;
  bool final = false;
  while (start > 0) {
    c = am_unicode_previous(s->data, &start);
    if (am_unicode_is_case_ignorable(c)) continue;
    final = am_unicode_is_cased(c);
    break;
  }
  while (final && end < s->n_bytes) {
    c = am_unicode_next(s->data, s->n_bytes, &end);
    if (am_unicode_is_case_ignorable(c)) continue;
    final = !am_unicode_is_cased(c);
    break;
  }
  return final ? 0x3C2 : 0x3C3;
}

static int map_char(const am_jstring *s, size_t start, size_t end, uint32_t c, am_jcase how,
                    uint32_t out[3]) {
  switch (how) {
    case AM_JCASE_UPPER:
      return am_unicode_upper(c, out);
    case AM_JCASE_FOLD:
      return am_unicode_fold(c, out);
    case AM_JCASE_TITLE:
      return am_unicode_title(c, out);
    default:
      if (c != 0x3A3) return am_unicode_lowercase(c, out);
      out[0] = lower_sigma(s, start, end);
      return 1;
  }
}

/* What happens to this character, given where it stands. */
static am_jcase case_here(am_jcase how, uint32_t c, bool first, bool after_cased) {
  switch (how) {
    case AM_JCASE_CAPITAL:
      return first ? AM_JCASE_TITLE : AM_JCASE_LOWER;
    case AM_JCASE_TITLE:
      return after_cased ? AM_JCASE_LOWER : AM_JCASE_TITLE;
    case AM_JCASE_SWAP:
      return am_unicode_is_upper(c)   ? AM_JCASE_LOWER
             : am_unicode_is_lower(c) ? AM_JCASE_UPPER
                                      : AM_JCASE_SWAP;
    default:
      return how;
  }
}

static bool put_case(am_jinja *jinja, const am_jstring *s, size_t start, size_t end, am_jcase how) {
  bool after_cased = false;
  size_t first = start;
  while (start < end) {
    size_t at = start;
    uint32_t c = am_unicode_next(s->data, end, &start), mapped[3];
    am_jcase here = case_here(how, c, at == first, after_cased);
    after_cased = am_unicode_is_cased(c);
    if (here == AM_JCASE_SWAP) {
      if (!am_jinja_put(jinja, s->data + at, start - at)) return false;
      continue;
    }
    int n = map_char(s, at, start, c, here, mapped);
    for (int i = 0; i < n; i++)
      if (!am_jinja_put_codepoint(jinja, mapped[i])) return false;
  }
  return true;
}

bool am_jtext_put_lower(am_jinja *jinja, const am_jstring *s, size_t start, size_t end) {
  return am_jinja_charge(jinja, (end - start) / 4) && put_case(jinja, s, start, end, AM_JCASE_LOWER);
}

bool am_jtext_case(am_jinja *jinja, const am_jvalue *text, am_jcase how, am_jvalue *out) {
  const am_jstring *s = text->as.string;
  size_t mark = am_jinja_mark(jinja);
  bool marked = text->marked;
  if (!am_jinja_charge(jinja, s->n_bytes / 4) || !put_case(jinja, s, 0, s->n_bytes, how) ||
      !am_jinja_cut(jinja, mark, out))
    return false;
  out->marked = marked;
  return true;
}

/* --- search --- */
static size_t find_last(am_jinja *jinja, const am_jstring *text, const am_jstring *part, size_t start,
                        size_t end) {
  if (end - start < part->n_bytes) return SIZE_MAX;
  for (size_t at = end - part->n_bytes + 1; at-- > start;) {
    if (at % 64 == 0 && !am_jinja_charge(jinja, 1 + part->n_bytes)) return SIZE_MAX;
    if (memcmp(text->data + at, part->data, part->n_bytes) == 0) return at;
  }
  return SIZE_MAX;
}

size_t am_jtext_find(am_jinja *jinja, const am_jstring *text, const am_jstring *part, size_t start,
                     size_t end, bool from_right) {
  if (start > end) return SIZE_MAX;
  if (!part->n_bytes) return from_right ? end : start;
  if (from_right) return find_last(jinja, text, part, start, end);
  const char *found = memmem(text->data + start, end - start, part->data, part->n_bytes);
  return found ? (size_t)(found - text->data) : SIZE_MAX;
}

/* --- strip --- */
static bool strips(const am_jvalue *chars, uint32_t c) {
  if (chars->kind != AM_J_STRING) return am_unicode_is_space(c);
  const am_jstring *s = chars->as.string;
  for (size_t i = 0; i < s->n_bytes;)
    if (am_unicode_next(s->data, s->n_bytes, &i) == c) return true;
  return false;
}

bool am_jtext_strip(am_jinja *jinja, const am_jvalue *text, const am_jvalue *chars, bool left, bool right,
                    am_jvalue *out) {
  const am_jstring *s = text->as.string;
  size_t start = 0, end = s->n_bytes;
  uint64_t cost = chars->kind == AM_J_STRING ? chars->as.string->n_bytes / 8 + 1 : 0;
  while (left && start < end) {
    size_t next = start;
    if (!am_jinja_charge(jinja, cost)) return false;
    if (!strips(chars, am_unicode_next(s->data, end, &next))) break;
    start = next;
  }
  while (right && end > start) {
    size_t previous = end;
    if (!am_jinja_charge(jinja, cost)) return false;
    if (!strips(chars, am_unicode_previous(s->data, &previous))) break;
    end = previous;
  }
  return am_jtext_bytes(jinja, text, start, end, out);
}

/* --- replace --- */
static bool replace_empty(am_jinja *jinja, const am_jstring *s, const am_jstring *new, uint64_t count) {
  size_t i = 0;
  for (; count > 0; count--) {
    size_t start = i;
    if (!am_jinja_put(jinja, new->data, new->n_bytes)) return false;
    if (i >= s->n_bytes) return true;
    am_unicode_next(s->data, s->n_bytes, &i);
    if (!am_jinja_put(jinja, s->data + start, i - start)) return false;
  }
  return am_jinja_put(jinja, s->data + i, s->n_bytes - i);
}

bool am_jtext_replace(am_jinja *jinja, const am_jvalue *text, const am_jstring *old, const am_jstring *new,
                      int64_t count, am_jvalue *out) {
  const am_jstring *s = text->as.string;
  uint64_t left = count < 0 ? UINT64_MAX : (uint64_t)count;
  size_t mark = am_jinja_mark(jinja), done = 0;
  bool marked = text->marked;
  if (!am_jinja_charge(jinja, s->n_bytes / 64)) return false;
  if (!old->n_bytes) {
    if (!replace_empty(jinja, s, new, left)) return false;
    done = s->n_bytes;
  }
  while (old->n_bytes && left > 0) {
    size_t at = am_jtext_find(jinja, s, old, done, s->n_bytes, false);
    if (at == SIZE_MAX) break;
    if (!am_jinja_charge(jinja, 1) || !am_jinja_put(jinja, s->data + done, at - done) ||
        !am_jinja_put(jinja, new->data, new->n_bytes))
      return false;
    done = at + old->n_bytes;
    left--;
  }
  if (!am_jinja_put(jinja, s->data + done, s->n_bytes - done) || !am_jinja_cut(jinja, mark, out))
    return false;
  out->marked = marked;
  return true;
}

/* --- split --- */
static bool push_bytes(am_jinja *jinja, const am_jvalue *text, size_t start, size_t end, am_jlist *list) {
  am_jvalue part;
  return am_jinja_charge(jinja, 1) && am_jtext_bytes(jinja, text, start, end, &part) &&
         am_jlist_push(jinja, list, part);
}

static bool split_at(am_jinja *jinja, const am_jvalue *text, const am_jstring *separator, uint64_t limit,
                     bool from_right, am_jlist *list) {
  const am_jstring *s = text->as.string;
  size_t start = 0, end = s->n_bytes;
  for (; limit > 0; limit--) {
    size_t at = am_jtext_find(jinja, s, separator, start, end, from_right);
    if (at == SIZE_MAX) break;
    bool ok = from_right ? push_bytes(jinja, text, at + separator->n_bytes, end, list)
                         : push_bytes(jinja, text, start, at, list);
    if (!ok) return false;
    if (from_right)
      end = at;
    else
      start = at + separator->n_bytes;
  }
  return push_bytes(jinja, text, start, end, list);
}

static size_t skip_right(const am_jstring *s, size_t start, size_t end, bool spaces) {
  while (end > start) {
    size_t previous = end;
    if (am_unicode_is_space(am_unicode_previous(s->data, &previous)) != spaces) break;
    end = previous;
  }
  return end;
}

static size_t skip_left(const am_jstring *s, size_t start, size_t end, bool spaces) {
  while (start < end) {
    size_t next = start;
    if (am_unicode_is_space(am_unicode_next(s->data, end, &next)) != spaces) break;
    start = next;
  }
  return start;
}

static bool split_blanks(am_jinja *jinja, const am_jvalue *text, uint64_t limit, bool from_right,
                         am_jlist *list) {
  const am_jstring *s = text->as.string;
  size_t start = 0, end = s->n_bytes;
  for (;; limit--) {
    if (from_right)
      end = skip_right(s, start, end, true);
    else
      start = skip_left(s, start, end, true);
    if (start == end) return true;
    if (limit == 0) return push_bytes(jinja, text, start, end, list);
    size_t cut = from_right ? skip_right(s, start, end, false) : skip_left(s, start, end, false);
    if (!(from_right ? push_bytes(jinja, text, cut, end, list) : push_bytes(jinja, text, start, cut, list)))
      return false;
    if (from_right)
      end = cut;
    else
      start = cut;
  }
}

bool am_jtext_split(am_jinja *jinja, const am_jvalue *text, const am_jvalue *separator, int64_t limit,
                    bool from_right, am_jlist **out) {
  uint64_t left = limit < 0 ? UINT64_MAX : (uint64_t)limit;
  if (!am_jinja_charge(jinja, text->as.string->n_bytes / 32) || !am_jlist_new(jinja, 0, out)) return false;
  if (separator->kind == AM_J_NONE) {
    if (!split_blanks(jinja, text, left, from_right, *out)) return false;
  } else if (separator->kind != AM_J_STRING) {
    return am_jinja_raise(jinja, "must be str or None, not %s", am_jvalue_type(separator));
  } else if (!separator->as.string->n_bytes) {
    return am_jinja_raise(jinja, "empty separator");
  } else if (!split_at(jinja, text, separator->as.string, left, from_right, *out)) {
    return false;
  }
  am_jlist *list = *out;
  for (size_t i = 0; from_right && i < list->n / 2; i++) {
    am_jvalue swap = list->items[i];
    list->items[i] = list->items[list->n - 1 - i];
    list->items[list->n - 1 - i] = swap;
  }
  return true;
}

bool am_jtext_lines(am_jinja *jinja, const am_jvalue *text, bool keep_ends, am_jlist **out) {
  const am_jstring *s = text->as.string;
  if (!am_jlist_new(jinja, 0, out)) return false;
  for (size_t start = 0, i = 0; i < s->n_bytes;) {
    size_t at = i;
    uint32_t c = am_unicode_next(s->data, s->n_bytes, &i);
    bool is_break = am_unicode_is_line_break(c);
    if (is_break && c == '\r' && i < s->n_bytes && s->data[i] == '\n') i++;
    if (!is_break && i < s->n_bytes) continue;
    if (!push_bytes(jinja, text, start, is_break && !keep_ends ? at : i, *out)) return false;
    start = i;
  }
  return am_jinja_charge(jinja, s->n_bytes / 16);
}

/* --- padding --- */
bool am_jtext_pad(am_jinja *jinja, const am_jvalue *text, int64_t width, const am_jstring *fill, char align,
                  am_jvalue *out) {
  const am_jstring *s = text->as.string;
  if (width <= (int64_t)s->n_chars) return *out = *text, true;
  uint64_t pad = (uint64_t)width - s->n_chars, left = 0;
  if (align == '>') left = pad;
  if (align == '^') left = pad / 2 + (pad & (uint64_t)width & 1);
  size_t mark = am_jinja_mark(jinja);
  bool marked = text->marked;
  if (!am_jinja_put_repeated(jinja, fill->data, fill->n_bytes, left) ||
      !am_jinja_put(jinja, s->data, s->n_bytes) ||
      !am_jinja_put_repeated(jinja, fill->data, fill->n_bytes, pad - left) || !am_jinja_cut(jinja, mark, out))
    return false;
  out->marked = marked;
  return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers. Without bounds: up to 16 digits, a fraction of up to 16, an exponent of up to 2, so that every
 * reader has the value; integers up to 18 digits. With bounds: decimals between them, digit by digit, of at
 * most 15 digits, which a double tells apart, and no exponent. "integer" and multipleOf are exact. */
#include "grammar/schema.h"

#include "base/error.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_DIGITS = 18, MOST_FACTOR = 1000, PLACES = 6, MOST_PLACES = 15 };

/* One bound, away from zero or towards it: digits before and behind the point. */
typedef struct bound {
  uint64_t whole;
  char places[MOST_PLACES + 1]; /* digits, no zeros at the end */
  bool open;                    /* the bound itself is not allowed */
} bound;

static uint64_t power10(unsigned n) {
  uint64_t value = 1;
  while (n-- > 0) value *= 10;
  return value;
}

static unsigned count_digits(uint64_t value) {
  unsigned n = 1;
  while (value >= 10) value /= 10, n++;
  return n;
}

/* Digits of numbers with `length` digits from low to high that leave no rest when divided by factor: one
 * state for each (place, still at low, still at high, rest so far). */
static void emit_digits(am_builder *b, uint64_t low, uint64_t high, unsigned length, uint32_t factor,
                        uint32_t from, uint32_t to) {
  uint32_t states[2][4][MOST_FACTOR];
  bool has[2][4][MOST_FACTOR];
  memset(has, 0, sizeof has);
  states[0][3][0] = from;
  has[0][3][0] = true;
  for (unsigned place = 0; place < length; place++) {
    unsigned now = place & 1, then = now ^ 1;
    uint64_t scale = power10(length - 1 - place);
    memset(has[then], 0, sizeof has[then]);
    for (unsigned tight = 0; tight < 4; tight++)
      for (uint32_t rest = 0; rest < factor; rest++) {
        if (!has[now][tight][rest]) continue;
        unsigned least = tight & 1 ? (unsigned)(low / scale % 10) : 0;
        unsigned most = tight & 2 ? (unsigned)(high / scale % 10) : 9;
        for (unsigned digit = least; digit <= most; digit++) {
          unsigned next_tight =
              (tight & 1 && digit == least ? 1u : 0) | (tight & 2 && digit == most ? 2u : 0);
          uint32_t next_rest = (rest * 10 + digit) % factor, target = to;
          if (place + 1 == length && next_rest != 0) continue;
          if (place + 1 < length) {
            if (!has[then][next_tight][next_rest]) states[then][next_tight][next_rest] = am_builder_state(b);
            has[then][next_tight][next_rest] = true;
            target = states[then][next_tight][next_rest];
          }
          am_builder_bytes(b, states[now][tight][rest], (uint8_t)('0' + digit), (uint8_t)('0' + digit),
                           target);
        }
      }
  }
}

/* Integers from low to high, both included. */
static void emit_integers(am_builder *b, uint64_t low, uint64_t high, uint32_t factor, uint32_t from,
                          uint32_t to) {
  for (unsigned length = count_digits(low); low <= high && length <= count_digits(high); length++) {
    uint64_t first = length > 1 ? power10(length - 1) : 0, last = power10(length) - 1;
    emit_digits(b, low > first ? low : first, high < last ? high : last, length, factor, from, to);
  }
}

static bool all_zeros(const char *digits) { return digits[strspn(digits, "0")] == 0; }

/* What may follow the whole part: nothing, or a point and digits, between two bounds (NULL = none). */
static void emit_places(am_builder *b, const bound *low, const bound *high, uint32_t from, uint32_t to) {
  const char *least = low ? low->places : "", *most = high ? high->places : "";
  size_t n = PLACES;
  if (strlen(least) + 1 > n) n = strlen(least) + 1;
  if (strlen(most) + 1 > n) n = strlen(most) + 1;
  if (n > MOST_PLACES) n = MOST_PLACES;
  bool low_met = !low || (all_zeros(least) && !low->open),
       high_met = !high || !(all_zeros(most) && high->open);
  if (low_met && high_met) am_builder_skip(b, from, to);
  if (high && all_zeros(most) && high->open) return;
  uint32_t states[4] = {0};
  bool has[4] = {false};
  has[(low ? 1 : 0) | (high ? 2 : 0)] = true;
  states[(low ? 1 : 0) | (high ? 2 : 0)] = am_builder_text(b, from, ".");
  for (size_t place = 0; place < n; place++) {
    uint32_t next[4] = {0};
    bool next_has[4] = {false};
    unsigned a = place < strlen(least) ? (unsigned)(least[place] - '0') : 0;
    unsigned z = place < strlen(most) ? (unsigned)(most[place] - '0') : 0;
    for (unsigned tight = 0; tight < 4; tight++)
      for (unsigned digit = tight & 1 ? a : 0; has[tight] && digit <= (tight & 2 ? z : 9); digit++) {
        unsigned t = (tight & 1 && digit == a ? 1u : 0) | (tight & 2 && digit == z ? 2u : 0);
        bool low_ends = place + 1 >= strlen(least), high_ends = place + 1 >= strlen(most);
        if (!next_has[t]) {
          next[t] = am_builder_state(b);
          next_has[t] = true;
          bool above = !(t & 1) || (low_ends && !low->open), below = !(t & 2) || !high_ends || !high->open;
          if (above && below) am_builder_skip(b, next[t], to);
        }
        am_builder_bytes(b, states[tight], (uint8_t)('0' + digit), (uint8_t)('0' + digit), next[t]);
      }
    memcpy(states, next, sizeof states);
    memcpy(has, next_has, sizeof has);
  }
}

/* Decimals from low to high, both without a sign. */
static void emit_decimals(am_builder *b, const bound *low, const bound *high, uint32_t from, uint32_t to) {
  uint32_t at_low = am_builder_state(b), at_high = am_builder_state(b), between = am_builder_state(b);
  if (low->whole > high->whole) return;
  emit_integers(b, low->whole, low->whole, 1, from, at_low);
  if (low->whole == high->whole) {
    emit_places(b, low, high, at_low, to);
    return;
  }
  emit_places(b, low, NULL, at_low, to);
  emit_integers(b, high->whole, high->whole, 1, from, at_high);
  emit_places(b, NULL, high, at_high, to);
  if (low->whole + 1 > high->whole - 1) return;
  emit_integers(b, low->whole + 1, high->whole - 1, 1, from, between);
  emit_places(b, NULL, NULL, between, to);
}

/* The decimal digits of |value|, from the shortest text that reads back to it. */
static bool split_decimal(am_schema *s, const am_json *schema, const char *keyword, double value,
                          bound *out) {
  char digits[40] = "";
  am_buf text = {0};
  if (!am_json_write_real(&text, fabs(value))) return am_schema_no_memory(s);
  const char *e = strpbrk(text.data, "eE");
  int exponent = e ? atoi(e + 1) : 0, n = 0, point = 0;
  bool seen = false;
  for (const char *c = text.data; *c && c != e; c++) {
    if (*c == '.')
      seen = true;
    else if (n < 30 && *c >= '0' && *c <= '9')
      digits[n++] = *c, point += !seen;
  }
  am_buf_close(&text);
  point += exponent;
  *out = (bound){0};
  if (point > MOST_DIGITS - 2) return am_schema_fail(s, schema, keyword, "%.17g is too large", value);
  for (int i = 0; i < point; i++) out->whole = out->whole * 10 + (uint64_t)(i < n ? digits[i] - '0' : 0);
  size_t n_places = 0;
  for (int i = point; i < n || i < 0; i++) {
    char digit = i < 0 ? '0' : digits[i];
    if (n_places == MOST_PLACES) {
      if (digit != '0') return am_schema_fail(s, schema, keyword, "%.17g has too many digits", value);
      continue;
    }
    out->places[n_places++] = digit;
  }
  while (n_places > 0 && out->places[n_places - 1] == '0') out->places[--n_places] = 0;
  return true;
}

typedef struct limits {
  double low, high; /* infinite = none */
  bool low_open, high_open;
  const am_json *low_schema, *high_schema;
} limits;

static bool read_bound(am_schema *s, const am_json *schema, const char *keyword, double *out, bool *flag) {
  const am_json *value = am_json_get(schema, keyword);
  *flag = false;
  *out = NAN;
  if (!value) return true;
  if (value->type == AM_JSON_BOOL) { /* draft 4: exclusiveMinimum is a flag */
    *flag = value->as.boolean;
    return keyword[0] == 'e' || am_schema_fail(s, schema, keyword, "expected a number");
  }
  if (value->type != AM_JSON_INT && value->type != AM_JSON_FLOAT)
    return am_schema_fail(s, schema, keyword, "expected a number");
  *out = am_json_real(value, 0);
  if (value->type == AM_JSON_INT &&
      (value->as.integer > ((int64_t)1 << 53) || value->as.integer < -((int64_t)1 << 53)))
    return am_schema_fail(s, schema, keyword, "%lld is too large", (long long)value->as.integer);
  return isfinite(*out) || am_schema_fail(s, schema, keyword, "expected a number");
}

static bool gather(am_schema *s, const am_view *view, limits *out) {
  *out = (limits){.low = -INFINITY, .high = INFINITY};
  for (size_t i = 0; i < view->n; i++) {
    const am_json *schema = view->parts[i].schema;
    double least = NAN, above = NAN, most = NAN, below = NAN;
    bool above_flag = false, below_flag = false, none = false;
    if (!read_bound(s, schema, "minimum", &least, &none) || !read_bound(s, schema, "maximum", &most, &none) ||
        !read_bound(s, schema, "exclusiveMinimum", &above, &above_flag) ||
        !read_bound(s, schema, "exclusiveMaximum", &below, &below_flag))
      return false;
    if (least > out->low || (least == out->low && above_flag))
      out->low = least, out->low_open = above_flag, out->low_schema = schema;
    if (above >= out->low) out->low = above, out->low_open = true, out->low_schema = schema;
    if (most < out->high || (most == out->high && below_flag))
      out->high = most, out->high_open = below_flag, out->high_schema = schema;
    if (below <= out->high) out->high = below, out->high_open = true, out->high_schema = schema;
  }
  return true;
}

/* multipleOf of all parts as one whole number. */
static bool gather_factor(am_schema *s, const am_view *view, uint32_t *factor) {
  *factor = 1;
  for (size_t i = 0; i < view->n; i++) {
    const am_json *value = am_json_get(view->parts[i].schema, "multipleOf");
    double n = am_json_real(value, 0);
    if (!value) continue;
    if (!(n >= 1 && n <= MOST_FACTOR && n == floor(n)))
      return am_schema_fail(s, view->parts[i].schema, "multipleOf",
                            "supported for whole numbers from 1 to %d", MOST_FACTOR);
    uint64_t a = *factor, b = (uint64_t)n, product = a * b;
    while (b) {
      uint64_t rest = a % b;
      a = b;
      b = rest;
    }
    if (product / a > MOST_FACTOR)
      return am_schema_fail(s, view->parts[i].schema, "multipleOf", "the multiples together are above %d",
                            MOST_FACTOR);
    *factor = (uint32_t)(product / a);
  }
  return true;
}

static void emit_whole(am_schema *s, const limits *l, uint32_t factor, uint32_t from, uint32_t to) {
  am_builder *b = s->builder;
  const double most = 999999999999999999.0; /* 18 digits; rounds to 1e18 */
  double low = ceil(l->low), high = floor(l->high);
  if (l->low_open && low == l->low) low += 1;
  if (l->high_open && high == l->high) high -= 1;
  if (low > high || low >= most || high <= -most) return;
  uint64_t limit = power10(MOST_DIGITS) - 1;
  uint64_t up = high >= most ? limit : (uint64_t)(high > 0 ? high : 0);
  uint64_t down = low <= -most ? limit : (uint64_t)(low < 0 ? -low : 0);
  if (high >= 0) emit_integers(b, low > 0 ? (uint64_t)low : 0, up, factor, from, to);
  if (low < 0)
    emit_integers(b, high < 0 ? (uint64_t)-high : 1, down, factor, am_builder_text(b, from, "-"), to);
}

static void emit_between(am_schema *s, const limits *l, uint32_t from, uint32_t to) {
  am_builder *b = s->builder;
  const bound zero = {0};
  bound low = {.whole = power10(9)}, high = low;
  if (isfinite(l->low) && !split_decimal(s, l->low_schema, "minimum", l->low, &low)) return;
  if (isfinite(l->high) && !split_decimal(s, l->high_schema, "maximum", l->high, &high)) return;
  /* open towards the side that has no bound: as far again as the other bound reaches */
  if (!isfinite(l->low)) low = (bound){.whole = high.whole + power10(9)};
  if (!isfinite(l->high)) high = (bound){.whole = low.whole + power10(9)};
  double least = isfinite(l->low) ? l->low : -1, most = isfinite(l->high) ? l->high : 1;
  if (!isfinite(l->low) && l->high < 0) least = -INFINITY;
  if (!isfinite(l->high) && l->low > 0) most = INFINITY;
  low.open = l->low_open;
  high.open = l->high_open;
  if (most >= 0) {
    if (least >= 0)
      emit_decimals(b, &low, &high, from, to);
    else
      emit_decimals(b, &zero, &high, from, to);
  }
  if (least < 0) {
    uint32_t minus = am_builder_text(b, from, "-");
    if (most < 0) {
      emit_decimals(b, &high, &low, minus, to);
    } else {
      const bound above_zero = {.open = true};
      emit_decimals(b, &above_zero, &low, minus, to);
    }
  }
}

static void emit_any(am_builder *b, uint32_t from, uint32_t to) {
  uint32_t minus = am_builder_text(b, from, "-"), whole = am_builder_state(b), places = am_builder_state(b);
  emit_integers(b, 0, power10(16) - 1, 1, from, whole);
  emit_integers(b, 0, power10(16) - 1, 1, minus, whole);
  am_builder_skip(b, whole, places);
  uint32_t at = am_builder_text(b, whole, ".");
  for (unsigned i = 0; i < 16; i++) {
    uint32_t next = am_builder_state(b);
    am_builder_bytes(b, at, '0', '9', next);
    am_builder_skip(b, next, places);
    at = next;
  }
  am_builder_skip(b, places, to);
  uint32_t mark = am_builder_state(b), sign = am_builder_state(b), digit = am_builder_state(b);
  am_builder_bytes(b, places, 'e', 'e', mark);
  am_builder_bytes(b, places, 'E', 'E', mark);
  am_builder_skip(b, mark, sign);
  am_builder_bytes(b, mark, '+', '+', sign);
  am_builder_bytes(b, mark, '-', '-', sign);
  am_builder_bytes(b, sign, '0', '9', digit);
  am_builder_skip(b, digit, to);
  am_builder_bytes(b, digit, '0', '9', to);
}

void am_schema_number(am_schema *s, const am_view *view, bool integer, uint32_t from, uint32_t to) {
  limits l;
  uint32_t factor = 1;
  const am_json *value = NULL;
  if (!gather(s, view, &l) || !gather_factor(s, view, &factor) || l.low > l.high ||
      (l.low == l.high && (l.low_open || l.high_open)))
    return;
  if (integer || am_view_find(view, "multipleOf", &value))
    emit_whole(s, &l, factor, from, to);
  else if (isfinite(l.low) || isfinite(l.high))
    emit_between(s, &l, from, to);
  else
    emit_any(s->builder, from, to);
}

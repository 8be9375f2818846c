/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/utf8.h"

enum { DEPTH_LIMIT = 512 };

/* An open array or object: its finished elements lie on the stack from `start` on. */
typedef struct frame {
  am_json_type type;
  size_t start; /* bytes into parser.stack */
} frame;

typedef struct parser {
  const char *text, *at, *end;
  const char *name;
  uint32_t flags;
  am_arena *arena;
  adam_error *error;
  /* Every string is written here, one after the other. It can never grow longer than the text: an
   * escape is longer than what it stands for, and two quotes are longer than a NUL. */
  char *pool;
  /* Elements of open containers; moved to the arena, side by side, when the container closes. */
  char *stack;
  size_t stack_bytes, stack_capacity;
  am_json root;
  int depth;
  frame frames[DEPTH_LIMIT];
} parser;

__attribute__((cold, noinline)) static adam_status expected(parser *p, const char *what) {
  size_t offset = (size_t)(p->at - p->text);
  if (p->at >= p->end) {
    return am_fail(p->error, ADAM_DAMAGED, p->name, NULL, "JSON ends at byte %zu: expected %s", offset, what);
  }
  unsigned char c = (unsigned char)*p->at;
  if (c > 0x20 && c < 0x7F) {
    return am_fail(p->error, ADAM_DAMAGED, p->name, NULL, "JSON at byte %zu: expected %s, found '%c'", offset, what,
                   c);
  }
  return am_fail(p->error, ADAM_DAMAGED, p->name, NULL, "JSON at byte %zu: expected %s, found byte 0x%02X", offset,
                 what, c);
}

static adam_status out_of_memory(parser *p) {
  if (p->arena->limit_bytes > 0 && p->arena->limit_bytes - p->arena->used_bytes < (size_t)(p->end - p->text)) {
    return am_fail(p->error, ADAM_LIMIT, p->name, NULL, "JSON needs more than the %zu bytes allowed for it",
                   p->arena->limit_bytes);
  }
  return am_fail_memory(p->error, p->name);
}

static inline void skip_space(parser *p) {
  while (p->at < p->end && (*p->at == ' ' || *p->at == '\n' || *p->at == '\r' || *p->at == '\t')) p->at++;
}

static int hex4(const char *s) {
  int value = 0;
  for (int i = 0; i < 4; i++) {
    unsigned char c = (unsigned char)s[i];
    int digit;
    if (c >= '0' && c <= '9') digit = c - '0';
    else if (c >= 'a' && c <= 'f') digit = c - 'a' + 10;
    else if (c >= 'A' && c <= 'F') digit = c - 'A' + 10;
    else return -1;
    value = value << 4 | digit;
  }
  return value;
}

/* p->at is behind "\u"; a high and a low surrogate in a row make one character. */
static adam_status parse_unicode_escape(parser *p, char **out) {
  int unit = p->end - p->at >= 4 ? hex4(p->at) : -1;
  if (unit < 0) return expected(p, "four hex digits after \\u");
  p->at += 4;
  uint32_t codepoint = (uint32_t)unit;
  if (unit >= 0xD800 && unit <= 0xDBFF && p->end - p->at >= 6 && p->at[0] == '\\' && p->at[1] == 'u') {
    int low = hex4(p->at + 2);
    if (low >= 0xDC00 && low <= 0xDFFF) {
      codepoint = 0x10000u + ((codepoint - 0xD800u) << 10) + ((uint32_t)low - 0xDC00u);
      p->at += 6;
    }
  }
  if (codepoint >= 0xD800 && codepoint <= 0xDFFF) codepoint = AM_UTF8_REPLACEMENT;
  *out += am_utf8_encode(codepoint, *out);
  return ADAM_OK;
}

static adam_status parse_escape(parser *p, char **out) {
  p->at++;
  if (p->at >= p->end) return expected(p, "an escape");
  char c = *p->at++;
  switch (c) {
    case '"':
    case '\\':
    case '/': break;
    case 'b': c = '\b'; break;
    case 'f': c = '\f'; break;
    case 'n': c = '\n'; break;
    case 'r': c = '\r'; break;
    case 't': c = '\t'; break;
    case 'u': return parse_unicode_escape(p, out);
    default: p->at--; return expected(p, "one of \"\\/bfnrtu after a backslash");
  }
  *(*out)++ = c;
  return ADAM_OK;
}

/* Non-zero where a byte is '"', '\\' or below 0x20; exact up to the lowest such byte. */
static inline uint64_t special_bytes(uint64_t w) {
  const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
  uint64_t quote = w ^ (ones * '"'), slash = w ^ (ones * '\\');
  return (((quote - ones) & ~quote) | ((slash - ones) & ~slash) | ((w - ones * 0x20) & ~w)) & tops;
}

/* The bytes up to the next quote, backslash or control character go to *out, eight at a time while
 * the text has them (the pool has room for a word more than the text). *high collects the top bits. */
static inline void copy_plain(parser *p, char **out, uint64_t *high) {
  const char *at = p->at;
  char *to = *out;
  uint64_t word;
  while (p->end - at >= (ptrdiff_t)sizeof word) {
    memcpy(&word, at, sizeof word);
    memcpy(to, &word, sizeof word);
    uint64_t special = special_bytes(word);
    if (special) {
      int n = __builtin_ctzll(special) >> 3;
      *high |= word & ((special & -special) - 1);
      p->at = at + n;
      *out = to + n;
      return;
    }
    *high |= word;
    at += sizeof word;
    to += sizeof word;
  }
  for (; at < p->end && *at != '"' && *at != '\\' && (unsigned char)*at >= 0x20; at++) {
    *high |= (unsigned char)*at;
    *to++ = *at;
  }
  p->at = at;
  *out = to;
}

/* p->at is behind the opening quote. */
static adam_status parse_string(parser *p, const char **string, uint32_t *n_bytes) {
  const char *source = p->at;
  char *out = p->pool;
  uint64_t high = 0;
  for (;;) {
    copy_plain(p, &out, &high);
    if (p->at < p->end && *p->at == '"') break;
    if (p->at >= p->end) return expected(p, "'\"' at the end of a string");
    if (*p->at != '\\') return expected(p, "an escape instead of a control character");
    adam_status status = parse_escape(p, &out);
    if (status) return status;
  }
  if (high & 0x8080808080808080u) {
    size_t n = (size_t)(p->at - source), n_valid = am_utf8_valid_prefix(source, n);
    if (n_valid < n) {
      p->at = source + n_valid;
      return expected(p, "valid UTF-8");
    }
  }
  p->at++;
  *out = 0;
  *string = p->pool;
  *n_bytes = (uint32_t)(out - p->pool);
  p->pool = out + 1;
  return ADAM_OK;
}

static double text_to_double(const char *text) {
  locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  if (c_locale == (locale_t)0) return NAN;
  double value = strtod_l(text, NULL, c_locale);
  freelocale(c_locale);
  return value;
}

static inline bool is_digit(const parser *p) { return p->at < p->end && *p->at >= '0' && *p->at <= '9'; }

/* Correctly rounded value of the number text [begin, p->at). A mantissa below 2^53 times or over a
 * power of ten up to 10^22 is one exact IEEE operation (Clinger 1990); anything else is strtod's. */
static adam_status number_real(parser *p, const char *begin, uint64_t mantissa, int n_digits, int64_t exponent,
                               bool negative, double *out) {
  static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                  1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  if (n_digits <= 18 && mantissa <= (uint64_t)1 << 53 && exponent >= -22 && exponent <= 22) {
    double value = (double)mantissa;
    value = exponent < 0 ? value / powers[-exponent] : value * powers[exponent];
    *out = negative ? -value : value;
    return ADAM_OK;
  }
  size_t n = (size_t)(p->at - begin);
  char small[128];
  char *copy = n < sizeof small ? small : am_mem_alloc(n + 1);
  if (!copy) return am_fail_memory(p->error, p->name);
  memcpy(copy, begin, n);
  copy[n] = 0;
  *out = text_to_double(copy);
  if (copy != small) am_mem_free(copy);
  return ADAM_OK;
}

static bool take_word(parser *p, const char *word) {
  size_t n = strlen(word);
  if ((size_t)(p->end - p->at) < n || memcmp(p->at, word, n) != 0) return false;
  p->at += n;
  return true;
}

static adam_status parse_exponent(parser *p, int64_t *exponent) {
  p->at++;
  bool negative = p->at < p->end && *p->at == '-';
  if (p->at < p->end && (*p->at == '-' || *p->at == '+')) p->at++;
  if (!is_digit(p)) return expected(p, "a digit of the exponent");
  int64_t value = 0;
  for (; is_digit(p); p->at++)
    if (value < 100000) value = value * 10 + (*p->at - '0');
  *exponent += negative ? -value : value;
  return ADAM_OK;
}

static adam_status parse_number(parser *p, am_json *out) {
  const char *begin = p->at;
  bool negative = *p->at == '-';
  if (negative) p->at++;
  if (negative && take_word(p, "Infinity")) {
    *out = (am_json){.type = AM_JSON_FLOAT, .as.real = -INFINITY};
    return ADAM_OK;
  }
  if (!is_digit(p)) return expected(p, "a digit");
  uint64_t mantissa = 0;
  int n_digits = 0; /* significant ones, counted up to 19 */
  bool zero = *p->at == '0', overflow = false, real = false;
  int64_t exponent = 0;
  if (zero) p->at++;
  for (; !zero && is_digit(p); p->at++) {
    uint64_t digit = (uint64_t)(*p->at - '0');
    overflow = overflow || __builtin_mul_overflow(mantissa, 10u, &mantissa) ||
               __builtin_add_overflow(mantissa, digit, &mantissa);
    n_digits += n_digits < 19;
  }
  if (p->at < p->end && *p->at == '.') {
    real = true;
    p->at++;
    if (!is_digit(p)) return expected(p, "a digit after the decimal point");
    for (; is_digit(p); p->at++) {
      if (n_digits < 19) mantissa = mantissa * 10 + (uint64_t)(*p->at - '0');
      n_digits += n_digits < 19 && mantissa > 0;
      exponent--;
    }
  }
  if (p->at < p->end && (*p->at == 'e' || *p->at == 'E')) {
    real = true;
    adam_status status = parse_exponent(p, &exponent);
    if (status) return status;
  }
  uint64_t most = (uint64_t)INT64_MAX + (negative ? 1 : 0);
  if (!real && !overflow && mantissa <= most) {
    int64_t value = negative ? (int64_t)(0 - mantissa) : (int64_t)mantissa;
    *out = (am_json){.type = AM_JSON_INT, .as.integer = value};
    return ADAM_OK;
  }
  *out = (am_json){.type = AM_JSON_FLOAT, .is_big = !real};
  if (overflow) n_digits = 19;
  return number_real(p, begin, mantissa, n_digits, exponent, negative, &out->as.real);
}

static bool stack_room(parser *p, size_t n_bytes) {
  if (p->stack_capacity - p->stack_bytes >= n_bytes) return true;
  size_t capacity = p->stack_capacity > 0 ? p->stack_capacity * 2 : 8192;
  char *stack = am_mem_resize(p->stack, capacity, 1);
  if (!stack) return false;
  p->stack = stack;
  p->stack_capacity = capacity;
  return true;
}

static adam_status check_unique(parser *p, const am_json_member *members, uint32_t n) {
  am_map seen = {0};
  adam_status status = ADAM_OK;
  if (!am_map_reserve(&seen, n)) return am_fail_memory(p->error, p->name);
  for (uint32_t i = 0; i < n && !status; i++) {
    uint64_t before;
    if (am_map_get(&seen, members[i].key, members[i].key_bytes, &before)) {
      status = am_fail(p->error, ADAM_DAMAGED, p->name, NULL, "JSON object ends at byte %zu and has the key \"%s\" twice",
                       (size_t)(p->at - p->text), members[i].key);
    } else {
      (void)am_map_set(&seen, members[i].key, members[i].key_bytes, i); /* room was reserved */
    }
  }
  am_map_close(&seen);
  return status;
}

/* Where the next value goes: the last member of an open object, a new element of an open array, or
 * the root. Valid until the next push; NULL when memory is out. */
static inline am_json *next_slot(parser *p) {
  if (p->depth == 0) return &p->root;
  if (p->frames[p->depth - 1].type == AM_JSON_OBJECT) {
    return &((am_json_member *)(void *)(p->stack + p->stack_bytes))[-1].value;
  }
  if (!stack_room(p, sizeof(am_json))) return NULL;
  p->stack_bytes += sizeof(am_json);
  return (am_json *)(void *)(p->stack + p->stack_bytes - sizeof(am_json));
}

/* The innermost open container becomes a value of the one around it. */
static adam_status close_container(parser *p) {
  frame *top = &p->frames[--p->depth];
  bool object = top->type == AM_JSON_OBJECT;
  size_t n_bytes = p->stack_bytes - top->start;
  size_t n = n_bytes / (object ? sizeof(am_json_member) : sizeof(am_json));
  void *items = NULL;
  if (n > 0) {
    items = am_arena_alloc(p->arena, n_bytes);
    if (!items) return out_of_memory(p);
    memcpy(items, p->stack + top->start, n_bytes);
  }
  p->stack_bytes = top->start;
  if (object && n > 1 && (p->flags & AM_JSON_UNIQUE_KEYS)) {
    adam_status status = check_unique(p, items, (uint32_t)n);
    if (status) return status;
  }
  am_json *slot = next_slot(p);
  if (!slot) return am_fail_memory(p->error, p->name);
  *slot = (am_json){.type = top->type, .n = (uint32_t)n};
  if (object) slot->as.members = items;
  else slot->as.items = items;
  return ADAM_OK;
}

static adam_status open_container(parser *p, am_json_type type) {
  if (p->depth == DEPTH_LIMIT) {
    return am_fail(p->error, ADAM_LIMIT, p->name, NULL, "JSON at byte %zu: nested deeper than %d",
                   (size_t)(p->at - p->text), DEPTH_LIMIT);
  }
  p->at++;
  p->frames[p->depth++] = (frame){type, p->stack_bytes};
  return ADAM_OK;
}

/* Reads `"key" :` and pushes a member whose value comes later. */
static adam_status push_key(parser *p) {
  if (p->at >= p->end || *p->at != '"') return expected(p, "a key in double quotes");
  p->at++;
  if (!stack_room(p, sizeof(am_json_member))) return am_fail_memory(p->error, p->name);
  am_json_member *member = (am_json_member *)(void *)(p->stack + p->stack_bytes);
  p->stack_bytes += sizeof *member;
  adam_status status = parse_string(p, &member->key, &member->key_bytes);
  if (status) return status;
  skip_space(p);
  if (p->at >= p->end || *p->at != ':') return expected(p, "':' after a key");
  p->at++;
  return ADAM_OK;
}

static adam_status parse_scalar(parser *p, am_json *out) {
  char c = p->at < p->end ? *p->at : 0;
  if (c == '"') {
    p->at++;
    *out = (am_json){.type = AM_JSON_STRING};
    return parse_string(p, &out->as.string, &out->n);
  }
  if (c == '-' || (c >= '0' && c <= '9')) return parse_number(p, out);
  *out = (am_json){.type = AM_JSON_BOOL};
  if (take_word(p, "true")) {
    out->as.boolean = true;
  } else if (take_word(p, "null")) {
    out->type = AM_JSON_NULL;
  } else if (take_word(p, "NaN")) {
    *out = (am_json){.type = AM_JSON_FLOAT, .as.real = NAN};
  } else if (take_word(p, "Infinity")) {
    *out = (am_json){.type = AM_JSON_FLOAT, .as.real = INFINITY};
  } else if (!take_word(p, "false")) {
    return expected(p, "a value");
  }
  return ADAM_OK;
}

/* After a value inside a container: a comma (and for objects the next key), or the end, which closes
 * the container and sets *closed. */
static adam_status after_value(parser *p, bool *closed) {
  bool object = p->frames[p->depth - 1].type == AM_JSON_OBJECT;
  skip_space(p);
  *closed = p->at < p->end && *p->at == (object ? '}' : ']');
  if (*closed) {
    p->at++;
    return close_container(p);
  }
  if (p->at >= p->end || *p->at != ',') return expected(p, object ? "',' or '}'" : "',' or ']'");
  p->at++;
  if (!object) return ADAM_OK;
  skip_space(p);
  return push_key(p);
}

/* Opens a container at p->at; *empty when it closed at once. */
static adam_status begin_container(parser *p, bool object, bool *empty) {
  adam_status status = open_container(p, object ? AM_JSON_OBJECT : AM_JSON_ARRAY);
  if (status) return status;
  skip_space(p);
  *empty = p->at < p->end && *p->at == (object ? '}' : ']');
  if (*empty) {
    p->at++;
    return close_container(p);
  }
  return object ? push_key(p) : ADAM_OK;
}

/* One value with everything in it into p->root, without recursion. */
static adam_status parse_value(parser *p) {
  for (;;) {
    skip_space(p);
    adam_status status;
    if (p->at < p->end && (*p->at == '{' || *p->at == '[')) {
      bool empty = false;
      status = begin_container(p, *p->at == '{', &empty);
      if (status) return status;
      if (!empty) continue;
    } else {
      am_json *slot = next_slot(p);
      status = slot ? parse_scalar(p, slot) : am_fail_memory(p->error, p->name);
      if (status) return status;
    }
    bool closed = true;
    while (closed) {
      if (p->depth == 0) return ADAM_OK;
      status = after_value(p, &closed);
      if (status) return status;
    }
  }
}

adam_status am_json_parse(const char *text, size_t n_bytes, const char *name, uint32_t flags, am_arena *arena,
                          am_json *out, adam_error *error) {
  if (n_bytes > UINT32_MAX - 64) {
    return am_fail(error, ADAM_LIMIT, name, NULL, "JSON of %zu bytes is over 4 GiB", n_bytes);
  }
  parser *p = am_mem_alloc(sizeof *p);
  if (!p) return am_fail_memory(error, name);
  p->text = p->at = text;
  p->end = text ? text + n_bytes : text;
  p->name = name;
  p->flags = flags;
  p->arena = arena;
  p->error = error;
  p->stack = NULL;
  p->stack_bytes = p->stack_capacity = 0;
  p->depth = 0;
  p->pool = am_arena_alloc(arena, n_bytes + sizeof(uint64_t));
  adam_status status = p->pool ? ADAM_OK : out_of_memory(p);
  if (!status) {
    if (n_bytes >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) p->at += 3;
    status = parse_value(p);
  }
  if (!status) {
    skip_space(p);
    if (p->at < p->end) status = expected(p, "the end of the file");
  }
  if (!status) *out = p->root;
  am_mem_free(p->stack);
  am_mem_free(p);
  return status;
}

static const am_json *member_of(const am_json *object, const char *key, size_t key_bytes) {
  if (!object || object->type != AM_JSON_OBJECT) return NULL;
  for (uint32_t i = object->n; i-- > 0;) {
    const am_json_member *member = &object->as.members[i];
    if (member->key_bytes == key_bytes && memcmp(member->key, key, key_bytes) == 0) return &member->value;
  }
  return NULL;
}

const am_json *am_json_get(const am_json *object, const char *key) { return member_of(object, key, strlen(key)); }

const am_json *am_json_path(const am_json *object, const char *dotted_path) {
  while (object) {
    size_t n = strcspn(dotted_path, ".");
    object = member_of(object, dotted_path, n);
    if (dotted_path[n] == 0) break;
    dotted_path += n + 1;
  }
  return object;
}

const am_json *am_json_at(const am_json *array, size_t index) {
  if (!array || array->type != AM_JSON_ARRAY || index >= array->n) return NULL;
  return &array->as.items[index];
}

const char *am_json_str(const am_json *value, const char *fallback) {
  return value && value->type == AM_JSON_STRING ? value->as.string : fallback;
}

int64_t am_json_int(const am_json *value, int64_t fallback) {
  if (!value) return fallback;
  if (value->type == AM_JSON_INT) return value->as.integer;
  if (value->type == AM_JSON_FLOAT && value->as.real >= -0x1p63 && value->as.real < 0x1p63 &&
      floor(value->as.real) == value->as.real) {
    return (int64_t)value->as.real;
  }
  return fallback;
}

double am_json_real(const am_json *value, double fallback) {
  if (!value) return fallback;
  if (value->type == AM_JSON_FLOAT) return value->as.real;
  return value->type == AM_JSON_INT ? (double)value->as.integer : fallback;
}

bool am_json_bool(const am_json *value, bool fallback) {
  return value && value->type == AM_JSON_BOOL ? value->as.boolean : fallback;
}

bool am_json_is_null(const am_json *value) { return !value || value->type == AM_JSON_NULL; }

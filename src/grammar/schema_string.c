/* SPDX-License-Identifier: Apache-2.0 */
/* Strings: lengths, pattern, format. A pattern or format together with lengths is the product of its
 * automaton over characters with a counter. */
#include "grammar/schema.h"

#include "base/error.h"
#include "base/mem.h"
#include "grammar/regex.h"

#include <string.h>

#define DAY                                                                                                \
  "(?:(?:[1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[" \
  "01])|"                                                                                                  \
  "(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))|"                                    \
  "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)-02-29)"
#define CLOCK \
  "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{1,6})?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
#define LABEL "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
#define BYTE "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
#define HEXES "[0-9a-fA-F]{1,4}"

/* Each takes a part of what its format allows, and nothing else (RFC 3339, 4122, 5321, 2673, 4291, 1034,
 * 3986, ISO 8601). */
static const struct {
  const char *name, *pattern;
} formats[] = {
    {"date", DAY},
    {"time", CLOCK},
    {"date-time", DAY "T" CLOCK},
    {"duration", "P(?:[0-9]{1,4}W|[0-9]{1,4}D(?:T[0-9]{1,4}H)?|T[0-9]{1,4}[HMS]|[0-9]{1,4}Y|[0-9]{1,4}M)"},
    {"uuid", "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"},
    {"email", "[A-Za-z0-9_+-]{1,20}(?:\\.[A-Za-z0-9_+-]{1,20}){0,2}@" LABEL "(?:\\." LABEL "){1,2}"},
    {"hostname", LABEL "(?:\\." LABEL "){0,3}"},
    {"ipv4", BYTE "(?:\\." BYTE "){3}"},
    {"ipv6", "(?:" HEXES ":){7}" HEXES "|(?:" HEXES ":){1,6}:" HEXES "|::" HEXES "|::"},
    {"uri", "https?://" LABEL "(?:\\." LABEL "){0,3}(?:/[A-Za-z0-9._~-]*){0,20}(?:\\?[A-Za-z0-9._~=&-]*)?"},
};

/* A Thompson automaton over characters: an edge has a set, or NULL for none. */
typedef struct link {
  uint32_t from, to;
  const am_charset *set;
} link;

typedef struct net {
  link *links;
  size_t n, capacity;
  uint32_t n_states;
  bool failed, large;
} net;

enum { MOST_NET = 200000, MOST_PRODUCT = 400000 };

static void add_link(net *t, uint32_t from, uint32_t to, const am_charset *set) {
  if (t->n == t->capacity) {
    size_t capacity = t->capacity ? 2 * t->capacity : 64;
    link *grown = am_mem_resize(t->links, capacity, sizeof *grown);
    if (!grown) {
      t->failed = true;
      return;
    }
    t->links = grown;
    t->capacity = capacity;
  }
  t->links[t->n++] = (link){from, to, set};
}

static uint32_t add_state(net *t) {
  if (t->n_states >= MOST_NET) t->large = true;
  return t->n_states++;
}

static void weave(net *t, const am_expr *e, uint32_t from, uint32_t to) {
  if (t->failed || t->large) return;
  switch (e->kind) {
    case AM_EXPR_SET:
      add_link(t, from, to, &e->set);
      return;
    case AM_EXPR_CHOICE:
      for (const am_expr *child = e->child; child; child = child->sibling) weave(t, child, from, to);
      return;
    case AM_EXPR_SEQUENCE:
      for (const am_expr *child = e->child; child; child = child->sibling) {
        uint32_t next = add_state(t);
        weave(t, child, from, next);
        from = next;
      }
      break;
    case AM_EXPR_REPEAT:
      for (uint32_t i = 0; i < e->least || (e->most != AM_EXPR_FOREVER && i < e->most); i++) {
        uint32_t next = add_state(t);
        if (t->large || t->failed) return;
        if (i >= e->least) add_link(t, from, to, NULL);
        weave(t, e->child, from, next);
        from = next;
      }
      if (e->most == AM_EXPR_FOREVER) {
        uint32_t loop = add_state(t);
        add_link(t, from, loop, NULL);
        weave(t, e->child, loop, loop);
        from = loop;
      }
      break;
    default:
      break;
  }
  add_link(t, from, to, NULL);
}

/* States (q, c): q of the net, c characters read, at most `top`, where counting stops. */
static void emit_product(am_schema *s, const net *t, uint32_t least, uint32_t most, uint32_t from,
                         uint32_t to) {
  am_builder *b = s->builder;
  uint32_t top = most != UINT32_MAX ? most : least;
  if ((uint64_t)t->n_states * (top + 1) > MOST_PRODUCT) {
    am_schema_fail(s, NULL, "pattern", "it is too large together with minLength or maxLength");
    return;
  }
  uint32_t first = am_builder_state(b);
  for (uint32_t i = 1; i < t->n_states * (top + 1); i++) am_builder_state(b);
  am_builder_skip(b, from, first); /* (0, 0) */
  for (uint32_t c = 0; c <= top && !am_builder_failed(b); c++) {
    for (size_t i = 0; i < t->n; i++) {
      const link *edge = &t->links[i];
      uint32_t next = !edge->set ? c : c < top ? c + 1 : most == UINT32_MAX ? top : UINT32_MAX;
      if (next == UINT32_MAX) continue;
      uint32_t at = first + c * t->n_states + edge->from, after = first + next * t->n_states + edge->to;
      if (edge->set)
        am_expr_emit_set(edge->set, AM_ALPHABET_JSON, b, at, after);
      else
        am_builder_skip(b, at, after);
    }
    if (c >= least) am_builder_skip(b, first + c * t->n_states + 1, to);
  }
}

static void emit_pattern(am_schema *s, const am_expr *expr, uint32_t least, uint32_t most, uint32_t from,
                         uint32_t to) {
  if (least == 0 && most == UINT32_MAX) {
    am_expr_emit(expr, AM_ALPHABET_JSON, s->builder, from, to);
    return;
  }
  net t = {.n_states = 2}; /* 0: begin, 1: end */
  weave(&t, expr, 0, 1);
  if (t.failed)
    am_schema_no_memory(s);
  else if (t.large)
    am_schema_fail(s, NULL, "pattern", "it is too large together with minLength or maxLength");
  else
    emit_product(s, &t, least, most, from, to);
  am_mem_free(t.links);
}

static void emit_plain(am_schema *s, uint32_t least, uint32_t most, uint32_t at, uint32_t to) {
  am_builder *b = s->builder;
  uint32_t last = most != UINT32_MAX ? most : least;
  for (uint32_t i = 0; i < last; i++) {
    uint32_t next = am_builder_state(b);
    if (am_builder_failed(b)) return;
    if (i >= least) am_builder_skip(b, at, to);
    am_builder_call(b, at, s->character, next);
    at = next;
  }
  if (most == UINT32_MAX) {
    uint32_t loop = am_builder_state(b);
    am_builder_skip(b, at, loop);
    am_builder_call(b, loop, s->character, loop);
    at = loop;
  }
  am_builder_skip(b, at, to);
}

/* The one pattern or format that the parts have; *text = NULL without. */
static bool find_pattern(am_schema *s, const am_view *view, const char **text, size_t *n_bytes, bool *search,
                         const am_json **schema, const char **keyword) {
  *text = NULL;
  for (size_t i = 0; i < view->n; i++)
    for (int is_format = 0; is_format < 2; is_format++) {
      const am_json *value = am_json_get(view->parts[i].schema, is_format ? "format" : "pattern");
      const char *found = am_json_str(value, NULL);
      if (!value) continue;
      *schema = view->parts[i].schema;
      *keyword = is_format ? "format" : "pattern";
      if (!found) return am_schema_fail(s, *schema, *keyword, "expected a string");
      size_t length = value->n, row = 0, n_rows = sizeof formats / sizeof *formats;
      while (is_format && row < n_rows && strcmp(formats[row].name, found) != 0) row++;
      if (is_format && row == n_rows)
        return am_schema_fail(s, *schema, "format", "unknown format \"%.60s\"", found);
      if (is_format) {
        found = formats[row].pattern;
        length = strlen(found);
      }
      if (*text && (*n_bytes != length || memcmp(*text, found, length) != 0))
        return am_schema_fail(s, *schema, *keyword, "more than one pattern or format for a string");
      *text = found;
      *n_bytes = length;
      *search = !is_format;
    }
  return true;
}

void am_schema_string(am_schema *s, const am_view *view, uint32_t from, uint32_t to) {
  am_builder *b = s->builder;
  uint32_t least = 0, most = 0;
  const char *text = NULL, *keyword = NULL;
  const am_json *schema = NULL;
  size_t n_bytes = 0;
  bool search = false;
  if (!am_view_count(s, view, "minLength", true, 0, &least) ||
      !am_view_count(s, view, "maxLength", false, UINT32_MAX, &most) ||
      !find_pattern(s, view, &text, &n_bytes, &search, &schema, &keyword) || least > most)
    return;
  uint32_t begin = am_builder_text(b, from, "\""), end = am_builder_state(b);
  am_builder_bytes(b, end, '"', '"', to);
  if (!text) {
    emit_plain(s, least, most, begin, end);
    return;
  }
  am_expr *expr = NULL;
  adam_error error = {0};
  adam_status status = am_regex_read("pattern", text, n_bytes, search, s->arena, &expr, &error);
  if (status == ADAM_NO_MEMORY) {
    am_schema_no_memory(s);
  } else if (status) {
    am_schema_fail(s, schema, keyword, "%.200s", error.why);
  } else {
    emit_pattern(s, expr, least, most, begin, end);
    am_expr_close(expr);
  }
}

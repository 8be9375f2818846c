/* SPDX-License-Identifier: Apache-2.0 */
#include "template/go/functions.h"

#include <string.h>
#include <time.h>

#include "base/error.h"
#include "template/go/eval.h"

const am_go_signature am_go_functions[AM_GO_N_FUNCTIONS] = {
    [AM_GO_F_AND] = {"and", 1, true, true, false},
    [AM_GO_F_OR] = {"or", 1, true, true, false},
    [AM_GO_F_NOT] = {"not", 1, false, true, false},
    [AM_GO_F_EQ] = {"eq", 1, true, true, false},
    [AM_GO_F_NE] = {"ne", 2, false, true, false},
    [AM_GO_F_LT] = {"lt", 2, false, true, false},
    [AM_GO_F_LE] = {"le", 2, false, true, false},
    [AM_GO_F_GT] = {"gt", 2, false, true, false},
    [AM_GO_F_GE] = {"ge", 2, false, true, false},
    [AM_GO_F_LEN] = {"len", 1, false, true, false},
    [AM_GO_F_INDEX] = {"index", 1, true, true, false},
    [AM_GO_F_SLICE] = {"slice", 1, true, true, false},
    [AM_GO_F_PRINT] = {"print", 0, true, true, false},
    [AM_GO_F_PRINTF] = {"printf", 1, true, true, false},
    [AM_GO_F_PRINTLN] = {"println", 0, true, true, false},
    [AM_GO_F_HTML] = {"html", 0, true, true, false},
    [AM_GO_F_JS] = {"js", 0, true, true, false},
    [AM_GO_F_URLQUERY] = {"urlquery", 0, true, true, false},
    [AM_GO_F_CALL] = {"call", 1, true, true, false},
    [AM_GO_F_JSON] = {"json", 1, false, false, false},
    [AM_GO_F_CURRENT_DATE] = {"currentDate", 0, true, false, true},
    [AM_GO_F_YESTERDAY_DATE] = {"yesterdayDate", 0, true, false, true},
    [AM_GO_F_TYPESCRIPT_TYPE] = {"toTypeScriptType", 1, false, false, false},
};

#define TRY(call)                                 \
  do {                                            \
    adam_status try_status = (call);              \
    if (try_status != ADAM_OK) return try_status; \
  } while (0)

int am_go_function_find(am_go_name name) {
  for (int i = 0; i < AM_GO_N_FUNCTIONS; i++)
    if (am_go_name_is(name, am_go_functions[i].name)) return i;
  return -1;
}

am_go_value am_go_element(const am_go_value *list, size_t index) {
  am_go_value element = list->as.items[index];
  element.addressable = list->type != AM_GO_PLAIN;
  return element;
}

/* --- comparing --- */

typedef enum basic { NOT_BASIC, BASIC_BOOL, BASIC_INT, BASIC_FLOAT, BASIC_STRING } basic;

static basic basic_of(const am_go_value *value) {
  switch ((am_go_kind)value->kind) {
    case AM_GO_BOOL:
      return BASIC_BOOL;
    case AM_GO_INT:
    case AM_GO_BYTE:
      return BASIC_INT; /* signed and unsigned compare by value */
    case AM_GO_FLOAT:
      return BASIC_FLOAT;
    case AM_GO_STRING:
      return BASIC_STRING;
    default:
      return NOT_BASIC;
  }
}

static bool is_absent(const am_go_value *value) {
  return value->kind == AM_GO_INVALID || value->kind == AM_GO_NIL;
}

static bool is_nil(const am_go_value *value) {
  return is_absent(value) || ((value->kind == AM_GO_LIST || value->kind == AM_GO_MAP) && value->is_nil);
}

static int compare_strings(const am_go_value *a, const am_go_value *b) {
  size_t n = a->n < b->n ? a->n : b->n;
  int order = n ? memcmp(a->as.string, b->as.string, n) : 0;
  return order ? order : (a->n > b->n) - (a->n < b->n);
}

static bool basic_equal(basic kind, const am_go_value *a, const am_go_value *b) {
  switch (kind) {
    case BASIC_BOOL:
      return a->as.boolean == b->as.boolean;
    case BASIC_INT:
      return a->as.integer == b->as.integer;
    case BASIC_FLOAT:
      return a->as.real == b->as.real;
    case BASIC_STRING:
      return compare_strings(a, b) == 0;
    case NOT_BASIC:
      break;
  }
  return false;
}

/* Lists, maps and structs compare with nil only; pointers by what they point to. */
static adam_status others_equal(const am_go_state *s, const am_go_value *a, const am_go_value *b,
                                bool *equal) {
  bool same_kind = a->kind == b->kind && (a->kind != AM_GO_STRUCT || a->pointer == b->pointer);
  if (!same_kind && !is_absent(a) && !is_absent(b))
    return am_go_fail(s, "non-comparable types %s and %s", am_go_type_name(a), am_go_type_name(b));
  if (is_nil(a) || is_nil(b)) {
    *equal = is_nil(a) == is_nil(b);
    return ADAM_OK;
  }
  if (!b->pointer) return am_go_fail(s, "non-comparable type %s", am_go_type_name(b));
  *equal = a->as.items == b->as.items;
  return ADAM_OK;
}

/* The first with any of the others. */
static adam_status equal_to_any(const am_go_state *s, const am_go_value *values, size_t n, bool *equal) {
  basic first = basic_of(&values[0]);
  *equal = false;
  if (n < 2) return am_go_fail(s, "error calling eq: missing argument for comparison");
  for (size_t i = 1; i < n && !*equal; i++) {
    basic kind = basic_of(&values[i]);
    if (kind != first) {
      if (!is_absent(&values[0]) && !is_absent(&values[i]))
        return am_go_fail(s, "incompatible types for comparison: %s and %s", am_go_type_name(&values[0]),
                          am_go_type_name(&values[i]));
    } else if (kind != NOT_BASIC) {
      *equal = basic_equal(kind, &values[0], &values[i]);
    } else {
      TRY(others_equal(s, &values[0], &values[i], equal));
    }
  }
  return ADAM_OK;
}

static adam_status less(const am_go_state *s, const am_go_value *a, const am_go_value *b, bool *out) {
  basic kind = basic_of(a), other = basic_of(b);
  if (kind == NOT_BASIC || other == NOT_BASIC) return am_go_fail(s, "invalid type for comparison");
  if (kind != other)
    return am_go_fail(s, "incompatible types for comparison: %s and %s", am_go_type_name(a),
                      am_go_type_name(b));
  if (kind == BASIC_BOOL) return am_go_fail(s, "invalid type for comparison");
  *out = kind == BASIC_INT     ? a->as.integer < b->as.integer
         : kind == BASIC_FLOAT ? a->as.real < b->as.real
                               : compare_strings(a, b) < 0;
  return ADAM_OK;
}

static adam_status compare(const am_go_state *s, am_go_function function, const am_go_value *values, size_t n,
                           am_go_value *out) {
  bool below = false, equal = false;
  if (function == AM_GO_F_EQ || function == AM_GO_F_NE) {
    TRY(equal_to_any(s, values, n, &equal));
    *out = am_go_bool(equal == (function == AM_GO_F_EQ));
    return ADAM_OK;
  }
  TRY(less(s, &values[0], &values[1], &below));
  if (!below && (function == AM_GO_F_LE || function == AM_GO_F_GT)) TRY(equal_to_any(s, values, 2, &equal));
  bool at_most = below || equal;
  *out = am_go_bool(function == AM_GO_F_LT   ? below
                    : function == AM_GO_F_LE ? at_most
                    : function == AM_GO_F_GT ? !at_most
                                             : !below);
  return ADAM_OK;
}

/* --- len, index, slice --- */

static adam_status length(const am_go_state *s, const am_go_value *value, am_go_value *out) {
  switch ((am_go_kind)value->kind) {
    case AM_GO_STRING:
    case AM_GO_LIST:
    case AM_GO_MAP:
      *out = am_go_int((int64_t)value->n);
      return ADAM_OK;
    case AM_GO_INVALID:
    case AM_GO_NIL:
      return am_go_fail(s, "len of nil pointer");
    default:
      return am_go_fail(s, "len of type %s", am_go_type_name(value));
  }
}

/* An index of at most `most`. */
static adam_status index_of(const am_go_state *s, const am_go_value *value, size_t most, size_t *out) {
  if (is_absent(value)) return am_go_fail(s, "cannot index slice/array with nil");
  if (basic_of(value) != BASIC_INT)
    return am_go_fail(s, "cannot index slice/array with type %s", am_go_type_name(value));
  if (value->as.integer < 0 || (uint64_t)value->as.integer > most)
    return am_go_fail(s, "index out of range: %lld", (long long)value->as.integer);
  *out = (size_t)value->as.integer;
  return ADAM_OK;
}

static adam_status index_once(const am_go_state *s, const am_go_value *item, const am_go_value *key,
                              am_go_value *out) {
  size_t at = 0;
  if (is_absent(item)) return am_go_fail(s, "index of nil pointer");
  if (item->kind == AM_GO_MAP) {
    if (key->kind != AM_GO_STRING)
      return am_go_fail(s, "a key has type %s; should be string", am_go_type_name(key));
    const am_go_value *value = am_go_map_find(item, key->as.string, key->n);
    *out = value ? *value : am_go_map_missing(item);
    return ADAM_OK;
  }
  if (item->kind != AM_GO_LIST && item->kind != AM_GO_STRING)
    return am_go_fail(s, "can't index item of type %s", am_go_type_name(item));
  TRY(index_of(s, key, item->n, &at));
  if (at == item->n) return am_go_fail(s, "index out of range: %zu", at);
  if (item->kind == AM_GO_LIST) {
    *out = am_go_element(item, at);
  } else {
    *out = am_go_int((unsigned char)item->as.string[at]);
    out->kind = AM_GO_BYTE;
  }
  return ADAM_OK;
}

static adam_status index_item(const am_go_state *s, const am_go_value *values, size_t n, am_go_value *out) {
  am_go_value item = values[0];
  if (is_absent(&item)) return am_go_fail(s, "index of untyped nil");
  for (size_t i = 1; i < n; i++) {
    am_go_value inner;
    TRY(index_once(s, &item, &values[i], &inner));
    item = inner;
  }
  *out = item;
  return ADAM_OK;
}

static adam_status slice(const am_go_state *s, const am_go_value *values, size_t n, am_go_value *out) {
  const am_go_value *item = &values[0];
  bool text = item->kind == AM_GO_STRING;
  if (is_absent(item)) return am_go_fail(s, "slice of untyped nil");
  if (n > 4) return am_go_fail(s, "too many slice indexes: %zu", n - 1);
  if (!text && item->kind != AM_GO_LIST)
    return am_go_fail(s, "can't slice item of type %s", am_go_type_name(item));
  if (text && n == 4) return am_go_fail(s, "cannot 3-index slice a string");
  size_t capacity = text ? item->n : item->capacity, at[3] = {0, item->n, capacity};
  for (size_t i = 1; i < n; i++) TRY(index_of(s, &values[i], capacity, &at[i - 1]));
  if (at[0] > at[1]) return am_go_fail(s, "invalid slice index: %zu > %zu", at[0], at[1]);
  if (at[1] > at[2]) return am_go_fail(s, "invalid slice index: %zu > %zu", at[1], at[2]);
  *out = *item;
  out->addressable = false;
  out->n = at[1] - at[0];
  out->capacity = at[2] - at[0];
  if (text)
    out->as.string += at[0];
  else if (item->as.items)
    out->as.items += at[0];
  return ADAM_OK;
}

/* --- texts --- */

/* YYYY-MM-DD, local time. */
static adam_status date(am_go_state *s, int64_t days_back, am_go_value *out) {
  time_t now = s->now_unix_s ? (time_t)s->now_unix_s : time(NULL);
  struct tm parts;
  am_buf text = {0};
  if (!localtime_r(&now, &parts)) return am_go_fail(s, "no such date");
  parts.tm_mday -= (int)days_back;
  parts.tm_isdst = -1;
  mktime(&parts); /* a day that does not exist becomes the one before */
  am_buf_printf(&text, "%04d-%02d-%02d", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday);
  return am_go_take(s, &text, out);
}

static const char *typescript_name(const am_go_value *name) {
  static const char *const names[][2] = {{"string", "string"},  {"number", "number"},
                                         {"integer", "number"}, {"boolean", "boolean"},
                                         {"array", "any[]"},    {"object", "Record<string, any>"},
                                         {"null", "null"}};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (name->n == strlen(names[i][0]) && memcmp(name->as.string, names[i][0], name->n) == 0)
      return names[i][1];
  return "any";
}

static adam_status typescript_type(const am_go_state *s, const am_go_value *value, am_go_value *out) {
  am_buf text = {0};
  const am_go_value *types =
      value->kind == AM_GO_STRUCT && value->type == AM_GO_PROPERTY ? &value->as.items[0] : NULL;
  if (!types || types->n == 0) am_buf_append_str(&text, "any");
  for (size_t i = 0; types && i < types->n; i++) {
    if (i > 0) am_buf_append_str(&text, " | ");
    am_buf_append_str(&text, typescript_name(&types->as.items[i]));
  }
  return am_go_take(s, &text, out);
}

/* html, js, urlquery: what print would give, pointers followed, nil spelled out. */
static adam_status escape(am_go_state *s, am_go_function function, am_go_value *values, size_t n,
                          am_go_value *out) {
  am_buf plain = {0}, text = {0};
  for (size_t i = 0; i < n; i++) {
    if (is_absent(&values[i])) values[i] = am_go_text("<no value>");
    values[i].pointer = false;
  }
  adam_status status = am_go_sprint(s, &plain, values, n, false);
  if (!status && !am_go_escape(&text, function, plain.data ? plain.data : "", plain.len)) text.failed = true;
  am_buf_close(&plain);
  if (!status) return am_go_take(s, &text, out);
  am_buf_close(&text);
  return status;
}

static adam_status print(am_go_state *s, am_go_function function, const am_go_value *values, size_t n,
                         am_go_value *out) {
  am_buf text = {0};
  adam_status status = ADAM_OK;
  if (function == AM_GO_F_JSON)
    text.failed = !am_go_json(&text, &values[0]) || text.failed;
  else if (function == AM_GO_F_PRINTF)
    status = am_go_sprintf(s, &text, values, n);
  else
    status = am_go_sprint(s, &text, values, n, function == AM_GO_F_PRINTLN);
  if (!status) return am_go_take(s, &text, out);
  am_buf_close(&text);
  return status;
}

adam_status am_go_call(am_go_state *state, am_go_function function, am_go_value *arguments, size_t n,
                       am_go_value *out) {
  const am_go_signature *signature = &am_go_functions[function];
  for (size_t i = 0; i < n; i++)
    if ((signature->strings || (function == AM_GO_F_PRINTF && i == 0)) && arguments[i].kind != AM_GO_STRING)
      return am_go_fail(state, "wrong type for value; expected string; got %s",
                        am_go_type_name(&arguments[i]));
  switch (function) {
    case AM_GO_F_NOT:
      *out = am_go_bool(!am_go_truth(&arguments[0]));
      return ADAM_OK;
    case AM_GO_F_EQ:
    case AM_GO_F_NE:
    case AM_GO_F_LT:
    case AM_GO_F_LE:
    case AM_GO_F_GT:
    case AM_GO_F_GE:
      return compare(state, function, arguments, n, out);
    case AM_GO_F_LEN:
      return length(state, &arguments[0], out);
    case AM_GO_F_INDEX:
      return index_item(state, arguments, n, out);
    case AM_GO_F_SLICE:
      return slice(state, arguments, n, out);
    case AM_GO_F_CALL:
      return am_go_fail(state, "error calling call: there are no functions to call");
    case AM_GO_F_CURRENT_DATE:
      return date(state, 0, out);
    case AM_GO_F_YESTERDAY_DATE:
      return date(state, 1, out);
    case AM_GO_F_TYPESCRIPT_TYPE:
      return typescript_type(state, &arguments[0], out);
    default:
      break;
  }
  /* these take interfaces: what is handed over is a copy that has no address */
  for (size_t i = 0; i < n; i++) arguments[i].addressable = arguments[i].pointer;
  if (function == AM_GO_F_HTML || function == AM_GO_F_JS || function == AM_GO_F_URLQUERY)
    return escape(state, function, arguments, n, out);
  return print(state, function, arguments, n, out);
}

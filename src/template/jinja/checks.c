/* SPDX-License-Identifier: Apache-2.0 */
#include "template/jinja/checks.h"

#include <string.h>

#include "template/jinja/eval.h"
#include "template/jinja/filters.h"
#include "template/jinja/format.h"
#include "template/jinja/iterate.h"
#include "template/jinja/methods.h"

#define CHECK(name) \
  static bool name(am_jinja *jinja, const am_jvalue *value, const am_jvalue *other, bool *out)
#define PLAIN_CHECK(name, expression) \
  CHECK(name) {                       \
    (void)jinja;                      \
    (void)other;                      \
    *out = (expression);              \
    return true;                      \
  }

PLAIN_CHECK(is_defined, value->kind != AM_J_UNDEFINED)
PLAIN_CHECK(is_undefined, value->kind == AM_J_UNDEFINED)
PLAIN_CHECK(is_none, value->kind == AM_J_NONE)
PLAIN_CHECK(is_boolean, value->kind == AM_J_BOOL)
PLAIN_CHECK(is_false, value->kind == AM_J_BOOL && !value->as.boolean)
PLAIN_CHECK(is_true, value->kind == AM_J_BOOL && value->as.boolean)
PLAIN_CHECK(is_integer, value->kind == AM_J_INT || value->kind == AM_J_BIG)
PLAIN_CHECK(is_float, value->kind == AM_J_FLOAT)
PLAIN_CHECK(is_number, am_jvalue_is_number(value))
PLAIN_CHECK(is_string, value->kind == AM_J_STRING)
PLAIN_CHECK(is_mapping, value->kind == AM_J_DICT)
PLAIN_CHECK(is_escaped, value->kind == AM_J_STRING && value->marked)
PLAIN_CHECK(is_sameas, am_jvalue_same(value, other))
PLAIN_CHECK(is_iterable, am_jvalue_iterable(value) || value->kind == AM_J_LOOP)
/* len() and [] both: views have no [], generators neither */
PLAIN_CHECK(is_sequence, value->kind == AM_J_UNDEFINED || value->kind == AM_J_STRING ||
                             value->kind == AM_J_LIST || value->kind == AM_J_TUPLE ||
                             value->kind == AM_J_DICT || value->kind == AM_J_RANGE)
/* Undefined has a __call__ that raises */
PLAIN_CHECK(is_callable, value->kind == AM_J_UNDEFINED || value->kind == AM_J_MACRO ||
                             value->kind == AM_J_FUNCTION || value->kind == AM_J_LOOP ||
                             value->kind == AM_J_JOINER || value->kind == AM_J_BLOCK)
PLAIN_CHECK(is_filter,
            value->kind == AM_J_STRING && am_jfilter_find(value->as.string->data, value->as.string->n_bytes))
PLAIN_CHECK(is_test,
            value->kind == AM_J_STRING && am_jcheck_find(value->as.string->data, value->as.string->n_bytes))

static bool remainder_is(am_jinja *jinja, const am_jvalue *value, const am_jvalue *divisor, int64_t wanted,
                         bool *out) {
  am_jvalue rest, want = am_jint(wanted);
  return am_joperate(jinja, AM_JOP_MOD, value, divisor, &rest) && am_jvalue_equal(jinja, &rest, &want, out);
}

CHECK(is_odd) {
  (void)other;
  return remainder_is(jinja, value, &(am_jvalue){.kind = AM_J_INT, .as.integer = 2}, 1, out);
}
CHECK(is_even) {
  (void)other;
  return remainder_is(jinja, value, &(am_jvalue){.kind = AM_J_INT, .as.integer = 2}, 0, out);
}
CHECK(is_divisibleby) { return remainder_is(jinja, value, other, 0, out); }

static bool has_case(am_jinja *jinja, const am_jvalue *value, bool upper, bool *out) {
  am_jvalue text;
  if (!am_jvalue_str(jinja, value, &text)) return false;
  *out = am_jmethod_has_case(text.as.string, upper);
  return am_jinja_charge(jinja, text.as.string->n_bytes / 8);
}
CHECK(is_lower) {
  (void)other;
  return has_case(jinja, value, false, out);
}
CHECK(is_upper) {
  (void)other;
  return has_case(jinja, value, true, out);
}

CHECK(is_in) { return am_jcontains(jinja, other, value, out); }
CHECK(is_eq) { return am_jrelate(jinja, AM_JOP_EQ, value, other, out); }
CHECK(is_ne) { return am_jrelate(jinja, AM_JOP_NE, value, other, out); }
CHECK(is_lt) { return am_jrelate(jinja, AM_JOP_LT, value, other, out); }
CHECK(is_le) { return am_jrelate(jinja, AM_JOP_LE, value, other, out); }
CHECK(is_gt) { return am_jrelate(jinja, AM_JOP_GT, value, other, out); }
CHECK(is_ge) { return am_jrelate(jinja, AM_JOP_GE, value, other, out); }

static const am_jcheck checks[] = {{"odd", 0, is_odd},
                                   {"even", 0, is_even},
                                   {"divisibleby", 1, is_divisibleby},
                                   {"defined", 0, is_defined},
                                   {"undefined", 0, is_undefined},
                                   {"filter", 0, is_filter},
                                   {"test", 0, is_test},
                                   {"none", 0, is_none},
                                   {"boolean", 0, is_boolean},
                                   {"false", 0, is_false},
                                   {"true", 0, is_true},
                                   {"integer", 0, is_integer},
                                   {"float", 0, is_float},
                                   {"lower", 0, is_lower},
                                   {"upper", 0, is_upper},
                                   {"string", 0, is_string},
                                   {"mapping", 0, is_mapping},
                                   {"number", 0, is_number},
                                   {"sequence", 0, is_sequence},
                                   {"iterable", 0, is_iterable},
                                   {"callable", 0, is_callable},
                                   {"sameas", 1, is_sameas},
                                   {"escaped", 0, is_escaped},
                                   {"in", 1, is_in},
                                   {"==", 1, is_eq},
                                   {"eq", 1, is_eq},
                                   {"equalto", 1, is_eq},
                                   {"!=", 1, is_ne},
                                   {"ne", 1, is_ne},
                                   {">", 1, is_gt},
                                   {"gt", 1, is_gt},
                                   {"greaterthan", 1, is_gt},
                                   {"ge", 1, is_ge},
                                   {">=", 1, is_ge},
                                   {"<", 1, is_lt},
                                   {"lt", 1, is_lt},
                                   {"lessthan", 1, is_lt},
                                   {"<=", 1, is_le},
                                   {"le", 1, is_le}};

const am_jcheck *am_jcheck_find(const char *name, size_t n_bytes) {
  for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
    if (strlen(checks[i].name) == n_bytes && memcmp(checks[i].name, name, n_bytes) == 0) return &checks[i];
  return NULL;
}

bool am_jcheck_run(am_jinja *jinja, const am_jcheck *check, const am_jvalue *value, const am_jargs *args,
                   bool *out) {
  static const char *const params[3][1] = {{"num"}, {"other"}, {"seq"}};
  const char *const *names = check->call == is_divisibleby ? params[0]
                             : check->call == is_sameas    ? params[1]
                             : check->call == is_in        ? params[2]
                                                           : NULL;
  am_jvalue other = am_jmissing();
  return am_jargs_bind(jinja, check->name, args, names, check->n_args, check->n_args, &other) &&
         check->call(jinja, value, &other, out);
}

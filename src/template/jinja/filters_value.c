/* SPDX-License-Identifier: Apache-2.0 */
#include "template/jinja/filters.h"

#include <math.h>
#include <string.h>

#include "template/jinja/attribute.h"
#include "template/jinja/eval.h"
#include "template/jinja/number.h"

#define FILTER(name) \
  bool am_jfilter_##name(am_jinja *jinja, const am_jvalue *value, const am_jargs *args, am_jvalue *out)

FILTER(abs) {
  am_jvalue zero = am_jint(0);
  int64_t i;
  if (!am_jargs_bind(jinja, "abs", args, NULL, 0, 0, NULL)) return false;
  if (value->kind == AM_J_FLOAT) return *out = am_jreal(fabs(value->as.real)), true;
  if (am_jvalue_as_int(value, &i)) {
    am_jvalue plain = am_jint(i);
    return i < 0 ? am_joperate_unary(jinja, AM_JOP_NEG, &plain, out)
                 : am_jnumber_binary(jinja, AM_JOP_ADD, &plain, &zero, out);
  }
  if (value->kind == AM_J_BIG) {
    *out = *value;
    return value->as.string->data[0] != '-' || am_joperate_unary(jinja, AM_JOP_NEG, value, out);
  }
  return am_jinja_raise(jinja, "bad operand type for abs(): '%s'", am_jvalue_type(value));
}

FILTER(attr) {
  static const char *const params[] = {"name"};
  am_jvalue name;
  bool found = false;
  if (!am_jargs_bind(jinja, "do_attr", args, params, 1, 1, &name)) return false;
  if (name.kind != AM_J_STRING)
    return am_jinja_raise(jinja, "attribute name must be string, not '%s'", am_jvalue_type(&name));
  const am_jstring *s = name.as.string;
  if (value->kind == AM_J_UNDEFINED && !am_jattribute_unsafe(value, s->data, s->n_bytes))
    return am_jinja_raise_undefined(jinja, value);
  if (!am_jvalue_attribute(jinja, value, s->data, s->n_bytes, out, &found)) return false;
  return found ||
         am_jundefined_new(jinja, false, out, "'%s object' has no attribute '%.*s'", am_jvalue_type(value),
                           (int)(s->n_bytes < 200 ? s->n_bytes : 200), s->data);
}

FILTER(default) {
  static const char *const params[] = {"default_value", "boolean"};
  am_jvalue given[2];
  if (!am_jargs_bind(jinja, "do_default", args, params, 2, 0, given)) return false;
  bool replace = value->kind == AM_J_UNDEFINED || (am_jvalue_truth(&given[1]) && !am_jvalue_truth(value));
  *out = replace ? given[0] : *value;
  return out->kind != AM_J_MISSING || am_jstring_text(jinja, "", out);
}

FILTER(float) {
  static const char *const params[] = {"default"};
  am_jvalue fallback;
  double real;
  if (!am_jargs_bind(jinja, "do_float", args, params, 1, 0, &fallback)) return false;
  if (value->kind == AM_J_UNDEFINED) return am_jinja_raise_undefined(jinja, value);
  if (am_jvalue_is_number(value)) {
    *out = am_jreal(am_jvalue_as_real(value));
  } else if (value->kind == AM_J_STRING && !am_jinja_charge(jinja, value->as.string->n_bytes / 16)) {
    return false;
  } else if (value->kind == AM_J_STRING && am_jnumber_float_of_text(value->as.string, &real)) {
    *out = am_jreal(real);
  } else {
    *out = fallback.kind == AM_J_MISSING ? am_jreal(0) : fallback;
  }
  return true;
}

FILTER(int) {
  static const char *const params[] = {"default", "base"};
  am_jvalue given[2];
  int64_t base = 10, whole;
  const char *why = NULL;
  double real = 0;
  if (!am_jargs_bind(jinja, "do_int", args, params, 2, 0, given)) return false;
  bool base_ok = given[1].kind == AM_J_MISSING || am_jvalue_as_int(&given[1], &base);
  base_ok = base_ok && (base == 0 || (base >= 2 && base <= 36));
  *out = given[0].kind == AM_J_MISSING ? am_jint(0) : given[0];
  if (value->kind == AM_J_UNDEFINED) return am_jinja_raise_undefined(jinja, value);
  if (value->kind == AM_J_BIG) return *out = *value, true;
  if (am_jvalue_as_int(value, &whole)) return *out = am_jint(whole), true;
  if (value->kind == AM_J_FLOAT) {
    if (am_jnumber_truncate(value->as.real, &whole, &why)) return *out = am_jint(whole), true;
    return isnan(value->as.real) || am_jinja_raise(jinja, "%s", why);
  }
  if (value->kind != AM_J_STRING) return true;
  if (!am_jinja_charge(jinja, value->as.string->n_bytes / 16)) return false;
  am_jvalue parsed;
  am_jparse result =
      base_ok ? am_jnumber_int_of_text(value->as.string, (int)base, &parsed) : AM_JPARSE_INVALID;
  if (result == AM_JPARSE_OK) return *out = parsed, true;
  if (result == AM_JPARSE_TOO_BIG) return am_jinja_raise(jinja, "integers over 64 bits are not supported");
  if (!am_jnumber_float_of_text(value->as.string, &real) || !isfinite(real)) return true;
  if (!am_jnumber_truncate(real, &whole, &why)) return am_jinja_raise(jinja, "%s", why);
  *out = am_jint(whole);
  return true;
}

/* round(i, -digits) of an integer: to a multiple of 10^digits, halves to even. */
static bool round_int(am_jinja *jinja, int64_t i, int64_t digits, am_jvalue *out) {
  int64_t power = 1, quotient = 0, rest = i;
  for (int64_t k = 0; k < digits && digits <= 18; k++) power *= 10;
  if (digits <= 18) {
    quotient = i / power;
    rest = i % power;
  }
  if (rest < 0) { /* round down first */
    rest += power;
    quotient--;
  }
  if (digits <= 18 && (rest > power - rest || (rest == power - rest && quotient % 2 != 0))) quotient++;
  if (digits > 18) quotient = 0;
  if (__builtin_mul_overflow(quotient, power, &i))
    return am_jinja_raise(jinja, "integers over 64 bits are not supported");
  *out = am_jint(i);
  return true;
}

FILTER(round) {
  static const char *const params[] = {"precision", "method"};
  am_jvalue given[2];
  int64_t precision = 0, i;
  if (!am_jargs_bind(jinja, "do_round", args, params, 2, 0, given)) return false;
  bool is_ceil = am_jstring_is(&given[1], "ceil"), is_floor = am_jstring_is(&given[1], "floor");
  if (given[1].kind != AM_J_MISSING && !is_ceil && !is_floor && !am_jstring_is(&given[1], "common"))
    return am_jinja_raise(jinja, "method must be common, ceil or floor");
  if (value->kind == AM_J_UNDEFINED && (is_ceil || is_floor)) return am_jinja_raise_undefined(jinja, value);
  if (!am_jvalue_is_number(value) || value->kind == AM_J_BIG)
    return am_jinja_raise(jinja, "type %s doesn't define __round__ method", am_jvalue_type(value));
  bool whole = !is_ceil && !is_floor && am_jvalue_as_int(value, &i);
  if (given[0].kind != AM_J_MISSING && !am_jvalue_as_int(&given[0], &precision)) {
    if (given[0].kind == AM_J_NONE && !is_ceil && !is_floor) { /* round(x, None) is an integer */
      const char *why = NULL;
      if (whole) return *out = am_jint(i), true;
      if (!am_jnumber_truncate(rint(value->as.real), &i, &why)) return am_jinja_raise(jinja, "%s", why);
      return *out = am_jint(i), true;
    }
    return am_jinja_raise(jinja, "'%s' object cannot be interpreted as an integer",
                          am_jvalue_type(&given[0]));
  }
  if (whole && precision < 0) return round_int(jinja, i, precision < -19 ? 19 : -precision, out);
  if (whole) return *out = am_jint(i), true;
  double real = am_jvalue_as_real(value);
  if (!is_ceil && !is_floor) return *out = am_jreal(am_jnumber_round(real, precision)), true;
  if (precision > 300 || precision < -300) return am_jinja_raise(jinja, "precision too big");
  double power = pow(10, (double)precision), scaled = real * power;
  if (!isfinite(scaled))
    return am_jinja_raise(jinja, "cannot convert float %s to integer", isnan(scaled) ? "NaN" : "infinity");
  *out = am_jreal((is_ceil ? ceil(scaled) : floor(scaled)) / power);
  return true;
}

/* Filters whose result no reference could be compared with (random) or that chat has no use for. */
FILTER(unsupported) {
  (void)value;
  (void)args;
  (void)out;
  return am_jinja_raise(jinja, "the filters random and urlize are not supported in chat templates");
}

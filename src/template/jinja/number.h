/* SPDX-License-Identifier: Apache-2.0 */
/* template/jinja/number: Python's integers (64 bits of them) and floats. */
#ifndef AM_TEMPLATE_JINJA_NUMBER_H
#define AM_TEMPLATE_JINJA_NUMBER_H

#include "template/jinja/ast.h"
#include "template/jinja/interp.h"

/* Digits alone, no sign. false: not a number of this base, or over 64 bits. */
bool am_jnumber_parse_int(const char *text, size_t n_bytes, int base, am_jvalue *out);
typedef enum am_jparse { AM_JPARSE_OK, AM_JPARSE_INVALID, AM_JPARSE_TOO_BIG } am_jparse;
/* int(text, base) and float(text) with blanks, signs, underscores, Unicode digits. */
am_jparse am_jnumber_int_of_text(const am_jstring *text, int base, am_jvalue *out);
bool am_jnumber_float_of_text(const am_jstring *text, double *out);
/* int(real): false when it is not finite or over 64 bits; `why` says so in Python's words. */
bool am_jnumber_truncate(double real, int64_t *out, const char **why);
/* a OP b for numbers (bools are integers). */
bool am_jnumber_binary(am_jinja *jinja, am_joperator op, const am_jvalue *a, const am_jvalue *b,
                       am_jvalue *out);
/* round(real, digits) as Python rounds: correctly, halves to even. */
double am_jnumber_round(double real, int64_t digits);
bool am_jnumber_put(am_jinja *jinja, const am_jvalue *number); /* its repr */

#endif

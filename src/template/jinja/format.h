/* SPDX-License-Identifier: Apache-2.0 */
/* template/jinja/format: values as text. All put_* functions append to jinja->out. */
#ifndef AM_TEMPLATE_JINJA_FORMAT_H
#define AM_TEMPLATE_JINJA_FORMAT_H

#include "template/jinja/interp.h"

bool am_jput_str(am_jinja *jinja, const am_jvalue *value);  /* str(value) */
bool am_jput_repr(am_jinja *jinja, const am_jvalue *value); /* repr(value) */
bool am_jvalue_str(am_jinja *jinja, const am_jvalue *value, am_jvalue *out);
/* soft_str: keeps Markup. */
bool am_jvalue_soft_str(am_jinja *jinja, const am_jvalue *value, am_jvalue *out);
/* The text with & < > " ' escaped; Markup as it is. */
bool am_jput_escaped(am_jinja *jinja, const am_jvalue *value);
bool am_jvalue_escape(am_jinja *jinja, const am_jvalue *value, am_jvalue *out); /* Markup */

/* percent.c: format % argument. */
bool am_jformat_percent(am_jinja *jinja, const am_jvalue *format, const am_jvalue *argument, am_jvalue *out);
/* str_format.c: format.format(*args, **kwargs). */
bool am_jformat_braces(am_jinja *jinja, const am_jvalue *format, const am_jargs *args, am_jvalue *out);
/* One number with Python's format specification, for both. */
typedef struct am_jspec {
  uint32_t fill; /* code point */
  char align;    /* < > ^ = or 0 */
  char sign;     /* + - blank or 0 */
  bool alternate, zero;
  char grouping; /* , _ or 0 */
  int64_t width;
  int64_t precision; /* -1: none */
  char type;         /* 0: none */
} am_jspec;
bool am_jput_number(am_jinja *jinja, const am_jspec *spec, const am_jvalue *number);
bool am_jput_padded(am_jinja *jinja, const am_jspec *spec, char default_align,
                    size_t mark); /* pads what follows mark */

#endif

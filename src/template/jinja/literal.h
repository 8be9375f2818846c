/* SPDX-License-Identifier: Apache-2.0 */
/* template/jinja/literal: numbers and quoted strings of the template language. */
#ifndef AM_TEMPLATE_JINJA_LITERAL_H
#define AM_TEMPLATE_JINJA_LITERAL_H

#include "template/jinja/interp.h"

/* Bytes that the literal at the start of text takes; 0: none. */
size_t am_jliteral_float_length(const char *text, size_t n_bytes);
size_t am_jliteral_integer_length(const char *text, size_t n_bytes);
bool am_jliteral_number(am_jinja *jinja, const char *text, size_t n_bytes, bool is_float, am_jvalue *out);
/* What is between the quotes, with Python's escapes replaced. */
bool am_jliteral_string(am_jinja *jinja, const char *text, size_t n_bytes, am_jvalue *out);

#endif

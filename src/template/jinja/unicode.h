/* SPDX-License-Identifier: Apache-2.0 */
/* template/jinja/unicode: character classes and case mapping as Python's str has them. Pure. */
#ifndef AM_TEMPLATE_JINJA_UNICODE_H
#define AM_TEMPLATE_JINJA_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool am_unicode_is_space(uint32_t c);      /* str.isspace, re's \s, str.split */
bool am_unicode_is_line_break(uint32_t c); /* str.splitlines; CR LF is one break */
bool am_unicode_is_alpha(uint32_t c);
bool am_unicode_is_decimal(uint32_t c);
bool am_unicode_is_digit(uint32_t c);
bool am_unicode_is_numeric(uint32_t c);
bool am_unicode_is_printable(uint32_t c); /* what repr() shows as it is */
bool am_unicode_is_upper(uint32_t c);
bool am_unicode_is_lower(uint32_t c);
bool am_unicode_is_title(uint32_t c); /* the title-case letters, as U+01C5 */
bool am_unicode_is_cased(uint32_t c);
bool am_unicode_is_case_ignorable(uint32_t c);
bool am_unicode_is_identifier_start(uint32_t c);
bool am_unicode_is_identifier_part(uint32_t c);
int am_unicode_decimal_value(uint32_t c); /* of a decimal digit, else -1 */
/* Full mappings (SpecialCasing): write up to 3 code points, return how many. */
int am_unicode_upper(uint32_t c, uint32_t out[3]);
int am_unicode_lowercase(uint32_t c, uint32_t out[3]);
int am_unicode_title(uint32_t c, uint32_t out[3]);
int am_unicode_fold(uint32_t c, uint32_t out[3]);

/* Walks a string; the bytes are valid UTF-8. */
uint32_t am_unicode_next(const char *data, size_t n_bytes, size_t *offset);
uint32_t am_unicode_previous(const char *data, size_t *offset); /* offset > 0 */

#endif

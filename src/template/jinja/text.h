/* SPDX-License-Identifier: Apache-2.0 */
/* template/jinja/text: what Python's str does, for methods and filters alike. Results keep the mark of
 * the string that they come from. */
#ifndef AM_TEMPLATE_JINJA_TEXT_H
#define AM_TEMPLATE_JINJA_TEXT_H

#include "template/jinja/interp.h"

typedef enum am_jcase {
  AM_JCASE_UPPER,
  AM_JCASE_LOWER,
  AM_JCASE_TITLE,
  AM_JCASE_CAPITAL,
  AM_JCASE_SWAP,
  AM_JCASE_FOLD
} am_jcase;
bool am_jtext_case(am_jinja *jinja, const am_jvalue *text, am_jcase how, am_jvalue *out);
/* Appends the lower-case form of the bytes [start, end) of s, in the context of the whole. */
bool am_jtext_put_lower(am_jinja *jinja, const am_jstring *s, size_t start, size_t end);
/* chars: a string, or NONE for blanks. */
bool am_jtext_strip(am_jinja *jinja, const am_jvalue *text, const am_jvalue *chars, bool left, bool right,
                    am_jvalue *out);
/* count < 0: all. */
bool am_jtext_replace(am_jinja *jinja, const am_jvalue *text, const am_jstring *old, const am_jstring *new,
                      int64_t count, am_jvalue *out);
/* separator: a string, or NONE for runs of blanks; limit < 0: none. */
bool am_jtext_split(am_jinja *jinja, const am_jvalue *text, const am_jvalue *separator, int64_t limit,
                    bool from_right, am_jlist **out);
bool am_jtext_lines(am_jinja *jinja, const am_jvalue *text, bool keep_ends, am_jlist **out);
/* align: '<', '>', '^' as str.ljust, rjust, center. */
bool am_jtext_pad(am_jinja *jinja, const am_jvalue *text, int64_t width, const am_jstring *fill, char align,
                  am_jvalue *out);
/* Offset in bytes of part at or after start and before end; SIZE_MAX: absent (or too much work: then the
 * error is recorded and the rendering fails). */
size_t am_jtext_find(am_jinja *jinja, const am_jstring *text, const am_jstring *part, size_t start,
                     size_t end, bool from_right);
/* Bytes [start, end) as a string with the mark of text. */
bool am_jtext_bytes(am_jinja *jinja, const am_jvalue *text, size_t start, size_t end, am_jvalue *out);

#endif

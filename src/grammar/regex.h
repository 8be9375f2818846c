/* SPDX-License-Identifier: Apache-2.0 */
/* grammar/regex: regular expressions -> expressions. The subset that is regular and means the same in
 * Python's re and in ECMAScript:
 *   characters (Unicode), . (no line end), [classes] with ranges and ^, \d \w \s (ASCII) and \D \W \S,
 *   \t \n \r \f \v \0 \xHH \uHHHH \u{H...} \UHHHHHHHH, \ before punctuation, groups ( ) (?: ) (?<n> ) (?P<n>
 * ), | * + ? {m} {m,} {,n} {m,n} and their lazy forms, ^ $ \A \Z \z at the two ends. \D \W \S take no
 * character beyond ASCII that either of the two counts as a digit, a letter or a space. */
#ifndef AM_GRAMMAR_REGEX_H
#define AM_GRAMMAR_REGEX_H

#include "grammar/expression.h"

/* Nodes in arena; *out is to be closed with am_expr_close (on failure there is nothing to close). search:
 * the pattern may match anywhere unless ^ and $ say otherwise, as JSON Schema has it; else all of the
 * text. `what` names the pattern in errors. */
adam_status am_regex_read(const char *what, const char *pattern, size_t n_bytes, bool search, am_arena *arena,
                          am_expr **out, adam_error *error);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer/regex: the regular expressions of tokenizer files. They are written for Oniguruma in
 * Ruby syntax; onig.c rewrites them so that PCRE2 (UTF, JIT) matches the same text. Immutable after
 * open; a matcher belongs to one thread at a time. */
#ifndef AM_TOKENIZER_REGEX_H
#define AM_TOKENIZER_REGEX_H

#include "base/buf.h"
#include <adam/status.h>

typedef struct am_regex am_regex;
typedef struct am_matcher am_matcher; /* what matching needs in memory; serves any regex */

/* `literal`: the pattern is plain text. ADAM_UNSUPPORTED for syntax that has no equal in PCRE2. */
adam_status am_regex_open(const char *pattern, size_t n_bytes, bool literal, am_regex **out,
                          adam_error *error);
void am_regex_close(am_regex **regex);
const char *am_regex_pattern(const am_regex *regex); /* as it was given */

am_matcher *am_matcher_open(void); /* NULL: memory is out */
void am_matcher_close(am_matcher **matcher);

/* Walks all matches in text (valid UTF-8), as the onig crate's find_iter: an empty match directly
 * behind the last match is passed over. */
typedef struct am_regex_scan {
  const am_regex *regex;
  am_matcher *matcher;
  const char *text; /* borrowed */
  size_t n_bytes;
  size_t position;
  size_t last_end; /* SIZE_MAX: no match yet */
} am_regex_scan;
am_regex_scan am_regex_begin(const am_regex *regex, am_matcher *matcher, const char *text, size_t n_bytes);
/* *found tells whether start and end are set. ADAM_LIMIT when matching took too many steps. */
adam_status am_regex_next(am_regex_scan *scan, bool *found, size_t *start, size_t *end, adam_error *error);

/* onig.c: the same pattern for PCRE2, NULL *problem on success, else what it is that has no equal. */
bool am_onig_rewrite(const char *pattern, size_t n_bytes, am_buf *out, const char **problem);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* template/go/quote: strconv.Quote, for %q. Appends; false: memory is out. */
#ifndef AM_TEMPLATE_GO_QUOTE_H
#define AM_TEMPLATE_GO_QUOTE_H

#include "base/buf.h"

bool am_go_is_print(uint32_t codepoint); /* letters, marks, numbers, punctuation, symbols and the blank */
/* ascii: all else is escaped. raw: in backquotes where that can be. */
bool am_go_quote(am_buf *out, const char *text, size_t n_bytes, bool ascii, bool raw);
bool am_go_quote_rune(am_buf *out, uint32_t codepoint, bool ascii);

#endif

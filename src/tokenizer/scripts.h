/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer/scripts: the UnicodeScripts pre-tokenizer: cuts where one script follows another. Pure. */
#ifndef AM_TOKENIZER_SCRIPTS_H
#define AM_TOKENIZER_SCRIPTS_H

#include "tokenizer/pieces.h"

/* Cuts the span of text; what stands before the first character with a script is dropped, as in the
 * library. false: memory is out. */
bool am_scripts_cut(const char *text, const am_span *span, am_spans *out);

#endif

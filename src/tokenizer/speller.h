/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer/speller: the bytes that each token adds to the text, for masks and for log-probabilities.
 * Bytes, not text: a token may hold half a character, which a decoder keeps back. One thread at a time. */
#ifndef AM_TOKENIZER_SPELLER_H
#define AM_TOKENIZER_SPELLER_H

#include "tokenizer/tokenizer.h"

typedef struct am_speller am_speller;

/* The tokenizer is borrowed until the close. */
adam_status am_speller_open(const am_tokenizer *tokenizer, am_speller **out, adam_error *error);
void am_speller_close(am_speller **speller);
/* What id adds in the midst of a text (behind another token, so that a leading space stays): the byte of
 * a byte token <0xXX>, the raw bytes of a byte-level piece, else what the decoders make of it. Borrowed
 * until the next call. An id without a token adds 0 bytes. *is_text: an ordinary word of the vocabulary;
 * false for an added token (special or not), whose bytes are those of its spelling. */
adam_status am_speller_bytes(am_speller *speller, int32_t id, const char **bytes, size_t *n_bytes,
                             bool *is_text, adam_error *error);
/* Whether the first token behind `context` loses a leading space: SentencePiece tokenizers drop the one
 * that they put in front of every text. */
adam_status am_speller_drops_space(am_speller *speller, const int32_t *context, size_t n, bool *drops,
                                   adam_error *error);

#endif

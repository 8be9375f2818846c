/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer/decode: tokens -> text, one token at a time. The decoders of a file are a chain of steps;
 * decoding all at once and decoding a stream run the same steps. A new kind is a row in decode.c.
 * A chain is immutable after open; a flow belongs to one thread at a time. */
#ifndef AM_TOKENIZER_DECODE_H
#define AM_TOKENIZER_DECODE_H

#include "base/json.h"
#include "tokenizer/regex.h"

#define AM_DECODE_MOST_STEPS 16

typedef struct am_decode_step {
  const struct am_decode_row *row;
  am_regex *regex; /* owned: Replace */
  char *text;      /* owned: Replace's content, BPEDecoder's suffix, WordPiece's prefix, CTC's pad token */
  size_t text_bytes;
  char *delimiter;    /* owned: CTC's word delimiter */
  uint32_t character; /* Strip, Metaspace */
  size_t start, stop; /* Strip, characters */
  bool prepend;       /* Metaspace: the first token loses its spaces */
  bool cleanup;       /* WordPiece, CTC */
} am_decode_step;

typedef struct am_decode_chain {
  am_decode_step steps[AM_DECODE_MOST_STEPS];
  size_t n;
} am_decode_chain;

/* json may be NULL or null: tokens joined by spaces. */
adam_status am_decode_chain_open(const am_json *json, am_decode_chain *out, adam_error *error);
void am_decode_chain_close(am_decode_chain *chain);
/* Byte of a token <0xXX> where the chain has ByteFallback; -1 for any other. */
int am_decode_byte(const am_decode_chain *chain, const char *spelling, size_t n_bytes);
/* The chain is ByteLevel alone. */
bool am_decode_is_byte_level(const am_decode_chain *chain);

/* What one step remembers between tokens. */
typedef struct am_decode_state {
  am_buf held;     /* bytes that wait for more */
  am_buf gathered; /* parts of one token, for steps that need it whole */
  am_buf scratch;
  size_t n_tokens; /* tokens begun so far */
  size_t left;     /* Strip: characters that may still be cut from this token */
  bool open;       /* a token has begun and not ended */
  bool waiting;    /* BPEDecoder: held is a token */
} am_decode_state;

typedef struct am_decode_flow {
  const am_decode_chain *chain; /* borrowed */
  am_matcher *matcher;          /* owned, opened at first use */
  am_decode_state states[AM_DECODE_MOST_STEPS];
} am_decode_flow;
void am_decode_flow_open(am_decode_flow *flow, const am_decode_chain *chain);
void am_decode_flow_close(am_decode_flow *flow);
/* One token as it is spelled. If raw is not NULL it is what ByteLevel makes of the spelling. */
adam_status am_decode_push(am_decode_flow *flow, const char *spelling, size_t n_bytes, const char *raw,
                           size_t raw_bytes, am_buf *out, adam_error *error);
adam_status am_decode_finish(am_decode_flow *flow, am_buf *out, adam_error *error);
/* Drops text that is held back, but for the beginning of a character. */
void am_decode_forget(am_decode_flow *flow);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer/charsmap: SentencePiece's precompiled normalisation rules (the Precompiled normalizer):
 * a darts double array, then NUL-terminated replacements. The array is not trusted: a step outside of it
 * finds nothing. Immutable after open. */
#ifndef AM_TOKENIZER_CHARSMAP_H
#define AM_TOKENIZER_CHARSMAP_H

#include "base/buf.h"
#include <adam/status.h>

typedef struct am_charsmap {
  uint32_t *units; /* owned */
  size_t n_units;
  char *strings; /* owned; valid UTF-8 */
  size_t n_bytes;
  bool plain[128]; /* ASCII that no rule touches */
} am_charsmap;

/* From its base64 text. */
adam_status am_charsmap_open(const char *base64, size_t n_bytes, am_charsmap **out, adam_error *error);
/* Appends the base64 text of the binary form. */
void am_charsmap_write_base64(am_buf *out, const char *bytes, size_t n_bytes);
/* Bytes of base64 with its padding, SIZE_MAX when it is none; out has room for 3 bytes of every 4. */
size_t am_charsmap_read_base64(const char *text, size_t n, uint8_t *out);
void am_charsmap_close(am_charsmap **charsmap);
/* Appends the normal form of valid UTF-8. false: memory is out. */
bool am_charsmap_run(const am_charsmap *charsmap, const char *text, size_t n_bytes, am_buf *out);

#endif

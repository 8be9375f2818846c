/* SPDX-License-Identifier: Apache-2.0 */
/* A vocab.txt, a zero byte, then a tokenizer_config.json: what opens must encode the list itself. */
#include <string.h>

#include "tokenizer/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  adam_error error = {0};
  am_tokenizer *t = NULL;
  am_ids ids = {0};
  am_buf text = {0};
  const uint8_t *zero = memchr(data, 0, size);
  size_t n_words = zero ? (size_t)(zero - data) : size, n_config = zero ? size - n_words - 1 : 0;
  if (size > 65536) return 0;
  adam_status status = am_tokenizer_open_words_bytes(
      "fuzz", data, n_words, n_config ? (const char *)zero + 1 : NULL, n_config, &t, &error);
  if (status == ADAM_OK)
    status = am_tokenizer_encode(t, (const char *)data, n_words, AM_ENCODE_SPECIAL, &ids, &error);
  if (status == ADAM_OK) status = am_tokenizer_decode(t, ids.data, ids.n, size & 1, &text, &error);
  if (status != ADAM_OK && !error.why[0]) __builtin_trap();
  am_buf_close(&text);
  am_ids_close(&ids);
  am_tokenizer_close(&t);
  return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A tokenizer.json, a zero byte, then text for it. What opens must encode and decode, and give the
 * same text in a stream as at once. The image that it makes is damaged by the text and opened again. */
#include "tokenizer/tokenizer.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "tokenizer/pipeline.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST_IDS 4096

static void use(const am_tokenizer *t, const char *text, size_t n_bytes) {
  adam_error error;
  am_ids ids = {0};
  am_buf whole = {0}, streamed = {0};
  am_decoder *decoder = NULL;
  adam_status status = am_tokenizer_encode(t, text, n_bytes, AM_ENCODE_SPECIAL, &ids, &error);
  for (size_t i = 0; i + 4 <= n_bytes && ids.n < MOST_IDS && i < 400; i += 4) {
    uint8_t b[4];
    memcpy(b, text + i, 4); /* any ids at all, valid or not */
    int32_t id = (int32_t)(b[0] | b[1] << 8 | b[2] << 16 | (uint32_t)(b[3] & 0x80) << 24);
    if (ids.n < ids.capacity) ids.data[ids.n++] = id;
  }
  if (ids.n > MOST_IDS) ids.n = MOST_IDS;
  am_ids pair = {0}, types = {0};
  size_t half = n_bytes / 2;
  if (am_tokenizer_encode_pair(t, text, half, text + half, n_bytes - half, AM_ENCODE_SPECIAL, 16, &pair,
                               &types, NULL, &error) == ADAM_OK &&
      pair.n != types.n)
    abort();
  am_ids_close(&pair);
  am_ids_close(&types);
  status = am_tokenizer_decode(t, ids.data, ids.n, n_bytes & 1, &whole, &error);
  if (status == ADAM_OK && am_decoder_open(t, n_bytes & 1, &decoder, &error) == ADAM_OK) {
    for (size_t i = 0; status == ADAM_OK && i < ids.n; i++)
      status = am_decoder_push(decoder, ids.data[i], &streamed, &error);
    if (status == ADAM_OK) status = am_decoder_finish(decoder, &streamed, &error);
    if (status == ADAM_OK &&
        (whole.len != streamed.len || (whole.len && memcmp(whole.data, streamed.data, whole.len))))
      abort();
  }
  am_decoder_close(&decoder);
  am_buf_close(&whole);
  am_buf_close(&streamed);
  am_ids_close(&ids);
}

/* The image with some bytes changed behind the checksum's back must bind to something sound or fail. */
static void use_damaged(const am_tokenizer *t, const uint8_t *text, size_t n_bytes) {
  adam_error error;
  am_tokenizer *other = NULL;
  am_image image = {.size = t->image.size, .heap = am_mem_aligned(64, t->image.size)};
  if (!image.heap) return;
  memcpy(image.heap, t->image.bytes, image.size);
  image.bytes = image.heap;
  size_t header = image.size < 1200 ? image.size : 1200; /* magic, sections: am_image_open checks those */
  for (size_t i = 0; i + 5 <= n_bytes && i < 50; i += 5) {
    size_t at = (size_t)text[i] | (size_t)text[i + 1] << 8 | (size_t)text[i + 2] << 16;
    if (image.size > header) image.heap[header + at % (image.size - header)] ^= text[i + 3];
  }
  if (am_pipeline_bind("damaged", &image, &other, &error) == ADAM_OK) use(other, (const char *)text, n_bytes);
  am_tokenizer_close(&other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  adam_error error;
  am_tokenizer *t = NULL;
  const uint8_t *zero = memchr(data, 0, size);
  size_t n_json = zero ? (size_t)(zero - data) : size;
  const uint8_t *text = zero ? zero + 1 : data;
  size_t n_text = zero ? size - n_json - 1 : 0;
  if (size > 65536) return 0;
  if (am_tokenizer_open_json("fuzz", (const char *)data, n_json, NULL, 0, &t, &error) != ADAM_OK) return 0;
  use(t, (const char *)text, n_text);
  use_damaged(t, text, n_text);
  am_tokenizer_close(&t);
  return 0;
}

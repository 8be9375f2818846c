/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/utf8.h"
#include "tokenizer/sentencepiece.h"
#include "tokenizer/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(const am_vocab_string *text, const uint8_t *data, size_t size) {
  const uint8_t *begin = (const uint8_t *)text->bytes;
  if (text->n_bytes == 0) return;
  /* The names of trainer_spec may be the standard ones, which lie elsewhere. */
  bool inside = begin >= data && begin <= data + size;
  if (inside && text->n_bytes > size - (size_t)(begin - data)) __builtin_trap();
}

/* A tokenizer that opens encodes any text, and decodes its ids in a stream as at once. */
static void use(const uint8_t *data, size_t size) {
  static const char *const configs[] = {
      "{}", "{\"tokenizer_class\":\"LlamaTokenizer\",\"add_bos_token\":true}",
      "{\"tokenizer_class\":\"GemmaTokenizer\"}", "{\"tokenizer_class\":\"T5Tokenizer\",\"extra_ids\":3}",
      "{\"tokenizer_class\":\"XLMRobertaTokenizer\"}"};
  const char *config = configs[size % 5], *text = (const char *)data + size / 2;
  size_t n_text = size - size / 2;
  am_tokenizer *t = NULL;
  am_decoder *decoder = NULL;
  am_ids ids = {0};
  am_buf whole = {0}, streamed = {0};
  adam_error error = {0};
  if (am_tokenizer_open_model_bytes("fuzz", data, size, config, strlen(config), &t, &error)) return;
  adam_status status = am_tokenizer_encode(t, text, n_text, AM_ENCODE_SPECIAL, &ids, &error);
  if (!status) status = am_tokenizer_decode(t, ids.data, ids.n, size & 1, &whole, &error);
  if (!status) status = am_decoder_open(t, size & 1, &decoder, &error);
  for (size_t i = 0; !status && i < ids.n; i++)
    status = am_decoder_push(decoder, ids.data[i], &streamed, &error);
  if (!status) status = am_decoder_finish(decoder, &streamed, &error);
  if (!status && (whole.len != streamed.len || (whole.len && memcmp(whole.data, streamed.data, whole.len))))
    __builtin_trap();
  am_decoder_close(&decoder);
  am_buf_close(&whole);
  am_buf_close(&streamed);
  am_ids_close(&ids);
  am_tokenizer_close(&t);
}

/* What a model that can be read names lies inside its bytes, and its texts are UTF-8. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  am_arena arena = {.limit_bytes = 64 << 20};
  am_sp_model model;
  adam_error error = {0};
  if (am_sp_read("fuzz", data, size, &arena, &model, &error) == ADAM_OK) {
    if (model.n_pieces == 0) __builtin_trap();
    for (size_t i = 0; i < model.n_pieces; i++) {
      check_inside(&model.pieces[i].text, data, size);
      if (!am_utf8_valid(model.pieces[i].text.bytes, model.pieces[i].text.n_bytes)) __builtin_trap();
      if (model.pieces[i].type < AM_SP_NORMAL || model.pieces[i].type > AM_SP_BYTE) __builtin_trap();
    }
    check_inside(&model.precompiled_charsmap, data, size);
    check_inside(&model.unk_piece, data, size);
  } else if (!error.why[0]) {
    __builtin_trap();
  }
  am_arena_close(&arena);
  use(data, size);
  return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Ids -> text, all at once or as they come: the same flow either way. */
#include "tokenizer/tokenizer.h"

#include "base/mem.h"
#include "tokenizer/pipeline.h"

struct am_decoder {
  const am_tokenizer *tokenizer; /* shared */
  bool skip_special;
  am_decode_flow flow;
};

/* Ids without a token are passed over. */
static adam_status push_id(const am_tokenizer *t, am_decode_flow *flow, int32_t id, bool skip_special,
                           am_buf *out, adam_error *error) {
  const am_added_token *token = am_added_find(&t->added, id);
  if (token) {
    if (skip_special && token->skipped) return ADAM_OK;
    return am_decode_push(flow, token->spelling, token->spelling_bytes, NULL, 0, out, error);
  }
  const am_vocabulary *v = &t->model.vocabulary;
  if (!am_vocabulary_has(v, id)) return ADAM_OK;
  uint32_t at = v->spelling_at[id], raw = v->bytes_at[id];
  return am_decode_push(flow, v->spelling + at, v->spelling_at[id + 1] - at,
                        v->raw_bytes ? v->bytes + raw : NULL, v->bytes_at[id + 1] - raw, out, error);
}

adam_status am_tokenizer_decode(const am_tokenizer *tokenizer, const int32_t *ids, size_t n,
                                bool skip_special, am_buf *out, adam_error *error) {
  am_decode_flow flow;
  am_decode_flow_open(&flow, &tokenizer->decoder);
  adam_status status = ADAM_OK;
  size_t before = out->len;
  for (size_t i = 0; status == ADAM_OK && i < n; i++)
    status = push_id(tokenizer, &flow, ids[i], skip_special, out, error);
  if (status == ADAM_OK) status = am_decode_finish(&flow, out, error);
  am_decode_flow_close(&flow);
  if (status != ADAM_OK && out->data) out->data[out->len = before] = 0;
  return status;
}

adam_status am_decoder_open(const am_tokenizer *tokenizer, bool skip_special, am_decoder **out,
                            adam_error *error) {
  am_decoder *decoder = am_mem_zalloc(1, sizeof *decoder);
  if (!decoder) return am_fail_memory(error, "tokenizer");
  decoder->tokenizer = tokenizer;
  decoder->skip_special = skip_special;
  am_decode_flow_open(&decoder->flow, &tokenizer->decoder);
  *out = decoder;
  return ADAM_OK;
}

adam_status am_decoder_context(am_decoder *decoder, const int32_t *ids, size_t n, adam_error *error) {
  am_buf discarded = {0};
  adam_status status = ADAM_OK;
  for (size_t i = 0; status == ADAM_OK && i < n; i++) {
    status = push_id(decoder->tokenizer, &decoder->flow, ids[i], decoder->skip_special, &discarded, error);
    am_buf_clear(&discarded);
  }
  am_buf_close(&discarded);
  am_decode_forget(&decoder->flow);
  return status;
}

adam_status am_decoder_push(am_decoder *decoder, int32_t id, am_buf *out, adam_error *error) {
  return push_id(decoder->tokenizer, &decoder->flow, id, decoder->skip_special, out, error);
}

adam_status am_decoder_finish(am_decoder *decoder, am_buf *out, adam_error *error) {
  return am_decode_finish(&decoder->flow, out, error);
}

void am_decoder_close(am_decoder **decoder) {
  if (!decoder || !*decoder) return;
  am_decode_flow_close(&(*decoder)->flow);
  am_mem_free(*decoder);
  *decoder = NULL;
}

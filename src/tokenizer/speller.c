/* SPDX-License-Identifier: Apache-2.0 */
#include "tokenizer/speller.h"

#include "base/mem.h"
#include "tokenizer/alphabet.h"
#include "tokenizer/pipeline.h"

#include <string.h>

struct am_speller {
  const am_tokenizer *tokenizer;   /* shared */
  am_decode_flow flow;             /* stands behind a first token */
  enum { NEW, FLOWS, HOLDS } kind; /* HOLDS: the decoders keep tokens back, so each is spelled alone */
  am_buf out;
};

static adam_status no_memory(adam_error *error) { return am_fail_memory(error, "tokenizer"); }

adam_status am_speller_open(const am_tokenizer *tokenizer, am_speller **out, adam_error *error) {
  am_speller *speller = am_mem_zalloc(1, sizeof *speller);
  if (!speller) return no_memory(error);
  speller->tokenizer = tokenizer;
  am_decode_flow_open(&speller->flow, &tokenizer->decoder);
  *out = speller;
  return ADAM_OK;
}

void am_speller_close(am_speller **speller) {
  if (!speller || !*speller) return;
  am_decode_flow_close(&(*speller)->flow);
  am_buf_close(&(*speller)->out);
  am_mem_free(*speller);
  *speller = NULL;
}

/* For decoders that keep a token back until the end (a suffix, a strip behind): a text of its own, less
 * the letter in front. */
static adam_status spell_alone(am_speller *s, const char *spelling, size_t n_bytes, adam_error *error) {
  am_decode_flow flow;
  am_decode_flow_open(&flow, &s->tokenizer->decoder);
  am_buf_clear(&s->out);
  adam_status status = am_decode_push(&flow, "a", 1, NULL, 0, &s->out, error);
  if (!status) status = am_decode_push(&flow, spelling, n_bytes, NULL, 0, &s->out, error);
  if (!status) status = am_decode_finish(&flow, &s->out, error);
  am_decode_flow_close(&flow);
  if (!status && s->out.len > 0) memmove(s->out.data, s->out.data + 1, s->out.len--);
  return status;
}

static adam_status spell(am_speller *s, const char *spelling, size_t n_bytes, adam_error *error) {
  adam_status status = ADAM_OK;
  if (s->kind == NEW) {
    am_buf_clear(&s->out);
    status = am_decode_push(&s->flow, "a", 1, NULL, 0, &s->out, error);
    if (status) return status;
    s->kind = s->out.len == 1 && s->out.data[0] == 'a' ? FLOWS : HOLDS;
  }
  if (s->kind == HOLDS) return spell_alone(s, spelling, n_bytes, error);
  am_buf_clear(&s->out);
  return am_decode_push(&s->flow, spelling, n_bytes, NULL, 0, &s->out, error);
}

adam_status am_speller_bytes(am_speller *s, int32_t id, const char **bytes, size_t *n_bytes, bool *is_text,
                             adam_error *error) {
  const am_tokenizer *t = s->tokenizer;
  const am_added_token *token = am_added_find(&t->added, id);
  const am_vocabulary *v = &t->model.vocabulary;
  *is_text = false;
  *bytes = "";
  *n_bytes = 0;
  if (token) {
    *bytes = token->spelling;
    *n_bytes = token->spelling_bytes;
    return ADAM_OK;
  }
  if (!am_vocabulary_has(v, id)) return ADAM_OK;
  const char *spelling = v->spelling + v->spelling_at[id], *raw = v->bytes + v->bytes_at[id];
  size_t spelling_bytes = v->spelling_at[id + 1] - v->spelling_at[id];
  size_t raw_bytes = v->bytes_at[id + 1] - v->bytes_at[id];
  *is_text = true;
  int byte = am_decode_byte(&t->decoder, spelling, spelling_bytes);
  if (am_decode_is_byte_level(&t->decoder) && v->raw_bytes) {
    *bytes = raw;
    *n_bytes = raw_bytes;
    return ADAM_OK;
  }
  am_buf_clear(&s->out);
  if (byte >= 0) {
    if (!am_buf_append_char(&s->out, (char)byte)) return no_memory(error);
  } else if (am_decode_is_byte_level(&t->decoder)) {
    if (!am_buf_reserve(&s->out, spelling_bytes)) return no_memory(error);
    size_t n = am_alphabet_bytes(spelling, spelling_bytes, s->out.data);
    if (n == SIZE_MAX)
      am_buf_append(&s->out, spelling, spelling_bytes);
    else
      s->out.len = n;
  } else {
    adam_status status = spell(s, spelling, spelling_bytes, error);
    if (status) return status;
  }
  *bytes = s->out.data ? s->out.data : "";
  *n_bytes = s->out.len;
  return ADAM_OK;
}

adam_status am_speller_drops_space(am_speller *s, const int32_t *context, size_t n, bool *drops,
                                   adam_error *error) {
  const am_tokenizer *t = s->tokenizer;
  const am_vocabulary *v = &t->model.vocabulary;
  *drops = false;
  if (am_decode_is_byte_level(&t->decoder)) return ADAM_OK;
  for (int32_t id = 0; (size_t)id < v->n_ids; id++) {
    const char *bytes = NULL;
    size_t n_bytes = 0;
    bool is_text = false;
    am_decoder *decoder = NULL;
    am_buf out = {0};
    adam_status status = am_speller_bytes(s, id, &bytes, &n_bytes, &is_text, error);
    if (status) return status;
    if (!is_text || n_bytes < 2 || bytes[0] != ' ' || bytes[1] == ' ') continue;
    status = am_decoder_open(t, true, &decoder, error);
    if (!status) status = am_decoder_context(decoder, context, n, error);
    if (!status) status = am_decoder_push(decoder, id, &out, error);
    if (!status) *drops = out.len > 0 && out.data[0] != ' ';
    am_decoder_close(&decoder);
    am_buf_close(&out);
    return status;
  }
  return ADAM_OK;
}

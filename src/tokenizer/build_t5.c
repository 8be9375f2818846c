/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer.ggml.model "t5": a Unigram vocabulary of SentencePiece; the parts are those that the
 * tokenizer.json of T5 has. */
#include "tokenizer/build_vocab.h"

#include "tokenizer/charsmap.h"

enum { DEFAULT_EOS = 1, DEFAULT_UNKNOWN = 2 };

void am_unigram_write_stages(am_buf *out, am_vocab_string charsmap, bool prefix, bool drop_blanks) {
  const char *scheme = prefix ? "always" : "never";
  am_buf_append_str(out, "\"normalizer\":");
  if (charsmap.n_bytes > 0) {
    am_buf_append_str(out, "{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"");
    am_charsmap_write_base64(out, charsmap.bytes, charsmap.n_bytes);
    am_buf_append_str(out, "\"}");
  } else {
    am_buf_append_str(out, "null");
  }
  am_buf_append_str(out, ",\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[");
  if (drop_blanks) am_buf_append_str(out, "{\"type\":\"WhitespaceSplit\"},");
  am_buf_printf(out,
                "{\"type\":\"Metaspace\",\"replacement\":\"▁\",\"prepend_scheme\":\"%s\",\"split\":true}]},"
                "\"decoder\":{\"type\":\"Metaspace\",\"replacement\":\"▁\",\"prepend_scheme\":\"%s\"}",
                scheme, scheme);
}

void am_unigram_write_model(am_buf *out, int64_t unknown_id, bool byte_fallback) {
  am_buf_append_str(out, ",\"model\":{\"type\":\"Unigram\"");
  if (unknown_id >= 0) am_buf_printf(out, ",\"unk_id\":%lld", (long long)unknown_id);
  am_buf_printf(out, ",\"byte_fallback\":%s}", byte_fallback ? "true" : "false");
}

static bool has_bytes(const am_vocabulary *v) { return am_vocabulary_find(v, "<0x00>", 6) >= 0; }

static bool write_config(void *user, const am_vocabulary *vocabulary, am_buf *out) {
  const am_vocab_builder *b = user;
  const am_vocab *vocab = b->vocab;
  int64_t eos = am_vocab_has(vocab, vocab->eos_id) ? vocab->eos_id : DEFAULT_EOS;
  int64_t unknown = am_vocab_has(vocab, vocab->unknown_id) ? vocab->unknown_id : DEFAULT_UNKNOWN;
  bool bos = vocab->add_bos > 0 && am_vocab_has(vocab, vocab->bos_id);
  if (vocab->add_eos == 0 || !am_vocab_has(vocab, eos)) eos = -1;
  am_buf_append_str(out, "{\"added_tokens\":[");
  am_vocab_write_tokens(b, out);
  am_buf_append_str(out, "],\"post_processor\":");
  if (bos && eos >= 0) /* XLM-RoBERTa's: <s> A </s> </s> B </s> */
    am_buf_printf(out, "{\"type\":\"RobertaProcessing\",\"cls\":[\"\",%lld],\"sep\":[\"\",%lld]}",
                  (long long)vocab->bos_id, (long long)eos);
  else
    am_vocab_write_post_processor(out, bos ? vocab->bos_id : -1, eos);
  am_buf_append_char(out, ',');
  am_unigram_write_stages(out, vocab->charsmap, vocab->add_space_prefix != 0,
                          vocab->remove_extra_spaces != 0);
  am_unigram_write_model(out, am_vocab_has(vocab, unknown) ? unknown : -1, has_bytes(vocabulary));
  am_buf_append_char(out, '}');
  return !out->failed;
}

const am_vocab_row am_vocab_t5 = {"t5", &am_model_unigram, false, write_config, NULL};

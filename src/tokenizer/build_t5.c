/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer.ggml.model "t5": a Unigram vocabulary of SentencePiece; the parts are those that transformers'
 * converter gives such a model. */
#include "tokenizer/build_vocab.h"

#include "tokenizer/charsmap.h"

enum { DEFAULT_EOS = 1, DEFAULT_UNKNOWN = 2 };

void am_unigram_write_parts(am_buf *out, am_vocab_string charsmap, bool remove_extra_spaces,
                            bool add_space_prefix) {
  am_buf_append_str(out, "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[");
  if (charsmap.n_bytes > 0) {
    am_buf_append_str(out, "{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"");
    am_charsmap_write_base64(out, charsmap.bytes, charsmap.n_bytes);
    am_buf_append_str(out, "\"},");
  }
  if (remove_extra_spaces)
    am_buf_append_str(
        out,
        "{\"type\":\"Strip\",\"strip_left\":false,\"strip_right\":true},"
        "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" {2,}\"},\"content\":\"\xE2\x96\x81\"}");
  else
    am_buf_append_str(out,
                      "{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"\xE2\x96\x81\"}");
  am_buf_printf(
      out,
      "]},\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"\xE2\x96\x81\","
      "\"prepend_scheme\":\"%s\",\"split\":true},"
      "\"decoder\":{\"type\":\"Metaspace\",\"replacement\":\"\xE2\x96\x81\",\"prepend_scheme\":\"%s\"}",
      add_space_prefix ? "always" : "never", add_space_prefix ? "always" : "never");
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
  am_vocab_write_post_processor(out, bos ? vocab->bos_id : -1, eos);
  am_buf_append_char(out, ',');
  am_unigram_write_parts(out, vocab->charsmap, vocab->remove_extra_spaces != 0, vocab->add_space_prefix != 0);
  am_buf_append_str(out, ",\"model\":{\"type\":\"Unigram\"");
  if (am_vocab_has(vocab, unknown)) am_buf_printf(out, ",\"unk_id\":%lld", (long long)unknown);
  am_buf_printf(out, ",\"byte_fallback\":%s}}", has_bytes(vocabulary) ? "true" : "false");
  return !out->failed;
}

const am_vocab_row am_vocab_t5 = {"t5", &am_model_unigram, false, write_config, NULL};

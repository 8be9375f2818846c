/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer.ggml.model "llama": a SentencePiece BPE vocabulary, its parts as llama.cpp takes them
 * (src/llama-vocab.cpp): a space before every text that begins or follows a special token, tokens found
 * longest first, defaults where the file is silent. */
#include "tokenizer/build_vocab.h"

#include <string.h>

enum { DEFAULT_UNKNOWN = 0, DEFAULT_BOS = 1, DEFAULT_EOS = 2 };

static bool is_spelled(const am_vocabulary_word *word, const char *spelling) {
  return word->n_bytes == strlen(spelling) && memcmp(word->bytes, spelling, word->n_bytes) == 0;
}

/* Spellings that end a turn: control tokens whatever type the file gives them. */
static bool is_spelled_as_end(const am_vocabulary_word *word) {
  static const char *const spellings[] = {"<|eot_id|>",
                                          "<|im_end|>",
                                          "<|end|>",
                                          "<|return|>",
                                          "<|call|>",
                                          "<|flush|>",
                                          "<|calls|>",
                                          "<end_of_turn>",
                                          "<|endoftext|>",
                                          "</s>",
                                          "<|eom_id|>",
                                          "<EOT>",
                                          "_<EOT>",
                                          "[EOT]",
                                          "[EOS]",
                                          "<|end_of_text|>",
                                          "<end_of_utterance>",
                                          "<eos>",
                                          "<turn|>",
                                          "<|tool_response>",
                                          "<｜end▁of▁sentence｜>",
                                          "[e~["};
  for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++)
    if (is_spelled(word, spellings[i])) return true;
  return false;
}

/* Phi-3's tokens swallow the blanks behind them; no key says so, only the model's name. */
static bool strips_behind(const am_vocab *vocab, const am_vocabulary_word *word) {
  const char *name = vocab->name ? vocab->name : "";
  if (!strcasestr(name, "phi-3") && !strcasestr(name, "phi3")) return false;
  return !is_spelled(word, "<unk>") && !is_spelled(word, "<s>") && !is_spelled(word, "<|endoftext|>");
}

static void write_tokens(const am_vocab_builder *b, am_buf *out) {
  const am_vocab *vocab = b->vocab;
  bool any = false;
  for (size_t i = 0; i < vocab->n_tokens; i++) {
    const am_vocabulary_word *word = &b->words[i];
    int32_t type = vocab->types ? vocab->types[i] : 0;
    bool special = type == AM_GGUF_CONTROL || type == AM_GGUF_UNKNOWN || is_spelled_as_end(word);
    if ((!special && type != AM_GGUF_USER) || word->n_bytes == 0) continue;
    am_buf_printf(out, "%s{\"id\":%zu,\"content\":", any ? "," : "", i);
    am_json_write_string(out, word->bytes, word->n_bytes);
    am_buf_printf(out, ",\"rstrip\":%s,\"normalized\":false,\"special\":%s}",
                  strips_behind(vocab, word) ? "true" : "false", special ? "true" : "false");
    any = true;
  }
}

static int64_t id_or(const am_vocab *vocab, int64_t id, int64_t fallback) {
  if (am_vocab_has(vocab, id)) return id;
  return am_vocab_has(vocab, fallback) ? fallback : -1;
}

static bool write_config(void *user, const am_vocabulary *vocabulary, am_buf *out) {
  const am_vocab_builder *b = user;
  const am_vocab *vocab = b->vocab;
  bool prefix = vocab->add_space_prefix != 0;
  int64_t bos = vocab->add_bos != 0 ? id_or(vocab, vocab->bos_id, DEFAULT_BOS) : -1;
  int64_t eos = vocab->add_eos > 0 ? id_or(vocab, vocab->eos_id, DEFAULT_EOS) : -1;
  (void)vocabulary;
  am_buf_append_str(out, "{\"added_tokens\":[");
  write_tokens(b, out);
  am_buf_append_str(out, "],\"longest_first\":true,\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[");
  if (prefix) am_buf_append_str(out, "{\"type\":\"Prepend\",\"prepend\":\"▁\"},");
  am_buf_append_str(out,
                    "{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"▁\"}]},"
                    "\"pre_tokenizer\":null,\"post_processor\":");
  am_vocab_write_post_processor(out, bos, eos);
  am_buf_append_str(out,
                    ",\"decoder\":{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Replace\",\"pattern\":"
                    "{\"String\":\"▁\"},\"content\":\" \"},{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"}");
  if (prefix) am_buf_append_str(out, ",{\"type\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}");
  am_buf_printf(out, "]},\"model\":{\"type\":\"SPM\",\"unk_id\":%lld}}",
                (long long)id_or(vocab, vocab->unknown_id, DEFAULT_UNKNOWN));
  return !out->failed;
}

const am_vocab_row am_vocab_llama = {"llama", &am_model_spm, false, write_config, NULL};

/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer.ggml.model "bert": WordPiece in the "phantom space" form, where words begin with U+2581 and
 * what continues a word has nothing. It is turned back into the form of vocab.txt, which loses nothing,
 * and gets the parts of BERT's own tokenizer. */
#include "tokenizer/build_vocab.h"

#include <string.h>

enum { DEFAULT_UNKNOWN = 100, DEFAULT_CLS = 101, DEFAULT_SEPARATOR = 102 };

static bool is_bracketed(const char *text, size_t n_bytes) {
  return n_bytes >= 2 && text[0] == '[' && text[n_bytes - 1] == ']';
}

static bool respell(am_vocabulary_word *word, am_arena *arena) {
  static const char mark[] = "\xE2\x96\x81";
  if (word->n_bytes == 0 || is_bracketed(word->bytes, word->n_bytes)) return true;
  if (word->n_bytes > 3 && memcmp(word->bytes, mark, 3) == 0) {
    word->bytes += 3;
    word->n_bytes -= 3;
    return true;
  }
  char *spelled = am_arena_alloc(arena, (size_t)word->n_bytes + 2);
  if (!spelled) return false;
  memcpy(spelled, "##", 2);
  memcpy(spelled + 2, word->bytes, word->n_bytes);
  word->bytes = spelled;
  word->n_bytes += 2;
  return true;
}

/* No key says whether case counts. A vocabulary without any capital letter is one of lower case. */
static bool has_capitals(const am_vocab_builder *b) {
  for (size_t i = 0; i < b->vocab->n_tokens; i++) {
    const am_vocabulary_word *word = &b->words[i];
    if (is_bracketed(word->bytes, word->n_bytes) || (word->n_bytes > 0 && word->bytes[0] == '<')) continue;
    for (size_t k = 0; k < word->n_bytes; k++)
      if (word->bytes[k] >= 'A' && word->bytes[k] <= 'Z') return true;
  }
  return false;
}

static int64_t id_or(const am_vocab *vocab, int64_t id, int64_t fallback) {
  if (am_vocab_has(vocab, id)) return id;
  return am_vocab_has(vocab, fallback) ? fallback : -1;
}

/* [CLS] A [SEP] B [SEP] */
static void write_post_processor(const am_vocab *vocab, am_buf *out) {
  int64_t cls = id_or(vocab, am_vocab_has(vocab, vocab->cls_id) ? vocab->cls_id : vocab->bos_id, DEFAULT_CLS);
  int64_t separator =
      id_or(vocab, am_vocab_has(vocab, vocab->separator_id) ? vocab->separator_id : vocab->eos_id,
            DEFAULT_SEPARATOR);
  if (cls < 0 || separator < 0) {
    am_buf_append_str(out, "null");
    return;
  }
  am_buf_printf(out, "{\"type\":\"BertProcessing\",\"cls\":[\"\",%lld],\"sep\":[\"\",%lld]}", (long long)cls,
                (long long)separator);
}

static bool write_config(void *user, const am_vocabulary *vocabulary, am_buf *out) {
  const am_vocab_builder *b = user;
  const am_vocab *vocab = b->vocab;
  int64_t unknown = id_or(vocab, vocab->unknown_id, DEFAULT_UNKNOWN);
  (void)vocabulary;
  am_buf_append_str(out, "{\"added_tokens\":[");
  am_vocab_write_tokens(b, out);
  am_buf_printf(out,
                "],\"normalizer\":{\"type\":\"BertNormalizer\",\"lowercase\":%s},"
                "\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\"post_processor\":",
                has_capitals(b) ? "false" : "true");
  write_post_processor(vocab, out);
  am_buf_append_str(out,
                    ",\"decoder\":{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":true},"
                    "\"model\":{\"type\":\"WordPiece\",\"continuing_subword_prefix\":\"##\","
                    "\"max_input_chars_per_word\":100,\"unk_token\":");
  if (unknown >= 0)
    am_json_write_string(out, b->words[unknown].bytes, b->words[unknown].n_bytes);
  else
    am_buf_append_str(out, "\"[UNK]\"");
  am_buf_append_str(out, "}}");
  return !out->failed;
}

const am_vocab_row am_vocab_bert = {"bert", &am_model_wordpiece, false, write_config, respell};

/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer: text <-> token ids.
 * Purpose: every id equal to the `tokenizers` library. In: tokenizer.json, or a neutral vocabulary
 *   description that the loader fills from GGUF metadata. Out: an immutable tokenizer, shared by any
 *   number of threads; a decoder per stream. Invariant: decoding never emits half a character.
 * Pipeline: added tokens -> normalizer -> pre-tokenizer -> model -> post-processor; a new kind of
 * any stage is a new file and a row in that stage's table. */
#ifndef AM_TOKENIZER_TOKENIZER_H
#define AM_TOKENIZER_TOKENIZER_H

#include "base/buf.h"
#include "base/json.h"
#include <adam/status.h>

typedef struct am_tokenizer am_tokenizer;

/* From a tokenizer.json (name for errors). tokenizer_config may be NULL: text of
 * tokenizer_config.json, whose added_tokens_decoder and named special tokens (bos_token, ...) add
 * what the first lacks. Its add_bos_token and add_eos_token count for nothing, as in transformers:
 * the post-processor of tokenizer.json says what is added. `path` forms use a cached binary form under
 * cache_dir (NULL = no cache), keyed by the files' stamps and contents; a damaged or stale cache is
 * rebuilt. Truncation and padding that a file may ask for are not done here. */
adam_status am_tokenizer_open_file(const char *tokenizer_json_path, const char *tokenizer_config_path,
                                   const char *cache_dir, am_tokenizer **out, adam_error *error);
adam_status am_tokenizer_open_json(const char *name, const char *json, size_t n_bytes,
                                   const char *config_json, size_t config_bytes, am_tokenizer **out,
                                   adam_error *error);

/* From SentencePiece's tokenizer.model, as transformers 5 does where there is no tokenizer.json.
 * config_json (NULL = none): an object with what tokenizer_config.json says (tokenizer_class, legacy,
 * add_bos_token, special tokens, added_tokens_decoder, ...) and model_type of config.json. */
adam_status am_tokenizer_open_model(const char *model_path, const char *config_json, size_t config_bytes,
                                    const char *cache_dir, am_tokenizer **out, adam_error *error);
adam_status am_tokenizer_open_model_bytes(const char *name, const void *bytes, size_t n_bytes,
                                          const char *config_json, size_t config_bytes, am_tokenizer **out,
                                          adam_error *error);

/* From vocab.txt, the WordPiece words of BERT, as transformers does where there is no tokenizer.json.
 * config_json as above: do_lower_case, tokenize_chinese_chars, strip_accents, special tokens. */
adam_status am_tokenizer_open_words(const char *vocab_path, const char *config_json, size_t config_bytes,
                                    const char *cache_dir, am_tokenizer **out, adam_error *error);
adam_status am_tokenizer_open_words_bytes(const char *name, const void *bytes, size_t n_bytes,
                                          const char *config_json, size_t config_bytes, am_tokenizer **out,
                                          adam_error *error);

/* A vocabulary as GGUF has it. Byte-level BPE pieces are spelled in the byte alphabet. All borrowed
 * for the call. */
typedef struct am_vocab_string {
  const char *bytes;
  size_t n_bytes;
} am_vocab_string;
typedef struct am_vocab {
  const char *model; /* "gpt2", "llama", "bert", "t5" */
  const char *name;  /* general.name or NULL: some models' tokens have flags that no key tells */
  const char *pre;   /* "qwen2", "llama-bpe", "smollm", "gpt-2", ...; NULL = default */
  const am_vocab_string *tokens;
  const float *scores;  /* n_tokens or NULL */
  const int32_t *types; /* n_tokens of 1 normal 2 unknown 3 control 4 user 5 unused 6 byte, or NULL */
  size_t n_tokens;
  const am_vocab_string *merges; /* "left right" */
  size_t n_merges;
  int64_t bos_id, eos_id, unknown_id, separator_id, pad_id, cls_id; /* -1 = none */
  int add_bos, add_eos, add_space_prefix, remove_extra_spaces;      /* -1 = the kind's default */
  am_vocab_string charsmap; /* "t5": precompiled normalisation rules; n_bytes 0 = none */
} am_vocab;
adam_status am_tokenizer_open_vocab(const char *name, const am_vocab *vocab, const char *cache_key,
                                    const char *cache_dir, am_tokenizer **out, adam_error *error);

void am_tokenizer_close(am_tokenizer **tokenizer);

typedef struct am_ids {
  int32_t *data;
  size_t n, capacity;
} am_ids; /* owned; zero-initialise */
void am_ids_close(am_ids *ids);

enum {
  AM_ENCODE_SPECIAL = 1u << 0,   /* run the post-processor (BOS, EOS, templates) */
  AM_ENCODE_PLAIN_TEXT = 1u << 1 /* do not recognise special tokens written in the text */
};
/* Appends the ids of text (n_bytes of UTF-8; invalid bytes count as U+FFFD) to ids. Any thread. */
adam_status am_tokenizer_encode(const am_tokenizer *tokenizer, const char *text, size_t n_bytes,
                                uint32_t flags, am_ids *ids, adam_error *error);
/* One text (second NULL) or a pair as one sequence, shortened to at most most_ids ids (0: no limit) with
 * the special ones, as transformers' truncation=True ("longest_first") does: ends of the texts are left
 * out, never special ids. type_ids (may be NULL) gets as many numbers as ids. *n_dropped (may be NULL):
 * ids that were left out. Any thread. */
adam_status am_tokenizer_encode_pair(const am_tokenizer *tokenizer, const char *first, size_t first_bytes,
                                     const char *second, size_t second_bytes, uint32_t flags, size_t most_ids,
                                     am_ids *ids, am_ids *type_ids, size_t *n_dropped, adam_error *error);
/* "truncation" of tokenizer.json, "model_max_length" of tokenizer_config.json: ids of one sequence with
 * the special ones; 0 = the file names no limit. Nothing here obeys them by itself. */
size_t am_tokenizer_truncation(const am_tokenizer *tokenizer);
size_t am_tokenizer_model_max_length(const am_tokenizer *tokenizer);
/* Appends the text of ids to out, as tokenizers' decode. Unknown ids are skipped. Any thread. */
adam_status am_tokenizer_decode(const am_tokenizer *tokenizer, const int32_t *ids, size_t n,
                                bool skip_special, am_buf *out, adam_error *error);

size_t am_tokenizer_size(const am_tokenizer *tokenizer); /* highest id + 1 */
/* Spelling in the vocabulary; NULL when there is no such id. Borrowed from the tokenizer. */
const char *am_tokenizer_piece(const am_tokenizer *tokenizer, int32_t id, size_t *n_bytes);
/* Id of an added or vocabulary token by spelling, -1 = none. */
int32_t am_tokenizer_find(const am_tokenizer *tokenizer, const char *piece, size_t n_bytes);
bool am_tokenizer_is_special(const am_tokenizer *tokenizer, int32_t id);
const char *am_tokenizer_kind(const am_tokenizer *tokenizer); /* "bpe", ... */
/* 64 hex digits over everything that decides ids; the same for equal tokenizers. */
const char *am_tokenizer_digest(const am_tokenizer *tokenizer);
/* Equal to the `tokenizers` library as far as the file's parts are known; a part that is not
 * supported makes open fail with ADAM_UNSUPPORTED and its type. */

/* Incremental decoding of one stream: any split of the same ids gives the same concatenation. */
typedef struct am_decoder am_decoder;
adam_status am_decoder_open(const am_tokenizer *tokenizer, bool skip_special, am_decoder **out,
                            adam_error *error);
/* `context`: ids that came before (a prompt), which decide on leading spaces; emits nothing. */
adam_status am_decoder_context(am_decoder *decoder, const int32_t *ids, size_t n, adam_error *error);
/* Appends to out what is certain after one more id: whole characters only. */
adam_status am_decoder_push(am_decoder *decoder, int32_t id, am_buf *out, adam_error *error);
/* Appends what is still held back, incomplete bytes as U+FFFD. */
adam_status am_decoder_finish(am_decoder *decoder, am_buf *out, adam_error *error);
void am_decoder_close(am_decoder **decoder);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The classes of transformers for a tokenizer.model of the type Unigram: T5's and XLM-RoBERTa's. Each has
 * words of its own around the pieces. */
#include "tokenizer/build_model.h"

#include <stdio.h>
#include <string.h>

enum { T5_UNKNOWN = 2, XLM_UNKNOWN = 3, MOST_EXTRA_IDS = 10000 };

static void set_word(am_model_maker *m, size_t id, const char *text) {
  m->words[id] = (am_vocabulary_word){text, (uint32_t)strlen(text), (int32_t)id};
}

/* T5's sentinels stand behind the pieces, the last one first. */
static bool arrange_t5(am_model_maker *m) {
  int64_t n = am_json_int(am_json_get(m->config, "extra_ids"), 100);
  if (n < 0 || n > MOST_EXTRA_IDS) n = 100;
  const char **more = am_arena_alloc(m->arena, ((size_t)n + 1) * sizeof *more);
  if (!more || !am_model_set_words(m, m->model.n_pieces + (size_t)n)) return false;
  am_model_copy_pieces(m, 0, 0);
  for (int64_t i = 0; i < n; i++) {
    char name[32];
    int n_name = snprintf(name, sizeof name, "<extra_id_%d>", (int)i);
    more[i] = am_arena_dup(m->arena, name, (size_t)n_name);
    if (!more[i]) return false;
    set_word(m, m->n_words - 1 - (size_t)i, more[i]);
  }
  more[n] = NULL;
  m->defaults.more = more;
  return true;
}

/* fairseq's first four instead of the file's first three, <mask> at the end. */
static bool arrange_xlm(am_model_maker *m) {
  static const char *const first[] = {"<s>", "<pad>", "</s>", "<unk>"};
  size_t from = m->model.n_pieces < 3 ? m->model.n_pieces : 3;
  if (!am_model_set_words(m, m->model.n_pieces - from + 5)) return false;
  for (size_t i = 0; i < 4; i++) set_word(m, i, first[i]);
  am_model_copy_pieces(m, from, 4);
  set_word(m, m->n_words - 1, "<mask>");
  return true;
}

static void write_t5(const am_model_maker *m, am_buf *out) {
  am_buf_append_char(out, ',');
  am_unigram_write_stages(out, m->model.precompiled_charsmap, true, true);
  am_unigram_write_model(out, T5_UNKNOWN, false);
}

static void write_xlm(const am_model_maker *m, am_buf *out) {
  am_buf_append_char(out, ',');
  am_unigram_write_stages(out, m->model.precompiled_charsmap, true, true);
  am_unigram_write_model(out, XLM_UNKNOWN, false);
}

static int64_t id_of(const am_model_maker *m, const am_model_tokens *tokens, int name) {
  am_vocab_string text = am_model_tokens_named(m->config, &m->defaults, name);
  return text.bytes ? am_model_tokens_id(tokens, &text) : -1;
}

/* A </s> B </s>, all of type 0 */
static void write_post_t5(const am_model_maker *m, const am_model_tokens *tokens, am_buf *out) {
  static const char first[] = "{\"Sequence\":{\"id\":\"A\"}},{\"SpecialToken\":{\"id\":\"eos\"}}";
  int64_t eos = id_of(m, tokens, AM_NAMED_EOS);
  am_buf_printf(out,
                "{\"type\":\"TemplateProcessing\",\"single\":[%s],\"pair\":[%s,{\"Sequence\":{\"id\":\"B\"}},"
                "{\"SpecialToken\":{\"id\":\"eos\"}}],\"special_tokens\":{\"eos\":{\"ids\":[%lld]}}}",
                first, first, (long long)(eos < 0 ? 1 : eos));
}

/* <s> A </s> </s> B </s>, all of type 0 */
static void write_post_xlm(const am_model_maker *m, const am_model_tokens *tokens, am_buf *out) {
  int64_t cls = id_of(m, tokens, AM_NAMED_CLS), sep = id_of(m, tokens, AM_NAMED_SEP);
  am_buf_printf(out, "{\"type\":\"RobertaProcessing\",\"cls\":[\"\",%lld],\"sep\":[\"\",%lld]}",
                (long long)(cls < 0 ? 0 : cls), (long long)(sep < 0 ? 2 : sep));
}

const am_model_class am_model_class_t5 = {.name = "T5Tokenizer",
                                          .eos = "</s>",
                                          .unk = "<unk>",
                                          .pad = "<pad>",
                                          .write_stages = write_t5,
                                          .arrange = arrange_t5,
                                          .write_post = write_post_t5};
const am_model_class am_model_class_xlm_roberta = {.name = "XLMRobertaTokenizer",
                                                   .bos = "<s>",
                                                   .eos = "</s>",
                                                   .unk = "<unk>",
                                                   .sep = "</s>",
                                                   .pad = "<pad>",
                                                   .cls = "<s>",
                                                   .mask = "<mask>",
                                                   .write_stages = write_xlm,
                                                   .arrange = arrange_xlm,
                                                   .write_post = write_post_xlm};

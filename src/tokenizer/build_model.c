/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer.model (SentencePiece) -> image: the tokenizer that transformers 5 makes of it, whose class comes
 * from tokenizer_config.json ("tokenizer_class") and config.json ("model_type"). Merges are every two pieces
 * that make a piece, lower ids first. */
#include "tokenizer/build_model.h"

#include "base/mem.h"
#include "tokenizer/charsmap.h"

#include <string.h>

#define NODE_LIMIT_BYTES ((size_t)1 << 30)

static bool flag(const am_model_maker *m, const char *key, bool fallback) {
  const am_json *value = am_json_get(m->config, key);
  return am_json_is_null(value) ? fallback : am_json_bool(value, fallback);
}

static void write_decoder(am_buf *out, bool bytes, bool strip) {
  am_buf_append_str(out,
                    ",\"decoder\":{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Replace\",\"pattern\":"
                    "{\"String\":\"▁\"},\"content\":\" \"}");
  if (bytes) am_buf_append_str(out, ",{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"}");
  if (strip) am_buf_append_str(out, ",{\"type\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}");
  am_buf_append_str(out, "]}");
}

static void write_model(am_buf *out, const am_vocab_string *unknown, bool byte_fallback) {
  am_buf_append_str(out, ",\"model\":{\"type\":\"BPE\",\"fuse_unk\":true,\"unk_token\":");
  if (unknown)
    am_json_write_string(out, unknown->bytes, unknown->n_bytes);
  else
    am_buf_append_str(out, "null");
  am_buf_printf(out, ",\"byte_fallback\":%s}", byte_fallback ? "true" : "false");
}

#define SPACE_MARK "{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"▁\"}"

static void write_metaspace(am_buf *out, const char *scheme) {
  am_buf_printf(out,
                ",\"normalizer\":null,\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"▁\","
                "\"prepend_scheme\":\"%s\",\"split\":false}",
                scheme);
}

static void write_llama(const am_model_maker *m, am_buf *out) {
  bool prefix = flag(m, "add_prefix_space", true);
  write_metaspace(out, !prefix ? "never" : flag(m, "legacy", false) ? "always" : "first");
  write_decoder(out, true, prefix);
  write_model(out, NULL, true);
}

/* str() of what is not there. */
static am_vocab_string unknown_of(const am_model_maker *m) {
  am_vocab_string unknown = am_model_tokens_named(m->config, &m->defaults, AM_NAMED_UNK);
  return unknown.bytes ? unknown : (am_vocab_string){"None", 4};
}

static void write_code_llama(const am_model_maker *m, am_buf *out) {
  am_vocab_string unknown = unknown_of(m);
  write_metaspace(out, flag(m, "add_prefix_space", true) ? "first" : "never");
  write_decoder(out, true, true);
  write_model(out, &unknown, true);
}

static void write_gemma(const am_model_maker *m, am_buf *out) {
  am_vocab_string unknown = unknown_of(m);
  am_buf_append_str(out, ",\"normalizer\":" SPACE_MARK
                         ",\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":"
                         "{\"String\":\" \"},\"behavior\":\"MergedWithPrevious\",\"invert\":false}");
  write_decoder(out, true, false);
  write_model(out, &unknown, true);
}

/* What is made of any file whose class says nothing of its own. */
static void write_plain(const am_model_maker *m, am_buf *out) {
  am_buf_append_str(out, ",\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[");
  if (m->model.precompiled_charsmap.n_bytes > 0) {
    am_buf_append_str(out, "{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"");
    am_charsmap_write_base64(out, m->model.precompiled_charsmap.bytes, m->model.precompiled_charsmap.n_bytes);
    am_buf_append_str(out, "\"},");
  }
  am_buf_append_str(out, SPACE_MARK "]},\"pre_tokenizer\":null");
  write_decoder(out, m->model.byte_fallback, false);
  if (m->model.model_type == AM_SP_UNIGRAM)
    am_unigram_write_model(out, m->model.unk_id, m->model.byte_fallback);
  else
    write_model(out, &m->model.unk_piece, m->model.byte_fallback);
}

static const char *const code_llama_more[] = {"▁<PRE>", "▁<MID>", "▁<SUF>", "▁<EOT>", "<FILL_ME>", NULL};
static const am_model_class llama = {
    .name = "LlamaTokenizer", .bos = "<s>", .eos = "</s>", .unk = "<unk>", .write_stages = write_llama};
static const am_model_class code_llama = {.name = "CodeLlamaTokenizer",
                                          .bos = "<s>",
                                          .eos = "</s>",
                                          .unk = "<unk>",
                                          .more = code_llama_more,
                                          .adds_bos = true,
                                          .write_stages = write_code_llama};
static const am_model_class gemma = {.name = "GemmaTokenizer",
                                     .bos = "<bos>",
                                     .eos = "<eos>",
                                     .unk = "<unk>",
                                     .pad = "<pad>",
                                     .mask = "<mask>",
                                     .write_stages = write_gemma};
static const am_model_class *const classes[] = {&llama, &code_llama, &gemma, &am_model_class_t5,
                                                &am_model_class_xlm_roberta};
/* The class without a name takes its special tokens from the file. */
static const am_model_class plain = {.name = "", .write_stages = write_plain};

/* What transformers takes for a model type whatever its files say ("") or where they say nothing. */
static const struct {
  const char *model_type, *class;
} model_types[] = {
    {"gemma", "GemmaTokenizer"},
    {"gemma2", "GemmaTokenizer"},
    {"gemma3", "GemmaTokenizer"},
    {"gemma3_text", "GemmaTokenizer"},
    {"gemma3n", "GemmaTokenizer"},
    {"gemma3n_text", "GemmaTokenizer"},
    {"recurrent_gemma", "GemmaTokenizer"},
    {"code_llama", "CodeLlamaTokenizer"},
    {"t5", "T5Tokenizer"},
    {"mt5", "T5Tokenizer"},
    {"umt5", "T5Tokenizer"},
    {"xlm-roberta", "XLMRobertaTokenizer"},
    {"mistral", ""},
    {"mistral3", ""},
    {"mixtral", ""},
    {"ministral", ""},
    {"ministral3", ""},
    {"pixtral", ""},
    {"phi3", ""},
    {"phi3_v", ""},
    {"phimoe", ""},
    {"minicpm3", ""},
    {"internlm2", ""},
    {"internlm3", ""},
    {"jamba", ""},
    {"nemotron", ""},
    {"arctic", ""},
    {"stablelm", ""},
    {"granite", ""},
    {"granitemoe", ""},
    {"persimmon", ""},
    {"olmo2", ""},
    {"olmo3", ""},
    {"llava", ""},
    {"llava_next", ""},
    {"ernie4_5", ""},
    {"ernie4_5_moe", ""},
    {"h2ovl_chat", ""},
};

static const am_model_class *class_of(const am_json *config) {
  const char *hub = am_json_str(am_json_get(config, "tokenizer_class"), NULL);
  const char *type = am_json_str(am_json_get(config, "model_type"), "");
  const char *named = hub;
  size_t n = hub ? strlen(hub) : 0;
  if (n > 4 && strcmp(hub + n - 4, "Fast") == 0) n -= 4;
  for (size_t i = 0; i < sizeof model_types / sizeof *model_types; i++) {
    if (strcmp(model_types[i].model_type, type) != 0) continue;
    if (hub && *model_types[i].class) break;
    named = model_types[i].class;
    n = strlen(named);
  }
  for (size_t i = 0; named && i < sizeof classes / sizeof *classes; i++)
    if (strlen(classes[i]->name) == n && memcmp(classes[i]->name, named, n) == 0) return classes[i];
  return &plain;
}

static am_vocab_string text(const char *s) { return (am_vocab_string){s, s ? strlen(s) : 0}; }

static void set_defaults(am_model_maker *m) {
  const am_sp_model *model = &m->model;
  am_vocab_string *named = m->defaults.named;
  if (m->class->more) m->defaults.more = m->class->more;
  if (m->class != &plain) {
    named[AM_NAMED_BOS] = text(m->class->bos);
    named[AM_NAMED_EOS] = text(m->class->eos);
    named[AM_NAMED_UNK] = text(m->class->unk);
    named[AM_NAMED_SEP] = text(m->class->sep);
    named[AM_NAMED_PAD] = text(m->class->pad);
    named[AM_NAMED_CLS] = text(m->class->cls);
    named[AM_NAMED_MASK] = text(m->class->mask);
    return;
  }
  if (model->bos_id >= 0) named[AM_NAMED_BOS] = model->bos_piece.n_bytes ? model->bos_piece : text("<s>");
  if (model->eos_id >= 0) named[AM_NAMED_EOS] = model->eos_piece.n_bytes ? model->eos_piece : text("</s>");
  if (model->unk_id >= 0) named[AM_NAMED_UNK] = model->unk_piece.n_bytes ? model->unk_piece : text("<unk>");
}

static bool write_config(void *user, const am_vocabulary *vocabulary, am_buf *out) {
  am_model_maker *m = user;
  am_model_tokens tokens;
  if (!am_model_tokens_open(&m->model, m->config, &m->defaults, vocabulary, &tokens)) return false;
  am_vocab_string bos = am_model_tokens_named(m->config, &m->defaults, AM_NAMED_BOS);
  am_vocab_string eos = am_model_tokens_named(m->config, &m->defaults, AM_NAMED_EOS);
  am_buf_append_str(out, "{\"added_tokens\":");
  am_model_tokens_write(&tokens, out);
  m->class->write_stages(m, out);
  am_buf_append_str(out, ",\"post_processor\":");
  if (m->class->write_post)
    m->class->write_post(m, &tokens, out);
  else
    am_vocab_write_post_processor(
        out, flag(m, "add_bos_token", m->class->adds_bos) ? am_model_tokens_id(&tokens, &bos) : -1,
        flag(m, "add_eos_token", false) ? am_model_tokens_id(&tokens, &eos) : -1);
  am_buf_append_char(out, '}');
  am_model_tokens_close(&tokens);
  return !out->failed;
}

/* Placeholders of the file get the names that added_tokens_decoder has for their ids. */
static bool rename_words(am_model_maker *m) {
  const am_json *list = am_json_get(m->config, "added_tokens_decoder");
  am_map known = {0};
  bool ok = true;
  if (m->class != &plain || !list || list->type != AM_JSON_OBJECT) return true;
  for (size_t i = 0; ok && i < m->model.n_pieces; i++)
    ok = am_map_set(&known, m->words[i].bytes, m->words[i].n_bytes, i);
  for (size_t i = 0; ok && i < list->n; i++) {
    const am_json *content = am_json_get(&list->as.members[i].value, "content");
    uint64_t id = 0, unused;
    for (const char *p = list->as.members[i].key; *p >= '0' && *p <= '9' && id < INT32_MAX; p++)
      id = id * 10 + (uint64_t)(*p - '0');
    if (id >= m->model.n_pieces || !content || content->type != AM_JSON_STRING || content->n == 0) continue;
    if (am_map_get(&known, content->as.string, content->n, &unused)) continue;
    m->words[id].bytes = content->as.string;
    m->words[id].n_bytes = content->n;
    ok = am_map_set(&known, content->as.string, content->n, id);
  }
  am_map_close(&known);
  return ok;
}

bool am_model_set_words(am_model_maker *m, size_t n) {
  m->n_words = n;
  m->words = am_mem_zalloc(n + 1, sizeof *m->words);
  m->scores = am_mem_zalloc(n + 1, sizeof *m->scores);
  return m->words && m->scores;
}

void am_model_copy_pieces(am_model_maker *m, size_t from, size_t at) {
  for (size_t i = from; i < m->model.n_pieces; i++, at++) {
    const am_sp_piece *piece = &m->model.pieces[i];
    m->words[at] = (am_vocabulary_word){piece->text.bytes, (uint32_t)piece->text.n_bytes, (int32_t)at};
    m->scores[at] = piece->score;
  }
}

static bool arrange(am_model_maker *m) {
  if (m->class->arrange) return m->class->arrange(m);
  if (!am_model_set_words(m, m->model.n_pieces)) return false;
  am_model_copy_pieces(m, 0, 0);
  return rename_words(m);
}

static adam_status build(am_model_maker *m, const am_image_source *source, am_image *out, adam_error *error) {
  bool is_unigram = m->model.model_type == AM_SP_UNIGRAM;
  m->class = class_of(m->config);
  if (m->class != &plain && is_unigram != (m->class->arrange != NULL))
    return am_fail(error, ADAM_UNSUPPORTED, m->name, NULL, "a SentencePiece model of the type %s for a %s",
                   is_unigram ? "Unigram" : "BPE", m->class->name);
  set_defaults(m);
  adam_status status = arrange(m) ? ADAM_OK : am_fail_memory(error, m->name);
  am_json settings = {.type = AM_JSON_NULL};
  am_pipeline_plan plan = {.model = {.settings = &settings,
                                     .words = m->words,
                                     .n_words = m->n_words,
                                     .scores = is_unigram ? m->scores : NULL,
                                     .derive_merges = !is_unigram},
                           .row = is_unigram ? &am_model_unigram : &am_model_bpe,
                           .write_config = write_config,
                           .user = m};
  if (status == ADAM_OK) status = am_pipeline_assemble(&plan, source, out, error);
  am_mem_free(m->words);
  am_mem_free(m->scores);
  return status;
}

adam_status am_pipeline_build_model(const char *name, const void *bytes, size_t n_bytes,
                                    const char *config_json, size_t config_bytes,
                                    const am_image_source *source, am_image *out, adam_error *error) {
  am_arena arena = {.limit_bytes = NODE_LIMIT_BYTES};
  am_json config;
  am_model_maker m = {.name = name, .arena = &arena};
  adam_status status = am_sp_read(name, bytes, n_bytes, &arena, &m.model, error);
  if (status == ADAM_OK && config_json) {
    status = am_json_parse(config_json, config_bytes, "tokenizer_config.json", 0, &arena, &config, error);
    m.config = &config;
  }
  if (status == ADAM_OK) status = build(&m, source, out, error);
  if (status != ADAM_OK && status != ADAM_NO_MEMORY) am_error_rename(error, name);
  am_arena_close(&arena);
  return status;
}

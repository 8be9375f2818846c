/* SPDX-License-Identifier: Apache-2.0 */
#include "convert/vocab_parts.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "os/file.h"
#include "tokenizer/charsmap.h"

#define SPACE_MARK "\xE2\x96\x81" /* U+2581 */
#define CONFIG_LIMIT_BYTES ((size_t)128 << 20)

typedef struct gathering {
  const am_loader *loader;
  const am_tokenizer *tokenizer;
  am_tokenizer_parts source;
  am_vocab_parts *out;
  const am_json *added; /* its added_tokens */
  uint8_t *added_flags; /* (n_tokens) by id, of the added tokens */
} gathering;

enum { IS_ADDED = 1, IS_SPECIAL = 2 };

static const char *source_name(const gathering *g) { return am_loader_path(g->loader); }

static bool starts_with(const char *text, size_t n, const char *start) {
  size_t n_start = strlen(start);
  return n >= n_start && memcmp(text, start, n_start) == 0;
}

static bool ends_with(const char *text, size_t n, const char *end) {
  size_t n_end = strlen(end);
  return n >= n_end && memcmp(text + n - n_end, end, n_end) == 0;
}

static bool is_text(const char *text, size_t n, const char *other) {
  return n == strlen(other) && memcmp(text, other, n) == 0;
}

/* Tokens that llama.cpp's converter takes for control tokens whatever the files say. */
static bool looks_special(const char *text, size_t n) {
  return is_text(text, n, "<pad>") || is_text(text, n, "<mask>") || is_text(text, n, "<2mass>") ||
         is_text(text, n, "[@BOS@]") || (starts_with(text, n, "<|") && ends_with(text, n, "|>")) ||
         (starts_with(text, n, "<｜") && ends_with(text, n, "｜>")) ||
         (starts_with(text, n, "<unused") && ends_with(text, n, ">"));
}

static bool is_byte_name(const char *text, size_t n) {
  return n == 6 && memcmp(text, "<0x", 3) == 0 && strspn(text + 3, "0123456789ABCDEF") >= 2 && text[5] == '>';
}

/* Copies n_bytes with every `mark` replaced. */
static adam_status copy_replaced(gathering *g, const char *text, size_t n, const char *mark, const char *by,
                                 am_gguf_string *out, adam_error *error) {
  size_t n_mark = strlen(mark), n_by = strlen(by), used = 0;
  char *copy = am_arena_alloc(&g->out->arena, n * (n_by > n_mark ? n_by : 1) + 1);
  if (!copy) return am_fail_memory(error, source_name(g));
  for (size_t i = 0; i < n;) {
    bool found = n - i >= n_mark && memcmp(text + i, mark, n_mark) == 0;
    memcpy(copy + used, found ? by : text + i, found ? n_by : 1);
    used += found ? n_by : 1;
    i += found ? n_mark : 1;
  }
  *out = (am_gguf_string){copy, used};
  return ADAM_OK;
}

/* A word of WordPiece: what begins one has U+2581 in front, what goes on with one has nothing. */
static adam_status spell_wordpiece(gathering *g, const char *text, size_t n, am_gguf_string *out,
                                   adam_error *error) {
  if (n >= 2 && text[0] == '[' && text[n - 1] == ']') return ADAM_OK;
  if (starts_with(text, n, "##")) {
    *out = (am_gguf_string){text + 2, n - 2};
    return ADAM_OK;
  }
  char *copy = am_arena_alloc(&g->out->arena, n + 3);
  if (!copy) return am_fail_memory(error, source_name(g));
  memcpy(copy, SPACE_MARK, 3);
  memcpy(copy + 3, text, n);
  *out = (am_gguf_string){copy, n + 3};
  return ADAM_OK;
}

/* Text and type of the token `id`, whose spelling is text. */
static adam_status set_token(gathering *g, size_t id, const char *text, size_t n, adam_error *error) {
  am_vocab_parts *out = g->out;
  bool word_piece = strcmp(out->model, "bert") == 0;
  out->tokens[id] = (am_gguf_string){text, n};
  out->types[id] = AM_TOKEN_NORMAL;
  if (g->added_flags[id] & IS_ADDED) {
    if ((int64_t)id == out->ids[AM_VOCAB_UNK] && strcmp(out->model, "gpt2") != 0 && !word_piece) {
      out->types[id] = AM_TOKEN_UNKNOWN;
    } else if (g->added_flags[id] & IS_SPECIAL || looks_special(text, n)) {
      out->types[id] = AM_TOKEN_CONTROL;
    } else {
      out->types[id] = AM_TOKEN_USER;
      return copy_replaced(g, text, n, SPACE_MARK, " ", &out->tokens[id], error);
    }
    return ADAM_OK;
  }
  if (word_piece) return spell_wordpiece(g, text, n, &out->tokens[id], error);
  if (strcmp(out->model, "gpt2") == 0) return ADAM_OK;
  if ((int64_t)id == out->ids[AM_VOCAB_UNK]) out->types[id] = AM_TOKEN_UNKNOWN;
  if (is_byte_name(text, n)) out->types[id] = AM_TOKEN_BYTE;
  return ADAM_OK;
}

static adam_status mark_added(gathering *g, adam_error *error) {
  size_t n = g->out->n_tokens;
  for (uint32_t i = 0; g->added && i < g->added->n; i++) {
    const am_json *item = am_json_at(g->added, i);
    int64_t id = am_json_int(am_json_get(item, "id"), -1);
    if (id < 0 || (uint64_t)id >= n) continue; /* no row of the embedding: it can never be used */
    bool special = am_json_bool(am_json_get(item, "special"), false);
    g->added_flags[id] = (uint8_t)(IS_ADDED | (special ? IS_SPECIAL : 0));
  }
  if (g->source.n_words > n)
    return am_fail(error, ADAM_DAMAGED, source_name(g), NULL,
                   "the tokenizer has %zu words, the embedding %zu rows", g->source.n_words, n);
  return ADAM_OK;
}

static adam_status gather_tokens(gathering *g, adam_error *error) {
  am_vocab_parts *out = g->out;
  const am_config *config = am_loader_config(g->loader);
  size_t rows = config ? config->n_vocab : 0;
  out->n_tokens = rows > 0 ? rows : am_tokenizer_size(g->tokenizer);
  if (out->n_tokens > INT32_MAX / 2)
    return am_fail(error, ADAM_LIMIT, source_name(g), NULL, "a vocabulary of %zu tokens", out->n_tokens);
  out->tokens = am_arena_zalloc(&out->arena, out->n_tokens + 1, sizeof *out->tokens);
  out->types = am_arena_zalloc(&out->arena, out->n_tokens + 1, sizeof *out->types);
  g->added_flags = am_arena_zalloc(&out->arena, out->n_tokens + 1, 1);
  if (!out->tokens || !out->types || !g->added_flags) return am_fail_memory(error, source_name(g));
  adam_status status = mark_added(g, error);
  for (size_t id = 0; status == ADAM_OK && id < out->n_tokens; id++) {
    size_t n = 0;
    const char *text = g->added_flags[id] & IS_ADDED ? am_tokenizer_piece(g->tokenizer, (int32_t)id, &n)
                                                     : am_tokenizer_word(g->tokenizer, (int32_t)id, &n);
    if (text) {
      status = set_token(g, id, text, n, error);
      continue;
    }
    char pad[32];
    int n_pad = snprintf(pad, sizeof pad, "[PAD%zu]", id);
    char *copy = am_arena_dup(&out->arena, pad, (size_t)n_pad);
    if (!copy) return am_fail_memory(error, source_name(g));
    out->tokens[id] = (am_gguf_string){copy, (size_t)n_pad};
    out->types[id] = AM_TOKEN_UNUSED;
  }
  return status;
}

/* llama.cpp looks for a pair by its text with a space between, so that one within a part is spelled as the
 * byte alphabet does. */
static adam_status gather_merges(gathering *g, adam_error *error) {
  am_merge_ids *merges = NULL;
  size_t n = 0;
  adam_status status = am_tokenizer_merges(g->tokenizer, &merges, &n, error);
  if (status) return status;
  am_gguf_string *out = am_arena_zalloc(&g->out->arena, n + 1, sizeof *out);
  for (size_t i = 0; out && i < n; i++) {
    size_t n_left = 0, n_right = 0;
    const char *left = am_tokenizer_word(g->tokenizer, merges[i].left, &n_left);
    const char *right = am_tokenizer_word(g->tokenizer, merges[i].right, &n_right);
    char *text = am_arena_alloc(&g->out->arena, n_left + n_right + 1);
    if (!text || !left || !right) {
      out = NULL;
      break;
    }
    memcpy(text, left, n_left);
    text[n_left] = ' ';
    memcpy(text + n_left + 1, right, n_right);
    out[i] = (am_gguf_string){text, n_left + n_right + 1};
  }
  am_mem_free(merges);
  if (!out) return am_fail_memory(error, source_name(g));
  g->out->merges = out;
  g->out->n_merges = n;
  return ADAM_OK;
}

/* Scores of SentencePiece from merges, as its trainer gives them: 0, -1, -2 ... in the order in which words
 * are made, then the words that none makes. Added tokens have -1000, as in llama.cpp's converter. */
static adam_status score_by_merges(gathering *g, adam_error *error) {
  am_vocab_parts *out = g->out;
  am_merge_ids *merges = NULL;
  size_t n = 0, place = 0;
  adam_status status = am_tokenizer_merges(g->tokenizer, &merges, &n, error);
  if (status) return status;
  uint8_t *done = am_arena_zalloc(&out->arena, out->n_tokens + 1, 1);
  out->scores = am_arena_zalloc(&out->arena, out->n_tokens + 1, sizeof *out->scores);
  if (!done || !out->scores) {
    am_mem_free(merges);
    return am_fail_memory(error, source_name(g));
  }
  for (size_t i = 0; i < n; i++) {
    int32_t made = merges[i].made;
    if ((size_t)made >= out->n_tokens || done[made]) continue;
    done[made] = 1;
    out->scores[made] = -(float)place++;
  }
  for (size_t id = 0; id < out->n_tokens; id++) {
    if (out->types[id] == AM_TOKEN_UNUSED) out->scores[id] = -10000;
    if (out->types[id] == AM_TOKEN_CONTROL || out->types[id] == AM_TOKEN_USER) out->scores[id] = -1000;
    if (out->types[id] == AM_TOKEN_NORMAL && !done[id]) out->scores[id] = -(float)place++;
  }
  am_mem_free(merges);
  return ADAM_OK;
}

static adam_status score_unigram(gathering *g, adam_error *error) {
  am_vocab_parts *out = g->out;
  out->scores = am_arena_zalloc(&out->arena, out->n_tokens + 1, sizeof *out->scores);
  if (!out->scores) return am_fail_memory(error, source_name(g));
  for (size_t id = 0; id < out->n_tokens; id++)
    out->scores[id] = id < g->source.n_words && g->source.scores ? (float)g->source.scores[id]
                      : out->types[id] == AM_TOKEN_UNUSED        ? -10000
                                                                 : -1000;
  return ADAM_OK;
}

/* The first step of a stage (a Sequence or one) of a type; NULL: none. */
static const am_json *find_step(const am_json *stage, const char *list, const char *type) {
  const am_json *steps = am_json_get(stage, list);
  if (stage && strcmp(am_json_str(am_json_get(stage, "type"), ""), type) == 0) return stage;
  for (uint32_t i = 0; steps && steps->type == AM_JSON_ARRAY && i < steps->n; i++) {
    const am_json *found = find_step(am_json_at(steps, i), list, type);
    if (found) return found;
  }
  return NULL;
}

static adam_status gather_charsmap(gathering *g, adam_error *error) {
  const am_json *step = find_step(am_json_get(g->source.config, "normalizer"), "normalizers", "Precompiled");
  const am_json *text = am_json_get(step, "precompiled_charsmap");
  if (!text || text->type != AM_JSON_STRING || text->n == 0) return ADAM_OK;
  uint8_t *bytes = am_arena_alloc(&g->out->arena, (size_t)text->n);
  if (!bytes) return am_fail_memory(error, source_name(g));
  size_t n = am_charsmap_read_base64(text->as.string, text->n, bytes);
  if (n == SIZE_MAX)
    return am_fail(error, ADAM_DAMAGED, source_name(g), NULL, "\"precompiled_charsmap\" is no base64");
  g->out->charsmap = (am_vocab_string){(const char *)bytes, n};
  return ADAM_OK;
}

/* Ids of text as a file's own tokenizer gives them. */
static adam_status encode(const gathering *g, const char *text, uint32_t flags, am_ids *ids,
                          adam_error *error) {
  ids->n = 0;
  return am_tokenizer_encode(g->tokenizer, text, strlen(text), flags, ids, error);
}

/* What stands before and behind a text: at most one id each, or a GGUF cannot say it. */
static adam_status gather_frame(gathering *g, adam_error *error) {
  am_ids plain = {0}, framed = {0};
  am_vocab_parts *out = g->out;
  adam_status status = encode(g, "a", 0, &plain, error);
  if (status == ADAM_OK) status = encode(g, "a", AM_ENCODE_SPECIAL, &framed, error);
  size_t n = status == ADAM_OK ? framed.n - plain.n : 0, before = 0;
  while (before < n && memcmp(framed.data + before, plain.data, plain.n * sizeof *plain.data) != 0) before++;
  size_t behind = n - before;
  if (status == ADAM_OK && (before > 1 || behind > 1))
    status = am_fail(error, ADAM_UNSUPPORTED, source_name(g), NULL,
                     "the tokenizer puts %zu tokens before a text and %zu behind it, a GGUF has one of each",
                     before, behind);
  if (status == ADAM_OK && before == 1) out->ids[AM_VOCAB_BOS] = framed.data[0];
  if (status == ADAM_OK && behind == 1 && framed.data[framed.n - 1] != out->ids[AM_VOCAB_EOS]) {
    out->ids[AM_VOCAB_EOT] = out->ids[AM_VOCAB_EOS];
    out->ids[AM_VOCAB_EOS] = framed.data[framed.n - 1];
  }
  if (status == ADAM_OK && strcmp(out->model, "bert") == 0) {
    if (before == 1 && out->ids[AM_VOCAB_CLS] < 0) out->ids[AM_VOCAB_CLS] = framed.data[0];
    if (behind == 1) out->ids[AM_VOCAB_SEP] = framed.data[framed.n - 1];
  } else if (status == ADAM_OK) {
    out->add_bos = before == 1;
    out->add_eos = behind == 1;
  }
  am_ids_close(&plain);
  am_ids_close(&framed);
  return status;
}

static adam_status read_config(gathering *g, am_arena *arena, am_json *out, adam_error *error) {
  am_buf text = {0};
  const char *folder = am_loader_folder(g->loader);
  char *path = folder ? am_path_join(folder, "config.json") : NULL;
  adam_status status = ADAM_OK;
  if (folder && !path) return am_fail_memory(error, folder);
  if (path && am_file_is_regular(path)) {
    status = am_file_read(path, CONFIG_LIMIT_BYTES, &text, error);
    if (status == ADAM_OK)
      status = am_json_parse(text.data ? text.data : "", text.len, path, 0, arena, out, error);
  }
  am_buf_close(&text);
  am_mem_free(path);
  return status;
}

/* tokenizer_config.json's names first, then the ids of config.json, as the converter has it. */
static adam_status gather_named(gathering *g, adam_error *error) {
  static const struct {
    am_vocab_id id;
    const char *token, *key;
  } names[] = {{AM_VOCAB_BOS, "bos_token", "bos_token_id"},   {AM_VOCAB_EOS, "eos_token", "eos_token_id"},
               {AM_VOCAB_UNK, "unk_token", "unk_token_id"},   {AM_VOCAB_SEP, "sep_token", "sep_token_id"},
               {AM_VOCAB_PAD, "pad_token", "pad_token_id"},   {AM_VOCAB_CLS, "cls_token", "cls_token_id"},
               {AM_VOCAB_MASK, "mask_token", "mask_token_id"}};
  const am_json *special = am_loader_special_tokens(g->loader);
  am_arena arena = {0};
  am_json config = {.type = AM_JSON_NULL};
  adam_status status = read_config(g, &arena, &config, error);
  const am_config *model = am_loader_config(g->loader);
  int64_t n = model && model->n_vocab ? (int64_t)model->n_vocab : (int64_t)am_tokenizer_size(g->tokenizer);
  for (size_t i = 0; status == ADAM_OK && i < sizeof names / sizeof *names; i++) {
    const am_json *text = am_json_get(special, names[i].token), *id = am_json_get(&config, names[i].key);
    int64_t found = text ? am_tokenizer_find(g->tokenizer, text->as.string, text->n) : -1;
    if (id && id->type == AM_JSON_ARRAY) id = am_json_at(id, 0);
    if (found < 0) found = am_json_int(id, -1);
    g->out->ids[names[i].id] = found >= 0 && found < n ? found : -1;
  }
  if (status == ADAM_OK && strcmp(g->out->model, "bert") == 0)
    g->out->n_token_types = am_json_int(am_json_get(&config, "type_vocab_size"), 2);
  am_arena_close(&arena);
  return status;
}

/* The model's own unknown token, and BERT's padding and mask, where no file names them. */
static void find_unnamed(gathering *g) {
  const am_json *model = am_json_get(g->source.config, "model"), *text = am_json_get(model, "unk_token");
  int64_t id = am_json_int(am_json_get(model, "unk_id"), -1);
  if (id < 0 && text && text->type == AM_JSON_STRING)
    id = am_tokenizer_find(g->tokenizer, text->as.string, text->n);
  if (id >= 0 && strcmp(g->out->model, "gpt2") != 0) g->out->ids[AM_VOCAB_UNK] = id;
  if (strcmp(g->out->model, "bert") != 0) return;
  if (g->out->ids[AM_VOCAB_PAD] < 0) g->out->ids[AM_VOCAB_PAD] = am_tokenizer_find(g->tokenizer, "[PAD]", 5);
  if (g->out->ids[AM_VOCAB_MASK] < 0)
    g->out->ids[AM_VOCAB_MASK] = am_tokenizer_find(g->tokenizer, "[MASK]", 6);
}

/* Spellings that llama.cpp takes for an end wherever they are in a vocabulary. */
static bool is_known_end(const am_gguf_string *token) {
  static const char *const known[] = {"<|eot_id|>",    "<|im_end|>",        "<|end|>",    "<end_of_turn>",
                                      "<|endoftext|>", "<|end_of_text|>",   "<|eom_id|>", "<|return|>",
                                      "<|call|>",      "<end_of_utterance>"};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (is_text(token->bytes, token->n_bytes, known[i])) return true;
  return false;
}

/* Tokens that end an answer beside eos: all in the list; those that nobody would find by their spelling as
 * end of turn and of message where these are free. */
static adam_status gather_ends(gathering *g, adam_error *error) {
  am_vocab_parts *out = g->out;
  size_t n;
  const int32_t *ids = am_loader_end_ids(g->loader, &n);
  out->end_ids = am_arena_zalloc(&out->arena, n + 2, sizeof *out->end_ids);
  if (!out->end_ids) return am_fail_memory(error, source_name(g));
  for (size_t i = 0; i < n; i++)
    if ((size_t)ids[i] < out->n_tokens) out->end_ids[out->n_end_ids++] = ids[i];
  if (out->ids[AM_VOCAB_EOS] < 0 && out->n_end_ids > 0) out->ids[AM_VOCAB_EOS] = out->end_ids[0];
  for (size_t i = 0; i < out->n_end_ids; i++) {
    int64_t id = out->end_ids[i];
    if (id == out->ids[AM_VOCAB_EOS] || id == out->ids[AM_VOCAB_EOT] || id == out->ids[AM_VOCAB_EOM])
      continue;
    if (is_known_end(&out->tokens[id])) continue;
    if (out->ids[AM_VOCAB_EOT] < 0)
      out->ids[AM_VOCAB_EOT] = id;
    else if (out->ids[AM_VOCAB_EOM] < 0)
      out->ids[AM_VOCAB_EOM] = id;
  }
  return ADAM_OK;
}

/* A space goes before the text: it shows in the first word. */
static adam_status gather_prefix(gathering *g, adam_error *error) {
  am_ids ids = {0};
  size_t n = 0;
  adam_status status = encode(g, "a", 0, &ids, error);
  const char *first =
      status == ADAM_OK && ids.n > 0 ? am_tokenizer_piece(g->tokenizer, ids.data[0], &n) : NULL;
  g->out->add_space_prefix = first && starts_with(first, n, SPACE_MARK);
  am_ids_close(&ids);
  return status;
}

static adam_status choose_model(gathering *g, adam_error *error) {
  const am_json *settings = am_json_get(g->source.config, "model");
  bool bytes = am_json_bool(am_json_get(settings, "byte_fallback"), false);
  if (strcmp(g->source.model, "BPE") == 0 && g->source.byte_level)
    g->out->model = "gpt2";
  else if ((strcmp(g->source.model, "BPE") == 0 && bytes) || strcmp(g->source.model, "SPM") == 0)
    g->out->model = "llama";
  else if (strcmp(g->source.model, "WordPiece") == 0)
    g->out->model = "bert";
  else if (strcmp(g->source.model, "Unigram") == 0)
    g->out->model = "t5";
  else
    return am_fail(
        error, ADAM_UNSUPPORTED, source_name(g), NULL, "a GGUF has no form for a tokenizer of the type %s%s",
        g->source.model,
        strcmp(g->source.model, "BPE") == 0 ? " that knows neither bytes nor a fallback to them" : "");
  return ADAM_OK;
}

static adam_status gather_kind(gathering *g, adam_error *error) {
  am_vocab_parts *out = g->out;
  bool same_merges;
  if (strcmp(out->model, "gpt2") == 0) {
    adam_status status = am_pre_type_match(g->tokenizer, &out->pre, &same_merges, error);
    if (status) am_error_rename(error, source_name(g));
    const am_json *post =
        find_step(am_json_get(g->source.config, "post_processor"), "processors", "RobertaProcessing");
    if (post) out->add_sep = 1;
    return status ? status : gather_merges(g, error);
  }
  out->pre = "default";
  if (strcmp(out->model, "bert") == 0) return ADAM_OK;
  adam_status status = gather_prefix(g, error);
  if (status) return status;
  if (strcmp(out->model, "llama") == 0) return score_by_merges(g, error);
  status = gather_charsmap(g, error);
  out->remove_extra_spaces = 1;
  return status ? status : score_unigram(g, error);
}

adam_status am_vocab_parts_gather(const am_loader *loader, am_vocab_parts *out, adam_error *error) {
  gathering g = {.loader = loader, .out = out};
  adam_status status = am_loader_need_tokenizer(loader, &g.tokenizer, error);
  if (status) return status;
  am_tokenizer_parts_of(g.tokenizer, &g.source);
  g.added = am_json_get(g.source.config, "added_tokens");
  out->add_bos = out->add_eos = out->add_sep = out->add_space_prefix = out->remove_extra_spaces = -1;
  out->n_token_types = -1;
  for (int i = 0; i < AM_VOCAB_N_IDS; i++) out->ids[i] = -1;
  status = choose_model(&g, error);
  if (!status) status = gather_named(&g, error);
  if (!status) find_unnamed(&g);
  if (!status) status = gather_frame(&g, error);
  if (!status) status = gather_tokens(&g, error);
  if (!status) status = gather_kind(&g, error);
  return status ? status : gather_ends(&g, error);
}

void am_vocab_parts_close(am_vocab_parts *parts) {
  am_arena_close(&parts->arena);
  *parts = (am_vocab_parts){0};
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The vocabulary that is about to be written is opened as that of a GGUF and tried against the source. */
#include "convert/vocab_parts.h"

#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "tokenizer/probe.h"

enum { N_MADE = 96, WORDS_OF_ONE = 8 };

typedef struct pair {
  const am_tokenizer *source;
  const am_tokenizer *target;
  const char *path;
  bool skip_leading; /* texts that begin with a space are no part of the promise */
  am_ids a, b;
} pair;

static am_vocab_string *strings(am_arena *arena, const am_gguf_string *from, size_t n) {
  am_vocab_string *out = am_arena_zalloc(arena, n + 1, sizeof *out);
  for (size_t i = 0; out && i < n; i++) out[i] = (am_vocab_string){from[i].bytes, from[i].n_bytes};
  return out;
}

static adam_status open_target(const am_vocab_parts *parts, const am_loader *loader, am_tokenizer **out,
                               adam_error *error) {
  am_arena arena = {0};
  am_vocab v = {.model = parts->model,
                .name = am_loader_name(loader),
                .pre = parts->pre,
                .tokens = strings(&arena, parts->tokens, parts->n_tokens),
                .merges = strings(&arena, parts->merges, parts->n_merges),
                .scores = parts->scores,
                .types = parts->types,
                .n_tokens = parts->n_tokens,
                .n_merges = parts->n_merges,
                .bos_id = parts->ids[AM_VOCAB_BOS],
                .eos_id = parts->ids[AM_VOCAB_EOS],
                .unknown_id = parts->ids[AM_VOCAB_UNK],
                .separator_id = parts->ids[AM_VOCAB_SEP],
                .pad_id = parts->ids[AM_VOCAB_PAD],
                .cls_id = parts->ids[AM_VOCAB_CLS],
                .add_bos = parts->add_bos,
                .add_eos = parts->add_eos,
                .add_space_prefix = parts->add_space_prefix,
                .remove_extra_spaces = parts->remove_extra_spaces,
                .charsmap = parts->charsmap};
  adam_status status = v.tokens && v.merges
                           ? am_tokenizer_open_vocab(am_loader_path(loader), &v, NULL, NULL, out, error)
                           : am_fail_memory(error, am_loader_path(loader));
  am_arena_close(&arena);
  return status;
}

/* Metaspace puts no second space before a text that begins with one; SentencePiece and llama.cpp do. */
static bool has_metaspace(const am_json *stage) {
  const am_json *steps = am_json_get(stage, "pretokenizers");
  if (strcmp(am_json_str(am_json_get(stage, "type"), ""), "Metaspace") == 0) return true;
  for (uint32_t i = 0; steps && steps->type == AM_JSON_ARRAY && i < steps->n; i++)
    if (has_metaspace(am_json_at(steps, i))) return true;
  return false;
}

static adam_status compare(pair *p, const char *text, size_t n, adam_error *error) {
  if (p->skip_leading && text[0] == ' ') return ADAM_OK;
  for (uint32_t flags = 0; flags < 2; flags++) { /* with and without what stands around a text */
    p->a.n = p->b.n = 0;
    uint32_t how = flags ? AM_ENCODE_SPECIAL : 0;
    adam_status status = am_tokenizer_encode(p->source, text, n, how, &p->a, error);
    if (!status) status = am_tokenizer_encode(p->target, text, n, how, &p->b, error);
    if (status) return status;
    size_t at = 0;
    while (at < p->a.n && at < p->b.n && p->a.data[at] == p->b.data[at]) at++;
    if (at == p->a.n && at == p->b.n) continue;
    return am_fail(
        error, ADAM_UNSUPPORTED, p->path, NULL,
        "the other format cannot express this tokenizer: in \"%.*s\" number %zu is %d, and would be %d",
        n > 60 ? 60 : (int)n, text, at, at < p->a.n ? p->a.data[at] : -1, at < p->b.n ? p->b.data[at] : -1);
  }
  return ADAM_OK;
}

static bool is_word(const am_tokenizer *t, size_t id) {
  size_t n;
  const char *word = am_tokenizer_word(t, (int32_t)id, &n);
  return word && am_tokenizer_piece(t, (int32_t)id, &n) == word; /* else it is an added token too */
}

/* Texts of words of the vocabulary, the same ones each time. */
static adam_status compare_made(pair *p, adam_error *error) {
  size_t n = am_tokenizer_size(p->source), n_words = 0;
  uint64_t state = 20261123;
  am_buf text = {0};
  adam_status status = ADAM_OK;
  for (size_t id = 0; id < n; id++) n_words += is_word(p->source, id);
  for (int i = 0; status == ADAM_OK && n_words > n / 8 && i < N_MADE; i++) {
    int32_t ids[WORDS_OF_ONE];
    for (int k = 0; k < WORDS_OF_ONE; k++) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      ids[k] = (int32_t)((state >> 33) % n);
      if (!is_word(p->source, (size_t)ids[k])) k--;
    }
    am_buf_clear(&text);
    status = am_tokenizer_decode(p->source, ids, WORDS_OF_ONE, true, &text, error);
    if (status == ADAM_OK && text.len > 0 && !memchr(text.data, 0, text.len) &&
        am_utf8_valid(text.data, text.len))
      status = compare(p, text.data, text.len, error);
  }
  am_buf_close(&text);
  return status;
}

adam_status am_vocab_compare(const am_tokenizer *source, const am_tokenizer *target, const char *path,
                             adam_error *error) {
  pair p = {.source = source, .target = target, .path = path};
  am_tokenizer_parts from, to;
  const char *text;
  bool composed;
  adam_status status = ADAM_OK;
  am_tokenizer_parts_of(source, &from);
  am_tokenizer_parts_of(target, &to);
  p.skip_leading = has_metaspace(am_json_get(from.config, "pre_tokenizer")) &&
                   !has_metaspace(am_json_get(to.config, "pre_tokenizer"));
  for (size_t i = 0; status == ADAM_OK && (text = am_probe_at(i, &composed)); i++)
    if (composed) status = compare(&p, text, strlen(text), error);
  if (status == ADAM_OK) status = compare_made(&p, error);
  am_ids_close(&p.a);
  am_ids_close(&p.b);
  return status;
}

adam_status am_vocab_parts_check(const am_vocab_parts *parts, const am_loader *loader, adam_error *error) {
  am_tokenizer *target = NULL;
  adam_status status = open_target(parts, loader, &target, error);
  if (status == ADAM_OK)
    status = am_vocab_compare(am_loader_tokenizer(loader), target, am_loader_path(loader), error);
  am_tokenizer_close(&target);
  return status;
}

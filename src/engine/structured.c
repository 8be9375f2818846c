/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/structured.h"

#include "base/error.h"
#include "base/mem.h"
#include "grammar/constraint.h"
#include "grammar/grammar.h"
#include "tokenizer/speller.h"

#include <string.h>

typedef enum phase {
  PHASE_BEGIN,    /* the text, or <think> */
  PHASE_THINKING, /* free, until the splitter has seen </think> */
  PHASE_LEAD,     /* behind </think>: newlines, or the text */
  PHASE_TEXT
} phase;

struct am_structured {
  phase phase;
  am_grammar *grammar; /* owned */
  const am_trie *trie; /* the engine's */
  am_constraint *constraint;
  uint64_t *mask; /* (n_words) */
  size_t n_words, n_vocab;
  const int32_t *end_ids; /* borrowed from the loader */
  size_t n_end_ids;
  bool may_end;    /* end tokens end the answer */
  uint64_t least;  /* tokens that are surely enough for the text */
  am_ids close;    /* owned: </think> */
  size_t n_closed; /* of those that were forced */
  int32_t think_id, newline_ids[2];
  unsigned n_newlines;
};

typedef struct spelling {
  am_speller *speller;
  const int32_t *end_ids;
  size_t n_end_ids;
} spelling;

/* Bytes of a token that a text may be made of: no added token, no end token. */
static adam_status next_word(void *user, int32_t id, const char **bytes, size_t *n_bytes, adam_error *error) {
  const spelling *s = user;
  bool is_text = false;
  adam_status status = am_speller_bytes(s->speller, id, bytes, n_bytes, &is_text, error);
  for (size_t i = 0; i < s->n_end_ids; i++)
    if (s->end_ids[i] == id) is_text = false;
  if (!is_text) *n_bytes = 0;
  return status;
}

/* The vocabulary of the model, made once. */
static adam_status find_trie(am_engine *engine, const am_tokenizer *tokenizer, const am_trie **out,
                             adam_error *error) {
  size_t n_vocab = am_model_config(engine->model)->n_vocab, n_tokens = am_tokenizer_size(tokenizer);
  spelling s = {0};
  adam_status status = ADAM_OK;
  am_mutex_lock(&engine->mutex);
  if (!engine->trie) {
    s.end_ids = am_loader_end_ids(engine->loader, &s.n_end_ids);
    status = am_speller_open(tokenizer, &s.speller, error);
    if (!status)
      status = am_trie_open(n_tokens < n_vocab ? n_tokens : n_vocab, next_word, &s, &engine->trie, error);
    am_speller_close(&s.speller);
  }
  if (!status) *out = engine->trie;
  am_mutex_unlock(&engine->mutex);
  return status;
}

static adam_status open_grammar(const adam_request *r, am_grammar **out, adam_error *error) {
  size_t n_bytes = r->constraint_text ? strlen(r->constraint_text) : 0;
  switch (r->constraint) {
    case ADAM_CONSTRAINT_SCHEMA:
      return am_grammar_open_schema(r->constraint_text, n_bytes, out, error);
    case ADAM_CONSTRAINT_GRAMMAR:
      return am_grammar_open_gbnf(r->constraint_text, n_bytes, out, error);
    case ADAM_CONSTRAINT_REGEX:
      return am_grammar_open_regex(r->constraint_text, n_bytes, out, error);
    default:
      return am_grammar_open_choice(r->choices, r->n_choices, out, error);
  }
}

static adam_status open_tags(am_structured *s, const am_tokenizer *tokenizer,
                             const am_structured_setting *setting, adam_error *error) {
  static const char close[] = "</think>";
  s->think_id = setting->may_think ? am_tokenizer_find(tokenizer, "<think>", 7) : -1;
  s->phase = setting->in_thinking ? PHASE_THINKING : s->think_id >= 0 ? PHASE_BEGIN : PHASE_TEXT;
  s->newline_ids[0] = s->newline_ids[1] = -1;
  if (s->phase == PHASE_TEXT) return ADAM_OK;
  uint32_t one = am_trie_child(s->trie, 0, '\n'), two = one ? am_trie_child(s->trie, one, '\n') : 0;
  const uint32_t nodes[] = {one, two};
  for (size_t i = 0; i < 2; i++)
    if (nodes[i] && s->trie->token_at[nodes[i] + 1] > s->trie->token_at[nodes[i]])
      s->newline_ids[i] = s->trie->tokens[s->trie->token_at[nodes[i]]];
  return am_tokenizer_encode(tokenizer, close, sizeof close - 1, 0, &s->close, error);
}

/* Says the least max_tokens, that of the thinking part's end included, or that the context is too small. */
static adam_status check_room(am_structured *s, const am_structured_setting *setting, adam_error *error) {
  adam_error fault = {0};
  size_t n_close = s->phase == PHASE_THINKING ? s->close.n : 0;
  uint64_t n = setting->n_tokens > n_close ? setting->n_tokens - n_close : 0;
  adam_status status = am_constraint_fit(s->constraint, n, &s->least, &fault);
  if (status == ADAM_INVALID)
    return am_fail(error, ADAM_INVALID, "max_tokens", "a larger --max-tokens, and a context that holds them",
                   "%llu are too few: the shortest answer that the constraint allows needs %llu%s",
                   (unsigned long long)setting->n_tokens, (unsigned long long)(s->least + n_close),
                   n_close ? " (with the end of the thinking part)" : "");
  if (status && error) *error = fault;
  return status;
}

adam_status am_structured_open(am_engine *engine, const am_structured_setting *setting, am_structured **out,
                               adam_error *error) {
  const adam_request *request = setting->request;
  const am_tokenizer *tokenizer = NULL;
  am_speller *speller = NULL;
  bool drops_space = false;
  *out = NULL;
  if (request->constraint == ADAM_CONSTRAINT_NONE) return ADAM_OK;
  am_structured *s = am_mem_zalloc(1, sizeof *s);
  if (!s) return am_fail_memory(error, "constraint");
  s->n_vocab = am_model_config(engine->model)->n_vocab;
  s->n_words = (s->n_vocab + 63) / 64;
  s->may_end = !request->ignore_eos;
  s->end_ids = am_loader_end_ids(engine->loader, &s->n_end_ids);
  s->mask = am_mem_zalloc(s->n_words, sizeof *s->mask);
  adam_status status = s->mask ? ADAM_OK : am_fail_memory(error, "constraint");
  if (!status) status = open_grammar(request, &s->grammar, error);
  if (!status) status = am_loader_need_tokenizer(engine->loader, &tokenizer, error);
  if (!status) status = find_trie(engine, tokenizer, &s->trie, error);
  if (!status) status = am_speller_open(tokenizer, &speller, error);
  if (!status)
    status = am_speller_drops_space(speller, setting->prompt, setting->n_prompt, &drops_space, error);
  if (!status) status = open_tags(s, tokenizer, setting, error);
  /* behind a thinking part there is always text before */
  if (!status)
    status =
        am_constraint_open(s->grammar, s->trie, drops_space && s->phase == PHASE_TEXT, &s->constraint, error);
  if (!status) status = check_room(s, setting, error);
  am_speller_close(&speller);
  if (status)
    am_structured_close(&s);
  else
    *out = s;
  return status;
}

void am_structured_close(am_structured **structured) {
  am_structured *s = structured ? *structured : NULL;
  if (!s) return;
  am_constraint_close(&s->constraint);
  am_grammar_close(&s->grammar);
  am_ids_close(&s->close);
  am_mem_free(s->mask);
  am_mem_free(s);
  *structured = NULL;
}

static void set_bit(am_structured *s, int32_t id, bool on) {
  if (id < 0 || (size_t)id >= s->n_vocab) return;
  uint64_t bit = (uint64_t)1 << (uint32_t)id % 64;
  if (on)
    s->mask[id / 64] |= bit;
  else
    s->mask[id / 64] &= ~bit;
}

/* Anything but an end, while </think> and the text still fit behind it; else the next of </think>. */
static void thinking_mask(am_structured *s, uint64_t n_left) {
  if (s->n_closed > 0 || n_left <= s->least + s->close.n) {
    memset(s->mask, 0, s->n_words * sizeof *s->mask);
    set_bit(s, s->close.data[s->n_closed < s->close.n ? s->n_closed : s->close.n - 1], true);
    return;
  }
  memset(s->mask, 0xFF, s->n_words * sizeof *s->mask);
  for (size_t i = 0; i < s->n_end_ids; i++) set_bit(s, s->end_ids[i], false);
}

adam_status am_structured_mask(am_structured *s, uint64_t n_left, const uint64_t **mask, adam_error *error) {
  const uint64_t *text = NULL;
  *mask = s->mask;
  if (s->phase == PHASE_THINKING) {
    thinking_mask(s, n_left);
    return ADAM_OK;
  }
  adam_status status = am_constraint_mask(s->constraint, n_left, &text, error);
  if (status) return status;
  size_t n_words = (s->trie->n_vocab + 63) / 64;
  memcpy(s->mask, text, n_words * sizeof *text);
  memset(s->mask + n_words, 0, (s->n_words - n_words) * sizeof *text);
  if (s->phase == PHASE_BEGIN && n_left > s->least + s->close.n) set_bit(s, s->think_id, true);
  for (size_t i = 0;
       s->phase == PHASE_LEAD && s->n_newlines < 2 && n_left > s->least && i < 2 - s->n_newlines; i++)
    set_bit(s, s->newline_ids[i], true);
  for (size_t i = 0; s->may_end && am_constraint_ends(s->constraint) && i < s->n_end_ids; i++)
    set_bit(s, s->end_ids[i], true);
  return ADAM_OK;
}

/* Whether the constraint's own mask has the id; only asked where newlines may stand before the text. */
static bool begins_text(am_structured *s, int32_t id, adam_error *error) {
  const uint64_t *text = NULL;
  if (am_constraint_mask(s->constraint, UINT32_MAX, &text, error)) return false;
  return text[id / 64] >> (uint32_t)id % 64 & 1;
}

adam_status am_structured_accept(am_structured *s, int32_t id, bool *lead, adam_error *error) {
  *lead = false;
  if (s->phase == PHASE_THINKING) {
    bool forced = s->n_closed < s->close.n && s->close.data[s->n_closed] == id;
    s->n_closed = forced ? s->n_closed + 1 : 0;
    return ADAM_OK;
  }
  if (s->phase == PHASE_BEGIN && id == s->think_id) {
    s->phase = PHASE_THINKING;
    return ADAM_OK;
  }
  for (size_t i = 0; s->phase == PHASE_LEAD && i < 2; i++)
    if (id == s->newline_ids[i] && !begins_text(s, id, error)) {
      s->n_newlines += (unsigned)i + 1;
      *lead = true;
      return ADAM_OK;
    }
  s->phase = PHASE_TEXT;
  return am_constraint_accept(s->constraint, id, error);
}

void am_structured_observe(am_structured *s, am_thinking *thinking, am_buf *answer) {
  if (s->phase != PHASE_THINKING ||
      (thinking->state != AM_THINKING_CLOSED && thinking->state != AM_THINKING_ANSWER))
    return;
  s->phase = PHASE_LEAD;
  am_buf_clear(answer); /* what a token spells behind </think> is no part of the text */
  am_buf_clear(&thinking->held);
}

bool am_structured_in_text(const am_structured *s) { return s->phase == PHASE_TEXT; }
bool am_structured_complete(const am_structured *s) {
  return s->phase != PHASE_THINKING && am_constraint_ends(s->constraint);
}
bool am_structured_over(const am_structured *s) {
  return s->phase == PHASE_TEXT && am_constraint_is_over(s->constraint);
}

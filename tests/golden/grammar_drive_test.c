/* SPDX-License-Identifier: Apache-2.0 */
/* Drives constraints from outside: the scripts of tests/golden check with Python's jsonschema and re what
 * random choices from the masks become. Without arguments it only checks its own frame.
 *
 *   drive TOKENIZER.json
 * stdin: a JSON object a line: {"kind": "schema"|"grammar"|"regex"|"choice", "text" or "choices", "n": most
 * tokens, "seed", "begin": nothing stands before (SentencePiece drops a space)}. stdout: a JSON line:
 * {"error"} or {"least"} (n is too few) or {"text", "n", "complete", "ms": of all masks}. */
#include "base/buf.h"
#include "base/rng.h"
#include "grammar/constraint.h"
#include "grammar/grammar.h"
#include "tokenizer/speller.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct drive {
  am_tokenizer *tokenizer;
  am_speller *speller;
  am_trie *trie;
} drive;

static adam_status next_word(void *user, int32_t id, const char **bytes, size_t *n_bytes, adam_error *error) {
  bool is_text = false;
  adam_status status = am_speller_bytes(user, id, bytes, n_bytes, &is_text, error);
  if (!is_text) *n_bytes = 0;
  return status;
}

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static adam_status open_grammar(const json_t *request, am_grammar **out, adam_error *error) {
  const char *kind = json_string_value(json_object_get(request, "kind"));
  const char *text = json_string_value(json_object_get(request, "text"));
  const json_t *list = json_object_get(request, "choices");
  const char *choices[64];
  size_t n = json_array_size(list) < 64 ? json_array_size(list) : 64;
  for (size_t i = 0; i < n; i++) choices[i] = json_string_value(json_array_get(list, i));
  size_t n_bytes = text ? json_string_length(json_object_get(request, "text")) : 0;
  if (strcmp(kind, "schema") == 0) return am_grammar_open_schema(text, n_bytes, out, error);
  if (strcmp(kind, "grammar") == 0) return am_grammar_open_gbnf(text, n_bytes, out, error);
  if (strcmp(kind, "regex") == 0) return am_grammar_open_regex(text, n_bytes, out, error);
  return am_grammar_open_choice(choices, n, out, error);
}

/* A random bit of the mask: now and then among the short tokens, so that structure comes up; -1 = none. */
static int32_t draw(const drive *d, const uint64_t *mask, uint64_t seed, uint64_t position) {
  uint32_t random[4];
  am_rng_philox(seed, position, random);
  int32_t chosen = -1;
  uint64_t n = 0;
  size_t most = random[3] % 3 == 0 ? 2 : AM_TRIE_MOST_BYTES;
  for (int round = 0; round < 2 && n == 0; round++, most = AM_TRIE_MOST_BYTES)
    for (size_t id = 0; id < d->trie->n_vocab; id++) {
      if (!(mask[id / 64] >> id % 64 & 1) || d->trie->nodes[d->trie->node_of[id]].depth > most) continue;
      n++;
      uint64_t pick = ((uint64_t)random[0] << 32 | random[1]) ^ (uint64_t)id * 0x9E3779B97F4A7C15u;
      pick = (pick ^ pick >> 31) * 0xBF58476D1CE4E5B9u;
      if ((pick >> 20) % n == 0) chosen = (int32_t)id;
    }
  return chosen;
}

static adam_status speak(const drive *d, const json_t *request, am_constraint *c, json_t *reply,
                         adam_error *error) {
  uint64_t n = (uint64_t)json_integer_value(json_object_get(request, "n")), used = 0;
  uint64_t seed = (uint64_t)json_integer_value(json_object_get(request, "seed"));
  double ms = 0;
  am_decoder *decoder = NULL;
  am_buf text = {0};
  adam_status status = am_decoder_open(d->tokenizer, true, &decoder, error);
  int32_t before = am_tokenizer_find(d->tokenizer, "a", 1);
  if (!status && !json_is_true(json_object_get(request, "begin")) && before >= 0)
    status = am_decoder_context(decoder, &before, 1, error);
  while (!status && used < n) {
    const uint64_t *mask = NULL;
    uint32_t random[4];
    am_rng_philox(seed + 1, used, random);
    if (am_constraint_ends(c) && random[0] % 4 == 0) break; /* an end token */
    double begin = now_ms();
    status = am_constraint_mask(c, n - used, &mask, error);
    ms += now_ms() - begin;
    int32_t id = status ? -1 : draw(d, mask, seed, used);
    if (id < 0) break;
    status = am_constraint_accept(c, id, error);
    if (!status) status = am_decoder_push(decoder, id, &text, error);
    used++;
  }
  if (!status) status = am_decoder_finish(decoder, &text, error);
  if (!status) {
    json_object_set_new(reply, "text", json_stringn(text.data ? text.data : "", text.len));
    json_object_set_new(reply, "n", json_integer((json_int_t)used));
    json_object_set_new(reply, "complete", json_boolean(am_constraint_ends(c)));
    json_object_set_new(reply, "ms", json_real(ms));
  }
  am_decoder_close(&decoder);
  am_buf_close(&text);
  return status;
}

static json_t *answer(const drive *d, const json_t *request) {
  json_t *reply = json_object();
  am_grammar *grammar = NULL;
  am_constraint *c = NULL;
  adam_error error = {0};
  uint64_t least = 0, n = (uint64_t)json_integer_value(json_object_get(request, "n"));
  bool drops = false;
  adam_status status = open_grammar(request, &grammar, &error);
  if (!status && json_is_true(json_object_get(request, "begin")))
    status = am_speller_drops_space(d->speller, NULL, 0, &drops, &error);
  if (!status) status = am_constraint_open(grammar, d->trie, drops, &c, &error);
  if (!status) {
    status = am_constraint_fit(c, n, &least, &error);
    if (status == ADAM_INVALID) {
      json_object_set_new(reply, "least", json_integer((json_int_t)least));
      goto done;
    }
  }
  if (!status) status = speak(d, request, c, reply, &error);
  if (status) {
    char line[1200];
    adam_error_format(&error, line, sizeof line);
    json_object_set_new(reply, "error", json_string(line));
    json_object_set_new(reply, "status", json_string(adam_status_name(status)));
  }
done:
  am_constraint_close(&c);
  am_grammar_close(&grammar);
  return reply;
}

int main(int argc, char **argv) {
  drive d = {0};
  adam_error error = {0};
  char *line = NULL;
  size_t capacity = 0;
  if (argc < 2) return 0;
  if (am_tokenizer_open_file(argv[1], NULL, NULL, &d.tokenizer, &error) ||
      am_speller_open(d.tokenizer, &d.speller, &error) ||
      am_trie_open(am_tokenizer_size(d.tokenizer), next_word, d.speller, &d.trie, &error)) {
    fprintf(stderr, "%s: %s\n", error.what, error.why);
    return 3;
  }
  while (getline(&line, &capacity, stdin) > 0) {
    json_t *request = json_loads(line, JSON_ALLOW_NUL, NULL);
    if (!request) return 3;
    json_t *reply = answer(&d, request);
    char *out = json_dumps(reply, JSON_COMPACT);
    printf("%s\n", out ? out : "{\"error\":\"the text is not UTF-8\"}");
    fflush(stdout);
    free(out);
    json_decref(reply);
    json_decref(request);
  }
  free(line);
  am_trie_close(&d.trie);
  am_speller_close(&d.speller);
  am_tokenizer_close(&d.tokenizer);
  return 0;
}

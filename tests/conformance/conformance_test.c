/* SPDX-License-Identifier: Apache-2.0 */
/* What every backend must do alike: each behaviour below runs against each subject. A behaviour may
 * use only what the public headers promise; expected texts come from the subject's own greedy answer
 * by cutting it, never from a table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/utf8.h"
#include "conformance/table_backend.h"
#include "os/thread.h"
#include "python_server.h"
#include <math.h>
#include <stdio.h>
#include <unistd.h>

enum { N_TOKENS = 48, MAX_TEXT = 1 << 16 };

static const struct subject {
  const char *name, *ref;
  const char *needs;   /* a file below the source folder; NULL = nothing */
  const char *bad_ref; /* must not open */
} subjects[] = {
    {"mock, drawn", "mock:random=64", NULL, "mock:say=x;fail_at=x"},
    {"mock, bytes",
     "mock:say=\xf0\x9f\x8c\x8d: na\xc3\xafve \xe2\x82\xac"
     "5, \xe6\x97\xa5\xe6\x9c\xac.;chunk_bytes=1",
     NULL, "mock:open_error=damaged"},
    {"mock, five a piece", "mock:say=Gr\xc3\xbc\xc3\x9f Gott, und so weiter;tokens_per_chunk=5", NULL,
     "mock:delay_ms=no"},
    {"table", "table:good", NULL, "table:evil"},
    {"huggingface qwen3", "./tests/golden/models/qwen3-bf16-tied",
     "tests/golden/models/qwen3-bf16-tied/config.json", "./tests/golden/models/absent"},
    {"huggingface gguf", "./tests/golden/models/gguf-llama-q8_0/model.gguf",
     "tests/golden/models/gguf-llama-q8_0/model.gguf", "./tests/golden/models/absent.gguf"},
    {"huggingface demo", "demo", "models/demo/config.json", "hf:no/../name"},
    {"ollama", "ollama:fake", "tests/e2e/fake_ollama.py", "ollama:absent"},
    {"openai", "openai:fake", "tests/e2e/fake_openai.py", "openai:absent"},
    {"anthropic", "anthropic:fake", "tests/e2e/fake_anthropic.py", "anthropic:absent"},
};

/* auto runs a model of Ollama's store natively; here its server is meant. */
static const char *backend_of(const struct subject *s) { return strncmp(s->ref, "ollama:", 7) ? NULL : "ollama"; }

static adam_manager *open_subject(const struct subject *s) {
  adam_manager_options options = {.struct_size = sizeof options,
                                  .backend = backend_of(s),
                                  .model = s->ref,
                                  .model_options = {.n_threads = 1},
                                  .embedding_model = s->ref}; /* it embeds itself */
  adam_manager *m = NULL;
  adam_error error = {0};
  if (adam_manager_open(&options, &m, &error))
    fail_msg("%s: %s: %s (%s)", s->ref, error.what, error.why, error.hint);
  return m;
}

static const adam_backend_ops *ops_of(adam_manager *m) {
  adam_model_info info = {.struct_size = sizeof info};
  assert_int_equal(adam_manager_info(m, &info, NULL), ADAM_OK);
  return adam_backend_find(info.backend);
}

/* A server may keep the ids to itself; else each token has one. */
static void check_ids(adam_manager *m, const adam_result *r) {
  if (ops_of(m)->tokenize || r->n_ids) assert_int_equal(r->n_ids, r->completion_tokens);
}

/* Greedy, of a fixed length whatever the model says. */
static adam_request plain_request(adam_manager *m) {
  static const char prompt[] = "Hello there";
  return (adam_request){.struct_size = sizeof(adam_request),
                        .prompt = prompt,
                        .prompt_bytes = sizeof prompt - 1,
                        .raw = !(ops_of(m)->features & ADAM_FEATURE_NO_RAW),
                        .ignore_eos = true,
                        .sampling = {.set = ADAM_SET_TEMPERATURE | ADAM_SET_MAX_TOKENS | ADAM_SET_SEED,
                                     .seed = 3,
                                     .max_tokens = N_TOKENS}};
}

/* Everything that came in pieces. */
typedef struct heard {
  char text[MAX_TEXT];
  size_t text_bytes;
  int32_t ids[MAX_TEXT];
  size_t n_ids, n_text_pieces, cancel_at; /* cancel at this piece with text; 0 = never */
} heard;

static bool hear(void *user, const adam_chunk *chunk) {
  heard *h = user;
  assert_true(am_utf8_valid(chunk->text, chunk->text_bytes));
  for (size_t i = 0; i < chunk->n_ids && h->n_ids < MAX_TEXT; i++) h->ids[h->n_ids++] = chunk->ids[i];
  if (!chunk->text_bytes || chunk->thinking) return false;
  assert_true(h->text_bytes + chunk->text_bytes < MAX_TEXT);
  memcpy(h->text + h->text_bytes, chunk->text, chunk->text_bytes);
  h->text_bytes += chunk->text_bytes;
  return ++h->n_text_pieces == h->cancel_at;
}

static void generate(adam_manager *m, const adam_request *request, heard *h, adam_result *r) {
  adam_error error = {0};
  if (adam_manager_generate(m, request, h ? hear : NULL, h, r, &error))
    fail_msg("%s: %s", error.what, error.why);
}

static void assert_same_text(const adam_result *a, const adam_result *b) {
  assert_int_equal(a->text_bytes, b->text_bytes);
  assert_memory_equal(a->text, b->text, a->text_bytes);
}

static void answers(const struct subject *s, adam_manager *m) {
  adam_result r;
  adam_request request = plain_request(m);
  generate(m, &request, NULL, &r);
  assert_true(r.text_bytes > 0 && r.text[r.text_bytes] == 0); /* a random model may say NUL */
  assert_true(am_utf8_valid(r.text, r.text_bytes));
  assert_int_equal(r.finish_reason, ADAM_FINISH_LENGTH);
  assert_int_equal(r.completion_tokens, N_TOKENS);
  check_ids(m, &r);
  assert_true(r.prompt_tokens > 0);
  if (ops_of(m)->features & ADAM_FEATURE_NO_SEED)
    assert_false(r.sampling.set & ADAM_SET_SEED);
  else
    assert_int_equal(r.seed, 3);
  assert_int_equal(r.sampling.max_tokens, N_TOKENS);
  assert_string_equal(r.model, s->ref);
  assert_true(*r.backend && *r.device);
  assert_true(r.timings.load_ms > 0 && r.timings.first_token_ms > 0 && r.timings.decode_ms >= 0);
  adam_result_close(&r);
}

static void streams(const struct subject *s, adam_manager *m) {
  (void)s;
  adam_result r;
  heard *h = calloc(1, sizeof *h);
  adam_request request = plain_request(m);
  generate(m, &request, h, &r);
  assert_true(h->n_text_pieces > 1);
  assert_int_equal(h->text_bytes, r.text_bytes);
  assert_memory_equal(h->text, r.text, r.text_bytes);
  assert_int_equal(h->n_ids, r.n_ids);
  assert_memory_equal(h->ids, r.ids, r.n_ids * sizeof *r.ids);
  adam_result_close(&r);
  free(h);
}

/* Offset of the n-th character; the end of the text when it has fewer. */
static size_t character(const adam_result *r, size_t n) {
  size_t at = 0;
  uint32_t codepoint;
  while (n-- && at < r->text_bytes)
    at += (size_t)abs(am_utf8_decode(r->text + at, r->text_bytes - at, &codepoint));
  return at;
}

/* Stops at characters [first, first + n) of the free answer: what is before their first occurrence
 * comes, whatever the pieces, and nothing else. */
static void stop_at(adam_manager *m, const adam_result *whole, size_t first, size_t n) {
  char stop[64], other[] = "\x01never\x02";
  size_t begin = character(whole, first), end = character(whole, first + n);
  const char *found = memmem(whole->text, whole->text_bytes, whole->text + begin, end - begin);
  snprintf(stop, sizeof stop, "%.*s", (int)(end - begin), whole->text + begin);
  if (!*stop || strlen(stop) < end - begin) return; /* the answer is short, or has a NUL there */
  const char *list[] = {other, stop};
  adam_request request = plain_request(m);
  request.stop = list;
  request.n_stop = 2;
  adam_result r;
  heard *h = calloc(1, sizeof *h);
  generate(m, &request, h, &r);
  size_t expected = (size_t)(found - whole->text);
  assert_int_equal(r.text_bytes, expected);
  assert_memory_equal(r.text, whole->text, expected);
  assert_int_equal(h->text_bytes, expected);
  assert_memory_equal(h->text, whole->text, expected);
  assert_int_equal(r.finish_reason, ADAM_FINISH_STOP);
  assert_true(r.completion_tokens <= N_TOKENS);
  adam_result_close(&r);
  free(h);
}

static void stops(const struct subject *s, adam_manager *m) {
  (void)s;
  adam_result r, unstopped;
  adam_request request = plain_request(m);
  generate(m, &request, NULL, &r);
  for (size_t first = 1; first < 9; first += 2)
    for (size_t n = 1; n < 6; n += 2) stop_at(m, &r, first, n);
  const char *never[] = {"\x01\x02\x03"};
  request.stop = never;
  request.n_stop = 1;
  generate(m, &request, NULL, &unstopped);
  assert_same_text(&unstopped, &r);
  assert_int_equal(unstopped.finish_reason, ADAM_FINISH_LENGTH);
  adam_result_close(&unstopped);
  adam_result_close(&r);
}

static void cancels(const struct subject *s, adam_manager *m) {
  (void)s;
  adam_result whole;
  adam_request request = plain_request(m);
  generate(m, &request, NULL, &whole);
  for (size_t at = 1; at < 4; at++) {
    adam_result r;
    heard *h = calloc(1, sizeof *h);
    h->cancel_at = at;
    generate(m, &request, h, &r);
    assert_int_equal(r.finish_reason, ADAM_FINISH_CANCELLED);
    assert_int_equal(h->n_text_pieces, at);
    assert_int_equal(r.text_bytes, h->text_bytes);
    assert_memory_equal(r.text, whole.text, r.text_bytes);
    assert_true(r.completion_tokens < N_TOKENS);
    adam_result_close(&r);
    free(h);
  }
  adam_result again;
  generate(m, &request, NULL, &again);
  assert_same_text(&again, &whole);
  adam_result_close(&again);
  adam_result_close(&whole);
}

static void limits(const struct subject *s, adam_manager *m) {
  (void)s;
  static const int64_t limits_tokens[] = {0, 1, 5};
  for (size_t i = 0; i < 3; i++) {
    adam_result r;
    adam_request request = plain_request(m);
    request.sampling.max_tokens = limits_tokens[i];
    generate(m, &request, NULL, &r);
    assert_int_equal(r.completion_tokens, limits_tokens[i]);
    check_ids(m, &r);
    assert_int_equal(r.finish_reason, ADAM_FINISH_LENGTH);
    adam_result_close(&r);
  }
}

static void says_it_has_no_seed(adam_manager *m) {
  adam_result r;
  adam_request request = plain_request(m);
  bool noticed = false;
  generate(m, &request, NULL, &r);
  for (size_t i = 0; i < r.n_notices; i++)
    noticed = noticed || (r.notices[i].level == ADAM_NOTICE_DEGRADED && strstr(r.notices[i].text, "seed"));
  assert_true(noticed);
  adam_result_close(&r);
}

static void seeds(const struct subject *s, adam_manager *m) {
  (void)s;
  if (ops_of(m)->features & ADAM_FEATURE_NO_SEED) return says_it_has_no_seed(m);
  adam_result a, b, drawn, again;
  adam_request request = plain_request(m);
  request.sampling =
      (adam_sampling){.set = ADAM_SET_TEMPERATURE | ADAM_SET_TOP_P | ADAM_SET_SEED | ADAM_SET_MAX_TOKENS,
                      .temperature = 1,
                      .top_p = 1,
                      .seed = 42,
                      .max_tokens = N_TOKENS};
  generate(m, &request, NULL, &a);
  generate(m, &request, NULL, &b);
  assert_int_equal(a.seed, 42);
  assert_same_text(&a, &b);
  request.sampling.set &= ~(uint32_t)ADAM_SET_SEED;
  generate(m, &request, NULL, &drawn);
  assert_true(drawn.seed < (uint64_t)1 << 53);
  request.sampling.set |= ADAM_SET_SEED;
  request.sampling.seed = drawn.seed; /* the seed that was told brings the answer back */
  generate(m, &request, NULL, &again);
  assert_same_text(&again, &drawn);
  adam_result_close(&a);
  adam_result_close(&b);
  adam_result_close(&drawn);
  adam_result_close(&again);
}

static void takes_empty_prompts(const struct subject *s, adam_manager *m) {
  (void)s;
  adam_result r;
  adam_error error = {0};
  adam_request request = plain_request(m);
  request.prompt_bytes = 0;
  adam_status status = adam_manager_generate(m, &request, NULL, NULL, &r, &error);
  /* Raw: a model without a BOS token has nothing to go on from, and says so; an API wants text. */
  assert_true(status == ADAM_OK || (status == ADAM_INVALID && *error.why));
  adam_result_close(&r);
  adam_model_info info = {.struct_size = sizeof info};
  assert_int_equal(adam_manager_info(m, &info, NULL), ADAM_OK);
  if (!info.has_chat_template || !request.raw) return;
  request.raw = false;
  generate(m, &request, NULL, &r);
  adam_result_close(&r);
}

static void explains_errors(const struct subject *s, adam_manager *m) {
  adam_request bad[4];
  const char *empty[] = {""};
  for (size_t i = 0; i < 4; i++) bad[i] = plain_request(m);
  bad[0].messages_json = "[]";
  bad[1].sampling.set |= ADAM_SET_TOP_P, bad[1].sampling.top_p = 2;
  bad[2].stop = empty, bad[2].n_stop = 1;
  bad[3].prompt = NULL;
  for (size_t i = 0; i < 4; i++) {
    adam_result r;
    adam_error error = {0};
    assert_int_equal(adam_manager_generate(m, &bad[i], NULL, NULL, &r, &error), ADAM_INVALID);
    assert_int_equal(error.status, ADAM_INVALID);
    assert_true(*error.what && *error.why);
    assert_int_equal(r.finish_reason, ADAM_FINISH_ERROR);
    adam_result_close(&r);
  }
  adam_manager_options options = {.struct_size = sizeof options, .backend = backend_of(s), .model = s->bad_ref};
  adam_manager *none = (adam_manager *)(uintptr_t)16, *before = none;
  adam_error error = {0};
  adam_status status = adam_manager_open(&options, &none, &error);
  assert_true(status < 0 && error.status == status);
  assert_true(*error.what && *error.why);
  assert_ptr_equal(none, before);
}

static void knows_itself(const struct subject *s, adam_manager *m) {
  adam_model_info info = {.struct_size = sizeof info};
  assert_int_equal(adam_manager_info(m, &info, NULL), ADAM_OK);
  assert_string_equal(info.name, s->ref);
  assert_non_null(adam_backend_find(info.backend));
  assert_true(info.device && *info.device);
  assert_true(info.load_ms > 0);
  if (!adam_backend_find(info.backend)->tokenize) return;
  assert_true(info.n_vocab > 0 && info.n_ctx > 0);
  for (size_t i = 0; i < info.n_end_ids; i++) assert_in_range(info.end_ids[i], 0, info.n_vocab - 1);
}

static void tokenizes(const struct subject *s, adam_manager *m) {
  (void)s;
  if (!ops_of(m)->tokenize) return;
  static const char *const texts[] = {"", "Hello", " two  spaces ", "na\xc3\xafve \xe2\x82\xac\n\t",
                                      "\xf0\x9f\x8c\x8d\xe6\x97\xa5\xe6\x9c\xac x1"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    int32_t *ids = NULL, *special_ids = NULL;
    size_t n_ids = 0, n_special = 0, n_counted = 0, n_bytes = 0;
    char *text = NULL;
    size_t n = strlen(texts[i]);
    assert_int_equal(adam_manager_tokenize(m, texts[i], n, ADAM_TOKENIZE_NO_SPECIAL, &ids, &n_ids, NULL),
                     ADAM_OK);
    assert_int_equal(adam_manager_detokenize(m, ids, n_ids, &text, &n_bytes, NULL), ADAM_OK);
    assert_int_equal(n_bytes, n);
    assert_string_equal(text, texts[i]);
    assert_int_equal(adam_manager_tokenize(m, texts[i], n, 0, &special_ids, &n_special, NULL), ADAM_OK);
    assert_int_equal(adam_manager_count_tokens(m, texts[i], n, &n_counted, NULL), ADAM_OK);
    assert_int_equal(n_counted, n_special);
    assert_true(n_special >= n_ids);
    adam_free(text);
    adam_free(ids);
    adam_free(special_ids);
  }
}

static void chats(const struct subject *s, adam_manager *m) {
  (void)s;
  adam_model_info info = {.struct_size = sizeof info};
  assert_int_equal(adam_manager_info(m, &info, NULL), ADAM_OK);
  if (!info.has_chat_template) return;
  static const char messages[] = "[{\"role\":\"user\",\"content\":\"Marker 42\"}]";
  adam_render_request render = {.struct_size = sizeof render, .messages_json = messages};
  char *with = NULL, *without = NULL;
  bool renders = ops_of(m)->render != NULL;
  if (renders) {
    assert_int_equal(adam_manager_render(m, &render, &with, NULL, NULL), ADAM_OK);
    render.no_generation_prompt = true;
    assert_int_equal(adam_manager_render(m, &render, &without, NULL, NULL), ADAM_OK);
    assert_non_null(strstr(with, "Marker 42"));
    assert_true(strlen(with) > strlen(without) && !strncmp(with, without, strlen(without)));
  }
  adam_result r, by_prompt;
  adam_request request = plain_request(m);
  request.prompt = NULL;
  request.messages_json = messages;
  request.raw = false;
  generate(m, &request, NULL, &r);
  request.messages_json = NULL;
  request.prompt = "Marker 42";
  request.prompt_bytes = strlen(request.prompt);
  generate(m, &request, NULL, &by_prompt); /* a prompt is a user turn */
  assert_same_text(&r, &by_prompt);
  assert_int_equal(r.prompt_tokens, by_prompt.prompt_tokens);
  adam_result_close(&r);
  adam_result_close(&by_prompt);
  adam_free(with);
  adam_free(without);
  adam_error error = {0};
  render.messages_json = "[{]";
  assert_true(adam_manager_render(m, &render, &with, NULL, &error) < 0 && *error.why);
}

static void batches(const struct subject *s, adam_manager *m) {
  (void)s;
  adam_request requests[3] = {plain_request(m), plain_request(m), plain_request(m)};
  requests[1].prompt = "Another", requests[1].prompt_bytes = 7;
  requests[2].sampling.set |= ADAM_SET_TOP_P;
  requests[2].sampling.top_p = -1;
  adam_result r[3], alone;
  adam_error errors[3] = {0};
  assert_int_equal(adam_manager_batch(m, requests, 3, r, errors), ADAM_INVALID);
  for (size_t i = 0; i < 2; i++) {
    assert_int_equal(errors[i].status, ADAM_OK);
    generate(m, &requests[i], NULL, &alone);
    assert_same_text(&r[i], &alone);
    adam_result_close(&alone);
  }
  assert_int_equal(errors[2].status, ADAM_INVALID);
  for (size_t i = 0; i < 3; i++) adam_result_close(&r[i]);
}

/* Log-probability of the next id by the definition, in double. */
typedef struct scored {
  const int32_t *ids;
  double logprobs[8];
} scored;

static bool softmax(void *user, size_t position, const float *logits, size_t n_vocab) {
  scored *w = user;
  double sum = 0;
  for (size_t i = 0; i < n_vocab; i++) sum += exp((double)logits[i]);
  if (position < 7) w->logprobs[position] = log(exp((double)logits[w->ids[position + 1]]) / sum);
  return false;
}

static void scores(const struct subject *s, adam_manager *m) {
  (void)s;
  if (!ops_of(m)->score) return;
  int32_t ids[8] = {1, 2, 2, 40, 41, 1, 7, 7};
  double logprobs[7];
  scored w = {.ids = ids};
  assert_int_equal(adam_manager_score(m, ids, 8, logprobs, softmax, &w, NULL), ADAM_OK);
  for (size_t i = 0; i < 7; i++) {
    assert_true(logprobs[i] < 0);
    assert_true(fabs(logprobs[i] - w.logprobs[i]) < 1e-9);
  }
  adam_error error = {0};
  ids[3] = -1;
  assert_true(adam_manager_score(m, ids, 8, logprobs, NULL, NULL, &error) < 0 && *error.why);
}

static double length_of(const float *values, size_t n) {
  double square = 0;
  for (size_t i = 0; i < n; i++) square += (double)values[i] * values[i];
  return sqrt(square);
}

static adam_status embed_with(adam_manager *m, adam_embed_request request, adam_embed_result *result) {
  static const char *const texts[] = {"Hello there", "", "Another text, longer than the first"};
  request.struct_size = sizeof request;
  request.texts = texts;
  request.n_texts = 3;
  return adam_manager_batch_embed(m, &request, result, NULL);
}

static void embeds(const struct subject *s, adam_manager *m) {
  (void)s;
  if (!ops_of(m)->embed) return;
  adam_embed_result r, other;
  adam_model_info info = {.struct_size = sizeof info};
  assert_int_equal(adam_manager_info(m, &info, NULL), ADAM_OK);
  assert_int_equal(embed_with(m, (adam_embed_request){0}, &r), ADAM_OK);
  assert_int_equal(r.n_texts, 3);
  if (info.n_embedding) assert_int_equal(r.dimensions, info.n_embedding); /* a server may not tell */
  assert_true(r.n_tokens > 0 && *r.model && *r.backend && *r.device);
  for (size_t i = 0; i < 3 * r.dimensions; i++) assert_true(isfinite(r.values[i]));
  assert_memory_not_equal(r.values, r.values + 2 * r.dimensions, r.dimensions * sizeof(float));
  float *alone = NULL;
  size_t n = 0;
  assert_int_equal(adam_manager_embed(m, "Hello there", 11, &alone, &n, NULL), ADAM_OK);
  assert_int_equal(n, r.dimensions);
  assert_memory_equal(alone, r.values, n * sizeof(float));
  adam_free(alone);
  /* fewer dimensions are the first ones; with the length 1 where that is asked for */
  adam_embed_request cut = {.dimensions = 3, .normalize = ADAM_NORMALIZE_OFF};
  adam_embed_request whole = {.normalize = ADAM_NORMALIZE_OFF},
                     unit = {.dimensions = 3, .normalize = ADAM_NORMALIZE_ON};
  adam_embed_result_close(&r);
  assert_int_equal(embed_with(m, whole, &r), ADAM_OK);
  assert_int_equal(embed_with(m, cut, &other), ADAM_OK);
  assert_int_equal(other.dimensions, 3);
  for (size_t i = 0; i < 3; i++)
    assert_memory_equal(other.values + 3 * i, r.values + i * r.dimensions, 3 * sizeof(float));
  adam_embed_result_close(&other);
  assert_int_equal(embed_with(m, unit, &other), ADAM_OK);
  assert_true(fabs(length_of(other.values, 3) - 1) < 1e-6);
  adam_embed_result_close(&other);
  unit.dimensions = (int64_t)r.dimensions + 1;
  assert_int_equal(embed_with(m, unit, &other), ADAM_INVALID);
  assert_null(other.values);
  assert_int_equal(embed_with(m, (adam_embed_request){.prompt_name = "no such prompt"}, &other),
                   ADAM_INVALID);
  assert_int_equal(embed_with(m, (adam_embed_request){.dimensions = -1}, &other), ADAM_INVALID);
  adam_embed_result_close(&r);
  adam_embed_request none = {.struct_size = sizeof none};
  assert_int_equal(adam_manager_batch_embed(m, &none, &r, NULL), ADAM_OK);
  assert_true(r.n_texts == 0 && r.values == NULL);
  adam_embed_result_close(&r);
}

static void reranks(const struct subject *s, adam_manager *m) {
  (void)s;
  if (!ops_of(m)->rerank) return;
  static const char *const documents[] = {"Hello", "the second document", ""};
  adam_rerank_request request = {.struct_size = sizeof request,
                                 .query = "Hello there",
                                 .query_bytes = 11,
                                 .documents = documents,
                                 .n_documents = 3};
  adam_rerank_result r, again;
  adam_error error = {0};
  adam_status status = adam_manager_rerank(m, &request, &r, &error);
  if (status == ADAM_UNSUPPORTED) { /* the model has no way to score, and says so */
    assert_true(*error.why && r.scores == NULL);
    return;
  }
  assert_int_equal(status, ADAM_OK);
  assert_int_equal(r.n_documents, 3);
  for (size_t i = 0; i < 3; i++) assert_true(r.scores[i] >= 0 && r.scores[i] <= 1);
  request.documents = documents + 1;
  request.n_documents = 1;
  assert_int_equal(adam_manager_rerank(m, &request, &again, NULL), ADAM_OK);
  assert_true(again.scores[0] == r.scores[1]);
  adam_rerank_result_close(&again);
  adam_rerank_result_close(&r);
  request.query = NULL;
  assert_int_equal(adam_manager_rerank(m, &request, &r, NULL), ADAM_INVALID);
}

/* Each operation that the table lacks is refused in the backend's name. */
static void refuses_in_its_name(const struct subject *s, adam_manager *m) {
  (void)s;
  const adam_backend_ops *ops = ops_of(m);
  adam_error errors[8] = {0};
  adam_status status[8];
  bool lacks[8] = {!ops->tokenize, !ops->tokenize, !ops->detokenize, !ops->token_text,
                   !ops->render,   !ops->score,    !ops->embed,      !ops->rerank};
  int32_t *ids = NULL, one = 1;
  char *text[3] = {NULL};
  size_t n = 0;
  adam_render_request render = {.struct_size = sizeof render,
                                .messages_json = "[{\"role\":\"user\",\"content\":\"x\"}]"};
  status[0] = adam_manager_tokenize(m, "x", 1, 0, &ids, &n, &errors[0]);
  status[1] = adam_manager_count_tokens(m, "x", 1, &n, &errors[1]);
  status[2] = adam_manager_detokenize(m, &one, 1, &text[0], NULL, &errors[2]);
  status[3] = adam_manager_token_text(m, 1, &text[1], NULL, &errors[3]);
  status[4] = adam_manager_render(m, &render, &text[2], NULL, &errors[4]);
  status[5] = adam_manager_score(m, &one, 1, NULL, NULL, NULL, &errors[5]);
  float *values = NULL;
  adam_rerank_request rerank = {.struct_size = sizeof rerank, .query = "x", .query_bytes = 1};
  adam_rerank_result ranked;
  status[6] = adam_manager_embed(m, "x", 1, &values, &n, &errors[6]);
  status[7] = adam_manager_rerank(m, &rerank, &ranked, &errors[7]);
  adam_free(values);
  adam_rerank_result_close(&ranked);
  for (size_t i = 0; i < 8; i++) {
    if (!lacks[i]) continue;
    assert_int_equal(status[i], ADAM_UNSUPPORTED);
    assert_string_equal(errors[i].what, ops->name);
    assert_true(*errors[i].why);
  }
  adam_free(ids);
  for (size_t i = 0; i < 3; i++) adam_free(text[i]);
  if (!(ops->features & ADAM_FEATURE_NO_RAW)) return;
  adam_result r;
  adam_error error = {0};
  adam_request raw = plain_request(m);
  raw.raw = true;
  assert_int_equal(adam_manager_generate(m, &raw, NULL, NULL, &r, &error), ADAM_UNSUPPORTED);
  assert_string_equal(error.what, ops->name);
  adam_result_close(&r);
}

typedef struct apart {
  const struct subject *subject;
  adam_result result;
  adam_status status;
} apart;

static void *run_apart(void *argument) {
  apart *a = argument;
  adam_manager_options options = {.struct_size = sizeof options,
                                  .backend = backend_of(a->subject),
                                  .model = a->subject->ref,
                                  .model_options = {.n_threads = 1}};
  adam_manager *m = NULL;
  a->status = adam_manager_open(&options, &m, NULL);
  if (a->status) return NULL;
  adam_request request = plain_request(m);
  a->status = adam_manager_generate(m, &request, NULL, NULL, &a->result, NULL);
  adam_manager_close(&m);
  return NULL;
}

static void runs_in_two_threads(const struct subject *s, adam_manager *m) {
  adam_result r;
  adam_request request = plain_request(m);
  generate(m, &request, NULL, &r);
  apart both[2] = {{.subject = s}, {.subject = s}};
  am_thread threads[2];
  for (int i = 0; i < 2; i++) assert_true(am_thread_start(&threads[i], run_apart, &both[i]));
  for (int i = 0; i < 2; i++) am_thread_join(&threads[i]);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(both[i].status, ADAM_OK);
    assert_same_text(&both[i].result, &r);
    adam_result_close(&both[i].result);
  }
  adam_result_close(&r);
}

static const struct behaviour {
  const char *name;
  void (*check)(const struct subject *s, adam_manager *m);
} behaviours[] = {
    {"answers", answers},
    {"streams", streams},
    {"stops at strings", stops},
    {"cancels", cancels},
    {"limits tokens", limits},
    {"repeats by seed", seeds},
    {"takes empty prompts", takes_empty_prompts},
    {"explains errors", explains_errors},
    {"knows itself", knows_itself},
    {"tokenizes", tokenizes},
    {"chats", chats},
    {"batches", batches},
    {"scores", scores},
    {"embeds", embeds},
    {"reranks", reranks},
    {"refuses in its name", refuses_in_its_name},
    {"runs in two threads", runs_in_two_threads},
};

static void run_case(void **state) {
  const size_t *index = *state;
  const struct subject *s = &subjects[index[0]];
  if (s->needs && access(s->needs, R_OK)) {
    printf("SKIP: %s is not there\n", s->needs);
    skip();
  }
  adam_manager *m = open_subject(s);
  behaviours[index[1]].check(s, m);
  adam_manager_close(&m);
}

/* The table that lacks everything that may lack: no operation is left out of the refusals. */
static void test_bare(void **state) {
  (void)state;
  const struct subject bare = {"bare", "bare:good", NULL, "bare:evil"};
  adam_manager *m = open_subject(&bare);
  const adam_backend_ops *ops = ops_of(m);
  assert_true(!ops->tokenize && !ops->detokenize && !ops->token_text && !ops->render && !ops->score &&
              !ops->embed && !ops->rerank && !ops->list);
  refuses_in_its_name(&bare, m);
  answers(&bare, m);
  adam_manager_close(&m);
}

int main(void) {
  enum {
    N_SUBJECTS = sizeof subjects / sizeof *subjects,
    N_BEHAVIOURS = sizeof behaviours / sizeof *behaviours
  };
  static struct CMUnitTest tests[N_SUBJECTS * N_BEHAVIOURS + 1];
  static size_t indices[N_SUBJECTS * N_BEHAVIOURS][2];
  static char names[N_SUBJECTS * N_BEHAVIOURS][96];
  if (chdir(ADAM_SOURCE_DIR) || setenv("ADAM_SHARE_DIR", ADAM_SOURCE_DIR, 1)) return 1;
  table_register();
  python_server ollama = {0}, openai = {0}, anthropic = {0};
  char host[32], url[48];
  if (!python_server_start("tests/e2e/fake_ollama.py", &ollama)) return 1;
  if (!python_server_start("tests/e2e/fake_openai.py", &openai)) return 1;
  if (!python_server_start("tests/e2e/fake_anthropic.py", &anthropic)) return 1;
  snprintf(host, sizeof host, "127.0.0.1:%d", ollama.ports[0]);
  setenv("OLLAMA_HOST", host, 1);
  snprintf(url, sizeof url, "http://127.0.0.1:%d/v1", openai.ports[0]);
  setenv("OPENAI_BASE_URL", url, 1);
  snprintf(url, sizeof url, "http://127.0.0.1:%d", anthropic.ports[0]);
  setenv("ANTHROPIC_BASE_URL", url, 1);
  unsetenv("OPENAI_API_KEY");
  unsetenv("ANTHROPIC_API_KEY");
  for (size_t i = 0; i < N_SUBJECTS * N_BEHAVIOURS; i++) {
    indices[i][0] = i / N_BEHAVIOURS;
    indices[i][1] = i % N_BEHAVIOURS;
    snprintf(names[i], sizeof names[i], "%s: %s", subjects[indices[i][0]].name,
             behaviours[indices[i][1]].name);
    tests[i] = (struct CMUnitTest){.name = names[i], .test_func = run_case, .initial_state = indices[i]};
  }
  tests[N_SUBJECTS * N_BEHAVIOURS] = (struct CMUnitTest)cmocka_unit_test(test_bare);
  int failed = _cmocka_run_group_tests("conformance", tests, N_SUBJECTS * N_BEHAVIOURS + 1, NULL, NULL);
  python_server_stop(&ollama);
  python_server_stop(&openai);
  python_server_stop(&anthropic);
  return failed;
}

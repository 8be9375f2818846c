/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions over the tiny models of tests/golden (their logits and greedy ids are compared there). What
 * is expected here: values from golden.json, arithmetic, or that two ways to the same answer agree. */
#include "engine/engine.h"

#include "base/mem.h"
#include "engine/loaded.h"

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#define MODELS ADAM_SOURCE_DIR "/tests/golden/models/"
#define QWEN MODELS "qwen3-bf16-tied"
#define LLAMA MODELS "gguf-llama-q8_0/model.gguf"

enum { MAX_IDS = 2048 };

/* What a sink got. */
typedef struct got {
  int32_t ids[MAX_IDS];
  size_t n, n_calls, cancel_after; /* calls; 0 = never */
  am_buf text, thinking, notices;  /* notices: codes, each with a space behind */
} got;

static bool on_chunk(void *user, const adam_chunk *chunk) {
  got *g = user;
  for (size_t i = 0; i < chunk->n_ids && g->n < MAX_IDS; i++) g->ids[g->n++] = chunk->ids[i];
  am_buf_append(chunk->thinking ? &g->thinking : &g->text, chunk->text, chunk->text_bytes);
  return ++g->n_calls == g->cancel_after;
}

static void on_notice(void *user, const adam_notice *notice) {
  am_buf_printf(&((got *)user)->notices, "%s ", notice->code);
}

static void got_close(got *g) {
  am_buf_close(&g->text);
  am_buf_close(&g->thinking);
  am_buf_close(&g->notices);
  memset(g, 0, sizeof *g);
}

static void must(adam_status status, const adam_error *error) {
  char text[1200];
  if (!status) return;
  adam_error_format(error, text, sizeof text);
  fail_msg("%s", text);
}

static am_engine *open_engine(const char *path, int64_t n_ctx, int32_t n_threads) {
  am_engine *engine = NULL;
  adam_error error = {0};
  adam_model_options options = {
      .struct_size = sizeof options, .device = "cpu", .n_ctx = n_ctx, .n_threads = n_threads};
  must(am_engine_open(path, &options, &engine, &error), &error);
  return engine;
}

static am_session *open_session(am_engine *engine) {
  am_session *session = NULL;
  adam_error error = {0};
  must(am_session_open(engine, &session, &error), &error);
  return session;
}

/* Drawn at temperature 1 with a seed and all penalties, so that history matters. */
static adam_request drawn(int64_t max_tokens) {
  adam_request request = {.struct_size = sizeof request, .ignore_eos = true};
  request.sampling = (adam_sampling){.set = ADAM_SET_TEMPERATURE | ADAM_SET_TOP_P | ADAM_SET_TOP_K |
                                            ADAM_SET_SEED | ADAM_SET_MAX_TOKENS | ADAM_SET_REPETITION_PENALTY,
                                     .temperature = 1,
                                     .top_p = 0.95,
                                     .top_k = 50,
                                     .seed = 77,
                                     .max_tokens = max_tokens,
                                     .repetition_penalty = 1.1};
  return request;
}

static adam_outcome run(am_session *session, const int32_t *ids, size_t n, const adam_request *request,
                        got *g) {
  adam_outcome outcome = {.struct_size = sizeof outcome};
  adam_error error = {0};
  adam_sink sink = {.user = g, .on_chunk = on_chunk, .on_notice = on_notice};
  must(am_session_generate_ids(session, ids, n, request, &sink, &outcome, &error), &error);
  return outcome;
}

static const int32_t prompt[] = {5, 17, 200, 33, 90, 5, 61};
enum { N_PROMPT = sizeof prompt / sizeof *prompt };

static void continues_anywhere(void **state) {
  (void)state;
  enum { N = 24 };
  am_engine *engine = open_engine(QWEN, 0, 2);
  am_session *session = open_session(engine);
  got whole = {0};
  adam_request request = drawn(N);
  adam_outcome outcome = run(session, prompt, N_PROMPT, &request, &whole);
  assert_int_equal(whole.n, N);
  assert_int_equal(outcome.seed, 77);
  for (size_t cut = 1; cut < N; cut++) {
    got rest = {0};
    int32_t ids[N_PROMPT + N];
    memcpy(ids, prompt, sizeof prompt);
    memcpy(ids + N_PROMPT, whole.ids, cut * sizeof *ids);
    request.sampling.max_tokens = (int64_t)(N - cut);
    run(session, ids, N_PROMPT + cut, &request, &rest);
    assert_int_equal(rest.n, N - cut);
    assert_memory_equal(rest.ids, whole.ids + cut, (N - cut) * sizeof *ids);
    got_close(&rest);
  }
  got_close(&whole);
  am_session_close(&session);
  am_engine_close(&engine);
}

static void threads_and_kept_prefixes_change_nothing(void **state) {
  (void)state;
  got first = {0};
  for (int32_t n_threads = 1; n_threads <= 4; n_threads++) {
    am_engine *engine = open_engine(LLAMA, 0, n_threads);
    am_session *session = open_session(engine);
    for (int round = 0; round < 3; round++) {
      got again = {0}, other = {0};
      adam_request request = drawn(20);
      run(session, prompt, N_PROMPT, &request, &again);
      if (!first.n) run(session, prompt, N_PROMPT, &request, &first);
      assert_int_equal(again.n, first.n);
      assert_memory_equal(again.ids, first.ids, first.n * sizeof *first.ids);
      int32_t different[] = {5, 17, 200, 34, 12};
      run(session, different, 2 + (size_t)round, &request, &other);
      got_close(&again);
      got_close(&other);
    }
    am_session_close(&session);
    am_engine_close(&engine);
  }
  got_close(&first);
}

typedef struct worker {
  pthread_t thread;
  am_session *session;
  got result;
} worker;

static void *work(void *argument) {
  worker *w = argument;
  for (int round = 0; round < 3; round++) {
    got_close(&w->result);
    adam_request request = drawn(30);
    adam_outcome outcome = {.struct_size = sizeof outcome};
    adam_sink sink = {.user = &w->result, .on_chunk = on_chunk};
    am_session_generate_ids(w->session, prompt, N_PROMPT, &request, &sink, &outcome, NULL);
  }
  return NULL;
}

static void two_sessions_in_two_threads(void **state) {
  (void)state;
  am_engine *engine = open_engine(QWEN, 0, 2);
  worker workers[2] = {0};
  for (int i = 0; i < 2; i++) {
    workers[i].session = open_session(engine);
    assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
  }
  for (int i = 0; i < 2; i++) pthread_join(workers[i].thread, NULL);
  assert_int_equal(workers[0].result.n, 30);
  assert_int_equal(workers[1].result.n, 30);
  assert_memory_equal(workers[0].result.ids, workers[1].result.ids, 30 * sizeof(int32_t));
  for (int i = 0; i < 2; i++) {
    am_session_close(&workers[i].session);
    got_close(&workers[i].result);
  }
  am_engine_close(&engine);
}

static void chunks_change_nothing_and_can_be_cancelled(void **state) {
  (void)state;
  enum { N = 50 };
  int32_t ids[N];
  got first = {0};
  adam_request request = drawn(8);
  for (int i = 0; i < N; i++) ids[i] = (i * 37 + 11) % 300;
  for (uint32_t chunk = 1; chunk <= 64; chunk = chunk * 3 + 1) {
    am_engine *engine = open_engine(QWEN, 0, 2);
    engine->chunk_tokens = chunk;
    am_session *session = open_session(engine);
    got g = {0}, cancelled = {.cancel_after = 1};
    adam_outcome outcome = run(session, ids, N, &request, &cancelled);
    assert_int_equal(outcome.finish_reason, ADAM_FINISH_CANCELLED);
    assert_int_equal(outcome.completion_tokens, chunk < N ? 0 : 1); /* the first call is after a chunk */
    run(session, ids, N, &request, &g);
    if (!first.n) first = g;
    assert_int_equal(g.n, 8);
    assert_memory_equal(g.ids, first.ids, 8 * sizeof *ids);
    if (chunk > 1) got_close(&g);
    got_close(&cancelled);
    am_session_close(&session);
    am_engine_close(&engine);
  }
  got_close(&first);
}

static void cancels_at_any_call(void **state) {
  (void)state;
  am_engine *engine = open_engine(QWEN, 0, 1);
  am_session *session = open_session(engine);
  adam_request request = drawn(12);
  got whole = {0};
  run(session, prompt, N_PROMPT, &request, &whole);
  for (size_t after = 1; after < 12; after++) {
    got part = {.cancel_after = after};
    adam_outcome outcome = run(session, prompt, N_PROMPT, &request, &part);
    assert_int_equal(outcome.finish_reason, ADAM_FINISH_CANCELLED);
    assert_int_equal(part.n_calls, after);
    assert_int_equal(outcome.completion_tokens, part.n);
    assert_memory_equal(part.ids, whole.ids, part.n * sizeof *part.ids);
    got_close(&part);
  }
  request.sampling.max_tokens = 0;
  got none = {0};
  adam_outcome outcome = run(session, prompt, N_PROMPT, &request, &none);
  assert_int_equal(outcome.finish_reason, ADAM_FINISH_LENGTH);
  assert_int_equal(outcome.completion_tokens, 0);
  assert_int_equal(none.n, 0);
  got_close(&none);
  got_close(&whole);
  am_session_close(&session);
  am_engine_close(&engine);
}

static void long_prompts_and_full_contexts(void **state) {
  (void)state;
  am_engine *engine = open_engine(QWEN, 16, 1);
  am_session *session = open_session(engine);
  adam_request request = drawn(100);
  got g = {0};
  adam_outcome outcome = run(session, prompt, N_PROMPT, &request, &g);
  assert_int_equal(outcome.finish_reason, ADAM_FINISH_LENGTH);
  assert_int_equal(outcome.completion_tokens, 16 - N_PROMPT);
  assert_string_equal(g.notices.data, "context_full ");
  got_close(&g);
  int32_t ids[17] = {0};
  adam_error error = {0};
  outcome = (adam_outcome){.struct_size = sizeof outcome};
  assert_int_equal(am_session_generate_ids(session, ids, 17, &request, NULL, &outcome, &error), ADAM_LIMIT);
  assert_non_null(strstr(error.why, "17 tokens"));
  assert_non_null(strstr(error.why, "16"));
  assert_non_null(strstr(error.hint, "--ctx"));
  assert_int_equal(outcome.finish_reason, ADAM_FINISH_ERROR);
  assert_int_equal(am_session_generate_ids(session, ids, 0, &request, NULL, &outcome, &error), ADAM_INVALID);
  ids[3] = 100000;
  assert_int_equal(am_session_generate_ids(session, ids, 5, &request, NULL, &outcome, &error), ADAM_INVALID);
  ids[3] = -1;
  assert_int_equal(am_session_generate_ids(session, ids, 5, &request, NULL, &outcome, &error), ADAM_INVALID);
  am_session_close(&session);
  am_engine_close(&engine);
}

static bool ignore_logits(void *user, size_t position, const float *logits, size_t n_vocab) {
  (void)logits;
  (void)n_vocab;
  *(size_t *)user = position + 1;
  return position == 4;
}

static void contexts_are_chosen_and_checked(void **state) {
  (void)state;
  adam_model_info info = {.struct_size = sizeof info};
  adam_error error = {0};
  am_engine *engine = open_engine(QWEN, 100000, 1);
  must(am_engine_info(engine, &info, &error), &error);
  assert_int_equal(info.n_ctx, 512); /* max_position_embeddings of the model */
  am_session *session = open_session(engine);
  got g = {0};
  adam_request request = drawn(1);
  run(session, prompt, N_PROMPT, &request, &g);
  assert_string_equal(g.notices.data, "context_clipped ");
  got_close(&g);
  /* 2 layers x k and v x 2 heads of 32 x 4 bytes = 1024 bytes a token */
  assert_int_equal(info.kv_bytes_per_token, 1024);
  size_t n = 2000000000, seen = 0; /* 2 TB: refused before ids is read */
  assert_int_equal(am_engine_score(engine, prompt, n, ignore_logits, &seen, &error), ADAM_NO_MEMORY);
  assert_non_null(strstr(error.why, "2048")); /* the bytes needed: 2,048,000,000,000 and a little */
  assert_int_equal(seen, 0);
  assert_int_equal(am_engine_score(engine, prompt, N_PROMPT, ignore_logits, &seen, &error), ADAM_CANCELLED);
  assert_int_equal(seen, 5);
  assert_int_equal(am_engine_score(engine, prompt, 0, ignore_logits, &seen, &error), ADAM_INVALID);
  am_session_close(&session);
  am_engine_close(&engine);
  adam_model_options options = {.struct_size = sizeof options, .device = "cpu", .kv_type = "q3"};
  assert_int_equal(am_engine_open(QWEN, &options, &engine, &error), ADAM_INVALID);
  options.kv_type = "f16";
  options.n_ctx = -1;
  assert_int_equal(am_engine_open(QWEN, &options, &engine, &error), ADAM_INVALID);
  assert_int_equal(am_engine_open(MODELS "none", NULL, &engine, &error), ADAM_NOT_FOUND);
  assert_null(engine);
}

static void sampling_has_its_order(void **state) {
  (void)state;
  am_engine *engine = open_engine(QWEN, 0, 1); /* generation_config: 0.6, 20, 0.95 */
  adam_sampling asked = {0}, used = {0};
  adam_error error = {0};
  must(am_engine_sampling(engine, &asked, &used, &error), &error);
  assert_float_equal(used.temperature, 0.6, 0);
  assert_int_equal(used.top_k, 20);
  assert_float_equal(used.top_p, 0.95, 0);
  assert_int_equal(used.max_tokens, 1000);
  assert_float_equal(used.repetition_penalty, 1, 0);
  asked = (adam_sampling){.set = ADAM_SET_TEMPERATURE | ADAM_SET_TOP_K, .temperature = 0, .top_p = 9};
  must(am_engine_sampling(engine, &asked, &used, &error), &error);
  assert_float_equal(used.temperature, 0, 0);
  assert_int_equal(used.top_k, 0);
  assert_float_equal(used.top_p, 0.95, 0);
  asked.set |= ADAM_SET_TOP_P;
  assert_int_equal(am_engine_sampling(engine, &asked, &used, &error), ADAM_INVALID);
  am_engine_close(&engine);
  engine = open_engine(MODELS "qwen3-bf16-sharded", 0, 1); /* has no generation_config.json */
  asked.set = 0;
  must(am_engine_sampling(engine, &asked, &used, &error), &error);
  assert_float_equal(used.temperature, 0.7, 0);
  assert_float_equal(used.top_p, 0.9, 0);
  assert_int_equal(used.top_k, 0);
  am_engine_close(&engine);
}

/* The text without stop strings tells where each of its own substrings must cut it. */
static void stop_strings_cut_the_text(void **state) {
  (void)state;
  am_engine *engine = open_engine(QWEN, 0, 1);
  am_session *session = open_session(engine);
  adam_request request = drawn(40);
  got whole = {0};
  run(session, prompt, N_PROMPT, &request, &whole);
  assert_true(whole.text.len > 20);
  for (size_t at = 2; at + 4 < whole.text.len; at += 5) {
    char stop[4] = {0};
    memcpy(stop, whole.text.data + at, 3);
    if (strlen(stop) != 3 || (stop[0] & 0xC0) == 0x80) continue;
    const char *list[] = {"never in it \x01", stop};
    const char *found = strstr(whole.text.data, stop);
    request.stop = list;
    request.n_stop = 2;
    got cut = {0};
    am_buf_append_str(&cut.text, "");
    adam_outcome outcome = run(session, prompt, N_PROMPT, &request, &cut);
    assert_int_equal(outcome.finish_reason, ADAM_FINISH_STOP);
    assert_int_equal(cut.text.len, found - whole.text.data);
    assert_memory_equal(cut.text.data, whole.text.data, cut.text.len);
    assert_memory_equal(cut.ids, whole.ids, cut.n * sizeof *cut.ids);
    got_close(&cut);
  }
  got_close(&whole);
  am_session_close(&session);
  am_engine_close(&engine);
}

/* An end token ends the answer, is among the ids, counted, and not in the text. */
static void end_tokens_end_the_answer(void **state) {
  (void)state;
  am_engine *engine = open_engine(QWEN, 0, 1);
  am_session *session = open_session(engine);
  adam_model_info info = {.struct_size = sizeof info};
  must(am_engine_info(engine, &info, NULL), NULL);
  assert_int_equal(info.n_end_ids, 2);
  adam_request request = drawn(400);
  request.ignore_eos = false;
  bool seen = false;
  for (uint64_t seed = 1; seed < 30 && !seen; seed++) {
    got g = {0};
    request.sampling.seed = seed;
    adam_outcome outcome = run(session, prompt, N_PROMPT, &request, &g);
    if (outcome.finish_reason == ADAM_FINISH_STOP) {
      seen = true;
      int32_t last = g.ids[g.n - 1];
      assert_true(last == info.end_ids[0] || last == info.end_ids[1]);
      assert_int_equal(outcome.completion_tokens, g.n);
      if (g.text.data) assert_null(strstr(g.text.data, "<|"));
      for (size_t i = 0; i + 1 < g.n; i++)
        assert_true(g.ids[i] != info.end_ids[0] && g.ids[i] != info.end_ids[1]);
    }
    got_close(&g);
  }
  assert_true(seen);
  am_session_close(&session);
  am_engine_close(&engine);
}

static void chats_go_through_the_template(void **state) {
  (void)state;
  const char *models[] = {QWEN, MODELS "llama-bf16-llama3"};
  for (int m = 0; m < 2; m++) {
    char file[512];
    json_error_t why;
    snprintf(file, sizeof file, "%s/golden.json", models[m]);
    json_t *facts = json_load_file(file, 0, &why), *chat = json_object_get(facts, "chat");
    char *messages = json_dumps(json_object_get(chat, "messages"), JSON_COMPACT);
    assert_non_null(messages);
    am_engine *engine = open_engine(models[m], 0, 1);
    am_session *session = open_session(engine);
    am_buf text = {0};
    adam_error error = {0};
    adam_render_request render = {.struct_size = sizeof render, .messages_json = messages};
    must(am_engine_render(engine, &render, &text, &error), &error);
    assert_string_equal(text.data, json_string_value(json_object_get(chat, "text")));
    adam_request request = drawn(3);
    adam_outcome outcome = {.struct_size = sizeof outcome};
    request.messages_json = messages;
    must(am_session_generate(session, &request, NULL, &outcome, &error), &error);
    assert_int_equal(outcome.prompt_tokens, json_array_size(json_object_get(chat, "ids")));
    /* the same two messages, as system text and prompt */
    request.messages_json = NULL;
    request.system =
        json_string_value(json_object_get(json_array_get(json_object_get(chat, "messages"), 0), "content"));
    request.prompt =
        json_string_value(json_object_get(json_array_get(json_object_get(chat, "messages"), 1), "content"));
    request.prompt_bytes = strlen(request.prompt);
    must(am_session_generate(session, &request, NULL, &outcome, &error), &error);
    assert_int_equal(outcome.prompt_tokens, json_array_size(json_object_get(chat, "ids")));
    request.messages_json = messages;
    assert_int_equal(am_session_generate(session, &request, NULL, &outcome, &error), ADAM_INVALID);
    am_buf_close(&text);
    am_session_close(&session);
    am_engine_close(&engine);
    free(messages);
    json_decref(facts);
  }
}

/* A copy of QWEN by links, with this chat template (NULL = none); the path is owned. */
static char *model_with_template(const char *text) {
  static const char *const files[] = {"config.json", "generation_config.json", "model.safetensors",
                                      "tokenizer.json", "tokenizer_config.json"};
  char folder[] = "/tmp/adam_engine_test_XXXXXX", from[512], to[512];
  assert_non_null(mkdtemp(folder));
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    snprintf(from, sizeof from, "%s/%s", QWEN, files[i]);
    snprintf(to, sizeof to, "%s/%s", folder, files[i]);
    if (access(from, R_OK) == 0) assert_int_equal(symlink(from, to), 0);
  }
  snprintf(to, sizeof to, "%s/chat_template.jinja", folder);
  FILE *file = text ? fopen(to, "w") : NULL;
  if (text) assert_true(file && fputs(text, file) >= 0 && fclose(file) == 0);
  return strdup(folder);
}

static void remove_model(char *folder) {
  char command[600];
  snprintf(command, sizeof command, "rm -r '%s'", folder);
  assert_int_equal(system(command), 0);
  free(folder);
}

static adam_outcome chat(const char *path, adam_request *request, got *g) {
  am_engine *engine = open_engine(path, 0, 1);
  am_session *session = open_session(engine);
  adam_outcome outcome = {.struct_size = sizeof outcome};
  adam_sink sink = {.user = g, .on_chunk = on_chunk, .on_notice = on_notice};
  adam_error error = {0};
  request->prompt_bytes = strlen(request->prompt);
  am_buf_append_str(&g->text, "");
  am_buf_append_str(&g->thinking, "");
  must(am_session_generate(session, request, &sink, &outcome, &error), &error);
  am_session_close(&session);
  am_engine_close(&engine);
  return outcome;
}

/* After a prompt that ends in <think> what a model says before </think> is thinking; the same ids after
 * the same raw prompt are plain text. */
static void thinking_is_told_apart(void **state) {
  (void)state;
  char *path = model_with_template("{{ messages[0].content }}<think>\n\n"); /* Jinja drops one */
  adam_request request = drawn(30);
  got thinking = {0}, raw = {0};
  request.prompt = "The house";
  chat(path, &request, &thinking);
  request.raw = true;
  request.prompt = "The house<think>\n";
  chat(path, &request, &raw);
  assert_int_equal(thinking.n, 30);
  assert_memory_equal(thinking.ids, raw.ids, 30 * sizeof *raw.ids);
  assert_int_equal(raw.thinking.len, 0);
  /* split by hand: at </think>, newlines around the thought and before the answer dropped */
  char *tag = strstr(raw.text.data, "</think>"), *end = tag ? tag : raw.text.data + raw.text.len;
  const char *begin = raw.text.data + strspn(raw.text.data, "\n");
  const char *answer = tag ? tag + 8 + strspn(tag + 8, "\n") : "";
  while (end > begin && end[-1] == '\n') end--;
  assert_int_equal(thinking.thinking.len, end - begin);
  assert_memory_equal(thinking.thinking.data, begin, end - begin);
  assert_string_equal(thinking.text.data, answer);
  got_close(&thinking);
  got_close(&raw);
  remove_model(path);
}

static void a_model_without_template_gets_the_texts(void **state) {
  (void)state;
  char *path = model_with_template(NULL);
  adam_request request = drawn(2);
  got plain = {0}, raw = {0};
  request.system = "Be brief.";
  request.prompt = "Why?";
  request.think = ADAM_THINK_ON;
  adam_outcome outcome = chat(path, &request, &plain);
  assert_string_equal(plain.notices.data, "no_template ");
  request.system = NULL;
  request.raw = true;
  request.prompt = "Be brief.\n\nWhy?";
  adam_outcome expected = chat(path, &request, &raw);
  assert_string_equal(raw.notices.data, "think_ignored ");
  assert_int_equal(outcome.prompt_tokens, expected.prompt_tokens);
  assert_memory_equal(plain.ids, raw.ids, 2 * sizeof *raw.ids);
  got_close(&plain);
  got_close(&raw);
  remove_model(path);
}

static void words_alone_need_no_weights(void **state) {
  (void)state;
  adam_model_options options = {.struct_size = sizeof options, .vocab_only = true};
  am_engine *engine = NULL;
  am_session *session = NULL;
  size_t seen = 0;
  adam_error error = {0};
  must(am_engine_open(QWEN, &options, &engine, &error), &error);
  assert_int_equal(am_session_open(engine, &session, &error), ADAM_UNSUPPORTED);
  assert_int_equal(am_engine_score(engine, prompt, 1, ignore_logits, &seen, &error), ADAM_UNSUPPORTED);
  assert_null(session);
  am_engine_close(&engine);
}

enum { N_TOP = 7 };
typedef struct told {
  const float *rows; /* (n, n_vocab) the logits that scoring gives */
  size_t n, n_vocab, n_hooked;
  int32_t forced;
} told;

static bool keep_rows(void *user, size_t position, const float *logits, size_t n_vocab) {
  float *rows = user;
  memcpy(rows + position * n_vocab, logits, n_vocab * sizeof *rows);
  return false;
}

/* Each entry against arithmetic over the logits of scoring. */
static bool check_logprobs(void *user, const adam_chunk *chunk) {
  told *t = user;
  for (size_t i = 0; i < chunk->n_ids; i++, t->n++) {
    const adam_token_logprobs *at = &chunk->logprobs[i];
    const float *row = t->rows + t->n * t->n_vocab;
    double sum = 0;
    for (size_t v = 0; v < t->n_vocab; v++) sum += exp((double)row[v]);
    assert_int_equal(at->token.id, chunk->ids[i]);
    assert_int_equal(at->n_top, N_TOP);
    assert_true(fabs(at->token.logprob - ((double)row[chunk->ids[i]] - log(sum))) < 1e-4);
    for (size_t k = 0; k < at->n_top; k++) {
      assert_true(fabs(at->top[k].logprob - ((double)row[at->top[k].id] - log(sum))) < 1e-4);
      size_t better = 0;
      for (size_t v = 0; v < t->n_vocab; v++) better += row[v] > row[at->top[k].id] + 1e-4f;
      assert_true(better <= k);
    }
  }
  return false;
}

static bool force(void *user, size_t position, float *logits, size_t n_vocab) {
  told *t = user;
  assert_int_equal(position, t->n_hooked++);
  for (size_t v = 0; v < n_vocab; v++) logits[v] = (int32_t)v == t->forced ? 0 : -INFINITY;
  return position == 3;
}

static void logprobs_are_the_models_own(void **state) {
  (void)state;
  enum { N = 5 };
  am_engine *engine = open_engine(QWEN, 0, 1);
  am_session *session = open_session(engine);
  got first = {0};
  int32_t ids[N_PROMPT + N];
  adam_model_info info = {.struct_size = sizeof info};
  assert_int_equal(am_engine_info(engine, &info, NULL), ADAM_OK);
  size_t n_vocab = (size_t)info.n_vocab;
  adam_request request = drawn(N); /* penalties, temperature and filters must not show */
  run(session, prompt, N_PROMPT, &request, &first);
  memcpy(ids, prompt, sizeof prompt);
  memcpy(ids + N_PROMPT, first.ids, N * sizeof *ids);
  float *rows = calloc((N_PROMPT + N) * n_vocab, sizeof *rows);
  assert_int_equal(am_engine_score(engine, ids, N_PROMPT + N, keep_rows, rows, NULL), ADAM_OK);
  told t = {.rows = rows + (N_PROMPT - 1) * n_vocab, .n_vocab = n_vocab};
  adam_sink sink = {.user = &t, .on_chunk = check_logprobs};
  adam_outcome outcome = {.struct_size = sizeof outcome};
  request.logprobs = true;
  request.top_logprobs = N_TOP;
  assert_int_equal(am_session_generate_ids(session, prompt, N_PROMPT, &request, &sink, &outcome, NULL),
                   ADAM_OK);
  assert_int_equal(t.n, N);
  free(rows);
  got_close(&first);
  am_session_close(&session);
  am_engine_close(&engine);
}

static void a_hook_changes_and_cancels(void **state) {
  (void)state;
  am_engine *engine = open_engine(QWEN, 0, 1);
  am_session *session = open_session(engine);
  got g = {0};
  told t = {.forced = 123};
  adam_request request = drawn(9);
  request.on_logits = force;
  request.on_logits_user = &t;
  adam_outcome outcome = run(session, prompt, N_PROMPT, &request, &g);
  assert_int_equal(outcome.finish_reason, ADAM_FINISH_CANCELLED);
  assert_int_equal(g.n, 3);
  for (size_t i = 0; i < g.n; i++) assert_int_equal(g.ids[i], 123);
  got_close(&g);
  am_session_close(&session);
  am_engine_close(&engine);
}

/* Opens, generates and scores with the n-th allocation failing. */
static adam_status whole_life(uint64_t fault, bool *fired) {
  am_engine *engine = NULL;
  am_session *session = NULL;
  adam_outcome outcome = {.struct_size = sizeof outcome};
  adam_model_options options = {.struct_size = sizeof options, .device = "cpu", .n_threads = 1};
  const char *stops[] = {"\x01\x02"};
  adam_request request = drawn(3);
  size_t seen = 0;
  request.prompt = "The house";
  request.prompt_bytes = 9;
  request.stop = stops;
  request.n_stop = 1;
  request.logprobs = true;
  request.top_logprobs = 2;
  am_mem_fault_set(fault);
  adam_status status = am_engine_open(QWEN, &options, &engine, NULL);
  if (!status) status = am_session_open(engine, &session, NULL);
  if (!status) status = am_session_generate(session, &request, NULL, &outcome, NULL);
  if (!status) status = am_engine_score(engine, prompt, 3, ignore_logits, &seen, NULL);
  *fired = am_mem_fault_fired();
  am_mem_fault_set(0);
  am_session_close(&session);
  am_engine_close(&engine);
  return status;
}

static void survives_failing_allocations(void **state) {
  (void)state;
  bool fired = true;
  uint64_t n = 1;
  /* opening makes thousands of allocations, which the rooms below test one by one: look closer and
   * closer at the end, where this room's own are */
  for (uint64_t step = 1; fired; n += step) {
    adam_status status = whole_life(n, &fired);
    if (!fired) assert_int_equal(status, ADAM_OK);
    if (n > 200) step = n / 40;
    assert_true(n < 10000000);
  }
  uint64_t last = n;
  uint64_t first = last > 400 ? last - 400 : 1;
  for (n = first; n < last; n++) whole_life(n, &fired);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(continues_anywhere),
      cmocka_unit_test(threads_and_kept_prefixes_change_nothing),
      cmocka_unit_test(two_sessions_in_two_threads),
      cmocka_unit_test(chunks_change_nothing_and_can_be_cancelled),
      cmocka_unit_test(cancels_at_any_call),
      cmocka_unit_test(long_prompts_and_full_contexts),
      cmocka_unit_test(contexts_are_chosen_and_checked),
      cmocka_unit_test(sampling_has_its_order),
      cmocka_unit_test(stop_strings_cut_the_text),
      cmocka_unit_test(end_tokens_end_the_answer),
      cmocka_unit_test(chats_go_through_the_template),
      cmocka_unit_test(thinking_is_told_apart),
      cmocka_unit_test(a_model_without_template_gets_the_texts),
      cmocka_unit_test(words_alone_need_no_weights),
      cmocka_unit_test(logprobs_are_the_models_own),
      cmocka_unit_test(a_hook_changes_and_cancels),
      cmocka_unit_test(survives_failing_allocations),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What the manager makes of backends that do odd things, and how it picks a default model when the
 * native backend (here a stand-in) refuses the best one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "os/file.h"
#include <adam/manager.h>
#include <adam/registry.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct adam_backend_model {
  char name[512];
};

static const char *refused = "\x01"; /* open refuses names with this part */
static int n_open;

static adam_status odd_open(void *context, const char *name, const adam_model_options *options,
                            adam_backend_model **out, adam_error *error) {
  (void)context;
  assert_int_equal(options->struct_size, sizeof *options);
  if (strstr(name, refused)) {
    if (error) error->status = ADAM_UNSUPPORTED, strcpy(error->why, "refused");
    return ADAM_UNSUPPORTED;
  }
  adam_backend_model *model = calloc(1, sizeof *model);
  strncpy(model->name, name, sizeof model->name - 1);
  *out = model;
  n_open++;
  return ADAM_OK;
}

static void odd_close(void *context, adam_backend_model *model) {
  (void)context;
  free(model);
  n_open--;
}

/* Ignores the first two calls to stop, then gives in with a status of its own. */
static adam_status odd_generate(void *context, adam_backend_model *model, const adam_request *request,
                                const adam_sink *sink, adam_outcome *outcome, adam_error *error) {
  (void)context, (void)model, (void)request, (void)outcome;
  adam_chunk chunk = {.text = "x", .text_bytes = 1};
  bool stop = false;
  for (int i = 0; i < 4; i++) stop |= sink->on_chunk(sink->user, &chunk);
  if (!stop) return ADAM_OK;
  if (error) error->status = ADAM_CANCELLED;
  return ADAM_CANCELLED;
}

static adam_status odd_info(void *context, adam_backend_model *model, adam_model_info *info,
                            adam_error *error) {
  (void)context, (void)info, (void)error;
  if (strcmp(model->name, "no info")) return ADAM_OK;
  if (error) error->status = ADAM_IO, strcpy(error->why, "no info");
  return ADAM_IO;
}

/* Hundred ids whatever the text. */
static adam_status odd_tokenize(void *context, adam_backend_model *model, const char *text, size_t text_bytes,
                                uint32_t flags, int32_t *ids, size_t capacity, size_t *n_ids,
                                adam_error *error) {
  (void)context, (void)model, (void)text, (void)text_bytes, (void)error;
  if (flags) return ADAM_FAILED;
  for (size_t i = 0; i < 100 && i < capacity; i++) ids[i] = (int32_t)i;
  *n_ids = 100;
  return ADAM_OK;
}

/* ids[0] chooses what goes wrong. */
static adam_status odd_score(void *context, adam_backend_model *model, const int32_t *ids, size_t n_ids,
                             bool (*on_logits)(void *, size_t, const float *, size_t), void *user,
                             adam_error *error) {
  (void)context, (void)model, (void)error;
  float good[2] = {0, 0}, nan[2] = {0, NAN}, infinite[2] = {-INFINITY, -INFINITY};
  const float *logits = ids[0] == 1 ? nan : ids[0] == 2 ? infinite : good;
  size_t n = ids[0] == 3 ? n_ids - 1 : n_ids;
  for (size_t i = 0; i < n; i++)
    if (on_logits(user, i, logits, 2)) return ADAM_OK;
  return ADAM_OK;
}

static adam_status odd_list(void *context, const adam_model_options *options, adam_on_model on_model,
                            void *user, adam_error *error) {
  (void)context, (void)options, (void)error;
  on_model(user, &(adam_model_entry){.name = "odd:one", .path = "/odd/one", .store = "odd"});
  on_model(user, &(adam_model_entry){.name = "odd:same", .path = "/odd/one", .store = "odd"});
  on_model(user, &(adam_model_entry){.name = "odd:remote", .store = "odd"});
  return ADAM_OK;
}

static adam_backend_ops odd = {.version = ADAM_BACKEND_VERSION,
                               .struct_size = sizeof odd,
                               .name = "odd",
                               .open = odd_open,
                               .close = odd_close,
                               .generate = odd_generate,
                               .info = odd_info,
                               .tokenize = odd_tokenize,
                               .score = odd_score,
                               .list = odd_list};

static char root[256];

static void put(const char *name) {
  char path[512];
  snprintf(path, sizeof path, "%s/%s", root, name);
  char *folder = am_path_dirname(path);
  assert_int_equal(am_dir_make(folder, NULL), ADAM_OK);
  am_mem_free(folder);
  assert_int_equal(am_file_write_atomic(path, "0123", 4, 0644, NULL), ADAM_OK);
}

static int set_up(void **state) {
  (void)state;
  char form[] = "odd_test_XXXXXX", here[128];
  if (!mkdtemp(form) || !getcwd(here, sizeof here)) return -1;
  snprintf(root, sizeof root, "%s/%s", here, form);
  setenv("HOME", root, 1);
  setenv("ADAM_SHARE_DIR", root, 1);
  setenv("ADAM_CACHE_DIR", root, 1);
  setenv("OLLAMA_MODELS", root, 1);
  static adam_backend_ops native;
  native = odd;
  native.name = "huggingface";
  native.list = NULL;
  return adam_backend_register(&odd, NULL) || adam_backend_register(&native, NULL);
}

static int tear_down(void **state) {
  (void)state;
  char command[512];
  snprintf(command, sizeof command, "rm -r '%s'", root);
  return system(command);
}

static adam_manager *open_ref(const char *ref, adam_status expected) {
  adam_manager_options options = {
      .struct_size = sizeof options, .model = ref, .model_options = {.cache_dir = root}};
  adam_manager *m = NULL;
  adam_error error = {0};
  assert_int_equal(adam_manager_open(&options, &m, &error), expected);
  assert_true(!expected == !!m);
  return m;
}

static bool stop_at_once(void *user, const adam_chunk *chunk) {
  (void)chunk;
  return ++*(int *)user == 1;
}

static void test_cancelled_status(void **state) {
  (void)state;
  adam_manager *m = open_ref("odd:x", ADAM_OK);
  adam_request request = {.struct_size = sizeof request,
                          .prompt = "x",
                          .prompt_bytes = 1,
                          .sampling = {.set = ADAM_SET_SEED, .seed = 9}};
  adam_result r;
  int n_heard = 0;
  assert_int_equal(adam_manager_generate(m, &request, stop_at_once, &n_heard, &r, NULL), ADAM_OK);
  assert_int_equal(r.finish_reason, ADAM_FINISH_CANCELLED);
  assert_int_equal(n_heard, 1); /* what came after was not passed on */
  assert_string_equal(r.text, "x");
  assert_string_equal(r.device, "");
  assert_int_equal(r.seed, 9);
  assert_true(r.timings.first_token_ms > 0);
  adam_result_close(&r);
  adam_manager_close(&m);
  assert_int_equal(n_open, 0);
}

static void test_info_fails(void **state) {
  (void)state;
  open_ref("odd:no info", ADAM_IO);
  assert_int_equal(n_open, 0);
}

static void test_many_ids(void **state) {
  (void)state;
  adam_manager *m = open_ref("odd:x", ADAM_OK);
  int32_t *ids = NULL;
  size_t n = 0;
  assert_int_equal(adam_manager_tokenize(m, "x", 1, 0, &ids, &n, NULL), ADAM_OK);
  assert_int_equal(n, 100);
  assert_int_equal(ids[99], 99);
  adam_free(ids);
  ids = NULL;
  assert_int_equal(adam_manager_tokenize(m, "x", 1, ADAM_TOKENIZE_NO_SPECIAL, &ids, &n, NULL), ADAM_FAILED);
  assert_null(ids);
  adam_manager_close(&m);
}

static void test_bad_scores(void **state) {
  (void)state;
  adam_manager *m = open_ref("odd:x", ADAM_OK);
  static const struct {
    int32_t first;
    const char *word;
  } cases[] = {{1, "position 0"}, {2, "position 0"}, {3, "1 of 2"}, {0, NULL}};
  for (size_t i = 0; i < 4; i++) {
    int32_t ids[2] = {cases[i].first, 1};
    double logprob;
    adam_error error = {0};
    adam_status status = adam_manager_score(m, ids, 2, &logprob, NULL, NULL, &error);
    assert_int_equal(status, cases[i].word ? ADAM_FAILED : ADAM_OK);
    if (cases[i].word) assert_non_null(strstr(error.why, cases[i].word));
    if (!cases[i].word) assert_true(fabs(logprob + log(2)) < 1e-12);
  }
  int32_t outside[2] = {0, 2}; /* the backend has two tokens, 0 and 1 */
  double logprob;
  assert_int_equal(adam_manager_score(m, outside, 2, &logprob, NULL, NULL, NULL), ADAM_FAILED);
  adam_manager_close(&m);
}

static void see(void *user, const adam_model_entry *entry) {
  strcat(user, entry->name);
  strcat(user, ",");
}

static void test_list(void **state) {
  (void)state;
  char names[1024] = "";
  adam_model_options options = {.struct_size = sizeof options, .cache_dir = root};
  assert_int_equal(adam_models_list(&options, see, names, NULL), ADAM_OK);
  assert_string_equal(names, "odd:one,odd:remote,"); /* a path is told once */
  options.struct_size = 0;
  assert_int_equal(adam_models_list(&options, see, names, NULL), ADAM_INVALID);
}

static void expect_default(const char *name) {
  adam_manager *m = open_ref(NULL, ADAM_OK);
  adam_model_info info = {.struct_size = sizeof info};
  assert_int_equal(adam_manager_info(m, &info, NULL), ADAM_OK);
  assert_string_equal(info.name, name);
  assert_string_equal(adam_manager_notice_at(m, 0)->code, "default_model");
  assert_non_null(strstr(adam_manager_notice_at(m, 0)->text, name));
  assert_null(adam_manager_notice_at(m, 1));
  adam_manager_close(&m);
  assert_int_equal(n_open, 0);
}

#define COMMIT "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void test_default(void **state) {
  (void)state;
  put("models/demo/config.json");
  expect_default("demo");
  put("models/SmolLM2-135M-Instruct.Q4_1.gguf");
  expect_default("smollm2");
  put("models--Qwen--Qwen3-0.6B/snapshots/" COMMIT "/model.safetensors");
  expect_default("qwen3_small");
  refused = "Qwen";
  expect_default("smollm2");
  refused = "s"; /* every path has one: "models" */
  open_ref(NULL, ADAM_UNSUPPORTED);
  refused = "\x01";
}

/* More than the machine has: passed over without being opened. */
static void test_default_too_large(void **state) {
  (void)state;
  put("models--Qwen--Qwen3-1.7B/snapshots/" COMMIT "/model.safetensors");
  expect_default("qwen3_medium");
  char path[512];
  snprintf(path, sizeof path, "%s/models--Qwen--Qwen3-1.7B/snapshots/" COMMIT "/model.safetensors", root);
  assert_int_equal(truncate(path, (off_t)1 << 42), 0); /* a hole of 4 TiB */
  expect_default("qwen3_small");
}

static void test_default_faults(void **state) {
  (void)state;
  for (uint64_t n = 1;; n++) {
    adam_manager_options options = {.struct_size = sizeof options, .model_options = {.cache_dir = root}};
    adam_manager *m = NULL;
    am_mem_fault_set(n);
    adam_status status = adam_manager_open(&options, &m, NULL);
    bool fired = am_mem_fault_fired();
    am_mem_fault_set(0);
    assert_true(!status == !!m);
    adam_manager_close(&m);
    if (fired) continue;
    assert_int_equal(status, ADAM_OK);
    break;
  }
  assert_int_equal(n_open, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_cancelled_status),
      cmocka_unit_test(test_info_fails),
      cmocka_unit_test(test_many_ids),
      cmocka_unit_test(test_bad_scores),
      cmocka_unit_test(test_list),
      cmocka_unit_test(test_default),
      cmocka_unit_test(test_default_too_large),
      cmocka_unit_test(test_default_faults),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}

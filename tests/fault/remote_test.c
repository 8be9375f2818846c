/* SPDX-License-Identifier: Apache-2.0 */
/* An answer and an embedding of the servers' backends whose n-th allocation fails, for n = 1, 2, 3 ... until
 * none does any more: no crash, no leak (the sanitizer looks), and an error in words or an answer that is
 * whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <adam/adam.h>

#include "base/mem.h"
#include "python_server.h"
#include <stdlib.h>
#include <string.h>

static python_server openai, anthropic;

static int begin(void **state) {
  (void)state;
  char url[48];
  if (chdir(ADAM_SOURCE_DIR)) return 1;
  if (!python_server_start("tests/e2e/fake_openai.py", &openai)) return 1;
  if (!python_server_start("tests/e2e/fake_anthropic.py", &anthropic)) return 1;
  snprintf(url, sizeof url, "http://127.0.0.1:%d/v1", openai.ports[0]);
  setenv("OPENAI_BASE_URL", url, 1);
  snprintf(url, sizeof url, "http://127.0.0.1:%d", anthropic.ports[0]);
  setenv("ANTHROPIC_BASE_URL", url, 1);
  setenv("OPENAI_API_KEY", "sk-fault-injected", 1);
  setenv("ANTHROPIC_API_KEY", "sk-ant-fault-injected", 1);
  return 0;
}

static int end(void **state) {
  (void)state;
  python_server_stop(&openai);
  python_server_stop(&anthropic);
  return 0;
}

static adam_status answer(const char *ref, adam_result *result, adam_error *error) {
  static const char messages[] =
      "[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
      "\"t\"},"
      "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,QUJD\"}}]}]";
  static const char tools[] =
      "[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{\"type\":\"object\"}}}]";
  static const char *const stops[] = {"~"};
  adam_manager_options options = {.struct_size = sizeof options, .model = ref};
  adam_request request = {
      .struct_size = sizeof request,
      .messages_json = messages,
      .tools_json = tools,
      .tool_choice = "required",
      .stop = stops,
      .n_stop = 1,
      .sampling = {.set = ADAM_SET_MAX_TOKENS | ADAM_SET_TEMPERATURE | ADAM_SET_TOP_K, .max_tokens = 40}};
  adam_manager *m = NULL;
  adam_status status = adam_manager_open(&options, &m, error);
  if (!status) status = adam_manager_generate(m, &request, NULL, NULL, result, error);
  adam_manager_close(&m);
  return status;
}

static adam_status embed(adam_embed_result *result, adam_error *error) {
  static const char *const texts[] = {"a", "b"};
  adam_manager_options options = {
      .struct_size = sizeof options, .model = "openai:embedder", .embedding_model = "openai:embedder"};
  adam_embed_request request = {.struct_size = sizeof request, .texts = texts, .n_texts = 2, .dimensions = 3};
  adam_manager *m = NULL;
  adam_status status = adam_manager_open(&options, &m, error);
  if (!status) status = adam_manager_batch_embed(m, &request, result, error);
  adam_manager_close(&m);
  return status;
}

static void test_answers(void **state) {
  (void)state;
  static const char *const refs[] = {"openai:parallel", "anthropic:parallel", "openai:error-event",
                                     "openai:limited"};
  for (size_t i = 0; i < 4; i++) {
    adam_result whole = {0};
    adam_error expected = {0};
    adam_status usual = answer(refs[i], &whole, &expected);
    for (uint64_t n = 1, fired = 1; fired; n++) {
      adam_result result = {0};
      adam_error error = {0};
      am_mem_fault_set(n);
      adam_status status = answer(refs[i], &result, &error);
      fired = (uint64_t)am_mem_fault_fired();
      am_mem_fault_set(0);
      if (status) assert_true(*error.what && *error.why);
      if (!status) assert_string_equal(result.tool_calls_json, whole.tool_calls_json);
      if (!fired) assert_int_equal(status, usual);
      assert_null(strstr(error.why, "fault-injected"));
      adam_result_close(&result);
    }
    adam_result_close(&whole);
  }
}

static void test_embeddings(void **state) {
  (void)state;
  for (uint64_t n = 1, fired = 1; fired; n++) {
    adam_embed_result result = {0};
    adam_error error = {0};
    am_mem_fault_set(n);
    adam_status status = embed(&result, &error);
    fired = (uint64_t)am_mem_fault_fired();
    am_mem_fault_set(0);
    assert_true(status == ADAM_OK ? result.dimensions == 3 : fired && *error.why);
    adam_embed_result_close(&result);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_answers), cmocka_unit_test(test_embeddings)};
  return cmocka_run_group_tests_name("remote_fault", tests, begin, end);
}

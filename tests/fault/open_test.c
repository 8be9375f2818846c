/* SPDX-License-Identifier: Apache-2.0 */
/* The n-th allocation, or the n-th read or write, fails, for n = 1, 2, 3 ... until nothing fails any
 * more. Each time: no crash, no leak (the sanitizer looks), the status that the cause has, an error in
 * words, and whatever succeeds all the same gives what it gives without a fault. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <adam/adam.h>

#include "base/json.h"
#include "base/mem.h"
#include "formats/gguf.h"
#include "formats/safetensors.h"
#include "loader/loader.h"
#include "os/file.h"
#include "template/chat.h"
#include "tokenizer/tokenizer.h"

#define MODELS ADAM_SOURCE_DIR "/tests/golden/models/"

static char cache[] = "fault_test_XXXXXX"; /* emptied between runs that want it empty */

static void note_tensor(am_buf *seen, const am_tensor *tensor) {
  char shape[96];
  am_tensor_shape_text(tensor->n_dims, tensor->shape, shape, sizeof shape);
  am_buf_printf(seen, "%s %s %s\n", tensor->name, am_dtype_info(tensor->dtype)->name, shape);
}

static adam_status safetensors(am_buf *seen, adam_error *error) {
  am_safetensors *file = NULL;
  adam_status status = am_safetensors_open(MODELS "llama-bf16-linear-old/model.safetensors", &file, error);
  if (status) assert_null(file);
  for (size_t i = 0; !status && i < am_safetensors_count(file); i++) note_tensor(seen, am_safetensors_at(file, i));
  am_safetensors_close(&file);
  return status;
}

static adam_status gguf(am_buf *seen, adam_error *error) {
  am_gguf *file = NULL;
  am_arena arena = {0};
  am_json metadata;
  adam_status status = am_gguf_open(MODELS "gguf-llama-bf16-parts/model-00001-of-00003.gguf", &file, error);
  if (status) assert_null(file);
  for (size_t i = 0; !status && i < am_gguf_count(file); i++) note_tensor(seen, am_gguf_at(file, i));
  if (!status) status = am_gguf_metadata_json(file, &arena, &metadata, error);
  if (!status) am_buf_printf(seen, "%d keys", (int)metadata.n);
  am_arena_close(&arena);
  am_gguf_close(&file);
  return status;
}

static const char text[] = "Hello there, <|im_start|> h\xC3\xA9llo 1234567 \xE4\xB8\xAD\xE6\x96\x87 \xF0\x9F\x98\x80!\n\n  def f(x):";

static adam_status use_tokenizer(am_tokenizer *tokenizer, am_buf *seen, adam_error *error) {
  am_ids ids = {0};
  am_buf out = {0};
  am_decoder *decoder = NULL;
  adam_status status = am_tokenizer_encode(tokenizer, text, sizeof text - 1, AM_ENCODE_SPECIAL, &ids, error);
  if (!status) status = am_tokenizer_decode(tokenizer, ids.data, ids.n, false, &out, error);
  if (!status) status = am_decoder_open(tokenizer, false, &decoder, error);
  for (size_t i = 0; !status && i < ids.n; i++) status = am_decoder_push(decoder, ids.data[i], &out, error);
  if (!status) status = am_decoder_finish(decoder, &out, error);
  for (size_t i = 0; !status && i < ids.n; i++) am_buf_printf(seen, "%d ", (int)ids.data[i]);
  if (!status) am_buf_append(seen, out.data, out.len);
  am_decoder_close(&decoder);
  am_buf_close(&out);
  am_ids_close(&ids);
  return status;
}

static adam_status tokenizer_in(const char *cache_dir, am_buf *seen, adam_error *error) {
  am_tokenizer *tokenizer = NULL;
  adam_status status =
      am_tokenizer_open_file(MODELS "qwen3-bf16-sharded/tokenizer.json",
                             MODELS "qwen3-bf16-sharded/tokenizer_config.json", cache_dir, &tokenizer, error);
  if (status) assert_null(tokenizer);
  if (!status) status = use_tokenizer(tokenizer, seen, error);
  am_tokenizer_close(&tokenizer);
  return status;
}

static adam_status tokenizer_json(am_buf *seen, adam_error *error) { return tokenizer_in(NULL, seen, error); }

static adam_status tokenizer_cached(am_buf *seen, adam_error *error) { return tokenizer_in(cache, seen, error); }

/* Writes the cache anew each time. */
static adam_status tokenizer_caching(am_buf *seen, adam_error *error) {
  char command[64];
  snprintf(command, sizeof command, "rm -rf ./%s/*", cache);
  if (system(command) != 0) return ADAM_FAILED;
  return tokenizer_in(cache, seen, error);
}

static const char template_text[] =
    "{%- macro part(m, tag='x') -%}<{{ tag }}>{{ m.content | trim | upper }}</{{ tag }}>{%- endmacro -%}"
    "{%- set ns = namespace(n=0, all=[]) -%}"
    "{%- for m in messages if m.role != 'system' -%}{%- set ns.n = ns.n + 1 -%}"
    "{{ part(m, tag=m.role[:1]) }}{{ loop.index }}{% if not loop.last %}, {% endif %}{%- endfor -%}"
    "{{ messages | map(attribute='role') | join('+') }} {{ ns.n * 2.5 }} {{ tools | tojson(indent=2) }}"
    "{{ {'a': [1, 2.0, none, true], 'b': 'x' ~ 1}['a'][::-1] | tojson }} {{ 'a,b'.split(',') | list | length }}";

static const char messages_text[] =
    "{\"messages\":[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":\" h\\u00e9 \"},"
    "{\"role\":\"assistant\",\"content\":\"yes\"}],\"tools\":[{\"name\":\"f\",\"parameters\":{\"x\":[1,2]}}]}";

static adam_status chat_template(am_buf *seen, adam_error *error) {
  am_template *tmpl = NULL;
  am_arena arena = {0};
  am_json request;
  adam_status status =
      am_json_parse(messages_text, strlen(messages_text), "messages", 0, &arena, &request, error);
  if (!status) status = am_template_open("test", template_text, strlen(template_text), &tmpl, error);
  if (status) assert_null(tmpl);
  if (!status) {
    am_chat_request chat = {.messages = am_json_get(&request, "messages"), .tools = am_json_get(&request, "tools"),
                            .add_generation_prompt = true, .enable_thinking = -1};
    status = am_chat_render(tmpl, &chat, seen, error);
  }
  am_template_close(&tmpl);
  am_arena_close(&arena);
  return status;
}

static adam_status load(const char *path, am_buf *seen, adam_error *error) {
  am_loader *loader = NULL;
  adam_status status = am_loader_open(path, 0, NULL, &loader, error);
  if (status) assert_null(loader);
  for (size_t i = 0; !status && i < am_loader_n_tensors(loader); i++) note_tensor(seen, am_loader_tensor_at(loader, i));
  am_loader_close(&loader);
  return status;
}

static adam_status folder(am_buf *seen, adam_error *error) { return load(MODELS "qwen3-bf16-sharded", seen, error); }

static adam_status prequantised(am_buf *seen, adam_error *error) {
  return load(MODELS "prequant-gptq-3", seen, error);
}

static adam_status prequantised_twice(am_buf *seen, adam_error *error) {
  return load(MODELS "prequant-nf4-double", seen, error);
}

static adam_status gguf_model(am_buf *seen, adam_error *error) {
  return load(MODELS "gguf-qwen3-q4_0/model.gguf", seen, error);
}

static adam_status mixture_model(am_buf *seen, adam_error *error) {
  return load(MODELS "gguf-qwen3moe-q8_0/model.gguf", seen, error);
}

/* From the reference to the answer, by the public calls alone. */
static adam_status answer_of(const char *model, am_buf *seen, adam_error *error) {
  adam_manager *manager = NULL;
  adam_result result = {0};
  adam_manager_options options = {.struct_size = sizeof options, .model = model,
                                  .model_options = {.struct_size = sizeof(adam_model_options), .n_threads = 1}};
  adam_request request = {.struct_size = sizeof request, .prompt = text, .prompt_bytes = 12, .raw = true, .ignore_eos = true};
  request.sampling = (adam_sampling){.set = ADAM_SET_TEMPERATURE | ADAM_SET_MAX_TOKENS | ADAM_SET_SEED, .max_tokens = 4};
  adam_status status = adam_manager_open(&options, &manager, error);
  if (status) assert_null(manager);
  if (!status) status = adam_manager_generate(manager, &request, NULL, NULL, &result, error);
  if (!status) am_buf_append(seen, result.text, result.text_bytes);
  adam_result_close(&result);
  adam_manager_close(&manager);
  return status;
}

static adam_status answer(am_buf *seen, adam_error *error) {
  return answer_of(MODELS "qwen3-bf16-sharded", seen, error);
}

static adam_status mixture_answer(am_buf *seen, adam_error *error) {
  return answer_of(MODELS "qwen3moe-f16-merged", seen, error);
}

static adam_status evaluation(am_buf *seen, adam_error *error) {
  adam_manager *manager = NULL, *against = NULL;
  adam_evaluation result = {0};
  adam_manager_options options = {.struct_size = sizeof options, .model = MODELS "qwen3-f32-gqa4",
                                  .model_options = {.struct_size = sizeof(adam_model_options), .n_threads = 1}};
  const int32_t ids[] = {1, 20, 3, 44, 5, 66, 7};
  adam_status status = adam_manager_open(&options, &manager, error);
  options.model = MODELS "qwen3moe-f32-old";
  if (!status) status = adam_manager_open(&options, &against, error);
  adam_evaluate_request request = {.struct_size = sizeof request, .ids = ids, .n_ids = 7, .window_tokens = 4,
                                   .against = against};
  if (!status) status = adam_manager_evaluate(manager, &request, &result, error);
  if (status) assert_int_equal(result.n_scored, 0);
  if (!status) am_buf_printf(seen, "%.9g %.9g %.9g", result.perplexity, result.mean_kl, result.top1);
  adam_manager_close(&against);
  adam_manager_close(&manager);
  return status;
}

typedef struct subject {
  const char *name;
  adam_status (*run)(am_buf *seen, adam_error *error);
  bool can_survive; /* a failure may cost nothing but time: a cache, a look at free memory */
} subject;

static const subject subjects[] = {
    {"safetensors", safetensors, false},
    {"gguf in parts", gguf, false},
    {"tokenizer.json", tokenizer_json, false},
    {"tokenizer written to the cache", tokenizer_caching, true},
    {"tokenizer from the cache", tokenizer_cached, true},
    {"chat template", chat_template, false},
    {"model folder", folder, false},
    {"model file", gguf_model, false},
    {"GPTQ", prequantised, false},
    {"NF4, double quantisation", prequantised_twice, false},
    {"mixture of experts", mixture_model, false},
    {"answer", answer, true},
    {"answer of a mixture", mixture_answer, true},
    {"evaluation", evaluation, true},
};

/* One way of failing: how it is switched on, and the status that it must end in. */
typedef struct way {
  const char *name;
  void (*set)(uint64_t n);
  int (*fired)(void);
  adam_status status;
} way;

static const way ways[] = {{"allocation", am_mem_fault_set, am_mem_fault_fired, ADAM_NO_MEMORY},
                           {"read or write", am_file_fault_set, am_file_fault_fired, ADAM_IO}};

/* The text of a run that nothing disturbs. */
static void undisturbed(const subject *s, am_buf *want) {
  adam_error error = {0};
  adam_status status = s->run(want, &error);
  if (status) fail_msg("%s without a fault: %s", s->name, error.why);
}

static void fail_each(const subject *s, const way *w) {
  am_buf want = {0};
  undisturbed(s, &want);
  uint64_t n = 1;
  for (bool fired = true; fired; n++) {
    am_buf *seen = calloc(1, sizeof *seen);
    adam_error error = {0};
    /* `seen` grows inside the run: a fault there is one more failed allocation of the caller. */
    w->set(n);
    adam_status status = s->run(seen, &error);
    fired = w->fired();
    w->set(0);
    if (!status && seen->failed) status = ADAM_NO_MEMORY, error.status = status, error.why[0] = 'x';
    if (!status) {
      if (fired && !s->can_survive) fail_msg("%s, %s %d: nobody noticed", s->name, w->name, (int)n);
      if (seen->len != want.len || (want.len > 0 && memcmp(seen->data, want.data, want.len) != 0))
        fail_msg("%s, %s %d: another result", s->name, w->name, (int)n);
    } else if (!fired || status != w->status || error.status != status || !error.why[0]) {
      fail_msg("%s, %s %d: %s, error says %s: %s: %s", s->name, w->name, (int)n, adam_status_name(status),
               adam_status_name(error.status), error.what, error.why);
    }
    am_buf_close(seen);
    free(seen);
  }
  print_message("%s: %d failures of one %s\n", s->name, (int)n - 2, w->name);
  am_buf_close(&want);
}

static void each_allocation(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof subjects / sizeof subjects[0]; i++) fail_each(&subjects[i], &ways[0]);
}

static void each_read(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof subjects / sizeof subjects[0]; i++) fail_each(&subjects[i], &ways[1]);
}

static int set_up(void **state) {
  (void)state;
  return mkdtemp(cache) ? 0 : -1;
}

static int tear_down(void **state) {
  (void)state;
  char command[64];
  snprintf(command, sizeof command, "rm -rf ./%s", cache);
  return system(command) == 0 ? 0 : -1;
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(each_allocation), cmocka_unit_test(each_read)};
  return cmocka_run_group_tests(tests, set_up, tear_down);
}

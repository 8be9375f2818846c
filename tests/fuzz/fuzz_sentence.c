/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "loader/sentence.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Any JSON as each of the files of a sentence-transformers folder: what is accepted is sane for the loader.
 */
static void use(const am_json *json) {
  static const am_step_kind kinds[] = {AM_STEP_POOL, AM_STEP_DENSE, AM_STEP_LAYER_NORM, AM_STEP_NORMALIZE};
  am_sentence s = {0};
  adam_error error = {0};
  if (!am_sentence_modules(json, "fuzz", &s, &error)) {
    if (!s.transformer || strstr(s.transformer, "..") || s.n_steps > AM_SENTENCE_STEPS) __builtin_trap();
    for (uint32_t i = 0; i < s.n_steps; i++)
      if (!s.steps[i].path || s.steps[i].path[0] == '/' || strstr(s.steps[i].path, "..") ||
          (s.steps[i].kind == AM_STEP_POOL) != (i == 0))
        __builtin_trap();
  }
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    am_step step = {.kind = kinds[i]};
    if (am_sentence_step(json, "fuzz", 32, &step, &error)) continue;
    if (step.n_in != 32 || step.n_out == 0 || step.n_pooling > AM_POOL_COUNT) __builtin_trap();
    if (step.kind == AM_STEP_POOL && (step.n_pooling == 0 || step.n_out != 32 * step.n_pooling))
      __builtin_trap();
  }
  am_sentence_limits(json, "fuzz", &s, &error);
  am_sentence_score(json, "fuzz", &s, &error);
  if (!am_sentence_prompts(json, "fuzz", &s, &error)) {
    size_t n = 0;
    const char *text = am_sentence_prompt(&s, "query", &n);
    if (text && n && !memchr(text, text[n - 1], n)) __builtin_trap();
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  am_arena arena = {.limit_bytes = (size_t)1 << 28};
  am_json json;
  if (!am_json_parse((const char *)data, size, "fuzz", 0, &arena, &json, NULL)) use(&json);
  am_arena_close(&arena);
  return 0;
}

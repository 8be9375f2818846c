/* SPDX-License-Identifier: Apache-2.0 */
/* A hook on the logits: an answer without the letter e (after Georges Perec's La Disparition), then the
 * five likeliest first tokens as the model itself saw them. The hook runs before each choice and may
 * write what it likes into the row; here every token that spells an e gets -infinity.
 *   cc logits_hook.c $(pkg-config --cflags --libs adam) -lm -o logits_hook && ./logits_hook hello */
#include <adam/adam.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct banned { /* 1 for each token that spells an e; made once */
  unsigned char *ids;
  size_t n;
} banned;

static int make_banned(adam_manager *manager, banned *b) {
  adam_model_info info = {.struct_size = sizeof info};
  if (adam_manager_info(manager, &info, NULL)) return 1;
  b->n = (size_t)info.n_vocab;
  b->ids = calloc(b->n, 1);
  for (size_t id = 0; b->ids && id < b->n; id++) {
    char *text = NULL;
    size_t text_bytes = 0;
    if (adam_manager_token_text(manager, (int32_t)id, &text, &text_bytes, NULL)) continue; /* no such token */
    b->ids[id] = strpbrk(text, "eE") != NULL;
    adam_free(text);
  }
  for (size_t i = 0; i < info.n_end_ids; i++) b->ids[info.end_ids[i]] = 0; /* it may still end */
  return b->ids == NULL;
}

static bool ban(void *user, size_t position, float *logits, size_t n_vocab) {
  const banned *b = user;
  (void)position;
  for (size_t id = 0; id < n_vocab && id < b->n; id++)
    if (b->ids[id]) logits[id] = -INFINITY;
  return false; /* true would cancel */
}

int main(int argc, char **argv) {
  adam_manager_options options = {.struct_size = sizeof options, .model = "demo"};
  banned b = {0};
  adam_request request = {.struct_size = sizeof request, .prompt = argc > 1 ? argv[1] : "hello"};
  adam_error error = {0};
  adam_manager *manager = NULL;
  adam_result result = {0};
  request.prompt_bytes = strlen(request.prompt);
  request.sampling.set = ADAM_SET_MAX_TOKENS | ADAM_SET_SEED;
  request.sampling.max_tokens = 40;
  request.sampling.seed = 1;
  request.top_logprobs = 5;
  request.on_logits = ban;
  request.on_logits_user = &b;
  if (adam_manager_open(&options, &manager, &error) || make_banned(manager, &b) ||
      adam_manager_generate(manager, &request, NULL, NULL, &result, &error)) {
    fprintf(stderr, "logits_hook: %s: %s\n", error.what, error.why);
    return 1;
  }
  printf("%s\n", result.text);
  for (size_t i = 0; result.n_ids > 0 && i < result.logprobs[0].n_top; i++) {
    const adam_logprob *top = &result.logprobs[0].top[i];
    fprintf(stderr, "%7.3f  %.*s\n", top->logprob, (int)top->n_bytes, top->bytes);
  }
  adam_result_close(&result);
  adam_manager_close(&manager);
  free(b.ids);
  return 0;
}

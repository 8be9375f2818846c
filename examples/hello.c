/* SPDX-License-Identifier: Apache-2.0 */
/* A whole program: opens a model, streams an answer, prints what it took.
 *   cc hello.c $(pkg-config --cflags --libs adam) -o hello && ./hello [MODEL [PROMPT]] */
#include <adam/adam.h>
#include <stdio.h>
#include <string.h>

static bool print_piece(void *user, const adam_chunk *chunk) {
  (void)user;
  if (!chunk->thinking) fwrite(chunk->text, 1, chunk->text_bytes, stdout);
  fflush(stdout);
  return false; /* true would stop the answer */
}

static int fail(const adam_error *error) {
  char line[1200];
  adam_error_format(error, line, sizeof line);
  fprintf(stderr, "hello: %s\n", line);
  return adam_status_exit_code(error->status);
}

int main(int argc, char **argv) {
  adam_manager_options options = {.struct_size = sizeof options, .model = argc > 1 ? argv[1] : "demo"};
  adam_request request = {.struct_size = sizeof request,
                          .prompt = argc > 2 ? argv[2] : "How do I run a model?"};
  request.prompt_bytes = strlen(request.prompt);
  request.sampling = (adam_sampling){.set = ADAM_SET_MAX_TOKENS, .max_tokens = 200};

  adam_error error = {0};
  adam_manager *manager = NULL;
  if (adam_manager_open(&options, &manager, &error)) return fail(&error);

  adam_result result = {0};
  adam_status status = adam_manager_generate(manager, &request, print_piece, NULL, &result, &error);
  putchar('\n');
  fprintf(stderr, "%zu tokens in, %zu out, %.0f ms to the first, %.1f tokens/s on %s; finish: %s\n",
          result.prompt_tokens, result.completion_tokens, result.timings.first_token_ms,
          result.timings.decode_tokens_per_s, result.device ? result.device : "nothing",
          adam_finish_reason_name(result.finish_reason));
  adam_result_close(&result);
  adam_manager_close(&manager);
  return status ? fail(&error) : 0;
}

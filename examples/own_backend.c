/* SPDX-License-Identifier: Apache-2.0 */
/* A backend of one's own, in forty lines: `shout:` answers in capitals. Once registered it is
 * opened, streamed from and listed like any other.
 *   cc own_backend.c $(pkg-config --cflags --libs adam) -o own_backend && ./own_backend hello */
#include <adam/adam.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

struct adam_backend_model { /* one open model; ours has nothing to remember */
  int unused;
};
static struct adam_backend_model the_model;

static adam_status shout_open(void *context, const char *model, const adam_model_options *options,
                              adam_backend_model **out, adam_error *error) {
  (void)context, (void)model, (void)options, (void)error;
  *out = &the_model;
  return ADAM_OK;
}

static void shout_close(void *context, adam_backend_model *model) { (void)context, (void)model; }

static adam_status shout_generate(void *context, adam_backend_model *model, const adam_request *request,
                                  const adam_sink *sink, adam_outcome *outcome, adam_error *error) {
  (void)context, (void)model, (void)error;
  const char *end = request->prompt + request->prompt_bytes;
  for (const char *p = request->prompt; p < end;) {
    char piece[4]; /* one character: a piece never ends inside one */
    size_t n = 0;
    do piece[n++] = (char)toupper((unsigned char)*p++);
    while (p < end && n < sizeof piece && ((unsigned char)*p & 0xC0) == 0x80);
    adam_chunk chunk = {.text = piece, .text_bytes = n};
    outcome->completion_tokens++;
    if (sink->on_chunk(sink->user, &chunk)) break; /* the caller wants no more */
  }
  return ADAM_OK;
}

static adam_status shout_info(void *context, adam_backend_model *model, adam_model_info *info,
                              adam_error *error) {
  (void)context, (void)model, (void)error;
  info->device = "cpu";
  return ADAM_OK;
}

static const adam_backend_ops shout = {.version = ADAM_BACKEND_VERSION,
                                       .struct_size = sizeof shout,
                                       .name = "shout",
                                       .description = "answers in capitals",
                                       .open = shout_open,
                                       .close = shout_close,
                                       .generate = shout_generate,
                                       .info = shout_info};

int main(int argc, char **argv) {
  adam_manager_options options = {.struct_size = sizeof options, .model = "shout:any"};
  adam_request request = {.struct_size = sizeof request, .prompt = argc > 1 ? argv[1] : "hello"};
  request.prompt_bytes = strlen(request.prompt);
  adam_error error = {0};
  adam_manager *manager = NULL;
  adam_result result = {0};
  if (adam_backend_register(&shout, &error) || adam_manager_open(&options, &manager, &error) ||
      adam_manager_generate(manager, &request, NULL, NULL, &result, &error)) {
    fprintf(stderr, "own_backend: %s: %s\n", error.what, error.why);
    return 1;
  }
  printf("%s\n", result.text);
  adam_result_close(&result);
  adam_manager_close(&manager);
  return 0;
}

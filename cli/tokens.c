/* SPDX-License-Identifier: Apache-2.0 */
/* adam tokenize, adam detokenize, adam template: what needs no weights. */
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "input.h"
#include "output.h"
#include "reply.h"
#include "report.h"

static adam_status print_tokens(adam_manager *manager, const int32_t *ids, size_t n_ids, adam_error *error) {
  adam_status status = ADAM_OK;
  json_t *tokens = json_array();
  for (size_t i = 0; i < n_ids && status == ADAM_OK; i++) {
    char *text = NULL;
    size_t n_bytes = 0;
    status = adam_manager_token_text(manager, ids[i], &text, &n_bytes, error);
    if (status == ADAM_OK) json_array_append_new(tokens, am_reply_text(text, n_bytes));
    adam_free(text);
  }
  if (status != ADAM_OK) {
    json_decref(tokens);
    return status;
  }
  return am_reply_print(json_pack("{s:o, s:o}", "ids", am_reply_ids(ids, n_ids), "tokens", tokens), error);
}

static adam_status print_ids(const int32_t *ids, size_t n_ids, adam_error *error) {
  enum { DIGITS = 12 };
  char *line = malloc(n_ids * DIGITS + 2);
  size_t n = 0;
  if (!line) return am_report_no_memory(error);
  for (size_t i = 0; i < n_ids; i++)
    n += (size_t)snprintf(line + n, DIGITS + 1, i ? " %d" : "%d", (int)ids[i]);
  line[n++] = '\n';
  am_output_bytes(line, n);
  free(line);
  return ADAM_OK;
}

int am_tokenize_command(const am_arguments *arguments) {
  const char *text = arguments->positional[0];
  char *read = NULL;
  size_t n_bytes = strlen(text), n_ids = 0;
  int32_t *ids = NULL;
  adam_manager *manager = NULL;
  adam_error error = {0};
  adam_status status = ADAM_OK;
  if (strcmp(text, "-") == 0) status = am_input_read("-", &read, &n_bytes, &error);
  if (status == ADAM_OK) status = am_open_model(arguments, NULL, AM_OPEN_VOCABULARY, &manager, &error);
  if (status == ADAM_OK)
    status = adam_manager_tokenize(manager, read ? read : text, n_bytes,
                                   arguments->is_set[AM_OPTION_NO_SPECIAL] ? ADAM_TOKENIZE_NO_SPECIAL : 0,
                                   &ids, &n_ids, &error);
  if (status == ADAM_OK)
    status = arguments->is_set[AM_OPTION_JSON] ? print_tokens(manager, ids, n_ids, &error)
                                               : print_ids(ids, n_ids, &error);
  adam_free(ids);
  adam_manager_close(&manager);
  free(read);
  return am_exit_code(status, &error);
}

static adam_status read_ids(const am_arguments *arguments, int32_t **ids, size_t *n_ids, adam_error *error) {
  adam_status status = ADAM_OK;
  for (size_t i = 0; i < arguments->n_positional && status == ADAM_OK; i++) {
    const char *list = arguments->positional[i];
    char *read = NULL;
    bool is_stdin = strcmp(list, "-") == 0;
    if (is_stdin) status = am_input_read_string("-", &read, error);
    if (status == ADAM_OK)
      status = am_input_ids(is_stdin ? "standard input" : "ID", read ? read : list, ids, n_ids, error);
    free(read);
  }
  return status;
}

int am_detokenize_command(const am_arguments *arguments) {
  int32_t *ids = NULL;
  char *text = NULL;
  size_t n_ids = 0, n_bytes = 0;
  adam_manager *manager = NULL;
  adam_error error = {0};
  adam_status status = read_ids(arguments, &ids, &n_ids, &error);
  if (status == ADAM_OK) status = am_open_model(arguments, NULL, AM_OPEN_VOCABULARY, &manager, &error);
  if (status == ADAM_OK) status = adam_manager_detokenize(manager, ids, n_ids, &text, &n_bytes, &error);
  if (status == ADAM_OK && arguments->is_set[AM_OPTION_JSON]) {
    status = am_reply_print(json_pack("{s:o}", "text", am_reply_text(text, n_bytes)), &error);
  } else if (status == ADAM_OK) {
    am_output_model_text(text, n_bytes);
    if (am_output_is_terminal()) am_output_text("\n");
  }
  adam_free(text);
  free(ids);
  adam_manager_close(&manager);
  return am_exit_code(status, &error);
}

static adam_status read_optional(const am_arguments *arguments, am_option_id option, char **text,
                                 adam_error *error) {
  return arguments->is_set[option] ? am_input_read_string(arguments->text[option], text, error) : ADAM_OK;
}

int am_template_command(const am_arguments *arguments) {
  char *messages = NULL, *tools = NULL, *template_text = NULL, *prompt = NULL;
  size_t n_bytes = 0;
  adam_manager *manager = NULL;
  adam_error error = {0};
  adam_status status = read_optional(arguments, AM_OPTION_MESSAGES, &messages, &error);
  if (status == ADAM_OK) status = read_optional(arguments, AM_OPTION_TOOLS, &tools, &error);
  if (status == ADAM_OK) status = read_optional(arguments, AM_OPTION_TEMPLATE, &template_text, &error);
  if (status == ADAM_OK) status = am_open_model(arguments, NULL, AM_OPEN_VOCABULARY, &manager, &error);
  adam_render_request request = {
      .struct_size = sizeof request,
      .messages_json = messages,
      .tools_json = tools,
      .kwargs_json = arguments->text[AM_OPTION_KWARGS],
      .template_text = template_text,
      .template_name = arguments->text[AM_OPTION_TEMPLATE],
      .no_generation_prompt = arguments->is_set[AM_OPTION_NO_GENERATION_PROMPT],
      .think = arguments->is_set[AM_OPTION_THINK]      ? ADAM_THINK_ON
               : arguments->is_set[AM_OPTION_NO_THINK] ? ADAM_THINK_OFF
                                                       : ADAM_THINK_DEFAULT,
  };
  if (status == ADAM_OK) status = adam_manager_render(manager, &request, &prompt, &n_bytes, &error);
  if (status == ADAM_OK) am_output_model_text(prompt, n_bytes);
  adam_free(prompt);
  adam_manager_close(&manager);
  free(messages);
  free(tools);
  free(template_text);
  return am_exit_code(status, &error);
}

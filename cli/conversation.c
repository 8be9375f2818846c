/* SPDX-License-Identifier: Apache-2.0 */
#include "conversation.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "generate.h"
#include "line.h"
#include "output.h"
#include "reply.h"
#include "report.h"
#include "settings.h"

static json_t *message(const char *role, const char *text, size_t n_bytes) {
  return json_pack("{s:s, s:o}", "role", role, "content", am_reply_text(text, n_bytes));
}

json_t *am_conversation_messages(const am_conversation *conversation) {
  json_t *all = json_array();
  if (conversation->system)
    json_array_append_new(all, message("system", conversation->system, strlen(conversation->system)));
  json_array_extend(all, conversation->messages);
  return all;
}

bool am_conversation_set_system(am_conversation *conversation, const char *text) {
  char *copy = text && text[0] ? strdup(text) : NULL;
  if (text && text[0] && !copy) return false;
  free(conversation->system);
  conversation->system = copy;
  return true;
}

/* The assistant's turn, with its tool calls as templates expect them: arguments as an object. */
static json_t *answer_message(const adam_result *result) {
  json_t *turn = message("assistant", result->text ? result->text : "", result->text_bytes);
  json_t *calls = result->tool_calls_json ? json_loads(result->tool_calls_json, JSON_ALLOW_NUL, NULL) : NULL;
  size_t i;
  json_t *call;
  json_array_foreach(calls, i, call) {
    json_t *function = json_object_get(call, "function");
    const char *text = json_string_value(json_object_get(function, "arguments"));
    json_t *arguments = text ? json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL) : NULL;
    if (arguments) json_object_set_new(function, "arguments", arguments);
  }
  if (calls) json_object_set_new(turn, "tool_calls", calls);
  return turn;
}

/* Asks with the conversation so far and `text`; both turns are kept unless nothing came. */
static void ask(am_conversation *conversation, const char *text) {
  adam_error error = {0};
  bool cancelled = false;
  json_array_append_new(conversation->messages, message("user", text, strlen(text)));
  json_t *all = am_conversation_messages(conversation);
  char *messages = json_dumps(all, JSON_COMPACT);
  json_decref(all);
  adam_status status = messages ? ADAM_OK : am_report_no_memory(&error);
  adam_result_close(&conversation->last);
  conversation->request.messages_json = messages;
  if (status == ADAM_OK)
    status = am_generate_stream(conversation->manager, &conversation->request,
                                conversation->hides_thinking ? AM_SHOW_ANSWER : AM_SHOW_ALL,
                                &conversation->last, &cancelled, &error);
  conversation->request.messages_json = NULL;
  free(messages);
  const adam_result *result = &conversation->last;
  if (result->text_bytes > 0 || cancelled) am_output_text("\n");
  am_generate_print_calls(result);
  if (status != ADAM_OK) am_report_error(&error);
  for (size_t i = 0; i < result->n_notices; i++)
    if (!am_generate_is_opening_notice(conversation->manager, &result->notices[i]))
      am_report_notice(&result->notices[i]);
  if (result->text_bytes > 0 || result->tool_calls_json)
    json_array_append_new(conversation->messages, answer_message(result));
  else
    json_array_remove(conversation->messages, json_array_size(conversation->messages) - 1);
  if (conversation->verbose && status == ADAM_OK) am_generate_stats(result);
}

/* What stands between the quotes, without the line ends beside them. */
static void trim_block(char *text, size_t n_bytes) {
  if (n_bytes > 0 && text[n_bytes - 1] == '\n') n_bytes--;
  text[n_bytes] = '\0';
  if (text[0] == '\n') memmove(text, text + 1, n_bytes);
}

/* Reads on until a line ends in """: *text (owned) is the block. False: given up. */
static bool read_block(am_line *line, char **text) {
  char *whole = strdup(*text + 3), *next = NULL;
  bool was_empty = false;
  free(*text);
  *text = NULL;
  for (;;) {
    size_t n = whole ? strlen(whole) : 0;
    if (n >= 3 && strcmp(whole + n - 3, "\"\"\"") == 0) {
      trim_block(whole, n - 3);
      *text = whole;
      return true;
    }
    if (!whole || am_line_read(line, "... ", &next, &was_empty) != AM_LINE_TEXT) break;
    char *joined = realloc(whole, n + strlen(next) + 2);
    if (joined) {
      whole = joined;
      whole[n] = '\n';
      memcpy(whole + n + 1, next, strlen(next) + 1);
    }
    free(next);
    if (!joined) break;
  }
  free(whole);
  return false;
}

/* One input: a slash command, a line, or a block in triple quotes. True = leave. */
static bool take_input(am_conversation *conversation, am_line *line, char *typed) {
  bool leave = false;
  if (typed[strspn(typed, " \t")]) am_line_remember(line, typed);
  if (strncmp(typed, "\"\"\"", 3) == 0) {
    if (!read_block(line, &typed)) {
      am_report_line("(dropped)");
      return false;
    }
    if (typed[0]) ask(conversation, typed);
  } else if (typed[0] == '/') {
    leave = am_conversation_command(conversation, typed);
  } else if (typed[strspn(typed, " \t")]) {
    ask(conversation, typed);
  }
  free(typed);
  return leave || am_output_failed();
}

static void chat(am_conversation *conversation, am_line *line) {
  bool leave = false;
  while (!leave) {
    char *typed = NULL;
    bool was_empty = false;
    switch (am_line_read(line, ">>> ", &typed, &was_empty)) {
      case AM_LINE_TEXT:
        leave = take_input(conversation, line, typed);
        break;
      case AM_LINE_INTERRUPTED:
        (void)!write(STDERR_FILENO, "\n", 1);
        if (was_empty) am_report_line("Ctrl-D or /bye leaves the chat.");
        break;
      default:
        (void)!write(STDERR_FILENO, "\n", 1);
        leave = true;
    }
  }
}

static bool begin(am_conversation *conversation, const am_arguments *arguments) {
  am_generate_request(arguments, &conversation->request);
  conversation->request.system = NULL;
  conversation->messages = json_array();
  if (!conversation->messages) return false;
  for (size_t i = 0; i < arguments->n_stop && i < AM_CONVERSATION_STOPS; i++)
    if (!(conversation->stop[i] = strdup(arguments->stop[i]))) return false;
  conversation->request.stop = (const char *const *)conversation->stop;
  conversation->verbose = arguments->is_set[AM_OPTION_STATS];
  conversation->hides_thinking = arguments->is_set[AM_OPTION_HIDE_THINKING];
  const char *system = arguments->text[AM_OPTION_SYSTEM];
  if (!system) system = am_settings_value(adam_manager_settings(conversation->manager), "system");
  return am_conversation_set_system(conversation, system);
}

int am_conversation_run(const am_arguments *arguments, adam_manager *manager, const char *tools_json) {
  am_conversation conversation = {.manager = manager};
  adam_model_info info = {.struct_size = sizeof info};
  adam_error error = {0};
  am_line *line = NULL;
  adam_status status = adam_manager_info(manager, &info, &error);
  if (status == ADAM_OK && arguments->n_stop > AM_CONVERSATION_STOPS)
    status =
        am_report_fill(&error, ADAM_INVALID, "--stop", "", "a chat takes at most %d", AM_CONVERSATION_STOPS);
  if (status == ADAM_OK && !begin(&conversation, arguments)) status = am_report_no_memory(&error);
  conversation.request.tools_json = tools_json;
  if (status == ADAM_OK) status = am_line_open(&line, &error);
  if (status == ADAM_OK) {
    am_report_line("%s on %s. /help lists the commands, Ctrl-D leaves.", info.name ? info.name : "a model",
                   info.device ? info.device : info.backend);
    chat(&conversation, line);
  }
  am_line_close(&line);
  adam_result_close(&conversation.last);
  json_decref(conversation.messages);
  free(conversation.system);
  for (size_t i = 0; i < AM_CONVERSATION_STOPS; i++) free(conversation.stop[i]);
  return am_exit_code(status, &error);
}

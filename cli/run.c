/* SPDX-License-Identifier: Apache-2.0 */
/* adam run: one answer, or the chat. */
#include "commands.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conversation.h"
#include "generate.h"
#include "input.h"
#include "output.h"
#include "reply.h"
#include "report.h"

typedef enum prompt_source { FROM_ARGUMENT, FROM_STDIN, FROM_CHAT } prompt_source;

static prompt_source source_of(const char *prompt) {
  if (prompt) return strcmp(prompt, "-") == 0 ? FROM_STDIN : FROM_ARGUMENT;
  return isatty(STDIN_FILENO) ? FROM_CHAT : FROM_STDIN;
}

/* The domain chooses the model where one argument is left that is no name of a model. */
static bool is_only_prompt(const am_arguments *arguments) {
  const char *text = arguments->n_positional == 1 ? arguments->positional[0] : "";
  if (!arguments->is_set[AM_OPTION_DOMAIN]) return false;
  return strcmp(text, "-") == 0 || (strpbrk(text, " \n") && !strchr("/.~", *text));
}

/* The first positional is the REF unless -m or --size names the model. */
static adam_status take_positionals(const am_arguments *arguments, const char **ref, const char **prompt,
                                    adam_error *error) {
  bool named =
      arguments->is_set[AM_OPTION_MODEL] || arguments->is_set[AM_OPTION_SIZE] || is_only_prompt(arguments);
  size_t next = 0;
  if (!named && next < arguments->n_positional) *ref = arguments->positional[next++];
  if (next < arguments->n_positional) *prompt = arguments->positional[next++];
  if (next < arguments->n_positional)
    return am_report_fill(error, ADAM_INVALID, "adam run", "put a PROMPT of several words in quotes",
                          "-m or --size names the model, so '%.60s' is one argument too many",
                          arguments->positional[next]);
  if (*ref && !(*ref)[0])
    return am_report_fill(error, ADAM_INVALID, "REF", "see: adam run --help", "it is empty");
  return ADAM_OK;
}

static adam_status refuse_chat(const am_arguments *arguments, adam_error *error) {
  static const am_option_id alone[] = {AM_OPTION_JSON,   AM_OPTION_RAW,     AM_OPTION_NO_STREAM,
                                       AM_OPTION_SCHEMA, AM_OPTION_GRAMMAR, AM_OPTION_REGEX,
                                       AM_OPTION_CHOICE};
  for (size_t i = 0; i < sizeof alone / sizeof *alone; i++)
    if (arguments->is_set[alone[i]])
      return am_report_fill(error, ADAM_INVALID, "adam run", "- reads it from standard input",
                            "--%s needs a PROMPT", am_options[alone[i]].name);
  return ADAM_OK;
}

/* Notices of the answer itself: printed, and the first degraded one an error under --strict. */
static adam_status take_notices(const am_arguments *arguments, const adam_manager *manager,
                                const adam_result *result, adam_error *error) {
  for (size_t i = 0; i < result->n_notices; i++) {
    const adam_notice *notice = &result->notices[i];
    if (am_generate_is_opening_notice(manager, notice)) continue;
    if (arguments->is_set[AM_OPTION_STRICT] && notice->level == ADAM_NOTICE_DEGRADED)
      return am_report_fill(error, ADAM_FAILED, notice->code, "--strict makes this an error", "%s",
                            notice->text);
    am_report_notice(notice);
  }
  return ADAM_OK;
}

static adam_status print_answer(const am_arguments *arguments, const adam_manager *manager,
                                const adam_result *result, bool streamed, adam_status status,
                                adam_error *error) {
  adam_error printing = {0};
  if (arguments->is_set[AM_OPTION_JSON]) {
    json_t *object = am_generate_json(manager, result, status == ADAM_OK ? NULL : error);
    adam_status printed = am_reply_print(object, &printing);
    if (status == ADAM_OK && printed != ADAM_OK) *error = printing;
    return status == ADAM_OK ? printed : status;
  }
  if (!streamed && result->text) am_output_model_text(result->text, result->text_bytes);
  if (result->text_bytes > 0 && result->text[result->text_bytes - 1] != '\n') am_output_text("\n");
  am_generate_print_calls(result);
  return status;
}

/* Options whose result only --json shows. */
static adam_status need_json(const am_arguments *arguments, adam_error *error) {
  static const am_option_id shown[] = {AM_OPTION_LOGPROBS, AM_OPTION_TOP_LOGPROBS};
  for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
    if (arguments->is_set[shown[i]] && !arguments->is_set[AM_OPTION_JSON])
      return am_report_fill(error, ADAM_INVALID, "adam run", "add --json", "--%s needs --json",
                            am_options[shown[i]].name);
  return ADAM_OK;
}

/* What is asked; files are read into owned memory. */
typedef struct question {
  const char *prompt; /* borrowed; NULL = messages, or a chat */
  size_t prompt_bytes;
  adam_constraint kind;
  char *constraint;              /* owned: a schema or a grammar */
  char *text, *messages, *tools; /* owned; text is what prompt points to where it was read */
} question;

static int answer(const am_arguments *arguments, adam_manager *manager, const question *asked) {
  adam_request request;
  adam_result result = {0};
  adam_error error = {0};
  bool cancelled = false;
  bool stream = !arguments->is_set[AM_OPTION_JSON] && !arguments->is_set[AM_OPTION_NO_STREAM];
  am_show show = !stream                                      ? AM_SHOW_NOTHING
                 : arguments->is_set[AM_OPTION_HIDE_THINKING] ? AM_SHOW_ANSWER
                                                              : AM_SHOW_ALL;
  am_generate_request(arguments, &request);
  request.prompt = asked->prompt;
  request.prompt_bytes = asked->prompt_bytes;
  request.messages_json = asked->messages;
  request.tools_json = asked->tools;
  if (asked->constraint) {
    request.constraint = asked->kind;
    request.constraint_text = asked->constraint;
  }
  adam_status status = am_generate_stream(manager, &request, show, &result, &cancelled, &error);
  status = print_answer(arguments, manager, &result, stream, status, &error);
  if (status == ADAM_OK) status = take_notices(arguments, manager, &result, &error);
  if (arguments->is_set[AM_OPTION_STATS]) am_generate_stats(&result);
  adam_result_close(&result);
  int code = am_exit_code(status, &error);
  return code == 0 && cancelled ? adam_status_exit_code(ADAM_CANCELLED) : code;
}

static const am_option_id constraints[] = {AM_OPTION_SCHEMA, AM_OPTION_GRAMMAR, AM_OPTION_REGEX,
                                           AM_OPTION_CHOICE};

/* The file of --schema or --grammar; more than one constraint is refused. */
static adam_status take_constraint(const am_arguments *arguments, question *out, adam_error *error) {
  const am_option *first = NULL;
  for (size_t i = 0; i < sizeof constraints / sizeof *constraints; i++) {
    if (!arguments->is_set[constraints[i]]) continue;
    const am_option *row = &am_options[constraints[i]];
    if (first)
      return am_report_fill(error, ADAM_INVALID, "adam run", "", "--%s and --%s exclude each other",
                            first->name, row->name);
    first = row;
  }
  am_option_id file = arguments->is_set[AM_OPTION_SCHEMA] ? AM_OPTION_SCHEMA : AM_OPTION_GRAMMAR;
  out->kind = file == AM_OPTION_SCHEMA ? ADAM_CONSTRAINT_SCHEMA : ADAM_CONSTRAINT_GRAMMAR;
  if (!arguments->is_set[file]) return ADAM_OK;
  return am_input_read_string(arguments->text[file], &out->constraint, error);
}

/* Reads what the options and the positionals ask. *chat: nothing, so the terminal will. */
static adam_status take_question(const am_arguments *arguments, const char *prompt, question *out, bool *chat,
                                 adam_error *error) {
  const char *const *file = arguments->text;
  adam_status status = ADAM_OK;
  prompt_source source = source_of(prompt);
  if (file[AM_OPTION_MESSAGES]) {
    if (prompt) return am_report_fill(error, ADAM_INVALID, "--messages", "", "a PROMPT does not go with it");
    status = am_input_read_string(file[AM_OPTION_MESSAGES], &out->messages, error);
  } else if (source == FROM_STDIN) {
    status = am_input_read("-", &out->text, &out->prompt_bytes, error);
    out->prompt = out->text;
  } else if (source == FROM_ARGUMENT) {
    out->prompt = prompt;
    out->prompt_bytes = strlen(prompt);
  } else {
    *chat = true;
    status = refuse_chat(arguments, error);
  }
  if (status == ADAM_OK) status = take_constraint(arguments, out, error);
  if (status == ADAM_OK && file[AM_OPTION_TOOLS])
    status = am_input_read_string(file[AM_OPTION_TOOLS], &out->tools, error);
  return status;
}

int am_run_command(const am_arguments *arguments) {
  const char *ref = NULL, *prompt = NULL;
  question asked = {0};
  bool chat = false;
  adam_manager *manager = NULL;
  adam_error error = {0};
  adam_status status = take_positionals(arguments, &ref, &prompt, &error);
  if (status == ADAM_OK) status = need_json(arguments, &error);
  if (status == ADAM_OK) status = take_question(arguments, prompt, &asked, &chat, &error);
  if (status == ADAM_OK) status = am_open_model(arguments, ref, AM_OPEN_TO_RUN, &manager, &error);
  int code = am_exit_code(status, &error);
  if (status == ADAM_OK)
    code = chat ? am_conversation_run(arguments, manager, asked.tools) : answer(arguments, manager, &asked);
  adam_manager_close(&manager);
  free(asked.text);
  free(asked.messages);
  free(asked.tools);
  free(asked.constraint);
  return code;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The slash commands of the chat. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conversation.h"
#include "generate.h"
#include "input.h"
#include "output.h"
#include "report.h"
#include "suggest.h"

typedef struct slash_command {
  const char *name;
  const char *argument;
  const char *help;
  bool (*act)(am_conversation *conversation, const char *rest); /* true = leave */
} slash_command;

static const char *skip_spaces(const char *text) { return text + strspn(text, " \t"); }

/* /set parameter NAME VALUE: names as in --help, with _ or -, and as ollama has them. */
typedef struct parameter {
  const char *name;
  const char *alias;
  am_option_id option;
  uint32_t bit;
  size_t offset; /* into adam_sampling */
  enum { AS_DOUBLE, AS_INT32, AS_INT64 } type;
} parameter;

#define FIELD(name) offsetof(adam_sampling, name)
static const parameter parameters[] = {
    {"temperature", NULL, AM_OPTION_TEMPERATURE, ADAM_SET_TEMPERATURE, FIELD(temperature), AS_DOUBLE},
    {"top_p", NULL, AM_OPTION_TOP_P, ADAM_SET_TOP_P, FIELD(top_p), AS_DOUBLE},
    {"top_k", NULL, AM_OPTION_TOP_K, ADAM_SET_TOP_K, FIELD(top_k), AS_INT32},
    {"min_p", NULL, AM_OPTION_MIN_P, ADAM_SET_MIN_P, FIELD(min_p), AS_DOUBLE},
    {"repetition_penalty", "repeat_penalty", AM_OPTION_REPETITION_PENALTY, ADAM_SET_REPETITION_PENALTY,
     FIELD(repetition_penalty), AS_DOUBLE},
    {"presence_penalty", NULL, AM_OPTION_PRESENCE_PENALTY, ADAM_SET_PRESENCE_PENALTY, FIELD(presence_penalty),
     AS_DOUBLE},
    {"frequency_penalty", NULL, AM_OPTION_FREQUENCY_PENALTY, ADAM_SET_FREQUENCY_PENALTY,
     FIELD(frequency_penalty), AS_DOUBLE},
    {"seed", NULL, AM_OPTION_SEED, ADAM_SET_SEED, FIELD(seed), AS_INT64},
    {"max_tokens", "num_predict", AM_OPTION_MAX_TOKENS, ADAM_SET_MAX_TOKENS, FIELD(max_tokens), AS_INT64},
};
#undef FIELD
enum { N_PARAMETERS = sizeof parameters / sizeof *parameters };

static const parameter *find_parameter(char *name) {
  for (char *c = name; *c; c++)
    if (*c == '-') *c = '_';
  for (size_t i = 0; i < N_PARAMETERS; i++)
    if (strcmp(name, parameters[i].name) == 0 ||
        (parameters[i].alias && strcmp(name, parameters[i].alias) == 0))
      return &parameters[i];
  return NULL;
}

static void add_stop(am_conversation *conversation, const char *text) {
  size_t n = conversation->request.n_stop;
  if (n == AM_CONVERSATION_STOPS || !(conversation->stop[n] = strdup(text)))
    am_report_line("No room for another stop text.");
  else
    conversation->request.n_stop++;
}

static void set_parameter(am_conversation *conversation, const char *rest) {
  char name[64];
  size_t n = strcspn(rest, " \t");
  const char *value = skip_spaces(rest + n);
  snprintf(name, sizeof name, "%.*s", n < sizeof name ? (int)n : 0, rest);
  if (!name[0] || !value[0]) {
    am_report_line("Usage: /set parameter NAME VALUE, such as /set parameter temperature 0.5");
    return;
  }
  if (strcmp(name, "stop") == 0) {
    add_stop(conversation, value);
    return;
  }
  const parameter *found = find_parameter(name);
  am_option_value checked;
  adam_error error;
  if (!found) {
    am_report_line("Unknown parameter %s: /help lists them.", name);
    return;
  }
  if (am_option_check(found->option, found->name, value, &checked, &error) != ADAM_OK) {
    am_report_error(&error);
    return;
  }
  char *field = (char *)&conversation->request.sampling + found->offset;
  int32_t narrow = (int32_t)checked.integer;
  if (found->type == AS_DOUBLE) memcpy(field, &checked.number, sizeof checked.number);
  if (found->type == AS_INT32) memcpy(field, &narrow, sizeof narrow);
  if (found->type == AS_INT64) memcpy(field, &checked.integer, sizeof checked.integer);
  conversation->request.sampling.set |= found->bit;
}

static bool act_set(am_conversation *conversation, const char *rest) {
  size_t n = strcspn(rest, " \t");
  const char *value = skip_spaces(rest + n);
  char what[32];
  snprintf(what, sizeof what, "%.*s", n < sizeof what ? (int)n : 0, rest);
  if (strcmp(what, "parameter") == 0)
    set_parameter(conversation, value);
  else if (strcmp(what, "system") == 0)
    (void)am_conversation_set_system(conversation, value);
  else if (strcmp(what, "think") == 0)
    conversation->request.think = ADAM_THINK_ON;
  else if (strcmp(what, "nothink") == 0)
    conversation->request.think = ADAM_THINK_OFF;
  else if (strcmp(what, "verbose") == 0)
    conversation->verbose = true;
  else if (strcmp(what, "quiet") == 0)
    conversation->verbose = false;
  else
    am_report_line("Usage: /set parameter NAME VALUE | system TEXT | think | nothink | verbose | quiet");
  return false;
}

static bool act_system(am_conversation *conversation, const char *rest) {
  if (rest[0])
    (void)am_conversation_set_system(conversation, rest);
  else
    am_report_line("%s", conversation->system ? conversation->system : "(no system message)");
  return false;
}

static bool act_clear(am_conversation *conversation, const char *rest) {
  (void)rest;
  json_array_clear(conversation->messages);
  am_report_line("The conversation is empty.");
  return false;
}

static bool act_stats(am_conversation *conversation, const char *rest) {
  (void)rest;
  if (conversation->last.model)
    am_generate_stats(&conversation->last);
  else
    am_report_line("No answer yet.");
  return false;
}

static bool act_save(am_conversation *conversation, const char *rest) {
  am_output_file file = {0};
  adam_error error = {0};
  if (!rest[0]) {
    am_report_line("Usage: /save FILE");
    return false;
  }
  json_t *all = am_conversation_messages(conversation);
  adam_status status = am_output_file_open(rest, 0600, &file, &error);
  if (status == ADAM_OK) {
    /* Where jansson cannot write, the stream has the error too. */
    if (json_dumpf(all, file.stream, JSON_INDENT(2)) == 0) (void)fputc('\n', file.stream);
    status = am_output_file_commit(&file, &error);
  }
  if (status != ADAM_OK)
    am_report_error(&error);
  else
    am_report_line("Saved %zu messages to %s.", json_array_size(all), rest);
  json_decref(all);
  return false;
}

/* NULL = these are messages; else what is wrong with them. */
static const char *check_messages(const json_t *messages) {
  size_t i;
  json_t *message;
  if (!json_is_array(messages)) return "not a list of messages";
  json_array_foreach(messages, i, message) {
    if (!json_is_string(json_object_get(message, "role"))) return "a message has no role";
    if (!json_object_get(message, "content")) return "a message has no content";
  }
  return NULL;
}

static bool act_load(am_conversation *conversation, const char *rest) {
  char *text = NULL;
  size_t n_bytes = 0;
  adam_error error = {0};
  json_error_t where = {0};
  if (!rest[0]) {
    am_report_line("Usage: /load FILE");
    return false;
  }
  adam_status status = am_input_read(rest, &text, &n_bytes, &error);
  json_t *messages = text ? json_loadb(text, n_bytes, 0, &where) : NULL;
  free(text);
  const char *wrong = messages ? check_messages(messages) : where.text;
  if (status == ADAM_OK && wrong)
    status = am_report_fill(&error, ADAM_DAMAGED, rest, "", "%s (line %d)", wrong, where.line);
  if (status != ADAM_OK) {
    am_report_error(&error);
    json_decref(messages);
    return false;
  }
  json_t *first = json_array_get(messages, 0);
  const char *role = json_string_value(json_object_get(first, "role"));
  const char *system = json_string_value(json_object_get(first, "content"));
  bool has_system = role && strcmp(role, "system") == 0 && system;
  if (am_conversation_set_system(conversation, has_system ? system : NULL)) {
    if (has_system) json_array_remove(messages, 0);
    json_decref(conversation->messages);
    conversation->messages = json_incref(messages);
    am_report_line("Loaded %zu messages from %s.", json_array_size(messages) + has_system, rest);
  }
  json_decref(messages);
  return false;
}

static bool act_bye(am_conversation *conversation, const char *rest) {
  (void)conversation, (void)rest;
  return true;
}

static bool act_help(am_conversation *conversation, const char *rest);

static const slash_command slash_commands[] = {
    {"/help", "", "this list", act_help},
    {"/?", "", NULL, act_help},
    {"/system", "[TEXT]", "show or set the system message", act_system},
    {"/set", "parameter NAME VALUE", "set a sampling parameter", act_set},
    {"/set", "system TEXT", "set the system message", act_set},
    {"/set", "think|nothink", "ask the model to think first, or not to", act_set},
    {"/set", "verbose|quiet", "figures after every answer, or none", act_set},
    {"/clear", "", "forget the conversation, keep the system message", act_clear},
    {"/stats", "", "figures of the last answer", act_stats},
    {"/save", "FILE", "write the conversation as JSON messages", act_save},
    {"/load", "FILE", "continue a saved conversation", act_load},
    {"/bye", "", "leave, as does Ctrl-D", act_bye},
    {"/exit", "", NULL, act_bye},
};
enum { N_COMMANDS = sizeof slash_commands / sizeof *slash_commands };

static bool act_help(am_conversation *conversation, const char *rest) {
  (void)conversation, (void)rest;
  for (size_t i = 0; i < N_COMMANDS; i++) {
    const slash_command *row = &slash_commands[i];
    char usage[64];
    snprintf(usage, sizeof usage, "%s %s", row->name, row->argument);
    if (row->help) am_report_line("  %-30s%s", usage, row->help);
  }
  char names[256] = "";
  for (size_t i = 0, used = 0; i < N_PARAMETERS; i++)
    used += (size_t)snprintf(names + used, sizeof names - used, "%s, ", parameters[i].name);
  am_report_line("Parameters: %sstop", names);
  am_report_line("Text of several lines stands between \"\"\" and \"\"\". Ctrl-C stops an answer.");
  return false;
}

bool am_conversation_command(am_conversation *conversation, const char *line) {
  char name[32];
  size_t n = strcspn(line, " \t"), best = SIZE_MAX;
  const char *nearest = "";
  snprintf(name, sizeof name, "%.*s", n < sizeof name ? (int)n : (int)sizeof name - 1, line);
  /* Spaces at the end are slips of the hand: /save chat.json has no space in the file's name. */
  char *rest = strdup(skip_spaces(line + n));
  if (!rest) return false;
  for (size_t end = strlen(rest); end > 0 && (rest[end - 1] == ' ' || rest[end - 1] == '\t'); end--)
    rest[end - 1] = '\0';
  bool leave = false, found = false;
  for (size_t i = 0; i < N_COMMANDS && !found; i++) {
    size_t distance = am_suggest_distance(name, slash_commands[i].name);
    found = strcmp(name, slash_commands[i].name) == 0;
    if (found) leave = slash_commands[i].act(conversation, rest);
    if (distance < best) {
      best = distance;
      nearest = slash_commands[i].name;
    }
  }
  free(rest);
  if (!found && am_suggest_is_near(name, best))
    am_report_line("Unknown command %s. Did you mean %s?", name, nearest);
  else if (!found)
    am_report_line("Unknown command %s. /help lists them; text that begins with / goes between \"\"\".",
                   name);
  return leave;
}

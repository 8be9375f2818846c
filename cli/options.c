/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "suggest.h"

bool am_command_takes(am_command_id command, am_option_id option) {
  return (am_options[option].commands >> command) & 1u;
}

am_command_id am_command_find(const char *name) {
  unsigned id = 0;
  while (id < AM_COMMAND_COUNT && strcmp(am_commands[id].name, name) != 0) id++;
  return (am_command_id)id;
}

adam_status am_command_unknown(const char *name, adam_error *error) {
  size_t best = SIZE_MAX;
  const char *nearest = "";
  char hint[128] = "see: adam --help";
  for (unsigned id = 0; id < AM_COMMAND_COUNT; id++) {
    size_t distance = am_suggest_distance(name, am_commands[id].name);
    if (distance < best) {
      best = distance;
      nearest = am_commands[id].name;
    }
  }
  if (am_suggest_is_near(name, best))
    snprintf(hint, sizeof hint, "did you mean %s? see: adam --help", nearest);
  return am_report_fill(error, ADAM_INVALID, name, hint, "unknown command");
}

static bool nth_choice(const char *choices, size_t index, char *out, size_t capacity_bytes) {
  for (; index > 0 && choices; index--) {
    choices = strchr(choices, '|');
    if (choices) choices++;
  }
  if (!choices) return false;
  snprintf(out, capacity_bytes, "%.*s", (int)strcspn(choices, "|"), choices);
  return true;
}

bool am_option_choice(am_option_id option, size_t index, char *out, size_t capacity_bytes) {
  const am_option *row = &am_options[option];
  adam_preset preset = {.struct_size = sizeof preset};
  adam_domain domain = {.struct_size = sizeof domain};
  const adam_backend_ops *backend = NULL;
  switch (row->kind) {
    case AM_KIND_CHOICE:
      return nth_choice(row->choices, index, out, capacity_bytes);
    case AM_KIND_PRESET:
      if (!adam_preset_at(index, &preset)) return false;
      snprintf(out, capacity_bytes, "%s", preset.name);
      return true;
    case AM_KIND_DOMAIN:
      if (!adam_domain_at(index, &domain)) return false;
      snprintf(out, capacity_bytes, "%s", domain.name);
      return true;
    case AM_KIND_BACKEND:
      if (index > 0 && !(backend = adam_backend_at(index - 1))) return false;
      snprintf(out, capacity_bytes, "%s", index == 0 ? "auto" : backend->name);
      return true;
    default:
      return false;
  }
}

static int format_bound(char *out, size_t capacity_bytes, double bound) {
  if (bound > 9e18) return snprintf(out, capacity_bytes, "%lld", (long long)INT64_MAX);
  return snprintf(out, capacity_bytes, "%.15g", bound);
}

static void format_range(const am_option *row, char *out, size_t capacity_bytes) {
  char low[32], high[32];
  format_bound(low, sizeof low, row->minimum);
  format_bound(high, sizeof high, row->maximum);
  snprintf(out, capacity_bytes, "%s %s %s%s%s", row->kind == AM_KIND_INTEGER ? "a whole number" : "a number",
           row->above_minimum ? "above" : "from", low,
           row->below_maximum   ? " to below "
           : row->above_minimum ? " and at most "
                                : " to ",
           high);
}

void am_option_allowed(am_option_id option, char *out, size_t capacity_bytes) {
  const am_option *row = &am_options[option];
  char choice[64];
  size_t used = 0;
  if (capacity_bytes == 0) return;
  out[0] = '\0';
  if (row->kind == AM_KIND_INTEGER || row->kind == AM_KIND_NUMBER) {
    format_range(row, out, capacity_bytes);
    return;
  }
  for (size_t i = 0; am_option_choice(option, i, choice, sizeof choice) && used < capacity_bytes; i++)
    used += (size_t)snprintf(out + used, capacity_bytes - used, "%s%s", i ? ", " : "one of ", choice);
}

/* strtod and strtoll accept more than people mean by a number: spaces, hexadecimal, nan. */
static bool looks_numeric(const char *value, bool whole) {
  return value[0] && strspn(value, whole ? "+-0123456789" : "+-.0123456789eE") == strlen(value);
}

static adam_status check_number(const am_option *row, const char *label, const char *value,
                                am_option_value *out, adam_error *error) {
  bool whole = row->kind == AM_KIND_INTEGER;
  char range[128], *end = NULL;
  double number = 0;
  long long integer = 0;
  format_range(row, range, sizeof range);
  errno = 0;
  if (whole)
    number = (double)(integer = strtoll(value, &end, 10));
  else
    number = strtod(value, &end);
  if (!looks_numeric(value, whole) || end == value || *end)
    return am_report_fill(error, ADAM_INVALID, label, "", "'%.100s' is not %s", value, range);
  bool low = number < row->minimum || (row->above_minimum && number <= row->minimum);
  bool high = number > row->maximum || (row->below_maximum && number >= row->maximum);
  if (low || high || (whole && errno == ERANGE))
    return am_report_fill(error, ADAM_INVALID, label, "", "%.100s is out of range: %s", value, range);
  *out = (am_option_value){number, integer};
  return ADAM_OK;
}

static adam_status check_choice(am_option_id option, const char *label, const char *value,
                                adam_error *error) {
  char choice[64], nearest[64] = "", hint[160] = "", allowed[512];
  size_t best = SIZE_MAX;
  for (size_t i = 0; am_option_choice(option, i, choice, sizeof choice); i++) {
    size_t distance = am_suggest_distance(value, choice);
    if (strcmp(value, choice) == 0) return ADAM_OK;
    if (distance >= best) continue;
    best = distance;
    memcpy(nearest, choice, sizeof nearest);
  }
  if (am_suggest_is_near(value, best)) snprintf(hint, sizeof hint, "did you mean %s?", nearest);
  am_option_allowed(option, allowed, sizeof allowed);
  return am_report_fill(error, ADAM_INVALID, label, hint, "'%.100s' is not %s", value, allowed);
}

adam_status am_option_check(am_option_id option, const char *label, const char *value, am_option_value *out,
                            adam_error *error) {
  switch (am_options[option].kind) {
    case AM_KIND_INTEGER:
    case AM_KIND_NUMBER:
      return check_number(&am_options[option], label, value, out, error);
    case AM_KIND_CHOICE:
    case AM_KIND_BACKEND:
      return check_choice(option, label, value, error);
    case AM_KIND_FILE:
    case AM_KIND_FOLDER:
    case AM_KIND_REF:
    case AM_KIND_PRESET:
    case AM_KIND_DOMAIN:
      if (!value[0]) return am_report_fill(error, ADAM_INVALID, label, "", "the argument is empty");
      break;
    default:
      break;
  }
  *out = (am_option_value){0};
  return ADAM_OK;
}

static adam_status unknown_option(am_command_id command, const char *typed, adam_error *error) {
  const char *name = am_commands[command].name;
  size_t n = strcspn(typed, "="), best = SIZE_MAX;
  char bare[64], what[80], hint[256];
  const am_option *nearest = NULL;
  snprintf(what, sizeof what, "%.*s", n > 70 ? 70 : (int)n, typed);
  snprintf(bare, sizeof bare, "%s", what + strspn(what, "-"));
  for (unsigned id = 0; id < AM_OPTION_COUNT; id++) {
    const am_option *row = &am_options[id];
    bool takes = am_command_takes(command, (am_option_id)id);
    if (!takes && strcmp(row->name, bare) == 0)
      return am_report_fill(error, ADAM_INVALID, what, "", "`adam %s` does not take this option", name);
    size_t distance = takes ? am_suggest_distance(bare, row->name) : SIZE_MAX;
    if (distance >= best) continue;
    best = distance;
    nearest = row;
  }
  if (nearest && am_suggest_is_near(bare, best))
    snprintf(hint, sizeof hint, "did you mean --%s? see: adam %s --help", nearest->name, name);
  else
    snprintf(hint, sizeof hint, "see: adam %s --help; put -- before text that begins with -", name);
  return am_report_fill(error, ADAM_INVALID, what, hint, "unknown option");
}

static void store(am_arguments *out, am_option_id option, const char *value, am_option_value checked) {
  if (option == AM_OPTION_THINK) out->is_set[AM_OPTION_NO_THINK] = false; /* the last one counts */
  if (option == AM_OPTION_NO_THINK) out->is_set[AM_OPTION_THINK] = false;
  if (option == AM_OPTION_STOP) out->stop[out->n_stop++] = value;
  if (option == AM_OPTION_CHOICE) out->choice[out->n_choice++] = value;
  out->is_set[option] = true;
  out->text[option] = value;
  out->number[option] = checked.number;
  out->integer[option] = checked.integer;
}

/* The option that argv[*i] names, with its value in *value (NULL: it is in the next argument). */
static unsigned find_option(am_command_id command, const char *typed, const char **value) {
  unsigned id = 0;
  *value = NULL;
  if (typed[1] != '-') {
    while (id < AM_OPTION_COUNT &&
           !(am_options[id].letter == typed[1] && am_command_takes(command, (am_option_id)id)))
      id++;
    if (typed[2]) *value = typed + 2 + (typed[2] == '=');
    return id;
  }
  const char *name = typed + 2;
  size_t n = strcspn(name, "=");
  while (id < AM_OPTION_COUNT &&
         !(strlen(am_options[id].name) == n && strncmp(am_options[id].name, name, n) == 0 &&
           am_command_takes(command, (am_option_id)id)))
    id++;
  if (name[n] == '=') *value = name + n + 1;
  return id;
}

static adam_status parse_option(int argc, char **argv, int *i, am_arguments *out, adam_error *error) {
  const char *typed = argv[*i], *value = NULL;
  unsigned id = find_option(out->command, typed, &value);
  am_option_value checked = {0};
  char label[80];
  if (id == AM_OPTION_COUNT) return unknown_option(out->command, typed, error);
  const am_option *row = &am_options[id];
  snprintf(label, sizeof label, "--%s", row->name);
  if (row->kind == AM_KIND_FLAG) {
    if (value) return am_report_fill(error, ADAM_INVALID, label, "", "takes no argument");
  } else {
    if (!value && *i + 1 >= argc)
      return am_report_fill(error, ADAM_INVALID, label, "", "needs an argument: %s", row->argument);
    if (!value) value = argv[++*i];
    adam_status status = am_option_check((am_option_id)id, label, value, &checked, error);
    if (status != ADAM_OK) return status;
  }
  store(out, (am_option_id)id, value, checked);
  return ADAM_OK;
}

static adam_status check_complete(const am_arguments *in, adam_error *error) {
  const am_command *row = &am_commands[in->command];
  char what[96], hint[96];
  if (in->is_set[AM_OPTION_HELP]) return ADAM_OK;
  snprintf(what, sizeof what, "adam %s", row->name);
  snprintf(hint, sizeof hint, "see: adam %s --help", row->name);
  for (unsigned id = 0; id < AM_OPTION_COUNT; id++)
    if (((am_options[id].required >> in->command) & 1u) && !in->is_set[id])
      return am_report_fill(error, ADAM_INVALID, what, hint, "--%s %s is missing", am_options[id].name,
                            am_options[id].argument);
  bool names_model = in->is_set[AM_OPTION_MODEL] || in->is_set[AM_OPTION_SIZE];
  if (row->needs_model && !names_model)
    return am_report_fill(error, ADAM_INVALID, what, hint, "-m REF is missing");
  if (in->is_set[AM_OPTION_MODEL] && in->is_set[AM_OPTION_SIZE])
    return am_report_fill(error, ADAM_INVALID, what, hint, "--model and --size both name a model");
  if (in->n_positional < (size_t)row->min_positionals)
    return am_report_fill(error, ADAM_INVALID, what, hint, "%s is missing", row->positionals);
  if (row->max_positionals >= 0 && in->n_positional > (size_t)row->max_positionals)
    return am_report_fill(error, ADAM_INVALID, what,
                          row->max_positionals ? "put a text of several words in quotes" : hint,
                          "'%.60s' is one argument too many", in->positional[row->max_positionals]);
  return ADAM_OK;
}

adam_status am_arguments_parse(int argc, char **argv, am_arguments *out, adam_error *error) {
  adam_status status = ADAM_OK;
  bool options_end = false;
  *out = (am_arguments){.command = AM_COMMAND_HELP};
  if (argc < 2) return am_report_fill(error, ADAM_INVALID, "adam", "see: adam --help", "no command given");
  out->command = am_command_find(argv[1]);
  if (out->command == AM_COMMAND_COUNT) {
    *out = (am_arguments){0};
    if (argv[1][0] == '-')
      return am_report_fill(error, ADAM_INVALID, argv[1], "see: adam --help",
                            "unknown option before a command");
    return am_command_unknown(argv[1], error);
  }
  out->stop = calloc((size_t)argc, sizeof *out->stop);
  out->choice = calloc((size_t)argc, sizeof *out->choice);
  out->positional = calloc((size_t)argc, sizeof *out->positional);
  if (!out->stop || !out->choice || !out->positional) status = am_report_no_memory(error);
  for (int i = 2; i < argc && status == ADAM_OK; i++) {
    if (options_end || argv[i][0] != '-' || !argv[i][1])
      out->positional[out->n_positional++] = argv[i];
    else if (strcmp(argv[i], "--") == 0)
      options_end = true;
    else
      status = parse_option(argc, argv, &i, out, error);
  }
  if (status == ADAM_OK) status = check_complete(out, error);
  if (status != ADAM_OK) am_arguments_close(out);
  return status;
}

void am_arguments_close(am_arguments *arguments) {
  free(arguments->stop);
  free(arguments->choice);
  free(arguments->positional);
  *arguments = (am_arguments){0};
}

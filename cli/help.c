/* SPDX-License-Identifier: Apache-2.0 */
#include "help.h"

#include <string.h>

enum { WIDTH = 80, LABEL = 30 };

/* Prints text wrapped at WIDTH; the first line begins at column `used`, the others at `indent`. */
static void print_wrapped(FILE *out, const char *text, int used, int indent) {
  while (*text) {
    int length = (int)strcspn(text, " ");
    if (used > indent && used + length + 1 > WIDTH) {
      fprintf(out, "\n%*s", indent, "");
      used = indent;
    }
    if (used > indent) used += fprintf(out, " ");
    used += fprintf(out, "%.*s", length, text);
    text += length;
    text += strspn(text, " ");
  }
  fputc('\n', out);
}

void am_help_label(const am_option *option, char *out, size_t capacity_bytes) {
  char letter[8] = "    ";
  if (option->letter) snprintf(letter, sizeof letter, "-%c, ", option->letter);
  snprintf(out, capacity_bytes, "%s--%s%s%s", letter, option->name, option->argument ? " " : "",
           option->argument ? option->argument : "");
}

void am_help_text(am_option_id option, char *out, size_t capacity_bytes) {
  char allowed[512];
  am_option_allowed(option, allowed, sizeof allowed);
  snprintf(out, capacity_bytes, "%s%s%s%s", am_options[option].help, allowed[0] ? " (" : "", allowed,
           allowed[0] ? ")" : "");
}

static void print_option(FILE *out, am_option_id id) {
  char label[96], text[1024];
  am_help_label(&am_options[id], label, sizeof label);
  am_help_text(id, text, sizeof text);
  int used = fprintf(out, "  %s", label);
  if (used > LABEL - 2) {
    fputc('\n', out);
    used = 0;
  }
  fprintf(out, "%*s", LABEL - used, "");
  print_wrapped(out, text, LABEL, LABEL);
}

static void print_group(FILE *out, am_command_id command, am_option_group group) {
  bool headed = false;
  for (unsigned id = 0; id < AM_OPTION_COUNT; id++) {
    if (am_options[id].group != group || !am_command_takes(command, (am_option_id)id)) continue;
    if (!headed) fprintf(out, "\n%s:\n", am_option_groups[group]);
    headed = true;
    print_option(out, (am_option_id)id);
  }
}

void am_help_command(FILE *out, am_command_id command) {
  const am_command *row = &am_commands[command];
  fprintf(out, "Usage: adam %s%s [OPTIONS]%s%s\n\n", row->name, row->needs_model ? " -m REF" : "",
          row->positionals[0] ? " " : "", row->positionals);
  print_wrapped(out, row->description, 0, 0);
  for (unsigned group = 0; group < AM_GROUP_COUNT; group++) print_group(out, command, (am_option_group)group);
  fprintf(out, "\nExamples:\n");
  for (size_t i = 0; i < 4 && row->examples[i].command; i++)
    fprintf(out, "  %s\n      %s\n", row->examples[i].command, row->examples[i].says);
}

void am_help_overview(FILE *out) {
  fprintf(
      out,
      "adam manages and runs language models.\n\nUsage: adam COMMAND [OPTIONS] [ARGUMENTS]\n\nCommands:\n");
  for (unsigned id = 0; id < AM_COMMAND_COUNT; id++)
    fprintf(out, "  %-12s%s\n", am_commands[id].name, am_commands[id].summary);
  fprintf(out, "\n`adam COMMAND --help` explains a command. To begin:\n  %s\n      %s\n",
          am_commands[AM_COMMAND_RUN].examples[0].command, am_commands[AM_COMMAND_RUN].examples[0].says);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "help.h"
#include "interrupt.h"
#include "output.h"
#include "report.h"
#include "settings.h"

/* Prints what `write` makes, through the one door that notices failures. */
static int print_page(bool (*page)(FILE *out, const void *what), const void *what) {
  char *text = NULL;
  size_t n_bytes = 0;
  adam_error error = {0};
  FILE *memory = open_memstream(&text, &n_bytes);
  bool known = memory && page(memory, what);
  bool whole = memory && fclose(memory) == 0;
  if (known && whole) am_output_bytes(text, n_bytes);
  free(text);
  if (!whole) return am_exit_code(am_report_no_memory(&error), &error);
  return known ? 0 : adam_status_exit_code(ADAM_INVALID);
}

static bool overview_page(FILE *out, const void *what) {
  (void)what;
  am_help_overview(out);
  return true;
}

static bool command_page(FILE *out, const void *what) {
  am_help_command(out, *(const am_command_id *)what);
  return true;
}

static bool docs_page(FILE *out, const void *what) { return am_docs_write(out, what); }

static int help_command(const am_arguments *arguments) {
  adam_error error = {0};
  if (arguments->n_positional == 0) return print_page(overview_page, NULL);
  am_command_id id = am_command_find(arguments->positional[0]);
  if (id == AM_COMMAND_COUNT)
    return am_exit_code(am_command_unknown(arguments->positional[0], &error), &error);
  return print_page(command_page, &id);
}

static int (*const commands[AM_COMMAND_COUNT])(const am_arguments *) = {
    [AM_COMMAND_RUN] = am_run_command,
    [AM_COMMAND_TOKENIZE] = am_tokenize_command,
    [AM_COMMAND_DETOKENIZE] = am_detokenize_command,
    [AM_COMMAND_TEMPLATE] = am_template_command,
    [AM_COMMAND_SCORE] = am_score_command,
    [AM_COMMAND_EVAL] = am_eval_command,
    [AM_COMMAND_BENCH] = am_bench_command,
    [AM_COMMAND_EMBED] = am_embed_command,
    [AM_COMMAND_RERANK] = am_rerank_command,
    [AM_COMMAND_PULL] = am_pull_command,
    [AM_COMMAND_CONVERT] = am_convert_command,
    [AM_COMMAND_LIST] = am_list_command,
    [AM_COMMAND_SHOW] = am_show_command,
    [AM_COMMAND_SHARE] = am_share_command,
    [AM_COMMAND_DU] = am_du_command,
    [AM_COMMAND_DEDUPE] = am_dedupe_command,
    [AM_COMMAND_RM] = am_rm_command,
    [AM_COMMAND_CP] = am_cp_command,
    [AM_COMMAND_RENAME] = am_rename_command,
    [AM_COMMAND_VERIFY] = am_verify_command,
    [AM_COMMAND_PRESETS] = am_presets_command,
    [AM_COMMAND_DOMAINS] = am_domains_command,
    [AM_COMMAND_CONFIG] = am_config_command,
    [AM_COMMAND_BACKENDS] = am_backends_command,
    [AM_COMMAND_VERSION] = am_version_command,
    [AM_COMMAND_HELP] = help_command,
};

static int run(int argc, char **argv) {
  am_arguments arguments;
  adam_error error = {0};
  const char *first = argc > 1 ? argv[1] : "";
  if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0) return print_page(overview_page, NULL);
  if (strcmp(first, "--version") == 0) return am_version_command(&(am_arguments){0});
  /* For `make docs`: the documents come from the tables that the parser uses. */
  if (strcmp(first, "--dump-docs") == 0 && argc == 3) return print_page(docs_page, argv[2]);
  adam_status status = am_arguments_parse(argc, argv, &arguments, &error);
  if (status != ADAM_OK) return am_exit_code(status, &error);
  adam_settings *settings = NULL;
  bool help = arguments.is_set[AM_OPTION_HELP];
  if (!help) status = am_settings_apply(&arguments, &settings, &error);
  int code = status != ADAM_OK ? am_exit_code(status, &error)
             : help            ? print_page(command_page, &arguments.command)
                               : commands[arguments.command](&arguments);
  adam_settings_close(&settings);
  am_arguments_close(&arguments);
  return code;
}

/* Where a standard file is closed, the next file opened would take its place, and an answer could
 * land in it. Opened the wrong way round, so that using one fails as it does when closed. */
static void hold_standard_files(void) {
  for (int file = STDIN_FILENO; file <= STDERR_FILENO; file++)
    if (fcntl(file, F_GETFD) < 0 && errno == EBADF)
      (void)!open("/dev/null", file == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

int main(int argc, char **argv) {
  hold_standard_files();
  am_interrupt_install();
  return am_output_finish(run(argc, argv));
}

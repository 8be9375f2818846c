/* SPDX-License-Identifier: Apache-2.0 */
/* Every command: takes what was typed, returns the exit code. */
#ifndef AM_CLI_COMMANDS_H
#define AM_CLI_COMMANDS_H

#include "options.h"

int am_run_command(const am_arguments *arguments);
int am_tokenize_command(const am_arguments *arguments);
int am_detokenize_command(const am_arguments *arguments);
int am_template_command(const am_arguments *arguments);
int am_score_command(const am_arguments *arguments);
int am_eval_command(const am_arguments *arguments);
int am_bench_command(const am_arguments *arguments);
int am_embed_command(const am_arguments *arguments);
int am_rerank_command(const am_arguments *arguments);
int am_pull_command(const am_arguments *arguments);
int am_convert_command(const am_arguments *arguments);
int am_list_command(const am_arguments *arguments);
int am_show_command(const am_arguments *arguments);
int am_share_command(const am_arguments *arguments);
int am_du_command(const am_arguments *arguments);
int am_dedupe_command(const am_arguments *arguments);
int am_rm_command(const am_arguments *arguments);
int am_cp_command(const am_arguments *arguments);
int am_rename_command(const am_arguments *arguments);
int am_verify_command(const am_arguments *arguments);
int am_presets_command(const am_arguments *arguments);
int am_domains_command(const am_arguments *arguments);
int am_config_command(const am_arguments *arguments);
int am_backends_command(const am_arguments *arguments);
int am_version_command(const am_arguments *arguments);

typedef enum am_open_purpose { AM_OPEN_TO_RUN, AM_OPEN_VOCABULARY, AM_OPEN_TO_DESCRIBE } am_open_purpose;

/* Opens the model that the arguments name; ref (NULL = the options' or the default model) is a
 * positional REF. Shows a progress line, prints the notices of opening; with --strict a degraded
 * one is an error. */
adam_status am_open_model(const am_arguments *arguments, const char *ref, am_open_purpose purpose,
                          adam_manager **out, adam_error *error);
/* Downloads one model, with progress; under the command pull its path or its events go to
 * standard output. */
adam_status am_pull_model(const am_arguments *arguments, const char *ref, adam_error *error);
/* Reports the error and returns its exit code; ADAM_OK is 0 and silent. */
int am_exit_code(adam_status status, const adam_error *error);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* adam share. */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "format.h"
#include "output.h"
#include "progress.h"
#include "reply.h"
#include "report.h"
#include "stores.h"

typedef struct share_state {
  am_progress progress;
  json_t *notices;
} share_state;

static bool on_work(void *user, const char *doing, const char *what, uint64_t done, uint64_t total) {
  share_state *state = user;
  return am_stores_on_work(&state->progress, doing, what, done, total);
}

static void on_notice(void *user, const adam_notice *notice) {
  share_state *state = user;
  json_array_append_new(state->notices, am_reply_notice(notice));
}

static json_t *reply(const adam_share_result *result, bool dry_run, json_t *notices) {
  return json_pack("{s:o, s:I, s:I, s:s, s:o, s:I, s:b, s:b, s:o, s:O}", "name", am_reply_string(result->name),
                   "bytes_added", (json_int_t)result->bytes_added, "bytes_linked", (json_int_t)result->bytes_linked,
                   "method", result->method, "digest", *result->digest ? am_reply_string(result->digest) : json_null(),
                   "bytes_texts", (json_int_t)result->bytes_texts, "converted", result->converted, "dry_run", dry_run,
                   "template", *result->template_name ? json_string(result->template_name) : json_null(), "notices", notices);
}

static void print_result(const adam_share_result *result, const char *to, bool dry_run) {
  char added[16], linked[16];
  am_format_bytes(result->bytes_added, added);
  am_format_bytes(result->bytes_linked, linked);
  am_output_model_text(result->name, strlen(result->name));
  if (!dry_run && !strcmp(result->method, "same"))
    am_output_format(" is in %s already: 0 bytes added\n", to);
  else if (!dry_run)
    am_output_format(": %s to %s by %s, %s%s added\n", linked, to, result->method, result->converted ? "converted, " : "",
                     added);
  else
    am_output_format(": would give %s to %s by %s, %s%s added; beside it manifest, template and parameters\n", linked,
                     to, result->method, result->converted ? "converted, " : "", added);
}

int am_share_command(const am_arguments *arguments) {
  adam_error error = {0};
  share_state state = {.notices = json_array()};
  const char *to = arguments->text[AM_OPTION_TO];
  adam_share_options options = {.struct_size = sizeof options,
                                .model = arguments->positional[0],
                                .to = to,
                                .name = arguments->text[AM_OPTION_NAME],
                                .quantization = arguments->text[AM_OPTION_QUANTIZATION],
                                .cache_dir = arguments->text[AM_OPTION_CACHE_DIR],
                                .dry_run = arguments->is_set[AM_OPTION_DRY_RUN],
                                .strict = arguments->is_set[AM_OPTION_STRICT],
                                .on_work = on_work,
                                .on_notice = on_notice,
                                .user = &state};
  adam_share_result result = {.struct_size = sizeof result};
  am_stores_begin(&state.progress, "sharing");
  adam_status status = adam_share(&options, &result, &error);
  status = am_stores_end(&state.progress, status, "adam share", &error);
  size_t i;
  json_t *notice;
  json_array_foreach(state.notices, i, notice) {
    const char *text = json_string_value(json_object_get(notice, "text"));
    const char *level = json_string_value(json_object_get(notice, "level"));
    am_report_line("adam: %s: %s", level && !strcmp(level, "degraded") ? "warning" : "note", text ? text : "");
  }
  if (!status && arguments->is_set[AM_OPTION_JSON])
    status = am_reply_print(reply(&result, options.dry_run, state.notices), &error);
  else if (!status)
    print_result(&result, !strcmp(to, "ollama") ? "Ollama" : "the Hugging Face cache", options.dry_run);
  json_decref(state.notices);
  return am_exit_code(status, &error);
}

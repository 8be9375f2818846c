/* SPDX-License-Identifier: Apache-2.0 */
/* adam convert: a model in another format or type. */
#include <signal.h>

#include "commands.h"
#include "format.h"
#include "interrupt.h"
#include "output.h"
#include "progress.h"
#include "reply.h"
#include "report.h"

static bool on_progress(void *user, uint64_t done_bytes, uint64_t total_bytes) {
  am_progress_set(user, done_bytes, total_bytes);
  return am_interrupt_pending();
}

static adam_status print(const char *source, const char *target, const adam_convert_result *r, bool json,
                         adam_error *error) {
  char before[16], after[16];
  double per_s = r->convert_ms > 0 ? (double)r->source_bytes / 1e6 / (r->convert_ms / 1000) : 0;
  json_t *notices = json_array();
  for (size_t i = 0; i < r->n_notices; i++) json_array_append_new(notices, am_reply_notice(&r->notices[i]));
  if (json)
    return am_reply_print(
        json_pack("{s:o, s:o, s:s, s:s, s:I, s:I, s:I, s:I, s:f, s:f, s:o}", "source", am_reply_string(source),
                  "target", am_reply_string(target), "architecture", r->architecture, "type", r->type, "tensors",
                  (json_int_t)r->n_tensors, "parameters", (json_int_t)r->n_parameters, "source_bytes",
                  (json_int_t)r->source_bytes, "bytes", (json_int_t)r->bytes, "convert_ms", r->convert_ms,
                  "mb_per_s", per_s, "notices", notices),
        error);
  json_decref(notices);
  am_format_bytes(r->source_bytes, before);
  am_format_bytes(r->bytes, after);
  for (size_t i = 0; i < r->n_notices; i++) am_report_notice(&r->notices[i]);
  am_report_line("%s: %s, %s, %llu tensors; %s from %s in %.1f s (%.0f MB/s)", target, r->architecture, r->type,
                 (unsigned long long)r->n_tensors, after, before, r->convert_ms / 1000, per_s);
  return ADAM_OK;
}

int am_convert_command(const am_arguments *arguments) {
  adam_error error = {0};
  adam_convert_result result = {0};
  am_progress progress = {0};
  const char *source = arguments->positional[0], *target = arguments->positional[1];
  const adam_convert_options options = {
      .struct_size = sizeof options,
      .source = source,
      .target = target,
      .type = arguments->text[AM_OPTION_TYPE],
      .cache_dir = arguments->text[AM_OPTION_CACHE_DIR],
      .n_threads = (int32_t)arguments->integer[AM_OPTION_THREADS],
      .on_progress = on_progress,
      .user = &progress,
  };
  (void)signal(SIGXFSZ, SIG_IGN); /* a file beyond the limit is an error like another */
  am_interrupt_begin();
  am_progress_begin_work(&progress, "converting", source);
  adam_status status = adam_convert(&options, &result, &error);
  am_progress_end(&progress);
  am_interrupt_end();
  if (!status) status = print(source, target, &result, arguments->is_set[AM_OPTION_JSON], &error);
  adam_convert_result_close(&result);
  return am_exit_code(status, &error);
}

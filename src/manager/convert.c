/* SPDX-License-Identifier: Apache-2.0 */
#include <adam/models.h>

#include "base/error.h"
#include "base/mem.h"
#include "convert/convert.h"
#include "manager/manager.h"
#include "manager/ref.h"
#include "presets/presets.h"
#include "os/file.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void adam_convert_result_close(adam_convert_result *result) {
  if (!result) return;
  am_notices_close(&(am_notices){result->notices, result->n_notices});
  *result = (adam_convert_result){0};
}

static adam_status check(const adam_convert_options *o, const am_ref *ref, adam_error *error) {
  if (am_file_is_dir(ref->model) || am_file_is_regular(ref->model)) return ADAM_OK;
  return am_fail(error, ADAM_UNSUPPORTED, o->source, "name a folder, a file or a model of the Hub",
                 "its files are not on this machine");
}

/* ADAM_THREADS where the caller says nothing; what is no number there is the engine's to complain of. */
static uint32_t n_threads(const adam_convert_options *o) {
  const char *text = o->n_threads ? NULL : getenv("ADAM_THREADS");
  long n = text ? strtol(text, NULL, 10) : o->n_threads;
  return n > 0 && n <= 1024 ? (uint32_t)n : 0;
}

adam_status adam_convert(const adam_convert_options *options, adam_convert_result *result, adam_error *error) {
  adam_convert_options o;
  adam_status status = am_manager_copy(options, &o, sizeof o, "adam_convert_options", error);
  if (status) return status;
  if (!o.source || !o.source[0] || !o.target || !o.target[0])
    return am_fail(error, ADAM_INVALID, "adam_convert_options", NULL, "source and target must be named");
  am_ref ref = {0};
  am_notices notices = {0};
  am_convert_report report = {0};
  const am_convert_options inner = {.type = o.type,
                                    .name = o.name,
                                    .n_threads = n_threads(&o),
                                    .cache_dir = NULL,
                                    .on_progress = o.on_progress,
                                    .user = o.user};
  status = am_presets_load(NULL, error);
  if (!status) status = am_ref_resolve(NULL, o.source, o.cache_dir, &ref, &notices, error);
  if (!status) status = check(&o, &ref, error);
  if (!status) status = am_convert(ref.model, o.target, &inner, &report, error);
  for (uint32_t i = 0; i < report.n_notices && !status; i++)
    if (!am_notices_printf(&notices, "format", ADAM_NOTICE_DEGRADED, "%s", report.notices[i]))
      status = am_fail_memory(error, o.target);
  if (!status && result) {
    adam_convert_result r = {.n_tensors = report.n_tensors,
                             .n_parameters = report.n_parameters,
                             .source_bytes = report.source_bytes,
                             .bytes = report.bytes,
                             .convert_ms = report.ms,
                             .notices = notices.items,
                             .n_notices = notices.n};
    snprintf(r.architecture, sizeof r.architecture, "%s", report.architecture);
    snprintf(r.type, sizeof r.type, "%s", report.type);
    *result = r;
    notices = (am_notices){0};
  }
  am_notices_close(&notices);
  am_ref_close(&ref);
  return status;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* adam du, adam dedupe, adam verify: what the stores hold, and keeping it sound and once. */
#include "stores.h"

#include <string.h>

#include "commands.h"
#include "format.h"
#include "interrupt.h"
#include "output.h"
#include "progress.h"
#include "reply.h"
#include "report.h"

bool am_stores_on_work(void *user, const char *doing, const char *what, uint64_t done, uint64_t total) {
  (void)doing;
  (void)what;
  am_progress_set(user, done, total);
  return am_interrupt_pending();
}

adam_stores_options am_stores_options(const am_arguments *arguments, am_progress *progress) {
  return (adam_stores_options){.struct_size = sizeof(adam_stores_options),
                               .cache_dir = arguments->text[AM_OPTION_CACHE_DIR],
                               .dry_run = arguments->is_set[AM_OPTION_DRY_RUN],
                               .on_work = am_stores_on_work,
                               .user = progress};
}

void am_stores_begin(am_progress *progress, const char *doing) {
  am_interrupt_begin();
  am_progress_begin_work(progress, doing, "models");
}

adam_status am_stores_end(am_progress *progress, adam_status status, const char *command, adam_error *error) {
  am_progress_end(progress);
  if (am_interrupt_end() && status == ADAM_CANCELLED)
    return am_report_fill(error, ADAM_CANCELLED, command, "", "interrupted");
  return status;
}

typedef struct du_state {
  json_t *stores, *duplicates;
} du_state;

static void on_store(void *user, const adam_store_use *use) {
  du_state *state = user;
  json_array_append_new(state->stores,
                        json_pack("{s:s, s:o, s:I, s:I}", "store", use->store, "path", am_reply_string(use->path),
                                  "bytes", (json_int_t)use->bytes, "only_bytes", (json_int_t)use->only_bytes));
}

static void on_duplicate(void *user, const adam_duplicate *duplicate) {
  du_state *state = user;
  if (duplicate->is_first)
    json_array_append_new(state->duplicates,
                          json_pack("{s:o, s:I, s:[]}", "digest", am_reply_string(duplicate->digest), "bytes",
                                    (json_int_t)duplicate->bytes, "files"));
  json_t *group = json_array_get(state->duplicates, json_array_size(state->duplicates) - 1);
  json_array_append_new(json_object_get(group, "files"),
                        json_pack("{s:s, s:o, s:o}", "store", duplicate->store, "path",
                                  am_reply_string(duplicate->path), "owner", am_reply_string(duplicate->owner)));
}

static const char *text_of(const json_t *object, const char *key) {
  const char *text = json_string_value(json_object_get(object, key));
  return text ? text : "";
}

static void print_line(const char *label, uint64_t bytes, const char *rest) {
  char size[16];
  am_format_bytes(bytes, size);
  am_output_format("%-12s %9s%s", label, size, *rest ? "  " : "\n");
  if (*rest) {
    am_output_model_text(rest, strlen(rest));
    am_output_text("\n");
  }
}

static void print_use(const du_state *state, const adam_disk_use *use) {
  size_t i, k;
  json_t *store, *group, *file;
  json_array_foreach(state->stores, i, store)
    print_line(text_of(store, "store"), (uint64_t)json_integer_value(json_object_get(store, "bytes")),
               text_of(store, "path"));
  print_line("total", use->total_bytes, "each byte counted once");
  print_line("duplicated", use->duplicated_bytes, use->duplicated_bytes ? "adam dedupe makes one file of these:" : "");
  json_array_foreach(state->duplicates, i, group) {
    uint64_t bytes = (uint64_t)json_integer_value(json_object_get(group, "bytes"));
    json_array_foreach(json_object_get(group, "files"), k, file) print_line("", bytes, text_of(file, "path"));
  }
}

int am_du_command(const am_arguments *arguments) {
  am_progress progress = {0};
  adam_error error = {0};
  adam_disk_use use = {.struct_size = sizeof use};
  du_state state = {json_array(), json_array()};
  adam_stores_options options = am_stores_options(arguments, &progress);
  am_stores_begin(&progress, "reading");
  adam_status status = adam_models_disk_use(&options, on_store, on_duplicate, &state, &use, &error);
  status = am_stores_end(&progress, status, "adam du", &error);
  if (!status && arguments->is_set[AM_OPTION_JSON])
    status = am_reply_print(
        json_pack("{s:I, s:I, s:I, s:I, s:O, s:O}", "total_bytes", (json_int_t)use.total_bytes, "duplicated_bytes",
                  (json_int_t)use.duplicated_bytes, "disk_bytes", (json_int_t)use.disk_bytes, "n_files",
                  (json_int_t)use.n_files, "stores", state.stores, "duplicates", state.duplicates),
        &error);
  else if (!status)
    print_use(&state, &use);
  json_decref(state.stores);
  json_decref(state.duplicates);
  return am_exit_code(status, &error);
}

static bool on_step(void *user, const adam_dedupe_step *step) {
  json_t *steps = user;
  json_array_append_new(steps, json_pack("{s:o, s:o, s:I, s:o}", "kept", am_reply_string(step->kept), "replaced",
                                         am_reply_string(step->replaced), "bytes_freed", (json_int_t)step->bytes_freed,
                                         "skipped", am_reply_string(step->skipped)));
  return am_interrupt_pending();
}

static void print_steps(const json_t *steps, bool dry_run) {
  size_t i;
  json_t *step;
  json_array_foreach(steps, i, step) {
    const char *skipped = text_of(step, "skipped");
    const char *path = text_of(step, "replaced");
    am_output_text(*skipped ? "left alone " : dry_run ? "would link " : "linked     ");
    am_output_model_text(path, strlen(path));
    if (*skipped) {
      am_output_text(": ");
      am_output_model_text(skipped, strlen(skipped));
    }
    am_output_text("\n");
  }
}

int am_dedupe_command(const am_arguments *arguments) {
  am_progress progress = {0};
  adam_error error = {0};
  uint64_t freed = 0;
  json_t *steps = json_array();
  adam_stores_options options = am_stores_options(arguments, &progress);
  am_stores_begin(&progress, "comparing");
  adam_status status = adam_models_dedupe(&options, on_step, steps, &freed, &error);
  status = am_stores_end(&progress, status, "adam dedupe", &error);
  if (!status && arguments->is_set[AM_OPTION_JSON]) {
    status = am_reply_print(json_pack("{s:I, s:b, s:O}", "bytes_freed", (json_int_t)freed, "dry_run",
                                      options.dry_run, "files", steps),
                            &error);
  } else if (!status) {
    print_steps(steps, options.dry_run);
    print_line(options.dry_run ? "would free" : "freed", freed, "");
  }
  json_decref(steps);
  return am_exit_code(status, &error);
}

static void on_finding(void *user, const adam_finding *finding) {
  json_array_append_new(user, json_pack("{s:s, s:s, s:o, s:o, s:o, s:o}", "kind", finding->kind, "store",
                                        finding->store, "path", am_reply_string(finding->path), "digest",
                                        am_reply_string(finding->digest), "owner", am_reply_string(finding->owner),
                                        "source", am_reply_string(finding->source)));
}

static void print_findings(const json_t *findings, const adam_verification *v) {
  size_t i;
  json_t *finding;
  json_array_foreach(findings, i, finding) {
    const char *path = text_of(finding, "path"), *owner = text_of(finding, "owner");
    am_output_format("%-9s ", text_of(finding, "kind"));
    am_output_model_text(path, strlen(path));
    if (*owner) {
      am_output_text("  (");
      am_output_model_text(owner, strlen(owner));
      am_output_text(")");
    }
    am_output_text("\n");
  }
  char size[16];
  am_format_bytes(v->bytes_checked, size);
  am_output_format("%llu files, %s read: %llu damaged, %llu missing, %llu repaired, %llu unused\n",
                   (unsigned long long)v->n_checked, size, (unsigned long long)v->n_damaged,
                   (unsigned long long)v->n_missing, (unsigned long long)v->n_repaired,
                   (unsigned long long)v->n_unused);
}

int am_verify_command(const am_arguments *arguments) {
  am_progress progress = {0};
  adam_error error = {0};
  adam_verification v = {.struct_size = sizeof v};
  json_t *findings = json_array();
  const char *model = arguments->n_positional ? arguments->positional[0] : NULL;
  adam_stores_options options = am_stores_options(arguments, &progress);
  am_stores_begin(&progress, "verifying");
  adam_status status = adam_models_verify(&options, model, on_finding, findings, &v, &error);
  status = am_stores_end(&progress, status, "adam verify", &error);
  if (!status && arguments->is_set[AM_OPTION_JSON])
    status = am_reply_print(
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:O}", "checked", (json_int_t)v.n_checked, "bytes_checked",
                  (json_int_t)v.bytes_checked, "damaged", (json_int_t)v.n_damaged, "missing", (json_int_t)v.n_missing,
                  "repaired", (json_int_t)v.n_repaired, "unused", (json_int_t)v.n_unused, "findings", findings),
        &error);
  else if (!status)
    print_findings(findings, &v);
  json_decref(findings);
  if (!status && v.n_damaged + v.n_missing > 0)
    status = am_report_fill(&error, ADAM_DAMAGED, model ? model : "models", "pull or share them again",
                            "%llu files are damaged, %llu are missing", (unsigned long long)v.n_damaged,
                            (unsigned long long)v.n_missing);
  return am_exit_code(status, &error);
}

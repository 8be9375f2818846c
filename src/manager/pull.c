/* SPDX-License-Identifier: Apache-2.0 */
#include <adam/models.h>

#include "base/buf.h"
#include "base/mem.h"
#include "hub/pull.h"
#include "manager/manager.h"
#include "os/clock.h"
#include "presets/presets.h"
#include <adam/registry.h>
#include <stdio.h>
#include <string.h>

static char *dup_text(const char *text) { return am_mem_dup(text, strlen(text)); }

void adam_pull_result_close(adam_pull_result *result) {
  if (!result) return;
  am_mem_free(result->model);
  am_mem_free(result->path);
  am_mem_free(result->commit);
  am_mem_free(result->notice);
  *result = (adam_pull_result){0};
}

/* [hf:]ORG/NAME[@REVISION][:FILE-or-QUANT], or a preset. */
static adam_status pull_hub(const adam_pull_options *options, adam_pull_result *result, adam_error *error) {
  const char *what = options->model, *text = strncmp(what, "hf:", 3) ? what : what + 3;
  const am_preset *preset = strchr(text, '/') || text != what ? NULL : am_presets_find(text);
  if (preset && preset->path)
    return am_fail(error, ADAM_INVALID, what, NULL, "the preset is %s of this machine: it needs no download", preset->path);
  if (preset && !preset->huggingface)
    return am_fail(error, ADAM_NOT_FOUND, what, NULL, "the preset has no model on the Hugging Face Hub");
  char *repository = dup_text(preset ? preset->huggingface : text);
  if (!repository) return am_fail_memory(error, what);
  char *choice = strchr(repository, ':');
  if (choice) *choice++ = 0;
  char *revision = strchr(repository, '@');
  if (revision) *revision++ = 0;
  const char *renamed = am_presets_renamed(repository);
  am_hub_pull pull = {.what = what, .repository = renamed ? renamed : repository, .revision = revision,
                      .choice = choice, .options = options};
  am_buf notice = {0};
  if (renamed) am_buf_printf(&notice, "%s is %s on the Hub", repository, renamed);
  adam_status status = ADAM_OK;
  if (!*repository || (choice && !*choice) || (revision && !*revision))
    status = am_fail(error, ADAM_INVALID, what, NULL, "not of the form ORG/NAME[@REVISION][:FILE-or-QUANT]");
  if (!status) status = am_hub_pull_run(&pull, error);
  if (!status) {
    adam_pull_result r = {.model = dup_text(pull.repository), .path = pull.path, .commit = dup_text(pull.commit),
                          .n_files = pull.n_files, .bytes = pull.bytes, .received_bytes = pull.received_bytes,
                          .notice = renamed ? am_buf_take(&notice) : NULL};
    if (!r.model || !r.commit || (renamed && !r.notice)) {
      adam_pull_result_close(&r);
      status = am_fail_memory(error, what);
    } else {
      *result = r;
    }
  }
  am_buf_close(&notice);
  am_mem_free(repository);
  return status;
}

/* The layers that a backend told of, as files. */
typedef struct layers {
  const adam_pull_options *options;
  adam_pull_file *rows; /* owned; so are the names */
  size_t n;
  uint64_t begun_bytes; /* done when the first step came */
  double begun_ms;
  bool failed; /* memory is out */
} layers;

static adam_pull_file *find_layer(layers *l, const char *name) {
  for (size_t i = 0; i < l->n; i++)
    if (!strcmp(l->rows[i].name, name)) return &l->rows[i];
  adam_pull_file *rows = am_mem_resize(l->rows, l->n + 1, sizeof *rows);
  if (rows) l->rows = rows;
  char *copy = rows ? dup_text(name) : NULL;
  if (!copy) return NULL;
  rows[l->n] = (adam_pull_file){.name = copy};
  return &rows[l->n++];
}

static bool on_step(void *user, const adam_backend_step *step) {
  layers *l = user;
  if (step->item && step->total) {
    adam_pull_file *row = find_layer(l, step->item);
    l->failed = !row;
    if (!row) return true;
    if (!row->bytes) l->begun_bytes += step->done;
    row->bytes = step->total;
    row->done_bytes = step->done;
    row->state = step->done < step->total ? ADAM_PULL_FETCHING : ADAM_PULL_DONE;
  }
  adam_pull_progress progress = {.struct_size = sizeof progress, .model = l->options->model,
                                 .note = step->item ? NULL : step->text, .files = l->rows, .n_files = l->n};
  for (size_t i = 0; i < l->n; i++) {
    progress.bytes += l->rows[i].bytes;
    progress.done_bytes += l->rows[i].done_bytes;
  }
  progress.received_bytes = progress.done_bytes > l->begun_bytes ? progress.done_bytes - l->begun_bytes : 0;
  double ms = am_clock_ms() - l->begun_ms;
  if (ms > 500) progress.bytes_per_second = (double)progress.received_bytes / ms * 1000;
  return l->options->on_progress && l->options->on_progress(l->options->user, &progress);
}

/* NAME:rest for a backend that keeps its models itself. */
static adam_status pull_backend(const adam_backend_ops *ops, const char *name, const adam_pull_options *options,
                                adam_pull_result *result, adam_error *error) {
  if (!ops->pull)
    return am_fail(error, ADAM_UNSUPPORTED, options->model, NULL, "the backend %s has nothing to download", ops->name);
  if (options->offline)
    return am_fail(error, ADAM_INVALID, options->model, NULL, "--offline and a model that %s fetches", ops->name);
  const adam_model_options o = {.struct_size = sizeof o, .ollama_host = options->ollama_host,
                                .start_server = options->start_server};
  layers l = {.options = options, .begun_ms = am_clock_ms()};
  adam_status status = ops->pull(ops->context, name, &o, on_step, &l, error);
  if (l.failed) status = am_fail_memory(error, options->model);
  adam_pull_result r = {.n_files = l.n};
  for (size_t i = 0; i < l.n; i++) {
    r.bytes += l.rows[i].bytes;
    am_mem_free((void *)(uintptr_t)l.rows[i].name);
  }
  r.received_bytes = r.bytes > l.begun_bytes ? r.bytes - l.begun_bytes : 0;
  am_mem_free(l.rows);
  if (!status && !(r.model = dup_text(options->model))) status = am_fail_memory(error, options->model);
  if (!status) *result = r;
  return status;
}

static adam_status fail_name(const char *text, adam_error *error) {
  const char *near[1];
  char hint[128];
  bool known = am_presets_nearest(text, near, 1) == 1;
  snprintf(hint, sizeof hint, known ? "did you mean %s?" : "a Hub model is ORG/NAME%s", known ? near[0] : "");
  return am_fail(error, ADAM_NOT_FOUND, text, hint, "no preset has this name");
}

adam_status adam_pull(const adam_pull_options *options, adam_pull_result *result, adam_error *error) {
  adam_pull_options o = {0};
  adam_status status = am_manager_copy(options, &o, sizeof o, "adam_pull_options", error);
  if (!status) status = am_presets_load(NULL, error);
  if (status) return status;
  const char *text = o.model;
  if (!text || !*text) return am_fail(error, ADAM_INVALID, "model", NULL, "the name is empty");
  size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-");
  if (text[n] == ':' && strncmp(text, "hf:", 3) != 0 && n < 64) {
    char name[64];
    memcpy(name, text, n);
    name[n] = 0;
    const adam_backend_ops *ops = adam_backend_find(name);
    if (ops && strcmp(name, "huggingface") != 0) return pull_backend(ops, text + n + 1, &o, result, error);
    if (!ops && !strchr(text, '/'))
      return am_fail(error, ADAM_UNAVAILABLE, text, "adam backends lists what is",
                     "the backend %s is not built into this version", name);
  }
  if (strchr("/.~", *text))
    return am_fail(error, ADAM_INVALID, text, "a Hub model is ORG/NAME", "a file or folder needs no download");
  if (!strcmp(text, "demo"))
    return am_fail(error, ADAM_INVALID, text, NULL, "the model ships with adam: there is nothing to download");
  if (strncmp(text, "hf:", 3) != 0 && !strchr(text, '/') && !am_presets_find(text)) return fail_name(text, error);
  return pull_hub(&o, result, error);
}

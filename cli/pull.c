/* SPDX-License-Identifier: Apache-2.0 */
/* adam pull: download models. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "commands.h"
#include "format.h"
#include "interrupt.h"
#include "output.h"
#include "pull_view.h"
#include "reply.h"
#include "report.h"

/* One model on its way. */
typedef struct watcher {
  am_pull_view view;
  bool json, quiet;
  adam_pull_state *told; /* of each file, as the last event said; owned */
  size_t n_told;
  double told_ms;
} watcher;

static double now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1000 + (double)now.tv_nsec / 1e6;
}

static void print_event(json_t *event) {
  adam_error ignored = {0}; /* a reader that left is noticed when the program ends */
  if (event) (void)am_reply_print(event, &ignored);
}

static const char *state_name(adam_pull_state state) {
  static const char *const names[] = {"pending", "fetching", "locked", "checking", "present", "done"};
  return names[state];
}

/* A file event for each change of state, a progress event each half second. */
static void print_events(watcher *w, const adam_pull_progress *p) {
  if (p->n_files > w->n_told) {
    adam_pull_state *told = realloc(w->told, p->n_files * sizeof *told);
    if (!told) return;
    for (size_t i = w->n_told; i < p->n_files; i++) told[i] = ADAM_PULL_PENDING;
    w->told = told;
    w->n_told = p->n_files;
  }
  for (size_t i = 0; i < p->n_files; i++) {
    const adam_pull_file *f = &p->files[i];
    if (w->told[i] == f->state) continue;
    w->told[i] = f->state;
    print_event(json_pack("{s:s, s:o, s:o, s:I, s:I, s:s}", "event", "file", "model", am_reply_string(p->model),
                          "name", am_reply_string(f->name), "bytes", (json_int_t)f->bytes, "done_bytes",
                          (json_int_t)f->done_bytes, "state", state_name(f->state)));
  }
  double now = now_ms();
  if (now - w->told_ms < 500 && !(p->bytes && p->done_bytes == p->bytes)) return;
  w->told_ms = now;
  double rate = p->bytes_per_second;
  json_t *eta = rate >= 1 && p->bytes ? json_real((double)(p->bytes - p->done_bytes) / rate) : json_null();
  print_event(json_pack("{s:s, s:o, s:I, s:I, s:I, s:f, s:o, s:o}", "event", "progress", "model",
                        am_reply_string(p->model), "bytes", (json_int_t)p->bytes, "done_bytes",
                        (json_int_t)p->done_bytes, "received_bytes", (json_int_t)p->received_bytes,
                        "bytes_per_second", rate, "eta_s", eta, "note", am_reply_string(p->note)));
}

static bool on_pull(void *user, const adam_pull_progress *progress) {
  watcher *w = user;
  if (w->json)
    print_events(w, progress);
  else if (!w->quiet)
    am_pull_view_show(&w->view, progress);
  return am_interrupt_pending();
}

static void print_result(const watcher *w, const char *ref, const adam_pull_result *r, double seconds,
                         bool with_path) {
  char size[16], received[16], duration[32];
  if (w->json) {
    print_event(json_pack("{s:s, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:f, s:o}", "event", "done", "model",
                          am_reply_string(ref), "name", am_reply_string(r->model), "path", am_reply_string(r->path),
                          "commit", am_reply_string(r->commit), "files", (json_int_t)r->n_files, "bytes",
                          (json_int_t)r->bytes, "received_bytes", (json_int_t)r->received_bytes, "seconds", seconds,
                          "notice", am_reply_string(r->notice)));
    return;
  }
  am_format_bytes(r->bytes, size);
  am_format_bytes(r->received_bytes, received);
  am_pull_duration(seconds, duration);
  if (r->n_files && !w->quiet)
    am_report_line("%s: %llu files, %s; %s received in %s", ref, (unsigned long long)r->n_files, size, received,
                   duration);
  if (r->path && with_path) {
    am_output_model_text(r->path, strlen(r->path));
    am_output_text("\n");
  }
}

/* Where the pull is the command itself, its answer goes to standard output; else all is for the person. */
adam_status am_pull_model(const am_arguments *arguments, const char *ref, adam_error *error) {
  bool is_command = arguments->command == AM_COMMAND_PULL;
  watcher w = {.json = is_command && arguments->is_set[AM_OPTION_JSON],
               .quiet = is_command && arguments->is_set[AM_OPTION_QUIET]};
  adam_pull_result result = {0};
  const adam_pull_options options = {
      .struct_size = sizeof options,
      .model = ref,
      .cache_dir = arguments->text[AM_OPTION_CACHE_DIR],
      .offline = arguments->is_set[AM_OPTION_OFFLINE],
      .ollama_host = arguments->text[AM_OPTION_OLLAMA_HOST],
      .start_server = arguments->is_set[AM_OPTION_START],
      .on_progress = on_pull,
      .user = &w,
  };
  double begun = now_ms();
  am_interrupt_begin();
  am_pull_view_begin(&w.view);
  adam_status status = adam_pull(&options, &result, error);
  am_pull_view_end(&w.view);
  am_interrupt_end();
  free(w.told);
  if (status == ADAM_OK) {
    if (result.notice && !w.json && !w.quiet)
      am_report_notice(&(adam_notice){.code = "renamed", .text = result.notice, .level = ADAM_NOTICE_INFO});
    print_result(&w, ref, &result, (now_ms() - begun) / 1000, is_command);
  } else if (w.json) {
    print_event(json_pack("{s:s, s:o, s:s, s:o, s:o}", "event", "error", "model", am_reply_string(ref), "status",
                          adam_status_name(status), "why", am_reply_string(error->why), "hint",
                          am_reply_string(error->hint)));
  }
  adam_pull_result_close(&result);
  return status;
}

/* All of them, also behind one that failed; the exit code is the first failure's. */
int am_pull_command(const am_arguments *arguments) {
  int code = 0;
  for (size_t i = 0; i < arguments->n_positional; i++) {
    adam_error error = {0};
    adam_status status = am_pull_model(arguments, arguments->positional[i], &error);
    int one = am_exit_code(status, &error);
    if (code == 0) code = one;
    if (status == ADAM_CANCELLED) break;
  }
  return code;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/download.h"

#include "base/mem.h"
#include "hub/job.h"
#include "os/clock.h"
#include "os/file.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

enum { DEFAULT_CONNECTIONS = 8, MAX_CONNECTIONS = 64, STEP_MS = 100, N_SAMPLES = 50 };

void am_job_fail(am_job *job, adam_status status, const adam_error *error) {
  am_mutex_lock(&job->lock);
  if (!job->status) {
    job->status = status;
    job->error = *error;
  }
  atomic_store(&job->stop, true);
  am_cond_broadcast(&job->changed);
  am_mutex_unlock(&job->lock);
}

static bool is_stopped(void *user) { return atomic_load(&((am_job *)user)->stop); }

/* A fetching thread pauses. */
static void on_wait(void *user, const char *why, double wait_ms) {
  am_job *job = user;
  am_mutex_lock(&job->lock);
  if (wait_ms >= 1500)
    snprintf(job->note, sizeof job->note, "%s: %.0f s", why, wait_ms / 1000);
  else
    snprintf(job->note, sizeof job->note, "%s", why);
  job->note_until_ms = am_clock_ms() + wait_ms;
  am_mutex_unlock(&job->lock);
}

/* Bytes that a file still takes on disk: what its unfinished file holds counts as there. */
static uint64_t missing_bytes(const am_job_file *f) {
  uint64_t bytes = f->item->file->bytes, size = 0;
  char name[4096];
  struct stat facts;
  if (am_file_size(f->blob, &size) && size == bytes) return 0;
  snprintf(name, sizeof name, "%s.ada0ada0.incomplete", f->blob);
  if (stat(name, &facts) != 0) return bytes;
  uint64_t held = (uint64_t)facts.st_blocks * 512;
  return held < bytes ? bytes - held : 0;
}

static adam_status check_disk(const am_job *job, adam_error *error) {
  const am_hub_layout *layout = job->download->layout;
  struct statvfs facts;
  uint64_t missing = 0;
  for (size_t i = 0; i < job->n_files; i++) {
    uint64_t bytes = missing_bytes(&job->files[i]);
    missing = missing > UINT64_MAX - bytes ? UINT64_MAX : missing + bytes;
  }
  if (statvfs(layout->folder, &facts) != 0) return ADAM_OK; /* nobody knows; a full disk is seen later */
  uint64_t free_bytes = (uint64_t)facts.f_bavail * (uint64_t)facts.f_frsize;
  if (missing <= free_bytes) return ADAM_OK;
  return am_fail(error, ADAM_IO, job->download->subject->what,
                 "free some space, or name a folder on another disk by --cache-dir or HF_HUB_CACHE",
                 "the disk has no room: %.1f MB are to come and %.1f MB are free in %.200s", (double)missing / 1e6,
                 (double)free_bytes / 1e6, layout->cache);
}

static adam_status prepare(am_job *job, adam_error *error) {
  am_hub_download *d = job->download;
  job->files = am_mem_zalloc(d->n_items + 1, sizeof *job->files);
  if (!job->files) return am_fail_memory(error, d->subject->what);
  job->n_files = job->n_left = d->n_items;
  for (size_t i = 0; i < d->n_items; i++) {
    am_job_file *f = &job->files[i];
    f->item = &d->items[i];
    f->partial.fd = -1;
    f->blob = am_hub_layout_blob(d->layout, f->item->file->etag);
    if (!f->blob) return am_fail_memory(error, d->subject->what);
  }
  return check_disk(job, error);
}

static adam_pull_state state_of(const am_job_file *f) {
  switch (f->state) {
    case AM_JOB_PENDING: return f->retry_at_ms > 0 ? ADAM_PULL_LOCKED : ADAM_PULL_PENDING;
    case AM_JOB_OPENING: return ADAM_PULL_PENDING;
    case AM_JOB_FETCHING: return f->n_free + f->n_flying > 0 ? ADAM_PULL_FETCHING : ADAM_PULL_CHECKING;
    case AM_JOB_PRESENT: return ADAM_PULL_PRESENT;
    case AM_JOB_DONE: return ADAM_PULL_DONE;
  }
  return ADAM_PULL_PENDING;
}

/* What the progress callback is told; lives on the calling thread. */
typedef struct reporter {
  adam_pull_file *rows; /* owned */
  uint64_t samples[N_SAMPLES];
  double times_ms[N_SAMPLES];
  size_t n_samples;
} reporter;

/* Bytes per second over the samples kept, which are the last few seconds. */
static double rate(reporter *r, uint64_t received) {
  size_t at = r->n_samples++ % N_SAMPLES;
  double now = am_clock_ms();
  r->samples[at] = received;
  r->times_ms[at] = now;
  size_t oldest = r->n_samples > N_SAMPLES ? r->n_samples % N_SAMPLES : 0;
  double ms = now - r->times_ms[oldest];
  return ms > 200 ? (double)(received - r->samples[oldest]) / ms * 1000 : 0;
}

static void report(am_job *job, reporter *r) {
  am_hub_download *d = job->download;
  char note[sizeof job->note];
  adam_pull_progress progress = {.struct_size = sizeof progress, .model = d->subject->what, .files = r->rows,
                                 .n_files = job->n_files};
  if (!d->on_progress) return;
  am_mutex_lock(&job->lock);
  for (size_t i = 0; i < job->n_files; i++) {
    const am_job_file *f = &job->files[i];
    r->rows[i] = (adam_pull_file){f->item->file->path, f->item->file->bytes, atomic_load(&f->done_bytes), state_of(f)};
    progress.bytes += r->rows[i].bytes;
    progress.done_bytes += r->rows[i].done_bytes;
  }
  memcpy(note, job->note, sizeof note);
  bool waits = am_clock_ms() < job->note_until_ms;
  am_mutex_unlock(&job->lock);
  progress.received_bytes = atomic_load(&job->received_bytes);
  progress.bytes_per_second = rate(r, progress.received_bytes);
  progress.note = waits ? note : NULL;
  if (d->on_progress(d->user, &progress)) {
    am_mutex_lock(&job->lock);
    job->cancelled = true;
    atomic_store(&job->stop, true);
    am_cond_broadcast(&job->changed);
    am_mutex_unlock(&job->lock);
  }
}

/* Until nothing is left or the job stops: tells how far it is. */
static void watch(am_job *job, reporter *r) {
  for (bool left = true; left && !atomic_load(&job->stop);) {
    report(job, r);
    double until = am_clock_ms() + STEP_MS;
    am_mutex_lock(&job->lock);
    while ((left = job->n_left > 0) && !atomic_load(&job->stop) && am_clock_ms() < until)
      am_cond_wait_ms(&job->changed, &job->lock, STEP_MS);
    am_mutex_unlock(&job->lock);
  }
  if (!atomic_load(&job->stop)) report(job, r);
}

static adam_status run_threads(am_job *job, adam_error *error) {
  am_thread threads[MAX_CONNECTIONS + 1];
  reporter r = {.rows = am_mem_zalloc(job->n_files + 1, sizeof *r.rows)};
  size_t n = 0;
  if (!r.rows) return am_fail_memory(error, job->download->subject->what);
  for (; n <= job->download->n_connections; n++)
    if (!am_thread_start(&threads[n], n == 0 ? am_job_check : am_job_fetch, job)) break;
  if (n < 2) {
    am_fail(error, ADAM_NO_MEMORY, job->download->subject->what, NULL, "no thread could be started");
    am_job_fail(job, ADAM_NO_MEMORY, error);
  } else {
    watch(job, &r);
  }
  for (size_t i = 0; i < n; i++) am_thread_join(&threads[i]);
  am_mem_free(r.rows);
  return ADAM_OK;
}

adam_status am_hub_download_run(am_hub_download *download, adam_error *error) {
  am_job job = {.download = download, .remote = *download->remote};
  uint32_t n = download->n_connections;
  download->n_connections = n == 0 ? DEFAULT_CONNECTIONS : n > MAX_CONNECTIONS ? MAX_CONNECTIONS : n;
  download->received_bytes = 0;
  job.remote.cancelled = is_stopped;
  job.remote.on_wait = on_wait;
  job.remote.user = &job;
  if (!am_mutex_open(&job.lock)) return am_fail_memory(error, download->subject->what);
  if (!am_cond_open(&job.changed)) {
    am_mutex_close(&job.lock);
    return am_fail_memory(error, download->subject->what);
  }
  adam_status status = prepare(&job, error);
  if (!status) status = run_threads(&job, error);
  if (!status && job.cancelled)
    status = am_fail(error, ADAM_CANCELLED, download->subject->what, "what came is kept: call again to go on",
                     "cancelled");
  else if (!status && job.status) {
    status = job.status;
    if (error) *error = job.error;
  }
  download->received_bytes = atomic_load(&job.received_bytes);
  for (size_t i = 0; i < job.n_files; i++) {
    am_job_close_file(&job.files[i]);
    am_mem_free(job.files[i].blob);
    am_mem_free(job.files[i].route);
  }
  am_mem_free(job.files);
  am_cond_close(&job.changed);
  am_mutex_close(&job.lock);
  return status;
}

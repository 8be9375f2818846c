/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that follows the fetching ones: digests the complete cells in order, compares, gives names. */
#include "hub/job.h"

#include "base/mem.h"
#include "os/clock.h"
#include "os/file.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { POLL_MS = 100 };

/* A file whose next cell is here, or whose cells are all checked. */
static am_job_file *find_file(am_job *job) {
  for (size_t i = 0; i < job->n_files; i++) {
    am_job_file *f = &job->files[i];
    if (f->state != AM_JOB_FETCHING) continue;
    if (f->n_checked == f->partial.n_cells ? f->n_tasks == 0 : f->cells[f->n_checked] == AM_CELL_HERE) return f;
  }
  return NULL;
}

static adam_status begin_digest(am_job_file *f, adam_error *error) {
  char head[40];
  if (f->sha256 || f->sha1) return ADAM_OK;
  bool begun;
  if (strlen(f->item->file->etag) == 64) {
    f->sha256 = am_sha256_open();
    begun = f->sha256 != NULL;
  } else { /* git's name of a blob: "blob LENGTH", a NUL, the content */
    int n = snprintf(head, sizeof head, "blob %" PRIu64, f->item->file->bytes);
    f->sha1 = am_sha1_open();
    begun = f->sha1 && am_sha1_update(f->sha1, head, (size_t)n + 1);
  }
  return begun ? ADAM_OK : am_fail_memory(error, f->item->file->path);
}

/* Digests the next cell. buffer: of cell_bytes. */
static adam_status check_cell(am_job_file *f, void *buffer, adam_error *error) {
  size_t n = (size_t)am_hub_partial_cell_bytes(&f->partial, f->n_checked);
  adam_status status = begin_digest(f, error);
  if (!status)
    status = am_hub_partial_read(&f->partial, (uint64_t)f->n_checked * f->partial.cell_bytes, buffer, n, error);
  if (status) return status;
  bool updated = f->sha256 ? am_sha256_update(f->sha256, buffer, n) : am_sha1_update(f->sha1, buffer, n);
  return updated ? ADAM_OK : am_fail(error, ADAM_FAILED, f->item->file->path, NULL, "the digest cannot be computed");
}

static bool digest_fits(am_job_file *f) {
  uint8_t raw[32];
  char hex[65];
  bool done = f->sha256 ? am_sha256_final(f->sha256, raw) : am_sha1_final(f->sha1, raw);
  am_hex(raw, f->sha256 ? 32 : 20, hex);
  return done && strcmp(hex, f->item->file->etag) == 0;
}

/* Wrong content that an earlier call began: from the start, once. */
static adam_status begin_again(am_job *job, am_job_file *f, adam_error *error) {
  adam_status status = am_hub_partial_reset(&f->partial, error);
  if (status) return status;
  am_sha256_close(&f->sha256);
  am_sha1_close(&f->sha1);
  am_mutex_lock(&job->lock);
  memset(f->cells, AM_CELL_FREE, f->partial.n_cells);
  f->n_free = f->partial.n_cells;
  f->next_free = f->n_checked = 0;
  f->resumed = false;
  atomic_store(&f->done_bytes, 0);
  am_cond_broadcast(&job->changed);
  am_mutex_unlock(&job->lock);
  return ADAM_OK;
}

static adam_status finish_file(am_job *job, am_job_file *f, adam_error *error) {
  adam_status status = begin_digest(f, error); /* a file of 0 bytes had no cell */
  if (status) return status;
  if (!digest_fits(f)) {
    if (f->resumed) return begin_again(job, f, error);
    am_hub_partial_close(&f->partial, true);
    return am_fail(error, ADAM_DAMAGED, job->download->subject->what,
                   "nothing of the file was kept; if it happens again, ask who runs the server",
                   "the bytes of %.100s do not have the digest that the server lists", f->item->file->path);
  }
  status = am_hub_partial_publish(&f->partial, f->blob, error);
  if (status) return status;
  am_job_close_file(f);
  am_mutex_lock(&job->lock);
  f->state = AM_JOB_DONE;
  f->item->fresh = true;
  job->n_left--;
  am_cond_broadcast(&job->changed);
  am_mutex_unlock(&job->lock);
  return ADAM_OK;
}

void *am_job_check(void *argument) {
  am_job *job = argument;
  void *buffer = NULL;
  size_t capacity = 0;
  for (;;) {
    am_job_file *f = NULL;
    am_mutex_lock(&job->lock);
    while (job->n_left > 0 && !atomic_load(&job->stop) && !(f = find_file(job)))
      am_cond_wait_ms(&job->changed, &job->lock, POLL_MS);
    am_mutex_unlock(&job->lock);
    if (!f) break;
    adam_error error = {0};
    adam_status status = ADAM_OK;
    bool finished = f->n_checked == f->partial.n_cells;
    if (!finished && f->partial.cell_bytes > capacity) {
      am_mem_free(buffer);
      capacity = (size_t)f->partial.cell_bytes;
      buffer = am_mem_alloc(capacity);
      if (!buffer) status = am_fail_memory(&error, f->item->file->path);
    }
    if (!status) status = finished ? finish_file(job, f, &error) : check_cell(f, buffer, &error);
    if (status) {
      am_job_fail(job, status, &error);
      break;
    }
    if (!finished) f->n_checked++;
  }
  am_mem_free(buffer);
  return NULL;
}

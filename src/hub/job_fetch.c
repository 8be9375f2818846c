/* SPDX-License-Identifier: Apache-2.0 */
/* The threads that fetch: which range is next, and its way into the unfinished file. */
#include "hub/job.h"

#include "base/mem.h"
#include "hub/local.h"
#include "os/clock.h"
#include "os/file.h"
#include <string.h>

enum { LEAST_CELLS = 4, MOST_CELLS = 16, POLL_MS = 100, BUSY_MS = 200, MAX_EXPIRED = 5 };
enum { MOVED_BYTES = 16384 }; /* so much in one attempt makes the earlier failures forgotten */
/* libcurl hands over 16 KiB at a time, and threads that write one file wait for each other at each write. */
enum { PENDING_BYTES = 256 << 10 };
enum { LOCAL_BYTES = 65536 }; /* smaller files are fetched faster than looked for */

/* Cells [first, end) of one file, on their way. */
typedef struct task {
  am_job *job;
  am_job_file *file;
  uint32_t first, end;
  bool whole;
  uint64_t at;       /* next byte of the file that is expected */
  char *pending;     /* the thread's: bytes right before `at` that are not written yet; of one cell */
  size_t n_pending;
  uint64_t furthest; /* of all attempts */
  adam_status status; /* of writing */
  adam_error error;
} task;

/* A run of free cells: long in the middle of a file, shorter near its end, so that all threads end together. */
static bool take_cells(am_job *job, am_job_file *f, task *t) {
  uint32_t n = f->partial.n_cells;
  if (f->n_free == 0 || (f->no_ranges && f->n_flying > 0)) return false;
  uint32_t connections = job->download->n_connections;
  uint32_t most = f->n_free / (2 * connections);
  most = most < LEAST_CELLS ? LEAST_CELLS : most > MOST_CELLS ? MOST_CELLS : most;
  while (f->next_free < n && f->cells[f->next_free] != AM_CELL_FREE) f->next_free++;
  *t = (task){.job = job, .file = f, .first = f->next_free, .whole = f->no_ranges || n <= LEAST_CELLS};
  if (t->whole && f->n_free == n) {
    t->first = 0;
    t->end = n;
  } else if (f->no_ranges) { /* from the start again; what is here is not written twice */
    t->first = 0;
    t->end = n;
  } else {
    t->whole = false;
    t->end = t->first;
    while (t->end < n && t->end - t->first < most && f->cells[t->end] == AM_CELL_FREE) t->end++;
  }
  for (uint32_t i = t->first; i < t->end; i++) {
    if (f->cells[i] != AM_CELL_FREE) continue;
    f->cells[i] = AM_CELL_FLYING;
    f->n_free--;
    f->n_flying++;
  }
  f->n_tasks++;
  return true;
}

/* The next piece of work: a range of an open file, else the opening of the next one. false: nothing now. */
static bool find_work(am_job *job, task *t) {
  for (size_t i = 0; i < job->n_files; i++)
    if (job->files[i].state == AM_JOB_FETCHING && take_cells(job, &job->files[i], t)) return true;
  double now = am_clock_ms();
  for (size_t i = 0; i < job->n_files; i++) {
    am_job_file *f = &job->files[i];
    if (f->state != AM_JOB_PENDING || f->retry_at_ms > now) continue;
    f->state = AM_JOB_OPENING;
    *t = (task){.job = job, .file = f};
    return true;
  }
  return false;
}

static bool next_task(am_job *job, task *t) {
  bool found = false;
  am_mutex_lock(&job->lock);
  while (job->n_left > 0 && !atomic_load(&job->stop) && !(found = find_work(job, t)))
    am_cond_wait_ms(&job->changed, &job->lock, POLL_MS);
  am_mutex_unlock(&job->lock);
  return found;
}

/* The cell is complete: on disk, in the bitmap, and for the checking thread. */
static adam_status finish_cell(am_job *job, am_job_file *f, uint32_t cell, adam_error *error) {
  adam_status status = am_hub_partial_mark(&f->partial, cell, error);
  if (status) return status;
  am_mutex_lock(&job->lock);
  if (f->cells[cell] == AM_CELL_FLYING) f->n_flying--;
  f->cells[cell] = AM_CELL_HERE;
  am_cond_broadcast(&job->changed);
  am_mutex_unlock(&job->lock);
  return ADAM_OK;
}

static void flush(task *t) {
  if (t->n_pending > 0 && !t->status)
    t->status = am_hub_partial_write(&t->file->partial, t->at - t->n_pending, t->pending, t->n_pending, &t->error);
  t->n_pending = 0;
}

/* Bytes in order: into their cells, except into those that are complete. true = stop. */
static bool on_bytes(void *user, const void *bytes, size_t n_bytes) {
  task *t = user;
  am_hub_partial *p = &t->file->partial;
  const char *from = bytes;
  atomic_fetch_add(&t->job->received_bytes, n_bytes);
  while (n_bytes > 0 && !t->status) {
    uint32_t cell = (uint32_t)(t->at / p->cell_bytes);
    uint64_t end = (uint64_t)cell * p->cell_bytes + am_hub_partial_cell_bytes(p, cell);
    size_t n = end - t->at < n_bytes ? (size_t)(end - t->at) : n_bytes;
    bool have = am_hub_partial_has(p, cell);
    if (have) {
      t->n_pending = 0;
    } else {
      if (n > PENDING_BYTES - t->n_pending) n = PENDING_BYTES - t->n_pending;
      memcpy(t->pending + t->n_pending, from, n);
      t->n_pending += n;
      atomic_fetch_add(&t->file->done_bytes, n);
    }
    t->at += n;
    from += n;
    n_bytes -= n;
    if (t->n_pending == PENDING_BYTES || t->at == end) flush(t);
    if (t->at == end && !have && !t->status) t->status = finish_cell(t->job, t->file, cell, &t->error);
  }
  if (t->at > t->furthest) t->furthest = t->at;
  return t->status || atomic_load(&t->job->stop);
}

/* Gives cells back that did not get complete. The file may be closed after this. */
static void release_cells(task *t) {
  am_job *job = t->job;
  am_job_file *f = t->file;
  uint64_t lost = 0;
  am_mutex_lock(&job->lock);
  for (uint32_t i = t->first; i < t->end; i++) {
    if (f->cells[i] != AM_CELL_FLYING) continue;
    uint64_t start = (uint64_t)i * f->partial.cell_bytes;
    if (t->at > start && t->at - start < f->partial.cell_bytes) lost = t->at - start;
    f->cells[i] = AM_CELL_FREE;
    f->n_free++;
    f->n_flying--;
    if (i < f->next_free) f->next_free = i;
  }
  atomic_fetch_sub(&f->done_bytes, lost);
  f->n_tasks--;
  am_cond_broadcast(&job->changed);
  am_mutex_unlock(&job->lock);
}

static char *borrow_route(am_job *job, am_job_file *f) {
  am_mutex_lock(&job->lock);
  char *route = f->route ? am_mem_dup(f->route, strlen(f->route)) : NULL;
  am_mutex_unlock(&job->lock);
  return route;
}

/* Keeps a new address that works. expired: `used` no longer does; it is forgotten, unless another thread has a newer
 * one by now. */
static void keep_route(am_job *job, am_job_file *f, const char *used, char **fresh, bool expired) {
  am_mutex_lock(&job->lock);
  if (expired ? used && f->route && strcmp(f->route, used) == 0 : *fresh != NULL) {
    am_mem_free(f->route);
    f->route = expired ? NULL : *fresh;
    if (!expired) *fresh = NULL;
  }
  am_mutex_unlock(&job->lock);
}

/* The whole file comes again: what came of a cell that is not complete does not count. */
static void rewind_whole(task *t) {
  const am_hub_partial *p = &t->file->partial;
  if (t->at < p->bytes && !am_hub_partial_has(p, (uint32_t)(t->at / p->cell_bytes)))
    atomic_fetch_sub(&t->file->done_bytes, t->at % p->cell_bytes);
  t->at = 0;
}

/* One attempt at what is left of the task. *again: worth another one, at once or after a pause. */
static adam_status attempt(task *t, am_hub_tries *tries, uint32_t *n_expired, bool *again, adam_error *error) {
  am_job *job = t->job;
  am_job_file *f = t->file;
  am_hub_subject subject = *job->download->subject;
  subject.path = f->item->file->path;
  char *route = borrow_route(job, f);
  if (t->whole) rewind_whole(t);
  uint64_t before = t->furthest, end = t->end == f->partial.n_cells ? f->partial.bytes : t->end * f->partial.cell_bytes;
  am_hub_fetch fetch = {.remote = &job->remote, .subject = &subject, .file = f->item->file, .route = route,
                        .first = t->at, .end = end, .whole = t->whole, .on_bytes = on_bytes, .user = t};
  adam_status status = am_hub_fetch_range(&fetch, error);
  flush(t);
  bool moved = t->furthest - before >= MOVED_BYTES, finished = t->at >= end;
  if (moved) *tries = (am_hub_tries){0}, *n_expired = 0;
  keep_route(job, f, route, &fetch.new_route, fetch.answer == AM_HUB_EXPIRED);
  *again = false;
  if (t->status) {
    status = t->status;
    *error = t->error;
  } else if (finished) {
    status = ADAM_OK;
  } else if (status) {
    *again = (status == ADAM_FAILED || status == ADAM_UNAVAILABLE) &&
             am_hub_try_again(&job->remote, tries, NULL, status);
  } else if (fetch.answer == AM_HUB_CAME) { /* a short answer without a fault; without any byte it is one */
    *again = moved || am_hub_try_again(&job->remote, tries, NULL, ADAM_FAILED);
    if (!*again)
      status = am_fail(error, ADAM_FAILED, subject.what, "call again: what came is kept",
                       "the server ends %.100s too early", subject.path);
  } else if (fetch.answer == AM_HUB_EXPIRED) {
    *again = ++*n_expired < MAX_EXPIRED;
    if (!*again)
      status = am_fail(error, ADAM_FAILED, subject.what, "is the clock of this machine right?",
                       "the download server refuses fresh signed addresses of %.100s (403)", subject.path);
  } else if (fetch.answer == AM_HUB_NO_RANGES) {
    am_mutex_lock(&job->lock);
    f->no_ranges = true;
    am_mutex_unlock(&job->lock);
  } else if (fetch.response.status == 416) {
    status = am_fail(error, ADAM_DAMAGED, subject.what, NULL, "the server has fewer bytes of %.100s than it lists",
                     subject.path);
  } else {
    *again = am_hub_try_again(&job->remote, tries, &fetch.response, ADAM_OK);
    if (!*again) status = am_hub_refused(&job->remote, &subject, &fetch.response, error);
  }
  if (status == ADAM_FAILED && *error->hint == 0) /* the transport's words, and what to do */
    am_fail(error, status, subject.what, "call again: what came is kept", "%s", error->why);
  am_hub_fetch_close(&fetch);
  am_mem_free(route);
  return status;
}

static void run_task(task *t) {
  am_job *job = t->job;
  am_hub_tries tries = {0};
  adam_error error = {0};
  uint32_t n_expired = 0;
  bool again = true;
  adam_status status = ADAM_OK;
  t->at = t->furthest = (uint64_t)t->first * t->file->partial.cell_bytes;
  while (again && !atomic_load(&job->stop)) status = attempt(t, &tries, &n_expired, &again, &error);
  release_cells(t);
  if (status && !again && !atomic_load(&job->stop)) am_job_fail(job, status, &error);
}

static void run_opening(am_job *job, am_job_file *f) {
  adam_error error = {0};
  adam_status status = am_job_open_file(job, f, &error);
  if (status) am_job_fail(job, status, &error);
}

void *am_job_fetch(void *argument) {
  am_job *job = argument;
  char *pending = am_mem_alloc(PENDING_BYTES);
  task t;
  if (!pending) {
    adam_error error = {0};
    am_job_fail(job, am_fail_memory(&error, job->download->subject->what), &error);
  }
  while (pending && next_task(job, &t)) {
    t.pending = pending;
    if (t.end == 0)
      run_opening(job, t.file);
    else
      run_task(&t);
  }
  am_mem_free(pending);
  return NULL;
}

/* The cells that an earlier call left, and the work that remains. With the lock of the digest, without job->lock. */
static adam_status begin_file(am_job_file *f, bool unique, adam_error *error) {
  const am_hub_file *file = f->item->file;
  adam_status status = am_hub_partial_open(f->blob, file->bytes, unique, &f->partial, error);
  if (status) return status;
  f->cells = am_mem_zalloc((size_t)f->partial.n_cells + 1, 1);
  if (!f->cells) return am_fail_memory(error, file->path);
  f->n_free = f->partial.n_cells;
  for (uint32_t i = 0; i < f->partial.n_cells; i++) {
    if (!am_hub_partial_has(&f->partial, i)) continue;
    f->cells[i] = AM_CELL_HERE;
    f->n_free--;
    f->resumed = true;
    atomic_fetch_add(&f->done_bytes, am_hub_partial_cell_bytes(&f->partial, i));
  }
  return ADAM_OK;
}

static bool is_stopped(void *user) { return atomic_load(&((am_job *)user)->stop); }

adam_status am_job_open_file(am_job *job, am_job_file *f, adam_error *error) {
  const am_hub_file *file = f->item->file;
  char *path = am_hub_layout_lock(job->download->layout, file->etag);
  if (!path) return am_fail_memory(error, file->path);
  uint64_t bytes = 0;
  am_job_state state = AM_JOB_PRESENT;
  adam_status status = am_lock_open(path, 0, is_stopped, job, &f->process_lock, error);
  bool unlockable = status == ADAM_UNSUPPORTED;
  if (unlockable) status = ADAM_OK;
  bool busy = status == ADAM_LIMIT;
  bool here = !status && ((am_file_size(f->blob, &bytes) && bytes == file->bytes) ||
                          (strlen(file->etag) == 64 && file->bytes >= LOCAL_BYTES &&
                           am_hub_local_take(job->download->layout->cache, file, f->blob, is_stopped, job)));
  if (!status && !here) {
    state = AM_JOB_FETCHING;
    status = begin_file(f, unlockable, error);
  }
  am_mem_free(path);
  if (status || state == AM_JOB_PRESENT) am_job_close_file(f);
  if (busy) status = ADAM_OK, state = AM_JOB_PENDING;
  if (status) return status;
  am_mutex_lock(&job->lock);
  f->state = state;
  f->retry_at_ms = busy ? am_clock_ms() + BUSY_MS : 0;
  if (state == AM_JOB_PRESENT) {
    atomic_store(&f->done_bytes, file->bytes);
    job->n_left--;
  }
  am_cond_broadcast(&job->changed);
  am_mutex_unlock(&job->lock);
  return ADAM_OK;
}

void am_job_close_file(am_job_file *f) {
  am_hub_partial_close(&f->partial, false);
  am_mem_free(f->cells);
  f->cells = NULL;
  am_sha256_close(&f->sha256);
  am_sha1_close(&f->sha1);
  am_lock_close(&f->process_lock);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* hub/job: the state that the threads of one download share; a part of hub/download.
 * Everything without a note is guarded by `lock`. A file goes PENDING -> OPENING -> FETCHING -> DONE, or
 * from OPENING to PRESENT, or back to PENDING while another process has its lock. */
#ifndef AM_HUB_JOB_H
#define AM_HUB_JOB_H

#include "base/digest.h"
#include "hub/download.h"
#include "hub/fetch.h"
#include "hub/partial.h"
#include "os/lock.h"
#include "os/thread.h"

typedef enum am_job_state { AM_JOB_PENDING, AM_JOB_OPENING, AM_JOB_FETCHING, AM_JOB_PRESENT, AM_JOB_DONE } am_job_state;
typedef enum am_cell { AM_CELL_FREE, AM_CELL_FLYING, AM_CELL_HERE } am_cell;

typedef struct am_job_file {
  am_hub_item *item;
  am_job_state state;
  double retry_at_ms;   /* PENDING because another process has the lock: when to look again; 0 = it has not */
  char *blob;           /* owned; constant */
  am_lock *process_lock; /* owned while OPENING and FETCHING; NULL where the file system has none */
  am_hub_partial partial; /* open while FETCHING */
  uint8_t *cells;       /* am_cell of each; owned */
  uint32_t n_free, n_flying, next_free;
  uint32_t n_tasks;     /* threads that work on it: it is not closed before they are through */
  uint32_t n_checked;   /* cells that the digest has seen */
  bool no_ranges;       /* the server sends the whole file only */
  bool resumed;         /* bytes of an earlier call are in it */
  char *route;          /* owned: the CDN's address */
  am_sha256 *sha256;    /* owned; by the checking thread alone */
  am_sha1 *sha1;        /* the same; one of the two */
  _Atomic uint64_t done_bytes;
} am_job_file;

typedef struct am_job {
  am_hub_download *download;
  am_hub_remote remote; /* the caller's, with this job's cancelling and waiting; constant */
  am_mutex lock;
  am_cond changed;
  am_job_file *files;
  size_t n_files, n_left; /* not yet PRESENT or DONE */
  _Atomic bool stop;      /* failed or cancelled */
  bool cancelled;
  adam_status status;     /* the first failure */
  adam_error error;
  char note[96];          /* what a thread waits for */
  double note_until_ms;
  _Atomic uint64_t received_bytes;
} am_job;

/* The first failure stops the job. Takes the lock. */
void am_job_fail(am_job *job, adam_status status, const adam_error *error);

/* job_fetch.c: a thread that fetches until nothing is left; takes the lock. */
void *am_job_fetch(void *job);
/* job_check.c: the thread that digests, and gives names. */
void *am_job_check(void *job);
/* Opens the file under its lock: PRESENT, FETCHING, or PENDING again. Called without `lock`, state OPENING. */
adam_status am_job_open_file(am_job *job, am_job_file *file, adam_error *error);
/* Gives back what is open; what came stays on disk. */
void am_job_close_file(am_job_file *file);

#endif

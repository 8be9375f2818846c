/* SPDX-License-Identifier: Apache-2.0 */
/* os/lock: one holder at a time among processes, by flock(2) on a file of its own.
 * The lock ends with its process, however that ends. Two opens in one process exclude each other too.
 * The file stays where it is; a holder elsewhere may delete it on release (Python's filelock does): whoever
 * then gets the lock of the deleted file notices, and takes the one that is there now. Any thread. */
#ifndef AM_OS_LOCK_H
#define AM_OS_LOCK_H

#include <adam/status.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct am_lock am_lock;

enum { AM_LOCK_FOREVER = -1 };

/* Takes the lock of `path`, whose file (mode 0664) and folders are made where they are missing. Waits up to
 * wait_ms (0 = only tries, AM_LOCK_FOREVER); cancel (NULL = none) is asked about every 50 ms while it waits,
 * true = give up. ADAM_LIMIT: somebody else has it; ADAM_CANCELLED; ADAM_UNSUPPORTED: this file system knows
 * no locks; ADAM_IO. *out is owned and untouched on failure. */
adam_status am_lock_open(const char *path, int64_t wait_ms, bool (*cancel)(void *user), void *user,
                         am_lock **out, adam_error *error);
/* Releases. */
void am_lock_close(am_lock **lock);

#endif

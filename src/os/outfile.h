/* SPDX-License-Identifier: Apache-2.0 */
/* os/outfile: a large file in the making, that appears whole or not at all.
 * Purpose: its size is known from the start; space and limits are checked before the first byte; any thread
 *   writes at any place; finish flushes it to disk and gives it its name. Where the file system can (O_TMPFILE)
 *   it has no name until then, so that a process that dies leaves nothing behind; elsewhere it stands beside
 *   the target as .adam-*.tmp.
 * Errors: ADAM_IO with the path and the system's words; ADAM_LIMIT: the disk has less room, or the process may
 *   not write that much. Every write, flush and rename passes the fault hook of os/file. */
#ifndef AM_OS_OUTFILE_H
#define AM_OS_OUTFILE_H

#include <adam/status.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct am_outfile am_outfile;

/* A new file of n_bytes zeros for `path`, whose folder exists. What stands at path stays until finish. A link
 * is followed: the file behind it is replaced. A folder or a device there is ADAM_IO. */
adam_status am_outfile_open(const char *path, uint64_t n_bytes, am_outfile **out, adam_error *error);
/* Any thread; ranges of threads do not overlap. Beyond n_bytes: ADAM_INVALID. */
adam_status am_outfile_write(am_outfile *output, uint64_t offset_bytes, const void *bytes, uint64_t n_bytes,
                            adam_error *error);
/* Flushes and renames. On failure nothing has changed. */
adam_status am_outfile_finish(am_outfile *output, adam_error *error);
/* Without finish: the file is gone. */
void am_outfile_close(am_outfile **output);
/* ADAM_LIMIT where the file system of `folder` has fewer than n_bytes left for this user, in words; what
 * cannot be asked is fine. */
adam_status am_outfile_check_space(const char *folder, const char *what, uint64_t n_bytes, adam_error *error);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* os/workdir: a folder in the making, that appears whole or not at all.
 * It stands beside its target as .NAME.adam-tmp, locked; what a process that died left there is removed by the
 * next one that makes the same target. One thread. */
#ifndef AM_OS_WORKDIR_H
#define AM_OS_WORKDIR_H

#include <adam/status.h>

typedef struct am_workdir am_workdir;

/* For `path`, which is not there yet or an empty folder (else ADAM_INVALID); missing parents are made.
 * ADAM_LIMIT: another process is making it. */
adam_status am_workdir_open(const char *path, am_workdir **out, adam_error *error);
/* Where its files go until then. Borrowed. */
const char *am_workdir_path(const am_workdir *workdir);
/* Flushes the folder and renames it. On failure nothing has changed. */
adam_status am_workdir_finish(am_workdir *workdir, adam_error *error);
/* Without finish: it is removed with all that is in it. */
void am_workdir_close(am_workdir **workdir);

#endif

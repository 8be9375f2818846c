/* SPDX-License-Identifier: Apache-2.0 */
/* os/temp: files in the making beside what they replace, named .adam-RANDOM.tmp. Who makes one holds its lock
 * (flock) until it has its name, so that one without a holder was left by a process that died: the next writer in
 * the same folder removes it. Where there are no locks nothing is removed. Any thread. */
#ifndef AM_OS_TEMP_H
#define AM_OS_TEMP_H

#include <stdbool.h>
#include <stdint.h>

/* A new empty file in folder, open for reading and writing and locked; *path is owned. The kernel applies the
 * umask to mode. -1: errno says why. Takes away first what the dead have left. */
int am_temp_create(const char *folder, uint32_t mode, char **path);
/* For those who make such a file in another way: takes the lock of one that is open; false: another process was
 * quicker and removes it, another name is needed. */
bool am_temp_hold(int fd);
/* Removes what no process holds any more: files of one name; further names of a file (hard links, which nobody can
 * hold) after a minute. */
void am_temp_sweep(const char *folder);

#endif

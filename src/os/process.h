/* SPDX-License-Identifier: Apache-2.0 */
/* os/process: other programs. Any thread. */
#ifndef AM_OS_PROCESS_H
#define AM_OS_PROCESS_H

#include <adam/status.h>
#include <stdbool.h>

/* The path of a program that can be run: `name` itself where it has a slash, else the first of PATH that has
 * it. Owned; NULL = there is none, or memory is out. */
char *am_process_find(const char *name);
/* Starts program in a session of its own, as nobody's child, with no open files but /dev/null as its input and
 * log_path (NULL = /dev/null) as its output. arguments: argv from argv[0] on, NULL-terminated. environment:
 * "NAME=value" texts that are added, NULL-terminated. ADAM_IO: it cannot be run. */
adam_status am_process_start(const char *program, const char *const *arguments, const char *const *environment,
                             const char *log_path, int *pid, adam_error *error);
bool am_process_runs(int pid);

#endif

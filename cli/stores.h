/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands about stores have in common. */
#ifndef AM_CLI_STORES_H
#define AM_CLI_STORES_H

#include "options.h"
#include "progress.h"

/* Callback of the library: moves the bar (user), asks about Ctrl-C. */
bool am_stores_on_work(void *user, const char *doing, const char *what, uint64_t done, uint64_t total);
/* --cache-dir and --dry-run; progress is borrowed. */
adam_stores_options am_stores_options(const am_arguments *arguments, am_progress *progress);
/* Around the call: the bar, and a first Ctrl-C that only cancels. end puts "interrupted" into a cancelled error. */
void am_stores_begin(am_progress *progress, const char *doing);
adam_status am_stores_end(am_progress *progress, adam_status status, const char *command, adam_error *error);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Did you mean ...? */
#ifndef AM_CLI_SUGGEST_H
#define AM_CLI_SUGGEST_H

#include <stddef.h>

/* Edits (insert, delete, replace, swap of neighbours) from typed to name: 0 = equal, letter case
 * ignored; a name that typed is the beginning of counts as 1 edit. */
size_t am_suggest_distance(const char *typed, const char *name);
/* True when `distance` edits are few enough for a word of this length to be a slip. */
int am_suggest_is_near(const char *typed, size_t distance);

#endif

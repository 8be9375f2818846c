/* SPDX-License-Identifier: Apache-2.0 */
/* base/nearest: which known names a mistyped one may have meant. Pure functions, any thread. */
#ifndef AM_BASE_NEAREST_H
#define AM_BASE_NEAREST_H

#include <stddef.h>

/* The index-th known name; NULL past the end. */
typedef const char *(*am_nearest_name)(const void *user, size_t index);

/* Up to `max` names, nearest first, by edit distance (a swap of neighbours is one edit; case counts nothing,
 * '-' is
 * '_'): at most a third of the name is wrong, at most two edits. Returns how many are near enough. */
size_t am_nearest_find(const char *name, am_nearest_name at, const void *user, const char **out, size_t max);
/* "did you mean a, b or c?" of the same names into out, which ends in NUL; "" = none is near. */
void am_nearest_hint(const char *name, am_nearest_name at, const void *user, char *out,
                     size_t capacity_bytes);

#endif

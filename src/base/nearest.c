/* SPDX-License-Identifier: Apache-2.0 */
#include "base/nearest.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { NAME_BYTES = 64 }; /* longer names are near nothing */

static char folded(char c) {
  if (c >= 'A' && c <= 'Z') return (char)(c + 'a' - 'A');
  return c == '-' ? '_' : c;
}

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* Edits (insert, delete, replace, swap neighbours) that make a of b: the restricted
 * Damerau-Levenshtein distance, row by row. Both shorter than NAME_BYTES. */
static size_t distance(const char *a, const char *b) {
  size_t n_a = strlen(a), n_b = strlen(b);
  size_t rows[3][NAME_BYTES];
  for (size_t j = 0; j <= n_b; j++) rows[0][j] = j;
  for (size_t i = 1; i <= n_a; i++) {
    size_t *row = rows[i % 3];
    const size_t *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];
    row[0] = i;
    for (size_t j = 1; j <= n_b; j++) {
      size_t cost = folded(a[i - 1]) != folded(b[j - 1]);
      row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + cost);
      bool swapped =
          i > 1 && j > 1 && folded(a[i - 1]) == folded(b[j - 2]) && folded(a[i - 2]) == folded(b[j - 1]);
      if (swapped) row[j] = least(row[j], above2[j - 2] + 1);
    }
  }
  return rows[n_a % 3][n_b];
}

size_t am_nearest_find(const char *name, am_nearest_name at, const void *user, const char **out, size_t max) {
  size_t n_name = strlen(name), n = 0;
  if (n_name == 0 || n_name >= NAME_BYTES) return 0;
  size_t most = least(2, (n_name + 2) / 3);
  for (size_t edits = 0; edits <= most && n < max; edits++) {
    const char *known;
    for (size_t i = 0; n < max && (known = at(user, i)); i++)
      if (strlen(known) < NAME_BYTES && distance(name, known) == edits) out[n++] = known;
  }
  return n;
}

void am_nearest_hint(const char *name, am_nearest_name at, const void *user, char *out,
                     size_t capacity_bytes) {
  const char *near[3];
  size_t n = am_nearest_find(name, at, user, near, 3), used = 0;
  if (capacity_bytes) *out = 0;
  for (size_t i = 0; i < n && used < capacity_bytes; i++)
    used += (size_t)snprintf(out + used, capacity_bytes - used, "%s%s%s",
                             i == 0       ? "did you mean "
                             : i + 1 == n ? " or "
                                          : ", ",
                             near[i], i + 1 == n ? "?" : "");
}

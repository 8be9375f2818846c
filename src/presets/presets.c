/* SPDX-License-Identifier: Apache-2.0 */
#include "presets/presets.h"

#include <string.h>

#include "presets/table.h"

enum { NAME_BYTES = 64 }; /* longer names are near nothing */

const am_preset *am_presets_all(size_t *n) {
  *n = am_preset_n_rows;
  return am_preset_rows;
}

const am_preset *am_presets_find(const char *name) {
  for (size_t i = 0; i < am_preset_n_rows; i++)
    if (strcmp(am_preset_rows[i].name, name) == 0) return &am_preset_rows[i];
  return NULL;
}

const char *am_presets_renamed(const char *repository) {
  for (size_t i = 0; i < am_preset_n_renamings; i++)
    if (strcmp(am_preset_renamings[i].old_name, repository) == 0) return am_preset_renamings[i].real_name;
  return NULL;
}

/* ASCII lower case, and '-' as '_': how a name is mistyped most. */
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
      bool swapped = i > 1 && j > 1 && folded(a[i - 1]) == folded(b[j - 2]) && folded(a[i - 2]) == folded(b[j - 1]);
      if (swapped) row[j] = least(row[j], above2[j - 2] + 1);
    }
  }
  return rows[n_a % 3][n_b];
}

/* Near enough: at most a third of the name is wrong, at most two edits. */
size_t am_presets_nearest(const char *name, const char **out, size_t max) {
  size_t n_name = strlen(name), n = 0;
  if (n_name == 0 || n_name >= NAME_BYTES) return 0;
  size_t most = least(2, (n_name + 2) / 3);
  for (size_t edits = 0; edits <= most && n < max; edits++)
    for (size_t i = 0; i < am_preset_n_rows && n < max; i++)
      if (distance(name, am_preset_rows[i].name) == edits) out[n++] = am_preset_rows[i].name;
  return n;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "suggest.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { LONGEST = 64 };

static size_t smallest(size_t a, size_t b) { return a < b ? a : b; }

/* Optimal string alignment (Damerau-Levenshtein without edits inside a swapped pair): rows of the
 * usual table, the last three kept. */
static size_t alignment(const char *a, size_t n_a, const char *b, size_t n_b) {
  size_t rows[3][LONGEST + 1];
  size_t *before = rows[0], *last = rows[1], *row = rows[2];
  for (size_t j = 0; j <= n_b; j++) last[j] = j;
  for (size_t i = 1; i <= n_a; i++) {
    row[0] = i;
    for (size_t j = 1; j <= n_b; j++) {
      int x = tolower((unsigned char)a[i - 1]), y = tolower((unsigned char)b[j - 1]);
      row[j] = smallest(smallest(last[j], row[j - 1]) + 1, last[j - 1] + (x != y));
      if (i > 1 && j > 1 && x == tolower((unsigned char)b[j - 2]) && y == tolower((unsigned char)a[i - 2]))
        row[j] = smallest(row[j], before[j - 2] + 1);
    }
    size_t *oldest = before;
    before = last;
    last = row;
    row = oldest;
  }
  return last[n_b];
}

size_t am_suggest_distance(const char *typed, const char *name) {
  size_t n_typed = strlen(typed), n_name = strlen(name);
  if (strcasecmp(typed, name) == 0) return 0;
  if (n_typed > LONGEST || n_name > LONGEST) return LONGEST;
  if (n_typed >= 3 && strncasecmp(typed, name, n_typed) == 0) return 1;
  return alignment(typed, n_typed, name, n_name);
}

int am_suggest_is_near(const char *typed, size_t distance) {
  size_t n = strlen(typed);
  return distance <= (n <= 3 ? 1 : n <= 7 ? 2 : 3);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "template/jinja/sort.h"

#include <string.h>

typedef struct pairs {
  am_jvalue *keys, *items;
} pairs;

/* Merges the runs [start, middle) and [middle, end); an element of the right run goes first only when
 * it is strictly smaller (or greater, reversed). */
static bool merge(am_jinja *jinja, pairs from, pairs to, size_t start, size_t middle, size_t end,
                  bool reverse) {
  size_t left = start, right = middle;
  for (size_t i = start; i < end; i++) {
    bool take_right = left == middle;
    if (!take_right && right < end) {
      int order = 0;
      const am_jvalue *a = reverse ? &from.keys[left] : &from.keys[right];
      const am_jvalue *b = reverse ? &from.keys[right] : &from.keys[left];
      if (!am_jvalue_compare(jinja, a, b, "<", &order)) return false;
      take_right = order == -1;
    }
    size_t source = take_right ? right++ : left++;
    to.keys[i] = from.keys[source];
    to.items[i] = from.items[source];
  }
  return true;
}

bool am_jsort(am_jinja *jinja, am_jvalue *keys, am_jvalue *items, size_t n, bool reverse) {
  pairs from = {keys, items};
  if (n < 2) return true;
  pairs to = {am_jinja_alloc(jinja, n, sizeof *keys), am_jinja_alloc(jinja, n, sizeof *items)};
  if (!to.keys || !to.items) return false;
  for (size_t width = 1; width < n; width *= 2) {
    for (size_t start = 0; start < n; start += 2 * width) {
      size_t middle = start + width < n ? start + width : n;
      size_t end = start + 2 * width < n ? start + 2 * width : n;
      if (!merge(jinja, from, to, start, middle, end, reverse)) return false;
    }
    pairs swap = from;
    from = to;
    to = swap;
  }
  if (from.keys != keys) {
    memcpy(keys, from.keys, n * sizeof *keys);
    memcpy(items, from.items, n * sizeof *items);
  }
  return true;
}

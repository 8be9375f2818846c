/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the goldens that are one case a line: words between spaces. For tests only. */
#ifndef TESTS_GOLDEN_LINES_H
#define TESTS_GOLDEN_LINES_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Calls on_case for each line of tests/golden/base/NAME; returns how many there were. */
static inline int golden_lines(const char *name, void (*on_case)(char *words[4], int n_words)) {
  char path[1024];
  snprintf(path, sizeof path, "%s/tests/golden/base/%s", ADAM_SOURCE_DIR, name);
  FILE *file = fopen(path, "r");
  if (!file) return 0;
  char *line = NULL, *rest;
  size_t capacity = 0;
  int n = 0;
  while (getline(&line, &capacity, file) > 0) {
    char *words[4] = {0};
    int n_words = 0;
    for (char *word = strtok_r(line, " \n", &rest); word && n_words < 4; word = strtok_r(NULL, " \n", &rest))
      words[n_words++] = word;
    on_case(words, n_words);
    n++;
  }
  free(line);
  fclose(file);
  return n;
}

/* Hex digits to bytes, in place; "." is the empty string. Returns the number of bytes; a NUL follows. */
static inline size_t golden_bytes(char *hex) {
  if (strcmp(hex, ".") == 0) return *hex = 0;
  size_t n = strlen(hex) / 2;
  for (size_t i = 0; i < n; i++) {
    const char pair[3] = {hex[2 * i], hex[2 * i + 1], 0};
    hex[i] = (char)strtoul(pair, NULL, 16);
  }
  hex[n] = 0;
  return n;
}

#endif

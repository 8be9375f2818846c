/* SPDX-License-Identifier: Apache-2.0 */
/* presets: families as data. Which names stand for which repositories, Ollama tags and context
 * windows, and which old spellings mean which real repository. Immutable tables, any thread. */
#ifndef AM_PRESETS_PRESETS_H
#define AM_PRESETS_PRESETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct am_preset {
  const char *name;        /* "qwen3_small" */
  const char *huggingface; /* repository as the Hub spells it; NULL = none */
  const char *ollama;      /* "qwen3:0.6b"; NULL = none */
  int64_t n_ctx;           /* context window in tokens that the guidelines promise */
  double parameters;       /* for ordering by size; 0 = unknown */
  const char *note;        /* one line for lists */
} am_preset;

const am_preset *am_presets_all(size_t *n);
const am_preset *am_presets_find(const char *name); /* NULL: unknown */
/* The real repository for an old or misspelled id ("Qwen/Qwen3-0.6B-Chat"), NULL = as it is. */
const char *am_presets_renamed(const char *repository);
/* Up to `max` nearest preset names by edit distance; returns how many are near enough. */
size_t am_presets_nearest(const char *name, const char **out, size_t max);

#endif

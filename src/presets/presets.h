/* SPDX-License-Identifier: Apache-2.0 */
/* presets: families as data.
 * Purpose: which names stand for which repositories, Ollama tags and context windows; domains of work with
 * their prompt, values and preferred models; tiers of hardware; old spellings. In: presets.ini, which is
 * built in, and a file of the same name and form in the configuration folder, laid over it. Out: rows,
 * constant until the process ends: a set is never freed, as a changed file makes a new one
 * (AM_PRESETS_MOST_SETS, then ADAM_LIMIT). Threads: any. Invariant: a file with a mistake changes nothing;
 * the error names its line. */
#ifndef AM_PRESETS_PRESETS_H
#define AM_PRESETS_PRESETS_H

#include <adam/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { AM_PRESETS_MOST_SETS = 200, AM_PRESETS_MOST_BYTES = 1 << 20 };

typedef struct am_preset {
  const char *name;        /* "qwen3_small" */
  const char *huggingface; /* repository as the Hub spells it, [@REVISION][:FILE-or-QUANT]; NULL = none */
  const char *ollama;      /* "qwen3:0.6b"; NULL = none */
  const char *path;        /* a file or folder, wins over both; NULL = none */
  int64_t n_ctx;           /* context window in tokens that the guidelines promise; 0 = not said */
  double parameters;       /* for ordering by size; 0 = unknown */
  const char *note;        /* one line for lists; "" = none */
  adam_sampling sampling;  /* `set` says which values it has */
  bool is_own;             /* the user's file has a section of this name */
} am_preset;

typedef struct am_domain {
  const char *name;
  const char *const *models; /* n_models REFs, the most wanted first */
  size_t n_models;
  const char *system; /* NULL = none */
  const char *note;   /* "" = none */
  adam_sampling sampling;
  bool is_own;
} am_domain;

typedef struct am_tier {
  const char *name;
  double vram_gb;            /* decimal gigabytes that it begins with */
  const char *const *models; /* n_models REFs that suit it */
  size_t n_models;
  const char *note;
} am_tier;

typedef struct am_renaming {
  const char *old_name, *real_name;
} am_renaming;

typedef struct am_preset_set {
  const am_preset *presets;
  size_t n_presets;
  const am_domain *domains;
  size_t n_domains;
  const am_tier *tiers;
  size_t n_tiers;
  const am_renaming *renamings;
  size_t n_renamings;
} am_preset_set;

/* Reads the user's file again where it changed since the last time; no file is fine. ADAM_INVALID: a mistake
 * in it. On failure what was known before stays. *out (NULL = not wanted) is then untouched. */
adam_status am_presets_load(const am_preset_set **out, adam_error *error);
/* The set that was loaded last, before that the one that is built in; NULL: memory is out. */
const am_preset_set *am_presets_now(void);

/* These three look at am_presets_now. */
const am_preset *am_presets_all(size_t *n);
const am_preset *am_presets_find(const char *name); /* NULL: unknown */
/* The real repository for an old or misspelled id ("Qwen/Qwen3-0.6B-Chat"), NULL = as it is. */
const char *am_presets_renamed(const char *repository);
/* Up to `max` nearest preset names by edit distance; returns how many are near enough. */
size_t am_presets_nearest(const char *name, const char **out, size_t max);

const am_domain *am_domains_find(const char *name); /* NULL: unknown */
/* ADAM_INVALID that names the nearest, or all. */
adam_status am_domains_unknown(const char *name, adam_error *error);
/* The tier of a machine whose largest GPU has so many bytes; 0 = it has none. NULL: there are no tiers. */
const am_tier *am_tiers_of(uint64_t vram_bytes);

#endif

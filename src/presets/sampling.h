/* SPDX-License-Identifier: Apache-2.0 */
/* presets/sampling: the sampling values by name, as presets, domains and settings write them. Pure functions.
 */
#ifndef AM_PRESETS_SAMPLING_H
#define AM_PRESETS_SAMPLING_H

#include <adam/types.h>

typedef struct am_sampling_key {
  const char *name;  /* "top_p" */
  const char *range; /* "a number above 0 and at most 1" */
  const char *note;
} am_sampling_key;

enum { AM_SAMPLING_KEYS = 9 };
/* Row i belongs to the bit 1 << i of adam_sampling.set. */
extern const am_sampling_key am_sampling_keys[AM_SAMPLING_KEYS];

/* The row of a name; -1 = none. */
int am_sampling_find(const char *name);
/* Sets the value of row `key` and its bit. false: the text is not what `range` says; nothing is changed. */
bool am_sampling_set(adam_sampling *sampling, int key, const char *text);
/* Values whose bit is clear in `over` are taken from `under`. */
void am_sampling_fill(adam_sampling *over, const adam_sampling *under);
/* The value of row `key` as text, as a person would write it. */
void am_sampling_text(const adam_sampling *sampling, int key, char *out, size_t capacity_bytes);
/* What holds where nobody says anything: all bits but the seed's. */
adam_sampling am_sampling_built_in(void);
/* A plain number in [low, high]: no spaces, hexadecimal, nan or inf. */
bool am_sampling_integer(const char *text, int64_t low, int64_t high, int64_t *out);
bool am_sampling_number(const char *text, double low, double high, double *out);

#endif

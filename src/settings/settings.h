/* SPDX-License-Identifier: Apache-2.0 */
/* settings: what the user wants when nobody says otherwise.
 * Purpose: reads settings.ini of the configuration folder (keys on top, `[profile NAME]` sections below),
 * lays a profile and the environment over it, and knows for each key where its value came from. In: a file
 * that nobody trusts, variables. Out: checked texts, owned by am_settings. Order, weakest first: built-in,
 * file, profile, environment. Who calls lays the preset and the domain between the first two, and options
 * over all. Threads: immutable after open. Invariant: a file with a mistake is refused whole, its error names
 * the line. */
#ifndef AM_SETTINGS_SETTINGS_H
#define AM_SETTINGS_SETTINGS_H

#include "base/arena.h"
#include "base/buf.h"
#include "presets/presets.h"
#include "presets/sampling.h"

enum { AM_SETTINGS_MOST_BYTES = 1 << 20, AM_SETTINGS_MOST_PROFILES = 100 };

typedef enum am_setting_id {
  AM_SETTING_MODEL,
  AM_SETTING_SIZE,
  AM_SETTING_DOMAIN,
  AM_SETTING_PROFILE,
  AM_SETTING_BACKEND,
  AM_SETTING_EMBEDDING_MODEL,
  AM_SETTING_SYSTEM,
  AM_SETTING_THINK,
  AM_SETTING_DEVICE,
  AM_SETTING_CTX,
  AM_SETTING_THREADS,
  AM_SETTING_KV_TYPE,
  AM_SETTING_CACHE_DIR,
  AM_SETTING_OLLAMA_HOST,
  AM_SETTING_KEEP_ALIVE,
  AM_SETTING_SAMPLING, /* the first of AM_SAMPLING_KEYS, in their order */
  AM_SETTING_COUNT = AM_SETTING_SAMPLING + AM_SAMPLING_KEYS
} am_setting_id;

typedef enum am_layer { AM_LAYER_NONE, AM_LAYER_FILE, AM_LAYER_PROFILE, AM_LAYER_ENVIRONMENT } am_layer;

typedef struct am_setting_row {
  const char *name;     /* "ollama_host" */
  const char *variable; /* "OLLAMA_HOST"; NULL = none */
  const char *built_in; /* NULL = nothing */
  const char *choices;  /* "a|b"; NULL = any text, or a number */
  int64_t low, high;    /* of a whole number; both 0 = not one */
  const char *note;
} am_setting_row;

/* The row of a key; its strings are constant. */
am_setting_row am_setting_row_of(am_setting_id id);
/* AM_SETTING_COUNT = unknown. */
am_setting_id am_setting_find(const char *name);
/* ADAM_INVALID that names the nearest. */
adam_status am_setting_unknown(const char *name, adam_error *error);
/* Is the text what the key takes? If not, `range` says what that is. */
bool am_setting_check(am_setting_id id, const char *text, char *range, size_t range_bytes);

typedef struct am_settings am_settings;

/* profile: NULL or "" = ADAM_PROFILE, else the file's own `profile`, else none. ADAM_INVALID: a mistake in
 * the file or in a variable, or no such profile. No file is fine. *out is untouched on failure. */
adam_status am_settings_open(const char *profile, am_settings **out, adam_error *error);
/* The same from a text; read_environment: false leaves the variables out. For tests and for checks before a
 * change. */
adam_status am_settings_parse(const char *text, size_t n_bytes, const char *path, const char *profile,
                              bool read_environment, am_settings **out, adam_error *error);
void am_settings_close(am_settings **settings);

/* The strongest value; NULL = nobody says, with *layer (may be NULL) AM_LAYER_NONE. */
const char *am_settings_text(const am_settings *settings, am_setting_id id, am_layer *layer);
/* The value of one layer (not NONE); NULL = it has none. */
const char *am_settings_at_layer(const am_settings *settings, am_setting_id id, am_layer layer);
/* 0 = nobody says. */
int64_t am_settings_integer(const am_settings *settings, am_setting_id id);
/* Sampling values of file, profile and environment, merged. */
adam_sampling am_settings_sampling(const am_settings *settings);
/* "PATH, line 3" or "ADAM_TEMPERATURE" of the strongest value; "" = nobody says. Valid until the close. */
const char *am_settings_where(const am_settings *settings, am_setting_id id);
const char *am_settings_path(const am_settings *settings); /* of settings.ini, there or not; "" = no home */
const char *am_settings_profile(const am_settings *settings);                  /* in use; NULL = none */
const char *am_settings_profile_at(const am_settings *settings, size_t index); /* NULL past the end */
/* Sets (value NULL: removes) one key in the text of a settings.ini, on top or in [profile NAME]; the rest
 * stays byte for byte. The new text, checked whole, goes to out. ADAM_NOT_FOUND: nothing to remove. */
adam_status am_settings_edit(const char *text, size_t n_bytes, const char *path, const char *profile,
                             const char *key, const char *value, am_buf *out, adam_error *error);
/* Path of settings.ini, owned; NULL: memory is out, or there is no home. */
char *am_settings_find_path(void);

#endif

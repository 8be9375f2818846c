/* SPDX-License-Identifier: Apache-2.0 */
/* What holds where the caller says nothing: presets, domains, tiers of hardware, and the user's settings
 * with where each value came from. Data of the program is built in; the user's own is read from the
 * configuration folder ($XDG_CONFIG_HOME/adam, else ~/.config/adam): presets.ini and settings.ini
 * (docs/settings.md). adam_manager_open reads both by itself. */
#ifndef ADAM_SETTINGS_H
#define ADAM_SETTINGS_H

#include <adam/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A name that stands for a model. Strings are constant until the process ends. */
typedef struct adam_preset {
  size_t struct_size;
  const char *name, *huggingface, *ollama, *note; /* NULL: it has none */
  int64_t n_ctx;          /* context in tokens; 0 = not said */
  const char *path;       /* a file or folder that stands for both; NULL = none */
  double parameters;      /* 0 = unknown */
  adam_sampling sampling; /* `set` says which values it has */
  bool is_own;            /* the user's presets.ini has a section of this name */
} adam_preset;

/* A field of work. Strings are constant until the process ends. */
typedef struct adam_domain {
  size_t struct_size;
  const char *name, *note;
  const char *system;        /* system message; NULL = none */
  const char *const *models; /* n_models REFs: the first that is on this machine is taken */
  size_t n_models;
  adam_sampling sampling;
  bool is_own;
} adam_domain;

/* A class of hardware. Strings are constant until the process ends. */
typedef struct adam_tier {
  size_t struct_size;
  const char *name, *note;
  double vram_gb;            /* begins with so many gigabytes (10^9 bytes) on one GPU; 0 = none */
  const char *const *models; /* n_models REFs that suit it */
  size_t n_models;
} adam_tier;

/* The index-th row of what is built in and of the user's presets.ini as it was read last
 * (adam_settings_open and adam_manager_open read it); false past the end. Set struct_size. Any thread. */
ADAM_API bool adam_preset_at(size_t index, adam_preset *preset);
ADAM_API bool adam_domain_at(size_t index, adam_domain *domain);
ADAM_API bool adam_tier_at(size_t index, adam_tier *tier);
/* The tier of a machine whose largest GPU has so many bytes; 0 = it has none. false: there are no tiers. */
ADAM_API bool adam_tier_of(uint64_t vram_bytes, adam_tier *tier);

typedef struct adam_settings adam_settings;

/* Zero-initialise, set struct_size; NULL means nothing was said. Borrowed for the call. */
typedef struct adam_settings_options {
  size_t struct_size;
  const char *profile; /* [profile NAME] of settings.ini; NULL: ADAM_PROFILE, else the file's own choice */
  const char *domain;  /* over the domain of the settings */
  const char *model;   /* REF; a preset's values come in */
} adam_settings_options;

/* Reads settings.ini, presets.ini and the environment; files that do not exist are fine. options may be
 * NULL. *out is untouched on failure. ADAM_INVALID: a mistake in a file (the error names its line), in a
 * variable, no such profile or domain; ADAM_IO: a file cannot be read; ADAM_LIMIT: it is too large. */
ADAM_API adam_status adam_settings_open(const adam_settings_options *options, adam_settings **out,
                                        adam_error *error);
/* Closes and sets *settings to NULL; NULL is fine. */
ADAM_API void adam_settings_close(adam_settings **settings);

/* One key and what holds. Strings are borrowed from the settings. */
typedef struct adam_setting {
  size_t struct_size;
  const char *key;      /* "temperature" */
  const char *value;    /* as text; NULL = nobody says */
  const char *source;   /* "built-in", "model", "preset", "domain", "file", "profile", "environment",
                           "option"; "" = nobody says */
  const char *where;    /* the preset's or domain's name, "PATH, line 3", the variable; "" = no more to say */
  const char *variable; /* the variable that sets it; "" = none */
  const char *note;     /* what it means */
} adam_setting;

/* The index-th key in the order of lists; false past the end. Immutable settings: any thread. */
ADAM_API bool adam_setting_at(const adam_settings *settings, size_t index, adam_setting *setting);
/* Where settings.ini is, there or not; "" = there is no home folder. Borrowed. */
ADAM_API const char *adam_settings_path(const adam_settings *settings);
/* The profile in use, borrowed; NULL = none. */
ADAM_API const char *adam_settings_profile(const adam_settings *settings);
/* The index-th profile of the file, borrowed; NULL past the end. */
ADAM_API const char *adam_settings_profile_at(const adam_settings *settings, size_t index);

/* Writes one key of settings.ini, on top or in [profile NAME] (NULL = on top); value NULL removes it. All
 * else in the file, comments too, stays as it is; the file is replaced at once, and made (mode 0600) where
 * there is none. ADAM_INVALID: no such key, not its value, or the file has a mistake already;
 * ADAM_NOT_FOUND: nothing to remove. Any thread; the last of several writers counts. */
ADAM_API adam_status adam_settings_write(const char *profile, const char *key, const char *value,
                                         adam_error *error);

#ifdef __cplusplus
}
#endif
#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "settings/settings.h"

#include "base/error.h"
#include "base/ini.h"
#include "base/mem.h"
#include "base/nearest.h"
#include "base/utf8.h"
#include "os/dirs.h"
#include "os/file.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct value {
  const char *text;     /* NULL = not set */
  size_t line;          /* of the file; 0 = a variable */
  const char *variable; /* constant; NULL = the file */
} value;

typedef struct profile {
  const char *name;
  value values[AM_SETTING_COUNT];
} profile;

struct am_settings {
  am_arena arena;
  const char *path;
  value values[AM_LAYER_ENVIRONMENT + 1][AM_SETTING_COUNT]; /* [AM_LAYER_PROFILE] is the one in use */
  const char *where[AM_SETTING_COUNT];
  const char *profile;      /* in use */
  const profile **profiles; /* room for AM_SETTINGS_MOST_PROFILES */
  size_t n_profiles;
};

char *am_settings_find_path(void) {
  char *folder = am_dirs_config(), *path = folder ? am_path_join(folder, "settings.ini") : NULL;
  am_mem_free(folder);
  return path;
}

/* The values that a section's keys go to; made where there are none. */
static adam_status find_section(am_settings *s, const am_ini_entry *e, value **values, adam_error *error) {
  static const char word[] = "profile";
  size_t n = sizeof word - 1;
  const char *name = e->section + n;
  if (!*e->section) {
    *values = s->values[AM_LAYER_FILE];
    return ADAM_OK;
  }
  if (strncmp(e->section, word, n) != 0 || !strchr(" \t", *name))
    return am_ini_fail(error, s->path, e->line, "the sections are [profile NAME]",
                       "the section '%s' is unknown", e->section);
  name += strspn(name, " \t");
  if (!*name) return am_ini_fail(error, s->path, e->line, "write [profile NAME]", "the profile has no name");
  for (size_t i = 0; i < s->n_profiles; i++)
    if (!strcmp(s->profiles[i]->name, name)) {
      *values = ((profile *)(uintptr_t)s->profiles[i])->values;
      return ADAM_OK;
    }
  if (s->n_profiles == AM_SETTINGS_MOST_PROFILES)
    return am_ini_fail(error, s->path, e->line, NULL, "there are more than %d profiles",
                       AM_SETTINGS_MOST_PROFILES);
  profile *made = am_arena_zalloc(&s->arena, 1, sizeof *made);
  if (!made || !(made->name = am_arena_dup(&s->arena, name, strlen(name))))
    return am_fail_memory(error, s->path);
  s->profiles[s->n_profiles++] = made;
  *values = made->values;
  return ADAM_OK;
}

static adam_status on_entry(void *user, const am_ini_entry *e, adam_error *error) {
  am_settings *s = user;
  value *values = NULL;
  char range[96];
  adam_status status = find_section(s, e, &values, error);
  if (status) return status;
  am_setting_id id = am_setting_find(e->key);
  if (id == AM_SETTING_COUNT) {
    adam_error unknown = {0};
    am_setting_unknown(e->key, &unknown);
    return am_ini_fail(error, s->path, e->line, unknown.hint, "no setting is called '%s'", e->key);
  }
  if (id == AM_SETTING_PROFILE && values != s->values[AM_LAYER_FILE])
    return am_ini_fail(error, s->path, e->line, NULL, "a profile does not name a profile");
  if (values[id].text)
    return am_ini_fail(error, s->path, e->line, NULL, "%s is set in line %zu already", e->key,
                       values[id].line);
  if (!am_setting_check(id, e->value, range, sizeof range))
    return *e->value
               ? am_ini_fail(error, s->path, e->line, NULL, "%s: '%.60s' is not %s", e->key, e->value, range)
               : am_ini_fail(error, s->path, e->line, "remove the line to leave it unset", "%s has no value",
                             e->key);
  bool two_models = (id == AM_SETTING_MODEL && values[AM_SETTING_SIZE].text) ||
                    (id == AM_SETTING_SIZE && values[AM_SETTING_MODEL].text);
  if (two_models) return am_ini_fail(error, s->path, e->line, NULL, "model and size both name a model");
  values[id] = (value){.text = am_arena_dup(&s->arena, e->value, strlen(e->value)), .line = e->line};
  return values[id].text ? ADAM_OK : am_fail_memory(error, s->path);
}

static const char *profile_name(const void *user, size_t index) {
  return am_settings_profile_at(user, index);
}

static adam_status choose_profile(am_settings *s, const char *asked, adam_error *error) {
  const char *variable = s->values[AM_LAYER_ENVIRONMENT][AM_SETTING_PROFILE].text;
  const char *name = asked && *asked ? asked
                     : variable      ? variable
                                     : s->values[AM_LAYER_FILE][AM_SETTING_PROFILE].text;
  if (!name) return ADAM_OK;
  for (size_t i = 0; i < s->n_profiles; i++)
    if (!strcmp(s->profiles[i]->name, name)) {
      s->profile = s->profiles[i]->name;
      memcpy(s->values[AM_LAYER_PROFILE], s->profiles[i]->values, sizeof s->profiles[i]->values);
      return ADAM_OK;
    }
  char hint[200];
  am_nearest_hint(name, profile_name, s, hint, sizeof hint);
  return am_fail(error, ADAM_INVALID, name, *hint ? hint : NULL, "%s has no section [profile %.60s]",
                 *s->path ? s->path : "settings.ini", name);
}

/* What the environment says of a key, and which variable it was. Owned; NULL = nothing. */
static char *read_variable(am_setting_id id, const char **variable) {
  static const char *const caches[] = {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME"};
  bool is_cache = id == AM_SETTING_CACHE_DIR;
  for (size_t i = 0; is_cache && i < sizeof caches / sizeof *caches; i++) {
    const char *text = getenv(*variable = caches[i]);
    if (text && *text) return am_dirs_hub();
  }
  *variable = is_cache ? NULL : am_setting_row_of(id).variable;
  const char *text = *variable ? getenv(*variable) : NULL;
  return text && *text ? am_mem_dup(text, strlen(text)) : NULL;
}

static adam_status take_environment(am_settings *s, adam_error *error) {
  char range[96];
  for (unsigned id = 0; id < AM_SETTING_COUNT; id++) {
    const char *variable;
    char *text = read_variable((am_setting_id)id, &variable);
    if (!text) continue;
    adam_status status = ADAM_OK;
    if (id != AM_SETTING_CACHE_DIR && !am_utf8_valid(text, strlen(text)))
      status = am_fail(error, ADAM_INVALID, variable, NULL, "the variable is no UTF-8");
    else if (!am_setting_check((am_setting_id)id, text, range, sizeof range))
      status = am_fail(error, ADAM_INVALID, variable, NULL, "'%.60s' is not %s", text, range);
    value *v = &s->values[AM_LAYER_ENVIRONMENT][id];
    if (!status) *v = (value){.text = am_arena_dup(&s->arena, text, strlen(text)), .variable = variable};
    am_mem_free(text);
    if (status) return status;
    if (!v->text) return am_fail_memory(error, variable);
  }
  if (s->values[AM_LAYER_ENVIRONMENT][AM_SETTING_MODEL].text &&
      s->values[AM_LAYER_ENVIRONMENT][AM_SETTING_SIZE].text)
    return am_fail(error, ADAM_INVALID, "ADAM_SIZE", NULL, "ADAM_MODEL and ADAM_SIZE both name a model");
  return ADAM_OK;
}

/* Says of each value where it stands. */
static adam_status take_places(am_settings *s, adam_error *error) {
  for (unsigned id = 0; id < AM_SETTING_COUNT; id++) {
    am_layer layer;
    char text[4200] = "";
    am_settings_text(s, (am_setting_id)id, &layer);
    if (layer == AM_LAYER_ENVIRONMENT)
      snprintf(text, sizeof text, "%s", s->values[layer][id].variable);
    else if (layer != AM_LAYER_NONE)
      snprintf(text, sizeof text, "%s, line %zu", s->path, s->values[layer][id].line);
    if (!(s->where[id] = am_arena_dup(&s->arena, text, strlen(text)))) return am_fail_memory(error, s->path);
  }
  return ADAM_OK;
}

adam_status am_settings_parse(const char *text, size_t n_bytes, const char *path, const char *profile_asked,
                              bool read_environment, am_settings **out, adam_error *error) {
  am_settings *s = am_mem_zalloc(1, sizeof *s);
  if (!s) return am_fail_memory(error, path);
  s->arena.limit_bytes = (size_t)16 << 20;
  s->path = am_arena_dup(&s->arena, path, strlen(path));
  s->profiles = am_arena_zalloc(&s->arena, AM_SETTINGS_MOST_PROFILES, sizeof *s->profiles);
  adam_status status = s->path && s->profiles ? ADAM_OK : am_fail_memory(error, path);
  if (!status) status = am_ini_parse(text, n_bytes, s->path, on_entry, s, error);
  if (!status && read_environment) status = take_environment(s, error);
  if (!status) status = choose_profile(s, profile_asked, error);
  if (!status) status = take_places(s, error);
  if (status)
    am_settings_close(&s);
  else
    *out = s;
  return status;
}

adam_status am_settings_open(const char *profile_asked, am_settings **out, adam_error *error) {
  char *home = am_dirs_home(), *path = am_settings_find_path();
  am_buf text = {0};
  bool no_memory = home && !path;
  am_mem_free(home);
  if (no_memory) return am_fail_memory(error, "settings.ini");
  adam_status status = path ? am_file_read(path, AM_SETTINGS_MOST_BYTES, &text, error) : ADAM_NOT_FOUND;
  if (status == ADAM_NOT_FOUND) status = ADAM_OK;
  if (!status)
    status = am_settings_parse(text.data ? text.data : "", text.len, path ? path : "", profile_asked, true,
                               out, error);
  am_buf_close(&text);
  am_mem_free(path);
  return status;
}

void am_settings_close(am_settings **settings) {
  am_settings *s = settings ? *settings : NULL;
  if (!s) return;
  am_arena_close(&s->arena);
  am_mem_free(s);
  *settings = NULL;
}

const char *am_settings_text(const am_settings *s, am_setting_id id, am_layer *layer) {
  am_layer at = AM_LAYER_ENVIRONMENT;
  while (at != AM_LAYER_NONE && !s->values[at][id].text) at--;
  if (layer) *layer = at;
  return at == AM_LAYER_NONE ? NULL : s->values[at][id].text;
}

int64_t am_settings_integer(const am_settings *s, am_setting_id id) {
  am_setting_row row = am_setting_row_of(id);
  const char *text = am_settings_text(s, id, NULL);
  int64_t number = 0;
  return text && am_sampling_integer(text, row.low, row.high, &number) ? number : 0;
}

adam_sampling am_settings_sampling(const am_settings *s) {
  adam_sampling values = {0};
  for (int key = 0; key < AM_SAMPLING_KEYS; key++) {
    const char *text = am_settings_text(s, (am_setting_id)(AM_SETTING_SAMPLING + key), NULL);
    if (text) am_sampling_set(&values, key, text);
  }
  return values;
}

const char *am_settings_at_layer(const am_settings *s, am_setting_id id, am_layer layer) {
  return s->values[layer][id].text;
}

const char *am_settings_where(const am_settings *s, am_setting_id id) { return s->where[id]; }
const char *am_settings_path(const am_settings *s) { return s->path; }
const char *am_settings_profile(const am_settings *s) { return s->profile; }

const char *am_settings_profile_at(const am_settings *s, size_t index) {
  return index < s->n_profiles ? s->profiles[index]->name : NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "settings/settings.h"

#include "base/error.h"
#include "base/nearest.h"
#include <stdio.h>
#include <string.h>

static const am_setting_row rows[AM_SETTING_SAMPLING] = {
    [AM_SETTING_MODEL] = {.name = "model",
                          .variable = "ADAM_MODEL",
                          .note = "what runs where no model is named"},
    [AM_SETTING_SIZE] = {.name = "size",
                         .variable = "ADAM_SIZE",
                         .note = "the preset that runs where no model is named"},
    [AM_SETTING_DOMAIN] = {.name = "domain",
                           .variable = "ADAM_DOMAIN",
                           .note = "field of work: system message, values, preferred models"},
    [AM_SETTING_PROFILE] = {.name = "profile",
                            .variable = "ADAM_PROFILE",
                            .note = "section [profile NAME] that is laid over the rest"},
    [AM_SETTING_BACKEND] = {.name = "backend",
                            .variable = "ADAM_BACKEND",
                            .built_in = "auto",
                            .note = "what runs the model"},
    [AM_SETTING_EMBEDDING_MODEL] = {.name = "embedding_model",
                                    .variable = "ADAM_EMBEDDING_MODEL",
                                    .note = "what turns texts into vectors where no model is named"},
    [AM_SETTING_SYSTEM] = {.name = "system", .variable = "ADAM_SYSTEM", .note = "the system message"},
    [AM_SETTING_THINK] = {.name = "think",
                          .variable = "ADAM_THINK",
                          .built_in = "default",
                          .choices = "default|on|off",
                          .note = "should the model think first, where it can"},
    [AM_SETTING_DEVICE] = {.name = "device",
                           .variable = "ADAM_DEVICE",
                           .built_in = "auto",
                           .choices = "auto|cpu|cuda",
                           .note = "where to compute"},
    [AM_SETTING_CTX] = {.name = "ctx",
                        .variable = "ADAM_CTX",
                        .low = 1,
                        .high = INT32_MAX,
                        .note = "context in tokens; unset: the model's own, within reason"},
    [AM_SETTING_THREADS] = {.name = "threads",
                            .variable = "ADAM_THREADS",
                            .low = 1,
                            .high = 1024,
                            .note = "threads; unset: one for each processor"},
    [AM_SETTING_KV_TYPE] = {.name = "kv_type",
                            .variable = "ADAM_KV_TYPE",
                            .built_in = "f32",
                            .choices = "f32|f16",
                            .note = "how the KV cache is stored"},
    [AM_SETTING_CACHE_DIR] = {.name = "cache_dir",
                              .variable = "HF_HUB_CACHE",
                              .note = "the Hugging Face hub cache, the folder that holds models--*"},
    [AM_SETTING_OLLAMA_HOST] = {.name = "ollama_host",
                                .variable = "OLLAMA_HOST",
                                .built_in = "127.0.0.1:11434",
                                .note = "where the Ollama server is"},
    [AM_SETTING_KEEP_ALIVE] = {.name = "keep_alive",
                               .variable = "ADAM_KEEP_ALIVE",
                               .note = "how long an Ollama server keeps the model in memory"},
};

/* Variables of the sampling values, in the order of am_sampling_keys. */
static const char *const sampling_variables[AM_SAMPLING_KEYS] = {"ADAM_TEMPERATURE",
                                                                 "ADAM_TOP_P",
                                                                 "ADAM_TOP_K",
                                                                 "ADAM_MIN_P",
                                                                 "ADAM_REPETITION_PENALTY",
                                                                 "ADAM_PRESENCE_PENALTY",
                                                                 "ADAM_FREQUENCY_PENALTY",
                                                                 "ADAM_SEED",
                                                                 "ADAM_MAX_TOKENS"};

am_setting_row am_setting_row_of(am_setting_id id) {
  if (id < AM_SETTING_SAMPLING) return rows[id];
  unsigned key = (unsigned)id - AM_SETTING_SAMPLING;
  return (am_setting_row){.name = am_sampling_keys[key].name,
                          .variable = sampling_variables[key],
                          .note = am_sampling_keys[key].note};
}

static const char *name_at(const void *user, size_t index) {
  (void)user;
  return index < AM_SETTING_COUNT ? am_setting_row_of((am_setting_id)index).name : NULL;
}

am_setting_id am_setting_find(const char *name) {
  unsigned id = 0;
  while (id < AM_SETTING_COUNT && strcmp(name_at(NULL, id), name) != 0) id++;
  return (am_setting_id)id;
}

adam_status am_setting_unknown(const char *name, adam_error *error) {
  char hint[160];
  am_nearest_hint(name, name_at, NULL, hint, sizeof hint);
  return am_fail(error, ADAM_INVALID, name, *hint ? hint : "adam config show lists the keys",
                 "no setting has this name");
}

static bool is_choice(const char *choices, const char *text) {
  for (size_t n; *choices; choices += n + (choices[n] == '|')) {
    n = strcspn(choices, "|");
    if (strlen(text) == n && !strncmp(choices, text, n)) return true;
  }
  return false;
}

bool am_setting_check(am_setting_id id, const char *text, char *range, size_t range_bytes) {
  int64_t integer;
  if (id >= AM_SETTING_SAMPLING) {
    adam_sampling ignored = {0};
    int key = (int)id - AM_SETTING_SAMPLING;
    snprintf(range, range_bytes, "%s", am_sampling_keys[key].range);
    return am_sampling_set(&ignored, key, text);
  }
  const am_setting_row *row = &rows[id];
  if (row->choices) {
    snprintf(range, range_bytes, "one of %s", row->choices);
    for (char *bar; (bar = strchr(range, '|'));) *bar = ' ';
    return is_choice(row->choices, text);
  }
  if (row->high) {
    snprintf(range, range_bytes, "a whole number from %lld to %lld", (long long)row->low,
             (long long)row->high);
    return am_sampling_integer(text, row->low, row->high, &integer);
  }
  snprintf(range, range_bytes, "a text");
  return id == AM_SETTING_SYSTEM || *text;
}

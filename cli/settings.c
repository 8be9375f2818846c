/* SPDX-License-Identifier: Apache-2.0 */
/* adam config, adam presets, adam domains. */
#include "settings.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "output.h"
#include "reply.h"
#include "report.h"
#include "suggest.h"

adam_status am_settings_get(const am_arguments *arguments, adam_settings **out, adam_error *error) {
  const char *const *text = arguments->text;
  adam_settings_options options = {
      .struct_size = sizeof options,
      .profile = text[AM_OPTION_PROFILE],
      .domain = text[AM_OPTION_DOMAIN],
      .model = text[AM_OPTION_MODEL] ? text[AM_OPTION_MODEL] : text[AM_OPTION_SIZE],
  };
  return adam_settings_open(&options, out, error);
}

bool am_settings_find(const adam_settings *settings, const char *key, adam_setting *out) {
  *out = (adam_setting){.struct_size = sizeof *out};
  for (size_t i = 0; settings && adam_setting_at(settings, i, out); i++)
    if (strcmp(out->key, key) == 0) return true;
  return false;
}

const char *am_settings_value(const adam_settings *settings, const char *key) {
  adam_setting setting;
  return am_settings_find(settings, key, &setting) ? setting.value : NULL;
}

/* Backends and stores read their own variables. */
static void fill_option(const adam_settings *settings, const char *key, am_option_id option,
                        am_arguments *arguments) {
  adam_setting setting;
  if (!am_command_takes(arguments->command, option) || arguments->is_set[option]) return;
  if (!am_settings_find(settings, key, &setting) || !setting.value) return;
  if (strcmp(setting.source, "file") == 0 || strcmp(setting.source, "profile") == 0)
    arguments->text[option] = setting.value;
}

adam_status am_settings_apply(am_arguments *arguments, adam_settings **kept, adam_error *error) {
  bool by_manager = am_command_takes(arguments->command, AM_OPTION_MODEL);
  bool stores = am_command_takes(arguments->command, AM_OPTION_CACHE_DIR) ||
                am_command_takes(arguments->command, AM_OPTION_OLLAMA_HOST);
  if (by_manager || !stores) return ADAM_OK;
  adam_status status = am_settings_get(arguments, kept, error);
  if (status != ADAM_OK) return status;
  fill_option(*kept, "cache_dir", AM_OPTION_CACHE_DIR, arguments);
  fill_option(*kept, "ollama_host", AM_OPTION_OLLAMA_HOST, arguments);
  return ADAM_OK;
}

static json_t *texts_json(const char *const *texts, size_t n) {
  json_t *list = json_array();
  for (size_t i = 0; i < n; i++) json_array_append_new(list, am_reply_string(texts[i]));
  return list;
}

static void print_names(const char *const *names, size_t n) {
  for (size_t i = 0; i < n; i++) am_output_format("%s%s", i ? ", " : "", names[i]);
}

static json_t *presets_json(void) {
  json_t *list = json_array();
  adam_preset preset = {.struct_size = sizeof preset};
  for (size_t i = 0; adam_preset_at(i, &preset); i++)
    json_array_append_new(
        list, json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b}", "name", am_reply_string(preset.name),
                        "huggingface", am_reply_string(preset.huggingface), "ollama",
                        am_reply_string(preset.ollama), "path", am_reply_string(preset.path), "context",
                        preset.n_ctx ? json_integer(preset.n_ctx) : json_null(), "parameters",
                        preset.parameters > 0 ? json_real(preset.parameters) : json_null(), "note",
                        am_reply_string(preset.note), "sampling", am_reply_sampling(&preset.sampling), "own",
                        preset.is_own));
  return list;
}

static json_t *tiers_json(void) {
  json_t *list = json_array();
  adam_tier tier = {.struct_size = sizeof tier};
  for (size_t i = 0; adam_tier_at(i, &tier); i++)
    json_array_append_new(
        list,
        json_pack("{s:o, s:f, s:o, s:o}", "name", am_reply_string(tier.name), "vram_gb", tier.vram_gb,
                  "models", texts_json(tier.models, tier.n_models), "note", am_reply_string(tier.note)));
  return list;
}

int am_presets_command(const am_arguments *arguments) {
  adam_error error = {0};
  adam_settings *settings = NULL;
  adam_preset preset = {.struct_size = sizeof preset};
  adam_tier tier = {.struct_size = sizeof tier};
  adam_status status = am_settings_get(arguments, &settings, &error); /* reads the user's file */
  if (status == ADAM_OK && arguments->is_set[AM_OPTION_JSON]) {
    status =
        am_reply_print(json_pack("{s:o, s:o}", "presets", presets_json(), "tiers", tiers_json()), &error);
  } else if (status == ADAM_OK) {
    am_output_format("%-16s %-38s %-16s %7s  %s\n", "NAME", "HUGGING FACE", "OLLAMA", "CONTEXT", "NOTE");
    for (size_t i = 0; adam_preset_at(i, &preset); i++) {
      const char *first = preset.path ? preset.path : preset.huggingface ? preset.huggingface : "-";
      am_output_format("%-16s %-38s %-16s %7lld  %s\n", preset.name, first,
                       preset.ollama && !preset.path ? preset.ollama : "-", (long long)preset.n_ctx,
                       preset.note);
    }
    am_output_text("\n");
    for (size_t i = 0; adam_tier_at(i, &tier); i++) {
      am_output_format("%s\n  for example: ", tier.note);
      print_names(tier.models, tier.n_models);
      am_output_text("\n");
    }
  }
  adam_settings_close(&settings);
  return am_exit_code(status, &error);
}

int am_domains_command(const am_arguments *arguments) {
  adam_error error = {0};
  adam_settings *settings = NULL;
  adam_domain domain = {.struct_size = sizeof domain};
  json_t *list = arguments->is_set[AM_OPTION_JSON] ? json_array() : NULL;
  adam_status status = am_settings_get(arguments, &settings, &error);
  for (size_t i = 0; status == ADAM_OK && adam_domain_at(i, &domain); i++) {
    if (list) {
      json_array_append_new(
          list, json_pack("{s:o, s:o, s:o, s:o, s:o, s:b}", "name", am_reply_string(domain.name), "note",
                          am_reply_string(domain.note), "models", texts_json(domain.models, domain.n_models),
                          "system", am_reply_string(domain.system), "sampling",
                          am_reply_sampling(&domain.sampling), "own", domain.is_own));
      continue;
    }
    am_output_format("%-14s %s\n%-14s models: ", domain.name, domain.note, "");
    print_names(domain.models, domain.n_models);
    am_output_text("\n");
  }
  if (status == ADAM_OK && list) status = am_reply_print(json_pack("{s:O}", "domains", list), &error);
  json_decref(list);
  adam_settings_close(&settings);
  return am_exit_code(status, &error);
}

/* Numbers as numbers; a text that looks like one stays a text. */
static json_t *value_json(const adam_setting *setting) {
  static const char *const numbers[] = {"ctx",
                                        "threads",
                                        "temperature",
                                        "top_p",
                                        "top_k",
                                        "min_p",
                                        "seed",
                                        "repetition_penalty",
                                        "presence_penalty",
                                        "frequency_penalty",
                                        "max_tokens"};
  for (size_t i = 0; setting->value && i < sizeof numbers / sizeof *numbers; i++)
    if (strcmp(setting->key, numbers[i]) == 0) return json_loads(setting->value, JSON_DECODE_ANY, NULL);
  return am_reply_string(setting->value);
}

static json_t *setting_json(const adam_setting *setting) {
  return json_pack("{s:o, s:o, s:o, s:o, s:o}", "key", am_reply_string(setting->key), "value",
                   value_json(setting), "source",
                   *setting->source ? am_reply_string(setting->source) : json_null(), "where",
                   *setting->where ? am_reply_string(setting->where) : json_null(), "variable",
                   *setting->variable ? am_reply_string(setting->variable) : json_null());
}

static void print_setting(const adam_setting *setting) {
  char value[40];
  const char *text = setting->value ? setting->value : "-";
  size_t n = strcspn(text, "\n");
  bool cut = text[n] || n > 32;
  if (n > 28 && cut) n = 28;
  while (cut && n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80) n--; /* at a character's border */
  snprintf(value, sizeof value, "%.*s%s", (int)n, text, cut ? "..." : "");
  am_output_format("%-20s %-32s %s%s%s\n", setting->key, value, setting->source, *setting->where ? ": " : "",
                   setting->where);
}

static int show_settings(const am_arguments *arguments, const adam_settings *settings) {
  adam_error error = {0};
  adam_setting setting = {.struct_size = sizeof setting};
  const char *profile = adam_settings_profile(settings), *name;
  if (!arguments->is_set[AM_OPTION_JSON]) {
    am_output_format("%-20s %-32s %s\n", "KEY", "VALUE", "FROM");
    for (size_t i = 0; adam_setting_at(settings, i, &setting); i++) print_setting(&setting);
    return 0;
  }
  json_t *list = json_array(), *profiles = json_array();
  for (size_t i = 0; adam_setting_at(settings, i, &setting); i++)
    json_array_append_new(list, setting_json(&setting));
  for (size_t i = 0; (name = adam_settings_profile_at(settings, i)); i++)
    json_array_append_new(profiles, am_reply_string(name));
  return am_exit_code(
      am_reply_print(json_pack("{s:o, s:o, s:o, s:o}", "path", am_reply_string(adam_settings_path(settings)),
                               "profile", am_reply_string(profile), "profiles", profiles, "settings", list),
                     &error),
      &error);
}

static adam_status unknown_key(const adam_settings *settings, const char *key, adam_error *error) {
  adam_setting setting = {.struct_size = sizeof setting};
  char hint[128] = "adam config lists the keys";
  const char *nearest = "";
  size_t best = SIZE_MAX;
  for (size_t i = 0; adam_setting_at(settings, i, &setting); i++) {
    size_t distance = am_suggest_distance(key, setting.key);
    if (distance >= best) continue;
    best = distance;
    nearest = setting.key;
  }
  if (am_suggest_is_near(key, best)) snprintf(hint, sizeof hint, "did you mean %s?", nearest);
  return am_report_fill(error, ADAM_INVALID, key, hint, "no setting has this name");
}

static int get_setting(const am_arguments *arguments, const adam_settings *settings, const char *key) {
  adam_error error = {0};
  adam_setting setting;
  if (!am_settings_find(settings, key, &setting))
    return am_exit_code(unknown_key(settings, key, &error), &error);
  if (arguments->is_set[AM_OPTION_JSON])
    return am_exit_code(am_reply_print(setting_json(&setting), &error), &error);
  if (!setting.value)
    return am_exit_code(am_report_fill(&error, ADAM_FAILED, key, "", "nothing sets it"), &error);
  am_output_format("%s\n", setting.value);
  return 0;
}

/* Opens the model where one is named, so that its own values are seen. */
static int read_settings(const am_arguments *arguments, const char *key) {
  adam_error error = {0};
  adam_manager *manager = NULL;
  adam_settings *own = NULL;
  bool named = arguments->is_set[AM_OPTION_MODEL] || arguments->is_set[AM_OPTION_SIZE];
  adam_status status = named ? am_open_model(arguments, NULL, AM_OPEN_TO_DESCRIBE, &manager, &error)
                             : am_settings_get(arguments, &own, &error);
  const adam_settings *settings = own;
  if (manager) settings = adam_manager_settings(manager);
  int code = status != ADAM_OK ? am_exit_code(status, &error)
             : key             ? get_setting(arguments, settings, key)
                               : show_settings(arguments, settings);
  adam_settings_close(&own);
  adam_manager_close(&manager);
  return code;
}

static int print_path(const am_arguments *arguments) {
  adam_error error = {0};
  adam_settings *settings = NULL;
  adam_status status = am_settings_get(arguments, &settings, &error);
  if (status == ADAM_OK) am_output_format("%s\n", adam_settings_path(settings));
  adam_settings_close(&settings);
  return am_exit_code(status, &error);
}

int am_config_command(const am_arguments *arguments) {
  static const struct {
    const char *name;
    size_t n_arguments;
  } verbs[] = {{"show", 0}, {"path", 0}, {"get", 1}, {"set", 2}, {"unset", 1}};
  adam_error error = {0};
  const char *const *words = arguments->positional;
  const char *verb = arguments->n_positional ? words[0] : "show";
  size_t which = 0, n_verbs = sizeof verbs / sizeof *verbs,
         n = arguments->n_positional ? arguments->n_positional - 1 : 0;
  while (which < n_verbs && strcmp(verbs[which].name, verb) != 0) which++;
  if (which == n_verbs)
    return am_exit_code(am_report_fill(&error, ADAM_INVALID, verb, "see: adam config --help",
                                       "adam config knows show, path, get, set and unset"),
                        &error);
  if (n != verbs[which].n_arguments)
    return am_exit_code(am_report_fill(&error, ADAM_INVALID, "adam config", "see: adam config --help",
                                       "%s takes %zu arguments, not %zu", verb, verbs[which].n_arguments, n),
                        &error);
  if (which == 1) return print_path(arguments);
  if (which == 0 || which == 2) return read_settings(arguments, which ? words[1] : NULL);
  return am_exit_code(
      adam_settings_write(arguments->text[AM_OPTION_PROFILE], words[1], which == 3 ? words[2] : NULL, &error),
      &error);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/settle.h"

#include "base/json.h"
#include "base/mem.h"
#include "manager/manager.h"
#include "os/dirs.h"
#include <stdio.h>
#include <string.h>

static const char *text_of(const adam_settings *s, am_setting_id id) {
  return am_settings_text(s->layers, id, NULL);
}

static adam_status find_domain(adam_settings *s, const char *asked, adam_error *error) {
  const char *name =
      asked && *asked ? asked : am_settings_text(s->layers, AM_SETTING_DOMAIN, &s->domain_layer);
  s->domain_is_option = asked && *asked;
  if (!name || (s->domain = am_domains_find(name))) return ADAM_OK;
  adam_status status = am_domains_unknown(name, error);
  if (!s->domain_is_option && error && status == ADAM_INVALID) {
    char what[sizeof error->what];
    snprintf(what, sizeof what, "%s: domain %.60s", am_settings_where(s->layers, AM_SETTING_DOMAIN), name);
    am_error_rename(error, what);
  }
  return status;
}

/* The strongest one that names a model: an option, then the environment, the profile, the file. Where the
 * same one names a domain too, the model counts. */
static void choose_model(const adam_settings *s, const adam_manager_options *o, am_settled_model *out) {
  bool domain_names = s->domain && s->domain->n_models;
  if (o->model || o->size) {
    *out = (am_settled_model){.ref = o->model ? o->model : o->size, .is_size = !o->model};
    return;
  }
  if (s->domain_is_option && domain_names) {
    out->domain = s->domain;
    return;
  }
  for (am_layer layer = AM_LAYER_ENVIRONMENT; layer != AM_LAYER_NONE; layer--) {
    const char *model = am_settings_at_layer(s->layers, AM_SETTING_MODEL, layer);
    const char *size = am_settings_at_layer(s->layers, AM_SETTING_SIZE, layer);
    if (model || size) {
      *out = (am_settled_model){.ref = model ? model : size, .is_size = !model};
      return;
    }
    if (domain_names && s->domain_layer == layer) {
      out->domain = s->domain;
      return;
    }
  }
}

/* A domain's system message yields to one that is set where the domain is named, or by someone stronger. */
static void choose_system(adam_settings *s) {
  am_layer layer;
  const char *text = am_settings_text(s->layers, AM_SETTING_SYSTEM, &layer);
  bool domain_wins =
      s->domain && s->domain->system && (!text || s->domain_is_option || layer < s->domain_layer);
  s->system = domain_wins ? s->domain->system : text;
}

static void fill_text(const adam_settings *s, am_setting_id id, const char **option) {
  if (!*option) *option = text_of(s, id);
}

/* Variables that the backends read themselves stay theirs. */
static void fill_foreign(const adam_settings *s, am_setting_id id, const char **option) {
  am_layer layer;
  const char *text = am_settings_text(s->layers, id, &layer);
  if (!*option && layer != AM_LAYER_ENVIRONMENT) *option = text;
}

static adam_status fill_options(adam_settings *s, adam_manager_options *o, adam_error *error) {
  adam_model_options *m = &o->model_options;
  am_layer layer;
  fill_text(s, AM_SETTING_BACKEND, &o->backend);
  fill_text(s, AM_SETTING_EMBEDDING_MODEL, &o->embedding_model);
  fill_text(s, AM_SETTING_DEVICE, &m->device);
  fill_text(s, AM_SETTING_KV_TYPE, &m->kv_type);
  fill_text(s, AM_SETTING_KEEP_ALIVE, &m->keep_alive);
  fill_foreign(s, AM_SETTING_OLLAMA_HOST, &m->ollama_host);
  if (!m->n_ctx) m->n_ctx = am_settings_integer(s->layers, AM_SETTING_CTX);
  am_settings_text(s->layers, AM_SETTING_THREADS, &layer);
  if (!m->n_threads && layer != AM_LAYER_ENVIRONMENT)
    m->n_threads = (int32_t)am_settings_integer(s->layers, AM_SETTING_THREADS);
  const char *cache_dir = NULL;
  fill_foreign(s, AM_SETTING_CACHE_DIR, &cache_dir);
  if (m->cache_dir || !cache_dir) return ADAM_OK;
  m->cache_dir = s->cache_dir = am_dirs_expand(cache_dir);
  return s->cache_dir ? ADAM_OK : am_fail_memory(error, cache_dir);
}

adam_status am_settle_open(adam_manager_options *o, adam_settings **out, am_settled_model *model,
                           adam_error *error) {
  adam_settings *s = am_mem_zalloc(1, sizeof *s);
  if (!s) return am_fail_memory(error, "settings");
  adam_status status = am_presets_load(NULL, error);
  if (!status && o->ignore_settings)
    status = am_settings_parse("", 0, "", NULL, false, &s->layers, error);
  else if (!status)
    status = am_settings_open(o->profile, &s->layers, error);
  if (!status) status = find_domain(s, o->domain, error);
  if (!status) status = fill_options(s, o, error);
  const char *named = o->model ? o->model : o->size;
  s->named_is_size = !o->model;
  if (!status && named && !(s->named = am_mem_dup(named, strlen(named))))
    status = am_fail_memory(error, named);
  if (status) {
    adam_settings_close(&s);
    return status;
  }
  choose_model(s, o, model);
  choose_system(s);
  const char *think = text_of(s, AM_SETTING_THINK);
  if (think)
    s->think = !strcmp(think, "on")    ? ADAM_THINK_ON
               : !strcmp(think, "off") ? ADAM_THINK_OFF
                                       : ADAM_THINK_DEFAULT;
  *out = s;
  return ADAM_OK;
}

/* What holds of a sampling value, and who says so. */
static const char *sampling_source(const adam_settings *s, int key, adam_sampling *value,
                                   const char **where) {
  uint32_t bit = 1u << key;
  *where = "";
  if (s->domain && s->domain->sampling.set & bit) {
    *value = s->domain->sampling;
    *where = s->domain->name;
    return "domain";
  }
  if (s->preset && s->preset->sampling.set & bit) {
    *value = s->preset->sampling;
    *where = s->preset->name;
    return "preset";
  }
  *value = s->model.set & bit ? s->model : am_sampling_built_in();
  return s->model.set & bit ? "model" : value->set & bit ? "built-in" : "";
}

adam_status am_settle_model(adam_settings *s, const am_preset *preset, const adam_sampling *model,
                            adam_error *error) {
  s->preset = preset;
  s->model = model ? *model : (adam_sampling){0};
  s->sampling = am_settings_sampling(s->layers);
  if (s->domain) am_sampling_fill(&s->sampling, &s->domain->sampling);
  if (preset) am_sampling_fill(&s->sampling, &preset->sampling);
  for (int key = 0; key < AM_SAMPLING_KEYS; key++) {
    char text[64];
    const char *where;
    adam_sampling value;
    unsigned id = AM_SETTING_SAMPLING + (unsigned)key;
    am_mem_free(s->texts[id]);
    s->texts[id] = NULL;
    if (text_of(s, (am_setting_id)id) || !*sampling_source(s, key, &value, &where)) continue;
    am_sampling_text(&value, key, text, sizeof text);
    if (!(s->texts[id] = am_mem_dup(text, strlen(text)))) return am_fail_memory(error, "settings");
  }
  return ADAM_OK;
}

static bool begins_with_system(const char *messages) {
  am_arena arena = {0};
  am_json list = {0};
  bool begins = !am_json_parse(messages, strlen(messages), "messages", 0, &arena, &list, NULL) &&
                !strcmp(am_json_str(am_json_get(am_json_at(&list, 0), "role"), ""), "system");
  am_arena_close(&arena);
  return begins;
}

void am_settle_request(const adam_settings *s, adam_request *r) {
  if (!s) return;
  am_sampling_fill(&r->sampling, &s->sampling);
  if (r->raw) return;
  if (r->think == ADAM_THINK_DEFAULT) r->think = s->think;
  if (!r->system && s->system && !(r->messages_json && begins_with_system(r->messages_json)))
    r->system = s->system;
}

adam_status adam_settings_open(const adam_settings_options *options, adam_settings **out, adam_error *error) {
  adam_settings_options o = {.struct_size = sizeof o};
  am_settled_model model = {0};
  adam_settings *s = NULL;
  adam_status status =
      options ? am_manager_copy(options, &o, sizeof o, "adam_settings_options", error) : ADAM_OK;
  if (status) return status;
  adam_manager_options wanted = {
      .struct_size = sizeof wanted, .profile = o.profile, .domain = o.domain, .model = o.model};
  status = am_settle_open(&wanted, &s, &model, error);
  if (!status) status = am_settle_model(s, model.ref ? am_presets_find(model.ref) : NULL, NULL, error);
  if (status)
    adam_settings_close(&s);
  else
    *out = s;
  return status;
}

void adam_settings_close(adam_settings **settings) {
  adam_settings *s = settings ? *settings : NULL;
  if (!s) return;
  am_settings_close(&s->layers);
  am_mem_free(s->cache_dir);
  am_mem_free(s->named);
  for (size_t i = 0; i < AM_SETTING_COUNT; i++) am_mem_free(s->texts[i]);
  am_mem_free(s);
  *settings = NULL;
}

const char *adam_settings_path(const adam_settings *settings) { return am_settings_path(settings->layers); }
const char *adam_settings_profile(const adam_settings *settings) {
  return am_settings_profile(settings->layers);
}

const char *adam_settings_profile_at(const adam_settings *settings, size_t index) {
  return am_settings_profile_at(settings->layers, index);
}

static void say(adam_setting *out, const char *value, const char *source, const char *where) {
  out->value = value;
  out->source = source;
  out->where = where;
}

/* A key that no layer sets, or that something stronger than the layers sets. */
static void settle_rest(const adam_settings *s, am_setting_id id, const am_setting_row *row,
                        adam_setting *out) {
  adam_sampling ignored;
  if (id == AM_SETTING_CACHE_DIR && s->cache_dir)
    out->value = s->cache_dir; /* ~ and variables expanded */
  else if (s->named && id == (s->named_is_size ? AM_SETTING_SIZE : AM_SETTING_MODEL))
    say(out, s->named, "option", "");
  else if (id == AM_SETTING_DOMAIN && s->domain_is_option)
    say(out, s->domain->name, "option", "");
  else if (id == AM_SETTING_SYSTEM && s->system && s->domain && s->system == s->domain->system)
    say(out, s->system, "domain", s->domain->name);
  else if (id == AM_SETTING_PROFILE && am_settings_profile(s->layers) &&
           out->value != am_settings_profile(s->layers) &&
           (!out->value || strcmp(out->value, am_settings_profile(s->layers)) != 0))
    say(out, am_settings_profile(s->layers), "option", "");
  else if (!out->value && id >= AM_SETTING_SAMPLING && s->texts[id]) {
    out->value = s->texts[id];
    out->source = sampling_source(s, (int)id - AM_SETTING_SAMPLING, &ignored, &out->where);
  } else if (!out->value && row->built_in)
    say(out, row->built_in, "built-in", "");
}

bool adam_setting_at(const adam_settings *s, size_t index, adam_setting *setting) {
  static const char *const sources[] = {
      [AM_LAYER_FILE] = "file", [AM_LAYER_PROFILE] = "profile", [AM_LAYER_ENVIRONMENT] = "environment"};
  size_t size = setting->struct_size;
  if (index >= AM_SETTING_COUNT || size < sizeof size) return false;
  am_setting_id id = (am_setting_id)index;
  am_setting_row row = am_setting_row_of(id);
  am_layer layer;
  adam_setting full = {.key = row.name,
                       .value = am_settings_text(s->layers, id, &layer),
                       .source = "",
                       .where = am_settings_where(s->layers, id),
                       .variable = row.variable ? row.variable : "",
                       .note = row.note};
  if (layer != AM_LAYER_NONE) full.source = sources[layer];
  settle_rest(s, id, &row, &full);
  memcpy(setting, &full, size < sizeof full ? size : sizeof full);
  setting->struct_size = size;
  return true;
}

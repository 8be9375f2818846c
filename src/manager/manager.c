/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/manager.h"

#include "base/buf.h"
#include "base/mem.h"
#include "manager/origin.h"
#include "manager/ref.h"
#include "manager/settle.h"
#include "os/clock.h"
#include "presets/presets.h"
#include <stdio.h>
#include <string.h>

adam_status am_manager_copy(const void *from, void *to, size_t to_bytes, const char *what,
                            adam_error *error) {
  size_t size = 0;
  memset(to, 0, to_bytes);
  if (from) memcpy(&size, from, sizeof size);
  if (size < sizeof size)
    return am_fail(error, ADAM_INVALID, what, "set struct_size to the size of the struct",
                   from ? "struct_size is not set" : "the pointer is NULL");
  memcpy(to, from, size < to_bytes ? size : to_bytes);
  memcpy(to, &to_bytes, sizeof to_bytes);
  return ADAM_OK;
}

adam_status am_manager_unsupported(const adam_manager *manager, const char *verb, adam_error *error) {
  return am_fail(error, ADAM_UNSUPPORTED, manager->ops->name, NULL, "the backend cannot %s", verb);
}

static adam_status open_model(adam_manager *m, const am_ref *ref, const adam_model_options *options,
                              adam_error *error) {
  m->ops = ref->ops;
  double begin_ms = am_clock_ms();
  bool ask = m->ops->available && !(m->ops->features & ADAM_FEATURE_SERVER);
  adam_status status = ask ? m->ops->available(m->ops->context, error) : ADAM_OK;
  if (!status) status = m->ops->open(m->ops->context, ref->model, options, &m->model, error);
  if (status) return status;
  m->info.struct_size = sizeof m->info;
  status = m->ops->info(m->ops->context, m->model, &m->info, error);
  if (status) return status;
  m->info.struct_size = sizeof m->info;
  if (m->info.load_ms <= 0) m->info.load_ms = am_clock_ms() - begin_ms;
  if (!m->info.backend) m->info.backend = m->ops->name;
  if (!options->describe || m->info.origin_json || !m->info.path || (m->ops->features & ADAM_FEATURE_SERVER)) return ADAM_OK;
  status = am_origin_of(m->info.path, &m->origin_json, error);
  m->info.origin_json = m->origin_json;
  return status;
}

static void close_model(adam_manager *m) {
  if (m->model) m->ops->close(m->ops->context, m->model);
  m->model = NULL;
  am_mem_free(m->origin_json);
  m->origin_json = NULL;
}

/* Opens the best model that is here when none was named; what does not open is passed over. */
static adam_status open_default(adam_manager *m, const adam_model_options *options, am_ref *ref,
                                adam_error *error) {
  size_t candidate = 0;
  for (;;) {
    bool last = false;
    am_notices_close(&m->notices);
    adam_status status = am_ref_default(options->cache_dir, &candidate, &last, ref, &m->notices, error);
    if (!status) status = open_model(m, ref, options, error);
    if (!status || last) return status;
    close_model(m);
    am_ref_close(ref);
  }
}

/* The first of a domain's models that is on this machine. */
static adam_status open_domain(adam_manager *m, const adam_manager_options *o, const am_domain *domain, am_ref *ref,
                               adam_error *error) {
  am_buf names = {0};
  char hint[256];
  for (size_t i = 0; i < domain->n_models; i++) {
    const char *text = domain->models[i];
    adam_error why = {0};
    am_notices_close(&m->notices);
    adam_status status = am_ref_resolve(o->backend, text, o->model_options.cache_dir, ref, &m->notices, &why);
    if (!status) status = open_model(m, ref, &o->model_options, &why);
    bool is_absent = status == ADAM_NOT_FOUND || (status == ADAM_UNAVAILABLE && strchr(text, ':'));
    if (!status && !am_notices_printf(&m->notices, "domain_model", ADAM_NOTICE_INFO,
                                      "domain %s: this is %s, the first of its models that is on this machine",
                                      domain->name, text))
      status = am_fail_memory(&why, domain->name);
    if (!is_absent) {
      am_buf_close(&names);
      if (status && error) *error = why;
      return status;
    }
    am_buf_printf(&names, "%s%s", i ? ", " : "", text);
    close_model(m);
    am_ref_close(ref);
  }
  snprintf(hint, sizeof hint, "adam pull %s, or name a model", domain->models[0]);
  am_fail(error, ADAM_NOT_FOUND, domain->name, hint, "none of the domain's models is on this machine: %s",
          names.data ? names.data : "");
  am_buf_close(&names);
  return ADAM_NOT_FOUND;
}

static adam_status check_size(const char *size, adam_error *error) {
  const char *near = NULL;
  if (am_presets_find(size) || !strcmp(size, "demo")) return ADAM_OK;
  bool has_near = am_presets_nearest(size, &near, 1) > 0;
  return am_fail(error, ADAM_INVALID, size, "adam presets lists them", "no such size%s%s%s",
                 has_near ? "; did you mean " : "", has_near ? near : "", has_near ? "?" : "");
}

static adam_status open_named(adam_manager *m, const adam_manager_options *o, const am_settled_model *model, am_ref *ref,
                              adam_error *error) {
  const char *text = model->ref;
  bool is_native =
      !o->backend || !*o->backend || !strcmp(o->backend, "auto") || !strcmp(o->backend, "huggingface");
  adam_status status = model->is_size ? check_size(text, error) : ADAM_OK;
  if (status) return status;
  if (model->domain) return open_domain(m, o, model->domain, ref, error);
  if (!text && is_native) return open_default(m, &o->model_options, ref, error);
  status = am_ref_resolve(o->backend, text ? text : "", o->model_options.cache_dir, ref, &m->notices, error);
  return status ? status : open_model(m, ref, &o->model_options, error);
}

static bool keep(const char *text, char **out) {
  if (text) *out = am_mem_dup(text, strlen(text));
  return !text || *out;
}

/* What an embedding model will be opened with. */
static adam_status keep_options(adam_manager *m, const adam_manager_options *o, adam_error *error) {
  m->embedding_threads = o->model_options.n_threads;
  m->embedding_start = o->model_options.start_server;
  m->embedding_timeout_ms = o->model_options.timeout_ms;
  bool kept = keep(o->model, &m->ref) && keep(o->embedding_model, &m->embedding_ref) &&
              keep(o->model_options.device, &m->embedding_device) &&
              keep(o->model_options.cache_dir, &m->embedding_cache_dir) &&
              keep(o->model_options.ollama_host, &m->embedding_host) &&
              keep(o->model_options.keep_alive, &m->embedding_keep_alive) &&
              keep(o->model_options.base_url, &m->embedding_url) &&
              keep(o->model_options.api_key_file, &m->embedding_key_file);
  return kept ? ADAM_OK : am_fail_memory(error, "manager");
}

adam_status adam_manager_open(const adam_manager_options *options, adam_manager **out, adam_error *error) {
  adam_manager_options o;
  adam_model_options model_options = {0};
  am_ref ref = {0};
  adam_status status = am_manager_copy(options, &o, sizeof o, "adam_manager_options", error);
  if (status) return status;
  /* An unset inner struct_size means the outer one's header. */
  if (!o.model_options.struct_size) o.model_options.struct_size = sizeof o.model_options;
  status =
      am_manager_copy(&o.model_options, &model_options, sizeof model_options, "adam_model_options", error);
  if (status) return status;
  o.model_options = model_options;
  adam_manager *m = am_mem_zalloc(1, sizeof *m);
  if (!m) return am_fail_memory(error, "manager");
  am_settled_model model = {0};
  m->ignores_settings = o.ignore_settings;
  status = am_settle_open(&o, &m->settings, &model, error);
  if (!status) status = keep_options(m, &o, error);
  if (!status) status = open_named(m, &o, &model, &ref, error);
  if (!status) status = am_settle_model(m->settings, am_presets_find(ref.name), &m->info.defaults, error);
  m->name = ref.name;
  ref.name = NULL;
  am_ref_close(&ref);
  if (!status && o.share_with_ollama)
    status = am_manager_share(m, o.model ? o.model : o.size ? o.size : m->name, o.model_options.cache_dir, error);
  if (status) {
    adam_manager_close(&m);
    return status;
  }
  *out = m;
  return ADAM_OK;
}

void adam_manager_close(adam_manager **manager) {
  adam_manager *m = manager ? *manager : NULL;
  if (!m) return;
  close_model(m);
  adam_manager_close(&m->embedder);
  adam_settings_close(&m->settings);
  am_notices_close(&m->notices);
  am_mem_free(m->ref);
  am_mem_free(m->embedding_ref);
  am_mem_free(m->embedding_device);
  am_mem_free(m->embedding_cache_dir);
  am_mem_free(m->embedding_host);
  am_mem_free(m->embedding_keep_alive);
  am_mem_free(m->embedding_url);
  am_mem_free(m->embedding_key_file);
  am_mem_free(m->name);
  am_mem_free(m);
  *manager = NULL;
}

const adam_settings *adam_manager_settings(const adam_manager *manager) {
  return manager->ignores_settings ? NULL : manager->settings;
}

const adam_notice *adam_manager_notice_at(const adam_manager *manager, size_t index) {
  return index < manager->notices.n ? &manager->notices.items[index] : NULL;
}

adam_status adam_manager_info(adam_manager *manager, adam_model_info *info, adam_error *error) {
  size_t size = info ? info->struct_size : 0;
  if (size < sizeof size)
    return am_fail(error, ADAM_INVALID, "adam_model_info", NULL, "struct_size is not set");
  adam_model_info full = manager->info;
  full.name = manager->name;
  memcpy(info, &full, size < sizeof full ? size : sizeof full);
  info->struct_size = size;
  return ADAM_OK;
}

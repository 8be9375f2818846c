/* SPDX-License-Identifier: Apache-2.0 */
#include <adam/stores.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/mem.h"
#include "hub/folder.h"
#include "manager/manager.h"
#include "manager/ref.h"
#include "os/file.h"
#include "presets/presets.h"
#include "share/disk.h"
#include "share/remove.h"
#include "share/share.h"
#include "store/store.h"
#include <stdio.h>
#include <string.h>

/* The model to be shared: where it lies and what it is called. Owned texts. */
typedef struct source {
  char *path, *display, *name;
  char *title; /* the model's own name */
} source;

static void source_close(source *s) {
  am_mem_free(s->path);
  am_mem_free(s->display);
  am_mem_free(s->name);
  am_mem_free(s->title);
}

static char *dup_text(const char *text) { return am_mem_dup(text, strlen(text)); }

/* The repository's own name of [hf:]ORG/NAME[@REVISION][:FILE]; a file's name without its ending. */
static char *own_name(const char *ref, const char *path) {
  const am_preset *preset = am_presets_find(ref);
  const char *real = preset && preset->huggingface ? preset->huggingface : NULL;
  bool is_path = strchr("/.~", *ref) || am_file_is_regular(ref);
  if (!real && !is_path) {
    const char *text = strncmp(ref, "hf:", 3) ? ref : ref + 3;
    size_t n = strcspn(text, "@:");
    char *repository = am_mem_dup(text, n);
    const char *renamed = repository ? am_presets_renamed(repository) : NULL;
    const char *whole = renamed ? renamed : repository;
    const char *slash = whole ? strrchr(whole, '/') : NULL;
    char *name = whole ? dup_text(slash ? slash + 1 : whole) : NULL;
    am_mem_free(repository);
    return name;
  }
  const char *base = real ? real : path;
  size_t end = strlen(base);
  while (end > 1 && base[end - 1] == '/') end--;
  size_t begin = end;
  while (begin > 0 && base[begin - 1] != '/') begin--;
  size_t n = end - begin;
  if (!real && n > 5 && am_hub_ends_with(base, ".gguf")) n -= 5;
  if (!real && n > 12 && am_hub_ends_with(base, ".safetensors")) n -= 12;
  return am_mem_dup(base + begin, n);
}

static adam_status find_ollama(const char *ref, source *out, adam_error *error) {
  am_store_name name;
  am_store_model *model = NULL;
  adam_status status = am_store_name_parse(ref + 7, &name, error);
  if (!status) status = am_store_find(&name, &model, NULL, error);
  if (!status) status = am_store_model_check(model, error);
  if (!status) {
    am_buf own = {0};
    am_buf_append_str(&own, model->name.model);
    if (strcmp(model->name.tag, "latest") != 0) am_buf_printf(&own, "-%s", model->name.tag);
    out->path = dup_text(model->weights->path);
    out->display = dup_text(ref);
    out->name = am_buf_take(&own);
    if (!out->path || !out->display || !out->name) status = am_fail_memory(error, ref);
  }
  am_store_model_close(&model);
  return status;
}

static adam_status find_native(const char *ref, const char *cache_dir, source *out, adam_error *error) {
  am_ref resolved = {0};
  am_notices notices = {0};
  adam_status status = am_ref_resolve("huggingface", ref, cache_dir, &resolved, &notices, error);
  if (!status) {
    out->path = dup_text(resolved.model);
    out->display = dup_text(ref);
    out->name = own_name(ref, resolved.model);
    if (!out->path || !out->display || !out->name) status = am_fail_memory(error, ref);
  }
  am_notices_close(&notices);
  am_ref_close(&resolved);
  return status;
}

typedef struct notice_call {
  void (*on_notice)(void *user, const adam_notice *notice);
  void *user;
} notice_call;

static void tell(void *user, const char *code, bool degraded, const char *text) {
  const notice_call *call = user;
  const adam_notice notice = {code, degraded ? ADAM_NOTICE_DEGRADED : ADAM_NOTICE_INFO, text};
  if (call->on_notice) call->on_notice(call->user, &notice);
}

/* What the other side calls it; owned. */
static adam_status target_name(const adam_share_options *o, bool to_ollama, source *s, adam_error *error) {
  char clean[81];
  am_buf name = {0};
  if (o->name)
    am_buf_append_str(&name, o->name);
  else if (!am_store_name_clean(s->name, clean))
    return am_fail(error, ADAM_INVALID, s->display, "give it one with --name", "no name for it can be made of this one");
  else
    am_buf_printf(&name, "%s%s", to_ollama ? "" : !strncmp(s->display, "ollama:", 7) ? "ollama/" : "local/", clean);
  s->title = s->name;
  s->name = am_buf_take(&name);
  return s->name ? ADAM_OK : am_fail_memory(error, s->display);
}

/* A model that the store got from the cache, or whose file the cache has anyway, needs no second name there. */
static const am_item *find_in_hub(const am_inventory *inventory, const char *path) {
  const am_item *item = am_inventory_find(inventory, path);
  for (; item; item = item->next_name == SIZE_MAX ? NULL : &inventory->items[item->next_name])
    if (item->place == AM_PLACE_HUGGINGFACE && *item->owner) return item;
  return NULL;
}

static adam_status share_to_hub(const adam_share_options *o, const am_share_request *request, am_share_outcome *out,
                                adam_error *error) {
  am_inventory inventory = {0};
  adam_status status = o->name ? ADAM_OK : am_inventory_open(o->cache_dir, &inventory, error);
  const am_item *item = status || o->name ? NULL : find_in_hub(&inventory, request->path);
  if (item) {
    *out = (am_share_outcome){.bytes_linked = item->bytes, .method = "same", .template_name = ""};
    (void)snprintf(out->name, sizeof out->name, "%s", item->owner);
    memcpy(out->digest, item->named, 65);
  } else if (!status) {
    status = am_share_to_hub(request, out, error);
  }
  am_inventory_close(&inventory);
  return status;
}

static void give(adam_share_result *result, const am_share_outcome *outcome) {
  adam_share_result full = {.struct_size = result->struct_size,
                            .bytes_added = outcome->bytes_added,
                            .bytes_linked = outcome->bytes_linked,
                            .bytes_texts = outcome->bytes_texts,
                            .converted = outcome->converted};
  (void)snprintf(full.template_name, sizeof full.template_name, "%s", outcome->template_name);
  (void)snprintf(full.name, sizeof full.name, "%s", outcome->name);
  (void)snprintf(full.method, sizeof full.method, "%s", outcome->method);
  (void)snprintf(full.digest, sizeof full.digest, "%s", outcome->digest);
  memcpy(result, &full, full.struct_size < sizeof full ? full.struct_size : sizeof full);
}

adam_status adam_share(const adam_share_options *options, adam_share_result *result, adam_error *error) {
  adam_share_options o;
  source s = {0};
  am_lock *lock = NULL;
  am_places places = {0};
  am_share_outcome outcome;
  adam_status status = am_manager_copy(options, &o, sizeof o, "adam_share_options", error);
  if (status) return status;
  bool to_ollama = o.to && !strcmp(o.to, "ollama");
  if (result->struct_size < 2 * sizeof(size_t))
    return am_fail(error, ADAM_INVALID, "adam_share_result", "set struct_size", "it has no size");
  if (!o.model || !*o.model) return am_fail(error, ADAM_INVALID, "model", NULL, "no name was given");
  if (!to_ollama && (!o.to || strcmp(o.to, "huggingface") != 0))
    return am_fail(error, ADAM_INVALID, o.to ? o.to : "to", NULL, "expected ollama or huggingface");
  bool from_ollama = !strncmp(o.model, "ollama:", 7);
  if (!to_ollama && o.quantization && strcmp(o.quantization, "none") != 0)
    return am_fail(error, ADAM_INVALID, o.quantization, "adam convert makes other types",
                   "a GGUF is shared with the Hub's cache as it is");
  notice_call call = {o.on_notice, o.user};
  am_work work = {.on_progress = o.on_work, .user = o.user, .doing = "reading"};
  if (!o.dry_run) {
    status = am_places_lock(&lock, error);
    if (!status) status = am_places_open(o.cache_dir, &places, error);
    if (!status) status = am_remove_clean(&places, error);
    if (!status) status = am_disk_clean(&places, error);
    am_places_close(&places);
    am_lock_close(&lock); /* a conversion takes long; the store has a lock of its own */
  }
  if (!status) status = from_ollama ? find_ollama(o.model, &s, error) : find_native(o.model, o.cache_dir, &s, error);
  if (!status) status = target_name(&o, to_ollama, &s, error);
  if (!status) {
    const am_share_request request = {.path = s.path,
                                      .display = s.display,
                                      .title = s.title,
                                      .name = s.name,
                                      .quantization = o.quantization,
                                      .cache_dir = o.cache_dir,
                                      .dry_run = o.dry_run,
                                      .strict = o.strict,
                                      .work = &work,
                                      .on_notice = tell,
                                      .user = &call};
    status = to_ollama ? am_share_to_ollama(&request, &outcome, error) : share_to_hub(&o, &request, &outcome, error);
  }
  if (!status) give(result, &outcome);
  source_close(&s);
  return status;
}

typedef struct load_call {
  am_notices *notices;
  bool failed;
} load_call;

static void keep_notice(void *user, const adam_notice *notice) {
  load_call *call = user;
  if (!am_notices_add(call->notices, notice)) call->failed = true;
}

adam_status am_manager_share(adam_manager *manager, const char *ref, const char *cache_dir, adam_error *error) {
  bool is_native = !strcmp(manager->ops->name, "huggingface") && manager->info.path;
  if (!is_native || !strncmp(ref, "ollama:", 7)) return ADAM_OK; /* Ollama has it, or there is no file */
  load_call call = {&manager->notices, false};
  const adam_share_options options = {.struct_size = sizeof options,
                                      .model = ref,
                                      .to = "ollama",
                                      .cache_dir = cache_dir,
                                      .on_notice = keep_notice,
                                      .user = &call};
  adam_share_result result = {.struct_size = sizeof result};
  adam_error why = {0};
  adam_status status = adam_share(&options, &result, &why);
  bool noted =
      status ? am_notices_printf(&manager->notices, "not_shared", ADAM_NOTICE_DEGRADED,
                                 "the model is not in Ollama: %s%s%s%s", why.why, *why.hint ? " (" : "", why.hint,
                                 *why.hint ? ")" : "")
             : am_notices_printf(&manager->notices, "shared", ADAM_NOTICE_INFO, "Ollama has the model as %s: %s, %llu bytes added",
                                 result.name, result.method, (unsigned long long)result.bytes_added);
  return noted && !call.failed && status != ADAM_NO_MEMORY ? ADAM_OK : am_fail_memory(error, ref);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <adam/stores.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/mem.h"
#include "hub/folder.h"
#include "hub/places.h"
#include "manager/manager.h"
#include "os/dirs.h"
#include "os/file.h"
#include "presets/presets.h"
#include "share/disk.h"
#include "share/remove.h"
#include "share/verify.h"
#include "store/store.h"
#include <string.h>

static adam_status take_options(const adam_stores_options *given, adam_stores_options *out, adam_error *error) {
  *out = (adam_stores_options){.struct_size = sizeof *out};
  return given ? am_manager_copy(given, out, sizeof *out, "adam_stores_options", error) : ADAM_OK;
}

/* Gives the caller as much of a result as their struct has; its size stays theirs. */
static void give(void *to, size_t to_bytes, const void *from, size_t from_bytes) {
  size_t n = to_bytes < from_bytes ? to_bytes : from_bytes;
  if (n > sizeof(size_t))
    memcpy((char *)to + sizeof(size_t), (const char *)from + sizeof(size_t), n - sizeof(size_t));
}

static adam_status check_result(size_t struct_size, const char *what, adam_error *error) {
  return struct_size < 2 * sizeof(size_t) ? am_fail(error, ADAM_INVALID, what, "set struct_size", "it has no size")
                                          : ADAM_OK;
}

/* The lock, the stores cleaned of what a kill left, then the inventory. A dry run takes no lock and cleans nothing. */
static adam_status begin(const adam_stores_options *options, am_lock **lock, am_inventory *inventory,
                         adam_error *error) {
  am_places places = {0};
  adam_status status = ADAM_OK;
  if (!options->dry_run) {
    status = am_places_lock(lock, error);
    if (!status) status = am_places_open(options->cache_dir, &places, error);
    if (!status) status = am_remove_clean(&places, error);
    if (!status) status = am_disk_clean(&places, error);
    am_places_close(&places);
  }
  return status || !inventory ? status : am_inventory_open(options->cache_dir, inventory, error);
}

typedef struct use_call {
  void (*on_duplicate)(void *user, const adam_duplicate *duplicate);
  void *user;
} use_call;

static bool tell_duplicate(void *user, const am_item *item, bool is_first) {
  const use_call *call = user;
  const adam_duplicate duplicate = {item->digest, am_place_name(item->place), item->path, item->owner, item->bytes,
                                    is_first};
  call->on_duplicate(call->user, &duplicate);
  return false;
}

adam_status adam_models_disk_use(const adam_stores_options *options,
                                 void (*on_store)(void *user, const adam_store_use *use),
                                 void (*on_duplicate)(void *user, const adam_duplicate *duplicate), void *user,
                                 adam_disk_use *use, adam_error *error) {
  adam_stores_options o;
  am_inventory inventory = {0};
  am_disk_use measured;
  use_call call = {on_duplicate, user};
  adam_status status = take_options(options, &o, error);
  if (!status) status = check_result(use->struct_size, "adam_disk_use", error);
  if (status) return status;
  am_work work = {.on_progress = o.on_work, .user = o.user, .doing = "reading"};
  status = am_inventory_open(o.cache_dir, &inventory, error);
  if (!status)
    status = am_disk_measure(&inventory, &work, on_duplicate ? tell_duplicate : NULL, &call, &measured, error);
  for (size_t i = 0; !status && on_store && i < measured.n_roots; i++) {
    const adam_store_use one = {am_place_name(measured.roots[i].place), measured.roots[i].path,
                                measured.roots[i].bytes, measured.roots[i].only_bytes};
    on_store(user, &one);
  }
  if (!status) {
    const adam_disk_use full = {sizeof full, measured.total_bytes, measured.disk_bytes, measured.duplicated_bytes,
                                measured.n_files};
    give(use, use->struct_size, &full, sizeof full);
  }
  am_inventory_close(&inventory);
  return status;
}

typedef struct dedupe_call {
  bool (*on_step)(void *user, const adam_dedupe_step *step);
  void *user;
} dedupe_call;

static bool tell_step(void *user, const am_dedupe_step *step) {
  const dedupe_call *call = user;
  const adam_dedupe_step told = {step->kept, step->replaced, step->bytes_freed, step->skipped};
  return call->on_step(call->user, &told);
}

adam_status adam_models_dedupe(const adam_stores_options *options,
                               bool (*on_step)(void *user, const adam_dedupe_step *step), void *user,
                               uint64_t *bytes_freed, adam_error *error) {
  adam_stores_options o;
  am_inventory inventory = {0};
  am_lock *lock = NULL;
  dedupe_call call = {on_step, user};
  adam_status status = take_options(options, &o, error);
  if (status) return status;
  am_work work = {.on_progress = o.on_work, .user = o.user, .doing = "comparing"};
  status = begin(&o, &lock, &inventory, error);
  if (!status)
    status = am_disk_dedupe(&inventory, o.dry_run, &work, on_step ? tell_step : NULL, &call, bytes_freed, error);
  am_inventory_close(&inventory);
  am_lock_close(&lock);
  return status;
}

/* What a REF names to remove; texts are owned. */
typedef struct removal_target {
  char *repository, *revision, *file, *ollama, *path;
} removal_target;

static void removal_close(removal_target *t) {
  am_mem_free(t->repository);
  am_mem_free(t->revision);
  am_mem_free(t->file);
  am_mem_free(t->ollama);
  am_mem_free(t->path);
}

static char *dup_text(const char *text) { return am_mem_dup(text, strlen(text)); }

/* [hf:]ORG/NAME[@REVISION][:FILE-or-QUANT]: the file's name as the snapshot has it. */
static adam_status target_of_hub(const char *text, const char *cache_dir, removal_target *t, adam_error *error) {
  char *folder = NULL, *picked = NULL, *copy = dup_text(text);
  adam_status status = ADAM_OK;
  if (!copy) return am_fail_memory(error, text);
  char *choice = strchr(copy, ':'), *revision;
  if (choice) *choice++ = 0;
  if ((revision = strchr(copy, '@'))) *revision++ = 0;
  const char *real = am_presets_renamed(copy);
  t->repository = dup_text(real ? real : copy);
  if (revision) t->revision = dup_text(revision);
  if (!t->repository || (revision && !t->revision)) status = am_fail_memory(error, text);
  if (!status && choice) {
    status = am_hub_find(cache_dir, t->repository, t->revision, &folder, error);
    if (!status) status = am_hub_pick(folder, choice, text, &picked, error);
    if (!status && strlen(picked) > strlen(folder) + 1 && !(t->file = dup_text(picked + strlen(folder) + 1)))
      status = am_fail_memory(error, text);
  }
  am_mem_free(picked);
  am_mem_free(folder);
  am_mem_free(copy);
  return status;
}

static adam_status find_target(const char *text, const char *cache_dir, removal_target *t, adam_error *error) {
  if (!strncmp(text, "ollama:", 7)) return (t->ollama = dup_text(text + 7)) ? ADAM_OK : am_fail_memory(error, text);
  if (!strncmp(text, "hf:", 3)) return target_of_hub(text + 3, cache_dir, t, error);
  if (*text == '/' || *text == '.' || *text == '~' || am_file_is_regular(text))
    return (t->path = am_dirs_expand(text)) ? ADAM_OK : am_fail_memory(error, text);
  if (strchr(text, '/')) return target_of_hub(text, cache_dir, t, error);
  if (!strcmp(text, "demo"))
    return am_fail(error, ADAM_INVALID, text, NULL, "the demo ships with adam and is not removed");
  const am_preset *preset = am_presets_find(text);
  if (!preset || !preset->huggingface)
    return am_fail(error, ADAM_NOT_FOUND, text, "a Hub model is ORG/NAME, one of Ollama's is ollama:NAME",
                   "no preset has this name");
  t->path = am_hub_own_file(preset->huggingface);
  return t->path ? ADAM_OK : target_of_hub(preset->huggingface, cache_dir, t, error);
}

typedef struct kept_call {
  void (*on_kept)(void *user, const adam_kept_file *file);
  void *user;
} kept_call;

static void tell_kept(void *user, const char *path, const char *owner, am_place place, uint64_t bytes) {
  const kept_call *call = user;
  const adam_kept_file file = {path, owner, am_place_name(place), bytes};
  if (call->on_kept) call->on_kept(call->user, &file);
}

adam_status adam_models_remove(const adam_stores_options *options, const char *model,
                               void (*on_kept)(void *user, const adam_kept_file *file), void *user,
                               adam_remove_result *result, adam_error *error) {
  adam_stores_options o;
  am_lock *lock = NULL;
  am_removal removal;
  removal_target target = {0};
  kept_call call = {on_kept, user};
  adam_status status = take_options(options, &o, error);
  if (!status && (!model || !*model)) status = am_fail(error, ADAM_INVALID, "model", NULL, "no name was given");
  if (!status) status = check_result(result->struct_size, "adam_remove_result", error);
  if (!status) status = am_presets_load(NULL, error);
  if (status) return status;
  status = begin(&o, &lock, NULL, error);
  if (!status) status = find_target(model, o.cache_dir, &target, error);
  if (!status) {
    const am_remove_request request = {o.cache_dir,  target.repository, target.revision, target.file, target.ollama,
                                       target.path, o.dry_run,         tell_kept,       &call};
    status = am_remove(&request, &removal, error);
  }
  if (!status) {
    const adam_remove_result full = {sizeof full, removal.bytes_freed, removal.bytes_kept};
    give(result, result->struct_size, &full, sizeof full);
  }
  removal_close(&target);
  am_lock_close(&lock);
  return status;
}

static const char *without_prefix(const char *name) { return strncmp(name, "ollama:", 7) ? name : name + 7; }

static adam_status rename_or_copy(const char *from, const char *to, bool copy, adam_error *error) {
  am_store_name source, target;
  am_store_model *model = NULL;
  am_store *store = NULL;
  am_lock *lock = NULL;
  char *root = NULL;
  adam_status status = am_store_name_parse(without_prefix(from), &source, error);
  if (!status) status = am_store_name_parse(without_prefix(to), &target, error);
  if (!status) status = am_places_lock(&lock, error);
  if (!status) status = am_store_find(&source, &model, &root, error);
  if (!status) status = am_store_open(root, false, &store, error);
  if (!status)
    status = copy ? am_store_copy(store, &model->name, &target, error)
                  : am_store_rename(store, &model->name, &target, error);
  am_store_close(&store);
  am_store_model_close(&model);
  am_lock_close(&lock);
  am_mem_free(root);
  return status;
}

adam_status adam_models_copy(const char *from, const char *to, adam_error *error) {
  return rename_or_copy(from, to, true, error);
}

adam_status adam_models_rename(const char *from, const char *to, adam_error *error) {
  return rename_or_copy(from, to, false, error);
}

typedef struct finding_call {
  void (*on_finding)(void *user, const adam_finding *finding);
  void *user;
} finding_call;

static void tell_finding(void *user, const am_finding *finding) {
  static const char *const kinds[] = {"damaged", "missing", "repaired", "renamed", "unused"};
  const finding_call *call = user;
  const adam_finding told = {kinds[finding->kind], am_place_name(finding->place), finding->path,
                             finding->digest,      finding->owner,                finding->source};
  if (call->on_finding) call->on_finding(call->user, &told);
}

/* The owner's name as the inventory has it, owned. */
static adam_status owner_of(const char *model, const char *cache_dir, char **owner, adam_error *error) {
  removal_target target = {0};
  am_store_name name;
  char printed[AM_STORE_NAME_BYTES];
  adam_status status = find_target(model, cache_dir, &target, error);
  if (!status && target.path)
    status = am_fail(error, ADAM_INVALID, model, "name a Hub model or ollama:NAME", "a file has no name to hold it to");
  if (!status && target.ollama) {
    am_buf text = {0};
    status = am_store_name_parse(target.ollama, &name, error);
    if (!status) {
      am_store_name_print(&name, printed);
      am_buf_printf(&text, "ollama:%s", printed);
      *owner = am_buf_take(&text);
    }
  } else if (!status) {
    *owner = dup_text(target.repository);
  }
  removal_close(&target);
  return status || *owner ? status : am_fail_memory(error, model);
}

adam_status adam_models_verify(const adam_stores_options *options, const char *model,
                               void (*on_finding)(void *user, const adam_finding *finding), void *user,
                               adam_verification *result, adam_error *error) {
  adam_stores_options o;
  am_inventory inventory = {0};
  am_lock *lock = NULL;
  am_verification v;
  char *owner = NULL;
  finding_call call = {on_finding, user};
  adam_status status = take_options(options, &o, error);
  if (!status) status = check_result(result->struct_size, "adam_verification", error);
  if (!status && model) status = owner_of(model, o.cache_dir, &owner, error);
  if (status) return status;
  am_work work = {.on_progress = o.on_work, .user = o.user, .doing = "verifying"};
  status = begin(&o, &lock, &inventory, error);
  if (!status) status = am_verify(&inventory, owner, &work, tell_finding, &call, &v, error);
  if (!status) {
    const adam_verification full = {sizeof full,  v.n_checked,  v.bytes_checked, v.n_damaged,
                                    v.n_missing, v.n_repaired, v.n_unused};
    give(result, result->struct_size, &full, sizeof full);
  }
  am_inventory_close(&inventory);
  am_lock_close(&lock);
  am_mem_free(owner);
  return status;
}

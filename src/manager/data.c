/* SPDX-License-Identifier: Apache-2.0 */
/* The public lists of presets, domains and tiers, and the writing of settings.ini. */
#include "manager/manager.h"

#include "base/mem.h"
#include "os/file.h"
#include "presets/presets.h"
#include "settings/settings.h"
#include <string.h>

/* Copies as much as the caller's struct holds and keeps its struct_size, which stands first. */
static bool hand_out(void *to, const void *full, size_t full_bytes) {
  size_t size;
  memcpy(&size, to, sizeof size);
  if (size < sizeof size) return false;
  memcpy(to, full, size < full_bytes ? size : full_bytes);
  memcpy(to, &size, sizeof size);
  return true;
}

bool adam_preset_at(size_t index, adam_preset *preset) {
  const am_preset_set *set = am_presets_now();
  if (!set || index >= set->n_presets) return false;
  const am_preset *row = &set->presets[index];
  adam_preset full = {.name = row->name,
                      .huggingface = row->huggingface,
                      .ollama = row->ollama,
                      .note = row->note,
                      .n_ctx = row->n_ctx,
                      .path = row->path,
                      .parameters = row->parameters,
                      .sampling = row->sampling,
                      .is_own = row->is_own};
  return hand_out(preset, &full, sizeof full);
}

bool adam_domain_at(size_t index, adam_domain *domain) {
  const am_preset_set *set = am_presets_now();
  if (!set || index >= set->n_domains) return false;
  const am_domain *row = &set->domains[index];
  adam_domain full = {.name = row->name,
                      .note = row->note,
                      .system = row->system,
                      .models = row->models,
                      .n_models = row->n_models,
                      .sampling = row->sampling,
                      .is_own = row->is_own};
  return hand_out(domain, &full, sizeof full);
}

static bool hand_tier(const am_tier *row, adam_tier *tier) {
  adam_tier full = {.name = row->name,
                    .note = row->note,
                    .vram_gb = row->vram_gb,
                    .models = row->models,
                    .n_models = row->n_models};
  return hand_out(tier, &full, sizeof full);
}

bool adam_tier_at(size_t index, adam_tier *tier) {
  const am_preset_set *set = am_presets_now();
  return set && index < set->n_tiers && hand_tier(&set->tiers[index], tier);
}

bool adam_tier_of(uint64_t vram_bytes, adam_tier *tier) {
  const am_tier *row = am_tiers_of(vram_bytes);
  return row && hand_tier(row, tier);
}

adam_status adam_settings_write(const char *profile, const char *key, const char *value, adam_error *error) {
  char *path = am_settings_find_path(), *folder = path ? am_path_dirname(path) : NULL;
  am_buf text = {0}, changed = {0};
  if (!path || !folder) {
    am_mem_free(path);
    return am_fail(error, ADAM_FAILED, "settings.ini", "set HOME or XDG_CONFIG_HOME",
                   "there is no home folder");
  }
  adam_status status = am_file_read(path, AM_SETTINGS_MOST_BYTES, &text, error);
  if (status == ADAM_NOT_FOUND) status = ADAM_OK;
  if (!status)
    status =
        am_settings_edit(text.data ? text.data : "", text.len, path, profile, key, value, &changed, error);
  if (!status) status = am_dir_make(folder, error);
  if (!status)
    status = am_file_write_atomic(path, changed.data ? changed.data : "", changed.len, 0600, error);
  am_buf_close(&changed);
  am_buf_close(&text);
  am_mem_free(folder);
  am_mem_free(path);
  return status;
}

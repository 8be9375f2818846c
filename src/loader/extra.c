/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/loader.h"

#include <string.h>

#include "loader/state.h"

static bool copy(am_loader *loader, const char **text) {
  if (*text) *text = am_arena_dup(&loader->arena, *text, strlen(*text));
  return *text != NULL;
}

/* Name of a licence from its text: the first line that says something. */
static const char *license_name(am_loader *loader, const char *text) {
  text += strspn(text, " \t\r\n");
  size_t n = strcspn(text, "\r\n");
  return am_arena_dup(&loader->arena, text, n < 120 ? n : 120);
}

static void add_end_id(am_loader *loader, int32_t id) {
  for (size_t i = 0; i < loader->n_end_ids; i++)
    if (loader->end_ids[i] == id) return;
  if (loader->n_end_ids < AM_LOADER_MAX_END_IDS) loader->end_ids[loader->n_end_ids++] = id;
}

static void merge_sampling(adam_sampling *to, const adam_sampling *from) {
  if (from->set & ADAM_SET_TEMPERATURE) to->temperature = from->temperature;
  if (from->set & ADAM_SET_TOP_P) to->top_p = from->top_p;
  if (from->set & ADAM_SET_TOP_K) to->top_k = from->top_k;
  if (from->set & ADAM_SET_MIN_P) to->min_p = from->min_p;
  if (from->set & ADAM_SET_REPETITION_PENALTY) to->repetition_penalty = from->repetition_penalty;
  if (from->set & ADAM_SET_PRESENCE_PENALTY) to->presence_penalty = from->presence_penalty;
  if (from->set & ADAM_SET_FREQUENCY_PENALTY) to->frequency_penalty = from->frequency_penalty;
  if (from->set & ADAM_SET_SEED) to->seed = from->seed;
  if (from->set & ADAM_SET_MAX_TOKENS) to->max_tokens = from->max_tokens;
  to->set |= from->set;
}

adam_status am_loader_add_extra(am_loader *loader, const am_loader_extra *extra, adam_error *error) {
  am_loader_extra *own = &loader->extra;
  *own = *extra;
  const char **texts[] = {&own->name,        &own->system, &own->messages_json,
                          &own->go_template, &own->prefers_jinja, &own->note};
  const char **stop = am_arena_zalloc(&loader->arena, extra->n_stop ? extra->n_stop : 1, sizeof *stop);
  bool fine = stop != NULL;
  for (size_t i = 0; i < sizeof texts / sizeof *texts && fine; i++) fine = !*texts[i] || copy(loader, texts[i]);
  for (size_t i = 0; i < extra->n_stop && fine; i++) {
    stop[i] = extra->stop[i];
    fine = copy(loader, &stop[i]);
    size_t n = fine ? strlen(stop[i]) : 0;
    int32_t id = fine && loader->tokenizer ? am_tokenizer_find(loader->tokenizer, stop[i], n) : -1;
    if (id >= 0 && am_tokenizer_is_special(loader->tokenizer, id)) add_end_id(loader, id);
  }
  own->stop = stop;
  own->license = NULL;
  if (fine && extra->license && !loader->license) {
    loader->license = license_name(loader, extra->license);
    fine = loader->license != NULL;
  }
  if (!fine) return am_fail_memory(error, loader->path);
  if (own->name) loader->name = own->name;
  merge_sampling(&loader->sampling, &extra->sampling);
  return ADAM_OK;
}

const am_loader_extra *am_loader_get_extra(const am_loader *loader) { return &loader->extra; }

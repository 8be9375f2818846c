/* SPDX-License-Identifier: Apache-2.0 */
#include "presets/parse.h"

#include "base/error.h"
#include "base/ini.h"
#include "base/nearest.h"
#include "presets/sampling.h"
#include <string.h>

enum { MOST_ROWS = 400, MOST_MODELS = 64 };

typedef enum kind { PRESET, DOMAIN, TIER, RENAMED } kind;

static const struct {
  const char *header;
  size_t row_bytes;
} kinds[] = {{"preset", sizeof(am_preset)},
             {"domain", sizeof(am_domain)},
             {"tier", sizeof(am_tier)},
             {"renamed", sizeof(am_renaming)}};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

/* Keys of their own, beside the sampling values that presets and domains have. */
static const char *const own_keys[N_KINDS][7] = {
    {"huggingface", "ollama", "path", "context", "parameters", "note", NULL},
    {"models", "system", "note", NULL},
    {"vram_gb", "models", "note", NULL},
    {NULL}};
enum { OWN_KEYS = 6 }; /* at most, so a sampling key's bit is OWN_KEYS + its row */

typedef struct row_list {
  char *rows;     /* n rows of kinds[].row_bytes, room for MOST_ROWS; in the arena */
  uint32_t *seen; /* bit per key that this file has set */
  size_t *line;   /* where this file begins the row; 0 = it does not */
  size_t n;
} row_list;

typedef struct parser {
  const char *name;
  am_arena *arena;
  row_list lists[N_KINDS];
} parser;

static void *row_at(const parser *p, kind k, size_t i) { return p->lists[k].rows + i * kinds[k].row_bytes; }
static am_preset *preset_at(const parser *p, size_t i) { return row_at(p, PRESET, i); }
static am_domain *domain_at(const parser *p, size_t i) { return row_at(p, DOMAIN, i); }
static am_tier *tier_at(const parser *p, size_t i) { return row_at(p, TIER, i); }
static am_renaming *renaming_at(const parser *p, size_t i) { return row_at(p, RENAMED, i); }

static const char **name_of(const parser *p, kind k, size_t i) {
  switch (k) {
    case PRESET:
      return &preset_at(p, i)->name;
    case DOMAIN:
      return &domain_at(p, i)->name;
    case TIER:
      return &tier_at(p, i)->name;
    default:
      return &renaming_at(p, i)->old_name;
  }
}

/* The row of that name, made where there is none; NULL: too many, or memory is out (*status). */
static adam_status find_row(parser *p, kind k, const char *name, size_t line, size_t *index,
                            adam_error *error) {
  row_list *list = &p->lists[k];
  for (size_t i = 0; i < list->n; i++)
    if (!strcmp(*name_of(p, k, i), name)) {
      *index = i;
      if (!list->line[i]) list->line[i] = line;
      return ADAM_OK;
    }
  if (list->n == MOST_ROWS)
    return am_ini_fail(error, p->name, line, NULL, "there are more than %d of them", MOST_ROWS);
  char *copy = am_arena_dup(p->arena, name, strlen(name));
  if (!copy) return am_fail_memory(error, p->name);
  *index = list->n++;
  memset(row_at(p, k, *index), 0, kinds[k].row_bytes);
  *name_of(p, k, *index) = copy;
  list->line[*index] = line;
  if (k == PRESET) preset_at(p, *index)->note = "";
  if (k == DOMAIN) domain_at(p, *index)->note = "";
  if (k == TIER) tier_at(p, *index)->note = "";
  return ADAM_OK;
}

/* "a, b ,c" to a list; empty items are dropped. */
static adam_status take_models(parser *p, const am_ini_entry *e, const char *const **models, size_t *n_models,
                               adam_error *error) {
  const char *list[MOST_MODELS];
  size_t n = 0;
  for (const char *at = e->value; *at;) {
    at += strspn(at, ", \t\n");
    size_t length = strcspn(at, ",\n");
    while (length && strchr(" \t", at[length - 1])) length--;
    if (!length) continue;
    if (n == MOST_MODELS)
      return am_ini_fail(error, p->name, e->line, NULL, "%s has more than %d names", e->key, MOST_MODELS);
    if (!(list[n++] = am_arena_dup(p->arena, at, length))) return am_fail_memory(error, p->name);
    at += length;
  }
  const char **out = am_arena_zalloc(p->arena, n ? n : 1, sizeof *out);
  if (!out) return am_fail_memory(error, p->name);
  memcpy(out, list, n * sizeof *out);
  *models = out;
  *n_models = n;
  return ADAM_OK;
}

static adam_status take_text(parser *p, const am_ini_entry *e, const char **out, adam_error *error) {
  *out = am_arena_dup(p->arena, e->value, strlen(e->value));
  return *out ? ADAM_OK : am_fail_memory(error, p->name);
}

/* An empty value takes away what a built-in row has. */
static adam_status take_name(parser *p, const am_ini_entry *e, const char **out, adam_error *error) {
  if (*e->value) return take_text(p, e, out, error);
  *out = NULL;
  return ADAM_OK;
}

static adam_status fail_value(const parser *p, const am_ini_entry *e, const char *range, adam_error *error) {
  return am_ini_fail(error, p->name, e->line, NULL, "%s: '%.60s' is not %s", e->key, e->value, range);
}

static adam_status take_number(const parser *p, const am_ini_entry *e, double *out, adam_error *error) {
  return am_sampling_number(e->value, 0, 1e18, out) ? ADAM_OK : fail_value(p, e, "a number from 0", error);
}

static adam_status set_preset(parser *p, size_t index, int key, const am_ini_entry *e, adam_error *error) {
  am_preset *row = preset_at(p, index);
  switch (key) {
    case 0:
      return take_name(p, e, &row->huggingface, error);
    case 1:
      return take_name(p, e, &row->ollama, error);
    case 2:
      return take_name(p, e, &row->path, error);
    case 3:
      return am_sampling_integer(e->value, 1, INT32_MAX, &row->n_ctx)
                 ? ADAM_OK
                 : fail_value(p, e, "a whole number from 1 to 2147483647", error);
    case 4:
      return take_number(p, e, &row->parameters, error);
    default:
      return take_text(p, e, &row->note, error);
  }
}

static adam_status set_domain(parser *p, size_t index, int key, const am_ini_entry *e, adam_error *error) {
  am_domain *row = domain_at(p, index);
  switch (key) {
    case 0:
      return take_models(p, e, &row->models, &row->n_models, error);
    case 1:
      return take_name(p, e, &row->system, error);
    default:
      return take_text(p, e, &row->note, error);
  }
}

static adam_status set_tier(parser *p, size_t index, int key, const am_ini_entry *e, adam_error *error) {
  am_tier *row = tier_at(p, index);
  switch (key) {
    case 0:
      return take_number(p, e, &row->vram_gb, error);
    case 1:
      return take_models(p, e, &row->models, &row->n_models, error);
    default:
      return take_text(p, e, &row->note, error);
  }
}

/* Names of the keys of a kind, its own first. */
static const char *key_name(const void *user, size_t index) {
  kind k = *(const kind *)user;
  size_t n_own = 0;
  while (own_keys[k][n_own]) n_own++;
  if (index < n_own) return own_keys[k][index];
  bool has_sampling = k == PRESET || k == DOMAIN;
  return has_sampling && index - n_own < AM_SAMPLING_KEYS ? am_sampling_keys[index - n_own].name : NULL;
}

static adam_status set_key(parser *p, kind k, size_t index, const am_ini_entry *e, adam_error *error) {
  int own = 0, sampling = k == PRESET || k == DOMAIN ? am_sampling_find(e->key) : -1;
  while (own_keys[k][own] && strcmp(own_keys[k][own], e->key) != 0) own++;
  bool is_own = own_keys[k][own] != NULL;
  if (!is_own && sampling < 0) {
    char hint[128];
    am_nearest_hint(e->key, key_name, &k, hint, sizeof hint);
    return am_ini_fail(error, p->name, e->line, hint, "a %s has no key '%s'", kinds[k].header, e->key);
  }
  uint32_t bit = 1u << (is_own ? own : OWN_KEYS + sampling), *seen = &p->lists[k].seen[index];
  if (*seen & bit)
    return am_ini_fail(error, p->name, e->line, NULL, "%s of [%s] is set twice", e->key, e->section);
  *seen |= bit;
  if (!is_own) {
    adam_sampling *values = k == PRESET ? &preset_at(p, index)->sampling : &domain_at(p, index)->sampling;
    return am_sampling_set(values, sampling, e->value)
               ? ADAM_OK
               : fail_value(p, e, am_sampling_keys[sampling].range, error);
  }
  return k == PRESET   ? set_preset(p, index, own, e, error)
         : k == DOMAIN ? set_domain(p, index, own, e, error)
                       : set_tier(p, index, own, e, error);
}

static const char *header_name(const void *user, size_t index) {
  (void)user;
  return index < N_KINDS ? kinds[index].header : NULL;
}

/* "preset NAME" to its kind and name; "renamed" has no name. */
static adam_status take_header(const parser *p, const am_ini_entry *e, kind *k, const char **name,
                               adam_error *error) {
  char word[64] = "", hint[128];
  size_t n = strcspn(e->section, " \t"), which = 0;
  memcpy(word, e->section, n < sizeof word ? n : sizeof word - 1);
  *name = e->section + n + strspn(e->section + n, " \t");
  while (which < N_KINDS && strcmp(word, kinds[which].header) != 0) which++;
  if (which == N_KINDS) {
    am_nearest_hint(word, header_name, NULL, hint, sizeof hint);
    return am_ini_fail(error, p->name, e->line,
                       *hint ? hint : "[preset NAME], [domain NAME], [tier NAME] or [renamed]",
                       *word ? "the section '%s' is unknown" : "%sthe key stands in no section", word);
  }
  *k = (kind)which;
  if (*k == RENAMED)
    return **name ? am_ini_fail(error, p->name, e->line, NULL, "[renamed] has no name") : ADAM_OK;
  size_t good = strspn(*name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
  if (!good || (*name)[good] || **name == '-')
    return am_ini_fail(error, p->name, e->line, NULL, "'%s' is no name: letters, digits, _ and - make one",
                       *name);
  if (*k == PRESET && (!strcmp(*name, "demo") || !strcmp(*name, "hf")))
    return am_ini_fail(error, p->name, e->line, NULL, "'%s' means something else already", *name);
  return ADAM_OK;
}

static adam_status on_entry(void *user, const am_ini_entry *e, adam_error *error) {
  parser *p = user;
  kind k = PRESET;
  const char *name = NULL;
  size_t index = 0;
  adam_status status = take_header(p, e, &k, &name, error);
  if (!status) status = find_row(p, k, k == RENAMED ? e->key : name, e->line, &index, error);
  if (status || k != RENAMED) return status ? status : set_key(p, k, index, e, error);
  if (p->lists[k].seen[index]++)
    return am_ini_fail(error, p->name, e->line, NULL, "%s of [renamed] is set twice", e->key);
  if (!*e->value) return am_ini_fail(error, p->name, e->line, NULL, "the new name of %s is missing", e->key);
  return take_text(p, e, &renaming_at(p, index)->real_name, error);
}

static adam_status open_lists(parser *p, const am_preset_set *under, adam_error *error) {
  const void *rows[N_KINDS] = {0};
  size_t n[N_KINDS] = {0};
  if (under) {
    const void *from[N_KINDS] = {under->presets, under->domains, under->tiers, under->renamings};
    const size_t counts[N_KINDS] = {under->n_presets, under->n_domains, under->n_tiers, under->n_renamings};
    memcpy(rows, from, sizeof rows);
    memcpy(n, counts, sizeof n);
  }
  for (size_t k = 0; k < N_KINDS; k++) {
    row_list *list = &p->lists[k];
    list->rows = am_arena_alloc(p->arena, MOST_ROWS * kinds[k].row_bytes);
    list->seen = am_arena_zalloc(p->arena, MOST_ROWS, sizeof *list->seen);
    list->line = am_arena_zalloc(p->arena, MOST_ROWS, sizeof *list->line);
    if (!list->rows || !list->seen || !list->line) return am_fail_memory(error, p->name);
    list->n = n[k];
    if (n[k]) memcpy(list->rows, rows[k], n[k] * kinds[k].row_bytes);
  }
  return ADAM_OK;
}

/* Rows that could not be used are refused where they stand. */
static adam_status check_rows(const parser *p, adam_error *error) {
  for (size_t i = 0; i < p->lists[PRESET].n; i++) {
    am_preset *row = preset_at(p, i);
    size_t line = p->lists[PRESET].line[i];
    row->is_own = line > 0;
    if (!row->huggingface && !row->ollama && !row->path)
      return am_ini_fail(error, p->name, line, NULL,
                         "the preset %s has no model: huggingface, ollama or path", row->name);
  }
  for (size_t i = 0; i < p->lists[DOMAIN].n; i++) {
    am_domain *row = domain_at(p, i);
    size_t line = p->lists[DOMAIN].line[i];
    row->is_own = line > 0;
    if (!row->system && !row->n_models && !row->sampling.set)
      return am_ini_fail(error, p->name, line, NULL, "the domain %s says nothing: models, system or a value",
                         row->name);
  }
  return ADAM_OK;
}

adam_status am_presets_parse(const char *text, size_t n_bytes, const char *name, const am_preset_set *under,
                             am_arena *arena, am_preset_set *out, adam_error *error) {
  parser p = {.name = name, .arena = arena};
  adam_status status = open_lists(&p, under, error);
  if (!status) status = am_ini_parse(text, n_bytes, name, on_entry, &p, error);
  if (!status) status = check_rows(&p, error);
  if (status) return status;
  *out = (am_preset_set){preset_at(&p, 0), p.lists[PRESET].n, domain_at(&p, 0),   p.lists[DOMAIN].n,
                         tier_at(&p, 0),   p.lists[TIER].n,   renaming_at(&p, 0), p.lists[RENAMED].n};
  return ADAM_OK;
}

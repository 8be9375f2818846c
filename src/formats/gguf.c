/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/gguf.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "formats/gguf_parse.h"
#include "os/file.h"

enum { PARTS_LIMIT = 1024 };

struct am_gguf {
  am_gguf_part *parts; /* [0] has the metadata */
  am_file_map *files;  /* one per part; not closed where the bytes are the caller's */
  size_t n_parts;
  bool mapped;
  am_arena arena;
  am_tensor *tensors; /* of all parts, in file order */
  size_t n_tensors;
  am_map by_name, by_key;
};

static const char *const hint_damaged = "the file is damaged: download or convert it again";

static adam_status index_keys(am_gguf *gguf, adam_error *error) {
  const am_gguf_part *part = &gguf->parts[0];
  if (!am_map_reserve(&gguf->by_key, part->n_values)) return am_fail_memory(error, part->name);
  for (size_t i = 0; i < part->n_values; i++) {
    const am_gguf_string *key = &part->values[i].key;
    uint64_t first;
    if (am_map_get(&gguf->by_key, key->bytes, key->n_bytes, &first)) {
      return am_fail(error, ADAM_DAMAGED, part->name, hint_damaged,
                     "at byte %zu: the metadata key '%.*s' stands there twice",
                     (size_t)((const uint8_t *)key->bytes - part->bytes), (int)key->n_bytes, key->bytes);
    }
    if (!am_map_set(&gguf->by_key, key->bytes, key->n_bytes, i)) return am_fail_memory(error, part->name);
  }
  return ADAM_OK;
}

static adam_status index_tensors(am_gguf *gguf, adam_error *error) {
  const char *name = gguf->parts[0].name;
  size_t n = 0;
  for (size_t p = 0; p < gguf->n_parts; p++) n += gguf->parts[p].n_tensors;
  if (gguf->n_parts == 1) {
    gguf->tensors = gguf->parts[0].tensors;
  } else {
    gguf->tensors = am_arena_zalloc(&gguf->arena, n + 1, sizeof *gguf->tensors);
    if (!gguf->tensors) return am_fail_memory(error, name);
    for (size_t p = 0, at = 0; p < gguf->n_parts; at += gguf->parts[p++].n_tensors) {
      memcpy(gguf->tensors + at, gguf->parts[p].tensors, gguf->parts[p].n_tensors * sizeof *gguf->tensors);
    }
  }
  if (!am_map_reserve(&gguf->by_name, n)) return am_fail_memory(error, name);
  for (size_t i = 0; i < n; i++) {
    const am_tensor *t = &gguf->tensors[i];
    size_t name_bytes = strlen(t->name);
    uint64_t first;
    if (am_map_get(&gguf->by_name, t->name, name_bytes, &first)) {
      return am_fail(error, ADAM_DAMAGED, name, hint_damaged,
                     "the tensor name '%s' stands there twice (tensors %" PRIu64 " and %zu)", t->name, first,
                     i);
    }
    if (!am_map_set(&gguf->by_name, t->name, name_bytes, i)) return am_fail_memory(error, name);
  }
  gguf->n_tensors = n;
  return ADAM_OK;
}

static int64_t part_int(const am_gguf_part *part, const char *key, int64_t fallback) {
  size_t n_bytes = strlen(key);
  int64_t n;
  for (size_t i = 0; i < part->n_values; i++) {
    const am_gguf_value *v = &part->values[i];
    if (v->key.n_bytes == n_bytes && memcmp(v->key.bytes, key, n_bytes) == 0) {
      return am_gguf_value_int(v, &n) ? n : -1;
    }
  }
  return fallback;
}

/* "NAME-00001-of-00003.gguf" -> the path of part `index`, in arena. */
static adam_status part_path(am_gguf *gguf, size_t index, char **out, adam_error *error) {
  const char *first = gguf->parts[0].name;
  unsigned count = (unsigned)gguf->n_parts;
  char suffix[64];
  size_t n = strlen(first), n_suffix = (size_t)snprintf(suffix, sizeof suffix, "-00001-of-%05u.gguf", count);
  if (n < n_suffix || strcmp(first + n - n_suffix, suffix) != 0) {
    return am_fail(error, ADAM_DAMAGED, first, "give the parts the names that they were published with",
                   "the file is the first of %u parts, expected a name that ends in %s", count, suffix);
  }
  char *path = am_arena_dup(&gguf->arena, first, n);
  if (!path) return am_fail_memory(error, first);
  snprintf(suffix, sizeof suffix, "-%05u-of-%05u.gguf", (unsigned)index + 1, count);
  memcpy(path + n - n_suffix, suffix, n_suffix);
  *out = path;
  return ADAM_OK;
}

static adam_status open_part(am_gguf *gguf, size_t index, adam_error *error) {
  char *path = NULL;
  am_gguf_part *part = &gguf->parts[index];
  adam_status status = part_path(gguf, index, &path, error);
  if (!status) status = am_file_map_open(path, &gguf->files[index], error);
  if (status) return status;
  *part = (am_gguf_part){.name = path, .bytes = gguf->files[index].bytes, .size = gguf->files[index].size};
  status = am_gguf_parse(part, &gguf->arena, error);
  if (status) return status;
  int64_t no = part_int(part, "split.no", -1), count = part_int(part, "split.count", -1);
  if (no != (int64_t)index || count != (int64_t)gguf->n_parts) {
    return am_fail(error, ADAM_DAMAGED, path, hint_damaged,
                   "split.no is %" PRId64 " and split.count %" PRId64 ", expected %zu and %zu", no, count,
                   index, gguf->n_parts);
  }
  return ADAM_OK;
}

/* Opens the other parts of a split file; the first is parsed. */
static adam_status open_parts(am_gguf *gguf, adam_error *error) {
  const am_gguf_part *first = &gguf->parts[0];
  int64_t count = part_int(first, "split.count", 0), no = part_int(first, "split.no", 0);
  if (count == 0 || (count == 1 && no == 0)) return ADAM_OK;
  if (count < 0 || count > PARTS_LIMIT || no < 0 || no >= count) {
    return am_fail(error, ADAM_DAMAGED, first->name, hint_damaged,
                   "split.no is %" PRId64 " and split.count %" PRId64 ", expected at most %d parts", no,
                   count, PARTS_LIMIT);
  }
  if (no != 0 || !gguf->mapped) {
    return am_fail(error, ADAM_UNSUPPORTED, first->name, "open the part whose name ends in -00001-of-...",
                   "the file is part %" PRId64 " of %" PRId64, no + 1, count);
  }
  am_gguf_part *parts = am_arena_zalloc(&gguf->arena, (size_t)count, sizeof *parts);
  am_file_map *files = am_arena_zalloc(&gguf->arena, (size_t)count, sizeof *files);
  if (!parts || !files) return am_fail_memory(error, first->name);
  parts[0] = gguf->parts[0];
  files[0] = gguf->files[0];
  gguf->parts = parts;
  gguf->files = files;
  gguf->n_parts = (size_t)count;
  int64_t n_tensors = (int64_t)parts[0].n_tensors;
  for (size_t i = 1; i < gguf->n_parts; i++) {
    adam_status status = open_part(gguf, i, error);
    if (status) return status;
    n_tensors += (int64_t)parts[i].n_tensors;
  }
  int64_t expected = part_int(&parts[0], "split.tensors.count", n_tensors);
  if (n_tensors != expected) {
    return am_fail(error, ADAM_DAMAGED, parts[0].name, hint_damaged,
                   "split.tensors.count is %" PRId64 ", the %zu parts have %" PRId64 " tensors", expected,
                   gguf->n_parts, n_tensors);
  }
  return ADAM_OK;
}

static adam_status open_map(const char *name, am_file_map file, bool mapped, am_gguf **out,
                            adam_error *error) {
  adam_status status = ADAM_NO_MEMORY;
  am_gguf *gguf = am_mem_zalloc(1, sizeof *gguf);
  if (!gguf) {
    if (mapped) am_file_map_close(&file);
    return am_fail_memory(error, name);
  }
  gguf->mapped = mapped;
  gguf->parts = am_arena_zalloc(&gguf->arena, 1, sizeof *gguf->parts);
  gguf->files = am_arena_zalloc(&gguf->arena, 1, sizeof *gguf->files);
  char *copy = am_arena_dup(&gguf->arena, name, strlen(name));
  if (!gguf->parts || !gguf->files || !copy) {
    if (mapped) am_file_map_close(&file);
    am_fail_memory(error, name);
    goto failed;
  }
  gguf->files[0] = file;
  gguf->n_parts = 1;
  gguf->parts[0] = (am_gguf_part){.name = copy, .bytes = file.bytes, .size = file.size};
  status = am_gguf_parse(&gguf->parts[0], &gguf->arena, error);
  if (!status) status = index_keys(gguf, error);
  if (!status) status = open_parts(gguf, error);
  if (!status) status = index_tensors(gguf, error);
  if (status) goto failed;
  *out = gguf;
  return ADAM_OK;
failed:
  am_gguf_close(&gguf);
  return status;
}

adam_status am_gguf_open(const char *path, am_gguf **out, adam_error *error) {
  am_file_map file = {0};
  adam_status status = am_file_map_open(path, &file, error);
  if (status) return status;
  return open_map(path, file, true, out, error);
}

adam_status am_gguf_open_bytes(const char *name, const void *bytes, size_t n_bytes, am_gguf **out,
                               adam_error *error) {
  return open_map(name, (am_file_map){.bytes = bytes, .size = n_bytes}, false, out, error);
}

void am_gguf_close(am_gguf **file) {
  if (!file || !*file) return;
  am_gguf *gguf = *file;
  for (size_t i = 0; gguf->mapped && i < gguf->n_parts; i++) am_file_map_close(&gguf->files[i]);
  am_map_close(&gguf->by_name);
  am_map_close(&gguf->by_key);
  am_arena_close(&gguf->arena);
  am_mem_free(gguf);
  *file = NULL;
}

uint32_t am_gguf_version(const am_gguf *file) { return file->parts[0].version; }

size_t am_gguf_n_parts(const am_gguf *file) { return file->n_parts; }

const char *am_gguf_part_name(const am_gguf *file, size_t index) { return file->parts[index].name; }

size_t am_gguf_count(const am_gguf *file) { return file->n_tensors; }

const am_tensor *am_gguf_at(const am_gguf *file, size_t index) {
  return index < file->n_tensors ? &file->tensors[index] : NULL;
}

const am_tensor *am_gguf_find(const am_gguf *file, const char *name) {
  uint64_t index;
  return am_map_get(&file->by_name, name, strlen(name), &index) ? &file->tensors[index] : NULL;
}

size_t am_gguf_n_values(const am_gguf *file) { return file->parts[0].n_values; }

const am_gguf_value *am_gguf_value_at(const am_gguf *file, size_t index) {
  return index < file->parts[0].n_values ? &file->parts[0].values[index] : NULL;
}

const am_gguf_value *am_gguf_get(const am_gguf *file, const char *key) {
  uint64_t index;
  return am_map_get(&file->by_key, key, strlen(key), &index) ? &file->parts[0].values[index] : NULL;
}

int64_t am_gguf_int(const am_gguf *file, const char *key, int64_t fallback) {
  const am_gguf_value *value = am_gguf_get(file, key);
  int64_t n;
  return value && am_gguf_value_int(value, &n) ? n : fallback;
}

double am_gguf_real(const am_gguf *file, const char *key, double fallback) {
  const am_gguf_value *value = am_gguf_get(file, key);
  int64_t n;
  if (!value) return fallback;
  if (value->type == AM_GGUF_F32 || value->type == AM_GGUF_F64) return value->as.f;
  if (value->type == AM_GGUF_U64) return (double)value->as.u;
  return am_gguf_value_int(value, &n) ? (double)n : fallback;
}

bool am_gguf_bool(const am_gguf *file, const char *key, bool fallback) {
  const am_gguf_value *value = am_gguf_get(file, key);
  return value && value->type == AM_GGUF_BOOL ? value->as.b : fallback;
}

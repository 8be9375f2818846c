/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/safetensors_write.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/map.h"
#include "base/mem.h"
#include "os/file.h"
#include "os/outfile.h"

enum { HEAD_LIMIT_BYTES = 100000000 /* the reference reads no more */ };

typedef struct entry {
  const char *name;
  am_dtype dtype;
  uint32_t n_dims;
  uint64_t shape[AM_TENSOR_MAX_DIMS];
  uint64_t n_bytes, offset; /* in its file's data */
  size_t shard;
} entry;

typedef struct shard {
  uint64_t head_bytes, data_bytes;
  am_outfile *output;
} shard;

struct am_safetensors_writer {
  am_arena arena; /* names */
  am_map seen;
  entry *tensors;
  size_t n_tensors, capacity;
  shard *shards;
  size_t n_shards;
  uint64_t shard_bytes;
  char *folder; /* NULL before begin */
};

adam_status am_safetensors_writer_open(uint64_t shard_bytes, am_safetensors_writer **out, adam_error *error) {
  am_safetensors_writer *w = am_mem_zalloc(1, sizeof *w);
  if (!w) return am_fail_memory(error, "safetensors");
  w->shard_bytes = shard_bytes ? shard_bytes : AM_SAFETENSORS_SHARD_BYTES;
  *out = w;
  return ADAM_OK;
}

adam_status am_safetensors_write_tensor(am_safetensors_writer *w, const char *name, am_dtype dtype, uint32_t n_dims,
                                        const uint64_t *shape, adam_error *error) {
  uint64_t n_bytes, found;
  if (w->folder || n_dims > AM_TENSOR_MAX_DIMS || am_dtype_info(dtype)->safetensors[0] == 0 ||
      !am_tensor_bytes(dtype, n_dims, shape, &n_bytes) || n_bytes > INT64_MAX / 4)
    return am_fail(error, ADAM_INVALID, name, NULL, "safetensors have no such tensor of %s", am_dtype_info(dtype)->name);
  if (am_map_get(&w->seen, name, strlen(name), &found))
    return am_fail(error, ADAM_INVALID, name, NULL, "it is there twice");
  if (w->n_tensors == w->capacity) {
    size_t capacity = w->capacity ? 2 * w->capacity : 512;
    entry *grown = am_mem_resize(w->tensors, capacity, sizeof *grown);
    if (!grown) return am_fail_memory(error, name);
    w->tensors = grown;
    w->capacity = capacity;
  }
  entry *e = &w->tensors[w->n_tensors];
  *e = (entry){.name = am_arena_dup(&w->arena, name, strlen(name)), .dtype = dtype, .n_dims = n_dims, .n_bytes = n_bytes};
  if (!e->name || !am_map_set(&w->seen, e->name, strlen(e->name), w->n_tensors)) return am_fail_memory(error, name);
  if (n_dims) memcpy(e->shape, shape, n_dims * sizeof *shape);
  w->n_tensors++;
  return ADAM_OK;
}

/* Which file each tensor goes to: the next one where it does not fit. */
static adam_status plan_shards(am_safetensors_writer *w, adam_error *error) {
  uint64_t in_shard = 0;
  size_t n = 1;
  for (size_t i = 0; i < w->n_tensors; i++) {
    if (in_shard > 0 && w->tensors[i].n_bytes > w->shard_bytes - (in_shard < w->shard_bytes ? in_shard : w->shard_bytes)) {
      n++;
      in_shard = 0;
    }
    w->tensors[i].shard = n - 1;
    in_shard += w->tensors[i].n_bytes;
  }
  w->shards = am_mem_zalloc(n, sizeof *w->shards);
  if (!w->shards) return am_fail_memory(error, "safetensors");
  w->n_shards = n;
  for (uint32_t width = 8; width > 0; width /= 2)
    for (size_t i = 0; i < w->n_tensors; i++) {
      entry *e = &w->tensors[i];
      if (am_dtype_info(e->dtype)->block_bytes != width) continue;
      e->offset = w->shards[e->shard].data_bytes;
      w->shards[e->shard].data_bytes += e->n_bytes;
    }
  return ADAM_OK;
}

static void file_name(const am_safetensors_writer *w, size_t shard_index, char *out, size_t capacity) {
  if (w->n_shards == 1) snprintf(out, capacity, "model.safetensors");
  else snprintf(out, capacity, "model-%05zu-of-%05zu.safetensors", shard_index + 1, w->n_shards);
}

/* The head of one file, its length and its padding included. */
static bool write_head(const am_safetensors_writer *w, size_t shard_index, am_buf *head) {
  am_buf_append(head, "\0\0\0\0\0\0\0\0", 8);
  am_buf_append_str(head, "{\"__metadata__\":{\"format\":\"pt\"}");
  for (uint32_t width = 8; width > 0; width /= 2)
    for (size_t i = 0; i < w->n_tensors; i++) {
      const entry *e = &w->tensors[i];
      if (e->shard != shard_index || am_dtype_info(e->dtype)->block_bytes != width) continue;
      am_buf_append_char(head, ',');
      am_json_write_string(head, e->name, strlen(e->name));
      am_buf_printf(head, ":{\"dtype\":\"%s\",\"shape\":[", am_dtype_info(e->dtype)->safetensors);
      for (uint32_t d = 0; d < e->n_dims; d++) am_buf_printf(head, "%s%" PRIu64, d ? "," : "", e->shape[d]);
      am_buf_printf(head, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", e->offset, e->offset + e->n_bytes);
    }
  am_buf_append_char(head, '}');
  while (!head->failed && head->len % 8 != 0) am_buf_append_char(head, ' ');
  for (int i = 0; i < 8 && !head->failed; i++) head->data[i] = (char)((uint64_t)(head->len - 8) >> 8 * i);
  return !head->failed;
}

static adam_status begin_shard(am_safetensors_writer *w, size_t i, adam_error *error) {
  am_buf head = {0};
  char name[64];
  file_name(w, i, name, sizeof name);
  char *path = am_path_join(w->folder, name);
  adam_status status = path && write_head(w, i, &head) ? ADAM_OK : am_fail_memory(error, name);
  if (!status && head.len > HEAD_LIMIT_BYTES)
    status = am_fail(error, ADAM_LIMIT, name, NULL, "its head would have %zu bytes", head.len);
  w->shards[i].head_bytes = head.len;
  if (!status) status = am_outfile_open(path, head.len + w->shards[i].data_bytes, &w->shards[i].output, error);
  if (!status) status = am_outfile_write(w->shards[i].output, 0, head.data, head.len, error);
  am_buf_close(&head);
  am_mem_free(path);
  return status;
}

adam_status am_safetensors_writer_begin(am_safetensors_writer *w, const char *folder, adam_error *error) {
  uint64_t all = 0;
  if (w->folder) return am_fail(error, ADAM_INVALID, folder, NULL, "it is being written already");
  w->folder = am_mem_dup(folder, strlen(folder));
  adam_status status = w->folder ? plan_shards(w, error) : am_fail_memory(error, folder);
  for (size_t i = 0; i < w->n_shards && !status; i++) all += w->shards[i].data_bytes;
  if (!status) status = am_outfile_check_space(folder, folder, all, error);
  for (size_t i = 0; i < w->n_shards && !status; i++) status = begin_shard(w, i, error);
  return status;
}

uint64_t am_safetensors_writer_bytes(const am_safetensors_writer *w) {
  uint64_t sum = 0;
  for (size_t i = 0; i < w->n_shards; i++) sum += w->shards[i].head_bytes + w->shards[i].data_bytes;
  return sum;
}

adam_status am_safetensors_writer_data(am_safetensors_writer *w, size_t index, uint64_t offset_bytes,
                                       const void *bytes, uint64_t n_bytes, adam_error *error) {
  if (!w->shards || index >= w->n_tensors || offset_bytes > w->tensors[index].n_bytes ||
      n_bytes > w->tensors[index].n_bytes - offset_bytes)
    return am_fail(error, ADAM_INVALID, "safetensors", NULL, "bytes beyond tensor %zu", index);
  const entry *e = &w->tensors[index];
  const shard *s = &w->shards[e->shard];
  return am_outfile_write(s->output, s->head_bytes + e->offset + offset_bytes, bytes, n_bytes, error);
}

static int by_name(const void *a, const void *b) {
  return strcmp((*(const entry *const *)a)->name, (*(const entry *const *)b)->name);
}

/* transformers' form: sorted, indented by two. */
static adam_status write_index(const am_safetensors_writer *w, adam_error *error) {
  am_buf text = {0};
  uint64_t total = 0;
  char name[64];
  const entry **sorted = am_mem_zalloc(w->n_tensors + 1, sizeof *sorted);
  char *path = am_path_join(w->folder, "model.safetensors.index.json");
  adam_status status = sorted && path ? ADAM_OK : am_fail_memory(error, "model.safetensors.index.json");
  for (size_t i = 0; i < w->n_tensors && !status; i++) {
    sorted[i] = &w->tensors[i];
    total += w->tensors[i].n_bytes;
  }
  if (!status) qsort(sorted, w->n_tensors, sizeof *sorted, by_name);
  am_buf_printf(&text, "{\n  \"metadata\": {\n    \"total_size\": %" PRIu64 "\n  },\n  \"weight_map\": {", total);
  for (size_t i = 0; i < w->n_tensors && !status; i++) {
    file_name(w, sorted[i]->shard, name, sizeof name);
    am_buf_append_str(&text, i ? ",\n    " : "\n    ");
    am_json_write_string(&text, sorted[i]->name, strlen(sorted[i]->name));
    am_buf_printf(&text, ": \"%s\"", name);
  }
  am_buf_append_str(&text, "\n  }\n}\n");
  if (!status && text.failed) status = am_fail_memory(error, path);
  if (!status) status = am_file_write_atomic(path, text.data, text.len, 0666, error);
  am_buf_close(&text);
  am_mem_free(path);
  am_mem_free(sorted);
  return status;
}

adam_status am_safetensors_writer_finish(am_safetensors_writer *w, adam_error *error) {
  adam_status status = ADAM_OK;
  if (!w->shards) return am_fail(error, ADAM_INVALID, "safetensors", NULL, "it was not begun");
  for (size_t i = 0; i < w->n_shards && !status; i++) status = am_outfile_finish(w->shards[i].output, error);
  if (!status && w->n_shards > 1) status = write_index(w, error);
  return status;
}

void am_safetensors_writer_close(am_safetensors_writer **writer) {
  am_safetensors_writer *w = writer ? *writer : NULL;
  if (!w) return;
  for (size_t i = 0; i < w->n_shards; i++) am_outfile_close(&w->shards[i].output);
  am_mem_free(w->shards);
  am_mem_free(w->tensors);
  am_mem_free(w->folder);
  am_map_close(&w->seen);
  am_arena_close(&w->arena);
  am_mem_free(w);
  *writer = NULL;
}

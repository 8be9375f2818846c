/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/gguf_write.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/size.h"
#include "os/outfile.h"

enum { ALIGNMENT = 32, VERSION = 3, MOST_DIMS = 4, MOST_NAME = 63 };

typedef struct entry {
  uint64_t offset, n_bytes; /* in the data section */
} entry;

struct am_gguf_writer {
  am_arena arena; /* keys and names, which the map borrows */
  am_map seen;    /* "k" and a key, or "t" and a tensor's name */
  am_buf pairs, infos;
  uint64_t n_pairs;
  entry *tensors;
  size_t n_tensors, capacity;
  uint64_t head_bytes, data_bytes;
  am_outfile *output; /* NULL before begin */
  const char *path;  /* for errors */
};

static uint64_t align(uint64_t n) { return (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; }

/* Little-endian on any machine. */
static void put(am_buf *buf, uint64_t value, int n_bytes) {
  char bytes[8];
  for (int i = 0; i < n_bytes; i++) bytes[i] = (char)(value >> 8 * i);
  am_buf_append(buf, bytes, (size_t)n_bytes);
}

static void put_text(am_buf *buf, const char *bytes, size_t n_bytes) {
  put(buf, n_bytes, 8);
  am_buf_append(buf, bytes, n_bytes);
}

static uint32_t real_bits(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

adam_status am_gguf_writer_open(am_gguf_writer **out, adam_error *error) {
  am_gguf_writer *w = am_mem_zalloc(1, sizeof *w);
  if (!w) return am_fail_memory(error, "GGUF");
  w->path = "GGUF";
  *out = w;
  return ADAM_OK;
}

/* Remembers a key ('k') or a tensor's name ('t'), each of which there is once. */
static adam_status claim(am_gguf_writer *w, char kind, const char *name, size_t n_bytes, adam_error *error) {
  uint64_t before;
  if (w->output) return am_fail(error, ADAM_INVALID, w->path, NULL, "%s comes after the head", name);
  char *key = am_arena_alloc(&w->arena, n_bytes + 2);
  if (!key) return am_fail_memory(error, w->path);
  key[0] = kind;
  if (n_bytes) memcpy(key + 1, name, n_bytes);
  key[n_bytes + 1] = 0;
  if (am_map_get(&w->seen, key, n_bytes + 1, &before))
    return am_fail(error, ADAM_INVALID, w->path, NULL, "%s is there twice", key + 1);
  return am_map_set(&w->seen, key, n_bytes + 1, 1) ? ADAM_OK : am_fail_memory(error, w->path);
}

bool am_gguf_writer_has(const am_gguf_writer *w, const char *key) {
  uint64_t found = 0;
  char bytes[256] = "k";
  size_t n = strlen(key);
  if (n + 1 >= sizeof bytes) return false;
  memcpy(bytes + 1, key, n);
  return am_map_get(&w->seen, bytes, n + 1, &found);
}

static adam_status done(const am_gguf_writer *w, adam_error *error) {
  return w->pairs.failed || w->infos.failed ? am_fail_memory(error, w->path) : ADAM_OK;
}

/* Key and type; the value follows. */
static adam_status begin_pair(am_gguf_writer *w, const char *key, size_t key_bytes, am_gguf_type type,
                              adam_error *error) {
  adam_status status = claim(w, 'k', key, key_bytes, error);
  if (status) return status;
  put_text(&w->pairs, key, key_bytes);
  put(&w->pairs, type, 4);
  w->n_pairs++;
  return ADAM_OK;
}

static adam_status scalar(am_gguf_writer *w, const char *key, am_gguf_type type, uint64_t bits, int n_bytes,
                          adam_error *error) {
  adam_status status = begin_pair(w, key, strlen(key), type, error);
  if (status) return status;
  put(&w->pairs, bits, n_bytes);
  return done(w, error);
}

adam_status am_gguf_write_u32(am_gguf_writer *w, const char *key, uint32_t value, adam_error *error) {
  return scalar(w, key, AM_GGUF_U32, value, 4, error);
}

adam_status am_gguf_write_i32(am_gguf_writer *w, const char *key, int32_t value, adam_error *error) {
  return scalar(w, key, AM_GGUF_I32, (uint32_t)value, 4, error);
}

adam_status am_gguf_write_f32(am_gguf_writer *w, const char *key, float value, adam_error *error) {
  return scalar(w, key, AM_GGUF_F32, real_bits(value), 4, error);
}

adam_status am_gguf_write_bool(am_gguf_writer *w, const char *key, bool value, adam_error *error) {
  return scalar(w, key, AM_GGUF_BOOL, value, 1, error);
}

adam_status am_gguf_write_string(am_gguf_writer *w, const char *key, const char *value, adam_error *error) {
  adam_status status = begin_pair(w, key, strlen(key), AM_GGUF_STRING, error);
  if (status) return status;
  put_text(&w->pairs, value, strlen(value));
  return done(w, error);
}

static adam_status begin_array(am_gguf_writer *w, const char *key, am_gguf_type element, uint64_t n,
                               adam_error *error) {
  adam_status status = begin_pair(w, key, strlen(key), AM_GGUF_ARRAY, error);
  if (status) return status;
  put(&w->pairs, element, 4);
  put(&w->pairs, n, 8);
  return ADAM_OK;
}

adam_status am_gguf_write_strings(am_gguf_writer *w, const char *key, const am_gguf_string *values, size_t n,
                                  adam_error *error) {
  adam_status status = begin_array(w, key, AM_GGUF_STRING, n, error);
  if (status) return status;
  for (size_t i = 0; i < n; i++) put_text(&w->pairs, values[i].bytes, values[i].n_bytes);
  return done(w, error);
}

adam_status am_gguf_write_i32s(am_gguf_writer *w, const char *key, const int32_t *values, size_t n,
                               adam_error *error) {
  adam_status status = begin_array(w, key, AM_GGUF_I32, n, error);
  if (status) return status;
  for (size_t i = 0; i < n; i++) put(&w->pairs, (uint32_t)values[i], 4);
  return done(w, error);
}

adam_status am_gguf_write_f32s(am_gguf_writer *w, const char *key, const float *values, size_t n,
                               adam_error *error) {
  adam_status status = begin_array(w, key, AM_GGUF_F32, n, error);
  if (status) return status;
  for (size_t i = 0; i < n; i++) put(&w->pairs, real_bits(values[i]), 4);
  return done(w, error);
}

adam_status am_gguf_write_u8s(am_gguf_writer *w, const char *key, const uint8_t *values, size_t n,
                              adam_error *error) {
  adam_status status = begin_array(w, key, AM_GGUF_U8, n, error);
  if (status) return status;
  am_buf_append(&w->pairs, values, n);
  return done(w, error);
}

/* Bytes of a number of this type in the file; 0 = it is none. */
static int number_bytes(am_gguf_type type) {
  switch (type) {
    case AM_GGUF_U8:
    case AM_GGUF_I8:
    case AM_GGUF_BOOL:
      return 1;
    case AM_GGUF_U16:
    case AM_GGUF_I16:
      return 2;
    case AM_GGUF_U32:
    case AM_GGUF_I32:
    case AM_GGUF_F32:
      return 4;
    case AM_GGUF_U64:
    case AM_GGUF_I64:
    case AM_GGUF_F64:
      return 8;
    default:
      return 0;
  }
}

static uint64_t number_bits(const am_gguf_value *v) {
  uint64_t bits;
  if (v->type == AM_GGUF_BOOL) return v->as.b;
  if (v->type == AM_GGUF_F32) return real_bits((float)v->as.f);
  memcpy(&bits, &v->as, sizeof bits); /* u, i or f of 64 bits; the low bytes are the narrower number */
  return bits;
}

adam_status am_gguf_write_value(am_gguf_writer *w, const am_gguf_value *v, adam_error *error) {
  adam_status status = begin_pair(w, v->key.bytes, v->key.n_bytes, v->type, error);
  if (status) return status;
  if (v->type == AM_GGUF_STRING) {
    put_text(&w->pairs, v->as.s.bytes, v->as.s.n_bytes);
  } else if (v->type == AM_GGUF_ARRAY) {
    put(&w->pairs, v->element_type, 4);
    put(&w->pairs, v->n, 8);
    if (v->strings)
      for (uint64_t i = 0; i < v->n; i++) put_text(&w->pairs, v->strings[i].bytes, v->strings[i].n_bytes);
    else
      am_buf_append(&w->pairs, v->as.array, (size_t)v->n * (size_t)number_bytes(v->element_type));
  } else {
    put(&w->pairs, number_bits(v), number_bytes(v->type));
  }
  return done(w, error);
}

static adam_status check_tensor(const am_gguf_writer *w, const char *name, am_dtype dtype, uint32_t n_dims,
                                const uint64_t *shape, uint64_t *n_bytes, adam_error *error) {
  if (strlen(name) > MOST_NAME || name[0] == 0)
    return am_fail(error, ADAM_INVALID, w->path, NULL, "tensor name %s: expected 1 to %d bytes", name,
                   MOST_NAME);
  if (n_dims < 1 || n_dims > MOST_DIMS || am_dtype_info(dtype)->gguf < 0)
    return am_fail(error, ADAM_INVALID, w->path, NULL, "tensor %s: GGUF has no %s of %u axes", name,
                   am_dtype_info(dtype)->name, n_dims);
  if (!am_tensor_bytes(dtype, n_dims, shape, n_bytes) || *n_bytes > INT64_MAX / 2 - w->data_bytes)
    return am_fail(error, ADAM_INVALID, w->path, NULL, "tensor %s: rows of %" PRIu64 " are no whole %s", name,
                   shape[n_dims - 1], am_dtype_info(dtype)->name);
  return ADAM_OK;
}

adam_status am_gguf_write_tensor(am_gguf_writer *w, const char *name, am_dtype dtype, uint32_t n_dims,
                                 const uint64_t *shape, adam_error *error) {
  uint64_t n_bytes;
  adam_status status = check_tensor(w, name, dtype, n_dims, shape, &n_bytes, error);
  if (!status) status = claim(w, 't', name, strlen(name), error);
  if (status) return status;
  if (w->n_tensors == w->capacity) {
    size_t capacity = w->capacity ? 2 * w->capacity : 256;
    entry *grown = am_mem_resize(w->tensors, capacity, sizeof *grown);
    if (!grown) return am_fail_memory(error, w->path);
    w->tensors = grown;
    w->capacity = capacity;
  }
  w->tensors[w->n_tensors++] = (entry){w->data_bytes, n_bytes};
  put_text(&w->infos, name, strlen(name));
  put(&w->infos, n_dims, 4);
  for (uint32_t i = 0; i < n_dims; i++) put(&w->infos, shape[n_dims - 1 - i], 8);
  put(&w->infos, (uint64_t)am_dtype_info(dtype)->gguf, 4);
  put(&w->infos, w->data_bytes, 8);
  w->data_bytes += align(n_bytes);
  return done(w, error);
}

size_t am_gguf_writer_n_tensors(const am_gguf_writer *w) { return w->n_tensors; }

uint64_t am_gguf_writer_bytes(const am_gguf_writer *w) {
  uint64_t head = w->output ? w->head_bytes : align(24 + w->pairs.len + w->infos.len);
  return head + w->data_bytes;
}

adam_status am_gguf_writer_begin(am_gguf_writer *w, const char *path, adam_error *error) {
  am_buf start = {0};
  if (w->output) return am_fail(error, ADAM_INVALID, path, NULL, "it is being written already");
  w->path = am_arena_dup(&w->arena, path, strlen(path));
  if (!w->path) {
    w->path = "GGUF";
    return am_fail_memory(error, path);
  }
  am_buf_append(&start, "GGUF", 4);
  put(&start, VERSION, 4);
  put(&start, w->n_tensors, 8);
  put(&start, w->n_pairs, 8);
  w->head_bytes = align(start.len + w->pairs.len + w->infos.len);
  adam_status status = start.failed ? am_fail_memory(error, path) : done(w, error);
  if (!status) status = am_outfile_open(path, am_gguf_writer_bytes(w), &w->output, error);
  if (!status) status = am_outfile_write(w->output, 0, start.data, start.len, error);
  if (!status) status = am_outfile_write(w->output, start.len, w->pairs.data, w->pairs.len, error);
  if (!status)
    status = am_outfile_write(w->output, start.len + w->pairs.len, w->infos.data, w->infos.len, error);
  am_buf_close(&start);
  am_buf_close(&w->pairs);
  am_buf_close(&w->infos);
  return status;
}

adam_status am_gguf_writer_data(am_gguf_writer *w, size_t index, uint64_t offset_bytes, const void *bytes,
                                uint64_t n_bytes, adam_error *error) {
  if (!w->output || index >= w->n_tensors || offset_bytes > w->tensors[index].n_bytes ||
      n_bytes > w->tensors[index].n_bytes - offset_bytes)
    return am_fail(error, ADAM_INVALID, w->path, NULL, "bytes beyond tensor %zu", index);
  return am_outfile_write(w->output, w->head_bytes + w->tensors[index].offset + offset_bytes, bytes, n_bytes,
                         error);
}

adam_status am_gguf_writer_finish(am_gguf_writer *w, adam_error *error) {
  if (!w->output) return am_fail(error, ADAM_INVALID, w->path, NULL, "it was not begun");
  return am_outfile_finish(w->output, error);
}

void am_gguf_writer_close(am_gguf_writer **writer) {
  am_gguf_writer *w = writer ? *writer : NULL;
  if (!w) return;
  am_outfile_close(&w->output);
  am_buf_close(&w->pairs);
  am_buf_close(&w->infos);
  am_map_close(&w->seen);
  am_mem_free(w->tensors);
  am_arena_close(&w->arena);
  am_mem_free(w);
  *writer = NULL;
}

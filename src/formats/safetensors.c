/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/safetensors.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/size.h"
#include "base/utf8.h"
#include "os/file.h"

enum {
  PREFIX_BYTES = 8,
  HEADER_LIMIT_BYTES = 100 * 1000 * 1000, /* the reference's MAX_HEADER_SIZE */
  DEPTH_LIMIT = 127,                      /* nesting that serde_json, the reference's reader, allows */
};
/* What the parsed header may take; a header of the limit above, full of tensors, takes less. */
#define ARENA_LIMIT_BYTES ((size_t)1 << 30)

struct am_safetensors {
  char *name; /* for errors */
  am_file_map file;
  bool mapped;
  uint64_t data_offset; /* of the data section in the file */
  am_arena arena;       /* header, names, tensors */
  am_json header;
  const am_json *metadata;
  am_tensor *tensors; /* in the order of their data */
  size_t n_tensors;
  am_map by_name; /* name -> index */
};

/* A tensor on its way into the table. */
typedef struct entry {
  uint64_t begin, end; /* bytes from the start of the data section */
  size_t order;        /* in the header: a stable sort */
  am_tensor tensor;
} entry;

static const char *const hint_damaged = "the file is damaged: download or convert it again";

static adam_status damaged(const am_safetensors *st, adam_error *error, uint64_t offset, const char *found) {
  return am_fail(error, ADAM_DAMAGED, st->name, hint_damaged, "at byte %" PRIu64 ": %s", offset, found);
}

/* Our JSON reader is more generous than the reference's: it takes NaN and Infinity, a byte order
 * mark, and surrogates without a partner. What remains is refused here. Offset in *at. */
static const char *generous_json(const char *text, size_t n, size_t *at) {
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < n; i++) {
    unsigned char c = (unsigned char)text[i];
    *at = i;
    if (in_string) {
      if (c == '"') in_string = false;
      if (c != '\\' || i + 1 >= n) continue;
      i++;
      if (text[i] != 'u' || i + 4 >= n) continue;
      char unit[5] = {text[i + 1], text[i + 2], text[i + 3], text[i + 4], 0};
      unsigned long high = strtoul(unit, NULL, 16), low = 0;
      i += 4;
      if (high < 0xD800 || high > 0xDFFF) continue;
      if (i + 6 < n && text[i + 1] == '\\' && text[i + 2] == 'u') {
        memcpy(unit, text + i + 3, 4);
        low = strtoul(unit, NULL, 16);
      }
      if (high > 0xDBFF || low < 0xDC00 || low > 0xDFFF)
        return "expected a surrogate pair, found half of one";
      i += 6;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > DEPTH_LIMIT) return "expected at most 127 nested arrays and objects";
    } else if (c == '}' || c == ']') {
      depth--;
    } else if (c == 'N' || c == 'I' || c >= 0x80) {
      return "expected plain JSON";
    } else if (c == '-' && i + 1 < n && text[i + 1] == '0' && (i + 2 >= n || !strchr(".eE", text[i + 2]))) {
      return "expected a number, found -0";
    }
  }
  return NULL;
}

/* A number beyond the range of a double, which the reference refuses wherever it stands. */
static bool has_infinity(const am_json *value) {
  switch (value->type) {
    case AM_JSON_FLOAT:
      return !isfinite(value->as.real);
    case AM_JSON_ARRAY:
      for (uint32_t i = 0; i < value->n; i++)
        if (has_infinity(&value->as.items[i])) return true;
      return false;
    case AM_JSON_OBJECT:
      for (uint32_t i = 0; i < value->n; i++)
        if (has_infinity(&value->as.members[i].value)) return true;
      return false;
    default:
      return false;
  }
}

/* Non-negative integer up to 2^64 - 1. Beyond INT64_MAX the JSON reader keeps a double, where 2^64 - 1
 * is 2^64: no real size is that large, and taking the largest uint64_t keeps the verdict. */
static bool read_size(const am_json *value, uint64_t *out) {
  if (!value) return false;
  if (value->type == AM_JSON_INT && value->as.integer >= 0) {
    *out = (uint64_t)value->as.integer;
    return true;
  }
  if (value->is_big && value->as.real > 0 && value->as.real <= 18446744073709551616.0) {
    *out = value->as.real < 18446744073709551616.0 ? (uint64_t)value->as.real : UINT64_MAX;
    return true;
  }
  return false;
}

static adam_status parse_header(am_safetensors *st, adam_error *error) {
  uint64_t n_header = 0;
  if (st->file.size < PREFIX_BYTES) {
    return am_fail(error, ADAM_DAMAGED, st->name, hint_damaged,
                   "at byte 0: expected the 8-byte length of the header, the file has %zu bytes",
                   st->file.size);
  }
  memcpy(&n_header, st->file.bytes, PREFIX_BYTES);
  if (n_header > HEADER_LIMIT_BYTES) {
    return am_fail(error, ADAM_DAMAGED, st->name, hint_damaged,
                   "at byte 0: the header has %" PRIu64 " bytes, at most %d are allowed", n_header,
                   HEADER_LIMIT_BYTES);
  }
  if (n_header > st->file.size - PREFIX_BYTES) {
    return am_fail(error, ADAM_DAMAGED, st->name, hint_damaged,
                   "at byte 0: the header has %" PRIu64 " bytes and would end at byte %" PRIu64
                   ", the file has %zu bytes",
                   n_header, n_header + PREFIX_BYTES, st->file.size);
  }
  st->data_offset = PREFIX_BYTES + n_header;
  const char *text = (const char *)st->file.bytes + PREFIX_BYTES;
  size_t valid = am_utf8_valid_prefix(text, n_header);
  if (valid < n_header) return damaged(st, error, PREFIX_BYTES + valid, "expected UTF-8 in the header");
  size_t at = 0;
  const char *generous = generous_json(text, n_header, &at);
  if (generous) return damaged(st, error, PREFIX_BYTES + at, generous);
  adam_error inner = {0};
  adam_status status = am_json_parse(text, n_header, st->name, 0, &st->arena, &st->header, &inner);
  if (status == ADAM_DAMAGED) {
    return am_fail(error, status, st->name, hint_damaged, "at byte %d: header: %s", PREFIX_BYTES, inner.why);
  }
  if (status) {
    if (error) *error = inner;
    return status;
  }
  if (st->header.type != AM_JSON_OBJECT) return damaged(st, error, PREFIX_BYTES, "expected a JSON object");
  if (has_infinity(&st->header)) return damaged(st, error, PREFIX_BYTES, "header: a number is out of range");
  return ADAM_OK;
}

static adam_status check_metadata(am_safetensors *st, const am_json *value, adam_error *error) {
  if (st->metadata) return damaged(st, error, PREFIX_BYTES, "header: __metadata__ stands there twice");
  st->metadata = value;
  if (value->type != AM_JSON_NULL && value->type != AM_JSON_OBJECT) {
    return damaged(st, error, PREFIX_BYTES, "header: expected an object of strings as __metadata__");
  }
  for (uint32_t i = 0; value->type == AM_JSON_OBJECT && i < value->n; i++) {
    if (value->as.members[i].value.type != AM_JSON_STRING) {
      return am_fail(error, ADAM_DAMAGED, st->name, hint_damaged,
                     "at byte %d: header: expected a string as __metadata__.%s", PREFIX_BYTES,
                     value->as.members[i].key);
    }
  }
  return ADAM_OK;
}

/* The fields of a tensor: an object, where each may stand once, or (as the reference takes it too)
 * the array [dtype, shape, data_offsets]. */
static adam_status read_fields(const am_safetensors *st, const char *name, const am_json *value,
                               const am_json *fields[3], adam_error *error) {
  static const char *const keys[3] = {"dtype", "shape", "data_offsets"};
  if (value->type == AM_JSON_ARRAY && value->n == 3) {
    for (size_t k = 0; k < 3; k++) fields[k] = &value->as.items[k];
    return ADAM_OK;
  }
  if (value->type != AM_JSON_OBJECT) {
    return am_fail(
        error, ADAM_DAMAGED, st->name, hint_damaged,
        "at byte %d: header: expected an object with dtype, shape and data_offsets for tensor '%s'",
        PREFIX_BYTES, name);
  }
  for (uint32_t i = 0; i < value->n; i++) {
    for (size_t k = 0; k < 3; k++) {
      if (strcmp(value->as.members[i].key, keys[k]) != 0) continue;
      if (fields[k]) {
        return am_fail(error, ADAM_DAMAGED, st->name, hint_damaged,
                       "at byte %d: header: tensor '%s' has '%s' twice", PREFIX_BYTES, name, keys[k]);
      }
      fields[k] = &value->as.members[i].value;
    }
  }
  for (size_t k = 0; k < 3; k++) {
    if (!fields[k]) {
      return am_fail(error, ADAM_DAMAGED, st->name, hint_damaged,
                     "at byte %d: header: tensor '%s' has no '%s'", PREFIX_BYTES, name, keys[k]);
    }
  }
  return ADAM_OK;
}

static adam_status bad_field(const am_safetensors *st, const char *name, const char *expected,
                             adam_error *error) {
  return am_fail(error, ADAM_DAMAGED, st->name, hint_damaged, "at byte %d: header: tensor '%s': expected %s",
                 PREFIX_BYTES, name, expected);
}

/* Types of the format that no dtype row of ours describes. */
static bool known_elsewhere(const char *dtype) {
  static const char *const names[] = {"F4",          "F6_E2M3",     "F6_E3M2", "F8_E8M0",
                                      "F8_E4M3FNUZ", "F8_E5M2FNUZ", "C64"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(names[i], dtype) == 0) return true;
  return false;
}

static adam_status read_shape(const am_safetensors *st, const am_json *shape, entry *out, adam_error *error) {
  am_tensor *t = &out->tensor;
  uint64_t elements = 1, bits;
  if (shape->type != AM_JSON_ARRAY) return bad_field(st, t->name, "an array as shape", error);
  for (uint32_t i = 0; i < shape->n; i++) {
    uint64_t size;
    if (!read_size(&shape->as.items[i], &size)) {
      return bad_field(st, t->name, "whole numbers from 0 on as shape", error);
    }
    if (!am_u64_mul(elements, size, &elements)) {
      return bad_field(st, t->name, "a shape of fewer than 2^64 elements", error);
    }
    if (i < AM_TENSOR_MAX_DIMS) t->shape[i] = size;
  }
  uint64_t element_bits = (uint64_t)am_dtype_info(t->dtype)->block_bytes * 8;
  if (!am_u64_mul(elements, element_bits, &bits)) {
    return bad_field(st, t->name, "a shape of fewer than 2^64 bits", error);
  }
  t->n_bytes = bits / 8;
  if (shape->n > AM_TENSOR_MAX_DIMS) {
    return am_fail(error, ADAM_UNSUPPORTED, st->name, "",
                   "tensor '%s' has %u dimensions, at most %d are supported", t->name, shape->n,
                   AM_TENSOR_MAX_DIMS);
  }
  t->n_dims = shape->n;
  return ADAM_OK;
}

static adam_status read_tensor(const am_safetensors *st, const am_json_member *member, entry *out,
                               adam_error *error) {
  const am_json *fields[3] = {0};
  am_tensor *t = &out->tensor;
  t->name = member->key;
  adam_status status = read_fields(st, t->name, &member->value, fields, error);
  if (status) return status;
  if (fields[0]->type != AM_JSON_STRING) return bad_field(st, t->name, "a string as dtype", error);
  const am_json *offsets = fields[2];
  if (offsets->type != AM_JSON_ARRAY || offsets->n != 2 || !read_size(&offsets->as.items[0], &out->begin) ||
      !read_size(&offsets->as.items[1], &out->end)) {
    return bad_field(st, t->name, "two whole numbers as data_offsets", error);
  }
  if (!am_dtype_from_safetensors(fields[0]->as.string, fields[0]->n, &t->dtype)) {
    bool elsewhere = known_elsewhere(fields[0]->as.string);
    return am_fail(error, elsewhere ? ADAM_UNSUPPORTED : ADAM_DAMAGED, st->name, "",
                   "at byte %d: header: tensor '%s' has the %s dtype '%s'", PREFIX_BYTES, t->name,
                   elsewhere ? "unsupported" : "unknown", fields[0]->as.string);
  }
  return read_shape(st, fields[1], out, error);
}

static int by_place(const void *a, const void *b) {
  const entry *x = a, *y = b;
  if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
  if (x->end != y->end) return x->end < y->end ? -1 : 1;
  return x->order < y->order ? -1 : 1;
}

/* No holes, no overlap, every tensor as long as its shape says, and the file ends with the last. */
static adam_status check_places(const am_safetensors *st, const entry *entries, size_t n, adam_error *error) {
  uint64_t next = 0, data_bytes = st->file.size - st->data_offset;
  for (size_t i = 0; i < n; i++) {
    const entry *e = &entries[i];
    if (e->begin != next || e->end < e->begin) {
      return am_fail(error, ADAM_DAMAGED, st->name, hint_damaged,
                     "at byte %" PRIu64 ": tensor '%s' has data_offsets [%" PRIu64 ", %" PRIu64
                     "], expected it to begin at %" PRIu64,
                     st->data_offset + next, e->tensor.name, e->begin, e->end, next);
    }
    if (e->end - e->begin != e->tensor.n_bytes) {
      char shape[160];
      am_tensor_shape_text(e->tensor.n_dims, e->tensor.shape, shape, sizeof shape);
      return am_fail(error, ADAM_DAMAGED, st->name, hint_damaged,
                     "at byte %" PRIu64 ": tensor '%s' has %" PRIu64 " bytes, expected %" PRIu64 " for %s %s",
                     st->data_offset + next, e->tensor.name, e->end - e->begin, e->tensor.n_bytes,
                     am_dtype_info(e->tensor.dtype)->name, shape);
    }
    if (e->end > data_bytes) {
      return am_fail(error, ADAM_DAMAGED, st->name, hint_damaged,
                     "at byte %" PRIu64 ": tensor '%s' ends at byte %" PRIu64 ", the file has %zu bytes",
                     st->data_offset + next, e->tensor.name, st->data_offset + e->end, st->file.size);
    }
    next = e->end;
  }
  if (next != data_bytes) {
    return am_fail(error, ADAM_DAMAGED, st->name, hint_damaged,
                   "at byte %" PRIu64 ": expected the end of the file, found %" PRIu64 " bytes more",
                   st->data_offset + next, data_bytes - next);
  }
  return ADAM_OK;
}

static adam_status read_tensors(am_safetensors *st, adam_error *error) {
  adam_status status = ADAM_OK;
  size_t n = 0;
  entry *entries = am_mem_zalloc(st->header.n + 1u, sizeof *entries);
  if (!entries || !am_map_reserve(&st->by_name, st->header.n)) {
    status = am_fail_memory(error, st->name);
    goto cleanup;
  }
  for (uint32_t i = 0; i < st->header.n && !status; i++) {
    const am_json_member *member = &st->header.as.members[i];
    if (strcmp(member->key, "__metadata__") == 0) {
      status = check_metadata(st, &member->value, error);
      continue;
    }
    entries[n].order = n;
    status = read_tensor(st, member, &entries[n++], error);
  }
  if (status) goto cleanup;
  if (n > 0) qsort(entries, n, sizeof *entries, by_place);
  status = check_places(st, entries, n, error);
  if (status) goto cleanup;
  st->tensors = am_arena_zalloc(&st->arena, n + 1, sizeof *st->tensors);
  if (!st->tensors) {
    status = am_fail_memory(error, st->name);
    goto cleanup;
  }
  for (size_t i = 0; i < n; i++) {
    am_tensor *t = &st->tensors[i];
    *t = entries[i].tensor;
    t->data = st->file.bytes + st->data_offset + entries[i].begin;
    /* A name may hold NULs, but nobody can ask for such a one; it is compared up to the first. */
    uint64_t first;
    if (am_map_get(&st->by_name, t->name, strlen(t->name), &first)) {
      status = am_fail(error, ADAM_DAMAGED, st->name, hint_damaged,
                       "at byte %d: header: the tensor name '%s' stands there twice", PREFIX_BYTES, t->name);
      goto cleanup;
    }
    if (!am_map_set(&st->by_name, t->name, strlen(t->name), i)) {
      status = am_fail_memory(error, st->name);
      goto cleanup;
    }
  }
  st->n_tensors = n;
cleanup:
  am_mem_free(entries);
  return status;
}

static adam_status open_map(const char *name, am_file_map file, bool mapped, am_safetensors **out,
                            adam_error *error) {
  adam_status status;
  am_safetensors *st = am_mem_zalloc(1, sizeof *st);
  if (!st) {
    if (mapped) am_file_map_close(&file);
    return am_fail_memory(error, name);
  }
  st->file = file;
  st->mapped = mapped;
  st->arena.limit_bytes = ARENA_LIMIT_BYTES;
  st->name = am_mem_dup(name, strlen(name));
  if (!st->name) {
    status = am_fail_memory(error, name);
    goto failed;
  }
  status = parse_header(st, error);
  if (!status) status = read_tensors(st, error);
  if (status) goto failed;
  *out = st;
  return ADAM_OK;
failed:
  am_safetensors_close(&st);
  return status;
}

adam_status am_safetensors_open(const char *path, am_safetensors **out, adam_error *error) {
  am_file_map file = {0};
  adam_status status = am_file_map_open(path, &file, error);
  if (status) return status;
  return open_map(path, file, true, out, error);
}

adam_status am_safetensors_open_bytes(const char *name, const void *bytes, size_t n_bytes,
                                      am_safetensors **out, adam_error *error) {
  return open_map(name, (am_file_map){.bytes = bytes, .size = n_bytes}, false, out, error);
}

void am_safetensors_close(am_safetensors **file) {
  if (!file || !*file) return;
  am_safetensors *st = *file;
  am_map_close(&st->by_name);
  am_arena_close(&st->arena);
  if (st->mapped) am_file_map_close(&st->file);
  am_mem_free(st->name);
  am_mem_free(st);
  *file = NULL;
}

size_t am_safetensors_count(const am_safetensors *file) { return file->n_tensors; }

const am_tensor *am_safetensors_at(const am_safetensors *file, size_t index) {
  return index < file->n_tensors ? &file->tensors[index] : NULL;
}

const am_tensor *am_safetensors_find(const am_safetensors *file, const char *name) {
  uint64_t index;
  return am_map_get(&file->by_name, name, strlen(name), &index) ? &file->tensors[index] : NULL;
}

const am_json *am_safetensors_metadata(const am_safetensors *file) {
  return file->metadata && file->metadata->type == AM_JSON_OBJECT ? file->metadata : NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/gguf_parse.h"

#include <inttypes.h>
#include <string.h>

#include "base/cursor.h"
#include "base/size.h"

enum {
  KEY_LIMIT_BYTES = 65535,          /* the specification's own limit */
  NAME_LIMIT_BYTES = 63,            /* ggml's GGML_MAX_NAME, less its NUL */
  DIMS_LIMIT = 4,                   /* ggml's GGML_MAX_DIMS */
  MIN_VALUE_BYTES = 8 + 4 + 1,      /* key length, type, the smallest value */
  MIN_TENSOR_BYTES = 8 + 4 + 4 + 8, /* name length, n_dims, type, offset */
  DEFAULT_ALIGNMENT = 32,
};

static const char *const hint_damaged = "the file is damaged: download or convert it again";

/* A tensor's description before its place is known. */
typedef struct reader {
  am_gguf_part *part;
  am_cursor at;
  am_arena *arena;
  adam_error *error;
} reader;

static adam_status truncated(reader *r, const char *what) {
  return am_fail(r->error, ADAM_DAMAGED, r->part->name, hint_damaged,
                 "at byte %zu: expected %s, the file ends at byte %zu", r->at.offset, what, r->part->size);
}

static adam_status read_string(reader *r, const char *what, uint64_t limit, am_gguf_string *out) {
  size_t start = r->at.offset;
  uint64_t n = am_cursor_u64(&r->at);
  if (r->at.failed) return truncated(r, what);
  if (n > limit) {
    return am_fail(r->error, ADAM_DAMAGED, r->part->name, hint_damaged,
                   "at byte %zu: %s of %" PRIu64 " bytes, at most %" PRIu64 " are allowed", start, what, n,
                   limit);
  }
  const char *bytes = am_cursor_bytes(&r->at, n);
  if (!bytes) {
    return am_fail(r->error, ADAM_DAMAGED, r->part->name, hint_damaged,
                   "at byte %zu: %s of %" PRIu64 " bytes, the file ends at byte %zu", start, what, n,
                   r->part->size);
  }
  *out = (am_gguf_string){bytes, (size_t)n};
  return ADAM_OK;
}

/* Bytes of an element of fixed size; 0 for strings and arrays. */
static size_t scalar_bytes(am_gguf_type type) {
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

static adam_status read_array(reader *r, am_gguf_value *v) {
  size_t start = r->at.offset;
  uint32_t type = am_cursor_u32(&r->at);
  v->n = am_cursor_u64(&r->at);
  if (r->at.failed) return truncated(r, "the type and length of an array");
  v->element_type = (am_gguf_type)type;
  if (type > AM_GGUF_F64 || type == AM_GGUF_ARRAY) {
    return am_fail(
        r->error, type == AM_GGUF_ARRAY ? ADAM_UNSUPPORTED : ADAM_DAMAGED, r->part->name, "",
        "at byte %zu: '%.*s' is an array of elements of type %u, expected 0 to 12 and no array of arrays",
        start, (int)v->key.n_bytes, v->key.bytes, type);
  }
  size_t element = type == AM_GGUF_STRING ? 8 : scalar_bytes(v->element_type);
  if (v->n > (r->at.size - r->at.offset) / element) {
    return am_fail(r->error, ADAM_DAMAGED, r->part->name, hint_damaged,
                   "at byte %zu: array '%.*s' of %" PRIu64 " elements does not fit in the file of %zu bytes",
                   start, (int)v->key.n_bytes, v->key.bytes, v->n, r->part->size);
  }
  if (type != AM_GGUF_STRING) {
    v->as.array = am_cursor_bytes(&r->at, (size_t)v->n * element);
    return ADAM_OK;
  }
  v->as.array = r->at.bytes + r->at.offset;
  am_gguf_string *strings = am_arena_alloc(r->arena, (size_t)v->n * sizeof *strings + 1);
  if (!strings) return am_fail_memory(r->error, r->part->name);
  for (uint64_t i = 0; i < v->n; i++) {
    adam_status status = read_string(r, "a string", UINT64_MAX, &strings[i]);
    if (status) return status;
  }
  v->strings = strings;
  return ADAM_OK;
}

static adam_status read_value(reader *r, am_gguf_value *v) {
  adam_status status = read_string(r, "a metadata key", KEY_LIMIT_BYTES, &v->key);
  if (status) return status;
  size_t start = r->at.offset;
  uint32_t type = am_cursor_u32(&r->at);
  if (r->at.failed) return truncated(r, "the type of a metadata value");
  v->type = (am_gguf_type)type;
  switch (type) {
    case AM_GGUF_U8:
      v->as.u = am_cursor_u8(&r->at);
      break;
    case AM_GGUF_I8:
      v->as.i = am_cursor_i8(&r->at);
      break;
    case AM_GGUF_U16:
      v->as.u = am_cursor_u16(&r->at);
      break;
    case AM_GGUF_I16:
      v->as.i = am_cursor_i16(&r->at);
      break;
    case AM_GGUF_U32:
      v->as.u = am_cursor_u32(&r->at);
      break;
    case AM_GGUF_I32:
      v->as.i = am_cursor_i32(&r->at);
      break;
    case AM_GGUF_F32:
      v->as.f = (double)am_cursor_f32(&r->at);
      break;
    case AM_GGUF_BOOL:
      v->as.b = am_cursor_u8(&r->at) != 0;
      break;
    case AM_GGUF_STRING:
      return read_string(r, "a string", UINT64_MAX, &v->as.s);
    case AM_GGUF_ARRAY:
      return read_array(r, v);
    case AM_GGUF_U64:
      v->as.u = am_cursor_u64(&r->at);
      break;
    case AM_GGUF_I64:
      v->as.i = am_cursor_i64(&r->at);
      break;
    case AM_GGUF_F64:
      v->as.f = am_cursor_f64(&r->at);
      break;
    default:
      return am_fail(r->error, ADAM_DAMAGED, r->part->name, hint_damaged,
                     "at byte %zu: '%.*s' has the value type %u, expected 0 to 12", start,
                     (int)v->key.n_bytes, v->key.bytes, type);
  }
  return r->at.failed ? truncated(r, "a metadata value") : ADAM_OK;
}

bool am_gguf_value_int(const am_gguf_value *value, int64_t *out) {
  switch (value->type) {
    case AM_GGUF_U8:
    case AM_GGUF_U16:
    case AM_GGUF_U32:
    case AM_GGUF_U64:
      if (value->as.u > INT64_MAX) return false;
      *out = (int64_t)value->as.u;
      return true;
    case AM_GGUF_I8:
    case AM_GGUF_I16:
    case AM_GGUF_I32:
    case AM_GGUF_I64:
      *out = value->as.i;
      return true;
    default:
      return false;
  }
}

static adam_status read_alignment(reader *r) {
  static const char key[] = "general.alignment";
  r->part->alignment = DEFAULT_ALIGNMENT;
  for (size_t i = 0; i < r->part->n_values; i++) {
    const am_gguf_value *v = &r->part->values[i];
    if (v->key.n_bytes != sizeof key - 1 || memcmp(v->key.bytes, key, sizeof key - 1) != 0) continue;
    int64_t n;
    if (!am_gguf_value_int(v, &n) || n < 1 || n > UINT32_MAX || (n & (n - 1)) != 0) {
      return am_fail(r->error, ADAM_DAMAGED, r->part->name, hint_damaged,
                     "at byte %zu: expected a power of two as general.alignment",
                     (size_t)((const uint8_t *)v->key.bytes - r->part->bytes));
    }
    r->part->alignment = (uint64_t)n;
  }
  return ADAM_OK;
}

/* Everything but the place; *offset is relative to the data section. */
static adam_status read_tensor(reader *r, am_tensor *t, uint64_t *offset) {
  am_gguf_string name;
  adam_status status = read_string(r, "a tensor name", NAME_LIMIT_BYTES, &name);
  if (status) return status;
  char *copy = am_arena_dup(r->arena, name.bytes, name.n_bytes);
  if (!copy) return am_fail_memory(r->error, r->part->name);
  t->name = copy;
  size_t start = r->at.offset;
  t->n_dims = am_cursor_u32(&r->at);
  if (!r->at.failed && t->n_dims > DIMS_LIMIT) {
    return am_fail(r->error, ADAM_DAMAGED, r->part->name, hint_damaged,
                   "at byte %zu: tensor '%s' has %u dimensions, at most %d are allowed", start, t->name,
                   t->n_dims, DIMS_LIMIT);
  }
  uint64_t elements = 1;
  for (uint32_t i = 0; i < t->n_dims && !r->at.failed; i++) {
    uint64_t n = am_cursor_u64(&r->at);
    t->shape[t->n_dims - 1 - i] = n; /* the file has the fastest axis first */
    if (n > INT64_MAX || !am_u64_mul(elements, n, &elements) || elements > INT64_MAX) {
      return am_fail(r->error, ADAM_DAMAGED, r->part->name, hint_damaged,
                     "at byte %zu: the shape of tensor '%s' has more than 2^63 elements", start, t->name);
    }
  }
  size_t type_at = r->at.offset;
  uint32_t type = am_cursor_u32(&r->at);
  *offset = am_cursor_u64(&r->at);
  if (r->at.failed) return truncated(r, "the description of a tensor");
  if (!am_dtype_from_gguf(type, &t->dtype)) {
    return am_fail(r->error, ADAM_UNSUPPORTED, r->part->name, "convert the model to another quantization",
                   "at byte %zu: tensor '%s' has the type number %u, which is unknown or not supported",
                   type_at, t->name, type);
  }
  if (!am_tensor_bytes(t->dtype, t->n_dims, t->shape, &t->n_bytes)) {
    char shape[160];
    am_tensor_shape_text(t->n_dims, t->shape, shape, sizeof shape);
    return am_fail(r->error, ADAM_DAMAGED, r->part->name, hint_damaged,
                   "at byte %zu: tensor '%s' %s: expected rows of a multiple of %u elements for %s", start,
                   t->name, shape, am_dtype_info(t->dtype)->block_elements, am_dtype_info(t->dtype)->name);
  }
  return ADAM_OK;
}

static bool align_up(uint64_t n, uint64_t alignment, uint64_t *out) {
  if (!am_u64_add(n, alignment - 1, &n)) return false;
  *out = n & ~(alignment - 1);
  return true;
}

/* As ggml demands it, each tensor begins where the one before it ends, padded: so none overlap. */
static adam_status place(reader *r, am_tensor *t, uint64_t offset, uint64_t data_offset, uint64_t *next) {
  uint64_t end;
  if (offset != *next) {
    return am_fail(r->error, ADAM_DAMAGED, r->part->name, hint_damaged,
                   "tensor '%s' has the offset %" PRIu64 " in the data at byte %" PRIu64
                   ", expected %" PRIu64,
                   t->name, offset, data_offset, *next);
  }
  if (!am_u64_add(data_offset, offset, &offset) || !am_u64_add(offset, t->n_bytes, &end) ||
      end > r->part->size) {
    return am_fail(r->error, ADAM_DAMAGED, r->part->name, hint_damaged,
                   "at byte %" PRIu64 ": tensor '%s' has %" PRIu64 " bytes, the file ends at byte %zu",
                   offset, t->name, t->n_bytes, r->part->size);
  }
  t->data = r->part->bytes + offset;
  if (!align_up(*next + t->n_bytes, r->part->alignment, next)) *next = UINT64_MAX;
  return ADAM_OK;
}

static adam_status read_tensors(reader *r, uint64_t n) {
  am_gguf_part *part = r->part;
  part->tensors = am_arena_zalloc(r->arena, (size_t)n + 1, sizeof *part->tensors);
  uint64_t *offsets = am_arena_alloc(r->arena, ((size_t)n + 1) * sizeof *offsets);
  if (!part->tensors || !offsets) return am_fail_memory(r->error, part->name);
  for (uint64_t i = 0; i < n; i++) {
    adam_status status = read_tensor(r, &part->tensors[i], &offsets[i]);
    if (status) return status;
  }
  uint64_t data_offset, next = 0;
  if (!align_up(r->at.offset, part->alignment, &data_offset)) data_offset = UINT64_MAX;
  for (uint64_t i = 0; i < n; i++) {
    adam_status status = place(r, &part->tensors[i], offsets[i], data_offset, &next);
    if (status) return status;
  }
  part->n_tensors = (size_t)n;
  return ADAM_OK;
}

static adam_status read_version(reader *r) {
  const char *magic = am_cursor_bytes(&r->at, 4);
  if (!magic || memcmp(magic, "GGUF", 4) != 0) {
    return am_fail(r->error, ADAM_DAMAGED, r->part->name, hint_damaged,
                   "at byte 0: expected the magic \"GGUF\"%s", magic ? "" : ", the file is too short");
  }
  uint32_t version = am_cursor_u32(&r->at);
  if (r->at.failed) return truncated(r, "the version");
  if (version != 2 && version != 3) {
    bool swapped = (version & 0xFFFFu) == 0 && version != 0;
    return am_fail(r->error, ADAM_UNSUPPORTED, r->part->name, "",
                   "at byte 4: GGUF version %u%s, expected 2 or 3",
                   swapped ? __builtin_bswap32(version) : version, swapped ? " in big-endian order" : "");
  }
  r->part->version = version;
  return ADAM_OK;
}

adam_status am_gguf_parse(am_gguf_part *part, am_arena *arena, adam_error *error) {
  reader r = {part, {.bytes = part->bytes, .size = part->size}, arena, error};
  adam_status status = read_version(&r);
  if (status) return status;
  uint64_t n_tensors = am_cursor_u64(&r.at);
  uint64_t n_values = am_cursor_u64(&r.at);
  if (r.at.failed) return truncated(&r, "the number of tensors and of metadata values");
  size_t left = part->size - r.at.offset;
  if (n_values > left / MIN_VALUE_BYTES || n_tensors > left / MIN_TENSOR_BYTES) {
    return am_fail(error, ADAM_DAMAGED, part->name, hint_damaged,
                   "at byte 8: %" PRIu64 " tensors and %" PRIu64
                   " metadata values do not fit in the file of %zu bytes",
                   n_tensors, n_values, part->size);
  }
  part->values = am_arena_zalloc(arena, (size_t)n_values + 1, sizeof *part->values);
  if (!part->values) return am_fail_memory(error, part->name);
  for (; part->n_values < n_values; part->n_values++) {
    status = read_value(&r, &part->values[part->n_values]);
    if (status) return status;
  }
  status = read_alignment(&r);
  return status ? status : read_tensors(&r, n_tensors);
}

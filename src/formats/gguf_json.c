/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/gguf.h"

#include <string.h>

#include "base/utf8.h"

enum {
  STRING_LIMIT_BYTES = 64 * 1024,
  ARRAY_LIMIT = 4096, /* elements */
};

static am_json json_unsigned(uint64_t u) {
  if (u <= INT64_MAX) return (am_json){.type = AM_JSON_INT, .as.integer = (int64_t)u};
  return (am_json){.type = AM_JSON_FLOAT, .is_big = true, .as.real = (double)u};
}

static am_json json_signed(int64_t i) { return (am_json){.type = AM_JSON_INT, .as.integer = i}; }

static am_json json_real(double f) { return (am_json){.type = AM_JSON_FLOAT, .as.real = f}; }

/* Element i of an array of scalars. */
static am_json json_element(const am_gguf_value *value, size_t i) {
  union {
    uint8_t u8;
    int8_t i8;
    uint16_t u16;
    int16_t i16;
    uint32_t u32;
    int32_t i32;
    uint64_t u64;
    int64_t i64;
    float f32;
    double f64;
  } x = {0};
#define AM_ELEMENT(field, make)                                           \
  memcpy(&x.field, value->as.array + i * sizeof x.field, sizeof x.field); \
  return make
  switch (value->element_type) {
    case AM_GGUF_U8:
      AM_ELEMENT(u8, json_unsigned(x.u8));
    case AM_GGUF_I8:
      AM_ELEMENT(i8, json_signed(x.i8));
    case AM_GGUF_U16:
      AM_ELEMENT(u16, json_unsigned(x.u16));
    case AM_GGUF_I16:
      AM_ELEMENT(i16, json_signed(x.i16));
    case AM_GGUF_U32:
      AM_ELEMENT(u32, json_unsigned(x.u32));
    case AM_GGUF_I32:
      AM_ELEMENT(i32, json_signed(x.i32));
    case AM_GGUF_F32:
      AM_ELEMENT(f32, json_real((double)x.f32));
    case AM_GGUF_U64:
      AM_ELEMENT(u64, json_unsigned(x.u64));
    case AM_GGUF_I64:
      AM_ELEMENT(i64, json_signed(x.i64));
    case AM_GGUF_F64:
      AM_ELEMENT(f64, json_real(x.f64));
    default:
      AM_ELEMENT(u8, ((am_json){.type = AM_JSON_BOOL, .as.boolean = x.u8 != 0}));
  }
#undef AM_ELEMENT
}

static bool is_listed(const am_gguf_value *v) {
  if (v->key.n_bytes > STRING_LIMIT_BYTES || !am_utf8_valid(v->key.bytes, v->key.n_bytes)) return false;
  if (v->type == AM_GGUF_STRING) {
    return v->as.s.n_bytes <= STRING_LIMIT_BYTES && am_utf8_valid(v->as.s.bytes, v->as.s.n_bytes);
  }
  if (v->type == AM_GGUF_ARRAY) return v->element_type != AM_GGUF_STRING && v->n <= ARRAY_LIMIT;
  return true;
}

static bool json_value(const am_gguf_value *v, am_arena *arena, am_json *out) {
  switch (v->type) {
    case AM_GGUF_U8:
    case AM_GGUF_U16:
    case AM_GGUF_U32:
    case AM_GGUF_U64:
      *out = json_unsigned(v->as.u);
      return true;
    case AM_GGUF_I8:
    case AM_GGUF_I16:
    case AM_GGUF_I32:
    case AM_GGUF_I64:
      *out = json_signed(v->as.i);
      return true;
    case AM_GGUF_F32:
    case AM_GGUF_F64:
      *out = json_real(v->as.f);
      return true;
    case AM_GGUF_BOOL:
      *out = (am_json){.type = AM_JSON_BOOL, .as.boolean = v->as.b};
      return true;
    case AM_GGUF_STRING: {
      const char *text = am_arena_dup(arena, v->as.s.bytes, v->as.s.n_bytes);
      *out = (am_json){.type = AM_JSON_STRING, .n = (uint32_t)v->as.s.n_bytes, .as.string = text};
      return text != NULL;
    }
    case AM_GGUF_ARRAY: {
      am_json *items = am_arena_alloc(arena, (size_t)v->n * sizeof *items + 1);
      if (!items) return false;
      for (size_t i = 0; i < v->n; i++) items[i] = json_element(v, i);
      *out = (am_json){.type = AM_JSON_ARRAY, .n = (uint32_t)v->n, .as.items = items};
      return true;
    }
  }
  return false;
}

adam_status am_gguf_metadata_json(const am_gguf *file, am_arena *arena, am_json *out, adam_error *error) {
  static const char what[] = "GGUF metadata";
  size_t n_values = am_gguf_n_values(file);
  am_json_member *members = am_arena_zalloc(arena, n_values + 1, sizeof *members);
  uint32_t n = 0;
  if (!members) return am_fail_memory(error, what);
  for (size_t i = 0; i < n_values; i++) {
    const am_gguf_value *v = am_gguf_value_at(file, i);
    if (!is_listed(v)) continue;
    members[n].key = am_arena_dup(arena, v->key.bytes, v->key.n_bytes);
    members[n].key_bytes = (uint32_t)v->key.n_bytes;
    if (!members[n].key || !json_value(v, arena, &members[n].value)) return am_fail_memory(error, what);
    n++;
  }
  *out = (am_json){.type = AM_JSON_OBJECT, .n = n, .as.members = members};
  return ADAM_OK;
}

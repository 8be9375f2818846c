/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/gguf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/digest.h"
#include "base/mem.h"
#include "os/file.h"

static const char golden[] = ADAM_SOURCE_DIR "/tests/golden/";
static const char listing_path[] = ADAM_SOURCE_DIR "/tests/golden/gguf_listing.json";
static const char parts_path[] =
    ADAM_SOURCE_DIR "/tests/golden/models/gguf-llama-bf16-parts/model-00001-of-00003.gguf";
static const char model_path[] = ADAM_SOURCE_DIR "/tests/golden/models/gguf-qwen3-q4_0/model.gguf";

/* Files made byte by byte. */
static void put(am_buf *b, const void *bytes, size_t n) { assert_true(am_buf_append(b, bytes, n)); }
static void u8(am_buf *b, uint8_t v) { put(b, &v, sizeof v); }
static void u32(am_buf *b, uint32_t v) { put(b, &v, sizeof v); }
static void u64(am_buf *b, uint64_t v) { put(b, &v, sizeof v); }
static void str(am_buf *b, const char *s) {
  u64(b, strlen(s));
  put(b, s, strlen(s));
}
static void head(am_buf *b, uint32_t version, uint64_t n_tensors, uint64_t n_values) {
  am_buf_clear(b);
  put(b, "GGUF", 4);
  u32(b, version);
  u64(b, n_tensors);
  u64(b, n_values);
}
static void info(am_buf *b, const char *name, uint32_t n_dims, const uint64_t *ne, uint32_t type,
                 uint64_t offset) {
  str(b, name);
  u32(b, n_dims);
  for (uint32_t i = 0; i < n_dims && i < 5; i++) u64(b, ne[i]); /* n_dims may lie */
  u32(b, type);
  u64(b, offset);
}
static void pad(am_buf *b, size_t alignment) {
  while (b->len % alignment) u8(b, 0);
}
static void zeros(am_buf *b, size_t n) {
  while (n--) u8(b, 0);
}

/* Opens a copy of exact size, so that the sanitizer sees a read past the end. */
static adam_status open_exact(const am_buf *b, size_t n, am_gguf **file, uint8_t **copy, adam_error *error) {
  *copy = malloc(n ? n : 1);
  if (n) memcpy(*copy, b->data, n);
  *error = (adam_error){0};
  return am_gguf_open_bytes("x.gguf", *copy, n, file, error);
}

static void refuse(const am_buf *b, adam_status expected, const char *words) {
  am_gguf *file = NULL;
  uint8_t *copy;
  adam_error error;
  adam_status status = open_exact(b, b->len, &file, &copy, &error);
  if (status != expected || !strstr(error.why, words)) {
    fail_msg("expected %s with '%s', got %s: %s", adam_status_name(expected), words, adam_status_name(status),
             error.why);
  }
  assert_string_equal(error.what, "x.gguf");
  free(copy);
}

static void accept(const am_buf *b) {
  am_gguf *file = NULL;
  uint8_t *copy;
  adam_error error;
  if (open_exact(b, b->len, &file, &copy, &error)) fail_msg("refused: %s", error.why);
  am_gguf_close(&file);
  free(copy);
}

static const am_json *parse_listing(am_arena *arena, am_json *document) {
  am_buf text = {0};
  assert_int_equal(am_file_read(listing_path, 1 << 24, &text, NULL), ADAM_OK);
  assert_int_equal(am_json_parse(text.data, text.len, "listing", 0, arena, document, NULL), ADAM_OK);
  am_buf_close(&text);
  return document;
}

/* A value of the file against what gguf's reader says; string arrays by number and digest. */
static void check_value(const am_gguf *file, const am_json_member *expected) {
  const am_gguf_value *v = am_gguf_get(file, expected->key);
  if (!v) fail_msg("no %s", expected->key);
  const am_json *e = &expected->value;
  switch (e->type) {
    case AM_JSON_INT:
      assert_int_equal(am_gguf_int(file, expected->key, -77), e->as.integer);
      break;
    case AM_JSON_FLOAT:
      assert_true(am_gguf_real(file, expected->key, -77) == e->as.real);
      break;
    case AM_JSON_BOOL:
      assert_int_equal(am_gguf_bool(file, expected->key, !e->as.boolean), e->as.boolean);
      break;
    case AM_JSON_STRING:
      assert_int_equal(v->type, AM_GGUF_STRING);
      assert_int_equal(v->as.s.n_bytes, e->n);
      assert_memory_equal(v->as.s.bytes, e->as.string, e->n);
      break;
    case AM_JSON_OBJECT: {
      am_buf joined = {0};
      char hex[65];
      assert_int_equal(v->n, am_json_int(am_json_get(e, "strings"), -1));
      for (size_t i = 0; i < v->n; i++) {
        if (i) put(&joined, "\n", 1);
        put(&joined, v->strings[i].bytes, v->strings[i].n_bytes);
      }
      assert_true(am_sha256_hex(joined.data, joined.len, hex));
      assert_string_equal(hex, am_json_str(am_json_get(e, "sha256"), ""));
      am_buf_close(&joined);
      break;
    }
    default:
      assert_int_equal(v->n, e->n);
  }
}

static void check_tensor(const am_gguf *file, const am_json *expected) {
  const am_tensor *t = am_gguf_find(file, am_json_str(am_json_get(expected, "name"), ""));
  char hex[65];
  assert_non_null(t);
  const am_json *shape = am_json_get(expected, "shape");
  assert_int_equal(t->n_dims, shape->n);
  for (uint32_t i = 0; i < shape->n; i++)
    assert_int_equal(t->shape[i], am_json_int(am_json_at(shape, i), -1));
  assert_int_equal(am_dtype_info(t->dtype)->gguf, am_json_int(am_json_get(expected, "type"), -1));
  assert_true(am_sha256_hex(t->data, t->n_bytes, hex));
  assert_string_equal(hex, am_json_str(am_json_get(expected, "sha256"), ""));
}

static void test_listing(void **state) {
  (void)state;
  am_arena arena = {0};
  am_json document;
  const am_json *listing = parse_listing(&arena, &document);
  size_t n_files = 0;
  for (uint32_t i = 0; i < listing->n; i++) {
    const am_json_member *member = &listing->as.members[i];
    if (strstr(member->key, "-of-") && !strstr(member->key, "-00001-of-")) continue;
    char path[1024];
    snprintf(path, sizeof path, "%s%s", golden, member->key);
    am_gguf *file = NULL;
    adam_error error = {0};
    if (am_gguf_open(path, &file, &error)) fail_msg("%s: %s", error.what, error.why);
    const am_json *metadata = am_json_get(&member->value, "metadata");
    assert_int_equal(am_gguf_n_values(file), metadata->n);
    for (uint32_t k = 0; k < metadata->n; k++) check_value(file, &metadata->as.members[k]);
    size_t n_tensors = 0;
    for (uint32_t part = i; part < listing->n; part++) { /* the other parts follow */
      if (part > i && !strstr(listing->as.members[part].key, "-of-")) break;
      const am_json *tensors = am_json_get(&listing->as.members[part].value, "tensors");
      for (uint32_t k = 0; k < tensors->n; k++) check_tensor(file, am_json_at(tensors, k));
      n_tensors += tensors->n;
      if (!strstr(member->key, "-of-")) break;
    }
    assert_int_equal(am_gguf_count(file), n_tensors);
    am_gguf_close(&file);
    n_files++;
  }
  assert_int_equal(n_files, 10);
  am_arena_close(&arena);
}

static void test_header(void **state) {
  (void)state;
  am_buf b = {0};
  head(&b, 3, 0, 0);
  accept(&b);
  head(&b, 2, 0, 0);
  accept(&b);
  head(&b, 1, 0, 0);
  refuse(&b, ADAM_UNSUPPORTED, "GGUF version 1, expected 2 or 3");
  head(&b, 4, 0, 0);
  refuse(&b, ADAM_UNSUPPORTED, "GGUF version 4");
  head(&b, 0x03000000, 0, 0);
  refuse(&b, ADAM_UNSUPPORTED, "version 3 in big-endian order");
  head(&b, 3, UINT64_MAX, 0);
  refuse(&b, ADAM_DAMAGED, "do not fit in the file");
  head(&b, 3, 0, UINT64_MAX);
  refuse(&b, ADAM_DAMAGED, "do not fit in the file");
  head(&b, 3, 0, 0);
  b.data[3] = 'X';
  refuse(&b, ADAM_DAMAGED, "at byte 0: expected the magic");
  for (size_t n = 0; n < 24; n++) {
    b.data[3] = 'F';
    b.len = n;
    refuse(&b, ADAM_DAMAGED, "");
  }
  am_buf_close(&b);
}

static void test_values(void **state) {
  (void)state;
  am_buf b = {0};
  head(&b, 3, 0, 13);
  static const uint8_t bytes[8] = {0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
  static const char *const keys[] = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                     "bool", "string", "array", "u64", "i64", "f64"};
  static const uint8_t sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
  for (uint32_t type = 0; type < 13; type++) {
    str(&b, keys[type]);
    u32(&b, type);
    float half = 0.5f;
    double third = 1.0 / 3;
    if (type == AM_GGUF_STRING)
      str(&b, "text");
    else if (type == AM_GGUF_F32)
      put(&b, &half, 4);
    else if (type == AM_GGUF_F64)
      put(&b, &third, 8);
    else if (type == AM_GGUF_ARRAY)
      u32(&b, AM_GGUF_I16), u64(&b, 2), put(&b, bytes, 4);
    else
      put(&b, bytes, sizes[type]);
  }
  am_gguf *file = NULL;
  uint8_t *copy;
  adam_error error;
  am_arena arena = {0};
  am_json json;
  am_buf text = {0};
  assert_int_equal(open_exact(&b, b.len, &file, &copy, &error), ADAM_OK);
  assert_int_equal(am_gguf_int(file, "u8", 0), 254);
  assert_int_equal(am_gguf_int(file, "i16", 0), -2);
  assert_int_equal(am_gguf_int(file, "u64", 5), 5); /* does not fit: the fallback */
  assert_int_equal(am_gguf_int(file, "string", 5), 5);
  assert_int_equal(am_gguf_int(file, "absent", 5), 5);
  assert_true(am_gguf_bool(file, "bool", false));
  assert_true(am_gguf_real(file, "f32", 0) == 0.5 && am_gguf_real(file, "i64", 0) == -2.0);
  assert_int_equal(am_gguf_metadata_json(file, &arena, &json, &error), ADAM_OK);
  assert_true(am_json_write(&text, &json));
  assert_string_equal(
      text.data,
      "{\"u8\":254,\"i8\":-2,\"u16\":65534,\"i16\":-2,\"u32\":4294967294,\"i32\":-2,\"f32\":0.5,"
      "\"bool\":true,\"string\":\"text\",\"array\":[-2,-1],\"u64\":1.8446744073709552e+19,\"i64\":-2,"
      "\"f64\":0.3333333333333333}");
  am_buf_close(&text);
  am_arena_close(&arena);
  am_gguf_close(&file);
  free(copy);
  for (size_t n = 24; n < b.len; n++) { /* cut at every byte */
    if (open_exact(&b, n, &file, &copy, &error) != ADAM_DAMAGED) fail_msg("cut at %zu: opened", n);
    free(copy);
  }
  am_buf_close(&b);
}

/* Arrays of every kind of number as JSON; what is long or no text is left out. */
static void test_arrays(void **state) {
  (void)state;
  static const uint8_t bytes[16] = {0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F,
                                    0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0xF0, 0x3F};
  static const struct {
    am_gguf_type type;
    size_t n_bytes;
  } kinds[] = {{AM_GGUF_U8, 2},  {AM_GGUF_I8, 2},   {AM_GGUF_U16, 4},  {AM_GGUF_I16, 4}, {AM_GGUF_U32, 8},
               {AM_GGUF_I32, 8}, {AM_GGUF_BOOL, 2}, {AM_GGUF_U64, 16}, {AM_GGUF_I64, 16}};
  am_buf b = {0}, text = {0};
  head(&b, 3, 0, 14);
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    str(&b, "k"), b.data[b.len - 1] = (char)('a' + i);
    u32(&b, AM_GGUF_ARRAY), u32(&b, kinds[i].type), u64(&b, 2), put(&b, bytes, kinds[i].n_bytes);
  }
  const float floats[2] = {0.5f, -2.0f};
  const double doubles[1] = {0.1};
  str(&b, "f32"), u32(&b, AM_GGUF_ARRAY), u32(&b, AM_GGUF_F32), u64(&b, 2), put(&b, floats, 8);
  str(&b, "f64"), u32(&b, AM_GGUF_ARRAY), u32(&b, AM_GGUF_F64), u64(&b, 1), put(&b, doubles, 8);
  str(&b, "long"), u32(&b, AM_GGUF_ARRAY), u32(&b, AM_GGUF_U8), u64(&b, 4097), zeros(&b, 4097);
  str(&b, "not text"), u32(&b, AM_GGUF_STRING), str(&b, "\xFF");
  str(&b, "words"), u32(&b, AM_GGUF_ARRAY), u32(&b, AM_GGUF_STRING), u64(&b, 1), str(&b, "word");
  am_gguf *file = NULL;
  uint8_t *copy;
  adam_error error;
  am_arena arena = {0};
  am_json json;
  if (open_exact(&b, b.len, &file, &copy, &error)) fail_msg("%s", error.why);
  assert_int_equal(am_gguf_metadata_json(file, &arena, &json, &error), ADAM_OK);
  assert_true(am_json_write(&text, &json));
  assert_string_equal(
      text.data,
      "{\"a\":[254,255],\"b\":[-2,-1],\"c\":[65534,65535],\"d\":[-2,-1],\"e\":[4294967294,2147483647],"
      "\"f\":[-2,2147483647],\"g\":[true,true],\"h\":[9223372036854775806,4607182418800017409],"
      "\"i\":[9223372036854775806,4607182418800017409],\"f32\":[0.5,-2.0],\"f64\":[0.1]}");
  assert_int_equal(am_gguf_get(file, "words")->strings[0].n_bytes, 4);
  am_buf_close(&text);
  am_buf_close(&b);
  am_arena_close(&arena);
  am_gguf_close(&file);
  free(copy);
}

static void test_hostile_values(void **state) {
  (void)state;
  am_buf b = {0};
  head(&b, 3, 0, 2);
  for (int i = 0; i < 2; i++) str(&b, "key"), u32(&b, AM_GGUF_U32), u32(&b, 1);
  refuse(&b, ADAM_DAMAGED, "at byte 51: the metadata key 'key' stands there twice");
  head(&b, 3, 0, 1);
  str(&b, "key"), u32(&b, 13), u64(&b, 0);
  refuse(&b, ADAM_DAMAGED, "'key' has the value type 13");
  head(&b, 3, 0, 1);
  str(&b, "key"), u32(&b, AM_GGUF_ARRAY), u32(&b, AM_GGUF_ARRAY), u64(&b, 1), u32(&b, 0), u64(&b, 0);
  refuse(&b, ADAM_UNSUPPORTED, "'key' is an array of elements of type 9");
  head(&b, 3, 0, 1);
  str(&b, "key"), u32(&b, AM_GGUF_ARRAY), u32(&b, 99), u64(&b, 0);
  refuse(&b, ADAM_DAMAGED, "elements of type 99");
  static const uint64_t lengths[] = {2, 1ull << 61, 1ull << 62, 1ull << 63, UINT64_MAX};
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    head(&b, 3, 0, 1);
    str(&b, "key"), u32(&b, AM_GGUF_ARRAY), u32(&b, AM_GGUF_U64), u64(&b, lengths[i]), u64(&b, 0);
    refuse(&b, ADAM_DAMAGED, "does not fit in the file");
    head(&b, 3, 0, 1);
    str(&b, "key"), u32(&b, AM_GGUF_ARRAY), u32(&b, AM_GGUF_STRING), u64(&b, lengths[i]), u64(&b, 0);
    refuse(&b, ADAM_DAMAGED, "does not fit in the file");
    head(&b, 3, 0, 1);
    u64(&b, lengths[i] + 65536), put(&b, "key", 3), u32(&b, 4), u32(&b, 0);
    refuse(&b, ADAM_DAMAGED, "");
    head(&b, 3, 0, 1);
    str(&b, "key"), u32(&b, AM_GGUF_STRING), u64(&b, lengths[i]), u8(&b, 0);
    refuse(&b, ADAM_DAMAGED, "a string of");
  }
  static const uint32_t alignments[] = {0, 3, 24, 33};
  for (size_t i = 0; i < sizeof alignments / sizeof *alignments; i++) {
    head(&b, 3, 0, 1);
    str(&b, "general.alignment"), u32(&b, AM_GGUF_U32), u32(&b, alignments[i]);
    refuse(&b, ADAM_DAMAGED, "expected a power of two as general.alignment");
  }
  am_buf_close(&b);
}

static void one_tensor(am_buf *b, uint32_t n_dims, const uint64_t *ne, uint32_t type, uint64_t offset,
                       size_t n_data) {
  head(b, 3, 1, 0);
  info(b, "t", n_dims, ne, type, offset);
  pad(b, 32);
  zeros(b, n_data);
}

static void test_tensors(void **state) {
  (void)state;
  am_buf b = {0};
  const uint64_t ne[] = {64, 3, 2, 1, 1};
  one_tensor(&b, 4, ne, 2, 0, 64 * 6 / 32 * 18);
  accept(&b);
  b.len--;
  refuse(&b, ADAM_DAMAGED, "at byte 96: tensor 't' has 216 bytes, the file ends at byte 311");
  one_tensor(&b, 0, ne, 0, 0, 4);
  accept(&b);
  one_tensor(&b, 5, ne, 0, 0, 4096);
  refuse(&b, ADAM_DAMAGED, "has 5 dimensions");
  one_tensor(&b, 0x7FFFFFFF, ne, 0, 0, 0);
  refuse(&b, ADAM_DAMAGED, "dimensions");
  static const uint32_t types[] = {4, 5, 9, 15, 16, 31, 38, 40, 97, 0xFFFFFFFF};
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    char words[64];
    snprintf(words, sizeof words, "tensor 't' has the type number %u", types[i]);
    one_tensor(&b, 1, ne, types[i], 0, 4096);
    refuse(&b, ADAM_UNSUPPORTED, words);
  }
  const uint64_t ragged[] = {48}, huge[] = {1ull << 32, 1ull << 31}, wraps[] = {1ull << 62, 4},
                 negative[] = {1ull << 63}, zero[] = {0, 5};
  one_tensor(&b, 1, ragged, 2, 0, 4096);
  refuse(&b, ADAM_DAMAGED, "tensor 't' (48): expected rows of a multiple of 32 elements for q4_0");
  one_tensor(&b, 2, huge, 0, 0, 64);
  refuse(&b, ADAM_DAMAGED, "more than 2^63 elements");
  one_tensor(&b, 2, wraps, 0, 0, 64);
  refuse(&b, ADAM_DAMAGED, "more than 2^63 elements");
  one_tensor(&b, 1, negative, 24, 0, 64);
  refuse(&b, ADAM_DAMAGED, "more than 2^63 elements");
  one_tensor(&b, 2, zero, 0, 0, 0);
  accept(&b);
  one_tensor(&b, 1, ne, 0, 32, 4096);
  refuse(&b, ADAM_DAMAGED, "tensor 't' has the offset 32 in the data at byte 64, expected 0");
  one_tensor(&b, 1, ne, 0, UINT64_MAX - 3, 4096);
  refuse(&b, ADAM_DAMAGED, "has the offset 18446744073709551612");
  am_buf_close(&b);
}

static void test_two_tensors(void **state) {
  (void)state;
  am_buf b = {0};
  const uint64_t ne[] = {9};
  static const uint64_t offsets[] = {64, 0, 36, 32, 96, 65};
  for (size_t i = 0; i < sizeof offsets / sizeof *offsets;
       i++) { /* 36 bytes padded to 64: only 64 is right */
    head(&b, 3, 2, 0);
    info(&b, "a", 1, ne, 0, 0), info(&b, "b", 1, ne, 0, offsets[i]);
    pad(&b, 32);
    zeros(&b, 64 + 36); /* the last one's padding may be missing */
    if (i == 0)
      accept(&b);
    else
      refuse(&b, ADAM_DAMAGED, "expected 64");
  }
  head(&b, 3, 2, 0);
  info(&b, "same", 1, ne, 0, 0), info(&b, "same", 1, ne, 0, 64);
  pad(&b, 32);
  zeros(&b, 128);
  refuse(&b, ADAM_DAMAGED, "the tensor name 'same' stands there twice");
  head(&b, 3, 2, 1); /* another alignment */
  str(&b, "general.alignment"), u32(&b, AM_GGUF_U32), u32(&b, 8);
  info(&b, "a", 1, ne, 0, 0), info(&b, "b", 1, ne, 0, 40);
  pad(&b, 8);
  zeros(&b, 80);
  accept(&b);
  head(&b, 3, 1, 0);
  info(&b, "123456789012345678901234567890123456789012345678901234567890123", 1, ne, 0, 0);
  pad(&b, 32), zeros(&b, 36);
  accept(&b);
  head(&b, 3, 1, 0);
  info(&b, "1234567890123456789012345678901234567890123456789012345678901234", 1, ne, 0, 0);
  pad(&b, 32), zeros(&b, 36);
  refuse(&b, ADAM_DAMAGED, "a tensor name of 64 bytes, at most 63 are allowed");
  am_buf_close(&b);
}

static void copy_part(const char *from, const char *folder, const char *name) {
  am_buf bytes = {0};
  char path[1024];
  assert_int_equal(am_file_read(from, 1 << 24, &bytes, NULL), ADAM_OK);
  snprintf(path, sizeof path, "%s/%s", folder, name);
  assert_int_equal(am_file_write_atomic(path, bytes.data, bytes.len, 0600, NULL), ADAM_OK);
  am_buf_close(&bytes);
}

static void test_parts(void **state) {
  (void)state;
  am_gguf *file = NULL;
  adam_error error = {0};
  char second[sizeof parts_path], third[sizeof parts_path], folder[] = "adam-gguf-XXXXXX", path[1024];
  memcpy(second, parts_path, sizeof second);
  memcpy(third, parts_path, sizeof third);
  *strstr(second, "1-of") = '2';
  *strstr(third, "1-of") = '3';
  assert_int_equal(am_gguf_open(second, &file, &error), ADAM_UNSUPPORTED);
  assert_non_null(strstr(error.why, "part 2 of 3"));
  assert_non_null(mkdtemp(folder));
  snprintf(path, sizeof path, "%s/m-00001-of-00003.gguf", folder);
  copy_part(parts_path, folder, "m-00001-of-00003.gguf");
  copy_part(second, folder, "m-00002-of-00003.gguf");
  assert_int_equal(am_gguf_open(path, &file, &error), ADAM_NOT_FOUND);
  assert_non_null(strstr(error.what, "m-00003-of-00003.gguf"));
  copy_part(second, folder, "m-00003-of-00003.gguf");
  assert_int_equal(am_gguf_open(path, &file, &error), ADAM_DAMAGED);
  assert_non_null(strstr(error.why, "split.no is 1 and split.count 3, expected 2 and 3"));
  copy_part(third, folder, "m-00003-of-00003.gguf");
  assert_int_equal(am_gguf_open(path, &file, &error), ADAM_OK);
  am_gguf_close(&file);
  copy_part(parts_path, folder, "other.gguf");
  snprintf(path, sizeof path, "%s/other.gguf", folder);
  assert_int_equal(am_gguf_open(path, &file, &error), ADAM_DAMAGED);
  assert_non_null(strstr(error.why, "expected a name that ends in -00001-of-00003.gguf"));
  char command[1100];
  snprintf(command, sizeof command, "rm -r '%s'", folder);
  assert_int_equal(system(command), 0);
}

static adam_status open_and_list(const char *path, am_gguf **file) {
  am_arena arena = {0};
  am_json json;
  adam_status status = am_gguf_open(path, file, NULL);
  if (!status) status = am_gguf_metadata_json(*file, &arena, &json, NULL);
  am_arena_close(&arena);
  return status;
}

static void test_faults(void **state) {
  (void)state;
  static const char *const paths[] = {model_path, parts_path};
  for (size_t i = 0; i < 2; i++) {
    for (uint64_t n = 1;; n++) {
      am_gguf *file = NULL;
      am_mem_fault_set(n);
      adam_status status = open_and_list(paths[i], &file);
      int fired = am_mem_fault_fired();
      am_mem_fault_set(0);
      am_gguf_close(&file);
      assert_int_equal(status, fired ? ADAM_NO_MEMORY : ADAM_OK);
      if (!fired) break;
    }
    for (uint64_t n = 1;; n++) {
      am_gguf *file = NULL;
      am_file_fault_set(n);
      adam_status status = am_gguf_open(paths[i], &file, NULL);
      int fired = am_file_fault_fired();
      am_file_fault_set(0);
      am_gguf_close(&file);
      assert_int_equal(status, fired ? ADAM_IO : ADAM_OK);
      if (!fired) break;
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_listing),        cmocka_unit_test(test_header),
      cmocka_unit_test(test_values),         cmocka_unit_test(test_arrays),
      cmocka_unit_test(test_hostile_values), cmocka_unit_test(test_tensors),
      cmocka_unit_test(test_two_tensors),    cmocka_unit_test(test_parts),
      cmocka_unit_test(test_faults),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

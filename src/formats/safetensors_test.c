/* SPDX-License-Identifier: Apache-2.0 */
/* The verdict of the `safetensors` package (tests/golden/safetensors_cases.json) on good and hostile
 * files is ours too, but for what is named in differs(). */
#include "formats/safetensors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "os/file.h"

static const char cases_path[] = ADAM_SOURCE_DIR "/tests/golden/safetensors_cases.json";
static const char model_path[] = ADAM_SOURCE_DIR "/tests/golden/models/qwen3-bf16-tied/model.safetensors";

static uint8_t *from_hex(const char *hex, size_t *n) {
  *n = strlen(hex) / 2;
  uint8_t *bytes = malloc(*n ? *n : 1); /* exact: the sanitizer sees a read past the end */
  for (size_t i = 0; i < *n; i++) {
    char two[3] = {hex[2 * i], hex[2 * i + 1], 0};
    bytes[i] = (uint8_t)strtoul(two, NULL, 16);
  }
  return bytes;
}

/* Files that the package opens and we refuse: a name given twice, whatever it says; element types
 * that nothing of ours computes with; more axes than a tensor of ours has. */
static adam_status differs(const char *name) {
  static const char *const unsupported[] = {"dtype F4",      "dtype F6_E2M3",     "dtype F6_E3M2",
                                            "dtype F8_E4M3FNUZ", "dtype F8_E5M2FNUZ",
                                            "dtype C64",     "9 dimensions",      "300 dimensions"};
  for (size_t i = 0; i < sizeof unsupported / sizeof *unsupported; i++)
    if (strcmp(name, unsupported[i]) == 0) return ADAM_UNSUPPORTED;
  return strcmp(name, "same name and place twice") == 0 ? ADAM_DAMAGED : ADAM_OK;
}

static void test_verdicts(void **state) {
  (void)state;
  am_buf text = {0};
  am_arena arena = {0};
  am_json document;
  assert_int_equal(am_file_read(cases_path, 1 << 24, &text, NULL), ADAM_OK);
  assert_int_equal(am_json_parse(text.data, text.len, "cases", 0, &arena, &document, NULL), ADAM_OK);
  const am_json *cases = am_json_get(&document, "cases");
  size_t n_opened = 0, n_wrong = 0;
  assert_true(cases->n > 500);
  for (size_t i = 0; i < cases->n; i++) {
    const am_json *one = am_json_at(cases, i);
    const char *name = am_json_str(am_json_get(one, "name"), "");
    bool opens = am_json_bool(am_json_get(one, "opens"), false);
    size_t n;
    uint8_t *bytes = from_hex(am_json_str(am_json_get(one, "hex"), ""), &n);
    am_safetensors *file = NULL;
    adam_error error = {0};
    adam_status status = am_safetensors_open_bytes("x.safetensors", bytes, n, &file, &error);
    adam_status other = differs(name);
    bool right = other ? status == other : opens ? status == ADAM_OK : status == ADAM_DAMAGED;
    if (!other && !opens && strcmp(name, "F4 of 3") == 0) right = status == ADAM_UNSUPPORTED;
    if (!right) {
      fprintf(stderr, "%s: the package %s, we say %s: %s\n", name, opens ? "opens it" : "refuses it",
              adam_status_name(status), error.why);
      n_wrong++;
    }
    if (status) {
      assert_null(file);
      assert_string_equal(error.what, "x.safetensors");
      assert_true(error.status == status && error.why[0]);
    } else {
      n_opened++;
      for (size_t t = 0; t < am_safetensors_count(file); t++) {
        const am_tensor *tensor = am_safetensors_at(file, t);
        const uint8_t *data = tensor->data;
        assert_true(data >= bytes + 8 && data + tensor->n_bytes <= bytes + n);
        assert_ptr_equal(am_safetensors_find(file, tensor->name), tensor);
      }
    }
    am_safetensors_close(&file);
    free(bytes);
  }
  assert_int_equal(n_wrong, 0);
  assert_true(n_opened > 60);
  am_arena_close(&arena);
  am_buf_close(&text);
}

static void check_error(const char *header, size_t n_data, const char *expected) {
  char bytes[512] = {0};
  uint64_t n = strlen(header);
  memcpy(bytes, &n, 8);
  memcpy(bytes + 8, header, n);
  am_safetensors *file = NULL;
  adam_error error = {0};
  assert_int_equal(am_safetensors_open_bytes("f", bytes, 8 + n + n_data, &file, &error), ADAM_DAMAGED);
  if (!strstr(error.why, expected)) fail_msg("'%s' lacks '%s'", error.why, expected);
}

/* Errors name the offset, what was found and what was expected. */
static void test_words(void **state) {
  (void)state;
  check_error("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}", 12,
              "at byte 63: tensor 'a' has data_offsets [4, 12], expected it to begin at 0");
  check_error("{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", 8,
              "tensor 'a' has 8 bytes, expected 12 for f32 (3)");
  check_error("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 7,
              "tensor 'a' ends at byte 70, the file has 69 bytes");
  check_error("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 9,
              "at byte 70: expected the end of the file, found 1 bytes more");
  check_error("{\"a\":tru}", 0, "at byte 8: header: JSON at byte");
}

static void test_model(void **state) {
  (void)state;
  am_safetensors *file = NULL;
  adam_error error = {0};
  assert_int_equal(am_safetensors_open(model_path, &file, &error), ADAM_OK);
  assert_int_equal(am_safetensors_count(file), 2 * 11 + 2);
  const am_tensor *t = am_safetensors_find(file, "model.layers.1.self_attn.q_proj.weight");
  assert_non_null(t);
  assert_int_equal(t->dtype, AM_DTYPE_BF16);
  assert_int_equal(t->n_dims, 2);
  assert_int_equal(t->shape[0], 128);
  assert_int_equal(t->shape[1], 64);
  assert_int_equal(t->n_bytes, 128 * 64 * 2);
  assert_null(am_safetensors_find(file, "lm_head.weight"));
  assert_string_equal(am_json_str(am_json_get(am_safetensors_metadata(file), "format"), ""), "pt");
  am_safetensors_close(&file);
  am_safetensors_close(&file);
  assert_int_equal(am_safetensors_open("/nowhere/x.safetensors", &file, &error), ADAM_NOT_FOUND);
}

static void test_faults(void **state) {
  (void)state;
  for (uint64_t n = 1;; n++) {
    am_safetensors *file = NULL;
    adam_error error = {0};
    am_mem_fault_set(n);
    adam_status status = am_safetensors_open(model_path, &file, &error);
    int fired = am_mem_fault_fired();
    am_mem_fault_set(0);
    if (fired) {
      assert_int_equal(status, ADAM_NO_MEMORY);
      assert_null(file);
    }
    am_safetensors_close(&file);
    if (!fired) {
      assert_int_equal(status, ADAM_OK);
      assert_true(n > 4);
      break;
    }
  }
  am_safetensors *file = NULL;
  am_file_fault_set(1);
  assert_int_equal(am_safetensors_open(model_path, &file, NULL), ADAM_IO);
  am_file_fault_set(0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_verdicts),
      cmocka_unit_test(test_words),
      cmocka_unit_test(test_model),
      cmocka_unit_test(test_faults),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The golden models and what transformers makes of them (tests/golden/loader.json); folders that are
 * damaged in one place. */
#include "loader/loader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "os/file.h"

#define GOLDEN ADAM_SOURCE_DIR "/tests/golden/"
#define MODELS GOLDEN "models/"

static am_arena arena;
static am_json golden;
static char scratch[] = "adam-loader-XXXXXX";

static int read_golden(void **state) {
  (void)state;
  am_buf text = {0};
  int failed = am_file_read(GOLDEN "loader.json", 1 << 24, &text, NULL) ||
               am_json_parse(text.data, text.len, "loader.json", 0, &arena, &golden, NULL) ||
               !mkdtemp(scratch);
  am_buf_close(&text);
  return failed;
}

__attribute__((format(printf, 1, 2))) static int shell(const char *format, ...) {
  char command[4096];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(command, sizeof command, format, arguments);
  va_end(arguments);
  return system(command);
}

static int forget_golden(void **state) {
  (void)state;
  am_arena_close(&arena);
  return shell("rm -rf '%s'", scratch);
}

/* An empty folder for one test, or a copy of a golden model. */
static const char *fresh(const char *model) {
  assert_int_equal(shell("rm -rf '%s'/m && mkdir -p '%s'/m", scratch, scratch), 0);
  if (model) assert_int_equal(shell("cp -r " MODELS "%s/. '%s'/m/", model, scratch), 0);
  static char path[256];
  snprintf(path, sizeof path, "%s/m", scratch);
  return path;
}

static void put_bytes(const char *file, const char *text, size_t n) {
  char path[512];
  snprintf(path, sizeof path, "%s/m/%s", scratch, file);
  char *folder = am_path_dirname(path);
  assert_int_equal(am_dir_make(folder, NULL), ADAM_OK);
  am_mem_free(folder);
  assert_int_equal(am_file_write_atomic(path, text, n, 0600, NULL), ADAM_OK);
}

static void put(const char *file, const char *text) { put_bytes(file, text, strlen(text)); }

/* Replaces `old` by `new` in a file of the folder. */
static void edit(const char *file, const char *old, const char *new) {
  char path[512];
  am_buf text = {0}, out = {0};
  snprintf(path, sizeof path, "%s/m/%s", scratch, file);
  assert_int_equal(am_file_read(path, 1 << 24, &text, NULL), ADAM_OK);
  char *at = memmem(text.data, text.len, old, strlen(old));
  if (!at) fail_msg("no '%s' in %s", old, file);
  assert_true(am_buf_append(&out, text.data, (size_t)(at - text.data)) && am_buf_append_str(&out, new) &&
              am_buf_append(&out, at + strlen(old), text.len - (size_t)(at - text.data) - strlen(old)));
  put_bytes(file, out.data, out.len);
  am_buf_close(&text);
  am_buf_close(&out);
}

static am_loader *open_ok(const char *path, uint32_t flags) {
  am_loader *loader = NULL;
  adam_error error = {0};
  if (am_loader_open(path, flags, NULL, &loader, &error)) fail_msg("%s: %s", error.what, error.why);
  return loader;
}

static void refuse(const char *path, uint32_t flags, adam_status expected, const char *what,
                   const char *why) {
  am_loader *loader = NULL;
  adam_error error = {0};
  adam_status status = am_loader_open(path, flags, NULL, &loader, &error);
  if (status != expected || !strstr(error.why, why) || !strstr(error.what, what)) {
    fail_msg("expected %s '%s' '%s', got %s %s: %s", adam_status_name(expected), what, why,
             adam_status_name(status), error.what, error.why);
  }
  assert_null(loader);
}

static void check_facts(const am_loader *loader, const am_json *facts) {
  const am_json *expected = am_json_get(facts, "special_tokens"), *found = am_loader_special_tokens(loader);
  assert_int_equal(found->n, expected->n);
  for (uint32_t i = 0; i < expected->n; i++) {
    assert_string_equal(am_json_str(am_json_get(found, expected->as.members[i].key), "absent"),
                        expected->as.members[i].value.as.string);
  }
  expected = am_json_get(facts, "templates");
  for (uint32_t i = 0; i < expected->n; i++) {
    const char *text = am_loader_template(loader, expected->as.members[i].key, false);
    assert_non_null(text);
    assert_string_equal(text, expected->as.members[i].value.as.string);
  }
  assert_null(am_loader_template(loader, "surprise", true));
  for (int tools = 0; tools < 2; tools++) {
    const char *picked = am_json_str(am_json_path(facts, tools ? "picked.tools" : "picked.plain"), NULL);
    const char *text = am_loader_template(loader, NULL, tools);
    if (picked)
      assert_string_equal(text, picked);
    else
      assert_null(text);
  }
}

static void check_generation(const am_loader *loader, const am_json *generation) {
  const adam_sampling *s = am_loader_sampling(loader);
  size_t n;
  const int32_t *ids = am_loader_end_ids(loader, &n);
  if (!generation) {
    assert_int_equal(s->set, 0);
    assert_true(n >= 1);
    return;
  }
  assert_int_equal(s->set, ADAM_SET_TEMPERATURE | ADAM_SET_TOP_K | ADAM_SET_TOP_P);
  assert_true(s->temperature == am_json_real(am_json_get(generation, "temperature"), -1));
  assert_true(s->top_p == am_json_real(am_json_get(generation, "top_p"), -1));
  assert_int_equal(s->top_k, am_json_int(am_json_get(generation, "top_k"), -1));
  const am_json *eos = am_json_get(generation, "eos_token_id");
  assert_int_equal(n, eos->n); /* tokenizer_config's eos_token is one of them */
  for (uint32_t i = 0; i < eos->n; i++) assert_int_equal(ids[i], am_json_int(am_json_at(eos, i), -1));
}

static void test_models(void **state) {
  (void)state;
  const am_json *models = am_json_get(&golden, "models");
  assert_int_equal(models->n, 8);
  for (uint32_t i = 0; i < models->n; i++) {
    char path[512];
    snprintf(path, sizeof path, MODELS "%s", models->as.members[i].key);
    am_loader *loader = open_ok(path, 0);
    assert_string_equal(am_loader_name(loader), models->as.members[i].key);
    assert_non_null(am_loader_tokenizer(loader));
    check_facts(loader, &models->as.members[i].value);
    check_generation(loader, am_json_get(&models->as.members[i].value, "generation"));
    am_loader_close(&loader);
    loader = open_ok(path, AM_LOADER_VOCAB_ONLY);
    assert_int_equal(am_loader_n_tensors(loader), 0);
    check_facts(loader, &models->as.members[i].value);
    am_loader_close(&loader);
  }
}

static void test_variants(void **state) {
  (void)state;
  const am_json *variants = am_json_get(&golden, "variants");
  assert_true(variants->n >= 12);
  for (uint32_t i = 0; i < variants->n; i++) {
    const am_json *files = am_json_get(&variants->as.members[i].value, "files");
    const char *folder = fresh(NULL);
    assert_int_equal(shell("cp " MODELS "qwen3-bf16-tied/tokenizer.json '%s'/", folder), 0);
    for (uint32_t k = 0; k < files->n; k++) {
      const am_json *content = &files->as.members[k].value;
      am_buf text = {0};
      if (content->type == AM_JSON_STRING)
        am_buf_append(&text, content->as.string, content->n);
      else
        am_json_write(&text, content);
      put_bytes(files->as.members[k].key, text.data, text.len);
      am_buf_close(&text);
    }
    am_loader *loader = open_ok(folder, AM_LOADER_VOCAB_ONLY);
    assert_null(am_loader_config(loader));
    check_facts(loader, &variants->as.members[i].value);
    am_loader_close(&loader);
  }
}

/* Every role of every layer is there, by the sizes of the model that make_models.py lists. */
static void test_roles(void **state) {
  (void)state;
  am_loader *loader = open_ok(MODELS "llama-f32-bias-old", 0);
  const am_tensor *t;
  assert_int_equal(am_loader_role(loader, "attn_q_bias", 1, &t, NULL), ADAM_OK);
  assert_true(t && t->n_dims == 1 && t->shape[0] == 32);
  assert_int_equal(am_loader_role(loader, "ffn_down_bias", 0, &t, NULL), ADAM_OK);
  assert_true(t && t->shape[0] == 32);
  assert_int_equal(am_loader_role(loader, "rope_freqs", 0, &t, NULL), ADAM_OK);
  assert_null(t);
  assert_int_equal(am_loader_role(loader, "attn_q_norm", 0, &t, NULL), ADAM_OK);
  assert_null(t);
  assert_int_equal(am_loader_role(loader, "output", 0, &t, NULL), ADAM_OK);
  assert_string_equal(t->name, "lm_head.weight");
  assert_int_equal(am_loader_dtype(loader), AM_DTYPE_F32);
  assert_int_equal(am_loader_weights_bytes(loader), am_loader_n_parameters(loader) * 4);
  am_loader_close(&loader);
  loader = open_ok(MODELS "llama-f16-bare-llama3-old", 0); /* names without "model." */
  assert_int_equal(am_loader_role(loader, "attn_norm", 1, &t, NULL), ADAM_OK);
  assert_string_equal(t->name, "layers.1.input_layernorm.weight");
  assert_int_equal(am_loader_role(loader, "output", 0, &t, NULL), ADAM_OK);
  assert_null(t);
  assert_int_equal(am_loader_config(loader)->rope.scaling, AM_ROPE_LLAMA3);
  am_loader_close(&loader);
  loader = open_ok(MODELS "qwen3-bf16-sharded", 0);
  assert_int_equal(am_loader_n_tensors(loader), 3 * 11 + 3);
  assert_int_equal(am_loader_role(loader, "attn_k_norm", 2, &t, NULL), ADAM_OK);
  assert_true(t && t->shape[0] == 32);
  am_loader_close(&loader);
  loader = open_ok(MODELS "qwen3-bf16-tied/model.safetensors", 0); /* the file beside its config.json */
  assert_int_equal(am_loader_n_tensors(loader), 2 * 11 + 2);
  am_loader_close(&loader);
  loader = open_ok(MODELS "qwen3-bf16-sharded/model-00002-of-00004.safetensors", 0); /* stands for all */
  assert_int_equal(am_loader_n_tensors(loader), 3 * 11 + 3);
  am_loader_close(&loader);
}

static void test_gguf(void **state) {
  (void)state;
  const am_tensor *t;
  size_t n;
  am_loader *loader = open_ok(MODELS "gguf-llama-f32", 0); /* the folder's only model */
  assert_string_equal(am_loader_name(loader), "Tiny llama");
  assert_int_equal(am_loader_config(loader)->rope.scaling, AM_ROPE_FACTORS);
  assert_int_equal(am_loader_config(loader)->rope.style, AM_ROPE_PAIRS);
  assert_true(am_loader_config(loader)->tied_embeddings);
  assert_int_equal(am_loader_role(loader, "rope_freqs", 0, &t, NULL), ADAM_OK);
  assert_true(t && t->shape[0] == 16);
  const am_json *facts = am_json_get(am_json_get(&golden, "models"), "llama-bf16-llama3");
  for (int tools = 0; tools < 2; tools++) { /* the same templates as the llama folders */
    const char *text = am_json_str(am_json_path(facts, tools ? "picked.tools" : "picked.plain"), NULL);
    assert_string_equal(am_loader_template(loader, NULL, tools), text);
  }
  assert_string_equal(am_json_str(am_json_get(am_loader_special_tokens(loader), "bos_token"), ""),
                      "<|begin_of_text|>");
  assert_string_equal(am_json_str(am_json_get(am_loader_special_tokens(loader), "eos_token"), ""),
                      "<|end_of_text|>");
  const int32_t *ids = am_loader_end_ids(loader, &n); /* 300 tokens, the last 5 special: eos, then eot */
  assert_true(n == 2 && ids[0] == 296 && ids[1] == 299);
  am_loader_close(&loader);
  loader = open_ok(MODELS "gguf-llama-bf16-parts", 0);
  assert_int_equal(am_loader_n_tensors(loader), 2 * 9 + 3);
  assert_true(am_loader_config(loader)->rope.scaling == AM_ROPE_LINEAR &&
              am_loader_config(loader)->rope.factor == 4);
  am_loader_close(&loader);
  loader = open_ok(MODELS "gguf-llama-q5_1/model.gguf", 0);
  assert_true(am_loader_config(loader)->attention_bias && am_loader_config(loader)->mlp_bias);
  assert_int_equal(am_loader_role(loader, "attn_k_bias", 1, &t, NULL), ADAM_OK);
  assert_true(t && t->dtype == AM_DTYPE_F32 && t->shape[0] == 64);
  am_loader_close(&loader);
  loader = open_ok(MODELS "gguf-qwen3-q4_0/model.gguf", AM_LOADER_VOCAB_ONLY);
  assert_int_equal(am_loader_n_tensors(loader), 0);
  assert_non_null(am_loader_tokenizer(loader));
  assert_int_equal(am_tokenizer_size(am_loader_tokenizer(loader)), 317);
  am_loader_close(&loader);
}

static void test_damaged(void **state) {
  (void)state;
  const char *m = fresh("qwen3-bf16-tied");
  edit("config.json", "\"model_type\"", "\"model_type");
  refuse(m, 0, ADAM_DAMAGED, "/config.json", "JSON");
  refuse(m, AM_LOADER_VOCAB_ONLY, ADAM_DAMAGED, "/config.json", "JSON");
  fresh("qwen3-bf16-tied");
  edit("config.json", "\"intermediate_size\": 96", "\"intermediate_size\": 95");
  refuse(m, 0, ADAM_DAMAGED, "/m", "has the shape (96, 64), expected (95, 64)");
  fresh("qwen3-bf16-tied");
  edit("config.json", "\"vocab_size\": 320", "\"vocab_size\": 321");
  refuse(m, 0, ADAM_DAMAGED, "/m",
         "tensor model.embed_tokens.weight has the shape (320, 64), expected (321, 64)");
  fresh("qwen3-bf16-tied");
  edit("config.json", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3");
  refuse(m, 0, ADAM_DAMAGED, "/config.json", "layer_types: expected a list of the kinds of the 3 layers");
  edit("config.json", "\"layer_types\"", "\"no_layer_types\"");
  refuse(m, 0, ADAM_DAMAGED, "/m", "tensor model.layers.2.input_layernorm.weight is missing");
  fresh("qwen3-bf16-tied");
  edit("model.safetensors", "\"model.norm.weight\"", "\"model.nxrm.weight\"");
  refuse(m, 0, ADAM_DAMAGED, "/m", "tensor model.norm.weight is missing");
  fresh("qwen3-bf16-tied");
  edit("model.safetensors", "[0,", "[1,");
  refuse(m, 0, ADAM_DAMAGED, "/model.safetensors", "expected it to begin at 0");
  fresh("qwen3-bf16-tied");
  put("generation_config.json", "{\"temperature\": \"hot\"}");
  refuse(m, 0, ADAM_DAMAGED, "/generation_config.json", "temperature is \"hot\", expected a number");
  put("generation_config.json", "[]");
  refuse(m, 0, ADAM_DAMAGED, "/generation_config.json", "expected a JSON object");
  put("generation_config.json", "");
  refuse(m, 0, ADAM_DAMAGED, "/generation_config.json", "JSON ends at byte 0");
  fresh("qwen3-bf16-tied");
  put("tokenizer_config.json", "{\"chat_template\": 5}");
  put("chat_template.jinja", "\xFF");
  refuse(m, 0, ADAM_DAMAGED, "/chat_template.jinja", "at byte 0: expected UTF-8");
  fresh("qwen3-bf16-tied");
  put("tokenizer.json", "{");
  refuse(m, 0, ADAM_DAMAGED, "/tokenizer.json", "");
}

static void test_odd_templates(void **state) {
  (void)state;
  const char *m = fresh(NULL);
  put("tokenizer_config.json", "{\"chat_template\": 5}");
  refuse(m, AM_LOADER_VOCAB_ONLY, ADAM_DAMAGED, "/tokenizer_config.json", "expected a string or a list");
  put("tokenizer_config.json", "{\"chat_template\": [{\"name\": \"x\"}]}");
  refuse(m, AM_LOADER_VOCAB_ONLY, ADAM_DAMAGED, "/tokenizer_config.json", "a name and a template in item 0");
  put("tokenizer_config.json",
      "{\"chat_template\": [{\"name\": \"default\", \"template\": \"1\"},"
      "{\"name\": \"default\", \"template\": \"2\"}]}"); /* a dict in Python: the last one */
  am_loader *loader = open_ok(m, AM_LOADER_VOCAB_ONLY);
  assert_string_equal(am_loader_template(loader, NULL, false), "2");
  am_loader_close(&loader);
  put("tokenizer_config.json", "{}");
  put("chat_template.json", "{\"chat_template\": \"legacy\"}");
  loader = open_ok(m, AM_LOADER_VOCAB_ONLY);
  assert_string_equal(am_loader_template(loader, NULL, true), "legacy");
  am_loader_close(&loader);
  am_buf many = {0};
  assert_true(am_buf_append_str(&many, "{\"chat_template\": [{\"name\": \"n\", \"template\": \"\"}"));
  for (int i = 0; i < 64; i++)
    assert_true(am_buf_printf(&many, ",{\"name\": \"n%d\", \"template\": \"\"}", i));
  assert_true(am_buf_append_str(&many, "]}"));
  put("tokenizer_config.json", many.data);
  am_buf_close(&many);
  refuse(m, AM_LOADER_VOCAB_ONLY, ADAM_DAMAGED, "/m", "more than 64 chat templates");
}

/* A GGUF with one thing changed; the keys keep their lengths. */
static void test_odd_gguf(void **state) {
  (void)state;
  const am_tensor *t;
  const char *m = fresh("gguf-qwen3-f16");
  edit("model.gguf", "tokenizer.ggml.tokens", "tokenizer.ggml.nokens");
  am_loader *loader = open_ok(m, 0); /* weights without a vocabulary */
  assert_null(am_loader_tokenizer(loader));
  assert_ptr_equal(am_loader_find(loader, am_loader_tensor_at(loader, 3)->name),
                   am_loader_tensor_at(loader, 3));
  assert_null(am_loader_tensor_at(loader, 999));
  am_loader_close(&loader);
  fresh("gguf-qwen3-f16");
  edit("model.gguf", "tokenizer.ggml.model", "tokenizer.ggml.nodel");
  refuse(m, 0, ADAM_DAMAGED, "/model.gguf", "tokenizer.ggml.model is missing");
  fresh("gguf-qwen3-f16");
  edit("model.gguf", "tokenizer.ggml.merges", "tokenizer.ggml.scores");
  refuse(m, 0, ADAM_DAMAGED, "/model.gguf", "tokenizer.ggml.scores: expected an array of 320 numbers");
  fresh("gguf-qwen3-f16");
  edit("model.gguf", "{%- for message", "{%- for m\xFFssage");
  refuse(m, 0, ADAM_DAMAGED, "/model.gguf", "the chat template 'default' is not UTF-8");
  fresh("gguf-qwen3-f16");
  edit("model.gguf", "qwen3", "qwen9");
  refuse(m, 0, ADAM_UNSUPPORTED, "/model.gguf", "general.architecture is 'qwen9'");
  loader = open_ok(m, AM_LOADER_VOCAB_ONLY); /* its tokens can still be counted */
  assert_null(am_loader_config(loader));
  assert_int_equal(am_loader_role(loader, "attn_q", 0, &t, NULL), ADAM_INVALID);
  am_loader_close(&loader);
  fresh("gguf-llama-q5_1");
  edit("model.gguf", "blk.0.attn_output.bias", "blk.0.attn_output.none");
  loader = open_ok(m, 0); /* each bias of a GGUF is there or not */
  assert_int_equal(am_loader_role(loader, "attn_output_bias", 0, &t, NULL), ADAM_OK);
  assert_null(t);
  assert_int_equal(am_loader_role(loader, "attn_output_bias", 1, &t, NULL), ADAM_OK);
  assert_non_null(t);
  am_loader_close(&loader);
  fresh("gguf-llama-q5_1");
  edit("model.gguf", "blk.0.attn_output.weight", "blk.0.attn_output.wxight");
  refuse(m, 0, ADAM_DAMAGED, "/model.gguf", "tensor blk.0.attn_output.weight is missing");
}

static void test_damaged_index(void **state) {
  (void)state;
  static const char index[] = "model.safetensors.index.json";
  static const char second[] = "model-00002-of-00004.safetensors\"";
  static const char *const escapes[] = {
      "../x.safetensors\"", "/etc/passwd\"", "a/b.safetensors\"", "..\"", "\"", "a\\\\b\"", "a\\u0000b\""};
  for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++) {
    const char *m = fresh("qwen3-bf16-sharded");
    edit(index, second, escapes[i]);
    refuse(m, 0, ADAM_DAMAGED, index, "expected the name of a file in the same folder");
  }
  const char *m = fresh("qwen3-bf16-sharded");
  edit(index, second, "model-00001-of-00004.safetensors\"");
  refuse(m, 0, ADAM_DAMAGED, index, "is not in model-00001-of-00004.safetensors");
  fresh("qwen3-bf16-sharded");
  assert_int_equal(shell("rm '%s'/model-00003-of-00004.safetensors", m), 0);
  refuse(m, 0, ADAM_DAMAGED, "model-00003-of-00004.safetensors", "the file is not there");
  fresh("qwen3-bf16-sharded");
  put(index, "{\"weight_map\":{\"a\":\"x\",\"a\":\"y\"}}");
  refuse(m, 0, ADAM_DAMAGED, index, "");
  put(index, "{\"weight_map\":[]}");
  refuse(m, 0, ADAM_DAMAGED, index, "expected an object weight_map");
  put(index, "{\"weight_map\":{\"a\":3}}");
  refuse(m, 0, ADAM_DAMAGED, index, "expected the name of a file");
}

static void test_paths(void **state) {
  (void)state;
  refuse(MODELS "none", 0, ADAM_NOT_FOUND, MODELS "none", "no such file or folder");
  const char *m = fresh(NULL);
  refuse(m, 0, ADAM_NOT_FOUND, "/m", "no model.safetensors");
  refuse(m, AM_LOADER_VOCAB_ONLY, ADAM_NOT_FOUND, "/m", "no tokenizer.json");
  put("chat_template.jinja", "alone"); /* enough for rendering */
  am_loader *loader = open_ok(m, AM_LOADER_VOCAB_ONLY);
  assert_string_equal(am_loader_template(loader, NULL, true), "alone");
  assert_null(am_loader_tokenizer(loader));
  am_loader_close(&loader);
  m = fresh(NULL);
  put("a.txt", "text");
  char path[512];
  snprintf(path, sizeof path, "%s/a.txt", m);
  refuse(path, 0, ADAM_UNSUPPORTED, "a.txt", "neither safetensors nor GGUF");
  put("a.gguf", "GGUF");
  refuse(m, 0, ADAM_DAMAGED, "a.gguf", "at byte 4");
  put("b.gguf", "GGUF");
  refuse(m, 0, ADAM_INVALID, "/m", "there are 2 .gguf models in it");
  assert_int_equal(shell("cp " MODELS "gguf-qwen3-f16/model.gguf '%s'/sha256-abc", m), 0);
  snprintf(path, sizeof path, "%s/sha256-abc", m);
  loader = open_ok(path, 0); /* a blob without an ending */
  assert_string_equal(am_loader_config(loader)->arch->name, "qwen3");
  am_loader_close(&loader);
  fresh("qwen3-f32-gqa4");
  snprintf(path, sizeof path, "%s/model-00001-of-00001.safetensors", m);
  assert_int_equal(shell("mv '%s'/model.safetensors '%s'", m, path), 0);
  loader = open_ok(path, 0); /* named like a part, but there is no index */
  am_loader_close(&loader);
  fresh("qwen3-f32-gqa4");
  assert_int_equal(shell("rm '%s'/config.json", m), 0);
  refuse(m, 0, ADAM_NOT_FOUND, "/config.json", "no such file beside the weights");
  fresh("qwen3-f32-gqa4");
  assert_int_equal(shell("rm '%s'/tokenizer.json", m), 0);
  loader = open_ok(m, 0); /* weights without a tokenizer */
  assert_null(am_loader_tokenizer(loader));
  adam_error error = {0};
  const am_tokenizer *tokenizer;
  assert_int_equal(am_loader_need_tokenizer(loader, &tokenizer, &error), ADAM_NOT_FOUND);
  assert_non_null(strstr(error.why, "no tokenizer.json"));
  am_loader_close(&loader);
}

static void test_names(void **state) {
  (void)state;
  const char *snapshot = "hub/models--Org--Na-me/snapshots/0123456789abcdef0123456789abcdef01234567";
  char path[512];
  fresh(NULL);
  snprintf(path, sizeof path, "%s/m/%s/", scratch, snapshot);
  assert_int_equal(shell("mkdir -p '%s' && cp -r " MODELS "qwen3-f32-gqa4/. '%s'", path, path), 0);
  am_loader *loader = open_ok(path, 0);
  assert_string_equal(am_loader_name(loader), "Org/Na-me");
  am_loader_close(&loader);
}

static void faults(const char *path, uint32_t flags) {
  for (uint64_t n = 1;; n++) {
    am_loader *loader = NULL;
    am_mem_fault_set(n);
    adam_status status = am_loader_open(path, flags, NULL, &loader, NULL);
    int fired = am_mem_fault_fired();
    am_mem_fault_set(0);
    am_loader_close(&loader);
    if (status && status != ADAM_NO_MEMORY)
      fail_msg("%s, allocation %d: %s", path, (int)n, adam_status_name(status));
    if (!fired) {
      assert_int_equal(status, ADAM_OK);
      break;
    }
  }
  for (uint64_t n = 1;; n++) {
    am_loader *loader = NULL;
    am_file_fault_set(n);
    adam_status status = am_loader_open(path, flags, NULL, &loader, NULL);
    int fired = am_file_fault_fired();
    am_file_fault_set(0);
    am_loader_close(&loader);
    if (status && status != ADAM_IO) fail_msg("%s, read %d: %s", path, (int)n, adam_status_name(status));
    if (!fired) {
      assert_int_equal(status, ADAM_OK);
      break;
    }
  }
}

static void test_faults(void **state) {
  (void)state;
  faults(MODELS "qwen3-bf16-sharded", 0);
  faults(MODELS "llama-bf16-llama3", 0);
  faults(MODELS "gguf-llama-bf16-parts", 0);
  faults(MODELS "qwen3-f16-old-odd", AM_LOADER_VOCAB_ONLY);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_models),        cmocka_unit_test(test_variants),
      cmocka_unit_test(test_roles),         cmocka_unit_test(test_gguf),
      cmocka_unit_test(test_damaged),       cmocka_unit_test(test_damaged_index),
      cmocka_unit_test(test_odd_templates), cmocka_unit_test(test_odd_gguf),
      cmocka_unit_test(test_paths),         cmocka_unit_test(test_names),
      cmocka_unit_test(test_faults),
  };
  return cmocka_run_group_tests(tests, read_golden, forget_golden);
}

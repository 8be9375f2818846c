/* SPDX-License-Identifier: Apache-2.0 */
/* Configs of Phi-2, Phi-3-mini, Phi-4-mini and Gemma 2 as their makers publish them, and damaged ones. */
#include "arch/arch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef adam_status (*reader)(const am_json *, const char *, am_config *, adam_error *);

static adam_status read_text(const char *text, reader read, am_config *config, adam_error *error) {
  am_arena arena = {0};
  am_json json;
  *error = (adam_error){0};
  assert_int_equal(am_json_parse(text, strlen(text), "test", 0, &arena, &json, error), ADAM_OK);
  adam_status status = read(&json, "the/config.json", config, error);
  am_arena_close(&arena);
  return status;
}

/* `base`, an object, with more members; the last of two of one name counts. */
static char *with(const char *more, const char *base) {
  size_t size = strlen(base) + strlen(more) + 4;
  char *text = calloc(1, size);
  assert_non_null(text);
  snprintf(text, size, "%.*s%s%s}", (int)strlen(base) - 1, base, more[0] ? "," : "", more);
  return text;
}

static am_config expect_ok(const char *more, const char *base, reader read) {
  char *text = with(more, base);
  am_config config;
  adam_error error;
  if (read_text(text, read, &config, &error)) fail_msg("%s: %s", more, error.why);
  free(text);
  return config;
}

static void expect_error(const char *more, const char *base, reader read, adam_status expected,
                         const char *words) {
  char *text = with(more, base);
  am_config config = {.n_layers = 77};
  adam_error error;
  adam_status status = read_text(text, read, &config, &error);
  if (status != expected || !strstr(error.why, words))
    fail_msg("%s: expected %s with '%s', got %s: %s", more, adam_status_name(expected), words,
             adam_status_name(status), error.why);
  assert_int_equal(config.n_layers, 77); /* untouched on failure */
  free(text);
}

static void expect_shape(const am_config *c, const char *field, uint32_t n_dims, uint64_t rows,
                         uint64_t columns) {
  uint64_t shape[2] = {0, 0};
  const am_tensor_role *role = am_arch_role(c->arch, field);
  assert_non_null(role);
  if (role->shape(c, shape) != n_dims) fail_msg("%s: not of %u axes", field, n_dims);
  if (n_dims > 0) assert_int_equal(shape[0], rows);
  if (n_dims > 1) assert_int_equal(shape[1], columns);
}

/* microsoft/phi-2 */
static const char phi2[] =
    "{\"model_type\":\"phi\",\"hidden_size\":2560,\"num_hidden_layers\":32,\"intermediate_size\":10240,"
    "\"num_attention_heads\":32,\"num_key_value_heads\":32,\"vocab_size\":51200,\"hidden_act\":\"gelu_new\","
    "\"max_position_embeddings\":2048,\"layer_norm_eps\":1e-05,\"partial_rotary_factor\":0.4,"
    "\"qk_layernorm\":false,\"rope_scaling\":null,\"rope_theta\":10000.0,\"tie_word_embeddings\":false,"
    "\"bos_token_id\":50256,\"eos_token_id\":50256}";

static void test_phi2(void **state) {
  (void)state;
  am_config c = expect_ok("", phi2, am_arch_config_hf);
  assert_string_equal(c.arch->name, "phi2");
  assert_true(c.n_layers == 32 && c.n_embd == 2560 && c.n_ff == 10240 && c.n_kv_heads == 32);
  assert_true(c.head_dim == 80 && c.rope.n_dims == 32 && c.rope.style == AM_ROPE_HALF);
  assert_true(c.norm_eps == 1e-5f && c.gelu_tanh && !c.qk_norm && c.window == 0);
  expect_shape(&c, "attn_q_norm", 0, 0, 0);
  expect_shape(&c, "attn_qkv", 0, 0, 0);
  c = expect_ok("\"hidden_act\":\"gelu\",\"qk_layernorm\":true", phi2, am_arch_config_hf);
  assert_true(!c.gelu_tanh && c.qk_norm);
  expect_shape(&c, "attn_q_norm", 1, 80, 0);
  /* half of a head where nothing is said; transformers 5 says it beside the base */
  c = expect_ok("\"partial_rotary_factor\":null", phi2, am_arch_config_hf);
  assert_int_equal(c.rope.n_dims, 40);
  c = expect_ok(
      "\"rope_parameters\":{\"rope_type\":\"default\",\"rope_theta\":5e4,\"partial_rotary_factor\":0.8}",
      phi2, am_arch_config_hf);
  assert_true(c.rope.n_dims == 64 && c.rope.theta == 5e4);
  expect_error("\"hidden_act\":\"relu\"", phi2, am_arch_config_hf, ADAM_UNSUPPORTED, "hidden_act is relu");
  expect_error("\"layer_norm_eps\":\"small\"", phi2, am_arch_config_hf, ADAM_DAMAGED, "layer_norm_eps");
  expect_error("\"partial_rotary_factor\":1.5", phi2, am_arch_config_hf, ADAM_DAMAGED,
               "partial_rotary_factor");
  expect_error("\"partial_rotary_factor\":0.001", phi2, am_arch_config_hf, ADAM_DAMAGED,
               "partial_rotary_factor");
  expect_error("\"qk_layernorm\":3", phi2, am_arch_config_hf, ADAM_DAMAGED, "qk_layernorm");
}

static const char phi2_gguf[] =
    "{\"general.architecture\":\"phi2\",\"phi2.block_count\":32,\"phi2.context_length\":2048,"
    "\"phi2.embedding_length\":2560,\"phi2.feed_forward_length\":10240,\"phi2.attention.head_count\":32,"
    "\"phi2.attention.head_count_kv\":32,\"phi2.attention.layer_norm_epsilon\":1e-05,"
    "\"phi2.rope.dimension_count\":32,\"tokenizer.ggml.bos_token_id\":50256,\"tokenizer.ggml.eos_token_id\":"
    "50256}";

static const am_tensor some_tensor = {.n_dims = 2, .shape = {51200, 2560}};
static const am_tensor *find_listed(const void *user, const char *name) {
  for (const char *const *n = user; *n; n++)
    if (strcmp(*n, name) == 0) return &some_tensor;
  return NULL;
}

static void test_phi2_gguf(void **state) {
  (void)state;
  adam_error error = {0};
  am_config c = expect_ok("", phi2_gguf, am_arch_config_gguf);
  assert_true(c.n_heads == 32 && c.head_dim == 80 && c.rope.n_dims == 32 && c.gelu_tanh);
  assert_true(c.norm_eps == 1e-5f && c.rope.style == AM_ROPE_HALF && c.rope.theta == 1e4);
  const char *fused[] = {"token_embd.weight", "output.weight", "blk.0.attn_qkv.weight", NULL};
  am_config with_fused = c, with_parts = c;
  assert_int_equal(c.arch->from_tensors(&with_fused, find_listed, fused, "x.gguf", &error), ADAM_OK);
  expect_shape(&with_fused, "attn_qkv", 2, 7680, 2560);
  expect_shape(&with_fused, "attn_qkv_bias", 1, 7680, 0);
  expect_shape(&with_fused, "attn_k", 0, 0, 0);
  expect_shape(&with_fused, "attn_k_bias", 0, 0, 0);
  expect_shape(&with_fused, "output_bias", 1, 51200, 0);
  const char *parts[] = {"token_embd.weight", NULL};
  assert_int_equal(c.arch->from_tensors(&with_parts, find_listed, parts, "x.gguf", &error), ADAM_OK);
  expect_shape(&with_parts, "attn_qkv", 0, 0, 0);
  expect_shape(&with_parts, "attn_k_bias", 1, 2560, 0);
  expect_shape(&with_parts, "output_bias", 0, 0, 0);
  expect_error("\"phi2.attention.layer_norm_epsilon\":null", phi2_gguf, am_arch_config_gguf, ADAM_DAMAGED,
               "layer_norm_epsilon is missing");
  expect_error("\"phi2.rope.dimension_count\":81", phi2_gguf, am_arch_config_gguf, ADAM_DAMAGED,
               "rope.dimension_count");
}

/* microsoft/Phi-3-mini-4k-instruct */
static const char phi3[] =
    "{\"model_type\":\"phi3\",\"hidden_size\":3072,\"num_hidden_layers\":32,\"intermediate_size\":8192,"
    "\"num_attention_heads\":32,\"num_key_value_heads\":32,\"vocab_size\":32064,\"hidden_act\":\"silu\","
    "\"max_position_embeddings\":4096,\"original_max_position_embeddings\":4096,\"rms_norm_eps\":1e-05,"
    "\"rope_scaling\":null,\"rope_theta\":10000.0,\"sliding_window\":2047,\"tie_word_embeddings\":false,"
    "\"attention_bias\":false,\"bos_token_id\":1,\"eos_token_id\":32000}";

/* The members that make it the one with 128K; the factors are numbers 1, 2, 3 ... and 1.5, 3, 4.5 ... */
static const char *long_members(const char *type, size_t n_factors) {
  static char text[4096];
  size_t at =
      (size_t)snprintf(text, sizeof text,
                       "\"max_position_embeddings\":131072,\"sliding_window\":262144,\"rope_scaling\":"
                       "{\"type\":\"%s\",\"short_factor\":[1",
                       type);
  for (size_t i = 2; i <= n_factors; i++) at += (size_t)snprintf(text + at, sizeof text - at, ",%zu", i);
  at += (size_t)snprintf(text + at, sizeof text - at, "],\"long_factor\":[1.5");
  for (size_t i = 2; i <= n_factors; i++)
    at += (size_t)snprintf(text + at, sizeof text - at, ",%g", 1.5 * (double)i);
  snprintf(text + at, sizeof text - at, "]}");
  return text;
}

static void test_phi3(void **state) {
  (void)state;
  am_config c = expect_ok("", phi3, am_arch_config_hf);
  assert_string_equal(c.arch->name, "phi3");
  assert_true(c.head_dim == 96 && c.norm_eps == 1e-5f && c.rope.scaling == AM_ROPE_NONE);
  assert_true(am_arch_window(&c, 0) == 2047 && am_arch_window(&c, 31) == 2047 && am_arch_window(&c, 32) == 0);
  expect_shape(&c, "attn_qkv", 2, 9216, 3072);
  expect_shape(&c, "ffn_gate_up", 2, 16384, 3072);
  expect_shape(&c, "rope_factors_long", 0, 0, 0);
  c = expect_ok("\"sliding_window\":null", phi3, am_arch_config_hf);
  assert_int_equal(am_arch_window(&c, 0), 0);
  static const char *const types[] = {"longrope", "su", "yarn"};
  for (size_t i = 0; i < 3; i++) {
    c = expect_ok(long_members(types[i], 48), phi3, am_arch_config_hf);
    assert_int_equal(c.rope.scaling, AM_ROPE_LONGROPE);
    assert_true(c.rope.n_dims == 96 && c.rope.n_factors == 48 && c.rope.original_ctx == 4096);
    assert_true(c.rope.short_factor[47] == 48 && c.rope.long_factor[0] == 1.5f &&
                c.rope.long_factor[47] == 72);
    assert_true(c.rope.restarts && c.rope.factor == 32);
  }
  /* Phi-4-mini: three quarters of a head, grouped */
  char members[4400];
  snprintf(members, sizeof members,
           "%s,\"partial_rotary_factor\":0.75,\"num_attention_heads\":24,"
           "\"num_key_value_heads\":8",
           long_members("longrope", 48));
  c = expect_ok(members, phi3, am_arch_config_hf);
  assert_true(c.head_dim == 128 && c.rope.n_dims == 96 && c.rope.n_factors == 48);
  expect_shape(&c, "attn_qkv", 2, 5120, 3072);
}

static void test_phi3_damaged(void **state) {
  (void)state;
  expect_error(long_members("longrope", 47), phi3, am_arch_config_hf, ADAM_DAMAGED, "short_factor");
  expect_error(long_members("longrope", 49), phi3, am_arch_config_hf, ADAM_DAMAGED, "short_factor");
  expect_error("\"rope_scaling\":{\"type\":\"longrope\"}", phi3, am_arch_config_hf, ADAM_DAMAGED,
               "short_factor");
  expect_error("\"rope_scaling\":{\"type\":\"moon\"}", phi3, am_arch_config_hf, ADAM_UNSUPPORTED, "moon");
  expect_error("\"sliding_window\":0", phi3, am_arch_config_hf, ADAM_DAMAGED, "sliding_window");
  expect_error("\"sliding_window\":-3", phi3, am_arch_config_hf, ADAM_DAMAGED, "sliding_window");
  expect_error("\"hidden_act\":\"gelu\"", phi3, am_arch_config_hf, ADAM_UNSUPPORTED, "hidden_act");
  expect_error("\"original_max_position_embeddings\":0", phi3, am_arch_config_hf, ADAM_DAMAGED,
               "original_max_position_embeddings");
}

static const char phi3_gguf[] =
    "{\"general.architecture\":\"phi3\",\"phi3.block_count\":32,\"phi3.context_length\":131072,"
    "\"phi3.rope.scaling.original_context_length\":4096,\"phi3.embedding_length\":3072,"
    "\"phi3.feed_forward_length\":8192,\"phi3.attention.head_count\":24,\"phi3.attention.head_count_kv\":8,"
    "\"phi3.attention.layer_norm_rms_epsilon\":1e-05,\"phi3.rope.dimension_count\":96,"
    "\"phi3.rope.freq_base\":10000.0,\"phi3.attention.sliding_window\":0,\"phi3.rope.scaling.attn_factor\":"
    "1.190238,\"tokenizer.ggml.bos_token_id\":199999,\"tokenizer.ggml.eos_token_id\":199999}";

static void test_phi3_gguf(void **state) {
  (void)state;
  adam_error error = {0};
  am_config c = expect_ok("", phi3_gguf, am_arch_config_gguf);
  assert_true(c.head_dim == 128 && c.rope.n_dims == 96 && c.rope.original_ctx == 4096 && c.window == 0);
  assert_true(c.rope.attention_factor > 1.1902 && c.rope.attention_factor < 1.1903);
  const char *tensors[] = {"token_embd.weight", "rope_factors_long.weight", "rope_factors_short.weight",
                           NULL};
  assert_int_equal(c.arch->from_tensors(&c, find_listed, tensors, "x.gguf", &error), ADAM_OK);
  assert_true(c.rope.scaling == AM_ROPE_LONGROPE && c.rope.n_factors == 0 && c.rope.restarts);
  expect_shape(&c, "rope_factors_long", 1, 48, 0);
  c = expect_ok("\"phi3.attention.sliding_window\":2047", phi3_gguf, am_arch_config_gguf);
  assert_int_equal(am_arch_window(&c, 5), 2047);
}

/* google/gemma-2-2b */
static const char gemma2[] =
    "{\"model_type\":\"gemma2\",\"hidden_size\":2304,\"num_hidden_layers\":26,\"intermediate_size\":9216,"
    "\"num_attention_heads\":8,\"num_key_value_heads\":4,\"head_dim\":256,\"vocab_size\":256000,"
    "\"hidden_act\":\"gelu_pytorch_tanh\",\"hidden_activation\":\"gelu_pytorch_tanh\","
    "\"max_position_embeddings\":8192,\"rms_norm_eps\":1e-06,\"rope_theta\":10000.0,\"attention_bias\":false,"
    "\"attn_logit_softcapping\":50.0,\"final_logit_softcapping\":30.0,\"query_pre_attn_scalar\":256,"
    "\"sliding_window\":4096,\"cache_implementation\":\"hybrid\",\"bos_token_id\":2,\"eos_token_id\":1}";

static void test_gemma2(void **state) {
  (void)state;
  am_config c = expect_ok("", gemma2, am_arch_config_hf);
  assert_string_equal(c.arch->name, "gemma2");
  assert_true(c.head_dim == 256 && c.tied_embeddings && c.norm_eps == 1e-6f && c.query_scalar == 256);
  assert_true(c.attention_softcap == 50 && c.logits_softcap == 30);
  assert_true(am_arch_window(&c, 0) == 4096 && am_arch_window(&c, 1) == 0 && am_arch_window(&c, 24) == 4096);
  expect_shape(&c, "output", 0, 0, 0);
  c = expect_ok(
      "\"attn_logit_softcapping\":null,\"final_logit_softcapping\":null,\"sliding_window\":null,"
      "\"head_dim\":null",
      gemma2, am_arch_config_hf);
  assert_true(c.attention_softcap == 0 && c.logits_softcap == 0 && am_arch_window(&c, 0) == 0);
  assert_int_equal(c.head_dim, 256);
  /* what transformers has where a config is silent */
  c = expect_ok(
      "",
      "{\"model_type\":\"gemma2\",\"hidden_size\":64,\"num_hidden_layers\":2,\"intermediate_size\":9,"
      "\"num_attention_heads\":8,\"vocab_size\":99}",
      am_arch_config_hf);
  assert_true(c.head_dim == 256 && c.n_kv_heads == 4);
  assert_true(c.attention_softcap == 50 && c.logits_softcap == 30);
  assert_true(c.query_scalar == 256 && am_arch_window(&c, 0) == 4096 && c.tied_embeddings);
  c = expect_ok(
      "\"num_hidden_layers\":3,\"layer_types\":[\"full_attention\",\"sliding_attention\",\"full_attention\"]",
      gemma2, am_arch_config_hf);
  assert_true(am_arch_window(&c, 0) == 0 && am_arch_window(&c, 1) == 4096 && am_arch_window(&c, 2) == 0);
}

static void test_gemma2_damaged(void **state) {
  (void)state;
  expect_error("\"layer_types\":[\"full_attention\"]", gemma2, am_arch_config_hf, ADAM_DAMAGED,
               "layer_types");
  expect_error("\"num_hidden_layers\":1,\"layer_types\":[\"chunked_attention\"]", gemma2, am_arch_config_hf,
               ADAM_UNSUPPORTED, "chunked_attention");
  expect_error("\"layer_types\":{}", gemma2, am_arch_config_hf, ADAM_DAMAGED, "layer_types");
  expect_error("\"attn_logit_softcapping\":-50", gemma2, am_arch_config_hf, ADAM_DAMAGED,
               "attn_logit_softcapping");
  expect_error("\"final_logit_softcapping\":0", gemma2, am_arch_config_hf, ADAM_DAMAGED,
               "final_logit_softcapping");
  expect_error("\"query_pre_attn_scalar\":0", gemma2, am_arch_config_hf, ADAM_DAMAGED,
               "query_pre_attn_scalar");
  expect_error("\"query_pre_attn_scalar\":\"x\"", gemma2, am_arch_config_hf, ADAM_DAMAGED,
               "query_pre_attn_scalar");
  expect_error("\"use_bidirectional_attention\":true", gemma2, am_arch_config_hf, ADAM_UNSUPPORTED,
               "use_bidirectional_attention");
  expect_error("\"hidden_activation\":\"silu\"", gemma2, am_arch_config_hf, ADAM_UNSUPPORTED,
               "hidden_activation");
  expect_error("\"sliding_window\":1.5", gemma2, am_arch_config_hf, ADAM_DAMAGED, "sliding_window");
}

static const char gemma2_gguf[] =
    "{\"general.architecture\":\"gemma2\",\"gemma2.block_count\":46,\"gemma2.context_length\":8192,"
    "\"gemma2.embedding_length\":4608,\"gemma2.feed_forward_length\":36864,\"gemma2.attention.head_count\":"
    "32,"
    "\"gemma2.attention.head_count_kv\":16,\"gemma2.attention.layer_norm_rms_epsilon\":1e-06,"
    "\"gemma2.attention.key_length\":128,\"gemma2.attention.value_length\":128,"
    "\"gemma2.attn_logit_softcapping\":50.0,\"gemma2.final_logit_softcapping\":30.0,"
    "\"gemma2.attention.sliding_window\":4096}";

static void test_gemma2_gguf(void **state) {
  (void)state;
  am_config c = expect_ok("", gemma2_gguf, am_arch_config_gguf); /* 27B: 4608 / 32 */
  assert_true(c.head_dim == 128 && c.query_scalar == 144 && c.attention_softcap == 50 &&
              c.logits_softcap == 30);
  assert_true(am_arch_window(&c, 0) == 4096 && am_arch_window(&c, 45) == 0);
  c = expect_ok("\"gemma2.block_count\":42,\"gemma2.attention.sliding_window\":null", gemma2_gguf,
                am_arch_config_gguf);
  assert_true(c.query_scalar == 128 && am_arch_window(&c, 2) == 4096);
  expect_error("\"gemma2.attn_logit_softcapping\":-1.0", gemma2_gguf, am_arch_config_gguf, ADAM_DAMAGED,
               "attn_logit_softcapping");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_phi2),           cmocka_unit_test(test_phi2_gguf),
      cmocka_unit_test(test_phi3),           cmocka_unit_test(test_phi3_damaged),
      cmocka_unit_test(test_phi3_gguf),      cmocka_unit_test(test_gemma2),
      cmocka_unit_test(test_gemma2_damaged), cmocka_unit_test(test_gemma2_gguf),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Qwen 3 mixture of experts as data: both dialects of config.json, GGUF metadata, and what is refused. */
#include "arch/arch.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Qwen/Qwen3-30B-A3B's config.json without its experts; what a test adds comes before the end. */
static const char hf[] =
    "{\"model_type\":\"qwen3_moe\",\"hidden_size\":2048,\"num_hidden_layers\":48,\"intermediate_size\":6144,"
    "\"num_attention_heads\":32,\"num_key_value_heads\":4,\"head_dim\":128,\"vocab_size\":151936,"
    "\"max_position_embeddings\":40960,\"rms_norm_eps\":1e-06,\"rope_theta\":1000000.0,\"tie_word_"
    "embeddings\":false,"
    "\"hidden_act\":\"silu\",\"use_sliding_window\":false,\"sliding_window\":null,\"max_window_layers\":48,"
    "\"moe_intermediate_size\":768,\"norm_topk_prob\":true}";
static const char experts[] =
    ",\"num_experts\":128,\"num_experts_per_tok\":8,\"decoder_sparse_step\":1,"
    "\"mlp_only_layers\":[]";
static const char gguf[] =
    "{\"general.architecture\":\"qwen3moe\",\"qwen3moe.block_count\":48,\"qwen3moe.context_length\":40960,"
    "\"qwen3moe.embedding_length\":2048,\"qwen3moe.feed_forward_length\":6144,\"qwen3moe.attention.head_"
    "count\":32,"
    "\"qwen3moe.attention.head_count_kv\":4,\"qwen3moe.attention.key_length\":128,"
    "\"qwen3moe.attention.value_length\":128,\"qwen3moe.rope.freq_base\":1000000.0,"
    "\"qwen3moe.attention.layer_norm_rms_epsilon\":1e-06}";

static adam_status read(const char *base, const char *more, am_config *config, adam_error *error) {
  char text[2048];
  am_arena arena = {0};
  am_json json;
  snprintf(text, sizeof text, "%.*s%s}", (int)strlen(base) - 1, base, more);
  *error = (adam_error){0};
  assert_int_equal(am_json_parse(text, strlen(text), "test", 0, &arena, &json, error), ADAM_OK);
  adam_status status = base == hf ? am_arch_config_hf(&json, "the/config.json", config, error)
                                  : am_arch_config_gguf(&json, "the/config.json", config, error);
  am_arena_close(&arena);
  return status;
}

static am_config good(const char *base, const char *more) {
  am_config config;
  adam_error error;
  if (read(base, more, &config, &error)) fail_msg("%s: %s", more, error.why);
  return config;
}

static void bad(const char *base, const char *more, adam_status expected, const char *words) {
  am_config config;
  adam_error error;
  adam_status status = read(base, more, &config, &error);
  if (status != expected || !strstr(error.why, words))
    fail_msg("%s: expected '%s', got %s: %s", more, words, adam_status_name(status), error.why);
}

static uint32_t count_sparse(const am_config *c) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < c->n_layers; i++) n += am_arch_is_sparse(c, i);
  return n;
}

static void test_hf(void **state) {
  (void)state;
  am_config c = good(hf, experts);
  assert_string_equal(c.arch->name, "qwen3moe");
  assert_int_equal(c.n_experts, 128);
  assert_int_equal(c.n_experts_used, 8);
  assert_int_equal(c.n_ff_expert, 768);
  assert_int_equal(c.n_ff, 6144);
  assert_true(c.normalise_experts);
  assert_int_equal(count_sparse(&c), 48);
  /* 30.5 thousand million, of them 120 of 128 experts of 3 matrices (768, 2048) idle in each layer. */
  assert_int_equal(am_arch_active_parameters(&c, 30532122624),
                   30532122624 - UINT64_C(48) * 120 * 3 * 768 * 2048);
  c = good(hf, ",\"num_local_experts\":16,\"num_experts_per_tok\":4"); /* as transformers 5 writes it */
  assert_int_equal(c.n_experts, 16);
  assert_int_equal(c.n_experts_used, 4);
  c = good(hf, ""); /* Qwen3MoeConfig's defaults */
  assert_int_equal(c.n_experts, 128);
  assert_int_equal(c.n_experts_used, 8);
}

static void test_layers(void **state) {
  (void)state;
  am_config c = good(hf, ",\"decoder_sparse_step\":3,\"mlp_only_layers\":[5,0,-1,99]");
  assert_false(am_arch_is_sparse(&c, 1));
  assert_true(am_arch_is_sparse(&c, 2)); /* (i + 1) % 3 == 0 */
  assert_false(am_arch_is_sparse(&c, 5));
  assert_int_equal(count_sparse(&c), 15);
  c = good(hf, ",\"num_experts\":0");
  assert_int_equal(count_sparse(&c), 0);
  assert_int_equal(am_arch_active_parameters(&c, 1000), 1000);
  c = good(hf, ",\"mlp_only_layers\":null");
  assert_int_equal(count_sparse(&c), 48);
}

static void test_gguf(void **state) {
  (void)state;
  am_config c = good(gguf,
                     ",\"qwen3moe.expert_count\":128,\"qwen3moe.expert_used_count\":8,"
                     "\"qwen3moe.expert_feed_forward_length\":768");
  assert_int_equal(c.n_experts, 128);
  assert_int_equal(c.n_ff_expert, 768);
  assert_true(c.normalise_experts); /* llama.cpp's rule */
  assert_int_equal(count_sparse(&c), 48);
  c = good(
      gguf,
      ",\"qwen3moe.expert_count\":4,\"qwen3moe.expert_used_count\":2,\"qwen3moe.norm_top_k_prob\":false");
  assert_false(c.normalise_experts);
  c = good(
      gguf,
      ",\"qwen3moe.expert_count\":4,\"qwen3moe.expert_used_count\":2,\"qwen3moe.expert_weights_norm\":false");
  assert_false(c.normalise_experts);
}

static void test_refused(void **state) {
  (void)state;
  bad(hf, ",\"num_experts\":4,\"num_experts_per_tok\":5", ADAM_DAMAGED, "num_experts_per_tok");
  bad(hf, ",\"num_experts\":4,\"num_experts_per_tok\":0", ADAM_DAMAGED, "num_experts_per_tok");
  bad(hf, ",\"num_experts\":-1", ADAM_DAMAGED, "num_experts");
  bad(hf, ",\"num_experts\":100000", ADAM_DAMAGED, "num_experts");
  bad(hf, ",\"num_experts\":\"8\"", ADAM_DAMAGED, "num_experts");
  bad(hf, ",\"decoder_sparse_step\":0", ADAM_DAMAGED, "decoder_sparse_step");
  bad(hf, ",\"mlp_only_layers\":3", ADAM_DAMAGED, "mlp_only_layers");
  bad(hf, ",\"mlp_only_layers\":[\"0\"]", ADAM_DAMAGED, "mlp_only_layers");
  bad(gguf, "", ADAM_DAMAGED, "expert_count is missing");
  bad(gguf, ",\"qwen3moe.expert_count\":4", ADAM_DAMAGED, "expert_used_count is missing");
  bad(gguf, ",\"qwen3moe.expert_count\":4,\"qwen3moe.expert_used_count\":5", ADAM_DAMAGED,
      "expert_used_count is 5");
  bad(gguf, ",\"qwen3moe.expert_count\":4,\"qwen3moe.expert_used_count\":2,\"qwen3moe.expert_gating_func\":2",
      ADAM_UNSUPPORTED, "expert_gating_func");
  bad(gguf,
      ",\"qwen3moe.expert_count\":4,\"qwen3moe.expert_used_count\":2,\"qwen3moe.expert_shared_count\":1",
      ADAM_UNSUPPORTED, "expert_shared_count");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_hf),
      cmocka_unit_test(test_layers),
      cmocka_unit_test(test_gguf),
      cmocka_unit_test(test_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "arch/arch.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

/* A good config of each dialect; tests change one key of it. */
static const char qwen3_old[] =
    "{\"model_type\":\"qwen3\",\"hidden_size\":1024,\"num_hidden_layers\":28,\"intermediate_size\":3072,"
    "\"num_attention_heads\":16,\"num_key_value_heads\":8,\"head_dim\":128,\"vocab_size\":151936,"
    "\"max_position_embeddings\":40960,\"rms_norm_eps\":1e-06,\"rope_theta\":1000000,\"rope_scaling\":null,"
    "\"tie_word_embeddings\":true,\"hidden_act\":\"silu\",\"use_sliding_window\":false,\"sliding_window\":"
    "null,"
    "\"max_window_layers\":28,\"attention_bias\":false,\"bos_token_id\":151643,\"eos_token_id\":151645,"
    "\"torch_dtype\":\"bfloat16\"}";
static const char llama_new[] =
    "{\"model_type\":\"llama\",\"hidden_size\":2048,\"num_hidden_layers\":16,\"intermediate_size\":8192,"
    "\"num_attention_heads\":32,\"num_key_value_heads\":8,\"head_dim\":64,\"vocab_size\":128256,"
    "\"max_position_embeddings\":131072,\"rms_norm_eps\":1e-05,\"rope_parameters\":{\"rope_type\":\"llama3\","
    "\"rope_theta\":500000.0,\"factor\":32.0,\"low_freq_factor\":1.0,\"high_freq_factor\":4.0,"
    "\"original_max_position_embeddings\":8192},\"tie_word_embeddings\":true,\"hidden_act\":\"silu\","
    "\"attention_bias\":false,\"mlp_bias\":false,\"bos_token_id\":128000,\"eos_token_id\":[128001,128008,"
    "128009],"
    "\"dtype\":\"bfloat16\"}";
static const char llama_gguf[] =
    "{\"general.architecture\":\"llama\",\"llama.block_count\":30,\"llama.context_length\":8192,"
    "\"llama.embedding_length\":576,\"llama.feed_forward_length\":1536,\"llama.attention.head_count\":9,"
    "\"llama.attention.head_count_kv\":3,\"llama.rope.freq_base\":100000.0,"
    "\"llama.attention.layer_norm_rms_epsilon\":1e-05,\"llama.vocab_size\":49152,\"llama.rope.dimension_"
    "count\":64,"
    "\"tokenizer.ggml.bos_token_id\":1,\"tokenizer.ggml.eos_token_id\":2}";

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

/* `base` with the member `"key":` replaced by `member`, or removed (""), or added. */
static char *change(const char *base, const char *key, const char *member) {
  char *out = calloc(1, strlen(base) + strlen(member) + 8);
  char quoted[128];
  snprintf(quoted, sizeof quoted, "\"%s\":", key);
  const char *at = strstr(base, quoted);
  size_t before = at ? (size_t)(at - base) : 1;
  const char *rest = base + before;
  if (at) { /* skip the value, which has no commas outside brackets */
    int depth = 0;
    for (; *rest && (depth || (*rest != ',' && *rest != '}')); rest++)
      depth += (*rest == '[' || *rest == '{') - (*rest == ']' || *rest == '}');
    if (*rest == ',') rest++;
  }
  sprintf(out, "%.*s%s%s%s", (int)before, base, member, member[0] && *rest != '}' ? "," : "", rest);
  size_t n = strlen(out);
  if (n > 1 && out[n - 2] == ',') memcpy(out + n - 2, "}", 2);
  return out;
}

static void expect_error(const char *base, reader read, const char *key, const char *member,
                         adam_status expected, const char *words) {
  char *text = change(base, key, member);
  am_config config = {.n_layers = 77};
  adam_error error;
  adam_status status = read_text(text, read, &config, &error);
  if (status != expected || !strstr(error.why, words)) {
    fail_msg("%s %s: expected %s with '%s', got %s: %s", key, member, adam_status_name(expected), words,
             adam_status_name(status), error.why);
  }
  assert_string_equal(error.what, "the/config.json");
  assert_int_equal(config.n_layers, 77); /* untouched on failure */
  free(text);
}

static am_config expect_ok(const char *base, reader read, const char *key, const char *member) {
  char *text = change(base, key, member);
  am_config config;
  adam_error error;
  if (read_text(text, read, &config, &error)) fail_msg("%s %s: %s", key, member, error.why);
  free(text);
  return config;
}

static void test_qwen3(void **state) {
  (void)state;
  am_config c = expect_ok(qwen3_old, am_arch_config_hf, "none", "");
  assert_string_equal(c.arch->name, "qwen3");
  assert_int_equal(c.source, AM_SOURCE_HF);
  assert_int_equal(c.n_layers, 28);
  assert_int_equal(c.n_embd, 1024);
  assert_int_equal(c.n_ff, 3072);
  assert_int_equal(c.n_heads, 16);
  assert_int_equal(c.n_kv_heads, 8);
  assert_int_equal(c.head_dim, 128);
  assert_int_equal(c.n_vocab, 151936);
  assert_int_equal(c.n_ctx_train, 40960);
  assert_true(c.norm_eps == 1e-6f && c.rope.theta == 1e6);
  assert_int_equal(c.rope.scaling, AM_ROPE_NONE);
  assert_int_equal(c.rope.style, AM_ROPE_HALF);
  assert_true(c.tied_embeddings && !c.attention_bias && !c.mlp_bias);
  assert_int_equal(c.bos_id, 151643);
  assert_int_equal(c.n_end_ids, 1);
  assert_int_equal(c.end_ids[0], 151645);
  assert_int_equal(am_arch_kv_bytes_per_token(&c, 4), 2 * 28 * 8 * 128 * 4);
  uint64_t shape[2];
  assert_int_equal(am_arch_role(c.arch, "attn_q")->shape(&c, shape), 2);
  assert_true(shape[0] == 2048 && shape[1] == 1024);
  assert_int_equal(am_arch_role(c.arch, "attn_output")->shape(&c, shape), 2);
  assert_true(shape[0] == 1024 && shape[1] == 2048);
  assert_int_equal(am_arch_role(c.arch, "attn_k_norm")->shape(&c, shape), 1);
  assert_true(shape[0] == 128);
  assert_int_equal(am_arch_role(c.arch, "output")->shape(&c, shape), 0);
  assert_int_equal(am_arch_role(c.arch, "attn_q_bias")->shape(&c, shape), 0);
  assert_null(am_arch_role(c.arch, "rope_freqs"));
  char name[64];
  assert_true(am_arch_tensor_name(&c, am_arch_role(c.arch, "ffn_down"), 27, false, name, sizeof name));
  assert_string_equal(name, "model.layers.27.mlp.down_proj.weight");
  assert_true(am_arch_tensor_name(&c, am_arch_role(c.arch, "token_embd"), 0, true, name, sizeof name));
  assert_string_equal(name, "embed_tokens.weight");
  assert_false(am_arch_tensor_name(&c, am_arch_role(c.arch, "output"), 0, true, name, sizeof name));
  assert_false(am_arch_tensor_name(&c, am_arch_role(c.arch, "ffn_down"), 27, false, name, 30));
}

static void test_llama(void **state) {
  (void)state;
  am_config c = expect_ok(llama_new, am_arch_config_hf, "none", "");
  assert_string_equal(c.arch->name, "llama");
  assert_int_equal(c.rope.scaling, AM_ROPE_LLAMA3);
  assert_true(c.rope.theta == 500000 && c.rope.factor == 32 && c.rope.low_freq_factor == 1);
  assert_true(c.rope.high_freq_factor == 4 && c.rope.original_ctx == 8192);
  assert_int_equal(c.n_end_ids, 3);
  assert_int_equal(c.end_ids[2], 128009);
  c = expect_ok(llama_new, am_arch_config_hf, "head_dim", "");
  assert_int_equal(c.head_dim, 64);
  c = expect_ok(llama_new, am_arch_config_hf, "head_dim", "\"head_dim\":null");
  assert_int_equal(c.head_dim, 64);
  c = expect_ok(llama_new, am_arch_config_hf, "head_dim", "\"head_dim\":96");
  assert_int_equal(c.head_dim, 96);
  c = expect_ok(llama_new, am_arch_config_hf, "num_key_value_heads", "");
  assert_int_equal(c.n_kv_heads, 32);
  c = expect_ok(llama_new, am_arch_config_hf, "tie_word_embeddings", "");
  assert_false(c.tied_embeddings);
  c = expect_ok(llama_new, am_arch_config_hf, "attention_bias", "\"attention_bias\":true");
  assert_true(c.attention_bias && !c.mlp_bias);
  c = expect_ok(llama_new, am_arch_config_hf, "mlp_bias", "\"mlp_bias\":true");
  assert_true(c.mlp_bias);
  c = expect_ok(llama_new, am_arch_config_hf, "eos_token_id", "\"eos_token_id\":null");
  assert_int_equal(c.n_end_ids, 0);
  c = expect_ok(llama_new, am_arch_config_hf, "bos_token_id", "");
  assert_int_equal(c.bos_id, -1);
  c = expect_ok(llama_new, am_arch_config_hf, "rms_norm_eps", "");
  assert_true(c.norm_eps == 1e-6f); /* LlamaConfig's default */
}

/* Dialects and places of rope parameters; the precedence is that of transformers 5.23. */
static void test_rope(void **state) {
  (void)state;
  static const char key[] = "rope_parameters";
  am_config c = expect_ok(llama_new, am_arch_config_hf, key, "");
  assert_true(c.rope.scaling == AM_ROPE_NONE && c.rope.theta == 10000);
  c = expect_ok(llama_new, am_arch_config_hf, key,
                "\"rope_theta\":2e4,\"rope_scaling\":{\"type\":\"linear\",\"factor\":2.5}");
  assert_true(c.rope.scaling == AM_ROPE_LINEAR && c.rope.theta == 2e4 && c.rope.factor == 2.5);
  c = expect_ok(
      llama_new, am_arch_config_hf, key,
      "\"rope_theta\":2e4,\"rope_scaling\":{\"rope_type\":\"llama3\",\"type\":\"yarn\",\"factor\":8,"
      "\"low_freq_factor\":1,\"high_freq_factor\":4}");
  assert_true(c.rope.scaling == AM_ROPE_LLAMA3 &&
              c.rope.original_ctx == 131072); /* max_position_embeddings */
  c = expect_ok(llama_new, am_arch_config_hf, key,
                "\"rope_scaling\":{\"type\":\"linear\",\"factor\":2,\"rope_theta\":3e4},"
                "\"rope_parameters\":{\"rope_type\":\"default\",\"rope_theta\":4e4}");
  assert_true(c.rope.scaling == AM_ROPE_LINEAR && c.rope.theta == 3e4); /* rope_scaling wins */
  c = expect_ok(llama_new, am_arch_config_hf, key,
                "\"rope_scaling\":{},\"rope_parameters\":{\"rope_type\":\"default\",\"rope_theta\":4e4}");
  assert_true(c.rope.scaling == AM_ROPE_NONE && c.rope.theta == 4e4);
  c = expect_ok(
      llama_new, am_arch_config_hf, key,
      "\"original_max_position_embeddings\":512,\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8,"
      "\"low_freq_factor\":1,\"high_freq_factor\":4,\"original_max_position_embeddings\":8192}");
  assert_int_equal(c.rope.original_ctx, 512); /* the top level wins */
  c = expect_ok(llama_new, am_arch_config_hf, key,
                "\"rope_parameters\":{\"full_attention\":{\"rope_type\":\"default\",\"rope_theta\":5e5},"
                "\"sliding_attention\":{\"rope_type\":\"default\",\"rope_theta\":5e5}}");
  assert_true(c.rope.theta == 5e5);
  expect_error(llama_new, am_arch_config_hf, key,
               "\"rope_parameters\":{\"full_attention\":{\"rope_type\":\"default\",\"rope_theta\":5e5},"
               "\"sliding_attention\":{\"rope_type\":\"default\",\"rope_theta\":1e4}}",
               ADAM_UNSUPPORTED, "rope_parameters differ between layer types");
  static const char *const unsupported[] = {"proportional", "surprise"};
  for (size_t i = 0; i < sizeof unsupported / sizeof *unsupported; i++) {
    char member[128], words[64];
    snprintf(member, sizeof member, "\"rope_scaling\":{\"rope_type\":\"%s\",\"factor\":4.0}", unsupported[i]);
    snprintf(words, sizeof words, "rope_type is %s, which is not supported", unsupported[i]);
    expect_error(llama_new, am_arch_config_hf, key, member, ADAM_UNSUPPORTED, words);
  }
  static const struct {
    const char *member, *words;
  } damaged[] = {
      {"\"rope_scaling\":[]", "rope_scaling: expected an object or null"},
      {"\"rope_scaling\":{\"type\":1}", "type is 1, expected a string"},
      {"\"rope_scaling\":{\"type\":\"linear\"}", "factor is missing"},
      {"\"rope_scaling\":{\"type\":\"linear\",\"factor\":0}", "factor is 0, expected a number from 0.001"},
      {"\"rope_scaling\":{\"type\":\"linear\",\"factor\":NaN}", "factor is "},
      {"\"rope_scaling\":{\"type\":\"llama3\",\"factor\":8,\"low_freq_factor\":4,\"high_freq_factor\":4}",
       "high_freq_factor is 4, expected more than low_freq_factor"},
      {"\"rope_theta\":0", "rope_theta is 0, expected a number"},
      {"\"rope_theta\":\"big\"", "rope_theta is \"big\", expected a number"}};
  for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
    expect_error(llama_new, am_arch_config_hf, key, damaged[i].member, ADAM_DAMAGED, damaged[i].words);
  }
}

/* Every scaling of transformers' modeling_rope_utils, with its defaults. */
static void test_rope_scalings(void **state) {
  (void)state;
  static const char key[] = "rope_parameters";
  am_config c = expect_ok(llama_new, am_arch_config_hf, key,
                          "\"rope_scaling\":{\"rope_type\":\"yarn\",\"factor\":4.0,"
                          "\"original_max_position_embeddings\":32768}");
  assert_true(c.rope.scaling == AM_ROPE_YARN && c.rope.factor == 4 && c.rope.original_ctx == 32768);
  assert_true(c.rope.beta_fast == 32 && c.rope.beta_slow == 1 && !c.rope.no_truncate);
  assert_true(c.rope.attention_factor == 0 && c.rope.mscale == 0);
  assert_int_equal(am_arch_ctx(&c), 131072);
  c = expect_ok(llama_new, am_arch_config_hf, key,
                "\"rope_parameters\":{\"rope_type\":\"yarn\",\"original_max_position_embeddings\":16384,"
                "\"attention_factor\":1.25,\"beta_fast\":16,\"beta_slow\":2,\"mscale\":0.7,"
                "\"mscale_all_dim\":0.5,\"truncate\":false,\"factor\":null}");
  assert_true(c.rope.factor == 8 && c.rope.attention_factor == 1.25 && c.rope.beta_fast == 16);
  assert_true(c.rope.beta_slow == 2 && c.rope.mscale == 0.7 && c.rope.mscale_all_dim == 0.5);
  assert_true(c.rope.no_truncate);
  c = expect_ok(llama_new, am_arch_config_hf, key,
                "\"rope_scaling\":{\"type\":\"dynamic\",\"factor\":2},\"max_position_embeddings\":300");
  assert_true(c.rope.scaling == AM_ROPE_DYNAMIC && c.rope.factor == 2);
  c = expect_ok(llama_new, am_arch_config_hf, key, "\"partial_rotary_factor\":0.33");
  assert_int_equal(c.rope.n_dims, (uint32_t)(c.head_dim * 0.33));
  expect_error(llama_new, am_arch_config_hf, key, "\"partial_rotary_factor\":0", ADAM_DAMAGED,
               "partial_rotary_factor is 0, expected a number");
  expect_error(llama_new, am_arch_config_hf, key, "\"partial_rotary_factor\":0.001", ADAM_DAMAGED,
               "nothing of a head");
  expect_error(llama_new, am_arch_config_hf, key, "\"rope_scaling\":{\"type\":\"dynamic\",\"factor\":0.5}",
               ADAM_DAMAGED, "a factor of 1 or more (it is 0.5)");
  static const char long_rope[] =
      "\"original_max_position_embeddings\":4096,\"partial_rotary_factor\":%s,"
      "\"rope_scaling\":{\"type\":\"su\",\"short_factor\":%s,\"long_factor\":%s}";
  static const struct {
    const char *partial, *brief, *wide, *words;
  } sets[] = {{"0.0625", "[1,1.5]", "[2,3]", NULL},
              {"0.0625", "[1,1.5,2]", "[2,3]", "short_factor: expected a list of 2 numbers"},
              {"0.0625", "[1,1.5]", "null", "long_factor: expected a list of 2 numbers"},
              {"0.0625", "[1,1.5]", "[2,0]", "long_factor: number 1 is 0"},
              {"0.0625", "[1,\"1\"]", "[2,3]", "short_factor: number 1 is 0"}};
  for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
    char member[256];
    snprintf(member, sizeof member, long_rope, sets[i].partial, sets[i].brief, sets[i].wide);
    if (sets[i].words) {
      expect_error(llama_new, am_arch_config_hf, key, member, ADAM_DAMAGED, sets[i].words);
      continue;
    }
    c = expect_ok(llama_new, am_arch_config_hf, key, member);
    assert_true(c.rope.scaling == AM_ROPE_LONGROPE && c.rope.n_factors == 2 && c.rope.factor == 32);
    assert_true(c.rope.short_factor[1] == 1.5f && c.rope.long_factor[0] == 2);
    assert_int_equal(c.rope.original_ctx, 4096);
  }
}

/* 128K for the sizes whose makers document it, by their shapes. */
static void test_extended_context(void **state) {
  (void)state;
  am_config c = expect_ok(qwen3_old, am_arch_config_hf, "none", "");
  assert_int_equal(am_arch_ctx(&c), 40960);
  assert_int_equal(am_arch_extended_ctx(&c), 40960);
  am_arch_extend(&c);
  assert_int_equal(c.rope.scaling, AM_ROPE_NONE);
  c.n_embd = 4096; /* as 8B */
  assert_int_equal(am_arch_ctx(&c), 40960);
  assert_int_equal(am_arch_extended_ctx(&c), 131072);
  am_arch_extend(&c);
  assert_true(c.rope.scaling == AM_ROPE_YARN && c.rope.factor == 4 && c.rope.original_ctx == 32768);
  assert_int_equal(am_arch_ctx(&c), 131072);
  c = expect_ok(qwen3_old, am_arch_config_hf, "none", "");
  c.n_embd = 4096;
  c.n_ctx_train = 262144; /* the 2507 releases need nothing */
  assert_int_equal(am_arch_extended_ctx(&c), 262144);
}

static void test_windows(void **state) {
  (void)state;
  am_config c = expect_ok(qwen3_old, am_arch_config_hf, "none", "");
  assert_int_equal(c.window, 0);
  char *used = change(qwen3_old, "use_sliding_window", "\"use_sliding_window\":true");
  char *sized = change(used, "sliding_window", "\"sliding_window\":100");
  c = expect_ok(sized, am_arch_config_hf, "max_window_layers", "\"max_window_layers\":5");
  for (uint32_t i = 0; i < c.n_layers; i++) assert_int_equal(am_arch_window(&c, i), i < 5 ? 0 : 100);
  c = expect_ok(used, am_arch_config_hf, "max_window_layers", "\"max_window_layers\":5");
  assert_int_equal(am_arch_window(&c, 5), 0); /* sliding_window is null */
  char types[28 * 24 + 32] = "\"layer_types\":[";
  for (int i = 0; i < 28; i++)
    snprintf(types + strlen(types), sizeof types - strlen(types), "%s\"%s_attention\"", i ? "," : "",
             i % 3 ? "full" : "sliding");
  strcat(types, "]");
  c = expect_ok(sized, am_arch_config_hf, "none", types);
  for (uint32_t i = 0; i < c.n_layers; i++) assert_int_equal(am_arch_window(&c, i), i % 3 ? 0 : 100);
  expect_error(qwen3_old, am_arch_config_hf, "none", types, ADAM_DAMAGED, "no sliding_window is in use");
  expect_error(sized, am_arch_config_hf, "none", "\"layer_types\":[\"full_attention\"]", ADAM_DAMAGED,
               "layer_types: expected a list of the kinds of the 28 layers");
  free(used);
  free(sized);
}

static void test_damaged_config(void **state) {
  (void)state;
  static const char *const required[] = {"hidden_size", "num_hidden_layers", "intermediate_size",
                                         "num_attention_heads", "vocab_size"};
  static const char *const values[] = {"0",      "-1", "1.5",  "99999999999", "1e300",
                                       "\"64\"", "[]", "true", "NaN"};
  for (size_t i = 0; i < sizeof required / sizeof *required; i++) {
    char member[128], words[128];
    snprintf(words, sizeof words, "%s is missing", required[i]);
    expect_error(qwen3_old, am_arch_config_hf, required[i], "", ADAM_DAMAGED, words);
    snprintf(member, sizeof member, "\"%s\":null", required[i]);
    expect_error(qwen3_old, am_arch_config_hf, required[i], member, ADAM_DAMAGED, words);
    for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
      snprintf(member, sizeof member, "\"%s\":%s", required[i], values[v]);
      snprintf(words, sizeof words, "%s is ", required[i]);
      expect_error(qwen3_old, am_arch_config_hf, required[i], member, ADAM_DAMAGED, words);
    }
  }
  expect_error(qwen3_old, am_arch_config_hf, "num_key_value_heads", "\"num_key_value_heads\":0", ADAM_DAMAGED,
               "num_key_value_heads is 0, expected a whole number from 1");
  expect_error(qwen3_old, am_arch_config_hf, "num_key_value_heads", "\"num_key_value_heads\":5", ADAM_DAMAGED,
               "num_attention_heads is 16, expected a multiple of num_key_value_heads, which is 5");
  expect_error(qwen3_old, am_arch_config_hf, "head_dim", "\"head_dim\":127", ADAM_DAMAGED,
               "head_dim is 127, expected an even number");
  expect_error(qwen3_old, am_arch_config_hf, "head_dim", "\"head_dim\":65537", ADAM_DAMAGED,
               "head_dim is 65537");
  char *many = change(qwen3_old, "num_attention_heads", "\"num_attention_heads\":65536");
  expect_error(many, am_arch_config_hf, "head_dim", "\"head_dim\":512", ADAM_DAMAGED,
               "head_dim is 512, expected an even number and, with 65536 heads, at most 16777216 in all");
  free(many);
}

static void test_refused(void **state) {
  (void)state;
  expect_error(qwen3_old, am_arch_config_hf, "hidden_act", "\"hidden_act\":\"gelu\"", ADAM_UNSUPPORTED,
               "hidden_act is gelu");
  expect_error(qwen3_old, am_arch_config_hf, "model_type", "\"model_type\":\"mixtral\"", ADAM_UNSUPPORTED,
               "model_type is 'mixtral'");
  expect_error(qwen3_old, am_arch_config_hf, "model_type", "", ADAM_DAMAGED, "model_type is missing");
  expect_error(qwen3_old, am_arch_config_hf, "model_type", "\"model_type\":7", ADAM_DAMAGED,
               "model_type is 7");
  expect_error(qwen3_old, am_arch_config_hf, "eos_token_id", "\"eos_token_id\":\"x\"", ADAM_DAMAGED,
               "eos_token_id is \"x\"");
  expect_error(qwen3_old, am_arch_config_hf, "tie_word_embeddings", "\"tie_word_embeddings\":1", ADAM_DAMAGED,
               "tie_word_embeddings is 1, expected true or false");
  am_config config;
  adam_error error;
  assert_int_equal(read_text("[]", am_arch_config_hf, &config, &error), ADAM_DAMAGED);
  assert_int_equal(read_text("{}", am_arch_config_gguf, &config, &error), ADAM_DAMAGED);
}

static void test_gguf(void **state) {
  (void)state;
  am_config c = expect_ok(llama_gguf, am_arch_config_gguf, "none", "");
  assert_int_equal(c.source, AM_SOURCE_GGUF);
  assert_int_equal(c.n_layers, 30);
  assert_int_equal(c.head_dim, 64);
  assert_int_equal(c.n_kv_heads, 3);
  assert_int_equal(c.rope.style, AM_ROPE_PAIRS);
  assert_true(c.rope.theta == 1e5 && c.norm_eps == 1e-5f);
  assert_int_equal(c.bos_id, 1);
  assert_int_equal(c.end_ids[0], 2);
  c = expect_ok(llama_gguf, am_arch_config_gguf, "llama.attention.head_count",
                "\"llama.attention.head_count\":[9,9,9]");
  assert_int_equal(c.n_heads, 9);
  expect_error(llama_gguf, am_arch_config_gguf, "llama.attention.head_count",
               "\"llama.attention.head_count\":[9,3]", ADAM_UNSUPPORTED,
               "llama.attention.head_count is not the same in every layer");
  expect_error(llama_gguf, am_arch_config_gguf, "llama.attention.head_count",
               "\"llama.attention.head_count\":[0,0]", ADAM_DAMAGED, "llama.attention.head_count is 0");
  expect_error(llama_gguf, am_arch_config_gguf, "llama.block_count", "", ADAM_DAMAGED,
               "llama.block_count is missing");
  expect_error(llama_gguf, am_arch_config_gguf, "llama.rope.dimension_count",
               "\"llama.rope.dimension_count\":65", ADAM_DAMAGED,
               "llama.rope.dimension_count is 65, expected a whole number from 2 to 64");
  expect_error(llama_gguf, am_arch_config_gguf, "x", "\"llama.rope.scaling.type\":\"warp\"", ADAM_UNSUPPORTED,
               "llama.rope.scaling.type is warp");
  expect_error(llama_gguf, am_arch_config_gguf, "x", "\"llama.expert_count\":8", ADAM_UNSUPPORTED,
               "llama.expert_count");
  expect_error(llama_gguf, am_arch_config_gguf, "x", "\"llama.attention.value_length\":32", ADAM_UNSUPPORTED,
               "llama.attention.value_length");
  expect_error(llama_gguf, am_arch_config_gguf, "general.architecture", "\"general.architecture\":\"gemma3\"",
               ADAM_UNSUPPORTED, "general.architecture is 'gemma3'");
  c = expect_ok(llama_gguf, am_arch_config_gguf, "x",
                "\"llama.rope.scaling.factor\":4.0"); /* no type: linear */
  assert_true(c.rope.scaling == AM_ROPE_LINEAR && c.rope.factor == 4);
  c = expect_ok(llama_gguf, am_arch_config_gguf, "x",
                "\"llama.rope.scaling.type\":\"none\",\"llama.rope.scaling.factor\":4.0");
  assert_true(c.rope.scaling == AM_ROPE_NONE);
  c = expect_ok(llama_gguf, am_arch_config_gguf, "llama.rope.dimension_count",
                "\"llama.rope.scaling.type\":\"yarn\",\"llama.rope.scaling.factor\":4.0,"
                "\"llama.rope.scaling.original_context_length\":2048,\"llama.rope.scaling.attn_factor\":0.5,"
                "\"llama.rope.dimension_count\":48");
  assert_true(c.rope.scaling == AM_ROPE_YARN && c.rope.factor == 4 && c.rope.original_ctx == 2048);
  assert_true(fabs(c.rope.attention_factor - 0.5 * (0.1 * log(4) + 1)) < 1e-12 && c.rope.n_dims == 48);
}

static const am_tensor *no_tensor(const void *user, const char *name) {
  (void)user;
  (void)name;
  return NULL;
}

static const am_tensor *some_tensor(const void *user, const char *name) {
  static const am_tensor embedding = {.name = "token_embd.weight", .n_dims = 2, .shape = {1000, 576}};
  for (const char *const *names = user; *names; names++)
    if (strcmp(*names, name) == 0) return &embedding;
  return NULL;
}

/* What only the tensors of a GGUF tell. */
static void test_from_tensors(void **state) {
  (void)state;
  static const char *const names[] = {"token_embd.weight", "blk.0.attn_q.bias", "rope_freqs.weight", NULL};
  static const char *const output[] = {"output.weight", "blk.0.ffn_up.bias", NULL};
  am_config c = expect_ok(llama_gguf, am_arch_config_gguf, "none", "");
  adam_error error = {0};
  assert_int_equal(c.arch->from_tensors(&c, some_tensor, names, "p", &error), ADAM_OK);
  assert_true(c.tied_embeddings && c.attention_bias && !c.mlp_bias);
  assert_int_equal(c.n_vocab, 1000);
  assert_int_equal(c.rope.scaling, AM_ROPE_FACTORS);
  uint64_t shape[2];
  assert_int_equal(am_arch_role(c.arch, "rope_freqs")->shape(&c, shape), 1);
  assert_true(shape[0] == 32);
  c = expect_ok(llama_gguf, am_arch_config_gguf, "none", "");
  assert_int_equal(c.arch->from_tensors(&c, some_tensor, output, "p", &error), ADAM_OK);
  assert_true(!c.tied_embeddings && !c.attention_bias && c.mlp_bias);
  assert_int_equal(c.n_vocab, 49152);
  c = expect_ok(llama_gguf, am_arch_config_gguf, "llama.vocab_size", "");
  assert_int_equal(c.arch->from_tensors(&c, no_tensor, NULL, "p", &error), ADAM_DAMAGED);
  c = expect_ok(llama_new, am_arch_config_hf, "tie_word_embeddings", "");
  assert_int_equal(c.arch->from_tensors(&c, no_tensor, NULL, "p", &error), ADAM_OK);
  assert_true(c.tied_embeddings); /* no lm_head: the embedding is used */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_qwen3),          cmocka_unit_test(test_llama),
      cmocka_unit_test(test_rope),           cmocka_unit_test(test_rope_scalings),
      cmocka_unit_test(test_windows),        cmocka_unit_test(test_extended_context),
      cmocka_unit_test(test_damaged_config), cmocka_unit_test(test_refused),
      cmocka_unit_test(test_gguf),           cmocka_unit_test(test_from_tensors),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

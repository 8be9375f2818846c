/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "arch/pairs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The same config on its way out: it has room in the pairs, and frequencies from anywhere fit or are refused. */
static void write_out(am_config *c, const uint8_t *data, size_t size) {
  static am_pairs pairs;
  float divisors[AM_ARCH_MOST_FACTORS];
  uint32_t n = size / 4 < 64 ? (uint32_t)(size / 4) : 64;
  adam_error error = {0};
  pairs = (am_pairs){0};
  if (c->arch->to_gguf && !c->arch->to_gguf(c, &pairs, &error) && pairs.full) __builtin_trap();
  pairs = (am_pairs){0};
  if (c->arch->to_hf && !c->arch->to_hf(c, &pairs, &error) && pairs.full) __builtin_trap();
  if (n) memcpy(divisors, data, n * sizeof *divisors);
  if (!am_rope_fit_llama3(c, divisors, n, "fuzz", &error) &&
      !(c->rope.high_freq_factor > c->rope.low_freq_factor && c->rope.low_freq_factor > 0))
    __builtin_trap();
}

/* config.json: a config that is accepted is sane for everyone after it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  am_arena arena = {.limit_bytes = (size_t)1 << 28};
  am_json json;
  am_config c;
  adam_error error = {0};
  if (!am_json_parse((const char *)data, size, "fuzz", 0, &arena, &json, &error) &&
      !am_arch_config_hf(&json, "fuzz", &c, &error)) {
    if (!c.n_layers || !c.n_embd || !c.n_ff || !c.n_heads || !c.n_kv_heads || !c.n_vocab) __builtin_trap();
    if (c.n_heads % c.n_kv_heads || c.head_dim == 0 || (c.head_dim % 2 && !c.n_positions)) __builtin_trap();
    if (!(c.rope.theta > 0) || !(c.rope.factor > 0) || !(c.norm_eps >= 0) || c.n_end_ids > 16)
      __builtin_trap();
    for (size_t i = 0; i < c.arch->n_roles; i++) {
      uint64_t shape[2];
      char name[256];
      if (c.arch->roles[i].shape(&c, shape) > 2) __builtin_trap();
      am_arch_tensor_name(&c, &c.arch->roles[i], c.n_layers - 1, false, name, sizeof name);
    }
    write_out(&c, data, size);
  }
  am_arena_close(&arena);
  return 0;
}

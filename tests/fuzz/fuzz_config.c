/* SPDX-License-Identifier: Apache-2.0 */
#include "arch/arch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
  }
  am_arena_close(&arena);
  return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "arch/arch.h"
#include "formats/gguf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A file that opens has strings, arrays and tensors inside its bytes; its metadata becomes a config
 * or an error. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  am_gguf *file = NULL;
  adam_error error = {0};
  if (am_gguf_open_bytes("fuzz", data, size, &file, &error)) {
    if (file || !error.why[0]) __builtin_trap();
    return 0;
  }
  for (size_t i = 0; i < am_gguf_count(file); i++) {
    const am_tensor *t = am_gguf_at(file, i);
    const uint8_t *begin = t->data;
    if (begin < data || t->n_bytes > size || begin + t->n_bytes > data + size) __builtin_trap();
    if (am_gguf_find(file, t->name) != t) __builtin_trap();
  }
  uint64_t sum = 0;
  for (size_t i = 0; i < am_gguf_n_values(file); i++) {
    const am_gguf_value *v = am_gguf_value_at(file, i);
    for (uint64_t k = 0; v->strings && k < v->n; k++) {
      if (v->strings[k].n_bytes) sum += (uint8_t)v->strings[k].bytes[v->strings[k].n_bytes - 1];
    }
  }
  am_arena arena = {.limit_bytes = (size_t)1 << 28};
  am_json json;
  am_config config;
  if (!am_gguf_metadata_json(file, &arena, &json, &error)) {
    if (!am_arch_config_gguf(&json, "fuzz", &config, &error)) {
      sum += am_arch_kv_bytes_per_token(&config, 4);
      if (config.n_heads % config.n_kv_heads || config.head_dim % 2) __builtin_trap();
    }
  }
  am_arena_close(&arena);
  am_gguf_close(&file);
  __asm__ volatile("" : : "r"(sum)); /* keeps the reads */
  return 0;
}

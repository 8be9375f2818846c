/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "kernels/kernels.h"
#include "loader/prequant/prequant.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One row of each composed matrix is dequantised and multiplied: every index stays inside the file. */
static void use(const am_tensor *tensor) {
  const am_kernels *kernels = am_kernels_get();
  uint64_t columns = tensor->shape[tensor->n_dims - 1], n_rows = tensor->n_bytes / sizeof(am_scaled_row);
  if (columns > 1 << 16) return;
  float *row = am_mem_zalloc((size_t)columns, sizeof *row), sum;
  if (!row) return;
  for (uint64_t r = 0; r<n_rows; r += n_rows> 64 ? n_rows / 64 : 1) {
    const am_scaled_row *record = (const am_scaled_row *)tensor->data + r;
    kernels->dequantize[tensor->dtype](row, record, (size_t)columns);
    kernels->matmul[tensor->dtype](&(am_matmul){.out = &sum,
                                                .w = record,
                                                .w_stride = sizeof *record,
                                                .x = row,
                                                .n_rows = 1,
                                                .n_tokens = 1,
                                                .n_in = (uint32_t)columns});
  }
  am_mem_free(row);
}

/* A quantization_config (JSON), a NUL, a .safetensors file: what composes can be computed with. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  adam_error error = {0};
  am_json json;
  am_loader *loader = am_mem_zalloc(1, sizeof *loader);
  const uint8_t *end = memchr(data, 0, size);
  if (!loader || !end) {
    am_mem_free(loader);
    return 0;
  }
  size_t n_config = (size_t)(end - data);
  loader->file = "fuzz";
  loader->arena.limit_bytes = (size_t)1 << 28;
  loader->shards = am_arena_zalloc(&loader->arena, 1, sizeof *loader->shards);
  adam_status status = am_json_parse((const char *)data, n_config, "fuzz", 0, &loader->arena, &json, &error);
  if (!status) status = am_scheme_read(&json, "fuzz", "gptq", &loader->scheme, &error);
  if (!status)
    status = am_safetensors_open_bytes("fuzz", end + 1, size - n_config - 1, &loader->shards[0], &error);
  if (!status) {
    loader->n_shards = 1;
    size_t n = am_safetensors_count(loader->shards[0]);
    status = am_loader_reserve(loader, n, &error);
    for (size_t i = 0; i < n && !status; i++)
      status = am_loader_add(loader, am_safetensors_at(loader->shards[0], i), &error);
  }
  if (!status) status = am_prequant_compose(loader, true, &error);
  if (status && (!error.why[0] || status == ADAM_INVALID)) __builtin_trap();
  for (size_t i = 0; i < loader->n_prequants && !status; i++) {
    if (am_loader_find(loader, loader->prequants[i].tensor.name) != &loader->prequants[i].tensor)
      __builtin_trap();
    use(&loader->prequants[i].tensor);
  }
  am_loader_close(&loader);
  return 0;
}

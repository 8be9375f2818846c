/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "formats/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A file that opens has tensors inside its bytes, each found by its name. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  am_safetensors *file = NULL;
  adam_error error = {0};
  if (am_safetensors_open_bytes("fuzz", data, size, &file, &error)) {
    if (file || !error.why[0]) __builtin_trap();
    return 0;
  }
  for (size_t i = 0; i < am_safetensors_count(file); i++) {
    const am_tensor *t = am_safetensors_at(file, i);
    const uint8_t *begin = t->data;
    if (begin < data || t->n_bytes > size || begin + t->n_bytes > data + size) __builtin_trap();
    if (am_safetensors_find(file, t->name) != t) __builtin_trap();
  }
  (void)am_safetensors_metadata(file);
  am_safetensors_close(&file);
  return 0;
}

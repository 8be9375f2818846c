/* SPDX-License-Identifier: Apache-2.0 */
/* formats/safetensors: reads one .safetensors file.
 * Purpose: header JSON -> named tensors over the mapped bytes. In: a path; nothing in the file is
 *   trusted. Out: an open file that owns map and names; tensors are borrowed until close.
 * Layout: u64 N | N bytes JSON | data. Checks (those of the reference, safetensors 0.8): N <= 100 MB,
 *   valid UTF-8 and JSON, unique names, known dtypes, offsets without holes or overlap, exact end.
 * Errors: ADAM_DAMAGED with file, byte offset, found and expected. Threads: immutable after open. */
#ifndef AM_FORMATS_SAFETENSORS_H
#define AM_FORMATS_SAFETENSORS_H

#include "base/json.h"
#include "tensor/tensor.h"

typedef struct am_safetensors am_safetensors;

adam_status am_safetensors_open(const char *path, am_safetensors **out, adam_error *error);
/* The same over bytes in memory (borrowed until close); `name` goes into errors. */
adam_status am_safetensors_open_bytes(const char *name, const void *bytes, size_t n_bytes,
                                      am_safetensors **out, adam_error *error);
void am_safetensors_close(am_safetensors **file);
size_t am_safetensors_count(const am_safetensors *file);
const am_tensor *am_safetensors_at(const am_safetensors *file, size_t index);       /* file order */
const am_tensor *am_safetensors_find(const am_safetensors *file, const char *name); /* NULL: absent */
/* The "__metadata__" object, or NULL. */
const am_json *am_safetensors_metadata(const am_safetensors *file);

#endif

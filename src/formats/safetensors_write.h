/* SPDX-License-Identifier: Apache-2.0 */
/* formats/safetensors_write: writes a model's .safetensors files into a folder.
 * Purpose: collect tensor descriptions, then begin, then their bytes from any thread, then finish. Up to
 *   AM_SAFETENSORS_SHARD_BYTES it is model.safetensors; beyond, model-00001-of-0000N.safetensors filled in the order
 *   of the calls, and model.safetensors.index.json, as transformers saves a model.
 * Layout: formats/safetensors.h; wider elements stand first, so that all are aligned; 8-byte header padding.
 * Owned: copies of the names; the files in the making. Errors: ADAM_INVALID for a second name or a call out of
 *   order. Threads: one until begin; then data from any. The same calls give the same bytes. */
#ifndef AM_FORMATS_SAFETENSORS_WRITE_H
#define AM_FORMATS_SAFETENSORS_WRITE_H

#include "tensor/tensor.h"
#include <adam/status.h>

typedef struct am_safetensors_writer am_safetensors_writer;

#define AM_SAFETENSORS_SHARD_BYTES UINT64_C(5000000000)

/* shard_bytes: most bytes of tensors in a file, a single larger one excepted; 0 = AM_SAFETENSORS_SHARD_BYTES. */
adam_status am_safetensors_writer_open(uint64_t shard_bytes, am_safetensors_writer **out, adam_error *error);
/* dtype must be one that the format has. */
adam_status am_safetensors_write_tensor(am_safetensors_writer *w, const char *name, am_dtype dtype, uint32_t n_dims,
                                        const uint64_t *shape, adam_error *error);
/* Bytes of all files, heads counted; after begin. */
uint64_t am_safetensors_writer_bytes(const am_safetensors_writer *w);
/* The folder exists. */
adam_status am_safetensors_writer_begin(am_safetensors_writer *w, const char *folder, adam_error *error);
adam_status am_safetensors_writer_data(am_safetensors_writer *w, size_t index, uint64_t offset_bytes,
                                       const void *bytes, uint64_t n_bytes, adam_error *error);
adam_status am_safetensors_writer_finish(am_safetensors_writer *w, adam_error *error);
/* Files that are not finished are gone. */
void am_safetensors_writer_close(am_safetensors_writer **w);

#endif

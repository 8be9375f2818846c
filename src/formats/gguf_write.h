/* SPDX-License-Identifier: Apache-2.0 */
/* formats/gguf_write: writes a GGUF file, version 3, little-endian, alignment 32.
 * Purpose: collect pairs and tensor descriptions in file order, then begin, then the tensors' bytes from any
 *   thread, then finish. Layout: formats/gguf.h. Out: the same calls give the same bytes.
 * Owned: copies of all keys, values and names; the file in the making (os/outfile.h).
 * Errors: ADAM_INVALID for a second key or name, a name of 64 bytes or more (ggml's limit), a ragged row, a
 *   call out of order. Threads: one until begin; then am_gguf_writer_data from any. */
#ifndef AM_FORMATS_GGUF_WRITE_H
#define AM_FORMATS_GGUF_WRITE_H

#include "formats/gguf.h"

typedef struct am_gguf_writer am_gguf_writer;

adam_status am_gguf_writer_open(am_gguf_writer **out, adam_error *error);
adam_status am_gguf_write_u32(am_gguf_writer *w, const char *key, uint32_t value, adam_error *error);
adam_status am_gguf_write_i32(am_gguf_writer *w, const char *key, int32_t value, adam_error *error);
adam_status am_gguf_write_f32(am_gguf_writer *w, const char *key, float value, adam_error *error);
adam_status am_gguf_write_bool(am_gguf_writer *w, const char *key, bool value, adam_error *error);
adam_status am_gguf_write_string(am_gguf_writer *w, const char *key, const char *value, adam_error *error);
adam_status am_gguf_write_strings(am_gguf_writer *w, const char *key, const am_gguf_string *values, size_t n,
                                  adam_error *error);
adam_status am_gguf_write_i32s(am_gguf_writer *w, const char *key, const int32_t *values, size_t n,
                               adam_error *error);
adam_status am_gguf_write_f32s(am_gguf_writer *w, const char *key, const float *values, size_t n,
                               adam_error *error);
adam_status am_gguf_write_u8s(am_gguf_writer *w, const char *key, const uint8_t *values, size_t n,
                              adam_error *error);
/* A pair of another file, as it is. */
adam_status am_gguf_write_value(am_gguf_writer *w, const am_gguf_value *value, adam_error *error);
bool am_gguf_writer_has(const am_gguf_writer *w, const char *key);

/* The next tensor; shape slowest first, as in am_tensor. */
adam_status am_gguf_write_tensor(am_gguf_writer *w, const char *name, am_dtype dtype, uint32_t n_dims,
                                 const uint64_t *shape, adam_error *error);
size_t am_gguf_writer_n_tensors(const am_gguf_writer *w);
/* Bytes that the whole file will have. */
uint64_t am_gguf_writer_bytes(const am_gguf_writer *w);
/* Writes the head. From here on nothing can be added. */
adam_status am_gguf_writer_begin(am_gguf_writer *w, const char *path, adam_error *error);
/* n_bytes of tensor `index` (in the order of the calls) from offset_bytes on. What is never written is zero. */
adam_status am_gguf_writer_data(am_gguf_writer *w, size_t index, uint64_t offset_bytes, const void *bytes,
                                uint64_t n_bytes, adam_error *error);
/* Flushes to disk and gives the file its name. */
adam_status am_gguf_writer_finish(am_gguf_writer *w, adam_error *error);
/* Without finish nothing is left of the file. */
void am_gguf_writer_close(am_gguf_writer **w);

#endif

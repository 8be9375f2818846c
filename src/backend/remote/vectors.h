/* SPDX-License-Identifier: Apache-2.0 */
/* backend/remote/vectors: embeddings as servers send them. */
#ifndef AM_BACKEND_REMOTE_VECTORS_H
#define AM_BACKEND_REMOTE_VECTORS_H

#include "base/json.h"
#include <adam/types.h>

/* Values of one embedding: an array of numbers, or base64 of little-endian float32. Zero-initialise;
 * am_remote_vector_close. */
typedef struct am_remote_vector {
  float *values; /* n, owned */
  size_t n;
} am_remote_vector;

/* A second one has to have as many values as the first. ADAM_FAILED: it is none. index: of the text, for
 * errors. */
adam_status am_remote_vector_read(const am_json *json, size_t index, const char *what,
                                  am_remote_vector *vector, adam_error *error);
/* Cuts to n values and gives the length 1 where that is wanted: a cut vector is no unit vector any more.
 * ADAM_INVALID: the vector has fewer. */
adam_status am_remote_vector_shape(am_remote_vector *vector, const adam_embed_request *request,
                                   const char *what, size_t *n, adam_error *error);
void am_remote_vector_close(am_remote_vector *vector);

#endif

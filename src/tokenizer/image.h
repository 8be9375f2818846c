/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer/image: the flat binary form of a tokenizer, the same in memory and in a cache file.
 * Named sections of little-endian words, each aligned to 64 bytes, behind one header; no pointers,
 * so that a cached image is used where it is mapped. Bytes are not trusted: am_image_open checks the
 * frame and the checksum, whoever binds a section checks its content. Immutable after open. */
#ifndef AM_TOKENIZER_IMAGE_H
#define AM_TOKENIZER_IMAGE_H

#include "os/file.h"
#include <adam/status.h>

/* What the image was made from, to notice that a cache is stale. */
typedef struct am_image_source {
  am_file_stamp files[2]; /* tokenizer.json, tokenizer_config.json; zero where there is none */
  char digest[64];        /* of their bytes, or of the caller's key; hex, no NUL */
} am_image_source;

typedef struct am_image {
  const uint8_t *bytes;
  size_t size;     /* bytes */
  am_file_map map; /* set when the bytes are a mapped file */
  uint8_t *heap;   /* set when the bytes are owned memory */
} am_image;

#define AM_IMAGE_TAG(a, b, c, d) \
  ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)

/* Building: begin, sections, end. A failed append shows at the end (ADAM_NO_MEMORY). */
typedef struct am_image_writer {
  uint8_t *bytes; /* owned, aligned as an image is */
  size_t size, capacity;
  uint32_t n_sections;
  bool failed;
} am_image_writer;
/* likely_bytes: room to begin with, so that nothing is moved later. */
void am_image_begin(am_image_writer *writer, size_t likely_bytes);
/* Appends a section of n_bytes and returns its place for filling in (valid until the next call),
 * NULL when memory is out. `bytes` may be NULL (zeros). */
void *am_image_add(am_image_writer *writer, uint32_t tag, const void *bytes, size_t n_bytes);
/* The sections so far; good until the next am_image_add. */
am_image am_image_view(const am_image_writer *writer);
/* Hands the writer's bytes over as an image; computes digest and checksum. The digest is over the
 * sections named in digest_tags (0-terminated). Clears the writer in any case. */
adam_status am_image_end(am_image_writer *writer, const am_image_source *source, const uint32_t *digest_tags,
                         am_image *out, adam_error *error);
void am_image_writer_close(am_image_writer *writer);

/* Maps a cached image. ADAM_NOT_FOUND, ADAM_IO, or ADAM_DAMAGED when it is no whole image. */
adam_status am_image_open(const char *path, am_image *out, adam_error *error);
adam_status am_image_save(const am_image *image, const char *path, adam_error *error);
void am_image_close(am_image *image);

const am_image_source *am_image_source_of(const am_image *image);
/* 64 hex digits, not terminated. */
const char *am_image_digest(const am_image *image);
/* A section as an array of elements of element_bytes; NULL when it is absent or not a whole number
 * of elements. */
const void *am_image_section(const am_image *image, uint32_t tag, size_t element_bytes, size_t *n);

#endif

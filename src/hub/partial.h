/* SPDX-License-Identifier: Apache-2.0 */
/* hub/partial: a file that is being downloaded, and what of it has come, kept over a kill -9.
 * On disk: blobs/ETAG.ada0ada0.incomplete, the form that huggingface_hub gives its own unfinished files (and
 * leaves alone in others'). The content stands at its place; behind it, from offset `bytes` on, a trailer:
 *   "adampart", u64 bytes, u64 cell_bytes (little-endian), one bit for each cell that is complete.
 * Without a trailer a file that is not too long is a prefix: what huggingface_hub left in ETAG.incomplete (older
 * ones) or ETAG.XXXXXXXX.incomplete (after a kill), which is taken over once it is 15 s old, or all of the content in
 * the moment before it gets its name.
 * Only the holder of the ETAG's lock opens one. write and mark: any thread, for different cells.
 * Invariant: a cell's bit is written after its bytes. What came is proved by the digest alone. */
#ifndef AM_HUB_PARTIAL_H
#define AM_HUB_PARTIAL_H

#include <adam/status.h>
#include <stdatomic.h>
#include <stdbool.h>

enum { AM_HUB_MAX_CELLS = 65536 };

typedef struct am_hub_partial {
  char *path; /* owned */
  int fd;
  uint64_t bytes, cell_bytes;
  uint32_t n_cells;
  _Atomic uint8_t *bits; /* owned; a bit for each cell */
} am_hub_partial;

/* Opens or makes BLOB.ada0ada0.incomplete for a blob of so many bytes; unique: another name that nobody has, for
 * where there are no locks. ADAM_IO. */
adam_status am_hub_partial_open(const char *blob, uint64_t bytes, bool unique, am_hub_partial *out,
                                adam_error *error);
/* Cells are the unit of what is kept: the index-th holds [index * cell_bytes, ...). */
bool am_hub_partial_has(const am_hub_partial *partial, uint32_t cell);
uint64_t am_hub_partial_cell_bytes(const am_hub_partial *partial, uint32_t cell);
adam_status am_hub_partial_write(const am_hub_partial *partial, uint64_t offset, const void *bytes, size_t n_bytes,
                                 adam_error *error);
adam_status am_hub_partial_mark(am_hub_partial *partial, uint32_t cell, adam_error *error);
adam_status am_hub_partial_read(const am_hub_partial *partial, uint64_t offset, void *bytes, size_t n_bytes,
                                adam_error *error);
/* Forgets all that came. */
adam_status am_hub_partial_reset(am_hub_partial *partial, adam_error *error);
/* The content is complete and right: cuts the trailer off, flushes, renames to `blob`. */
adam_status am_hub_partial_publish(am_hub_partial *partial, const char *blob, adam_error *error);
/* Closes; what came stays on disk for the next call, unless remove. A zeroed one is fine. */
void am_hub_partial_close(am_hub_partial *partial, bool remove);

#endif

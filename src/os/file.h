/* SPDX-License-Identifier: Apache-2.0 */
/* os/file: files as bytes.
 * Purpose: mapping, whole reads with a limit, atomic replacement, folders. Out: owned by the
 *   caller. Errors: ADAM_NOT_FOUND for a missing path, ADAM_IO otherwise, with the path as `what`
 *   and the system's words in `why`. Threads: any. Every read and write passes the fault hook. */
#ifndef AM_OS_FILE_H
#define AM_OS_FILE_H

#include "base/buf.h"
#include <adam/status.h>

/* A file mapped read-only. A zero-length file maps to a valid empty range. */
typedef struct am_file_map {
  const uint8_t *bytes;
  size_t size; /* bytes */
} am_file_map;

adam_status am_file_map_open(const char *path, am_file_map *out, adam_error *error);
void am_file_map_close(am_file_map *map);
/* These bytes of a map will not be needed soon: their memory counts no longer as this process's. They stay
 * readable. Whole pages inside of the range only. */
void am_file_map_release(const void *bytes, size_t n_bytes);
/* Reads the whole file into buf (replacing it); more than limit_bytes is ADAM_LIMIT. */
adam_status am_file_read(const char *path, size_t limit_bytes, am_buf *buf, adam_error *error);
/* The same for a file with a secret: ADAM_INVALID where its group or others may do anything with it. */
adam_status am_file_read_secret(const char *path, size_t limit_bytes, am_buf *buf, adam_error *error);
/* Writes a temporary file beside path, flushes it to disk, renames it over path. A link stays a link:
 * the file behind it is replaced. What is no regular file (a device, a pipe) is refused. The umask is
 * taken off `mode`. */
adam_status am_file_write_atomic(const char *path, const void *bytes, size_t n_bytes,
                                 uint32_t mode, adam_error *error);
bool am_file_is_regular(const char *path); /* follows links */
bool am_file_is_dir(const char *path);
bool am_file_size(const char *path, uint64_t *size_bytes);
/* mtime in ns since 1970 and inode, to notice that a file changed. */
typedef struct am_file_stamp {
  uint64_t size_bytes, mtime_ns, inode, device;
} am_file_stamp;
bool am_file_stamp_get(const char *path, am_file_stamp *out);
/* When the file was last read or written, whichever is later (seconds since 1970). */
bool am_file_last_used(const char *path, int64_t *unix_s);
adam_status am_dir_make(const char *path, adam_error *error); /* with parents; existing is fine */
/* Calls on_name for each entry except . and .., sorted by bytes; true = stop. */
adam_status am_dir_list(const char *path, bool (*on_name)(void *user, const char *name), void *user,
                        adam_error *error);
/* a + "/" + b, owned; NULL when memory is out. */
char *am_path_join(const char *a, const char *b);
char *am_path_dirname(const char *path); /* owned; "." when there is none */
const char *am_path_basename(const char *path);

/* Fault injection for tests: the n-th read or write from now fails; 0 = off. */
void am_file_fault_set(uint64_t n);
int am_file_fault_fired(void);
/* Called before every read, write, flush and rename; true = this one fails, with EIO in errno. */
bool am_file_fault_due(void);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* os/link: a second name for a file's bytes, as cheap as the file systems allow.
 * Purpose: one file in two stores. In: a regular file (links to it are followed). Out: the target, whole or
 *   not at all: a hard link where nothing stands, else made under a temporary name beside it, flushed, renamed. Errors: ADAM_NOT_FOUND,
 *   ADAM_IO with the system's words; ADAM_UNSUPPORTED where only a copy would do and none is allowed.
 *   Threads: any. */
#ifndef AM_OS_LINK_H
#define AM_OS_LINK_H

#include <adam/status.h>
#include <stdbool.h>

typedef enum am_link_method {
  AM_LINK_SAME,    /* the target is that very file already */
  AM_LINK_HARD,    /* one inode, two names: 0 bytes */
  AM_LINK_REFLINK, /* two inodes that share their blocks: 0 bytes */
  AM_LINK_COPY     /* the bytes are there twice */
} am_link_method;

/* "same", "hard link", "reflink", "copy" */
const char *am_link_method_name(am_link_method method);
/* Makes `target` the same bytes as `source`: by hard link, else by reflink, else by copy where may_copy. What
 * a copy or reflink makes has mode 0644 (the umask is not asked: other users' servers read it). replace:
 * whether an existing target may go; it is replaced itself when it is a link, never what it points to;
 * without, an existing target that is not the same file is ADAM_INVALID. *bytes_added: bytes of disk that
 * this took. A full disk is seen before the copy begins, and leaves nothing behind. */
adam_status am_link_file(const char *source, const char *target, bool replace, bool may_copy,
                         am_link_method *method, uint64_t *bytes_added, adam_error *error);
/* Which file is behind `path` (links are followed); `bytes`: what it takes on disk. Any may be NULL. false:
 * there is none, or it is no regular file. */
bool am_file_identity(const char *path, uint64_t *device, uint64_t *inode, uint64_t *n_links,
                      uint64_t *bytes);

/* For tests: methods not to be used, as bits (1 << AM_LINK_HARD | ...), as on other file systems. */
void am_link_forbid(unsigned methods);

#endif

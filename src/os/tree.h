/* SPDX-License-Identifier: Apache-2.0 */
/* os/tree: folders with all that is below them, links seen as links and never followed. Any thread. */
#ifndef AM_OS_TREE_H
#define AM_OS_TREE_H

#include <adam/status.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum am_tree_kind { AM_TREE_FILE, AM_TREE_FOLDER, AM_TREE_LINK, AM_TREE_OTHER } am_tree_kind;

typedef struct am_tree_entry {
  const char *path, *name; /* borrowed for the call; am_tree_look leaves both NULL */
  uint32_t depth;          /* 0 = directly in the root */
  am_tree_kind kind;
  uint64_t bytes, disk_bytes; /* length; what it takes on disk */
  uint64_t device, inode, n_links, mtime_ns, ctime_ns;
  uint32_t mode, owner; /* permission bits; user id */
} am_tree_entry;

typedef enum am_tree_step { AM_TREE_ON, AM_TREE_SKIP /* what is in this folder */, AM_TREE_STOP } am_tree_step;
typedef am_tree_step (*am_tree_on_entry)(void *user, const am_tree_entry *entry);

/* Each entry below `root`, folders before what is in them, names sorted by bytes. A root that is not there has
 * none; folders that cannot be read, and what is deeper than max_depth, are passed over. */
adam_status am_tree_walk(const char *root, uint32_t max_depth, am_tree_on_entry on_entry, void *user,
                         adam_error *error);
/* The entry at `path` itself, a link as a link; false: there is none. */
bool am_tree_look(const char *path, am_tree_entry *out);
/* The text of a link, owned; NULL: it is none, or memory is out. */
char *am_tree_link_text(const char *path);
/* Removes `path` and all below it. What is gone already is fine. */
adam_status am_tree_remove(const char *path, adam_error *error);

#endif

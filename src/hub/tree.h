/* SPDX-License-Identifier: Apache-2.0 */
/* hub/tree: what a model on the Hub consists of at one commit. Read from answers that nobody trusts: a path that
 * leads out of the model's folder, a digest that is none, more than 100,000 files are ADAM_DAMAGED. Immutable
 * after reading. */
#ifndef AM_HUB_TREE_H
#define AM_HUB_TREE_H

#include "base/arena.h"
#include "hub/remote.h"

typedef struct am_hub_file {
  const char *path; /* in the arena */
  uint64_t bytes;
  char etag[65];    /* 64 hex digits: SHA-256 of the content; 40: git's SHA-1 of it as a blob */
  char xet[65];     /* the name of the content in Xet storage; "" = none */
} am_hub_file;

/* Zero-initialise. */
typedef struct am_hub_tree {
  am_arena arena;
  am_hub_file *files; /* sorted by path; owned */
  size_t n_files, capacity;
  char commit[41];
} am_hub_tree;

void am_hub_tree_close(am_hub_tree *tree);
/* Asks the Hub: revision (NULL = main) to commit, then all pages of the listing. */
adam_status am_hub_tree_get(const am_hub_remote *remote, const char *repository, const char *revision,
                            const char *what, am_hub_tree *tree, adam_error *error);
/* NULL = not there. */
const am_hub_file *am_hub_tree_find(const am_hub_tree *tree, const char *path);

/* One page: adds its files, unsorted. */
adam_status am_hub_tree_read(const char *json, size_t n_bytes, const char *what, am_hub_tree *tree,
                             adam_error *error);
/* Sorts; two files of one path, or a file where another has its folder, are ADAM_DAMAGED. */
adam_status am_hub_tree_check(am_hub_tree *tree, const char *what, adam_error *error);
/* The commit of an answer of /api/models/REPOSITORY/revision/REVISION. */
adam_status am_hub_revision_read(const char *json, size_t n_bytes, const char *what, char commit[41],
                                 adam_error *error);
/* May a file of that path be written below a folder? Parts between '/', none empty, "." or "..", no backslash or
 * control character. */
bool am_hub_path_safe(const char *path);
bool am_hub_is_commit(const char *revision); /* 40 lower-case hex digits */

#endif

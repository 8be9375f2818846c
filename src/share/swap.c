/* SPDX-License-Identifier: Apache-2.0 */
/* The link is made beside the name as .adam-swap-RANDOM-NAME and exchanged with it (renameat2), so that what the name
 * had can be looked at again, and put back, before it goes. am_disk_clean knows this name. */
#include "share/swap.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/rng.h"
#include "os/file.h"
#include "os/link.h"
#include "os/tree.h"
#include "share/disk.h"

static const char swap_prefix[] = ".adam-swap-";
enum { RANDOM_DIGITS = 8, STALE_S = 3600, DEPTH = 12 };

static bool is_same(const am_tree_entry *entry, const am_item *item) {
  return entry->kind == AM_TREE_FILE && entry->inode == item->inode && entry->device == item->device &&
         entry->bytes == item->bytes && entry->mtime_ns == item->mtime_ns;
}

static adam_status changed(adam_error *error, const char *path) {
  return am_fail(error, ADAM_LIMIT, path, "try again", "it changed meanwhile");
}

static void flush_folder(const char *path) {
  char *folder = am_path_dirname(path);
  int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
  if (fd >= 0) {
    (void)fsync(fd);
    (void)close(fd);
  }
  am_mem_free(folder);
}

static bool exchange(const char *a, const char *b) {
  return renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) == 0;
}

/* Puts the new link in place of the name. Without an exchange on this file system the look comes just before. */
static adam_status put_in_place(const char *temporary, const am_item *item, adam_error *error) {
  am_tree_entry entry;
  char words[128];
  if (exchange(temporary, item->path)) {
    if (am_tree_look(temporary, &entry) && is_same(&entry, item)) return ADAM_OK;
    (void)exchange(temporary, item->path);
    return changed(error, item->path);
  }
  if (!am_tree_look(item->path, &entry) || !is_same(&entry, item)) return changed(error, item->path);
  if (errno != ENOENT && rename(temporary, item->path) == 0) return ADAM_OK;
  return am_fail(error, ADAM_IO, item->path, NULL, "cannot be replaced: %s", strerror_r(errno, words, sizeof words));
}

adam_status am_swap_link(const am_item *kept, const am_item *item, adam_error *error) {
  am_tree_entry entry;
  am_buf name = {0};
  am_link_method method = AM_LINK_COPY;
  uint64_t added = 0;
  char *folder = am_path_dirname(item->path);
  const char *base = am_path_basename(item->path);
  adam_status status = ADAM_OK;
  if (strlen(base) > 200) status = am_fail(error, ADAM_UNSUPPORTED, item->path, NULL, "its name is too long");
  if (!status && (!folder || !am_buf_printf(&name, "%s/%s%08" PRIx32 "-%s", folder, swap_prefix,
                                            (uint32_t)am_rng_system_seed(), base)))
    status = am_fail_memory(error, item->path);
  if (!status) status = am_link_file(kept->path, name.data, false, false, &method, &added, error);
  if (!status) {
    bool fine = am_tree_look(name.data, &entry) &&
                (method == AM_LINK_HARD ? is_same(&entry, kept) : entry.bytes == kept->bytes);
    status = fine ? put_in_place(name.data, item, error) : changed(error, kept->path);
    (void)unlink(name.data);
    flush_folder(item->path);
  }
  am_buf_close(&name);
  am_mem_free(folder);
  return status;
}

/* A swap that was killed: either the new link has not been exchanged yet, or the old file waits to go. Where the two
 * names hold the same bytes the temporary one goes. Where they do not, the name changed hands meanwhile: the file that
 * has one name only is nobody's twin and keeps, or gets back, the name. */
static void end_swap(const char *temporary, const char *name) {
  am_tree_entry old, now;
  char digest_old[65], digest_now[65];
  const char *rest = name + sizeof swap_prefix - 1 + RANDOM_DIGITS + 1;
  char *folder = am_path_dirname(temporary);
  char *target = folder && strlen(name) > (size_t)(rest - name) ? am_path_join(folder, rest) : NULL;
  if (target && am_tree_look(temporary, &old) && old.kind == AM_TREE_FILE) {
    if (!am_tree_look(target, &now)) {
      (void)rename(temporary, target);
    } else if (now.inode == old.inode) {
      (void)unlink(temporary);
    } else if (!am_share_hash(temporary, NULL, digest_old, NULL) && !am_share_hash(target, NULL, digest_now, NULL)) {
      if (strcmp(digest_old, digest_now) && old.n_links == 1 && now.n_links > 1) (void)exchange(temporary, target);
      (void)unlink(temporary);
    }
  }
  am_mem_free(target);
  am_mem_free(folder);
}

static bool is_temporary(const char *name) {
  size_t n = strlen(name);
  return !strncmp(name, ".adam-", 6) && n > 10 && !strcmp(name + n - 4, ".tmp");
}

static am_tree_step clean_one(void *user, const am_tree_entry *entry) {
  const int64_t *now_s = user;
  if (!strncmp(entry->name, swap_prefix, sizeof swap_prefix - 1) && entry->kind == AM_TREE_FILE)
    end_swap(entry->path, entry->name);
  else if (is_temporary(entry->name) && entry->kind != AM_TREE_FOLDER &&
           (int64_t)(entry->ctime_ns / 1000000000u) < *now_s - STALE_S)
    (void)unlink(entry->path); /* of a link or a write that was killed; younger ones may be under way */
  else if (entry->kind == AM_TREE_FOLDER && !strncmp(entry->name, ".adam-stage", 11))
    return AM_TREE_SKIP; /* the store's own */
  return AM_TREE_ON;
}

adam_status am_disk_clean(const am_places *places, adam_error *error) {
  int64_t now_s = (int64_t)time(NULL);
  adam_status status = ADAM_OK;
  for (size_t i = 0; i < places->n && !status; i++)
    status = am_tree_walk(places->roots[i].path, DEPTH, clean_one, &now_s, error);
  return status;
}

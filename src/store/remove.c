/* SPDX-License-Identifier: Apache-2.0 */
#include "store/state.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/file.h"

enum { FOLDER_FLAGS = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };

/* Goes down folder by folder, so that no link among them leads out of the store. */
adam_status am_store_unlink_manifest(am_store *store, const am_store_name *stored, adam_error *error) {
  const char *const parts[3] = {stored->host, stored->space, stored->model};
  int fds[4] = {open(store->manifests, O_RDONLY | O_DIRECTORY | O_CLOEXEC), -1, -1, -1};
  char shown[AM_STORE_NAME_BYTES];
  am_store_name_print(stored, shown);
  adam_status status = fds[0] < 0 ? am_store_fail_errno(error, store->manifests, "cannot be opened") : ADAM_OK;
  for (int i = 0; i < 3 && !status; i++) {
    fds[i + 1] = openat(fds[i], parts[i], FOLDER_FLAGS);
    if (fds[i + 1] >= 0) continue;
    status = errno == ELOOP || errno == ENOTDIR
                 ? am_fail(error, ADAM_DAMAGED, shown, NULL, "the folder %s of its manifest is a link", parts[i])
                 : am_store_fail_errno(error, shown, "its manifest cannot be removed");
  }
  if (!status && unlinkat(fds[3], stored->tag, 0) != 0)
    status = am_store_fail_errno(error, shown, "its manifest cannot be removed");
  if (!status) (void)fsync(fds[3]);
  for (int i = 2; i >= 0 && !status; i--) /* only where they are empty now */
    if (unlinkat(fds[i], parts[i], AT_REMOVEDIR) != 0) break;
  for (int i = 0; i < 4; i++)
    if (fds[i] >= 0) (void)close(fds[i]);
  return status;
}

/* Both spellings of a blob's name; links are removed, never what they point to. */
static void unlink_blob(int blobs_fd, const char *digest, uint64_t *bytes_freed) {
  static const char separators[] = "-:";
  for (size_t i = 0; separators[i]; i++) {
    am_buf name = {0};
    struct stat facts;
    am_buf_printf(&name, "sha256%c%.64s", separators[i], digest);
    if (!name.failed && fstatat(blobs_fd, name.data, &facts, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(facts.st_mode) &&
        unlinkat(blobs_fd, name.data, 0) == 0 && S_ISREG(facts.st_mode) && facts.st_nlink == 1 && bytes_freed)
      *bytes_freed += (uint64_t)facts.st_size;
    am_buf_close(&name);
  }
}

adam_status am_store_sweep(am_store *store, const am_store_model *gone, uint64_t *bytes_freed, bool *kept,
                           adam_error *error) {
  am_store_used used;
  uint64_t uses;
  adam_status status = am_store_used_open(store, NULL, &used, error);
  if (status) return status;
  bool sure = used.n_unreadable == 0;
  int fd = sure ? open(store->blobs, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
  for (size_t i = 0; i <= gone->n_layers && fd >= 0; i++) {
    const char *digest = i < gone->n_layers ? gone->layers[i].digest : gone->config.digest;
    if (!am_map_get(&used.digests, digest, 64, &uses)) unlink_blob(fd, digest, bytes_freed);
  }
  if (fd >= 0) (void)close(fd);
  am_store_used_close(&used);
  *kept = !sure;
  return ADAM_OK;
}

adam_status am_store_remove(am_store *store, const am_store_name *name, uint64_t *bytes_freed, bool *kept,
                            adam_error *error) {
  am_store_model *model = NULL;
  am_store_name stored;
  char *path = NULL;
  uint64_t freed = 0;
  bool are_kept = true; /* a manifest that cannot be read goes; which blobs were its own is not known */
  adam_status status = am_store_writable(store, error);
  if (status) return status;
  int lock = am_store_lock(store);
  status = am_stage_recover(store, error);
  if (!status) status = am_store_locate(store, name, &stored, &path, error);
  if (!status) status = am_store_model_open(store, &stored, &model, error);
  if (!status || (status == ADAM_DAMAGED && path)) status = am_store_unlink_manifest(store, &stored, error);
  if (!status && model) status = am_store_sweep(store, model, &freed, &are_kept, error);
  if (!status && bytes_freed) *bytes_freed = freed;
  if (!status && kept) *kept = are_kept;
  am_store_unlock(lock);
  am_mem_free(path);
  am_store_model_close(&model);
  return status;
}

/* Under the lock: the manifest's very bytes get a second name. */
static adam_status copy_locked(am_store *store, const am_store_name *from, const am_store_name *to,
                               am_store_name *stored, adam_error *error) {
  char *path = NULL, *there = NULL, shown[AM_STORE_NAME_BYTES];
  am_store_model *model = NULL;
  am_buf text = {0};
  adam_error why;
  adam_status status = am_stage_recover(store, error);
  if (!status) status = am_store_locate(store, from, stored, &path, error);
  if (status) return status;
  status = am_store_locate(store, to, NULL, &there, &why);
  am_mem_free(there);
  if (!status) {
    am_store_name_print(to, shown);
    status = am_fail(error, ADAM_INVALID, shown, "choose another name", "a model of this name is there already");
  } else if (status == ADAM_NOT_FOUND) {
    status = am_store_model_open(store, stored, &model, error);
  } else if (error) {
    *error = why;
  }
  if (!status) status = am_file_read(path, AM_STORE_MANIFEST_LIMIT, &text, error);
  if (!status && !model->config.is_missing) status = am_stage_keep(store, model->config.digest, error);
  for (size_t i = 0; !status && i < model->n_layers; i++)
    if (!model->layers[i].is_missing) status = am_stage_keep(store, model->layers[i].digest, error);
  if (!status) status = am_store_publish_text(store, to, text.data, text.len, error);
  am_stage_drop(store);
  am_store_model_close(&model);
  am_buf_close(&text);
  am_mem_free(path);
  return status;
}

adam_status am_store_copy(am_store *store, const am_store_name *from, const am_store_name *to, adam_error *error) {
  am_store_name stored;
  adam_status status = am_store_writable(store, error);
  if (status) return status;
  int lock = am_store_lock(store);
  status = copy_locked(store, from, to, &stored, error);
  am_store_unlock(lock);
  return status;
}

adam_status am_store_rename(am_store *store, const am_store_name *from, const am_store_name *to, adam_error *error) {
  am_store_name stored;
  adam_status status = am_store_writable(store, error);
  if (status) return status;
  int lock = am_store_lock(store);
  status = copy_locked(store, from, to, &stored, error);
  if (!status) status = am_store_unlink_manifest(store, &stored, error);
  am_store_unlock(lock);
  return status;
}

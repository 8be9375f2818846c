/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/local.h"

#include "base/buf.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/mem.h"
#include "os/file.h"
#include "os/link.h"
#include "store/store.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { STEP_BYTES = 1 << 20 };

/* Does the file have the digest? */
static bool has_digest(const char *path, const char *sha256, bool (*cancelled)(void *user), void *user) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  am_sha256 *digest = am_sha256_open();
  char *buffer = am_mem_alloc(STEP_BYTES);
  bool whole = fd >= 0 && digest && buffer;
  for (ssize_t n = 1; whole && n != 0;) {
    n = read(fd, buffer, STEP_BYTES);
    if (n < 0 && errno == EINTR) continue;
    whole = n >= 0 && !cancelled(user) && am_sha256_update(digest, buffer, (size_t)n);
  }
  uint8_t raw[32];
  char hex[65] = "";
  if (whole && am_sha256_final(digest, raw)) am_hex(raw, sizeof raw, hex);
  am_mem_free(buffer);
  am_sha256_close(&digest);
  if (fd >= 0) close(fd);
  return strcmp(hex, sha256) == 0;
}

static bool take_from(const char *path, const am_hub_file *file, const char *blob, bool (*cancelled)(void *user),
                      void *user) {
  uint64_t size = 0, added = 0;
  am_link_method method = AM_LINK_SAME;
  bool taken = am_file_size(path, &size) && size == file->bytes && has_digest(path, file->etag, cancelled, user) &&
               am_link_file(path, blob, true, true, &method, &added, NULL) == ADAM_OK;
  if (taken) am_log(AM_LOG_INFO, "hub: %s came from %s by %s", file->path, path, am_link_method_name(method));
  return taken;
}

static bool take_shared(const char *cache, const am_hub_file *file, const char *blob, bool (*cancelled)(void *user),
                        void *user) {
  am_buf path = {0};
  if (!file->xet[0] || am_hub_variable_is_set("HF_HUB_DISABLE_SHARED_BLOBS")) return false;
  am_buf_printf(&path, "%s/blobs/%.2s/%s", cache, file->xet, file->xet);
  bool taken = !path.failed && take_from(path.data, file, blob, cancelled, user);
  am_buf_close(&path);
  return taken;
}

bool am_hub_local_take(const char *cache, const am_hub_file *file, const char *blob, bool (*cancelled)(void *user),
                       void *user) {
  char *roots[AM_STORE_ROOTS] = {0};
  size_t n = am_store_roots(roots);
  bool taken = take_shared(cache, file, blob, cancelled, user);
  for (size_t i = 0; i < n; i++) {
    am_buf path = {0};
    am_buf_printf(&path, "%s/blobs/sha256-%s", roots[i], file->etag);
    if (!taken && !path.failed) taken = take_from(path.data, file, blob, cancelled, user);
    am_buf_close(&path);
    am_mem_free(roots[i]);
  }
  return taken;
}

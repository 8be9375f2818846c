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

static bool take_from(const char *root, const char *sha256, uint64_t bytes, const char *blob,
                      bool (*cancelled)(void *user), void *user) {
  am_buf path = {0};
  uint64_t size = 0, added = 0;
  am_link_method method = AM_LINK_SAME;
  bool taken = am_buf_printf(&path, "%s/blobs/sha256-%s", root, sha256) && am_file_size(path.data, &size) &&
               size == bytes && has_digest(path.data, sha256, cancelled, user) &&
               am_link_file(path.data, blob, true, true, &method, &added, NULL) == ADAM_OK;
  if (taken) am_log(AM_LOG_INFO, "hub: %s came from %s by %s", sha256, root, am_link_method_name(method));
  am_buf_close(&path);
  return taken;
}

bool am_hub_local_take(const char *sha256, uint64_t bytes, const char *blob, bool (*cancelled)(void *user),
                       void *user) {
  char *roots[AM_STORE_ROOTS] = {0};
  size_t n = am_store_roots(roots);
  bool taken = false;
  for (size_t i = 0; i < n; i++) {
    if (!taken) taken = take_from(roots[i], sha256, bytes, blob, cancelled, user);
    am_mem_free(roots[i]);
  }
  return taken;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "share/share.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "os/file.h"

/* blobs/HEX of a repository in the cache, or an Ollama store's blobs/sha256-HEX. */
static bool digest_by_name(const char *real, char digest[65]) {
  const char *base = am_path_basename(real);
  char *folder = am_path_dirname(real);
  bool in_blobs = folder && !strcmp(am_path_basename(folder), "blobs");
  am_mem_free(folder);
  bool is_digest = strlen(base) == 64 && strspn(base, "0123456789abcdef") == 64;
  if (in_blobs && is_digest) memcpy(digest, base, 65);
  return in_blobs && (is_digest || am_store_digest_parse(base, digest));
}

adam_status am_share_digest(const char *path, am_journal *journal, am_work *work, char digest[65], adam_error *error) {
  am_file_stamp stamp;
  char *real = realpath(path, NULL);
  adam_status status = ADAM_OK;
  bool known = real && (digest_by_name(real, digest) ||
                        (am_file_stamp_get(real, &stamp) && am_journal_digest(journal, stamp.device, stamp.inode,
                                                                              stamp.size_bytes, stamp.mtime_ns, digest)));
  if (!known) {
    uint64_t bytes = 0;
    if (work && am_file_size(path, &bytes)) {
      work->doing = "reading";
      work->done = 0;
      work->total = bytes;
    }
    status = am_share_hash(path, work, digest, error);
  }
  free(real);
  return status;
}

void am_share_note(am_journal *journal, const char *path, const char *digest, am_place place, const char *owner,
                   const char *origin) {
  am_file_stamp stamp;
  char *real = realpath(path, NULL);
  if (real && am_file_stamp_get(real, &stamp)) {
    const am_journal_record record = {real,          digest, stamp.size_bytes, stamp.device, stamp.inode, stamp.mtime_ns,
                                      am_place_name(place), owner,  origin};
    (void)am_journal_note(journal, &record, NULL);
  }
  free(real);
}

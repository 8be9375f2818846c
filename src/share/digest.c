/* SPDX-License-Identifier: Apache-2.0 */
#include "share/share.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
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

adam_status am_share_digest(const char *path, bool believe_name, am_journal *journal, am_work *work, char digest[65],
                            adam_error *error) {
  am_file_stamp stamp;
  char named[65] = "", *real = realpath(path, NULL);
  adam_status status = ADAM_OK;
  bool is_named = real && digest_by_name(real, named);
  if (is_named && believe_name) {
    memcpy(digest, named, 65);
  } else if (!real || !am_file_stamp_get(real, &stamp) ||
             !am_journal_digest(journal, stamp.device, stamp.inode, stamp.size_bytes, stamp.mtime_ns, digest)) {
    uint64_t bytes = 0;
    if (work && am_file_size(path, &bytes)) {
      work->doing = "reading";
      work->done = 0;
      work->total = bytes;
    }
    status = am_share_hash(path, work, digest, error);
  }
  if (!status && is_named && strcmp(named, digest) != 0)
    status = am_fail(error, ADAM_DAMAGED, path, "adam verify tells more; remove the model and get it again",
                     "the content is not what the blob's name says");
  free(real);
  return status;
}

void am_share_remember(am_journal *journal, const char *path, const char *digest) {
  char *real = realpath(path, NULL), *converted = am_places_converted();
  size_t n = converted ? strlen(converted) : 0;
  am_place place = real && strstr(real, "/models--")           ? AM_PLACE_HUGGINGFACE
                   : real && strstr(real, "/blobs/sha256-")     ? AM_PLACE_OLLAMA
                   : n && real && !strncmp(real, converted, n) ? AM_PLACE_CONVERTED
                                                                : AM_PLACE_ADAM;
  if (real) am_share_note(journal, real, digest, place, NULL, NULL);
  am_mem_free(converted);
  free(real);
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

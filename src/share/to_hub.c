/* SPDX-License-Identifier: Apache-2.0 */
#include "share/share.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "formats/gguf.h"
#include "hub/cache.h"
#include "hub/layout.h"
#include "hub/places.h"
#include "os/file.h"
#include "os/link.h"
#include "os/tree.h"

/* The digest's first 40 digits stand for the commit: the same content is the same revision. */
static void commit_of(const char digest[65], char commit[41]) {
  memcpy(commit, digest, 40);
  commit[40] = 0;
}

/* NAME.gguf of ORG/NAME. */
static char *file_name(const char *repository) {
  const char *slash = strrchr(repository, '/');
  am_buf name = {0};
  am_buf_printf(&name, "%s.gguf", slash ? slash + 1 : repository);
  return am_buf_take(&name);
}

/* Whether the cache has the repository, and if so with this very content. */
static adam_status look_at_name(const am_hub_layout *layout, const am_share_request *request, const char *file,
                                const char *digest, uint64_t bytes, bool *same, adam_error *error) {
  char *snapshot = NULL;
  *same = am_hub_layout_has(layout, file, digest, bytes);
  if (*same) return ADAM_OK;
  adam_status status = am_hub_snapshot(layout->cache, request->name, NULL, &snapshot, NULL);
  bool other = status == ADAM_OK && strcmp(am_path_basename(snapshot), layout->commit) != 0;
  am_mem_free(snapshot);
  if (status == ADAM_NO_MEMORY) return am_fail_memory(error, request->name);
  return other ? am_fail(error, ADAM_INVALID, request->display, "choose another name with --name",
                         "the cache has another model called %s; it stays as it is", request->name)
               : ADAM_OK;
}

static adam_status check_gguf(const char *path, adam_error *error) {
  am_gguf *file = NULL;
  adam_status status = am_gguf_open(path, &file, error);
  if (!status && am_gguf_n_parts(file) > 1)
    status = am_fail(error, ADAM_UNSUPPORTED, path, "adam convert makes one file of them", "a GGUF in several parts");
  am_gguf_close(&file);
  return status;
}

/* The blob, its name in the snapshot, then the ref: whoever looks in between sees no model or all of it. */
static adam_status write_snapshot(const am_hub_layout *layout, const char *source, const char *file,
                                  am_share_outcome *out, adam_error *error) {
  am_link_method method = AM_LINK_COPY;
  am_lock *lock = NULL;
  uint64_t added = 0;
  char *blob = am_hub_layout_blob(layout, out->digest), *lock_path = am_hub_layout_lock(layout, out->digest);
  adam_status status = blob && lock_path ? am_hub_layout_prepare(layout, error) : am_fail_memory(error, source);
  if (!status) status = am_lock_open(lock_path, AM_LOCK_FOREVER, NULL, NULL, &lock, error);
  if (!status) status = am_link_file(source, blob, true, true, &method, &added, error);
  if (!status) status = am_hub_layout_place(layout, file, out->digest, AM_HUB_LINK, error);
  if (!status) status = am_hub_layout_ref(layout, "main", error);
  am_lock_close(&lock);
  am_mem_free(lock_path);
  am_mem_free(blob);
  out->bytes_added += added;
  out->method = am_link_method_name(method);
  return status;
}

static void foretell(const am_hub_layout *layout, const char *source, am_share_outcome *out) {
  uint64_t here = 0;
  am_tree_entry cache;
  bool other_disk = am_file_identity(source, &here, NULL, NULL, NULL) && am_tree_look(layout->cache, &cache) &&
                    here != cache.device;
  out->method = am_link_method_name(other_disk ? AM_LINK_COPY : AM_LINK_HARD);
  if (other_disk) out->bytes_added = out->bytes_linked;
}

adam_status am_share_to_hub(const am_share_request *request, am_share_outcome *out, adam_error *error) {
  am_share_outcome outcome = {.method = am_link_method_name(AM_LINK_SAME), .template_name = ""};
  am_hub_layout layout = {0};
  am_journal *journal = NULL;
  char *caches[2] = {0}, *file = file_name(request->name), commit[41];
  bool same = false;
  if (!am_hub_name_valid(request->name) || strlen(request->name) >= sizeof outcome.name) {
    am_mem_free(file);
    return am_fail(error, ADAM_INVALID, request->name, "names look like ORG/NAME", "not a repository name of the Hub");
  }
  size_t n_caches = am_hub_caches(request->cache_dir, caches);
  (void)snprintf(outcome.name, sizeof outcome.name, "%s", request->name);
  (void)am_journal_open(NULL, &journal, NULL, NULL);
  adam_status status = !file         ? am_fail_memory(error, request->name)
                       : n_caches == 0 ? am_fail(error, ADAM_NOT_FOUND, request->name, "set HOME or HF_HOME",
                                                 "there is no cache folder")
                                       : check_gguf(request->path, error);
  if (!status) status = am_share_digest(request->path, request->dry_run, journal, request->work, outcome.digest, error);
  if (!status && !am_file_size(request->path, &outcome.bytes_linked))
    status = am_fail(error, ADAM_NOT_FOUND, request->path, NULL, "it is gone");
  if (!status) {
    commit_of(outcome.digest, commit);
    status = am_hub_layout_open(caches[0], request->name, commit, &layout, error);
  }
  if (!status)
    status = look_at_name(&layout, request, file, outcome.digest, outcome.bytes_linked, &same, error);
  if (!status && !same && request->dry_run) {
    foretell(&layout, request->path, &outcome);
  } else if (!status && !same) {
    am_share_remember(journal, request->path, outcome.digest);
    status = write_snapshot(&layout, request->path, file, &outcome, error);
    am_buf origin = {0};
    char *blob = status ? NULL : am_hub_layout_blob(&layout, outcome.digest);
    if (blob && am_buf_printf(&origin, "shared %s", request->display))
      am_share_note(journal, blob, outcome.digest, AM_PLACE_HUGGINGFACE, request->name, origin.data);
    am_buf_close(&origin);
    am_mem_free(blob);
  }
  if (!status) *out = outcome;
  am_hub_layout_close(&layout);
  am_journal_close(&journal);
  for (size_t i = 0; i < n_caches; i++) am_mem_free(caches[i]);
  am_mem_free(file);
  return status;
}

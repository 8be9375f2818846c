/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of a Hub: listings, revisions, indexes of shards, headers. The first byte says which. What is accepted
 * stays inside of the model's folder and is consistent. */
#include "base/mem.h"
#include "hub/headers.h"
#include "hub/select.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void listing(const char *text, size_t n) {
  am_hub_tree tree = {0};
  adam_error error = {0};
  adam_status status = am_hub_tree_read(text, n, "fuzz", &tree, &error);
  if (!status) status = am_hub_tree_check(&tree, "fuzz", &error);
  if (status && !*error.why) abort();
  bool *wanted = am_mem_zalloc(tree.n_files + 1, sizeof *wanted);
  static const char *const choices[] = {NULL, "q8_0", "a.gguf", "a.safetensors"};
  for (size_t i = 0; i < 4 && !status && wanted; i++) {
    memset(wanted, 0, tree.n_files);
    if (am_hub_select(&tree, choices[i], "fuzz", wanted, &error) && !*error.why) abort();
    am_hub_select_shards(&tree, text, n, "fuzz", wanted, &error);
  }
  for (size_t i = 0; i < tree.n_files && !status; i++) {
    const am_hub_file *f = &tree.files[i];
    size_t n_etag = strlen(f->etag);
    if (!am_hub_path_safe(f->path) || (n_etag != 40 && n_etag != 64) || am_hub_tree_find(&tree, f->path) != f) abort();
    if (strspn(f->etag, "0123456789abcdef") != n_etag) abort();
  }
  am_mem_free(wanted);
  am_hub_tree_close(&tree);
}

static void headers(const char *text) {
  uint64_t first, last, total;
  char etag[65];
  am_mem_free(am_hub_link_next(text));
  double wait = am_hub_wait_seconds(text, NULL, 1) + am_hub_wait_seconds(NULL, text, 1);
  if (!(wait >= 0 && wait <= 7200)) abort();
  if (am_hub_etag(text, etag) && strspn(etag, "0123456789abcdef") != strlen(etag)) abort();
  if (am_hub_content_range(text, &first, &last, &total) && (first > last || last >= total)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  char *text = am_mem_dup(data + 1, size - 1);
  char commit[41];
  adam_error error = {0};
  if (data[0] == 'h')
    headers(text);
  else if (data[0] == 'r') {
    if (!am_hub_revision_read(text, size - 1, "fuzz", commit, &error) && !am_hub_is_commit(commit)) abort();
  } else
    listing(text, size - 1);
  am_mem_free(text);
  return 0;
}

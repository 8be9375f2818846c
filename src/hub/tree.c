/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/tree.h"

#include "base/json.h"
#include "base/mem.h"
#include "hub/headers.h"
#include <stdlib.h>
#include <string.h>

enum { MAX_FILES = 100000, MAX_PAGES = 1000, MAX_PATH = 1024, MAX_PART = 255 };

void am_hub_tree_close(am_hub_tree *tree) {
  am_arena_close(&tree->arena);
  am_mem_free(tree->files);
  *tree = (am_hub_tree){0};
}

bool am_hub_path_safe(const char *path) {
  if (strlen(path) > MAX_PATH) return false;
  for (const char *part = path;;) {
    size_t n = strcspn(part, "/");
    if (n == 0 || n > MAX_PART || (part[0] == '.' && (n == 1 || (n == 2 && part[1] == '.')))) return false;
    for (size_t i = 0; i < n; i++)
      if ((unsigned char)part[i] < 0x20 || part[i] == 0x7F || part[i] == '\\') return false;
    if (part[n] == 0) return true;
    part += n + 1;
  }
}

bool am_hub_is_commit(const char *revision) {
  return strlen(revision) == 40 && strspn(revision, "0123456789abcdef") == 40;
}

static adam_status add_file(am_hub_tree *tree, const am_json *row, const char *what, adam_error *error) {
  const am_json *name = am_json_get(row, "path"), *lfs = am_json_get(row, "lfs");
  const am_json *source = lfs && lfs->type == AM_JSON_OBJECT ? lfs : row;
  const char *path = am_json_str(name, NULL);
  const am_json *size = am_json_get(source, "size");
  int64_t bytes = size && size->type == AM_JSON_INT ? size->as.integer : -1;
  am_hub_file file = {.bytes = (uint64_t)bytes};
  if (!path || strlen(path) != name->n || !am_hub_path_safe(path))
    return am_fail(error, ADAM_DAMAGED, what, NULL,
                   "the server lists a file that would lie outside of the model's folder: '%.100s'", path ? path : "");
  if (bytes < 0 || !am_hub_etag(am_json_str(am_json_get(source, "oid"), ""), file.etag) ||
      (source == lfs) != (strlen(file.etag) == 64))
    return am_fail(error, ADAM_DAMAGED, what, NULL, "the server lists %.100s without a size and a digest", path);
  const char *xet = am_json_str(am_json_get(row, "xetHash"), "");
  if (strlen(xet) == 64 && strspn(xet, "0123456789abcdef") == 64) memcpy(file.xet, xet, 65);
  if (tree->n_files >= MAX_FILES)
    return am_fail(error, ADAM_DAMAGED, what, NULL, "the server lists more than %d files", MAX_FILES);
  if (tree->n_files == tree->capacity) {
    size_t capacity = tree->capacity ? tree->capacity * 2 : 64;
    am_hub_file *files = am_mem_resize(tree->files, capacity, sizeof *files);
    if (!files) return am_fail_memory(error, what);
    tree->files = files;
    tree->capacity = capacity;
  }
  file.path = am_arena_dup(&tree->arena, path, strlen(path));
  if (!file.path) return am_fail_memory(error, what);
  tree->files[tree->n_files++] = file;
  return ADAM_OK;
}

adam_status am_hub_tree_read(const char *json, size_t n_bytes, const char *what, am_hub_tree *tree,
                             adam_error *error) {
  am_arena arena = {.limit_bytes = (size_t)1 << 30};
  am_json rows = {0};
  adam_status status = am_json_parse(json, n_bytes, what, 0, &arena, &rows, error);
  if (!status && rows.type != AM_JSON_ARRAY)
    status = am_fail(error, ADAM_DAMAGED, what, "is HF_ENDPOINT a Hub?", "the server's listing is no list");
  for (uint32_t i = 0; !status && i < rows.n; i++) {
    const am_json *row = am_json_at(&rows, i);
    if (strcmp(am_json_str(am_json_get(row, "type"), ""), "file") == 0) status = add_file(tree, row, what, error);
  }
  am_arena_close(&arena);
  return status;
}

static int by_path(const void *a, const void *b) {
  return strcmp(((const am_hub_file *)a)->path, ((const am_hub_file *)b)->path);
}

const am_hub_file *am_hub_tree_find(const am_hub_tree *tree, const char *path) {
  const am_hub_file key = {.path = path};
  return tree->n_files ? bsearch(&key, tree->files, tree->n_files, sizeof key, by_path) : NULL;
}

adam_status am_hub_tree_check(am_hub_tree *tree, const char *what, adam_error *error) {
  char folder[MAX_PATH + 1];
  if (tree->n_files) qsort(tree->files, tree->n_files, sizeof *tree->files, by_path);
  for (size_t i = 0; i < tree->n_files; i++) {
    const char *path = tree->files[i].path;
    bool twice = i > 0 && strcmp(tree->files[i - 1].path, path) == 0;
    for (const char *slash = strchr(path, '/'); slash && !twice; slash = strchr(slash + 1, '/')) {
      memcpy(folder, path, (size_t)(slash - path));
      folder[slash - path] = 0;
      twice = am_hub_tree_find(tree, folder) != NULL;
    }
    if (twice) return am_fail(error, ADAM_DAMAGED, what, NULL, "the server lists %.100s twice", path);
  }
  return ADAM_OK;
}

adam_status am_hub_revision_read(const char *json, size_t n_bytes, const char *what, char commit[41],
                                 adam_error *error) {
  am_arena arena = {.limit_bytes = (size_t)1 << 30};
  am_json answer = {0};
  adam_status status = am_json_parse(json, n_bytes, what, 0, &arena, &answer, error);
  const char *sha = status ? "" : am_json_str(am_json_get(&answer, "sha"), "");
  if (!status && !am_hub_is_commit(sha))
    status = am_fail(error, ADAM_DAMAGED, what, "is HF_ENDPOINT a Hub?", "the server's answer names no commit");
  if (!status) memcpy(commit, sha, 41);
  am_arena_close(&arena);
  return status;
}

/* ENDPOINT/api/models/REPOSITORY/VERB/REVISION QUERY, owned. */
static char *api_url(const am_hub_remote *remote, const char *repository, const char *verb, const char *revision,
                     const char *query) {
  am_buf url = {0};
  am_buf_printf(&url, "%s/api/models/%s/%s/", remote->endpoint, repository, verb);
  am_hub_append_encoded(&url, revision, false);
  am_buf_append_str(&url, query);
  return am_buf_take(&url);
}

static adam_status get_commit(const am_hub_remote *remote, const am_hub_subject *subject, am_hub_tree *tree,
                              adam_error *error) {
  am_buf body = {0};
  am_http_response response = {0};
  char *url = api_url(remote, subject->repository, "revision", subject->revision, "");
  adam_status status = url ? am_hub_get(remote, url, subject, &body, &response, error)
                           : am_fail_memory(error, subject->what);
  if (!status) status = am_hub_revision_read(body.data ? body.data : "", body.len, subject->what, tree->commit, error);
  am_http_response_close(&response);
  am_buf_close(&body);
  am_mem_free(url);
  return status;
}

adam_status am_hub_tree_get(const am_hub_remote *remote, const char *repository, const char *revision,
                            const char *what, am_hub_tree *tree, adam_error *error) {
  const am_hub_subject subject = {what, repository, revision ? revision : "main", NULL};
  adam_status status = ADAM_OK;
  if (am_hub_is_commit(subject.revision))
    memcpy(tree->commit, subject.revision, 41);
  else
    status = get_commit(remote, &subject, tree, error);
  if (status) return status;
  am_buf body = {0};
  char *url = api_url(remote, repository, "tree", tree->commit, "?recursive=true");
  if (!url) status = am_fail_memory(error, what);
  for (int page = 0; url && !status; page++) {
    am_http_response response = {0};
    if (page == MAX_PAGES)
      status = am_fail(error, ADAM_DAMAGED, what, NULL, "the server's listing does not end");
    else
      status = am_hub_get(remote, url, &subject, &body, &response, error);
    am_mem_free(url);
    url = NULL;
    if (!status) status = am_hub_tree_read(body.data ? body.data : "", body.len, what, tree, error);
    if (!status) url = am_hub_link_next(am_http_header(&response, "link"));
    am_http_response_close(&response);
  }
  am_mem_free(url);
  am_buf_close(&body);
  return status ? status : am_hub_tree_check(tree, what, error);
}

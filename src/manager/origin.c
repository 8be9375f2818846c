/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/origin.h"

#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"
#include "base/mem.h"
#include "hub/places.h"
#include "manager/stored.h"
#include "os/file.h"

static void add_string(am_buf *out, const char *key, const char *text, size_t n_bytes) {
  am_buf_printf(out, ",\"%s\":", key);
  am_json_write_string(out, text, n_bytes);
}

typedef struct revisions {
  am_buf *out;
  const char *folder; /* refs */
  const char *commit;
  size_t n_commit, n;
} revisions;

static bool see_revision(void *user, const char *name) {
  enum { REF_LIMIT = 256 };
  revisions *r = user;
  am_buf text = {0};
  char *path = am_path_join(r->folder, name);
  bool same = path && am_file_is_regular(path) && !am_file_read(path, REF_LIMIT, &text, NULL) && text.len >= r->n_commit &&
              !memcmp(text.data, r->commit, r->n_commit);
  if (same) {
    if (r->n++ > 0) am_buf_append_char(r->out, ',');
    am_json_write_string(r->out, name, strlen(name));
  }
  am_buf_close(&text);
  am_mem_free(path);
  return false;
}

/* ROOT/models--ORG--NAME/snapshots/COMMIT[/FILE]; false: path is nothing like that. */
static bool describe_snapshot(const char *path, am_buf *out) {
  static const char prefix[] = "/models--", middle[] = "/snapshots/";
  const char *at = strstr(path, middle), *folder = NULL;
  for (const char *next = path; at && (next = strstr(next, prefix)) && next < at; next++) folder = next;
  if (!folder || memchr(folder + 1, '/', (size_t)(at - folder - 1))) return false;
  const char *name = folder + sizeof prefix - 1, *commit = at + sizeof middle - 1;
  size_t n_commit = strcspn(commit, "/");
  am_buf repository = {0}, refs = {0};
  for (const char *c = name; c < at; c++) {
    bool cut = c + 1 < at && c[0] == '-' && c[1] == '-';
    am_buf_append_char(&repository, cut ? '/' : *c);
    if (cut) c++;
  }
  am_buf_printf(&refs, "%.*s/refs", (int)(at - path), path);
  am_buf_append_str(out, "\"huggingface\"");
  add_string(out, "root", path, (size_t)(folder - path));
  add_string(out, "repository", repository.data ? repository.data : "", repository.len);
  add_string(out, "commit", commit, n_commit);
  am_buf_append_str(out, ",\"revisions\":[");
  revisions r = {.out = out, .folder = refs.data, .commit = commit, .n_commit = n_commit};
  if (refs.data) (void)am_dir_list(refs.data, see_revision, &r, NULL);
  am_buf_append_char(out, ']');
  if (commit[n_commit] && commit[n_commit + 1]) add_string(out, "file", commit + n_commit + 1, strlen(commit + n_commit + 1));
  if (repository.failed || refs.failed) out->failed = true;
  am_buf_close(&repository);
  am_buf_close(&refs);
  return true;
}

static const char *own_store(const char *path) {
  char *models = am_hub_models_dir(), *demo = NULL;
  const char *store = "file";
  size_t n = models ? strlen(models) : 0;
  if (models && !strncmp(path, models, n) && path[n] == '/') store = "adam";
  else if (!am_hub_demo(&demo, NULL) && !strcmp(path, demo)) store = "shipped";
  am_mem_free(models);
  am_mem_free(demo);
  return store;
}

adam_status am_origin_of(const char *path, char **json, adam_error *error) {
  am_buf out = {0};
  am_stored_files files;
  adam_status status = am_stored_files_open(&files, error);
  if (status) return status;
  am_buf_append_str(&out, "{\"store\":");
  if (!describe_snapshot(path, &out)) am_buf_printf(&out, "\"%s\"", own_store(path));
  am_buf_append_str(&out, ",\"also\":[");
  for (size_t i = am_stored_files_find(&files, path, 0), n = 0; i < files.n; i = am_stored_files_find(&files, path, i + 1)) {
    if (n++ > 0) am_buf_append_char(&out, ',');
    am_json_write_string(&out, files.items[i].name, strlen(files.items[i].name));
  }
  am_buf_append_str(&out, "]}");
  am_stored_files_close(&files);
  *json = am_buf_take(&out);
  return *json ? ADAM_OK : am_fail_memory(error, path);
}

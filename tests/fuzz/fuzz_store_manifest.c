/* SPDX-License-Identifier: Apache-2.0 */
/* A store with one manifest (the input up to its first NUL) and one blob of 64 bytes (the rest, filled up with blanks)
 * whose digest is 64 times 'a': whatever kind of layer the manifest makes of it. */
#include "base/buf.h"
#include "base/mem.h"
#include "os/file.h"
#include "store/store.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char root[64] = "/nonexistent";

static void remove_root(void) {
  char command[100];
  (void)snprintf(command, sizeof command, "rm -rf '%s'", root);
  (void)!system(command);
}

static void put(const char *folder, const char *name, const void *bytes, size_t n) {
  char path[256];
  (void)snprintf(path, sizeof path, "%s/%s", root, folder);
  if (am_dir_make(path, NULL)) abort();
  (void)snprintf(path, sizeof path, "%s/%s/%s", root, folder, name);
  FILE *file = fopen(path, "wb");
  if (!file || fwrite(bytes, 1, n, file) != n || fclose(file)) abort();
  const struct timespec old[2] = {{.tv_sec = 1}, {.tv_sec = 1}}; /* a fresh damaged one is read again */
  (void)utimensat(AT_FDCWD, path, old, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char digest[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
  if (*root == '/' && !strcmp(root, "/nonexistent")) {
    const char *folder = getenv("TMPDIR");
    (void)snprintf(root, sizeof root, "%.40s/fuzz_store_XXXXXX", folder ? folder : "/tmp");
    if (!mkdtemp(root)) abort();
    (void)atexit(remove_root);
  }
  const uint8_t *end = size ? memchr(data, 0, size) : NULL;
  size_t n = end ? (size_t)(end - data) : size, n_blob = end ? size - n - 1 : 0;
  char blob[64];
  memset(blob, ' ', sizeof blob);
  if (n_blob > 0) memcpy(blob, end + 1, n_blob < sizeof blob ? n_blob : sizeof blob);
  put("manifests/registry.ollama.ai/library/m", "latest", data, n);
  put("blobs", "sha256-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", blob, sizeof blob);
  am_store *store = NULL;
  am_store_model *model = NULL;
  am_store_name name;
  adam_error error = {0};
  size_t n_uses;
  if (am_store_open(root, false, &store, NULL) || am_store_name_parse("m", &name, NULL)) abort();
  adam_status status = am_store_model_open(store, &name, &model, &error);
  if (status ? status != ADAM_DAMAGED || !*error.why : !model->config.path) abort();
  for (size_t i = 0; !status && i < model->n_layers; i++) {
    const char *path = model->layers[i].path;
    if (strncmp(path, root, strlen(root)) != 0 || strstr(path, "..")) abort();
  }
  if (!status) (void)am_store_model_check(model, &error);
  (void)am_store_uses(store, digest, NULL, &n_uses, NULL);
  am_store_model_close(&model);
  am_store_close(&store);
  return 0;
}

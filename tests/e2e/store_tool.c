/* SPDX-License-Identifier: Apache-2.0 */
/* What store_test.py does to a store, through the store's room alone:
 *   store_tool publish ROOT NAME GGUF CONFIG-JSON [KIND TEXT]...   prints "METHOD BYTES_ADDED"
 *   store_tool replace ...                                         the same over an existing name
 *   store_tool remove ROOT NAME                                    prints "BYTES_FREED KEPT"
 *   store_tool copy|rename ROOT FROM TO
 *   store_tool loop ROOT NAME GGUF CONFIG-JSON N                   publishes NAME-0, NAME-1, ..., and checks each
 *   store_tool each ROOT NAME GGUF CONFIG-JSON N                   the same, each with its name as its system text
 * Exit codes as adam's. STORE_TOOL_FORBID: methods of linking not to be used, as bits. */
#include "base/digest.h"
#include "os/file.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIECES = 8 };

static adam_status digest_of(const char *path, char digest[65], adam_error *error) {
  am_file_map map = {0};
  adam_status status = am_file_map_open(path, &map, error);
  if (!status && !am_sha256_hex(map.bytes, map.size, digest)) status = ADAM_NO_MEMORY;
  am_file_map_close(&map);
  return status;
}

static adam_status publish(am_store *store, const char *name, char **argv, int argc, bool replace, adam_error *error) {
  am_store_piece pieces[PIECES] = {{.kind = "model"}};
  size_t n = 1;
  am_link_method method;
  uint64_t added;
  am_store_name parsed;
  adam_status status = am_store_name_parse(name, &parsed, error);
  if (!status) status = digest_of(argv[0], pieces[0].digest, error);
  if (!status) status = am_store_add_file(store, argv[0], pieces[0].digest, &method, &added, error);
  for (int i = 2; i + 1 < argc && n < PIECES && !status; i += 2, n++) {
    pieces[n].kind = argv[i];
    status = am_store_add_bytes(store, argv[i + 1], strlen(argv[i + 1]), pieces[n].digest, NULL, error);
  }
  if (!status) status = am_store_publish(store, &parsed, argv[1], pieces, n, replace, error);
  if (!status) printf("%s %llu\n", am_link_method_name(method), (unsigned long long)added);
  return status;
}

/* Each model must be whole when its publication has returned. */
static adam_status publish_many(am_store *store, const char *name, char **argv, int n, bool has_text, adam_error *error) {
  adam_status status = ADAM_OK;
  for (int i = 0; i < n && !status; i++) {
    char numbered[100];
    am_store_name parsed;
    am_store_model *model = NULL;
    snprintf(numbered, sizeof numbered, "%s-%d", name, i);
    char system[] = "system", *all[] = {argv[0], argv[1], system, numbered};
    status = publish(store, numbered, all, has_text ? 4 : 2, false, error);
    if (!status) status = am_store_name_parse(numbered, &parsed, error);
    if (!status) status = am_store_model_open(store, &parsed, &model, error);
    if (!status) status = am_store_model_check(model, error);
    am_store_model_close(&model);
  }
  return status;
}

static adam_status run(int argc, char **argv, am_store *store, adam_error *error) {
  const char *verb = argv[1];
  am_store_name name, to;
  if (argc >= 6 && (!strcmp(verb, "publish") || !strcmp(verb, "replace")))
    return publish(store, argv[3], argv + 4, argc - 4, *verb == 'r', error);
  if (argc == 7 && (!strcmp(verb, "loop") || !strcmp(verb, "each")))
    return publish_many(store, argv[3], argv + 4, atoi(argv[6]), *verb == 'e', error);
  adam_status status = am_store_name_parse(argv[3], &name, error);
  if (!status && !strcmp(verb, "remove")) {
    uint64_t freed;
    bool kept;
    status = am_store_remove(store, &name, &freed, &kept, error);
    if (!status) printf("%llu %d\n", (unsigned long long)freed, kept);
    return status;
  }
  if (argc != 5) return ADAM_INVALID;
  if (!status) status = am_store_name_parse(argv[4], &to, error);
  if (status) return status;
  return !strcmp(verb, "copy") ? am_store_copy(store, &name, &to, error) : am_store_rename(store, &name, &to, error);
}

int main(int argc, char **argv) {
  adam_error error = {0};
  am_store *store = NULL;
  const char *forbid = getenv("STORE_TOOL_FORBID");
  if (argc < 4) return 2;
  if (forbid) am_link_forbid((unsigned)atoi(forbid));
  adam_status status = am_store_open(argv[2], true, &store, &error);
  if (!status) status = run(argc, argv, store, &error);
  am_store_close(&store);
  if (status) fprintf(stderr, "store_tool: %s: %s (%s)\n", error.what, error.why, error.hint);
  return adam_status_exit_code(status);
}

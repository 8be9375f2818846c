/* SPDX-License-Identifier: Apache-2.0 */
/* A name of an Ollama model as someone may type it: what parses stays below manifests/, four levels deep, and is
 * the same name when it is shown and read again. */
#include "base/mem.h"
#include "store/name.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *text = am_mem_dup(data, size), path[AM_STORE_NAME_BYTES], shown[AM_STORE_NAME_BYTES], hex[65], clean[81];
  am_store_name name, again;
  adam_error error = {0};
  if (am_store_name_parse(text, &name, &error)) {
    if (error.status != ADAM_INVALID || !*error.why) abort();
  } else {
    am_store_name_path(&name, path);
    am_store_name_print(&name, shown);
    size_t n_slashes = 0;
    for (const char *c = path; *c; c++) n_slashes += *c == '/';
    if (n_slashes != 3 || *path == '/' || *path == '.' || strstr(path, "/.") || strstr(path, "//")) abort();
    if (am_store_name_parse(shown, &again, NULL) || !am_store_name_same(&name, &again)) abort();
  }
  if (am_store_digest_parse(text, hex) && (strlen(hex) != 64 || strspn(hex, "0123456789abcdef") != 64)) abort();
  if (am_store_name_clean(text, clean) && !am_store_name_set(&name, "h", "n", clean, "t")) abort();
  am_mem_free(text);
  return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A REF as someone may type it, against folders that do not exist: every form is parsed, nothing is
 * found. What starts with / or ~ names the machine's own files and is left out. */
#include "base/mem.h"
#include "manager/ref.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  setenv("HOME", "/nonexistent", 1);
  setenv("HF_HUB_CACHE", "/nonexistent/hub", 1);
  setenv("ADAM_CACHE_DIR", "/nonexistent/adam", 1);
  setenv("ADAM_SHARE_DIR", "/nonexistent/share", 1);
  char *text = am_mem_dup(data, size);
  static const char *const backends[] = {NULL, "huggingface", "mock"};
  for (size_t i = 0; i < 3 && *text != '/' && *text != '~'; i++) {
    am_ref ref = {0};
    am_notices notices = {0};
    adam_error error = {0};
    adam_status status = am_ref_resolve(backends[i], text, "/nonexistent/cache", &ref, &notices, &error);
    if (status ? error.status != status || !*error.why : !ref.ops || !ref.model || !ref.name) abort();
    am_notices_close(&notices);
    am_ref_close(&ref);
  }
  am_mem_free(text);
  return 0;
}

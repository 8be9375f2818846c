/* SPDX-License-Identifier: Apache-2.0 */
/* One line of the mock's script language, then the choice of an answer. Script files are JSON, which
 * has its own target. */
#include "backend/mock/script.h"
#include "base/mem.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  am_mock_script script = {0};
  adam_error error = {0};
  size_t turn = 0;
  char *text = am_mem_dup(data, size);
  size_t n = strlen(text);
  bool is_file = n > 5 && !strcmp(text + n - 5, ".json");
  if (!is_file && !am_mock_script_open(text, &script, &error)) {
    if (!am_mock_script_choose(&script, text, n, &turn) && !script.answers[0].match) abort();
    am_mock_script_close(&script);
  } else if (!is_file && (error.status == ADAM_OK || !*error.why)) {
    abort(); /* a refusal says why */
  }
  am_mem_free(text);
  return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The command's lists of token ids: the ids that come out, written with commas, read back as
 * themselves. */
#include "../../cli/input.c"
#include "../../cli/report.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *text = strndup((const char *)data, size), *list = NULL;
  int32_t *ids = NULL, *again = NULL;
  size_t n_ids = 0, n_again = 0, n_bytes = 0;
  adam_error error = {0};
  if (text && am_input_ids("ids", text, &ids, &n_ids, &error) == ADAM_OK) {
    FILE *stream = open_memstream(&list, &n_bytes);
    for (size_t i = 0; i < n_ids; i++) fprintf(stream, ",%d", (int)ids[i]);
    fclose(stream);
    if (am_input_ids("ids", list, &again, &n_again, &error) != ADAM_OK || n_again != n_ids ||
        (n_ids > 0 && memcmp(ids, again, n_ids * sizeof *ids) != 0))
      __builtin_trap();
  }
  free(text);
  free(list);
  free(ids);
  free(again);
  return 0;
}

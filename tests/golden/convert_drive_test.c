/* SPDX-License-Identifier: Apache-2.0 */
/* Drives what the command has no option for. Without arguments it only checks that it refuses.
 *
 *   drive SOURCE FOLDER SHARD_BYTES     a folder whose files of weights have at most so many bytes of tensors
 * Exit status 0, or 1 with "STATUS: what: why" on stderr. */
#include "convert/convert.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
  adam_error error = {0};
  if (argc != 4) return am_convert("no such model", "no such folder", NULL, NULL, &error) == ADAM_NOT_FOUND ? 0 : 1;
  const am_convert_options options = {.shard_bytes = strtoull(argv[3], NULL, 10)};
  adam_status status = am_convert(argv[1], argv[2], &options, NULL, &error);
  if (status) fprintf(stderr, "%s: %s: %s\n", adam_status_name(status), error.what, error.why);
  return status ? 1 : 0;
}

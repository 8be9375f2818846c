/* SPDX-License-Identifier: Apache-2.0 */
/* hub/pull: one model of the Hub onto this machine. Any thread. */
#ifndef AM_HUB_PULL_H
#define AM_HUB_PULL_H

#include <adam/models.h>

typedef struct am_hub_pull {
  /* In: borrowed. */
  const char *what;       /* as the user wrote it, for errors and progress */
  const char *repository; /* as the Hub spells it */
  const char *revision;   /* NULL = main */
  const char *choice;     /* a file or a quantization; NULL = none */
  const adam_pull_options *options;
  /* Out: owned by the caller after ADAM_OK. */
  char *path;             /* what to open: the snapshot's folder or a GGUF in it */
  char commit[41];
  uint64_t n_files, bytes, received_bytes;
} am_hub_pull;

/* As adam_pull promises. The revision points to the commit only after every file is in place, so that a pull that
 * is cut leaves an older snapshot as it was. */
adam_status am_hub_pull_run(am_hub_pull *pull, adam_error *error);

#endif

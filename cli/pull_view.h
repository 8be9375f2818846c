/* SPDX-License-Identifier: Apache-2.0 */
/* What a person sees while models come: on a terminal a bar for each file that is coming and one for all, drawn
 * again in place; else a line for each file that is done. On standard error. */
#ifndef AM_CLI_PULL_VIEW_H
#define AM_CLI_PULL_VIEW_H

#include <adam/adam.h>

typedef struct am_pull_view {
  bool terminal;
  double begun_ms, drawn_ms;
  int n_lines;      /* on the screen now */
  bool *told;       /* of each file: its line was written; owned */
  size_t n_told;
  char note[128];   /* written last */
} am_pull_view;

void am_pull_view_begin(am_pull_view *view);
void am_pull_view_show(am_pull_view *view, const adam_pull_progress *progress);
/* Clears the bars. */
void am_pull_view_end(am_pull_view *view);

/* "3 min 20 s", "45 s" */
void am_pull_duration(double seconds, char out[32]);

#endif

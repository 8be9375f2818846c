/* SPDX-License-Identifier: Apache-2.0 */
/* convert/pump: the rows of a plan, from the source's maps through the quantiser into a writer, split over
 * threads by chunks of rows. A row's bytes depend on that row alone, so the number of threads shows nowhere.
 * Weights that the loader composes of several tensors are built when their item's turn comes, a few at a time, and
 * forgotten behind it. */
#ifndef AM_CONVERT_PUMP_H
#define AM_CONVERT_PUMP_H

#include "convert/plan.h"

/* Where bytes go; any thread. */
typedef adam_status (*am_convert_sink)(void *user, size_t item, uint64_t offset_bytes, const void *bytes,
                                       uint64_t n_bytes, adam_error *error);

typedef struct am_convert_pump {
  const am_loader *loader; /* the plan's */
  const am_convert_plan *plan;
  uint32_t n_threads;
  am_convert_sink sink;
  void *sink_user;
  bool (*on_progress)(void *user, uint64_t done_bytes, uint64_t total_bytes); /* on the caller's thread */
  void *user;
} am_convert_pump;

/* ADAM_CANCELLED: on_progress said so. */
adam_status am_convert_pump_run(const am_convert_pump *pump, adam_error *error);

#endif

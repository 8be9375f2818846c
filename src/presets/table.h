/* SPDX-License-Identifier: Apache-2.0 */
/* presets/table: the data behind presets.h. To add a preset or a renaming, add a row to table.c. */
#ifndef AM_PRESETS_TABLE_H
#define AM_PRESETS_TABLE_H

#include "presets/presets.h"

typedef struct am_preset_renaming {
  const char *old_name, *real_name;
} am_preset_renaming;

extern const am_preset am_preset_rows[];
extern const size_t am_preset_n_rows;
extern const am_preset_renaming am_preset_renamings[];
extern const size_t am_preset_n_renamings;

#endif

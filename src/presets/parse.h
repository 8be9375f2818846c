/* SPDX-License-Identifier: Apache-2.0 */
/* presets/parse: the text of a presets.ini to rows, over those of another set. The form is told on top of
 * that file. */
#ifndef AM_PRESETS_PARSE_H
#define AM_PRESETS_PARSE_H

#include "base/arena.h"
#include "presets/presets.h"

/* Rows and strings live in the arena; what is not said anew is shared with `under` (NULL = nothing), which
 * must live as long. `name` is the `what` of errors. *out is untouched on failure. ADAM_INVALID: a mistake in
 * the text. */
adam_status am_presets_parse(const char *text, size_t n_bytes, const char *name, const am_preset_set *under,
                             am_arena *arena, am_preset_set *out, adam_error *error);

/* presets.ini as it was when adam was built (CMake makes it). */
extern const char am_presets_built_in[];
extern const size_t am_presets_built_in_bytes;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* manager/notices: a growing list of notices that owns its texts. Zero-initialise. One thread. */
#ifndef AM_MANAGER_NOTICES_H
#define AM_MANAGER_NOTICES_H

#include "base/error.h"
#include <adam/types.h>

typedef struct am_notices {
  adam_notice *items; /* code and text are owned */
  size_t n;
} am_notices;

/* Adds a copy; false: memory is out, nothing changed. */
bool am_notices_add(am_notices *notices, const adam_notice *notice);
bool am_notices_printf(am_notices *notices, const char *code, adam_notice_level level, const char *format,
                       ...) AM_PRINTF(4, 5);
void am_notices_close(am_notices *notices);

#endif

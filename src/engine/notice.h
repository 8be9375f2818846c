/* SPDX-License-Identifier: Apache-2.0 */
/* engine/notice: tells the sink what was not done as asked. */
#ifndef AM_ENGINE_NOTICE_H
#define AM_ENGINE_NOTICE_H

#include "base/error.h"
#include <adam/backend.h>

/* sink may be NULL or lack on_notice. The text is cut at 511 bytes. */
void am_notice_send(const adam_sink *sink, adam_notice_level level, const char *code, const char *format, ...)
    AM_PRINTF(4, 5);

#endif

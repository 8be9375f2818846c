/* SPDX-License-Identifier: Apache-2.0 */
/* base/log: lines for a person who debugs; goes to the callback that the caller of the library
 * set, and nowhere otherwise. Any thread; the callback is called under no lock. */
#ifndef AM_BASE_LOG_H
#define AM_BASE_LOG_H

#include "base/error.h"

typedef enum am_log_level { AM_LOG_ERROR, AM_LOG_WARNING, AM_LOG_INFO, AM_LOG_DEBUG } am_log_level;
typedef void (*am_log_write)(void *user, am_log_level level, const char *line);

void am_log_set(am_log_write write, void *user, am_log_level most_detailed);
void am_log(am_log_level level, const char *format, ...) AM_PRINTF(2, 3);

#endif

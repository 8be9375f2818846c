/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/notice.h"

#include <stdarg.h>
#include <stdio.h>

void am_notice_send(const adam_sink *sink, adam_notice_level level, const char *code, const char *format,
                    ...) {
  char text[512];
  va_list arguments;
  if (!sink || !sink->on_notice) return;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  adam_notice notice = {.code = code, .level = level, .text = text};
  sink->on_notice(sink->user, &notice);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/notices.h"

#include "base/mem.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool am_notices_add(am_notices *notices, const adam_notice *notice) {
  const char *code_text = notice->code ? notice->code : "", *text_text = notice->text ? notice->text : "";
  adam_notice *items = am_mem_resize(notices->items, notices->n + 1, sizeof *items);
  if (!items) return false;
  notices->items = items;
  char *code = am_mem_dup(code_text, strlen(code_text));
  char *text = am_mem_dup(text_text, strlen(text_text));
  if (!code || !text) {
    am_mem_free(code);
    am_mem_free(text);
    return false;
  }
  items[notices->n++] = (adam_notice){code, notice->level, text};
  return true;
}

bool am_notices_printf(am_notices *notices, const char *code, adam_notice_level level, const char *format,
                       ...) {
  char text[768];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  return am_notices_add(notices, &(adam_notice){code, level, text});
}

void am_notices_close(am_notices *notices) {
  for (size_t i = 0; i < notices->n; i++) {
    am_mem_free((void *)(uintptr_t)notices->items[i].code);
    am_mem_free((void *)(uintptr_t)notices->items[i].text);
  }
  am_mem_free(notices->items);
  *notices = (am_notices){0};
}

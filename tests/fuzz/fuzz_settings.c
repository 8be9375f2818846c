/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a settings.ini and as a presets.ini: refused in words with their line, or read; and what an
 * edit writes reads back as the value that was set. */
#include "base/mem.h"
#include "presets/parse.h"
#include "settings/settings.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(adam_status status, const adam_error *error) {
  if (status && (error->status != status || !*error->why || !*error->what)) abort();
}

static void edit(const char *text, size_t size) {
  am_buf out = {0};
  am_settings *read = NULL;
  adam_error error = {0};
  adam_status status = am_settings_edit(text, size, "s", NULL, "system", "new\nvalue", &out, &error);
  check(status, &error);
  if (!status) {
    if (am_settings_parse(out.data, out.len, "s", NULL, false, &read, NULL)) abort();
    const char *got = am_settings_text(read, AM_SETTING_SYSTEM, NULL);
    if (!got) abort();
    if (strcmp(got, "new\nvalue") != 0 && !am_settings_profile(read)) abort();
  }
  am_settings_close(&read);
  am_buf_close(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size > 1 << 16) return 0;
  char *text = am_mem_dup(data, size);
  am_settings *settings = NULL;
  am_preset_set set = {0};
  am_arena arena = {.limit_bytes = 16 << 20};
  adam_error error = {0};
  if (!text) return 0;
  adam_status status = am_settings_parse(text, size, "s", NULL, false, &settings, &error);
  check(status, &error);
  if (!status != !!settings) abort();
  am_settings_close(&settings);
  edit(text, size);
  status = am_presets_parse(text, size, "p", am_presets_now(), &arena, &set, &error);
  check(status, &error);
  for (size_t i = 0; !status && i < set.n_presets; i++)
    if (!set.presets[i].name || !set.presets[i].note) abort();
  am_arena_close(&arena);
  am_mem_free(text);
  return 0;
}

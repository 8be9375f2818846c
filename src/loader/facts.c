/* SPDX-License-Identifier: Apache-2.0 */
/* What is said about a model beside its numbers: its licence, and the files it lies in. */
#include <string.h>

#include "base/utf8.h"
#include "loader/state.h"
#include "os/file.h"

enum { README_LIMIT_BYTES = 4 << 20, LICENSE_TEXT_LIMIT = 100 };

const char *am_loader_license(const am_loader *loader) { return loader->license; }

size_t am_loader_n_files(const am_loader *loader) {
  return loader->gguf ? am_gguf_n_parts(loader->gguf) : loader->n_shards;
}

const char *am_loader_file_at(const am_loader *loader, size_t index) {
  return loader->gguf ? am_gguf_part_name(loader->gguf, index) : loader->shard_paths[index];
}

/* The value of `key: value` in a line; NULL = another line. */
static const char *value_of(const char *line, size_t n_bytes, const char *key, size_t *value_bytes) {
  size_t length = strlen(key);
  if (n_bytes <= length || memcmp(line, key, length) != 0 || line[length] != ':') return NULL;
  const char *value = line + length + 1, *end = line + n_bytes;
  while (value < end && strchr(" \"'", *value)) value++;
  while (end > value && strchr(" \"'\r", end[-1])) end--;
  *value_bytes = (size_t)(end - value);
  return end > value ? value : NULL;
}

/* The header of a model card (YAML between lines of ---): license_name where license is "other". */
static bool read_card(am_loader *loader, const char *text, size_t n_bytes) {
  const char *end = text + n_bytes;
  if (n_bytes < 4 || memcmp(text, "---", 3) != 0) return true;
  for (const char *line = memchr(text, '\n', n_bytes); line && ++line < end;) {
    const char *stop = memchr(line, '\n', (size_t)(end - line));
    size_t n = (size_t)((stop ? stop : end) - line), value_bytes = 0;
    if (n >= 3 && memcmp(line, "---", 3) == 0) break;
    const char *value = value_of(line, n, "license", &value_bytes);
    if (!value) value = value_of(line, n, "license_name", &value_bytes);
    if (value && am_utf8_valid(value, value_bytes) && !memchr(value, 0, value_bytes)) {
      loader->license = am_arena_dup(&loader->arena, value, value_bytes);
      if (!loader->license) return false;
    }
    line = stop;
  }
  return true;
}

/* The first line with letters in it. */
static bool read_text(am_loader *loader, const char *text, size_t n_bytes) {
  size_t at = 0, n;
  while (at < n_bytes && strchr(" \t\r\n", text[at])) at++;
  for (n = 0; at + n < n_bytes && text[at + n] != '\n' && n < LICENSE_TEXT_LIMIT;) n++;
  while (n > 0 && strchr(" \t\r", text[at + n - 1])) n--;
  if (n == 0 || !am_utf8_valid(text + at, n) || memchr(text + at, 0, n)) return true;
  loader->license = am_arena_dup(&loader->arena, text + at, n);
  return loader->license != NULL;
}

adam_status am_loader_read_license(am_loader *loader, const char *folder, adam_error *error) {
  static const struct {
    const char *name;
    bool (*read)(am_loader *loader, const char *text, size_t n_bytes);
  } sources[] = {{"README.md", read_card}, {"LICENSE", read_text}, {"LICENSE.txt", read_text}};
  adam_status status = ADAM_OK;
  am_buf text = {0};
  for (size_t i = 0; i < sizeof sources / sizeof *sources && !loader->license && !status; i++) {
    const char *path = am_loader_join(loader, folder, sources[i].name);
    if (!path) status = am_fail_memory(error, folder);
    /* Nothing depends on it: a file that cannot be read says nothing. */
    if (!status && am_file_is_regular(path) &&
        am_file_read(path, README_LIMIT_BYTES, &text, NULL) == ADAM_OK &&
        !sources[i].read(loader, text.data ? text.data : "", text.len))
      status = am_fail_memory(error, path);
    am_buf_clear(&text);
  }
  am_buf_close(&text);
  return status;
}

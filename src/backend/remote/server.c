/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/remote/server.h"

#include "base/mem.h"
#include "os/dirs.h"
#include "os/file.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_FILE_LIMIT = 16 << 10, TIMEOUT_MS = 600000 };

static void free_secret(char *text) {
  if (text) memset(text, 0, strlen(text));
  am_mem_free(text);
}

static const char *variable(const char *name) {
  const char *value = getenv(name);
  return value && *value ? value : NULL;
}

/* Owned path of the file that may have the key; NULL = no home, or no memory. */
static char *usual_file(const am_remote_vendor *vendor) {
  char name[64];
  snprintf(name, sizeof name, "%s.key", vendor->name);
  char *folder = am_dirs_config();
  char *path = folder ? am_path_join(folder, name) : NULL;
  am_mem_free(folder);
  return path;
}

/* Keys are printable ASCII without blanks; anything else could end the header. */
static adam_status keep_key(am_remote_server *s, const char *text, const char *from, adam_error *error) {
  size_t n = strlen(text), begin = strspn(text, " \t\r\n");
  while (n > begin && strchr(" \t\r\n", text[n - 1])) n--;
  if (n == begin) return am_fail(error, ADAM_INVALID, from, NULL, "there is no key in it");
  for (size_t i = begin; i < n; i++)
    if (text[i] <= ' ' || text[i] > '~')
      return am_fail(error, ADAM_INVALID, from, NULL, "byte %zu of the key belongs in no key", i - begin + 1);
  am_buf header = {0};
  am_buf_append_str(&header, s->vendor->key_header);
  am_buf_append(&header, text + begin, n - begin);
  s->key = am_mem_dup(text + begin, n - begin);
  s->key_header = header.failed ? NULL : am_buf_take(&header);
  am_buf_close(&header);
  return s->key && s->key_header ? ADAM_OK : am_fail_memory(error, s->vendor->name);
}

static adam_status read_key_file(am_remote_server *s, const char *path, adam_error *error) {
  am_buf text = {0};
  adam_status status = am_file_read_secret(path, KEY_FILE_LIMIT, &text, error);
  if (!status) status = keep_key(s, text.data, path, error);
  if (text.data) memset(text.data, 0, text.capacity);
  am_buf_close(&text);
  return status;
}

static adam_status find_key(am_remote_server *s, const adam_model_options *o, adam_error *error) {
  const char *value = variable(s->vendor->key_variable);
  if (o && o->api_key_file) {
    char *path = am_dirs_expand(o->api_key_file);
    adam_status status = path ? read_key_file(s, path, error) : am_fail_memory(error, o->api_key_file);
    am_mem_free(path);
    return status;
  }
  if (value) return keep_key(s, value, s->vendor->key_variable, error);
  char *path = usual_file(s->vendor);
  adam_status status = path ? read_key_file(s, path, error) : ADAM_OK;
  if (status == ADAM_NOT_FOUND) status = ADAM_OK;
  if (!status && !s->key && !s->is_named) {
    am_buf hint = {0};
    am_buf_printf(&hint, "set %s, or write it into %s with mode 600", s->vendor->key_variable,
                  path ? path : "a file");
    status = am_fail(error, ADAM_UNAVAILABLE, s->vendor->name, hint.data, "there is no key for %s", s->url);
    am_buf_close(&hint);
  }
  am_mem_free(path);
  return status;
}

static adam_status keep_url(am_remote_server *s, const char *given, const char *from, adam_error *error) {
  const char *text = given ? given : s->vendor->url;
  size_t n = strlen(text), n_ends = s->vendor->url_ends ? strlen(s->vendor->url_ends) : 0;
  bool good = !strncmp(text, "http://", 7) || !strncmp(text, "https://", 8);
  for (size_t i = 0; i < n && good; i++)
    good = text[i] > ' ' && text[i] <= '~' && !strchr("?#@\\\"<>", text[i]);
  if (!good) /* the text itself may hold a password */
    return am_fail(error, ADAM_INVALID, from, s->vendor->url_hint,
                   "not the address of an API: http:// or https://, no user, no password, no query");
  while (n && text[n - 1] == '/') n--;
  if (n_ends && n > n_ends && !memcmp(text + n - n_ends, s->vendor->url_ends, n_ends)) n -= n_ends;
  s->is_named = given != NULL;
  s->url = am_mem_dup(text, n);
  return s->url ? ADAM_OK : am_fail_memory(error, s->vendor->name);
}

adam_status am_remote_open(const am_remote_vendor *vendor, const adam_model_options *o, am_remote_server *out,
                           adam_error *error) {
  am_remote_server s = {.vendor = vendor, .timeout_ms = o && o->timeout_ms ? o->timeout_ms : TIMEOUT_MS};
  bool told = o && o->base_url && *o->base_url;
  adam_status status = keep_url(&s, told ? o->base_url : variable(vendor->url_variable),
                                told ? "base_url" : vendor->url_variable, error);
  if (!status) status = find_key(&s, o, error);
  if (status)
    am_remote_close(&s);
  else
    *out = s;
  return status;
}

adam_status am_remote_first_call(am_remote_server *server, const am_remote_ask *ask, am_arena *arena,
                                 am_json *out, am_remote_refusal *refusal, adam_error *error) {
  adam_error found = {0};
  adam_status status = am_remote_call(server, ask, arena, out, refusal, &found);
  if (refusal->code == 401 && server->key && server->vendor->other_header) {
    am_buf header = {0};
    char *first = server->key_header;
    am_buf_printf(&header, "%s%s", server->vendor->other_header, server->key);
    if (header.failed) return am_fail_memory(error, server->vendor->name);
    server->key_header = header.data;
    adam_error again = {0};
    status = am_remote_call(server, ask, arena, out, refusal, &again);
    bool refused = refusal->code == 401;
    if (!refused) found = again;
    if (refused) server->key_header = first;
    free_secret(refused ? header.data : first);
  }
  if (status && error) *error = found;
  return status;
}

void am_remote_close(am_remote_server *server) {
  am_mem_free(server->url);
  free_secret(server->key);
  free_secret(server->key_header);
  *server = (am_remote_server){0};
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "store/name.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"

static const char default_host[] = "registry.ollama.ai", default_space[] = "library", default_tag[] = "latest";

static bool is_alnum(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Letters, digits, '_', '-' and the characters of `more`; begins with a letter, digit or '_'. */
static bool part_valid(const char *part, size_t n, size_t limit, const char *more) {
  if (n == 0 || n > limit || (!is_alnum(part[0]) && part[0] != '_')) return false;
  for (size_t i = 0; i < n; i++)
    if (!is_alnum(part[i]) && part[i] != '_' && part[i] != '-' && (!part[i] || !strchr(more, part[i])))
      return false;
  return true;
}

static void put(char *to, const char *part, size_t n) {
  memcpy(to, part, n);
  to[n] = 0;
}

/* The wrong part's name, or NULL; the parts need not end in a NUL. */
static const char *set_parts(am_store_name *out, const char *const part[4], const size_t n[4]) {
  if (!part_valid(part[0], n[0], 350, ".:")) return "host";
  if (!part_valid(part[1], n[1], 80, "")) return "namespace";
  if (!part_valid(part[2], n[2], 80, ".")) return "model";
  if (!part_valid(part[3], n[3], 80, ".")) return "tag";
  am_store_name name;
  memset(&name, 0, sizeof name);
  put(name.host, part[0], n[0]);
  put(name.space, part[1], n[1]);
  put(name.model, part[2], n[2]);
  put(name.tag, part[3], n[3]);
  *out = name;
  return NULL;
}

bool am_store_name_set(am_store_name *out, const char *host, const char *space, const char *model, const char *tag) {
  const char *const part[4] = {host, space, model, tag};
  const size_t n[4] = {strlen(host), strlen(space), strlen(model), strlen(tag)};
  return !set_parts(out, part, n);
}

/* The part after the last '/' of text[0..*n) and its length; *n becomes what is before that '/'. */
static const char *cut_last(const char *text, size_t *n, size_t *n_part) {
  size_t at = *n;
  while (at > 0 && text[at - 1] != '/') at--;
  *n_part = *n - at;
  *n = at > 0 ? at - 1 : 0;
  return text + at;
}

adam_status am_store_name_parse(const char *text, am_store_name *out, adam_error *error) {
  const char *const whole = text;
  const char *scheme = strstr(text, "://");
  if (scheme) text = scheme + 3;
  const char *part[4] = {default_host, default_space, NULL, default_tag};
  size_t n[4] = {sizeof default_host - 1, sizeof default_space - 1, 0, sizeof default_tag - 1};
  size_t left = strlen(text);
  const char *slash = strrchr(text, '/'), *colon = strrchr(text, ':');
  if (colon && (!slash || colon > slash)) {
    part[3] = colon + 1;
    n[3] = strlen(colon + 1);
    left = (size_t)(colon - text);
  }
  bool more = slash != NULL;
  part[2] = cut_last(text, &left, &n[2]);
  if (more) {
    more = memchr(text, '/', left) != NULL;
    part[1] = cut_last(text, &left, &n[1]);
  }
  if (more) part[0] = text, n[0] = left;
  const char *wrong = set_parts(out, part, n);
  if (!wrong) return ADAM_OK;
  return am_fail(error, ADAM_INVALID, whole, "names look like [[HOST/]NAMESPACE/]MODEL[:TAG]",
                 "not the name of an Ollama model: its %s is empty, too long or has letters that are not allowed",
                 wrong);
}

void am_store_name_path(const am_store_name *name, char out[AM_STORE_NAME_BYTES]) {
  (void)snprintf(out, AM_STORE_NAME_BYTES, "%s/%s/%s/%s", name->host, name->space, name->model, name->tag);
}

void am_store_name_print(const am_store_name *name, char out[AM_STORE_NAME_BYTES]) {
  bool is_default = !strcasecmp(name->host, default_host);
  if (is_default && !strcasecmp(name->space, default_space))
    (void)snprintf(out, AM_STORE_NAME_BYTES, "%s:%s", name->model, name->tag);
  else if (is_default)
    (void)snprintf(out, AM_STORE_NAME_BYTES, "%s/%s:%s", name->space, name->model, name->tag);
  else
    (void)snprintf(out, AM_STORE_NAME_BYTES, "%s/%s/%s:%s", name->host, name->space, name->model, name->tag);
}

bool am_store_name_same(const am_store_name *a, const am_store_name *b) {
  return !strcasecmp(a->host, b->host) && !strcasecmp(a->space, b->space) && !strcasecmp(a->model, b->model) &&
         !strcasecmp(a->tag, b->tag);
}

bool am_store_name_clean(const char *text, char out[81]) {
  size_t n = 0;
  for (; *text && n < 80; text++) {
    bool fine = is_alnum(*text) || *text == '_' || (n > 0 && (*text == '-' || *text == '.'));
    if (fine) out[n++] = *text;
    else if (n > 0 && out[n - 1] != '-') out[n++] = '-';
  }
  while (n > 0 && out[n - 1] == '-') n--;
  out[n] = 0;
  return n > 0;
}

bool am_store_digest_parse(const char *text, char hex[65]) {
  if (strncmp(text, "sha256", 6) != 0 || (text[6] != ':' && text[6] != '-')) return false;
  const char *digits = text + 7;
  for (size_t i = 0; i < 64; i++) {
    char c = digits[i];
    bool upper = c >= 'A' && c <= 'F';
    if (!upper && !(c >= 'a' && c <= 'f') && !(c >= '0' && c <= '9')) return false;
    hex[i] = upper ? (char)(c - 'A' + 'a') : c;
  }
  hex[64] = 0;
  return digits[64] == 0;
}

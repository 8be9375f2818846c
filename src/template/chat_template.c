/* SPDX-License-Identifier: Apache-2.0 */
#include "template/chat_template.h"

#include <string.h>

#include "base/error.h"
#include "base/mem.h"

struct am_chat_template {
  am_template *jinja; /* one of the two */
  am_go_template *go;
};

am_template_language am_template_language_of(const char *path) {
  static const char *const endings[] = {".gotmpl", ".tmpl"};
  size_t n = path ? strlen(path) : 0;
  for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
    size_t ending = strlen(endings[i]);
    if (n >= ending && strcmp(path + n - ending, endings[i]) == 0) return AM_TEMPLATE_GO;
  }
  return AM_TEMPLATE_JINJA;
}

adam_status am_chat_template_open(am_template_language language, const char *name, const char *text,
                                  size_t n_bytes, am_chat_template **out, adam_error *error) {
  am_chat_template *tmpl = am_mem_zalloc(1, sizeof *tmpl);
  if (!tmpl) return am_fail_memory(error, name);
  adam_status status = language == AM_TEMPLATE_GO
                           ? am_go_template_open(name, text, n_bytes, &tmpl->go, error)
                           : am_template_open(name, text, n_bytes, &tmpl->jinja, error);
  if (status)
    am_chat_template_close(&tmpl);
  else
    *out = tmpl;
  return status;
}

void am_chat_template_close(am_chat_template **tmpl) {
  if (!tmpl || !*tmpl) return;
  am_template_close(&(*tmpl)->jinja);
  am_go_template_close(&(*tmpl)->go);
  am_mem_free(*tmpl);
  *tmpl = NULL;
}

am_template_language am_chat_template_language(const am_chat_template *tmpl) {
  return tmpl->go ? AM_TEMPLATE_GO : AM_TEMPLATE_JINJA;
}

const am_go_template *am_chat_template_go(const am_chat_template *tmpl) { return tmpl->go; }

adam_status am_chat_template_render(const am_chat_template *tmpl, const am_chat_request *request, am_buf *out,
                                    adam_error *error) {
  if (!tmpl->go) return am_chat_render(tmpl->jinja, request, out, error);
  am_go_request go = {.messages = request->messages,
                      .tools = request->tools,
                      .think = request->enable_thinking,
                      .strip_thinking = request->strip_thinking,
                      .now_unix_s = request->now_unix_s};
  return am_go_template_render(tmpl->go, &go, out, error);
}

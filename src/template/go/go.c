/* SPDX-License-Identifier: Apache-2.0 */
#include "template/go/go.h"

#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "template/go/data.h"
#include "template/go/eval.h"

adam_status am_go_template_open(const char *name, const char *text, size_t n_bytes, am_go_template **out,
                                adam_error *error) {
  am_go_template *tmpl = am_mem_zalloc(1, sizeof *tmpl);
  if (!tmpl) return am_fail_memory(error, name);
  tmpl->arena.limit_bytes = AM_GO_MAX_MEMORY_BYTES;
  tmpl->name = am_arena_dup(&tmpl->arena, name, strlen(name));
  adam_status status = tmpl->name ? am_go_parse(tmpl, text, n_bytes, error) : am_fail_memory(error, name);
  if (!status) status = am_go_inspect(tmpl, error);
  if (status)
    am_go_template_close(&tmpl);
  else
    *out = tmpl;
  return status;
}

void am_go_template_close(am_go_template **tmpl) {
  if (!tmpl || !*tmpl) return;
  am_arena_close(&(*tmpl)->arena);
  am_mem_free(*tmpl);
  *tmpl = NULL;
}

const am_go_traits *am_go_template_traits(const am_go_template *tmpl) { return &tmpl->traits; }

/* --- rendering --- */

enum { MAX_ROOT_KEYS = 8 };

typedef struct rendering {
  am_go_state state;
  const am_go_request *request;
  am_go_entry entries[MAX_ROOT_KEYS];
  size_t n_entries;
} rendering;

static void put(rendering *r, const char *key, am_go_value value) {
  r->entries[r->n_entries++] = (am_go_entry){.key = key, .key_bytes = strlen(key), .value = value};
}

static void put_common(rendering *r, const char *response, size_t n_bytes) {
  put(r, "Response", am_go_string(response, n_bytes));
  put(r, "Think", am_go_bool(r->request->think == 1));
  if (r->request->think_level) put(r, "ThinkLevel", am_go_text(r->request->think_level));
  put(r, "IsThinkSet", am_go_bool(r->request->think >= 0));
}

static adam_status run(rendering *r, const am_go_node *tree) {
  am_go_entries_sort(r->entries, &r->n_entries);
  am_go_value root = {.kind = AM_GO_MAP, .n = r->n_entries, .as.entries = r->entries};
  adam_status status = am_go_run(&r->state, tree, &root);
  r->n_entries = 0;
  return status;
}

typedef struct turn {
  const char *system, *prompt, *response;
  size_t system_bytes, prompt_bytes, response_bytes;
} turn;

static adam_status run_turn(rendering *r, const am_go_node *tree, turn *t) {
  put(r, "System", am_go_string(t->system, t->system_bytes));
  put(r, "Prompt", am_go_string(t->prompt, t->prompt_bytes));
  put_common(r, t->response, t->response_bytes);
  adam_status status = run(r, tree);
  *t = (turn){.system = "", .prompt = "", .response = ""};
  return status;
}

static bool has_role(const am_go_message *message, const char *role) {
  return message->role_bytes == strlen(role) && memcmp(message->role, role, message->role_bytes) == 0;
}

/* One run for each turn; the last one is left open at its .Response. */
static adam_status render_legacy(rendering *r, const am_go_message *messages, size_t n) {
  const am_go_template *tmpl = r->state.tmpl;
  const am_go_definition cut = {{"", 0}, tmpl->cut};
  turn t = {.system = "", .prompt = "", .response = ""};
  for (size_t i = 0; i < n; i++) {
    const am_go_message *m = &messages[i];
    bool system = has_role(m, "system"), user = has_role(m, "user");
    if ((system && (t.prompt_bytes || t.response_bytes)) || (user && t.response_bytes)) {
      adam_status status = run_turn(r, tmpl->root, &t);
      if (status) return status;
    }
    if (system) t.system = m->content, t.system_bytes = m->content_bytes;
    if (user) t.prompt = m->content, t.prompt_bytes = m->content_bytes;
    if (has_role(m, "assistant")) t.response = m->content, t.response_bytes = m->content_bytes;
  }
  if (!tmpl->cut)
    return am_fail(r->state.error, ADAM_TEMPLATE, tmpl->name, NULL,
                   "line 1: an else behind .Response: Ollama cannot cut such a template for the last turn");
  r->state.definitions = &cut;
  r->state.n_definitions = 1;
  r->state.full = false;
  return run_turn(r, tmpl->cut, &t);
}

static adam_status render_messages(rendering *r, am_go_message *messages, size_t n) {
  am_go_value system, list, tools;
  am_arena *arena = r->state.arena;
  if (r->request->strip_thinking) am_go_strip_thinking(messages, n);
  if (!am_go_collate(messages, &n, arena, &system)) return am_go_no_memory(&r->state);
  if (!r->state.tmpl->traits.messages) return render_legacy(r, messages, n);
  adam_status status = am_go_read_tools(r->request->tools, arena, &tools, r->state.error);
  if (status) return status;
  if (!am_go_messages_value(messages, n, arena, &list)) return am_go_no_memory(&r->state);
  put(r, "System", system);
  put(r, "Messages", list);
  put(r, "Tools", tools);
  put_common(r, "", 0);
  return run(r, r->state.tmpl->root);
}

adam_status am_go_template_render(const am_go_template *tmpl, const am_go_request *request, am_buf *out,
                                  adam_error *error) {
  am_arena arena = {.limit_bytes = AM_GO_MAX_MEMORY_BYTES};
  am_go_message *messages = NULL;
  size_t n = 0, before = out->len;
  rendering r = {.state = {.tmpl = tmpl,
                           .definitions = tmpl->definitions,
                           .n_definitions = tmpl->n_definitions,
                           .full = true,
                           .arena = &arena,
                           .out = out,
                           .error = error,
                           .line = 1,
                           .max_steps = request->max_steps ? request->max_steps : AM_GO_MAX_STEPS,
                           .max_output_bytes =
                               request->max_output_bytes ? request->max_output_bytes : AM_GO_MAX_OUTPUT_BYTES,
                           .now_unix_s = request->now_unix_s},
                 .request = request};
  adam_status status = ADAM_OK;
  if (request->prompt && *request->prompt && request->suffix && *request->suffix) {
    put(&r, "Prompt", am_go_text(request->prompt));
    put(&r, "Suffix", am_go_text(request->suffix));
    put_common(&r, "", 0);
    status = run(&r, tmpl->root);
  } else {
    status = am_go_read_messages(request->messages, &arena, &messages, &n, error);
    if (!status) status = render_messages(&r, messages, n);
  }
  if (!status && out->failed) status = am_fail_memory(error, tmpl->name);
  if (status && out->data) {
    out->len = before;
    out->data[before] = 0;
  }
  am_arena_close(&arena);
  return status;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "template/template.h"

#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "template/jinja/ast.h"
#include "template/jinja/eval.h"
#include "template/jinja/globals.h"
#include "template/jinja/parser.h"
#include "template/jinja/resolve.h"

enum { DEFAULT_STEPS = 20000000, DEFAULT_DEPTH = 200 };
#define DEFAULT_OUTPUT_BYTES ((size_t)64 << 20)
#define DEFAULT_MEMORY_BYTES ((size_t)256 << 20)
/* Chat templates have 1 to 20 KB; a tree takes some hundred bytes for each byte of the densest text. */
#define MAX_TEMPLATE_BYTES ((size_t)1 << 20)
#define COMPILE_MEMORY_BYTES ((size_t)256 << 20)

struct am_template {
  char *name;
  am_jprogram program;
};

adam_status am_template_open(const char *name, const char *text, size_t n_bytes, am_template **out,
                             adam_error *error) {
  if (n_bytes > MAX_TEMPLATE_BYTES)
    return am_fail(error, ADAM_LIMIT, name, NULL, "the template has %zu bytes, at most %zu are read", n_bytes,
                   MAX_TEMPLATE_BYTES);
  size_t valid = am_utf8_valid_prefix(text, n_bytes);
  if (valid < n_bytes)
    return am_fail(error, ADAM_TEMPLATE, name, NULL, "the template is not UTF-8 at byte %zu", valid);
  am_template *tmpl = am_mem_zalloc(1, sizeof *tmpl);
  if (!tmpl) return am_fail_memory(error, name);
  am_jinja jinja = {.name = name,
                    .stack_start = __builtin_frame_address(0),
                    .steps_left = UINT64_MAX,
                    .max_output_bytes = DEFAULT_OUTPUT_BYTES,
                    .line = 1,
                    .error = error,
                    .arena = {.limit_bytes = COMPILE_MEMORY_BYTES}};
  tmpl->name = am_mem_dup(name ? name : "", strlen(name ? name : ""));
  if (!tmpl->name)
    jinja.status = am_fail_memory(error, name);
  else if (am_jparse(&jinja, text, n_bytes, &tmpl->program.body))
    am_jresolve(&jinja, &tmpl->program);
  tmpl->program.arena = jinja.arena;
  am_buf_close(&jinja.out);
  if (jinja.status)
    am_template_close(&tmpl);
  else
    *out = tmpl;
  return jinja.status;
}

void am_template_close(am_template **tmpl) {
  if (!*tmpl) return;
  am_arena_close(&(*tmpl)->program.arena);
  am_mem_free((*tmpl)->name);
  am_mem_free(*tmpl);
  *tmpl = NULL;
}

static bool add_variables(am_jinja *jinja, const am_json *variables) {
  if (!am_jdict_new(jinja, 0, &jinja->top_level) ||
      !am_jdict_new(jinja, 16 + variables->n, &jinja->globals) || !am_jglobals_add(jinja, jinja->globals))
    return false;
  for (uint32_t i = 0; i < variables->n; i++) {
    const am_json_member *member = &variables->as.members[i];
    am_jvalue key, value;
    if (!am_jstring_view(jinja, member->key, member->key_bytes, &key) ||
        !am_jvalue_from_json(jinja, &member->value, &value) ||
        !am_jdict_set(jinja, jinja->globals, key, value))
      return false;
  }
  return true;
}

static bool run(am_jinja *jinja, const am_jprogram *program, const am_json *variables) {
  if (!add_variables(jinja, variables)) return false;
  am_jframe *frame = am_jframe_new(jinja, NULL, program->n_slots);
  if (!frame) return false;
  if (program->has_self) frame->slots[program->self_slot] = (am_jvalue){.kind = AM_J_BLOCKS};
  return am_jscope_enter(jinja, frame, &program->scope) &&
         am_jexec(jinja, frame, &program->body) != AM_JFLOW_FAIL;
}

adam_status am_template_render(const am_template *tmpl, const am_json *variables,
                               const am_template_limits *limits, int64_t now_unix_s, am_buf *out,
                               adam_error *error) {
  am_template_limits l = limits ? *limits : (am_template_limits){0};
  if (!variables || variables->type != AM_JSON_OBJECT)
    return am_fail(error, ADAM_INVALID, tmpl->name, NULL, "the variables must be an object");
  am_jinja jinja = {.name = tmpl->name,
                    .program = &tmpl->program,
                    .stack_start = __builtin_frame_address(0),
                    .steps_left = l.max_steps ? l.max_steps : DEFAULT_STEPS,
                    .max_output_bytes = l.max_output_bytes ? l.max_output_bytes : DEFAULT_OUTPUT_BYTES,
                    .max_depth = l.max_depth ? l.max_depth : DEFAULT_DEPTH,
                    .now_unix_s = now_unix_s ? now_unix_s : (int64_t)time(NULL),
                    .line = 1,
                    .error = error,
                    .arena = {.limit_bytes = l.max_memory_bytes ? l.max_memory_bytes : DEFAULT_MEMORY_BYTES}};
  if (run(&jinja, &tmpl->program, variables) && !jinja.status &&
      !am_buf_append(out, jinja.out.data ? jinja.out.data : "", jinja.out.len))
    jinja.status = am_fail_memory(error, tmpl->name);
  am_buf_close(&jinja.out);
  am_arena_close(&jinja.arena);
  return jinja.status;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Calls: macros (jinja2.runtime.Macro), functions, blocks. */
#include "template/jinja/eval.h"

#include <string.h>

#include "template/jinja/format.h"

bool am_jmacro_new(am_jinja *jinja, am_jframe *frame, const am_jcode *code, am_jvalue *out) {
  am_jmacro *macro = am_jinja_alloc(jinja, 1, sizeof *macro);
  if (!macro) return false;
  *macro = (am_jmacro){.code = code, .closure = frame};
  *out = (am_jvalue){.kind = AM_J_MACRO, .as.macro = macro};
  return true;
}

static const am_jentry *find_keyword(const am_jargs *args, const char *name, size_t n_bytes) {
  for (size_t i = 0; i < args->n_keywords; i++) {
    const am_jstring *key = args->keywords[i].key.as.string;
    if (key->n_bytes == n_bytes && memcmp(key->data, name, n_bytes) == 0) return &args->keywords[i];
  }
  return NULL;
}

bool am_jargs_bind(am_jinja *jinja, const char *function, const am_jargs *args, const char *const *params,
                   size_t n_params, size_t n_required, am_jvalue *out) {
  if (args->n > n_params)
    return am_jinja_raise(jinja, "%s() takes at most %zu arguments (%zu given)", function, n_params, args->n);
  for (size_t i = 0; i < n_params; i++) out[i] = i < args->n ? args->items[i] : am_jmissing();
  for (size_t k = 0; k < args->n_keywords; k++) {
    const am_jstring *key = args->keywords[k].key.as.string;
    size_t i = 0;
    while (params && i < n_params &&
           (strlen(params[i]) != key->n_bytes || memcmp(params[i], key->data, key->n_bytes) != 0))
      i++;
    if (!params || i == n_params)
      return am_jinja_raise(jinja, "%s() got an unexpected keyword argument '%.*s'", function,
                            (int)key->n_bytes, key->data);
    if (i < args->n)
      return am_jinja_raise(jinja, "%s() got multiple values for argument '%s'", function, params[i]);
    out[i] = args->keywords[k].value;
  }
  for (size_t i = 0; i < n_required; i++)
    if (out[i].kind == AM_J_MISSING)
      return params ? am_jinja_raise(jinja, "%s() missing a required argument: '%s'", function, params[i])
                    : am_jinja_raise(jinja, "%s() takes at least %zu arguments (%zu given)", function,
                                     n_required, args->n);
  return true;
}

/* --- macros --- */
static bool rest_kwargs(am_jinja *jinja, const am_jcode *code, const am_jargs *args, bool takes_caller,
                        am_jframe *frame) {
  am_jdict *rest = NULL;
  if (!am_jdict_new(jinja, 0, &rest)) return false;
  for (size_t k = 0; k < args->n_keywords; k++) {
    const am_jentry *entry = &args->keywords[k];
    const am_jstring *key = entry->key.as.string;
    size_t i = args->n < code->params.n ? args->n : code->params.n;
    while (i < code->params.n &&
           (code->params.items[i]->as.name.name.n_bytes != key->n_bytes ||
            memcmp(code->params.items[i]->as.name.name.text, key->data, key->n_bytes) != 0))
      i++;
    if (i < code->params.n || (takes_caller && am_jstring_is(&entry->key, am_jinja_caller_name))) continue;
    if (code->has_kwargs) {
      if (!am_jdict_set(jinja, rest, entry->key, entry->value)) return false;
      continue;
    }
    if (find_keyword(args, am_jinja_caller_name, 6) && !takes_caller)
      return am_jinja_raise(
          jinja,
          "macro '%.*s' was invoked with two values for the special caller argument. This is most "
          "likely a bug.",
          (int)code->name.n_bytes, code->name.text ? code->name.text : "");
    return am_jinja_raise(jinja, "macro '%.*s' takes no keyword argument '%.*s'", (int)code->name.n_bytes,
                          code->name.text ? code->name.text : "", (int)key->n_bytes, key->data);
  }
  if (code->has_kwargs) frame->slots[code->kwargs_slot] = am_jdict_value(rest);
  return true;
}

static bool rest_args(am_jinja *jinja, const am_jcode *code, const am_jargs *args, am_jframe *frame) {
  if (!code->has_varargs) {
    if (args->n <= code->params.n) return true;
    return am_jinja_raise(jinja, "macro '%.*s' takes not more than %zu argument(s)", (int)code->name.n_bytes,
                          code->name.text ? code->name.text : "", code->params.n);
  }
  am_jlist *rest = NULL;
  if (!am_jlist_new(jinja, 0, &rest)) return false;
  for (size_t i = code->params.n; i < args->n; i++)
    if (!am_jlist_push(jinja, rest, args->items[i])) return false;
  frame->slots[code->varargs_slot] = am_jtuple_value(rest);
  return true;
}

static bool bind_params(am_jinja *jinja, const am_jcode *code, const am_jargs *args, am_jframe *frame) {
  for (size_t i = 0; i < code->params.n; i++) {
    am_jname name = code->params.items[i]->as.name.name;
    const am_jentry *keyword = i < args->n ? NULL : find_keyword(args, name.text, name.n_bytes);
    frame->slots[code->params.items[i]->as.name.ref.slot] = i < args->n ? args->items[i]
                                                            : keyword   ? keyword->value
                                                                        : am_jmissing();
  }
  bool takes_caller = code->has_caller && !code->explicit_caller;
  if (takes_caller) {
    const am_jentry *caller = find_keyword(args, am_jinja_caller_name, 6);
    am_jvalue *slot = &frame->slots[code->caller_slot];
    if (caller && caller->value.kind != AM_J_NONE)
      *slot = caller->value;
    else if (!am_jundefined_new(jinja, false, slot, "No caller defined"))
      return false;
  }
  return rest_kwargs(jinja, code, args, takes_caller, frame) && rest_args(jinja, code, args, frame);
}

static bool fill_defaults(am_jinja *jinja, const am_jcode *code, am_jframe *frame) {
  size_t first_default = code->params.n - code->defaults.n;
  for (size_t i = 0; i < code->params.n; i++) {
    am_jvalue *slot = &frame->slots[code->params.items[i]->as.name.ref.slot];
    am_jname name = code->params.items[i]->as.name.name;
    if (slot->kind != AM_J_MISSING) continue;
    bool ok = i >= first_default ? am_jeval(jinja, frame, code->defaults.items[i - first_default], slot)
                                 : am_jundefined_new(jinja, false, slot, "parameter '%.*s' was not provided",
                                                     (int)name.n_bytes, name.text);
    if (!ok) return false;
  }
  return true;
}

static bool call_macro(am_jinja *jinja, const am_jmacro *macro, const am_jargs *args, am_jvalue *out) {
  const am_jcode *code = macro->code;
  if (jinja->depth >= jinja->max_depth)
    return am_jinja_raise(jinja, "calls are nested too deep: a macro may call itself without end");
  uint32_t line = jinja->line;
  size_t mark = am_jinja_mark(jinja);
  am_jframe *frame = am_jframe_new(jinja, macro->closure, code->n_slots);
  if (!frame || !bind_params(jinja, code, args, frame)) return false;
  jinja->depth++;
  bool ok = am_jscope_enter(jinja, frame, &code->scope) && fill_defaults(jinja, code, frame) &&
            am_jexec(jinja, frame, &code->body) != AM_JFLOW_FAIL;
  jinja->depth--;
  if (!ok) return false;
  jinja->line = line;
  return am_jinja_cut(jinja, mark, out);
}

/* --- blocks --- */
bool am_jblock_run(am_jinja *jinja, const am_jnode *block, am_jdict *given) {
  const am_jcode *code = block->as.block.code;
  if (jinja->depth >= jinja->max_depth) return am_jinja_raise(jinja, "calls are nested too deep");
  am_jframe *frame = am_jframe_new(jinja, NULL, code->n_slots);
  if (!frame) return false;
  uint32_t line = jinja->line;
  if (block->as.block.has_self) frame->slots[block->as.block.self_slot] = (am_jvalue){.kind = AM_J_BLOCKS};
  if (block->as.block.has_super &&
      !am_jundefined_new(jinja, false, &frame->slots[block->as.block.super_slot],
                         "there is no parent block called '%.*s'.", (int)block->as.block.name.n_bytes,
                         block->as.block.name.text))
    return false;
  am_jdict *outside = jinja->top_level;
  if (given) { /* a context of its own: what was set at the top level, then what the scope gives */
    am_jdict *merged = NULL;
    if (!am_jdict_new(jinja, outside->n + given->n, &merged)) return false;
    for (size_t i = 0; i < outside->n; i++)
      if (!am_jdict_set(jinja, merged, outside->entries[i].key, outside->entries[i].value)) return false;
    for (size_t i = 0; i < given->n; i++)
      if (!am_jdict_set(jinja, merged, given->entries[i].key, given->entries[i].value)) return false;
    jinja->top_level = merged;
  }
  jinja->depth++;
  bool ok =
      am_jscope_enter(jinja, frame, &code->scope) && am_jexec(jinja, frame, &code->body) != AM_JFLOW_FAIL;
  jinja->depth--;
  jinja->top_level = outside;
  if (ok) jinja->line = line;
  return ok;
}

static bool call_block(am_jinja *jinja, const am_jnode *block, const am_jargs *args, am_jvalue *out) {
  size_t mark = am_jinja_mark(jinja);
  if (args->n || args->n_keywords) return am_jinja_raise(jinja, "a block takes no arguments");
  return am_jblock_run(jinja, block, NULL) && am_jinja_cut(jinja, mark, out);
}

static bool call_joiner(am_jinja *jinja, am_jjoiner *joiner, const am_jargs *args, am_jvalue *out) {
  if (args->n || args->n_keywords) return am_jinja_raise(jinja, "a joiner takes no arguments");
  bool used = joiner->used;
  joiner->used = true;
  *out = joiner->separator;
  return used || am_jstring_text(jinja, "", out);
}

bool am_jcall_value(am_jinja *jinja, const am_jvalue *callee, const am_jargs *args, am_jvalue *out) {
  static const char *const loop_params[] = {"iterable"};
  am_jvalue iterable;
  switch (callee->kind) {
    case AM_J_UNDEFINED:
      return am_jinja_raise_undefined(jinja, callee);
    case AM_J_MACRO:
      return call_macro(jinja, callee->as.macro, args, out);
    case AM_J_FUNCTION:
      return callee->as.function->call(jinja, callee->as.function, args, out);
    case AM_J_JOINER:
      return call_joiner(jinja, callee->as.joiner, args, out);
    case AM_J_BLOCK:
      return call_block(jinja, callee->as.block, args, out);
    case AM_J_LOOP:
      return am_jargs_bind(jinja, "loop", args, loop_params, 1, 1, &iterable) &&
             am_jloop_recurse(jinja, callee->as.loop, &iterable, out);
    default:
      return am_jinja_raise(jinja, "'%s' object is not callable", am_jvalue_type(callee));
  }
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "template/jinja/eval.h"

#include <string.h>

#include "template/jinja/format.h"
#include "template/jinja/iterate.h"

/* --- activations and scopes --- */
am_jframe *am_jframe_new(am_jinja *jinja, am_jframe *parent, uint16_t n_slots) {
  size_t n_bytes = sizeof(am_jframe) + n_slots * sizeof(am_jvalue);
  am_jframe *frame = am_jinja_alloc(jinja, 1, n_bytes);
  if (!frame) return NULL;
  memset(frame, 0, n_bytes); /* every slot MISSING */
  frame->parent = parent;
  return frame;
}

bool am_jscope_enter(am_jinja *jinja, am_jframe *frame, const am_jscope *scope) {
  if (!am_jinja_charge(jinja, scope->n)) return false;
  for (size_t i = 0; i < scope->n; i++) {
    const am_jload *load = &scope->loads[i];
    am_jvalue *slot = &frame->slots[load->slot];
    if (load->action == AM_JLOAD_RESOLVE) {
      am_jvalue *value = am_jdict_find(jinja->top_level, load->name.text, load->name.n_bytes);
      if (!value) value = am_jdict_find(jinja->globals, load->name.text, load->name.n_bytes);
      *slot = value ? *value : am_jmissing();
    } else if (load->action == AM_JLOAD_ALIAS) {
      const am_jframe *from = frame;
      for (unsigned hops = load->source.hops; hops; hops--) from = from->parent;
      *slot = from->slots[load->source.slot];
    } else if (load->action == AM_JLOAD_UNDEFINED) {
      *slot = am_jmissing();
    }
  }
  return true;
}

void am_jscope_leave(am_jframe *frame, const am_jscope *scope) {
  for (size_t i = 0; i < scope->n; i++) frame->slots[scope->loads[i].slot] = am_jmissing();
}

/* --- assignment --- */
static bool unpack(am_jinja *jinja, am_jframe *frame, const am_jnodes *targets, const am_jvalue *value) {
  am_jiterator *iterator = NULL;
  if (!am_jvalue_iterable(value))
    return am_jinja_raise(jinja, "cannot unpack non-iterable %s object", am_jvalue_type(value));
  if (!am_jiterator_open(jinja, value, &iterator)) return false;
  am_jvalue item, *items = am_jinja_alloc(jinja, targets->n ? targets->n : 1, sizeof *items);
  bool done = false;
  if (!items) return false;
  for (size_t i = 0; i < targets->n; i++) {
    if (!am_jiterator_next(jinja, iterator, &items[i], &done)) return false;
    if (done)
      return am_jinja_raise(jinja, "not enough values to unpack (expected %zu, got %zu)", targets->n, i);
  }
  if (!am_jiterator_next(jinja, iterator, &item, &done)) return false;
  if (!done) return am_jinja_raise(jinja, "too many values to unpack (expected %zu)", targets->n);
  for (size_t i = 0; i < targets->n; i++)
    if (!am_jassign(jinja, frame, targets->items[i], &items[i])) return false;
  return true;
}

static am_jvalue *slot_of(am_jframe *frame, am_jref ref) {
  for (unsigned hops = ref.hops; hops; hops--) frame = frame->parent;
  return &frame->slots[ref.slot];
}

static bool assign_attribute(am_jinja *jinja, am_jframe *frame, const am_jnode *target,
                             const am_jvalue *value) {
  const am_jvalue *object = slot_of(frame, target->as.name.ref);
  am_jname name = target->as.name.attribute;
  am_jvalue key;
  if (object->kind != AM_J_NAMESPACE)
    return am_jinja_raise(jinja, "cannot assign attribute on non-namespace object");
  if (name.n_bytes && name.text[0] == '_')
    return am_jinja_raise(
        jinja,
        "Chat templates cannot store underscore-prefixed attributes on a namespace, but got '%.*s'. "
        "Please rename the attribute.",
        (int)name.n_bytes, name.text);
  return am_jstring_view(jinja, name.text, name.n_bytes, &key) &&
         am_jdict_set(jinja, object->as.dict, key, *value);
}

bool am_jassign(am_jinja *jinja, am_jframe *frame, const am_jnode *target, const am_jvalue *value) {
  if (target->kind == AM_JN_TUPLE) return unpack(jinja, frame, &target->as.items, value);
  if (target->kind == AM_JN_NSREF) return assign_attribute(jinja, frame, target, value);
  *slot_of(frame, target->as.name.ref) = *value;
  return true;
}

/* Assignments at the top level are seen by macros, blocks and inner scopes that look names up. */
static bool publish(am_jinja *jinja, am_jframe *frame, const am_jnode *target) {
  am_jvalue key;
  if (target->kind == AM_JN_TUPLE) {
    for (size_t i = 0; i < target->as.items.n; i++)
      if (!publish(jinja, frame, target->as.items.items[i])) return false;
    return true;
  }
  if (target->kind != AM_JN_NAME) return true;
  return am_jstring_view(jinja, target->as.name.name.text, target->as.name.name.n_bytes, &key) &&
         am_jdict_set(jinja, jinja->top_level, key, *slot_of(frame, target->as.name.ref));
}

/* Namespaces are checked before the value is evaluated. */
static bool check_namespaces(am_jinja *jinja, am_jframe *frame, const am_jnode *target) {
  if (target->kind == AM_JN_TUPLE) {
    for (size_t i = 0; i < target->as.items.n; i++)
      if (!check_namespaces(jinja, frame, target->as.items.items[i])) return false;
  }
  if (target->kind == AM_JN_NSREF && slot_of(frame, target->as.name.ref)->kind != AM_J_NAMESPACE)
    return am_jinja_raise(jinja, "cannot assign attribute on non-namespace object");
  return true;
}

static bool exec_set(am_jinja *jinja, am_jframe *frame, const am_jnode *node) {
  am_jvalue value;
  return check_namespaces(jinja, frame, node->as.set.target) &&
         am_jeval(jinja, frame, node->as.set.value, &value) &&
         am_jassign(jinja, frame, node->as.set.target, &value) &&
         (!node->as.set.top_level || publish(jinja, frame, node->as.set.target));
}

/* --- statements that capture their text --- */
static am_jflow capture(am_jinja *jinja, am_jframe *frame, const am_jnode *node, am_jvalue *out) {
  am_jvalue text;
  size_t mark = am_jinja_mark(jinja);
  if (!am_jscope_enter(jinja, frame, &node->as.set.scope)) return AM_JFLOW_FAIL;
  am_jflow flow = am_jexec(jinja, frame, &node->as.set.body);
  if (flow == AM_JFLOW_FAIL) return flow;
  if (flow != AM_JFLOW_NEXT) { /* break and continue leave the text behind */
    am_jinja_drop(jinja, mark);
    return flow;
  }
  jinja->line = node->line;
  if (!am_jinja_cut(jinja, mark, &text)) return AM_JFLOW_FAIL;
  *out = text;
  if (node->as.set.filter && !am_jeval_block_filter(jinja, frame, node->as.set.filter, &text, out))
    return AM_JFLOW_FAIL;
  return AM_JFLOW_NEXT;
}

static am_jflow exec_set_block(am_jinja *jinja, am_jframe *frame, const am_jnode *node) {
  am_jvalue value;
  am_jflow flow = capture(jinja, frame, node, &value);
  if (flow != AM_JFLOW_NEXT) return flow;
  bool ok = am_jassign(jinja, frame, node->as.set.target, &value) &&
            (!node->as.set.top_level || publish(jinja, frame, node->as.set.target));
  am_jscope_leave(frame, &node->as.set.scope);
  return ok ? AM_JFLOW_NEXT : AM_JFLOW_FAIL;
}

/* What blocks and calls yield is joined as it is: it has to be text. */
static bool put_text(am_jinja *jinja, const am_jvalue *value) {
  if (value->kind != AM_J_STRING)
    return am_jinja_raise(jinja, "sequence item 0: expected str instance, %s found", am_jvalue_type(value));
  return am_jinja_put(jinja, value->as.string->data, value->as.string->n_bytes);
}

static am_jflow exec_filter_block(am_jinja *jinja, am_jframe *frame, const am_jnode *node) {
  am_jvalue value;
  am_jflow flow = capture(jinja, frame, node, &value);
  if (flow != AM_JFLOW_NEXT) return flow;
  am_jscope_leave(frame, &node->as.set.scope);
  return put_text(jinja, &value) ? AM_JFLOW_NEXT : AM_JFLOW_FAIL;
}

static bool exec_macro(am_jinja *jinja, am_jframe *frame, const am_jnode *node) {
  am_jvalue macro, key;
  am_jname name = node->as.macro.code->name;
  if (!am_jmacro_new(jinja, frame, node->as.macro.code, &macro)) return false;
  *slot_of(frame, node->as.macro.ref) = macro;
  return !node->as.macro.top_level || (am_jstring_view(jinja, name.text, name.n_bytes, &key) &&
                                       am_jdict_set(jinja, jinja->top_level, key, macro));
}

static bool exec_call_block(am_jinja *jinja, am_jframe *frame, const am_jnode *node) {
  const am_jnode *call = node->as.macro.call;
  am_jvalue caller, callee, name, result;
  am_jargs args;
  am_jdict *keywords = NULL;
  if (!am_jmacro_new(jinja, frame, node->as.macro.code, &caller) ||
      !am_jeval(jinja, frame, call->as.call.object, &callee) ||
      !am_jeval_args(jinja, frame, &call->as.call.signature, &args) ||
      !am_jdict_new(jinja, args.n_keywords + 1, &keywords) ||
      !am_jstring_text(jinja, am_jinja_caller_name, &name))
    return false;
  for (size_t i = 0; i < args.n_keywords; i++) {
    if (am_jstring_is(&args.keywords[i].key, am_jinja_caller_name))
      return am_jinja_raise(jinja, "keyword argument repeated: caller");
    if (!am_jdict_set(jinja, keywords, args.keywords[i].key, args.keywords[i].value)) return false;
  }
  if (!am_jdict_set(jinja, keywords, name, caller)) return false;
  args.keywords = keywords->entries;
  args.n_keywords = keywords->n;
  return am_jcall_value(jinja, &callee, &args, &result) && put_text(jinja, &result);
}

static bool exec_generation(am_jinja *jinja, am_jframe *frame, const am_jnode *node) {
  am_jvalue body, result;
  return am_jmacro_new(jinja, frame, node->as.macro.code, &body) &&
         am_jcall_value(jinja, &body, &(am_jargs){0}, &result) && put_text(jinja, &result);
}

/* --- the others --- */
static bool exec_output(am_jinja *jinja, am_jframe *frame, const am_jnodes *items) {
  for (size_t i = 0; i < items->n; i++) {
    const am_jnode *item = items->items[i];
    am_jvalue value;
    if (item->kind == AM_JN_DATA) {
      if (!put_text(jinja, &item->as.constant)) return false;
      continue;
    }
    jinja->line = item->line;
    if (!am_jeval(jinja, frame, item, &value) || !am_jput_str(jinja, &value)) return false;
  }
  return true;
}

static am_jflow exec_if(am_jinja *jinja, am_jframe *frame, const am_jnode *node) {
  size_t n = node->as.branch.n_tests;
  for (size_t i = 0; i < n; i++) {
    am_jvalue test;
    jinja->line = node->as.branch.lines[i];
    if (!am_jeval(jinja, frame, node->as.branch.tests[i], &test)) return AM_JFLOW_FAIL;
    if (am_jvalue_truth(&test)) return am_jexec(jinja, frame, &node->as.branch.bodies[i]);
  }
  return node->as.branch.has_else ? am_jexec(jinja, frame, &node->as.branch.bodies[n]) : AM_JFLOW_NEXT;
}

static am_jflow exec_with(am_jinja *jinja, am_jframe *frame, const am_jnode *node) {
  if (!am_jscope_enter(jinja, frame, &node->as.with.scope)) return AM_JFLOW_FAIL;
  for (size_t i = 0; i < node->as.with.targets.n; i++) {
    am_jvalue value;
    if (!am_jeval(jinja, frame, node->as.with.values.items[i], &value) ||
        !am_jassign(jinja, frame, node->as.with.targets.items[i], &value))
      return AM_JFLOW_FAIL;
  }
  am_jflow flow = am_jexec(jinja, frame, &node->as.with.body);
  am_jscope_leave(frame, &node->as.with.scope);
  return flow;
}

static bool exec_block(am_jinja *jinja, am_jframe *frame, const am_jnode *node) {
  am_jdict *given = NULL;
  if (node->as.block.required)
    return am_jinja_raise(jinja, "Required block '%.*s' not found", (int)node->as.block.name.n_bytes,
                          node->as.block.name.text);
  if (node->as.block.scoped && !am_jdict_new(jinja, node->as.block.n_scoped, &given)) return false;
  for (size_t i = 0; i < node->as.block.n_scoped; i++) {
    am_jvalue key, value = *slot_of(frame, node->as.block.scoped_refs[i]);
    am_jname name = node->as.block.scoped_names[i];
    if (value.kind != AM_J_MISSING &&
        (!am_jstring_view(jinja, name.text, name.n_bytes, &key) || !am_jdict_set(jinja, given, key, value)))
      return false;
  }
  return am_jblock_run(jinja, node, given);
}

static am_jflow exec_one(am_jinja *jinja, am_jframe *frame, const am_jnode *node) {
  jinja->line = node->line;
  bool ok = true;
  switch ((am_jnode_kind)node->kind) {
    case AM_JN_OUTPUT:
      ok = exec_output(jinja, frame, &node->as.items);
      break;
    case AM_JN_FOR:
      return am_jexec_for(jinja, frame, node);
    case AM_JN_IF:
      return exec_if(jinja, frame, node);
    case AM_JN_SET:
      ok = exec_set(jinja, frame, node);
      break;
    case AM_JN_SET_BLOCK:
      return exec_set_block(jinja, frame, node);
    case AM_JN_MACRO:
      ok = exec_macro(jinja, frame, node);
      break;
    case AM_JN_CALL_BLOCK:
      ok = exec_call_block(jinja, frame, node);
      break;
    case AM_JN_FILTER_BLOCK:
      return exec_filter_block(jinja, frame, node);
    case AM_JN_GENERATION:
      ok = exec_generation(jinja, frame, node);
      break;
    case AM_JN_WITH:
    case AM_JN_SCOPE:
      return exec_with(jinja, frame, node);
    case AM_JN_BLOCK:
      ok = exec_block(jinja, frame, node);
      break;
    case AM_JN_BREAK:
      return AM_JFLOW_BREAK;
    case AM_JN_CONTINUE:
      return AM_JFLOW_CONTINUE;
    case AM_JN_NO_LOADER:
      ok = am_jinja_raise(jinja, "no loader for this environment specified");
      break;
    default:
      ok = am_jinja_raise(jinja, "an expression where a statement was expected");
  }
  return ok ? AM_JFLOW_NEXT : AM_JFLOW_FAIL;
}

am_jflow am_jexec(am_jinja *jinja, am_jframe *frame, const am_jnodes *nodes) {
  for (size_t i = 0; i < nodes->n; i++) {
    if (!am_jinja_charge(jinja, 1) || !am_jinja_stack_ok(jinja)) return AM_JFLOW_FAIL;
    am_jflow flow = exec_one(jinja, frame, nodes->items[i]);
    if (flow != AM_JFLOW_NEXT) return flow;
  }
  return AM_JFLOW_NEXT;
}

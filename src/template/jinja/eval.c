/* SPDX-License-Identifier: Apache-2.0 */
#include "template/jinja/eval.h"

#include <string.h>

#include "template/jinja/attribute.h"
#include "template/jinja/checks.h"
#include "template/jinja/filters.h"
#include "template/jinja/format.h"
#include "template/jinja/iterate.h"

static bool eval_name(am_jinja *jinja, am_jframe *frame, const am_jnode *node, am_jvalue *out) {
  for (unsigned hops = node->as.name.ref.hops; hops; hops--) frame = frame->parent;
  *out = frame->slots[node->as.name.ref.slot];
  if (out->kind != AM_J_MISSING) return true;
  return am_jundefined_new(jinja, false, out, "'%.*s' is undefined", (int)node->as.name.name.n_bytes,
                           node->as.name.name.text);
}

static bool eval_list(am_jinja *jinja, am_jframe *frame, const am_jnodes *nodes, am_jlist **out) {
  am_jlist *list = NULL;
  if (!am_jlist_new(jinja, nodes->n, &list)) return false;
  for (size_t i = 0; i < nodes->n; i++) {
    if (!am_jeval(jinja, frame, nodes->items[i], &list->items[i])) return false;
    list->n++;
  }
  *out = list;
  return true;
}

static bool eval_dict(am_jinja *jinja, am_jframe *frame, const am_jnodes *nodes, am_jvalue *out) {
  am_jdict *dict = NULL;
  if (!am_jdict_new(jinja, nodes->n / 2, &dict)) return false;
  for (size_t i = 0; i + 1 < nodes->n; i += 2) {
    am_jvalue key, value;
    if (!am_jeval(jinja, frame, nodes->items[i], &key) ||
        !am_jeval(jinja, frame, nodes->items[i + 1], &value) || !am_jdict_set(jinja, dict, key, value))
      return false;
  }
  *out = am_jdict_value(dict);
  return true;
}

static bool eval_concat(am_jinja *jinja, am_jframe *frame, const am_jnodes *nodes, am_jvalue *out) {
  am_jlist *parts = NULL;
  if (!eval_list(jinja, frame, nodes, &parts)) return false;
  size_t mark = am_jinja_mark(jinja);
  for (size_t i = 0; i < parts->n; i++)
    if (!am_jput_str(jinja, &parts->items[i])) return false;
  return am_jinja_cut(jinja, mark, out);
}

/* a < b < c: each operand once, the first false result ends it. */
static bool eval_comparison(am_jinja *jinja, am_jframe *frame, const am_jnode *node, am_jvalue *out) {
  am_jvalue left, right;
  bool holds = true;
  if (!am_jeval(jinja, frame, node->as.compare.items.items[0], &left)) return false;
  for (size_t i = 1; i < node->as.compare.items.n && holds; i++) {
    if (!am_jeval(jinja, frame, node->as.compare.items.items[i], &right) ||
        !am_jrelate(jinja, node->as.compare.ops[i - 1], &left, &right, &holds))
      return false;
    left = right;
  }
  *out = am_jbool(holds);
  return true;
}

static bool eval_optional(am_jinja *jinja, am_jframe *frame, const am_jnode *node, am_jvalue *out) {
  *out = am_jnone();
  return !node || am_jeval(jinja, frame, node, out);
}

static bool eval_slice(am_jinja *jinja, am_jframe *frame, const am_jnode *node, am_jvalue *out) {
  const am_jnode *slice = node->as.item.index;
  am_jvalue object, start, stop, step;
  return am_jeval(jinja, frame, node->as.item.object, &object) &&
         eval_optional(jinja, frame, slice->as.slice.start, &start) &&
         eval_optional(jinja, frame, slice->as.slice.stop, &stop) &&
         eval_optional(jinja, frame, slice->as.slice.step, &step) &&
         am_jvalue_slice(jinja, &object, &start, &stop, &step, out);
}

static bool add_dyn_args(am_jinja *jinja, am_jframe *frame, const am_jnode *node, am_jlist *items) {
  am_jvalue value;
  am_jiterator *iterator = NULL;
  if (!am_jeval(jinja, frame, node, &value)) return false;
  if (!am_jvalue_iterable(&value))
    return am_jinja_raise(jinja, "argument after * must be an iterable, not %s", am_jvalue_type(&value));
  if (!am_jiterator_open(jinja, &value, &iterator)) return false;
  for (;;) {
    bool done = false;
    if (!am_jiterator_next(jinja, iterator, &value, &done)) return false;
    if (done) return true;
    if (!am_jlist_push(jinja, items, value)) return false;
  }
}

static bool add_dyn_kwargs(am_jinja *jinja, am_jframe *frame, const am_jnode *node, am_jdict *keywords) {
  am_jvalue value, *known = NULL;
  if (!am_jeval(jinja, frame, node, &value)) return false;
  if (value.kind == AM_J_UNDEFINED) return am_jinja_raise_undefined(jinja, &value);
  if (value.kind != AM_J_DICT)
    return am_jinja_raise(jinja, "argument after ** must be a mapping, not %s", am_jvalue_type(&value));
  for (size_t i = 0; i < value.as.dict->n; i++) {
    am_jentry *entry = &value.as.dict->entries[i];
    if (entry->key.kind != AM_J_STRING) return am_jinja_raise(jinja, "keywords must be strings");
    if (!am_jdict_get(jinja, keywords, &entry->key, &known)) return false;
    if (known)
      return am_jinja_raise(jinja, "got multiple values for keyword argument '%.*s'",
                            (int)entry->key.as.string->n_bytes, entry->key.as.string->data);
    if (!am_jdict_set(jinja, keywords, entry->key, entry->value)) return false;
  }
  return true;
}

bool am_jeval_args(am_jinja *jinja, am_jframe *frame, const am_jsignature *s, am_jargs *out) {
  am_jlist *items = NULL;
  am_jdict *keywords = NULL;
  *out = (am_jargs){0};
  if (!s->args.n && !s->keyword_values.n && !s->dyn_args && !s->dyn_kwargs) return true;
  if (!eval_list(jinja, frame, &s->args, &items) || !am_jdict_new(jinja, s->keyword_values.n, &keywords))
    return false;
  for (size_t i = 0; i < s->keyword_values.n; i++) {
    am_jvalue name, value;
    if (!am_jstring_view(jinja, s->keywords[i].text, s->keywords[i].n_bytes, &name) ||
        !am_jeval(jinja, frame, s->keyword_values.items[i], &value) ||
        !am_jdict_set(jinja, keywords, name, value))
      return false;
  }
  if ((s->dyn_args && !add_dyn_args(jinja, frame, s->dyn_args, items)) ||
      (s->dyn_kwargs && !add_dyn_kwargs(jinja, frame, s->dyn_kwargs, keywords)))
    return false;
  *out = (am_jargs){
      .items = items->items, .n = items->n, .keywords = keywords->entries, .n_keywords = keywords->n};
  return true;
}

static bool eval_call(am_jinja *jinja, am_jframe *frame, const am_jnode *node, am_jvalue *out) {
  am_jvalue callee;
  am_jargs args;
  return am_jeval(jinja, frame, node->as.call.object, &callee) &&
         am_jeval_args(jinja, frame, &node->as.call.signature, &args) &&
         am_jcall_value(jinja, &callee, &args, out);
}

static bool apply_filter(am_jinja *jinja, am_jframe *frame, const am_jnode *node, const am_jvalue *value,
                         am_jvalue *out) {
  am_jargs args;
  if (!am_jeval_args(jinja, frame, &node->as.call.signature, &args)) return false;
  if (!node->as.call.filter)
    return am_jinja_raise(jinja, "No filter named '%.*s' found.", (int)node->as.call.name.n_bytes,
                          node->as.call.name.text);
  return node->as.call.filter->call(jinja, value, &args, out);
}

bool am_jeval_block_filter(am_jinja *jinja, am_jframe *frame, const am_jnode *filter, const am_jvalue *text,
                           am_jvalue *out) {
  am_jvalue value = *text;
  if (filter->as.call.object && !am_jeval_block_filter(jinja, frame, filter->as.call.object, text, &value))
    return false;
  return apply_filter(jinja, frame, filter, &value, out);
}

static bool eval_filter(am_jinja *jinja, am_jframe *frame, const am_jnode *node, am_jvalue *out) {
  am_jvalue value;
  return am_jeval(jinja, frame, node->as.call.object, &value) &&
         apply_filter(jinja, frame, node, &value, out);
}

static bool eval_test(am_jinja *jinja, am_jframe *frame, const am_jnode *node, am_jvalue *out) {
  am_jvalue value;
  am_jargs args;
  bool result = false;
  if (!am_jeval(jinja, frame, node->as.call.object, &value) ||
      !am_jeval_args(jinja, frame, &node->as.call.signature, &args))
    return false;
  if (!node->as.call.check)
    return am_jinja_raise(jinja, "No test named '%.*s' found.", (int)node->as.call.name.n_bytes,
                          node->as.call.name.text);
  if (!am_jcheck_run(jinja, node->as.call.check, &value, &args, &result)) return false;
  *out = am_jbool(result);
  return true;
}

static bool eval_condition(am_jinja *jinja, am_jframe *frame, const am_jnode *node, am_jvalue *out) {
  am_jvalue test;
  if (!am_jeval(jinja, frame, node->as.cond.test, &test)) return false;
  if (am_jvalue_truth(&test)) return am_jeval(jinja, frame, node->as.cond.yes, out);
  if (node->as.cond.no) return am_jeval(jinja, frame, node->as.cond.no, out);
  return am_jundefined_new(
      jinja, false, out,
      "the inline if-expression on line %u evaluated to false and no else section was defined.", node->line);
}

static bool eval_logic(am_jinja *jinja, am_jframe *frame, const am_jnode *node, am_jvalue *out) {
  if (!am_jeval(jinja, frame, node->as.binary.left, out)) return false;
  if (am_jvalue_truth(out) == (node->kind == AM_JN_OR)) return true;
  return am_jeval(jinja, frame, node->as.binary.right, out);
}

static bool eval_binary(am_jinja *jinja, am_jframe *frame, const am_jnode *node, am_jvalue *out) {
  am_jvalue left, right;
  return am_jeval(jinja, frame, node->as.binary.left, &left) &&
         am_jeval(jinja, frame, node->as.binary.right, &right) &&
         am_joperate(jinja, node->op, &left, &right, out);
}

static bool eval_item(am_jinja *jinja, am_jframe *frame, const am_jnode *node, am_jvalue *out) {
  am_jvalue object, key;
  if (!am_jeval(jinja, frame, node->as.item.object, &object)) return false;
  if (node->kind == AM_JN_GETATTR)
    return am_jvalue_getattr(jinja, &object, node->as.item.name.text, node->as.item.name.n_bytes, out);
  return am_jeval(jinja, frame, node->as.item.index, &key) && am_jvalue_getitem(jinja, &object, &key, out);
}

bool am_jeval(am_jinja *jinja, am_jframe *frame, const am_jnode *node, am_jvalue *out) {
  if (!am_jinja_charge(jinja, 1) || !am_jinja_stack_ok(jinja)) return false;
  am_jvalue value;
  am_jlist *list = NULL;
  switch ((am_jnode_kind)node->kind) {
    case AM_JN_CONST:
      *out = node->as.constant;
      return true;
    case AM_JN_NAME:
      return eval_name(jinja, frame, node, out);
    case AM_JN_TUPLE:
      if (!eval_list(jinja, frame, &node->as.items, &list)) return false;
      *out = am_jtuple_value(list);
      return true;
    case AM_JN_LIST:
      if (!eval_list(jinja, frame, &node->as.items, &list)) return false;
      *out = am_jlist_value(list);
      return true;
    case AM_JN_DICT:
      return eval_dict(jinja, frame, &node->as.items, out);
    case AM_JN_UNARY:
      return am_jeval(jinja, frame, node->as.binary.left, &value) &&
             am_joperate_unary(jinja, node->op, &value, out);
    case AM_JN_NOT:
      if (!am_jeval(jinja, frame, node->as.binary.left, &value)) return false;
      *out = am_jbool(!am_jvalue_truth(&value));
      return true;
    case AM_JN_BINARY:
      return eval_binary(jinja, frame, node, out);
    case AM_JN_AND:
    case AM_JN_OR:
      return eval_logic(jinja, frame, node, out);
    case AM_JN_CONCAT:
      return eval_concat(jinja, frame, &node->as.items, out);
    case AM_JN_COMPARE:
      return eval_comparison(jinja, frame, node, out);
    case AM_JN_COND:
      return eval_condition(jinja, frame, node, out);
    case AM_JN_GETITEM:
      if (node->as.item.index->kind == AM_JN_SLICE) return eval_slice(jinja, frame, node, out);
      return eval_item(jinja, frame, node, out);
    case AM_JN_GETATTR:
      return eval_item(jinja, frame, node, out);
    case AM_JN_CALL:
      return eval_call(jinja, frame, node, out);
    case AM_JN_FILTER:
      return eval_filter(jinja, frame, node, out);
    case AM_JN_TEST:
      return eval_test(jinja, frame, node, out);
    default:
      return am_jinja_raise(jinja, "a statement where an expression was expected");
  }
}

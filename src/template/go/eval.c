/* SPDX-License-Identifier: Apache-2.0 */
#include "template/go/eval.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

enum { MAX_RUN_DEPTH = 2000 /* evaluations inside each other */ };

#define TRY(call)                                 \
  do {                                            \
    adam_status try_status = (call);              \
    if (try_status != ADAM_OK) return try_status; \
  } while (0)

adam_status am_go_fail(const am_go_state *state, const char *why_format, ...) {
  char why[200];
  va_list arguments;
  va_start(arguments, why_format);
  vsnprintf(why, sizeof why, why_format, arguments);
  va_end(arguments);
  return am_fail(state->error, ADAM_TEMPLATE, state->tmpl->name, NULL, "line %u: %s", state->line, why);
}

adam_status am_go_no_memory(const am_go_state *state) {
  if (state->arena->limit_bytes && state->arena->used_bytes > state->arena->limit_bytes / 2)
    return am_fail(state->error, ADAM_LIMIT, state->tmpl->name, NULL,
                   "line %u: the template needs more than %d MB", state->line, AM_GO_MAX_MEMORY_BYTES >> 20);
  return am_fail_memory(state->error, state->tmpl->name);
}

static adam_status limit(const am_go_state *state, const char *what) {
  return am_fail(state->error, ADAM_LIMIT, state->tmpl->name, NULL, "line %u: %s", state->line, what);
}

adam_status am_go_step(am_go_state *state) {
  return ++state->n_steps > state->max_steps ? limit(state, "the template runs too long") : ADAM_OK;
}

adam_status am_go_take(const am_go_state *state, am_buf *text, am_go_value *out) {
  const char *copy =
      text->failed ? NULL : am_arena_dup(state->arena, text->data ? text->data : "", text->len);
  if (copy) *out = am_go_string(copy, text->len);
  am_buf_close(text);
  return copy ? ADAM_OK : am_go_no_memory(state);
}

static adam_status check_output(const am_go_state *state) {
  if (state->out->failed) return am_fail_memory(state->error, state->tmpl->name);
  return state->out->len > state->max_output_bytes ? limit(state, "the text grows too long") : ADAM_OK;
}

static int shown(am_go_name name) { return name.n_bytes > 60 ? 60 : (int)name.n_bytes; }

/* --- variables --- */

static adam_status push_variable(am_go_state *s, am_go_name name, const am_go_value *value) {
  if (s->n_variables == s->capacity) {
    size_t capacity = s->capacity ? s->capacity * 2 : 16;
    am_go_variable *grown = am_arena_alloc(s->arena, capacity * sizeof *grown);
    if (!grown) return am_go_no_memory(s);
    if (s->n_variables) memcpy(grown, s->variables, s->n_variables * sizeof *grown);
    s->variables = grown;
    s->capacity = capacity;
  }
  s->variables[s->n_variables++] = (am_go_variable){name, *value};
  return ADAM_OK;
}

static am_go_variable *find_variable(const am_go_state *s, am_go_name name) {
  for (size_t i = s->n_variables; i-- > s->first_variable;)
    if (am_go_names_equal(s->variables[i].name, name)) return &s->variables[i];
  return NULL;
}

static adam_status set_variable(am_go_state *s, am_go_name name, const am_go_value *value) {
  am_go_variable *variable = find_variable(s, name);
  if (!variable) return am_go_fail(s, "undefined variable: %.*s", shown(name), name.text);
  variable->value = *value;
  return ADAM_OK;
}

/* --- expressions --- */

static adam_status eval_pipe(am_go_state *s, const am_go_value *dot, const am_go_node *pipe,
                             am_go_value *out);

/* The method String, the only one; *called tells. */
static adam_status call_method(am_go_state *s, const am_go_value *receiver, am_go_name name,
                               bool has_arguments, bool *called, am_go_value *out) {
  bool marshal = am_go_name_is(name, "MarshalJSON") || am_go_name_is(name, "UnmarshalJSON");
  if (marshal && (receiver->type == AM_GO_PROPERTY_TYPE || receiver->type == AM_GO_MESSAGE))
    return am_go_fail(s, "the method %.*s is not supported", shown(name), name.text);
  *called = am_go_name_is(name, "String") && am_go_prints_itself(receiver);
  if (!*called) return ADAM_OK;
  if (has_arguments) return am_go_fail(s, "wrong number of args for String: want 0");
  am_buf text = {0};
  if (!am_go_own_text(&text, receiver)) text.failed = true;
  return am_go_take(s, &text, out);
}

static adam_status eval_field(am_go_state *s, am_go_value receiver, am_go_name name, bool has_arguments,
                              am_go_value *out) {
  bool called = false;
  if (receiver.kind == AM_GO_INVALID) {
    *out = am_go_invalid();
    return ADAM_OK;
  }
  if (receiver.kind == AM_GO_NIL)
    return am_go_fail(s, "nil pointer evaluating interface {}.%.*s", shown(name), name.text);
  TRY(call_method(s, &receiver, name, has_arguments, &called, out));
  if (called) return ADAM_OK;
  if (receiver.kind == AM_GO_STRUCT) {
    const am_go_field *fields = am_go_fields(receiver.type);
    for (size_t i = 0; fields[i].name; i++) {
      if (!am_go_name_is(name, fields[i].name)) continue;
      if (has_arguments)
        return am_go_fail(s, "%s has arguments but cannot be invoked as function", fields[i].name);
      *out = receiver.as.items[i];
      out->addressable = receiver.pointer || receiver.addressable;
      return ADAM_OK;
    }
  } else if (receiver.kind == AM_GO_MAP) {
    if (has_arguments) return am_go_fail(s, "%.*s is not a method but has arguments", shown(name), name.text);
    const am_go_value *value = am_go_map_find(&receiver, name.text, name.n_bytes);
    *out = value ? *value : s->full ? am_go_map_missing(&receiver) : am_go_invalid();
    return ADAM_OK;
  }
  return am_go_fail(s, "can't evaluate field %.*s in type %s", shown(name), name.text,
                    am_go_type_name(&receiver));
}

static adam_status eval_fields(am_go_state *s, am_go_value receiver, const am_go_name *names, size_t n,
                               bool has_arguments, am_go_value *out) {
  for (size_t i = 0; i < n; i++)
    TRY(eval_field(s, receiver, names[i], has_arguments && i + 1 == n, &receiver));
  *out = receiver;
  return ADAM_OK;
}

static adam_status eval_function(am_go_state *s, const am_go_value *dot, const am_go_node *word,
                                 am_go_node *const *arguments, size_t n, const am_go_value *final,
                                 am_go_value *out);

static adam_status eval_constant(const am_go_state *s, const am_go_node *node, am_go_value *out) {
  if (node->value.kind == AM_GO_INVALID) return am_go_fail(s, "the number overflows int");
  *out = node->value;
  return ADAM_OK;
}

/* A word of a command: the first with has_arguments, or an argument. */
static adam_status eval_operand(am_go_state *s, const am_go_value *dot, const am_go_node *node,
                                bool has_arguments, am_go_value *out) {
  am_go_value value;
  s->line = node->line;
  switch (node->kind) {
    case AM_GO_NODE_FIELD:
      return eval_fields(s, *dot, node->names, node->n_names, has_arguments, out);
    case AM_GO_NODE_VARIABLE: {
      const am_go_variable *variable = find_variable(s, node->names[0]);
      if (!variable) return am_go_fail(s, "undefined variable");
      if (node->n_names == 1 && has_arguments) return am_go_fail(s, "can't give argument to a variable");
      return eval_fields(s, variable->value, node->names + 1, node->n_names - 1, has_arguments, out);
    }
    case AM_GO_NODE_CHAIN:
      if (node->pipe->kind == AM_GO_NODE_PIPE)
        TRY(eval_pipe(s, dot, node->pipe, &value));
      else
        TRY(eval_function(s, dot, node->pipe, NULL, 0, NULL, &value));
      return eval_fields(s, value, node->names, node->n_names, has_arguments, out);
    case AM_GO_NODE_FUNCTION:
      return eval_function(s, dot, node, NULL, 0, NULL, out);
    default:
      break;
  }
  if (has_arguments) return am_go_fail(s, "can't give argument to what is no function");
  switch (node->kind) {
    case AM_GO_NODE_PIPE:
      return eval_pipe(s, dot, node, out);
    case AM_GO_NODE_DOT:
      *out = *dot;
      return ADAM_OK;
    case AM_GO_NODE_NIL:
      *out = am_go_invalid();
      return ADAM_OK;
    default:
      return eval_constant(s, node, out);
  }
}

/* and, or: the value that decides; what comes after it is not evaluated. */
static adam_status eval_logic(am_go_state *s, const am_go_value *dot, bool or, am_go_node *const *arguments,
                              size_t n, const am_go_value *final, am_go_value *out) {
  for (size_t i = 0; i < n; i++) {
    TRY(eval_operand(s, dot, arguments[i], false, out));
    if (am_go_truth(out) == or) return ADAM_OK;
  }
  if (final) *out = *final;
  return ADAM_OK;
}

/* final: what the pipe brings, NULL = nothing. */
static adam_status eval_function(am_go_state *s, const am_go_value *dot, const am_go_node *word,
                                 am_go_node *const *arguments, size_t n, const am_go_value *final,
                                 am_go_value *out) {
  am_go_function function = (am_go_function)word->function;
  const am_go_signature *signature = &am_go_functions[function];
  am_go_value few[8], *values = few;
  size_t n_values = n + (final ? 1 : 0);
  s->line = word->line;
  if (!s->full && !signature->builtin)
    return am_go_fail(s, "\"%s\" is not a defined function in the last turn", signature->name);
  if (n_values < signature->n_least || (!signature->more && n_values > signature->n_least))
    return am_go_fail(s, "wrong number of args for %s: want %s%u got %zu", signature->name,
                      signature->more ? "at least " : "", signature->n_least, n_values);
  if (function == AM_GO_F_AND || function == AM_GO_F_OR)
    return eval_logic(s, dot, function == AM_GO_F_OR, arguments, n, final, out);
  if (n_values > sizeof few / sizeof *few) {
    values = am_arena_alloc(s->arena, n_values * sizeof *values);
    if (!values) return am_go_no_memory(s);
  }
  for (size_t i = 0; i < n; i++) TRY(eval_operand(s, dot, arguments[i], false, &values[i]));
  if (final) values[n] = *final;
  s->line = word->line;
  return am_go_call(s, function, values, n_values, out);
}

static adam_status eval_command(am_go_state *s, const am_go_value *dot, const am_go_node *command,
                                const am_go_value *final, am_go_value *out) {
  const am_go_node *first = command->nodes[0];
  s->line = first->line;
  if (first->kind == AM_GO_NODE_FUNCTION)
    return eval_function(s, dot, first, command->nodes + 1, command->n_nodes - 1, final, out);
  if (first->kind == AM_GO_NODE_NIL) return am_go_fail(s, "nil is not a command");
  return eval_operand(s, dot, first, command->n_nodes > 1 || final, out);
}

static adam_status eval_pipe(am_go_state *s, const am_go_value *dot, const am_go_node *pipe,
                             am_go_value *out) {
  am_go_value value = am_go_invalid();
  TRY(am_go_step(s));
  if (++s->depth > MAX_RUN_DEPTH) return limit(s, "too much inside each other");
  for (size_t i = 0; i < pipe->n_nodes; i++) {
    am_go_value result;
    TRY(eval_command(s, dot, pipe->nodes[i], i > 0 ? &value : NULL, &result));
    value = result;
    if (value.kind == AM_GO_NIL) value = am_go_invalid();
  }
  for (size_t i = 0; i < pipe->n_names; i++)
    TRY(pipe->assigns ? set_variable(s, pipe->names[i], &value) : push_variable(s, pipe->names[i], &value));
  s->depth--;
  *out = value;
  return ADAM_OK;
}

/* --- actions --- */

static adam_status walk(am_go_state *s, const am_go_value *dot, const am_go_node *node);

static adam_status walk_branch(am_go_state *s, const am_go_value *dot, const am_go_node *node) {
  am_go_value value;
  size_t mark = s->n_variables;
  adam_status status = eval_pipe(s, dot, node->pipe, &value);
  if (!status && am_go_truth(&value))
    status = walk(s, node->kind == AM_GO_NODE_WITH ? &value : dot, node->list);
  else if (!status && node->other)
    status = walk(s, dot, node->other);
  s->n_variables = mark;
  return status;
}

/* One turn of a range; index may be INVALID. *over: a break. */
static adam_status iterate(am_go_state *s, const am_go_node *node, const am_go_value *index,
                           const am_go_value *element, bool *over) {
  const am_go_node *pipe = node->pipe;
  size_t mark = s->n_variables, n = pipe->n_names;
  TRY(am_go_step(s));
  if (n > 0 && pipe->assigns) {
    TRY(set_variable(s, pipe->names[0], n > 1 ? index : element));
    if (n > 1) TRY(set_variable(s, pipe->names[1], element));
  } else if (n > 0) {
    s->variables[mark - 1].value = *element;
    if (n > 1) s->variables[mark - 2].value = *index;
  }
  TRY(walk(s, element, node->list));
  s->n_variables = mark;
  *over = s->flow == AM_GO_BREAKS;
  s->flow = AM_GO_FLOWS;
  return ADAM_OK;
}

static adam_status range_over(am_go_state *s, const am_go_value *dot, const am_go_node *node,
                              const am_go_value *value) {
  bool over = false;
  am_go_value none = am_go_invalid();
  size_t n = value->n;
  switch ((am_go_kind)value->kind) {
    case AM_GO_INT:
    case AM_GO_BYTE:
      if (node->pipe->n_names > 1)
        return am_go_fail(s, "can't use a number to iterate over more than one variable");
      n = value->as.integer > 0 ? (size_t)value->as.integer : 0;
      for (size_t i = 0; i < n && !over; i++) {
        am_go_value element = am_go_int((int64_t)i);
        element.kind = value->kind;
        TRY(iterate(s, node, &none, &element, &over));
      }
      break;
    case AM_GO_LIST:
      for (size_t i = 0; i < n && !over; i++) {
        am_go_value index = am_go_int((int64_t)i), element = am_go_element(value, i);
        TRY(iterate(s, node, &index, &element, &over));
      }
      break;
    case AM_GO_MAP:
      for (size_t i = 0; i < n && !over; i++) {
        const am_go_entry *entry = &value->as.entries[i];
        am_go_value key = am_go_string(entry->key, entry->key_bytes);
        TRY(iterate(s, node, &key, &entry->value, &over));
      }
      break;
    case AM_GO_INVALID:
    case AM_GO_NIL:
      n = 0;
      break;
    case AM_GO_BOOL:
    case AM_GO_FLOAT:
    case AM_GO_STRING:
    case AM_GO_STRUCT:
      return am_go_fail(s, "range can't iterate over a %s", am_go_type_name(value));
  }
  if (n > 0 || !node->other) return ADAM_OK;
  TRY(walk(s, dot, node->other));
  /* Go catches a break there too, though it was written for the range outside; a continue goes on */
  if (s->flow == AM_GO_BREAKS) s->flow = AM_GO_FLOWS;
  return ADAM_OK;
}

static adam_status walk_range(am_go_state *s, const am_go_value *dot, const am_go_node *node) {
  am_go_value value;
  size_t mark = s->n_variables;
  TRY(eval_pipe(s, dot, node->pipe, &value));
  s->line = node->line;
  adam_status status = range_over(s, dot, node, &value);
  s->n_variables = mark;
  return status;
}

static adam_status walk_template(am_go_state *s, const am_go_value *dot, const am_go_node *node) {
  const am_go_node *tree = NULL;
  am_go_value value = am_go_invalid();
  for (size_t i = 0; i < s->n_definitions; i++)
    if (am_go_names_equal(s->definitions[i].name, node->text)) tree = s->definitions[i].root;
  if (!tree) return am_go_fail(s, "template \"%.*s\" not defined", shown(node->text), node->text.text);
  if (node->pipe) TRY(eval_pipe(s, dot, node->pipe, &value));
  size_t first = s->first_variable, n = s->n_variables;
  s->first_variable = n;
  TRY(push_variable(s, (am_go_name){"$", 1}, &value));
  TRY(walk(s, &value, tree));
  s->first_variable = first;
  s->n_variables = n;
  return ADAM_OK;
}

static adam_status walk_action(am_go_state *s, const am_go_value *dot, const am_go_node *node) {
  am_go_value value;
  TRY(eval_pipe(s, dot, node->pipe, &value));
  if (node->pipe->n_names > 0) return ADAM_OK;
  s->line = node->line;
  TRY(am_go_write(s, s->out, &value));
  return check_output(s);
}

static adam_status walk_node(am_go_state *s, const am_go_value *dot, const am_go_node *node) {
  s->line = node->line;
  switch (node->kind) {
    case AM_GO_NODE_TEXT:
      am_buf_append(s->out, node->text.text, node->text.n_bytes);
      return check_output(s);
    case AM_GO_NODE_ACTION:
      return walk_action(s, dot, node);
    case AM_GO_NODE_IF:
    case AM_GO_NODE_WITH:
      return walk_branch(s, dot, node);
    case AM_GO_NODE_RANGE:
      return walk_range(s, dot, node);
    case AM_GO_NODE_TEMPLATE:
      return walk_template(s, dot, node);
    case AM_GO_NODE_BREAK:
      s->flow = AM_GO_BREAKS;
      return ADAM_OK;
    case AM_GO_NODE_CONTINUE:
      s->flow = AM_GO_CONTINUES;
      return ADAM_OK;
    default:
      return am_go_fail(s, "unknown node");
  }
}

static adam_status walk(am_go_state *s, const am_go_value *dot, const am_go_node *list) {
  if (++s->depth > MAX_RUN_DEPTH) return limit(s, "too much inside each other");
  for (size_t i = 0; i < list->n_nodes && s->flow == AM_GO_FLOWS; i++) {
    TRY(am_go_step(s));
    TRY(walk_node(s, dot, list->nodes[i]));
  }
  s->depth--;
  return ADAM_OK;
}

adam_status am_go_run(am_go_state *state, const am_go_node *tree, const am_go_value *root) {
  state->n_variables = state->first_variable = 0;
  state->depth = 0;
  state->flow = AM_GO_FLOWS;
  TRY(push_variable(state, (am_go_name){"$", 1}, root));
  return walk(state, root, tree);
}

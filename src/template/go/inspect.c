/* SPDX-License-Identifier: Apache-2.0 */
/* What Ollama reads off a template's tree: the fields it names (template.Vars), the tags of thinking
 * (thinking.InferTags) and of tool calls (tools.parseTag), and the tree of a legacy template's last turn,
 * cut at the first .Response (template.deleteNode). */
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "template/go/ast.h"

/* --- which fields are named --- */

static bool name_in(const am_go_node *node, const char *name) {
  size_t n = strlen(name);
  for (size_t i = 0; i < node->n_names; i++)
    if (node->names[i].n_bytes == n && strncasecmp(node->names[i].text, name, n) == 0) return true;
  return false;
}

/* Chains are not looked into, as in Ollama. */
static bool names_field(const am_go_node *node, const char *name) {
  if (!node) return false;
  if (node->kind == AM_GO_NODE_FIELD || node->kind == AM_GO_NODE_VARIABLE) return name_in(node, name);
  if (node->kind == AM_GO_NODE_CHAIN) return false;
  for (size_t i = 0; i < node->n_nodes; i++)
    if (names_field(node->nodes[i], name)) return true;
  return names_field(node->pipe, name) || names_field(node->list, name) || names_field(node->other, name);
}

static bool template_names(const am_go_template *tmpl, const char *name) {
  for (size_t i = 0; i < tmpl->n_definitions; i++)
    if (names_field(tmpl->definitions[i].root, name)) return true;
  return false;
}

/* Ollama's own code fails on {{ template "x" }} without a value behind it, in every place but a chain. */
static const am_go_node *bare_template(const am_go_node *node) {
  if (!node || node->kind == AM_GO_NODE_CHAIN) return NULL;
  if (node->kind == AM_GO_NODE_TEMPLATE && !node->pipe) return node;
  const am_go_node *found = NULL;
  for (size_t i = 0; i < node->n_nodes && !found; i++) found = bare_template(node->nodes[i]);
  if (!found) found = bare_template(node->list);
  return found ? found : bare_template(node->other);
}

static am_go_node *new_node(am_arena *arena, am_go_node_kind kind) {
  am_go_node *node = am_arena_zalloc(arena, 1, sizeof *node);
  if (node) node->kind = kind;
  return node;
}

static am_go_node *parent_of(am_arena *arena, am_go_node_kind kind, am_go_node *child) {
  am_go_node *node = new_node(arena, kind);
  am_go_node **nodes = am_arena_alloc(arena, sizeof *nodes);
  if (!node || !nodes || !child) return NULL;
  nodes[0] = child;
  node->nodes = nodes;
  node->n_nodes = 1;
  return node;
}

/* {{ .Response }} at the end. */
static bool append_response(am_go_template *tmpl) {
  static const am_go_name response[] = {{"Response", 8}};
  am_arena *arena = &tmpl->arena;
  am_go_node *root = tmpl->root, *field = new_node(arena, AM_GO_NODE_FIELD);
  am_go_node *action = new_node(arena, AM_GO_NODE_ACTION);
  am_go_node **nodes = am_arena_alloc(arena, (root->n_nodes + 1) * sizeof *nodes);
  am_go_name *names = am_arena_alloc(arena, sizeof response);
  if (!field || !action || !nodes || !names) return false;
  memcpy(names, response, sizeof response);
  field->names = names;
  field->n_names = 1;
  action->pipe = parent_of(arena, AM_GO_NODE_PIPE, parent_of(arena, AM_GO_NODE_COMMAND, field));
  if (!action->pipe) return false;
  if (root->n_nodes) memcpy(nodes, root->nodes, root->n_nodes * sizeof *nodes);
  nodes[root->n_nodes++] = action;
  root->nodes = nodes;
  return true;
}

/* --- tags --- */

static bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static am_go_name trimmed(am_go_name text) {
  while (text.n_bytes > 0 && is_blank(text.text[text.n_bytes - 1])) text.n_bytes--;
  while (text.n_bytes > 0 && is_blank(text.text[0])) text.text++, text.n_bytes--;
  return text;
}

typedef struct tags {
  const am_go_node *range, *list; /* the nearest above */
  am_go_name open, close;
} tags;

/* A field of the pipeline begins with .Messages. */
static bool ranges_over_messages(const am_go_node *pipe) {
  if (pipe->kind == AM_GO_NODE_FIELD) return am_go_name_is(pipe->names[0], "Messages");
  for (size_t i = 0; i < pipe->n_nodes; i++)
    if (ranges_over_messages(pipe->nodes[i])) return true;
  return false;
}

static void find_thinking(const am_go_node *node, tags *t) {
  if (!node || node->kind == AM_GO_NODE_CHAIN) return;
  tags above = *t;
  if (node->kind == AM_GO_NODE_RANGE) t->range = node;
  if (node->kind == AM_GO_NODE_LIST) t->list = node;
  if (node->kind == AM_GO_NODE_FIELD && am_go_name_is(node->names[0], "Thinking") && t->range &&
      ranges_over_messages(t->range->pipe) && t->list && t->list->n_nodes > 0) {
    const am_go_node *first = t->list->nodes[0], *last = t->list->nodes[t->list->n_nodes - 1];
    if (first->kind == AM_GO_NODE_TEXT) t->open = trimmed(first->text);
    if (last->kind == AM_GO_NODE_TEXT) t->close = trimmed(last->text);
  }
  find_thinking(node->pipe, t);
  for (size_t i = 0; i < node->n_nodes; i++) find_thinking(node->nodes[i], t);
  find_thinking(node->list, t);
  find_thinking(node->other, t);
  t->range = above.range;
  t->list = above.list;
}

/* An `if` with .ToolCalls in its pipeline. */
static const am_go_node *find_calls(const am_go_node *list) {
  for (size_t i = 0; list && i < list->n_nodes; i++) {
    const am_go_node *node = list->nodes[i];
    if (node->kind == AM_GO_NODE_IF)
      for (size_t k = 0; k < node->pipe->n_nodes; k++)
        for (size_t m = 0; m < node->pipe->nodes[k]->n_nodes; m++) {
          const am_go_node *argument = node->pipe->nodes[k]->nodes[m];
          for (size_t f = 0; argument->kind == AM_GO_NODE_FIELD && f < argument->n_names; f++)
            if (am_go_name_is(argument->names[f], "ToolCalls")) return node;
        }
    const am_go_node *found = find_calls(node->list);
    if (!found) found = find_calls(node->other);
    if (found) return found;
  }
  return NULL;
}

/* The first text in or below the list, unless an action comes before it. */
static const am_go_node *find_text(const am_go_node *list) {
  for (size_t i = 0; list && i < list->n_nodes; i++) {
    const am_go_node *node = list->nodes[i];
    if (node->kind == AM_GO_NODE_TEXT && trimmed(node->text).n_bytes > 0) return node;
    if (node->kind == AM_GO_NODE_ACTION) return NULL;
    if (node->kind != AM_GO_NODE_IF && node->kind != AM_GO_NODE_RANGE && node->kind != AM_GO_NODE_WITH)
      continue;
    const am_go_node *found = find_text(node->list);
    return found ? found : find_text(node->other);
  }
  return NULL;
}

static am_go_name call_tag(const am_go_template *tmpl) {
  const am_go_node *calls = find_calls(tmpl->root);
  const am_go_node *text = calls ? find_text(calls->list) : NULL;
  am_go_name tag = text ? text->text : (am_go_name){"", 0};
  const char *brace = memchr(tag.text, '{', tag.n_bytes);
  if (brace) tag.n_bytes = (size_t)(brace - tag.text);
  tag = trimmed(tag);
  return tag.n_bytes > 0 ? tag : (am_go_name){"{", 1};
}

/* --- the last turn of a legacy template --- */

typedef struct cutter {
  am_arena *arena;
  bool cut;   /* .Response was seen: nothing that comes later stays */
  bool fails; /* Ollama's own code fails here: an else behind .Response */
  bool no_memory;
} cutter;

static am_go_node *cut_node(cutter *c, const am_go_node *node);

/* What stays of the children. */
static am_go_node *cut_children(cutter *c, const am_go_node *node) {
  am_go_node *copy = am_arena_alloc(c->arena, sizeof *copy);
  am_go_node **nodes = am_arena_alloc(c->arena, (node->n_nodes + 1) * sizeof *nodes);
  if (!copy || !nodes) {
    c->no_memory = true;
    return NULL;
  }
  *copy = *node;
  copy->nodes = nodes;
  copy->n_nodes = 0;
  for (size_t i = 0; i < node->n_nodes; i++) {
    am_go_node *child = cut_node(c, node->nodes[i]);
    if (child) nodes[copy->n_nodes++] = child;
  }
  return copy;
}

/* NULL when one of its commands loses all of its words. */
static am_go_node *cut_pipe(cutter *c, const am_go_node *pipe) {
  am_go_node *copy = am_arena_alloc(c->arena, sizeof *copy);
  am_go_node **nodes = am_arena_alloc(c->arena, (pipe->n_nodes + 1) * sizeof *nodes);
  if (!copy || !nodes) {
    c->no_memory = true;
    return NULL;
  }
  *copy = *pipe;
  copy->nodes = nodes;
  for (size_t i = 0; i < pipe->n_nodes; i++) {
    nodes[i] = cut_children(c, pipe->nodes[i]);
    if (!nodes[i] || nodes[i]->n_nodes == 0) return NULL;
  }
  return copy;
}

static am_go_node *cut_branch(cutter *c, const am_go_node *node) {
  am_go_node *copy = am_arena_alloc(c->arena, sizeof *copy);
  if (!copy) {
    c->no_memory = true;
    return NULL;
  }
  *copy = *node;
  copy->list = cut_children(c, node->list);
  if (node->other && c->cut) c->fails = true;
  if (node->other && !c->cut) copy->other = cut_children(c, node->other);
  return copy;
}

static am_go_node *cut_node(cutter *c, const am_go_node *node) {
  if (node->kind == AM_GO_NODE_FIELD)
    for (size_t i = 0; i < node->n_names; i++)
      if (am_go_name_is(node->names[i], "Response")) {
        c->cut = true;
        return (am_go_node *)node;
      }
  if (c->cut) return NULL;
  switch (node->kind) {
    case AM_GO_NODE_LIST:
      return cut_children(c, node);
    case AM_GO_NODE_IF:
    case AM_GO_NODE_RANGE:
    case AM_GO_NODE_WITH:
      return cut_branch(c, node);
    case AM_GO_NODE_PIPE:
      return cut_pipe(c, node);
    case AM_GO_NODE_ACTION: {
      am_go_node *pipe = cut_pipe(c, node->pipe),
                 *copy = pipe ? am_arena_alloc(c->arena, sizeof *copy) : NULL;
      if (pipe && !copy) c->no_memory = true;
      if (!copy) return NULL;
      *copy = *node;
      copy->pipe = pipe;
      return copy;
    }
    default:
      return (am_go_node *)node;
  }
}

adam_status am_go_inspect(am_go_template *tmpl, adam_error *error) {
  am_go_traits *traits = &tmpl->traits;
  tags t = {0};
  for (size_t i = 0; i < tmpl->n_definitions; i++) {
    const am_go_node *bare = bare_template(tmpl->definitions[i].root);
    if (bare)
      return am_fail(error, ADAM_TEMPLATE, tmpl->name, NULL,
                     "line %u: a template action without a value: Ollama cannot read it", bare->line);
  }
  traits->messages = template_names(tmpl, "messages");
  traits->system = template_names(tmpl, "system");
  traits->tools = template_names(tmpl, "tools");
  traits->suffix = template_names(tmpl, "suffix");
  traits->think = template_names(tmpl, "think") || template_names(tmpl, "isthinkset");
  if (!traits->messages && !template_names(tmpl, "response") && !append_response(tmpl))
    return am_fail_memory(error, tmpl->name);
  find_thinking(tmpl->root, &t);
  am_go_name tag = call_tag(tmpl);
  traits->thinking_open = am_arena_dup(&tmpl->arena, t.open.text ? t.open.text : "", t.open.n_bytes);
  traits->thinking_close = am_arena_dup(&tmpl->arena, t.close.text ? t.close.text : "", t.close.n_bytes);
  traits->tool_call = am_arena_dup(&tmpl->arena, tag.text, tag.n_bytes);
  cutter c = {.arena = &tmpl->arena};
  tmpl->cut = cut_children(&c, tmpl->root);
  if (c.no_memory || !traits->thinking_open || !traits->thinking_close || !traits->tool_call)
    return am_fail_memory(error, tmpl->name);
  if (c.fails) tmpl->cut = NULL;
  return ADAM_OK;
}

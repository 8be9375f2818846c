/* SPDX-License-Identifier: Apache-2.0 */
#include "share/chat.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "template/chat.h"
#include "template/go/go.h"
#include "template/match.h"

#define USER "{\"role\":\"user\",\"content\":\"What is 2 + 2?\"}"
#define MORE "{\"role\":\"assistant\",\"content\":\"It is 4.\"},{\"role\":\"user\",\"content\":\"And\\nthree times that?\"}"
#define SYSTEM_MARK "Answer in few words: 93c2b7."

/* The fixed conversations. The ones with a system text are left out for models whose Jinja refuses it. */
static const struct {
  const char *json;
  bool has_system;
} conversations[] = {
    {"[" USER "]", false},
    {"[" USER "," MORE "]", false},
    {"[{\"role\":\"system\",\"content\":\"" SYSTEM_MARK "\"}," USER "]", true},
    {"[{\"role\":\"system\",\"content\":\"" SYSTEM_MARK "\"}," USER "," MORE "]", true},
};
enum { CONVERSATIONS = 4, OUTPUT_BYTES = 1 << 20 };

/* One conversation as the model's own template renders it. */
typedef struct rendering {
  am_buf text;
  am_ids ids;
  bool refused; /* the template raised */
} rendering;

typedef struct oracle {
  const am_loader *source, *gguf;
  const am_tokenizer *own, *theirs; /* of the source; of the GGUF, as Ollama reads it */
  am_arena arena;
  am_json messages[CONVERSATIONS];
  am_json with_default[2]; /* the first two with the default system text in front */
  rendering wanted[CONVERSATIONS];
  am_buf default_system;
} oracle;

static adam_status parse(oracle *o, const char *json, am_json *out, adam_error *error) {
  return am_json_parse(json, strlen(json), "conversation", 0, &o->arena, out, error);
}

static adam_status render_own(const am_template *tmpl, const am_loader *loader, const am_json *messages, am_buf *out,
                              adam_error *error) {
  const am_chat_request request = {.messages = messages,
                                   .special_tokens = am_loader_special_tokens(loader),
                                   .add_generation_prompt = true,
                                   .coerce_content = true,
                                   .enable_thinking = -1,
                                   .now_unix_s = 1};
  am_buf_clear(out);
  return am_chat_render(tmpl, &request, out, error);
}

/* Renders every conversation by the model's template; what it refuses is marked. */
static adam_status render_wanted(oracle *o, const am_template *tmpl, adam_error *error) {
  for (size_t i = 0; i < CONVERSATIONS; i++) {
    rendering *r = &o->wanted[i];
    adam_status status = render_own(tmpl, o->source, &o->messages[i], &r->text, NULL);
    if (status == ADAM_NO_MEMORY) return am_fail_memory(error, "chat template");
    r->refused = status != ADAM_OK;
    if (!r->refused) status = am_tokenizer_encode(o->own, r->text.data ? r->text.data : "", r->text.len, 0, &r->ids, error);
    else status = ADAM_OK;
    if (status) return status;
  }
  return ADAM_OK;
}

/* The text that the model's template puts where no system message is given. */
static adam_status find_default_system(oracle *o, adam_error *error) {
  const rendering *without = &o->wanted[0], *with = &o->wanted[2];
  if (without->refused || with->refused) return ADAM_OK;
  const char *mark = with->text.data ? strstr(with->text.data, SYSTEM_MARK) : NULL;
  if (!mark) return ADAM_OK;
  size_t before = (size_t)(mark - with->text.data), after = with->text.len - before - strlen(SYSTEM_MARK);
  if (without->text.len <= before + after || memcmp(without->text.data, with->text.data, before) != 0 ||
      memcmp(without->text.data + without->text.len - after, mark + strlen(SYSTEM_MARK), after) != 0)
    return ADAM_OK;
  am_buf_append(&o->default_system, without->text.data + before, without->text.len - before - after);
  am_buf json = {0};
  adam_status status = ADAM_OK;
  for (size_t i = 0; i < 2 && !status; i++) {
    am_buf_clear(&json);
    am_buf_append_str(&json, "[{\"role\":\"system\",\"content\":");
    am_json_write_string(&json, o->default_system.data, o->default_system.len);
    am_buf_append_char(&json, '}');
    am_buf_append_char(&json, ',');
    am_buf_append_str(&json, conversations[i].json + 1);
    status = json.failed || o->default_system.failed ? am_fail_memory(error, "chat template")
                                                     : parse(o, json.data, &o->with_default[i], error);
  }
  am_buf_close(&json);
  return status;
}

/* Whether the Go template makes the ids of conversation i, its messages given as Ollama would give them. */
static bool agrees(const oracle *o, const am_go_template *tmpl, size_t i, const am_json *messages) {
  const am_go_request request = {.messages = messages, .think = -1, .now_unix_s = 1};
  const rendering *wanted = &o->wanted[i];
  am_buf text = {0};
  am_ids ids = {0};
  bool same = !am_go_template_render(tmpl, &request, &text, NULL) &&
              !am_tokenizer_encode(o->theirs, text.data ? text.data : "", text.len, AM_ENCODE_SPECIAL, &ids, NULL);
  const int32_t *begin = ids.data;
  size_t n = ids.n;
  if (same && n > 1 && n == wanted->ids.n + 1 && begin[0] == begin[1]) { /* both said BOS: llama.cpp takes one away */
    begin++;
    n--;
  }
  same = same && n == wanted->ids.n && (n == 0 || !memcmp(begin, wanted->ids.data, n * sizeof *begin));
  am_ids_close(&ids);
  am_buf_close(&text);
  return same;
}

/* *needs_system: only with the default system text. */
static bool fits(const oracle *o, const am_go_template *tmpl, bool *needs_system) {
  size_t n_compared = 0;
  for (size_t i = 0; i < CONVERSATIONS; i++) {
    if (o->wanted[i].refused) {
      if (!conversations[i].has_system) return false;
      continue;
    }
    n_compared++;
    if (agrees(o, tmpl, i, &o->messages[i])) continue;
    bool may_default = i < 2 && o->default_system.len;
    if (!may_default || !agrees(o, tmpl, i, &o->with_default[i])) return false;
    *needs_system = true;
  }
  return n_compared > 0;
}

/* The GGUF's own Jinja should say what the Hub's says: other engines use that one. */
static void compare_copy(const oracle *o, const am_share_request *request) {
  const char *own = am_loader_template(o->source, NULL, false), *copy = am_loader_template(o->gguf, NULL, false);
  am_template *tmpl = NULL;
  am_buf text = {0};
  bool same = copy != NULL;
  if (copy && strcmp(own, copy) != 0) {
    same = !am_template_open("chat template", copy, strlen(copy), &tmpl, NULL);
    for (size_t i = 0; i < CONVERSATIONS && same; i++)
      same = o->wanted[i].refused || (!render_own(tmpl, o->gguf, &o->messages[i], &text, NULL) &&
                                      text.len == o->wanted[i].text.len &&
                                      (!text.len || !memcmp(text.data, o->wanted[i].text.data, text.len)));
  }
  if (!same && request->on_notice)
    request->on_notice(request->user, "template_differs", true,
                       copy ? "the GGUF's chat template renders another text than the repository's"
                            : "the GGUF has no chat template, the repository has one");
  am_template_close(&tmpl);
  am_buf_close(&text);
}

static void take(am_share_chat *out, const am_go_known *row) {
  out->name = row->name;
  out->text = row->text;
  out->stops = row->stop;
  for (out->n_stops = 0; row->stop[out->n_stops];) out->n_stops++;
}

/* Of the rows that fit the one with the shortest text: it promises no tools and no thoughts that the model has not. */
static adam_status choose_with_default(const oracle *o, am_share_chat *out, adam_error *error) {
  bool with_system = false;
  const am_go_known *best = NULL;
  for (const am_go_known *row = am_go_known_rows; row->name; row++) {
    am_go_template *tmpl = NULL;
    bool needs_system = false;
    adam_status status = am_go_template_open(row->name, row->text, strlen(row->text), &tmpl, error);
    if (status) return status;
    if (fits(o, tmpl, &needs_system) && (!best || strlen(row->text) < strlen(best->text))) {
      best = row;
      with_system = needs_system;
    }
    am_go_template_close(&tmpl);
  }
  if (best) take(out, best);
  bool kept = !with_system || am_buf_append(&out->system, o->default_system.data, o->default_system.len);
  return kept ? ADAM_OK : am_fail_memory(error, "chat template");
}

static adam_status tokenize(void *user, const char *text, size_t n_bytes, bool by_ollama, int32_t **ids, size_t *n_ids,
                            adam_error *error) {
  const oracle *o = user;
  am_ids found = {0};
  adam_status status = am_tokenizer_encode(by_ollama ? o->theirs : o->own, text, n_bytes,
                                           by_ollama ? AM_ENCODE_SPECIAL : 0, &found, error);
  if (status) {
    am_ids_close(&found);
    return status;
  }
  *ids = found.data ? found.data : am_mem_alloc(1);
  *n_ids = found.n;
  return *ids ? ADAM_OK : am_fail_memory(error, "chat template");
}

static adam_status choose(oracle *o, const am_template *tmpl, am_share_chat *out, adam_error *error) {
  const am_match_request request = {
      .jinja = tmpl, .special_tokens = am_loader_special_tokens(o->source), .tokenize = tokenize, .user = o};
  am_match match = {0};
  adam_status status = am_match_choose(&request, &match, error);
  if (status) return status;
  if (match.fits && match.row) {
    take(out, match.row);
    return ADAM_OK;
  }
  status = choose_with_default(o, out, error);
  if (!status && !out->name)
    (void)snprintf(out->difference, sizeof out->difference, "%s", match.difference);
  return status;
}

static adam_status open_oracle(oracle *o, const am_template *tmpl, adam_error *error) {
  adam_status status = am_loader_need_tokenizer(o->source, &o->own, error);
  if (!status) status = am_loader_need_tokenizer(o->gguf, &o->theirs, error);
  for (size_t i = 0; i < CONVERSATIONS && !status; i++) status = parse(o, conversations[i].json, &o->messages[i], error);
  if (!status) status = render_wanted(o, tmpl, error);
  if (!status) status = find_default_system(o, error);
  return status;
}

static void close_oracle(oracle *o) {
  for (size_t i = 0; i < CONVERSATIONS; i++) {
    am_buf_close(&o->wanted[i].text);
    am_ids_close(&o->wanted[i].ids);
  }
  am_buf_close(&o->default_system);
  am_arena_close(&o->arena);
}

adam_status am_share_chat_choose(const am_loader *source, const char *gguf, const am_share_request *request,
                                 am_share_chat *out, adam_error *error) {
  const char *own = am_loader_template(source, NULL, false);
  am_share_chat chat = {0};
  oracle o = {.source = source};
  am_loader *copy = NULL;
  am_template *tmpl = NULL;
  *out = chat;
  if (!own) return ADAM_OK;
  chat.has_own = true;
  adam_status status = gguf ? am_loader_open(gguf, AM_LOADER_NO_DATA, NULL, &copy, error) : ADAM_OK;
  o.gguf = gguf ? copy : source;
  if (!status) status = am_template_open("chat template", own, strlen(own), &tmpl, error);
  if (!status) status = open_oracle(&o, tmpl, error);
  if (!status && gguf) compare_copy(&o, request);
  if (!status) status = choose(&o, tmpl, &chat, error);
  am_template_close(&tmpl);
  close_oracle(&o);
  am_loader_close(&copy);
  if (status == ADAM_TEMPLATE || status == ADAM_UNSUPPORTED) status = ADAM_OK; /* no template of ours either */
  if (status)
    am_share_chat_close(&chat);
  else
    *out = chat;
  return status;
}

void am_share_chat_close(am_share_chat *chat) {
  am_buf_close(&chat->system);
  *chat = (am_share_chat){0};
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "template/match.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/utf8.h"

#define USER "{\"role\":\"user\",\"content\":\"What is the capital of France?\"}"
#define SYSTEM "{\"role\":\"system\",\"content\":\"Answer in one word.\\nBe sure.\"}"
#define ANSWER "{\"role\":\"assistant\",\"content\":\"Paris.\"}"
#define AGAIN "{\"role\":\"user\",\"content\":\"Und in Österreich? 是吗？\"}"
#define THOUGHT "{\"role\":\"assistant\",\"content\":\"Paris.\",\"reasoning_content\":\"I know that one.\"}"
#define CALL                                                                                            \
  "\"tool_calls\":[{\"id\":\"call00001\",\"type\":\"function\",\"function\":{\"name\":\"get_weather\"," \
  "\"arguments\":{\"city\":\"Paris\"}}}]}"
#define RESULT \
  "{\"role\":\"tool\",\"content\":\"20 degrees\",\"name\":\"get_weather\",\"tool_call_id\":\"call00001\"}"
#define TOOLS                                                                                          \
  "[{\"type\":\"function\",\"function\":{\"name\":\"get_weather\",\"description\":\"The weather in a " \
  "city\","                                                                                            \
  "\"parameters\":{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\",\"description\":" \
  "\"Its name\"}},\"required\":[\"city\"]}}}]"

static const struct conversation {
  const char *name, *messages;
  bool tools;
  int think;
} conversations[AM_MATCH_N] = {
    {"one turn", "[" USER "]", false, -1},
    {"a system text", "[" SYSTEM "," USER "]", false, -1},
    {"several turns", "[" USER "," ANSWER "," AGAIN "]", false, -1},
    {"a system text and several turns", "[" SYSTEM "," USER "," ANSWER "," AGAIN "]", false, -1},
    {"tools", "[" SYSTEM "," USER "]", true, -1},
    {"a tool's answer", "[" USER ",{\"role\":\"assistant\",\"content\":\"\"," CALL "," RESULT "]", true, -1},
    {"thinking switched on", "[" USER "]", false, 1},
    {"thinking switched off", "[" USER "]", false, 0},
    {"thinking in the past", "[" USER "," THOUGHT "," AGAIN "]", false, -1},
    {"thinking before a call",
     "[" USER ",{\"role\":\"assistant\",\"content\":\"\",\"reasoning_content\":\"I look it up.\"," CALL
     "," RESULT "]",
     true, -1},
};

enum { MODEL_DATE_UNIX_S = 1721995200, OTHER_DATE_UNIX_S = 1600000000 }; /* 26 Jul 2024, noon */

const char *am_match_conversation_name(size_t index) {
  return index < AM_MATCH_N ? conversations[index].name : "";
}

/* What the Jinja makes of them, once for all rows. */
typedef struct expected {
  const am_match_request *request;
  am_arena arena;
  am_json messages[AM_MATCH_N], tools;
  am_buf texts[AM_MATCH_N];
  bool present[AM_MATCH_N];
  const char *begin; /* the text of the begin token; "" = none */
  bool dated;
} expected;

static adam_status render_jinja(const expected *e, size_t i, int64_t now, am_buf *out, adam_error *error) {
  am_chat_request chat = {.messages = &e->messages[i],
                          .tools = conversations[i].tools ? &e->tools : NULL,
                          .special_tokens = e->request->special_tokens,
                          .add_generation_prompt = true,
                          .enable_thinking = conversations[i].think,
                          .now_unix_s = now};
  return am_chat_render(e->request->jinja, &chat, out, error);
}

/* The same conversation on another day. */
static adam_status find_date(expected *e, adam_error *error) {
  am_buf other = {0};
  adam_status status = render_jinja(e, 0, OTHER_DATE_UNIX_S, &other, error);
  e->dated = !status &&
             (other.len != e->texts[0].len || (other.len && memcmp(other.data, e->texts[0].data, other.len)));
  am_buf_close(&other);
  return status;
}

static void close_expected(expected *e) {
  for (size_t i = 0; i < AM_MATCH_N; i++) am_buf_close(&e->texts[i]);
  am_arena_close(&e->arena);
}

static adam_status open_expected(const am_match_request *request, expected *e, adam_error *error) {
  *e = (expected){.request = request};
  const am_json *begin = am_json_get(request->special_tokens, "bos_token");
  e->begin = am_json_str(begin, "");
  adam_status status = am_json_parse(TOOLS, strlen(TOOLS), "tools", 0, &e->arena, &e->tools, error);
  for (size_t i = 0; i < AM_MATCH_N && !status; i++) {
    const char *text = conversations[i].messages;
    status = am_json_parse(text, strlen(text), "messages", 0, &e->arena, &e->messages[i], error);
    if (status) break;
    status = render_jinja(e, i, MODEL_DATE_UNIX_S, &e->texts[i], error);
    e->present[i] = !status;
    if (status == ADAM_TEMPLATE && i > 0) status = ADAM_OK; /* it refuses that: nothing to compare */
  }
  if (!status) status = find_date(e, error);
  if (status) close_expected(e);
  return status;
}

/* --- JSON inside of text --- */

static bool write_sorted(am_buf *out, const am_json *value);

static int compare_members(const am_json_member *a, const am_json_member *b) {
  size_t n = a->key_bytes < b->key_bytes ? a->key_bytes : b->key_bytes;
  int order = memcmp(a->key, b->key, n);
  return order ? order : (a->key_bytes > b->key_bytes) - (a->key_bytes < b->key_bytes);
}

/* The members in the order of their keys, by looking for the next one: they are few. */
static bool write_object(am_buf *out, const am_json *object) {
  const am_json_member *last = NULL;
  am_buf_append_char(out, '{');
  for (;;) {
    const am_json_member *next = NULL;
    for (uint32_t i = 0; i < object->n; i++) {
      const am_json_member *member = &object->as.members[i];
      if ((!last || compare_members(member, last) > 0) && (!next || compare_members(member, next) < 0))
        next = member;
    }
    if (!next) break;
    if (last) am_buf_append_char(out, ',');
    am_json_write_string(out, next->key, next->key_bytes);
    am_buf_append_char(out, ':');
    write_sorted(out, &next->value);
    last = next;
  }
  return am_buf_append_char(out, '}');
}

static bool write_sorted(am_buf *out, const am_json *value) {
  if (value->type == AM_JSON_OBJECT) return write_object(out, value);
  if (value->type != AM_JSON_ARRAY) return am_json_write(out, value);
  am_buf_append_char(out, '[');
  for (uint32_t i = 0; i < value->n; i++) {
    if (i > 0) am_buf_append_char(out, ',');
    write_sorted(out, &value->as.items[i]);
  }
  return am_buf_append_char(out, ']');
}

/* Where the bracket that opens at text[0] closes; 0 = nowhere. */
static size_t bracket_end(const char *text, size_t n) {
  size_t depth = 0;
  bool quoted = false;
  for (size_t i = 0; i < n; i++) {
    if (quoted) {
      if (text[i] == '\\')
        i++;
      else if (text[i] == '"')
        quoted = false;
    } else if (text[i] == '"') {
      quoted = true;
    } else if (text[i] == '{' || text[i] == '[') {
      depth++;
    } else if ((text[i] == '}' || text[i] == ']') && --depth == 0) {
      return i + 1;
    }
  }
  return 0;
}

/* The text with every JSON object and array in one spelling. */
static bool respell(const char *text, size_t n, am_buf *out) {
  for (size_t i = 0; i < n && !out->failed;) {
    am_arena arena = {0};
    am_json value;
    size_t end = text[i] == '{' || text[i] == '[' ? bracket_end(text + i, n - i) : 0;
    if (end > 0 && am_json_parse(text + i, end, "text", 0, &arena, &value, NULL) == ADAM_OK) {
      write_sorted(out, &value);
      i += end;
    } else {
      am_buf_append_char(out, text[i++]);
    }
    am_arena_close(&arena);
  }
  return !out->failed;
}

/* --- comparing --- */

/* At most n_bytes, on one line, cut between characters. */
static void quote(char *out, size_t room, const char *text, size_t n_bytes) {
  am_buf shown = {0};
  size_t most = n_bytes < 32 ? n_bytes : 32;
  while (most < n_bytes && most > 0 && ((unsigned char)text[most] & 0xC0) == 0x80) most--;
  if (!am_utf8_valid(text, most) || !am_json_write_string(&shown, text, most)) am_buf_clear(&shown);
  snprintf(out, room, "%s", shown.len > 0 ? shown.data : n_bytes > 0 ? "other bytes" : "the end");
  am_buf_close(&shown);
}

static size_t alike_bytes(const am_buf *a, const am_buf *b) {
  size_t at = 0;
  while (at < a->len && at < b->len && a->data[at] == b->data[at]) at++;
  return at;
}

static void tell_texts(am_match *out, size_t conversation, const am_buf *want, const am_buf *have) {
  char a[220], b[220];
  size_t at = alike_bytes(want, have);
  const char *x = want->data ? want->data : "", *y = have->data ? have->data : "";
  while (at > 0 && ((at < want->len && ((unsigned char)x[at] & 0xC0) == 0x80) ||
                    (at < have->len && ((unsigned char)y[at] & 0xC0) == 0x80)))
    at--;
  quote(a, sizeof a, x + at, want->len - at);
  quote(b, sizeof b, y + at, have->len - at);
  snprintf(out->difference, sizeof out->difference,
           "%s, byte %zu: %.100s in the model's template, %.100s for Ollama",
           conversations[conversation].name, at, at < want->len ? a : "the end",
           at < have->len ? b : "the end");
}

static adam_status same_ids(const am_match_request *request, size_t conversation, const am_buf *want,
                            const am_buf *have, am_match *out, bool *same, adam_error *error) {
  int32_t *a = NULL, *b = NULL;
  size_t n_a = 0, n_b = 0, at = 0;
  adam_status status =
      request->tokenize(request->user, want->data ? want->data : "", want->len, false, &a, &n_a, error);
  if (!status)
    status = request->tokenize(request->user, have->data ? have->data : "", have->len, true, &b, &n_b, error);
  *same = !status && n_a == n_b && (n_a == 0 || memcmp(a, b, n_a * sizeof *a) == 0);
  if (!status && !*same && !out->difference[0]) {
    while (at < n_a && at < n_b && a[at] == b[at]) at++;
    snprintf(
        out->difference, sizeof out->difference,
        "%s: the text is equal, but token %zu is %ld by the model's template and %ld for Ollama (-1: none)",
        conversations[conversation].name, at, at < n_a ? (long)a[at] : -1L, at < n_b ? (long)b[at] : -1L);
  }
  am_mem_free(a);
  am_mem_free(b);
  return status;
}

static bool equal(const am_buf *a, const am_buf *b) {
  return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

/* The text behind the begin token; a view. */
static am_buf without_begin(const expected *e, const am_buf *text) {
  size_t n = strlen(e->begin);
  am_buf view = *text;
  if (n > 0 && text->len >= n && memcmp(text->data, e->begin, n) == 0) view.data += n, view.len -= n;
  return view;
}

static adam_status compare(const expected *e, size_t i, const am_buf *have, am_match *out,
                           adam_error *error) {
  am_buf want = without_begin(e, &e->texts[i]), a = {0}, b = {0};
  adam_status status = ADAM_OK;
  bool same = equal(&want, have);
  if (i < AM_MATCH_N_PLAIN) out->n_alike_bytes += alike_bytes(&want, have);
  out->verdicts[i] = same ? AM_MATCH_EQUAL : AM_MATCH_DIFFERS;
  if (same && e->request->tokenize) {
    status = same_ids(e->request, i, &e->texts[i], have, out, &same, error);
    if (!same) out->verdicts[i] = AM_MATCH_DIFFERS;
    return status;
  }
  if (same) return ADAM_OK;
  if (!respell(want.data ? want.data : "", want.len, &a) ||
      !respell(have->data ? have->data : "", have->len, &b))
    status = am_fail_memory(error, "templates");
  else if (equal(&a, &b))
    out->verdicts[i] = AM_MATCH_SPELLING;
  else if (!out->difference[0])
    tell_texts(out, i, &want, have);
  am_buf_close(&a);
  am_buf_close(&b);
  return status;
}

static adam_status match(const expected *e, const am_go_template *tmpl, am_match *out, adam_error *error) {
  adam_status status = ADAM_OK;
  *out = (am_match){.fits = true, .dated = e->dated};
  for (size_t i = 0; i < AM_MATCH_N && !status; i++) {
    am_buf have = {0};
    adam_error why;
    am_go_request go = {.messages = &e->messages[i],
                        .tools = conversations[i].tools ? &e->tools : NULL,
                        .think = conversations[i].think,
                        .now_unix_s = MODEL_DATE_UNIX_S};
    if (!e->present[i]) continue;
    status = am_go_template_render(tmpl, &go, &have, &why);
    if (!status) {
      status = compare(e, i, &have, out, error);
    } else if (status == ADAM_TEMPLATE || status == ADAM_LIMIT) {
      out->verdicts[i] = AM_MATCH_DIFFERS;
      if (!out->difference[0])
        snprintf(out->difference, sizeof out->difference, "%s: Ollama's template fails: %.200s",
                 conversations[i].name, why.why);
      status = ADAM_OK;
    } else if (error) {
      *error = why;
    }
    am_buf_close(&have);
    out->n_equal += out->verdicts[i] == AM_MATCH_EQUAL || out->verdicts[i] == AM_MATCH_SPELLING;
    if (i < AM_MATCH_N_PLAIN && out->verdicts[i] == AM_MATCH_DIFFERS) out->fits = false;
  }
  return status;
}

adam_status am_match_template(const am_match_request *request, const am_go_template *tmpl, am_match *out,
                              adam_error *error) {
  expected e;
  am_match found;
  adam_status status = open_expected(request, &e, error);
  if (status) return status;
  status = match(&e, tmpl, &found, error);
  close_expected(&e);
  if (!status) *out = found;
  return status;
}

adam_status am_match_choose(const am_match_request *request, am_match *out, adam_error *error) {
  expected e;
  am_match best = {0};
  adam_status status = open_expected(request, &e, error);
  if (status) return status;
  for (const am_go_known *row = am_go_known_rows; row->name && !status; row++) {
    am_go_template *tmpl = NULL;
    am_match found;
    status = am_go_template_open(row->name, row->text, strlen(row->text), &tmpl, error);
    if (!status) status = match(&e, tmpl, &found, error);
    am_go_template_close(&tmpl);
    if (status) break;
    found.row = row;
    bool nearer = found.n_equal > best.n_equal ||
                  (found.n_equal == best.n_equal && found.n_alike_bytes > best.n_alike_bytes);
    bool better = !best.row || found.fits > best.fits || (found.fits == best.fits && nearer);
    if (better) best = found;
  }
  close_expected(&e);
  if (!status) *out = best;
  return status;
}

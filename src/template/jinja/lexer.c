/* SPDX-License-Identifier: Apache-2.0 */
#include "template/jinja/lexer.h"

#include <string.h>

#include "base/utf8.h"
#include "template/jinja/literal.h"
#include "template/jinja/unicode.h"

static bool at(const am_jlexer *lexer, size_t position, const char *text) {
  size_t n = strlen(text);
  return lexer->n_bytes - position >= n && memcmp(lexer->source + position, text, n) == 0;
}

static size_t skip_space(const am_jlexer *lexer, size_t position) {
  while (position < lexer->n_bytes) {
    size_t next = position;
    if (!am_unicode_is_space(am_unicode_next(lexer->source, lexer->n_bytes, &next))) break;
    position = next;
  }
  return position;
}

static uint32_t line_at(am_jlexer *lexer, size_t position) {
  while (lexer->line_position < position) lexer->line += lexer->source[lexer->line_position++] == '\n';
  return lexer->line;
}

static am_jtoken token(am_jlexer *lexer, am_jtoken_kind kind, size_t start, size_t end) {
  return (am_jtoken){
      .kind = kind, .line = line_at(lexer, start), .text = lexer->source + start, .n_bytes = end - start};
}

static bool fail_at(am_jlexer *lexer, size_t position, const char *why) {
  lexer->jinja->line = line_at(lexer, position);
  return am_jinja_raise(lexer->jinja, "%s", why);
}

/* Newlines become \n; one at the end of the text is dropped (keep_trailing_newline is off). */
bool am_jlexer_open(am_jlexer *lexer, am_jinja *jinja, const char *text, size_t n_bytes) {
  char *source = am_jinja_alloc(jinja, n_bytes ? n_bytes : 1, 1);
  if (!source) return false;
  size_t n = 0;
  for (size_t i = 0; i < n_bytes; i++) {
    if (text[i] == '\r' && i + 1 < n_bytes && text[i + 1] == '\n') continue;
    source[n++] = text[i] == '\r' ? '\n' : text[i];
  }
  if (n && source[n - 1] == '\n') n--;
  *lexer = (am_jlexer){
      .jinja = jinja, .source = source, .n_bytes = n, .line = 1, .last_line = 1, .line_starting = true};
  return true;
}

/* `{%` `-`|`+`|nothing, blanks, `raw`, blanks, `-%}` blanks | `%}`. Returns the end, 0 for no match. */
static size_t match_raw(const am_jlexer *lexer, size_t position, const char *word, bool is_end) {
  if (!at(lexer, position, "{%")) return 0;
  size_t p = position + 2;
  if (p < lexer->n_bytes && (lexer->source[p] == '-' || lexer->source[p] == '+')) p++;
  p = skip_space(lexer, p);
  if (!at(lexer, p, word)) return 0;
  p = skip_space(lexer, p + strlen(word));
  if (at(lexer, p, "-%}")) return skip_space(lexer, p + 3);
  if (is_end && at(lexer, p, "+%}")) return p + 3;
  if (!at(lexer, p, "%}")) return 0;
  p += 2;
  return is_end && p < lexer->n_bytes && lexer->source[p] == '\n' ? p + 1 : p;
}

/* The end of the text before a tag, after `-` or lstrip_blocks took blanks away. */
static size_t strip_before(const am_jlexer *lexer, size_t start, size_t end, char sign, bool is_variable) {
  if (sign == '-') {
    while (end > start) {
      size_t previous = end;
      if (!am_unicode_is_space(am_unicode_previous(lexer->source, &previous))) break;
      end = previous;
    }
    return end;
  }
  if (sign == '+' || is_variable) return end;
  size_t line_start = end;
  while (line_start > start && lexer->source[line_start - 1] != '\n') line_start--;
  if (line_start == start && !lexer->line_starting) return end;
  for (size_t p = line_start; p < end;)
    if (!am_unicode_is_space(am_unicode_next(lexer->source, end, &p))) return end;
  return line_start;
}

static bool data_then(am_jlexer *lexer, size_t start, size_t end, bool has_pending, am_jtoken pending,
                      am_jtoken *out, bool *made) {
  if (end > start) {
    *out = token(lexer, AM_JT_DATA, start, end);
    lexer->has_pending = has_pending;
    if (has_pending) {
      pending.line = line_at(lexer, (size_t)(pending.text - lexer->source));
      lexer->pending = pending;
    }
    return *made = true;
  }
  if (has_pending) {
    pending.line = line_at(lexer, (size_t)(pending.text - lexer->source));
    *out = pending;
  }
  *made = has_pending;
  return true;
}

static bool skip_comment(am_jlexer *lexer, size_t begin) {
  size_t end = 0;
  for (size_t p = begin; p < lexer->n_bytes && !end; p++) {
    if (at(lexer, p, "-#}"))
      end = skip_space(lexer, p + 3);
    else if (at(lexer, p, "+#}"))
      end = p + 3;
    else if (at(lexer, p, "#}"))
      end = p + 2 < lexer->n_bytes && lexer->source[p + 2] == '\n' ? p + 3 : p + 2;
  }
  if (!end && begin < lexer->n_bytes) return fail_at(lexer, begin, "Missing end of comment tag");
  lexer->position = end ? end : begin;
  lexer->line_starting = end && lexer->source[end - 1] == '\n';
  return true;
}

static bool next_root(am_jlexer *lexer, am_jtoken *out, bool *made) {
  size_t start = lexer->position, tag = start;
  for (; tag < lexer->n_bytes; tag++) {
    const char *brace = memchr(lexer->source + tag, '{', lexer->n_bytes - tag);
    if (!brace)
      tag = lexer->n_bytes;
    else
      tag = (size_t)(brace - lexer->source);
    if (at(lexer, tag, "{%") || at(lexer, tag, "{{") || at(lexer, tag, "{#")) break;
  }
  if (tag >= lexer->n_bytes) {
    lexer->position = lexer->n_bytes;
    return data_then(lexer, start, lexer->n_bytes, false, (am_jtoken){0}, out, made);
  }
  char sign = tag + 2 < lexer->n_bytes ? lexer->source[tag + 2] : 0;
  if (sign != '-' && sign != '+') sign = 0;
  size_t text_end = strip_before(lexer, start, tag, sign, at(lexer, tag, "{{"));
  size_t after = tag + 2 + (sign != 0);
  size_t raw = match_raw(lexer, tag, "raw", false);
  if (raw) {
    lexer->line_starting = lexer->source[raw - 1] == '\n';
    lexer->position = raw;
    lexer->state = AM_JLEX_RAW;
    return data_then(lexer, start, text_end, false, (am_jtoken){0}, out, made);
  }
  lexer->line_starting = false;
  if (at(lexer, tag, "{#")) {
    if (!data_then(lexer, start, text_end, false, (am_jtoken){0}, out, made)) return false;
    return skip_comment(lexer, after);
  }
  bool is_block = at(lexer, tag, "{%");
  lexer->position = after;
  lexer->state = is_block ? AM_JLEX_BLOCK : AM_JLEX_VARIABLE;
  am_jtoken begin = {
      .kind = is_block ? AM_JT_BLOCK_BEGIN : AM_JT_VARIABLE_BEGIN, .text = lexer->source + tag, .n_bytes = 2};
  return data_then(lexer, start, text_end, true, begin, out, made);
}

static bool next_raw(am_jlexer *lexer, am_jtoken *out, bool *made) {
  size_t start = lexer->position;
  for (size_t tag = start; tag < lexer->n_bytes; tag++) {
    size_t end = match_raw(lexer, tag, "endraw", true);
    if (!end) continue;
    char sign = lexer->source[tag + 2];
    size_t text_end = strip_before(lexer, start, tag, sign, false);
    lexer->line_starting = lexer->source[end - 1] == '\n';
    lexer->position = end;
    lexer->state = AM_JLEX_ROOT;
    return data_then(lexer, start, text_end, false, (am_jtoken){0}, out, made);
  }
  if (start < lexer->n_bytes) return fail_at(lexer, start, "Missing end of raw directive");
  lexer->state = AM_JLEX_ROOT;
  return true;
}

/* The end tag of the current state at position p: its end, 0 for none. */
static size_t match_end(const am_jlexer *lexer, size_t p) {
  const char *end = lexer->state == AM_JLEX_BLOCK ? "%}" : "}}";
  if (at(lexer, p, end)) {
    p += 2;
    return lexer->state == AM_JLEX_BLOCK && p < lexer->n_bytes && lexer->source[p] == '\n' ? p + 1 : p;
  }
  if (p >= lexer->n_bytes) return 0;
  if (lexer->source[p] == '-' && at(lexer, p + 1, end)) return skip_space(lexer, p + 3);
  if (lexer->source[p] == '+' && lexer->state == AM_JLEX_BLOCK && at(lexer, p + 1, end)) return p + 3;
  return 0;
}

static const struct {
  const char *text;
  am_jtoken_kind kind;
} operators[] = {{"//", AM_JT_FLOORDIV}, {"**", AM_JT_POW},     {"==", AM_JT_EQ},    {"!=", AM_JT_NE},
                 {">=", AM_JT_GTEQ},     {"<=", AM_JT_LTEQ},    {"+", AM_JT_ADD},    {"-", AM_JT_SUB},
                 {"/", AM_JT_DIV},       {"*", AM_JT_MUL},      {"%", AM_JT_MOD},    {"~", AM_JT_TILDE},
                 {"[", AM_JT_LBRACKET},  {"]", AM_JT_RBRACKET}, {"(", AM_JT_LPAREN}, {")", AM_JT_RPAREN},
                 {"{", AM_JT_LBRACE},    {"}", AM_JT_RBRACE},   {">", AM_JT_GT},     {"<", AM_JT_LT},
                 {"=", AM_JT_ASSIGN},    {".", AM_JT_DOT},      {":", AM_JT_COLON},  {"|", AM_JT_PIPE},
                 {",", AM_JT_COMMA},     {";", AM_JT_SEMICOLON}};

const char *am_jtoken_describe(am_jtoken_kind kind) {
  for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
    if (operators[i].kind == kind) return operators[i].text;
  switch (kind) {
    case AM_JT_EOF:
      return "end of template";
    case AM_JT_DATA:
      return "template data / text";
    case AM_JT_BLOCK_BEGIN:
      return "begin of statement block";
    case AM_JT_BLOCK_END:
      return "end of statement block";
    case AM_JT_VARIABLE_BEGIN:
      return "begin of print statement";
    case AM_JT_VARIABLE_END:
      return "end of print statement";
    case AM_JT_NAME:
      return "name";
    case AM_JT_STRING:
      return "string";
    case AM_JT_INTEGER:
      return "integer";
    default:
      return "float";
  }
}

static bool balance(am_jlexer *lexer, am_jtoken_kind kind, size_t position) {
  static const char closing[] = {[AM_JT_LBRACE] = '}', [AM_JT_LPAREN] = ')', [AM_JT_LBRACKET] = ']'};
  if (kind == AM_JT_LBRACE || kind == AM_JT_LPAREN || kind == AM_JT_LBRACKET) {
    if (lexer->n_balance == lexer->balance_capacity) {
      size_t capacity = lexer->balance_capacity ? lexer->balance_capacity * 2 : 32;
      char *grown = am_jinja_alloc(lexer->jinja, capacity, 1);
      if (!grown) return false;
      if (lexer->n_balance) memcpy(grown, lexer->balance, lexer->n_balance);
      lexer->balance = grown;
      lexer->balance_capacity = capacity;
    }
    lexer->balance[lexer->n_balance++] = closing[kind];
    return true;
  }
  if (kind != AM_JT_RBRACE && kind != AM_JT_RPAREN && kind != AM_JT_RBRACKET) return true;
  char found = lexer->source[position];
  lexer->jinja->line = line_at(lexer, position);
  if (!lexer->n_balance) return am_jinja_raise(lexer->jinja, "unexpected '%c'", found);
  char expected = lexer->balance[--lexer->n_balance];
  if (expected != found)
    return am_jinja_raise(lexer->jinja, "unexpected '%c', expected '%c'", found, expected);
  return true;
}

static bool next_operator(am_jlexer *lexer, am_jtoken *out) {
  size_t p = lexer->position;
  for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
    if (!at(lexer, p, operators[i].text)) continue;
    *out = token(lexer, operators[i].kind, p, p + strlen(operators[i].text));
    lexer->position += out->n_bytes;
    return balance(lexer, out->kind, p);
  }
  size_t end = p;
  uint32_t c = am_unicode_next(lexer->source, lexer->n_bytes, &end);
  lexer->jinja->line = line_at(lexer, p);
  if (!am_unicode_is_printable(c)) return am_jinja_raise(lexer->jinja, "unexpected char U+%04X", c);
  return am_jinja_raise(lexer->jinja, "unexpected char '%.*s'", (int)(end - p), lexer->source + p);
}

static bool is_name_char(uint32_t c) {
  return am_unicode_is_identifier_part(c) || (c >= 0x80 && am_unicode_is_numeric(c));
}

static bool next_name(am_jlexer *lexer, am_jtoken *out, bool *made) {
  size_t start = lexer->position, end = start;
  bool is_identifier = true;
  while (end < lexer->n_bytes) {
    size_t next = end;
    uint32_t c = am_unicode_next(lexer->source, lexer->n_bytes, &next);
    if (!is_name_char(c)) break;
    is_identifier = is_identifier &&
                    (end == start ? am_unicode_is_identifier_start(c) : am_unicode_is_identifier_part(c));
    end = next;
  }
  if (end == start) return true;
  if (!is_identifier) return fail_at(lexer, start, "Invalid character in identifier");
  *out = token(lexer, AM_JT_NAME, start, end);
  lexer->position = end;
  return *made = true;
}

static bool next_string(am_jlexer *lexer, am_jtoken *out, bool *made) {
  size_t start = lexer->position, end = start + 1;
  char quote = lexer->source[start];
  while (end < lexer->n_bytes && lexer->source[end] != quote) end += lexer->source[end] == '\\' ? 2 : 1;
  if (end >= lexer->n_bytes) return true; /* then the quote is an unexpected character */
  *out = token(lexer, AM_JT_STRING, start, end + 1);
  lexer->jinja->line = out->line;
  lexer->position = end + 1;
  *made = true;
  return am_jliteral_string(lexer->jinja, lexer->source + start + 1, end - start - 1, &out->value);
}

static bool next_number(am_jlexer *lexer, am_jtoken *out, bool *made) {
  size_t p = lexer->position;
  bool after_dot = p > 0 && lexer->source[p - 1] == '.';
  size_t n = after_dot ? 0 : am_jliteral_float_length(lexer->source + p, lexer->n_bytes - p);
  am_jtoken_kind kind = n ? AM_JT_FLOAT : AM_JT_INTEGER;
  if (!n) n = am_jliteral_integer_length(lexer->source + p, lexer->n_bytes - p);
  if (!n) return true;
  *out = token(lexer, kind, p, p + n);
  lexer->jinja->line = out->line;
  lexer->position += n;
  *made = true;
  return am_jliteral_number(lexer->jinja, out->text, n, kind == AM_JT_FLOAT, &out->value);
}

static bool next_inside(am_jlexer *lexer, am_jtoken *out, bool *made) {
  lexer->position = lexer->n_balance ? skip_space(lexer, lexer->position) : lexer->position;
  size_t end = lexer->n_balance ? 0 : match_end(lexer, lexer->position);
  if (!end && !lexer->n_balance) {
    lexer->position = skip_space(lexer, lexer->position);
    end = match_end(lexer, lexer->position);
  }
  size_t p = lexer->position;
  if (end) {
    *out = token(lexer, lexer->state == AM_JLEX_BLOCK ? AM_JT_BLOCK_END : AM_JT_VARIABLE_END, p, end);
    lexer->line_starting = lexer->source[end - 1] == '\n';
    lexer->position = end;
    lexer->state = AM_JLEX_ROOT;
    return *made = true;
  }
  if (p >= lexer->n_bytes) return true;
  char c = lexer->source[p];
  if (c >= '0' && c <= '9' && !next_number(lexer, out, made)) return false;
  if (!*made && (c == '\'' || c == '"') && !next_string(lexer, out, made)) return false;
  if (!*made && !next_name(lexer, out, made)) return false;
  if (*made) return true;
  *made = true;
  return next_operator(lexer, out);
}

bool am_jlexer_next(am_jlexer *lexer, am_jtoken *out) {
  if (lexer->has_pending) {
    *out = lexer->pending;
    lexer->has_pending = false;
    lexer->last_line = out->line;
    return true;
  }
  bool made = false;
  while (!made) {
    if (lexer->position >= lexer->n_bytes) {
      *out = (am_jtoken){.kind = AM_JT_EOF, .line = lexer->last_line, .text = lexer->source};
      return true;
    }
    bool ok = lexer->state == AM_JLEX_ROOT  ? next_root(lexer, out, &made)
              : lexer->state == AM_JLEX_RAW ? next_raw(lexer, out, &made)
                                            : next_inside(lexer, out, &made);
    if (!ok) return false;
  }
  lexer->last_line = out->line;
  return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* As Go's text/template/parse describes it: actions between {{ and }}, "{{- " and " -}}" trim the white
 * space of the text beside them, comments stand alone in their action. */
#include "template/go/lexer.h"

#include <string.h>

#include "base/error.h"
#include "base/utf8.h"
#include "template/jinja/unicode.h"

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

static adam_status fail(am_go_lexer *l, const char *why) {
  return am_fail(l->error, ADAM_TEMPLATE, l->name, NULL, "line %u: %s", l->line, why);
}

static bool starts(const am_go_lexer *l, size_t at, const char *text) {
  size_t n = strlen(text);
  return at <= l->n_bytes && l->n_bytes - at >= n && memcmp(l->text + at, text, n) == 0;
}

static bool left_trim_at(const am_go_lexer *l, size_t at) {
  return at + 1 < l->n_bytes && l->text[at] == '-' && is_space(l->text[at + 1]);
}

/* 0 = no right delimiter here, 2 or (with its trim marker) 4 bytes. */
static size_t right_delimiter_at(const am_go_lexer *l, size_t at) {
  if (at < l->n_bytes && is_space(l->text[at]) && starts(l, at + 1, "-}}")) return 4;
  return starts(l, at, "}}") ? 2 : 0;
}

/* Counts the lines of what is passed over. */
static void move_to(am_go_lexer *l, size_t at) {
  for (; l->at < at; l->at++)
    if (l->text[l->at] == '\n') l->line++;
}

static size_t after_space(const am_go_lexer *l, size_t at) {
  while (at < l->n_bytes && is_space(l->text[at])) at++;
  return at;
}

static void emit(am_go_lexer *l, am_go_token_kind kind, size_t end, am_go_token *out) {
  *out = (am_go_token){kind, l->line, {l->text + l->at, end - l->at}};
  move_to(l, end);
}

/* The character at `at` is a letter, a digit or _; its length, else 0. */
static size_t word_at(const am_go_lexer *l, size_t at) {
  uint32_t c;
  if (at >= l->n_bytes) return 0;
  int length = am_utf8_decode(l->text + at, l->n_bytes - at, &c);
  if (length < 0) return 0;
  return c == '_' || am_unicode_is_alpha(c) || am_unicode_is_decimal(c) ? (size_t)length : 0;
}

static size_t word_end(const am_go_lexer *l, size_t at) {
  for (size_t n; (n = word_at(l, at)) > 0;) at += n;
  return at;
}

/* What may stand behind a name. */
static bool at_terminator(const am_go_lexer *l, size_t at) {
  return at >= l->n_bytes || is_space(l->text[at]) || (l->text[at] && strchr(".,|:()", l->text[at])) ||
         starts(l, at, "}}");
}

/* --- outside of actions --- */

static adam_status skip_comment(am_go_lexer *l, size_t at) {
  size_t end = at + 2;
  while (end < l->n_bytes && !starts(l, end, "*/")) end++;
  if (end >= l->n_bytes) return fail(l, "unclosed comment");
  end += 2;
  size_t close = right_delimiter_at(l, end);
  if (!close) return fail(l, "comment ends before closing delimiter");
  end += close;
  move_to(l, close == 4 ? after_space(l, end) : end);
  return ADAM_OK;
}

static size_t find_left(const am_go_lexer *l) {
  for (size_t at = l->at; at + 1 < l->n_bytes; at++)
    if (l->text[at] == '{' && l->text[at + 1] == '{') return at;
  return l->n_bytes;
}

static adam_status next_outside(am_go_lexer *l, am_go_token *out) {
  for (;;) {
    size_t left = find_left(l), end = left;
    if (left < l->n_bytes && left_trim_at(l, left + 2))
      while (end > l->at && is_space(l->text[end - 1])) end--;
    if (end > l->at) {
      emit(l, AM_GO_T_TEXT, end, out);
      move_to(l, left);
      return ADAM_OK;
    }
    move_to(l, left);
    if (left == l->n_bytes) {
      emit(l, AM_GO_T_EOF, left, out);
      return ADAM_OK;
    }
    size_t inside = left + 2 + (left_trim_at(l, left + 2) ? 2 : 0);
    if (!starts(l, inside, "/*")) {
      emit(l, AM_GO_T_LEFT, left + 2, out);
      move_to(l, inside);
      l->in_action = true;
      l->parens = 0;
      return ADAM_OK;
    }
    adam_status status = skip_comment(l, inside);
    if (status) return status;
  }
}

/* --- inside --- */

/* Just behind the opening quote; a backslash takes the next character with it. */
static adam_status quoted(am_go_lexer *l, char quote, am_go_token_kind kind, const char *why,
                          am_go_token *out) {
  for (size_t at = l->at + 1; at < l->n_bytes && l->text[at] != '\n'; at++) {
    if (l->text[at] == quote) {
      emit(l, kind, at + 1, out);
      return ADAM_OK;
    }
    if (l->text[at] == '\\' && (++at >= l->n_bytes || l->text[at] == '\n')) break;
  }
  return fail(l, why);
}

static adam_status raw_string(am_go_lexer *l, am_go_token *out) {
  const char *end = memchr(l->text + l->at + 1, '`', l->n_bytes - l->at - 1);
  if (!end) return fail(l, "unterminated raw quoted string");
  emit(l, AM_GO_T_RAW_STRING, (size_t)(end - l->text) + 1, out);
  return ADAM_OK;
}

static size_t run_of(const am_go_lexer *l, size_t at, const char *set) {
  while (at < l->n_bytes && l->text[at] && strchr(set, l->text[at])) at++;
  return at;
}

static size_t one_of(const am_go_lexer *l, size_t at, const char *set) {
  return at < l->n_bytes && l->text[at] && strchr(set, l->text[at]) ? at + 1 : at;
}

/* Whatever looks like a number; the parser judges it. */
static adam_status number(am_go_lexer *l, am_go_token *out) {
  const char *digits = "0123456789_";
  size_t at = one_of(l, l->at, "+-"), zero = one_of(l, at, "0");
  bool hexadecimal = false;
  if (zero > at) {
    at = zero;
    if (one_of(l, at, "xX") > at)
      digits = "0123456789abcdefABCDEF_", hexadecimal = true, at++;
    else if (one_of(l, at, "oO") > at)
      digits = "01234567_", at++;
    else if (one_of(l, at, "bB") > at)
      digits = "01_", at++;
  }
  at = run_of(l, at, digits);
  size_t point = one_of(l, at, ".");
  if (point > at) at = run_of(l, point, digits);
  size_t exponent = at;
  if (hexadecimal)
    exponent = one_of(l, at, "pP");
  else if (strlen(digits) == 11)
    exponent = one_of(l, at, "eE");
  if (exponent > at) at = run_of(l, one_of(l, exponent, "+-"), "0123456789_");
  if (one_of(l, at, "i") > at || one_of(l, at, "+-") > at)
    return fail(l, "complex numbers are not supported");
  if (word_at(l, at)) return fail(l, "bad number syntax");
  emit(l, AM_GO_T_NUMBER, at, out);
  return ADAM_OK;
}

static am_go_token_kind word_kind(am_go_name word) {
  static const struct {
    const char *text;
    am_go_token_kind kind;
  } words[] = {{"block", AM_GO_T_BLOCK},
               {"break", AM_GO_T_BREAK},
               {"continue", AM_GO_T_CONTINUE},
               {"define", AM_GO_T_DEFINE},
               {"else", AM_GO_T_ELSE},
               {"end", AM_GO_T_END},
               {"if", AM_GO_T_IF},
               {"range", AM_GO_T_RANGE},
               {"nil", AM_GO_T_NIL},
               {"template", AM_GO_T_TEMPLATE},
               {"with", AM_GO_T_WITH},
               {"true", AM_GO_T_BOOL},
               {"false", AM_GO_T_BOOL}};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (am_go_name_is(word, words[i].text)) return words[i].kind;
  return AM_GO_T_IDENTIFIER;
}

static adam_status word(am_go_lexer *l, am_go_token *out) {
  size_t end = word_end(l, l->at);
  if (!at_terminator(l, end)) return fail(l, "bad character behind a word");
  am_go_name text = {l->text + l->at, end - l->at};
  emit(l, word_kind(text), end, out);
  return ADAM_OK;
}

/* .Name, $name, or the sign alone. */
static adam_status field_or_variable(am_go_lexer *l, bool variable, am_go_token *out) {
  size_t at = l->at + 1;
  if (at_terminator(l, at)) {
    emit(l, variable ? AM_GO_T_VARIABLE : AM_GO_T_DOT, at, out);
    return ADAM_OK;
  }
  at = word_end(l, at);
  if (!at_terminator(l, at)) return fail(l, "bad character in a name");
  emit(l, variable ? AM_GO_T_VARIABLE : AM_GO_T_FIELD, at, out);
  return ADAM_OK;
}

static adam_status right_delimiter(am_go_lexer *l, size_t n_bytes, am_go_token *out) {
  if (l->parens > 0) return fail(l, "unclosed left paren");
  size_t end = l->at + n_bytes;
  emit(l, AM_GO_T_RIGHT, end, out);
  if (n_bytes == 4) move_to(l, after_space(l, end));
  l->in_action = false;
  return ADAM_OK;
}

static adam_status space(am_go_lexer *l, am_go_token *out) {
  size_t end = after_space(l, l->at);
  /* the last space may belong to " -}}" */
  if (right_delimiter_at(l, end - 1) == 4) {
    end--;
    if (end == l->at) return right_delimiter(l, 4, out);
  }
  emit(l, AM_GO_T_SPACE, end, out);
  return ADAM_OK;
}

static adam_status paren(am_go_lexer *l, char c, am_go_token *out) {
  if (c == ')' && l->parens == 0) return fail(l, "unexpected right paren");
  l->parens = c == '(' ? l->parens + 1 : l->parens - 1;
  emit(l, c == '(' ? AM_GO_T_LPAREN : AM_GO_T_RPAREN, l->at + 1, out);
  return ADAM_OK;
}

static adam_status next_inside(am_go_lexer *l, am_go_token *out) {
  if (l->at >= l->n_bytes) return fail(l, "unclosed action");
  size_t right = right_delimiter_at(l, l->at);
  if (right) return right_delimiter(l, right, out);
  char c = l->text[l->at];
  bool digit_next = l->at + 1 < l->n_bytes && l->text[l->at + 1] >= '0' && l->text[l->at + 1] <= '9';
  if (is_space(c)) return space(l, out);
  switch (c) {
    case '=':
      emit(l, AM_GO_T_ASSIGN, l->at + 1, out);
      return ADAM_OK;
    case '|':
      emit(l, AM_GO_T_PIPE, l->at + 1, out);
      return ADAM_OK;
    case ':':
      if (!starts(l, l->at, ":=")) return fail(l, "expected :=");
      emit(l, AM_GO_T_DECLARE, l->at + 2, out);
      return ADAM_OK;
    case '"':
      return quoted(l, '"', AM_GO_T_STRING, "unterminated quoted string", out);
    case '\'':
      return quoted(l, '\'', AM_GO_T_CHAR_CONSTANT, "unterminated character constant", out);
    case '`':
      return raw_string(l, out);
    case '$':
      return field_or_variable(l, true, out);
    case '(':
    case ')':
      return paren(l, c, out);
    case '.':
      if (!digit_next && l->at + 1 < l->n_bytes) return field_or_variable(l, false, out);
      return number(l, out);
    default:
      break;
  }
  if (c == '+' || c == '-' || (c >= '0' && c <= '9')) return number(l, out);
  if (word_at(l, l->at)) return word(l, out);
  if (c > ' ' && c < 0x7f) {
    emit(l, AM_GO_T_CHAR, l->at + 1, out);
    return ADAM_OK;
  }
  return fail(l, "unrecognized character in action");
}

adam_status am_go_lexer_next(am_go_lexer *lexer, am_go_token *out) {
  return lexer->in_action ? next_inside(lexer, out) : next_outside(lexer, out);
}

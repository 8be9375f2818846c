/* SPDX-License-Identifier: Apache-2.0 */
/* Oniguruma's Ruby syntax -> PCRE2. What differs and is rewritten here: \s \d \w \h and their
 * negations (other sets), \b (other word characters), \p{..} (PCRE2 may know an older Unicode),
 * \v \u, (?m) (is (?s) in Perl), {n,m}+ and {n}? (plain nesting in Ruby), {,n}, nested classes,
 * POSIX brackets. ^ $ . agree with PCRE2_MULTILINE and LF as newline. Source: Oniguruma's doc/RE. */
#include "tokenizer/regex.h"

#include "tokenizer/unicode.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DEPTH 100

typedef struct rewriter {
  const char *p, *end;
  am_buf *out;
  size_t atom;             /* where the last atom begins in out */
  size_t group[MAX_DEPTH]; /* where the open groups begin */
  int depth;
  const char *problem;
} rewriter;

/* Sets of code points as the inside of a bracket class. */
static const char space_set[] =
    "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}"
    "\\x{205f}\\x{3000}";
static const char not_space_set[] =
    "\\x{0}-\\x{8}\\x{e}-\\x{1f}\\x{21}-\\x{84}\\x{86}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}"
    "\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}"
    "\\x{3001}-\\x{10ffff}";
static const char hex_set[] = "0-9a-fA-F";
static const char not_hex_set[] = "\\x{0}-/:-@G-`g-\\x{10ffff}";

typedef struct run_filter {
  am_buf *out;
  bool wanted[32]; /* by category */
} run_filter;

static void append_range(am_buf *out, uint32_t first, uint32_t last) {
  am_buf_printf(out, "\\x{%x}", first);
  if (last > first) am_buf_printf(out, "-\\x{%x}", last);
}

static bool is_word(uint32_t first, uint16_t value) {
  if (first == 0x200C || first == 0x200D) return false; /* in Rust's \w alone */
  bool superscript = first == 0xB2 || first == 0xB3 || first == 0xB9 || (first >= 0xBC && first <= 0xBE);
  return superscript || (value & AM_CLASS_WORD);
}

/* The complement cannot be said in properties inside of a class: code points one by one. */
static void append_not_word_run(void *user, uint32_t first, uint32_t last, uint16_t value) {
  if (!is_word(first, value)) append_range(user, first, last);
}

static void append_recent_run(void *user, uint32_t first, uint32_t last, uint16_t value) {
  run_filter *filter = user;
  if ((value & AM_CLASS_RECENT) && filter->wanted[value & AM_CLASS_CATEGORY])
    append_range(filter->out, first, last);
}

/* Two-letter names in the order of am_category. */
static const char category_names[] = "CnLuLlLtLmLoMnMcMeNdNlNoPcPdPsPePiPfPoSmScSkSoZsZlZpCcCfCoCs";

/* The code points of a general category that are newer than PCRE2's tables may be. */
static void append_recent(am_buf *out, const char *name, size_t length) {
  run_filter filter = {.out = out};
  for (int k = 0; k < 30; k++)
    filter.wanted[k] =
        category_names[2 * k] == name[0] && (length == 1 || category_names[2 * k + 1] == name[1]);
  if (name[0] == 'C') return; /* what is newly assigned has left it, which only matters outside */
  am_unicode_runs(append_recent_run, &filter);
}

static bool is_category(const char *name, size_t length) {
  if (length == 1) return strchr("CLMNPSZ", name[0]) != NULL && name[0];
  for (int k = 0; length == 2 && k < 30; k++)
    if (memcmp(category_names + 2 * k, name, 2) == 0) return true;
  return false;
}

/* \w as properties; `out` is inside of a class. */
static void append_word(am_buf *out) {
  am_buf_append_str(out, "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\x{b2}\\x{b3}\\x{b9}\\x{bc}-\\x{be}");
  append_recent(out, "L", 1);
  append_recent(out, "M", 1);
  append_recent(out, "Nd", 2);
}

static void open_set(rewriter *r, bool in_class, bool negated) {
  if (!in_class) am_buf_append_str(r->out, negated ? "[^" : "[");
}

static void close_set(rewriter *r, bool in_class) {
  if (!in_class) am_buf_append_char(r->out, ']');
}

/* \s \S \d \D \w \W \h \H */
static void shorthand(rewriter *r, char kind, bool in_class) {
  bool negated = isupper((unsigned char)kind) != 0;
  open_set(r, in_class, negated && !in_class);
  switch (tolower((unsigned char)kind)) {
    case 's':
      am_buf_append_str(r->out, negated && in_class ? not_space_set : space_set);
      break;
    case 'h':
      am_buf_append_str(r->out, negated && in_class ? not_hex_set : hex_set);
      break;
    case 'd':
      am_buf_append_str(r->out, negated && in_class ? "\\P{Nd}" : "\\p{Nd}");
      if (!(negated && in_class)) append_recent(r->out, "Nd", 2);
      break;
    default:
      if (negated && in_class)
        am_unicode_runs(append_not_word_run, r->out);
      else
        append_word(r->out);
  }
  close_set(r, in_class);
}

typedef struct alias {
  const char *name; /* lower case, without separators */
  const char *set;  /* category, or inside of a class after a '=' */
} alias;
static const alias aliases[] = {{"letter", "L"},
                                {"number", "N"},
                                {"punctuation", "P"},
                                {"punct", "=\\p{P}\\p{S}"},
                                {"symbol", "S"},
                                {"mark", "M"},
                                {"separator", "Z"},
                                {"other", "C"},
                                {"uppercaseletter", "Lu"},
                                {"lowercaseletter", "Ll"},
                                {"titlecaseletter", "Lt"},
                                {"modifierletter", "Lm"},
                                {"otherletter", "Lo"},
                                {"decimalnumber", "Nd"},
                                {"digit", "Nd"},
                                {"letternumber", "Nl"},
                                {"othernumber", "No"},
                                {"nonspacingmark", "Mn"},
                                {"spacingmark", "Mc"},
                                {"enclosingmark", "Me"},
                                {"connectorpunctuation", "Pc"},
                                {"dashpunctuation", "Pd"},
                                {"mathsymbol", "Sm"},
                                {"currencysymbol", "Sc"},
                                {"othersymbol", "So"},
                                {"control", "Cc"},
                                {"format", "Cf"},
                                {"cntrl", "Cc"},
                                {"alpha", "=\\p{Alphabetic}"},
                                {"alnum", "=\\p{Alphabetic}\\p{Nd}"},
                                {"upper", "=\\p{Uppercase}"},
                                {"lower", "=\\p{Lowercase}"},
                                {"xdigit", "=0-9a-fA-F"},
                                {"ascii", "=\\x{0}-\\x{7f}"},
                                {"blank", "=\\x{9}\\p{Zs}"},
                                {"any", "=\\x{0}-\\x{10ffff}"}};

/* \p{..}, \P{..} and [:..:]; name without braces. */
static void property(rewriter *r, const char *name, size_t length, bool negated, bool in_class) {
  char key[48];
  size_t n = 0;
  if (length > 0 && name[0] == '^') name++, length--, negated = !negated;
  for (size_t i = 0; i < length && n + 1 < sizeof key; i++)
    if (name[i] != '_' && name[i] != '-' && name[i] != ' ') key[n++] = (char)tolower((unsigned char)name[i]);
  key[n] = 0;
  const char *set = NULL;
  char category[3] = {0};
  for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++)
    if (strcmp(aliases[i].name, key) == 0) set = aliases[i].set;
  if (n == 1 || n == 2) {
    category[0] = (char)toupper((unsigned char)key[0]);
    category[1] = key[1];
    if (is_category(category, n)) set = category;
  }
  if (strcmp(key, "space") == 0) {
    shorthand(r, negated ? 'S' : 's', in_class);
  } else if (strcmp(key, "word") == 0) {
    shorthand(r, negated ? 'W' : 'w', in_class);
  } else if (set && set[0] == '=' && negated && in_class) {
    r->problem = "a negated POSIX bracket inside of a class";
  } else {
    open_set(r, in_class, negated && !in_class);
    if (set && set[0] == '=') {
      am_buf_append_str(r->out, set + 1);
    } else {
      am_buf_append_str(r->out, negated && in_class ? "\\P{" : "\\p{");
      am_buf_append(r->out, set ? set : name, set ? strlen(set) : length);
      am_buf_append_char(r->out, '}');
      if (set && !(negated && in_class)) append_recent(r->out, set, strlen(set));
    }
    close_set(r, in_class);
  }
}

static void named_property(rewriter *r, bool negated, bool in_class) {
  const char *stop = NULL;
  if (r->p < r->end && *r->p == '{') stop = memchr(r->p, '}', (size_t)(r->end - r->p));
  if (!stop || stop - r->p > 64) {
    r->problem = "\\p without a name in braces";
    return;
  }
  const char *name = r->p + 1;
  r->p = stop + 1;
  property(r, name, (size_t)(stop - name), negated, in_class);
}

static void word_border(rewriter *r, bool negated) {
  am_buf word = {0};
  am_buf_append_char(&word, '[');
  append_word(&word);
  am_buf_append_char(&word, ']');
  if (word.failed)
    r->out->failed = true;
  else
    am_buf_printf(r->out, negated ? "(?:(?<=%s)(?=%s)|(?<!%s)(?!%s))" : "(?:(?<=%s)(?!%s)|(?<!%s)(?=%s))",
                  word.data, word.data, word.data, word.data);
  am_buf_close(&word);
}

/* \xHH, \x{H..}, \uHHHH with r->p behind the letter. */
static void code_point(rewriter *r, char letter) {
  char digits[9] = {0};
  size_t n = 0, most = letter == 'u' ? 4 : 2;
  bool braces = letter == 'x' && r->p < r->end && *r->p == '{';
  if (braces) r->p++, most = 8;
  while (n < most && r->p < r->end && isxdigit((unsigned char)*r->p)) digits[n++] = *r->p++;
  unsigned long value = strtoul(digits, NULL, 16);
  if (n == 0 || (braces && (r->p == r->end || *r->p++ != '}')) || (letter == 'u' && n < 4) ||
      (letter == 'x' && !braces && value > 0x7F))
    r->problem = "an escape that is no code point";
  else
    am_buf_printf(r->out, "\\x{%lx}", value);
}

/* A backslash and what follows; r->p behind the backslash. */
static void escape(rewriter *r, bool in_class) {
  if (r->p == r->end) {
    r->problem = "a backslash at the end";
    return;
  }
  char c = *r->p++;
  if (c == 0) {
    am_buf_append_str(r->out, "\\x{0}");
  } else if (strchr("sSdDwWhH", c)) {
    shorthand(r, c, in_class);
  } else if (c == 'p' || c == 'P') {
    named_property(r, c == 'P', in_class);
  } else if (c == 'b' && in_class) {
    am_buf_append_str(r->out, "\\x{8}");
  } else if (c == 'b' || c == 'B') {
    word_border(r, c == 'B');
  } else if (c == 'v') {
    am_buf_append_str(r->out, "\\x{b}");
  } else if (c == 'x' || c == 'u') {
    code_point(r, c);
  } else if (strchr("NOyYCMc", c)) {
    r->problem = "\\N, \\O, \\y, \\c, \\C or \\M";
  } else if (strchr("aefnrt", c) || isdigit((unsigned char)c) || (!in_class && strchr("AzZGKRXkg", c))) {
    am_buf_append_char(r->out, '\\');
    am_buf_append_char(r->out, c);
  } else {
    if ((unsigned char)c < 0x80 && !isalnum((unsigned char)c)) am_buf_append_char(r->out, '\\');
    am_buf_append_char(r->out, c);
  }
}

static void posix_bracket(rewriter *r, const char *stop) {
  const char *name = r->p + 2;
  size_t length = (size_t)(stop - name);
  r->p = stop + 2;
  property(r, name, length, false, true);
}

/* The inside of [...], r->p behind the bracket; nested classes are unions and flatten. */
static void bracket_class(rewriter *r, int depth) {
  bool first = true;
  if (depth > 10) r->problem = "deeply nested classes";
  while (!r->problem && r->p < r->end) {
    char c = *r->p;
    if (c == ']' && !first) {
      r->p++;
      return;
    }
    first = false;
    if (c == '\\') {
      r->p++;
      escape(r, true);
    } else if (c == '[') {
      const char *stop = NULL;
      if (r->end - r->p > 2 && r->p[1] == ':') stop = memmem(r->p + 2, (size_t)(r->end - r->p - 2), ":]", 2);
      if (stop && stop - r->p < 24) {
        posix_bracket(r, stop);
      } else if (r->end - r->p > 1 && r->p[1] == '^') {
        r->problem = "a negated class inside of a class";
      } else {
        r->p++;
        bracket_class(r, depth + 1);
      }
    } else if (c == '&' && r->end - r->p > 1 && r->p[1] == '&') {
      r->problem = "an intersection of classes (&&)";
    } else {
      if (c == ']') am_buf_append_char(r->out, '\\');
      am_buf_append_char(r->out, c);
      r->p++;
    }
  }
  if (!r->problem) r->problem = "a class without its end";
}

/* `(?` and options, r->p behind the question mark. */
static void group_options(rewriter *r) {
  bool at_start = r->group[r->depth - 1] == 0 ||
                  (r->group[r->depth - 1] > 0 && strchr("(:|", r->out->data[r->group[r->depth - 1] - 1]));
  while (r->p < r->end && *r->p && strchr("imx-", *r->p)) {
    char c = *r->p++;
    am_buf_append_char(r->out, c == 'm' ? 's' : c);
  }
  if (r->p < r->end && *r->p == ':') {
    am_buf_append_char(r->out, *r->p++);
  } else if (r->p < r->end && *r->p == ')') {
    if (!at_start) r->problem = "options in the middle of a group";
  } else {
    r->problem = "an unknown kind of group";
  }
}

static void group(rewriter *r) {
  if (r->depth == MAX_DEPTH) {
    r->problem = "deeply nested groups";
    return;
  }
  r->group[r->depth++] = r->out->len;
  am_buf_append_char(r->out, *r->p++);
  if (r->p == r->end || *r->p != '?') return;
  am_buf_append_char(r->out, *r->p++);
  if (r->p == r->end) return;
  if (*r->p == '#') {
    const char *stop = memchr(r->p, ')', (size_t)(r->end - r->p));
    if (!stop) stop = r->end;
    r->out->len = r->group[--r->depth];
    if (r->out->data) r->out->data[r->out->len] = 0;
    r->p = stop < r->end ? stop + 1 : stop;
  } else if (*r->p && strchr(":=!>", *r->p)) {
    am_buf_append_char(r->out, *r->p++);
  } else if (*r->p == '<') {
    while (r->p < r->end && *r->p != '>' && *r->p != '=' && *r->p != '!') am_buf_append_char(r->out, *r->p++);
    if (r->p < r->end) am_buf_append_char(r->out, *r->p++);
  } else {
    group_options(r);
  }
}

/* {n}, {n,}, {,m}, {n,m}: length of it, 0 when the brace is plain text. */
static size_t interval_length(const char *p, const char *end, bool *has_comma, bool *open_start) {
  const char *q = p + 1;
  size_t digits = 0;
  *has_comma = false;
  *open_start = q < end && *q == ',';
  for (; q < end && *q != '}'; q++) {
    if (*q == ',' && !*has_comma)
      *has_comma = true;
    else if (isdigit((unsigned char)*q))
      digits++;
    else
      return 0;
  }
  return q < end && digits > 0 ? (size_t)(q + 1 - p) : 0;
}

/* Puts (?: ) around the last atom and its interval. */
static void wrap_atom(rewriter *r) {
  size_t tail = r->out->len - r->atom;
  if (!am_buf_append(r->out, "    ", 4)) return;
  char *at = r->out->data + r->atom;
  memmove(at + 3, at, tail);
  memcpy(at, "(?:", 3);
  at[3 + tail] = ')';
}

static void interval(rewriter *r) {
  bool has_comma, open_start;
  size_t length = interval_length(r->p, r->end, &has_comma, &open_start);
  if (length == 0) {
    r->atom = r->out->len;
    am_buf_append_str(r->out, "\\{");
    r->p++;
    return;
  }
  am_buf_append_str(r->out, open_start ? "{0" : "{");
  am_buf_append(r->out, r->p + 1, length - 1);
  r->p += length;
  if (r->p < r->end && (*r->p == '+' || (*r->p == '?' && !has_comma))) {
    wrap_atom(r);
  } else if (r->p < r->end && *r->p == '?') {
    am_buf_append_char(r->out, *r->p++);
  }
}

bool am_onig_rewrite(const char *pattern, size_t n_bytes, am_buf *out, const char **problem) {
  rewriter r = {.p = pattern, .end = pattern + n_bytes, .out = out};
  while (r.p < r.end && !r.problem && !out->failed) {
    char c = *r.p;
    if (c == '{') {
      interval(&r);
    } else if (strchr("*+?", c) && c) {
      am_buf_append_char(out, *r.p++);
    } else if (c == ')') {
      if (r.depth > 0) r.atom = r.group[--r.depth];
      am_buf_append_char(out, *r.p++);
    } else if (c == '(') {
      group(&r);
    } else {
      r.atom = out->len;
      r.p++;
      if (c == '\\') {
        escape(&r, false);
      } else if (c == '[') {
        bool negated = r.p < r.end && *r.p == '^';
        am_buf_append_str(out, negated ? "[^" : "[");
        r.p += negated;
        bracket_class(&r, 0);
        am_buf_append_char(out, ']');
      } else {
        am_buf_append_char(out, c);
        while (r.p < r.end && ((unsigned char)*r.p & 0xC0) == 0x80) am_buf_append_char(out, *r.p++);
      }
    }
  }
  *problem = r.problem;
  return !out->failed;
}

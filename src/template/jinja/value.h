/* SPDX-License-Identifier: Apache-2.0 */
/* template/jinja/value: what a Jinja expression can be, with Python's semantics.
 * Purpose: am_jvalue is 16 bytes, copied freely; what it points to lives in the arena of one
 *   rendering (or, for constants, of the compiled template) and is freed with it. In: JSON, literals.
 * Invariants: strings are valid UTF-8; lists, tuples and dicts never change once a template can see
 *   them (the sandbox forbids it), so they have no cycles; only namespaces, cyclers, joiners, loops and
 *   iterators change. Threads: one rendering is one thread.
 * Every function that returns bool and takes an am_jinja returns false after it has recorded the
 * error there. */
#ifndef AM_TEMPLATE_JINJA_VALUE_H
#define AM_TEMPLATE_JINJA_VALUE_H

#include "base/json.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct am_jinja am_jinja; /* one rendering: interp.h */

typedef enum am_jkind {
  AM_J_MISSING, /* inside the interpreter only: no such variable, argument not given */
  AM_J_UNDEFINED,
  AM_J_NONE,
  AM_J_BOOL,
  AM_J_INT,
  AM_J_BIG, /* an integer over 64 bits: prints, compares, does not calculate */
  AM_J_FLOAT,
  AM_J_STRING,
  AM_J_LIST,
  AM_J_TUPLE,
  AM_J_DICT,
  AM_J_RANGE,
  AM_J_VIEW, /* d.items(), d.keys(), d.values() */
  AM_J_ITERATOR,
  AM_J_NAMESPACE,
  AM_J_MACRO,
  AM_J_FUNCTION, /* a global function or a method bound to its receiver */
  AM_J_LOOP,
  AM_J_CYCLER,
  AM_J_JOINER,
  AM_J_BLOCKS, /* `self`: the blocks of the template by name */
  AM_J_BLOCK
} am_jkind;

typedef struct am_jstring {
  const char *data; /* not NUL-terminated */
  size_t n_bytes;
  size_t n_chars; /* code points */
} am_jstring;

typedef struct am_jundefined am_jundefined;
typedef struct am_jlist am_jlist;
typedef struct am_jdict am_jdict;
typedef struct am_jrange am_jrange;
typedef struct am_jview am_jview;
typedef struct am_jiterator am_jiterator;
typedef struct am_jmacro am_jmacro;
typedef struct am_jfunction am_jfunction;
typedef struct am_jloop am_jloop;
typedef struct am_jcycler am_jcycler;
typedef struct am_jjoiner am_jjoiner;

typedef struct am_jvalue {
  uint8_t kind; /* am_jkind */
  bool marked;  /* string: it is Markup; tuple: it is a group of groupby */
  union {
    bool boolean;
    int64_t integer;
    double real;
    const am_jstring *string; /* BIG: its decimal digits */
    const am_jundefined *undefined;
    am_jlist *list; /* tuples too */
    am_jdict *dict; /* namespaces too */
    const am_jrange *range;
    const am_jview *view;
    am_jiterator *iterator;
    const am_jmacro *macro;
    const am_jfunction *function;
    am_jloop *loop;
    am_jcycler *cycler;
    am_jjoiner *joiner;
    const void *block; /* am_jblock of ast.h */
  } as;
} am_jvalue;

/* Why a value is undefined; the words of the error that its use raises. */
struct am_jundefined {
  const char *message; /* NUL-terminated */
  bool is_security;
};

struct am_jlist {
  am_jvalue *items;
  size_t n;
  size_t capacity;
};

typedef struct am_jentry {
  am_jvalue key;
  am_jvalue value;
  uint64_t hash;
} am_jentry;

struct am_jdict {
  am_jentry *entries; /* in order of insertion */
  size_t n;
  size_t capacity;
  uint32_t *index; /* open addressing, entry number + 1; NULL while the dict is small */
  size_t n_index;  /* a power of two, or 0 */
};

struct am_jrange {
  int64_t start, stop, step;
  int64_t n;
};

typedef enum am_jview_kind { AM_JVIEW_ITEMS, AM_JVIEW_KEYS, AM_JVIEW_VALUES } am_jview_kind;
struct am_jview {
  am_jview_kind kind;
  am_jdict *dict;
};

/* Arguments of one call, already evaluated. Keyword names are unique. */
typedef struct am_jargs {
  const am_jvalue *items;
  size_t n;
  const am_jentry *keywords; /* keys are strings */
  size_t n_keywords;
} am_jargs;

typedef bool (*am_jcall)(am_jinja *jinja, const am_jfunction *self, const am_jargs *args, am_jvalue *out);
struct am_jfunction {
  const char *name;
  am_jcall call;
  am_jvalue receiver; /* MISSING for a global function */
};

struct am_jcycler {
  am_jlist *items;
  size_t position;
};

struct am_jjoiner {
  am_jvalue separator;
  bool used;
};

/* --- making values --- */
static inline am_jvalue am_jnone(void) { return (am_jvalue){.kind = AM_J_NONE}; }
static inline am_jvalue am_jmissing(void) { return (am_jvalue){.kind = AM_J_MISSING}; }
static inline am_jvalue am_jbool(bool b) { return (am_jvalue){.kind = AM_J_BOOL, .as.boolean = b}; }
static inline am_jvalue am_jint(int64_t i) { return (am_jvalue){.kind = AM_J_INT, .as.integer = i}; }
static inline am_jvalue am_jreal(double f) { return (am_jvalue){.kind = AM_J_FLOAT, .as.real = f}; }

/* A string over borrowed bytes (of the arena, or static): nothing is copied but the record. */
bool am_jstring_view(am_jinja *jinja, const char *data, size_t n_bytes, am_jvalue *out);
bool am_jstring_copy(am_jinja *jinja, const char *data, size_t n_bytes, am_jvalue *out);
bool am_jstring_text(am_jinja *jinja, const char *text, am_jvalue *out); /* a literal of ours */
/* Fills a record; n_chars is counted here. */
void am_jstring_set(am_jstring *string, const char *data, size_t n_bytes);
static inline bool am_jstring_is_ascii(const am_jstring *s) { return s->n_bytes == s->n_chars; }
/* Byte offset of the code point number `index` (<= n_chars). */
size_t am_jstring_offset(const am_jstring *string, size_t index);
bool am_jstring_equal(const am_jstring *a, const am_jstring *b);
bool am_jstring_is(const am_jvalue *value, const char *text); /* a string equal to text */

bool am_jlist_new(am_jinja *jinja, size_t capacity, am_jlist **out);
bool am_jlist_push(am_jinja *jinja, am_jlist *list, am_jvalue item);
static inline am_jvalue am_jlist_value(am_jlist *l) { return (am_jvalue){.kind = AM_J_LIST, .as.list = l}; }
static inline am_jvalue am_jtuple_value(am_jlist *l) { return (am_jvalue){.kind = AM_J_TUPLE, .as.list = l}; }
bool am_jtuple_pair(am_jinja *jinja, am_jvalue a, am_jvalue b, am_jvalue *out);

bool am_jdict_new(am_jinja *jinja, size_t capacity, am_jdict **out);
/* Sets key (hashable) to value; a key already there keeps its place. */
bool am_jdict_set(am_jinja *jinja, am_jdict *dict, am_jvalue key, am_jvalue value);
/* *out = the entry's value, or NULL when absent. Fails for keys that cannot be hashed. */
bool am_jdict_get(am_jinja *jinja, const am_jdict *dict, const am_jvalue *key, am_jvalue **out);
/* Lookup by text; NULL when absent. */
am_jvalue *am_jdict_find(const am_jdict *dict, const char *key, size_t key_bytes);
static inline am_jvalue am_jdict_value(am_jdict *d) { return (am_jvalue){.kind = AM_J_DICT, .as.dict = d}; }

/* printf into the arena. */
bool am_jundefined_new(am_jinja *jinja, bool is_security, am_jvalue *out, const char *format, ...)
    AM_PRINTF(4, 5);
/* A JSON tree as values (strings borrow the JSON's bytes). */
bool am_jvalue_from_json(am_jinja *jinja, const am_json *json, am_jvalue *out);

/* --- asking values --- */
static inline bool am_jvalue_is_number(const am_jvalue *v) {
  return v->kind >= AM_J_BOOL && v->kind <= AM_J_FLOAT;
}
/* An int or a bool, which is an int in Python. */
static inline bool am_jvalue_as_int(const am_jvalue *v, int64_t *out) {
  if (v->kind == AM_J_INT)
    *out = v->as.integer;
  else if (v->kind == AM_J_BOOL)
    *out = v->as.boolean;
  else
    return false;
  return true;
}
double am_jvalue_as_real(const am_jvalue *number); /* of any number */
bool am_jvalue_truth(const am_jvalue *value);
const char *am_jvalue_type(const am_jvalue *value); /* Python's type name */
/* len(); false (and no error recorded) for values without one. */
bool am_jvalue_length(const am_jvalue *value, size_t *out);
/* Too deep a tuple is not, and records its error. */
bool am_jvalue_hashable(am_jinja *jinja, const am_jvalue *value);
bool am_jvalue_same(const am_jvalue *a, const am_jvalue *b); /* Python's `is` */
bool am_jvalue_equal(am_jinja *jinja, const am_jvalue *a, const am_jvalue *b, bool *out);
/* -1, 0, 1; what Python cannot order is an error that shows `operator`. 2: unordered (NaN). */
bool am_jvalue_compare(am_jinja *jinja, const am_jvalue *a, const am_jvalue *b, const char *operator,
                       int * out);
int64_t am_jrange_at(const am_jrange *range, int64_t index);

#endif

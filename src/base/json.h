/* SPDX-License-Identifier: Apache-2.0 */
/* base/json: the one JSON reader of the house, and a writer.
 * Purpose: keeps integers apart from floats, keeps key order, survives integers over 64 bits (kept
 *   as a double with `is_big`), NUL in strings, and lone surrogates (become U+FFFD); fast on files
 *   of 35 MB. In: bytes that nobody trusts, with a depth and a byte limit. Out: a document that
 *   owns its nodes. Threads: immutable after parsing. Duplicate keys: the last one wins on lookup,
 *   unless AM_JSON_UNIQUE_KEYS makes them an error. NaN, Infinity, -Infinity (Python writes them)
 *   are accepted. A UTF-8 byte order mark in front is skipped. */
#ifndef AM_BASE_JSON_H
#define AM_BASE_JSON_H

#include "base/arena.h"
#include "base/buf.h"
#include <adam/status.h>

typedef enum am_json_type {
  AM_JSON_NULL,
  AM_JSON_BOOL,
  AM_JSON_INT,
  AM_JSON_FLOAT,
  AM_JSON_STRING,
  AM_JSON_ARRAY,
  AM_JSON_OBJECT
} am_json_type;

typedef struct am_json am_json;
typedef struct am_json_member am_json_member;

/* A value. Read-only for everyone but the parser. */
struct am_json {
  am_json_type type : 8; /* 16 bytes in all: a vocabulary has half a million of these */
  bool is_big; /* an integer that did not fit int64_t: type FLOAT, value in `real` */
  uint32_t n;  /* array: elements; object: members; string: bytes */
  union {
    bool boolean;
    int64_t integer;
    double real;
    const char *string;            /* NUL-terminated, may hold NULs inside */
    const am_json *items;          /* array: n values side by side */
    const am_json_member *members; /* object: n members in file order */
  } as;
};

struct am_json_member {
  const char *key; /* NUL-terminated */
  uint32_t key_bytes;
  am_json value;
};

enum { AM_JSON_UNIQUE_KEYS = 1u << 0 };

/* Parses n_bytes of text into *out, whose nodes live in arena. `name` is the `what` of errors; the
 * `why` has the byte offset and what was expected: ADAM_DAMAGED, also for invalid UTF-8 and for bare
 * control characters in strings; ADAM_LIMIT beyond 512 levels, 4 GiB of text or the arena's limit.
 * Strings without escapes still are copied: the text may be freed afterwards. */
adam_status am_json_parse(const char *text, size_t n_bytes, const char *name, uint32_t flags,
                          am_arena *arena, am_json *out, adam_error *error);

/* Lookups; all accept NULL and the wrong type and then return NULL or the fallback. */
const am_json *am_json_get(const am_json *object, const char *key);
const am_json *am_json_path(const am_json *object, const char *dotted_path); /* "a.b.c" */
const am_json *am_json_at(const am_json *array, size_t index);
const char *am_json_str(const am_json *value, const char *fallback);
int64_t am_json_int(const am_json *value, int64_t fallback);     /* a float with integer value too */
double am_json_real(const am_json *value, double fallback);      /* int or float */
bool am_json_bool(const am_json *value, bool fallback);
bool am_json_is_null(const am_json *value);                      /* absent or null */

/* Writing: text of a string with quotes and escapes (non-ASCII stays as it is). */
bool am_json_write_string(am_buf *buf, const char *text, size_t n_bytes);
/* Shortest text that reads back to the same double, in Python repr form ("1.0", "1e+16", "nan"). */
bool am_json_write_real(am_buf *buf, double value);
/* Compact text of a whole value. */
bool am_json_write(am_buf *buf, const am_json *value);

#endif

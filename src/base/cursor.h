/* SPDX-License-Identifier: Apache-2.0 */
/* base/cursor: reads little-endian values from bytes that nobody trusts. A read past the end
 * returns 0, sets `failed` and keeps `offset` at the failing read; check `failed` once after a run
 * of reads. One thread at a time; the bytes are borrowed. */
#ifndef AM_BASE_CURSOR_H
#define AM_BASE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct am_cursor {
  const uint8_t *bytes;
  size_t size;   /* bytes */
  size_t offset; /* of the next read */
  bool failed;
} am_cursor;

static inline const void *am_cursor_bytes(am_cursor *c, size_t n) {
  if (c->failed || n > c->size - c->offset) {
    c->failed = true;
    return NULL;
  }
  const void *p = c->bytes + c->offset;
  c->offset += n;
  return p;
}

#define AM_CURSOR_READ(name, type)                     \
  static inline type am_cursor_##name(am_cursor *c) {  \
    type v = 0;                                        \
    const void *p = am_cursor_bytes(c, sizeof v);      \
    if (p) memcpy(&v, p, sizeof v);                    \
    return v;                                          \
  }
AM_CURSOR_READ(u8, uint8_t)
AM_CURSOR_READ(i8, int8_t)
AM_CURSOR_READ(u16, uint16_t)
AM_CURSOR_READ(i16, int16_t)
AM_CURSOR_READ(u32, uint32_t)
AM_CURSOR_READ(i32, int32_t)
AM_CURSOR_READ(u64, uint64_t)
AM_CURSOR_READ(i64, int64_t)
AM_CURSOR_READ(f32, float)
AM_CURSOR_READ(f64, double)
#undef AM_CURSOR_READ

#endif

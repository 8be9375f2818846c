/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/thinking.h"

#include <string.h>

static const char open_tag[] = "<think>", close_tag[] = "</think>";
enum { OPEN_BYTES = sizeof open_tag - 1, CLOSE_BYTES = sizeof close_tag - 1, MAX_LEAD_BYTES = 256 };

void am_thinking_begin(am_thinking *thinking, bool inside) {
  am_buf_clear(&thinking->held);
  thinking->state = inside ? AM_THINKING_OPENED : AM_THINKING_LEAD;
}

void am_thinking_close(am_thinking *thinking) { am_buf_close(&thinking->held); }

static void drop(am_buf *held, size_t n_bytes) {
  if (n_bytes == 0) return;
  memmove(held->data, held->data + n_bytes, held->len - n_bytes + 1); /* the NUL too */
  held->len -= n_bytes;
}

static bool move(am_buf *held, size_t n_bytes, am_buf *to) {
  if (n_bytes == 0) return true;
  if (!am_buf_append(to, held->data, n_bytes)) return false;
  drop(held, n_bytes);
  return true;
}

static size_t count_newlines(const am_buf *held) {
  size_t n = 0;
  while (n < held->len && held->data[n] == '\n') n++;
  return n;
}

static size_t without_newlines(const char *text, size_t n_bytes) {
  while (n_bytes > 0 && text[n_bytes - 1] == '\n') n_bytes--;
  return n_bytes;
}

/* How much of `held` is certainly thought: all but newlines and a beginning of the tag at its end. */
static size_t certain_thought(const am_buf *held) {
  size_t tail = held->len < CLOSE_BYTES - 1 ? held->len : CLOSE_BYTES - 1;
  while (tail > 0 && memcmp(held->data + held->len - tail, close_tag, tail) != 0) tail--;
  return without_newlines(held->data, held->len - tail);
}

/* One step of the machine; false when more text is needed (or memory is out: held.failed etc.). */
static bool step(am_thinking *t, am_buf *thought, am_buf *answer) {
  am_buf *held = &t->held;
  if (held->len == 0) return false;
  if (t->state == AM_THINKING_LEAD) {
    size_t blank = strspn(held->data, " \t\r\n");
    size_t left = held->len - blank, compare = left < OPEN_BYTES ? left : OPEN_BYTES;
    bool fits = memcmp(held->data + blank, open_tag, compare) == 0;
    if (fits && left < OPEN_BYTES && held->len <= MAX_LEAD_BYTES) return false;
    if (fits && left >= OPEN_BYTES) {
      drop(held, blank + OPEN_BYTES);
      t->state = AM_THINKING_OPENED;
    } else {
      t->state = AM_THINKING_ANSWER;
    }
    return true;
  }
  if (t->state == AM_THINKING_OPENED || t->state == AM_THINKING_CLOSED) {
    drop(held, count_newlines(held));
    if (held->len == 0) return false;
    t->state = t->state == AM_THINKING_OPENED ? AM_THINKING_INSIDE : AM_THINKING_ANSWER;
    return true;
  }
  if (t->state == AM_THINKING_ANSWER) {
    move(held, held->len, answer);
    return false;
  }
  const char *tag = memmem(held->data, held->len, close_tag, CLOSE_BYTES);
  if (!tag) {
    move(held, certain_thought(held), thought);
    return false;
  }
  size_t before = (size_t)(tag - held->data), kept = without_newlines(held->data, before);
  if (!am_buf_append(thought, held->data, kept)) return false;
  drop(held, before + CLOSE_BYTES);
  t->state = AM_THINKING_CLOSED;
  return true;
}

bool am_thinking_push(am_thinking *thinking, const char *text, size_t n_bytes, am_buf *thought,
                      am_buf *answer) {
  if (!am_buf_append(&thinking->held, text, n_bytes)) return false;
  while (step(thinking, thought, answer)) continue;
  return !thought->failed && !answer->failed;
}

bool am_thinking_finish(am_thinking *thinking, am_buf *thought, am_buf *answer) {
  am_buf *held = &thinking->held;
  size_t n = held->len;
  if (n == 0) return true;
  if (thinking->state == AM_THINKING_LEAD) return move(held, n, answer);
  return move(held, without_newlines(held->data, n), thought);
}

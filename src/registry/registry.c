/* SPDX-License-Identifier: Apache-2.0 */
/* registry: names -> backends.
 * In: tables, adam's own and those that a caller registers. Out: tables, borrowed for ever.
 * Threads: any; readers never wait, writers wait for each other over a few instructions.
 * Invariant: what find and at return has every member of this header's adam_backend_ops: a table
 *   of an older, smaller header is copied into a full one whose missing members are NULL. */
#include <adam/registry.h>

#include "backend/backends.h"
#include "base/error.h"
#include "base/mem.h"
#include "os/thread.h"
#include <stdatomic.h>
#include <string.h>

/* One name. Rows are only ever appended, so that a reader may walk them without a lock. */
typedef struct row {
  _Atomic(const adam_backend_ops *) ops; /* NULL: what builtin returns */
  const adam_backend_ops *(*builtin)(void);
  _Atomic(struct row *) next;
  adam_backend_ops full; /* the copy of a smaller table */
} row;

static row row_anthropic = {.builtin = am_backend_anthropic};
static row row_openai = {.builtin = am_backend_openai, .next = &row_anthropic};
static row row_ollama = {.builtin = am_backend_ollama, .next = &row_openai};
static row row_mock = {.builtin = am_backend_mock, .next = &row_ollama};
static row first = {.builtin = am_backend_huggingface, .next = &row_mock};
static row *retired; /* rows whose `full` replaced another table; under writing */
static atomic_flag writing = ATOMIC_FLAG_INIT;

static const adam_backend_ops *row_ops(row *r) {
  const adam_backend_ops *ops = atomic_load_explicit(&r->ops, memory_order_acquire);
  return ops ? ops : r->builtin();
}

static row *row_next(row *r) { return atomic_load_explicit(&r->next, memory_order_acquire); }

static row *find_row(const char *name) {
  for (row *r = &first; r; r = row_next(r))
    if (!strcmp(row_ops(r)->name, name)) return r;
  return NULL;
}

/* "hf" and "auto" have a meaning of their own where a backend is named. */
static bool name_valid(const char *name) {
  size_t n = name ? strlen(name) : 0;
  if (n == 0 || n > 64 || !strcmp(name, "hf") || !strcmp(name, "auto")) return false;
  return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == n;
}

static adam_status check(const adam_backend_ops *ops, adam_error *error) {
  static const char what[] = "backend table";
  if (!ops) return am_fail(error, ADAM_INVALID, what, NULL, "the table is NULL");
  if (ops->version != ADAM_BACKEND_VERSION)
    return am_fail(error, ADAM_INVALID, what, "set version = ADAM_BACKEND_VERSION", "version %u, expected %u",
                   (unsigned)ops->version, ADAM_BACKEND_VERSION);
  const size_t least = offsetof(adam_backend_ops, tokenize); /* up to the last required member */
  if (ops->struct_size < least)
    return am_fail(error, ADAM_INVALID, what, "set struct_size = sizeof(adam_backend_ops)",
                   "struct_size %zu, expected at least %zu", ops->struct_size, least);
  if (!name_valid(ops->name))
    return am_fail(error, ADAM_INVALID, what, NULL,
                   "a name is 1 to 64 of a-z 0-9 _ - and neither hf nor auto");
  const char *missing = !ops->open       ? "open"
                        : !ops->close    ? "close"
                        : !ops->generate ? "generate"
                        : !ops->info     ? "info"
                                         : NULL;
  if (missing)
    return am_fail(error, ADAM_INVALID, ops->name, NULL, "the required operation %s is NULL", missing);
  return ADAM_OK;
}

adam_status adam_backend_register(const adam_backend_ops *ops, adam_error *error) {
  adam_status status = check(ops, error);
  if (status) return status;
  row *fresh = am_mem_zalloc(1, sizeof *fresh);
  if (!fresh) return am_fail_memory(error, ops->name);
  const adam_backend_ops *table = ops;
  if (ops->struct_size < sizeof *ops) {
    memcpy(&fresh->full, ops, ops->struct_size);
    fresh->full.struct_size = sizeof *ops;
    table = &fresh->full;
  }
  while (atomic_flag_test_and_set_explicit(&writing, memory_order_acquire)) am_cpu_relax();
  row *old = find_row(table->name);
  if (old) {
    /* The replaced table stays where it is: open models go on using it. */
    atomic_store_explicit(&old->ops, table, memory_order_release);
    if (table != ops) {
      atomic_store_explicit(&fresh->next, retired, memory_order_relaxed);
      retired = fresh;
      fresh = NULL;
    }
  } else {
    row *last = &first;
    while (row_next(last)) last = row_next(last);
    atomic_store_explicit(&fresh->ops, table, memory_order_relaxed);
    atomic_store_explicit(&last->next, fresh, memory_order_release);
    fresh = NULL;
  }
  atomic_flag_clear_explicit(&writing, memory_order_release);
  am_mem_free(fresh);
  return ADAM_OK;
}

const adam_backend_ops *adam_backend_find(const char *name) {
  row *r = name ? find_row(name) : NULL;
  return r ? row_ops(r) : NULL;
}

const adam_backend_ops *adam_backend_at(size_t index) {
  row *r = &first;
  while (r && index--) r = row_next(r);
  return r ? row_ops(r) : NULL;
}

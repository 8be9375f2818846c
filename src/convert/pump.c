/* SPDX-License-Identifier: Apache-2.0 */
#include "convert/pump.h"

#include <stdatomic.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "kernels/kernels.h"
#include "os/cpu.h"
#include "os/file.h"
#include "os/thread.h"

enum {
  CHUNK_ELEMENTS = 1 << 18,
  MOST_THREADS = 256,
  MOST_BUILT = 3, /* items in memory; one of a model of 70 billion weights in 4 bits has 130 MB */
  LOOK_AHEAD = 64 /* items, past those that are being built */
};

typedef enum { WAITS, BUILDS, READY } phase;

/* How far an item is; guarded by the lock, but for `built` while one thread builds. */
typedef struct progress {
  phase phase;
  uint64_t next_row, done_rows;
  am_loader_built **built; /* n_parts, NULL where there is nothing to build; owned */
} progress;

typedef struct work {
  const am_convert_pump *pump;
  const am_kernels *kernels;
  am_mutex lock;
  am_cond changed, ready; /* for the caller's thread; for workers */
  progress *items;        /* n_items */
  size_t item;            /* guarded by lock, as all below: the first with rows that nobody has taken */
  uint32_t n_built;
  uint64_t done_bytes, total_bytes;
  uint32_t n_running;
  bool stop;
  adam_status status;
  adam_error error;
} work;

/* One thread's. */
typedef struct worker {
  work *shared;
  am_thread thread;
  float *numbers; /* (chunk of rows) */
  uint8_t *packed;
} worker;

static uint64_t row_bytes(am_dtype dtype, uint64_t n_columns) {
  uint64_t bytes = 0;
  (void)am_dtype_row_bytes(dtype, n_columns, &bytes);
  return bytes;
}

static uint64_t chunk_rows(const am_convert_item *item) {
  uint64_t n = item->n_columns ? CHUNK_ELEMENTS / item->n_columns : 1;
  n = n ? n : 1;
  return n < item->n_rows ? n : item->n_rows;
}

static const uint8_t *source_row(const am_convert_item *item, uint64_t row, am_dtype *dtype) {
  uint32_t part;
  uint64_t part_row;
  am_convert_locate(item, row, &part, &part_row);
  *dtype = item->parts[part].dtype;
  return (const uint8_t *)item->parts[part].data + part_row * row_bytes(*dtype, item->n_columns);
}

/* True where a chunk's rows lie in the file as they go out. */
static bool is_plain_copy(const am_convert_item *item) {
  return item->n_parts == 1 && item->parts[0].dtype == item->dtype && item->transform == AM_TRANSFORM_NONE;
}

/* Float rows [first, first + n) into w->numbers. */
static void read_rows(const worker *w, const am_convert_item *item, uint64_t first, uint64_t n) {
  const am_kernels *kernels = w->shared->kernels;
  for (uint64_t r = 0; r < n; r++) {
    float *out = w->numbers + r * item->n_columns;
    if (item->computed) {
      memcpy(out, item->computed + (first + r) * item->n_columns, item->n_columns * sizeof *out);
      continue;
    }
    am_dtype dtype;
    const uint8_t *row = source_row(item, first + r, &dtype);
    kernels->dequantize[dtype](out, row, item->n_columns);
    if (item->transform != AM_TRANSFORM_ADD_ONE) continue;
    float one = item->undo ? -1.0f : 1.0f;
    for (uint64_t i = 0; i < item->n_columns; i++) out[i] += one;
  }
}

/* The pages behind rows that were read. */
static void release(const am_convert_item *item, uint64_t first, uint64_t n) {
  const uint8_t *low = NULL, *high = NULL;
  uint64_t bytes = 0;
  for (uint64_t r = 0; r < n && item->n_parts; r++) {
    am_dtype dtype;
    const uint8_t *row = source_row(item, first + r, &dtype);
    if (am_dtype_is_scaled(dtype)) return; /* it goes when the item is done */
    bytes = row_bytes(dtype, item->n_columns);
    if (low && row != high) { /* another part, or rows that stand elsewhere */
      am_file_map_release(low, (size_t)(high - low));
      low = NULL;
    }
    if (!low) low = row;
    high = row + bytes;
  }
  if (low) am_file_map_release(low, (size_t)(high - low));
}

static adam_status move_rows(worker *w, size_t index, uint64_t first, uint64_t n, adam_error *error) {
  const am_convert_pump *pump = w->shared->pump;
  const am_convert_item *item = &pump->plan->items[index];
  uint64_t out_bytes = row_bytes(item->dtype, item->n_columns);
  const void *bytes = w->packed;
  adam_status status = ADAM_OK;
  am_dtype dtype = item->dtype;
  if (is_plain_copy(item)) {
    bytes = source_row(item, first, &dtype);
  } else if (!item->computed && item->parts[0].dtype == item->dtype && item->transform != AM_TRANSFORM_ADD_ONE &&
             !am_dtype_is_scaled(item->dtype)) { /* rows move, whole */
    for (uint64_t r = 0; r < n && dtype == item->dtype; r++) {
      const uint8_t *row = source_row(item, first + r, &dtype);
      if (dtype == item->dtype) memcpy(w->packed + r * out_bytes, row, out_bytes);
    }
  } else {
    dtype = AM_DTYPE_COUNT;
  }
  if (dtype != item->dtype) {
    read_rows(w, item, first, n);
    status = am_quant_rows(item->dtype, w->numbers, (size_t)n, (size_t)item->n_columns, w->packed, NULL, item->name,
                           first, error);
  }
  if (!status) status = pump->sink(pump->sink_user, index, first * out_bytes, bytes, n * out_bytes, error);
  release(item, first, n);
  return status;
}

typedef struct chunk {
  size_t index;
  uint64_t first, n; /* rows; n 0: the item is to be built */
} chunk;

/* What can be done now; false: nothing, or nothing yet. Under the lock. */
static bool find(work *s, chunk *out) {
  const am_convert_plan *plan = s->pump->plan;
  while (s->item < plan->n_items && s->items[s->item].next_row >= plan->items[s->item].n_rows) s->item++;
  for (size_t i = s->item; i < plan->n_items && i < s->item + LOOK_AHEAD; i++) {
    progress *p = &s->items[i];
    uint64_t rows = chunk_rows(&plan->items[i]), left = plan->items[i].n_rows - p->next_row;
    if (left == 0 || p->phase == BUILDS || (p->phase == WAITS && s->n_built == MOST_BUILT)) continue;
    *out = (chunk){.index = i, .first = p->next_row};
    if (p->phase == WAITS) {
      p->phase = BUILDS;
      s->n_built++;
      return true;
    }
    out->n = rows < left ? rows : left;
    p->next_row += out->n;
    return true;
  }
  return false;
}

/* The next piece of work; false: there is none, or all shall stop. */
static bool take(work *s, chunk *out) {
  bool found = false;
  am_mutex_lock(&s->lock);
  while (!s->stop && !(found = find(s, out)) && s->item < s->pump->plan->n_items) am_cond_wait(&s->ready, &s->lock);
  am_mutex_unlock(&s->lock);
  return found;
}

static adam_status build(work *s, size_t index, adam_error *error) {
  const am_convert_item *item = &s->pump->plan->items[index];
  adam_status status = ADAM_OK;
  for (uint32_t i = 0; i < item->n_parts && !status; i++) {
    am_loader_built **built = &s->items[index].built[i];
    if (item->parts[i].data) continue;
    status = am_loader_build(s->pump->loader, item->parts[i].name, built, error);
    if (!status) item->parts[i].data = am_loader_built_data(*built);
  }
  return status;
}

static void forget(work *s, size_t index) {
  const am_convert_item *item = &s->pump->plan->items[index];
  progress *p = &s->items[index];
  for (uint32_t i = 0; p->built && i < item->n_parts; i++) {
    if (p->built[i]) item->parts[i].data = NULL;
    am_loader_built_close(&p->built[i]);
  }
  am_mem_free(p->built);
  p->built = NULL;
}

/* Under the lock: what a worker has done. True: the item was its last part's, and can be forgotten. */
static bool note(work *s, const chunk *c, adam_status status, const adam_error *error) {
  const am_convert_item *item = &s->pump->plan->items[c->index];
  progress *p = &s->items[c->index];
  p->done_rows += c->n;
  s->done_bytes += c->n * row_bytes(item->dtype, item->n_columns);
  if (status && !s->status) {
    s->status = status;
    s->error = *error;
  }
  if (status) s->stop = true;
  if (c->n == 0) p->phase = READY;
  return p->built && p->done_rows == item->n_rows;
}

static void *run(void *argument) {
  worker *w = argument;
  work *s = w->shared;
  chunk c;
  while (take(s, &c)) {
    adam_error error = {0};
    adam_status status = c.n ? move_rows(w, c.index, c.first, c.n, &error) : build(s, c.index, &error);
    am_mutex_lock(&s->lock);
    bool done = note(s, &c, status, &error);
    am_mutex_unlock(&s->lock);
    if (done) forget(s, c.index);
    am_mutex_lock(&s->lock);
    if (done) s->n_built--;
    am_cond_signal(&s->changed);
    am_cond_broadcast(&s->ready);
    am_mutex_unlock(&s->lock);
  }
  am_mutex_lock(&s->lock);
  s->n_running--;
  am_cond_signal(&s->changed);
  am_mutex_unlock(&s->lock);
  return NULL;
}

/* Tells the caller how far it is; with the lock, which it gives up meanwhile: no callback under it. */
static void tell(work *s, uint64_t *told_bytes) {
  const am_convert_pump *pump = s->pump;
  uint64_t done = s->done_bytes;
  if (!pump->on_progress || s->stop) return;
  am_mutex_unlock(&s->lock);
  bool cancel = pump->on_progress(pump->user, done, s->total_bytes);
  am_mutex_lock(&s->lock);
  *told_bytes = done;
  if (cancel && !s->status) s->status = ADAM_CANCELLED;
  if (cancel) s->stop = true;
  if (cancel) am_cond_broadcast(&s->ready);
}

/* Tells it until all threads have ended, and the end of it in every case: they may all be done by now. */
static void watch(work *s) {
  uint64_t told_bytes = UINT64_MAX;
  am_mutex_lock(&s->lock);
  while (s->n_running > 0) {
    am_cond_wait(&s->changed, &s->lock);
    tell(s, &told_bytes);
  }
  if (told_bytes != s->done_bytes) tell(s, &told_bytes);
  am_mutex_unlock(&s->lock);
}

/* The largest chunk of any item, as numbers and packed. */
static void sizes(const am_convert_plan *plan, size_t *numbers, size_t *packed, uint64_t *total_bytes) {
  *numbers = *packed = 0;
  *total_bytes = 0;
  for (size_t i = 0; i < plan->n_items; i++) {
    const am_convert_item *item = &plan->items[i];
    uint64_t rows = chunk_rows(item), bytes = row_bytes(item->dtype, item->n_columns);
    *total_bytes += item->n_rows * bytes;
    if (is_plain_copy(item)) continue;
    if (rows * item->n_columns > *numbers) *numbers = (size_t)(rows * item->n_columns);
    if (rows * bytes > *packed) *packed = (size_t)(rows * bytes);
  }
}

static adam_status check(const am_convert_plan *plan, const am_kernels *kernels, adam_error *error) {
  for (size_t i = 0; i < plan->n_items; i++) {
    const am_convert_item *item = &plan->items[i];
    uint64_t bytes;
    if (is_plain_copy(item)) continue;
    for (uint32_t p = 0; p < item->n_parts; p++)
      if (!kernels->dequantize[item->parts[p].dtype] ||
          (!item->parts[p].data && !am_dtype_is_scaled(item->parts[p].dtype)))
        return am_fail(error, ADAM_UNSUPPORTED, item->name, NULL, "its type %s cannot be read",
                       am_dtype_info(item->parts[p].dtype)->name);
    bool moved = !item->computed && item->parts[0].dtype == item->dtype && item->transform != AM_TRANSFORM_ADD_ONE;
    if ((!moved && !am_quant_can(item->dtype)) || !am_dtype_row_bytes(item->dtype, item->n_columns, &bytes))
      return am_fail(error, ADAM_UNSUPPORTED, item->name, NULL, "rows of %llu cannot be written as %s",
                     (unsigned long long)item->n_columns, am_dtype_info(item->dtype)->name);
  }
  return ADAM_OK;
}

/* Items whose parts must be built wait for that. */
static adam_status open_items(work *s, adam_error *error) {
  const am_convert_plan *plan = s->pump->plan;
  s->items = am_mem_zalloc(plan->n_items + 1, sizeof *s->items);
  if (!s->items) return am_fail_memory(error, "converting");
  for (size_t i = 0; i < plan->n_items; i++) {
    const am_convert_item *item = &plan->items[i];
    bool waits = false;
    for (uint32_t p = 0; p < item->n_parts; p++)
      waits |= !item->parts[p].data && am_dtype_is_scaled(item->parts[p].dtype);
    s->items[i].phase = waits ? WAITS : READY;
    if (waits) s->items[i].built = am_mem_zalloc(item->n_parts, sizeof *s->items[i].built);
    if (waits && !s->items[i].built) return am_fail_memory(error, item->name);
  }
  return ADAM_OK;
}

/* Fewer threads than asked do too. */
static uint32_t start(work *s, worker *workers, uint32_t n) {
  size_t numbers, packed;
  sizes(s->pump->plan, &numbers, &packed, &s->total_bytes);
  for (uint32_t i = 0; i < n; i++) {
    worker *w = &workers[i];
    w->shared = s;
    w->numbers = am_mem_alloc((numbers + 1) * sizeof *w->numbers);
    w->packed = am_mem_alloc(packed + 1);
    if (!w->numbers || !w->packed) return i;
    am_mutex_lock(&s->lock);
    s->n_running++;
    am_mutex_unlock(&s->lock);
    if (am_thread_start(&w->thread, run, w)) continue;
    am_mutex_lock(&s->lock);
    s->n_running--;
    am_mutex_unlock(&s->lock);
    return i;
  }
  return n;
}

static adam_status run_all(work *s, uint32_t n, adam_error *error) {
  worker *workers = am_mem_zalloc(n, sizeof *workers);
  uint32_t n_started = workers ? start(s, workers, n) : 0;
  if (n_started > 0) watch(s);
  for (uint32_t i = 0; i < n_started; i++) am_thread_join(&workers[i].thread);
  for (uint32_t i = 0; workers && i < n; i++) {
    am_mem_free(workers[i].numbers);
    am_mem_free(workers[i].packed);
  }
  am_mem_free(workers);
  if (n_started == 0) return am_fail_memory(error, "converting");
  if (s->status == ADAM_CANCELLED) return am_fail(error, ADAM_CANCELLED, "convert", NULL, "cancelled");
  if (s->status && error) *error = s->error;
  return s->status;
}

adam_status am_convert_pump_run(const am_convert_pump *pump, adam_error *error) {
  work s = {.pump = pump, .kernels = am_kernels_get()};
  uint32_t n = pump->n_threads ? pump->n_threads : (uint32_t)am_cpu_count();
  adam_status status = check(pump->plan, s.kernels, error);
  if (status) return status;
  bool has_lock = am_mutex_open(&s.lock), has_changed = has_lock && am_cond_open(&s.changed);
  bool has_ready = has_changed && am_cond_open(&s.ready);
  status = has_ready ? open_items(&s, error) : am_fail_memory(error, "converting");
  if (!status) status = run_all(&s, n > MOST_THREADS ? MOST_THREADS : n, error);
  for (size_t i = 0; s.items && i < pump->plan->n_items; i++) forget(&s, i);
  am_mem_free(s.items);
  if (has_ready) am_cond_close(&s.ready);
  if (has_changed) am_cond_close(&s.changed);
  if (has_lock) am_mutex_close(&s.lock);
  return status;
}

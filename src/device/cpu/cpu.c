/* SPDX-License-Identifier: Apache-2.0 */
#include "device/cpu/cpu.h"
#include "base/mem.h"
#include "base/size.h"
#include "os/cpu.h"
#include <string.h>

static void close_device(am_device *device) {
  am_cpu_device *cpu = (am_cpu_device *)device;
  am_pool_close(&cpu->pool);
  am_mem_free(cpu);
}

static adam_status open_device(const am_device_options *options, am_device **out, adam_error *error) {
  uint32_t n_threads = (uint32_t)(options->n_threads > 0 ? options->n_threads : am_cpu_count());
  if (n_threads > AM_DEVICE_MAX_THREADS) n_threads = AM_DEVICE_MAX_THREADS;
  am_cpu_device *cpu = am_mem_zalloc(1, sizeof *cpu);
  if (!cpu) return am_fail_memory(error, "device cpu");
  cpu->kernels = am_kernels_get();
  cpu->base = (am_device){.ops = &am_cpu_ops, .tier = cpu->kernels->tier, .n_threads = (int32_t)n_threads};
  cpu->pool = am_pool_open(n_threads);
  if (!cpu->pool) {
    am_mem_free(cpu);
    return am_fail(error, ADAM_NO_MEMORY, "device cpu", "ask for fewer threads",
                   "%u threads could not be started", n_threads);
  }
  *out = &cpu->base;
  return ADAM_OK;
}

/* Zeroed pages that nobody touches cost nothing: so a long cache takes memory as it fills. The
 * address that the heap gave stands in front of the aligned one. */
static void *alloc_memory(am_device *device, size_t n_bytes) {
  enum { ALIGNMENT = 64 };
  size_t all;
  (void)device;
  if (!am_size_add(n_bytes, ALIGNMENT + sizeof(void *), &all)) return NULL;
  uint8_t *memory = am_mem_zalloc(1, all);
  if (!memory) return NULL;
  uint8_t *aligned = memory + sizeof(void *);
  aligned += (ALIGNMENT - (uintptr_t)aligned % ALIGNMENT) % ALIGNMENT;
  memcpy(aligned - sizeof(void *), &memory, sizeof(void *));
  return aligned;
}

static void free_memory(am_device *device, void *memory) {
  void *start;
  (void)device;
  memcpy(&start, (uint8_t *)memory - sizeof(void *), sizeof(void *));
  am_mem_free(start);
}

static adam_status copy(void *to, const void *from, size_t n_bytes) {
  if (n_bytes > 0) memcpy(to, from, n_bytes);
  return ADAM_OK;
}

static adam_status read_memory(am_device *device, const void *from, void *to, size_t n_bytes,
                               adam_error *error) {
  (void)device;
  (void)error;
  return copy(to, from, n_bytes);
}

static adam_status write_memory(am_device *device, void *to, const void *from, size_t n_bytes,
                                adam_error *error) {
  (void)device;
  (void)error;
  return copy(to, from, n_bytes);
}

static adam_status open_weight(am_device *device, const am_tensor *tensor, am_weight *weight,
                               adam_error *error) {
  const am_kernels *kernels = ((am_cpu_device *)device)->kernels;
  bool usable = weight->is_vector ? kernels->dequantize[tensor->dtype] != NULL
                                  : kernels->x_format[tensor->dtype] != AM_X_NONE;
  if (!usable)
    return am_fail(error, ADAM_UNSUPPORTED, tensor->name, NULL, "no kernel takes weights of %s",
                   am_dtype_info(tensor->dtype)->name);
  weight->data = tensor->data;
  if (!weight->is_vector) return ADAM_OK;
  weight->owned = am_mem_zalloc(weight->columns, sizeof(float));
  if (!weight->owned) return am_fail_memory(error, tensor->name);
  kernels->dequantize[tensor->dtype](weight->owned, tensor->data, weight->columns);
  weight->values = weight->owned;
  return ADAM_OK;
}

static void close_weight(am_weight *weight) { am_mem_free(weight->owned); }

bool am_cpu_scratch_grow(am_cpu_scratch *scratch, size_t n_bytes) {
  if (n_bytes <= scratch->n_bytes) return true;
  void *memory = am_mem_aligned(64, n_bytes);
  if (!memory) return false;
  am_mem_free(scratch->memory);
  scratch->memory = memory;
  scratch->n_bytes = n_bytes;
  return true;
}

static void close_queue(am_queue *queue) {
  am_cpu_queue *q = (am_cpu_queue *)queue;
  for (int i = 0; i < AM_CPU_X_SLOTS; i++) am_mem_free(q->x[i].memory);
  am_mem_free(q->angles.memory);
  am_mem_free(q->attend.memory);
  am_mem_free(q->partial.memory);
  am_mem_free(q->exact.memory);
  am_mem_free(q->routed.memory);
  am_mem_free(q->probabilities.memory);
  am_mem_free(q->base.verbs);
  am_mem_free(q->ops);
  am_mem_free(q->phases);
  am_mem_free(q);
}

static adam_status open_queue(am_device *device, uint32_t capacity, am_queue **out, adam_error *error) {
  am_cpu_device *cpu = (am_cpu_device *)device;
  am_cpu_queue *q = am_mem_zalloc(1, sizeof *q);
  if (!q) return am_fail_memory(error, "queue");
  q->base.device = device;
  q->base.capacity = capacity;
  q->kernels = cpu->kernels;
  q->pool = cpu->pool;
  q->op_capacity = 3 * capacity; /* a verb is one operation or more: quantize, gather, angles, merge */
  q->base.verbs = am_mem_zalloc(capacity, sizeof *q->base.verbs);
  q->ops = am_mem_zalloc(q->op_capacity, sizeof *q->ops);
  q->phases = am_mem_aligned(64, (q->op_capacity + 1) * sizeof *q->phases);
  if (!q->base.verbs || !q->ops || !q->phases) {
    close_queue(&q->base);
    return am_fail_memory(error, "queue");
  }
  *out = &q->base;
  return ADAM_OK;
}

static bool reserve_matmul(am_cpu_queue *q, const am_verb *verb) {
  am_x_format format = am_cpu_x_format(q, verb->weight);
  size_t row_bytes = am_kernels_x_bytes(format, verb->weight->columns);
  bool done = true;
  if (format != q->kernels->x_format[verb->weight->dtype])
    done = am_cpu_scratch_grow(&q->exact, (size_t)am_pool_threads(q->pool) * AM_CPU_EXACT_ROWS *
                                              verb->weight->columns * sizeof(float));
  for (int i = 0; i < AM_CPU_X_SLOTS && format != AM_X_F32; i++)
    done = done && am_cpu_scratch_grow(&q->x[i], verb->n * row_bytes);
  if (verb->kind == AM_VERB_MATMUL_EXPERTS && am_cpu_gathers(verb))
    done = done && am_cpu_scratch_grow(&q->routed, verb->as.experts.n_pairs * row_bytes);
  return done;
}

static adam_status reserve(am_queue *queue, const am_verb *verb, adam_error *error) {
  am_cpu_queue *q = (am_cpu_queue *)queue;
  bool done = true;
  if (verb->kind == AM_VERB_MATMUL || verb->kind == AM_VERB_MATMUL_EXPERTS) {
    done = reserve_matmul(q, verb);
  } else if (verb->kind == AM_VERB_ROUTE) {
    done = am_cpu_scratch_grow(&q->probabilities,
                               (size_t)am_pool_threads(q->pool) * verb->columns * sizeof(float));
  } else if (verb->kind == AM_VERB_ROPE) {
    done = am_cpu_scratch_grow(&q->angles, (size_t)verb->n * verb->as.rope.how->n_rot * sizeof(float));
  } else if (verb->kind == AM_VERB_ATTEND || verb->kind == AM_VERB_ATTEND_ALL) {
    done = am_cpu_attend_reserve(q, verb);
  }
  return done ? ADAM_OK : am_fail_memory(error, "scratch of a queue");
}

static void run_chunk(am_cpu_queue *q, const am_cpu_phase *phase, uint32_t chunk, uint32_t thread) {
  const am_cpu_op *op = &q->ops[phase->first];
  for (; chunk >= op->n_chunks; op++) chunk -= op->n_chunks;
  op->run(q, op, chunk, thread);
}

/* Does the small operations before phase p and opens it; phases without chunks are over at once. */
static void open_phase(am_cpu_queue *q, uint32_t p, uint32_t thread) {
  for (; p < q->n_phases; p++) {
    const am_cpu_phase *phase = &q->phases[p];
    for (uint32_t i = 0; i < phase->n_small; i++) {
      const am_cpu_op *op = &q->ops[phase->first_small + i];
      for (uint32_t chunk = 0; chunk < op->n_chunks; chunk++) op->run(q, op, chunk, thread);
    }
    if (phase->n_chunks > 0) break;
  }
  am_pool_gate_raise(q->pool, &q->opened, p + 1);
}

static void run_phases(void *user, uint32_t thread) {
  am_cpu_queue *q = user;
  if (thread == 0) open_phase(q, 0, thread);
  for (uint32_t p = 0; p < q->n_phases; p++) {
    am_cpu_phase *phase = &q->phases[p];
    uint32_t chunk, n_done = 0;
    am_pool_gate_wait(q->pool, &q->opened, p + 1);
    while ((chunk = atomic_fetch_add_explicit(&phase->next, 1, memory_order_relaxed)) < phase->n_chunks) {
      run_chunk(q, phase, chunk, thread);
      n_done++;
    }
    if (n_done > 0 && atomic_fetch_add(&phase->done, n_done) + n_done == phase->n_chunks)
      open_phase(q, p + 1, thread);
  }
  am_pool_gate_wait(q->pool, &q->opened, q->n_phases + 1);
}

static adam_status run_queue(am_queue *queue, adam_error *error) {
  am_cpu_queue *q = (am_cpu_queue *)queue;
  (void)error;
  am_cpu_plan(q);
  atomic_store(&q->opened.value, 0);
  am_pool_run(q->pool, run_phases, q);
  return ADAM_OK;
}

const am_device_ops am_cpu_ops = {
    .name = "cpu",
    .open = open_device,
    .close = close_device,
    .alloc = alloc_memory,
    .free = free_memory,
    .read = read_memory,
    .write = write_memory,
    .weight_open = open_weight,
    .weight_close = close_weight,
    .queue_open = open_queue,
    .queue_close = close_queue,
    .queue_reserve = reserve,
    .queue_run = run_queue,
};

/* SPDX-License-Identifier: Apache-2.0 */
/* out = x weight^T + bias, cut along the weight's rows: each chunk reads its weights once for all tokens. */
#include "device/cpu/cpu.h"

/* Rows [begin, end) of a quantised weight by float32 activations: a few rows dequantised at a time. */
static void multiply_exact(am_cpu_queue *q, const am_cpu_product *p, uint32_t begin, uint32_t end,
                           uint32_t thread) {
  const am_weight *w = p->weight;
  float *rows = (float *)q->exact.memory + (size_t)thread * AM_CPU_EXACT_ROWS * w->columns;
  for (uint32_t done = begin; done < end;) {
    uint32_t n = end - done < AM_CPU_EXACT_ROWS ? end - done : AM_CPU_EXACT_ROWS;
    for (uint32_t r = 0; r < n; r++)
      q->kernels->dequantize[w->dtype](rows + (size_t)r * w->columns,
                                       (const uint8_t *)w->data + (done + r) * w->row_bytes, w->columns);
    q->kernels->matmul[AM_DTYPE_F32](&(am_matmul){
        .out = p->out + done,
        .out_stride = p->out_stride,
        .w = rows,
        .w_stride = w->columns * sizeof(float),
        .x = p->x,
        .x_stride = p->x_stride,
        .n_rows = n,
        .n_tokens = p->n,
        .n_in = w->columns,
    });
    done += n;
  }
}

void am_cpu_multiply(am_cpu_queue *q, const am_cpu_product *p, uint32_t begin, uint32_t end,
                     uint32_t thread) {
  const am_weight *w = p->weight;
  if (p->format != q->kernels->x_format[w->dtype]) {
    multiply_exact(q, p, begin, end, thread);
    return;
  }
  q->kernels->matmul[w->dtype](&(am_matmul){
      .out = p->out + begin,
      .out_stride = p->out_stride,
      .w = (const uint8_t *)w->data + begin * w->row_bytes,
      .w_stride = w->row_bytes,
      .x = p->x,
      .x_stride = p->x_stride,
      .n_rows = end - begin,
      .n_tokens = p->n,
      .n_in = w->columns,
  });
}

static void run_matmul(am_cpu_queue *q, const am_cpu_op *op, uint32_t chunk, uint32_t thread) {
  const am_verb *v = op->verb;
  am_cpu_product product = {.out = v->out,
                            .out_stride = v->columns,
                            .weight = v->weight,
                            .format = op->format,
                            .x = op->scratch ? op->scratch : v->x,
                            .x_stride = op->x_stride,
                            .n = v->n};
  uint32_t begin, end;
  am_cpu_rows(op, chunk, v->weight->rows, &begin, &end);
  am_cpu_multiply(q, &product, begin, end, thread);
  if (!v->bias) return;
  for (size_t t = 0; t < v->n; t++)
    q->kernels->add(v->out + t * v->columns + begin, v->bias->values + begin, end - begin);
}

/* A chunk's weights stay in the first-level cache while the tokens pass; a big matrix has bigger
 * chunks when there is one token, since nothing is used twice then. At least 4 chunks a thread, as
 * other programs may hold a processor for a while. Multiples of 8 rows fit every kernel's tiles. */
static uint32_t rows_per_chunk(const am_cpu_queue *q, const am_weight *w, uint32_t n) {
  enum { TILE = 8, CACHED_BYTES = 24 << 10, STREAMED_BYTES = 128 << 10, CHUNKS_A_THREAD = 4 };
  uint64_t threads = am_pool_threads(q->pool), all_bytes = w->row_bytes * (uint64_t)w->rows;
  uint64_t bytes = CACHED_BYTES;
  if (n < TILE && all_bytes / (threads * 16) > bytes) bytes = all_bytes / (threads * 16);
  if (bytes > STREAMED_BYTES) bytes = STREAMED_BYTES;
  uint64_t rows = bytes / w->row_bytes, share = w->rows / (threads * CHUNKS_A_THREAD);
  if (rows > share) rows = share;
  rows = rows / TILE * TILE;
  return rows < TILE ? TILE : (uint32_t)rows;
}

void am_cpu_op_matmul(am_cpu_queue *q, const am_verb *verb, void *scratch, am_cpu_op *op) {
  const am_weight *w = verb->weight;
  op->run = run_matmul;
  op->scratch = scratch;
  op->format = am_cpu_x_format(q, w);
  op->x_stride = scratch ? am_kernels_x_bytes(op->format, w->columns) : w->columns * sizeof(float);
  op->reads[0] = scratch ? (am_cpu_range){scratch, verb->n * op->x_stride}
                         : (am_cpu_range){verb->x, verb->n * op->x_stride};
  op->writes = (am_cpu_range){verb->out, (uint64_t)verb->n * verb->columns * sizeof(float)};
  op->chunk_rows = rows_per_chunk(q, w, verb->n);
  op->n_chunks = (w->rows + op->chunk_rows - 1) / op->chunk_rows;
  op->is_small = (uint64_t)w->rows * w->columns * verb->n <= 4 * AM_CPU_SMALL_STEPS;
}

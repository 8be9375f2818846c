/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/steps.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

enum { VERBS = 2 };
#define LAYER_NORM_EPS 1e-5f /* torch.nn.LayerNorm's default, which the module uses */

typedef struct weights {
  am_weight *weight, *bias, *residual; /* owned */
} weights;

struct am_steps {
  am_device *device;    /* borrowed */
  am_queue *queue;      /* owned */
  const am_step *steps; /* borrowed */
  uint32_t n_steps, n_in, n_out, max_rows;
  weights weights[AM_SENTENCE_STEPS];
  float *host[2];         /* owned; (max_rows, widest) each, taken in turns */
  float *in, *out, *skip; /* owned, on the device; (max_rows, widest) */
};

static adam_status open_weights(am_steps *s, uint32_t i, adam_error *error) {
  const am_step *step = &s->steps[i];
  weights *w = &s->weights[i];
  adam_status status = ADAM_OK;
  if (step->weight) status = am_weight_open(s->device, step->weight, &w->weight, error);
  if (!status && step->bias) status = am_weight_open(s->device, step->bias, &w->bias, error);
  if (!status && step->residual) status = am_weight_open(s->device, step->residual, &w->residual, error);
  return status;
}

adam_status am_steps_open(am_device *device, const am_step *steps, uint32_t n_steps, uint32_t n_in,
                          uint32_t max_rows, am_steps **out, adam_error *error) {
  am_steps *s = am_mem_zalloc(1, sizeof *s);
  if (!s) return am_fail_memory(error, "embedding");
  *s = (am_steps){.device = device,
                  .steps = steps,
                  .n_steps = n_steps,
                  .n_in = n_in,
                  .n_out = n_in,
                  .max_rows = max_rows};
  size_t widest = n_in;
  adam_status status = am_queue_open(device, VERBS, &s->queue, error);
  for (uint32_t i = 0; i < n_steps && !status; i++) {
    status = open_weights(s, i, error);
    s->n_out = steps[i].n_out;
    if (widest < steps[i].n_out) widest = steps[i].n_out;
  }
  if (!status) {
    size_t n_bytes = widest * max_rows * sizeof(float);
    for (int k = 0; k < 2; k++) s->host[k] = am_mem_zalloc(widest * max_rows, sizeof(float));
    s->in = am_device_alloc(device, n_bytes);
    s->out = am_device_alloc(device, n_bytes);
    s->skip = am_device_alloc(device, n_bytes);
    if (!s->host[0] || !s->host[1] || !s->in || !s->out || !s->skip)
      status = am_fail_memory(error, "embedding");
  }
  if (status)
    am_steps_close(&s);
  else
    *out = s;
  return status;
}

void am_steps_close(am_steps **steps) {
  if (!steps || !*steps) return;
  am_steps *s = *steps;
  for (uint32_t i = 0; i < AM_SENTENCE_STEPS; i++) {
    am_weight_close(&s->weights[i].weight);
    am_weight_close(&s->weights[i].bias);
    am_weight_close(&s->weights[i].residual);
  }
  am_queue_close(&s->queue);
  for (int k = 0; k < 2; k++) am_mem_free(s->host[k]);
  if (s->in) am_device_free(s->device, s->in);
  if (s->out) am_device_free(s->device, s->out);
  if (s->skip) am_device_free(s->device, s->skip);
  am_mem_free(s);
  *steps = NULL;
}

uint32_t am_steps_width(const am_steps *steps) { return steps->n_out; }

float *am_steps_input(am_steps *steps) { return steps->host[0]; }

void am_steps_normalize(float *x, uint32_t n) {
  double square = 0;
  for (uint32_t i = 0; i < n; i++) square += (double)x[i] * x[i];
  double length = sqrt(square);
  if (length < 1e-12) length = 1e-12; /* torch.nn.functional.normalize */
  for (uint32_t i = 0; i < n; i++) x[i] = (float)(x[i] / length);
}

double am_steps_activate(am_activation activation, double x) {
  switch (activation) {
    case AM_ACTIVATION_IDENTITY:
      return x;
    case AM_ACTIVATION_TANH:
      return tanh(x);
    case AM_ACTIVATION_RELU:
      return x > 0 ? x : 0;
    case AM_ACTIVATION_GELU:
      return 0.5 * x * (1 + erf(x * 0.70710678118654752440));
    case AM_ACTIVATION_SILU:
      return x / (1 + exp(-x));
    case AM_ACTIVATION_SIGMOID:
      return 1 / (1 + exp(-x));
  }
  return x;
}

/* Runs a Dense or LayerNorm step on the device: x (n, n_in) -> y (n, n_out), both host memory of the widest
 * step; x is used up. */
static adam_status run_weights(am_steps *s, uint32_t i, float *x, float *y, uint32_t n, adam_error *error) {
  const am_step *step = &s->steps[i];
  const weights *w = &s->weights[i];
  size_t n_out = (size_t)n * step->n_out, n_in = (size_t)n * step->n_in;
  adam_status status = am_device_write(s->device, s->in, x, n_in * sizeof *x, error);
  if (status) return status;
  if (step->kind == AM_STEP_LAYER_NORM) {
    am_queue_layer_norm(s->queue, s->out, s->in, w->weight, w->bias, LAYER_NORM_EPS, n);
  } else {
    am_queue_matmul(s->queue, s->out, w->weight, w->bias, s->in, n);
    if (w->residual) am_queue_matmul(s->queue, s->skip, w->residual, NULL, s->in, n);
  }
  status = am_queue_run(s->queue, error);
  if (!status) status = am_device_read(s->device, s->out, y, n_out * sizeof *y, error);
  for (size_t k = 0; k < n_out && !status && step->activation != AM_ACTIVATION_IDENTITY; k++)
    y[k] = (float)am_steps_activate(step->activation, y[k]);
  if (status || !step->has_residual) return status;
  if (w->residual) status = am_device_read(s->device, s->skip, x, n_out * sizeof *y, error);
  for (size_t k = 0; k < n_out && !status; k++) y[k] += x[k];
  return status;
}

adam_status am_steps_run(am_steps *s, uint32_t n, float **out, adam_error *error) {
  float *x = s->host[0], *y = s->host[1];
  if (n > s->max_rows)
    return am_fail(error, ADAM_INVALID, "embedding", NULL, "%u vectors, room for %u", n, s->max_rows);
  for (uint32_t i = 0; i < s->n_steps; i++) {
    const am_step *step = &s->steps[i];
    if (step->kind == AM_STEP_NORMALIZE) {
      for (uint32_t row = 0; row < n; row++) am_steps_normalize(x + (size_t)row * step->n_in, step->n_in);
    } else if (step->kind != AM_STEP_POOL) {
      adam_status status = run_weights(s, i, x, y, n, error);
      if (status) return status;
      float *swap = x;
      x = y;
      y = swap;
    }
  }
  *out = x;
  return ADAM_OK;
}

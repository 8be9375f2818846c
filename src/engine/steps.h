/* SPDX-License-Identifier: Apache-2.0 */
/* engine/steps: what comes after pooling: Dense, LayerNorm and Normalize over a few vectors at once. A
 * classifier's head is two Dense steps. One thread at a time. */
#ifndef AM_ENGINE_STEPS_H
#define AM_ENGINE_STEPS_H

#include "device/device.h"
#include "loader/sentence.h"

typedef struct am_steps am_steps;

/* The steps' tensors are borrowed until close; n_in is what comes in. At most max_rows vectors a run. */
adam_status am_steps_open(am_device *device, const am_step *steps, uint32_t n_steps, uint32_t n_in,
                          uint32_t max_rows, am_steps **out, adam_error *error);
void am_steps_close(am_steps **steps);
uint32_t am_steps_width(const am_steps *steps); /* values of a vector that comes out */
/* Room for the vectors (n, n_in) to be filled before a run; host memory. */
float *am_steps_input(am_steps *steps);
/* *out: (n, width) in host memory, writable, valid until the input is filled again. */
adam_status am_steps_run(am_steps *steps, uint32_t n, float **out, adam_error *error);
/* x / max(|x|, 1e-12), in place. */
void am_steps_normalize(float *x, uint32_t n);
double am_steps_activate(am_activation activation, double x);

#endif

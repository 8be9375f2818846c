/* SPDX-License-Identifier: Apache-2.0 */
/* model: the forward passes: token ids -> logits.
 * Purpose: bind a family's weights to named fields and run its layers on a device.
 * In: an open loader and a device, borrowed until close. Out: an immutable model, shared by any
 *   number of workspaces; a workspace holds the activations of one thread's batches. Invariant:
 *   rows of a batch do not influence each other except through their timeline's cache.
 * Adding a family: NAME.c with bind and layers (family.h), one row in table.c. */
#ifndef AM_MODEL_MODEL_H
#define AM_MODEL_MODEL_H

#include "device/device.h"
#include "loader/loader.h"

typedef struct am_model am_model;
typedef struct am_workspace am_workspace;

/* Tokens of one or more timelines, computed together. */
typedef struct am_batch {
  const int32_t *ids;         /* n_tokens, each 0 <= id < n_vocab */
  uint32_t n_tokens;          /* <= the workspace's max_tokens */
  const am_segment *segments; /* cover the rows in order */
  uint32_t n_segments;
  const uint32_t *output_rows; /* rows whose logits are wanted, ascending */
  uint32_t n_outputs;          /* <= the workspace's max_outputs; 0 = none now */
  const int32_t *types;        /* encoders: token types (n_tokens); NULL = all 0 */
} am_batch;

adam_status am_model_open(const am_loader *loader, am_device *device, am_model **out, adam_error *error);
void am_model_close(am_model **model);
/* Switches am_arch_extend's YaRN on; before any workspace is open. */
adam_status am_model_extend(am_model *model, const am_loader *loader, adam_error *error);
/* Whether keys that were computed while their timeline had at most `length` tokens (am_segment.length) are
 * those that a run of `other` tokens would have given: always, unless the rope follows the length. */
bool am_model_same_rope(const am_model *model, uint64_t length, uint64_t other);
/* A timeline that grows past this length must be computed anew as a whole (Phi-3's longrope); 0 = never. */
uint64_t am_model_restart_length(const am_model *model);
const am_config *am_model_config(const am_model *model);
am_device *am_model_device(const am_model *model);
/* Cache options for a timeline of n_ctx tokens that grows by max_batch at most at once (0 = n_ctx);
 * valid as long as the model. */
am_kv_options am_model_kv_options(const am_model *model, uint64_t n_ctx, uint32_t max_batch, am_dtype dtype);

/* Activations for up to max_tokens a batch and max_outputs rows of logits; all memory is planned here. */
adam_status am_workspace_open(const am_model *model, uint32_t max_tokens, uint32_t max_outputs,
                              am_workspace **out, adam_error *error);
void am_workspace_close(am_workspace **workspace);
/* exact: no activation is rounded, whatever the weights are (device.h); slow with quantised ones. */
void am_workspace_set_exact(am_workspace *workspace, bool exact);
/* What open will allocate on the device; 0 on overflow. */
uint64_t am_workspace_bytes(const am_model *model, uint32_t max_tokens, uint32_t max_outputs);
/* Runs the batch. *logits: (n_outputs, n_vocab) in host memory, owned by the workspace, valid and
 * writable until the next call; NULL when n_outputs is 0. ids out of range, too many tokens or
 * segments that do not cover the rows: ADAM_INVALID, and nothing has run. */
adam_status am_model_forward(const am_model *model, am_workspace *workspace, const am_batch *batch,
                             float **logits, adam_error *error);
/* Runs the batch for its hidden states instead. *hidden: (n_tokens, n_embd) after the final norm, in host
 * memory, as above. Encoders have these and no logits; their segments have no kv, and begin at position 0. */
adam_status am_model_hidden(const am_model *model, am_workspace *workspace, const am_batch *batch,
                            float **hidden, adam_error *error);
/* Logits of other rows (n <= max_outputs) of the batch that was run last: for those who want all rows
 * without room for all of them at once. */
adam_status am_model_logits(const am_model *model, am_workspace *workspace, const uint32_t *rows, uint32_t n,
                            float **logits, adam_error *error);

#endif

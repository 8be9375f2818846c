/* SPDX-License-Identifier: Apache-2.0 */
/* Activations of one thread's batches, and the run of a batch through them. */
#include "base/error.h"
#include "base/mem.h"
#include "base/size.h"
#include "model/family.h"

#include <string.h>

enum {
  ALIGN_FLOATS = 16, /* each activation begins at a multiple of 64 bytes */
  VERBS_AT_ENDS = 16 /* embed, take rows, norm, output, and what a family does there */
};

struct am_workspace {
  am_device *device; /* borrowed */
  uint32_t max_tokens, max_outputs;
  uint32_t n_rows; /* of the last batch, 0 when it failed */
  float *memory;   /* on the device, owned; everything below lies in it */
  am_activations a;
  float *taken;       /* (max_outputs, n_embd) rows of x whose logits are wanted, then normed */
  float *logits;      /* (max_outputs, n_vocab) */
  float *host_logits; /* owned copy where the device's memory is not the host's, else NULL */
  float *host_hidden; /* owned, the same for hidden states; made when it is first needed */
  am_queue *queue;
};

/* Where each activation begins in one block, in floats. */
typedef struct layout {
  uint64_t x, y, z, q, k, v, attended, gate, up, router, mixed, routes, taken, logits, total;
  bool overflow;
} layout;

static uint64_t place(layout *l, uint64_t rows, uint64_t columns) {
  uint64_t begin = l->total, n = 0;
  if (!am_u64_mul(rows, columns, &n) || !am_u64_add(n, ALIGN_FLOATS - 1, &n) ||
      !am_u64_add(l->total, n / ALIGN_FLOATS * ALIGN_FLOATS, &l->total))
    l->overflow = true;
  return begin;
}

/* The feed-forward of all rows, or of a row and each expert chosen for it. */
static void place_feed_forward(layout *l, const am_config *c, uint32_t max_tokens) {
  const am_routing routing = {.n_experts = c->n_experts, .n_used = c->n_experts_used};
  uint64_t dense = 0, pairs = (uint64_t)max_tokens * c->n_experts_used, sparse = 0;
  if (!am_u64_mul(max_tokens, c->n_ff, &dense) || !am_u64_mul(pairs, c->n_ff_expert, &sparse))
    l->overflow = true;
  l->gate = place(l, 1, dense > sparse ? dense : sparse);
  l->up = place(l, 1, dense > sparse ? dense : sparse);
  if (c->n_experts == 0) return;
  uint64_t routes_bytes = am_routing_bytes(max_tokens, &routing);
  if (routes_bytes == 0) l->overflow = true;
  l->router = place(l, max_tokens, c->n_experts);
  l->mixed = place(l, pairs, c->n_embd);
  l->routes = place(l, 1, routes_bytes / sizeof(float));
}

static layout lay_out(const am_model *model, uint32_t max_tokens, uint32_t max_outputs) {
  const am_config *c = &model->config;
  layout l = {0};
  uint64_t heads = (uint64_t)c->n_heads * c->head_dim, kv = (uint64_t)c->n_kv_heads * c->head_dim;
  l.x = place(&l, max_tokens, c->n_embd);
  l.y = place(&l, max_tokens, c->n_embd);
  l.z = place(&l, model->family->parallel_blocks ? max_tokens : 0, c->n_embd);
  /* attention and feed-forward take turns in the same memory */
  uint64_t shared = l.total, attention = 0;
  l.q = place(&l, max_tokens, heads);
  l.k = place(&l, max_tokens, kv);
  l.v = place(&l, max_tokens, kv);
  l.attended = place(&l, max_tokens, heads);
  attention = l.total;
  l.total = shared;
  place_feed_forward(&l, c, max_tokens);
  if (l.total < attention) l.total = attention;
  l.taken = place(&l, max_outputs, c->n_embd);
  l.logits = place(&l, max_outputs, c->n_vocab);
  if (l.total > SIZE_MAX / sizeof(float)) l.overflow = true;
  return l;
}

uint64_t am_workspace_bytes(const am_model *model, uint32_t max_tokens, uint32_t max_outputs) {
  layout l = lay_out(model, max_tokens, max_outputs);
  return l.overflow ? 0 : l.total * sizeof(float);
}

adam_status am_workspace_open(const am_model *model, uint32_t max_tokens, uint32_t max_outputs,
                              am_workspace **out, adam_error *error) {
  const am_config *c = &model->config;
  layout l = lay_out(model, max_tokens, max_outputs);
  adam_status status = ADAM_OK;
  if (l.overflow || max_tokens == 0)
    return am_fail(error, ADAM_INVALID, "workspace", NULL, "%u tokens and %u rows of logits a batch",
                   max_tokens, max_outputs);
  am_workspace *w = am_mem_zalloc(1, sizeof *w);
  if (!w) return am_fail_memory(error, "workspace");
  w->device = model->device;
  w->max_tokens = max_tokens;
  w->max_outputs = max_outputs;
  w->memory = am_device_alloc(model->device, (size_t)l.total * sizeof(float));
  if (!w->memory) {
    status = am_fail(error, ADAM_NO_MEMORY, "workspace", NULL, "%llu bytes for activations",
                     (unsigned long long)l.total * sizeof(float));
    goto fail;
  }
  w->a = (am_activations){.x = w->memory + l.x,
                          .y = w->memory + l.y,
                          .z = model->family->parallel_blocks ? w->memory + l.z : NULL,
                          .q = w->memory + l.q,
                          .k = w->memory + l.k,
                          .v = w->memory + l.v,
                          .attended = w->memory + l.attended,
                          .gate = w->memory + l.gate,
                          .up = w->memory + l.up};
  if (c->n_experts > 0) {
    w->a.router = w->memory + l.router;
    w->a.mixed = w->memory + l.mixed;
    w->a.routes = w->memory + l.routes;
  }
  w->taken = w->memory + l.taken;
  w->logits = w->memory + l.logits;
  if (strcmp(am_device_name(model->device), "cpu") != 0) {
    w->host_logits = am_mem_zalloc((size_t)max_outputs * c->n_vocab, sizeof *w->host_logits);
    if (!w->host_logits) {
      status = am_fail_memory(error, "workspace");
      goto fail;
    }
  }
  if (c->arch->is_encoder) {
    w->a.positions = am_mem_zalloc(max_tokens, sizeof *w->a.positions);
    w->a.types = am_mem_zalloc(max_tokens, sizeof *w->a.types);
    if (!w->a.positions || !w->a.types) {
      status = am_fail_memory(error, "workspace");
      goto fail;
    }
  }
  status = am_queue_open(model->device, c->n_layers * model->family->verbs_per_layer + VERBS_AT_ENDS,
                         &w->queue, error);
  if (status) goto fail;
  *out = w;
  return ADAM_OK;
fail:
  am_workspace_close(&w);
  return status;
}

void am_workspace_close(am_workspace **workspace) {
  if (!workspace || !*workspace) return;
  am_workspace *w = *workspace;
  am_queue_close(&w->queue);
  if (w->memory) am_device_free(w->device, w->memory);
  am_mem_free(w->host_logits);
  am_mem_free(w->host_hidden);
  am_mem_free(w->a.positions);
  am_mem_free(w->a.types);
  am_mem_free(w);
  *workspace = NULL;
}

void am_workspace_set_exact(am_workspace *workspace, bool exact) {
  am_queue_set_exact(workspace->queue, exact);
}

static adam_status check_rows(const am_workspace *w, const uint32_t *rows, uint32_t n, uint32_t n_tokens,
                              adam_error *error) {
  if (n > w->max_outputs)
    return am_fail(error, ADAM_INVALID, "batch", NULL, "%u rows of logits wanted, room for %u", n,
                   w->max_outputs);
  for (uint32_t i = 0; i < n; i++)
    if (rows[i] >= n_tokens || (i > 0 && rows[i] <= rows[i - 1]))
      return am_fail(error, ADAM_INVALID, "batch", NULL,
                     "output row %u is %u, expected ascending rows below %u", i, rows[i], n_tokens);
  return ADAM_OK;
}

static adam_status check_batch(const am_model *model, const am_workspace *w, const am_batch *batch,
                               adam_error *error) {
  uint32_t covered = 0;
  if (batch->n_tokens == 0 || batch->n_tokens > w->max_tokens)
    return am_fail(error, ADAM_INVALID, "batch", NULL, "%u tokens, expected 1 to %u", batch->n_tokens,
                   w->max_tokens);
  for (uint32_t i = 0; i < batch->n_segments; i++) {
    const am_segment *s = &batch->segments[i];
    if (s->first != covered || s->n == 0 || s->n > batch->n_tokens - covered)
      return am_fail(error, ADAM_INVALID, "batch", NULL, "segment %u does not continue at row %u", i,
                     covered);
    covered += s->n;
  }
  if (covered != batch->n_tokens)
    return am_fail(error, ADAM_INVALID, "batch", NULL, "the segments cover %u of %u rows", covered,
                   batch->n_tokens);
  for (uint32_t i = 0; i < batch->n_tokens; i++)
    if (batch->ids[i] < 0 || (uint32_t)batch->ids[i] >= model->config.n_vocab)
      return am_fail(error, ADAM_INVALID, "token id", NULL, "%d is outside of the vocabulary of %u",
                     batch->ids[i], model->config.n_vocab);
  return check_rows(w, batch->output_rows, batch->n_outputs, batch->n_tokens, error);
}

/* Positions and token types of an encoder's batch. */
static adam_status fill_encoder_rows(const am_model *model, am_workspace *w, const am_batch *batch,
                                     adam_error *error) {
  const am_config *c = &model->config;
  for (uint32_t i = 0; i < batch->n_segments; i++) {
    const am_segment *s = &batch->segments[i];
    if (s->position != 0 || (c->n_positions && s->n > c->n_positions - c->position_offset))
      return am_fail(error, ADAM_INVALID, "batch", NULL, "segment %u has %u tokens, the model %u positions",
                     i, s->n, c->n_positions - c->position_offset);
    for (uint32_t k = 0; k < s->n; k++) w->a.positions[s->first + k] = (int32_t)(c->position_offset + k);
  }
  for (uint32_t i = 0; i < batch->n_tokens; i++) {
    int32_t type = batch->types ? batch->types[i] : 0;
    if (type < 0 || (c->n_types && (uint32_t)type >= c->n_types)) type = 0;
    w->a.types[i] = type;
  }
  return ADAM_OK;
}

/* x (n, n_embd) = the last residual stream of the batch */
static adam_status record_layers(const am_model *model, am_workspace *w, const am_batch *batch,
                                 adam_error *error) {
  adam_status status = check_batch(model, w, batch, error);
  if (!status && model->config.arch->is_encoder) status = fill_encoder_rows(model, w, batch, error);
  if (status) return status;
  w->n_rows = batch->n_tokens;
  am_queue_embed(w->queue, w->a.x, model->embedding, batch->ids, batch->n_tokens); /* (n, D) */
  if (model->family->embed) model->family->embed(model, w->queue, &w->a, batch);
  model->family->layers(model, w->queue, &w->a, batch);
  return ADAM_OK;
}

/* logits (n, n_vocab) = output(norm(x[rows])) */
static void record_logits(const am_model *model, am_workspace *w, const uint32_t *rows, uint32_t n) {
  const am_config *c = &model->config;
  if (n == 0) return;
  const float *x = w->a.x;
  if (n != w->n_rows) { /* ascending rows: as many as there are means all of them, in order */
    am_queue_take_rows(w->queue, w->taken, w->a.x, rows, n, c->n_embd); /* (n, D) */
    x = w->taken;
  }
  if (model->family->head) {
    model->family->head(model, w->queue, w->logits, w->taken, x, n);
    return;
  }
  am_queue_rms_norm(w->queue, w->taken, x, model->norm, c->norm_eps, 0, n, 1); /* (n, D) */
  am_queue_matmul(w->queue, w->logits, model->output, NULL, w->taken, n);      /* (n, n_vocab) */
}

static adam_status run(const am_model *model, am_workspace *w, uint32_t n, float **logits,
                       adam_error *error) {
  adam_status status = am_queue_run(w->queue, error);
  if (status) {
    w->n_rows = 0;
    return status;
  }
  float *result = n ? w->logits : NULL;
  if (n && w->host_logits) {
    size_t n_bytes = (size_t)n * model->config.n_vocab * sizeof(float);
    status = am_device_read(w->device, w->logits, w->host_logits, n_bytes, error);
    if (status) return status;
    result = w->host_logits;
  }
  if (logits) *logits = result;
  return ADAM_OK;
}

adam_status am_model_forward(const am_model *model, am_workspace *workspace, const am_batch *batch,
                             float **logits, adam_error *error) {
  am_workspace *w = workspace;
  if (model->config.arch->is_encoder)
    return am_fail(error, ADAM_UNSUPPORTED, model->config.arch->name, NULL, "an encoder has no logits");
  adam_status status = record_layers(model, w, batch, error);
  if (status) return status;
  record_logits(model, w, batch->output_rows, batch->n_outputs);
  return run(model, w, batch->n_outputs, logits, error);
}

/* Hidden states on the host: on the CPU they lie there already. */
static adam_status read_hidden(am_workspace *w, const float *hidden, uint32_t n, uint32_t n_embd, float **out,
                               adam_error *error) {
  if (strcmp(am_device_name(w->device), "cpu") == 0) {
    *out = (float *)(uintptr_t)hidden;
    return ADAM_OK;
  }
  if (!w->host_hidden) w->host_hidden = am_mem_zalloc((size_t)w->max_tokens * n_embd, sizeof(float));
  if (!w->host_hidden) return am_fail_memory(error, "workspace");
  adam_status status =
      am_device_read(w->device, hidden, w->host_hidden, (size_t)n * n_embd * sizeof(float), error);
  if (!status) *out = w->host_hidden;
  return status;
}

adam_status am_model_hidden(const am_model *model, am_workspace *workspace, const am_batch *batch,
                            float **hidden, adam_error *error) {
  const am_config *c = &model->config;
  am_workspace *w = workspace;
  float *out = c->arch->is_encoder ? w->a.x : w->a.y; /* (n, D) */
  adam_status status = record_layers(model, w, batch, error);
  if (status) return status;
  if (model->family->norm)
    model->family->norm(model, w->queue, out, w->a.x, batch->n_tokens);
  else if (model->norm)
    am_queue_rms_norm(w->queue, out, w->a.x, model->norm, c->norm_eps, 0, batch->n_tokens, 1);
  status = run(model, w, 0, NULL, error);
  return status ? status : read_hidden(w, out, batch->n_tokens, c->n_embd, hidden, error);
}

adam_status am_model_logits(const am_model *model, am_workspace *workspace, const uint32_t *rows, uint32_t n,
                            float **logits, adam_error *error) {
  adam_status status = check_rows(workspace, rows, n, workspace->n_rows, error);
  if (status) return status;
  record_logits(model, workspace, rows, n);
  return run(model, workspace, n, logits, error);
}

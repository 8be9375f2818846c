/* SPDX-License-Identifier: Apache-2.0 */
/* Attention without an n x n buffer: online softmax (Milakov and Gimelshein, 2018) over tiles
 * of keys, as FlashAttention orders it, for a tile of queries that share a key head.
 * What makes the result independent of chunks, batches and threads: tiles and splits of keys begin at
 * fixed positions, and a query's first and last tile are cut where its own sight ends; within a split the
 * sums run from tile to tile; splits are merged in order. One query alone (decoding) may have its splits
 * computed by different threads and merged afterwards: the same arithmetic. */
#include "device/cpu/cpu.h"
#include "base/size.h"
#include <math.h>
#include <string.h>

enum {
  KEYS = AM_KV_TILE, /* of a tile */
  SPLIT = 256,       /* keys of a split, a multiple of KEYS */
  ROWS = 32,         /* queries of a tile: tokens times the heads of a group, at least one token */
  SPLIT_TOKENS = 4,  /* splits are shared among threads up to this many tokens in a call */
};

/* Running softmax of rows: greatest score, sum of exp(score - most), sum of exp * v (rows, head_dim). */
typedef struct sums {
  float *most, *total, *mixed;
} sums;

/* One thread's work on the queries of tokens [token, token + n_tokens) of a segment and one key head. */
typedef struct tile {
  const am_kernels *kernels;
  const uint8_t *k, *v; /* of the key head, that of position p at p % held */
  uint64_t held;
  size_t key_stride; /* bytes */
  am_dtype dtype;
  float softcap;
  uint32_t head_dim, group, n_tokens;
  uint64_t position; /* of the first token */
  uint64_t window;   /* a query sees as many keys at most, its own included; UINT64_MAX = all */
  uint64_t n_all;    /* every query sees keys [0, n_all); 0: causal */
  float *queries;    /* (n_tokens * group, head_dim), scaled */
  float *scores;     /* (n_tokens * group, KEYS) */
  float *decay;      /* (n_tokens * group) */
  sums now, all;     /* of the split at work, and of the splits before it */
} tile;

static uint32_t tile_tokens(const am_attend *how) {
  uint32_t group = how->n_heads / how->n_kv_heads;
  return group >= ROWS ? 1 : ROWS / group;
}

/* Floats of one thread's scratch. */
static bool tile_floats(const am_attend *how, size_t *n) {
  size_t rows = (size_t)tile_tokens(how) * (how->n_heads / how->n_kv_heads), per_row;
  return am_size_mul(how->head_dim, 3, &per_row) && am_size_add(per_row, KEYS + 5, &per_row) &&
         am_size_mul(rows, per_row, n);
}

static size_t partial_floats(const am_attend *how) { return (size_t)how->head_dim + 2; }

static uint64_t splits_of(uint64_t n_keys) { return (n_keys + SPLIT - 1) / SPLIT; }

bool am_cpu_attend_splits(const am_cpu_queue *q, const am_verb *verb) {
  uint64_t last = 0;
  if (verb->kind == AM_VERB_ATTEND_ALL || verb->n > SPLIT_TOKENS || am_pool_threads(q->pool) == 1)
    return false;
  for (uint32_t s = 0; s < verb->n_segments; s++)
    if (verb->segments[s].position + verb->segments[s].n > last)
      last = verb->segments[s].position + verb->segments[s].n;
  return last > SPLIT;
}

/* The splits [*first, *end) that a token of a causal verb sees, as sight has it. */
static void splits_seen(const am_attend *how, uint64_t position, uint64_t *first, uint64_t *end) {
  *end = splits_of(position + 1);
  *first = how->window > 0 && position + 1 > how->window ? (position + 1 - how->window) / SPLIT : 0;
}

/* Splits that a row of the partial sums has room for: those of the longest context, or of a window,
 * which may begin and end inside one. */
static uint64_t most_splits(const am_verb *verb) {
  uint64_t most = 0;
  if (verb->as.attend.window > 0) return splits_of(verb->as.attend.window) + 1;
  for (uint32_t s = 0; s < verb->n_segments; s++)
    if (verb->segments[s].kv->options.n_ctx > most) most = verb->segments[s].kv->options.n_ctx;
  return splits_of(most);
}

bool am_cpu_attend_reserve(am_cpu_queue *q, const am_verb *verb) {
  const am_attend *how = &verb->as.attend;
  size_t stride, all, partial;
  if (!tile_floats(how, &stride) || !am_size_mul(stride, sizeof(float), &stride) ||
      !am_size_add(stride, 63, &stride))
    return false;
  stride = stride / 64 * 64;
  if (!am_size_mul(stride, am_pool_threads(q->pool), &all) || !am_cpu_scratch_grow(&q->attend, all))
    return false;
  if (stride > q->attend_stride) q->attend_stride = stride;
  if (verb->kind == AM_VERB_ATTEND_ALL || verb->n > SPLIT_TOKENS || am_pool_threads(q->pool) == 1)
    return true;
  return am_size_mul((size_t)SPLIT_TOKENS * how->n_heads, most_splits(verb), &partial) &&
         am_size_mul(partial, partial_floats(how) * sizeof(float), &partial) &&
         am_cpu_scratch_grow(&q->partial, partial);
}

/* The keys [*first, *end) that a query at `position` sees. */
static void sight(const tile *t, uint64_t position, uint64_t *first, uint64_t *end) {
  *end = t->n_all ? t->n_all : position + 1;
  *first = *end > t->window ? *end - t->window : 0;
}

/* Adds keys [first, first + n_keys) to the running sums of rows [row, row + n_rows). */
static void add_keys(const tile *t, uint32_t row, uint32_t n_rows, uint64_t first, uint32_t n_keys) {
  const am_kernels *kernels = t->kernels;
  size_t key_at = first % t->held * t->key_stride;
  float *scores = t->scores + (size_t)row * KEYS;
  kernels->matmul[t->dtype](&(am_matmul){.out = scores,
                                         .out_stride = KEYS,
                                         .w = t->k + key_at,
                                         .w_stride = t->key_stride,
                                         .x = t->queries + (size_t)row * t->head_dim,
                                         .x_stride = t->head_dim * sizeof(float),
                                         .n_rows = n_keys,
                                         .n_tokens = n_rows,
                                         .n_in = t->head_dim});
  for (uint32_t i = 0; i < n_rows; i++) {
    if (t->softcap > 0) kernels->softcap(scores + (size_t)i * KEYS, t->softcap, n_keys);
    float before = t->now.most[row + i], most = kernels->max(scores + (size_t)i * KEYS, n_keys);
    if (before > most) most = before;
    t->decay[row + i] = before == most ? 1.0f : expf(before - most);
    t->now.total[row + i] =
        t->now.total[row + i] * t->decay[row + i] + kernels->exp_sum(scores + (size_t)i * KEYS, most, n_keys);
    t->now.most[row + i] = most;
  }
  kernels->mix[t->dtype](&(am_mix){.out = t->now.mixed + (size_t)row * t->head_dim,
                                   .out_stride = t->head_dim,
                                   .decay = t->decay + row,
                                   .p = scores,
                                   .p_stride = KEYS,
                                   .v = t->v + key_at,
                                   .v_stride = t->key_stride,
                                   .n_rows = n_rows,
                                   .n_keys = n_keys,
                                   .n_columns = t->head_dim});
}

/* Adds the keys of the tile at `first` that tokens see: neighbours that see all of it go together, the
 * others one by one. */
static void add_tile(const tile *t, uint64_t first) {
  uint32_t begun = 0, n_whole = 0; /* neighbours that wait */
  for (uint32_t i = 0; i < t->n_tokens; i++) {
    uint64_t from, end;
    sight(t, t->position + i, &from, &end);
    if (from < first) from = first;
    if (end > first + KEYS) end = first + KEYS;
    if (from == first && end == first + KEYS) {
      if (n_whole++ == 0) begun = i;
      continue;
    }
    if (n_whole > 0) add_keys(t, begun * t->group, n_whole * t->group, first, KEYS);
    n_whole = 0;
    if (from < end) add_keys(t, i * t->group, t->group, from, (uint32_t)(end - from));
  }
  if (n_whole > 0) add_keys(t, begun * t->group, n_whole * t->group, first, KEYS);
}

/* Running sums of one split. */
static void add_split(const tile *t, uint64_t split) {
  uint32_t n_rows = t->n_tokens * t->group;
  uint64_t begin = split * SPLIT, from, end, last_from, last_end;
  sight(t, t->position, &from, &end);
  sight(t, t->position + t->n_tokens - 1, &last_from, &last_end);
  for (uint32_t i = 0; i < n_rows; i++) t->now.most[i] = -INFINITY;
  memset(t->now.total, 0, n_rows * sizeof(float));
  memset(t->now.mixed, 0, (size_t)n_rows * t->head_dim * sizeof(float));
  for (uint64_t first = begin; first < begin + SPLIT && first < last_end; first += KEYS)
    if (first + KEYS > from) add_tile(t, first);
}

/* Merges the sums of a split into those of the splits before it; the first one is copied. */
static void merge(const am_kernels *kernels, sums all, float most, float total, const float *mixed,
                  bool is_first, size_t head_dim) {
  if (is_first) {
    *all.most = most;
    *all.total = total;
    memcpy(all.mixed, mixed, head_dim * sizeof(float));
    return;
  }
  float both = *all.most > most ? *all.most : most;
  float old = expf(*all.most - both), new = expf(most - both);
  kernels->mix[AM_DTYPE_F32](&(am_mix){.out = all.mixed,
                                       .decay = &old,
                                       .p = &new,
                                       .v = mixed,
                                       .n_rows = 1,
                                       .n_keys = 1,
                                       .n_columns = (uint32_t)head_dim});
  *all.total = *all.total * old + total * new;
  *all.most = both;
}

static void merge_rows(const tile *t, uint64_t split) {
  for (uint32_t i = 0; i < t->n_tokens * t->group; i++) {
    uint64_t first, end;
    sight(t, t->position + i / t->group, &first, &end);
    if (split * SPLIT >= end || (split + 1) * SPLIT <= first) continue; /* sees nothing of this split */
    sums all = {t->all.most + i, t->all.total + i, t->all.mixed + (size_t)i * t->head_dim};
    merge(t->kernels, all, t->now.most[i], t->now.total[i], t->now.mixed + (size_t)i * t->head_dim,
          split == first / SPLIT, t->head_dim);
  }
}

static void finish(const am_kernels *kernels, float *out, sums all, size_t head_dim) {
  memcpy(out, all.mixed, head_dim * sizeof(float));
  kernels->scale(out, 1.0f / *all.total, head_dim);
}

/* What the queries of a segment look at: its cache, or its own rows. */
static void place_keys(const am_verb *verb, const am_segment *segment, uint32_t kv_head, tile *t) {
  const am_attend *how = &verb->as.attend;
  if (verb->kind == AM_VERB_ATTEND_ALL) {
    size_t row = (size_t)how->n_kv_heads * how->head_dim, at = segment->first * row + kv_head * how->head_dim;
    t->k = (const uint8_t *)(verb->y + at);
    t->v = (const uint8_t *)(verb->z + at);
    t->held = t->n_all = segment->n;
    t->key_stride = row * sizeof(float);
    t->dtype = AM_DTYPE_F32;
    t->window = UINT64_MAX;
    return;
  }
  const am_kv *kv = segment->kv;
  t->held = kv->layers[how->layer].held;
  size_t head_at = kv_head * t->held * kv->row_bytes;
  t->k = am_kv_plane(kv, how->layer, false) + head_at;
  t->v = am_kv_plane(kv, how->layer, true) + head_at;
  t->key_stride = kv->row_bytes;
  t->dtype = kv->options.dtype;
  t->window = how->window ? how->window : UINT64_MAX;
}

/* Lays a thread's scratch out and fills in the scaled queries. */
static tile make_tile(am_cpu_queue *q, const am_verb *verb, const am_segment *segment, uint32_t kv_head,
                      uint32_t token, uint32_t n_tokens, uint32_t thread) {
  const am_attend *how = &verb->as.attend;
  tile t = {.kernels = q->kernels,
            .head_dim = how->head_dim,
            .softcap = how->softcap,
            .group = how->n_heads / how->n_kv_heads,
            .n_tokens = n_tokens,
            .position = segment->position + token};
  size_t rows = (size_t)n_tokens * t.group;
  float *scratch = (float *)((uint8_t *)q->attend.memory + thread * q->attend_stride);
  place_keys(verb, segment, kv_head, &t);
  t.queries = scratch;
  t.now.mixed = t.queries + rows * t.head_dim;
  t.all.mixed = t.now.mixed + rows * t.head_dim;
  t.scores = t.all.mixed + rows * t.head_dim;
  t.decay = t.scores + rows * KEYS;
  t.now.most = t.decay + rows;
  t.now.total = t.now.most + rows;
  t.all.most = t.now.total + rows;
  t.all.total = t.all.most + rows;
  for (uint32_t i = 0; i < n_tokens; i++) {
    float *to = t.queries + (size_t)i * t.group * t.head_dim;
    memcpy(to,
           verb->x + (size_t)(segment->first + token + i) * verb->columns +
               (size_t)kv_head * t.group * t.head_dim,
           (size_t)t.group * t.head_dim * sizeof(float));
    q->kernels->scale(to, how->scale, (size_t)t.group * t.head_dim);
  }
  return t;
}

/* Chunk -> (segment, tile of tokens, key head). */
static void run_attend(am_cpu_queue *q, const am_cpu_op *op, uint32_t chunk, uint32_t thread) {
  const am_verb *verb = op->verb;
  const am_attend *how = &verb->as.attend;
  const am_segment *segment = verb->segments;
  uint32_t step = tile_tokens(how), unit = op->n_chunks - 1 - chunk; /* longest contexts first */
  for (;; segment++) {
    uint32_t units = (segment->n + step - 1) / step * how->n_kv_heads;
    if (unit < units) break;
    unit -= units;
  }
  uint32_t token = unit / how->n_kv_heads * step, kv_head = unit % how->n_kv_heads;
  uint32_t n_tokens = segment->n - token < step ? segment->n - token : step;
  tile t = make_tile(q, verb, segment, kv_head, token, n_tokens, thread);
  uint64_t first, end, last_first;
  sight(&t, t.position, &first, &end);
  sight(&t, t.position + n_tokens - 1, &last_first, &end);
  for (uint64_t split = first / SPLIT; split * SPLIT < end; split++) {
    add_split(&t, split);
    merge_rows(&t, split);
  }
  for (uint32_t i = 0; i < n_tokens * t.group; i++)
    finish(q->kernels,
           verb->out + (size_t)(segment->first + token + i / t.group) * verb->columns +
               ((size_t)kv_head * t.group + i % t.group) * t.head_dim,
           (sums){t.all.most + i, t.all.total + i, t.all.mixed + (size_t)i * t.head_dim}, t.head_dim);
}

/* Where the sums of (token of the call, head, split of those it sees) wait for the merge: most, total,
 * mixed. */
static float *partial_at(const am_cpu_queue *q, const am_verb *verb, uint32_t token, uint32_t head,
                         uint64_t seen) {
  size_t at = ((size_t)token * verb->as.attend.n_heads + head) * most_splits(verb) + seen;
  return (float *)q->partial.memory + at * partial_floats(&verb->as.attend);
}

/* Chunk -> (segment, token, split, key head). */
static void run_splits(am_cpu_queue *q, const am_cpu_op *op, uint32_t chunk, uint32_t thread) {
  const am_verb *verb = op->verb;
  const am_attend *how = &verb->as.attend;
  const am_segment *segment = verb->segments;
  uint32_t token = 0, counted = 0; /* token of its segment; tokens of the call before it */
  uint64_t unit = chunk, first, end;
  for (;;) {
    if (token == segment->n) {
      segment++;
      token = 0;
      continue;
    }
    splits_seen(how, segment->position + token, &first, &end);
    uint64_t units = (end - first) * how->n_kv_heads;
    if (unit < units) break;
    unit -= units;
    token++;
    counted++;
  }
  uint32_t kv_head = (uint32_t)(unit % how->n_kv_heads);
  uint64_t seen = unit / how->n_kv_heads;
  tile t = make_tile(q, verb, segment, kv_head, token, 1, thread);
  add_split(&t, first + seen);
  for (uint32_t i = 0; i < t.group; i++) {
    float *to = partial_at(q, verb, counted, kv_head * t.group + i, seen);
    to[0] = t.now.most[i];
    to[1] = t.now.total[i];
    memcpy(to + 2, t.now.mixed + (size_t)i * t.head_dim, t.head_dim * sizeof(float));
  }
}

static void run_merge(am_cpu_queue *q, const am_cpu_op *op, uint32_t chunk, uint32_t thread) {
  const am_verb *verb = op->verb;
  const am_attend *how = &verb->as.attend;
  uint32_t counted = 0;
  (void)chunk;
  for (uint32_t s = 0; s < verb->n_segments; s++) {
    const am_segment *segment = &verb->segments[s];
    for (uint32_t token = 0; token < segment->n; token++, counted++)
      for (uint32_t head = 0; head < how->n_heads; head++) {
        float most, total, *mixed = (float *)((uint8_t *)q->attend.memory + thread * q->attend_stride);
        sums all = {&most, &total, mixed};
        uint64_t first, end;
        splits_seen(how, segment->position + token, &first, &end);
        for (uint64_t seen = 0; seen < end - first; seen++) {
          const float *from = partial_at(q, verb, counted, head, seen);
          merge(q->kernels, all, from[0], from[1], from + 2, seen == 0, how->head_dim);
        }
        finish(q->kernels,
               verb->out + (size_t)(segment->first + token) * verb->columns + (size_t)head * how->head_dim,
               all, how->head_dim);
      }
  }
}

static am_cpu_range activations(const float *p, const am_verb *verb) {
  return (am_cpu_range){p, (uint64_t)verb->n * verb->columns * sizeof *p};
}

void am_cpu_op_attend(am_cpu_queue *q, const am_verb *verb, am_cpu_op *op) {
  const am_attend *how = &verb->as.attend;
  bool splits = am_cpu_attend_splits(q, verb), all = verb->kind == AM_VERB_ATTEND_ALL;
  uint64_t n_chunks = 0, steps = 0, kv_row = (uint64_t)how->n_kv_heads * how->head_dim * sizeof(float);
  op->reads[0] = activations(verb->x, verb);
  op->reads_cache = !all;
  if (all) {
    const am_segment *last = &verb->segments[verb->n_segments - 1];
    op->reads[1] = (am_cpu_range){verb->y, ((uint64_t)last->first + last->n) * kv_row};
    op->reads[2] = (am_cpu_range){verb->z, ((uint64_t)last->first + last->n) * kv_row};
  }
  op->writes = splits ? (am_cpu_range){q->partial.memory, q->partial.n_bytes} : activations(verb->out, verb);
  op->run = splits ? run_splits : run_attend;
  for (uint32_t s = 0; s < verb->n_segments; s++) {
    const am_segment *segment = &verb->segments[s];
    uint32_t step = tile_tokens(how);
    uint64_t first, end, n_keys = all ? segment->n : segment->position + segment->n;
    for (uint32_t i = 0; splits && i < segment->n; i++) {
      splits_seen(how, segment->position + i, &first, &end);
      n_chunks += (end - first) * how->n_kv_heads;
    }
    if (!splits) n_chunks += (uint64_t)(segment->n + step - 1) / step * how->n_kv_heads;
    if (how->window > 0 && n_keys > (uint64_t)how->window + segment->n) n_keys = how->window + segment->n;
    steps += n_keys * segment->n * verb->columns;
  }
  op->n_chunks = (uint32_t)n_chunks;
  op->is_small = steps <= AM_CPU_SMALL_STEPS;
}

void am_cpu_op_merge(am_cpu_queue *q, const am_verb *verb, am_cpu_op *op) {
  op->run = run_merge;
  op->reads[0] = (am_cpu_range){q->partial.memory, q->partial.n_bytes};
  op->writes = activations(verb->out, verb);
  op->n_chunks = 1;
  op->is_small = true;
}

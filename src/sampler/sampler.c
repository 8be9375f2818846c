/* SPDX-License-Identifier: Apache-2.0 */
#include "sampler/sampler.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/size.h"
#include "sampler/lanes.h"

#include <math.h>
#include <string.h>

/* Every filter (top-k, top-p, min-p) keeps a top part of one total order: by score, and among equal
 * scores the lower id first, as greedy does. (At the border of top-p transformers keeps as many of the
 * equals as we do, but which ones depends on how its sort happens to order them; top-k and min-p keep
 * equals whole.) So what is kept is always { id : order(score, id) >= bound }, and the filters only
 * move `bound`. */
typedef struct candidate {
  uint64_t order; /* score key << 32 | ~id */
  float weight;   /* exp(score - greatest score) */
} candidate;

struct am_sampler {
  size_t n_vocab, n_allowed;
  adam_sampling sampling;
  bool has_penalties;
  uint32_t *n_generated; /* (n_vocab) times that an id was generated */
  uint8_t *in_history;   /* (n_vocab) 1 = in `history` */
  int32_t *history;      /* (n_vocab) distinct ids of prompt and output, n_history of them */
  size_t n_history;
  int32_t *forbidden; /* (n_vocab) n_forbidden ids */
  size_t n_forbidden;
  const uint64_t *mask;  /* borrowed; NULL = all are allowed */
  float *scratch;        /* (n_vocab) scores, then weights */
  candidate *candidates; /* (n_vocab) */
};

static uint64_t order_of(float score, size_t id) {
  return (uint64_t)am_lanes_key(score) << 32 | (uint32_t)~id;
}

/* The bound that lets every id of this score through. */
static uint64_t order_from(float score) { return (uint64_t)am_lanes_key(score) << 32; }

static float score_of(uint64_t order) {
  union {
    uint32_t u;
    float f;
  } bits = {.u = (uint32_t)(order >> 32)};
  bits.u = bits.u & 0x80000000u ? bits.u & 0x7FFFFFFFu : ~bits.u;
  return bits.f;
}

static adam_status out_of_range(adam_error *error, const char *name, double value, const char *range) {
  return am_fail(error, ADAM_INVALID, name, range, "%.17g is out of range", value);
}

adam_status am_sampler_check(const adam_sampling *s, adam_error *error) {
  /* written so that NaN fails */
  if (!(s->temperature >= 0 && s->temperature <= 1e6))
    return out_of_range(error, "temperature", s->temperature, "0 (greedy) to 1e6");
  if (s->temperature > 0 && !(s->temperature >= 1e-6))
    return out_of_range(error, "temperature", s->temperature, "0 (greedy), or at least 1e-6");
  if (!(s->top_p > 0 && s->top_p <= 1))
    return out_of_range(error, "top_p", s->top_p, "above 0, at most 1 (off)");
  if (s->top_k < 0) return out_of_range(error, "top_k", s->top_k, "0 (off) or more");
  if (!(s->min_p >= 0 && s->min_p < 1))
    return out_of_range(error, "min_p", s->min_p, "0 (off) or more, below 1");
  if (!(s->repetition_penalty >= 1e-6 && s->repetition_penalty <= 1e6))
    return out_of_range(error, "repetition_penalty", s->repetition_penalty, "1e-6 to 1e6; 1 is off");
  if (!(fabs(s->presence_penalty) <= 1e6))
    return out_of_range(error, "presence_penalty", s->presence_penalty, "-1e6 to 1e6; 0 is off");
  if (!(fabs(s->frequency_penalty) <= 1e6))
    return out_of_range(error, "frequency_penalty", s->frequency_penalty, "-1e6 to 1e6; 0 is off");
  if (s->max_tokens < 0) return out_of_range(error, "max_tokens", (double)s->max_tokens, "0 or more");
  return ADAM_OK;
}

adam_status am_sampler_open(size_t n_vocab, size_t n_allowed, const adam_sampling *sampling, am_sampler **out,
                            adam_error *error) {
  adam_status status = am_sampler_check(sampling, error);
  if (status) return status;
  if (n_vocab == 0 || n_vocab > INT32_MAX || n_allowed == 0 || n_allowed > n_vocab)
    return am_fail(error, ADAM_INVALID, "sampler", NULL, "%zu allowed ids in a vocabulary of %zu", n_allowed,
                   n_vocab);
  am_sampler *sampler = am_mem_zalloc(1, sizeof *sampler);
  if (!sampler) return am_fail_memory(error, "sampler");
  sampler->n_vocab = n_vocab;
  sampler->n_allowed = n_allowed;
  sampler->sampling = *sampling;
  sampler->has_penalties = sampling->repetition_penalty != 1 || sampling->presence_penalty != 0 ||
                           sampling->frequency_penalty != 0;
  sampler->n_generated = am_mem_zalloc(n_vocab, sizeof *sampler->n_generated);
  sampler->in_history = am_mem_zalloc(n_vocab, sizeof *sampler->in_history);
  sampler->history = am_mem_zalloc(n_vocab, sizeof *sampler->history);
  sampler->forbidden = am_mem_zalloc(n_vocab, sizeof *sampler->forbidden);
  sampler->scratch = am_mem_zalloc(n_vocab, sizeof *sampler->scratch);
  sampler->candidates = am_mem_zalloc(n_vocab, sizeof *sampler->candidates);
  if (!sampler->n_generated || !sampler->in_history || !sampler->history || !sampler->forbidden ||
      !sampler->scratch || !sampler->candidates) {
    am_sampler_close(&sampler);
    return am_fail_memory(error, "sampler");
  }
  *out = sampler;
  return ADAM_OK;
}

void am_sampler_close(am_sampler **sampler) {
  if (!sampler || !*sampler) return;
  am_sampler *s = *sampler;
  am_mem_free(s->n_generated);
  am_mem_free(s->in_history);
  am_mem_free(s->history);
  am_mem_free(s->forbidden);
  am_mem_free(s->scratch);
  am_mem_free(s->candidates);
  am_mem_free(s);
  *sampler = NULL;
}

void am_sampler_accept(am_sampler *sampler, const int32_t *ids, size_t n, bool generated) {
  for (size_t i = 0; i < n; i++) {
    if (ids[i] < 0 || (size_t)ids[i] >= sampler->n_vocab) continue;
    size_t id = (size_t)ids[i];
    if (generated && sampler->n_generated[id] < UINT32_MAX) sampler->n_generated[id]++;
    if (sampler->in_history[id]) continue;
    sampler->in_history[id] = 1;
    sampler->history[sampler->n_history++] = ids[i];
  }
}

static bool is_forbidden(const am_sampler *sampler, size_t id) {
  for (size_t i = 0; i < sampler->n_forbidden; i++)
    if ((size_t)sampler->forbidden[i] == id) return true;
  return false;
}

void am_sampler_forbid(am_sampler *sampler, int32_t id) {
  if (id < 0 || (size_t)id >= sampler->n_vocab || is_forbidden(sampler, (size_t)id)) return;
  sampler->forbidden[sampler->n_forbidden++] = id;
}

void am_sampler_allow_all(am_sampler *sampler) { sampler->n_forbidden = 0; }

/* Float32 throughout, as transformers' RepetitionPenaltyLogitsProcessor and vLLM's apply_penalties
 * compute it: divided or multiplied once per distinct id, then minus frequency * count, minus
 * presence. */
static void apply_penalties(const am_sampler *sampler, float *logits) {
  if (!sampler->has_penalties) return;
  float repetition = (float)sampler->sampling.repetition_penalty;
  float frequency = (float)sampler->sampling.frequency_penalty;
  float presence = (float)sampler->sampling.presence_penalty;
  for (size_t i = 0; i < sampler->n_history; i++) {
    int32_t id = sampler->history[i];
    float score = logits[id];
    score = score < 0 ? score * repetition : score / repetition;
    uint32_t count = sampler->n_generated[id];
    if (count) {
      score -= frequency * (float)count;
      score -= presence;
    }
    logits[id] = score;
  }
}

void am_sampler_allow(am_sampler *sampler, const uint64_t *mask) { sampler->mask = mask; }

static bool is_masked(const am_sampler *sampler, size_t id) {
  return sampler->mask && !(sampler->mask[id / 64] >> id % 64 & 1);
}

static int32_t lowest_allowed(const am_sampler *sampler) {
  for (size_t id = 0; id < sampler->n_allowed; id++)
    if (!is_masked(sampler, id) && !is_forbidden(sampler, id)) return (int32_t)id;
  for (size_t id = 0; id < sampler->n_allowed; id++)
    if (!is_masked(sampler, id)) return (int32_t)id;
  return 0;
}

/* -inf for every id whose bit is clear, a word of the mask at a time. */
static void apply_mask(const am_sampler *sampler, float *logits) {
  size_t n = sampler->n_allowed;
  for (size_t first = 0; sampler->mask && first < n; first += 64) {
    uint64_t word = sampler->mask[first / 64];
    size_t last = first + 64 < n ? first + 64 : n;
    if (word == UINT64_MAX) continue;
    for (size_t id = first; id < last; id++)
      if (!(word >> (id - first) & 1)) logits[id] = -INFINITY;
  }
}

/* Penalties, bans and temperature, in place over the allowed ids; returns the greatest score. */
static float prepare(const am_sampler *sampler, float *logits) {
  double temperature = sampler->sampling.temperature;
  apply_penalties(sampler, logits);
  apply_mask(sampler, logits);
  for (size_t i = 0; i < sampler->n_forbidden; i++) logits[sampler->forbidden[i]] = -INFINITY;
  return am_lanes_clean(logits, sampler->n_allowed, temperature > 0 ? (float)temperature : 1.0f);
}

/* The k-th greatest (1-based) of x (n >= k >= 1); the k greatest end up in front. Hoare's selection
 * with the median of three as pivot. */
static float kth_greatest(float *x, size_t n, size_t k) {
  ptrdiff_t low = 0, high = (ptrdiff_t)n - 1, target = (ptrdiff_t)k - 1;
  while (low < high) {
    float a = x[low], b = x[low + (high - low) / 2], c = x[high];
    float pivot = a < b ? (b < c ? b : (a < c ? c : a)) : (a < c ? a : (b < c ? c : b));
    ptrdiff_t i = low, j = high;
    while (i <= j) {
      while (x[i] > pivot) i++;
      while (x[j] < pivot) j--;
      if (i > j) break;
      float swap = x[i];
      x[i++] = x[j];
      x[j--] = swap;
    }
    if (j < target) low = i;
    if (target < i) high = j;
  }
  return x[target];
}

/* Score of the k-th best id. A window of the best so far is cut back to k whenever it is full; only
 * scores above the k-th so far enter it, so that most of the row is skipped whole groups at a time. */
static float top_k_score(am_sampler *sampler, const float *scores, size_t k) {
  size_t n = sampler->n_allowed, room = k > n / 4 ? n : 2 * k + 64, used = 0;
  float *window = sampler->scratch, least = -INFINITY;
  if (room > n) room = n;
  for (size_t i = am_lanes_find(scores, 0, n, least); i < n; i = am_lanes_find(scores, i + 1, n, least)) {
    if (used >= k && !(scores[i] > least)) continue;
    window[used++] = scores[i];
    if (used == room && used > k) {
      least = kth_greatest(window, used, k);
      used = k;
    }
  }
  return used < k ? -INFINITY : kth_greatest(window, used, k);
}

/* Collects ids with score >= least as candidates, with their weights; *mass is the sum of these. */
static size_t gather(am_sampler *sampler, const float *scores, float least, float greatest, double *mass) {
  size_t n = sampler->n_allowed, found = 0;
  for (size_t i = am_lanes_find(scores, 0, n, least); i < n; i = am_lanes_find(scores, i + 1, n, least)) {
    sampler->candidates[found].order = order_of(scores[i], i);
    sampler->scratch[found++] = scores[i];
  }
  *mass = am_lanes_exp(sampler->scratch, found, greatest, sampler->scratch);
  for (size_t i = 0; i < found; i++) sampler->candidates[i].weight = sampler->scratch[i];
  return found;
}

/* All of the row takes part in the softmax, but ids whose weight is below (1 - top_p) * mass / n have,
 * all together, less than the share that top-p removes: they need not be candidates. */
static size_t gather_for_top_p(am_sampler *sampler, const float *scores, float greatest, double *mass) {
  size_t n = sampler->n_allowed, found = 0;
  float *weights = sampler->scratch;
  *mass = am_lanes_exp(scores, n, greatest, weights);
  double share = (1.0 - sampler->sampling.top_p) * *mass / (double)n;
  float least = (float)(share * 0.999); /* float rounding must not lose one */
  for (size_t i = am_lanes_find(weights, 0, n, least); i < n; i = am_lanes_find(weights, i + 1, n, least)) {
    sampler->candidates[found].order = order_of(scores[i], i);
    sampler->candidates[found++].weight = weights[i];
  }
  return found;
}

/* Moves the candidates of [low, high] with order > pivot to the front; returns the index after the
 * last of them and adds up their weight. */
static size_t partition(candidate *c, size_t low, size_t high, uint64_t pivot, double *mass) {
  size_t end = low;
  double sum = 0;
  for (size_t i = low; i <= high; i++) {
    if (c[i].order <= pivot) continue;
    candidate swap = c[i];
    c[i] = c[end];
    c[end++] = swap;
    sum += (double)swap.weight;
  }
  *mass = sum;
  return end;
}

/* Order of the last candidate that top-p keeps: the first one, from the best down, with which the
 * mass reaches `wanted`. Selection by weight: each round looks only at the side where it must be. */
static uint64_t top_p_bound(candidate *c, size_t n, double wanted) {
  size_t low = 0, high = n - 1;
  double above = 0; /* mass of everything before `low` */
  while (low < high) {
    uint64_t a = c[low].order, b = c[low + (high - low) / 2].order, d = c[high].order;
    uint64_t pivot = a < b ? (b < d ? b : (a < d ? d : a)) : (a < d ? a : (b < d ? d : b));
    double mass = 0, own = 0;
    size_t greater = partition(c, low, high, pivot, &mass);
    if (greater > low && above + mass >= wanted) {
      high = greater - 1;
      continue;
    }
    for (size_t i = greater; i <= high; i++) {
      if (c[i].order != pivot) continue;
      own = (double)c[i].weight;
      c[i] = c[greater];
      c[greater].order = pivot;
      c[greater].weight = (float)own;
      break;
    }
    above += mass + own;
    if (above >= wanted || greater == high) return pivot;
    low = greater + 1;
  }
  return c[low].order;
}

/* The bound of the kept set (see the top of the file). */
static uint64_t find_bound(am_sampler *sampler, const float *scores, float greatest) {
  const adam_sampling *s = &sampler->sampling;
  size_t n = sampler->n_allowed;
  uint64_t bound = order_from(-INFINITY) + ((uint64_t)1 << 32); /* anything above -inf */
  bool has_top_k = s->top_k > 0 && (size_t)s->top_k < n;
  if (has_top_k) {
    uint64_t cut = order_from(top_k_score(sampler, scores, (size_t)s->top_k));
    if (cut > bound) bound = cut;
  }
  if (s->top_p < 1) {
    double mass = 0;
    size_t found = has_top_k ? gather(sampler, scores, score_of(bound), greatest, &mass)
                             : gather_for_top_p(sampler, scores, greatest, &mass);
    uint64_t cut = top_p_bound(sampler->candidates, found, s->top_p * mass);
    if (cut > bound) bound = cut;
  }
  if (s->min_p > 0) {
    uint64_t cut = order_from((float)((double)greatest + log(s->min_p)));
    if (cut > bound) bound = cut;
  }
  return bound;
}

/* Weights of what is kept, in scratch, by ascending id; *mass is their sum. Where nothing is filtered
 * the row stays whole (*whole: index = id); else candidates[i] has the id. Returns how many. */
static size_t keep(am_sampler *sampler, const float *scores, float greatest, bool *whole, double *mass) {
  const adam_sampling *s = &sampler->sampling;
  size_t n = sampler->n_allowed, kept = 0;
  *whole = s->top_p >= 1 && s->min_p == 0 && (s->top_k == 0 || (size_t)s->top_k >= n);
  if (*whole) {
    *mass = am_lanes_exp(scores, n, greatest, sampler->scratch);
    return n;
  }
  uint64_t bound = find_bound(sampler, scores, greatest);
  float least = score_of(bound);
  for (size_t i = am_lanes_find(scores, 0, n, least); i < n; i = am_lanes_find(scores, i + 1, n, least)) {
    uint64_t order = order_of(scores[i], i);
    if (order < bound) continue;
    sampler->candidates[kept].order = order;
    sampler->scratch[kept++] = scores[i];
  }
  *mass = am_lanes_exp(sampler->scratch, kept, greatest, sampler->scratch);
  return kept;
}

static size_t kept_id(const am_sampler *sampler, bool whole, size_t index) {
  return whole ? index : (uint32_t)~sampler->candidates[index].order;
}

int32_t am_sampler_pick(am_sampler *sampler, float *logits, uint64_t position) {
  float greatest = prepare(sampler, logits);
  if (greatest == -INFINITY) return lowest_allowed(sampler);
  if (sampler->sampling.temperature == 0)
    return (int32_t)am_lanes_find(logits, 0, sampler->n_allowed, greatest);
  bool whole = false;
  double mass = 0, sum = 0;
  size_t kept = keep(sampler, logits, greatest, &whole, &mass);
  /* Inverse CDF over the kept ids in ascending order of id: the first whose running sum passes
   * u * mass. */
  double target = am_rng_unit(sampler->sampling.seed, position) * mass;
  size_t last = 0;
  for (size_t i = 0; i < kept; i++) {
    if (sampler->scratch[i] == 0) continue;
    sum += (double)sampler->scratch[i];
    last = i;
    if (sum > target) break;
  }
  return (int32_t)kept_id(sampler, whole, last);
}

void am_sampler_probabilities(am_sampler *sampler, float *logits, float *probabilities) {
  memset(probabilities, 0, sampler->n_vocab * sizeof *probabilities);
  float greatest = prepare(sampler, logits);
  if (greatest == -INFINITY) {
    probabilities[lowest_allowed(sampler)] = 1;
    return;
  }
  if (sampler->sampling.temperature == 0) {
    probabilities[am_lanes_find(logits, 0, sampler->n_allowed, greatest)] = 1;
    return;
  }
  bool whole = false;
  double mass = 0;
  size_t kept = keep(sampler, logits, greatest, &whole, &mass);
  for (size_t i = 0; i < kept; i++)
    probabilities[kept_id(sampler, whole, i)] = (float)((double)sampler->scratch[i] / mass);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "presets/sampling.h"

#include "base/json.h"
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const am_sampling_key am_sampling_keys[AM_SAMPLING_KEYS] = {
    {"temperature", "a number from 0 to 100", "how freely to choose; 0 always takes the likeliest token"},
    {"top_p", "a number above 0 and at most 1",
     "choose among the likeliest tokens that hold this probability"},
    {"top_k", "a whole number from 0 to 2147483647", "choose among the K likeliest tokens; 0 is off"},
    {"min_p", "a number from 0 to below 1", "drop tokens below this share of the best; 0 is off"},
    {"repetition_penalty", "a number above 0 and at most 100",
     "weaken tokens of prompt and answer; 1 is off"},
    {"presence_penalty", "a number from -100 to 100", "weaken tokens that the answer has; 0 is off"},
    {"frequency_penalty", "a number from -100 to 100",
     "weaken tokens by how often the answer has them; 0 is off"},
    {"seed", "a whole number from 0 to 9223372036854775807", "the same seed gives the same answer"},
    {"max_tokens", "a whole number from 0 to 2147483647", "most tokens to generate"},
};

int am_sampling_find(const char *name) {
  for (int i = 0; i < AM_SAMPLING_KEYS; i++)
    if (!strcmp(am_sampling_keys[i].name, name)) return i;
  return -1;
}

bool am_sampling_integer(const char *text, int64_t low, int64_t high, int64_t *out) {
  char *end = NULL;
  errno = 0;
  long long value = *text && strspn(text, "+-0123456789") == strlen(text) ? strtoll(text, &end, 10) : 0;
  if (!end || *end || errno || value < low || value > high) return false;
  *out = value;
  return true;
}

/* Through the JSON reader: strtod would want a comma in some locales. */
bool am_sampling_number(const char *text, double low, double high, double *out) {
  am_arena arena = {.limit_bytes = 4096};
  am_json value = {0};
  size_t n = strlen(text);
  bool good = n > 0 && n < 64 && strspn(text, "-.0123456789eE") == n &&
              am_json_parse(text, n, "number", 0, &arena, &value, NULL) == ADAM_OK;
  double number = am_json_real(&value, NAN);
  am_arena_close(&arena);
  if (!good || !isfinite(number) || number < low || number > high) return false;
  *out = number;
  return true;
}

static bool set_integer(const char *text, int64_t high, int64_t *out) {
  return am_sampling_integer(text, 0, high, out);
}

bool am_sampling_set(adam_sampling *s, int key, const char *text) {
  double number = 0;
  int64_t integer = 0;
  bool good = false;
  switch (1u << key) {
    case ADAM_SET_TEMPERATURE:
      if ((good = am_sampling_number(text, 0, 100, &number))) s->temperature = number;
      break;
    case ADAM_SET_TOP_P:
      if ((good = am_sampling_number(text, 0, 1, &number) && number > 0)) s->top_p = number;
      break;
    case ADAM_SET_TOP_K:
      if ((good = set_integer(text, INT32_MAX, &integer))) s->top_k = (int32_t)integer;
      break;
    case ADAM_SET_MIN_P:
      if ((good = am_sampling_number(text, 0, 1, &number) && number < 1)) s->min_p = number;
      break;
    case ADAM_SET_REPETITION_PENALTY:
      if ((good = am_sampling_number(text, 0, 100, &number) && number > 0)) s->repetition_penalty = number;
      break;
    case ADAM_SET_PRESENCE_PENALTY:
      if ((good = am_sampling_number(text, -100, 100, &number))) s->presence_penalty = number;
      break;
    case ADAM_SET_FREQUENCY_PENALTY:
      if ((good = am_sampling_number(text, -100, 100, &number))) s->frequency_penalty = number;
      break;
    case ADAM_SET_SEED:
      if ((good = set_integer(text, INT64_MAX, &integer))) s->seed = (uint64_t)integer;
      break;
    case ADAM_SET_MAX_TOKENS:
      if ((good = set_integer(text, INT32_MAX, &integer))) s->max_tokens = integer;
      break;
    default:
      break;
  }
  if (good) s->set |= 1u << key;
  return good;
}

void am_sampling_fill(adam_sampling *over, const adam_sampling *under) {
  uint32_t take = under->set & ~over->set;
  if (take & ADAM_SET_TEMPERATURE) over->temperature = under->temperature;
  if (take & ADAM_SET_TOP_P) over->top_p = under->top_p;
  if (take & ADAM_SET_TOP_K) over->top_k = under->top_k;
  if (take & ADAM_SET_MIN_P) over->min_p = under->min_p;
  if (take & ADAM_SET_REPETITION_PENALTY) over->repetition_penalty = under->repetition_penalty;
  if (take & ADAM_SET_PRESENCE_PENALTY) over->presence_penalty = under->presence_penalty;
  if (take & ADAM_SET_FREQUENCY_PENALTY) over->frequency_penalty = under->frequency_penalty;
  if (take & ADAM_SET_SEED) over->seed = under->seed;
  if (take & ADAM_SET_MAX_TOKENS) over->max_tokens = under->max_tokens;
  over->set |= take;
}

static double real_of(const adam_sampling *s, int key) {
  switch (1u << key) {
    case ADAM_SET_TEMPERATURE:
      return s->temperature;
    case ADAM_SET_TOP_P:
      return s->top_p;
    case ADAM_SET_MIN_P:
      return s->min_p;
    case ADAM_SET_REPETITION_PENALTY:
      return s->repetition_penalty;
    case ADAM_SET_PRESENCE_PENALTY:
      return s->presence_penalty;
    default:
      return s->frequency_penalty;
  }
}

/* With a point, whatever the locale says. */
static void print_real(double value, char *out, size_t capacity_bytes) {
  snprintf(out, capacity_bytes, "%.15g", value);
  for (; *out; out++)
    if (!strchr("0123456789-+e", *out)) *out = '.';
}

void am_sampling_text(const adam_sampling *s, int key, char *out, size_t capacity_bytes) {
  uint32_t bit = 1u << key;
  if (bit == ADAM_SET_TOP_K)
    snprintf(out, capacity_bytes, "%" PRId32, s->top_k);
  else if (bit == ADAM_SET_SEED)
    snprintf(out, capacity_bytes, "%" PRIu64, s->seed);
  else if (bit == ADAM_SET_MAX_TOKENS)
    snprintf(out, capacity_bytes, "%" PRId64, s->max_tokens);
  else
    print_real(real_of(s, key), out, capacity_bytes);
}

adam_sampling am_sampling_built_in(void) {
  return (adam_sampling){.set = (ADAM_SET_MAX_TOKENS * 2 - 1) & ~(uint32_t)ADAM_SET_SEED,
                         .temperature = 0.7,
                         .top_p = 0.9,
                         .repetition_penalty = 1,
                         .max_tokens = 1000};
}

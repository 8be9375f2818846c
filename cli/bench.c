/* SPDX-License-Identifier: Apache-2.0 */
/* adam bench: prefill and decode speed through the public API. */
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "interrupt.h"
#include "output.h"
#include "reply.h"
#include "report.h"

enum { USUAL_PROMPT = 512, USUAL_GEN = 128, USUAL_REPETITIONS = 5, MOST_TRIES = 64 };

typedef struct bench_run {
  adam_manager *manager;
  size_t n_prompt, n_gen, n_repetitions;
  double *prefill, *decode, *first; /* (n_repetitions) tokens/s, tokens/s, ms */
} bench_run;

/* Words enough for more than n tokens. Each `turn` begins elsewhere, so that no prompt is the
 * beginning of another and a kept KV cache helps nobody. */
static char *make_text(size_t n_tokens, size_t turn) {
  static const char *const words[] = {"river", "music", "paper", "green", "north", "table", "water", "light",
                                      "seven", "house", "money", "story", "world", "night", "horse", "stone"};
  enum { N_WORDS = 16, STEP = 6 };
  char *text = malloc(n_tokens * STEP + STEP + 1);
  if (!text) return NULL;
  for (size_t i = 0; i <= n_tokens; i++) {
    memcpy(text + i * STEP, words[(i * 7 + i / N_WORDS + turn) % N_WORDS], STEP - 1);
    text[i * STEP + STEP - 1] = ' ';
  }
  text[n_tokens * STEP + STEP - 1] = '\0';
  return text;
}

/* Text of exactly n_prompt tokens, special tokens counted: the longest beginning of the words that
 * has at most that many, then short tokens until they are as many. Owned. */
static adam_status make_prompt(const bench_run *bench, size_t turn, char **prompt, adam_error *error) {
  char *text = make_text(bench->n_prompt + MOST_TRIES, turn);
  if (!text) return am_report_no_memory(error);
  size_t low = 0, high = strlen(text), n = 0;
  adam_status status = ADAM_OK;
  while (low < high && status == ADAM_OK) {
    size_t middle = low + (high - low + 1) / 2;
    status = adam_manager_count_tokens(bench->manager, text, middle, &n, error);
    if (n <= bench->n_prompt)
      low = middle;
    else
      high = middle - 1;
  }
  for (size_t length = low, tries = 0; status == ADAM_OK && tries < MOST_TRIES; tries++) {
    status = adam_manager_count_tokens(bench->manager, text, length, &n, error);
    if (status == ADAM_OK && n == bench->n_prompt) {
      text[length] = '\0';
      *prompt = text;
      return ADAM_OK;
    }
    memcpy(text + length, n < bench->n_prompt ? "\n!" : "", n < bench->n_prompt ? 2 : 0);
    length = n < bench->n_prompt ? length + 2 : length - 1;
    if (length == 0 || length + 2 >= strlen(text)) break;
  }
  free(text);
  return status != ADAM_OK ? status
                           : am_report_fill(error, ADAM_FAILED, "--n-prompt", "try another size",
                                            "found no text of exactly %zu tokens", bench->n_prompt);
}

static bool on_chunk(void *user, const adam_chunk *chunk) {
  (void)user, (void)chunk;
  return am_interrupt_pending();
}

/* One repetition; its figures go to `slot`, those of the warm-up (SIZE_MAX) nowhere. */
static adam_status measure(bench_run *bench, size_t turn, size_t slot, adam_result *result,
                           adam_error *error) {
  char *prompt = NULL;
  adam_status status = make_prompt(bench, turn, &prompt, error);
  if (status != ADAM_OK) return status;
  adam_request request = {.struct_size = sizeof request,
                          .prompt = prompt,
                          .prompt_bytes = strlen(prompt),
                          .raw = true,
                          .ignore_eos = true,
                          .sampling = {.set = ADAM_SET_TEMPERATURE | ADAM_SET_MAX_TOKENS | ADAM_SET_SEED,
                                       .max_tokens = (int64_t)bench->n_gen}};
  am_interrupt_begin();
  status = adam_manager_generate(bench->manager, &request, on_chunk, NULL, result, error);
  if (am_interrupt_end()) status = am_report_fill(error, ADAM_CANCELLED, "adam bench", "", "interrupted");
  free(prompt);
  if (status == ADAM_OK && result->completion_tokens != bench->n_gen)
    status = am_report_fill(error, ADAM_FAILED, "adam bench", "see --ctx", "%zu of %zu tokens were generated",
                            result->completion_tokens, bench->n_gen);
  if (status == ADAM_OK && slot != SIZE_MAX) {
    bench->prefill[slot] = result->timings.prompt_tokens_per_s;
    bench->decode[slot] = result->timings.decode_tokens_per_s;
    bench->first[slot] = result->timings.first_token_ms;
  }
  return status;
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Sorts the samples. */
static double median(double *samples, size_t n) {
  qsort(samples, n, sizeof *samples, by_value);
  return n % 2 ? samples[n / 2] : (samples[n / 2 - 1] + samples[n / 2]) / 2;
}

static int threads_of(const am_arguments *arguments) {
  const char *set = getenv("ADAM_THREADS");
  if (arguments->is_set[AM_OPTION_THREADS]) return (int)arguments->integer[AM_OPTION_THREADS];
  return set && atoi(set) > 0 ? atoi(set) : adam_cpu_count();
}

static adam_status print_bench(const am_arguments *arguments, bench_run *bench, const adam_result *last,
                               adam_error *error) {
  size_t n = bench->n_repetitions;
  double prefill = median(bench->prefill, n), decode = median(bench->decode, n),
         first = median(bench->first, n);
  double prefill_spread = bench->prefill[n - 1] - bench->prefill[0];
  double decode_spread = bench->decode[n - 1] - bench->decode[0];
  int threads = threads_of(arguments);
  if (!arguments->is_set[AM_OPTION_JSON]) {
    am_output_format("model         %s on %s\n", last->model ? last->model : "?",
                     last->device ? last->device : "?");
    am_output_format("threads       %d, tier %s\n", threads, adam_cpu_tier());
    am_output_format("prefill %-5zu %10.1f tokens/s, spread %.1f\n", bench->n_prompt, prefill,
                     prefill_spread);
    am_output_format("decode %-6zu %10.1f tokens/s, spread %.1f\n", bench->n_gen, decode, decode_spread);
    am_output_format("first token   %10.1f ms\nload          %10.1f ms\n", first, last->timings.load_ms);
    return ADAM_OK;
  }
  json_t *object = json_pack(
      "{s:o, s:o, s:o, s:i, s:s, s:I, s:I, s:I, s:{s:o, s:o}, s:{s:o, s:o}, s:o, s:o}", "model",
      am_reply_string(last->model), "backend", am_reply_string(last->backend), "device",
      am_reply_string(last->device), "threads", threads, "tier", adam_cpu_tier(), "n_prompt",
      (json_int_t)bench->n_prompt, "n_gen", (json_int_t)bench->n_gen, "repetitions", (json_int_t)n,
      "prefill_tokens_per_s", "median", am_reply_number(prefill), "spread", am_reply_number(prefill_spread),
      "decode_tokens_per_s", "median", am_reply_number(decode), "spread", am_reply_number(decode_spread),
      "first_token_ms", am_reply_number(first), "load_ms", am_reply_number(last->timings.load_ms));
  return am_reply_print(object, error);
}

static size_t size_or(const am_arguments *arguments, am_option_id option, size_t usual) {
  return arguments->is_set[option] ? (size_t)arguments->integer[option] : usual;
}

int am_bench_command(const am_arguments *arguments) {
  bench_run bench = {.n_prompt = size_or(arguments, AM_OPTION_N_PROMPT, USUAL_PROMPT),
                     .n_gen = size_or(arguments, AM_OPTION_N_GEN, USUAL_GEN),
                     .n_repetitions = size_or(arguments, AM_OPTION_REPETITIONS, USUAL_REPETITIONS)};
  adam_result result = {0};
  adam_error error = {0};
  double *samples = calloc(bench.n_repetitions * 3, sizeof *samples);
  adam_status status = samples ? ADAM_OK : am_report_no_memory(&error);
  bench.prefill = samples;
  bench.decode = samples + bench.n_repetitions;
  bench.first = samples + 2 * bench.n_repetitions;
  if (status == ADAM_OK) status = am_open_model(arguments, NULL, false, &bench.manager, &error);
  if (status == ADAM_OK) status = measure(&bench, 0, SIZE_MAX, &result, &error);
  for (size_t i = 0; i < bench.n_repetitions && status == ADAM_OK; i++) {
    adam_result_close(&result);
    status = measure(&bench, i + 1, i, &result, &error);
  }
  if (status == ADAM_OK) status = print_bench(arguments, &bench, &result, &error);
  adam_result_close(&result);
  adam_manager_close(&bench.manager);
  free(samples);
  return am_exit_code(status, &error);
}

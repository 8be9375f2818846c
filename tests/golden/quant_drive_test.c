/* SPDX-License-Identifier: Apache-2.0 */
/* Quantisation against llama.cpp's. Without arguments: the mixes and errors of tests/golden/quant (make_quant.py).
 * With arguments it is driven by tests/golden/quant_references_test.py and bench/quantise.py:
 *
 *   drive mix FILE            checks a file of make_quant.py's form
 *   drive pack DTYPE COLUMNS [THREADS ROUNDS] < float32 > blocks
 *                             rows of COLUMNS; to stderr: RMSE, and with THREADS the best ns of ROUNDS */
#include "base/half.h"
#include "os/clock.h"
#include "quant/quant.h"
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { MOST_RECIPES = 32, N_VALUES = 2048, MOST_SETS = 32 };

static bool dtype_by_name(const char *name, am_dtype *out) {
  for (int d = 0; d < AM_DTYPE_COUNT; d++)
    if (!strcmp(am_dtype_info(d)->name, name)) {
      *out = d;
      return true;
    }
  return false;
}

/* Wrong choices in a file, printed; *n_checked choices in all. */
static int check_mix(FILE *file, int *n_checked) {
  am_quant_type recipes[MOST_RECIPES];
  am_quant_model model = {0};
  char line[1024], arch[32], name[64];
  int n_recipes = 0, n_wrong = 0;
  while (fgets(line, sizeof line, file)) {
    unsigned n_dims, tied;
    unsigned long long n_columns;
    int at;
    if (!strncmp(line, "recipes ", 8)) {
      for (char *word = strtok(line + 8, " \n"); word && n_recipes < MOST_RECIPES; word = strtok(NULL, " \n"))
        if (!am_quant_find(word, &recipes[n_recipes++])) return fprintf(stderr, "no recipe %s\n", word), -1;
    } else if (sscanf(line, "model %31s %u %u %u %u %u", arch, &model.n_layers, &model.n_heads, &model.n_kv_heads,
                      &model.n_experts, &tied) == 6) {
      model.architecture = arch;
      model.tied = tied;
    } else if (sscanf(line, "%63s %u %llu%n", name, &n_dims, &n_columns, &at) == 3) {
      char *word = strtok(line + at, " \n");
      for (int i = 0; i < n_recipes && word; i++, word = strtok(NULL, " \n"), ++*n_checked) {
        const char *ours = am_dtype_info(am_quant_choose(&recipes[i], &model, name, n_dims, n_columns))->name;
        if (!strcmp(ours, word) || ++n_wrong > 20) continue;
        printf("%s %u layers, %u experts: %s of %llu columns under %s is %s, llama.cpp has %s\n", arch, model.n_layers,
               model.n_experts, name, n_columns, recipes[i].name, ours, word);
      }
    } else {
      return fprintf(stderr, "cannot read: %s", line), -1;
    }
  }
  return n_wrong;
}

static FILE *open_golden(const char *name) {
  char path[512];
  snprintf(path, sizeof path, ADAM_SOURCE_DIR "/tests/golden/quant/%s", name);
  FILE *file = fopen(path, "rb");
  if (!file) fail_msg("%s is missing", path);
  return file;
}

static void test_mix(void **state) {
  (void)state;
  FILE *file = open_golden("mix.txt");
  int n_checked = 0;
  assert_int_equal(check_mix(file, &n_checked), 0);
  assert_true(n_checked > 5000);
  fclose(file);
}

/* For each set of numbers no type is further from them than llama.cpp's blocks are. */
static void test_errors(void **state) {
  (void)state;
  static uint16_t halves[MOST_SETS * N_VALUES];
  static float x[N_VALUES];
  static uint8_t out[N_VALUES * 4];
  FILE *file = open_golden("values.f16");
  size_t n_sets = fread(halves, sizeof *halves * N_VALUES, MOST_SETS, file);
  fclose(file);
  assert_true(n_sets > 8);
  char name[16], set_name[32];
  unsigned set;
  double reference;
  int n_checked = 0;
  file = open_golden("rmse.txt");
  while (fscanf(file, "%15s %u %lf %31[^\n]", name, &set, &reference, set_name) == 4) {
    am_dtype dtype = AM_DTYPE_F32;
    am_quant_error sum = {0};
    adam_error error = {0};
    assert_true(dtype_by_name(name, &dtype) && set < n_sets);
    for (int i = 0; i < N_VALUES; i++) x[i] = am_f16_to_f32(halves[set * N_VALUES + (size_t)i]);
    assert_int_equal(am_quant_rows(dtype, x, 2, 1024, out, &sum, "x", 0, &error), ADAM_OK);
    double ours = sqrt(sum.squared_error / (double)sum.n);
    if (ours > reference * 1.000001 + 1e-12)
      fail_msg("%s of %s: %g, llama.cpp has %g", name, set_name, ours, reference);
    n_checked++;
  }
  fclose(file);
  assert_true(n_checked > 80);
}

typedef struct share {
  am_dtype dtype;
  const float *x;
  size_t n_rows, n_columns;
  uint8_t *out;
} share;

static void *pack_share(void *user) {
  share *s = user;
  adam_error error;
  if (am_quant_rows(s->dtype, s->x, s->n_rows, s->n_columns, s->out, NULL, "input", 0, &error)) exit(1);
  return NULL;
}

static double pack_in_threads(am_dtype dtype, const float *x, size_t n_rows, size_t n_columns, uint8_t *out, int n) {
  enum { MOST = 64 };
  share shares[MOST];
  pthread_t threads[MOST];
  const am_dtype_row *info = am_dtype_info(dtype);
  uint64_t start = am_clock_ns();
  for (int i = 0; i < n && i < MOST; i++) {
    size_t first = n_rows * (size_t)i / (size_t)n, past = n_rows * (size_t)(i + 1) / (size_t)n;
    shares[i] = (share){dtype, x + first * n_columns, past - first, n_columns,
                        out + first * (n_columns / info->block_elements) * info->block_bytes};
    if (pthread_create(&threads[i], NULL, pack_share, &shares[i])) exit(1);
  }
  for (int i = 0; i < n && i < MOST; i++) pthread_join(threads[i], NULL);
  return (double)(am_clock_ns() - start);
}

static int drive_pack(int argc, char **argv) {
  am_dtype dtype;
  size_t n_columns = strtoul(argv[3], NULL, 10), n = 0, capacity = 1 << 20, got;
  float *x = malloc(capacity * sizeof *x);
  if (!dtype_by_name(argv[2], &dtype) || !n_columns || !x) return 2;
  while ((got = fread(x + n, sizeof *x, capacity - n, stdin)) > 0)
    if ((n += got) == capacity && !(x = realloc(x, (capacity *= 2) * sizeof *x))) return 2;
  const am_dtype_row *info = am_dtype_info(dtype);
  size_t n_rows = n / n_columns, n_bytes = n_columns / info->block_elements * info->block_bytes * n_rows;
  uint8_t *out = malloc(n_bytes);
  am_quant_error sum = {0};
  adam_error error;
  if (!out) return 2;
  if (am_quant_rows(dtype, x, n_rows, n_columns, out, &sum, "input", 0, &error))
    return fprintf(stderr, "%s: %s\n", error.what, error.why), 1;
  fprintf(stderr, "%.9g", sqrt(sum.squared_error / (double)sum.n));
  if (argc > 5) {
    double best = 1e30;
    for (int round = 0; round < atoi(argv[5]); round++)
      best = fmin(best, pack_in_threads(dtype, x, n_rows, n_columns, out, atoi(argv[4])));
    fprintf(stderr, " %.0f", best);
  }
  fwrite(out, 1, n_bytes, stdout);
  free(out);
  free(x);
  return 0;
}

int main(int argc, char **argv) {
  if (argc > 3 && !strcmp(argv[1], "pack")) return drive_pack(argc, argv);
  if (argc > 2 && !strcmp(argv[1], "mix")) {
    FILE *file = fopen(argv[2], "r");
    int n_checked = 0, n_wrong = file ? check_mix(file, &n_checked) : -1;
    if (file) fclose(file);
    printf("%d choices, %d wrong\n", n_checked, n_wrong);
    return n_wrong != 0;
  }
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_mix), cmocka_unit_test(test_errors)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Drives a tokenizer from outside: the scripts of tests/golden and bench compare it with the
 * `tokenizers` package through this program. Without arguments it only checks its own frame.
 *
 *   drive FILE.json [CONFIG.json] [--cache DIR]   or   drive --vocab FILE [--cache DIR]   or
 *   drive FILE.model [CONFIG.json] [--cache DIR]
 * stdin: records of u32 kind, u32 n_bytes, bytes; kind 0..3: encode with these AM_ENCODE flags;
 * 8..11: encode a pair (u32 most_ids, u32 n, n bytes, the rest) with these flags - 8, answer: ids, then
 * type ids; 16, 17: decode int32 ids (17: skip special tokens), whole and then as a stream, compared here;
 * 32: measure encoding of the text, whole and by lines, answer: text. stdout: u32 n, then n bytes. */
#include "tokenizer/tokenizer.h"

#include "base/buf.h"
#include "base/mem.h"
#include "os/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static adam_error error;

static double cpu_ms(void) { return (double)clock() * 1e3 / CLOCKS_PER_SEC; }

static int fail(const char *what) {
  char line[1100];
  adam_error_format(&error, line, sizeof line);
  fprintf(stderr, "%s: %s\n", what, line);
  return 3;
}

/* A vocabulary as make_tokenizer.py writes it: i64 n_tokens, n_merges, bos, eos, unknown, add_bos, add_eos,
 * add_space_prefix, separator, cls, remove_extra_spaces; then strings (u32 length, bytes): model, pre, name,
 * charsmap, tokens, merges; then i32 types and float scores. */
typedef struct vocab_file {
  am_buf bytes;
  size_t at;
  am_vocab vocab;
} vocab_file;

static am_vocab_string next_string(vocab_file *f) {
  uint32_t n;
  memcpy(&n, f->bytes.data + f->at, 4);
  am_vocab_string s = {f->bytes.data + f->at + 4, n};
  f->at += 4 + (size_t)n;
  return s;
}

static am_vocab_string *next_strings(vocab_file *f, size_t n) {
  am_vocab_string *list = calloc(n + 1, sizeof *list);
  for (size_t i = 0; list && i < n; i++) list[i] = next_string(f);
  return list;
}

static adam_status open_vocab(const char *path, const char *cache_dir, am_tokenizer **out) {
  static vocab_file f;
  int64_t head[11];
  adam_status status = am_file_read(path, (size_t)1 << 30, &f.bytes, &error);
  if (status != ADAM_OK) return status;
  memcpy(head, f.bytes.data, sizeof head);
  f.at = sizeof head;
  am_vocab_string model = next_string(&f), pre = next_string(&f), name = next_string(&f),
                  charsmap = next_string(&f);
  f.vocab = (am_vocab){.model = am_mem_dup(model.bytes, model.n_bytes),
                       .pre = am_mem_dup(pre.bytes, pre.n_bytes),
                       .name = am_mem_dup(name.bytes, name.n_bytes),
                       .n_tokens = (size_t)head[0],
                       .n_merges = (size_t)head[1],
                       .bos_id = head[2],
                       .eos_id = head[3],
                       .unknown_id = head[4],
                       .separator_id = head[8],
                       .pad_id = -1,
                       .cls_id = head[9],
                       .charsmap = charsmap,
                       .add_bos = (int)head[5],
                       .add_eos = (int)head[6],
                       .add_space_prefix = (int)head[7],
                       .remove_extra_spaces = (int)head[10]};
  f.vocab.tokens = next_strings(&f, f.vocab.n_tokens);
  f.vocab.merges = next_strings(&f, f.vocab.n_merges);
  f.vocab.types = (const int32_t *)(const void *)am_mem_dup(f.bytes.data + f.at, 4 * f.vocab.n_tokens);
  f.vocab.scores = (const float *)(const void *)am_mem_dup(f.bytes.data + f.at + 4 * f.vocab.n_tokens,
                                                           4 * f.vocab.n_tokens);
  double start = cpu_ms();
  status = am_tokenizer_open_vocab(path, &f.vocab, path, cache_dir, out, &error);
  fprintf(stderr, "open_ms %.2f\n", cpu_ms() - start);
  am_mem_free((void *)(uintptr_t)f.vocab.model);
  am_mem_free((void *)(uintptr_t)f.vocab.pre);
  am_mem_free((void *)(uintptr_t)f.vocab.name);
  am_mem_free((void *)(uintptr_t)f.vocab.types);
  am_mem_free((void *)(uintptr_t)f.vocab.scores);
  free((void *)(uintptr_t)f.vocab.tokens);
  free((void *)(uintptr_t)f.vocab.merges);
  am_buf_close(&f.bytes);
  return status;
}

static adam_status stream(const am_tokenizer *t, const int32_t *ids, size_t n, bool skip, am_buf *out) {
  am_decoder *decoder = NULL;
  adam_status status = am_decoder_open(t, skip, &decoder, &error);
  for (size_t i = 0; status == ADAM_OK && i < n; i++) status = am_decoder_push(decoder, ids[i], out, &error);
  if (status == ADAM_OK) status = am_decoder_finish(decoder, out, &error);
  am_decoder_close(&decoder);
  return status;
}

static adam_status decode(const am_tokenizer *t, const am_buf *in, bool skip, am_buf *out) {
  am_buf streamed = {0};
  const int32_t *ids = (const int32_t *)(const void *)in->data;
  adam_status status = am_tokenizer_decode(t, ids, in->len / 4, skip, out, &error);
  if (status == ADAM_OK) status = stream(t, ids, in->len / 4, skip, &streamed);
  if (status == ADAM_OK &&
      (streamed.len != out->len || (out->len > 0 && memcmp(streamed.data, out->data, out->len) != 0))) {
    fprintf(stderr, "a stream decodes to other text than the whole\n");
    status = ADAM_FAILED;
  }
  am_buf_close(&streamed);
  return status;
}

/* Best of some runs, milliseconds of this process alone: the machine may be busy with others. */
static double measure(const am_tokenizer *t, const am_buf *in, bool lines, int runs, size_t *n_ids) {
  am_ids ids = {0};
  double best = 1e9;
  for (int run = 0; run < runs; run++) {
    double start = cpu_ms();
    ids.n = 0;
    *n_ids = 0;
    for (size_t p = 0; p < in->len;) {
      const char *newline = lines ? memchr(in->data + p, '\n', in->len - p) : NULL;
      size_t stop = newline ? (size_t)(newline - in->data) + 1 : in->len;
      ids.n = 0;
      if (am_tokenizer_encode(t, in->data + p, stop - p, 0, &ids, &error) != ADAM_OK) exit(fail("encode"));
      *n_ids += ids.n;
      p = stop;
    }
    double ms = cpu_ms() - start;
    if (ms < best) best = ms;
  }
  am_ids_close(&ids);
  return best;
}

/* A second text of n = UINT32_MAX: none. */
static adam_status encode_pair(const am_tokenizer *t, uint32_t flags, const am_buf *in, am_buf *out) {
  uint32_t head[2];
  am_ids ids = {0}, types = {0};
  if (in->len < sizeof head) return ADAM_FAILED;
  memcpy(head, in->data, sizeof head);
  const char *first = in->data + sizeof head;
  bool pair = head[1] != UINT32_MAX;
  size_t rest = in->len - sizeof head, n = pair ? head[1] : rest;
  if (n > rest) return ADAM_FAILED;
  adam_status status = am_tokenizer_encode_pair(t, first, n, pair ? first + n : NULL, rest - n, flags,
                                                head[0], &ids, &types, NULL, &error);
  if (status == ADAM_OK && ids.n > 0) {
    am_buf_append(out, ids.data, 4 * ids.n);
    am_buf_append(out, types.data, 4 * types.n);
  }
  am_ids_close(&ids);
  am_ids_close(&types);
  return status;
}

static adam_status answer(const am_tokenizer *t, uint32_t kind, const am_buf *in, am_buf *out) {
  am_ids ids = {0};
  adam_status status = ADAM_OK;
  if (kind >= 32) {
    size_t n_whole, n_lines, n_cold;
    double cold = measure(t, in, false, 1, &n_cold), whole = measure(t, in, false, 9, &n_whole);
    double lines = measure(t, in, true, 9, &n_lines);
    am_buf_printf(out,
                  "{\"first_ms\":%.3f,\"whole_ms\":%.3f,\"lines_ms\":%.3f,\"n_whole\":%zu,\"n_lines\":%zu}",
                  cold, whole, lines, n_whole, n_lines);
  } else if (kind >= 16) {
    status = decode(t, in, kind == 17, out);
  } else if (kind >= 8) {
    status = encode_pair(t, kind - 8, in, out);
  } else {
    status = am_tokenizer_encode(t, in->data ? in->data : "", in->len, kind, &ids, &error);
    if (status == ADAM_OK && ids.n > 0) am_buf_append(out, ids.data, 4 * ids.n);
  }
  am_ids_close(&ids);
  return status;
}

static int serve(const am_tokenizer *t) {
  uint32_t head[2];
  am_buf in = {0}, out = {0};
  int result = 0;
  while (result == 0 && fread(head, sizeof head, 1, stdin) == 1) {
    am_buf_clear(&in);
    am_buf_clear(&out);
    if (!am_buf_reserve(&in, (size_t)head[1] + 1)) result = fail("memory");
    in.len = head[1];
    if (head[1] > 0 && fread(in.data, head[1], 1, stdin) != 1) result = fail("input");
    if (result == 0 && answer(t, head[0], &in, &out) != ADAM_OK) result = fail("answer");
    uint32_t n = (uint32_t)out.len;
    fwrite(&n, 4, 1, stdout);
    if (n > 0) fwrite(out.data, n, 1, stdout);
    fflush(stdout);
  }
  am_buf_close(&in);
  am_buf_close(&out);
  return result;
}

static bool ends_with(const char *path, const char *ending) {
  size_t n = strlen(path), n_ending = strlen(ending);
  return n > n_ending && strcmp(path + n - n_ending, ending) == 0;
}

/* FILE.model or FILE.txt */
static adam_status open_model(const char *path, const char *config_path, const char *cache_dir,
                              am_tokenizer **out) {
  am_buf config = {0};
  adam_status status = config_path ? am_file_read(config_path, (size_t)1 << 30, &config, &error) : ADAM_OK;
  if (status == ADAM_OK)
    status = (ends_with(path, ".txt") ? am_tokenizer_open_words : am_tokenizer_open_model)(
        path, config.data, config.len, cache_dir, out, &error);
  am_buf_close(&config);
  return status;
}

int main(int argc, char **argv) {
  const char *paths[2] = {NULL, NULL}, *vocab = NULL, *cache = NULL;
  am_tokenizer *t = NULL;
  int n = 0;
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--cache") == 0 && i + 1 < argc)
      cache = argv[++i];
    else if (strcmp(argv[i], "--vocab") == 0 && i + 1 < argc)
      vocab = argv[++i];
    else if (n < 2)
      paths[n++] = argv[i];
  }
  if (argc == 1) { /* the frame alone: a file that is not there is said to be so */
    adam_status status = am_tokenizer_open_file("no/such/tokenizer.json", NULL, NULL, &t, &error);
    return status == ADAM_NOT_FOUND && !t ? 0 : 1;
  }
  adam_status status;
  if (vocab) {
    status = open_vocab(vocab, cache, &t);
  } else {
    double start = cpu_ms();
    status = !ends_with(paths[0], ".json") ? open_model(paths[0], paths[1], cache, &t)
                                           : am_tokenizer_open_file(paths[0], paths[1], cache, &t, &error);
    fprintf(stderr, "open_ms %.2f\n", cpu_ms() - start);
  }
  if (status != ADAM_OK) return fail("open");
  int result = serve(t);
  am_tokenizer_close(&t);
  return result;
}

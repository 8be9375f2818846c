/* SPDX-License-Identifier: Apache-2.0 */
/* Conversion of the committed models: what stands where in the target, by arithmetic on the source's own
 * numbers; the same bytes at any number of threads; there and back; what is refused; failing memory, writes and
 * a full disk leave nothing behind. The numbers of the references: tests/golden/convert_references_test.py. */
#include "convert/convert.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/half.h"
#include "base/mem.h"
#include "loader/loader.h"
#include "os/file.h"

static const char models[] = ADAM_SOURCE_DIR "/tests/golden/models";
static char root[] = "convert-test-XXXXXX";

static int make_root(void **state) {
  (void)state;
  return mkdtemp(root) ? 0 : -1;
}

static const char *in_root(const char *name) {
  static char paths[4][256];
  static int next;
  char *path = paths[next++ % 4];
  snprintf(path, sizeof paths[0], "%s/%s", root, name);
  return path;
}

static const char *model(const char *name) {
  static char paths[4][512];
  static int next;
  char *path = paths[next++ % 4];
  snprintf(path, sizeof paths[0], "%s/%s", models, name);
  return path;
}

static bool remove_one(void *user, const char *name);

static void remove_all(const char *path) {
  char copy[512];
  snprintf(copy, sizeof copy, "%s", path);
  if (am_file_is_dir(copy)) {
    (void)am_dir_list(copy, remove_one, copy, NULL);
    assert_int_equal(rmdir(copy), 0);
  } else if (am_file_is_regular(copy)) {
    assert_int_equal(unlink(copy), 0);
  }
}

static bool remove_one(void *user, const char *name) {
  char path[1024];
  snprintf(path, sizeof path, "%s/%s", (const char *)user, name);
  remove_all(path);
  return false;
}

static int remove_root(void **state) {
  (void)state;
  return rmdir(root);
}

static bool count_one(void *user, const char *name) {
  (void)name;
  ++*(int *)user;
  return false;
}

static int n_files(void) {
  int n = 0;
  assert_int_equal(am_dir_list(root, count_one, &n, NULL), ADAM_OK);
  return n;
}

static void convert_ok(const char *source, const char *target, const char *type, uint32_t n_threads) {
  adam_error error = {0};
  am_convert_report report = {0};
  const am_convert_options options = {.type = type, .n_threads = n_threads};
  adam_status status = am_convert(source, target, &options, &report, &error);
  if (status) print_error("%s: %s: %s\n", source, error.what, error.why);
  assert_int_equal(status, ADAM_OK);
  assert_true(report.n_tensors > 0 && report.bytes > 0);
}

static am_loader *open_model(const char *path) {
  adam_error error = {0};
  am_loader *loader = NULL;
  adam_status status = am_loader_open(path, 0, NULL, &loader, &error);
  if (status) print_error("%s: %s\n", error.what, error.why);
  assert_int_equal(status, ADAM_OK);
  return loader;
}

/* Element i of a tensor of f32, f16 or bf16. */
static float number(const am_tensor *t, uint64_t i) {
  float f;
  uint16_t h;
  if (t->dtype == AM_DTYPE_F32) {
    memcpy(&f, (const uint8_t *)t->data + 4 * i, 4);
    return f;
  }
  memcpy(&h, (const uint8_t *)t->data + 2 * i, 2);
  return t->dtype == AM_DTYPE_F16 ? am_f16_to_f32(h) : am_bf16_to_f32(h);
}

static const am_tensor *need(const am_loader *loader, const char *name) {
  const am_tensor *t = am_loader_find(loader, name);
  if (!t) print_error("no tensor %s\n", name);
  assert_non_null(t);
  return t;
}

/* Llama's query rows: element 2i of a head is the Hub's i, 2i + 1 its i + d/2. */
static void pairs_of_llama(void **state) {
  (void)state;
  convert_ok(model("llama-f32-bias-old"), in_root("llama.gguf"), NULL, 2);
  am_loader *from = open_model(model("llama-f32-bias-old")), *to = open_model(in_root("llama.gguf"));
  const am_config *c = am_loader_config(from);
  const am_tensor *a = need(from, "model.layers.1.self_attn.k_proj.weight"), *b = need(to, "blk.1.attn_k.weight");
  const am_tensor *bias = need(from, "model.layers.1.self_attn.q_proj.bias"), *moved = need(to, "blk.1.attn_q.bias");
  uint32_t half = c->head_dim / 2;
  assert_int_equal(c->n_heads, 2);
  for (uint32_t head = 0; head < 2; head++)
    for (uint32_t i = 0; i < half; i++)
      for (uint32_t part = 0; part < 2; part++) {
        uint64_t hub = head * c->head_dim + part * half + i, gguf = head * c->head_dim + 2 * i + part;
        assert_true(number(moved, gguf) == number(bias, hub));
        assert_memory_equal((const uint8_t *)b->data + gguf * c->n_embd * 4,
                            (const uint8_t *)a->data + hub * c->n_embd * 4, c->n_embd * 4);
      }
  const am_tensor *v = need(from, "model.layers.0.self_attn.v_proj.weight");
  assert_memory_equal(need(to, "blk.0.attn_v.weight")->data, v->data, v->n_bytes);
  am_loader_close(&from);
  am_loader_close(&to);
  remove_all(in_root("llama.gguf"));
}

static void norms_of_gemma(void **state) {
  (void)state;
  convert_ok(model("gemma2-f32-old"), in_root("gemma.gguf"), "f16", 1);
  am_loader *from = open_model(model("gemma2-f32-old")), *to = open_model(in_root("gemma.gguf"));
  const am_tensor *a = need(from, "model.layers.1.pre_feedforward_layernorm.weight");
  const am_tensor *b = need(to, "blk.1.ffn_norm.weight"), *w = need(to, "blk.1.ffn_up.weight");
  assert_int_equal(b->dtype, AM_DTYPE_F32);
  assert_int_equal(w->dtype, AM_DTYPE_F16);
  for (uint64_t i = 0; i < a->shape[0]; i++) assert_true(number(b, i) == number(a, i) + 1);
  assert_true(number(w, 5) == am_f16_to_f32(am_f32_to_f16(number(need(from, "model.layers.1.mlp.up_proj.weight"), 5))));
  am_loader_close(&from);
  am_loader_close(&to);
  remove_all(in_root("gemma.gguf"));
}

/* Ollama 0.9 asks for the output matrix of a tied mixture; llama.cpp divides by Gemma's soft cap whatever it is, and
 * there is none here. */
static void what_older_readers_want(void **state) {
  (void)state;
  convert_ok(model("qwen3moe-f32-old"), in_root("moe.gguf"), NULL, 1);
  am_loader *from = open_model(model("qwen3moe-f32-old")), *to = open_model(in_root("moe.gguf"));
  assert_true(am_loader_config(from)->tied_embeddings);
  const am_tensor *embd = need(from, "model.embed_tokens.weight"), *output = need(to, "output.weight");
  assert_int_equal(output->n_bytes, embd->n_bytes);
  assert_memory_equal(output->data, embd->data, embd->n_bytes);
  am_loader_close(&from);
  am_loader_close(&to);
  remove_all(in_root("moe.gguf"));
  convert_ok(model("gemma2-f32-old"), in_root("gemma.gguf"), NULL, 1);
  to = open_model(in_root("gemma.gguf"));
  am_arena arena = {0};
  am_json pairs;
  assert_int_equal(am_gguf_metadata_json(am_loader_gguf(to), &arena, &pairs, NULL), ADAM_OK);
  const am_json *cap = am_json_get(&pairs, "gemma2.attn_logit_softcapping");
  assert_true(cap && cap->type == AM_JSON_FLOAT && cap->as.real == 1e5);
  am_arena_close(&arena);
  assert_true(am_loader_config(to)->attention_softcap == 0 && am_loader_config(to)->logits_softcap == 0);
  am_loader_close(&to);
  remove_all(in_root("gemma.gguf"));
}

/* Experts one by one on the Hub, and side by side in a GGUF. */
static void experts(void **state) {
  (void)state;
  static const char *const sources[] = {"qwen3moe-bf16", "qwen3moe-f16-merged"};
  for (int s = 0; s < 2; s++) {
    convert_ok(model(sources[s]), in_root("moe.gguf"), NULL, 2);
    am_loader *from = open_model(model(sources[s])), *to = open_model(in_root("moe.gguf"));
    const am_config *c = am_loader_config(from);
    uint32_t layer = 0, n = 0;
    while (!am_arch_is_sparse(c, layer)) layer++;
    char name[64];
    snprintf(name, sizeof name, "blk.%u.ffn_up_exps.weight", layer);
    const am_tensor *all = need(to, name);
    assert_int_equal(all->n_dims, 3);
    assert_int_equal(all->shape[0], c->n_experts);
    for (uint32_t e = 0; e < c->n_experts; e++) {
      am_tensor one;
      assert_int_equal(am_loader_expert(from, "ffn_up_exps", layer, e, &one, NULL), ADAM_OK);
      assert_memory_equal((const uint8_t *)all->data + e * one.n_bytes, one.data, one.n_bytes);
      n++;
    }
    assert_true(n > 1);
    am_loader_close(&from);
    am_loader_close(&to);
    remove_all(in_root("moe.gguf"));
  }
}

static void same_file(const char *a, const char *b) {
  am_buf x = {0}, y = {0};
  assert_int_equal(am_file_read(a, 1 << 24, &x, NULL), ADAM_OK);
  assert_int_equal(am_file_read(b, 1 << 24, &y, NULL), ADAM_OK);
  assert_int_equal(x.len, y.len);
  assert_memory_equal(x.data, y.data, x.len);
  am_buf_close(&x);
  am_buf_close(&y);
}

static void threads_show_nowhere(void **state) {
  (void)state;
  static const char *const sources[] = {"llama-bf16-llama3", "qwen3moe-bf16", "prequant-nf4", "prequant-awq"};
  static const char *const types[] = {"f16", "q8_0", "q4_k_m"};
  for (int s = 0; s < 4; s++)
    for (int t = 0; t < 3; t++) {
      convert_ok(model(sources[s]), in_root("one.gguf"), types[t], 1);
      convert_ok(model(sources[s]), in_root("two.gguf"), types[t], 2);
      same_file(in_root("one.gguf"), in_root("two.gguf"));
      convert_ok(model(sources[s]), in_root("two.gguf"), types[t], 5); /* replaces */
      same_file(in_root("one.gguf"), in_root("two.gguf"));
    }
  remove_all(in_root("one.gguf"));
  remove_all(in_root("two.gguf"));
}

/* Folder -> GGUF -> folder: every tensor of the source comes back bit for bit where both sides have f32, and so
 * does the config. */
static void there_and_back(void **state) {
  (void)state;
  static const char *const sources[] = {"llama-f32-bias-old", "gemma2-f32-old", "qwen3-f32-gqa4",
                                        "phi3-f32-longrope-old", "qwen3moe-f32-old"};
  for (size_t s = 0; s < sizeof sources / sizeof *sources; s++) {
    convert_ok(model(sources[s]), in_root("there.gguf"), NULL, 2);
    convert_ok(in_root("there.gguf"), in_root("back"), NULL, 2);
    am_loader *from = open_model(model(sources[s])), *to = open_model(in_root("back"));
    const am_config *a = am_loader_config(from), *b = am_loader_config(to);
    assert_true(a->arch == b->arch);
    assert_int_equal(a->n_layers, b->n_layers);
    assert_int_equal(a->head_dim, b->head_dim);
    assert_int_equal(a->n_ctx_train, b->n_ctx_train);
    assert_int_equal(a->rope.scaling, b->rope.scaling);
    assert_true(a->rope.theta == b->rope.theta && a->norm_eps == b->norm_eps);
    assert_memory_equal(a->rope.long_factor, b->rope.long_factor, sizeof a->rope.long_factor);
    assert_true(a->query_scalar == b->query_scalar && a->window == b->window);
    for (size_t i = 0; i < am_loader_n_tensors(from); i++) {
      const am_tensor *x = am_loader_tensor_at(from, i), *y = need(to, x->name);
      assert_int_equal(x->n_bytes, y->n_bytes);
      bool shifted = strcmp(sources[s], "gemma2-f32-old") == 0 && x->n_dims == 1; /* 1 is added, then taken off */
      for (uint64_t e = 0; shifted && e < x->shape[0]; e++)
        assert_true(number(y, e) - number(x, e) < 2e-7f && number(x, e) - number(y, e) < 2e-7f);
      if (!shifted) assert_memory_equal(x->data, y->data, x->n_bytes);
    }
    am_loader_close(&from);
    am_loader_close(&to);
    remove_all(in_root("there.gguf"));
    remove_all(in_root("back"));
  }
}

/* Where the source has 16 bits, so has what comes back: every tensor, norms too, bit for bit, in files of 20,000 bytes. */
static void sixteen_bits_and_back(void **state) {
  (void)state;
  static const char *const sources[] = {"llama-bf16-llama3", "qwen3moe-bf16", "phi3-bf16-window", "qwen3-f16-old-odd"};
  for (size_t s = 0; s < sizeof sources / sizeof *sources; s++) {
    const am_convert_options options = {.type = strstr(sources[s], "bf16") ? "bf16" : "f16", .shard_bytes = 20000};
    am_convert_report report;
    convert_ok(model(sources[s]), in_root("there.gguf"), NULL, 2);
    assert_int_equal(am_convert(in_root("there.gguf"), in_root("back"), &options, &report, NULL), ADAM_OK);
    am_loader *from = open_model(model(sources[s])), *to = open_model(in_root("back"));
    assert_int_equal(am_loader_n_tensors(from), am_loader_n_tensors(to));
    assert_true(am_loader_n_files(to) > 2);
    for (size_t i = 0; i < am_loader_n_tensors(from); i++) {
      const am_tensor *x = am_loader_tensor_at(from, i), *y = need(to, x->name);
      assert_int_equal(x->dtype, y->dtype);
      assert_int_equal(x->n_bytes, y->n_bytes);
      assert_memory_equal(x->data, y->data, x->n_bytes);
    }
    am_loader_close(&from);
    am_loader_close(&to);
    remove_all(in_root("there.gguf"));
    remove_all(in_root("back"));
  }
}

/* Without a type a GGUF in parts becomes one with the same tensors; with one, a matrix changes and a norm not. */
static void from_gguf_to_gguf(void **state) {
  (void)state;
  char source[512];
  snprintf(source, sizeof source, "%s/gguf-llama-bf16-parts/model-00001-of-00003.gguf", models);
  if (!am_file_is_regular(source)) snprintf(source, sizeof source, "%s", model("gguf-llama-bf16-parts"));
  convert_ok(model("gguf-llama-q8_0/model.gguf"), in_root("small.gguf"), "q4_0", 2);
  am_loader *from = open_model(model("gguf-llama-q8_0/model.gguf")), *to = open_model(in_root("small.gguf"));
  assert_int_equal(am_loader_n_tensors(from), am_loader_n_tensors(to));
  assert_int_equal(need(to, "blk.0.ffn_up.weight")->dtype, AM_DTYPE_Q4_0);
  const am_tensor *norm = need(from, "blk.0.attn_norm.weight");
  assert_memory_equal(need(to, "blk.0.attn_norm.weight")->data, norm->data, norm->n_bytes);
  am_loader_close(&from);
  am_loader_close(&to);
  remove_all(in_root("small.gguf"));
  convert_ok(source, in_root("whole.gguf"), NULL, 2);
  from = open_model(source);
  to = open_model(in_root("whole.gguf"));
  assert_int_equal(am_loader_n_files(to), 1);
  for (size_t i = 0; i < am_loader_n_tensors(from); i++) {
    const am_tensor *x = am_loader_tensor_at(from, i), *y = am_loader_tensor_at(to, i);
    assert_string_equal(x->name, y->name);
    assert_int_equal(x->n_bytes, y->n_bytes);
    assert_memory_equal(x->data, y->data, x->n_bytes);
  }
  am_loader_close(&from);
  am_loader_close(&to);
  remove_all(in_root("whole.gguf"));
}

static adam_status try_convert(const char *source, const char *target, const char *type, adam_error *error) {
  const am_convert_options options = {.type = type, .n_threads = 1};
  return am_convert(source, target, &options, NULL, error);
}

static void refusals(void **state) {
  (void)state;
  adam_error error = {0};
  const char *source = model("qwen3-f32-gqa4");
  assert_int_equal(try_convert(source, in_root("x.gguf"), "other", &error), ADAM_INVALID);
  assert_non_null(strstr(error.hint, "q4_k_m"));
  assert_null(strstr(error.hint, "did you mean"));
  assert_int_equal(try_convert(source, in_root("x.gguf"), "q4_k_n", &error), ADAM_INVALID);
  assert_non_null(strstr(error.hint, "did you mean q4_k_m?"));
  assert_int_equal(try_convert(source, in_root("x.gguf"), "fp16", &error), ADAM_INVALID);
  assert_non_null(strstr(error.hint, "did you mean f16?"));
  assert_int_equal(try_convert(source, in_root("x"), "q8_0", &error), ADAM_INVALID);
  assert_int_equal(try_convert(in_root("nothing"), in_root("x.gguf"), NULL, &error), ADAM_NOT_FOUND);
  assert_int_equal(try_convert(model("gemma2-bf16"), in_root("x.gguf"), NULL, &error), ADAM_UNSUPPORTED);
  assert_int_equal(try_convert(model("phi2-f16-old-norms"), in_root("x.gguf"), NULL, &error), ADAM_UNSUPPORTED);
  convert_ok(source, in_root("x.gguf"), NULL, 1);
  assert_int_equal(try_convert(in_root("x.gguf"), in_root("x.gguf"), "f16", &error), ADAM_INVALID);
  convert_ok(in_root("x.gguf"), in_root("x"), NULL, 1);
  assert_int_equal(try_convert(in_root("x.gguf"), in_root("x"), NULL, &error), ADAM_INVALID);
  assert_int_equal(try_convert(in_root("x"), in_root("x"), NULL, &error), ADAM_INVALID);
  assert_int_equal(n_files(), 2);
  remove_all(in_root("x"));
  remove_all(in_root("x.gguf"));
}

static bool cancel(void *user, uint64_t done_bytes, uint64_t total_bytes) {
  (void)user;
  return done_bytes <= total_bytes;
}

static void cancelled(void **state) {
  (void)state;
  const am_convert_options options = {.n_threads = 2, .on_progress = cancel};
  assert_int_equal(am_convert(model("qwen3-bf16-tied"), in_root("c.gguf"), &options, NULL, NULL), ADAM_CANCELLED);
  assert_int_equal(am_convert(model("qwen3-bf16-tied"), in_root("c"), &options, NULL, NULL), ADAM_CANCELLED);
  assert_int_equal(n_files(), 0);
}

static char changed[256];

static bool touch(void *user, uint64_t done_bytes, uint64_t total_bytes) {
  (void)done_bytes;
  (void)total_bytes;
  if ((*(int *)user)++ == 0) assert_int_equal(utimensat(AT_FDCWD, changed, (const struct timespec[2]){{1, 0}, {1, 0}}, 0), 0);
  return false;
}

static bool vanish(void *user, uint64_t done_bytes, uint64_t total_bytes) {
  (void)done_bytes;
  (void)total_bytes;
  if ((*(int *)user)++ == 0) assert_int_equal(unlink(changed), 0);
  return false;
}

/* Who writes to the source meanwhile makes nothing of it; who removes it has the target all the same. */
static void source_changes(void **state) {
  (void)state;
  int n = 0;
  adam_error error = {0};
  am_convert_options options = {.n_threads = 1, .on_progress = touch, .user = &n};
  convert_ok(model("qwen3-bf16-tied"), in_root("source.gguf"), NULL, 1);
  snprintf(changed, sizeof changed, "%s", in_root("source.gguf"));
  assert_int_equal(am_convert(changed, in_root("t.gguf"), &options, NULL, &error), ADAM_IO);
  assert_non_null(strstr(error.why, "changed"));
  n = 0;
  assert_int_equal(am_convert(changed, in_root("t"), &options, NULL, &error), ADAM_OK); /* the time is the same again */
  remove_all(in_root("t"));
  n = 0;
  options.on_progress = vanish;
  assert_int_equal(am_convert(changed, in_root("t.gguf"), &options, NULL, &error), ADAM_OK);
  assert_int_equal(n_files(), 1);
  remove_all(in_root("t.gguf"));
}

static void no_room(void **state) {
  (void)state;
  struct rlimit before, small;
  adam_error error = {0};
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
  small = before;
  small.rlim_cur = 100000;
  convert_ok(model("qwen3-bf16-tied"), in_root("r.gguf"), NULL, 1);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
  assert_int_equal(try_convert(model("qwen3-bf16-tied"), in_root("s.gguf"), NULL, &error), ADAM_LIMIT);
  assert_int_equal(try_convert(in_root("r.gguf"), in_root("s"), NULL, &error), ADAM_LIMIT);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
  assert_int_equal(n_files(), 1);
  remove_all(in_root("r.gguf"));
}

/* Every n-th write, and every k-th allocation, from the first to beyond the last. */
static void faults(void **state) {
  (void)state;
  convert_ok(model("qwen3-f32-gqa4"), in_root("s.gguf"), NULL, 1);
  const char *const sources[] = {model("qwen3-f32-gqa4"), in_root("s.gguf"), model("prequant-gptq-4")};
  const char *const targets[] = {in_root("f.gguf"), in_root("f"), in_root("q.gguf")};
  for (int way = 0; way < 3; way++) {
    char source[512];
    snprintf(source, sizeof source, "%s", sources[way]);
    for (uint64_t n = 1;; n++) {
      am_file_fault_set(n);
      adam_status status = try_convert(source, targets[way], NULL, NULL);
      int fired = am_file_fault_fired();
      am_file_fault_set(0);
      assert_true(!fired || status != ADAM_OK || n > 2); /* what nothing depends on may fail */
      assert_int_equal(n_files(), status ? 1 : 2);
      remove_all(targets[way]);
      if (!fired) break;
      assert_true(n < 2000);
    }
    for (uint64_t n = 1;; n += 1 + n / 40) {
      am_mem_fault_set(n);
      adam_status status = try_convert(source, targets[way], NULL, NULL);
      int fired = am_mem_fault_fired();
      am_mem_fault_set(0);
      assert_true(status == ADAM_OK || status == ADAM_NO_MEMORY);
      assert_int_equal(n_files(), status ? 1 : 2);
      remove_all(targets[way]);
      if (!fired) break;
    }
  }
  remove_all(in_root("s.gguf"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(pairs_of_llama),       cmocka_unit_test(norms_of_gemma),
      cmocka_unit_test(what_older_readers_want), cmocka_unit_test(experts),              cmocka_unit_test(threads_show_nowhere),
      cmocka_unit_test(there_and_back),       cmocka_unit_test(sixteen_bits_and_back),
           cmocka_unit_test(from_gguf_to_gguf),
      cmocka_unit_test(source_changes),       cmocka_unit_test(refusals),             cmocka_unit_test(cancelled),
      cmocka_unit_test(no_room),              cmocka_unit_test(faults),
  };
  return cmocka_run_group_tests(tests, make_root, remove_root);
}

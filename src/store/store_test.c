/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/digest.h"
#include "base/mem.h"
#include "os/file.h"
#include "store/store.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[] = "store_test_XXXXXX";
static const char config[] = "{\"model_format\":\"gguf\",\"model_family\":\"llama\",\"file_type\":\"Q4_0\"}";

static int set_up(void **state) {
  (void)state;
  return mkdtemp(root) && chdir(root) == 0 ? 0 : -1;
}

static int tear_down(void **state) {
  (void)state;
  if (chdir("..") != 0) return -1;
  char command[64];
  snprintf(command, sizeof command, "rm -r %s", root);
  return system(command);
}

static int before_each(void **state) {
  (void)state;
  am_link_forbid(0);
  return system("rm -rf ./s ./weights ./far");
}

static void put(const char *path, const char *text) {
  char *folder = am_path_dirname(path);
  assert_int_equal(am_dir_make(folder, NULL), ADAM_OK);
  am_mem_free(folder);
  assert_int_equal(am_file_write_atomic(path, text, strlen(text), 0644, NULL), ADAM_OK);
}

/* A blob made by hand; its "sha256:HEX" in digest. */
static void put_blob(const char *text, char digest[72]) {
  char hex[65], path[128];
  assert_true(am_sha256_hex(text, strlen(text), hex));
  snprintf(path, sizeof path, "s/blobs/sha256-%s", hex);
  snprintf(digest, 72, "sha256:%s", hex);
  put(path, text);
}

static am_store *open_store(void) {
  am_store *store = NULL;
  assert_int_equal(am_store_open("s", true, &store, NULL), ADAM_OK);
  return store;
}

static am_store_name named(const char *text) {
  am_store_name name;
  assert_int_equal(am_store_name_parse(text, &name, NULL), ADAM_OK);
  return name;
}

static bool count_entry(void *user, const char *name) {
  (void)name;
  ++*(size_t *)user;
  return false;
}

static size_t n_in(const char *folder) {
  size_t n = 0;
  (void)am_dir_list(folder, count_entry, &n, NULL);
  return n;
}

/* Publishes NAME with `weights` (a file) and a template. */
static adam_status publish(am_store *store, const char *name, const char *weights, const char *template_text,
                           bool replace, uint64_t *added, adam_error *error) {
  am_store_piece pieces[2] = {{.kind = "model"}, {.kind = "template"}};
  am_buf bytes = {0};
  am_store_name parsed = named(name);
  am_link_method method;
  assert_int_equal(am_file_read(weights, 1000, &bytes, NULL), ADAM_OK);
  assert_true(am_sha256_hex(bytes.data, bytes.len, pieces[0].digest));
  am_buf_close(&bytes);
  adam_status status = am_store_add_file(store, weights, pieces[0].digest, &method, added, error);
  if (!status)
    status = am_store_add_bytes(store, template_text, strlen(template_text), pieces[1].digest, NULL, error);
  return status ? status : am_store_publish(store, &parsed, config, pieces, 2, replace, error);
}

static void test_read(void **state) {
  (void)state;
  char c[72], w[72], t[72], p[72], m[72], l[72], manifest[4096];
  put_blob(config, c);
  put_blob("GGUF....", w);
  put_blob("{{ .Prompt }}", t);
  put_blob("{\"stop\":[\"<|end|>\"],\"temperature\":0.5}", p);
  put_blob("[{\"role\":\"user\",\"content\":\"hi\"}]", m);
  put_blob("MIT", l);
  int n = snprintf(manifest, sizeof manifest,
                   "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"x\",\"digest\":\"%s\",\"size\":%zu},\"layers\":["
                   "{\"mediaType\":\"application/vnd.ollama.image.model\",\"digest\":\"%s\",\"size\":8,\"from\":\"x/y\"},"
                   "{\"mediaType\":\"application/vnd.ollama.image.template\",\"digest\":\"%s\",\"size\":13},"
                   "{\"mediaType\":\"application/vnd.ollama.image.params\",\"digest\":\"%s\",\"size\":38},"
                   "{\"mediaType\":\"application/vnd.ollama.image.messages\",\"digest\":\"%s\",\"size\":32},"
                   "{\"mediaType\":\"application/vnd.ollama.image.license\",\"digest\":\"%s\",\"size\":3},"
                   "{\"mediaType\":\"application/vnd.ollama.image.license\",\"digest\":\"%s\",\"size\":3}]}",
                   c, strlen(config), w, t, p, m, l, l);
  assert_true(n > 0 && (size_t)n < sizeof manifest);
  put("s/manifests/registry.ollama.ai/library/Some/Tag", manifest);
  put("s/manifests/hf.co/a/B-GGUF/Q4_K_M", manifest);
  put("s/manifests/registry.ollama.ai/library/Some/.DS_Store", "x");
  am_store *store = open_store();
  am_store_model *model = NULL;
  am_store_name name = named("some:tag");
  assert_int_equal(am_store_model_open(store, &name, &model, NULL), ADAM_OK);
  assert_int_equal(am_store_model_check(model, NULL), ADAM_OK);
  assert_string_equal(model->name.model, "Some"); /* the stored case */
  assert_string_equal(model->weights->digest, w + 7);
  assert_string_equal(model->weights->from, "x/y");
  assert_string_equal(model->template_text, "{{ .Prompt }}");
  assert_string_equal(am_json_str(am_json_at(am_json_get(model->params, "stop"), 0), ""), "<|end|>");
  assert_string_equal(am_json_str(am_json_get(am_json_at(model->messages, 0), "content"), ""), "hi");
  assert_int_equal(model->n_licenses, 2);
  assert_string_equal(model->quantization, "Q4_0");
  assert_int_equal(model->bytes, strlen(config) + 8 + 13 + 38 + 32 + 6);
  char hex[65];
  assert_true(am_sha256_hex(manifest, (size_t)n, hex));
  assert_string_equal(model->digest, hex);
  size_t uses = 0;
  assert_int_equal(am_store_uses(store, l + 7, NULL, &uses, NULL), ADAM_OK);
  assert_int_equal(uses, 2);
  assert_int_equal(am_store_uses(store, l + 7, &model->name, &uses, NULL), ADAM_OK);
  assert_int_equal(uses, 1);
  am_store_model_close(&model);
  name = named("hf.co/a/b-gguf:q4_k_m");
  assert_int_equal(am_store_model_open(store, &name, &model, NULL), ADAM_OK);
  am_store_model_close(&model);
  name = named("none");
  assert_int_equal(am_store_model_open(store, &name, &model, NULL), ADAM_NOT_FOUND);
  am_store_close(&store);
}

static void test_publish(void **state) {
  (void)state;
  put("weights", "GGUF1234");
  am_store *store = open_store();
  uint64_t added = 1, inode, of_weights, freed = 0;
  adam_error error = {0};
  bool kept = true;
  assert_int_equal(publish(store, "me/New-Model", "weights", "{{ .Prompt }}", false, &added, &error), ADAM_OK);
  assert_int_equal(added, 0);
  assert_int_equal(n_in("s/blobs"), 3);
  assert_int_equal(n_in("s"), 2); /* no stage is left */
  am_store_model *model = NULL;
  am_store_name name = named("me/new-model"), second = named("copy:x"), third = named("third");
  assert_int_equal(am_store_model_open(store, &name, &model, NULL), ADAM_OK);
  assert_int_equal(am_store_model_check(model, NULL), ADAM_OK);
  assert_true(am_file_identity(model->weights->path, NULL, &inode, NULL, NULL));
  assert_true(am_file_identity("weights", NULL, &of_weights, NULL, NULL));
  assert_int_equal(inode, of_weights);
  am_store_model_close(&model);
  assert_int_equal(publish(store, "me/NEW-model", "weights", "other", false, &added, &error), ADAM_INVALID);
  assert_int_equal(publish(store, "me/NEW-model", "weights", "other", true, &added, &error), ADAM_OK);
  assert_int_equal(n_in("s/manifests/registry.ollama.ai/me"), 1);
  assert_int_equal(n_in("s/blobs"), 3); /* the old template went */
  assert_int_equal(am_store_copy(store, &name, &second, &error), ADAM_OK);
  assert_int_equal(am_store_copy(store, &name, &second, &error), ADAM_INVALID);
  assert_int_equal(am_store_rename(store, &second, &third, &error), ADAM_OK);
  assert_false(am_file_is_dir("s/manifests/registry.ollama.ai/library/copy"));
  assert_int_equal(am_store_remove(store, &name, &freed, &kept, &error), ADAM_OK);
  assert_int_equal(freed, 0);
  assert_false(kept);
  assert_int_equal(n_in("s/blobs"), 3);
  assert_int_equal(am_store_remove(store, &third, &freed, &kept, &error), ADAM_OK);
  assert_int_equal(freed, strlen(config) + 5); /* the weights have another name still */
  assert_int_equal(n_in("s/blobs"), 0);
  assert_int_equal(n_in("s/manifests"), 0);
  assert_int_equal(am_store_remove(store, &third, &freed, &kept, &error), ADAM_NOT_FOUND);
  am_store_close(&store);
}

static void test_copies(void **state) {
  (void)state;
  put("weights", "GGUF1234");
  am_link_forbid(1u << AM_LINK_HARD | 1u << AM_LINK_REFLINK);
  am_store *store = open_store();
  uint64_t added = 0;
  char wrong[65], path[65] = "../../x";
  adam_error error = {0};
  am_link_method method;
  memset(wrong, 'a', 64), wrong[64] = 0;
  assert_int_equal(am_store_add_file(store, "weights", wrong, &method, &added, &error), ADAM_DAMAGED);
  assert_int_equal(am_store_add_file(store, "weights", path, &method, &added, &error), ADAM_INVALID);
  assert_int_equal(publish(store, "m", "weights", "t", false, &added, &error), ADAM_OK);
  assert_int_equal(added, 8);
  am_store_close(&store);
  assert_int_equal(n_in("s"), 2);
}

static void put_manifest(const char *layers) {
  char text[4096];
  char c[72];
  put_blob(config, c);
  snprintf(text, sizeof text, "{\"config\":{\"digest\":\"%s\",\"size\":%zu},\"layers\":[%s]}", c, strlen(config), layers);
  put("s/manifests/registry.ollama.ai/library/bad/latest", text);
}

static void test_hostile(void **state) {
  (void)state;
  char w[72], text[1000];
  static const char *const damaged[] = {
      "{\"digest\":\"sha256:../../../../../../../../etc/passwd\",\"size\":1}",
      "{\"digest\":\"sha256-\",\"size\":1}",
      "{\"digest\":7,\"size\":1}",
      "{\"size\":1}",
      "7",
      "{\"digest\":\"sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\",\"size\":-1}",
      "{\"digest\":\"sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\",\"size\":1e300}",
      "{\"digest\":\"sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}",
  };
  am_store *store = open_store();
  am_store_model *model = NULL;
  am_store_name name = named("bad");
  for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
    put_manifest(damaged[i]);
    assert_int_equal(am_store_model_open(store, &name, &model, NULL), ADAM_DAMAGED);
  }
  put_blob("GGUF....", w);
  snprintf(text, sizeof text, "{\"mediaType\":\"application/vnd.ollama.image.model\",\"digest\":\"%s\",\"size\":10000000000}", w);
  put_manifest(text);
  assert_int_equal(am_store_model_open(store, &name, &model, NULL), ADAM_OK);
  assert_true(model->weights->is_missing);
  assert_int_equal(am_store_model_check(model, NULL), ADAM_DAMAGED);
  am_store_model_close(&model);
  static const struct {
    const char *kind, *says;
  } unsupported[] = {{"adapter", "LoRA"}, {"projector", "projector"}, {"tensor", "no layer with a model"}};
  for (size_t i = 0; i < sizeof unsupported / sizeof *unsupported; i++) {
    adam_error error = {0};
    snprintf(text, sizeof text, "{\"mediaType\":\"application/vnd.ollama.image.%s\",\"digest\":\"%s\",\"size\":8}",
             unsupported[i].kind, w);
    put_manifest(text);
    assert_int_equal(am_store_model_open(store, &name, &model, NULL), ADAM_OK);
    assert_int_equal(am_store_model_check(model, &error), ADAM_UNSUPPORTED);
    assert_non_null(strstr(error.why, unsupported[i].says));
    am_store_model_close(&model);
  }
  put("s/manifests/registry.ollama.ai/library/bad/latest", "{\"layers\":[");
  assert_int_equal(am_store_model_open(store, &name, &model, NULL), ADAM_DAMAGED);
  am_store_close(&store);
}

/* A damaged manifest elsewhere, and links that lead out of the store: nothing else goes. */
static void test_careful_removal(void **state) {
  (void)state;
  put("weights", "GGUF1234");
  put("far/library/m/latest", "{}");
  am_store *store = open_store();
  bool kept = false;
  uint64_t freed = 0;
  am_store_name name = named("m"), damaged = named("damaged"), led = named("far.host/library/m");
  assert_int_equal(publish(store, "m", "weights", "t", false, NULL, NULL), ADAM_OK);
  put("s/manifests/registry.ollama.ai/library/damaged/latest", "{");
  assert_int_equal(am_store_remove(store, &name, &freed, &kept, NULL), ADAM_OK);
  assert_true(kept);
  assert_int_equal(n_in("s/blobs"), 3);
  assert_int_equal(am_store_remove(store, &damaged, &freed, &kept, NULL), ADAM_OK);
  assert_int_equal(n_in("s/manifests"), 0);
  assert_int_equal(symlink("../../far", "s/manifests/far.host"), 0);
  assert_int_equal(am_store_remove(store, &led, &freed, &kept, NULL), ADAM_DAMAGED);
  assert_true(am_file_is_regular("far/library/m/latest"));
  am_store_close(&store);
}

static char digest_of[65];
static am_store *recovering;

/* What a killed writer leaves: a stage without a holder. */
static void test_recovery(void **state) {
  (void)state;
  put("weights", "GGUF1234");
  assert_true(am_sha256_hex("GGUF1234", 8, digest_of));
  char path[200];
  recovering = open_store();
  assert_int_equal(publish(recovering, "m", "weights", "t", false, NULL, NULL), ADAM_OK);
  /* killed after its blob, before its manifest: undone */
  put("s/.adam-stage-1/manifest", "{}");
  put("s/.adam-stage-1/sha256-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "x");
  assert_int_equal(link("s/.adam-stage-1/sha256-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                        "s/blobs/sha256-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), 0);
  /* killed after its manifest, its blob pruned since: put back */
  snprintf(path, sizeof path, "s/.adam-stage-2/sha256-%s", digest_of);
  assert_int_equal(mkdir("s/.adam-stage-2", 0755), 0);
  assert_int_equal(link("weights", path), 0);
  snprintf(path, sizeof path, "s/blobs/sha256-%s", digest_of);
  assert_int_equal(unlink(path), 0);
  am_store_name from = named("m"), to = named("n");
  assert_int_equal(am_store_copy(recovering, &from, &to, NULL), ADAM_OK);
  assert_int_equal(n_in("s"), 2);
  assert_int_equal(n_in("s/blobs"), 3);
  assert_true(am_file_is_regular(path));
  am_store_close(&recovering);
}

static adam_status publish_again(am_store **store) {
  const char *t = "template";
  am_store_name name = named("m");
  am_store_piece pieces[2] = {{.kind = "model"}, {.kind = "template"}};
  memcpy(pieces[0].digest, digest_of, 65);
  adam_status status = am_store_open("s", true, store, NULL);
  if (!status) status = am_store_add_file(*store, "weights", digest_of, NULL, NULL, NULL);
  if (!status) status = am_store_add_bytes(*store, t, strlen(t), pieces[1].digest, NULL, NULL);
  return status ? status : am_store_publish(*store, &name, config, pieces, 2, true, NULL);
}

static adam_status open_again(am_store **store) {
  am_store_name name = named("m");
  am_store_model *model = NULL;
  adam_status status = am_store_open("s", false, store, NULL);
  if (!status) status = am_store_model_open(*store, &name, &model, NULL);
  am_store_model_close(&model);
  return status;
}

static void test_memory(void **state) {
  (void)state;
  put("weights", "GGUF1234");
  assert_true(am_sha256_hex("GGUF1234", 8, digest_of));
  for (size_t step = 0; step < 2; step++)
    for (uint64_t n = 1;; n++) {
      am_store *store = NULL;
      am_mem_fault_set(n);
      adam_status status = step ? open_again(&store) : publish_again(&store);
      bool fired = am_mem_fault_fired() != 0;
      am_mem_fault_set(0);
      am_store_close(&store);
      if (fired) continue;
      assert_int_equal(status, ADAM_OK);
      break;
    }
  assert_int_equal(n_in("s"), 2); /* what a failure left, the next call took away */
  assert_int_equal(n_in("s/blobs"), 3);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(test_read, before_each),
      cmocka_unit_test_setup(test_publish, before_each),
      cmocka_unit_test_setup(test_copies, before_each),
      cmocka_unit_test_setup(test_hostile, before_each),
      cmocka_unit_test_setup(test_careful_removal, before_each),
      cmocka_unit_test_setup(test_recovery, before_each),
      cmocka_unit_test_setup(test_memory, before_each),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}

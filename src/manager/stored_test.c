/* SPDX-License-Identifier: Apache-2.0 */
/* Models of the Ollama store: what is told of them, with every allocation failing in turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/digest.h"
#include "base/mem.h"
#include "manager/origin.h"
#include "manager/stored.h"
#include "os/file.h"
#include "store/store.h"
#include <adam/manager.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char root[1024] = "";
static const char gguf[] = ADAM_SOURCE_DIR "/tests/golden/models/gguf-qwen3-k-quants/model.gguf";

static int set_up(void **state) {
  (void)state;
  char here[900];
  if (!getcwd(here, sizeof here)) return -1;
  (void)snprintf(root, sizeof root, "%s/stored_test_XXXXXX", here);
  if (!mkdtemp(root) || chdir(root) != 0) return -1;
  return setenv("OLLAMA_MODELS", root, 1) || setenv("HF_HUB_CACHE", "none", 1) || setenv("ADAM_CACHE_DIR", "none", 1) ||
         setenv("OLLAMA_HOST", "127.0.0.1:1", 1);
}

static int tear_down(void **state) {
  (void)state;
  char command[1100];
  if (chdir("/") != 0) return -1;
  (void)snprintf(command, sizeof command, "rm -r '%s'", root);
  return system(command);
}

static void publish(void) {
  static const struct {
    const char *kind, *text;
  } layers[] = {{"template", "{{ range .Messages }}{{ .Content }}{{ end }}"},
                {"params", "{\"stop\":[\"<|im_end|>\",\"x\"],\"temperature\":0,\"mirostat\":1}"},
                {"system", "S"},
                {"messages", "[{\"role\":\"user\",\"content\":\"Hi\"}]"},
                {"license", "MIT\nmore"}};
  am_store *store = NULL;
  am_store_name name;
  am_link_method method;
  uint64_t added;
  am_file_map map = {0};
  am_store_piece pieces[6] = {{.kind = "model"}};
  assert_int_equal(am_store_open(root, true, &store, NULL), ADAM_OK);
  assert_int_equal(am_file_map_open(gguf, &map, NULL), ADAM_OK);
  assert_true(am_sha256_hex(map.bytes, map.size, pieces[0].digest));
  am_file_map_close(&map);
  assert_int_equal(am_store_add_file(store, gguf, pieces[0].digest, &method, &added, NULL), ADAM_OK);
  for (size_t i = 0; i < 5; i++) {
    pieces[i + 1].kind = layers[i].kind;
    assert_int_equal(am_store_add_bytes(store, layers[i].text, strlen(layers[i].text), pieces[i + 1].digest, NULL, NULL),
                     ADAM_OK);
  }
  assert_int_equal(am_store_name_parse("Tiny", &name, NULL), ADAM_OK);
  assert_int_equal(am_store_publish(store, &name, "{\"model_format\":\"gguf\",\"file_type\":\"Q4_K_M\"}", pieces, 6, true, NULL),
                   ADAM_OK);
  am_store_close(&store);
}

static adam_status resolve(void) {
  char *model = NULL;
  bool ask;
  adam_status status = am_stored_resolve("TINY", &model, &ask, NULL);
  if (!status) assert_string_equal(model, "ollama:Tiny:latest");
  assert_false(ask);
  am_mem_free(model);
  return status;
}

static void on_model(void *user, const adam_model_entry *entry) {
  if (strcmp(entry->name, "ollama:Tiny:latest") != 0) return;
  ++*(size_t *)user;
  assert_string_equal(entry->quantization, "q4_k_m");
  assert_string_equal(entry->reachable, "both");
  assert_string_equal(entry->store, "ollama");
}

static adam_status list(void) {
  size_t n = 0;
  adam_status status = am_stored_list(on_model, &n, NULL);
  if (!status) assert_int_equal(n, 1);
  return status;
}

static adam_status files(void) {
  am_stored_files all;
  adam_status status = am_stored_files_open(&all, NULL);
  if (!status) {
    assert_int_equal(all.n, 1);
    assert_int_equal(am_stored_files_find(&all, "none", 0), 1);
    assert_int_equal(am_stored_files_find(&all, root, 0), 1);
  }
  am_stored_files_close(&all);
  return status;
}

static adam_status origin(void) {
  char *json = NULL;
  static const char path[] = "hub/models--a--b--c/snapshots/0123/sub/f.gguf";
  adam_status status = am_origin_of(path, &json, NULL);
  if (!status)
    assert_string_equal(json, "{\"store\":\"huggingface\",\"root\":\"hub\",\"repository\":\"a/b/c\",\"commit\":\"0123\","
                              "\"revisions\":[],\"file\":\"sub/f.gguf\",\"also\":[]}");
  am_mem_free(json);
  return status;
}

static adam_status describe(void) {
  adam_manager *manager = NULL;
  adam_model_info info = {.struct_size = sizeof info};
  adam_manager_options options = {.struct_size = sizeof options, .model = "ollama:tiny"};
  options.model_options.struct_size = sizeof options.model_options;
  options.model_options.describe = true;
  adam_status status = adam_manager_open(&options, &manager, NULL);
  if (!status) {
    assert_int_equal(adam_manager_info(manager, &info, NULL), ADAM_OK);
    assert_non_null(info.origin_json);
    assert_string_equal(info.license, "MIT");
    assert_true(info.defaults.set & ADAM_SET_TEMPERATURE);
  }
  adam_manager_close(&manager);
  return status;
}

static void test_faults(void **state) {
  (void)state;
  adam_status (*const steps[])(void) = {resolve, list, files, origin, describe};
  publish();
  for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
    for (uint64_t n = 1;; n++) {
      am_mem_fault_set(n);
      adam_status status = steps[i]();
      bool fired = am_mem_fault_fired() != 0;
      am_mem_fault_set(0);
      if (fired) continue;
      assert_int_equal(status, ADAM_OK);
      break;
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_faults)};
  return cmocka_run_group_tests(tests, set_up, tear_down);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/select.h"

#include "base/json.h"
#include "base/mem.h"
#include "hub/folder.h"
#include "os/file.h"
#include <ctype.h>
#include <string.h>
#include <strings.h>

const char am_hub_index_name[] = "model.safetensors.index.json";
static const char single_name[] = "model.safetensors";

/* Files beside the weights that something reads: transformers, sentence-transformers, adam. */
static const char *const beside[] = {
    "config.json",           "generation_config.json",  "tokenizer.json",          "tokenizer_config.json",
    "special_tokens_map.json", "added_tokens.json",     "vocab.json",              "merges.txt",
    "tokenizer.model",       "spiece.model",            "sentencepiece.bpe.model", "vocab.txt",
    "chat_template.jinja",   "chat_template.json",      "modules.json",            "config_sentence_transformers.json",
    "sentence_bert_config.json", "quantize_config.json", "quant_config.json",      "params",
    "template",
};
enum { MAX_PAPERS = 32 };
/* For provenance: what may be done with the model. Any ending. */
static const char *const papers[] = {"README", "LICENSE", "LICENCE", "NOTICE", "USE_POLICY", "COPYING"};

static bool is_beside(const char *name) {
  for (size_t i = 0; i < sizeof beside / sizeof *beside; i++)
    if (!strcmp(name, beside[i])) return true;
  return false;
}

static bool is_paper(const char *name) {
  for (size_t i = 0; i < sizeof papers / sizeof *papers; i++) {
    size_t n = strlen(papers[i]);
    if (!strncasecmp(name, papers[i], n) && (name[n] == 0 || !isalnum((unsigned char)name[n]))) return true;
  }
  return false;
}

/* "1_Pooling/", "2_Dense/": the steps of sentence-transformers. */
static bool is_step(const char *path) {
  size_t n = strspn(path, "0123456789");
  return n > 0 && path[n] == '_';
}

static bool is_wanted_beside(const char *path) {
  const char *slash = strchr(path, '/');
  if (!slash) return is_beside(path) || is_paper(path);
  if (!strncmp(path, "additional_chat_templates/", 26)) return am_hub_ends_with(path, ".jinja");
  return is_step(path) && !strchr(slash + 1, '/') && (is_beside(slash + 1) || !strcmp(slash + 1, single_name));
}

static bool is_gguf(const char *path) {
  return am_hub_ends_with(path, ".gguf") && strncasecmp(am_path_basename(path), "mmproj", 6) != 0;
}

/* A file that may be wanted as the model's one GGUF: of parts only the first. */
static bool is_first_gguf(const char *path) { return is_gguf(path) && am_hub_part_number(path) <= 1; }

/* Wants `file`, and the other parts where it is one of several. ADAM_DAMAGED: a part is not there. */
static adam_status want_gguf(const am_hub_tree *tree, size_t file, const char *what, bool *wanted,
                             adam_error *error) {
  static const char tail[] = "00001-of-00001.gguf";
  const char *path = tree->files[file].path;
  wanted[file] = true;
  if (am_hub_part_number(path) == 0) return ADAM_OK;
  size_t n_stem = strlen(path) - (sizeof tail - 1);
  int n_parts = 0, n_found = 0;
  for (const char *p = path + n_stem + 9; *p != '.'; p++) n_parts = n_parts * 10 + (*p - '0');
  for (size_t i = 0; i < tree->n_files; i++) {
    const char *other = tree->files[i].path;
    if (strlen(other) != strlen(path) || strncmp(other, path, n_stem) != 0 ||
        strcmp(other + n_stem + 5, path + n_stem + 5) != 0 || am_hub_part_number(other) == 0)
      continue;
    wanted[i] = true;
    n_found++;
  }
  if (n_found == n_parts) return ADAM_OK;
  return am_fail(error, ADAM_DAMAGED, what, NULL, "the repository has %d of the %d parts of %s", n_found, n_parts,
                 path);
}

/* The GGUFs whose path has the word (NULL = all): how many, and the first. */
static size_t find_gguf(const am_hub_tree *tree, const char *word, size_t *first) {
  size_t n = 0;
  for (size_t i = 0; i < tree->n_files; i++) {
    const char *path = tree->files[i].path;
    if (!is_first_gguf(path) || (word && !am_hub_has_word(am_path_basename(path), word))) continue;
    if (n++ == 0) *first = i;
  }
  return n;
}

/* The error with the GGUFs that there are. */
static adam_status fail_ggufs(const am_hub_tree *tree, bool file_named, adam_status status, const char *what,
                              const char *why, adam_error *error) {
  const char **names = am_mem_zalloc(tree->n_files + 1, sizeof *names);
  if (!names) return am_fail_memory(error, what);
  size_t n = 0;
  for (size_t i = 0; i < tree->n_files; i++)
    if (is_first_gguf(tree->files[i].path)) names[n++] = tree->files[i].path;
  am_hub_fail_choice(names, n, file_named, status, what, why, error);
  am_mem_free(names);
  return status;
}

static adam_status select_gguf(const am_hub_tree *tree, const char *choice, const char *what, bool *wanted,
                               adam_error *error) {
  size_t first = 0, n = find_gguf(tree, choice, &first);
  if (n > 1 && !choice) {
    n = find_gguf(tree, "q4_k_m", &first);
    if (n != 1) return fail_ggufs(tree, false, ADAM_INVALID, what, "it has several GGUF files", error);
  }
  if (n == 0) return fail_ggufs(tree, false, ADAM_NOT_FOUND, what, "no GGUF of that quantization", error);
  if (n > 1) return fail_ggufs(tree, false, ADAM_INVALID, what, "several GGUF files have that quantization", error);
  return want_gguf(tree, first, what, wanted, error);
}

/* No safetensors and no GGUF: what else there is, in words; a tokenizer alone is fine. */
static adam_status no_weights(const am_hub_tree *tree, const char *what, adam_error *error) {
  static const char *const pickles[] = {".bin", ".pt", ".pth", ".ckpt", ".pkl"};
  const char *pickle = NULL, *other = NULL;
  for (size_t i = 0; i < tree->n_files; i++) {
    const char *path = tree->files[i].path;
    for (size_t k = 0; k < sizeof pickles / sizeof *pickles; k++)
      if (am_hub_ends_with(path, pickles[k]) && !strchr(path, '/')) pickle = path;
    if (am_hub_ends_with(path, ".safetensors")) other = path;
  }
  if (am_hub_tree_find(tree, "adapter_config.json"))
    return am_fail(error, ADAM_UNSUPPORTED, what, "pull the model that it was made for, or a merged one",
                   "it is an adapter (LoRA), not a whole model");
  if (pickle)
    return am_fail(error, ADAM_UNSUPPORTED, what, "look for a safetensors or GGUF version of the model",
                   "its weights are a Python pickle (%s), which could run any program", pickle);
  if (other)
    return am_fail(error, ADAM_UNSUPPORTED, what, "name a file behind the model: ORG/NAME:FILE",
                   "no model.safetensors and no GGUF, but for example %s", other);
  if (am_hub_tree_find(tree, "tokenizer.json") || am_hub_tree_find(tree, "tokenizer.model") ||
      am_hub_tree_find(tree, "vocab.txt"))
    return ADAM_OK;
  return am_fail(error, ADAM_UNSUPPORTED, what, NULL, "the repository has no model: no safetensors, no GGUF");
}

static adam_status select_file(const am_hub_tree *tree, const char *choice, const char *what, bool *wanted,
                               adam_error *error) {
  for (size_t i = 0; i < tree->n_files; i++) {
    if (strcmp(tree->files[i].path, choice) != 0) continue;
    if (am_hub_ends_with(choice, ".gguf")) return want_gguf(tree, i, what, wanted, error);
    wanted[i] = true;
    return ADAM_OK;
  }
  if (am_hub_ends_with(choice, ".gguf"))
    return fail_ggufs(tree, true, ADAM_NOT_FOUND, what, "the model has no such file", error);
  return am_fail(error, ADAM_NOT_FOUND, what, NULL, "the model has no file %s", choice);
}

adam_status am_hub_select(const am_hub_tree *tree, const char *choice, const char *what, bool *wanted,
                          adam_error *error) {
  size_t first;
  for (size_t i = 0, n_papers = 0; i < tree->n_files; i++) {
    const char *path = tree->files[i].path;
    wanted[i] = is_wanted_beside(path) && (is_beside(am_path_basename(path)) || n_papers++ < MAX_PAPERS);
  }
  if (choice && (am_hub_ends_with(choice, ".gguf") || am_hub_ends_with(choice, ".safetensors")))
    return select_file(tree, choice, what, wanted, error);
  if (choice) return select_gguf(tree, choice, what, wanted, error);
  bool has_single = false, has_index = false;
  for (size_t i = 0; i < tree->n_files; i++) {
    if (!strcmp(tree->files[i].path, single_name)) has_single = wanted[i] = true;
  }
  for (size_t i = 0; i < tree->n_files && !has_single; i++)
    if (!strcmp(tree->files[i].path, am_hub_index_name)) has_index = wanted[i] = true;
  if (has_single || has_index) return ADAM_OK;
  if (find_gguf(tree, NULL, &first)) return select_gguf(tree, NULL, what, wanted, error);
  return no_weights(tree, what, error);
}

adam_status am_hub_select_shards(const am_hub_tree *tree, const char *json, size_t n_bytes, const char *what,
                                 bool *wanted, adam_error *error) {
  am_arena arena = {.limit_bytes = (size_t)1 << 30};
  am_json index = {0};
  adam_status status = am_json_parse(json, n_bytes, what, 0, &arena, &index, error);
  const am_json *map = status ? NULL : am_json_get(&index, "weight_map");
  if (!status && (!map || map->type != AM_JSON_OBJECT || map->n == 0))
    status = am_fail(error, ADAM_DAMAGED, what, NULL, "%s has no weight_map", am_hub_index_name);
  for (uint32_t i = 0; !status && i < map->n; i++) {
    const char *name = am_json_str(&map->as.members[i].value, "");
    const am_hub_file *file = am_hub_tree_find(tree, name);
    if (!file || !am_hub_ends_with(name, ".safetensors"))
      status = am_fail(error, ADAM_DAMAGED, what, NULL, "%s names %.100s, which the repository does not have",
                       am_hub_index_name, name);
    else
      wanted[file - tree->files] = true;
  }
  am_arena_close(&arena);
  return status;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/folder.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "formats/gguf.h"
#include "os/file.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_CONFIG_BYTES = 4 << 20, MAX_CHOICES = 200, MAX_CHOICE_BYTES = 250 };

/* What a folder holds. GGUF names are relative; of a file in parts only the first. */
typedef struct listing {
  const char *folder;
  const char *below; /* sub-folder being read; NULL = the folder itself */
  char **names;
  size_t n;
  bool has_weights; /* .safetensors */
  bool has_parts;   /* files that a tokenizer or a template could be read from */
  bool failed;
} listing;

bool am_hub_ends_with(const char *text, const char *ending) {
  size_t n = strlen(text), k = strlen(ending);
  return n >= k && !strcasecmp(text + n - k, ending);
}

int am_hub_part_number(const char *name) {
  static const char form[] = "-ddddd-of-ddddd.gguf";
  size_t n = strlen(name), k = sizeof form - 1;
  if (n <= k) return 0;
  const char *tail = name + n - k;
  for (size_t i = 0; i < k; i++)
    if (form[i] == 'd' && i < 15 ? !isdigit((unsigned char)tail[i]) : tail[i] != form[i]) return 0;
  return atoi(tail + 1);
}

static bool add_name(listing *l, const char *name) {
  char **names = am_mem_resize(l->names, l->n + 1, sizeof *names);
  if (!names) return false;
  l->names = names;
  names[l->n] = l->below ? am_path_join(l->below, name) : am_mem_dup(name, strlen(name));
  if (!names[l->n]) return false;
  l->n++;
  return true;
}

static bool see_file(void *user, const char *name) {
  listing *l = user;
  if (am_hub_ends_with(name, ".gguf") && strncasecmp(name, "mmproj", 6) && am_hub_part_number(name) <= 1)
    l->failed = !add_name(l, name);
  static const char *const parts[] = {".json", ".jinja", ".model", ".txt"};
  if (!l->below && am_hub_ends_with(name, ".safetensors")) l->has_weights = true;
  for (size_t i = 0; i < sizeof parts / sizeof *parts && !l->below; i++)
    if (am_hub_ends_with(name, parts[i])) l->has_parts = true;
  return l->failed;
}

static bool see_folder(void *user, const char *name) {
  listing *l = user;
  char *path = am_path_join(l->folder, name);
  l->below = name;
  if (!path)
    l->failed = true;
  else if (am_file_is_dir(path))
    am_dir_list(path, see_file, l, NULL);
  am_mem_free(path);
  return l->failed;
}

static adam_status list_folder(listing *l, adam_error *error) {
  adam_status status = am_dir_list(l->folder, see_file, l, error);
  if (!status && !l->failed && !l->n) status = am_dir_list(l->folder, see_folder, l, error);
  return !status && l->failed ? am_fail_memory(error, l->folder) : status;
}

bool am_hub_has_word(const char *name, const char *word) {
  size_t n = strlen(word);
  for (const char *p = name; (p = strcasestr(p, word)); p++)
    if ((p == name || !isalnum((unsigned char)p[-1])) && !isalnum((unsigned char)p[n]) && p[n] != '_')
      return true;
  return false;
}

static const char *find_gguf(const listing *l, const char *word, size_t *n_found) {
  const char *found = NULL;
  *n_found = 0;
  for (size_t i = 0; i < l->n; i++)
    if (!word || am_hub_has_word(am_path_basename(l->names[i]), word)) {
      if (!found) found = l->names[i];
      ++*n_found;
    }
  return found;
}

static adam_status fail_listing(const listing *l, bool file_named, adam_status status, const char *what,
                                const char *why, adam_error *error) {
  return am_hub_fail_choice((const char *const *)l->names, l->n, file_named, status, what, why, error);
}

/* The name of what is meant; "" = the folder itself. Borrowed from the listing or `choice`. */
static adam_status choose(const listing *l, const char *choice, const char *what, const char **name,
                          adam_error *error) {
  size_t n_found = 0;
  /* Without any weights the tokenizer and the template may still be wanted. */
  if (!choice && (l->has_weights || (!l->n && l->has_parts))) return *name = "", ADAM_OK;
  if (choice && (am_hub_ends_with(choice, ".gguf") || am_hub_ends_with(choice, ".safetensors"))) {
    bool inside =
        *choice != '/' && strcmp(choice, "..") && strncmp(choice, "../", 3) && !strstr(choice, "/../");
    char *path = inside ? am_path_join(l->folder, choice) : NULL;
    bool there = path && am_file_is_regular(path);
    am_mem_free(path);
    if (!there) return fail_listing(l, true, ADAM_NOT_FOUND, what, "the model has no such file", error);
    return *name = choice, ADAM_OK;
  }
  const char *found = find_gguf(l, choice, &n_found);
  if (!choice && n_found > 1) {
    found = find_gguf(l, "q4_k_m", &n_found);
    if (n_found != 1) return fail_listing(l, false, ADAM_INVALID, what, "it has several GGUF files", error);
  }
  if (n_found == 0)
    return fail_listing(l, false, ADAM_NOT_FOUND, what,
                        choice ? "no GGUF of that quantization" : "no model files in the folder", error);
  if (n_found > 1)
    return fail_listing(l, false, ADAM_INVALID, what, "several GGUF files have that quantization", error);
  return *name = found, ADAM_OK;
}

static void close_listing(listing *l) {
  for (size_t i = 0; i < l->n; i++) am_mem_free(l->names[i]);
  am_mem_free(l->names);
}

adam_status am_hub_pick(const char *folder, const char *choice, const char *what, char **path,
                        adam_error *error) {
  listing l = {.folder = folder};
  const char *name = NULL;
  adam_status status = list_folder(&l, error);
  if (!status) status = choose(&l, choice, what, &name, error);
  if (!status) {
    char *picked = *name ? am_path_join(folder, name) : am_mem_dup(folder, strlen(folder));
    if (picked)
      *path = picked;
    else
      status = am_fail_memory(error, what);
  }
  close_listing(&l);
  return status;
}

adam_status am_hub_each(const char *folder, bool (*on_name)(void *user, const char *name), void *user,
                        adam_error *error) {
  listing l = {.folder = folder};
  adam_status status = list_folder(&l, error);
  bool stop = !status && l.has_weights && on_name(user, "");
  for (size_t i = 0; i < l.n && !status && !stop; i++) stop = on_name(user, l.names[i]);
  close_listing(&l);
  return status;
}

/* Is [p, end) the name of a weight type: q4_k_m, iq2_xs, f16, bf16 ...? */
static bool is_type(const char *p, const char *end) {
  size_t n = (size_t)(end - p);
  if ((n == 3 && (!strncasecmp(p, "f16", 3) || !strncasecmp(p, "f32", 3))) ||
      (n == 4 && !strncasecmp(p, "bf16", 4)))
    return true;
  if (n && (*p == 'i' || *p == 'I')) p++;
  return end - p >= 2 && (*p == 'q' || *p == 'Q') && isdigit((unsigned char)p[1]) &&
         (end - p == 2 || p[2] == '_');
}

static char *lower(const char *text, size_t n_bytes) {
  char *copy = am_mem_dup(text, n_bytes);
  for (char *p = copy; p && *p; p++) *p = (char)tolower((unsigned char)*p);
  return copy;
}

static char *type_of_header(const char *path) {
  am_gguf *file = NULL;
  (void)am_gguf_open(path, &file, NULL);
  const char *type = file ? am_gguf_file_type(file) : "";
  char *copy = lower(type, strlen(type));
  am_gguf_close(&file);
  return copy;
}

/* The last weight type in a file's name; *n_bytes 0 = it names none. */
static const char *find_type(const char *name, size_t *n_bytes) {
  const char *found = "", *found_end = found;
  for (const char *p = name, *end; *p; p = *end ? end + 1 : end) {
    end = p + strcspn(p, "-.");
    if (is_type(p, end)) found = p, found_end = end;
  }
  *n_bytes = (size_t)(found_end - found);
  return found;
}

/* Its name tells it in nearly every case; the header, which may be megabytes of vocabulary, in the others. */
static char *type_of_gguf(const char *path) {
  const char *name = am_path_basename(path);
  size_t n_bytes;
  const char *found = find_type(name, &n_bytes);
  return n_bytes || !am_hub_ends_with(name, ".gguf") ? lower(found, n_bytes) : type_of_header(path);
}

/* Does each file name a weight type of its own? Then that is all one needs to say. */
static bool types_differ(const char *const *names, size_t n) {
  size_t n_type, n_other;
  if (n > MAX_CHOICES) return false;
  for (size_t i = 0; i < n; i++) {
    const char *type = find_type(am_path_basename(names[i]), &n_type);
    if (n_type == 0) return false;
    for (size_t k = 0; k < i; k++) {
      const char *other = find_type(am_path_basename(names[k]), &n_other);
      if (n_type == n_other && !strncasecmp(type, other, n_type)) return false;
    }
  }
  return true;
}

adam_status am_hub_fail_choice(const char *const *names, size_t n, bool file_named, adam_status status,
                               const char *what, const char *why, adam_error *error) {
  if (n == 0) return am_fail(error, status, what, "no .gguf file is there", "%s", why);
  bool types = !file_named && types_differ(names, n);
  am_buf text = {0};
  size_t n_told = 0;
  for (; n_told < n && text.len < MAX_CHOICE_BYTES; n_told++) {
    size_t n_type = 0;
    const char *type = types ? find_type(am_path_basename(names[n_told]), &n_type) : "";
    am_buf_append_str(&text, n_told ? ", " : "");
    if (types)
      am_buf_append(&text, type, n_type);
    else
      am_buf_printf(&text, "%.200s", names[n_told]);
  }
  if (n_told < n) am_buf_printf(&text, " and %zu more", n - n_told);
  am_fail(error, status, what, types ? "write one of them behind the name, after a colon"
                                     : "write :FILE or :QUANTIZATION behind the name",
          "%s; there are %s", why, text.failed ? "GGUF files" : text.data);
  am_buf_close(&text);
  return status;
}

bool am_hub_is_file_of(const char *file, const char *repository) {
  const char *name = am_path_basename(repository);
  size_t n = strlen(name);
  if (strncmp(file, name, n) || (file[n] != '.' && file[n] != '-')) return false;
  const char *type = file + n + 1, *end = type + strcspn(type, "-.");
  return is_type(type, end) && !strcasecmp(end, ".gguf");
}

static char *type_of_config(const char *folder) {
  static const char *const names[][2] = {{"bfloat16", "bf16"}, {"float16", "f16"}, {"float32", "f32"}};
  am_buf text = {0};
  am_arena arena = {0};
  am_json config = {0};
  const char *type = "";
  char *path = am_path_join(folder, "config.json");
  if (path && !am_file_read(path, MAX_CONFIG_BYTES, &text, NULL) && text.len &&
      !am_json_parse(text.data, text.len, path, 0, &arena, &config, NULL)) {
    const char *dtype = am_json_str(am_json_get(&config, "dtype"), NULL);
    if (!dtype) dtype = am_json_str(am_json_get(&config, "torch_dtype"), "");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
      if (!strcmp(dtype, names[i][0])) type = names[i][1];
  }
  am_mem_free(path);
  am_arena_close(&arena);
  am_buf_close(&text);
  return am_mem_dup(type, strlen(type));
}

char *am_hub_quantization(const char *path) {
  return am_file_is_dir(path) ? type_of_config(path) : type_of_gguf(path);
}

typedef struct weighing {
  const char *folder;
  const char *prefix; /* of the parts of one GGUF; NULL = every .safetensors */
  size_t prefix_bytes;
  uint64_t bytes;
} weighing;

static bool weigh(void *user, const char *name) {
  weighing *w = user;
  bool counts = w->prefix ? am_hub_part_number(name) && !strncmp(name, w->prefix, w->prefix_bytes)
                          : am_hub_ends_with(name, ".safetensors");
  char *path = counts ? am_path_join(w->folder, name) : NULL;
  uint64_t bytes = 0;
  if (path && am_file_size(path, &bytes)) w->bytes += bytes;
  am_mem_free(path);
  return false;
}

uint64_t am_hub_weights_bytes(const char *path) {
  weighing w = {.folder = path};
  const char *name = am_path_basename(path);
  if (am_file_is_dir(path)) {
    am_dir_list(path, weigh, &w, NULL);
  } else if (am_hub_part_number(name)) {
    char *folder = am_path_dirname(path);
    w = (weighing){folder, name, strlen(name) - strlen("00001-of-00001.gguf"), 0};
    if (folder) am_dir_list(folder, weigh, &w, NULL);
    am_mem_free(folder);
  } else {
    am_file_size(path, &w.bytes);
  }
  return w.bytes;
}

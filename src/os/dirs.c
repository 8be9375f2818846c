/* SPDX-License-Identifier: Apache-2.0 */
#include "os/dirs.h"

#include <ctype.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "os/file.h"

/* An empty variable counts as not set. */
static const char *variable(const char *name) {
  const char *value = getenv(name);
  return value && value[0] ? value : NULL;
}

/* Appends the home of a user from the password file (NULL = the user of this process); false where
 * there is none. Running out of memory shows in out->failed. */
static bool append_home_of(const char *user, am_buf *out) {
  char bytes[4096];
  struct passwd entry, *found = NULL;
  int failed = user ? getpwnam_r(user, &entry, bytes, sizeof bytes, &found)
                    : getpwuid_r(getuid(), &entry, bytes, sizeof bytes, &found);
  if (failed || !found || !entry.pw_dir || !entry.pw_dir[0]) return false;
  am_buf_append_str(out, entry.pw_dir);
  return true;
}

static bool append_home(am_buf *out) {
  const char *home = variable("HOME");
  if (!home) return append_home_of(NULL, out);
  am_buf_append_str(out, home);
  return true;
}

char *am_dirs_home(void) {
  am_buf out = {0};
  return append_home(&out) ? am_buf_take(&out) : NULL;
}

/* "~" or "~user" at the begin of path; returns what follows it, or path where nothing was replaced. */
static const char *expand_home(const char *path, am_buf *out) {
  char user[256];
  if (path[0] != '~') return path;
  size_t n = strcspn(path, "/");
  if (n == 1) return append_home(out) ? path + 1 : path;
  if (n > sizeof user) return path;
  memcpy(user, path + 1, n - 1);
  user[n - 1] = 0;
  return append_home_of(user, out) ? path + n : path;
}

/* A variable that is not set stays as it is written, as Python's os.path.expandvars leaves it. */
static const char *expand_variable(const char *at, am_buf *out) {
  bool braces = at[1] == '{';
  const char *begin = at + (braces ? 2 : 1), *end = begin;
  if (braces) {
    end = strchr(begin, '}');
  } else {
    while (isalnum((unsigned char)*end) || *end == '_') end++;
  }
  const char *value = NULL;
  if (end && end > begin) {
    char *name = am_mem_dup(begin, (size_t)(end - begin));
    if (!name) {
      out->failed = true;
      return at + strlen(at);
    }
    value = getenv(name);
    am_mem_free(name);
  }
  if (!value) {
    am_buf_append_char(out, '$');
    return at + 1;
  }
  am_buf_append_str(out, value);
  return end + (braces ? 1 : 0);
}

char *am_dirs_expand(const char *path) {
  am_buf out = {0};
  for (const char *at = expand_home(path, &out); *at;) {
    if (*at == '$') at = expand_variable(at, &out);
    else am_buf_append_char(&out, *at++);
  }
  return am_buf_take(&out);
}

/* base (taken) + "/" + tail; NULL where base is NULL. */
static char *under(char *base, const char *tail) {
  char *path = base ? am_path_join(base, tail) : NULL;
  am_mem_free(base);
  return path;
}

/* $NAME/tail, else ~/fallback/tail. The XDG specification has relative values ignored. */
static char *xdg(const char *name, const char *fallback, const char *tail) {
  const char *value = variable(name);
  char *base = value && value[0] == '/' ? am_mem_dup(value, strlen(value)) : under(am_dirs_home(), fallback);
  return under(base, tail);
}

char *am_dirs_cache(void) {
  const char *own = variable("ADAM_CACHE_DIR");
  return own ? am_dirs_expand(own) : xdg("XDG_CACHE_HOME", ".cache", "adam");
}

char *am_dirs_data(void) { return xdg("XDG_DATA_HOME", ".local/share", "adam"); }

char *am_dirs_config(void) { return xdg("XDG_CONFIG_HOME", ".config", "adam"); }

/* The order of huggingface_hub's constants.py. */
char *am_dirs_hub(void) {
  const char *value = variable("HF_HUB_CACHE");
  if (!value) value = variable("HUGGINGFACE_HUB_CACHE");
  if (value) return am_dirs_expand(value);
  value = variable("HF_HOME");
  if (value) return under(am_dirs_expand(value), "hub");
  value = variable("XDG_CACHE_HOME");
  if (value) return under(am_dirs_expand(value), "huggingface/hub");
  return under(am_dirs_home(), ".cache/huggingface/hub");
}

char *am_dirs_program(void) {
  char path[PATH_MAX];
  ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
  if (n <= 0) return NULL;
  path[n] = 0;
  return am_path_dirname(path);
}

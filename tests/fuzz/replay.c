/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target over files or folders of inputs, without libFuzzer: the corpus as a test. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path) {
  FILE *f = fopen(path, "rb");
  if (!f) return perror(path), 0;
  fseek(f, 0, SEEK_END);
  long n = ftell(f);
  rewind(f);
  uint8_t *data = malloc(n > 0 ? (size_t)n : 1); /* exact size: the sanitizer sees one byte too far */
  size_t got = data ? fread(data, 1, (size_t)n, f) : 0;
  fclose(f);
  LLVMFuzzerTestOneInput(data, got);
  free(data);
  return 1;
}

static int replay(const char *path) {
  struct stat st;
  if (stat(path, &st)) return perror(path), 0;
  if (!S_ISDIR(st.st_mode)) return replay_file(path);
  int n = 0;
  DIR *dir = opendir(path);
  for (struct dirent *e; dir && (e = readdir(dir));) {
    if (e->d_name[0] == '.') continue;
    char child[4096];
    snprintf(child, sizeof child, "%s/%s", path, e->d_name);
    n += replay(child);
  }
  if (dir) closedir(dir);
  return n;
}

int main(int argc, char **argv) {
  int n = 0;
  for (int i = 1; i < argc; i++) n += replay(argv[i]);
  printf("replayed %d inputs\n", n);
  return n > 0 ? 0 : 1;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report.h"

static adam_status fail(const char *path, adam_error *error) {
  return am_report_fill(error, ADAM_IO, path, "", "%s", strerror(errno));
}

static void release(am_output_file *file) {
  if (file->stream) fclose(file->stream);
  free(file->path);
  free(file->temporary);
  *file = (am_output_file){0};
}

/* Creates the temporary file beside file->path with the mode that a plain open would give. */
static bool open_temporary(am_output_file *file, unsigned mode) {
  if (asprintf(&file->temporary, "%s.XXXXXX", file->path) < 0) {
    file->temporary = NULL;
    return false;
  }
  int descriptor = mkstemp(file->temporary);
  if (descriptor < 0) {
    free(file->temporary);
    file->temporary = NULL;
    return false;
  }
  mode_t mask = umask(0);
  umask(mask);
  if (fchmod(descriptor, (mode_t)mode & ~mask) == 0) file->stream = fdopen(descriptor, "wb");
  if (!file->stream) {
    close(descriptor);
    unlink(file->temporary);
  }
  return file->stream != NULL;
}

adam_status am_output_file_open(const char *path, unsigned mode, am_output_file *out, adam_error *error) {
  am_output_file file = {0};
  struct stat facts;
  bool exists = stat(path, &facts) == 0;
  /* realpath: a link stays a link, what it points to is replaced. */
  file.path = exists ? realpath(path, NULL) : strdup(path);
  if (!file.path) return fail(path, error);
  if (exists && !S_ISREG(facts.st_mode))
    file.stream = fopen(path, "wb");
  else
    open_temporary(&file, mode);
  if (!file.stream) {
    adam_status status = fail(path, error);
    release(&file);
    return status;
  }
  *out = file;
  return ADAM_OK;
}

adam_status am_output_file_commit(am_output_file *file, adam_error *error) {
  adam_status status = ADAM_OK;
  bool written = fflush(file->stream) == 0 && !ferror(file->stream);
  if (written && file->temporary) written = fsync(fileno(file->stream)) == 0;
  if (!written) status = fail(file->path, error);
  bool closed = fclose(file->stream) == 0;
  file->stream = NULL;
  if (status == ADAM_OK && !closed) status = fail(file->path, error);
  if (status == ADAM_OK && file->temporary && rename(file->temporary, file->path) != 0)
    status = fail(file->path, error);
  if (status != ADAM_OK && file->temporary) unlink(file->temporary);
  release(file);
  return status;
}

void am_output_file_discard(am_output_file *file) {
  if (file->temporary) unlink(file->temporary);
  release(file);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/partial.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/rng.h"
#include "os/file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { HEAD_BYTES = 24, CELL_BYTES = 1 << 20, QUIET_S = 15 };
static const char magic[8] = {'a', 'd', 'a', 'm', 'p', 'a', 'r', 't'};

static adam_status fail_system(const char *path, const char *doing, adam_error *error) {
  int number = errno;
  char bytes[128];
  if (number == ENOSPC || number == EDQUOT)
    return am_fail(error, ADAM_IO, path, "free some space and call again: what came is kept", "the disk is full");
  return am_fail(error, ADAM_IO, path, NULL, "%s: %s", doing, strerror_r(number, bytes, sizeof bytes));
}

static size_t bitmap_bytes(const am_hub_partial *p) { return ((size_t)p->n_cells + 7) / 8; }

static bool write_at(int fd, const void *bytes, size_t n_bytes, uint64_t offset) {
  const char *at = bytes;
  while (n_bytes > 0) {
    ssize_t n = pwrite(fd, at, n_bytes, (off_t)offset);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += n;
    offset += (uint64_t)n;
    n_bytes -= (size_t)n;
  }
  return true;
}

static bool read_at(int fd, void *bytes, size_t n_bytes, uint64_t offset) {
  char *at = bytes;
  while (n_bytes > 0) {
    ssize_t n = pread(fd, at, n_bytes, (off_t)offset);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += n;
    offset += (uint64_t)n;
    n_bytes -= (size_t)n;
  }
  return true;
}

static void put_u64(uint8_t *out, uint64_t value) {
  for (int i = 0; i < 8; i++) out[i] = (uint8_t)(value >> (8 * i));
}

static void make_head(const am_hub_partial *p, uint8_t out[HEAD_BYTES]) {
  memcpy(out, magic, sizeof magic);
  put_u64(out + 8, p->bytes);
  put_u64(out + 16, p->cell_bytes);
}

/* Writes the trailer behind the content in one piece. */
static adam_status write_trailer(const am_hub_partial *p, adam_error *error) {
  size_t n_bits = bitmap_bytes(p);
  uint8_t *trailer = am_mem_alloc(HEAD_BYTES + n_bits);
  if (!trailer) return am_fail_memory(error, p->path);
  make_head(p, trailer);
  for (size_t i = 0; i < n_bits; i++) trailer[HEAD_BYTES + i] = atomic_load(&p->bits[i]);
  bool written = write_at(p->fd, trailer, HEAD_BYTES + n_bits, p->bytes);
  adam_status status = written ? ADAM_OK : fail_system(p->path, "cannot be written", error);
  am_mem_free(trailer);
  return status;
}

/* Reads the trailer of a file of exactly that length; false: it has none of ours. */
static bool read_trailer(am_hub_partial *p) {
  uint8_t want[HEAD_BYTES], head[HEAD_BYTES], byte;
  make_head(p, want);
  if (!read_at(p->fd, head, sizeof head, p->bytes) || memcmp(head, want, sizeof head) != 0) return false;
  for (size_t i = 0; i < bitmap_bytes(p); i++) {
    if (!read_at(p->fd, &byte, 1, p->bytes + HEAD_BYTES + i)) return false;
    atomic_store(&p->bits[i], byte);
  }
  return true;
}

static void clear_bits(am_hub_partial *p) {
  for (size_t i = 0; i < bitmap_bytes(p); i++) atomic_store(&p->bits[i], 0);
}

/* What is in the file already; then a trailer stands behind the content. */
static adam_status take_up(am_hub_partial *p, adam_error *error) {
  struct stat facts;
  if (fstat(p->fd, &facts) != 0) return fail_system(p->path, "cannot be read", error);
  if (!S_ISREG(facts.st_mode)) return am_fail(error, ADAM_IO, p->path, NULL, "it is no regular file");
  uint64_t length = (uint64_t)facts.st_size;
  if (length == p->bytes + HEAD_BYTES + bitmap_bytes(p) && read_trailer(p)) return ADAM_OK;
  clear_bits(p);
  if (length > p->bytes) {
    length = 0;
    if (ftruncate(p->fd, 0) != 0) return fail_system(p->path, "cannot be emptied", error);
  }
  for (uint32_t i = 0; i < p->n_cells && (uint64_t)i * p->cell_bytes + am_hub_partial_cell_bytes(p, i) <= length; i++)
    atomic_fetch_or(&p->bits[i / 8], (uint8_t)(1u << (i % 8)));
  return write_trailer(p, error);
}

static char *name_partial(const char *blob, bool unique) {
  am_buf name = {0};
  unsigned id = unique ? (unsigned)am_rng_system_seed() : 0xada0ada0u;
  am_buf_printf(&name, "%s.%08x.incomplete", blob, id);
  return am_buf_take(&name);
}

/* The longest unfinished file of a blob that another program left. */
typedef struct leftover {
  const char *folder, *name; /* of the blob */
  uint64_t most_bytes, bytes;
  char *path; /* owned; NULL = none */
} leftover;

/* "ETAG.incomplete" or "ETAG.XXXXXXXX.incomplete" */
static bool is_leftover(const char *file, const char *blob) {
  size_t n = strlen(blob);
  if (strncmp(file, blob, n) != 0) return false;
  const char *tail = file + n;
  if (*tail == '.' && strspn(tail + 1, "0123456789abcdef") == 8) tail += 9;
  return strcmp(tail, ".incomplete") == 0;
}

static bool see_leftover(void *user, const char *file) {
  leftover *l = user;
  struct stat facts;
  if (!is_leftover(file, l->name)) return false;
  char *path = am_path_join(l->folder, file);
  bool fits = path && lstat(path, &facts) == 0 && S_ISREG(facts.st_mode) && facts.st_size > 0 &&
              (uint64_t)facts.st_size <= l->most_bytes && (uint64_t)facts.st_size > l->bytes &&
              (uint64_t)facts.st_blocks * 512 >= (uint64_t)facts.st_size && /* no holes: written from the start */
              time(NULL) - facts.st_mtime >= QUIET_S;
  if (fits) {
    am_mem_free(l->path);
    l->path = path;
    l->bytes = (uint64_t)facts.st_size;
  } else {
    am_mem_free(path);
  }
  return false;
}

/* What huggingface_hub left unfinished becomes ours, where we have nothing yet. We have the lock, so nobody should
 * write it any more; where locks only seem to work it might be, which is why it must have been silent for a while. */
static void adopt(const char *blob, uint64_t bytes, const char *path) {
  struct stat facts;
  if (lstat(path, &facts) == 0) return;
  char *folder = am_path_dirname(blob);
  leftover l = {.folder = folder, .name = am_path_basename(blob), .most_bytes = bytes};
  if (folder) (void)am_dir_list(folder, see_leftover, &l, NULL);
  if (l.path) (void)rename(l.path, path);
  am_mem_free(l.path);
  am_mem_free(folder);
}

adam_status am_hub_partial_open(const char *blob, uint64_t bytes, bool unique, am_hub_partial *out,
                                adam_error *error) {
  am_hub_partial p = {.fd = -1, .bytes = bytes, .cell_bytes = CELL_BYTES};
  while (bytes / p.cell_bytes >= AM_HUB_MAX_CELLS) p.cell_bytes *= 2;
  p.n_cells = (uint32_t)((bytes + p.cell_bytes - 1) / p.cell_bytes);
  p.path = name_partial(blob, unique);
  p.bits = p.path ? am_mem_zalloc(bitmap_bytes(&p) + 1, sizeof *p.bits) : NULL;
  adam_status status = p.bits ? ADAM_OK : am_fail_memory(error, blob);
  if (!status) {
    if (!unique) adopt(blob, bytes, p.path);
    p.fd = open(p.path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    status = p.fd < 0 ? fail_system(p.path, "cannot be made", error) : take_up(&p, error);
  }
  if (status)
    am_hub_partial_close(&p, unique);
  else
    *out = p;
  return status;
}

bool am_hub_partial_has(const am_hub_partial *partial, uint32_t cell) {
  return atomic_load(&partial->bits[cell / 8]) >> (cell % 8) & 1;
}

uint64_t am_hub_partial_cell_bytes(const am_hub_partial *partial, uint32_t cell) {
  uint64_t start = (uint64_t)cell * partial->cell_bytes;
  return partial->bytes - start < partial->cell_bytes ? partial->bytes - start : partial->cell_bytes;
}

adam_status am_hub_partial_write(const am_hub_partial *partial, uint64_t offset, const void *bytes, size_t n_bytes,
                                 adam_error *error) {
  return write_at(partial->fd, bytes, n_bytes, offset) ? ADAM_OK
                                                       : fail_system(partial->path, "cannot be written", error);
}

adam_status am_hub_partial_mark(am_hub_partial *partial, uint32_t cell, adam_error *error) {
  uint8_t bit = (uint8_t)(1u << (cell % 8));
  /* Of two threads in one byte the earlier may write last: a bit is missing then, and its cell comes again
   * after a kill; no bit is ever there too early. */
  atomic_fetch_or(&partial->bits[cell / 8], bit);
  uint8_t byte = atomic_load(&partial->bits[cell / 8]);
  if (!write_at(partial->fd, &byte, 1, partial->bytes + HEAD_BYTES + cell / 8))
    return fail_system(partial->path, "cannot be written", error);
#ifdef SYNC_FILE_RANGE_WRITE
  /* To the disk from now on, so that the flush at the end has little left to wait for. */
  (void)sync_file_range(partial->fd, (off_t)(cell * partial->cell_bytes),
                        (off_t)am_hub_partial_cell_bytes(partial, cell), SYNC_FILE_RANGE_WRITE);
#endif
  return ADAM_OK;
}

adam_status am_hub_partial_read(const am_hub_partial *partial, uint64_t offset, void *bytes, size_t n_bytes,
                                adam_error *error) {
  return read_at(partial->fd, bytes, n_bytes, offset) ? ADAM_OK
                                                      : fail_system(partial->path, "cannot be read", error);
}

adam_status am_hub_partial_reset(am_hub_partial *partial, adam_error *error) {
  clear_bits(partial);
  if (ftruncate(partial->fd, 0) != 0) return fail_system(partial->path, "cannot be emptied", error);
  return write_trailer(partial, error);
}

adam_status am_hub_partial_publish(am_hub_partial *partial, const char *blob, adam_error *error) {
  char *folder = am_path_dirname(blob);
  if (!folder) return am_fail_memory(error, blob);
  adam_status status = ADAM_OK;
  if (ftruncate(partial->fd, (off_t)partial->bytes) != 0 || fsync(partial->fd) != 0 ||
      rename(partial->path, blob) != 0)
    status = fail_system(blob, "cannot be written", error);
  int fd = status ? -1 : open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0) {
    (void)fsync(fd); /* some file systems refuse to flush a folder, which is no failure */
    close(fd);
  }
  am_mem_free(folder);
  return status;
}

void am_hub_partial_close(am_hub_partial *partial, bool remove) {
  if (partial->fd >= 0 && partial->path) {
    if (remove) (void)unlink(partial->path);
    close(partial->fd);
  }
  am_mem_free(partial->path);
  am_mem_free((void *)(uintptr_t)partial->bits);
  *partial = (am_hub_partial){.fd = -1};
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "pull_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "format.h"
#include "output.h"
#include "report.h"

enum { FIRST_MS = 500, STEP_MS = 150, MAX_BARS = 8, LINE_BYTES = 512 };

static double now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1000 + (double)now.tv_nsec / 1e6;
}

void am_pull_duration(double seconds, char out[32]) {
  long s = seconds > 359999 ? 359999 : (long)(seconds + 0.5);
  if (s >= 3600)
    snprintf(out, 32, "%ld h %ld min", s / 3600, s % 3600 / 60);
  else if (s >= 60)
    snprintf(out, 32, "%ld min %ld s", s / 60, s % 60);
  else
    snprintf(out, 32, "%.*f s", seconds < 9.95 ? 1 : 0, seconds);
}

/* As huggingface_hub reads it. */
static bool bars_are_off(void) {
  static const char *const yes[] = {"1", "ON", "YES", "TRUE"};
  const char *value = getenv("HF_HUB_DISABLE_PROGRESS_BARS");
  for (size_t i = 0; value && i < sizeof yes / sizeof *yes; i++)
    if (strcasecmp(value, yes[i]) == 0) return true;
  return false;
}

void am_pull_view_begin(am_pull_view *view) {
  const char *terminal = getenv("TERM");
  *view = (am_pull_view){.terminal = !bars_are_off() && isatty(STDERR_FILENO) && terminal && strcmp(terminal, "dumb") != 0,
                         .begun_ms = now_ms()};
}

static int columns(void) {
  struct winsize size;
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 20) return 80;
  return size.ws_col < 200 ? size.ws_col : 200;
}

/* Most columns that of a name are shown: its end, which tells parts apart. Cuts at a character border. */
static const char *tail_of(const char *name, size_t n_most) {
  size_t n = strlen(name);
  const char *p = n > n_most ? name + (n - n_most) : name;
  while (((unsigned char)*p & 0xC0) == 0x80) p++;
  return p;
}

/* A line of at most `width` columns of plain text, then the end of the line. */
static void put_line(am_pull_view *view, const char *line, int width) {
  size_t n = strlen(line);
  if (n > (size_t)width - 1) n = (size_t)width - 1;
  while (n > 0 && ((unsigned char)line[n] & 0xC0) == 0x80) n--;
  (void)am_output_shown(STDERR_FILENO, line, n);
  (void)!write(STDERR_FILENO, "\033[K\n", 4);
  view->n_lines++;
}

static void make_bar(uint64_t done, uint64_t total, int cells, char *out) {
  static const char full[] = "##################################################";
  static const char empty[] = "                                                  ";
  double share = total == 0 ? 1 : done >= total ? 1 : (double)done / (double)total;
  int filled = (int)(share * cells);
  snprintf(out, LINE_BYTES, "[%.*s%.*s] %3d %%", filled, full, cells - filled, empty, (int)(share * 100));
}

static void put_bar(am_pull_view *view, const char *label, int n_label, uint64_t done, uint64_t total,
                    const char *behind, int width) {
  char bar[LINE_BYTES], have[16], all[16], line[3 * LINE_BYTES];
  am_format_bytes(done, have);
  am_format_bytes(total, all);
  make_bar(done, total, width >= 90 ? 24 : 10, bar);
  snprintf(line, sizeof line, "%-*.*s %s %7s / %-7s %s", n_label, n_label, label, bar, have, all, behind);
  put_line(view, line, width);
}

static void put_total(am_pull_view *view, const adam_pull_progress *p, int n_label, int width) {
  char behind[128] = "", rate[16], left[32], label[64];
  size_t n_done = 0;
  for (size_t i = 0; i < p->n_files; i++)
    if (p->files[i].state == ADAM_PULL_DONE || p->files[i].state == ADAM_PULL_PRESENT) n_done++;
  snprintf(label, sizeof label, "%zu of %zu files", n_done, p->n_files);
  if (p->note) {
    snprintf(behind, sizeof behind, "%.100s", p->note);
  } else if (p->bytes_per_second >= 1 && p->bytes > p->done_bytes) {
    am_format_bytes((uint64_t)p->bytes_per_second, rate);
    am_pull_duration((double)(p->bytes - p->done_bytes) / p->bytes_per_second, left);
    snprintf(behind, sizeof behind, "%s/s, %s left", rate, left);
  }
  put_bar(view, label, width >= 90 ? n_label : 14, p->done_bytes, p->bytes, behind, width);
}

static void clear(am_pull_view *view) {
  char up[32];
  if (view->n_lines == 0) return;
  int n = snprintf(up, sizeof up, "\r\033[%dA\033[J", view->n_lines);
  (void)!write(STDERR_FILENO, up, (size_t)n);
  view->n_lines = 0;
}

static void draw(am_pull_view *view, const adam_pull_progress *p) {
  int width = columns(), n_label = width >= 110 ? 44 : width >= 90 ? 28 : 22, n_bars = 0;
  char up[32];
  /* Over what is there: each line is cleared to its end, and what is below is cleared last. */
  int n = view->n_lines ? snprintf(up, sizeof up, "\r\033[%dA", view->n_lines) : 0;
  (void)!write(STDERR_FILENO, up, (size_t)n);
  view->n_lines = 0;
  for (size_t i = 0; i < p->n_files && n_bars < MAX_BARS; i++) {
    const adam_pull_file *f = &p->files[i];
    if (f->state != ADAM_PULL_FETCHING && f->state != ADAM_PULL_CHECKING && f->state != ADAM_PULL_LOCKED) continue;
    const char *behind = f->state == ADAM_PULL_CHECKING ? "checking"
                         : f->state == ADAM_PULL_LOCKED ? "another process fetches it" : "";
    put_bar(view, tail_of(f->name, (size_t)n_label), n_label, f->done_bytes, f->bytes, behind, width);
    n_bars++;
  }
  if (p->n_files) {
    put_total(view, p, n_label, width);
  } else {
    char line[LINE_BYTES];
    snprintf(line, sizeof line, "asking for %.200s%s%.100s", p->model, p->note ? ": " : "", p->note ? p->note : "");
    put_line(view, line, width);
  }
  (void)!write(STDERR_FILENO, "\033[J", 3);
}

/* A line for each file that has come, one for what it waits for. */
static void tell(am_pull_view *view, const adam_pull_progress *p) {
  if (p->note && strcmp(view->note, p->note) != 0) {
    snprintf(view->note, sizeof view->note, "%s", p->note);
    am_report_line("%s", p->note);
  }
  if (p->n_files > view->n_told) {
    bool *told = realloc(view->told, p->n_files * sizeof *told);
    if (!told) return;
    memset(told + view->n_told, 0, (p->n_files - view->n_told) * sizeof *told);
    view->told = told;
    view->n_told = p->n_files;
  }
  for (size_t i = 0; i < p->n_files; i++) {
    const adam_pull_file *f = &p->files[i];
    char size[16];
    if (view->told[i] || (f->state != ADAM_PULL_DONE && f->state != ADAM_PULL_PRESENT)) continue;
    am_format_bytes(f->bytes, size);
    am_report_line("%s: %s%s", f->name, size, f->state == ADAM_PULL_PRESENT ? ", was here" : "");
    view->told[i] = true;
  }
}

void am_pull_view_show(am_pull_view *view, const adam_pull_progress *progress) {
  if (!view->terminal) {
    tell(view, progress);
    return;
  }
  double now = now_ms();
  if (now - view->begun_ms < FIRST_MS || now - view->drawn_ms < STEP_MS) return;
  view->drawn_ms = now;
  draw(view, progress);
}

void am_pull_view_end(am_pull_view *view) {
  if (view->terminal) clear(view);
  free(view->told);
  *view = (am_pull_view){0};
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "line.h"

#include <errno.h>
#include <histedit.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

#include "interrupt.h"
#include "output.h"
#include "report.h"

enum { HISTORY_LINES = 1000 };

struct am_line {
  EditLine *editor;
  History *history;
  HistEvent event;
  char *history_path; /* owned; NULL = not kept */
  const char *prompt; /* borrowed during a read */
  bool interrupted;   /* the read ended by Ctrl-C */
};

/* The terminal has two modes in a chat, and neither is the line discipline's own (ICANON): a switch into or
 * out of that one loses or changes what was typed ahead. While a line is edited Ctrl-C, Ctrl-Z and Ctrl-\ are
 * bytes in their place among the others (no ISIG); while an answer comes they are signals (and NOFLSH: a
 * signal must not take the output with it). What it was before is kept for every way out. */
static struct termios terminal_before;
static bool terminal_is_ours;
static volatile sig_atomic_t resized, continued;

static void give_terminal_back(void) {
  if (terminal_is_ours) tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal_before);
}

static void on_window(int signal_number) {
  (void)signal_number;
  resized = 1;
}

static void on_continue(int signal_number) {
  (void)signal_number;
  continued = 1;
}

static void on_end(int signal_number) {
  give_terminal_back();
  signal(signal_number, SIG_DFL);
  raise(signal_number); /* blocked until this returns, then it ends the program */
}

static void handle(int signal_number, void (*handler)(int)) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART}, before;
  sigemptyset(&action.sa_mask);
  if (sigaction(signal_number, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
    sigaction(signal_number, &action, NULL);
}

static char *prompt_of(EditLine *editor) {
  am_line *line = NULL;
  el_get(editor, EL_CLIENTDATA, &line);
  return (char *)(uintptr_t)line->prompt; /* libedit does not write to it */
}

/* Both modes again after a stop, whatever the shell made of the terminal. */
static void take_terminal(EditLine *editor) {
  el_set(editor, EL_PREP_TERM, 0);
  el_set(editor, EL_PREP_TERM, 1);
  el_set(editor, EL_REFRESH);
}

/* Stops the job as Ctrl-Z does: every process of it. */
static void stop_job(void) {
  give_terminal_back();
  kill(0, SIGTSTP);
}

static bool is_key(unsigned char byte, int key) {
  return terminal_before.c_cc[key] != _POSIX_VDISABLE && byte == terminal_before.c_cc[key];
}

/* What the keyboard's signal keys do while a line is edited; true: the byte was one of them. */
static bool take_signal_key(am_line *line, unsigned char byte) {
  if (is_key(byte, VINTR)) {
    line->interrupted = true;
  } else if (is_key(byte, VSUSP)) {
    stop_job();
  } else if (is_key(byte, VQUIT)) {
    give_terminal_back();
    kill(0, SIGQUIT);
  } else {
    return false;
  }
  return true;
}

/* One byte from the terminal. am_line_read blocks the signals, and only ppoll lets them through: none can
 * fall between the look at its flag and the wait. 1, 0 at the end, -1 when interrupted. */
static int read_byte(EditLine *editor, am_line *line, char *byte) {
  while (!line->interrupted && !am_interrupt_pending()) {
    struct pollfd terminal = {.fd = STDIN_FILENO, .events = POLLIN};
    sigset_t open_to;
    pthread_sigmask(SIG_SETMASK, NULL, &open_to);
    sigdelset(&open_to, SIGINT);
    sigdelset(&open_to, SIGWINCH);
    sigdelset(&open_to, SIGCONT);
    if (continued) take_terminal(editor);
    if (resized) el_resize(editor);
    if (resized && !continued) el_set(editor, EL_REFRESH);
    continued = resized = 0;
    if (ppoll(&terminal, 1, NULL, &open_to) < 0) {
      if (errno != EINTR) return -1;
      continue;
    }
    ssize_t n = read(STDIN_FILENO, byte, 1);
    if (n == 1 && take_signal_key(line, (unsigned char)*byte)) continue;
    if (n >= 0) return (int)n;
    if (errno != EINTR && errno != EAGAIN) return -1;
  }
  return -1;
}

/* libedit's reader of characters (EL_GETCFN): 1, 0 at the end, -1 for an error or an interruption. */
static int read_character(EditLine *editor, wchar_t *character) {
  mbstate_t state = {0};
  am_line *line = NULL;
  el_get(editor, EL_CLIENTDATA, &line);
  for (;;) {
    char byte;
    int got = read_byte(editor, line, &byte);
    if (got <= 0) return got;
    size_t n = mbrtowc(character, &byte, 1, &state);
    if (n == 0 || n == 1) return 1;
    if (n == (size_t)-1) state = (mbstate_t){0}; /* no character: the byte is left out */
  }
}

static bool make_folders(char *path) {
  for (char *slash = path + 1; (slash = strchr(slash, '/')); slash++) {
    *slash = '\0';
    bool made = mkdir(path, 0700) == 0 || errno == EEXIST;
    *slash = '/';
    if (!made) return false;
  }
  return true;
}

/* $XDG_DATA_HOME/adam/chat_history, else ~/.local/share/adam/chat_history; NULL = no place. */
static char *history_path(void) {
  const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
  char *path = NULL;
  int n = -1;
  if (data && data[0] == '/')
    n = asprintf(&path, "%s/adam/chat_history", data);
  else if (home && home[0] == '/')
    n = asprintf(&path, "%s/.local/share/adam/chat_history", home);
  if (n < 0) return NULL;
  if (make_folders(path)) return path;
  free(path);
  return NULL;
}

/* libedit reads characters by the locale: a C locale would lose all but ASCII. */
static void take_locale(void) {
  setlocale(LC_CTYPE, "");
  if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0) setlocale(LC_CTYPE, "C.UTF-8");
}

static void take_signals(void) {
  terminal_is_ours = tcgetattr(STDIN_FILENO, &terminal_before) == 0;
  handle(SIGWINCH, on_window);
  handle(SIGCONT, on_continue);
  handle(SIGTERM, on_end);
  handle(SIGHUP, on_end);
  handle(SIGQUIT, on_end);
  am_interrupt_before_exit(give_terminal_back);
}

adam_status am_line_open(am_line **out, adam_error *error) {
  am_line *line = calloc(1, sizeof *line);
  if (!line) return am_report_no_memory(error);
  take_locale();
  line->editor = el_init("adam", stdin, isatty(STDOUT_FILENO) ? stdout : stderr, stderr);
  line->history = history_init();
  if (!line->editor || !line->history) {
    am_line_close(&line);
    return am_report_fill(error, ADAM_FAILED, "line editor", "give the PROMPT as an argument",
                          "it cannot use this terminal");
  }
  el_set(line->editor, EL_CLIENTDATA, line);
  el_set(line->editor, EL_PROMPT, prompt_of);
  el_set(line->editor, EL_SIGNAL, 0); /* all of them are handled here */
  el_set(line->editor, EL_GETCFN, read_character);
  el_set(line->editor, EL_EDITOR, "emacs");
  el_set(line->editor, EL_HIST, history, line->history);
  el_set(line->editor, EL_BIND, "^R", "em-inc-search-prev", NULL);
  history(line->history, &line->event, H_SETSIZE, HISTORY_LINES);
  history(line->history, &line->event, H_SETUNIQUE, 1);
  line->history_path = history_path();
  if (line->history_path) history(line->history, &line->event, H_LOAD, line->history_path);
  el_source(line->editor, NULL); /* ~/.editrc */
  take_signals();
  el_set(line->editor, EL_SETTY, "-d", "-isig", NULL);
  el_set(line->editor, EL_SETTY, "-x", "-icanon", "-echo", "+noflsh", NULL);
  *out = line;
  return ADAM_OK;
}

void am_line_close(am_line **line) {
  if (!*line) return;
  if ((*line)->editor) el_end((*line)->editor);
  give_terminal_back();
  terminal_is_ours = false;
  if ((*line)->history) history_end((*line)->history);
  free((*line)->history_path);
  free(*line);
  *line = NULL;
}

am_line_kind am_line_read(am_line *line, const char *prompt, char **text, bool *was_empty) {
  int n = 0;
  sigset_t ours, before;
  sigemptyset(&ours);
  sigaddset(&ours, SIGINT);
  sigaddset(&ours, SIGWINCH);
  sigaddset(&ours, SIGCONT);
  line->prompt = prompt;
  line->interrupted = false;
  errno = 0;
  am_interrupt_hold(true);
  pthread_sigmask(SIG_BLOCK, &ours, &before);
  continued = resized = 0; /* what a signal asked for during the answer is done here */
  el_resize(line->editor);
  el_set(line->editor, EL_PREP_TERM, 0);
  el_set(line->editor, EL_PREP_TERM, 1); /* before the prompt is seen and answered */
  const char *got = el_gets(line->editor, &n);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  bool interrupted = line->interrupted || am_interrupt_pending();
  am_interrupt_hold(false);
  if (interrupted) {
    const LineInfo *typed = el_line(line->editor);
    *was_empty = typed->lastchar == typed->buffer;
    el_reset(line->editor);
    return AM_LINE_INTERRUPTED;
  }
  if (!got || n <= 0) return AM_LINE_END;
  *text = strndup(got, (size_t)n - (got[n - 1] == '\n'));
  return *text ? AM_LINE_TEXT : AM_LINE_FAILED;
}

void am_line_remember(am_line *line, const char *text) {
  am_output_file file = {0};
  adam_error ignored;
  history(line->history, &line->event, H_ENTER, text);
  /* The history is a courtesy: where it cannot be kept the chat goes on. */
  if (!line->history_path || am_output_file_open(line->history_path, 0600, &file, &ignored) != ADAM_OK)
    return;
  if (history(line->history, &line->event, H_SAVE_FP, file.stream) < 0)
    am_output_file_discard(&file);
  else
    (void)am_output_file_commit(&file, &ignored);
}

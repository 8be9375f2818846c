/* SPDX-License-Identifier: Apache-2.0 */
/* Ctrl-C. Outside of a cancellable stretch it ends the program at once with code 130; inside, the
 * first one only sets a flag and the second ends the program. */
#ifndef AM_CLI_INTERRUPT_H
#define AM_CLI_INTERRUPT_H

#include <stdbool.h>

/* Installs the handler. Once, at the start. Also: a model's file that is cut while it is mapped ends the program with
 * words and code 6 instead of a signal. */
void am_interrupt_install(void);
/* From here on the first Ctrl-C sets the flag (cleared by this call). */
void am_interrupt_begin(void);
/* From here on Ctrl-C ends the program again; returns whether the flag was set. */
bool am_interrupt_end(void);
bool am_interrupt_pending(void);
/* While true, Ctrl-C only sets the flag, however often it comes (a prompt for input). */
void am_interrupt_hold(bool hold);

/* Called before a Ctrl-C ends the program, in the signal handler; NULL = nothing to do. */
void am_interrupt_before_exit(void (*restore)(void));

#endif

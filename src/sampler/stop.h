/* SPDX-License-Identifier: Apache-2.0 */
/* sampler/stop: stop strings across token borders. Text goes in piece by piece; out comes what
 * cannot be the beginning of a stop string any more. One thread at a time.
 * Rule: the stop string that is complete first ends the answer; of several that end at the same byte,
 * the longest (it begins first). So the result does not depend on how the text was cut in pieces, and
 * no text beyond a complete stop string is ever needed to decide. */
#ifndef AM_SAMPLER_STOP_H
#define AM_SAMPLER_STOP_H

#include <adam/status.h>
#include <stdbool.h>

typedef struct am_stop am_stop;

/* Copies the n stop strings; empty ones are ADAM_INVALID, as are NULLs. */
adam_status am_stop_open(const char *const *stop, size_t n, am_stop **out, adam_error *error);
void am_stop_close(am_stop **stop);
/* Feeds text. *safe / *safe_bytes: text (borrowed until the next call) that may be emitted now.
 * *hit: a stop string was found; the text before it has been emitted, later pushes emit nothing. */
adam_status am_stop_push(am_stop *stop, const char *text, size_t n_bytes, const char **safe,
                         size_t *safe_bytes, bool *hit, adam_error *error);
/* What is still held back when the stream ends without a hit (borrowed). */
void am_stop_finish(am_stop *stop, const char **rest, size_t *rest_bytes);

#endif

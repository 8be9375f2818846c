/* SPDX-License-Identifier: Apache-2.0 */
/* os/clock: monotonic and wall time. Any thread. */
#ifndef AM_OS_CLOCK_H
#define AM_OS_CLOCK_H

#include <stdint.h>

uint64_t am_clock_ns(void);       /* monotonic */
double am_clock_ms(void);         /* monotonic, as milliseconds */
int64_t am_clock_unix_s(void);
void am_clock_sleep_ms(double ms);

#endif

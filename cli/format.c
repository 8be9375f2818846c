/* SPDX-License-Identifier: Apache-2.0 */
#include "format.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void am_format_bytes(uint64_t bytes, char out[16]) {
  static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
  double value = (double)bytes;
  size_t unit = 0;
  while (value >= 999.5 && unit < 4) {
    value /= 1000;
    unit++;
  }
  snprintf(out, 16, unit && value < 9.95 ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

void am_format_count(uint64_t count, char out[16]) {
  static const char *const units[] = {"", " K", " M", " B", " T"};
  double value = (double)count;
  size_t unit = 0;
  while (value >= 999.5 && unit < 4) {
    value /= 1000;
    unit++;
  }
  snprintf(out, 16, "%.*f%s", unit == 0 ? 0 : value < 9.995 ? 2 : 1, value, units[unit]);
}

void am_format_thousands(uint64_t count, char out[32]) {
  char digits[24];
  int n = snprintf(digits, sizeof digits, "%" PRIu64, count);
  size_t at = 0;
  for (int i = 0; i < n; i++) {
    if (i > 0 && (n - i) % 3 == 0) out[at++] = ',';
    out[at++] = digits[i];
  }
  out[at] = '\0';
}

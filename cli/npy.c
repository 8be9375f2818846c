/* SPDX-License-Identifier: Apache-2.0 */
#include "npy.h"

#include <string.h>

/* Magic, version 1.0, length of what follows (2 bytes, little-endian), a Python literal padded with
 * spaces so that the data begin at a multiple of 64. */
bool am_npy_header(FILE *stream, size_t n_rows, size_t n_columns) {
  enum { PREFIX = 10, TOTAL = 128 };
  char header[TOTAL + 1];
  memset(header, ' ', TOTAL);
  memcpy(header, "\x93NUMPY\x01\x00", 8);
  header[8] = TOTAL - PREFIX;
  header[9] = 0;
  int n = snprintf(header + PREFIX, TOTAL - PREFIX,
                   "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu, %zu), }", n_rows, n_columns);
  header[PREFIX + n] = ' ';
  header[TOTAL - 1] = '\n';
  return fwrite(header, 1, TOTAL, stream) == TOTAL;
}

bool am_npy_row(FILE *stream, const float *row, size_t n_columns) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  return fwrite(row, sizeof *row, n_columns, stream) == n_columns;
#else
  for (size_t i = 0; i < n_columns; i++) {
    uint32_t bits;
    memcpy(&bits, &row[i], sizeof bits);
    bits = __builtin_bswap32(bits);
    if (fwrite(&bits, sizeof bits, 1, stream) != 1) return false;
  }
  return true;
#endif
}

/* SPDX-License-Identifier: Apache-2.0 */
/* NumPy's file format, version 1.0 (numpy.lib.format): little-endian float32 in C order. */
#ifndef AM_CLI_NPY_H
#define AM_CLI_NPY_H

#include "output.h"

/* The header of an array (n_rows, n_columns). False: the stream has the error. */
bool am_npy_header(FILE *stream, size_t n_rows, size_t n_columns);
/* One row. */
bool am_npy_row(FILE *stream, const float *row, size_t n_columns);

#endif

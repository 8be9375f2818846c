/* SPDX-License-Identifier: Apache-2.0 */
/* template/go/functions: the names that a template may call, and how many arguments they take. */
#ifndef AM_TEMPLATE_GO_FUNCTIONS_H
#define AM_TEMPLATE_GO_FUNCTIONS_H

#include "template/go/ast.h"

typedef enum am_go_function {
  AM_GO_F_AND,
  AM_GO_F_OR,
  AM_GO_F_NOT,
  AM_GO_F_EQ,
  AM_GO_F_NE,
  AM_GO_F_LT,
  AM_GO_F_LE,
  AM_GO_F_GT,
  AM_GO_F_GE,
  AM_GO_F_LEN,
  AM_GO_F_INDEX,
  AM_GO_F_SLICE,
  AM_GO_F_PRINT,
  AM_GO_F_PRINTF,
  AM_GO_F_PRINTLN,
  AM_GO_F_HTML,
  AM_GO_F_JS,
  AM_GO_F_URLQUERY,
  AM_GO_F_CALL,
  AM_GO_F_JSON,
  AM_GO_F_CURRENT_DATE,
  AM_GO_F_YESTERDAY_DATE,
  AM_GO_F_TYPESCRIPT_TYPE,
  AM_GO_N_FUNCTIONS
} am_go_function;

typedef struct am_go_signature {
  const char *name;
  uint8_t n_least;
  bool more;    /* any number of further arguments */
  bool builtin; /* Go's own, not Ollama's: these are there in every turn of a legacy template */
  bool strings; /* every argument is a string */
} am_go_signature;

extern const am_go_signature am_go_functions[AM_GO_N_FUNCTIONS];
/* -1 = there is no such function. */
int am_go_function_find(am_go_name name);

#endif

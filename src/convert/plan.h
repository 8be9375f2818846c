/* SPDX-License-Identifier: Apache-2.0 */
/* convert/plan: what each tensor of the target is made of.
 * In: an open model and the format of the target. Out: items in the order in which the source's files have
 * their bytes, what is computed first. Owned by the plan; the model outlives it. */
#ifndef AM_CONVERT_PLAN_H
#define AM_CONVERT_PLAN_H

#include "loader/loader.h"
#include "quant/quant.h"

/* A tensor of the target as n_rows rows of n_columns: all axes but the last, and the last; a vector whose
 * elements move is n rows of one. */
typedef struct am_convert_item {
  const char *name;
  am_dtype dtype;
  uint32_t n_dims;
  uint64_t shape[4];
  uint64_t n_rows, n_columns;
  am_tensor *parts; /* n_parts of the source, side by side in rows; views; without data where pump.c builds them */
  uint32_t n_parts;
  const float *computed; /* n_rows n_columns numbers instead of parts */
  am_transform transform;
  bool undo;
  uint32_t head_rows; /* PAIRS: rows of a head */
  uint64_t cut_rows;  /* of the part's, in front: CUT, and rows of a fused matrix */
  uint64_t order;     /* of its first byte in the source's files */
} am_convert_item;

typedef struct am_convert_plan {
  am_arena arena; /* names, parts, computed numbers */
  am_config config; /* the target's: source says which format */
  am_convert_item *items;
  size_t n_items, capacity;
} am_convert_plan;

/* All tensors of the model under the target's names and in its form; dtypes are the source's. */
adam_status am_convert_plan_roles(const am_loader *loader, am_source target, am_convert_plan *plan,
                                  adam_error *error);
/* All tensors as they are: the same format on both sides. */
adam_status am_convert_plan_same(const am_loader *loader, am_convert_plan *plan, adam_error *error);
/* Sets each item's dtype. type NULL: as stored, but for what the format wants otherwise. */
adam_status am_convert_plan_types(am_convert_plan *plan, am_source target, const am_quant_type *type,
                                  adam_error *error);
/* Where row `row` of the item lies: part and row of it. */
void am_convert_locate(const am_convert_item *item, uint64_t row, uint32_t *part, uint64_t *part_row);
void am_convert_plan_close(am_convert_plan *plan);

#endif

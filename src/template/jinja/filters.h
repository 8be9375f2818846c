/* SPDX-License-Identifier: Apache-2.0 */
/* template/jinja/filters: the filters of Jinja 3.1.6 with transformers' tojson. A new filter is one
 * function in filters_text.c, filters_sequence.c, filters_lazy.c or filters_value.c and one row in filters.c. */
#ifndef AM_TEMPLATE_JINJA_FILTERS_H
#define AM_TEMPLATE_JINJA_FILTERS_H

#include "template/jinja/interp.h"

typedef bool (*am_jfilter_call)(am_jinja *jinja, const am_jvalue *value, const am_jargs *args,
                                am_jvalue *out);

struct am_jfilter {
  const char *name;
  am_jfilter_call call;
};
typedef struct am_jfilter am_jfilter;

const am_jfilter *am_jfilter_find(const char *name, size_t n_bytes); /* NULL: no such filter */

/* filters_text.c */
bool am_jfilter_capitalize(am_jinja *, const am_jvalue *, const am_jargs *, am_jvalue *);
bool am_jfilter_center(am_jinja *, const am_jvalue *, const am_jargs *, am_jvalue *);
bool am_jfilter_escape(am_jinja *, const am_jvalue *, const am_jargs *, am_jvalue *);
bool am_jfilter_filesizeformat(am_jinja *, const am_jvalue *, const am_jargs *, am_jvalue *);
bool am_jfilter_forceescape(am_jinja *, const am_jvalue *, const am_jargs *, am_jvalue *);
bool am_jfilter_format(am_jinja *, const am_jvalue *, const am_jargs *, am_jvalue *);
bool am_jfilter_indent(am_jinja *, const am_jvalue *, const am_jargs *, am_jvalue *);
bool am_jfilter_lower(am_jinja *, const am_jvalue *, const am_jargs *, am_jvalue *);
bool am_jfilter_pprint(am_jinja *, const am_jvalue *, const am_jargs *, am_jvalue *);
bool am_jfilter_replace(am_jinja *, const am_jvalue *, const am_jargs *, am_jvalue *);
bool am_jfilter_safe(am_jinja *, const am_jvalue *, const am_jargs *, am_jvalue *);
bool am_jfilter_string(am_jinja *, const am_jvalue *, const am_jargs *, am_jvalue *);
bool am_jfilter_striptags(am_jinja *, const am_jvalue *, const am_jargs *, am_jvalue *);
bool am_jfilter_title(am_jinja *, const am_jvalue *, const am_jargs *, am_jvalue *);
bool am_jfilter_trim(am_jinja *, const am_jvalue *, const am_jargs *, am_jvalue *);
bool am_jfilter_truncate(am_jinja *, const am_jvalue *, const am_jargs *, am_jvalue *);
bool am_jfilter_upper(am_jinja *, const am_jvalue *, const am_jargs *, am_jvalue *);
bool am_jfilter_urlencode(am_jinja *, const am_jvalue *, const am_jargs *, am_jvalue *);
bool am_jfilter_wordcount(am_jinja *, const am_jvalue *, const am_jargs *, am_jvalue *);
bool am_jfilter_xmlattr(am_jinja *, const am_jvalue *, const am_jargs *, am_jvalue *);
/* filters_sequence.c */
bool am_jfilter_dictsort(am_jinja *, const am_jvalue *, const am_jargs *, am_jvalue *);
bool am_jfilter_first(am_jinja *, const am_jvalue *, const am_jargs *, am_jvalue *);
bool am_jfilter_groupby(am_jinja *, const am_jvalue *, const am_jargs *, am_jvalue *);
bool am_jfilter_join(am_jinja *, const am_jvalue *, const am_jargs *, am_jvalue *);
bool am_jfilter_last(am_jinja *, const am_jvalue *, const am_jargs *, am_jvalue *);
bool am_jfilter_length(am_jinja *, const am_jvalue *, const am_jargs *, am_jvalue *);
bool am_jfilter_list(am_jinja *, const am_jvalue *, const am_jargs *, am_jvalue *);
bool am_jfilter_max(am_jinja *, const am_jvalue *, const am_jargs *, am_jvalue *);
bool am_jfilter_min(am_jinja *, const am_jvalue *, const am_jargs *, am_jvalue *);
bool am_jfilter_sort(am_jinja *, const am_jvalue *, const am_jargs *, am_jvalue *);
bool am_jfilter_sum(am_jinja *, const am_jvalue *, const am_jargs *, am_jvalue *);
/* filters_lazy.c */
bool am_jfilter_batch(am_jinja *, const am_jvalue *, const am_jargs *, am_jvalue *);
bool am_jfilter_items(am_jinja *, const am_jvalue *, const am_jargs *, am_jvalue *);
bool am_jfilter_map(am_jinja *, const am_jvalue *, const am_jargs *, am_jvalue *);
bool am_jfilter_reject(am_jinja *, const am_jvalue *, const am_jargs *, am_jvalue *);
bool am_jfilter_rejectattr(am_jinja *, const am_jvalue *, const am_jargs *, am_jvalue *);
bool am_jfilter_reverse(am_jinja *, const am_jvalue *, const am_jargs *, am_jvalue *);
bool am_jfilter_select(am_jinja *, const am_jvalue *, const am_jargs *, am_jvalue *);
bool am_jfilter_selectattr(am_jinja *, const am_jvalue *, const am_jargs *, am_jvalue *);
bool am_jfilter_slice(am_jinja *, const am_jvalue *, const am_jargs *, am_jvalue *);
bool am_jfilter_unique(am_jinja *, const am_jvalue *, const am_jargs *, am_jvalue *);
/* filters_value.c */
bool am_jfilter_abs(am_jinja *, const am_jvalue *, const am_jargs *, am_jvalue *);
bool am_jfilter_attr(am_jinja *, const am_jvalue *, const am_jargs *, am_jvalue *);
bool am_jfilter_default(am_jinja *, const am_jvalue *, const am_jargs *, am_jvalue *);
bool am_jfilter_float(am_jinja *, const am_jvalue *, const am_jargs *, am_jvalue *);
bool am_jfilter_int(am_jinja *, const am_jvalue *, const am_jargs *, am_jvalue *);
bool am_jfilter_round(am_jinja *, const am_jvalue *, const am_jargs *, am_jvalue *);
bool am_jfilter_unsupported(am_jinja *, const am_jvalue *, const am_jargs *, am_jvalue *);
/* wordwrap.c, tojson.c */
bool am_jfilter_wordwrap(am_jinja *, const am_jvalue *, const am_jargs *, am_jvalue *);
bool am_jfilter_tojson(am_jinja *, const am_jvalue *, const am_jargs *, am_jvalue *);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* template/jinja/attribute: a.b, a['b'], a[1:2], as the immutable sandbox looks them up. */
#ifndef AM_TEMPLATE_JINJA_ATTRIBUTE_H
#define AM_TEMPLATE_JINJA_ATTRIBUTE_H

#include "template/jinja/interp.h"

/* The attribute first, then the item; what is missing is undefined. */
bool am_jvalue_getattr(am_jinja *jinja, const am_jvalue *object, const char *name, size_t n_bytes,
                       am_jvalue *out);
/* The item first, then (for text) the attribute. */
bool am_jvalue_getitem(am_jinja *jinja, const am_jvalue *object, const am_jvalue *key, am_jvalue *out);
/* The attribute alone; *found is false when there is none. */
bool am_jvalue_attribute(am_jinja *jinja, const am_jvalue *object, const char *name, size_t n_bytes,
                         am_jvalue *out, bool *found);
/* start, stop and step may be NONE. */
bool am_jvalue_slice(am_jinja *jinja, const am_jvalue *object, const am_jvalue *start, const am_jvalue *stop,
                     const am_jvalue *step, am_jvalue *out);
/* Code points first..end of a string, as a view. */
bool am_jstring_part(am_jinja *jinja, const am_jvalue *string, size_t first, size_t end, am_jvalue *out);

/* methods.c: the method of that name bound to its receiver; false: it has none. */
bool am_jmethod_find(const am_jvalue *receiver, const char *name, size_t n_bytes, const char **method,
                     am_jcall *call);
/* Python has the attribute, but the sandbox does not let templates use it. */
bool am_jattribute_unsafe(const am_jvalue *object, const char *name, size_t n_bytes);

#endif

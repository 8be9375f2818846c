/* SPDX-License-Identifier: Apache-2.0 */
#include "template/jinja/attribute.h"

#include <string.h>

#include "template/jinja/eval.h"
#include "template/jinja/format.h"
#include "template/jinja/unicode.h"

#define IS(text) (n_bytes == sizeof text - 1 && memcmp(name, text, sizeof text - 1) == 0)

/* --- undefined results --- */
/* jinja2.utils.object_type_repr */
static const char *object_type(const am_jvalue *object) {
  switch (object->kind) {
    case AM_J_NONE:
      return "None";
    case AM_J_NAMESPACE:
      return "transformers.utils.chat_template_utils.TemplateNamespace object";
    case AM_J_MACRO:
      return "jinja2.runtime.Macro object";
    case AM_J_LOOP:
      return "jinja2.runtime.LoopContext object";
    case AM_J_CYCLER:
      return "jinja2.utils.Cycler object";
    case AM_J_JOINER:
      return "jinja2.utils.Joiner object";
    case AM_J_STRING:
      return object->marked ? "markupsafe.Markup object" : "str object";
    default:
      return NULL;
  }
}

static bool no_attribute(am_jinja *jinja, const am_jvalue *object, const char *name, size_t n_bytes,
                         am_jvalue *out) {
  const char *type = object_type(object);
  return am_jundefined_new(jinja, false, out, "'%s%s' has no attribute '%.*s'",
                           type ? type : am_jvalue_type(object), type ? "" : " object",
                           (int)(n_bytes < 200 ? n_bytes : 200), name);
}

static bool no_element(am_jinja *jinja, const am_jvalue *object, const am_jvalue *key, am_jvalue *out) {
  if (key->kind == AM_J_STRING)
    return no_attribute(jinja, object, key->as.string->data, key->as.string->n_bytes, out);
  const char *type = object_type(object);
  size_t mark = am_jinja_mark(jinja);
  am_jvalue text;
  if (!am_jput_repr(jinja, key) || !am_jinja_cut(jinja, mark, &text)) return false;
  size_t n = text.as.string->n_bytes < 200 ? text.as.string->n_bytes : 200;
  return am_jundefined_new(jinja, false, out, "%s%s has no element %.*s",
                           type ? type : am_jvalue_type(object), type ? "" : " object", (int)n,
                           text.as.string->data);
}

/* --- attributes --- */
static bool macro_attribute(am_jinja *jinja, const am_jmacro *macro, const char *name, size_t n_bytes,
                            am_jvalue *out, bool *found) {
  const am_jcode *code = macro->code;
  if (IS("name")) {
    if (code->name.text) return am_jstring_view(jinja, code->name.text, code->name.n_bytes, out);
    return *out = am_jnone(), true;
  }
  if (IS("catch_kwargs")) return *out = am_jbool(code->has_kwargs), true;
  if (IS("catch_varargs")) return *out = am_jbool(code->has_varargs), true;
  if (IS("caller")) return *out = am_jbool(code->has_caller), true;
  if (IS("explicit_caller")) return *out = am_jbool(code->explicit_caller), true;
  if (!IS("arguments")) return *found = false, true;
  am_jlist *list = NULL;
  if (!am_jlist_new(jinja, code->params.n, &list)) return false;
  for (size_t i = 0; i < code->params.n; i++) {
    am_jvalue text;
    am_jname param = code->params.items[i]->as.name.name;
    if (!am_jstring_view(jinja, param.text, param.n_bytes, &text) || !am_jlist_push(jinja, list, text))
      return false;
  }
  *out = am_jtuple_value(list);
  return true;
}

static bool next_of_cycler(am_jinja *jinja, const am_jfunction *self, const am_jargs *args, am_jvalue *out) {
  am_jcycler *cycler = self->receiver.as.cycler;
  if (!am_jargs_bind(jinja, "next", args, NULL, 0, 0, NULL)) return false;
  *out = cycler->items->items[cycler->position];
  cycler->position = (cycler->position + 1) % cycler->items->n;
  return true;
}

static bool reset_cycler(am_jinja *jinja, const am_jfunction *self, const am_jargs *args, am_jvalue *out) {
  if (!am_jargs_bind(jinja, "reset", args, NULL, 0, 0, NULL)) return false;
  self->receiver.as.cycler->position = 0;
  *out = am_jnone();
  return true;
}

static bool bind_method(am_jinja *jinja, const am_jvalue *receiver, const char *name, am_jcall call,
                        am_jvalue *out) {
  am_jfunction *function = am_jinja_alloc(jinja, 1, sizeof *function);
  if (!function) return false;
  *function = (am_jfunction){.name = name, .call = call, .receiver = *receiver};
  *out = (am_jvalue){.kind = AM_J_FUNCTION, .as.function = function};
  return true;
}

static bool cycler_attribute(am_jinja *jinja, const am_jvalue *object, const char *name, size_t n_bytes,
                             am_jvalue *out, bool *found) {
  const am_jcycler *cycler = object->as.cycler;
  if (IS("next")) return bind_method(jinja, object, "next", next_of_cycler, out);
  if (IS("reset")) return bind_method(jinja, object, "reset", reset_cycler, out);
  if (IS("current")) return *out = cycler->items->items[cycler->position], true;
  if (IS("pos")) return *out = am_jint((int64_t)cycler->position), true;
  if (IS("items")) return *out = am_jtuple_value(cycler->items), true;
  *found = false;
  return true;
}

static bool number_attribute(const am_jvalue *object, const char *name, size_t n_bytes, am_jvalue *out) {
  int64_t i;
  bool is_int = am_jvalue_as_int(object, &i);
  if (IS("real")) return *out = is_int ? am_jint(i) : *object, true;
  if (IS("imag")) return *out = is_int ? am_jint(0) : am_jreal(0), true;
  if (is_int && IS("numerator")) return *out = am_jint(i), true;
  if (is_int && IS("denominator")) return *out = am_jint(1), true;
  return false;
}

static bool special_attribute(am_jinja *jinja, const am_jvalue *object, const char *name, size_t n_bytes,
                              am_jvalue *out, bool *found) {
  am_jvalue *value = NULL;
  *found = true;
  switch (object->kind) {
    case AM_J_NAMESPACE:
      value = am_jdict_find(object->as.dict, name, n_bytes);
      *found = value != NULL;
      if (value) *out = *value;
      return true;
    case AM_J_LOOP:
      return am_jloop_attribute(jinja, object->as.loop, name, n_bytes, out, found);
    case AM_J_MACRO:
      return macro_attribute(jinja, object->as.macro, name, n_bytes, out, found);
    case AM_J_CYCLER:
      return cycler_attribute(jinja, object, name, n_bytes, out, found);
    case AM_J_JOINER:
      if (IS("sep")) return *out = object->as.joiner->separator, true;
      if (IS("used")) return *out = am_jbool(object->as.joiner->used), true;
      break;
    case AM_J_TUPLE:
      if (object->marked && IS("grouper")) return *out = object->as.list->items[0], true;
      if (object->marked && IS("list")) return *out = object->as.list->items[1], true;
      break;
    case AM_J_RANGE:
      if (IS("start")) return *out = am_jint(object->as.range->start), true;
      if (IS("stop")) return *out = am_jint(object->as.range->stop), true;
      if (IS("step")) return *out = am_jint(object->as.range->step), true;
      break;
    case AM_J_BOOL:
    case AM_J_INT:
    case AM_J_FLOAT:
      if (number_attribute(object, name, n_bytes, out)) return true;
      break;
    default:
      break;
  }
  *found = false;
  return true;
}

static bool unsafe(am_jinja *jinja, const am_jvalue *object, const char *name, size_t n_bytes,
                   am_jvalue *out) {
  return am_jundefined_new(jinja, true, out, "access to attribute '%.*s' of '%s' object is unsafe.",
                           (int)(n_bytes < 200 ? n_bytes : 200), name, am_jvalue_type(object));
}

bool am_jvalue_attribute(am_jinja *jinja, const am_jvalue *object, const char *name, size_t n_bytes,
                         am_jvalue *out, bool *found) {
  const char *method = NULL;
  am_jcall call = NULL;
  if (!special_attribute(jinja, object, name, n_bytes, out, found)) return false;
  if (*found) return n_bytes && name[0] == '_' ? unsafe(jinja, object, name, n_bytes, out) : true;
  *found = true;
  if (am_jmethod_find(object, name, n_bytes, &method, &call))
    return bind_method(jinja, object, method, call, out);
  if (am_jattribute_unsafe(object, name, n_bytes)) return unsafe(jinja, object, name, n_bytes, out);
  *found = false;
  return true;
}

/* --- items --- */
static bool sequence_item(am_jinja *jinja, const am_jvalue *object, int64_t index, am_jvalue *out,
                          bool *found) {
  size_t n = 0;
  am_jvalue_length(object, &n);
  if (index < 0) index += (int64_t)n;
  *found = index >= 0 && (uint64_t)index < n;
  if (!*found) return true;
  if (object->kind == AM_J_STRING)
    return am_jstring_part(jinja, object, (size_t)index, (size_t)index + 1, out);
  if (object->kind == AM_J_RANGE)
    *out = am_jint(am_jrange_at(object->as.range, index));
  else
    *out = object->as.list->items[index];
  return true;
}

static bool block_item(am_jinja *jinja, const am_jvalue *key, am_jvalue *out, bool *found) {
  const am_jnodes *blocks = &jinja->program->blocks;
  for (size_t i = 0; i < blocks->n && key->kind == AM_J_STRING; i++) {
    am_jname name = blocks->items[i]->as.block.name;
    if (name.n_bytes != key->as.string->n_bytes || memcmp(name.text, key->as.string->data, name.n_bytes) != 0)
      continue;
    *out = (am_jvalue){.kind = AM_J_BLOCK, .as.block = blocks->items[i]};
    return *found = true;
  }
  *found = false;
  return true;
}

/* object[key]; *found is false where Python raises a TypeError or LookupError. */
static bool item(am_jinja *jinja, const am_jvalue *object, const am_jvalue *key, am_jvalue *out,
                 bool *found) {
  am_jvalue *value = NULL;
  int64_t index;
  *found = false;
  switch (object->kind) {
    case AM_J_UNDEFINED:
      return am_jinja_raise_undefined(jinja, object);
    case AM_J_DICT:
      if (!am_jvalue_hashable(jinja, key)) return !jinja->status;
      if (!am_jdict_get(jinja, object->as.dict, key, &value)) return false;
      *found = value != NULL;
      if (value) *out = *value;
      return true;
    case AM_J_STRING:
    case AM_J_LIST:
    case AM_J_TUPLE:
    case AM_J_RANGE:
      return !am_jvalue_as_int(key, &index) || sequence_item(jinja, object, index, out, found);
    case AM_J_BLOCKS:
      return block_item(jinja, key, out, found);
    default:
      return true;
  }
}

bool am_jvalue_getattr(am_jinja *jinja, const am_jvalue *object, const char *name, size_t n_bytes,
                       am_jvalue *out) {
  bool found = false;
  if (object->kind == AM_J_UNDEFINED && !am_jattribute_unsafe(object, name, n_bytes))
    return am_jinja_raise_undefined(jinja, object);
  if (!am_jvalue_attribute(jinja, object, name, n_bytes, out, &found)) return false;
  if (found) return true;
  if (object->kind == AM_J_DICT) { /* the way of nearly every a.b */
    const am_jvalue *value = am_jdict_find(object->as.dict, name, n_bytes);
    if (value) return *out = *value, true;
    return no_attribute(jinja, object, name, n_bytes, out);
  }
  am_jvalue key;
  if (!am_jstring_view(jinja, name, n_bytes, &key) || !item(jinja, object, &key, out, &found)) return false;
  return found || no_attribute(jinja, object, name, n_bytes, out);
}

bool am_jvalue_getitem(am_jinja *jinja, const am_jvalue *object, const am_jvalue *key, am_jvalue *out) {
  bool found = false;
  if (!item(jinja, object, key, out, &found)) return false;
  if (!found && key->kind == AM_J_STRING &&
      !am_jvalue_attribute(jinja, object, key->as.string->data, key->as.string->n_bytes, out, &found))
    return false;
  return found || no_element(jinja, object, key, out);
}

/* --- slices --- */
bool am_jstring_part(am_jinja *jinja, const am_jvalue *string, size_t first, size_t end, am_jvalue *out) {
  const am_jstring *s = string->as.string;
  size_t start = am_jstring_offset(s, first), stop = am_jstring_offset(s, end);
  if (!am_jinja_charge(jinja, am_jstring_is_ascii(s) ? 0 : s->n_bytes / 64)) return false;
  if (!am_jstring_view(jinja, s->data + start, stop - start, out)) return false;
  out->marked = string->marked;
  return true;
}

/* Python's slice.indices: where to begin, how many, how far apart. */
static bool slice_bounds(am_jinja *jinja, const am_jvalue *given[3], int64_t n, int64_t *first, int64_t *step,
                         int64_t *count, int64_t *stop) {
  int64_t values[3] = {0, 0, 1};
  for (int i = 0; i < 3; i++)
    if (given[i]->kind != AM_J_NONE && !am_jvalue_as_int(given[i], &values[i]))
      return am_jinja_raise(jinja, "slice indices must be integers or None or have an __index__ method");
  if (!values[2]) return am_jinja_raise(jinja, "slice step cannot be zero");
  bool back = values[2] < 0;
  int64_t low = back ? -1 : 0, high = back ? n - 1 : n;
  for (int i = 0; i < 2; i++) {
    if (given[i]->kind == AM_J_NONE) {
      values[i] = (i == 0) == back ? high : low;
      continue;
    }
    if (values[i] < 0) values[i] = values[i] < -n ? low : values[i] + n;
    if (values[i] < low) values[i] = low;
    if (values[i] > high) values[i] = high;
  }
  *first = values[0];
  *stop = values[1];
  *step = values[2];
  uint64_t distance = back ? (uint64_t)(values[0] - values[1]) : (uint64_t)(values[1] - values[0]);
  uint64_t stride = back ? 0 - (uint64_t)values[2] : (uint64_t)values[2];
  *count =
      (back ? values[1] < values[0] : values[0] < values[1]) ? (int64_t)((distance - 1) / stride + 1) : 0;
  return true;
}

static bool slice_string(am_jinja *jinja, const am_jvalue *object, int64_t first, int64_t step, int64_t count,
                         am_jvalue *out) {
  const am_jstring *s = object->as.string;
  if (step == 1) return am_jstring_part(jinja, object, (size_t)first, (size_t)(first + count), out);
  size_t mark = am_jinja_mark(jinja);
  if (!am_jinja_charge(jinja, (uint64_t)count + s->n_bytes / 32)) return false;
  size_t offset = count ? am_jstring_offset(s, (size_t)first) : 0;
  for (int64_t i = 0; i < count; i++) {
    size_t end = offset;
    am_unicode_next(s->data, s->n_bytes, &end);
    if (!am_jinja_put(jinja, s->data + offset, end - offset)) return false;
    if (i + 1 == count) break;
    for (int64_t k = 0; k < step; k++) am_unicode_next(s->data, s->n_bytes, &offset);
    for (int64_t k = 0; k > step; k--) am_unicode_previous(s->data, &offset);
  }
  if (!am_jinja_cut(jinja, mark, out)) return false;
  out->marked = object->marked;
  return true;
}

static bool slice_range(am_jinja *jinja, const am_jrange *range, int64_t first, int64_t step, int64_t count,
                        int64_t stop, am_jvalue *out) {
  am_jrange *part = am_jinja_alloc(jinja, 1, sizeof *part);
  if (!part) return false;
  *part = (am_jrange){.start = am_jrange_at(range, first),
                      .step = (int64_t)((uint64_t)range->step * (uint64_t)step),
                      .stop = am_jrange_at(range, stop),
                      .n = count};
  *out = (am_jvalue){.kind = AM_J_RANGE, .as.range = part};
  return true;
}

bool am_jvalue_slice(am_jinja *jinja, const am_jvalue *object, const am_jvalue *start, const am_jvalue *stop,
                     const am_jvalue *step, am_jvalue *out) {
  size_t n = 0;
  int64_t first = 0, stride = 1, count = 0, last = 0;
  if (object->kind == AM_J_UNDEFINED) return am_jinja_raise_undefined(jinja, object);
  if (object->kind == AM_J_DICT) return am_jinja_raise(jinja, "unhashable type: 'slice'");
  if (object->kind != AM_J_STRING && object->kind != AM_J_LIST && object->kind != AM_J_TUPLE &&
      object->kind != AM_J_RANGE)
    return am_jinja_raise(jinja, "'%s' object is not subscriptable", am_jvalue_type(object));
  am_jvalue_length(object, &n);
  if (!slice_bounds(jinja, (const am_jvalue *[3]){start, stop, step}, (int64_t)n, &first, &stride, &count,
                    &last))
    return false;
  if (object->kind == AM_J_STRING) return slice_string(jinja, object, first, stride, count, out);
  if (object->kind == AM_J_RANGE)
    return slice_range(jinja, object->as.range, first, stride, count, last, out);
  am_jlist *list = NULL;
  if (!am_jinja_charge(jinja, (uint64_t)count / 8) || !am_jlist_new(jinja, (size_t)count, &list))
    return false;
  for (int64_t i = 0; i < count; i++) list->items[i] = object->as.list->items[first + i * stride];
  list->n = (size_t)count;
  *out = (am_jvalue){.kind = object->kind, .as.list = list};
  return true;
}

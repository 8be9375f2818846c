/* SPDX-License-Identifier: Apache-2.0 */
#include "template/jinja/globals.h"

#include <string.h>

#include "template/jinja/eval.h"
#include "template/jinja/format.h"
#include "template/jinja/iterate.h"

enum { MAX_RANGE = 100000 }; /* jinja2.sandbox */

#define GLOBAL(name) \
  static bool name(am_jinja *jinja, const am_jfunction *self, const am_jargs *args, am_jvalue *out)

GLOBAL(call_range) {
  am_jvalue given[3];
  int64_t bounds[3] = {0, 0, 1};
  if (!am_jargs_bind(jinja, self->name, args, NULL, 3, 1, given)) return false;
  for (size_t i = 0; i < args->n; i++) {
    size_t at = args->n == 1 ? 1 : i;
    if (given[i].kind == AM_J_UNDEFINED || !am_jvalue_as_int(&given[i], &bounds[at]))
      return am_jinja_raise(jinja, "'%s' object cannot be interpreted as an integer",
                            am_jvalue_type(&given[i]));
  }
  if (!bounds[2]) return am_jinja_raise(jinja, "range() arg 3 must not be zero");
  bool up = bounds[2] > 0;
  uint64_t distance =
      up ? (uint64_t)bounds[1] - (uint64_t)bounds[0] : (uint64_t)bounds[0] - (uint64_t)bounds[1];
  uint64_t step = up ? (uint64_t)bounds[2] : 0 - (uint64_t)bounds[2];
  uint64_t n = (up ? bounds[0] < bounds[1] : bounds[0] > bounds[1]) ? (distance - 1) / step + 1 : 0;
  if (n > MAX_RANGE)
    return am_jinja_raise(jinja, "Range too big. The sandbox blocks ranges larger than MAX_RANGE (%d).",
                          MAX_RANGE);
  am_jrange *range = am_jinja_alloc(jinja, 1, sizeof *range);
  if (!range) return false;
  *range = (am_jrange){.start = bounds[0], .stop = bounds[1], .step = bounds[2], .n = (int64_t)n};
  *out = (am_jvalue){.kind = AM_J_RANGE, .as.range = range};
  return true;
}

/* dict(mapping or pairs, **kwargs) */
static bool fill_dict(am_jinja *jinja, const am_jvalue *source, am_jdict *dict) {
  am_jiterator *iterator = NULL;
  if (source->kind == AM_J_DICT) {
    for (size_t i = 0; i < source->as.dict->n; i++)
      if (!am_jdict_set(jinja, dict, source->as.dict->entries[i].key, source->as.dict->entries[i].value))
        return false;
    return true;
  }
  if (source->kind == AM_J_UNDEFINED) return am_jinja_raise_undefined(jinja, source);
  if (!am_jiterator_open(jinja, source, &iterator)) return false;
  for (size_t i = 0;; i++) {
    am_jvalue item;
    am_jlist *pair = NULL;
    bool done = false;
    if (!am_jiterator_next(jinja, iterator, &item, &done)) return false;
    if (done) return true;
    if (!am_jvalue_iterable(&item))
      return am_jinja_raise(jinja, "cannot convert dictionary update sequence element #%zu to a sequence", i);
    if (!am_jiterator_list(jinja, &item, &pair)) return false;
    if (pair->n != 2)
      return am_jinja_raise(jinja, "dictionary update sequence element #%zu has length %zu; 2 is required", i,
                            pair->n);
    if (!am_jdict_set(jinja, dict, pair->items[0], pair->items[1])) return false;
  }
}

static bool make_dict(am_jinja *jinja, const am_jargs *args, am_jdict **out) {
  if (args->n > 1) return am_jinja_raise(jinja, "dict expected at most 1 argument, got %zu", args->n);
  if (!am_jdict_new(jinja, args->n_keywords, out) || (args->n && !fill_dict(jinja, &args->items[0], *out)))
    return false;
  for (size_t i = 0; i < args->n_keywords; i++)
    if (!am_jdict_set(jinja, *out, args->keywords[i].key, args->keywords[i].value)) return false;
  return true;
}

GLOBAL(call_dict) {
  (void)self;
  am_jdict *dict = NULL;
  if (!make_dict(jinja, args, &dict)) return false;
  *out = am_jdict_value(dict);
  return true;
}

GLOBAL(call_namespace) {
  (void)self;
  am_jdict *dict = NULL;
  if (!make_dict(jinja, args, &dict)) return false;
  for (size_t i = 0; i < dict->n; i++) {
    const am_jvalue *key = &dict->entries[i].key;
    if (key->kind == AM_J_STRING && key->as.string->n_bytes && key->as.string->data[0] == '_')
      return am_jinja_raise(
          jinja,
          "Chat templates cannot store underscore-prefixed attributes on a namespace, but got '%.*s'. "
          "Please rename the attribute.",
          (int)(key->as.string->n_bytes < 100 ? key->as.string->n_bytes : 100), key->as.string->data);
  }
  *out = (am_jvalue){.kind = AM_J_NAMESPACE, .as.dict = dict};
  return true;
}

GLOBAL(call_cycler) {
  (void)self;
  if (args->n_keywords) return am_jinja_raise(jinja, "cycler() got an unexpected keyword argument");
  if (!args->n) return am_jinja_raise(jinja, "at least one item has to be provided");
  am_jcycler *cycler = am_jinja_alloc(jinja, 1, sizeof *cycler);
  if (!cycler) return false;
  *cycler = (am_jcycler){0};
  if (!am_jlist_new(jinja, args->n, &cycler->items)) return false;
  for (size_t i = 0; i < args->n; i++)
    if (!am_jlist_push(jinja, cycler->items, args->items[i])) return false;
  *out = (am_jvalue){.kind = AM_J_CYCLER, .as.cycler = cycler};
  return true;
}

GLOBAL(call_joiner) {
  static const char *const params[] = {"sep"};
  am_jvalue separator;
  if (!am_jargs_bind(jinja, self->name, args, params, 1, 0, &separator)) return false;
  if (separator.kind == AM_J_MISSING && !am_jstring_text(jinja, ", ", &separator)) return false;
  am_jjoiner *joiner = am_jinja_alloc(jinja, 1, sizeof *joiner);
  if (!joiner) return false;
  *joiner = (am_jjoiner){.separator = separator};
  *out = (am_jvalue){.kind = AM_J_JOINER, .as.joiner = joiner};
  return true;
}

GLOBAL(call_raise_exception) {
  static const char *const params[] = {"message"};
  am_jvalue message, text;
  (void)out;
  if (!am_jargs_bind(jinja, self->name, args, params, 1, 1, &message) ||
      !am_jvalue_str(jinja, &message, &text))
    return false;
  size_t n = text.as.string->n_bytes;
  return am_jinja_raise(jinja, "%.*s", (int)(n < 4096 ? n : 4096), text.as.string->data);
}

GLOBAL(call_strftime_now) {
  static const char *const params[] = {"format"};
  am_jvalue format;
  if (!am_jargs_bind(jinja, self->name, args, params, 1, 1, &format)) return false;
  if (format.kind != AM_J_STRING)
    return am_jinja_raise(jinja, "strftime() argument 1 must be str, not %s", am_jvalue_type(&format));
  return am_jstrftime_now(jinja, format.as.string, out);
}

GLOBAL(call_lipsum) {
  (void)self;
  (void)args;
  (void)out;
  return am_jinja_raise(jinja, "lipsum() makes random text and is not supported in chat templates");
}

bool am_jglobals_add(am_jinja *jinja, am_jdict *globals) {
  static const am_jfunction functions[] = {{.name = "range", .call = call_range},
                                           {.name = "dict", .call = call_dict},
                                           {.name = "lipsum", .call = call_lipsum},
                                           {.name = "cycler", .call = call_cycler},
                                           {.name = "joiner", .call = call_joiner},
                                           {.name = "namespace", .call = call_namespace},
                                           {.name = "raise_exception", .call = call_raise_exception},
                                           {.name = "strftime_now", .call = call_strftime_now}};
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
    am_jvalue name, function = {.kind = AM_J_FUNCTION, .as.function = &functions[i]};
    if (!am_jstring_text(jinja, functions[i].name, &name) || !am_jdict_set(jinja, globals, name, function))
      return false;
  }
  return true;
}

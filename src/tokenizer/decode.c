/* SPDX-License-Identifier: Apache-2.0 */
#include "tokenizer/decode.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "tokenizer/alphabet.h"
#include "tokenizer/unicode.h"

#include <string.h>

/* A token, or a part of one: a step behind Fuse or ByteLevel sees one long token in parts. */
typedef struct part {
  const char *text;
  size_t n_bytes;
  bool begins, ends; /* the first, the last part of its token */
  const char *raw;   /* what ByteLevel makes of a whole token, where that is known; else NULL */
  size_t raw_bytes;
} part;

typedef struct am_decode_row {
  const char *type;
  bool takes_parts; /* else push sees whole tokens only */
  adam_status (*read)(const am_json *json, am_decode_step *step, adam_error *error);
  adam_status (*push)(am_decode_flow *flow, size_t at, const part *in, am_buf *out, adam_error *error);
  adam_status (*finish)(am_decode_flow *flow, size_t at, am_buf *out, adam_error *error); /* may be NULL */
} am_decode_row;

static adam_status no_memory(adam_error *error) { return am_fail_memory(error, "tokenizer"); }

static adam_status bad_field(adam_error *error, const char *type, const char *field) {
  return am_fail(error, ADAM_DAMAGED, "tokenizer", NULL, "decoder %s: no usable \"%s\"", type, field);
}

/* Hands a part to step `at`, or to the text behind the last step. */
static adam_status pass(am_decode_flow *flow, size_t at, const part *in, am_buf *out, adam_error *error) {
  if (at == flow->chain->n) return am_buf_append(out, in->text, in->n_bytes) ? ADAM_OK : no_memory(error);
  const am_decode_row *row = flow->chain->steps[at].row;
  am_decode_state *state = &flow->states[at];
  if (row->takes_parts || (in->begins && in->ends)) return row->push(flow, at, in, out, error);
  if (in->begins) am_buf_clear(&state->gathered);
  if (!am_buf_append(&state->gathered, in->text, in->n_bytes)) return no_memory(error);
  state->open = !in->ends;
  if (!in->ends) return ADAM_OK;
  part whole = {state->gathered.data, state->gathered.len, true, true, NULL, 0};
  return row->push(flow, at, &whole, out, error);
}

static adam_status pass_token(am_decode_flow *flow, size_t at, const char *text, size_t n_bytes, am_buf *out,
                              adam_error *error) {
  part whole = {text ? text : "", n_bytes, true, true, NULL, 0};
  return pass(flow, at, &whole, out, error);
}

/* A part of the one token that this step makes of everything. */
static adam_status pass_fused(am_decode_flow *flow, size_t at, const char *text, size_t n_bytes, am_buf *out,
                              adam_error *error) {
  am_decode_state *state = &flow->states[at];
  part piece = {text ? text : "", n_bytes, !state->open, false, NULL, 0};
  if (n_bytes == 0) return ADAM_OK;
  state->open = true;
  return pass(flow, at + 1, &piece, out, error);
}

static adam_status finish_fused(am_decode_flow *flow, size_t at, am_buf *out, adam_error *error) {
  am_decode_state *state = &flow->states[at];
  part end = {"", 0, !state->open, true, NULL, 0};
  state->open = false;
  return pass(flow, at + 1, &end, out, error);
}

static adam_status read_nothing(const am_json *json, am_decode_step *step, adam_error *error) {
  (void)json;
  (void)step;
  (void)error;
  return ADAM_OK;
}

static adam_status read_text(const am_json *json, const char *key, const char *fallback, am_decode_step *step,
                             adam_error *error) {
  const am_json *value = am_json_get(json, key);
  if (value && value->type != AM_JSON_STRING) return bad_field(error, step->row->type, key);
  step->text_bytes = value ? value->n : strlen(fallback);
  step->text = am_mem_dup(value ? value->as.string : fallback, step->text_bytes);
  return step->text ? ADAM_OK : no_memory(error);
}

static adam_status read_character(const am_json *json, const char *key, am_decode_step *step,
                                  adam_error *error) {
  const am_json *value = am_json_get(json, key);
  if (!value || value->type != AM_JSON_STRING || value->n == 0 ||
      am_utf8_decode(value->as.string, value->n, &step->character) != (int)value->n)
    return bad_field(error, step->row->type, key);
  return ADAM_OK;
}

/* Moves what is certain of bytes from held to scratch, invalid sequences as U+FFFD. */
static bool take_valid(am_decode_state *state, bool all) {
  am_buf *held = &state->held;
  size_t keep = all ? 0 : am_utf8_incomplete_tail(held->data, held->len), p = 0, end = held->len - keep;
  am_buf_clear(&state->scratch);
  while (p < end) {
    size_t valid = am_utf8_valid_prefix(held->data + p, end - p);
    am_buf_append(&state->scratch, held->data + p, valid);
    p += valid;
    if (p == end) break;
    uint32_t codepoint;
    int length = am_utf8_decode(held->data + p, end - p, &codepoint);
    am_buf_append_codepoint(&state->scratch, AM_UTF8_REPLACEMENT);
    p += (size_t)(length < 0 ? -length : length);
  }
  if (keep > 0) memmove(held->data, held->data + end, keep);
  held->len = keep;
  if (held->data) held->data[keep] = 0;
  return !state->scratch.failed;
}

static adam_status push_byte_level(am_decode_flow *flow, size_t at, const part *in, am_buf *out,
                                   adam_error *error) {
  am_decode_state *state = &flow->states[at];
  am_buf *held = &state->held;
  if (in->raw) {
    am_buf_append(held, in->raw, in->raw_bytes);
  } else if (am_buf_reserve(held, in->n_bytes)) {
    size_t n = am_utf8_valid(in->text, in->n_bytes)
                   ? am_alphabet_bytes(in->text, in->n_bytes, held->data + held->len)
                   : SIZE_MAX;
    if (n == SIZE_MAX)
      am_buf_append(held, in->text, in->n_bytes);
    else
      held->len += n;
  }
  if (held->failed || !take_valid(state, false)) return no_memory(error);
  return pass_fused(flow, at, state->scratch.data, state->scratch.len, out, error);
}

static adam_status finish_byte_level(am_decode_flow *flow, size_t at, am_buf *out, adam_error *error) {
  am_decode_state *state = &flow->states[at];
  if (state->held.len > 0) {
    if (!take_valid(state, true)) return no_memory(error);
    adam_status status = pass_fused(flow, at, state->scratch.data, state->scratch.len, out, error);
    if (status != ADAM_OK) return status;
  }
  return finish_fused(flow, at, out, error);
}

static adam_status push_fuse(am_decode_flow *flow, size_t at, const part *in, am_buf *out,
                             adam_error *error) {
  return pass_fused(flow, at, in->text, in->n_bytes, out, error);
}

/* Tokens joined by spaces: what a file without a decoder gets. */
static adam_status push_join(am_decode_flow *flow, size_t at, const part *in, am_buf *out,
                             adam_error *error) {
  adam_status status = ADAM_OK;
  if (flow->states[at].n_tokens++ > 0) status = pass_token(flow, at + 1, " ", 1, out, error);
  return status == ADAM_OK ? pass(flow, at + 1, in, out, error) : status;
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Byte of a token <0xXX>, -1 for any other. Rust's parser lets a '+' stand for the first digit. */
static int byte_token(const part *in) {
  if (in->n_bytes != 6 || memcmp(in->text, "<0x", 3) != 0 || in->text[5] != '>') return -1;
  int high = in->text[3] == '+' ? 0 : hex_digit(in->text[3]), low = hex_digit(in->text[4]);
  return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* A run of byte tokens counts as a whole: text if all of it is valid, else U+FFFD for each byte. */
static adam_status flush_bytes(am_decode_flow *flow, size_t at, am_buf *out, adam_error *error) {
  am_decode_state *state = &flow->states[at];
  adam_status status = ADAM_OK;
  if (state->held.len == 0) return ADAM_OK;
  if (am_utf8_valid(state->held.data, state->held.len)) {
    status = pass_token(flow, at + 1, state->held.data, state->held.len, out, error);
  } else {
    for (size_t i = 0; status == ADAM_OK && i < state->held.len; i++)
      status = pass_token(flow, at + 1, "\xEF\xBF\xBD", 3, out, error);
  }
  am_buf_clear(&state->held);
  return status;
}

static adam_status push_byte_fallback(am_decode_flow *flow, size_t at, const part *in, am_buf *out,
                                      adam_error *error) {
  int byte = byte_token(in);
  if (byte >= 0) return am_buf_append_char(&flow->states[at].held, (char)byte) ? ADAM_OK : no_memory(error);
  adam_status status = flush_bytes(flow, at, out, error);
  return status == ADAM_OK ? pass(flow, at + 1, in, out, error) : status;
}

static adam_status read_strip(const am_json *json, am_decode_step *step, adam_error *error) {
  int64_t start = am_json_int(am_json_get(json, "start"), -1),
          stop = am_json_int(am_json_get(json, "stop"), -1);
  if (start < 0 || stop < 0) return bad_field(error, "Strip", "start");
  step->start = (size_t)start;
  step->stop = (size_t)stop;
  return read_character(json, "content", step, error);
}

static bool is_character(const char *text, size_t n_bytes, uint32_t character, size_t *length) {
  uint32_t codepoint;
  if (n_bytes == 0) return false;
  int n = am_utf8_decode(text, n_bytes, &codepoint);
  *length = (size_t)(n < 0 ? -n : n);
  return n > 0 && codepoint == character;
}

static adam_status push_strip(am_decode_flow *flow, size_t at, const part *in, am_buf *out,
                              adam_error *error) {
  const am_decode_step *step = &flow->chain->steps[at];
  am_decode_state *state = &flow->states[at];
  part rest = *in;
  size_t length;
  rest.raw = NULL;
  if (in->begins) state->left = step->start;
  while (state->left > 0 && is_character(rest.text, rest.n_bytes, step->character, &length)) {
    rest.text += length;
    rest.n_bytes -= length;
    state->left--;
  }
  if (rest.n_bytes > 0) state->left = 0;
  if (!in->begins || !in->ends || step->stop == 0) return pass(flow, at + 1, &rest, out, error);
  for (size_t n = 0; n < step->stop && rest.n_bytes > 0; n++) {
    size_t last = am_unicode_previous((const uint8_t *)rest.text, rest.n_bytes);
    if (!is_character(rest.text + last, rest.n_bytes - last, step->character, &length)) break;
    rest.n_bytes = last;
  }
  return pass(flow, at + 1, &rest, out, error);
}

static adam_status read_replace(const am_json *json, am_decode_step *step, adam_error *error) {
  const am_json *pattern = am_json_get(json, "pattern");
  const am_json *text = am_json_get(pattern, "Regex");
  bool literal = !text;
  if (literal) text = am_json_get(pattern, "String");
  if (!text || text->type != AM_JSON_STRING) return bad_field(error, "Replace", "pattern");
  adam_status status = read_text(json, "content", "", step, error);
  return status == ADAM_OK ? am_regex_open(text->as.string, text->n, literal, &step->regex, error) : status;
}

static adam_status push_replace(am_decode_flow *flow, size_t at, const part *in, am_buf *out,
                                adam_error *error) {
  const am_decode_step *step = &flow->chain->steps[at];
  am_buf *made = &flow->states[at].scratch;
  size_t previous = 0, start = 0, end = 0;
  if (!flow->matcher) flow->matcher = am_matcher_open();
  if (!flow->matcher) return no_memory(error);
  am_buf_clear(made);
  if (in->n_bytes == 0 || !am_utf8_valid(in->text, in->n_bytes)) return pass(flow, at + 1, in, out, error);
  am_regex_scan scan = am_regex_begin(step->regex, flow->matcher, in->text, in->n_bytes);
  for (;;) {
    bool found = false;
    adam_status status = am_regex_next(&scan, &found, &start, &end, error);
    if (status != ADAM_OK) return status;
    if (!found) break;
    am_buf_append(made, in->text + previous, start - previous);
    am_buf_append(made, step->text, step->text_bytes);
    previous = end;
  }
  am_buf_append(made, in->text + previous, in->n_bytes - previous);
  if (made->failed) return no_memory(error);
  return pass_token(flow, at + 1, made->data, made->len, out, error);
}

static adam_status read_metaspace(const am_json *json, am_decode_step *step, adam_error *error) {
  const char *scheme = am_json_str(am_json_get(json, "prepend_scheme"), "always");
  step->prepend = strcmp(scheme, "never") != 0 && am_json_bool(am_json_get(json, "add_prefix_space"), true);
  return read_character(json, "replacement", step, error);
}

static adam_status push_metaspace(am_decode_flow *flow, size_t at, const part *in, am_buf *out,
                                  adam_error *error) {
  const am_decode_step *step = &flow->chain->steps[at];
  am_decode_state *state = &flow->states[at];
  if (in->begins) state->n_tokens++;
  am_buf_clear(&state->scratch);
  for (size_t p = 0; p < in->n_bytes;) {
    size_t length = 1;
    if (!is_character(in->text + p, in->n_bytes - p, step->character, &length))
      am_buf_append(&state->scratch, in->text + p, length);
    else if (state->n_tokens > 1 || !step->prepend)
      am_buf_append_char(&state->scratch, ' ');
    p += length;
  }
  if (state->scratch.failed) return no_memory(error);
  part made = {
      state->scratch.data ? state->scratch.data : "", state->scratch.len, in->begins, in->ends, NULL, 0};
  return pass(flow, at + 1, &made, out, error);
}

static adam_status read_word_piece(const am_json *json, am_decode_step *step, adam_error *error) {
  step->cleanup = am_json_bool(am_json_get(json, "cleanup"), true);
  return read_text(json, "prefix", "##", step, error);
}

static bool replace_all(am_buf *text, am_buf *spare, const char *from, const char *to) {
  size_t n = strlen(from), p = 0;
  am_buf_clear(spare);
  for (;;) {
    const char *hit = text->len > p ? memmem(text->data + p, text->len - p, from, n) : NULL;
    size_t stop = hit ? (size_t)(hit - text->data) : text->len;
    am_buf_append(spare, text->data + p, stop - p);
    if (!hit) break;
    am_buf_append_str(spare, to);
    p = stop + n;
  }
  am_buf swapped = *text;
  *text = *spare;
  *spare = swapped;
  return !text->failed;
}

/* What transformers' clean_up_tokenization does to a token; works in scratch and spare. */
static bool clean_up(am_buf *text, am_buf *spare) {
  static const char *const cleanups[][2] = {
      {" .", "."},   {" ?", "?"},           {" !", "!"},   {" ,", ","},     {" ' ", "'"},   {" n't", "n't"},
      {" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  bool ok = true;
  for (size_t i = 0; ok && i < sizeof cleanups / sizeof cleanups[0]; i++)
    ok = replace_all(text, spare, cleanups[i][0], cleanups[i][1]);
  return ok;
}

static adam_status push_word_piece(am_decode_flow *flow, size_t at, const part *in, am_buf *out,
                                   adam_error *error) {
  const am_decode_step *step = &flow->chain->steps[at];
  am_decode_state *state = &flow->states[at];
  const char *text = in->text;
  size_t n_bytes = in->n_bytes;
  am_buf_clear(&state->scratch);
  if (state->n_tokens++ > 0) {
    bool continues = n_bytes >= step->text_bytes && memcmp(text, step->text, step->text_bytes) == 0;
    if (!continues) am_buf_append_char(&state->scratch, ' ');
    text += continues ? step->text_bytes : 0;
    n_bytes -= continues ? step->text_bytes : 0;
  }
  bool ok = am_buf_append(&state->scratch, text, n_bytes);
  if (ok && step->cleanup) ok = clean_up(&state->scratch, &state->held);
  am_buf_clear(&state->held);
  if (!ok) return no_memory(error);
  return pass_token(flow, at + 1, state->scratch.data, state->scratch.len, out, error);
}

static adam_status read_ctc(const am_json *json, am_decode_step *step, adam_error *error) {
  step->cleanup = am_json_bool(am_json_get(json, "cleanup"), true);
  const char *delimiter = am_json_str(am_json_get(json, "word_delimiter_token"), "|");
  step->delimiter = am_mem_dup(delimiter, strlen(delimiter));
  if (!step->delimiter) return no_memory(error);
  return read_text(json, "pad_token", "<pad>", step, error);
}

/* Of a run of one token the first counts; pads vanish, delimiters are spaces. */
static adam_status push_ctc(am_decode_flow *flow, size_t at, const part *in, am_buf *out, adam_error *error) {
  const am_decode_step *step = &flow->chain->steps[at];
  am_decode_state *state = &flow->states[at];
  am_buf *last = &state->held, *made = &state->scratch;
  bool again = state->n_tokens++ > 0 && last->len == in->n_bytes &&
               (in->n_bytes == 0 || memcmp(last->data, in->text, in->n_bytes) == 0);
  if (again) return ADAM_OK;
  am_buf_clear(last);
  am_buf_clear(made);
  am_buf spare = {0};
  bool ok = am_buf_append(last, in->text, in->n_bytes) && am_buf_append(made, in->text, in->n_bytes);
  if (ok && step->text_bytes > 0) ok = replace_all(made, &spare, step->text, "");
  if (ok && step->cleanup)
    ok = clean_up(made, &spare) && (!*step->delimiter || replace_all(made, &spare, step->delimiter, " "));
  am_buf_close(&spare);
  if (!ok) return no_memory(error);
  return made->len > 0 ? pass_token(flow, at + 1, made->data, made->len, out, error) : ADAM_OK;
}

static adam_status read_bpe(const am_json *json, am_decode_step *step, adam_error *error) {
  return read_text(json, "suffix", "</w>", step, error);
}

/* Passes the token that waited; only the last of all loses its suffix without a space. */
static adam_status release(am_decode_flow *flow, size_t at, bool last, am_buf *out, adam_error *error) {
  const am_decode_step *step = &flow->chain->steps[at];
  am_decode_state *state = &flow->states[at];
  if (!state->waiting) return ADAM_OK;
  state->waiting = false;
  if (step->text_bytes > 0 && !replace_all(&state->held, &state->scratch, step->text, last ? "" : " "))
    return no_memory(error);
  return pass_token(flow, at + 1, state->held.data, state->held.len, out, error);
}

static adam_status push_bpe(am_decode_flow *flow, size_t at, const part *in, am_buf *out, adam_error *error) {
  am_decode_state *state = &flow->states[at];
  adam_status status = release(flow, at, false, out, error);
  if (status != ADAM_OK) return status;
  am_buf_clear(&state->held);
  if (!am_buf_append(&state->held, in->text, in->n_bytes)) return no_memory(error);
  state->waiting = true;
  return ADAM_OK;
}

static adam_status finish_bpe(am_decode_flow *flow, size_t at, am_buf *out, adam_error *error) {
  return release(flow, at, true, out, error);
}

static const am_decode_row rows[] = {
    {"ByteLevel", false, read_nothing, push_byte_level, finish_byte_level},
    {"Replace", false, read_replace, push_replace, NULL},
    {"ByteFallback", false, read_nothing, push_byte_fallback, flush_bytes},
    {"Fuse", true, read_nothing, push_fuse, finish_fused},
    {"Strip", true, read_strip, push_strip, NULL},
    {"Metaspace", true, read_metaspace, push_metaspace, NULL},
    {"WordPiece", false, read_word_piece, push_word_piece, NULL},
    {"BPEDecoder", false, read_bpe, push_bpe, finish_bpe},
    {"CTC", false, read_ctc, push_ctc, NULL},
};
static const am_decode_row join = {"", false, read_nothing, push_join, NULL};
/* Strip at the end of a token has to see the end. */
static const am_decode_row strip_whole = {"Strip", false, read_strip, push_strip, NULL};

static adam_status add_steps(const am_json *json, am_decode_chain *out, int depth, adam_error *error) {
  const char *type = am_json_str(am_json_get(json, "type"), "");
  if (strcmp(type, "Sequence") == 0) {
    const am_json *list = am_json_get(json, "decoders");
    if (!list || list->type != AM_JSON_ARRAY || depth > 8) return bad_field(error, type, "decoders");
    for (size_t i = 0; i < list->n; i++) {
      adam_status status = add_steps(am_json_at(list, i), out, depth + 1, error);
      if (status != ADAM_OK) return status;
    }
    return ADAM_OK;
  }
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    if (strcmp(rows[i].type, type) != 0) continue;
    if (out->n == AM_DECODE_MOST_STEPS)
      return am_fail(error, ADAM_LIMIT, "tokenizer", NULL, "too many decoders");
    am_decode_step *step = &out->steps[out->n++];
    step->row = &rows[i];
    adam_status status = rows[i].read(json, step, error);
    if (step->stop > 0) step->row = &strip_whole;
    return status;
  }
  return am_fail(error, ADAM_UNSUPPORTED, "tokenizer", NULL, "decoder type \"%.60s\"", type);
}

adam_status am_decode_chain_open(const am_json *json, am_decode_chain *out, adam_error *error) {
  am_decode_chain made = {0};
  adam_status status = ADAM_OK;
  if (am_json_is_null(json))
    made.steps[made.n++].row = &join;
  else
    status = add_steps(json, &made, 0, error);
  if (status == ADAM_OK)
    *out = made;
  else
    am_decode_chain_close(&made);
  return status;
}

void am_decode_chain_close(am_decode_chain *chain) {
  for (size_t i = 0; i < chain->n; i++) {
    am_regex_close(&chain->steps[i].regex);
    am_mem_free(chain->steps[i].text);
    am_mem_free(chain->steps[i].delimiter);
  }
  chain->n = 0;
}

int am_decode_byte(const am_decode_chain *chain, const char *spelling, size_t n_bytes) {
  part whole = {spelling, n_bytes, true, true, NULL, 0};
  for (size_t i = 0; i < chain->n; i++)
    if (chain->steps[i].row->push == push_byte_fallback) return byte_token(&whole);
  return -1;
}

bool am_decode_is_byte_level(const am_decode_chain *chain) {
  return chain->n == 1 && chain->steps[0].row->push == push_byte_level;
}

void am_decode_flow_open(am_decode_flow *flow, const am_decode_chain *chain) {
  *flow = (am_decode_flow){.chain = chain};
}

void am_decode_flow_close(am_decode_flow *flow) {
  for (size_t i = 0; flow->chain && i < flow->chain->n; i++) {
    am_buf_close(&flow->states[i].held);
    am_buf_close(&flow->states[i].gathered);
    am_buf_close(&flow->states[i].scratch);
  }
  am_matcher_close(&flow->matcher);
  flow->chain = NULL;
}

adam_status am_decode_push(am_decode_flow *flow, const char *spelling, size_t n_bytes, const char *raw,
                           size_t raw_bytes, am_buf *out, adam_error *error) {
  part whole = {spelling, n_bytes, true, true, raw, raw_bytes};
  return pass(flow, 0, &whole, out, error);
}

adam_status am_decode_finish(am_decode_flow *flow, am_buf *out, adam_error *error) {
  adam_status status = ADAM_OK;
  for (size_t i = 0; status == ADAM_OK && i < flow->chain->n; i++) {
    const am_decode_row *row = flow->chain->steps[i].row;
    if (row->finish) status = row->finish(flow, i, out, error);
  }
  return status;
}

void am_decode_forget(am_decode_flow *flow) {
  for (size_t i = 0; i < flow->chain->n; i++) {
    am_decode_state *state = &flow->states[i];
    am_buf *held = &state->held;
    size_t keep = state->waiting ? 0 : am_utf8_incomplete_tail(held->data, held->len);
    if (keep > 0) memmove(held->data, held->data + held->len - keep, keep);
    held->len = keep;
    if (held->data) held->data[keep] = 0;
    state->waiting = false;
    am_buf_clear(&state->gathered);
  }
}

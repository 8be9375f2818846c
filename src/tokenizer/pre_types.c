/* SPDX-License-Identifier: Apache-2.0 */
/* Source: the patterns that llama.cpp gives for each name (src/llama-vocab.cpp), in the spelling of
 * the models' own tokenizer.json where it quotes that. */
#include "tokenizer/pre_types.h"

#include "base/json.h"

#include <stddef.h>
#include <string.h>

#define GPT2 "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define BLANKS "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define MARKS "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
#define QWEN2 CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}" MARKS BLANKS
#define LLAMA3 CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}" MARKS BLANKS
#define UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define START "[^\\r\\n\\p{L}\\p{N}]?"
#define SLASH_MARKS "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*"
#define CASED(tail) START UPPER "*" LOWER "+" tail "|" START UPPER "+" LOWER "*" tail
#define ASCII_MARKS "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~]"
#define DEEPSEEK_V3                                                                  \
  ASCII_MARKS                                                                        \
  "[A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*" \
  "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define CJK_KANA "[\\x{4e00}-\\x{9fa5}\\x{3040}-\\x{309f}\\x{30a0}-\\x{30ff}]+"
#define CJK_AND_MORE "[\\x{4e00}-\\x{9fa5}\\x{800}-\\x{4e00}\\x{ac00}-\\x{d7ff}]+"
/* DeepSeek's own list of cased letters. */
#define DEEPSEEK_LETTERS                                                                            \
  "\\s?["                                                                                           \
  "\\x{41}-\\x{5a}\\x{61}-\\x{7a}\\x{b5}\\x{c0}-\\x{d6}\\x{d8}-\\x{f6}\\x{f8}-\\x{1ba}"             \
  "\\x{1bc}-\\x{1bf}\\x{1c4}-\\x{293}\\x{295}-\\x{2af}\\x{370}-\\x{373}\\x{376}\\x{377}"            \
  "\\x{37b}-\\x{37d}\\x{37f}\\x{386}\\x{388}-\\x{38a}\\x{38c}\\x{38e}-\\x{3a1}\\x{3a3}-\\x{3f5}"    \
  "\\x{3f7}-\\x{481}\\x{48a}-\\x{52f}\\x{531}-\\x{556}\\x{10a0}-\\x{10c5}\\x{13a0}-\\x{13f5}"       \
  "\\x{13f8}-\\x{13fd}\\x{1c90}-\\x{1cba}\\x{1cbd}-\\x{1cbf}\\x{1d00}-\\x{1d2b}\\x{1d6b}-\\x{1d77}" \
  "\\x{1d79}-\\x{1d9a}\\x{1e00}-\\x{1f15}\\x{1f18}-\\x{1f1d}\\x{1f20}-\\x{1f45}\\x{1f48}-\\x{1f4d}" \
  "\\x{1f50}-\\x{1f57}\\x{1f59}\\x{1f5b}\\x{1f5d}\\x{1f5f}-\\x{1f7d}\\x{1f80}-\\x{1fb4}"            \
  "\\x{1fb6}-\\x{1fbc}\\x{1fbe}\\x{1fc2}-\\x{1fc4}\\x{1fc6}-\\x{1fcc}\\x{1fd0}-\\x{1fd3}"           \
  "\\x{1fd6}-\\x{1fdb}\\x{1fe0}-\\x{1fec}\\x{1ff2}-\\x{1ff4}\\x{1ff6}-\\x{1ffc}\\x{2102}\\x{2107}"  \
  "\\x{210a}-\\x{2113}\\x{2115}\\x{2119}-\\x{211d}\\x{2124}\\x{2126}\\x{2128}\\x{212a}-\\x{212d}"   \
  "\\x{212f}-\\x{2134}\\x{2139}\\x{213c}-\\x{213f}\\x{2145}-\\x{2149}\\x{214e}\\x{2183}\\x{2184}"   \
  "\\x{2c00}-\\x{2c7b}\\x{2c7e}-\\x{2ce4}\\x{2ceb}-\\x{2cee}\\x{2cf2}\\x{2cf3}\\x{a640}-\\x{a66d}"  \
  "\\x{a680}-\\x{a69b}\\x{a722}-\\x{a76f}\\x{a771}-\\x{a787}\\x{a78b}-\\x{a78e}\\x{ab70}-\\x{abbf}" \
  "\\x{fb00}-\\x{fb06}\\x{fb13}-\\x{fb17}\\x{ff21}-\\x{ff3a}\\x{ff41}-\\x{ff5a}"                    \
  "\\x{10400}-\\x{1044f}\\x{104b0}-\\x{104d3}\\x{104d8}-\\x{104fb}\\x{10c80}-\\x{10cb2}"            \
  "\\x{10cc0}-\\x{10cf2}\\x{118a0}-\\x{118df}\\x{1e900}-\\x{1e943}"                                 \
  "]+"

static const am_pre_type gpt2 = {.patterns = {GPT2}};
static const am_pre_type qwen2 = {.patterns = {QWEN2}, .nfc = true};
static const am_pre_type qwen2_plain = {.patterns = {QWEN2}};
static const am_pre_type llama3 = {.patterns = {LLAMA3}, .ignore_merges = true, .add_bos = true};
static const am_pre_type llama3_plain = {.patterns = {LLAMA3}};
static const am_pre_type digits_gpt2 = {.patterns = {GPT2}, .digits = true};
static const am_pre_type any = {
    .patterns = {"[\\p{P}\\$\\+<=>\\^~\\|]+", GPT2, "\\p{N}+", "[0-9][0-9][0-9]"}};
static const am_pre_type falcon = {.patterns = {"[\\p{P}\\$\\+<=>\\^~\\|`]+", GPT2, "[0-9][0-9][0-9]"}};
static const am_pre_type deepseek_llm = {
    .patterns = {"[\\r\\n]", DEEPSEEK_LETTERS,
                 "\\s?[!-/:-~\\x{ff01}-\\x{ff0f}\\x{ff1a}-\\x{ff5e}\\x{2018}-\\x{201f}\\x{3000}-\\x{3002}]+",
                 "\\s+$", CJK_AND_MORE, "\\p{N}+"}};
static const am_pre_type deepseek_coder = {
    .patterns = {"[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", CJK_AND_MORE, "\\p{N}"}};
static const am_pre_type deepseek_v3 = {.patterns = {"\\p{N}{1,3}", CJK_KANA, DEEPSEEK_V3}};
static const am_pre_type qwen35 = {.patterns = {CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| "
                                                             "?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*" BLANKS},
                                   .nfc = true};
static const am_pre_type tekken = {
    .patterns = {CASED("") "|\\p{N}" SLASH_MARKS BLANKS}, .ignore_merges = true, .add_bos = true};
static const am_pre_type gpt4o = {.patterns = {CASED(CONTRACTIONS "?") "|\\p{N}{1,3}" SLASH_MARKS BLANKS}};
static const am_pre_type bailing = {
    .patterns = {"'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}| "
                 "?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"}};
static const am_pre_type seed_coder = {
    .patterns = {CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1}| ?[^\\s\\p{L}\\p{N}\\r\\n]+" BLANKS}};
static const am_pre_type bloom = {.patterns = {" ?[^(\\s|.,!?…。，、।۔،)]+"}};
static const am_pre_type viking = {.patterns = {" ?[^(\\s|.,!?…。，、।۔،)]+", "\\p{N}"}};
static const am_pre_type exaone_moe = {
    .patterns = {CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?(?:\\p{L}\\p{M}*(?: \\p{L}\\p{M}*)*)+|\\p{N}| "
                              "?[^\\s\\p{L}\\p{N}]+[\\r\\n/]?|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"}};

static const struct {
  const char *name;
  const am_pre_type *type;
} rows[] = {
    {"default", &any},
    {"gpt-2", &gpt2},
    {"gpt2", &gpt2},
    {"phi-2", &gpt2},
    {"mpt", &gpt2},
    {"olmo", &gpt2},
    {"jais", &gpt2},
    {"trillion", &gpt2},
    {"granite-docling", &gpt2},
    {"exaone4", &gpt2},
    {"jina-es", &gpt2},
    {"jina-de", &gpt2},
    {"jina-v2-es", &gpt2},
    {"jina-v2-de", &gpt2},
    {"gigachat", &gpt2},
    {"a.x-4.0", &gpt2},
    {"mellum", &gpt2},
    {"modern-bert", &gpt2},
    {"jina-v1-en", &gpt2},
    {"jina-v2-code", &gpt2},
    {"roberta-bpe", &gpt2},
    {"qwen2", &qwen2},
    {"deepseek-r1-qwen", &qwen2},
    {"megrez", &qwen2},
    {"kormo", &qwen2},
    {"f2llmv2", &qwen2},
    {"stablelm2", &qwen2_plain},
    {"hunyuan", &qwen2_plain},
    {"solar-open", &qwen2_plain},
    {"grok-2", &qwen2_plain},
    {"llama3", &llama3},
    {"llama-v3", &llama3},
    {"llama-bpe", &llama3},
    {"falcon3", &llama3},
    {"falcon-h1", &llama3},
    {"pixtral", &llama3},
    {"midm-2.0", &llama3},
    {"lfm2", &llama3},
    {"jina-v5-nano", &llama3},
    {"dbrx", &llama3_plain},
    {"smaug-bpe", &llama3_plain},
    {"glm4", &llama3_plain},
    {"chatglm-bpe", &llama3_plain},
    {"smollm", &digits_gpt2},
    {"starcoder", &digits_gpt2},
    {"refact", &digits_gpt2},
    {"command-r", &digits_gpt2},
    {"codeshell", &digits_gpt2},
    {"exaone", &digits_gpt2},
    {"minerva-7b", &digits_gpt2},
    {"mellum2", &digits_gpt2},
    {"falcon", &falcon},
    {"deepseek-llm", &deepseek_llm},
    {"deepseek-coder", &deepseek_coder},
    {"deepseek-v3", &deepseek_v3},
    {"hunyuan-dense", &deepseek_v3},
    {"joyai-llm", &deepseek_v3},
    {"hy_v4", &deepseek_v3},
    {"qwen35", &qwen35},
    {"tekken", &tekken},
    {"gpt-4o", &gpt4o},
    {"llama4", &gpt4o},
    {"kanana2", &gpt4o},
    {"talkie", &gpt4o},
    {"minimax-m2", &gpt4o},
    {"bailingmoe", &bailing},
    {"bailingmoe2", &bailing},
    {"llada-moe", &bailing},
    {"seed-coder", &seed_coder},
    {"poro-chat", &bloom},
    {"bloom", &bloom},
    {"gpt3-finnish", &bloom},
    {"viking", &viking},
    {"exaone-moe", &exaone_moe},
};

const am_pre_type *am_pre_type_named(const char *name) {
  if (!name || !*name) name = "default";
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    if (strcmp(rows[i].name, name) == 0) return rows[i].type;
  return NULL;
}

const am_pre_type *am_pre_type_at(size_t index, const char **name) {
  if (index >= sizeof rows / sizeof rows[0]) return NULL;
  *name = rows[index].name;
  return rows[index].type;
}

void am_pre_type_write(const am_pre_type *pre, am_buf *out) {
  am_buf_append_str(out, "{\"type\":\"Sequence\",\"pretokenizers\":[");
  if (pre->digits) am_buf_append_str(out, "{\"type\":\"Digits\",\"individual_digits\":true},");
  for (size_t i = 0; i < AM_PRE_TYPE_MOST_PATTERNS && pre->patterns[i]; i++) {
    am_buf_append_str(out, "{\"type\":\"Split\",\"pattern\":{\"Regex\":");
    am_json_write_string(out, pre->patterns[i], strlen(pre->patterns[i]));
    am_buf_append_str(out, "},\"behavior\":\"Isolated\",\"invert\":false},");
  }
  am_buf_append_str(out, "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}]}");
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Source: the patterns that llama.cpp gives for each name (src/llama-vocab.cpp), in the spelling of
 * the models' own tokenizer.json where it quotes that. */
#include "tokenizer/pre_types.h"

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
#define DEEPSEEK_V3                                                                             \
  ASCII_MARKS "[A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*" \
              "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define CJK_KANA "[\\x{4e00}-\\x{9fa5}\\x{3040}-\\x{309f}\\x{30a0}-\\x{30ff}]+"
#define CJK_AND_MORE "[\\x{4e00}-\\x{9fa5}\\x{800}-\\x{4e00}\\x{ac00}-\\x{d7ff}]+"
/* DeepSeek's own list of cased letters, as its tokenizer.json has it. */
#define DEEPSEEK_LETTERS                                                                                  \
  "\\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-" \
  "Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+"

static const am_pre_type gpt2 = {.patterns = {GPT2}};
static const am_pre_type qwen2 = {.patterns = {QWEN2}, .nfc = true};
static const am_pre_type qwen2_plain = {.patterns = {QWEN2}};
static const am_pre_type llama3 = {.patterns = {LLAMA3}, .ignore_merges = true, .add_bos = true};
static const am_pre_type llama3_plain = {.patterns = {LLAMA3}};
static const am_pre_type digits_gpt2 = {.patterns = {"\\p{N}", GPT2}};
static const am_pre_type any = {
    .patterns = {"[\\p{P}\\$\\+<=>\\^~\\|]+", GPT2, "\\p{N}+", "[0-9][0-9][0-9]"}};
static const am_pre_type falcon = {.patterns = {"[\\p{P}\\$\\+<=>\\^~\\|`]+", GPT2, "[0-9][0-9][0-9]"}};
static const am_pre_type deepseek_llm = {.patterns = {"[\\r\\n]", DEEPSEEK_LETTERS, "\\s?[!-/:-~！-／：-～‘-‟　-。]+",
                                                      "\\s+$", CJK_AND_MORE, "\\p{N}+"}};
static const am_pre_type deepseek_coder = {
    .patterns = {"[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", CJK_AND_MORE, "\\p{N}"}};
static const am_pre_type deepseek_v3 = {.patterns = {"\\p{N}{1,3}", CJK_KANA, DEEPSEEK_V3}};
static const am_pre_type qwen35 = {
    .patterns = {CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| "
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
    {"gpt-2", &gpt2}, {"gpt2", &gpt2}, {"phi-2", &gpt2}, {"mpt", &gpt2}, {"olmo", &gpt2}, {"jais", &gpt2},
    {"trillion", &gpt2}, {"granite-docling", &gpt2}, {"exaone4", &gpt2}, {"jina-es", &gpt2},
    {"jina-de", &gpt2}, {"jina-v2-es", &gpt2}, {"jina-v2-de", &gpt2}, {"gigachat", &gpt2},
    {"a.x-4.0", &gpt2}, {"mellum", &gpt2}, {"modern-bert", &gpt2}, {"jina-v1-en", &gpt2},
    {"jina-v2-code", &gpt2}, {"roberta-bpe", &gpt2},
    {"qwen2", &qwen2}, {"deepseek-r1-qwen", &qwen2}, {"megrez", &qwen2}, {"kormo", &qwen2}, {"f2llmv2", &qwen2},
    {"stablelm2", &qwen2_plain}, {"hunyuan", &qwen2_plain}, {"solar-open", &qwen2_plain}, {"grok-2", &qwen2_plain},
    {"llama3", &llama3}, {"llama-v3", &llama3}, {"llama-bpe", &llama3}, {"falcon3", &llama3},
    {"falcon-h1", &llama3}, {"pixtral", &llama3}, {"midm-2.0", &llama3}, {"lfm2", &llama3},
    {"jina-v5-nano", &llama3},
    {"dbrx", &llama3_plain}, {"smaug-bpe", &llama3_plain}, {"glm4", &llama3_plain},
    {"chatglm-bpe", &llama3_plain},
    {"smollm", &digits_gpt2}, {"starcoder", &digits_gpt2}, {"refact", &digits_gpt2},
    {"command-r", &digits_gpt2}, {"codeshell", &digits_gpt2}, {"exaone", &digits_gpt2},
    {"minerva-7b", &digits_gpt2}, {"mellum2", &digits_gpt2},
    {"falcon", &falcon}, {"deepseek-llm", &deepseek_llm}, {"deepseek-coder", &deepseek_coder},
    {"deepseek-v3", &deepseek_v3}, {"hunyuan-dense", &deepseek_v3}, {"joyai-llm", &deepseek_v3},
    {"hy_v4", &deepseek_v3}, {"qwen35", &qwen35}, {"tekken", &tekken},
    {"gpt-4o", &gpt4o}, {"llama4", &gpt4o}, {"kanana2", &gpt4o}, {"talkie", &gpt4o}, {"minimax-m2", &gpt4o},
    {"bailingmoe", &bailing}, {"bailingmoe2", &bailing}, {"llada-moe", &bailing},
    {"seed-coder", &seed_coder}, {"poro-chat", &bloom}, {"bloom", &bloom}, {"gpt3-finnish", &bloom},
    {"viking", &viking}, {"exaone-moe", &exaone_moe},
};

const am_pre_type *am_pre_type_named(const char *name) {
  if (!name || !*name) name = "default";
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    if (strcmp(rows[i].name, name) == 0) return rows[i].type;
  return NULL;
}

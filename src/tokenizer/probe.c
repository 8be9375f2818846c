/* SPDX-License-Identifier: Apache-2.0 */
#include "tokenizer/probe.h"

static const char *const composed_texts[] = {
    "The quick brown fox jumps over the lazy dog.",
    "Hello world",
    " Hello  world ",
    "a",
    "x y",
    "I'm sure you'll see it's what we've said they'd do; don't you're HE'LL I'M WE'VE THEY'RE It'S YOU'D",
    "camelCaseWords HTTPServer snake_case kebab-case SCREAMING_CASE iPhone McDonald XMLHttpRequest2",
    "0 1 12 123 1234 12345 123456 1234567 3.14159 1,234,567.89 2024-11-23 0xDEADBEEF 1e-9 v1.2.3",
    "price: $12.50, 100% of 3/4 (approx.) #1 @home & co. [x] {y} <z> \"q\" 'r' `s` ~t^u|v\\w*",
    "... !!! ??? --- === +++ ''''' \"\"\"\" ;:;: ?!?! ,.,. ()[]{} <>/\\|",
    "\n",
    "\n\n",
    " \n",
    "\t",
    "\r\n",
    "one\ntwo\n\nthree\n\n\nfour\r\nfive\r\n\r\nsix",
    "tab\tseparated\t\tvalues\t \tmixed",
    "a  b   c    d     e      f",
    "  leading",
    "trailing  ",
    "   \n  \n \n",
    "end of line \n  next",
    "for (int i = 0; i < n; i++) {\n    sum += a[i] * b[i];\n\treturn sum;\n}\n",
    "def f(x):\n    if x > 0:\n        return \"yes\"\n\n    # no\n    return None\n",
    "https://example.org/a/b?c=d&e=f#g user.name+tag@mail.example.com C:\\Users\\x",
    "Привет, мир! Съешь ещё этих мягких булок, да выпей чаю. ЁЛКА ёлка",
    "日本語のテキストを速く分割する。東京は日本の首都です。カタカナ ｶﾀｶﾅ",
    "我想在2024年去北京工作，你呢？「好」",
    "안녕하세요 세계, 한국어 문장입니다.",
    "مرحبا بالعالم، كيف حالك؟ ١٢٣٤",
    "שלום עולם, מה שלומך?",
    "नमस्ते दुनिया, आप कैसे हैं? १२३",
    "สวัสดีชาวโลก ๑๒๓",
    "កាន់តែពិសេសអាច",
    "Γειά σου Κόσμε, τι κάνεις;",
    "La naïve façade coûte très cher, où êtes-vous? Größe, Straße, Übung, ÅÄÖ, ŁÓDŹ, İstanbul ığdır",
    "🚀 rocket 😶‍🌫️ 👩‍👩‍👧 🇫🇷 ✅ 🦙🦙🦙",
    "∑ ∫ √2 ≈ 1.414 ± ½ ² ₃ Ⅳ ① €5 £6 ¥7 ©®™",
    "“curly” ‘quotes’ – en — em … ellipsis «guillemets» ·dot•bullet",
    "x\u00a0y\u2009z\u3000w\u200bv\u2028u",
    "ｆｕｌｌ　ｗｉｄｔｈ １２３ ，。！",
    "ǅ ǆ ʰ ª º ﬁ ﬀ ß ſ K",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𐍈 𠀀𠀁 🄰",
    "l’été d’hiver l'été n°5",
    "a1b2c3 abc123def 1a 2b word2vec x86_64 h2o",
    "don't DON'T Don'T don’t 's 'S 't'm",
    "/path/to/file /\n //comment\n a/b",
    "word.Word word.\nWord !word ?word .word (word) \"Word\"",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa                                        bbbb",
    "\001\177 control",
    "ᚠᛇᚻ ᛒᛦᚦ",
    "ქართული ენა",
    "Հայերեն",
    "বাংলা ভাষা",
    "தமிழ் மொழி",
    "Tiếng Việt có dấu",
};
static const char *const other_texts[] = {
    "e\u0301te\u0301 cafe\u0301 A\u030angstro\u0308m \u1112\u1161\u11ab\u1100\u1173\u11af \u212b"};

const char *am_probe_at(size_t index, bool *composed) {
  enum {
    N_COMPOSED = sizeof composed_texts / sizeof *composed_texts,
    N_OTHER = sizeof other_texts / sizeof *other_texts
  };
  *composed = index < N_COMPOSED;
  if (*composed) return composed_texts[index];
  return index - N_COMPOSED < N_OTHER ? other_texts[index - N_COMPOSED] : NULL;
}

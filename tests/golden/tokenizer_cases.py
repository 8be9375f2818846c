# SPDX-License-Identifier: Apache-2.0
"""What make_tokenizer.py and tokenizer_shared_test.py have in common: tokenizers small enough to be
committed, in many shapes, and texts that are hard on them."""
import base64
import copy
import itertools
import random
import struct

CORPUS = """The quick brown fox jumps over the lazy dog. I'm sure you'll see that it's what we've said they'd do.
In 2024, 1,234,567 people asked: how do I tokenize text quickly? def main(argc, argv): return argc + 42
for (int i = 0; i < n; i++) { sum += a[i] * b[i]; } // keep the inner loop short
Съешь же ещё этих мягких французских булок, да выпей чаю. Привет, мир! Как дела?
いろはにほへと ちりぬるを 日本語のテキストを速く分割する。東京は日本の首都です。
La naïve façade coûte très cher, où êtes-vous? Größe, Straße, Übung. El niño comió piñas.
the cat sat on the mat and the dog sat on the log while the rain in Spain stays mainly in the plain
""" * 3

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
QWEN2 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
         r"|\s*[\r\n]+|\s+(?!\S)|\s+")
LLAMA3 = QWEN2.replace(r"|\p{N}|", r"|\p{N}{1,3}|")
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
TAIL = r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
GPT4O = (r"[^\r\n\p{L}\p{N}]?%s*%s+%s|[^\r\n\p{L}\p{N}]?%s+%s*%s|\p{N}{1,3}"
         % (UPPER, LOWER, CONTRACTIONS, UPPER, LOWER, CONTRACTIONS) + TAIL)
TEKKEN = r"[^\r\n\p{L}\p{N}]?%s*%s+|[^\r\n\p{L}\p{N}]?%s+%s*|\p{N}" % (UPPER, LOWER, UPPER, LOWER) + TAIL
CL100K = (r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*"
          r"|\s*[\r\n]|\s+(?!\S)|\s+")
QWEN35 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
DEEPSEEK = [r"\p{N}{1,3}", "[一-龥\u3040-ゟ゠-ヿ]+",
            "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
            "| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"]


def split(pattern, behavior="Isolated", invert=False, kind="Regex"):
    return {"type": "Split", "pattern": {kind: pattern}, "behavior": behavior, "invert": invert}


def byte_level(prefix=False, regex=False):
    return {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": True, "use_regex": regex}


def sequence(key, *items):
    return {"type": "Sequence", key: list(items)}


def token(i, content, **flags):
    item = {"id": i, "content": content, "single_word": False, "lstrip": False, "rstrip": False,
            "normalized": False, "special": True}
    item.update(flags)
    return item


CHAT = [token(0, "<|endoftext|>"), token(0, "<|im_start|>"), token(0, "<|im_end|>"),
        token(0, "<think>", special=False), token(0, "</think>", special=False)]
ODD = CHAT + [
    token(0, "[L]", lstrip=True), token(0, "[R]", rstrip=True), token(0, "[LR]", lstrip=True, rstrip=True),
    token(0, "word", single_word=True, special=False), token(0, "Day", normalized=True, special=False),
    token(0, "ÉTÉ", normalized=True, special=False), token(0, "[LN]", normalized=True, lstrip=True),
    token(0, "  ", special=False), token(0, "    ", special=False), token(0, "\n\n", special=False),
    token(0, "<|im", special=False), token(0, "wordy", single_word=True, normalized=True, special=False),
    token(0, "has space", special=False), token(0, "é", special=False), token(0, "Ġx", special=False)]
BOS = {"type": "TemplateProcessing",
       "single": [{"SpecialToken": {"id": "<b>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
       "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
       "special_tokens": {"<b>": {"id": "<b>", "ids": [7, 8], "tokens": ["x", "y"]}}}
BERT = {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 4]}
ROBERTA = {"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 1], "trim_offsets": True,
           "add_prefix_space": False}
LLAMA2_DECODER = sequence("decoders", {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
                          {"type": "ByteFallback"}, {"type": "Fuse"},
                          {"type": "Strip", "content": " ", "start": 1, "stop": 0})
SPACE_MARK = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
PREPEND = {"type": "Prepend", "prepend": "▁"}
FALLBACK = {"unk_token": "<unk>", "byte_fallback": True, "fuse_unk": True}


def metaspace(scheme, cut=True):
    return {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": cut}


def charsmap(rules):
    """A Precompiled normalizer of {text: replacement}: the double array of darts-clone, by first fit."""
    strings, trie, at = b"", {}, {}
    for text, replacement in rules.items():
        at.setdefault(replacement, len(strings))
        if at[replacement] == len(strings):
            strings += replacement.encode("utf-8") + b"\0"
        node = trie
        for byte in text.encode("utf-8"):
            node = node.setdefault(byte, {})
        node[0] = at[replacement]  # a leaf is the child by byte 0
    units = {0: 0}
    todo = [(trie, 0)]
    while todo:
        node, place = todo.pop()
        offset = next(o for o in itertools.count(1) if all(place ^ o ^ byte not in units for byte in node))
        units[place] |= offset << 10 | (0 in node) << 8
        for byte, child in node.items():
            units[place ^ offset ^ byte] = byte or child | 1 << 31
        todo += [(child, place ^ offset ^ byte) for byte, child in node.items() if byte]
    n = max(units) // 256 * 256 + 256
    blob = struct.pack("<I", 4 * n) + struct.pack("<%dI" % n, *(units.get(i, 0) for i in range(n))) + strings
    return {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(blob).decode("ascii")}


def bert(clean=True, chinese=True, strip=None, lower=True):
    return {"type": "BertNormalizer", "clean_text": clean, "handle_chinese_chars": chinese, "strip_accents": strip,
            "lowercase": lower}


def variant(name, base="bytes", normalizer=None, pre=None, post=None, decoder=None, added=CHAT, **settings):
    if decoder is None and base == "bytes":
        decoder = byte_level(True, True)
    return {"name": name, "base": base, "added_tokens": added, "normalizer": normalizer, "pre_tokenizer": pre,
            "post_processor": post, "decoder": decoder, "settings": settings}


def seq_pre(*items):
    return sequence("pretokenizers", *items)


NFC = {"type": "NFC"}
VARIANTS = [
    variant("qwen2", normalizer=NFC, pre=seq_pre(split(QWEN2), byte_level()), post=byte_level()),
    variant("llama3", pre=seq_pre(split(LLAMA3), byte_level()), ignore_merges=True,
            post=sequence("processors", byte_level(True, True), BOS)),
    variant("gpt2", pre=byte_level(False, True), post=byte_level(True, True)),
    variant("gpt2-prefix", pre=byte_level(True, True), post=ROBERTA),
    variant("smollm", pre=seq_pre({"type": "Digits", "individual_digits": True}, byte_level(False, True))),
    variant("starcoder", pre=seq_pre(split(r"\p{N}"), split(GPT2), byte_level())),
    variant("digits-runs", pre=seq_pre({"type": "Digits", "individual_digits": False}, byte_level(True, True))),
    variant("gpt4o", pre=seq_pre(split(GPT4O), byte_level())),
    variant("tekken", pre=seq_pre(split(TEKKEN), byte_level()), ignore_merges=True, post=BERT),
    variant("cl100k", pre=seq_pre(split(CL100K), byte_level())),
    variant("cl100k-inverted", pre=seq_pre(split(CL100K, "Removed", True), byte_level())),
    variant("qwen35", normalizer=NFC, pre=seq_pre(split(QWEN35), byte_level())),
    variant("deepseek", pre=seq_pre(*[split(p) for p in DEEPSEEK], byte_level())),
    variant("odd", pre=byte_level(False, True), added=ODD),
    variant("odd-lower", normalizer=sequence("normalizers", {"type": "NFD"}, {"type": "Lowercase"},
                                             {"type": "StripAccents"}),
            pre=seq_pre(split(QWEN2), byte_level()), added=ODD),
    variant("odd-strip", normalizer=sequence("normalizers", {"type": "Strip", "strip_left": True,
                                                            "strip_right": True}, {"type": "NFKC"}),
            pre=byte_level(False, True), added=ODD),
    variant("byte-normalizer", normalizer={"type": "ByteLevel"}, pre=split(r"Ġ?[a-z]+|Ġ"), added=CHAT),
    variant("nfkd", normalizer={"type": "NFKD"}, pre=byte_level(False, True)),
    variant("replace", normalizer=sequence("normalizers", {"type": "Replace", "pattern": {"Regex": r"\s+"},
                                                          "content": " "},
                                           {"type": "Replace", "pattern": {"String": "cat"}, "content": "mat"},
                                           {"type": "Nmt"}), pre=byte_level(False, True)),
    variant("isolated", pre=seq_pre(split(" ", kind="String"), byte_level())),
    variant("removed", pre=seq_pre(split("[aeiou]", "Removed"), byte_level())),
    variant("previous", pre=seq_pre(split(r"[\s.]", "MergedWithPrevious"), byte_level())),
    variant("next", pre=seq_pre(split(r"[\s.]", "MergedWithNext"), byte_level())),
    variant("contiguous", pre=seq_pre(split(r"[\s.]", "Contiguous"), byte_level())),
    variant("previous-inverted", pre=seq_pre(split(r"\w", "MergedWithPrevious", True), byte_level())),
    variant("empty-matches", pre=seq_pre(split(r"(?=(\d{3})+(?!\d))"), split("x*"), byte_level())),
    variant("borders", pre=seq_pre(split(r"\b\w{1,4}\b|\W+|\h{2,3}+|[^\S\r\n]"), byte_level())),
    variant("lines", pre=seq_pre(split(r"^.*$"), byte_level())),
    variant("whitespace", pre=seq_pre({"type": "Whitespace"}, byte_level(True, False))),
    variant("bert-pre", pre=seq_pre({"type": "BertPreTokenizer"}, byte_level())),
    variant("punctuation", pre=seq_pre({"type": "WhitespaceSplit"},
                                       {"type": "Punctuation", "behavior": "MergedWithPrevious"}, byte_level())),
    variant("delimiter", pre=seq_pre({"type": "CharDelimiterSplit", "delimiter": "o"}, byte_level())),
    variant("fixed", pre=seq_pre({"type": "FixedLength", "length": 5}, byte_level())),
    variant("no-pre", added=CHAT),
    variant("llama2", "chars", normalizer=sequence("normalizers", PREPEND, SPACE_MARK), decoder=LLAMA2_DECODER,
            **FALLBACK),
    variant("llama2-new", "chars", pre=metaspace("first", False), decoder=LLAMA2_DECODER, added=ODD, **FALLBACK),
    variant("gemma", "chars", normalizer=SPACE_MARK, pre=split(" ", "MergedWithPrevious", kind="String"),
            decoder=sequence("decoders", {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
                             {"type": "ByteFallback"}, {"type": "Fuse"}), **FALLBACK),
    variant("metaspace", "chars", pre=metaspace("always"), decoder=metaspace("always"), unk_token="<unk>"),
    variant("metaspace-first", "chars", normalizer={"type": "Strip", "strip_left": True, "strip_right": False},
            pre=seq_pre({"type": "WhitespaceSplit"}, metaspace("first")), decoder=metaspace("never"),
            unk_token="<unk>", fuse_unk=True),
    variant("fallback-no-fuse", "chars", pre=metaspace("never"), decoder=None, unk_token="<unk>"),
    variant("no-unknown", "chars", decoder={"type": "WordPiece", "prefix": "▁", "cleanup": True}),
    variant("word-ends", "words", normalizer={"type": "Lowercase"}, pre={"type": "Whitespace"},
            decoder={"type": "BPEDecoder", "suffix": "</w>"}, end_of_word_suffix="</w>", unk_token="<unk>"),
    variant("subwords", "subwords", pre={"type": "WhitespaceSplit"},
            decoder={"type": "WordPiece", "prefix": "##", "cleanup": False},
            continuing_subword_prefix="##", unk_token="<unk>", fuse_unk=True),
]

RULES = charsmap({"\t": " ", "\n": " ", "\r": " ", "\u00a0": " ", "\u3000": " ", "ﬁ": "fi", "Å": "Å", "é": "e\u0301",
                  "e\u0301": "é", "\u0301": "'", "A": "a", "\u00ad": "", "\u200b": "", "㌀": "アパート", "ABC": "x",
                  "！": "!", "ﾞ": "゛", "가": "나", "\u0600": "n", "①": "1"})
BERT_PAIR = {"type": "TemplateProcessing",
             "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                        {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
             "pair": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                      {"SpecialToken": {"id": "[SEP]", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}},
                      {"SpecialToken": {"id": "[SEP]", "type_id": 1}}],
             "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]},
                                "[SEP]": {"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]}}}
BERT_ADDED = [token(i, t) for i, t in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]"])]
WORD_PIECE = {"type": "WordPiece", "prefix": "##", "cleanup": True}
PIECES = {"unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100}
BERT_PRE = {"type": "BertPreTokenizer"}
T5_POST = {"type": "TemplateProcessing",
           "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}],
           "pair": [{"Sequence": {"id": "B", "type_id": 3}}, {"SpecialToken": {"id": "</s>", "type_id": 0}},
                    {"Sequence": {"id": "A", "type_id": 1}}, {"SpecialToken": {"id": "</s>", "type_id": 2}}],
           "special_tokens": {"</s>": {"id": "</s>", "ids": [1], "tokens": ["</s>"]}}}
SPACES = {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "▁"}
RIGHT = {"type": "Strip", "strip_left": False, "strip_right": True}
VARIANTS += [
    variant("bert", "pieces", bert(), BERT_PRE, BERT_PAIR, WORD_PIECE, BERT_ADDED, **PIECES),
    variant("bert-cased", "pieces", bert(lower=False), BERT_PRE, BERT, WORD_PIECE, BERT_ADDED + ODD, **PIECES),
    variant("bert-accents", "pieces", bert(clean=False, chinese=False, strip=True, lower=False), BERT_PRE, ROBERTA,
            {"type": "WordPiece", "prefix": "##", "cleanup": False}, BERT_ADDED, **PIECES),
    variant("bert-lower", "pieces", bert(strip=False), {"type": "WhitespaceSplit"}, None, WORD_PIECE, BERT_ADDED,
            **dict(PIECES, max_input_chars_per_word=7)),
    variant("pieces-bytes", "pieces", None, byte_level(True, True), sequence("processors", byte_level(True, True), BERT_PAIR),
            byte_level(True, True), CHAT, **dict(PIECES, continuing_subword_prefix="")),
    variant("levels", "levels", {"type": "Lowercase"}, {"type": "Whitespace"}, BERT, None, CHAT, unk_token="<unk>"),
    variant("levels-scripts", "levels", None, {"type": "UnicodeScripts"}, T5_POST,
            {"type": "CTC", "pad_token": "<pad>", "word_delimiter_token": "the", "cleanup": True}, ODD, unk_token="<unk>"),
    variant("t5", "unigram", sequence("normalizers", RULES, RIGHT, SPACES), metaspace("always"), T5_POST,
            metaspace("always"), ODD, unk_id=2),
    variant("t5-old", "unigram", RULES, seq_pre({"type": "WhitespaceSplit"}, metaspace("always")), T5_POST,
            metaspace("always"), CHAT, unk_id=2),
    variant("xlm-r", "unigram", sequence("normalizers", {"type": "NFKC"}, RULES, {"type": "Lowercase"}),
            metaspace("first"), ROBERTA, metaspace("first"), CHAT, unk_id=2, byte_fallback=True),
    variant("unigram-whole", "unigram", SPACE_MARK, None, None, metaspace("never"), CHAT, unk_id=2),
    variant("unigram-ties", "ties", None, {"type": "UnicodeScripts"}, None, None, CHAT, unk_id=0),
    variant("unigram-bytes", "ties", {"type": "Nmt"}, {"type": "WhitespaceSplit"}, None,
            sequence("decoders", {"type": "ByteFallback"}, {"type": "Fuse"}), CHAT, unk_id=0, byte_fallback=True),
]

ALPHABETS = [
    "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789", " \t\n\r\v\f", "'’\"`.,;:!?-()[]{}<>/\\|@#$%^&*_+=~",
    "абвгдежзийклмнопрстуфхцчшщъыьэюяЁЙ", "あいうえおかがきくけこさしすせそアイウエオガギー。、「」", "日本語東京大学中国文字例",
    "αβγδεζηθικλμνξοπρστυφχψως", "אבגדהוזחטיךלמנ", "ابتثجحخدذرزسشصضطظعغ", "กขคงจฉชซญดตถทธนบปผฝพฟ", "अआइईउऊएऐओऔकखगघंःािीुू",
    "가각간갇갈감갑값\u1100\u1161\u11a8\u1102\u1175", "àáâãäåæçèéêëìíîïñòóôõöøùúûüýÿß", "\u0300\u0301\u0302\u0303\u0308\u0327\u0323\u0345\u3099\u093c",
    "😀👍🏽👨‍👩‍👧🇩🇪🇯🇵❤️🏴", "\u00a0\u1680\u2000\u2003\u2009\u200a\u2028\u2029\u202f\u205f\u3000\u200b\u200d\ufeff\u180e\u0085",
    "ⅠⅣ²³¹¼½⁵₂①⑩㊿٠١٢३४५０１２", "ﬁﬂﬀſK℃Å①㌀ﷺ", "\x00\x01\x02\x1b\x7f\x80\x9f\xad",
    "ǅǈʰˀªº", "𝐀𝐁𝟘𝟙𐐀𐐨𞤀𞤢𠀀𪚥", "\u1c89\ua7cb\U00010d40\U00016d70\U0001ccf0\U000323b0\U00011de0\ufffd\ue000\U0010ffff"]
WORDS = ["the", "dog", "word", "wordy", "Day", "day", "it's", "I'LL", "we've", "they'd", "don't", "DON'T", "'s", "'ſ", "sword",
         "été", "ÉTÉ", "ete\u0301", "1234567", "3.14159", "x+=1;", "naïve", "日本語のテキスト", "Привет", "[L]", "[R]", "[LR]",
         "[LN]", "<|im_start|>", "<|im_end|>", "<|endoftext|>", "<think>", "</think>", "<|im", "has space", "é", "Ġx", "<unk>",
         "▁", "▁the", "<0x41>", "##a", "</w>", "ab\n\ncd", "\r\n", "  ", "    ", "\n\n\n", "\t\t", " \n", "\n ", "İ", "ﬁne"]
FIXED = ["", " ", "  ", "\n", "\r\n", "a", "é", "e\u0301", "\u0301", "'", "''", "'s", "'S's", "don't", " 's", "a  b", "a \n b",
         "a\n\n\nb", "  a", "a  ", "\t\ta", "123", "1 2 3", "12345678", "1234a", "²³", " ½x", "<|im_start|>", " <|im_start|> x",
         "<|im_start|>user\nHi there<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n", "a[L] b [R]  c", "[LR]", "  [LR]  ",
         "\n [L]x[R] \n", "word", "sword", "word wordy words", "(word)", "Day day DAY", "x Day", "ÉTÉ été ÉTE\u0301", "  [LN]y",
         "has space", "a\u00a0b\u3000c", "\u200b\u200d", "👨‍👩‍👧 🇩🇪", "ﬁ ﬂ", "①②", "한국어 \u1112\u1161\u11ab", "नमस्ते", "ที่นี่",
         "日本語のテキストを速く分割する。", "Съешь же ещё этих", "x" * 200, "ab" * 100, " " * 40, "\n" * 40, "1" * 50, "!" * 50,
         "日本" * 60, "\u0301" * 30, "a" + "\u0323\u0301\u0302" * 10, "unaffable UNAFFABLE", "a.b.c..d", "the the the", "1,234,567.89",
         "\x00\x01", "\ufffd", "don’t", "I'm you're he'd 'tis 'll", "K'K", "'ſ'ſa", "ab12cd34", "tab\tsep\tvalue", "▁a▁ b", " ▁ "]


def random_text(rng, most=60):
    """Words, single characters of one script or another, or any code points at all."""
    out = []
    kind = rng.random()
    for _ in range(rng.randrange(most)):
        roll = rng.random()
        if kind < 0.15 or roll < 0.03:
            c = rng.randrange(0x110000) if rng.random() < 0.5 else rng.randrange(0x3000)
            out.append(chr(c) if not 0xD800 <= c < 0xE000 else "\ufffd")
        elif roll < 0.35:
            out.append(rng.choice(WORDS))
        elif roll < 0.55:
            out.append(" ")
        else:
            letters = rng.choice(ALPHABETS)
            out.append("".join(rng.choice(letters) for _ in range(rng.choice([1, 1, 2, 3, 5, 9]))))
    return "".join(out)


def document(made, base):
    """The tokenizer.json of a variant over a trained base {vocab, merges}."""
    model = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
             "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False}
    if "type" in base:
        model = {"type": base["type"]}
    model.update(made["settings"])
    model.update(copy.deepcopy(base))
    parts = {k: made[k] for k in ("added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder")}
    return {"version": "1.0", "truncation": None, "padding": None, **parts, "model": model}


def random_ids(rng, size):
    return [rng.randrange(size + 2) for _ in range(rng.randrange(30))]


def seeded(name):
    return random.Random("adam " + name)

# SPDX-License-Identifier: Apache-2.0
"""Small BPE tokenizers for the tiny golden models, trained on text written here.

qwen_like: Qwen 2's pre-tokenizer and NFC, ChatML markers, no BOS.
llama_like: Llama 3's pre-tokenizer, ignore_merges, a post-processor that writes BOS.
spm_like: SentencePiece BPE with byte tokens and no pre-tokenizer, as TinyLlama has it.
"""
import json
import os

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers
from tokenizers import pre_tokenizers, processors, trainers

QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
LLAMA3 = QWEN2.replace(r"|\p{N}| ?", r"|\p{N}{1,3}| ?")

QWEN_SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
QWEN_PLAIN_ADDED = ["<think>", "</think>"]  # added, but not special: they survive decoding
LLAMA_SPECIALS = [
    "<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>",
]

CHATML = """{%- for message in messages %}
    {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}
"""

SPM_CHAT = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>\\n' + message['content'] + eos_token + '\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}"
)
LLAMA_CHAT = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' + message['content'] | trim"
    " + '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"
)
LLAMA_TOOL_CHAT = "{{ bos_token }}tools: {{ tools | tojson }}\n" + LLAMA_CHAT.replace("{{ bos_token }}", "", 1)

# kind: BOS, end of a turn, end of a text, template
KINDS = {"qwen": (None, "<|im_end|>", "<|endoftext|>", CHATML),
         "llama": ("<|begin_of_text|>", "<|eot_id|>", "<|end_of_text|>", LLAMA_CHAT),
         "spm": ("<s>", "</s>", "</s>", SPM_CHAT)}

NOUNS = "house model token river stone garden window letter engine kernel mountain paper".split()
VERBS = "reads writes opens closes carries measures answers loads maps counts follows".split()
PLACES = "in the morning|under the bridge|over the sea|near the station|with great care|at 12:45".split("|")

PANGRAMS = [
    "Sphinx of black quartz, judge my vow; we promptly judged antique ivory buckles for the next prize.",
    "How quickly daft jumping zebras vex! Amazingly few discotheques provide jukeboxes, said Jackson.",
    "While making deep excavations we found some quaint bronze jewellery, and brought everything home again.",
    "A large fawn jumped quickly over white zinc boxes, because nobody had thought about closing that gate.",
    "Every good programmer should remember which variable holds the number of elements, and which the bytes.",
]


def corpus():
    """A few hundred plain sentences, numbers, code and some text that is not English."""
    lines = []
    for i in range(240):
        a, b = NOUNS[i % 12], NOUNS[(i * 5 + 3) % 12]
        lines.append(f"The {a} {VERBS[i % 11]} the {b} {PLACES[i % 6]}, doesn't it? That's {i * 37} of {i + 100}.")
        if i % 8 == 0:
            lines.append(f"for (int i = 0; i < {i}; i++) {{ total += {a}[i] * {b}[i]; }}\n\n    return total;")
        if i % 12 == 0:
            lines.append(PANGRAMS[i // 12 % len(PANGRAMS)])
            lines.append("Привет, мир! Как дела? naïve café, größer als; こんにちは世界。")
    return lines


def train(vocab_size, pattern, normalizer, ignore_merges):
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(corpus(), trainers.BpeTrainer(
        vocab_size=vocab_size, show_progress=False, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())))
    assert tokenizer.get_vocab_size() == vocab_size, tokenizer.get_vocab_size()
    return tokenizer


def qwen_like(n_tokens):
    added = len(QWEN_SPECIALS) + len(QWEN_PLAIN_ADDED)
    tokenizer = train(n_tokens - added, QWEN2, normalizers.NFC(), False)
    tokenizer.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in QWEN_SPECIALS])
    tokenizer.add_tokens([AddedToken(t, normalized=False) for t in QWEN_PLAIN_ADDED])
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return tokenizer


def llama_like(n_tokens):
    tokenizer = train(n_tokens - len(LLAMA_SPECIALS), LLAMA3, None, True)
    tokenizer.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in LLAMA_SPECIALS])
    bos = LLAMA_SPECIALS[0]
    tokenizer.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(single=f"{bos}:0 $A:0", pair=f"{bos}:0 $A:0 {bos}:1 $B:1",
                                      special_tokens=[(bos, tokenizer.token_to_id(bos))]),
    ])
    return tokenizer


def spm_like(n_tokens):
    """Trained on words; then, as of a tokenizer.model, every two pieces that make a piece are a merge."""
    specials = ["<unk>", "<s>", "</s>"]
    trained = Tokenizer(models.BPE())
    trained.train_from_iterator(
        ["▁" + word for line in corpus() for word in line.split(" ")],
        trainers.BpeTrainer(vocab_size=n_tokens, show_progress=False, limit_alphabet=64,
                            special_tokens=specials + ["<0x%02X>" % b for b in range(256)]))
    vocab = trained.get_vocab()
    assert len(vocab) == n_tokens, len(vocab)
    ways = [(i, n, piece) for piece, i in vocab.items() for n in range(1, len(piece)) if i > 258]
    merges = [(p[:n], p[n:]) for _, n, p in sorted(ways) if p[:n] in vocab and p[n:] in vocab]
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                                           decoders.Strip(" ", 1, 0)])
    tokenizer.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in specials])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s>:0 $A:0", pair="<s>:0 $A:0 <s>:1 $B:1",
                                                             special_tokens=[("<s>", 1)])
    return tokenizer


def save(tokenizer, kind, folder, old_dialect):
    """tokenizer.json and tokenizer_config.json, as transformers 5 or as the Hub of before has them."""
    tokenizer.save(os.path.join(folder, "tokenizer.json"))
    qwen = kind == "qwen"
    bos, turn, end, template = KINDS[kind]
    config = {
        "bos_token": bos,
        "clean_up_tokenization_spaces": False,
        "eos_token": turn,
        "model_max_length": 1000000000000000019884624838656,
        "pad_token": end,
        "tokenizer_class": "TokenizersBackend",
    }
    if kind == "spm":
        config["unk_token"] = "<unk>"
    if old_dialect:
        config["tokenizer_class"] = "Qwen2Tokenizer" if qwen else "PreTrainedTokenizerFast"
        config["added_tokens_decoder"] = {
            str(i): {"content": t.content, "lstrip": t.lstrip, "normalized": t.normalized, "rstrip": t.rstrip,
                     "single_word": t.single_word, "special": t.special}
            for i, t in sorted(tokenizer.get_added_tokens_decoder().items())
        }
        # The Hub has both forms of a special token: a string, and the whole record.
        config["eos_token"] = {"__type": "AddedToken", "content": config["eos_token"], "lstrip": False,
                               "normalized": False, "rstrip": False, "single_word": False}
        config["chat_template"] = template if kind != "llama" else [
            {"name": "default", "template": LLAMA_CHAT}, {"name": "tool_use", "template": LLAMA_TOOL_CHAT}]
    else:
        with open(os.path.join(folder, "chat_template.jinja"), "w", encoding="utf-8") as f:
            f.write(template)
        if kind == "llama":
            os.makedirs(os.path.join(folder, "additional_chat_templates"), exist_ok=True)
            with open(os.path.join(folder, "additional_chat_templates", "tool_use.jinja"), "w") as f:
                f.write(LLAMA_TOOL_CHAT)
    with open(os.path.join(folder, "tokenizer_config.json"), "w", encoding="utf-8") as f:
        json.dump(config, f, indent=2, ensure_ascii=False)
        f.write("\n")


def gguf_vocabulary(tokenizer, n_vocab):
    """tokens, token types and merges as GGUF stores them, filled with [PADi] up to n_vocab."""
    added = tokenizer.get_added_tokens_decoder()
    pieces = {i: t for t, i in tokenizer.get_vocab(with_added_tokens=True).items()}
    tokens, types = [], []
    for i in range(n_vocab):
        if i not in pieces:
            tokens.append(f"[PAD{i}]")
            types.append(5)
        else:
            tokens.append(pieces[i])
            types.append(1 if i not in added else 3 if added[i].special else 4)
    for i, piece in enumerate(tokens):
        if piece.startswith("<0x") and piece.endswith(">") and len(piece) == 6:
            types[i] = 6
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    return tokens, types, [m if isinstance(m, str) else " ".join(m) for m in merges]

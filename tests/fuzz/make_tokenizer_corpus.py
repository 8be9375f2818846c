# SPDX-License-Identifier: Apache-2.0
"""Writes inputs of fuzz_tokenizer (the variants that are no BPE) and of fuzz_words into corpus/: a file, a
zero byte, a text.

    python tests/fuzz/make_tokenizer_corpus.py        (needs nothing)
"""
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
GOLDEN = os.path.join(HERE, "..", "golden")
sys.path.insert(0, GOLDEN)
from tokenizer_cases import VARIANTS, document  # noqa: E402

TEXT = "The dog, d'\u00e9t\u00e9 e\u0301 \u65e5\u672c\u8a9e [L] <|im_start|> \ufb01\uff01 \uac00\u0301 \u0600a 1234 \u2581the".encode() + b" \xff\xe2\x96"
WORDS = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\ndog\n##s\r\n\u00e9\n##t\n"
CONFIGS = {"plain": b"", "cased": b'{"do_lower_case":false,"strip_accents":true}',
           "odd": b'{"cls_token":"the","unk_token":{"content":"dog"},"added_tokens_decoder":{"99":{"content":"<x>"}}}'}


def shortened(base):
    """A vocabulary of some words, special ones first."""
    vocab = base["vocab"]
    some = dict(list(sorted(vocab.items(), key=lambda w: w[1]))[:70]) if isinstance(vocab, dict) else vocab[:70]
    return {**base, "vocab": some}


def main():
    with open(os.path.join(GOLDEN, "tokenizer", "cases.json"), encoding="utf-8") as f:
        bases = json.load(f)["bases"]
    for made in VARIANTS:
        if "type" in bases[made["base"]]:
            parts = document(made, shortened(bases[made["base"]]))
            text = json.dumps(parts, ensure_ascii=False, separators=(",", ":")).encode()
            with open(os.path.join(HERE, "corpus", "fuzz_tokenizer", made["name"]), "wb") as f:
                f.write(text + b"\0" + TEXT)
    folder = os.path.join(HERE, "corpus", "fuzz_words")
    os.makedirs(folder, exist_ok=True)
    for name, config in CONFIGS.items():
        with open(os.path.join(folder, name), "wb") as f:
            f.write(WORDS.encode() + b"\0" + config)


if __name__ == "__main__":
    main()

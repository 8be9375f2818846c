# SPDX-License-Identifier: Apache-2.0
"""Writes the first inputs of fuzz_sentencepiece into corpus/: small models as the sentencepiece package
trains them, and cut or changed copies.

    python tests/fuzz/make_sentencepiece_corpus.py        (needs: sentencepiece)
"""
import io
import os
import random

import sentencepiece

HERE = os.path.dirname(os.path.abspath(__file__))
TEXT = ["the cat reads a book under the bridge", "a river moves over the old station",
        "numbers 1234 and marks ,.;!", "naïve café größer"] * 4


def train(**options):
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(TEXT), model_writer=out, minloglevel=2, **options)
    return out.getvalue()


def main():
    folder = os.path.join(HERE, "corpus", "fuzz_sentencepiece")
    os.makedirs(folder, exist_ok=True)
    models = {
        "bpe": train(model_type="bpe", vocab_size=60, normalization_rule_name="identity",
                     user_defined_symbols=["<sep>"], control_symbols=["<cls>"]),
        "bytes": train(model_type="bpe", vocab_size=320, byte_fallback=True, normalization_rule_name="identity"),
        "unigram": train(model_type="unigram", vocab_size=50, normalization_rule_name="identity", pad_id=3),
    }
    rng = random.Random(1)
    for name, raw in models.items():
        copies = {name: raw, name + "_cut": raw[:len(raw) // 2]}
        changed = bytearray(raw)
        for _ in range(8):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        copies[name + "_changed"] = bytes(changed)
        for file, content in copies.items():
            with open(os.path.join(folder, file), "wb") as f:
                f.write(content)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/tokenizer/sentencepiece.json: small SentencePiece BPE models, trained here, as the
three kinds of files they come in, and what the reference of each kind makes of texts. Read by
src/tokenizer/spm_test.c.

  python3 tests/golden/make_sentencepiece.py tests/golden/tokenizer/sentencepiece.json

models: tokenizer.model with a configuration, by transformers; documents: tokenizer.json in the shapes of
Llama 2, Phi 3, Gemma and others, by tokenizers; vocabularies: GGUF's "llama", by llama_cpp.
"""
import json
import os
import random
import shutil
import sys
import tempfile

import llama_cpp
import tokenizers
import transformers

from gguf_vocab_references_test import silent, vocabularies, write_gguf
from gguf_vocab_references_test import text_of as gguf_text
from sentencepiece_references_test import CONFIGS, text_of, train, write_folder
from tokenizer_cases import LLAMA2_DECODER, PREPEND, SPACE_MARK, metaspace, random_ids, sequence, split, token

MODEL_CONFIGS = ("nothing", "llama with bos", "llama legacy", "gemma class", "code llama", "named objects", "added",
                 "additional", "renamed")
GEMMA_DECODER = sequence("decoders", *LLAMA2_DECODER["decoders"][:3])
BOS = {"type": "TemplateProcessing",
       "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
       "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
       "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}}
NAMED = [token(0, "<unk>"), token(1, "<s>"), token(2, "</s>")]


def documents():
    """(name, normalizer, pre_tokenizer, decoder, added tokens, settings)"""
    llama2 = sequence("normalizers", PREPEND, SPACE_MARK)
    phi = [token(0, t, rstrip=True) for t in ("</s>", "<|user|>", "<|assistant|>", "<|end|>")] + [token(0, "<|endoftext|>")]
    runs = [token(0, " " * n, special=False) for n in range(2, 9)] + [token(0, "\n" * n, special=False) for n in range(1, 6)]
    old = {"type": "Metaspace", "replacement": "▁", "add_prefix_space": True}
    never = {"type": "Metaspace", "replacement": "▁", "add_prefix_space": False, "prepend_scheme": "never"}
    yield "llama2", llama2, None, LLAMA2_DECODER, NAMED, {}
    yield "llama2-new", None, metaspace("first", False), LLAMA2_DECODER, NAMED, {}
    yield "phi3", llama2, None, LLAMA2_DECODER, NAMED[:2] + phi, {}
    yield "gemma", SPACE_MARK, split(" ", "MergedWithPrevious", kind="String"), GEMMA_DECODER, NAMED + runs + [
        token(0, "<start_of_turn>"), token(0, "<table>", special=False)], {}
    yield "metaspace-old", None, old, old, NAMED, {}
    yield "metaspace-old-never", None, never, never, NAMED, {}
    yield "no-fuse", llama2, None, LLAMA2_DECODER, NAMED, {"fuse_unk": False, "byte_fallback": False}


def numbered(added, n):
    """With ids as the library gives them: of the vocabulary, else the next free one."""
    out = []
    for item in added:
        known = {"<unk>": 0, "<s>": 1, "</s>": 2}.get(item["content"])
        out.append({**item, "id": n if known is None else known})
        n += known is None
    return out


def of_models(rng):
    raw = train(rng, vocab_size=420, byte_fallback=True, user_defined_symbols=["<sep>", "▁▁", "<b>"],
                control_symbols=["<cls>", "[INST]"], pad_id=3, normalization_rule_name="identity")
    with tempfile.TemporaryDirectory() as top:
        folder = os.path.join(top, "model")
        for name, config, model_config, others in CONFIGS:
            if name not in MODEL_CONFIGS:
                continue
            write_folder(folder, raw, config, model_config, others)
            t = transformers.AutoTokenizer.from_pretrained(folder)
            encodes = [[text, special, t(text, add_special_tokens=special)["input_ids"]]
                       for text, special in ((text_of(rng), rng.random() < 0.5) for _ in range(40))]
            lists = [c[2] for c in encodes[::3]] + [random_ids(rng, len(t)) for _ in range(8)]
            decodes = [[ids, skip, t._tokenizer.decode(ids, skip_special_tokens=skip)]
                       for ids, skip in ((ids, rng.random() < 0.5) for ids in lists) if ids]
            yield {"name": name, "config": json.dumps(config or {}), "encodes": encodes, "decodes": decodes}
        shutil.rmtree(folder)
    yield raw.hex()


def of_documents(rng):
    raw = train(rng, vocab_size=500, byte_fallback=True, normalization_rule_name="identity")
    with tempfile.TemporaryDirectory() as top:
        folder = os.path.join(top, "model")
        write_folder(folder, raw, {"tokenizer_class": "LlamaTokenizer"}, None, {})
        model = json.loads(transformers.AutoTokenizer.from_pretrained(folder)._tokenizer.to_str())["model"]
    for name, normalizer, pre, decoder, added, settings in documents():
        made = {"version": "1.0", "truncation": None, "padding": None,
                "added_tokens": numbered(added, len(model["vocab"])), "normalizer": normalizer,
                "pre_tokenizer": pre, "post_processor": BOS, "decoder": decoder,
                "model": {**model, "unk_token": "<unk>", **settings}}
        text = json.dumps(made, ensure_ascii=False, separators=(",", ":"))
        t = tokenizers.Tokenizer.from_str(text)
        encodes = []
        for _ in range(50):
            text_in, special, plain = text_of(rng), rng.random() < 0.5, rng.random() < 0.2
            if name in ("gemma", "phi3") and rng.random() < 0.5:
                text_in = "".join(rng.choice(["  ", " ", "\n", "\n\n\n", "<|user|>", "<|end|>", "a", "the cat", "</s>", "\t",
                                              "<table>", " " * 11]) for _ in range(rng.randrange(9)))
            t.encode_special_tokens = plain
            encodes.append([text_in, special, plain, t.encode(text_in, add_special_tokens=special).ids])
        lists = [c[3] for c in encodes[::3]] + [random_ids(rng, t.get_vocab_size()) for _ in range(8)]
        decodes = [[ids, skip, t.decode(ids, skip_special_tokens=skip)]
                   for ids, skip in ((ids, rng.random() < 0.5) for ids in lists) if ids]
        yield {"name": name, "document": text, "encodes": encodes, "decodes": decodes}


def of_vocabularies(rng):
    llama_cpp.llama_log_set(silent, None)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "vocab.gguf")
        for name, title, pieces, flags in vocabularies(rng):
            if name in ("random 1", "random 2", "random 3", "chat"):
                continue
            write_gguf(path, pieces, title, **flags)
            t = llama_cpp.Llama(model_path=path, vocab_only=True, verbose=False)
            encodes = []
            for _ in range(40):
                text, special, plain = gguf_text(rng), rng.random() < 0.5, rng.random() < 0.3
                encodes.append([text, special, plain, t.tokenize(text.encode(), add_bos=special, special=not plain)])
            del t
            yield {"name": name, "title": title, "flags": flags, "tokens": [p[0] for p in pieces],
                   "scores": [float("%.6g" % p[1]) for p in pieces], "types": [p[2] for p in pieces], "encodes": encodes}


def main(path):
    rng = random.Random("adam sentencepiece")
    *models, raw = of_models(rng)
    parts = {"models": models, "documents": list(of_documents(rng)), "vocabularies": list(of_vocabularies(rng))}
    made_by = "transformers %s, tokenizers %s, llama_cpp %s" % (
        transformers.__version__, tokenizers.__version__, llama_cpp.__version__)
    with open(path, "w", encoding="utf-8") as f:
        f.write('{"made_by":%s,"model":"%s"' % (json.dumps(made_by), raw))
        for key, items in parts.items():
            f.write(',\n"%s":[\n' % key)
            f.write(",\n".join(json.dumps(i, ensure_ascii=False, separators=(",", ":")) for i in items) + "]")
        f.write("}\n")


if __name__ == "__main__":
    main(sys.argv[1]) if len(sys.argv) == 2 else sys.exit(__doc__)

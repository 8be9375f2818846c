#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""adam beside llama.cpp on one GGUF file: prefill and decode tokens/s, measured in turns on the same machine.

usage: bench/compare_llama_cpp.py MODEL.gguf [-p 512] [-n 128] [-r 5] [-t THREADS] [--adam build/adam]

Needs the package llama-cpp-python (tools/setup_references.sh makes an environment that has it). Both engines take
turns within each round, so that a busy moment of the machine hits both. Prints JSON; `ratio` is adam over llama.cpp.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import llama_cpp as llama


class Peer:
    def __init__(self, path, n_context, n_threads):
        self.quiet = llama.llama_log_callback(lambda *_: None)
        llama.llama_log_set(self.quiet, None)
        llama.llama_backend_init()
        options = llama.llama_model_default_params()
        options.n_gpu_layers = 0
        self.model = llama.llama_model_load_from_file(os.fsencode(path), options)
        if not self.model:
            sys.exit(f"llama.cpp cannot open {path}")
        options = llama.llama_context_default_params()
        options.n_ctx, options.n_batch = n_context, 512
        options.n_threads = options.n_threads_batch = n_threads
        self.context = llama.llama_init_from_model(self.model, options)
        self.n_vocab = llama.llama_vocab_n_tokens(llama.llama_model_get_vocab(self.model))

    def _decode(self, ids):
        array = (llama.llama_token * len(ids))(*ids)
        if llama.llama_decode(self.context, llama.llama_batch_get_one(array, len(ids))):
            sys.exit("llama.cpp: decode failed")
        llama.llama_synchronize(self.context)

    def measure(self, n_prompt, n_gen):
        """Decoding begins where the prompt ends, as it does in `adam bench`."""
        ids = [(7 * i + 11) % (self.n_vocab - 10) for i in range(max(n_prompt, n_gen))]
        llama.llama_memory_clear(llama.llama_get_memory(self.context), True)
        start = time.perf_counter()
        for i in range(0, n_prompt, 512):
            self._decode(ids[i:min(i + 512, n_prompt)])
        middle = time.perf_counter()
        for i in range(n_gen - 1):
            self._decode(ids[i:i + 1])
        end = time.perf_counter()
        return n_prompt / (middle - start), (n_gen - 1) / (end - middle)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("-p", type=int, default=512)
    parser.add_argument("-n", type=int, default=128)
    parser.add_argument("-r", type=int, default=5)
    parser.add_argument("-t", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--adam", default="build/adam")
    options = parser.parse_args()
    peer = Peer(options.model, options.p + options.n + 32, options.t)
    peer.measure(options.p, options.n)  # warm-up, as `adam bench` does for itself
    command = [options.adam, "bench", "-m", options.model, "-p", str(options.p), "-n", str(options.n), "-t", str(options.t),
               "-r", "1", "--json"]
    ours, theirs = [], []
    for _ in range(options.r):
        got = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        ours.append((got["prefill_tokens_per_s"]["median"], got["decode_tokens_per_s"]["median"]))
        theirs.append(peer.measure(options.p, options.n))

    def median(samples, column):
        return round(statistics.median(s[column] for s in samples), 2)

    result = {"threads": options.t, "tier": got["tier"], "llama_cpp": llama.__version__}
    for column, name in enumerate(("prefill", "decode")):
        a, b = median(ours, column), median(theirs, column)
        result[name] = {"adam_tokens_per_s": a, "llama_cpp_tokens_per_s": b, "ratio": round(a / b, 3)}
    print(json.dumps(result))


main()

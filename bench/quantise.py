#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`adam convert --type` beside llama.cpp's quantize on one GGUF file: how fast, and how much memory.

usage: bench/quantise.py MODEL.gguf [--types q8_0,q4_0,q4_k_m,q5_k_m,q6_k] [-t 2] [-r 3] [--adam build/adam]

Needs the package llama-cpp-python (tools/setup_references.sh makes an environment that has it). Both run in turns, each
as a process of its own from start to end, files written to --folder (default: beside the other temporary files). MB/s
are of the source's 10^6 bytes, from the best run of each; adam's time has the fsync in it, llama.cpp makes none. `ratio`
is adam over llama.cpp. The peak is resident memory, mapped pages of the source counted. Prints one JSON object a line.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

TYPES = {"q8_0": 7, "q4_0": 2, "q4_1": 3, "q5_0": 8, "q5_1": 9, "q2_k": 10, "q3_k_s": 11, "q3_k_m": 12, "q3_k_l": 13,
         "q4_k_s": 14, "q4_k_m": 15, "q5_k_s": 16, "q5_k_m": 17, "q6_k": 18}
PEER = """
import ctypes, sys, llama_cpp as L
quiet = L.llama_log_callback(lambda *_: None)
L.llama_log_set(quiet, None)
p = L.llama_model_quantize_default_params()
p.ftype, p.nthread = int(sys.argv[3]), int(sys.argv[4])
sys.stdin.readline()
sys.exit(L.llama_model_quantize(sys.argv[1].encode(), sys.argv[2].encode(), ctypes.byref(p)) != 0)
"""


def timed(command, waits=False):
    """Seconds and peak bytes of a process; where it waits for a line first, from that line on."""
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    if waits:
        time.sleep(1.5)  # Python has loaded its packages by then
    start = time.perf_counter()
    if waits:
        child.stdin.write(b"\n")
    child.stdin.close()
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        sys.exit("failed: %s" % " ".join(command[-5:]))
    return time.perf_counter() - start, usage.ru_maxrss * 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--types", default="q8_0,q4_0,q4_k_m,q5_k_m,q6_k")
    parser.add_argument("-t", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("-r", type=int, default=3)
    parser.add_argument("--adam", default="build/adam")
    parser.add_argument("--folder")
    o = parser.parse_args()
    size = os.path.getsize(o.model)
    with tempfile.TemporaryDirectory(dir=o.folder) as folder:
        out = [os.path.join(folder, name) for name in ("adam.gguf", "peer.gguf")]
        for name in o.types.split(","):
            commands = [[o.adam, "convert", o.model, out[0], "--type", name, "-t", str(o.t)],
                        [sys.executable, "-c", PEER, o.model, out[1], str(TYPES[name]), str(o.t)]]
            runs = [[], []]
            for _ in range(o.r):
                for side, command in enumerate(commands):
                    runs[side].append(timed(command, waits=side == 1))
                sizes = [os.path.getsize(path) for path in out]
                for path in out:
                    os.remove(path)
            best = [min(seconds for seconds, _ in side) for side in runs]
            print(json.dumps({"type": name, "threads": o.t, "source_bytes": size,
                              "adam_mb_s": round(size / best[0] / 1e6, 1), "llama_cpp_mb_s": round(size / best[1] / 1e6, 1),
                              "ratio": round(best[1] / best[0], 2), "adam_bytes": sizes[0], "llama_cpp_bytes": sizes[1],
                              "adam_peak_mb": round(max(peak for _, peak in runs[0]) / 1e6),
                              "llama_cpp_peak_mb": round(max(peak for _, peak in runs[1]) / 1e6)}), flush=True)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Downloads from a Hub on this machine: adam pull and hf download, in turns, in one run.

    bench/pull.py [--adam build/adam] [--mb 1024] [--files 4] [--runs 3]

The server is tests/e2e/fake_hub.py in a process of its own, which sends files by sendfile(2). `hf` is taken from
PATH; without it only adam is measured. hf has Xet switched off, as the server has none; it checks no digests and
flushes nothing to disk, adam does both. Each run starts with an empty cache. Prints the median and the spread in MB/s.
"""
import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]


def make_model(folder, n_files, mb):
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    block = os.urandom(1 << 20)
    names = [f"model-{i + 1:05d}-of-{n_files:05d}.safetensors" for i in range(n_files)]
    for name in names:
        with open(folder / name, "wb") as file:
            for i in range(mb // n_files):
                file.write(i.to_bytes(4, "little") + name.encode() + block[4 + len(name):])
    index = ", ".join(f'"{i}": "{name}"' for i, name in enumerate(names))
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {' + index + "}}")
    return sum(p.stat().st_size for p in folder.iterdir())


def measure(command, environment, cache):
    shutil.rmtree(cache, ignore_errors=True)
    began = time.monotonic()
    subprocess.run(command, env={**environment, "HF_HUB_CACHE": str(cache)}, check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    return time.monotonic() - began


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--adam", default=str(ROOT / "build/adam"))
    parser.add_argument("--mb", type=int, default=1024)
    parser.add_argument("--files", type=int, default=4)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="adam-bench-pull-") as name:
        folder = pathlib.Path(name)
        n_bytes = make_model(folder / "served/org/model", arguments.files, arguments.mb)
        server = subprocess.Popen([sys.executable, ROOT / "tests/e2e/fake_hub.py", folder / "served"], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True)
        endpoint = server.stdout.readline().strip().partition("=")[2]
        environment = {**os.environ, "HF_ENDPOINT": endpoint, "HF_HUB_DISABLE_XET": "1", "HF_HOME": str(folder / "home")}
        programs = {"adam pull": [arguments.adam, "pull", "org/model"]}
        if shutil.which("hf"):
            programs["hf download"] = ["hf", "download", "org/model"]
        seconds = {program: [] for program in programs}
        for _ in range(arguments.runs):
            for program, command in programs.items():
                seconds[program].append(measure(command, environment, folder / "cache"))
        server.stdin.write("\n")
        server.stdin.close()
        server.wait()
    print(f"{n_bytes / 1e6:.0f} MB in {arguments.files} files, {arguments.runs} runs in turns")
    for program, times in seconds.items():
        rates = [n_bytes / 1e6 / t for t in times]
        print(f"{program:12} {statistics.median(rates):7.0f} MB/s (spread {max(rates) - min(rates):.0f}), "
              f"{statistics.median(times):.2f} s")


if __name__ == "__main__":
    main()

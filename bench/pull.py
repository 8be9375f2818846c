#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Downloads from a Hub on this machine: adam pull, hf download and others, in turns, in one run.

    bench/pull.py [--adam build/adam] [--mb 2048] [--files 1] [--runs 3] [--python PYTHON]

The server is tests/e2e/fake_hub.py in a process of its own, which sends files by sendfile(2). PYTHON (default: the one
that runs this) tells which huggingface_hub and hf_transfer are measured; what it has not is left out. Xet is out of
the picture, as the server has none. What each does besides fetching:

    adam pull      8 connections; SHA-256 of everything; flushed to disk
    hf download    1 connection a file (8 files at once); compares the length
    hf_transfer    its download function alone, 8 connections; compares nothing
    curl           1 connection; compares nothing

Each run starts with an empty cache, on a disk that has settled (sync). Prints the median and the spread in MB/s, and
the processor seconds (user and system) of the client, which other work on the machine disturbs less.
"""
import argparse
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
HF = "from huggingface_hub.cli.hf import main; main()"
TRANSFER = """import sys, hf_transfer
for url in sys.argv[2:]:
    hf_transfer.download(url=url, filename=sys.argv[1] + "/" + url.rsplit("/", 1)[1], max_files=8, chunk_size=10 << 20)
"""


def make_model(folder, n_files, mb):
    """The names of the files; their content cannot be made smaller, and no two blocks are the same."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    block = os.urandom(1 << 20)
    names = ["model.safetensors"] if n_files == 1 else [f"model-{i + 1:05d}-of-{n_files:05d}.safetensors" for i in range(n_files)]
    for name in names:
        with open(folder / name, "wb") as file:
            for i in range(mb // n_files):
                file.write(i.to_bytes(4, "little") + name.encode() + block[4 + len(name):])
    if n_files > 1:
        index = ", ".join(f'"{i}": "{name}"' for i, name in enumerate(names))
        (folder / "model.safetensors.index.json").write_text('{"weight_map": {' + index + "}}")
    return names


def measure(command, environment, cache):
    shutil.rmtree(cache, ignore_errors=True)
    cache.mkdir()
    os.sync()
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(command, env={**environment, "HF_HUB_CACHE": str(cache)}, check=False, capture_output=True)
    seconds, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{command[0]} failed: {done.stderr.decode()[-500:]}")
    return seconds, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def programs(arguments, endpoint, names, cache):
    def has(module):
        return subprocess.run([arguments.python, "-c", f"import {module}"], capture_output=True, check=False).returncode == 0
    urls = [f"{endpoint}/org/model/resolve/main/{name}" for name in names]
    yield "adam pull", [arguments.adam, "pull", "--quiet", "org/model"]
    if has("huggingface_hub.cli.hf"):
        yield "hf download", [arguments.python, "-c", HF, "download", "org/model"]
    if has("hf_transfer"):
        yield "hf_transfer", [arguments.python, "-c", TRANSFER, str(cache), *urls]
    if shutil.which("curl"):
        yield "curl", ["curl", "-sSfL", "--output-dir", str(cache), "--remote-name-all", *urls]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--adam", default=str(ROOT / "build/adam"))
    parser.add_argument("--mb", type=int, default=2048)
    parser.add_argument("--files", type=int, default=1)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--python", default=sys.executable)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="adam-bench-pull-") as name:
        folder = pathlib.Path(name)
        names = make_model(folder / "served/org/model", arguments.files, arguments.mb)
        n_bytes = sum(p.stat().st_size for p in (folder / "served/org/model").iterdir())
        server = subprocess.Popen([sys.executable, ROOT / "tests/e2e/fake_hub.py", folder / "served"], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True)
        endpoint = server.stdout.readline().strip().partition("=")[2]
        environment = {**os.environ, "HF_ENDPOINT": endpoint, "HF_HUB_DISABLE_XET": "1", "HF_HOME": str(folder / "home")}
        taken = {}
        for _ in range(arguments.runs):
            for program, command in programs(arguments, endpoint, names, folder / "cache"):
                taken.setdefault(program, []).append(measure(command, environment, folder / "cache"))
        server.stdin.write("\n")
        server.stdin.close()
        server.wait()
    print(f"{n_bytes / 1e6:.0f} MB in {arguments.files} files, {arguments.runs} runs in turns, {os.cpu_count()} processors, "
          f"load {os.getloadavg()[0]:.1f}")
    base = statistics.median(n_bytes / 1e6 / t for t, _ in taken["adam pull"])
    for program, times in taken.items():
        rates = [n_bytes / 1e6 / t for t, _ in times]
        rate = statistics.median(rates)
        print(f"{program:12} {rate:6.0f} MB/s (spread {max(rates) - min(rates):.0f}), {statistics.median(t for t, _ in times):6.2f} s, "
              f"{statistics.median(c for _, c in times):5.2f} processor s; adam is {base / rate:.2f} times as fast")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Our Go template interpreter against Ollama's own package (v0.9.6), live: every text equal, every error an error.

usage: go_templates_references_test.py BUILD [COUNT [SEED]]
Builds go_template_oracle/ with Go (modules come from its cache or the network); without Go or the module the
test is skipped. Templates: those that ship with the package, the ones of our own table, and COUNT random ones.
Not compared: printed addresses, and what we refuse by name.
"""
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import go_template_cases as cases  # noqa: E402

REFUSED = ["is not supported", "Go prints its address", "last turn"]


class Lines:
    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, request):
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"FAIL: it died on {json.dumps(request)}")
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        return self.process.wait()


def skip(why):
    print(f"SKIP: {why}")
    return 77


def build_oracle(folder):
    """The program and the shipped templates, or a reason."""
    if not shutil.which("go"):
        return None, None, "go is not installed"
    environment = dict(os.environ, GOFLAGS="-mod=mod", GOTOOLCHAIN="local")
    copy = pathlib.Path(folder, "oracle")
    shutil.copytree(HERE / "go_template_oracle", copy)
    program = str(pathlib.Path(folder, "oracle_program"))
    built = subprocess.run(["go", "build", "-o", program, "."], cwd=copy, env=environment, capture_output=True, text=True)
    if built.returncode:
        return None, None, "the Go program does not build: " + built.stderr.strip()[-300:]
    listed = subprocess.run([program, "-list"], cwd=copy, env=environment, capture_output=True, text=True, check=True)
    return program, [json.loads(line) for line in listed.stdout.splitlines()], None


def same(ours, theirs):
    if re.search(r"0x[0-9a-f]{10}", theirs.get("output", "")):
        return True
    if "error" in ours and any(word in ours["error"] for word in REFUSED):
        return True
    if "error" in theirs or "error" in ours:
        return "error" in theirs and "error" in ours
    return ours["output"] == theirs["output"] and ours["open"] == theirs.get("open", "") and ours["close"] == theirs.get("close", "")


def main():
    build = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 3000
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    driver = pathlib.Path(build, "tests", "src-template-go-driver_test")
    if not driver.exists():
        return skip("the driver is not built")
    with tempfile.TemporaryDirectory() as folder:
        program, shipped, why = build_oracle(folder)
        if why:
            return skip(why)
        ours, theirs = Lines([str(driver), "-"]), Lines([program])
        known = subprocess.run([str(driver), "--known"], capture_output=True, text=True, check=True).stdout
        table = [json.loads(line) for line in known.splitlines()]
        total = bad = errors = refused = 0

        def compare(name, template, conversation):
            nonlocal total, bad, errors, refused
            request = dict(conversation, template=template)
            a, b = ours.ask(request), theirs.ask(request)
            total += 1
            errors += "error" in b
            refused += "error" in a and "output" in b
            if not same(a, b):
                bad += 1
                if bad <= 20:
                    print(f"{name}: {json.dumps(request)[:3000]}\n  theirs: {str(b)[:1000]}\n  ours:   {str(a)[:1000]}")

        r = random.Random(seed)
        conversations = cases.fixed_conversations() + [cases.random_conversation(r) for _ in range(60)]
        for row in shipped + table:
            for conversation in conversations:
                compare(row["name"], row["template"], conversation)
        print(f"{len(shipped)} templates of the package, {len(table)} of our table: {total - bad} of {total} renderings equal")
        if len(shipped) < 20:
            print("FAIL: the package ships 20 templates")
            bad += 1
        for number in range(count):
            maker = cases.Maker(r)
            template = maker.damaged() if number % 8 == 7 else maker.template()
            for _ in range(2):
                compare(f"random {number}", template, r.choice(conversations))
        print(f"{total - bad} of {total} equal, {errors} of them errors, {refused} refused by us")
        if refused * 10 > total:
            print("FAIL: too much is refused")
            bad += 1
        return 1 if bad or ours.close() or theirs.close() else 0


if __name__ == "__main__":
    sys.exit(main())

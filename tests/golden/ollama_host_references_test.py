# SPDX-License-Identifier: Apache-2.0
"""OLLAMA_HOST in every spelling against Ollama's own envconfig (v0.9.6) and Go's URLs, live.

    ollama_host_references_test.py BUILD [COUNT [SEED]]     (needs Go and the module; SKIP without)

What Ollama's client could use goes to the same place here, what it could not is refused. Meant to differ: "every
interface" is loopback and ollama.com means https, as in Ollama's newer clients; names of hosts are plain ASCII.
"""
import ipaddress
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile

REQUIRED = os.environ.get("ADAM_REQUIRE_REFERENCES") == "1"
HERE = pathlib.Path(__file__).resolve().parent
HOSTS = ["", "localhost", "LocalHost", "1.2.3.4", "127.0.0.1", "127.0.0.2", "0.0.0.0", "example.com", "my_host", "a-b.c.",
         "::1", "::", "2001:db8::1", "2001:0DB8:0:0::0001", "fe80::1%eth0", "::ffff:1.2.3.4", "1.2.3", "1.2.3.4.5", "256.1.1.1",
         "01.2.3.4", "host name", "x?y", "x#y", "user@h", "x%41", "a:b:c", "\u00e9.com", "h]", "[h", "1:2:3:4:5:6:7:8:9"]
PORTS = ["", "0", "1", "80", "443", "11434", "65535", "65536", "66000", "-1", "+5", "-0", "05", "0x50", "1_0", "port", " 80", "80 ",
         "99999999999999999999", "8O", "1.5", "1e3"]
SCHEMES = ["http", "https", "HTTP", "HTTPS", "Https", "ftp", "", "unix", "ws"]
PATHS = ["", "", "", "/", "//", "/a", "/a/b/", "/a//b", "/../x", "/a/./b/..", "/%20", "/a b", "/?q=1", "/#f", "/~x-_.!*'()", "/\u00e9", "/:@&=+$,;"]
QUOTES = ["", "", "", "", '"', "'", " ", "\t", ' "', "\" '", "\n", "''"]


def spell(r):
    host = r.choice(HOSTS)
    if r.random() < 0.4:
        host = f"[{host}]"
    if r.random() < 0.6:
        host += ":" + r.choice(PORTS)
    text = (r.choice(SCHEMES) + "://" if r.random() < 0.5 else "") + host + r.choice(PATHS)
    if r.random() < 0.1 and text:
        at = r.randrange(len(text))
        text = text[:at] + r.choice("[]:/%@. \"'a0") + text[at + r.randrange(2):]
    quote = r.choice(QUOTES)
    return quote + text + quote[::-1]


def place(url):
    """(scheme, host, port, path) with addresses in one form."""
    scheme, rest = url.split("://", 1)
    authority, slash, path = rest.partition("/")
    host, _, port = authority.rpartition(":")
    if host[:1] == "[" and host[-1:] == "]":
        host = host[1:-1].replace("%25", "%")
    try:
        address = ipaddress.ip_address(host)
        host = str(getattr(address, "ipv4_mapped", None) or address)
    except ValueError:
        pass
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return scheme, host, int(port), slash + path


def is_name(host):
    return re.fullmatch(r"[A-Za-z0-9._-]*|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*(%[A-Za-z0-9._-]+)?", host) is not None


def differs(spelling, ours, theirs):
    if "error" in theirs:
        return "url" in ours
    there = place(theirs["url"].removesuffix("/api/version"))
    if not is_name(there[1]):
        return "url" in ours
    if spelling.strip().strip("\"'").strip() == "ollama.com":
        return ours.get("url") != "https://ollama.com:443"
    return "url" not in ours or place(ours["url"]) != there


def main():
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 20000
    r = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    with tempfile.TemporaryDirectory() as folder:
        copy, program = pathlib.Path(folder, "oracle"), str(pathlib.Path(folder, "program"))
        shutil.copytree(HERE / "go_template_oracle", copy)
        lacking = None if shutil.which("go") else "Go is not installed"
        if not lacking:
            built = subprocess.run(["go", "build", "-o", program, "./host"], cwd=copy, capture_output=True, text=True,
                                   env={**os.environ, "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local"}, check=False)
            lacking = built.returncode and "the Go program does not build: " + built.stderr.strip()[-300:]
        if lacking:
            print(lacking if REQUIRED else f"SKIP: {lacking}")
            return 1 if REQUIRED else 77
        spellings = [f"{s}{h}{p}{path}" for s in ("", "http://", "https://") for h in HOSTS for p in ("", ":1234") for path in ("", "/a")]
        spellings += ["ollama.com", " ollama.com "] + [spell(r) for _ in range(count)]
        lines = "".join(json.dumps(s) + "\n" for s in spellings)
        answers = [[json.loads(line) for line in subprocess.run(command, input=lines, capture_output=True, text=True, check=True).stdout.splitlines()]
                   for command in ([str(pathlib.Path(sys.argv[1], "tests", "src-backend-ollama-host_test")), "-"], [program])]
    bad = [(s, a, b) for s, a, b in zip(spellings, *answers, strict=True) if differs(s, a, b)]
    for spelling, ours, theirs in bad[:20]:
        print(f"FAIL: {spelling!r}: ours {ours}, theirs {theirs}")
    usable = sum("url" in b for b in answers[1])
    print(f"{len(spellings) - len(bad)} of {len(spellings)} spellings go to the same place or are refused alike; Ollama could use {usable}")
    return 1 if bad or usable < len(spellings) // 4 else 0


if __name__ == "__main__":
    sys.exit(main())

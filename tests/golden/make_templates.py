#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the goldens of the template room with transformers' own Jinja environment.

usage: make_templates.py               features.jsonl and chats.jsonl in tests/golden/templates
       make_templates.py FOLDER OUT    the same conversations with the *.jinja files of another folder

features.jsonl: each template of sources.jsonl (one construct each) with the variables that it names.
chats.jsonl: our chat templates over conversations. Each line has "output", or "error" with what was raised.
"""
import json
import os
import pathlib
import re
import sys
import time

os.environ["TZ"] = "UTC"
time.tzset()
import template_reference as golden  # noqa: E402

HERE = pathlib.Path(__file__).parent / "templates"


def write(path, lines):
    with open(path, "w", encoding="utf-8") as file:
        for line in lines:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
    print(f"{path.name}: {len(lines)} lines, {sum('error' in line for line in lines)} of them errors")


def features(utils):
    variables = json.loads((HERE / "variables.json").read_text(encoding="utf-8"))
    lines = []
    for source in (HERE / "sources.jsonl").read_text(encoding="utf-8").split("\n"):
        if not source:
            continue
        template = json.loads(source)
        used = {name: value for name, value in variables.items() if re.search(rf"\b{name}\b", template)}
        result = golden.render_plain(utils, template, used)
        text = result.get("output", "")
        if re.search(r" (object )?at 0x", text) or any(0xD800 <= ord(c) < 0xE000 for c in text):
            continue  # a memory address, or half a character: not the same twice
        lines.append({"template": template, "variables": used, "now": golden.NOW, **result})
    return lines


def chats(utils, folder, conversations):
    lines = []
    for path in sorted(folder.glob("*.jinja")):
        template = path.read_bytes().decode()
        for chat in conversations:
            lines.append({"template": template, "chat": chat, "now": golden.NOW, **golden.render_chat(utils, template, chat)})
    return lines


def main():
    utils = golden.reference()
    if len(sys.argv) == 3:
        conversations = golden.fixed_chats() + [golden.random_chat(seed) for seed in range(40)]
        write(pathlib.Path(sys.argv[2]), chats(utils, pathlib.Path(sys.argv[1]), conversations))
        return
    write(HERE / "features.jsonl", features(utils))
    conversations = golden.fixed_chats()[::4] + [golden.random_chat(seed) for seed in range(12)]
    write(HERE / "chats.jsonl", chats(utils, HERE, conversations))


main()

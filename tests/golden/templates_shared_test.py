#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Real chat templates against transformers, live: every rendering equal, every error an error.

usage: templates_shared_test.py BUILD [FOLDER [SEEDS]]
FOLDER (default: data/raw/templates of the shared folder beside the checkout) holds *.jinja files; without
it, or without transformers, the test is skipped.
"""
import os
import pathlib
import sys

os.environ["TZ"] = "UTC"
sys.path.insert(0, str(pathlib.Path(__file__).parent))

try:
    import template_reference as golden  # noqa: E402
except ImportError as missing:
    print(f"SKIP: {missing}")
    sys.exit(77)


def main():
    build = sys.argv[1]
    root = pathlib.Path(__file__).resolve().parents[2]
    folder = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else root.parent / "shared" / "data" / "raw" / "templates"
    seeds = int(sys.argv[3]) if len(sys.argv) > 3 else 60
    templates = sorted(folder.glob("*.jinja"))
    if not templates:
        print(f"SKIP: no templates in {folder.name}")
        return 77
    if not pathlib.Path(build, golden.DRIVER).exists():
        print("SKIP: the driver is not built")
        return 77
    try:
        utils = golden.reference()
    except ImportError as error:
        print(f"SKIP: {error}")
        return 77
    chats = golden.fixed_chats() + [golden.random_chat(seed) for seed in range(seeds)]
    driver = golden.Driver(build)
    total = bad = errors = 0
    for path in templates:
        text = path.read_bytes().decode()
        wrong = 0
        for i, chat in enumerate(chats):
            theirs = golden.render_chat(utils, text, chat)
            ours = driver.render({"template": text, "chat": chat})
            total += 1
            errors += "error" in theirs
            if golden.same(ours, theirs):
                continue
            wrong += 1
            if wrong <= 3:
                print(f"{path.name}, conversation {i}:\n  theirs: {str(theirs)[:1500]}\n  ours:   {str(ours)[:1500]}")
        bad += wrong
        if wrong:
            print(f"{path.name}: {wrong} of {len(chats)} differ")
    print(f"{total - bad} of {total} renderings of {len(templates)} templates equal ({errors} of them errors)")
    return 1 if bad or driver.close() else 0


sys.exit(main())

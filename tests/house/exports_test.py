#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every public function has a comment above it and is exported by the shared library; nothing else is.

Usage: exports_test.py BUILD_FOLDER. The headers are the list: what ADAM_API marks.
"""
import pathlib
import re
import shutil
import subprocess
import sys

# What compilers, sanitizers and coverage add to a shared library by themselves.
ADDED = re.compile(r"^(_init|_fini|_edata|_end|__bss_start|__(asan|odr_asan|tsan|ubsan|gcov|llvm|sanitizer|start|stop)_\w*|_?_?lprof\w*)$")


def declarations(header):
    """(name, line, has a comment) of each function that ADAM_API marks. What follows each other without
    an empty line shares the comment above the first."""
    lines = header.read_text(encoding="utf-8").splitlines()
    covered = False
    inside = False
    for number, line in enumerate(lines, 1):
        if line.startswith("ADAM_API"):
            inside = True
            name = re.search(r"\b(adam_\w+)\s*\(", line)
            yield (name[1] if name else f"(unreadable: {line})"), number, covered
        if inside:
            inside = not line.rstrip().endswith(";")
            continue
        if not line.strip():
            covered = False
        elif line.startswith(("/*", " *")):
            covered = True


def main():
    root = pathlib.Path(__file__).resolve().parent.parent.parent
    build = pathlib.Path(sys.argv[1])
    library = next((p for p in (build / "libadam.so", build / "libadam.dylib") if p.exists()), None)
    if not shutil.which("nm"):
        print("SKIP: no nm here")
        return 77
    if not library:
        print(f"no libadam.so in {build}")
        return 1
    faults, declared = [], set()
    for header in sorted((root / "include" / "adam").glob("*.h")):
        marks = len(re.findall(r"^\s*ADAM_API\b", header.read_text(encoding="utf-8"), re.M))
        found = list(declarations(header))
        if marks != len(found):
            faults.append(f"{header.name}: {marks} marks, {len(found)} declarations read")
        for name, line, covered in found:
            declared.add(name)
            if not covered:
                faults.append(f"include/adam/{header.name}:{line}: {name} has no comment above it")
    symbols = subprocess.run(["nm", "-D", "--defined-only", "-f", "posix", str(library)], check=True, capture_output=True, text=True).stdout
    exported = {line.split()[0].split("@")[0] for line in symbols.splitlines()}
    exported = {name for name in exported if not ADDED.match(name)}
    if len(declared) < 20:
        faults.append(f"only {len(declared)} public functions were found: is this script still right?")
    faults += [f"{name} is declared but not exported by {library.name}" for name in sorted(declared - exported)]
    faults += [f"{name} is exported by {library.name} but not declared with ADAM_API" for name in sorted(exported - declared)]
    print("\n".join(faults) if faults else f"exports: {len(declared)} functions, each declared, described and exported")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

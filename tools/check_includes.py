#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the includes of the sources against the floor table of docs/HOUSE.md.

Usage: check_includes.py [ROOT]. Prints FILE:LINE: what is wrong, and exits 1 when something is.

The law: a file may include its own room, include/adam, system headers, and those rooms of its row that
lie on lower floors. foo.c includes foo.h first. Only src/kernels and src/os/cpu.c name an instruction set.
Unit tests (*_test.c) may also include what lies in tests/.
"""
import pathlib
import re
import sys

SUFFIXES = {".c", ".h", ".cu", ".cuh"}
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>|(\S.*))')
ROW = re.compile(r"^\|\s*(\d+)\s*\|\s*([\w/]+)\s*\|[^|]*\|\s*([\w /-]*?)\s*\|\s*$")
INSTRUCTION_SETS = re.compile(r"^(\w*intrin|arm_\w+|cpuid|asm/hwcap)\.h$")


class Law:
    """floors: folder -> floor; allowed: folder -> rooms of its row."""

    def __init__(self, text):
        self.floors, self.allowed = {}, {}
        for line in text.splitlines():
            row = ROW.match(line)
            if row:
                folder = row[2]
                self.floors[folder] = int(row[1])
                self.allowed[folder] = [] if row[3] == "-" else row[3].split()

    def faults(self):
        """What is wrong with the table itself."""
        if "include/adam" not in self.floors or not any(f.startswith("src/") for f in self.floors):
            yield "docs/HOUSE.md has no floor table that can be read"
        for folder, rooms in self.allowed.items():
            for room in rooms:
                floor = self.floors.get(f"src/{room}")
                if floor is None:
                    yield f"the row of {folder} names {room}, which has no row"
                elif floor >= self.floors[folder]:
                    yield f"the row of {folder} (floor {self.floors[folder]}) names {room} (floor {floor})"


def without_comments(text):
    """The text with comments blanked and its lines kept; strings stay as they are."""
    pattern = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''
    return re.sub(pattern, lambda m: re.sub(r"[^\n]", " ", m[0]) if m[0].startswith("/") else m[0], text, flags=re.S)


def includes(path):
    """(line number, quoted, system, other) of each include; one of the three is set."""
    for number, line in enumerate(without_comments(path.read_text(encoding="utf-8")).splitlines(), 1):
        found = INCLUDE.match(line)
        if found:
            yield number, found[1], found[2], found[3]


def wrong_room(law, root, folder, path, name):
    """Why a quoted include is against the law; None when it is not."""
    if ".." in pathlib.PurePosixPath(name).parts or name.startswith("/"):
        return f'"{name}" leaves the room by a path'
    if (path.parent / name).is_file():
        return None  # beside the file: its own room
    room = name.split("/")[0]
    if f"src/{room}" == folder:
        return None if (root / "src" / name).is_file() else f'"{name}" does not exist'
    if f"src/{room}" in law.floors:
        return None if room in law.allowed[folder] else f"{folder} may not include {room} (\"{name}\")"
    if path.name.endswith("_test.c") and (root / "tests" / name).is_file():
        return None
    if (root / folder / name).is_file():
        return None  # cli and the other doors: from their own folder
    return f'"{name}" is in no room of the table'


def wrong_system(law, folder, path, name):
    """Why an include in angle brackets is against the law; None when it is not."""
    if f"src/{name.split('/')[0]}" in law.floors and "/" in name:
        return f"<{name}>: rooms are included with quotes"
    is_cpu_file = folder == "src/os" and path.stem == "cpu"
    if INSTRUCTION_SETS.match(name) and folder != "src/kernels" and not is_cpu_file:
        return f"<{name}>: only src/kernels and src/os/cpu.c name an instruction set"
    return None


def check_file(law, root, folder, path):
    """(line, what is wrong) of one file."""
    own = path.with_suffix(".h")
    first = None
    for number, quoted, system, other in includes(path):
        if first is None:
            first = quoted or system or other
        if quoted:
            reason = wrong_room(law, root, folder, path, quoted)
        elif system:
            reason = wrong_system(law, folder, path, system)
        else:
            reason = f"include of {other}: cannot be read without a compiler"
        if reason:
            yield number, reason
    if path.suffix == ".c" and own.is_file() and (first is None or pathlib.PurePosixPath(first).name != own.name):
        yield 1, f"{path.name} does not include {own.name} first"


def check(root):
    """Every line to print."""
    law = Law((root / "docs" / "HOUSE.md").read_text(encoding="utf-8"))
    faults = [f"docs/HOUSE.md:1: {fault}" for fault in law.faults()]
    if faults:
        return faults
    lines = []
    for folder in sorted(p for p in (root / "src").iterdir() if p.is_dir()):
        if f"src/{folder.name}" not in law.floors and any(f.suffix in SUFFIXES for f in folder.rglob("*")):
            lines.append(f"src/{folder.name}:1: this room has no row in the table")
    for folder in law.floors:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in SUFFIXES and path.is_file():
                lines += [f"{path.relative_to(root)}:{n}: {why}" for n, why in check_file(law, root, folder, path)]
    return lines


def main():
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent.parent
    lines = check(root)
    print("\n".join(lines) if lines else "includes: as the table says")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes src/tokenizer/unicode_data.h: what the `tokenizers` library believes about each code point.

Ids can only be equal if both sides agree which character is a letter, and the library's parts come
from different Unicode versions (its regex engine 16, its normalisation 9, its punctuation older
still). So the table is measured from the library itself, code point by code point.

  python3 tools/make_tokenizer_unicode.py > src/tokenizer/unicode_data.h

Needs the package `tokenizers` and Python 3.11, whose unicodedata is of Unicode 14 as is the oldest
PCRE2 that we build with (10.42): where the two differ, onig.c helps PCRE2. Takes two minutes.
"""
import sys
import unicodedata

from tokenizers import Regex
from tokenizers import __version__ as version
from tokenizers import normalizers, pre_tokenizers

CATEGORIES = ("Cn Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf "
              "Co Cs").split()
SPACE, WORD, PUNCTUATION, NUMERIC, ACCENT, NFC_UNSAFE, INERT, RECENT = (1 << k for k in range(5, 13))
POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
CHUNK = 20000


def removed(splitter):
    """Code points that a pre-tokenizer with behaviour `removed` takes out."""
    text = "".join(map(chr, POINTS))
    out = bytearray(b"\1") * len(POINTS)
    for _, (a, b) in splitter.pre_tokenize_str(text):
        out[a:b] = bytes(b - a)
    return {POINTS[i] for i, hit in enumerate(out) if hit}


def category_of():
    out = {c: "Cn" for c in POINTS}
    for name in CATEGORIES[1:-1]:
        for c in removed(pre_tokenizers.Split(Regex("\\p{%s}" % name), "removed")):
            out[c] = name
    return out


def numeric():
    """Rust's char::is_numeric, by way of Digits on a text a?a?a?..."""
    text = "".join("a" + chr(c) for c in POINTS)
    spans = pre_tokenizers.Digits(True).pre_tokenize_str(text)
    return {POINTS[a // 2] for _, (a, b) in spans if b - a == 1 and a % 2 == 1}


def word():
    """\\w of the Rust regex crate, by way of Whitespace on ' a? a? a? ...'."""
    text = " ".join("a" + chr(c) for c in POINTS)
    spans = pre_tokenizers.Whitespace().pre_tokenize_str(text)
    return {POINTS[a // 3] for _, (a, b) in spans if b - a == 2 and a % 3 == 0}


def mapped(normalizer):
    """What a normalizer makes of every code point alone (U+0001 separates; it is inert)."""
    for i in range(0, len(POINTS), CHUNK):
        part = [c for c in POINTS[i:i + CHUNK] if c != 1]
        pieces = normalizer.normalize_str("\1".join(map(chr, part))).split("\1")
        assert len(pieces) == len(part)
        yield from zip(part, pieces)


def inert():
    """Code points that Unicode decomposes or reorders and the library does not know of yet."""
    out = set()
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        for c, got in mapped(getattr(normalizers, form)()):
            if got == chr(c) and unicodedata.normalize(form, chr(c)) != chr(c):
                out.add(c)
    marks = [c for c in POINTS if unicodedata.combining(chr(c)) and c not in out]
    probe = [chr(c) for c in (0x300, 0x327, 0x345, 0x334, 0x93C, 0x3099, 0x94D, 0x5B0, 0x5B1, 0x64B)]
    form = normalizers.NFD()
    for c in marks:
        text = " ".join("a" + m + chr(c) + " a" + chr(c) + m for m in probe)
        if form.normalize_str(text) != unicodedata.normalize("NFD", text):
            out.add(c)
    # The parts of an unknown composite must not be composed either.
    for c in list(out):
        parts = unicodedata.decomposition(chr(c)).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            out.update(int(p, 16) for p in parts if int(p, 16) > 0x10000)
    return out


def nfc_unsafe():
    out = {c for c in POINTS if unicodedata.combining(chr(c))}
    for c in POINTS:
        parts = unicodedata.decomposition(chr(c)).split()
        if parts and not parts[0].startswith("<"):
            if unicodedata.normalize("NFC", chr(c)) != chr(c):
                out.add(c)
            elif len(parts) == 2:
                out.add(int(parts[1], 16))
    out.update(range(0x1161, 0x1176))
    out.update(range(0x11A8, 0x11C3))
    return out


def lower_exceptions():
    return {c: got for c, got in mapped(normalizers.Lowercase()) if got != chr(c)}


def main():
    assert unicodedata.unidata_version == "14.0.0", unicodedata.unidata_version
    category = category_of()
    sets = [
        (SPACE, removed(pre_tokenizers.Split(Regex("\\s"), "removed"))),
        (WORD, word()),
        (PUNCTUATION, removed(pre_tokenizers.Punctuation("removed"))),
        (NUMERIC, numeric()),
        (ACCENT, {c for c, got in mapped(normalizers.StripAccents()) if got == ""}),
        (NFC_UNSAFE, nfc_unsafe()),
        (INERT, inert()),
        (RECENT, {c for c in POINTS if category[c] != unicodedata.category(chr(c))}),
    ]
    value = [CATEGORIES.index("Cs")] * 0x110000
    for c in POINTS:
        value[c] = CATEGORIES.index(category[c])
    for flag, members in sets:
        for c in members:
            value[c] |= flag
    # An inert character takes part in no normalisation: whatever is newer than the library's
    # tables and a mark for somebody else is inert too.
    for c in POINTS:
        if value[c] & RECENT and category[c][0] == "M" and not value[c] & ACCENT:
            value[c] |= INERT | NFC_UNSAFE
        if value[c] & INERT:
            value[c] |= NFC_UNSAFE
    ranges = []
    for c in range(0x110000):
        if not ranges or ranges[-1][1] != value[c]:
            ranges.append((c, value[c]))
    # Blocks of one value all over are shared, the others stand for themselves.
    blocks = [set(value[b:b + 256]) for b in range(0, 0x110000, 256)]
    n_blocks = len({min(b) for b in blocks if len(b) == 1}) + sum(len(b) > 1 for b in blocks)
    lower = lower_exceptions()

    print("/* SPDX-License-Identifier: Apache-2.0 */")
    print("/* Generated by tools/make_tokenizer_unicode.py from tokenizers %s; do not edit. */" % version)
    print("#define UNICODE_BLOCKS %d /* blocks of 256 code points */" % n_blocks)
    print("/* first code point of a run, class of the run: category | flags of unicode.h */")
    print("static const struct { uint32_t first; uint16_t value; } unicode_runs[] = {")
    line = ""
    for first, v in ranges:
        item = "{0x%X,0x%X}," % (first, v)
        if len(line) + len(item) > 106:
            print("  " + line)
            line = ""
        line += item
    print("  " + line)
    print("};")
    print("/* lower case, where it is one character: code point, difference; runs with step 1 or 2 */")
    print("static const struct { uint32_t first, last; int32_t step, delta; } unicode_lower[] = {")
    runs = []
    for c in sorted(lower):
        got = lower[c]
        if len(got) != 1:
            continue
        delta = ord(got) - c
        if runs and runs[-1][3] == delta:
            first, last, step, _ = runs[-1]
            gap = c - last
            if gap in (1, 2) and (first == last or gap == step):
                runs[-1] = (first, c, gap, delta)
                continue
        runs.append((c, c, 1, delta))
    line = ""
    for first, last, step, delta in runs:
        item = "{0x%X,0x%X,%d,%d}," % (first, last, step, delta)
        if len(line) + len(item) > 106:
            print("  " + line)
            line = ""
        line += item
    print("  " + line)
    print("};")
    longer = {c: got for c, got in lower.items() if len(got) != 1}
    assert longer == {0x130: "i\u0307"}, longer
    print("runs %d, blocks %d, lower runs %d" % (len(ranges), n_blocks, len(runs)), file=sys.stderr)


if __name__ == "__main__":
    main()

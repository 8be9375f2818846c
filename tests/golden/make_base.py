#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes base/*.txt from Python itself: repr and float of doubles, json, UTF-8 with replacement, half floats.

Usage: make_base.py [FOLDER]. Needs the standard library alone. Every line is a case:
  reals.txt      bits of a double in hex, its repr
  numbers.txt    decimal text, bits of float(text) in hex
  documents.txt  JSON text in hex, what Python reads from it, written compactly, in hex; "-" = refused
  utf8.txt       bytes in hex, number of valid bytes in front, bytes decoded with errors=replace, in hex
  halves.txt     bits of a float32 in hex, bits of the nearest float16 in hex
"""
import json
import math
import pathlib
import random
import struct
import sys

random.seed(20240607)


def double_bits(value):
    return struct.unpack("<Q", struct.pack("<d", value))[0]


def bits_double(bits):
    return struct.unpack("<d", struct.pack("<Q", bits))[0]


def reals():
    values = [math.ldexp(1.0, e) for e in range(-1074, 1024)]
    values += [float(f"1e{e}") for e in range(-323, 309, 3)]
    values += [0.0, -0.0, 0.1, 1 / 3, 1e15, 1e16, 123456789012345680.0, 1e-4, 1e-5, 9.995e-5, 1e22, 1e23, 5e-324, 2.5e-323,
               2.2250738585072014e-308, 2.225073858507201e-308, 1.7976931348623157e308, 9007199254740993.0, 0.7, 0.9,
               1e-06, 10000000000.0, 1000000.0, 9.5367431640625e-07, math.inf, -math.inf]
    values += [bits_double(random.getrandbits(64)) for _ in range(800)]
    values += [bits_double(random.getrandbits(52)) for _ in range(100)]
    values += [struct.unpack("<f", struct.pack("<I", random.getrandbits(31) % 0x7F800000))[0] for _ in range(200)]
    values += [random.randrange(10 ** 6) / 1000 for _ in range(100)]
    return [f"{double_bits(v):016x} {v!r}" for v in values if v == v]


def numbers():
    texts = ["1e5", "1E5", "1e+5", "-0", "-0.0", "0e0", "0e999999999", "1e400", "-1e400", "1e-400", "4.9e-324", "2.4703282292062327e-324",
             "2.4703282292062328e-324", "2.2250738585072011e-308", "2.2250738585072012e-308", "1.7976931348623158e308",
             "1.7976931348623159e308", "9007199254740993", "9007199254740992.5", "9007199254740993.0000000001", "9007199254740995",
             "18446744073709551615", "18446744073709551616", "9223372036854775807", "9223372036854775808", "-9223372036854775808",
             "-9223372036854775809", "123456789012345678901234567890", "0." + "0" * 400 + "1", "1" + "0" * 400, "1" * 700,
             "0.1" + "0" * 300 + "1", "1.00000000000000011102230246251565404236316680908203125",
             "1.00000000000000011102230246251565404236316680908203124", "1.00000000000000011102230246251565404236316680908203126",
             "8.5e22", "123456789e22", "123456789e23", "1e22", "1e23", "7e-22", "7e-23", "1e00000000000000000005", "12345678901234567e-5"]
    for _ in range(700):
        digits = "".join(random.choice("0123456789") for _ in range(random.randrange(1, 26))).lstrip("0") or "0"
        text = digits
        if random.random() < 0.7:
            cut = random.randrange(len(digits) + 1)
            text = (digits[:cut] or "0") + "." + (digits[cut:] or "0")
        if random.random() < 0.6:
            text += f"e{random.choice(['', '+', '-'])}{random.randrange(330)}"
        texts.append(("-" if random.random() < 0.3 else "") + text)
    for _ in range(200):  # half-way between two doubles, exactly
        bits = random.randrange(0x0010000000000000, 0x4400000000000000)
        a, b = bits_double(bits), bits_double(bits + 1)
        from fractions import Fraction
        middle = (Fraction(a) + Fraction(b)) / 2
        scale = 0
        while middle.denominator != 1 and scale < 400:
            middle *= 10
            scale += 1
        if middle.denominator == 1:
            texts.append(f"{middle.numerator}e-{scale}")
    return [f"{t} {double_bits(float(t)):016x}" for t in texts]


def random_value(depth):
    kind = random.randrange(9 if depth < 5 else 6)
    if kind == 0:
        return random.choice([None, True, False])
    if kind == 1:
        return random.randrange(-2 ** 63, 2 ** 63) >> random.randrange(64)
    if kind == 2:
        return random.choice([random.random(), random.gauss(0, 1e10), bits_double(random.getrandbits(62)), 0.0, -0.0, math.inf, -math.inf])
    if kind in (3, 4, 5):
        return random_text()
    if kind == 6:
        return [random_value(depth + 1) for _ in range(random.randrange(6))]
    return {random_text(): random_value(depth + 1) for _ in range(random.randrange(6))}


def random_text():
    pool = ["a", "Z", " ", "\"", "\\", "/", "\n", "\t", "\b", "\f", "\r", "\x00", "\x1f", "\x7f", "\u00e9", "\u0120", "\u4e2d", "\ud7ff", "\ue000",
            "\ufffd", "\uffff", "\U0001f600", "\U0010ffff", "hello world", "0123456789abcdef"]
    return "".join(random.choice(pool) for _ in range(random.randrange(12)))


def documents():
    texts = []
    for i in range(300):
        value = random_value(0)
        options = {"ensure_ascii": i % 2 == 0}
        if i % 3 == 0:
            options["indent"] = "\t " if i % 2 else 2
        texts.append(json.dumps(value, **options).encode())
    plain = ["", " ", "nul", "null", "nullx", "true false", "[", "]", "{", "}", "[]", "{}", "[1,]", "[,1]", "[1 2]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}",
             "{a:1}", "{'a':1}", "{\"a\" : 1 , \"b\" : [ ] }", "[1,2", "{\"a\":1", "\"", "\"abc", "\"\\", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"a\nb\"",
             "\"a\tb\"", "01", "-", "-a", "+1", "1.", ".5", "1.e5", "1e", "1e+", "--1", "0x10", "1_000", "NaN", "nan", "Infinity", "-Infinity", "-NaN",
             "inf", "\ufeff[1]", "[1]\ufeff", "\"\\/\\b\\f\\n\\r\\t\\\"\\\\\"", "\"\\u0000\"", "\"\\ud83d\\ude00\"", "[1]x", "[1] ", "\f[1]", "\u00a0[1]",
             "{\"a\":{\"b\":[{\"c\":null}]}}", "[[[[[[]]]]]]", "[{},[],\"\",0]", "// x\n1", "{\"\":0}", "[\"\x7f\"]", "-0", "-0.0", "1E5", "tru", "fals",
             "[1}", "{\"a\":1]", "{1:2}", "{\"a\" 1}", "{,}", "[\"a\",\"b\"", "\"\\u00e9\"", "\"\\uD834\\uDD1E\"", "1 ", "\t1\n\r "]
    texts += [t.encode() for t in plain]
    texts += [b"\"\xff\"", b"\"\xc3\"", b"\"\xed\xa0\x80\"", b"\"\xc0\x80\"", b"\"\xf4\x90\x80\x80\"", b"[\"\xe4\xb8\xad\"]", b"\"abcdefgh\x80\"", b"\x80"]
    for _ in range(200):  # one byte of a good text broken
        text = bytearray(json.dumps(random_value(0)).encode())
        text[random.randrange(len(text))] = random.choice(b"\"\\{}[],:0e.-\x00\x1f\x80x")
        texts.append(bytes(text))
    lines = []
    for text in texts:
        try:
            value = json.loads(text.decode("utf-8-sig"))
            expected = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode().hex() or "-"
        except UnicodeEncodeError:  # a lone surrogate was read
            continue
        except ValueError:
            expected = "-"
        if not is_special(text, expected):
            lines.append(f"{text.hex() or '.'} {expected}")
    return lines


def is_special(text, expected):
    """Integers over 64 bits, lone surrogates and duplicate keys: read differently on purpose, tested by hand."""
    if expected == "-":
        return False
    special = []

    def pairs(items):
        if len({k for k, _ in items}) != len(items):
            special.append(1)
        return dict(items)

    def integer(t):
        if not -2 ** 63 <= int(t) < 2 ** 63:
            special.append(1)
        return int(t)

    json.loads(text.decode("utf-8-sig"), object_pairs_hook=pairs, parse_int=integer)
    return bool(special)


def utf8():
    cases = [b"", b"abc", "h\u00e9llo \u4e2d\U0001f600".encode(), b"\x80", b"\xbf\x80", b"\xc0\x80", b"\xc1\xbf", b"\xc2", b"\xc2\x41", b"\xe0\x80\x80",
             b"\xe0\x9f\xbf", b"\xe0\xa0", b"\xe0\xa0\x41", b"\xed\xa0\x80", b"\xed\x9f\xbf", b"\xf0\x80\x80\x80", b"\xf0\x90\x80", b"\xf0\x9f\x98\x41",
             b"\xf4\x8f\xbf\xbf", b"\xf4\x90\x80\x80", b"\xf5\x80", b"\xff\xfe", b"a\xe4\xb8", b"\xe4\xb8\xad\xe4", b"\xf0\x9f\xf0\x9f\x98\x80"]
    alphabet = [0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF]
    cases += [bytes(random.choice(alphabet) for _ in range(random.randrange(1, 14))) for _ in range(900)]
    lines = []
    for case in cases:
        try:
            case.decode()
            n_valid = len(case)
        except UnicodeDecodeError as error:
            n_valid = error.start
        lines.append(f"{case.hex() or '.'} {n_valid} {case.decode(errors='replace').encode().hex() or '.'}")
    return lines


def halves():
    bits = [0, 0x80000000, 0x7F800000, 0xFF800000, 0x477FE000, 0x477FEFFF, 0x477FF000, 0x47800000, 0x33000000, 0x33000001, 0x32FFFFFF, 0x33800000,
            0x38800000, 0x387FC000, 0x387FE000, 0x387FFFFF, 0x00000001, 0x7F7FFFFF]
    for h in random.sample(range(0x7C00), 300):  # each half, and exactly between it and the next
        f = struct.unpack("<I", struct.pack("<f", struct.unpack("<e", struct.pack("<H", h))[0]))[0]
        bits += [f, f | 0x80000000, f + 1]
        middle = (struct.unpack("<e", struct.pack("<H", h))[0] + struct.unpack("<e", struct.pack("<H", min(h + 1, 0x7BFF)))[0]) / 2
        m = struct.unpack("<I", struct.pack("<f", middle))[0]
        bits += [m - 1 if m else 0, m, m + 1]
    bits += [random.randrange(0x32000000, 0x48000000) | random.randrange(2) << 31 for _ in range(500)]
    lines = []
    for b in bits:
        value = struct.unpack("<f", struct.pack("<I", b))[0]
        try:
            half = struct.unpack("<H", struct.pack("<e", value))[0]
        except OverflowError:  # Python refuses what IEEE 754 rounds to infinity
            half = 0x7C00 | (0x8000 if value < 0 else 0)
        lines.append(f"{b:08x} {half:04x}")
    return lines


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "base"
    folder.mkdir(exist_ok=True)
    for make in (reals, numbers, documents, utf8, halves):
        (folder / f"{make.__name__}.txt").write_text("\n".join(make()) + "\n")


main()

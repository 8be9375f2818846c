#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks constrained answers with Python's own judges: random JSON Schemas with jsonschema, regular
expressions with re.fullmatch, grammars and choices by hand.

  grammar_references_test.py BUILD_DIR [SCHEMAS [SEED]]

Tokens are drawn at random from the masks, at every number of tokens from the least upward, over a
byte-level and a SentencePiece tokenizer, and over Qwen 3's where ../shared/data has it. SKIP (77) without
jsonschema.
"""
import datetime
import ipaddress
import json
import os
import random
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
try:
    import jsonschema
except ImportError:
    print("SKIP: the Python package jsonschema is not here")
    sys.exit(77)

ADDED = [{"id": 0, "content": "<s>", "single_word": False, "lstrip": False, "rstrip": False,
          "normalized": False, "special": True}]
WORDS = ['{"', '":', '"', '",', '", "', '": "', '"}', '":"', '[]', '{}', '[[', ']]', '], ', 'null', 'true', 'false', 'name', 'age',
         'na', 'nam', 'ue', 'tr', 'lse', '12', '123', '-1', '0.', 'e1', '99', '{ ', ' }', '\\u', '\\n', '\\"', ' "', ' [', 'a', 'ab',
         'abc', 'x-', '@', '://', 'http', '2024-', '-0', ':0', 'T', 'Z', 'é', 'ü', '日', '日本', '語', '€', '😀', '\n', '\n\n', '\n  ',
         '  ', '    ', 'yes', 'no', 'ye', 's!', 'hello', ' world', '):', '.com', '}}', '}]', ', ', ': ']


def alphabet():
    """GPT-2's spelling of the bytes."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    out = {b: chr(b) for b in plain}
    for n, b in enumerate(b for b in range(256) if b not in plain):
        out[b] = chr(256 + n)
    return out


def byte_level(path):
    spell = alphabet()
    pieces = ["<s>"] + [spell[b] for b in range(256)]
    for word in WORDS + [' name', ' 12', 'é'.encode()[:1].decode('latin-1')]:
        piece = "".join(spell[b] for b in word.encode())
        if piece not in pieces:
            pieces.append(piece)
    write(path, pieces, {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}, False)


def sentencepiece(path):
    pieces = ["<s>"] + ["<0x%02X>" % b for b in range(256)]
    for word in WORDS + [chr(c) for c in range(33, 127)] + [' ', ' name', ' {"', ' yes', ' no', ' a', ' x', '  a']:
        piece = word.replace(" ", "\u2581")
        if piece not in pieces:
            pieces.append(piece)
    decoder = {"type": "Sequence", "decoders": [
        {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
        {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}
    write(path, pieces, decoder, True)


def write(path, pieces, decoder, fallback):
    model = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
             "fuse_unk": False, "byte_fallback": fallback, "vocab": {p: i for i, p in enumerate(pieces)}, "merges": []}
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"version": "1.0", "added_tokens": ADDED, "decoder": decoder, "model": model}, file)


class Drive:
    def __init__(self, build, tokenizer):
        self.process = subprocess.Popen([os.path.join(build, "tests", "tests-golden-grammar_drive_test"), tokenizer],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")

    def ask(self, kind, what, n, seed, begin=False):
        request = {"kind": kind, "n": n, "seed": seed, "begin": begin, "choices" if kind == "choice" else "text": what}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("the drive ended at %r" % request)
        return json.loads(line)


def random_schema(rng, depth=0, defs=None):
    kinds = ["string", "integer", "number", "boolean", "null", "enum", "const", "list", "pattern", "format"]
    if depth < 3:
        kinds += ["object", "object", "object", "array", "array", "tuple", "anyOf", "allOf"]
    if defs:
        kinds += ["ref"]
    kind = rng.choice(kinds)
    sub = lambda: random_schema(rng, depth + 1, defs)  # noqa: E731
    if kind == "string":
        out = {"type": "string"}
        if rng.random() < .4:
            out["minLength"] = rng.randint(0, 4)
        if rng.random() < .5:
            out["maxLength"] = out.get("minLength", 0) + rng.randint(0, 8)
        return out
    if kind == "integer":
        out = {"type": "integer"}
        low = rng.choice([-1000, -37, -1, 0, 1, 7, 99, 12345])
        if rng.random() < .6:
            out[rng.choice(["minimum", "exclusiveMinimum"])] = low
        if rng.random() < .6:
            out[rng.choice(["maximum", "exclusiveMaximum"])] = low + rng.choice([2, 5, 100, 98765])
        if rng.random() < .2:
            out["multipleOf"] = rng.choice([1, 2, 3])
        return out
    if kind == "number":
        out = {"type": "number"}
        low = rng.choice([-10.5, -1, -0.25, 0, 0.125, 3, 99.99, 1e-3])
        if rng.random() < .5:
            out[rng.choice(["minimum", "exclusiveMinimum"])] = low
        if rng.random() < .5:
            out[rng.choice(["maximum", "exclusiveMaximum"])] = low + rng.choice([0.5, 0.001, 10, 1000.5])
        return out
    if kind in ("boolean", "null"):
        return {"type": kind}
    if kind == "enum":
        return {"enum": rng.sample(["yes", "no", 1, 2.5, None, True, {"a": [1, "x"]}, [], "日本", 'q"\\\n', -7], rng.randint(1, 5))}
    if kind == "const":
        return {"const": rng.choice(["fixed", 12, None, {"k": "v", "l": [1]}, "é"])}
    if kind == "list":
        return {"type": rng.sample(["string", "null", "integer", "boolean", "number"], rng.randint(1, 4))}
    if kind == "pattern":
        out = {"type": "string", "pattern": rng.choice(["^[a-c]+$", "^\\d{2,4}-\\w+$", "b", "^(foo|ba[rz])?x", "^.{2}$", "[^a-z]{2}",
                                                        "^(a|bc)*$", "é|日", "^\"\\\\\"$", "x$"])}
        if rng.random() < .3:
            out["maxLength"] = rng.randint(8, 12)
        return out
    if kind == "format":
        return {"type": "string", "format": rng.choice(["date", "time", "date-time", "uuid", "email", "ipv4", "ipv6", "hostname"])}
    if kind == "array":
        out = {"type": "array"}
        if rng.random() < .8:
            out["items"] = sub()
        if rng.random() < .4:
            out["minItems"] = rng.randint(0, 2)
        if rng.random() < .4:
            out["maxItems"] = out.get("minItems", 0) + rng.randint(0, 3)
        return out
    if kind == "tuple":
        return {"type": "array", "prefixItems": [sub() for _ in range(rng.randint(1, 3))], "items": rng.choice([False, sub()]),
                "minItems": rng.randint(0, 2)}
    if kind == "anyOf":
        return {"anyOf": [sub() for _ in range(rng.randint(1, 3))]}
    if kind == "allOf":
        return {"allOf": [{"type": "object", "properties": {"a": sub()}, "required": ["a"]},
                          {"properties": {"b": {"type": "integer"}}, "required": rng.choice([[], ["b"]])}]}
    if kind == "ref":
        return {"$ref": "#/$defs/" + rng.choice(list(defs))}
    names = rng.sample(["name", "age", "na", "n", "日", "a b", 'q"', "x", "value"], rng.randint(0, 4))
    out = {"type": "object", "properties": {n: sub() for n in names}}
    out["required"] = [n for n in names if rng.random() < .5]
    if rng.random() < .3:
        out["additionalProperties"] = rng.choice([False, True, sub()])
    if rng.random() < .1:
        out["required"].append("other")
    return out


def whole_schema(rng):
    if rng.random() < .3:
        tree = {"type": "object", "properties": {"v": {"type": "integer"}, "next": {"anyOf": [{"$ref": "#/$defs/tree"}, {"type": "null"}]},
                                                 "kids": {"type": "array", "items": {"$ref": "#/$defs/tree"}}}, "required": ["v"]}
        defs = {"tree": tree, "word": {"type": "string", "maxLength": 5}}
        return {**random_schema(rng, 0, defs), "$defs": defs}
    return random_schema(rng)


REGEXES = ["abc", "a*", "(a|b)+c?", "[a-f0-9]{4,8}", "\\d+\\.\\d{2}", "\\w+@\\w+\\.(com|org)", "(?:x|yz){2,5}", "[^\\d\\s]+", "日本?語*", "\\u00e9+",
           "a{3}", "(ab|cd){0,3}e", ".{3,6}", "\\D{2}", "\\W\\w\\W", "\\S{1,3}", "[]a]+", "[a\\]]{2}", "x{,2}y", "^start.*end$", "(^a|b$)", "a|",
           "\\x41\\t\\n?", "[\\w.-]+", "(?P<n>a)(?P<m>b)", "a*?b+?", "[😀-😂]+", "-?(0|[1-9][0-9]{0,3})", "\\$\\^\\.\\*", "{a}", "[^a-z]*"]
BAD_REGEXES = ["(", ")", "[", "*", "a**", "(?=a)", "(?i)a", "\\1", "\\b", "a{2,1}", "a++", "x^y", "[b-a]", "\\p{L}", "a{200000}"]
GRAMMARS = [
    ('root ::= "a" "b"* [c-e]+ # comment\n', r"ab*[c-e]+"),
    ('root ::= pair ("," pair)*\npair ::= [a-z] "=" digit{1,3}\ndigit ::= [0-9]\n', r"[a-z]=[0-9]{1,3}(,[a-z]=[0-9]{1,3})*"),
    ('root ::= "x" | \n  "yes" "!"?\n', r"x|yes!?"),
    ('root ::= item\n  | "z" item\nitem ::= [^a-zA-Z0-9\\n]{2}\n', r"z?[^a-zA-Z0-9\n]{2}"),
    ('root ::= "\\x41\\u00e9\\U0001F600\\"\\\\"', 'Aé😀"\\\\'),
    ('root ::= ("a" | "b" | ("c" "d")?) "e"\n', r"(a|b|(cd)?)e"),
    ('root ::= . . [日本]', r"(?s:..)[日本]"),
    ('root ::= "(" root ")" | "x"', None),
    ('root ::= ws "[" (value ("," ws value)*)? "]"\nvalue ::= root | [0-9]+\nws ::= [ \\t]{0,3}\n', None),
]
BAD_GRAMMARS = ['root ::= root "a" | "b"', 'root ::= a', 'a ::= "b"', 'root ::= "a', 'root ::= [a', 'root ::= ("a"', 'root = "a"',
                'root ::= "a"\nroot ::= "b"', 'root ::= a root\na ::= ""', 'root ::= "a"{3,2}', 'root ::= "x" root', 'root ::= "\\q"', 'root ::= "a" )']


def balanced(text):
    return re.fullmatch(r"\(*x\)*", text) is not None and text.count("(") == text.count(")")


def lists(text):
    try:
        json.loads(re.sub(r"\b0+(\d)", r"\1", text.strip()))
        return True
    except ValueError:
        return False


def fewest(text, words):
    """Tokens that spell a text at least, by dynamic programming."""
    data = text.encode()
    best = [0] + [None] * len(data)
    for end in range(1, len(data) + 1):
        best[end] = 1 + min(best[at] for at in range(max(0, end - 16), end) if end - at == 1 or data[at:end] in words)
    return best[-1]


def check_fewest(check, rng):
    """The least number that is named, against the words of the small tokenizers."""
    words = {w.encode() for w in WORDS} | {b" name", b" 12"}
    if check.name == "sentencepiece":
        words |= {w.encode() for w in (' {"', ' yes', ' no', ' a', ' x', '  a')}
    for _ in range(40):
        choices = ["".join(rng.choice(WORDS[:60]) for _ in range(rng.randint(1, 6))) for _ in range(rng.randint(1, 5))]
        least = min(fewest(c, words) for c in choices)
        reply = check.drive.ask("choice", choices, 0, 1)
        check.n += 1
        if reply.get("least") != least:
            check.fault("choices %r: %d tokens expected: %r" % (choices, least, reply))


class Check:
    def __init__(self, drive, name):
        self.drive, self.name, self.n, self.faults = drive, name, 0, []

    def fault(self, what):
        self.faults.append("%s: %s" % (self.name, what))
        print(self.faults[-1])

    def sweep(self, kind, what, good, rng, extra=(0, 1, 2, 3, 5, 8, 20, 60, 200), begin=False):
        """Texts at the least number of tokens and above, each judged by good(text)."""
        reply = self.drive.ask(kind, what, 0, 0, begin)
        if "error" in reply:
            return reply
        least = reply.get("least", 0)
        if "least" in reply:
            below = self.drive.ask(kind, what, least - 1, 1, begin)
            if below.get("least") != least:
                self.fault("%s %s: %d tokens: %r" % (kind, what, least - 1, below))
        for more in extra:
            n, seed = least + more, rng.randint(0, 1 << 30)
            reply = self.drive.ask(kind, what, n, seed, begin)
            self.n += 1
            if "error" in reply or not reply.get("complete") or reply["n"] > n or not good(reply["text"]):
                self.fault("%s %s with %d tokens, seed %d: %r" % (kind, what, n, seed, reply))
        return reply


def is_time(text):
    """RFC 3339, full-time. (jsonschema's own check of "time" depends on what else is installed.)"""
    found = re.fullmatch(r"(\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:[Zz]|[+-](\d\d):(\d\d))", text, re.ASCII)
    return bool(found) and all(int(n or 0) < most for n, most in zip(found.groups(), (24, 60, 61, 24, 60)))


def is_date(text):
    try:
        return bool(re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII)) and bool(datetime.date.fromisoformat(text))
    except ValueError:
        return False


def is_address(kind):
    def check(text):
        try:
            return bool(kind(text))
        except ValueError:
            return False
    return check


FORMATS = {
    "time": is_time,
    "date": is_date,
    "date-time": lambda text: len(text) > 10 and text[10] in "Tt" and is_date(text[:10]) and is_time(text[11:]),
    "uuid": lambda text: re.fullmatch(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", text) is not None,
    "email": lambda text: re.fullmatch(r"[^@\s]+@[^@\s]+", text) is not None,
    "ipv4": is_address(ipaddress.IPv4Address),
    "ipv6": is_address(ipaddress.IPv6Address),
    "hostname": lambda text: len(text) < 254 and re.fullmatch(
        r"(?!-)[0-9A-Za-z-]{1,63}(?<!-)(\.(?!-)[0-9A-Za-z-]{1,63}(?<!-))*", text) is not None,
}


def format_checker():
    checker = jsonschema.FormatChecker(formats=())
    for name, judge in FORMATS.items():
        checker.checks(name)(lambda value, judge=judge: not isinstance(value, str) or judge(value))
    return checker


def check_schemas(check, n, rng):
    refused = 0
    checker = format_checker()
    for _ in range(n):
        schema = whole_schema(rng)
        validator = jsonschema.Draft202012Validator(schema, format_checker=checker)

        def good(text, validator=validator):
            try:
                return validator.is_valid(json.loads(text))
            except ValueError:
                return False
        reply = check.sweep("schema", json.dumps(schema, ensure_ascii=rng.random() < .5), good, rng, (0, 1, 3, 10, 40, 150))
        if "error" in reply:
            refused += 1
            if "no text can match" not in reply["error"] and "not supported" not in reply["error"]:
                check.fault("schema %s: %s" % (json.dumps(schema), reply["error"]))
    if refused * 4 > n:
        check.fault("%d of %d schemas were refused" % (refused, n))


def check_texts(check, rng, begin):
    for pattern in REGEXES:
        reply = check.sweep("regex", pattern, lambda text, p=pattern: re.fullmatch(p, text) is not None, rng, begin=begin)
        if "error" in reply:
            check.fault("regex %s: %s" % (pattern, reply["error"]))
    for pattern in BAD_REGEXES:
        reply = check.drive.ask("regex", pattern, 50, 1)
        if reply.get("status") != "INVALID":
            check.fault("regex %s was taken: %r" % (pattern, reply))
    for grammar, pattern in GRAMMARS:
        judge = (lambda text, p=pattern: re.fullmatch(p, text) is not None) if pattern else balanced if "(" in grammar[10:13] else lists
        reply = check.sweep("grammar", grammar, judge, rng, begin=begin)
        if "error" in reply:
            check.fault("grammar %s: %s" % (grammar, reply["error"]))
    for grammar in BAD_GRAMMARS:
        reply = check.drive.ask("grammar", grammar, 50, 1)
        if reply.get("status") != "INVALID":
            check.fault("grammar %s was taken: %r" % (grammar, reply))
    for choices in (["yes", "no"], ["ab", "abc", "abcd"], ["日本語", "é"], ["one two", " three"], ["{\"a\": 1}"]):
        seen = set()
        for _ in range(6):
            check.sweep("choice", choices, lambda text, c=choices: not seen.add(text) and text in c, rng, begin=begin and " three" not in choices)
        if len(seen) != len(choices) and not begin:
            check.fault("of the choices %r only %r came" % (choices, seen))


def main():
    build = sys.argv[1]
    n = int(sys.argv[2]) if len(sys.argv) > 2 else 150
    # Other schemas on each run of check-real; `make test` stays the same test.
    drawn = random.randrange(1 << 30) if os.environ.get("ADAM_REQUIRE_REFERENCES") == "1" else 1
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else drawn
    print("seed", seed)
    faults, total = [], 0
    with tempfile.TemporaryDirectory() as folder:
        tokenizers = []
        for make in (byte_level, sentencepiece):
            path = os.path.join(folder, make.__name__ + ".json")
            make(path)
            tokenizers.append((make.__name__, path, n))
        shared = os.path.join(HERE, "..", "..", "..", "shared", "data", "tokenizers", "qwen3", "tokenizer.json")
        if os.path.exists(shared):
            tokenizers.append(("qwen3", shared, n // 5))
        else:
            print("without Qwen 3's tokenizer: it is not here")
        for name, path, count in tokenizers:
            rng = random.Random(seed)
            check = Check(Drive(build, path), name)
            check_texts(check, rng, False)
            if name != "qwen3":
                check_fewest(check, rng)
            if name == "sentencepiece":
                check_texts(check, rng, True)
            check_schemas(check, count, rng)
            faults += check.faults
            total += check.n
    print("%d answers, %d faults" % (total, len(faults)))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

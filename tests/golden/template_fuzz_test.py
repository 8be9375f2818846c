#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Random templates over random data, ours against transformers' Jinja: outputs equal, errors errors.

usage: template_fuzz_test.py BUILD [COUNT [SEED]]
Skipped without transformers. Not compared: memory addresses, halves of characters, and what we refuse on
purpose (integers over 64 bits, complex numbers, bytes, random, lipsum, pprint of long values).
"""
import os
import pathlib
import random
import re
import signal
import sys
import warnings

os.environ["TZ"] = "UTC"
sys.path.insert(0, str(pathlib.Path(__file__).parent))

try:
    import template_reference as golden  # noqa: E402
except ImportError as missing:
    print(f"SKIP: {missing}")
    sys.exit(77)

NAMES = ["a", "b", "c", "d", "s", "u", "li", "users", "nil", "missing", "loop", "ns", "m", "f"]
STRINGS = ["", "a", "ab", "Hello World", " x ", "a,b,c", "%s", "{}", "line\\nnext", "\u00e9\u00df\u03a3", "\U0001f600", "1", "-2.5", "key", "name", "<b>&'\\\"",
           "aXbXc", "10", "\\ttab", "upper", "it's"]
FILTERS = ["abs", "attr('a')", "batch(2)", "batch(2, 'x')", "capitalize", "center(9)", "count", "d('dd')", "default('dd', true)", "dictsort",
           "dictsort(false, 'value')", "e", "filesizeformat", "first", "float", "float(1.5)", "forceescape", "format(1)", "groupby('name')", "groupby('a')",
           "indent", "indent(2, true)", "int", "int(3)", "items", "join", "join(', ')", "join('-', attribute='name')", "last", "length", "list", "lower",
           "map('upper')", "map(attribute='name')", "map(attribute='a.b', default=0)", "map('int')", "map('string')", "max", "min", "max(attribute='a')",
           "reject", "reject('string')", "rejectattr('name')", "replace('a', 'b')", "replace('', '-', 2)", "reverse", "round", "round(1)", "round(1, 'floor')",
           "safe", "select", "select('number')", "select('gt', 1)", "selectattr('name')", "selectattr('a', 'defined')", "slice(2)", "sort", "sort(true)",
           "sort(attribute='name')", "string", "striptags", "sum", "title", "tojson", "tojson(indent=2)", "tojson(true)", "trim", "trim('a ')", "truncate(5)",
           "truncate(8, true, '~', 0)", "unique", "upper", "urlencode", "wordcount", "wordwrap(5)", "xmlattr", "string|length", "list|length", "list|first"]
# Texts of objects have memory addresses in them, which other filters may take apart.
OBJECTS = re.compile(r"(?i)generator object|tcejbo rotareneg|joiner object|cycler object|r, a, t, o, r|'o', 'b', 'j'|_reverseiterator|reversed object")
CHECKS = ["defined", "undefined", "none", "string", "mapping", "sequence", "iterable", "number", "integer", "float", "boolean", "true", "false", "odd", "even",
          "divisibleby 2", "divisibleby(3)", "eq 1", "equalto('a')", "ne none", "gt 1", "lt 'b'", "ge 2.5", "le(3)", "in [1, 'a']", "sameas none", "callable",
          "escaped", "lower", "upper", "not defined", "not string", "not none"]
METHODS = ["upper()", "lower()", "title()", "capitalize()", "strip()", "lstrip('a')", "rstrip()", "split()", "split(',')", "split('X', 1)", "rsplit('X', 1)",
           "splitlines()", "startswith('a')", "endswith(('c', 'd'))", "replace('a', 'zz')", "find('b')", "rfind('X')", "index('a')", "count('a')", "join(['x', 'y'])",
           "zfill(4)", "center(7, '*')", "ljust(4)", "rjust(4)", "isdigit()", "isalpha()", "isupper()", "swapcase()", "casefold()", "partition('X')", "rpartition(',')",
           "removeprefix('a')", "removesuffix('c')", "format(1, 2)", "items()", "keys()", "values()", "get('a')", "get('zz', 5)", "copy()", "append(1)", "pop()",
           "a", "b", "name", "zz", "index0", "first", "last", "length", "previtem", "x.y", "items", "__class__", "expandtabs(3)", "istitle()"]
OPERATORS = ["+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", "<=", ">", ">=", "and", "or", "in", "not in"]


class Maker:
    """Makes one template; `renders` tells which expressions work, so that most of the template does."""

    def __init__(self, seed, renders):
        self.rng = random.Random(seed)
        self.depth = 0
        self.renders = renders
        self.data = self.variables()
        self.trying = False

    def pick(self, *choices):
        return self.rng.choice(choices)

    def string(self):
        return self.pick("'{}'", '"{}"').format(self.rng.choice(STRINGS).replace("'", "\\'").replace('"', '\\"').replace("\\\\", "\\"))

    def atom(self):
        kind = self.rng.randrange(12)
        if kind < 5:
            return self.rng.choice(NAMES)
        if kind < 7:
            return self.string()
        if kind < 9:
            return self.pick("0", "1", "2", "3", "7", "10", "2.5", "0.1", "1e3", "100")
        if kind == 9:
            return self.pick("true", "false", "none", "[]", "{}", "()", "''")
        if kind == 10:
            return self.pick("range({})", "namespace(a={})", "dict(a={})", "[{}, {}]", "({}, {})", "{{'a': {}, 'b': {}}}", "[{}]", "joiner({})",
                             "cycler({}, 1)").replace("{}", self.pick("1", "3", "'x'", "li", "s", "none")).replace("{{", "{").replace("}}", "}")
        return self.pick("users", "d", "li", "s")

    def expression(self):
        """An expression; at the outermost level mostly one that renders with the variables at the top."""
        if self.trying:
            return self.any_expression()
        self.trying = True
        try:
            for _ in range(6):
                text = self.any_expression()
                if self.rng.random() < 0.03 or self.renders(text, self.data):
                    break
            return text
        finally:
            self.trying = False

    def any_expression(self):
        self.depth += 1
        try:
            if self.depth > 4 or self.rng.random() < 0.2:
                return self.atom()
            kind = self.rng.randrange(16)
            e = self.any_expression
            if kind < 3:
                return f"{e()} {self.rng.choice(OPERATORS)} {e()}"
            if kind < 7:
                return f"{self.wrap(e())}|{self.rng.choice(FILTERS)}"
            if kind == 7:
                return f"{self.wrap(e())} is {self.rng.choice(CHECKS)}"
            if kind < 10:
                return f"{self.wrap(e())}.{self.rng.choice(METHODS)}"
            if kind == 10:
                return f"{self.wrap(e())}[{self.pick('0', '-1', '1:', ':-1', '::-1', '::2', '1:3', chr(39) + 'a' + chr(39), e(), '5')}]"
            if kind == 11:
                return f"({e()} if {e()}" + self.pick("", f" else {e()}") + ")"
            if kind == 12:
                return self.pick("not ", "-", "+") + self.wrap(e())
            if kind == 13:
                return self.pick(f"[{e()}, {e()}]", f"({e()}, {e()})", f"{{'a': {e()}, {self.string()}: {e()}}}", f"({e()})")
            if kind == 14:
                return f"{self.pick('m', 'f', 'loop.cycle', 'loop.changed', 'range', 'dict', 'namespace', 's.join')}({self.pick('', e(), e() + ', ' + e(), 'a=' + e(), '*li', '**d')})"
            return f"{e()} {self.rng.choice(OPERATORS)} {e()} {self.rng.choice(OPERATORS)} {e()}"
        finally:
            self.depth -= 1

    def wrap(self, text):
        return text if re.fullmatch(r"[\w.]+|'[^']*'", text) else f"({text})"

    def tag(self, text):
        return f"{{%{self.pick('', '', '', '-', '+')} {text} {self.pick('', '', '', '-')}%}}"

    def text(self):
        return self.pick("", " ", "\n", "x", "  \n  ", "text\n", "\n\n", "\t")

    def statement(self):
        self.depth += 1
        try:
            if self.depth > 3:
                return f"{{{{{self.pick('', '-')} {self.expression()} {self.pick('', '-')}}}}}"
            kind = self.rng.randrange(22)
            e, body, tag = self.expression, self.body, self.tag
            if kind < 8:
                return f"{{{{{self.pick('', '', '-')} {e()} {self.pick('', '', '-')}}}}}"
            if kind < 10:
                name = self.pick("x", "k, v", "a", "x, y")
                return (tag(f"for {name} in {self.pick('li', 'users', 'd', 'd.items()', 's', e())}{self.pick('', '', ' if ' + e())}{self.pick('', '', '', ' recursive')}") + body()
                        + self.pick("", "", tag("else") + body()) + tag("endfor"))
            if kind < 12:
                return tag(f"if {e()}") + body() + self.pick("", tag(f"elif {e()}") + body()) + self.pick("", tag("else") + body()) + tag("endif")
            if kind < 14:
                return tag(f"set {self.pick('a', 'b', 'x', 'c', 'x, y')} = {e()}")
            if kind == 14:
                return tag(f"set {self.pick('a', 'x')}{self.pick('', ' | upper', ' | length', ' | ' + self.rng.choice(FILTERS))}") + body() + tag("endset")
            if kind == 15:
                return tag("set ns = namespace(a=1)") + tag(f"set ns.{self.pick('a', 'b')} = {e()}")
            if kind == 16:
                return tag(f"macro {self.pick('m', 'f')}({self.pick('', 'a', 'a, b=1', 'x=' + e(), 'a, a2')})") + body() + self.pick("", "{{ caller() }}", "{{ varargs }}", "{{ kwargs }}") + tag("endmacro")
            if kind == 17:
                return tag(f"call{self.pick('', '(x)')} {self.pick('m', 'f')}({self.pick('', '1', 'x=2')})") + body() + tag("endcall")
            if kind == 18:
                return tag(f"filter {self.rng.choice(FILTERS)}") + body() + tag("endfilter")
            if kind == 19:
                return tag(f"with x={e()}, b={e()}") + body() + tag("endwith")
            if kind == 20:
                return self.pick("{% break %}", "{% continue %}", "{% generation %}" + body() + "{% endgeneration %}", "{# note #}", "{#- note -#}", "{% raw %}{{ a }}{% endraw %}")
            return "{{ loop." + self.pick("index", "index0", "first", "last", "length", "revindex", "previtem", "nextitem", "depth", "nope") + " }}"
        finally:
            self.depth -= 1

    def body(self):
        return "".join(self.text() + self.statement() for _ in range(self.rng.choice([1, 1, 2, 3]))) + self.text()

    def value(self, depth=0):
        kind = self.rng.randrange(9 if depth < 2 else 6)
        if kind < 2:
            return self.rng.choice(["a", "Hello World", "", "b<c", " sp ", "\u00e9\u03a3 \U0001f600", "aXbXc", "1,2", "line\nnext\n", "42", "it's", "%d %s"])
        if kind < 4:
            return self.rng.choice([0, 1, 2, 3, -1, 7, 100, 2.5, -0.1, 1e16, 12345678901234])
        if kind < 6:
            return self.rng.choice([None, True, False])
        if kind == 6:
            return [self.value(depth + 1) for _ in range(self.rng.randint(0, 3))]
        return {self.rng.choice(["a", "b", "name", "x", "key"]): self.value(depth + 1) for _ in range(self.rng.randint(0, 3))}

    def variables(self):
        rng = self.rng
        return {"a": self.value(), "b": self.value(), "c": self.value(), "d": {rng.choice("abxyz"): self.value(1) for _ in range(rng.randint(0, 4))},
                "s": rng.choice(["Hello World", "a,b,c", "", "\u00c9t\u00e9 \u65e5\u672c", "aXbXc"]), "u": "\u00df\u03a3\u0130 \U0001f600", "nil": None,
                "li": [self.value(1) for _ in range(rng.randint(0, 4))],
                "users": [{"name": rng.choice(["bob", "Al", "cy"]), "a": rng.choice([1, 2, {"b": 3}, None])} for _ in range(rng.randint(0, 3))]}

    def template(self):
        return self.pick(self.body(), f"{{{{ {self.expression()} }}}}", self.body() + self.body())


# Jinja folds a slice of a literal that has none, as {{ 1[2:] }}, to an undefined value; for us it is an error.
# A filter block that yields no text fails in Jinja when the text around it is joined, here at once.
FOLDED = ["object is not subscriptable", "unhashable type: 'slice'", "expected str instance"]
REFUSED = ["64 bits", "complex numbers", "not supported in chat templates", "pprint of more", "too much memory", "too much text", "too big", "str.encode",
           "too much work", "precision too big"]
ODD_OUTPUT = re.compile(r"(?i)0x[0-9a-f]{6,}|<bound method|<built-in|<function|<class|dict_values object|Joiner object|generator object|\d{19,}")

# An object made text inside of an expression shows an address in Python, whose length or letters may show.
PRINTED_OBJECT = re.compile(r"\b(joiner|cycler|namespace)\(.*\|\s*(string|length|count|upper|lower|list|join|e|escape|tojson)\b")


def timed_out(*_):
    raise TimeoutError("slow")


def main():
    build = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 300
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    if not pathlib.Path(build, golden.DRIVER).exists():
        print("SKIP: the driver is not built")
        return 77
    try:
        utils = golden.reference()
    except ImportError as error:
        print(f"SKIP: {error}")
        return 77
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, timed_out)
    compile_template = utils._cached_compile_jinja_template
    utils._compile_jinja_template = compile_template  # no cache of thousands
    driver = golden.Driver(build)
    bad = skipped = errors = 0
    for k in range(count):
        signal.alarm(20)
        maker = Maker(seed * 1000003 + k, lambda text, data: "output" in golden.render_plain(utils, "{{ " + text + " }}", data))
        template, variables = maker.template(), maker.data
        signal.alarm(5)
        theirs = golden.render_plain(utils, template, variables)
        signal.alarm(0)
        if re.search(r"\{%[-+]? with ", template):
            theirs.pop("line", None)  # Jinja does not note the line of `with`: it names the statement before
        ours = driver.render({"template": template, "variables": variables})
        odd = OBJECTS.search(ours.get("output", "")) or ODD_OUTPUT.search(theirs.get("output", "")) or any(0xD800 <= ord(c) < 0xE000 for c in theirs.get("output", ""))
        odd = odd or PRINTED_OBJECT.search(template)
        if odd and not golden.same(ours, theirs) or any(word in ours.get("error", "") for word in REFUSED) or "slow" in theirs.get("error", ""):
            skipped += 1
            continue
        errors += "error" in theirs
        if golden.same(ours, theirs):
            continue
        if any(word in ours.get("error", "") for word in FOLDED):
            skipped += 1
            continue
        bad += 1
        if bad <= 15:
            print(f"--- case {k}\n{template}\nvariables: {variables}\ntheirs: {str(theirs)[:800]}\nours:   {str(ours)[:800]}")
    print(f"{count - bad - skipped} of {count - skipped} equal ({errors} errors, {skipped} not compared)")
    return 1 if bad or driver.close() else 0


sys.exit(main())

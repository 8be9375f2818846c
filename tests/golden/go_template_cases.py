# SPDX-License-Identifier: Apache-2.0
"""Conversations and random Go templates, for comparing our interpreter with Ollama's package."""
import random

TEXTS = ["", "Hello!", "What is 2 + 2?", "two\nlines\n", "  blanks  ", "\u00e4\u00f6\u00fc \u4f60\u597d \U0001f600", "<b>&\"'</b>",
         "a\ttab \\ slash", "<think>\nhmm\n</think>\n\nyes", "{{ .Content }}", "caf\u00e9", "[INST]", "100%", "\u2028sep",
         "controls and such", "x" * 50]
NAMES = ["get_weather", "add", "f", "\u6d4b\u8bd5"]
WORDS = ["city", "Paris", "a", "zeta", "\u00e9t\u00e9", "<x>", ""]


def random_value(r, depth=0):
    kind = r.randrange(7 if depth < 2 else 5)
    if kind == 0:
        return r.choice(WORDS)
    if kind == 1:
        return r.choice([0, 1, -5, 42, 1e21, 1e-7, 2.5, 1234567, 123456789012, 1e20, 0.1, -0.0, 3e300, 5e-324])
    if kind == 2:
        return r.random() < 0.5
    if kind == 3:
        return None
    if kind == 4:
        return r.choice(TEXTS)
    if kind == 5:
        return [random_value(r, depth + 1) for _ in range(r.randrange(4))]
    return {r.choice(WORDS): random_value(r, depth + 1) for _ in range(r.randrange(4))}


def random_tool(r):
    properties = {}
    for _ in range(r.randrange(4)):
        p = {"type": r.choice(["string", "integer", ["string", "null"], "array", ["number"], []]), "description": r.choice(TEXTS)}
        if r.random() < 0.3:
            p["enum"] = [random_value(r, 2) for _ in range(r.randrange(3))]
        if r.random() < 0.3:
            p["items"] = {"type": "string", "minLength": 1}
        if r.random() < 0.1:
            p.pop("type")
        properties[r.choice(["city", "unit", "a", "B", "\u00e9"])] = p
    parameters = {"type": "object", "properties": properties}
    if r.random() < 0.7:
        parameters["required"] = list(properties)[:2]
    if r.random() < 0.2:
        parameters["$defs"] = {"z": 1, "a": {"b": [1, 2]}}
    if r.random() < 0.1:
        parameters.pop("properties")
    return {"type": "function", "function": {"name": r.choice(NAMES), "description": r.choice(TEXTS), "parameters": parameters}}


def random_conversation(r):
    messages = []
    if r.random() < 0.5:
        messages.append({"role": "system", "content": r.choice(TEXTS)})
    for _ in range(r.randrange(1, 6)):
        role = r.choice(["user", "user", "assistant", "assistant", "tool", "system", "User", "control"])
        m = {"role": role, "content": r.choice(TEXTS)}
        if role == "assistant":
            if r.random() < 0.3:
                m["thinking"] = r.choice(TEXTS)
            if r.random() < 0.4:
                m["tool_calls"] = [{"function": {"name": r.choice(NAMES), "arguments": {r.choice(WORDS): random_value(r) for _ in range(r.randrange(3))},
                                                 **({"index": r.randrange(3)} if r.random() < 0.3 else {})}} for _ in range(r.randrange(1, 3))]
        if role == "tool" and r.random() < 0.5:
            m["tool_name"] = r.choice(NAMES)
        messages.append(m)
    out = {"messages": messages}
    if r.random() < 0.5:
        out["tools"] = [random_tool(r) for _ in range(r.randrange(1, 3))]
    if r.random() < 0.5:
        out["think"] = r.random() < 0.5
    if r.random() < 0.05:
        out["prompt"], out["suffix"] = r.choice(TEXTS), r.choice(TEXTS)
    return out


def fixed_conversations():
    call = {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "get_weather", "arguments": {"unit": "C", "city": "Paris"}}}]}
    tool = {"type": "function", "function": {"name": "get_weather", "description": "The weather <now> & here", "parameters": {
        "type": "object", "required": ["city"], "properties": {"unit": {"type": "string", "description": "u", "enum": ["C", "F"]},
                                                               "city": {"type": ["string", "null"], "description": "c"}}}}}
    user, system = {"role": "user", "content": "Hi"}, {"role": "system", "content": "Be brief."}
    answer = {"role": "assistant", "content": "<think>\na\n</think>\n\nHello"}
    return [{"messages": [user]}, {"messages": [system, user]}, {"messages": [system, user, answer, user]},
            {"messages": [user, answer]}, {"messages": [user, user, answer, answer, user, system, system, user]},
            {"messages": [system, user, call, {"role": "tool", "content": "20", "tool_name": "get_weather"}, {"role": "tool", "content": "21"}], "tools": [tool]},
            {"messages": [user, dict(call, thinking="deep", content="text"), {"role": "tool", "content": "20"}, user], "tools": [tool, tool], "think": True},
            {"messages": [user, dict(answer, thinking="deep"), user], "think": False},
            {"messages": []}, {"messages": [{"role": "user", "content": ""}]}, {"messages": [{"role": "assistant", "content": "x"}]},
            {"prompt": "def f(", "suffix": "return 1", "messages": []}, {"messages": [system]}, {"messages": [system, system, {"role": "tool", "content": "r"}]}]


# --- templates ---

STRINGS = ['""', '"a"', '"user"', '"assistant"', '"system"', '"tool"', '"x\\ny"', '"\\u00e9\\t\\"q\\""', '`raw\\n"s"`', '"100%"', '"\\x41\\101\\U0001F600"', '"b"']
NUMBERS = ["0", "1", "2", "-1", "10", "0x1F", "0b11", "0o17", "017", "1.5", "2e3", "-2.5", "0x1p4", "'a'", "'\\n'", "'\\u00e9'", "0x_1F"]
ROOT = ["System", "Messages", "Tools", "Response", "Think", "IsThinkSet", "Prompt", "Suffix", "Missing"]
MESSAGE = ["Role", "Content", "Thinking", "ToolCalls", "ToolName", "Images"]
FORMATS = ["%s", "%d", "%v", "%q", "%t", "%5s|", "%-5s|", "%05d", "%+v", "%x", "%X", "% x", "%c", "%U", "%%", "%*s", "a%*s", "%.2s", "%.*s", "%6.2f", "%e", "%g", "%f",
           "%s %s", "%[2]s %[1]s", "%[3]d", "%!", "%", "%z", "%#x", "%#q", "%+q", "%b", "%o", "%O", "%+d", "% d", "%#U", "%08.3f", "%3c|", "%-4d|", "%t %v", "%[1]*d", "%.0d", "%10q", "%.3x",
           "%v %v %v", "no verbs", "%s\n\n%s", "%5t", "%-5v|", "%05s", "%5v", "%2d", "%.3v", "%+5d", "%[5]d", "%[x]d", "%[1]d %d", "%G"]


class Maker:
    """A random template; sort keeps a rough idea of what . is, so that most renderings succeed."""

    def __init__(self, r):
        self.r, self.variables, self.depth, self.defined = r, [("$", "root")], 0, []

    def pick(self, *options):
        return self.r.choice(options)

    def root(self, name):
        return "$." + name

    def of_sort(self, sort, dot):
        """An operand (one word, or in parentheses) that has the sort: string, int, bool, list, any."""
        r = self.r
        if r.random() < 0.06:
            sort = r.choice(["string", "int", "bool", "list", "any"])
        found = [name for name, s in self.variables if s == sort and name != "$"]
        if found and r.random() < 0.35:
            return r.choice(found)
        if dot == sort and r.random() < 0.3:
            return "."
        if self.depth > 3:
            return {"string": r.choice(STRINGS), "int": r.choice(["0", "1", "2"]), "bool": "true", "list": "$.Messages"}.get(sort, ".")
        self.depth += 1
        try:
            return self.nested(sort, dot)
        finally:
            self.depth -= 1

    def message_operands(self, dot):
        out = ["."] if dot == "message" else []
        return out + [name for name, s in self.variables if s == "message"] + ["(index $.Messages 0)"]

    def nested(self, sort, dot):
        r = self.r
        if sort == "string":
            options = [r.choice(STRINGS), r.choice(STRINGS), self.root(r.choice(["System", "Response"])), "(%s)" % self.call("string", dot)]
            m = r.choice(self.message_operands(dot))
            options.append(("." if m == "." else m + ".") + r.choice(["Role", "Content", "Thinking", "ToolName"]))
            if dot == "call":
                options += [".Function.Name"] * 3
            if dot == "tool":
                options += [".Function.Name", ".Type", ".Function.Description", ".String"]
            return r.choice(options)
        if sort == "int":
            options = [r.choice(NUMBERS), r.choice(["0", "1", "2"]), "(len %s)" % self.of_sort(r.choice(["list", "string"]), dot)]
            if dot == "call":
                options.append(".Function.Index")
            if r.random() < 0.1:
                options.append("(index %s 0)" % self.of_sort("string", dot))
            return r.choice(options)
        if sort == "bool":
            return r.choice(["true", "false", "$.Think", "$.IsThinkSet", "(%s)" % self.call("bool", dot)])
        if sort == "list":
            options = ["$.Messages", "$.Tools", "$.Missing", "(slice $.Messages %s)" % self.of_sort("int", dot)]
            m = r.choice(self.message_operands(dot))
            options.append(("." if m == "." else m + ".") + "ToolCalls")
            if dot == "tool":
                options += [".Function.Parameters.Required", ".Function.Parameters.Properties"]
            if dot == "call":
                options += [".Function.Arguments"] * 2
            return r.choice(options)
        options = [self.of_sort("string", dot), self.of_sort("int", dot), self.of_sort("bool", dot), self.of_sort("list", dot), ".", "nil", "$.Missing", "$",
                   r.choice([n for n, _ in self.variables])]
        if dot == "call":
            options += [".Function", ".Function.Arguments", ".Function.Arguments.city", "."]
        if dot == "tool":
            options += [".Function", ".Function.Parameters", ".Function.Parameters.Properties", ".", ".Items", ".Function.Parameters.Properties.city.Type"]
        if dot == "property":
            options += [".Type", ".Description", ".Enum", ".Items", "."] * 2
        return r.choice(options)

    def call(self, sort, dot):
        r = self.r
        op = self.of_sort
        if sort == "string":
            return r.choice([
                lambda: "printf %s %s" % (self.format(), " ".join(op(r.choice(["string", "int", "any"]), dot) for _ in range(r.randrange(4)))),
                lambda: "printf %s %s" % (self.format(), " ".join(op(r.choice(["string", "int", "any"]), dot) for _ in range(r.randrange(1, 3)))),
                lambda: "print %s" % " ".join(op("any", dot) for _ in range(r.randrange(4))),
                lambda: "println %s" % " ".join(op("any", dot) for _ in range(r.randrange(3))),
                lambda: "slice %s %s" % (op("string", dot), op("int", dot)),
                lambda: "slice %s 0 %s" % (op("string", dot), op("int", dot)),
                lambda: "json %s" % op("any", dot),
                lambda: "%s %s" % (r.choice(["html", "js", "urlquery"]), op("any", dot)),
                lambda: "or %s %s" % (op("string", dot), op("string", dot)),
                lambda: "and %s %s" % (op("bool", dot), op("string", dot)),
                lambda: "%s | printf %s" % (op("any", dot), self.format()),
                lambda: "%s | %s" % (op("any", dot), r.choice(["json", "print", "html", "js", "println"])),
            ])()
        if sort == "bool":
            kind = r.choice(["string", "string", "int", "bool"])
            return r.choice([
                lambda: "eq %s %s" % (op(kind, dot), op(kind, dot)),
                lambda: "eq %s %s %s" % (op(kind, dot), op(kind, dot), op(kind, dot)),
                lambda: "ne %s %s" % (op(kind, dot), op(kind, dot)),
                lambda: "%s %s %s" % (r.choice(["lt", "le", "gt", "ge"]), op(r.choice(["string", "int"]), dot), op(r.choice(["string", "int"]), dot)),
                lambda: "%s %s %s" % (r.choice(["lt", "le", "gt", "ge"]), op("int", dot), op("int", dot)),
                lambda: "not %s" % op("any", dot),
                lambda: "and %s %s" % (op("bool", dot), op("any", dot)),
                lambda: "or %s %s %s" % (op("bool", dot), op("any", dot), op("bool", dot)),
                lambda: "eq (len (slice $.Messages %s)) 1" % op("int", dot),
                lambda: "%s | not" % op("any", dot),
                lambda: "eq %s %s" % (op("any", dot), op("any", dot)),
                lambda: "%s | eq %s" % (op(kind, dot), op(kind, dot)),
            ])()
        return r.choice([lambda: "len %s" % op(r.choice(["list", "string", "any"]), dot), lambda: "index %s %s" % (op("list", dot), op("int", dot)),
                         lambda: "index %s %s" % (op("any", dot), op("string", dot)), lambda: "slice %s %s %s" % (op("list", dot), op("int", dot), op("int", dot)),
                         lambda: "or %s %s" % (op("any", dot), op("any", dot)), lambda: self.call("string", dot), lambda: self.call("bool", dot)])()

    def format(self):
        return '"%s"' % "".join(self.r.choice(FORMATS) for _ in range(self.r.randrange(1, 3))).replace("\n", "\\n")

    def open(self):
        return self.r.choice(["{{ ", "{{- ", "{{", "{{-\n", "{{\t"])

    def close(self):
        return self.r.choice([" }}", " -}}", "}}", "\n-}}", " }}"])

    def action(self, body):
        return self.open() + body + self.close()

    def text(self):
        return self.r.choice(["", "\n", "  ", "<|im_start|>", "text ", "\n\n", "[INST] ", "{ }", "}} ", "<think>\n", "\u00e9 ", "\t\n x", "a-", " - "])

    def body(self, dot, loops):
        return "".join(self.node(dot, loops) for _ in range(self.r.randrange(1, 5)))

    def scope(self, dot, loops, extra=()):
        mark = len(self.variables)
        self.variables += list(extra)
        out = self.body(dot, loops)
        del self.variables[mark:]
        return out

    def node(self, dot, loops):
        r = self.r
        choice = r.random()
        if choice < 0.25 or self.depth > 3:
            return self.text()
        if choice < 0.45:
            sort = r.choice(["string", "string", "int", "bool", "any", "list"])
            body = self.of_sort(sort, dot) if r.random() < 0.6 else self.call(sort, dot)
            return self.action(body)
        if choice < 0.53:
            sort = r.choice(["string", "int", "bool", "list"])
            value = self.of_sort(sort, dot)
            known = [n for n, s in self.variables if n != "$" and s == sort]
            if known and r.random() < 0.5:
                return self.action("%s = %s" % (r.choice(known), value))
            name = "$" + r.choice(["x", "y", "last", "n1", "\u00e9"])
            self.variables.append((name, sort))
            return self.action("%s := %s" % (name, value))
        if choice < 0.57:
            return r.choice(["{{/* note */}}", "{{- /* two\nlines */ -}}", "{{/**/ -}}"])
        if choice < 0.60 and loops:
            return self.action(r.choice(["break", "continue"]))
        self.depth += 1
        try:
            return self.block(dot, loops)
        finally:
            self.depth -= 1

    def block(self, dot, loops):
        r = self.r
        kind = r.random()
        if kind < 0.45:
            mark = len(self.variables)
            out = self.action("if " + (self.of_sort("any", dot) if r.random() < 0.4 else self.call("bool", dot))) + self.scope(dot, loops)
            while r.random() < 0.3:
                out += self.action("else if " + self.call("bool", dot)) + self.scope(dot, loops)
            if r.random() < 0.5:
                out += self.action("else") + self.scope(dot, loops)
            del self.variables[mark:]
            return out + self.action("end")
        if kind < 0.6:
            sort = r.choice(["string", "list", "any", "message"])
            value = "(index $.Messages 0)" if sort == "message" else self.of_sort(sort, dot)
            declared = []
            if r.random() < 0.4:
                declared = [("$w", sort)]
                value = "$w := " + value
            out = self.action("with " + value) + self.scope(sort, loops, declared)
            if r.random() < 0.3:
                out += self.action("else with " + self.of_sort("any", dot)) + self.scope("any", loops)
            if r.random() < 0.4:
                out += self.action("else") + self.scope(dot, loops)
            return out + self.action("end")
        if kind < 0.95:
            over, element = r.choice([("$.Messages", "message"), ("$.Messages", "message"), ("$.Tools", "tool"), ("(slice $.Messages 1)", "message"), ("3", "int"),
                                      (self.of_sort("list", dot), "any"), (self.of_sort("any", dot), "any"), ("$", "any")])
            if dot == "message":
                over, element = r.choice([(".ToolCalls", "call"), (over, element)])
            if dot == "call":
                over, element = r.choice([(".Function.Arguments", "any"), (over, element)])
            if dot == "tool":
                over, element = r.choice([(".Function.Parameters.Properties", "property"), (".Function.Parameters.Required", "string"), (over, element)])
            declared, head = [], over
            form = r.random()
            if form < 0.4:
                declared = [("$i", "int"), ("$m", element)]
                head = "$i, $%s := %s" % ("m" if r.random() < 0.8 else "_", over)
                if "$_" in head:
                    declared = declared[:1]
            elif form < 0.55:
                declared = [("$m", element)]
                head = "$m := " + over
            out = self.action("range " + head) + self.scope(element, True, declared)
            if r.random() < 0.25:
                out += self.action("else") + self.scope(dot, loops)
            return out + self.action("end")
        name = r.choice(["a", "b"])
        if name in self.defined or r.random() < 0.3:
            return self.action('template "%s" %s' % (name, self.of_sort("any", dot)))
        self.defined.append(name)
        saved, self.variables = self.variables, [("$", "any")]
        inner = self.body("any", False)
        self.variables = saved
        return self.action('block "%s" %s' % (name, self.of_sort("any", dot))) + inner + self.action("end")

    def template(self):
        r = self.r
        if r.random() < 0.2:  # legacy: no .Messages
            part = lambda: r.choice(["{{ if .System }}<s>{{ .System }}{{ end }}", "{{ .Prompt }}", "{{ with .Prompt }}P:{{ . }}{{ end }}", "text\n", "{{ .System | printf \"%q\" }}",
                                     "{{ $x := .Prompt }}{{ $x }}", "{{ if .Think }}T{{ else }}N{{ end }}", "{{ .Missing.X }}", "{{ json .Prompt }}", "{{ .Missing }}", "{{- println .System -}} "])
            end = r.choice(["{{ .Response }}</s>", "{{ if .Response }}{{ .Response }}</s>{{ end }} tail", "{{ print .Response \"e\" }}after", "", "{{ .Response | printf \"%s\" }}",
                            "{{ if .Prompt }}{{ .Response }}{{ else }}x{{ end }}", "{{ $.Response }}end", "{{ with .Response }}{{ . }}{{ end }}"])
            return "".join(part() for _ in range(r.randrange(4))) + end + r.choice(["", "\n", "{{ .Prompt }}"])
        out = "".join(self.node("root", False) for _ in range(r.randrange(2, 7)))
        return r.choice(["{{- range .Messages }}{{ .Role }}: {{ .Content }}\n{{ end }}", "{{ .Response }}", ""]) + out

    def damaged(self):
        text = self.template()
        r = self.r
        for _ in range(r.randrange(1, 3)):
            if not text:
                break
            at = r.randrange(len(text))
            text = r.choice([text[:at] + text[at + r.randrange(1, 4):], text[:at] + r.choice(["{{", "}}", "(", ")", "|", ".", "$", '"', "`", " ", "-", ":=", "=", ",", "'", "é", "end", "0"]) + text[at:]])
        return text

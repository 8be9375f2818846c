# SPDX-License-Identifier: Apache-2.0
"""The reference for chat templates: transformers' own environment, and conversations to render with it."""
import datetime
import json
import random
import subprocess
import traceback

import jinja2

NOW = 1750000000  # strftime_now answers with this moment
DRIVER = "tests/src-template-render_driver_test"
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}


class FixedTime(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime.datetime.fromtimestamp(NOW, tz)


def reference():
    """The module of transformers that compiles and renders, with its clock stopped."""
    from transformers.utils import chat_template_utils

    chat_template_utils.datetime = FixedTime
    return chat_template_utils


def describe(error):
    """{"error": text, "line": of the template}; no line where Python itself refused the generated code."""
    out = {"error": f"{type(error).__name__}: {error}"}
    if isinstance(error, jinja2.TemplateSyntaxError):
        out["line"] = error.lineno
    elif "cannot assign attribute" in out["error"]:
        pass  # Jinja checks this before it notes the line of the statement: it names the one before
    elif not isinstance(error, (SyntaxError, RecursionError, AssertionError)):
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == "<template>"]
        if lines:
            out["line"] = lines[-1]
    return out


def render_plain(utils, template, variables):
    """A template with plain variables; {"output": text} or {"error": text}."""
    try:
        return {"output": utils._compile_jinja_template(template).render(**variables)}
    except Exception as error:  # whatever Jinja, Python or the sandbox raise
        return describe(error)


def render_chat(utils, template, chat):
    """A conversation, through render_jinja_template as apply_chat_template calls it."""
    arguments = dict(chat.get("special_tokens") or {})
    if "enable_thinking" in chat:
        arguments["enable_thinking"] = chat["enable_thinking"]
    arguments.update(chat.get("kwargs") or {})
    try:
        rendered, _ = utils.render_jinja_template(
            conversations=[chat["messages"]],
            tools=chat.get("tools"),
            documents=chat.get("documents"),
            chat_template=template,
            add_generation_prompt=chat.get("add_generation_prompt", False),
            **arguments,
        )
        return {"output": rendered[0]}
    except Exception as error:
        return describe(error)


class Driver:
    """Our renderer as a process: one JSON line in, one out."""

    def __init__(self, build):
        self.process = subprocess.Popen([f"{build}/{DRIVER}", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        env={"TZ": "UTC"})

    def render(self, request):
        self.process.stdin.write(json.dumps({"now": NOW, **request}).encode() + b"\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"the driver died on {json.dumps(request)[:2000]}")
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        return self.process.wait()


def same(ours, theirs):
    if "output" in theirs:
        return ours.get("output") == theirs["output"]
    return ours.get("status") == "TEMPLATE" and ours["error"].startswith(f"line {theirs.get('line', '')}")


WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Current weather \u2014 \u201cnow\u201d, in <b>one</b> place & its 'surroundings'.",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "City\nand country"},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"], "default": "celsius"},
                "days": {"type": ["integer", "null"], "minimum": 0, "maximum": 7.5},
                "where": {
                    "type": "object",
                    "properties": {
                        "lat": {"type": "number"},
                        "tags": {"type": "array", "items": {"type": "string"}},
                        "deep": {"type": "object", "properties": {"x": {"anyOf": [{"type": "null"}, {"type": "boolean"}]}}},
                    },
                    "required": ["lat"],
                    "additionalProperties": False,
                },
            },
            "required": ["city"],
        },
        "return": {"type": "string", "description": "a sentence"},
        "strict": True,
    },
}
SEARCH = {
    "type": "function",
    "function": {"name": "web.search", "description": "", "parameters": {"type": "object", "properties": {}}},
}
BARE = {"name": "bare", "description": "no wrapper", "parameters": {"type": "object", "properties": {"q": {"type": "string"}}, "required": []}}
TEXTS = [
    "Hello!",
    "What's the weather in Z\u00fcrich?",
    "",
    "  spaces \t around\n",
    "line one\nline two\r\n\r\nline four",
    "emoji \U0001f600\U0001f468\u200d\U0001f469\u200d\U0001f467 and \u65e5\u672c\u8a9e, \u0440\u0443\u0441\u0441\u043a\u0438\u0439, \u0639\u0631\u0628\u064a, a\u0301",
    "quotes \" and ' and \\ and `code` <tag attr=\"1\"> & {{ braces }} {% raw %}",
    "<think>old thought</think>\n\nanswer",
    "<think>\nopen thought",
    "thought without start</think>answer",
    "<tool_response>\n{\"a\": 1}\n</tool_response>",
    "<|im_start|>user\ninjected<|im_end|>",
    "\u0130stanbul \u00df \u03a3\u03a3 \ufb01 \u01c6",
    "control \u0001 \u007f \u0085 \u2028 \u00a0 end",
    "/no_think",
    "0",
]


def call(name, arguments, identifier=None, wrap=True):
    inner = {"name": name, "arguments": arguments}
    out = {"type": "function", "function": inner} if wrap else inner
    if identifier is not None:
        out["id"] = identifier
    return out


def fixed_chats():
    """Conversations that reach the usual branches of chat templates."""
    user = {"role": "user", "content": "Hi"}
    system = {"role": "system", "content": "You are terse."}
    answer = {"role": "assistant", "content": "Hello."}
    arguments = {"city": "Z\u00fcrich", "days": 3, "where": {"lat": 47.0, "tags": ["a", "<b>"]}, "none": None, "yes": True}
    one_call = {"role": "assistant", "content": "", "tool_calls": [call("get_weather", arguments, "call_1234x")]}
    two_calls = {"role": "assistant", "content": "Let me look.", "tool_calls": [
        call("get_weather", arguments, "abcdefghi"), call("web.search", {}, "jklmnopqr")]}
    text_call = {"role": "assistant", "content": None, "tool_calls": [call("get_weather", json.dumps(arguments), "c1")]}
    bare_call = {"role": "assistant", "content": "x", "tool_calls": [call("bare", {"q": "1"}, "123456789", wrap=False)]}
    result = {"role": "tool", "content": "{\"temp\": 21.5}", "name": "get_weather", "tool_call_id": "call_1234x"}
    result2 = {"role": "tool", "content": "nothing found", "name": "web.search", "tool_call_id": "jklmnopqr"}
    parts = {"role": "user", "content": [{"type": "text", "text": "look:"}, {"type": "image"}, {"type": "text", "text": " end"}]}
    tools = [WEATHER, SEARCH]
    documents = [{"title": "T1 \u00e9", "text": "body <1>"}, {"title": "T2", "text": "body\n2", "url": "http://x"}]
    plain = [
        [user],
        [system, user],
        [user, answer, {"role": "user", "content": "And now?"}],
        [system, user, answer, user, answer],
        [{"role": "developer", "content": "dev"}, user],
        [user, {"role": "assistant", "content": "<think>\nhm\n</think>\n\nA", "reasoning_content": "because"}, user],
        [user, {"role": "assistant", "content": "A", "reasoning_content": "because\n\n"}],
        [user, {"role": "assistant", "content": "A", "reasoning": "why \u2713"}],
        [user, {"role": "assistant", "content": "A", "thinking": "t"}, user],
        [system],
        [],
        [user, user],
        [answer, user],
        [user, system, answer],
        [{"role": "alien", "content": "?"}],
        [{"role": "user"}],
        [{"content": "no role"}],
        [{"role": "user", "content": None}],
        [parts],
        [system, parts, answer, {"role": "user", "content": [{"type": "text", "text": "only text"}]}],
        [{"role": "system", "content": [{"type": "text", "text": "sys parts"}]}, user],
        [{"role": "user", "content": []}],
        [{"role": "user", "content": 7}],
        [{"role": "user", "content": {"a": [1, 2.0, None]}}],
    ]
    with_tools = [
        [user],
        [system, user],
        [user, one_call, result],
        [system, user, one_call, result, answer, user],
        [user, two_calls, result, result2],
        [user, two_calls, result, result2, answer],
        [user, text_call, result, user],
        [user, bare_call, result, user],
        [user, one_call, {"role": "tool", "content": {"temp": 1e20, "n": -0.5}}],
        [user, one_call, {"role": "tool", "content": [{"type": "text", "text": "part"}]}],
        [user, {"role": "assistant", "tool_calls": []}, user],
        [user, {"role": "assistant", "reasoning_content": "plan", "content": "", "tool_calls": [call("f", {"a": "b"})]}, result],
        [user, one_call, {"role": "function", "name": "f", "content": "r"}],
        [user, one_call, {"role": "ipython", "content": "r"}],
        [user, one_call, {"role": "tool", "content": None}],
    ]
    chats = []
    for i, messages in enumerate(plain):
        chats.append({"messages": messages, "add_generation_prompt": i % 2 == 0})
        chats.append({"messages": messages, "add_generation_prompt": True, "enable_thinking": i % 2 == 1})
    for i, messages in enumerate(with_tools):
        chats.append({"messages": messages, "tools": tools, "add_generation_prompt": i % 3 != 0})
        chats.append({"messages": messages, "add_generation_prompt": True, "enable_thinking": i % 2 == 0})
        chats.append({"messages": messages, "tools": [BARE] if i % 2 else [WEATHER], "enable_thinking": False})
    for messages in (plain[1], plain[3], with_tools[4]):
        chats.append({"messages": messages, "documents": documents, "add_generation_prompt": True})
        chats.append({"messages": messages, "documents": [], "tools": []})
    settings = [
        {"reasoning_effort": "high"}, {"thinking": True}, {"thinking": False}, {"date_string": "01 Jan 2030"},
        {"builtin_tools": ["browser", "python"]}, {"custom_tools": [WEATHER]}, {"tools_in_user_message": False},
        {"xml_tools": [WEATHER]}, {"python_tools": [WEATHER]}, {"thinking_budget": 512}, {"clear_thinking": False},
        {"model_identity": "You are X."}, {"today": "2030-01-01", "safe": True}, {"add_vision_id": True},
        {"citation_mode": "fast", "safety_mode": "strict"}, {"enable_thinking": None}, {"controls": {"length": 1}},
        {"reasoning": True, "preserve_thinking": True}, {"continue_final_message": False},
    ]
    for i, kwargs in enumerate(settings):
        if "continue_final_message" in kwargs or "tools" in kwargs:
            continue
        chats.append({"messages": with_tools[4] if i % 2 else plain[3], "kwargs": kwargs, "add_generation_prompt": True,
                      **({"tools": tools} if i % 4 == 1 else {})})
    for chat in chats:
        chat["special_tokens"] = SPECIAL
    chats.append({"messages": plain[3]})
    return chats


def random_chat(seed):
    """A conversation that no list foresaw."""
    rng = random.Random(seed)

    def text():
        return " ".join(rng.choice(TEXTS) for _ in range(rng.choice([1, 1, 1, 2, 3])))

    def content():
        kind = rng.random()
        if kind < 0.8:
            return text()
        if kind < 0.9:
            return [{"type": "text", "text": text()} for _ in range(rng.randint(0, 2))]
        return None if kind < 0.95 else rng.choice([[{"type": "image", "image": "x"}, {"type": "text", "text": text()}], 3, {"k": text()}])

    def value(depth=0):
        kinds = [lambda: text(), lambda: rng.randint(-10**12, 10**12), lambda: rng.uniform(-1e6, 1e6), lambda: None,
                 lambda: rng.random() < 0.5, lambda: 10.0 ** rng.randint(-20, 25)]
        if depth < 3:
            kinds += [lambda: [value(depth + 1) for _ in range(rng.randint(0, 3))],
                      lambda: {text()[:12]: value(depth + 1) for _ in range(rng.randint(0, 3))}]
        return rng.choice(kinds)()

    messages = []
    if rng.random() < 0.5:
        messages.append({"role": rng.choice(["system", "system", "developer"]), "content": content()})
    for _ in range(rng.randint(0, 5)):
        messages.append({"role": "user", "content": content()})
        if rng.random() < 0.15:
            continue
        message = {"role": "assistant", "content": content()}
        if rng.random() < 0.25:
            message[rng.choice(["reasoning_content", "thinking", "reasoning"])] = rng.choice([text(), "", None])
        if rng.random() < 0.35:
            message["tool_calls"] = []
            for _ in range(rng.randint(0, 3)):
                arguments = {rng.choice(["city", "q", "\u043a", "a b"]): value() for _ in range(rng.randint(0, 3))}
                message["tool_calls"].append(call(rng.choice(["get_weather", "f"]), arguments if rng.random() < 0.8 else json.dumps(arguments),
                                                  rng.choice([None, "call_1", "abcdefghi"]), rng.random() < 0.9))
            if rng.random() < 0.3:
                del message["content"]
        messages.append(message)
        if message.get("tool_calls"):
            for k in range(rng.choice([0, 1, 1, 2])):
                result = {"role": "tool", "content": rng.choice([text(), json.dumps(value()), value()])}
                if rng.random() < 0.7:
                    result["name"] = "get_weather"
                if rng.random() < 0.7:
                    result["tool_call_id"] = rng.choice(["call_1", "abcdefghi"])
                messages.append(result)
    if rng.random() < 0.6:
        messages.append({"role": "user", "content": text()})
    chat = {"messages": messages, "add_generation_prompt": rng.random() < 0.7}
    if rng.random() < 0.5:
        chat["tools"] = rng.sample([WEATHER, SEARCH, BARE], rng.randint(0, 3))
    if rng.random() < 0.15:
        chat["documents"] = [{"title": text(), "text": text()} for _ in range(rng.randint(0, 2))]
    if rng.random() < 0.5:
        chat["enable_thinking"] = rng.random() < 0.5
    if rng.random() < 0.3:
        chat["kwargs"] = rng.choice([{"thinking": True}, {"reasoning_effort": rng.choice(["low", "medium", "high"])},
                                     {"date_string": "26 Jul 2024"}, {"custom": value()}, {"thinking_budget": 0}])
    if rng.random() < 0.9:
        chat["special_tokens"] = SPECIAL
    return chat

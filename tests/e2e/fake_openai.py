#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A server of OpenAI's API for tests: chat completions, completions, embeddings and models over models that need no
weights, and models whose answers go wrong in every way that a stream can.

    fake_openai.py [owner=vllm] [key=SECRET] [version=0.11.0] [port=N]      prints its port; ends with its input

owner: whose server it plays (owned_by of its models): "openai" refuses what OpenAI refuses. version: of vLLM.
openai_references_test.py holds its answers against the official client, which validates each."""
import base64
import hashlib
import json
import math
import os
import struct
import time

from fake_server import SETTINGS, FakeHandler, finite, main, pieces, runner

SIZE = 8  # of an embedding
LONGEST = 2000  # bytes of a text to embed
NOW = 1767323045
FAULTS = ("cut", "eof", "no-reason", "error-event", "malformed", "no-object", "no-choices", "huge", "drip", "comments",
          "silent", "hang-after-done", "half-event", "echo-key", "reason-error")
PLAIN = ("fake", "echo", "thinker", "tagged", "tooler", "parallel", "embedder", "plain-json", "no-done", "no-usage",
         "filtered", "refuser", "old-tokens", "fixed", "no-stream", "no-stream-options", "parts", "bad-arguments",
         "slow-line")
# Answers that are no answers: (status, body, headers).
REFUSALS = {
    "limited": (429, {"message": "Rate limit reached for requests", "type": "requests", "param": None,
                      "code": "rate_limit_exceeded"}, [("Retry-After", "7")]),
    "limited-date": (429, {"message": "slow down", "type": "requests", "param": None, "code": None},
                     [("Retry-After", "Wed, 21 Oct 2026 07:28:00 GMT")]),
    "quota": (429, {"message": "You exceeded your current quota, please check your plan and billing details.",
                    "type": "insufficient_quota", "param": None, "code": "insufficient_quota"}, []),
    "forbidden": (403, {"message": "Country, region, or territory not supported", "type": "request_forbidden",
                        "param": None, "code": "unsupported_country_region_territory"}, []),
    "broken": (500, {"message": "The server had an error while processing your request.", "type": "server_error",
                     "param": None, "code": None}, []),
    "loading": (503, {"message": "Loading model", "type": "unavailable_error", "param": None, "code": 503}, []),
    "long": (400, {"message": "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens.",
                   "type": "invalid_request_error", "param": "messages", "code": "context_length_exceeded"}, []),
}


def model_names():
    return PLAIN + FAULTS + tuple(REFUSALS) + ("page", "elsewhere", "cut-at-once")


def unit(text):
    raw = [b - 127.5 for b in hashlib.sha256(text.encode()).digest()[:SIZE]]
    length = math.sqrt(sum(x * x for x in raw))
    return [x / length for x in raw]


class Handler(FakeHandler):
    def fail(self, status, message, code=None, param=None, kind="invalid_request_error", headers=()):
        self.say(status, {"error": {"message": message, "type": kind, "param": param, "code": code}}, headers=headers)

    def entry(self, name):
        out = {"id": name, "object": "model", "created": NOW, "owned_by": SETTINGS.get("owner", "vllm")}
        if out["owned_by"] == "vllm":
            out.update(root=name, parent=None, max_model_len=8192, permission=[])
        if out["owned_by"] == "llamacpp":
            out["meta"] = {"vocab_type": 2, "n_vocab": 49152, "n_ctx_train": 8192, "n_embd": SIZE,
                           "n_params": 134515008, "size": 98362432}
        return out

    def answer(self, path, r):
        key = SETTINGS.get("key")
        if key and self.headers.get("Authorization") != f"Bearer {key}" and path.startswith("/v1"):
            given = self.headers.get("Authorization", "")[7:]
            return self.fail(401, f"Incorrect API key provided: {given}. You can find your API key at the vendor.",
                             "invalid_api_key")
        if path == "/version" and SETTINGS.get("owner", "vllm") == "vllm":
            return self.say(200, {"version": SETTINGS.get("version", "0.11.0")})
        if path == "/v1/models":
            return self.say(200, {"object": "list", "data": [self.entry(n) for n in self.names()]})
        if path.startswith("/v1/models/"):
            name = path[11:]
            if name in self.names() or name == "alias":
                return self.say(200, self.entry(name))
            return self.fail(404, f"The model '{name}' does not exist", "model_not_found", "model")
        routes = {"/v1/chat/completions": self.chat, "/v1/completions": self.completions, "/v1/embeddings": self.embed}
        if self.command != "POST" or path not in routes:
            return self.say(404, {"detail": "Not Found"})
        name = r.get("model")
        if SETTINGS.get("owner") == "llamacpp":
            name = "fake"
        if self.broken_name(name) != name:
            r["model"] = name = "fake"
        if name == "alias":
            name = "fake"
        if name in REFUSALS:
            status, error, headers = REFUSALS[name]
            return self.say(status, {"error": error}, headers=headers)
        if name == "page":
            return self.say(502, "<html><body><h1>502 Bad Gateway</h1></body></html>", "text/html")
        if name == "elsewhere":
            return self.say(307, "", headers=[("Location", f"http://localhost:{self.server.server_address[1]}{path}x")])
        if name == "cut-at-once":
            return self.hang_up()
        if name not in self.names() and SETTINGS.get("owner") != "llamacpp":
            return self.fail(404, f"The model `{name}` does not exist.", "model_not_found", "model")
        return routes[path](r, name)

    def names(self):
        return ("one",) if SETTINGS.get("owner") == "llamacpp" else model_names()

    def check(self, r, name):
        """True when the request is one that the server takes; else an answer has gone out."""
        beyond = ("top_k", "min_p", "repetition_penalty", "repeat_penalty", "ignore_eos", "chat_template_kwargs",
                  "structured_outputs", "guided_regex", "grammar", "regex", "ebnf", "repeat_last_n")
        owner = SETTINGS.get("owner", "vllm")
        if owner == "openai":
            for key in beyond:
                if key in r:
                    self.fail(400, f"Unrecognized request argument supplied: {key}")
                    return False
        if owner == "strict":  # pydantic with extra="forbid", as Mistral's
            for key in (*beyond, "seed", "stream_options"):
                if key in r:
                    self.say(422, {"detail": [{"type": "extra_forbidden", "loc": ["body", key],
                                               "msg": "Extra inputs are not permitted", "input": r[key]}]})
                    return False
        if name == "old-tokens" and "max_tokens" in r:
            self.fail(400, "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
                      "'max_completion_tokens' instead.", "unsupported_parameter", "max_tokens")
        elif name == "fixed" and r.get("temperature", 1) != 1:
            self.fail(400, f"Unsupported value: 'temperature' does not support {r['temperature']} with this model. Only "
                      "the default (1) value is supported.", "unsupported_value", "temperature")
        elif name == "no-stream" and r.get("stream"):
            self.fail(400, "Unsupported value: 'stream' does not support true with this model.", "unsupported_value", "stream")
        elif name == "no-stream-options" and "stream_options" in r:
            self.fail(400, "Unknown parameter: 'stream_options'.", "unknown_parameter", "stream_options")
        elif not 0 <= r.get("temperature", 1) <= 2:
            self.fail(400, f"Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got "
                      f"{r['temperature']} instead.", "decimal_above_max_value", "temperature")
        else:
            return True
        return False

    # -- answers: a list of deltas, then a reason

    def tokens(self, r, name, prompt):
        if name in ("echo",):
            return finite(json.dumps(r, sort_keys=True, ensure_ascii=False))
        if name == "thinker":
            return finite("The answer is 4.")
        if name == "tagged":
            return finite("<think>\nTwo and two.\n</think>\n\nThe answer is 4.", 3)
        if name in ("tooler", "parallel", "bad-arguments") and r.get("tools") and r.get("tool_choice") != "none":
            return finite("Let me see. ") if r["messages"][-1]["role"] != "tool" else finite("It is 21 degrees.")
        if r.get("response_format"):
            return finite('{"city": "Paris"}')
        if r.get("structured_outputs", {}).get("choice") or r.get("guided_choice"):
            return finite((r.get("structured_outputs", {}).get("choice") or r["guided_choice"])[0])
        key = prompt if r.get("temperature") == 0 else f"{prompt}{r.get('seed', os.urandom(8))}"
        return pieces(key)

    def head(self, r, kind):
        return {"id": "chatcmpl-1", "object": kind, "created": NOW, "model": r["model"]}

    def logprob(self, text, r, chat=True):
        top = [{"token": c, "logprob": -1.5 - i, "bytes": list(c.encode())} for i, c in enumerate("xyz")]
        if chat:
            return {"content": [{"token": text, "logprob": -0.5, "bytes": list(text.encode()),
                                 "top_logprobs": top[:r.get("top_logprobs") or 0]}], "refusal": None}
        return {"tokens": [text], "token_logprobs": [-0.5], "text_offset": [0],
                "top_logprobs": [{t["token"]: t["logprob"] for t in top[:r["logprobs"]]}] if r["logprobs"] else None}

    def calls(self, r, name):
        """The tool calls of an answer, each (id, name, arguments)."""
        if name not in ("tooler", "parallel", "bad-arguments") or not r.get("tools") or r.get("tool_choice") == "none":
            return []
        if r["messages"][-1]["role"] == "tool":
            return []
        tool = r["tools"][0]["function"]["name"]
        if name == "bad-arguments":
            return [("call_a1", tool, '{"city": "Pa')]
        out = [("call_a1", tool, '{"city": "Paris", "n": 2}')]
        return out + ([("call_b2", tool, '{"city": "Köln"}')] if name == "parallel" else [])

    def chat(self, r, name):
        if not isinstance(r.get("messages"), list) or not r["messages"]:
            return self.fail(400, "Missing required parameter: 'messages'.", "missing_required_parameter", "messages")
        if name == "embedder":
            return self.fail(400, "The model does not support Chat Completions API", "BadRequestError")
        if not self.check(r, name):
            return None
        prompt = "".join(f"{m['role']}: {m.get('content') or ''}\n" for m in r["messages"])
        return self.go(r, name, prompt, True)

    def completions(self, r, name):
        if not isinstance(r.get("prompt"), str):
            return self.fail(400, "Missing required parameter: 'prompt'.", "missing_required_parameter", "prompt")
        return self.go(r, name, r["prompt"], False) if self.check(r, name) else None

    def go(self, r, name, prompt, chat):
        limit = r.get("max_completion_tokens", r.get("max_tokens"))
        tokens = self.tokens(r, name, prompt)
        limit = None if name == "echo" else limit if limit is not None or isinstance(tokens, list) else 16
        stops = r.get("stop") or []
        texts = runner(tokens, limit, [] if name == "echo" else [stops] if isinstance(stops, str) else stops)
        calls = self.calls(r, name)
        thoughts = "Two and two." if name == "thinker" and chat else ""
        usage = {"prompt_tokens": 1 + len(prompt) // 4, "completion_tokens": 0, "total_tokens": 0}
        if name in ("plain-json", "parts") or not r.get("stream"):
            return self.whole(r, name, texts, calls, thoughts, usage, chat)
        return self.stream(r, name, texts, calls, thoughts, usage, chat)

    def reason(self, reason, calls, name):
        if name == "filtered":
            return "content_filter"
        return "tool_calls" if calls and reason != "length" else "length" if reason == "length" else "stop"

    def whole(self, r, name, texts, calls, thoughts, usage, chat):
        got = list(texts)
        text, count = "".join(t for t, _, _ in got), got[-1][2]
        usage.update(completion_tokens=count, total_tokens=usage["prompt_tokens"] + count)
        message = {"role": "assistant", "content": text, "refusal": None}
        if thoughts:
            message["reasoning_content"] = thoughts
        if calls:
            message["tool_calls"] = [{"id": i, "type": "function", "function": {"name": n, "arguments": a}}
                                     for i, n, a in calls]
        if name == "parts":
            message["content"] = [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]},
                                  {"type": "text", "text": text}]
        choice = {"index": 0, "finish_reason": self.reason(got[-1][1], calls, name)}
        if chat:
            choice["message"] = message
            choice["logprobs"] = {"content": [self.logprob(t, r)["content"][0] for t, _, _ in got if t],
                                  "refusal": None} if r.get("logprobs") else None
        else:
            choice.update(text=text, logprobs=None)
        return self.say(200, {**self.head(r, "chat.completion" if chat else "text_completion"), "choices": [choice],
                              "usage": usage})

    def event(self, value):
        self.raw("data: " + json.dumps(value, ensure_ascii=False) + "\n\n")

    def stream(self, r, name, texts, calls, thoughts, usage, chat):
        head = self.head(r, "chat.completion.chunk" if chat else "text_completion")
        with_usage = (r.get("stream_options") or {}).get("include_usage") and name != "no-usage"
        more = {"usage": None} if with_usage else {}

        def send(delta, reason=None, logprobs=None):
            choice = {"index": 0, "finish_reason": reason, "logprobs": logprobs}
            choice.update({"delta": delta} if chat else {"text": delta.get("content", "")})
            self.event({**head, "choices": [choice], **more})
        self.begin()
        if chat:
            send({"role": "assistant", "content": ""})
        for text in finite(thoughts):
            send({"reasoning_content": text})
        count = 0
        for text, reason, count in texts:
            if text:
                if name == "refuser":
                    send({"refusal": text})
                else:
                    send({"content": text}, None, self.logprob(text, r, chat) if r.get("logprobs") is not None and
                         r.get("logprobs") is not False else None)
            if name in FAULTS and count >= 5:
                return self.go_wrong(name, send, head)
            if name == "slow-line" and count == 2:  # one event of which the bytes come one by one
                for byte in b"data: {" + b" " * 4000:
                    self.raw(bytes([byte]))
                    time.sleep(0.05)
        for index, (ident, tool, arguments) in enumerate(calls):
            send({"tool_calls": [{"index": index, "id": ident, "type": "function",
                                  "function": {"name": tool, "arguments": ""}}]})
        for start in range(0, 40, 5):  # the arguments of all calls in turn
            for index, (_, _, arguments) in enumerate(calls):
                if arguments[start:start + 5]:
                    send({"tool_calls": [{"index": index, "function": {"arguments": arguments[start:start + 5]}}]})
        send({}, self.reason(reason, calls, name))
        if with_usage:
            usage.update(completion_tokens=count, total_tokens=usage["prompt_tokens"] + count)
            self.event({**head, "choices": [], "usage": usage})
        if name != "no-done":
            self.raw("data: [DONE]\n\n")
        return self.end()

    def go_wrong(self, name, send, head):
        if name == "cut":
            self.wfile.write(b'80\r\ndata: {"id": "chatcmpl-1", "choices": [{"ind')
            return self.hang_up()
        if name == "no-reason":
            self.raw("data: [DONE]\n\n")
        elif name == "half-event":
            self.raw('data: {"id": "chatcmpl-1", "choi')
        elif name == "error-event":
            self.event({"error": {"message": "EngineCore encountered an issue", "type": "InternalServerError",
                                  "param": None, "code": 500}})
        elif name == "echo-key":
            self.event({"error": {"message": f"who sent {self.headers.get('Authorization')}?", "type": "server_error"}})
        elif name == "malformed":
            self.raw('data: {"id": "x", "choices": \n\n')
            send({"content": "never"}, "stop")
        elif name == "no-object":
            self.raw("data: [1, 2]\n\n")
        elif name == "no-choices":
            self.event({"hello": "world"})
        elif name == "reason-error":
            send({}, "error")
        elif name == "huge":
            try:
                for _ in range(80):
                    self.raw(b"x" * 131072)
            except OSError:
                return self.hang_up()
        elif name == "drip":
            for _ in range(1200):
                send({"content": "."})
                time.sleep(0.05)
        elif name == "comments":  # bytes, and nothing new
            for _ in range(600):
                self.raw(": still here\n\n")
                time.sleep(0.1)
        elif name == "silent":
            time.sleep(60)
        elif name == "hang-after-done":
            send({}, "stop")
            self.raw("data: [DONE]\n\n")
            time.sleep(60)
        return self.end()

    def embed(self, r, name):
        texts = r.get("input")
        texts = [texts] if isinstance(texts, str) else texts
        if name == "fixed" and ("encoding_format" in r or "dimensions" in r):
            key = "encoding_format" if "encoding_format" in r else "dimensions"
            return self.fail(400, f"Unknown parameter: '{key}'.", "unknown_parameter", key)
        if any(len(t.encode()) > LONGEST for t in texts):
            return self.fail(400, f"This model's maximum context length is {LONGEST} tokens.", None, "input")
        vectors = [unit(t) for t in texts]
        if r.get("dimensions"):
            if r["dimensions"] > SIZE:
                return self.fail(400, f"Invalid value for 'dimensions' = {r['dimensions']}. Must be less than or equal "
                                 f"to {SIZE}.", None, "dimensions")
            vectors = [v[:r["dimensions"]] for v in vectors]
            vectors = [[x / math.sqrt(sum(y * y for y in v)) for x in v] for v in vectors]
        if name == "malformed":
            vectors = [[None] * SIZE for _ in texts]
        if r.get("encoding_format") == "base64" and name != "malformed":
            vectors = [base64.b64encode(struct.pack(f"<{len(v)}f", *v)).decode() for v in vectors]
        if name == "no-object":
            vectors = ["AAA" for _ in vectors]
        data = [{"object": "embedding", "index": i, "embedding": v} for i, v in enumerate(vectors)]
        if name == "cut":
            data = data[:-1]
        if name == "eof":
            data[-1]["index"] = 0
        if name == "no-reason":
            data.reverse()  # the order is in "index"
        n = sum(1 + len(t) // 4 for t in texts)
        return self.say(200, {"object": "list", "data": data, "model": r["model"],
                              "usage": {"prompt_tokens": n, "total_tokens": n}})


if __name__ == "__main__":
    main(Handler)

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Anthropic's Messages API for tests, over models that need no weights, and models whose answers go wrong in every
way that a stream can.

    fake_anthropic.py [key=SECRET] [auth=x-api-key|bearer] [new=1] [bare=1] [port=N]   prints its port; ends with
                                                                                    its input
auth: the key only in that header: version 2023-06-01 of the API is documented with x-api-key, the official clients
since 2.0 send a bearer token. new: as version 2026-10-21, which has no sampling, whatever the request names.
bare: no /v1/models, as some servers of the API are. anthropic_references_test.py holds its answers against the
official client, which validates each."""
import json
import time

from fake_server import SETTINGS, FakeHandler, finite, main, pieces, runner

FAULTS = ("cut", "eof", "no-reason", "error-event", "overload-event", "malformed", "no-object", "order", "huge", "drip",
          "pings", "silent", "hang-after-stop", "echo-key", "no-start", "half-event")
PLAIN = ("fake", "echo", "thinker", "adaptive", "tooler", "parallel", "plain-json", "refuser", "full", "one-of-two",
         "no-stream", "window")
REFUSALS = {
    "limited": (429, "rate_limit_error", "This request would exceed your organization's rate limit", [("retry-after", "9")]),
    "forbidden": (403, "permission_error", "Your API key does not have permission to use the specified resource.", []),
    "broken": (500, "api_error", "Internal server error", []),
    "overloaded": (529, "overloaded_error", "Overloaded", []),
    "large": (413, "request_too_large", "Request exceeds the maximum size", []),
    "poor": (400, "invalid_request_error", "Your credit balance is too low to access the Anthropic API.", []),
}
SEEN_KEYS = {"model", "messages", "max_tokens", "system", "stream", "temperature", "top_p", "top_k", "stop_sequences",
             "tools", "tool_choice", "thinking", "output_config", "metadata", "service_tier"}


class Handler(FakeHandler):
    def fail(self, status, message, kind="invalid_request_error", headers=()):
        self.say(status, {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"},
                 headers=[*headers, ("request-id", "req_1")])

    def names(self):
        return PLAIN + FAULTS + tuple(REFUSALS) + ("page", "elsewhere", "cut-at-once")

    def entry(self, name):
        return {"type": "model", "id": name, "display_name": name.title(), "created_at": "2024-03-07T00:00:00Z",
                "lifecycle": "active", "max_input_tokens": 200000, "max_tokens": 4096, "capabilities": None}

    def answer(self, path, r):
        key = SETTINGS.get("key")
        given = {"x-api-key": self.headers.get("x-api-key"), "bearer": self.headers.get("Authorization", "")[7:]}
        if key and key not in [v for k, v in given.items() if SETTINGS.get("auth") in (None, k)]:
            return self.fail(401, f"invalid x-api-key {self.headers.get('x-api-key')}", "authentication_error")
        if self.headers.get("anthropic-version") not in ("2023-06-01", "2026-10-21"):
            return self.fail(400, "anthropic-version: header is required")
        if path.startswith("/v1/models") and not SETTINGS.get("bare"):
            return self.models(path)
        if path != "/v1/messages" or self.command != "POST":
            if SETTINGS.get("bare"):
                return self.say(404, {"detail": "Not Found"})
            return self.fail(404, "Not found", "not_found_error")
        name = r["model"] = self.broken_name(r.get("model"))
        if name in REFUSALS:
            status, kind, words, headers = REFUSALS[name]
            return self.fail(status, words, kind, headers)
        if name == "page":
            return self.say(503, "<html><body><h1>503</h1></body></html>", "text/html")
        if name == "elsewhere":
            return self.say(308, "", headers=[("Location", f"http://localhost:{self.server.server_address[1]}{path}x")])
        if name == "cut-at-once":
            return self.hang_up()
        if name not in self.names():
            return self.fail(404, f"model: {name}", "not_found_error")
        return self.messages(r, name) if self.check(r, name) else None

    def models(self, path):
        name = path[11:]
        if name:
            if self.broken_name(name) in self.names():
                return self.say(200, self.entry(name))
            return self.fail(404, f"model: {name}", "not_found_error")
        query = dict(p.split("=") for p in self.path.partition("?")[2].split("&") if "=" in p)
        names = list(self.names())
        first = names.index(query["after_id"]) + 1 if query.get("after_id") in names else 0
        page = names[first:first + min(int(query.get("limit", 20)), 20)]  # small pages, so that there are some
        return self.say(200, {"data": [self.entry(n) for n in page], "has_more": first + len(page) < len(names),
                              "first_id": page[0] if page else None, "last_id": page[-1] if page else None})

    def check(self, r, name):
        """What the API refuses; False when an answer has gone out."""
        messages, thinking = r.get("messages"), r.get("thinking") or {}
        new = SETTINGS.get("new") or self.headers.get("anthropic-version") == "2026-10-21"
        unknown = set(r) - SEEN_KEYS | (set(r) & {"temperature", "top_p", "top_k"} if new else set())
        blocks = [b for m in messages or [] if isinstance(m.get("content"), list) for b in m["content"]]
        words = None
        if unknown:
            words = f"{sorted(unknown)[0]}: Extra inputs are not permitted"
        elif not isinstance(r.get("max_tokens"), int) or r["max_tokens"] < 1:
            words = "max_tokens: Field required"
        elif not messages:
            words = "messages: at least one message is required"
        elif any(m["role"] not in ("user", "assistant") for m in messages):
            words = 'messages: Unexpected role "system". The Messages API accepts a top-level `system` parameter'
        elif any(b["type"] == "text" and not b["text"] for b in blocks):
            words = "messages: text content blocks must be non-empty"
        elif any(not s.strip() for s in r.get("stop_sequences") or []):
            words = "stop_sequences: each stop sequence must contain non-whitespace"
        elif not 0 <= r.get("temperature", 1) <= 1:
            words = "temperature: range: 0..1"
        elif name == "one-of-two" and "temperature" in r and "top_p" in r:
            words = "`temperature` and `top_p` cannot both be specified for this model. Please use only one."
        elif name == "no-stream" and r.get("stream"):
            words = "stream: not supported with this model"
        elif thinking.get("type") == "enabled" and name == "adaptive":
            words = '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive".'
        elif thinking.get("type") == "enabled" and not 1024 <= thinking.get("budget_tokens", 0) < r["max_tokens"]:
            words = "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024"
        elif thinking.get("type") in ("enabled", "adaptive") and r.get("temperature", 1) != 1:
            words = "`temperature` may only be set to 1 when thinking is enabled."
        elif self.unanswered(messages):
            words = "messages: `tool_use` ids were found without `tool_result` blocks immediately after"
        if words:
            self.fail(400, words)
        return not words

    def unanswered(self, messages):
        for i, message in enumerate(messages):
            content = message["content"] if isinstance(message["content"], list) else []
            asked = {b["id"] for b in content if b["type"] == "tool_use"}
            after = messages[i + 1]["content"] if i + 1 < len(messages) else []
            if asked - {b.get("tool_use_id") for b in after if isinstance(b, dict)}:
                return True
        return False

    def text_of(self, message):
        content = message["content"]
        return content if isinstance(content, str) else "".join(b.get("text", "") for b in content)

    def messages(self, r, name):
        prompt = "".join(f"{m['role']}: {self.text_of(m)}\n" for m in r["messages"])
        thinking = (r.get("thinking") or {}).get("type") in ("enabled", "adaptive")
        last = r["messages"][-1]["content"]
        answered = isinstance(last, list) and any(b["type"] == "tool_result" for b in last)
        calls = []
        if name in ("tooler", "parallel") and r.get("tools") and not answered and \
                (r.get("tool_choice") or {}).get("type") != "none":
            calls = [("toolu_1", r["tools"][0]["name"], {"city": "Paris", "n": 2})]
            calls += [("toolu_2", r["tools"][0]["name"], {})] if name == "parallel" else []
        if name == "echo":
            tokens = finite(json.dumps(r, sort_keys=True, ensure_ascii=False))
        elif name in ("thinker", "adaptive"):
            tokens = finite("The answer is 4.")
        elif name in ("tooler", "parallel"):
            tokens = finite("Let me see. ") if calls else finite("It is 21 degrees.")
        elif r.get("output_config"):
            tokens = finite('{"city": "Paris"}')
        else:
            tokens = pieces(prompt)
        limit = None if name == "echo" else r["max_tokens"]
        texts = runner(tokens, limit, [] if name == "echo" else r.get("stop_sequences") or [])
        blocks = [{"type": "thinking", "thinking": "Two and two.", "signature": "c2ln"}] if thinking else []
        usage = {"input_tokens": 1 + len(prompt) // 4, "cache_creation_input_tokens": 2, "cache_read_input_tokens": 3,
                 "output_tokens": 1, "service_tier": "standard"}
        if name == "plain-json" or not r.get("stream"):
            return self.whole(r, name, texts, calls, blocks, usage)
        return self.stream(r, name, texts, calls, blocks, usage)

    def reason(self, reason, calls, name):
        if name in ("refuser", "window"):
            return ("refusal" if name == "refuser" else "model_context_window_exceeded"), None
        if reason.startswith("stop:"):
            return "stop_sequence", reason[5:]
        return ("tool_use" if calls and reason != "length" else "max_tokens" if reason == "length" else "end_turn"), None

    def head(self, r, usage):
        return {"id": "msg_1", "type": "message", "role": "assistant", "model": r["model"], "content": [],
                "stop_reason": None, "stop_sequence": None, "usage": usage}

    def whole(self, r, name, texts, calls, blocks, usage):
        got = list(texts)
        blocks += [{"type": "text", "text": "".join(t for t, _, _ in got)}]
        blocks += [{"type": "tool_use", "id": i, "name": n, "input": a} for i, n, a in calls]
        reason, stop = self.reason(got[-1][1], calls, name)
        usage["output_tokens"] = got[-1][2]
        return self.say(200, {**self.head(r, usage), "content": blocks, "stop_reason": reason, "stop_sequence": stop})

    def event(self, kind, **more):
        self.raw(f"event: {kind}\ndata: " + json.dumps({"type": kind, **more}, ensure_ascii=False) + "\n\n")

    def stream(self, r, name, texts, calls, blocks, usage):
        self.begin()
        if name != "no-start":
            self.event("message_start", message=self.head(r, usage))
        index = 0
        for block in blocks:
            self.event("content_block_start", index=index, content_block={"type": "thinking", "thinking": "", "signature": ""})
            for text in finite(block["thinking"]):
                self.event("content_block_delta", index=index, delta={"type": "thinking_delta", "thinking": text})
            self.event("content_block_delta", index=index, delta={"type": "signature_delta", "signature": "c2ln"})
            self.event("content_block_stop", index=index)
            index += 1
        self.event("content_block_start", index=index, content_block={"type": "text", "text": ""})
        self.event("ping")
        count = 0
        for text, reason, count in texts:
            if text:
                self.event("content_block_delta", index=index, delta={"type": "text_delta", "text": text})
            if name in FAULTS and count >= 5:
                return self.go_wrong(name, index)
        self.event("content_block_stop", index=index)
        for ident, tool, arguments in calls:
            index += 1
            self.event("content_block_start", index=index,
                       content_block={"type": "tool_use", "id": ident, "name": tool, "input": {}})
            for text in ("", *finite(json.dumps(arguments) if arguments else "", 5)):
                self.event("content_block_delta", index=index, delta={"type": "input_json_delta", "partial_json": text})
            self.event("content_block_stop", index=index)
        reason, stop = self.reason(reason, calls, name)
        self.event("message_delta", delta={"stop_reason": reason, "stop_sequence": stop}, usage={"output_tokens": count})
        self.event("message_stop")
        return self.end()

    def go_wrong(self, name, index):
        if name == "cut":
            self.wfile.write(b'80\r\nevent: content_block_delta\ndata: {"type": "content_bl')
            return self.hang_up()
        if name == "no-reason":
            self.event("content_block_stop", index=index)
            self.event("message_stop")
        elif name == "half-event":
            self.raw('event: content_block_delta\ndata: {"type": "cont')
        elif name == "error-event":
            self.event("error", error={"type": "api_error", "message": "Internal server error"})
        elif name == "overload-event":
            self.event("error", error={"type": "overloaded_error", "message": "Overloaded"})
        elif name == "echo-key":
            self.event("error", error={"type": "api_error", "message": f"who sent {self.headers.get('x-api-key')}?"})
        elif name == "malformed":
            self.raw('event: content_block_delta\ndata: {"type": \n\n')
        elif name == "no-object":
            self.raw("event: content_block_delta\ndata: [1]\n\n")
        elif name == "order":
            self.event("content_block_delta", index=index + 1, delta={"type": "text_delta", "text": "never"})
        elif name == "huge":
            try:
                for _ in range(80):
                    self.raw(b"x" * 131072)
            except OSError:
                return self.hang_up()
        elif name == "drip":
            for _ in range(1200):
                self.event("content_block_delta", index=index, delta={"type": "text_delta", "text": "."})
                time.sleep(0.05)
        elif name == "pings":  # bytes, and nothing new
            for _ in range(600):
                self.event("ping")
                time.sleep(0.1)
        elif name == "silent":
            time.sleep(60)
        elif name == "hang-after-stop":
            self.event("content_block_stop", index=index)
            self.event("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage={"output_tokens": 5})
            self.event("message_stop")
            time.sleep(60)
        return self.end()


if __name__ == "__main__":
    main(Handler)

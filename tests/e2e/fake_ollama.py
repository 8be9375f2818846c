#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An Ollama server for tests: the API of v0.9.6 (log-probabilities of v0.12.11 with --version 0.12.11) over models
that need no weights, and models whose answers go wrong in every way that a stream can.

    fake_ollama.py [--port N] [--version V]     prints its port; ends when its standard input does
    fake_ollama.py serve                        as `ollama serve`: listens where OLLAMA_HOST says, until killed

ollama_references_test.py holds its answers against the real server and the official client."""
import hashlib
import json
import math
import os
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

VERSION = "0.9.6"
SIZE = 8  # of an embedding
LONGEST = 2000  # bytes of a text to embed
FAULTS = ("cut", "eof", "error-line", "malformed", "no-object", "huge", "drip", "hang-after-done", "load-only", "busy",
          "bad", "broken", "cut-at-once")
PARAMETERS = {name: 'stop                           "<|end|>"\nstop                           "\\n\\"x\\""\n'
              "temperature                    0.25\ntop_k                          7\n"
              "num_predict                    90" for name in ("fake", "stopper")}
OPTIONS = {"fake": {"stop": ["<|end|>", '\n"x"'], "temperature": 0.25, "top_k": 7, "num_predict": 90}}
CAPABILITIES = {"embedder": ["embedding"], "tooler": ["completion", "tools"], "thinker": ["completion", "thinking"]}
NOW = "2026-01-02T03:04:05.123456789Z"
TEMPLATE = "{{ range .Messages }}{{ .Role }}: {{ .Content }}\n{{ end }}assistant: "


class State:
    models = {name: {} for name in ("fake", "echo", "stopper", "embedder", "tooler", "thinker", "plain", "bytes") + FAULTS}
    loaded = {}
    cut = 0  # streams on which the client hung up
    lock = threading.Lock()


def full(name):
    return name if ":" in name.rsplit("/", 1)[-1] else name + ":latest"


def short(name):
    return name[:-7] if name.endswith(":latest") else name


def find(name):
    return short(name) if name and short(name) in State.models else None


def pieces(seed_text):
    """Endless tokens of a few characters, some of more than one byte."""
    n = 0
    while True:
        digest = hashlib.sha256(f"{seed_text}/{n}".encode()).digest()
        for i in range(0, 32, 4):
            letters = "abcdefghijklmnopqrstuvwxyz éü€日🌍"
            yield "".join(letters[b % len(letters)] for b in digest[i:i + 1 + digest[i + 3] % 4])
        n += 1


def finite(text, size=4):
    return [text[i:i + size] for i in range(0, len(text), size)]


def runner(tokens, options):
    """(text, done_reason, count) as Ollama's runner sends it: what could begin a stop string is held back."""
    stops = options.get("stop") or []
    limit = options.get("num_predict", -1)
    held, count = "", 0
    for token in tokens:
        if 0 < limit <= count:
            yield held, "", count
            yield "", "length", count
            return
        held, count = held + token, count + 1
        found = [held.find(s) for s in stops if s in held]
        if found:
            yield held[:min(found)], "", count
            yield "", "stop", count
            return
        if any(held.endswith(s[:k]) for s in stops for k in range(1, len(s))):
            continue
        yield held, "", count
        held = ""
    yield held, "", count
    yield "", "stop", count


def unit(text):
    raw = [b - 127.5 for b in hashlib.sha256(text.encode()).digest()[:SIZE]]
    length = math.sqrt(sum(x * x for x in raw))
    return [x / length for x in raw]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def say(self, status, value, kind="application/json; charset=utf-8"):
        body = value.encode() if isinstance(value, str) else json.dumps(value, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def begin(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def raw(self, data):
        try:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()
        except OSError:
            State.cut += 1
            raise

    def line(self, value):
        self.raw(json.dumps(value, ensure_ascii=False).encode() + b"\n")

    def end(self):
        self.wfile.write(b"0\r\n\r\n")

    def hang_up(self):
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def missing(self, name):
        self.say(404, {"error": f"model '{name}' not found"})

    def handle(self):
        try:
            super().handle()
        except OSError:
            self.close_connection = True

    def serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = self.path.split("?")[0]
        routes = {("GET", "/api/version"): self.version, ("GET", "/api/tags"): self.tags, ("GET", "/api/ps"): self.ps,
                  ("POST", "/api/show"): self.show, ("POST", "/api/generate"): self.generate,
                  ("POST", "/api/chat"): self.chat, ("POST", "/api/embed"): self.embed, ("POST", "/api/pull"): self.pull,
                  ("DELETE", "/api/delete"): self.delete, ("POST", "/api/copy"): self.copy,
                  ("GET", "/test/state"): self.state}
        if path == "/":
            return self.say(200, "Ollama is running", "text/plain; charset=utf-8")
        if (self.command, path) not in routes:
            return self.say(404, "404 page not found", "text/plain")
        if self.command == "GET":
            return routes[self.command, path]()
        if not body:
            return self.say(400, {"error": "missing request body"})
        try:
            request = json.loads(body)
        except ValueError as error:
            return self.say(400, {"error": str(error)})
        return routes[self.command, path](request)

    do_GET = do_POST = do_DELETE = do_HEAD = serve

    def version(self):
        self.say(200, {"version": VERSION})

    def state(self):
        self.say(200, {"cut": State.cut, "loaded": State.loaded, "models": sorted(State.models)})

    def details(self, name):
        return {"parent_model": "", "format": "gguf", "family": "llama", "families": ["llama"],
                "parameter_size": "134.52M", "quantization_level": "Q4_1"}

    def tags(self):
        self.say(200, {"models": [{"name": full(n), "model": full(n), "modified_at": NOW, "size": 98000000 + len(n),
                                   "digest": hashlib.sha256(n.encode()).hexdigest(), "details": self.details(n)}
                                  for n in sorted(State.models)]})

    def ps(self):
        self.say(200, {"models": [{"name": full(n), "model": full(n), "size": 1, "size_vram": 0, "expires_at": NOW,
                                   "digest": "0" * 64, "details": self.details(n)} for n in State.loaded]})

    def show(self, r):
        name = find(r.get("model") or r.get("name"))
        if not name:
            return self.missing(r.get("model"))
        weights = hashlib.sha256(b"weights of " + name.encode()).hexdigest()
        template = "{{ .Prompt }}" if name == "plain" else TEMPLATE
        info = {"general.architecture": "llama", "general.parameter_count": 134515008, "general.license": "apache-2.0",
                "llama.block_count": 30, "llama.context_length": 8192, "llama.embedding_length": SIZE,
                "llama.vocab_size": 49152, "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.tokens": []}
        out = {"modelfile": f"# Modelfile\nFROM /models/blobs/sha256-{weights}\nTEMPLATE x\n", "template": template,
               "details": self.details(name), "model_info": info, "tensors": [{"name": "token_embd.weight", "type": "Q4_1",
               "shape": [SIZE, 49152]}], "capabilities": CAPABILITIES.get(name, ["completion"]), "modified_at": NOW}
        if name in PARAMETERS:
            out["parameters"] = PARAMETERS[name]
        self.say(200, out)

    # -- answers

    def keep(self, name, r):
        with State.lock:
            State.loaded[name] = r.get("keep_alive", "5m")
            if r.get("keep_alive") in (0, "0", "0s"):
                del State.loaded[name]

    def check(self, r, what):
        """The model's name, or None when an answer has gone out."""
        name = find(r.get("model"))
        options = r.get("options") or {}
        if not name:
            self.missing(r.get("model"))
        elif name == "busy":
            self.say(503, {"error": "server busy, please try again.  maximum pending requests exceeded"})
        elif name == "bad":
            self.say(400, {"error": "option \"x\" must be of type integer"})
        elif name == "broken":
            self.say(500, {"error": "llama runner process has terminated: exit status 2"})
        elif name == "cut-at-once":
            self.hang_up()
        elif "completion" not in CAPABILITIES.get(name, ["completion"]):
            self.say(400, {"error": f'"{r.get("model")}" does not support {what}'})
        elif r.get("tools") and "tools" not in CAPABILITIES.get(name, []):
            self.say(400, {"error": f"registry.ollama.ai/library/{full(name)} does not support tools"})
        elif r.get("think") and "thinking" not in CAPABILITIES.get(name, []):
            self.say(400, {"error": f"registry.ollama.ai/library/{full(name)} does not support thinking"})
        elif not all(isinstance(options.get(k, 0), (int, float)) for k in ("temperature", "num_predict", "seed", "num_ctx")):
            self.say(500, {"error": "an option has the wrong type"})
        else:
            return name
        return None

    def generate(self, r):
        name = find(r.get("model"))
        if name and not r.get("prompt") and r.get("keep_alive") == 0:
            State.loaded.pop(name, None)
            return self.say(200, {"model": r["model"], "created_at": NOW, "response": "", "done": True,
                                  "done_reason": "unload"})
        name = self.check(r, "generate")
        if not name:
            return None
        self.keep(name, r)
        if not r.get("prompt"):
            return self.say(200, {"model": r["model"], "created_at": NOW, "response": "", "done": True,
                                  "done_reason": "load"})
        if r.get("raw") and (r.get("template") or r.get("system") or r.get("context")):
            return self.say(400, {"error": "raw mode does not support template, system, or context"})
        return self.answer(r, name, r["prompt"], lambda text: {"response": text}, "generate")

    def chat(self, r):
        name = self.check(r, "chat")
        if not name:
            return None
        self.keep(name, r)
        messages = r.get("messages") or []
        prompt = "".join(f"{m['role']}: {m.get('content', '')}\n" for m in messages)

        def part(text, **more):
            return {"message": {"role": "assistant", "content": text, **more}}
        if not messages:
            return self.say(200, {"model": r["model"], "created_at": NOW, **part(""), "done": True, "done_reason": "load"})
        if name == "bytes":
            prompt = self.fit(r, [f"{m['role']}: {m.get('content', '')}\n" for m in messages])
            return self.answer(r, name, prompt, part, "chat") if prompt else None
        return self.answer(r, name, prompt, part, "chat")

    def fit(self, r, texts):
        """The model `bytes`, with a token for each byte, cuts prompts as v0.9.6 does: the oldest messages go, then the
        middle of what is left. Newer servers fail where `truncate` is false."""
        n_ctx = (r.get("options") or {}).get("num_ctx", 4096)
        if VERSION != "0.9.6" and r.get("truncate") is False and len("".join(texts)) > n_ctx:
            return self.say(400, {"error": "the input length exceeds the context length"})
        while len(texts) > 1 and len("".join(texts)) > n_ctx:
            texts = texts[1:]
        return "".join(texts)[:n_ctx]

    def answer(self, r, name, prompt, part, kind):
        options = {} if name in ("echo", "stopper") else {**OPTIONS.get(name, {}), **(r.get("options") or {})}
        head = {"model": r["model"], "created_at": NOW}
        key = prompt if options.get("temperature") == 0 else f"{prompt}{options.get('seed', os.urandom(8))}"
        tokens = pieces(key)
        if name in ("echo", "stopper"):
            tokens = finite(json.dumps(r, sort_keys=True, ensure_ascii=False))
        elif name == "thinker":
            tokens = finite("The answer is 4.")
        elif name == "tooler" and r.get("tools") and not any(m["role"] == "tool" for m in r["messages"]):
            tokens = finite("Let me see. ")
        elif r.get("format"):
            tokens = finite('{"city": "Paris"}')
        self.begin()
        if name == "thinker" and r.get("think"):
            for text in finite("Two and two."):
                self.line({**head, **part("", thinking=text), "done": False})
        count = 0
        for text, reason, count in runner(tokens, options):
            if reason:
                break
            if text:
                out = {**head, **part(text), "done": False}
                if r.get("logprobs") and VERSION != "0.9.6":
                    top = [{"token": c, "logprob": -1.5 - i, "bytes": list(c.encode())} for i, c in enumerate("xyz")]
                    out["logprobs"] = [{"token": text, "logprob": -0.5, "bytes": list(text.encode()),
                                        **({"top_logprobs": top[:r["top_logprobs"]]} if r.get("top_logprobs") else {})}]
                self.line(out)
            if name in FAULTS and count >= 5:
                return self.go_wrong(name, head, part)
        if name == "tooler" and r.get("tools") and kind == "chat":
            if not any(m["role"] == "tool" for m in r["messages"]):
                call = {"function": {"name": r["tools"][0]["function"]["name"], "arguments": {"city": "Paris", "n": 2}}}
                self.line({**head, **part("", tool_calls=[call]), "done": False})
        last = {**head, **part(""), "done_reason": reason, "done": True, "total_duration": 5000000,
                "load_duration": 1000000, "prompt_eval_count": len(prompt) if name == "bytes" else 1 + len(prompt) // 4, "prompt_eval_duration": 2000000,
                "eval_count": count, "eval_duration": 3000000}
        if kind == "generate" and not r.get("raw"):
            last["context"] = [1, 2, 3]
        self.line(last)
        return self.end()

    def go_wrong(self, name, head, part):
        if name == "cut":
            self.wfile.write(b"40\r\n{\"model\":\"cut\",\"resp")
            return self.hang_up()
        if name == "error-line":
            self.line({"error": "an error was encountered while running the model: CUDA error"})
        elif name == "malformed":
            self.raw(b'{"model": "malformed", "response": \n')
            self.line({**head, **part("never"), "done": True, "done_reason": "stop"})
        elif name == "no-object":
            self.raw(b"[1, 2]\n")
        elif name == "huge":
            try:
                for _ in range(80):
                    self.raw(b"x" * 131072)
            except OSError:
                return self.hang_up()
        elif name == "load-only":
            self.line({**head, **part(""), "done": True, "done_reason": "load"})
        elif name == "drip":
            for i in range(1200):
                self.line({**head, **part("."), "done": False})
                time.sleep(0.05)
        elif name == "hang-after-done":
            self.line({**head, **part(""), "done": True, "done_reason": "stop", "eval_count": 5})
            time.sleep(60)
        return self.end()

    def embed(self, r):
        name = find(r.get("model"))
        if not name:
            return self.missing(r.get("model"))
        texts = r.get("input")
        if not isinstance(texts, (str, list)):
            return self.say(400, {"error": "invalid input type"})
        texts = ([texts] if texts else []) if isinstance(texts, str) else texts
        if any(len(t.encode()) > LONGEST for t in texts) and r.get("truncate") is False:
            return self.say(400, {"error": "input length exceeds maximum context length"})
        self.keep(name, r)
        vectors = [unit(t.encode()[:LONGEST].decode("utf-8", "ignore")) for t in texts]
        if name == "bad":
            vectors = [[None] * SIZE for _ in texts]
        if name == "cut":
            vectors = vectors[:-1]
        if name == "no-object":
            return self.say(200, [1])
        return self.say(200, {"model": r["model"], "embeddings": vectors, "total_duration": 3, "load_duration": 1,
                              "prompt_eval_count": sum(1 + len(t[:LONGEST]) // 4 for t in texts)})

    def pull(self, r):
        name = r.get("model") or r.get("name")
        self.begin()
        self.line({"status": "pulling manifest"})
        if name == "no-such-model":
            self.line({"error": "pull model manifest: file does not exist"})
            return self.end()
        digest, total = "sha256:" + "ab" * 32, 4_000_000
        for done in range(0, total + 1, 1_000_000):
            self.line({"status": "pulling abababababab", "digest": digest, "total": total, **({"completed": done} if done else {})})
            if name == "pull-cut" and done:
                return self.hang_up()
            time.sleep(5 if name == "pull-slow" and done else 0.01)
        for text in ("verifying sha256 digest", "writing manifest") + (() if name == "pull-eof" else ("success",)):
            self.line({"status": text})
        if name != "pull-eof":
            State.models[short(name)] = {}
        return self.end()

    def delete(self, r):
        name = find(r.get("model") or r.get("name"))
        if not name:
            return self.say(404, {"error": f"model '{r.get('model')}' not found"})
        del State.models[name]
        return self.say(200, "", "text/plain")

    def copy(self, r):
        if not find(r.get("source")):
            return self.say(404, {"error": f'model "{r.get("source")}" not found'})
        State.models[short(r["destination"])] = {}
        return self.say(200, "", "text/plain")


def main():
    global VERSION
    arguments = sys.argv[1:]
    port = 0
    if "--version" in arguments:
        VERSION = arguments[arguments.index("--version") + 1]
    if "--port" in arguments:
        port = int(arguments[arguments.index("--port") + 1])
    is_serve = arguments[:1] == ["serve"]
    if is_serve:
        port = int(os.environ["OLLAMA_HOST"].rsplit(":", 1)[1])
    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    if is_serve:
        print("fake ollama: pid", os.getpid(), flush=True)
        return server.serve_forever()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()

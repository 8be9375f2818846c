# SPDX-License-Identifier: Apache-2.0
"""What the fakes of vendors' APIs share: one server of one process, streams of events, faults, what was asked."""
import hashlib
import json
import os
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SETTINGS = {}  # NAME=VALUE of the command line
SEEN = []  # (path, headers, body) of the last requests
CUT = [0]  # streams on which the client hung up
LOCK = threading.Lock()


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


def runner(tokens, limit, stops):
    """(text, reason, count): what could begin a stop string is held back; the reason is of the last one."""
    held, count = "", 0
    for token in tokens:
        if limit is not None and count >= limit:
            yield held, "length", count
            return
        held, count = held + token, count + 1
        found = [(held.find(s), s) for s in stops if s in held]
        if found:
            yield held[:min(found)[0]], "stop:" + min(found)[1], count
            return
        if any(held.endswith(s[:k]) for s in stops for k in range(1, len(s))):
            continue
        yield held, "", count
        held = ""
    yield held, "end", count


class FakeHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def say(self, status, value, kind="application/json", headers=()):
        body = value.encode() if isinstance(value, str) else json.dumps(value, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, text in headers:
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(body)

    def begin(self, kind="text/event-stream; charset=utf-8"):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    budget = None  # bytes of a stream until it breaks off
    tidily = False  # by a proper end of the body

    def broken_name(self, name):
        """The name of a model that is cut:N or eof:N breaks the stream behind its N-th byte; then it is fake's."""
        kind, _, at = name.partition(":")
        if kind not in ("cut", "eof") or not at.isdigit():
            return name
        self.budget, self.tidily = int(at), kind == "eof"
        return "fake"

    def raw(self, data):
        data = data.encode() if isinstance(data, str) else data
        if self.budget is not None:
            data, self.budget = data[:self.budget], self.budget - len(data)
            if data:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            if self.budget > 0:
                return self.wfile.flush()
            if self.tidily:
                self.end()
            self.hang_up()
            raise OSError("broken off as asked")
        try:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()
        except OSError:
            with LOCK:
                CUT[0] += 1
            raise

    def end(self):
        self.wfile.write(b"0\r\n\r\n")

    def hang_up(self):
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def handle(self):
        try:
            super().handle()
        except OSError:
            self.close_connection = True

    def serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = self.path.split("?")[0]
        if path == "/test/state":
            return self.say(200, {"cut": CUT[0], "seen": SEEN})
        try:
            request = json.loads(body) if body else None
        except ValueError:
            return self.fail(400, "We could not parse the JSON body of your request.")
        with LOCK:
            SEEN.append([path, {k.lower(): v for k, v in self.headers.items()}, request])
            del SEEN[:-50]
        return self.answer(path, request)

    do_GET = do_POST = serve


def main(handler):
    for argument in sys.argv[1:]:
        name, _, value = argument.partition("=")
        SETTINGS[name] = value
    server = ThreadingHTTPServer(("127.0.0.1", int(SETTINGS.get("port", 0))), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()
    os._exit(0)

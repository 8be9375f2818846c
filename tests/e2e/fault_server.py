#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A small HTTP server on a free port of 127.0.0.1 that misbehaves on demand, for src/net/http_test.c.

Prints its port and one for "another host"; ends when its standard input does."""
import json
import os
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def say(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def body(self):
        if self.headers.get("Transfer-Encoding", "") == "chunked":
            out = b""
            while size := int(self.rfile.readline(), 16):
                out += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return out
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def serve(self):
        body = self.body()
        path = self.path.split("?")[0]
        other = f"http://localhost:{PORTS[1]}"
        if path.startswith("http://"):  # as a proxy: tells that it was asked
            self.say(200, f"proxy {self.path}".encode())
        elif path == "/echo":
            answer = {"method": self.command, "path": self.path, "body": body.decode("latin-1"),
                      "headers": {k.lower(): v for k, v in self.headers.items()},
                      "connection": self.client_address[1]}
            self.say(200, json.dumps(answer).encode(), X_Odd="  some value \t")
        elif path == "/sum":
            self.say(200, f"{len(body)} {sum(body)}".encode())
        elif path == "/status":
            self.say(int(self.path.split("?")[1]), b"words of the server")
        elif path == "/same":
            self.say(302, b"dropped", Location="/echo?q=1")
        elif path == "/keep":
            self.say(307, b"", Location="/echo")
        elif path == "/other":
            self.say(302, b"", Location=other + "/echo")
        elif path == "/there-and-back":
            self.say(302, b"", Location=other + "/back")
        elif path == "/back":
            self.say(302, b"", Location=f"http://127.0.0.1:{PORTS[0]}/echo")
        elif path == "/circle":
            self.say(302, b"", Location="/circle")
        elif path == "/nowhere":
            self.say(302, b"", Location="ftp://example.test/x")
        elif path == "/cut":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
            self.hang_up()
        elif path == "/cut-chunk":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nhalf")
            self.hang_up()
        elif path == "/silent":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
            self.wfile.flush()
            STOP.wait(20)
        elif path == "/drip":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
            for _ in range(100):
                self.wfile.write(b".")
                self.wfile.flush()
                if STOP.wait(0.05):
                    break
        elif path == "/flood":
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            for i in range(1 << 20):
                self.wfile.write(b"X-Flood-%d: %s\r\n" % (i, b"x" * 100))
        elif path == "/interim":
            for i in range(1 << 20):
                self.wfile.write(b"HTTP/1.1 102 Processing\r\nX-%d: y\r\n\r\n" % i)
        elif path == "/long-header":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
            for _ in range(1 << 14):
                self.wfile.write(b"x" * 1024)
        elif path == "/trailers":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n")
            for i in range(1 << 20):
                self.wfile.write(b"X-%d: y\r\n" % i)
        elif path == "/endless":
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            while not STOP.is_set():
                self.wfile.write(b"x" * 65536)
        elif path == "/endless-redirect":
            self.wfile.write(b"HTTP/1.1 302 Found\r\nLocation: /echo\r\n\r\n")
            while not STOP.is_set():
                self.wfile.write(b"x" * 65536)
        elif path == "/garbage":
            self.wfile.write(b"\0\1\2 this is no HTTP\r\n\r\n")
            self.hang_up()
        elif path == "/nothing":
            self.hang_up()
        elif path == "/gone":  # has the last /silent or /drip been hung up on?
            self.say(200, b"%d" % CUT.count)
        else:
            self.say(404, b"no such thing")

    def hang_up(self):
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = serve

    def handle(self):
        try:
            super().handle()
        except (ConnectionError, OSError):
            CUT.count += 1
        self.close_connection = True


class CUT:
    count = 0


STOP = threading.Event()
servers = [ThreadingHTTPServer(("127.0.0.1", 0), Handler) for _ in range(2)]
PORTS = [s.server_address[1] for s in servers]
for server in servers:
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
print(*PORTS, flush=True)
sys.stdin.read()
STOP.set()
time.sleep(0.05)
os._exit(0)

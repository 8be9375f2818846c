# SPDX-License-Identifier: Apache-2.0
"""Whom adam pull talks to, and who gets to see the token: TLS, proxies, addresses.    pull_hosts_test.py [BUILD]"""
import base64
import http.client
import pathlib
import select
import shutil
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
import time
import unittest
import urllib.parse

from command import ADAM, HOME, environment
from fake_hub import FakeHub
from pull_test import BIG, SMALL, Case

FILES = {**SMALL, "model.safetensors": b"weights" * 1000}


def certificate():
    """Files of a certificate and its key for the names of these tests; None without the openssl command."""
    if not shutil.which("openssl"):
        return None
    cert, key = HOME / "cert.pem", HOME / "key.pem"
    if not cert.exists():
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
                        "2", "-subj", "/CN=adam test", "-addext", "subjectAltName=DNS:localhost,DNS:hub.test,IP:127.0.0.1",
                        "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
    return cert, key


class Proxy(socketserver.ThreadingTCPServer):
    """Forwards requests and tunnels for any name to the port that `names` has for it; records what it is asked."""
    daemon_threads = allow_reuse_address = True

    def __init__(self, names, password=None):
        self.names, self.password, self.asked = names, password, []
        super().__init__(("127.0.0.1", 0), ProxyHandler)
        self.url = f"127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()


class ProxyHandler(socketserver.StreamRequestHandler):
    def handle(self):
        while True:
            line = self.rfile.readline().decode().split()
            if len(line) < 3:
                return
            headers = http.client.parse_headers(self.rfile)
            self.server.asked.append((line[0], line[1], {k.lower(): v for k, v in headers.items()}))
            given = headers.get("Proxy-Authorization", "")
            wanted = self.server.password and "Basic " + base64.b64encode(self.server.password.encode()).decode()
            if wanted and given != wanted:
                self.wfile.write(b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n")
                continue
            if line[0] == "CONNECT":
                return self.tunnel(line[1].rpartition(":")[0])
            self.forward(line[1], headers)

    def forward(self, url, headers):
        parts = urllib.parse.urlsplit(url)
        there = http.client.HTTPConnection("127.0.0.1", self.server.names[parts.hostname], timeout=20)
        there.request("GET", parts.path + ("?" + parts.query if parts.query else ""),
                      headers={k: v for k, v in headers.items() if not k.lower().startswith("proxy-")})
        answer = there.getresponse()
        body = answer.read()
        lines = [f"{k}: {v}" for k, v in answer.getheaders()]
        self.wfile.write((f"HTTP/1.1 {answer.status} X\r\n" + "\r\n".join(lines) + "\r\n\r\n").encode() + body)
        there.close()

    def tunnel(self, name):
        with socket.create_connection(("127.0.0.1", self.server.names[name])) as there:
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            other = {self.connection: there, there: self.connection}
            while True:
                for ready in select.select(list(other), [], [], 20)[0]:
                    got = ready.recv(65536)
                    if not got:
                        return
                    other[ready].sendall(got)


def secure(hub, name="127.0.0.1"):
    """The same Hub behind TLS; before it is entered."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate())
    for server in hub.servers:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    hub.endpoint = f"https://{name}:{hub.servers[0].server_address[1]}"
    hub.cdn = hub.cdn.replace("http:", "https:")


class Tokens(Case):
    def setUp(self):
        super().setUp()
        self.hub.add("org/model", FILES)
        self.hub.repositories["org/model"].private = True
        self.env["HF_TOKEN"] = self.hub.token

    def test_no_other_process_sees_it(self):
        """Not in the arguments of any process of the pull, nor in what it tells, nor in any file that it writes."""
        self.hub.add("org/model", {**SMALL, "model.safetensors": BIG})
        self.hub.fault("cdn", times=None, drip=(256 << 10, 0.01))
        process = subprocess.Popen([ADAM, "pull", "org/model"], env=environment(**self.env),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        while not self.hub.seen("cdn"):
            time.sleep(0.01)
        for task in pathlib.Path(f"/proc/{process.pid}/task").iterdir():
            self.assertNotIn(self.hub.token.encode(), (task / "cmdline").read_bytes() + (task / "comm").read_bytes())
            self.assertEqual((task / "children").read_text() if (task / "children").exists() else "", "")
        shown, logged = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, logged)
        self.assertNotIn(self.hub.token.encode(), shown + logged)
        for path in self.cache.rglob("*"):
            if path.is_file() and path.stat().st_size < 1 << 20:
                self.assertNotIn(self.hub.token.encode(), path.read_bytes())

    def test_no_error_has_it(self):
        for code, fault in ((1, {"status": 403}), (5, {"status": 500}), (1, {"cut": 1, "status": 429, "headers": {"Retry-After": "999"}}),
                            (6, {"status": 200, "body": b"\xff"}), (1, {"flood": 5000, "status": 200})):
            self.hub.clear()
            self.hub.fault("api", times=None, **fault)
            self.fails(code, "org/model")  # `fails` looks for the token
        done = self.pull("org/model", env={"HF_TOKEN": "hf_other"})
        self.assertNotIn(b"hf_other", done.stderr)

    def test_other_ports_and_names_of_the_same_machine(self):
        """Another port is another host, a name that begins alike too, and user@ does not hide where it leads."""
        port = self.hub.servers[1].server_address[1]
        own = self.hub.endpoint.partition("://")[2]
        for target in (f"http://127.0.0.1:{port}/x", f"http://{own}@localhost:{port}/x", f"http://localhost:{port}/x"):
            for where, name in (("api", "revision"), ("api", "tree"), ("resolve", "config.json")):
                shutil.rmtree(self.folder(), ignore_errors=True)
                self.hub.clear()
                self.hub.fault(where, name, location=target)
                self.pull("org/model")
                self.assertTrue(self.hub.seen("cdn"), target)
                self.assertFalse([r for r in self.hub.seen("cdn") if "bearer" in r["headers"].get("authorization", "").lower()])

    def test_a_password_in_the_endpoint(self):
        address = self.hub.endpoint.replace("://", "://someone:sesame@")
        self.works("org/model", env={"HF_ENDPOINT": address})
        self.hub.fault("api", times=None, status=500)
        self.assertNotIn("sesame", self.fails(5, "org/model", env={"HF_ENDPOINT": address}))
        self.hub.clear()
        self.assertNotIn("sesame", self.fails(3, "org/none", env={"HF_ENDPOINT": address}))


class Encrypted(Case):
    def setUp(self):
        super().setUp()
        if not certificate():
            self.skipTest("no openssl command")
        self.safe = FakeHub()
        secure(self.safe)
        self.safe.__enter__()
        self.addCleanup(self.safe.__exit__)
        self.safe.add("org/model", FILES)
        self.hub.add("org/model", FILES)
        self.env.update(HF_ENDPOINT=self.safe.endpoint, HF_TOKEN=self.hub.token, SSL_CERT_FILE=str(certificate()[0]))

    def test_verified(self):
        self.works("org/model")
        self.assertTrue(all("authorization" in r["headers"] for r in self.safe.seen("hub")))
        self.safe.clear()
        shutil.rmtree(self.folder())
        for env in ({"SSL_CERT_FILE": ""}, {"HF_ENDPOINT": self.safe.endpoint.replace("127.0.0.1", "other.localhost")}):
            self.fails(1, "org/model", says=["TLS", "SSL_CERT_FILE"], env=env)
        self.assertEqual(self.safe.seen("hub"), [])

    def test_never_out_of_encryption(self):
        """A redirect from https to http is refused, to whatever host it leads."""
        plain = self.hub.endpoint
        for where, name, target in (("api", "revision", f"{plain}/api/models/org/model"), ("api", "tree", f"{plain}/x"),
                                    ("resolve", "model.safetensors", f"{plain}/org/model/resolve/main/model.safetensors")):
            self.safe.clear()
            self.safe.fault(where, name, times=None, location=target)
            shown = self.fails(1, "org/model")
            self.assertRegex(shown, "https to http|out of encryption")
            self.assertEqual(self.hub.seen(), [])
        # The next page of a listing may not leave it either, with the token.
        self.safe.clear()
        self.safe.fault("api", "tree", status=200, body=b"[]", headers={"Link": f'<{plain}/api/next>; rel="next"'})
        self.pull("org/model")
        self.assertFalse([r for r in self.hub.seen() if "authorization" in r["headers"]])


class Proxies(Case):
    def setUp(self):
        super().setUp()
        self.hub.add("org/model", FILES)
        ports = [s.server_address[1] for s in self.hub.servers]
        self.proxy = Proxy({"hub.test": ports[0], "cdn.test": ports[1]})
        self.addCleanup(self.proxy.server_close)
        self.addCleanup(self.proxy.shutdown)
        self.hub.cdn = "http://cdn.test"
        self.env.update(HF_ENDPOINT="http://hub.test", HF_TOKEN=self.hub.token)

    def test_each_spelling(self):
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            self.proxy.asked.clear()
            self.works("org/model", env={name: f"http://{self.proxy.url}"})
            shutil.rmtree(self.folder())
            hosts = {urllib.parse.urlsplit(url).hostname for _, url, _ in self.proxy.asked}
            self.assertEqual(hosts, {"hub.test", "cdn.test"})
            self.assertFalse([url for _, url, headers in self.proxy.asked if "cdn.test" in url and "authorization" in headers])

    def test_exceptions(self):
        env = {"http_proxy": self.proxy.url}
        for names in ("hub.test", ".test", "*", "other,hub.test"):
            self.fails(5, "org/model", env={**env, "NO_PROXY": names})
            self.assertEqual(self.proxy.asked, [])
        self.works("org/model", env={**env, "no_proxy": "ub.test,test.hub"})
        # This machine's own addresses need none.
        self.proxy.asked.clear()
        shutil.rmtree(self.folder())
        self.hub.cdn = f"http://localhost:{self.hub.servers[1].server_address[1]}"
        self.works("org/model", env={**env, "HF_ENDPOINT": self.hub.endpoint})
        self.assertEqual(self.proxy.asked, [])

    def test_passwords_of_proxies(self):
        self.proxy.password = "someone:sesame"
        self.works("org/model", env={"http_proxy": f"http://someone:sesame@{self.proxy.url}"})
        shutil.rmtree(self.folder())
        shown = self.fails(1, "org/model", says="407", env={"http_proxy": f"http://someone:wrong@{self.proxy.url}"})
        self.assertNotIn("wrong", shown)
        shown = self.fails(5, "org/model", env={"http_proxy": "http://someone:sesame@127.0.0.1:9"})
        self.assertNotIn("sesame", shown)

    def test_tunnels(self):
        """Through CONNECT the proxy sees the host's name, and neither the token nor what is asked for."""
        if not certificate():
            self.skipTest("no openssl command")
        safe = FakeHub()
        secure(safe, "hub.test")
        safe.__enter__()
        self.addCleanup(safe.__exit__)
        safe.add("org/model", FILES)
        self.proxy.names["hub.test"] = safe.servers[0].server_address[1]
        self.proxy.password = "someone:sesame"
        self.works("org/model", env={"HF_ENDPOINT": safe.endpoint, "SSL_CERT_FILE": str(certificate()[0]),
                                     "https_proxy": f"http://someone:sesame@{self.proxy.url}"})
        tunnels = [(url, headers) for verb, url, headers in self.proxy.asked if verb == "CONNECT"]
        self.assertEqual({url for url, _ in tunnels}, {safe.endpoint.partition("://")[2]})
        self.assertFalse([1 for _, headers in tunnels if "authorization" in headers])
        self.assertTrue(all("authorization" in r["headers"] for r in safe.seen("hub")))
        self.assertFalse([r for r in safe.seen("hub") if "proxy-authorization" in r["headers"]])


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])

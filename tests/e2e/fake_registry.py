# SPDX-License-Identifier: Apache-2.0
"""A registry as Ollama pulls from: manifests and blobs of a store, over TLS on loopback. As the real one, it sends a
reader of blobs to a storage of another host name (the server asks for no bytes where it is not sent on)."""
import hashlib
import http.server
import json
import pathlib
import re
import ssl
import subprocess
import threading


def make_certificate(folder):
    """(certificate, key) for localhost, signed by itself."""
    certificate, key = pathlib.Path(folder, "registry.pem"), pathlib.Path(folder, "registry.key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", str(key),
                    "-out", str(certificate)], check=True, capture_output=True)
    return certificate, key


class Registry:
    def __init__(self, models, certificate):
        self.models, self.manifests, self.blobs, self.asked, self.damaged = pathlib.Path(models), {}, {}, [], False
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_HEAD(self):
                self.do_GET()

            def do_GET(self):
                registry.asked.append(self.path)
                match = re.fullmatch(r"/(v2/.+|storage)/(manifests|blobs)/([^/]+)", self.path)
                held = registry.manifests if match and match[2] == "manifests" else registry.blobs
                body = held.get(match[1][3:] if match and match[2] == "manifests" else match and match[3])
                if body is not None and held is registry.blobs and match[1] != "storage" and self.command == "GET":
                    return self.send_on(match[3])
                status = 404 if body is None else 200
                body = body if body is not None else json.dumps({"errors": [{"code": "MANIFEST_UNKNOWN"}]}).encode()
                if registry.damaged and held is registry.blobs:
                    body = body[:-1] + bytes([body[-1] ^ 1])
                if status == 200 and (part := re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))):
                    status, body = 206, body[int(part[1]):int(part[2]) + 1]
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command == "GET":
                    try:
                        self.wfile.write(body)
                    except OSError:  # the server asks for parts anew, and hangs up
                        self.close_connection = True
                return None

            def send_on(self, digest):
                self.send_response(307)
                self.send_header("Location", f"https://127.0.0.1:{registry.server.server_address[1]}/storage/blobs/{digest}")
                self.send_header("Content-Length", "0")
                self.end_headers()

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.host = f"localhost:{self.server.server_address[1]}"

    def keep(self, model, name):
        """Takes a model of the store into memory, to be pulled as `name`."""
        manifest = (self.models / "manifests/registry.ollama.ai/library" / model / "latest").read_bytes()
        self.manifests[name] = manifest
        parts = json.loads(manifest)
        for layer in (parts["config"], *parts["layers"]):
            blob = (self.models / "blobs" / layer["digest"].replace(":", "-")).read_bytes()
            assert layer["digest"] == "sha256:" + hashlib.sha256(blob).hexdigest()
            self.blobs[layer["digest"]] = blob
        self.sizes = [layer["size"] for layer in parts["layers"]]

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

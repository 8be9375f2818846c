#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A Hugging Face Hub for tests: one process, threads, loopback, the standard library alone.

Two servers: the Hub on 127.0.0.1 and its "CDN" on localhost with another port, so that another host is
another host. Protocol as the real one has it (huggingface_hub is the judge: fake_hub_references_test.py):

  GET  /api/models/REPO[/revision/REV][?blobs=true]    sha, siblings, gated ...
  GET  /api/models/REPO/tree/REV?recursive=true        pages by Link: <...>; rel="next"
  HEAD, GET /REPO/resolve/REV/PATH                     small: 307 to /api/resolve-cache/..., relative
                                                       LFS: 302 to a signed URL of the CDN
Every request is recorded. Faults are rules: what they match, how often, what they do (class Fault).

    with FakeHub() as hub:
        hub.add("org/name", {"config.json": b"{}", "model.safetensors": weights})
        ... HF_ENDPOINT=hub.endpoint ...

`fake_hub.py FOLDER` serves each FOLDER/ORG/NAME (or FOLDER itself as org/model) until a line end comes on stdin.
"""
import argparse
import hashlib
import hmac
import http.server
import json
import os
import pathlib
import re
import socket
import sys
import threading
import time
import urllib.parse

SECRET = b"signed by the fake"
PIECE = 1 << 16


def is_lfs(path, size):
    """What the Hub's .gitattributes keep outside of git."""
    return size > 10_000_000 or path.endswith((".safetensors", ".gguf", ".bin", ".pth", ".h5", ".onnx", ".model"))


class Stored:
    """One file: bytes, or a path on disk."""

    def __init__(self, path, content, lfs=None):
        self.path = path
        self.disk = content if isinstance(content, pathlib.Path) else None
        self.content = None if self.disk else content
        self.size = self.disk.stat().st_size if self.disk else len(content)
        self.claimed_size = None  # what the Hub says instead
        self.claimed_etag = None
        self.lfs = is_lfs(path, self.size) if lfs is None else lfs
        digest = hashlib.sha256() if self.lfs else hashlib.sha1(b"blob %d\0" % self.size)
        for piece in self.pieces(0, self.size):
            digest.update(piece)
        self.etag = digest.hexdigest()

    def pieces(self, start, end):
        if self.content is not None:
            yield from (self.content[at:min(at + PIECE, end)] for at in range(start, end, PIECE))
            return
        with open(self.disk, "rb") as file:
            file.seek(start)
            while start < end:
                piece = file.read(min(1 << 20, end - start))
                start += len(piece)
                yield piece

    def said_size(self):
        return self.size if self.claimed_size is None else self.claimed_size

    def said_etag(self):
        return self.claimed_etag or self.etag

    def listing(self):
        """As the tree endpoint has it."""
        row = {"type": "file", "oid": self.said_etag(), "size": self.said_size(), "path": self.path}
        if self.lfs:
            row["oid"] = hashlib.sha1(self.etag.encode()).hexdigest()  # of the pointer file
            row["lfs"] = {"oid": self.said_etag(), "size": self.said_size(), "pointerSize": 134}
            row["xetHash"] = hashlib.sha256(b"xet" + self.etag.encode()).hexdigest()
        return row


class Fault:
    """where: "api", "resolve" or "cdn"; times: None = always; after: let so many matching requests pass first.
    One of: status with headers and body; cut=N (bytes, then the connection closes); drip=(n_bytes, seconds);
    flip=OFFSET (one wrong byte); ignore_range; flood=N header lines; hang=seconds before the answer;
    length=N (a Content-Length that is not true); location=URL (a redirect there); content_range=TEXT (instead of the
    true one); loris=(n_bytes, seconds, total): an answer that comes so slowly, with 200, or with status; endless: a
    body that never ends, with status or 200."""

    def __init__(self, where, contains="", times=1, after=0, method=None, **what):
        self.where, self.contains, self.times, self.after, self.method = where, contains, times, after, method
        self.what = what

    def take(self, where, method, path):
        if where != self.where or self.contains not in path or (self.method and self.method != method):
            return False
        if self.after > 0:
            self.after -= 1
            return False
        if self.times is None:
            return True
        self.times -= 1
        return self.times >= 0


class Repository:
    def __init__(self, name):
        self.name = name
        self.commits = {}  # sha -> {path: Stored}
        self.refs = {}
        self.gated = False  # or "auto", "manual"
        self.private = False
        self.disabled = False
        self.extra_rows = []  # put into the tree as they are: hostile names


class FakeHub:
    def __init__(self, token="hf_right", page=1000, url_seconds=3600, port=0, xet=True):
        self.token, self.page, self.url_seconds, self.xet = token, page, url_seconds, xet
        self.repositories, self.renamed, self.faults, self.requests = {}, {}, [], []
        self.lock = threading.Lock()
        self.servers = [Server(("127.0.0.1", port), self, "hub"), Server(("127.0.0.1", 0), self, "cdn")]
        self.endpoint = f"http://127.0.0.1:{self.servers[0].server_address[1]}"
        self.cdn = f"http://localhost:{self.servers[1].server_address[1]}"

    def __enter__(self):
        for server in self.servers:
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_):
        for server in self.servers:
            server.shutdown()
            server.server_close()

    def add(self, name, files, ref="main", lfs=None):
        """A new commit of the repository; returns its sha."""
        repository = self.repositories.setdefault(name, Repository(name))
        stored = {p: c if isinstance(c, Stored) else Stored(p, c, lfs) for p, c in files.items()}
        sha = hashlib.sha1(json.dumps([name, sorted((p, s.etag) for p, s in stored.items())]).encode()).hexdigest()
        repository.commits[sha] = stored
        repository.refs[ref] = sha
        return sha

    def fault(self, *arguments, **what):
        self.faults.append(Fault(*arguments, **what))

    def clear(self):
        with self.lock:
            self.faults, self.requests = [], []

    def find_fault(self, where, method, path):
        with self.lock:
            return next((f.what for f in self.faults if f.take(where, method, path)), {})

    def seen(self, server=None, method=None, contains=""):
        with self.lock:
            return [r for r in self.requests if (not server or r["server"] == server)
                    and (not method or r["method"] == method) and contains in r["path"]]

    def sign(self, path, expires):
        return hmac.new(SECRET, f"{path}:{expires}".encode(), "sha256").hexdigest()[:32]


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address, hub, role):
        self.hub, self.role = hub, role
        super().__init__(address, Handler)

    def handle_error(self, request, client_address):
        """A client that leaves is no news."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.answer()

    def do_GET(self):
        self.answer()

    def answer(self):
        hub = self.server.hub
        path = urllib.parse.urlsplit(self.path).path
        self.record = {"server": self.server.role, "method": self.command, "path": self.path, "sent_bytes": 0,
                       "at": time.monotonic(),
                       "headers": {k.lower(): v for k, v in self.headers.items()}, "status": 0}
        with hub.lock:
            hub.requests.append(self.record)
        where = "cdn" if self.server.role == "cdn" else "api" if path.startswith("/api/models/") else "resolve"
        self.fault = hub.find_fault(where, self.command, self.path)
        if "hang" in self.fault:
            time.sleep(self.fault["hang"])
        if "endless" in self.fault or "loris" in self.fault:
            return self.drivel()
        if "status" in self.fault:
            return self.reply(self.fault["status"], self.fault.get("body", b""), self.fault.get("headers", {}))
        if "location" in self.fault:
            return self.reply(302, b"", {"Location": self.fault["location"], **self.fault.get("headers", {})})
        try:
            if where == "cdn":
                return self.content(path)
            if where == "api":
                return self.api(path)
            return self.resolve(path)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def reply(self, status, body=b"", headers=()):
        self.record["status"] = status
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        for i in range(self.fault.get("flood", 0)):
            self.send_header(f"X-Flood-{i}", "x" * 1000)
        if "Content-Length" not in dict(headers):
            self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Request-Id", "Root=1-fake")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
            self.record["sent_bytes"] += len(body)
        self.wfile.flush()

    def drivel(self):
        """Bytes of no meaning, for as long as the client listens."""
        n_bytes, pause, left = self.fault.get("loris", (PIECE, 0, 1 << 62))
        self.record["status"] = self.fault.get("status", 200)
        self.close_connection = True
        try:
            self.send_response(self.record["status"])
            for name, value in self.fault.get("headers", {}).items():
                self.send_header(name, value)
            self.end_headers()
            while left > 0:
                self.wfile.write(b" " * n_bytes)
                self.wfile.flush()
                self.record["sent_bytes"] += n_bytes
                left -= n_bytes
                time.sleep(pause)
        except OSError:
            pass

    def refuse(self, status, code, message):
        headers = {"Content-Type": "application/json", "X-Error-Message": message}
        if code:
            headers["X-Error-Code"] = code
        self.reply(status, json.dumps({"error": message}).encode(), headers)

    def allowed(self, name, content):
        """The repository, or None when the refusal has been sent. content: more than its listing is wanted."""
        hub = self.server.hub
        given = self.headers.get("Authorization", "")
        known = given == f"Bearer {hub.token}"
        repository = hub.repositories.get(name)
        if given and not known:
            return self.refuse(401, None, "Invalid credentials in Authorization header")
        if not repository or (repository.private and not known):
            if known:
                return self.refuse(404, "RepoNotFound", "Repository not found")
            return self.refuse(401, "RepoNotFound", "Invalid username or password.")
        if repository.disabled:
            return self.refuse(403, None, "Access to this resource is disabled.")
        if content and repository.gated and not known:
            return self.refuse(401, "GatedRepo", f"Access to model {name} is restricted. You must have access to it "
                               "and be authenticated to access it. Please log in.")
        if content and repository.gated == "manual":
            return self.refuse(403, "GatedRepo", f"Access to model {name} is restricted and you are not in the "
                               "authorized list.")
        return repository

    def commit_of(self, repository, revision):
        sha = repository.refs.get(revision, revision if revision in repository.commits else None)
        if not sha:
            self.refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return sha

    def moved(self, path, name):
        """A renamed repository answers with a relative redirect."""
        target = self.server.hub.renamed.get(name)
        if target:
            self.reply(307, b"", {"Location": self.path.replace(name, target, 1)})
        return bool(target)

    def api(self, path):
        hub = self.server.hub
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        match = re.fullmatch(r"/api/models/([^/]+(?:/[^/]+)?)(?:/(revision|tree)/([^/]+))?/?", path)
        if not match:
            return self.refuse(404, None, "Sorry, we can't find the page you are looking for.")
        name, what, revision = match[1], match[2], urllib.parse.unquote(match[3] or "main")
        if self.moved(path, name):
            return None
        repository = self.allowed(name, content=False)
        sha = repository and self.commit_of(repository, revision)
        if not sha:
            return None
        rows = [file.listing() for _, file in sorted(repository.commits[sha].items())] + repository.extra_rows
        if what == "tree":
            start = int(query.get("cursor", ["0"])[0])
            headers = {"Content-Type": "application/json", "X-Repo-Commit": sha}
            if start + hub.page < len(rows):
                link = f"{hub.endpoint}{path}?recursive=true&cursor={start + hub.page}"
                headers["Link"] = f'<{link}>; rel="next"'
            folders = [{"type": "directory", "oid": "0" * 40, "size": 0, "path": "folder"}] if start == 0 else []
            return self.reply(200, json.dumps(folders + rows[start:start + hub.page]).encode(), headers)
        siblings = [{"rfilename": row["path"]} for row in rows]
        if query.get("blobs") == ["true"]:
            for sibling, row in zip(siblings, rows):
                sibling.update(size=row["size"], blobId=row["oid"])
                if "lfs" in row:
                    sibling["lfs"] = {"sha256": row["lfs"]["oid"], "size": row["lfs"]["size"], "pointerSize": 134}
        body = {"_id": "0", "id": name, "modelId": name, "sha": sha, "private": repository.private, "tags": [],
                "gated": repository.gated, "disabled": repository.disabled, "downloads": 1, "likes": 1,
                "siblings": siblings, "lastModified": "2026-01-01T00:00:00.000Z", "createdAt": "2026-01-01T00:00:00.000Z"}
        return self.reply(200, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def resolve(self, path):
        hub = self.server.hub
        cached = re.fullmatch(r"/api/resolve-cache/models/([^/]+/[^/]+)/([0-9a-f]{40})/(.+)", path)
        match = cached or re.fullmatch(r"/([^/]+(?:/[^/]+)?)/resolve/([^/]+)/(.+)", path)
        if not match:
            return self.refuse(404, None, "Not Found")
        name, revision, file_path = match[1], urllib.parse.unquote(match[2]), urllib.parse.unquote(match[3])
        if self.moved(path, name):
            return None
        repository = self.allowed(name, content=True)
        sha = repository and self.commit_of(repository, revision)
        if not sha:
            return None
        file = repository.commits[sha].get(file_path)
        if not file:
            self.record["status"] = 404
            return self.reply(404, b"Entry not found", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": sha,
                                                        "X-Error-Message": "Entry not found"})
        if cached:
            return self.body(file, {"X-Repo-Commit": sha, "ETag": f'"{file.said_etag()}"'})
        if not file.lfs:
            query = urllib.parse.urlencode({path: "", "etag": f'"{file.said_etag()}"'})
            return self.reply(307, b"", {
                "Location": f"/api/resolve-cache/models/{name}/{sha}/{urllib.parse.quote(file_path)}?{query}",
                "X-Repo-Commit": sha, "X-Linked-Size": str(file.said_size()), "X-Linked-ETag": f'"{file.said_etag()}"'})
        key = f"/repos/fa/ke/{file.etag}"
        expires = int(time.time() + hub.url_seconds)
        location = f"{hub.cdn}{key}?Expires={expires}&Signature={hub.sign(key, expires)}"
        headers = {"Location": location, "X-Repo-Commit": sha, "X-Linked-Size": str(file.said_size()),
                   "X-Linked-ETag": f'"{file.said_etag()}"', "Accept-Ranges": "bytes", "Vary": "Origin, Accept"}
        if hub.xet:
            headers["X-Xet-Hash"] = hashlib.sha256(b"xet" + file.etag.encode()).hexdigest()
            headers["Link"] = f'<{hub.endpoint}/api/models/{name}/xet-read-token/{sha}>; rel="xet-auth"'
        return self.reply(302, b"Found. Redirecting", headers)

    def content(self, path):
        hub = self.server.hub
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        expires = int(query.get("Expires", ["0"])[0])
        if query.get("Signature") != [hub.sign(path, expires)] or expires < time.time():
            return self.reply(403, b"<Error><Code>AccessDenied</Code></Error>")
        if self.headers.get("Authorization"):  # as S3 does for two ways of signing at once
            return self.reply(400, b"<Error><Code>InvalidArgument</Code></Error>")
        etag = path.rsplit("/", 1)[1]
        for repository in hub.repositories.values():
            for files in repository.commits.values():
                for file in files.values():
                    if file.etag == etag:
                        return self.body(file, {"ETag": f'"{etag}"', "Accept-Ranges": "bytes"})
        return self.reply(404, b"<Error><Code>NoSuchKey</Code></Error>")

    def body(self, file, headers):
        """The bytes, with Range, and with whatever goes wrong in them."""
        fault = self.fault
        start, end, status = 0, file.size, 200
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked and not fault.get("ignore_range"):
            start, end = int(asked[1]), min(file.size, int(asked[2]) + 1 if asked[2] else file.size)
            if start >= file.size or start >= end:
                return self.reply(416, b"", {"Content-Range": f"bytes */{file.size}"})
            headers["Content-Range"] = fault.get("content_range", f"bytes {start}-{end - 1}/{file.size}")
            status = 206
        headers["Content-Length"] = str(fault.get("length", end - start))
        self.record["status"] = status
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        for i in range(fault.get("flood", 0)):
            self.send_header(f"X-Flood-{i}", "x" * 1000)
        self.end_headers()
        if self.command == "HEAD":
            return self.wfile.flush()
        if file.disk and not fault:
            self.wfile.flush()
            with open(file.disk, "rb") as source:
                while start < end:
                    n = os.sendfile(self.connection.fileno(), source.fileno(), start, min(end - start, 1 << 22))
                    start += n
                    self.record["sent_bytes"] += n
            return None
        cut = fault.get("cut", file.size + 1)
        n_drip, pause = fault.get("drip", (PIECE, 0))
        at = start
        for piece in file.pieces(start, end):
            for i in range(0, len(piece), n_drip):
                part = bytearray(piece[i:i + n_drip])
                if at <= fault.get("flip", -1) < at + len(part):
                    part[fault["flip"] - at] ^= 1
                part = part[:max(0, cut - self.record["sent_bytes"])]
                self.wfile.write(part)
                if pause:
                    self.wfile.flush()
                    time.sleep(pause)
                at += len(part)
                self.record["sent_bytes"] += len(part)
                if self.record["sent_bytes"] >= cut:
                    self.wfile.flush()
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                    return None
        if fault.get("length", 0) > end - start:
            self.close_connection = True
        return self.wfile.flush()


def serve_folder(hub, folder):
    files = {str(p.relative_to(folder)): p for p in sorted(folder.rglob("*")) if p.is_file()}
    names = {tuple(pathlib.Path(p).parts[:2]) for p in files if len(pathlib.Path(p).parts) > 2}
    if not names:
        hub.add("org/model", files)
    for org, name in sorted(names):
        prefix = f"{org}/{name}/"
        hub.add(prefix[:-1], {p[len(prefix):]: f for p, f in files.items() if p.startswith(prefix)})


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--port", type=int, default=0)
    arguments = parser.parse_args()
    with FakeHub(port=arguments.port, xet=False) as hub:
        serve_folder(hub, arguments.folder)
        print(f"HF_ENDPOINT={hub.endpoint}", flush=True)
        sys.stdin.readline()


if __name__ == "__main__":
    main()

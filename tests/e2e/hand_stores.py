# SPDX-License-Identifier: Apache-2.0
"""Stores made by hand, by the written formats: the Hub's cache and Ollama's models. Nothing here asks adam."""
import hashlib
import json
import os
import pathlib


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def git_sha1(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class HubCache:
    """CACHE/models--ORG--NAME/{blobs,refs,snapshots}, as huggingface_hub lays it out."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.root.mkdir(parents=True, exist_ok=True)

    def folder(self, repository):
        return self.root / ("models--" + repository.replace("/", "--"))

    def add(self, repository, commit, files, ref="main", large=()):
        """files: name -> bytes. Names in `large`, and those over 1000 bytes, are LFS: named by SHA-256."""
        folder = self.folder(repository)
        (folder / "blobs").mkdir(parents=True, exist_ok=True)
        (folder / "refs").mkdir(exist_ok=True)
        if ref:
            (folder / "refs" / ref).write_text(commit)
        for name, data in files.items():
            etag = sha256(data) if name in large or len(data) > 1000 else git_sha1(data)
            blob = folder / "blobs" / etag
            if not blob.exists():
                blob.write_bytes(data)
            link = folder / "snapshots" / commit / name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(os.path.relpath(blob, link.parent))
        return folder


class OllamaStore:
    """ROOT/{manifests,blobs}, as Ollama's server reads it."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        (self.root / "blobs").mkdir(parents=True, exist_ok=True)
        (self.root / "manifests").mkdir(exist_ok=True)

    def blob(self, data):
        path = self.root / "blobs" / f"sha256-{sha256(data)}"
        if not path.exists():
            path.write_bytes(data)
        return path

    def layer(self, kind, data):
        self.blob(data)
        return {"mediaType": "application/vnd.ollama.image." + kind, "digest": "sha256:" + sha256(data), "size": len(data)}

    def manifest_path(self, name, tag="latest"):
        return self.root / "manifests" / "registry.ollama.ai" / "library" / name / tag

    def add(self, name, weights, tag="latest", **texts):
        """texts: kind -> text of a layer ("template", "system", "params", ...)."""
        config = json.dumps({"model_format": "gguf", "model_family": "llama", "model_families": ["llama"],
                             "model_type": "1M", "file_type": "F16", "architecture": "amd64", "os": "linux",
                             "rootfs": {"type": "layers", "diff_ids": ["sha256:" + sha256(weights)]}}).encode()
        self.blob(config)
        manifest = {"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
                    "config": {"mediaType": "application/vnd.docker.container.image.v1+json",
                               "digest": "sha256:" + sha256(config), "size": len(config)},
                    "layers": [self.layer("model", weights)] + [self.layer(k, t.encode()) for k, t in texts.items()]}
        path = self.manifest_path(name, tag)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(manifest))
        return manifest

    def blobs(self):
        return {p.name for p in (self.root / "blobs").iterdir()}

    def digests_of(self, name, tag="latest"):
        manifest = json.loads(self.manifest_path(name, tag).read_text())
        return [x["digest"].replace(":", "-") for x in manifest["layers"] + [manifest["config"]]]

    def check(self):
        """Raises where a manifest names a blob that is not there, or not what it says."""
        for path in self.root.glob("manifests/*/*/*/*"):
            manifest = json.loads(path.read_text())
            for layer in manifest["layers"] + [manifest["config"]]:
                blob = self.root / "blobs" / layer["digest"].replace(":", "-")
                data = blob.read_bytes()
                assert len(data) == layer["size"] and "sha256:" + sha256(data) == layer["digest"], (path, blob)


def files_below(*roots):
    """Path -> content of every regular file, links not followed."""
    return {p: p.read_bytes() for root in roots for p in pathlib.Path(root).rglob("*")
            if p.is_file() and not p.is_symlink()}


def bytes_once(*roots):
    """Bytes of the inodes below the roots."""
    inodes = {}
    for root in roots:
        for p in pathlib.Path(root).rglob("*"):
            if p.is_file() and not p.is_symlink():
                facts = p.stat()
                inodes[facts.st_dev, facts.st_ino] = facts.st_size
    return sum(inodes.values())


def dangling(*roots):
    return [p for root in roots for p in pathlib.Path(root).rglob("*") if p.is_symlink() and not p.exists()]

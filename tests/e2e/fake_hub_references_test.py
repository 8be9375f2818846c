# SPDX-License-Identifier: Apache-2.0
"""The fake Hub against the official client: what huggingface_hub accepts is what the real Hub says.

    fake_hub_references_test.py [BUILD]      (needs huggingface_hub; SKIP without)
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

REQUIRED = os.environ.get("ADAM_REQUIRE_REFERENCES") == "1"
os.environ["HF_HUB_DISABLE_XET"] = os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
for key in ("HF_TOKEN", "HF_HUB_OFFLINE", "HF_ENDPOINT", "HF_HUB_CACHE"):
    os.environ.pop(key, None)
_home = tempfile.TemporaryDirectory(prefix="adam-fake-hub-")
os.environ["HF_HOME"] = _home.name
try:
    import huggingface_hub
    from huggingface_hub import errors
except ImportError as error:
    print(f"{'no' if REQUIRED else 'SKIP: no'} reference: {error}")
    sys.exit(1 if REQUIRED else 77)

from fake_hub import FakeHub

WEIGHTS = os.urandom(24_000_001)  # the client reads 10 MB at once
FILES = {"config.json": b'{"model_type": "llama"}', "README.md": b"# Read me\n", "model.safetensors": WEIGHTS,
         "sub/folder/words.txt": b"a b c\n"}


def check_snapshot(hub, cache):
    sha = hub.add("org/model", FILES)
    path = pathlib.Path(huggingface_hub.snapshot_download("org/model", endpoint=hub.endpoint, cache_dir=cache))
    assert path.name == sha
    assert {str(p.relative_to(path)): p.read_bytes() for p in path.rglob("*") if p.is_file()} == FILES
    hosts = {(r["server"], "authorization" in r["headers"]) for r in hub.seen()}
    assert ("cdn", True) not in hosts and ("cdn", False) in hosts
    hub.page = 2  # the same over several pages
    hub.clear()
    paths = [f.path for f in huggingface_hub.HfApi(hub.endpoint).list_repo_tree("org/model", recursive=True)]
    assert [p for p in paths if p != "folder"] == sorted(FILES), paths
    assert len(hub.seen(contains="/tree/")) == 2
    info = huggingface_hub.HfApi(hub.endpoint).model_info("org/model", files_metadata=True)
    assert info.sha == sha and {s.rfilename: s.size for s in info.siblings} == {p: len(c) for p, c in FILES.items()}


def check_command(hub, folder):
    environment = {**os.environ, "HF_ENDPOINT": hub.endpoint, "HF_HUB_CACHE": str(folder)}
    tool = shutil.which("hf", path=os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]]))
    done = subprocess.run([tool, "download", "org/model"], env=environment, capture_output=True, text=True, check=True)
    assert "snapshots" in done.stdout
    hub.fault("cdn", "", cut=15_000_000)  # goes on by Range
    shutil.rmtree(folder)
    subprocess.run([tool, "download", "org/model"], env=environment, capture_output=True, text=True, check=True)
    ranges = [r["headers"].get("range") for r in hub.seen("cdn", "GET")]
    assert any(r and r.startswith("bytes=") and r != "bytes=0-" for r in ranges), ranges


def expect(error, name, hub, **more):
    try:
        huggingface_hub.HfApi(hub.endpoint, token=more.pop("token", False)).hf_hub_download(
            name, more.pop("filename", "config.json"), cache_dir=tempfile.mkdtemp(dir=_home.name), **more)
    except error:
        return
    raise AssertionError(f"{name}: no {error.__name__}")


def check_errors(hub):
    hub.add("org/gated", FILES)
    hub.repositories["org/gated"].gated = "auto"
    hub.add("org/private", FILES)
    hub.repositories["org/private"].private = True
    hub.add("org/off", FILES)
    hub.repositories["org/off"].disabled = True
    expect(errors.RepositoryNotFoundError, "org/none", hub)
    expect(errors.RepositoryNotFoundError, "org/private", hub)
    expect(errors.GatedRepoError, "org/gated", hub)
    try:
        huggingface_hub.HfApi(hub.endpoint).model_info("org/off")
        raise AssertionError("org/off: no error")
    except errors.DisabledRepoError:
        pass
    expect(errors.RevisionNotFoundError, "org/model", hub, revision="none")
    expect(errors.RemoteEntryNotFoundError, "org/model", hub, filename="none.json")
    expect(errors.RepositoryNotFoundError, "org/none", hub, token=hub.token)
    huggingface_hub.HfApi(hub.endpoint, token=hub.token).hf_hub_download("org/private", "config.json")
    hub.renamed["org/older"] = "org/model"
    cache = tempfile.mkdtemp(dir=_home.name)
    api = huggingface_hub.HfApi(hub.endpoint)
    for name in FILES:
        path = api.hf_hub_download("org/older", name, cache_dir=cache)
        assert pathlib.Path(path).read_bytes() == FILES[name]
    hub.clear()
    hub.fault("resolve", "config.json", status=429, headers={"ratelimit": '"resolvers";r=0;t=0'})
    api.hf_hub_download("org/model", "config.json", cache_dir=tempfile.mkdtemp(dir=_home.name))
    assert len(hub.seen("hub", "HEAD", "/resolve/")) == 2


with FakeHub() as fake:
    check_snapshot(fake, os.path.join(_home.name, "one"))
    check_command(fake, os.path.join(_home.name, "two"))
    check_errors(fake)
print("fake_hub: huggingface_hub", huggingface_hub.__version__, "takes it for the Hub")

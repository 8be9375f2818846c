# SPDX-License-Identifier: Apache-2.0
"""One cache, two programs: what adam pulls huggingface_hub opens, and the other way round.

    hub_cache_references_test.py BUILD      (needs huggingface_hub; SKIP without)
"""
import hashlib
import logging
import os
import pathlib
import subprocess
import sys
import tempfile
import warnings

REQUIRED = os.environ.get("ADAM_REQUIRE_REFERENCES") == "1"
_home = tempfile.TemporaryDirectory(prefix="adam-hub-cache-")
for key in [k for k in os.environ if k.startswith("HF_")]:
    del os.environ[key]
os.environ.update(HF_HUB_DISABLE_XET="1", HF_HUB_DISABLE_PROGRESS_BARS="1", HF_HOME=_home.name)
try:
    import huggingface_hub
    from huggingface_hub import constants, scan_cache_dir, snapshot_download, try_to_load_from_cache
except ImportError as error:
    print(f"{'no' if REQUIRED else 'SKIP: no'} reference: {error}")
    sys.exit(1 if REQUIRED else 77)

from fake_hub import FakeHub

ROOT = pathlib.Path(__file__).resolve().parents[2]
ADAM = pathlib.Path(sys.argv[1]).resolve() / "adam"
DEMO = {p.name: p.read_bytes() for p in (ROOT / "models/demo").iterdir() if p.is_file()}
SHARDS = {f"model-0000{i}-of-00002.safetensors": os.urandom(9_000_000) for i in (1, 2)}
SHARDED = {**SHARDS, "config.json": b"{}", "1_Pooling/config.json": b"{}", "model.safetensors.index.json":
           b'{"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}'}


def adam(hub, cache, *arguments):
    environment = {**os.environ, "HF_ENDPOINT": hub.endpoint, "HF_HUB_CACHE": str(cache), "ADAM_SHARE_DIR": str(ROOT)}
    done = subprocess.run([ADAM, *arguments], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def layout(cache):
    """Every name below the cache with what it is, locks and the tree listings of the Python client aside."""
    found = {}
    for path in sorted(pathlib.Path(cache).rglob("*")):
        name = str(path.relative_to(cache))
        if "/trees" in name or name.startswith(".locks") or path.is_dir():
            continue
        found[name] = os.readlink(path) if path.is_symlink() else hashlib.sha256(path.read_bytes()).hexdigest()
    found.pop("CACHEDIR.TAG", None)  # its second line says who made it
    return found


def check_ours(hub, cache):
    """huggingface_hub without a network opens what adam pulled, and has nothing to complain about."""
    paths = {name: adam(hub, cache, "pull", name) for name in ("org/demo", "org/sharded")}
    constants.HF_HUB_OFFLINE = True
    try:
        for name, files in (("org/demo", DEMO), ("org/sharded", SHARDED)):
            assert snapshot_download(name, cache_dir=cache) == paths[name]
            for path, content in files.items():
                assert pathlib.Path(try_to_load_from_cache(name, path, cache_dir=cache)).read_bytes() == content
                assert huggingface_hub.hf_hub_download(name, path, cache_dir=cache)
        absent = try_to_load_from_cache("org/sharded", "model.safetensors", cache_dir=cache)
        assert absent is huggingface_hub._CACHED_NO_EXIST
        info = scan_cache_dir(cache)
        assert not info.warnings, info.warnings
        sizes = {r.repo_id: (r.nb_files, r.size_on_disk, [set(v.refs) for v in r.revisions]) for r in info.repos}
        assert sizes == {"org/demo": (len(DEMO), sum(map(len, DEMO.values())), [{"main"}]),
                         "org/sharded": (len(SHARDED) - 1, sum(map(len, SHARDED.values())) - 2, [{"main"}])}, sizes
    finally:
        constants.HF_HUB_OFFLINE = False
    # With the network it asks, finds everything there, and fetches nothing.
    hub.clear()
    assert snapshot_download("org/demo", cache_dir=cache, endpoint=hub.endpoint) == paths["org/demo"]
    assert not hub.seen(contains="/resolve"), hub.seen(contains="/resolve")


def check_theirs(hub, cache, ours):
    """adam opens and completes what huggingface_hub downloaded, and both lay it out the same."""
    for name in ("org/demo", "org/sharded"):
        snapshot_download(name, cache_dir=cache, endpoint=hub.endpoint)
    hub.clear()
    for name in ("org/demo", "org/sharded"):
        assert adam(hub, cache, "pull", name, "--offline") == adam(hub, cache, "pull", name)
    assert not hub.seen(contains="/resolve")
    assert adam(hub, cache, "run", "org/demo", "--max-tokens", "2", "hi")
    here, there = layout(ours), layout(cache)
    assert here == there, set(here.items()) ^ set(there.items())


def check_locks(hub, cache):
    """Their lock keeps us out, and ours them: the bytes come once."""
    hub.clear()
    hub.fault("cdn", times=None, drip=(64 << 10, 0.002))
    environment = {**os.environ, "HF_ENDPOINT": hub.endpoint, "HF_HUB_CACHE": str(cache)}
    both = [subprocess.Popen([ADAM, "pull", "org/sharded"], env=environment, stdout=subprocess.DEVNULL),
            subprocess.Popen([sys.executable, "-c", "from huggingface_hub import snapshot_download as s; s('org/sharded')"],
                             env=environment, stdout=subprocess.DEVNULL)]
    assert [p.wait(120) for p in both] == [0, 0]
    shards = sum(map(len, SHARDS.values()))
    sent = sum(r["sent_bytes"] for r in hub.seen("cdn"))
    assert sent == shards, f"{sent} of {shards}"


warnings.simplefilter("error")
logging.getLogger("huggingface_hub").addHandler(logging.StreamHandler(sys.stdout))
with FakeHub() as fake:
    fake.add("org/demo", DEMO)
    fake.add("org/sharded", SHARDED)
    check_ours(fake, os.path.join(_home.name, "ours"))
    check_theirs(fake, os.path.join(_home.name, "theirs"), os.path.join(_home.name, "ours"))
    check_locks(fake, os.path.join(_home.name, "both"))
_home.cleanup()
print("hub cache: adam and huggingface_hub", huggingface_hub.__version__, "open each other's")

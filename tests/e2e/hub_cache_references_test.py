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
import time
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
SHARDS = {f"model-0000{i}-of-00002.safetensors": os.urandom(6_000_000) for i in (1, 2)}
LARGE = os.urandom(40_000_000)
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


HF = [sys.executable, "-c", "import sys; from huggingface_hub.cli.hf import main; main()", "download"]


def start(hub, cache, command, **more):
    environment = {**os.environ, "HF_ENDPOINT": hub.endpoint, "HF_HUB_CACHE": str(cache), **more}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_until(condition, seconds=60):
    for _ in range(seconds * 100):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come to that")


def check_locks(hub, folder):
    """Their lock keeps us out, and ours them: whoever comes first, the bytes come once."""
    shards = sum(map(len, SHARDS.values()))
    for first in ("adam", "hf"):
        cache = os.path.join(folder, first)
        hub.clear()
        hub.fault("cdn", times=None, drip=(32 << 10, 0.03))
        commands = {"adam": [ADAM, "pull", "--json", "org/sharded"], "hf": [*HF, "org/sharded"]}
        one = start(hub, cache, commands[first])
        wait_until(lambda: sum(r["sent_bytes"] for r in hub.seen("cdn")) > 0)
        other = start(hub, cache, commands["hf" if first == "adam" else "adam"])
        ended = {first: one.communicate(timeout=120)}
        at = time.monotonic()
        agents = {r["headers"].get("user-agent", "").split("/")[0] for r in hub.seen("hub") if r["at"] < at}
        ended["other"] = other.communicate(timeout=120)
        assert one.returncode == 0 and other.returncode == 0, ended
        sent = sum(r["sent_bytes"] for r in hub.seen("cdn"))
        assert sent == shards, f"{first} first: {sent} of {shards}"
        if first == "hf":
            assert '"locked"' in ended["other"][0], "adam did not wait for hf"
        assert len(agents) >= 2 and "adam" in agents, f"{first} was done before the other asked: {agents}"
        ours = layout(cache)
        assert {n for n in ours if "/blobs/" in n} and not [n for n in ours if n.endswith((".incomplete", ".tmp"))], ours
    # hf killed in the middle: adam goes on with what it left.
    cache = pathlib.Path(folder) / "killed"
    hub.clear()
    hub.fault("cdn", times=None, drip=(64 << 10, 0.01))
    one = start(hub, cache, [*HF, "org/large"])
    partials = lambda: list(cache.glob("models--org--large/blobs/*.incomplete"))
    wait_until(lambda: partials() and partials()[0].stat().st_size >= 10 << 20)
    one.kill()
    one.communicate()
    left = partials()[0]
    n_left = left.stat().st_size
    os.utime(left, (time.time() - 60, time.time() - 60))
    hub.clear()
    adam(hub, cache, "pull", "org/large")
    sent = sum(r["sent_bytes"] for r in hub.seen("cdn"))
    assert sent <= len(LARGE) - n_left + (1 << 20), f"{sent} of {len(LARGE)}, {n_left} were there"
    assert not partials()


def check_shared_blobs(hub, cache):
    """What huggingface_hub keeps once for all repositories (Xet): read through its links, and taken instead of fetched."""
    from huggingface_hub.utils import _shared_blobs as shared
    snapshot = pathlib.Path(snapshot_download("org/large", cache_dir=cache, endpoint=hub.endpoint))
    digest = hashlib.sha256(LARGE).hexdigest()
    xet = hashlib.sha256(b"xet" + digest.encode()).hexdigest()
    blob = snapshot.parents[1] / "blobs" / digest
    assert shared.publish_blob_to_shared_store(blob_path=str(blob), xet_hash=xet, cache_dir=str(cache), expected_size=len(LARGE))
    assert blob.is_symlink() and shared.shared_blob_path(cache, xet).is_file()
    hub.clear()
    assert adam(hub, cache, "pull", "org/large") == adam(hub, cache, "pull", "org/large", "--offline") == str(snapshot)
    assert not hub.seen(contains="/resolve")
    assert "org/large" in adam(hub, cache, "list")
    other = pathlib.Path(adam(hub, cache, "pull", "org/copy"))
    assert (other / "model.safetensors").read_bytes() == LARGE
    assert not hub.seen("cdn"), "it was on this machine already"
    assert os.path.samefile(other / "model.safetensors", shared.shared_blob_path(cache, xet))
    assert not scan_cache_dir(cache).warnings
    # Theirs goes, ours stays; and a damaged one is not believed.
    strategy = scan_cache_dir(cache).delete_revisions(snapshot.name)
    strategy.execute()
    assert not snapshot.exists() and (other / "model.safetensors").read_bytes() == LARGE


def check_transformers(hub, cache):
    """transformers, offline, in our cache: the same text as adam's own."""
    code = ("import sys, torch, transformers as t\n"
            "k = t.AutoTokenizer.from_pretrained('org/demo'); m = t.AutoModelForCausalLM.from_pretrained('org/demo', dtype=torch.float32)\n"
            "ids = k('Once upon a time', return_tensors='pt').input_ids\n"
            "out = m.generate(ids, do_sample=False, max_new_tokens=12, repetition_penalty=1.0)\n"
            "sys.stdout.write(k.decode(out[0, ids.shape[1]:], skip_special_tokens=True))")
    if subprocess.run([sys.executable, "-c", "import torch, transformers"], capture_output=True, check=False).returncode:
        assert not REQUIRED, "no transformers"
        print("without transformers: that it opens the cache is not checked")
        return
    adam(hub, cache, "pull", "org/demo")
    hub.clear()
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(cache), "HF_ENDPOINT": hub.endpoint, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    ours = adam(hub, cache, "run", "org/demo", "--raw", "--temperature", "0", "--max-tokens", "12", "Once upon a time")
    assert done.stdout.strip() == ours.strip(), (done.stdout, ours)
    assert hub.seen() == []


def check_tool(hub, cache):
    """hf's own look at what we wrote: every checksum fits, nothing is unfinished or detached."""
    for command in (["verify", "org/sharded"], ["ls"], ["prune", "--dry-run"]):
        done = start(hub, cache, [*HF[:-1], "cache", *command])
        shown, errors = done.communicate(timeout=60)
        assert done.returncode == 0, shown + errors
        if command == ["ls"]:
            assert "org/sharded" in shown and "org/demo" in shown, shown
        print("hf cache", *command, ":", " ".join(shown.split())[:150])


warnings.simplefilter("error")
logging.getLogger("huggingface_hub").addHandler(logging.StreamHandler(sys.stdout))
with FakeHub() as fake:
    fake.add("org/demo", DEMO)
    fake.add("org/sharded", SHARDED)
    check_ours(fake, os.path.join(_home.name, "ours"))
    check_theirs(fake, os.path.join(_home.name, "theirs"), os.path.join(_home.name, "ours"))
    fake.add("org/large", {"config.json": b"{}", "model.safetensors": LARGE})
    fake.add("org/copy", {"config.json": b"{ }", "model.safetensors": LARGE})
    check_tool(fake, os.path.join(_home.name, "ours"))
    check_transformers(fake, os.path.join(_home.name, "ours"))
    check_locks(fake, os.path.join(_home.name, "both"))
    fake.clear()
    check_shared_blobs(fake, os.path.join(_home.name, "shared"))
_home.cleanup()
print("hub cache: adam and huggingface_hub", huggingface_hub.__version__, "open each other's")

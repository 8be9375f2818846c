# SPDX-License-Identifier: Apache-2.0
"""adam pull on machines that lack something: symbolic links, locks, room.    pull_machine_test.py [BUILD]

What this machine has is taken away by a library loaded before the C library, made here with the compiler."""
import pathlib
import shutil
import subprocess
import sys
import unittest

from command import ADAM, HOME, environment
from pull_test import BIG, MB, SMALL, Case

SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

int symlink(const char *target, const char *path) {
  int (*real)(const char *, const char *) = (int (*)(const char *, const char *))dlsym(RTLD_NEXT, "symlink");
  return getenv("NO_SYMLINKS") ? (errno = EPERM, -1) : real(target, path);
}
int link(const char *from, const char *to) {
  int (*real)(const char *, const char *) = (int (*)(const char *, const char *))dlsym(RTLD_NEXT, "link");
  return getenv("NO_LINKS") ? (errno = EPERM, -1) : real(from, to);
}
int linkat(int a, const char *from, int b, const char *to, int flags) {
  int (*real)(int, const char *, int, const char *, int) =
      (int (*)(int, const char *, int, const char *, int))dlsym(RTLD_NEXT, "linkat");
  return getenv("NO_LINKS") ? (errno = EPERM, -1) : real(a, from, b, to, flags);
}
int flock(int fd, int how) {
  int (*real)(int, int) = (int (*)(int, int))dlsym(RTLD_NEXT, "flock");
  return getenv("NO_LOCKS") ? (errno = ENOLCK, -1) : real(fd, how);
}
static int room(int status, unsigned long block, unsigned long *free_blocks) {
  if (getenv("FREE_BYTES")) *free_blocks = strtoul(getenv("FREE_BYTES"), NULL, 10) / (block ? block : 1);
  return status;
}
int statvfs(const char *path, struct statvfs *out) {
  int (*real)(const char *, struct statvfs *) = (int (*)(const char *, struct statvfs *))dlsym(RTLD_NEXT, "statvfs");
  int status = real(path, out);
  return room(status, out->f_frsize, (unsigned long *)&out->f_bavail);
}
int statvfs64(const char *path, struct statvfs64 *out) {
  int (*real)(const char *, struct statvfs64 *) = (int (*)(const char *, struct statvfs64 *))dlsym(RTLD_NEXT, "statvfs64");
  int status = real(path, out);
  return room(status, out->f_frsize, (unsigned long *)&out->f_bavail);
}
"""


def make_shim():
    compiler = shutil.which("cc") or shutil.which("gcc")
    library = HOME / "shim.so"
    if compiler and not library.exists():
        (HOME / "shim.c").write_text(SHIM)
        subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), str(HOME / "shim.c"), "-ldl"], check=True)
    return library if compiler else None


class Lacking(Case):
    def setUp(self):
        super().setUp()
        shim = make_shim()
        if not shim:
            self.skipTest("no C compiler")
        self.files = {**SMALL, "model.safetensors": BIG, "NOTICE": SMALL["LICENSE"]}
        self.hub.add("org/model", self.files)
        self.env.update(LD_PRELOAD=str(shim), ASAN_OPTIONS="verify_asan_link_order=0:detect_leaks=0")

    def used(self):
        return sum({(p.stat().st_ino): p.stat().st_blocks * 512 for p in self.folder().rglob("*") if p.is_file()}.values())

    def test_no_symbolic_links(self):
        """As huggingface_hub: what is new and needed once is moved, so nothing lies on the disk twice."""
        path = self.works("org/model", env={"NO_SYMLINKS": "1", "NO_LINKS": "1"})
        self.assert_content(path, self.files)
        self.assertEqual([p for p in path.rglob("*") if p.is_symlink()], [])
        self.assertLess(self.used(), len(BIG) + MB)
        self.hub.clear()
        self.assertEqual(self.works("org/model", env={"NO_SYMLINKS": "1"}), path)
        self.assertEqual(self.works("org/model", "--offline"), path)
        self.assertEqual(self.hub.seen(contains="/resolve"), [])
        done = subprocess.run([ADAM, "list"], env=environment(**self.env), capture_output=True, check=True)
        self.assertIn(b"org/model", done.stdout)

    def test_no_locks(self):
        """Two at once fetch twice, each into a file of its own, and what gets the name is whole."""
        self.hub.fault("cdn", times=None, drip=(256 << 10, 0.003))
        both = [subprocess.Popen([ADAM, "pull", "org/model"], env=environment(**self.env, NO_LOCKS="1"),
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
        ended = [p.communicate(timeout=60) for p in both]
        self.assertEqual([p.returncode for p in both], [0, 0], ended)
        self.assert_whole()
        self.assert_content(pathlib.Path(ended[0][0].decode().strip()), self.files)
        self.assertEqual(list(self.folder().glob("blobs/*.incomplete")), [])

    def test_no_room(self):
        """Known before a byte of the weights is asked for; what an unfinished file holds already is not asked for twice."""
        self.fails(1, "org/model", says=["no room", "42.0 MB are to come and 30.0 MB are free", "--cache-dir"],
                   env={"FREE_BYTES": "30000000"})
        self.assertEqual(self.hub.seen(contains="/resolve"), [])
        self.hub.fault("cdn", times=5, cut=3 * MB)
        self.hub.fault("cdn", times=None, cut=0)
        self.fails(1, "org/model", says="what came is kept")
        self.hub.clear()
        self.works("org/model", env={"FREE_BYTES": "35000000"})


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])

# SPDX-License-Identifier: BSD-2-Clause
"""Fetches what guests need from Debian, by the ordinary package client, into build/assets.

Packages are downloaded and unpacked there, never installed. Everything is made in a temporary
folder and moved into place whole, so an interrupted run leaves nothing half-made.
"""
import fcntl
import glob
import gzip
import os
import re
import shutil
import subprocess
import tempfile

from plinthlib import kallsyms, vmlinux
from plinthlib.base import BUILD, Failure, need_packages, run_quietly, say

ASSETS = os.path.join(BUILD, "assets")
BUSYBOX = "/bin/busybox"
INIT = """\
#!/bin/busybox sh
# First process of the Debian guest: shows that the kernel came up, then offers a shell.
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev 2>/dev/null
echo "init: up"
uname -a
case " $(cat /proc/cmdline) " in
*" poweroff "*) poweroff -f ;;
esac
exec setsid sh -c 'exec sh </dev/console >/dev/console 2>&1'
"""


def _apt(command, what):
    if shutil.which(command[0]) is None:
        raise Failure(f"{what}: {command[0]} is not here; this needs Debian's package client")
    return run_quietly(command, what).decode(errors="replace")


def _real_package(meta):
    """linux-image-cloud-amd64 depends on the package of the version of the day."""
    for attempt in range(2):
        text = _apt(["apt-cache", "depends", "--important", meta], "assets") if attempt else \
            subprocess.run(["apt-cache", "depends", "--important", meta], check=False,
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.decode()
        found = re.search(r"Depends: (linux-image-[0-9]\S*)", text)
        if found:
            return found.group(1)
        if attempt == 0:
            if os.geteuid() != 0:
                raise Failure(f"assets: apt knows no {meta}; type: sudo apt-get update")
            say("assets: apt-get update")
            _apt(["apt-get", "update"], "assets")
    raise Failure(f"assets: {meta} names no kernel package")


def _download(package, folder):
    os.chmod(folder, 0o755)
    done = subprocess.run(["apt-get", "download", "-q", package], cwd=folder, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0 and os.geteuid() == 0:
        # The list may name a version that the mirror has replaced.
        run_quietly(["apt-get", "update"], "assets")
        run_quietly(["apt-get", "download", "-q", package], "assets", cwd=folder)
    elif done.returncode != 0:
        raise Failure(f"assets: apt-get download {package} failed:\n"
                      + done.stdout.decode(errors="replace").strip())
    found = glob.glob(os.path.join(folder, "*.deb"))
    if not found:
        raise Failure(f"assets: apt-get download {package} left no file")
    return found[0]


def make_kernel(target):
    """build/assets/NAME/vmlinuz from Debian's package linux-image-..."""
    name = os.path.basename(os.path.dirname(target))
    meta = KERNELS[name]
    package = _real_package(meta)
    say(f"assets: downloading {package} (Debian's own kernel, some tens of MB)")
    with tempfile.TemporaryDirectory(dir=ASSETS, prefix=".get.") as work:
        package_file = _download(package, work)
        tree = os.path.join(work, "tree")
        run_quietly(["dpkg-deb", "-x", package_file, tree], "assets")
        found = glob.glob(os.path.join(tree, "boot", "vmlinuz-*"))
        if not found:
            raise Failure(f"assets: {package} has no boot/vmlinuz-*")
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copyfile(found[0], target + ".new")
        os.replace(target + ".new", target)
        say(f"assets: {os.path.relpath(target)} is {os.path.basename(found[0])}")


def make_program(target):
    """build/assets/NAME/FILE, a program that boots by itself, from the package of PROGRAMS."""
    package, member = PROGRAMS[os.path.basename(os.path.dirname(target))]
    say(f"assets: downloading {package}")
    with tempfile.TemporaryDirectory(dir=ASSETS, prefix=".get.") as work:
        tree = os.path.join(work, "tree")
        run_quietly(["dpkg-deb", "-x", _download(package, work), tree], "assets")
        if not os.path.exists(os.path.join(tree, member)):
            raise Failure(f"assets: {package} has no {member}")
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copyfile(os.path.join(tree, member), target + ".new")
        os.replace(target + ".new", target)


def fetch_members(name, package, members):
    """Files of a package as build/assets/NAME/FILE: {FILE: path}. members: patterns of paths in the
    package. All come from one download, for a kernel and its modules fit only each other."""
    where = os.path.join(ASSETS, name)
    ours = {pattern: glob.glob(os.path.join(where, os.path.basename(pattern)))
            for pattern in members}
    if not all(ours.values()):
        package = _real_package(package) if package.startswith("linux-image-") else package
        say(f"assets: downloading {package}, to unpack it, not to install it")
        os.makedirs(where, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=ASSETS, prefix=".get.") as work:
            tree = os.path.join(work, "tree")
            file = _download(package, work)
            run_quietly(["dpkg-deb", "-x", file, tree], "assets")
            for pattern in members:
                found = glob.glob(os.path.join(tree, pattern))
                if not found:
                    raise Failure(f"assets: {package} has no {pattern}")
                ours[pattern] = [os.path.join(where, os.path.basename(found[0]))]
                shutil.move(found[0], ours[pattern][0])
            with open(os.path.join(where, "version"), "w", encoding="ascii") as f:
                f.write("_".join(os.path.basename(file).split("_")[:2]).replace("%3a", ":") + "\n")
    return {pattern: paths[0] for pattern, paths in ours.items()}


def make_vmlinux(target):
    """build/assets/NAME/vmlinux: the ELF kernel out of the bzImage beside it."""
    source = os.path.join(os.path.dirname(target), "vmlinuz")
    if not os.path.exists(source):
        make_kernel(source)
    extract(source, target)


def extract(source, target, symbols=False):
    """The ELF kernel of one bzImage as a file of its own; with the symbols of its own table."""
    try:
        with open(source, "rb") as f:
            elf, packer = vmlinux.extract(f.read())
        if symbols:
            elf, count = kallsyms.add(elf)
            packer += f", {count} symbols"
        with open(target + ".new", "wb") as f:
            f.write(elf)
        os.replace(target + ".new", target)
    except Failure as failure:
        raise Failure(f"{os.path.relpath(source)}: {failure}") from None
    except OSError as error:
        raise Failure(f"{error.filename}: {error.strerror}") from None
    say(f"{os.path.relpath(target)} is the kernel in {os.path.relpath(source)} ({packer})")


def _cpio_entry(number, name, mode, data=b"", device=(0, 0)):
    """One member of a "newc" archive: a header of hexadecimal fields, name and data padded."""
    fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name) + 1, 0)
    head = b"070701" + b"".join(b"%08X" % f for f in fields) + name.encode() + b"\0"
    return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)


def cpio_archive(entries):
    """A "newc" archive of (name, mode, data, device); the last entry is the trailer."""
    return b"".join(_cpio_entry(i, *e) for i, e in enumerate(entries, 1))


def make_initrd(target, programs=()):
    """An initrd of busybox, the INIT script and the files `programs`, which land in /bin; the same
    bytes every time."""
    if not os.path.exists(BUSYBOX):
        need_packages("emulate")
    entries = [(f, 0o040755, b"", (0, 0)) for f in ("bin", "dev", "proc", "sys", "tmp")]
    for path in (BUSYBOX, *programs):
        try:
            with open(path, "rb") as f:
                entries.append((f"bin/{os.path.basename(path)}", 0o100755, f.read(), (0, 0)))
        except OSError as error:
            raise Failure(f"{path}: {error.strerror}") from None
    say("assets: making an initrd from " + ", ".join(map(os.path.basename, (BUSYBOX, *programs))))
    entries += [("init", 0o100755, INIT.encode(), (0, 0)),
                ("dev/console", 0o020600, b"", (5, 1)),
                ("TRAILER!!!", 0, b"", (0, 0))]
    try:
        with open(target + ".new", "wb") as f:
            f.write(gzip.compress(cpio_archive(entries), 6, mtime=0))
        os.replace(target + ".new", target)
    except OSError as error:
        raise Failure(f"{error.filename}: {error.strerror}") from None


KERNELS = {
    "debian-cloud": "linux-image-cloud-amd64",
    "debian-generic": "linux-image-amd64",
    "debian-rt": "linux-image-rt-amd64",
}
# name: (package, file in it); no kernels, so they need no initrd.
PROGRAMS = {
    "memtest86+": ("memtest86+", "boot/memtest86+x64.bin"),
}
INITRD = os.path.join(ASSETS, "initrd.cpio.gz")
FILES = {os.path.join(ASSETS, name, "vmlinuz"): make_kernel for name in KERNELS}
FILES.update({os.path.join(ASSETS, name, "vmlinux"): make_vmlinux for name in KERNELS})
FILES[INITRD] = make_initrd


def _program_path(name):
    return os.path.join(ASSETS, name, os.path.basename(PROGRAMS[name][1]))


FILES.update({_program_path(name): make_program for name in PROGRAMS})
# What `tools/plinth assets` takes, and what it then makes; a kernel comes with the initrd.
NAMES = {name: [os.path.join(ASSETS, name, "vmlinuz"), INITRD] for name in KERNELS}
NAMES.update({f"{name}-vmlinux": [os.path.join(ASSETS, name, "vmlinux"), INITRD]
              for name in KERNELS})
NAMES.update({name: [_program_path(name)] for name in PROGRAMS})


def fetch(paths):
    """Makes those of the given files of build/assets that are not there."""
    os.makedirs(ASSETS, exist_ok=True)
    # Several runs may start at once in a fresh tree: the first fetches, the others wait for it.
    with open(os.path.join(ASSETS, ".fetching"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for path in paths:
            if os.path.exists(path):
                continue
            try:
                FILES[path](path)
            except OSError as error:
                raise Failure(f"assets: {error.filename}: {error.strerror}") from None


def fetch_named(names):
    """The assets of the given names."""
    for name in names:
        if name not in NAMES:
            raise Failure(f"no asset is called '{name}'; there are: " + ", ".join(NAMES))
    wanted = list(dict.fromkeys(path for name in names for path in NAMES[name]))
    fetch(wanted)
    for path in wanted:
        print(os.path.relpath(path))


def fetch_for(paths):
    """What of a configuration's files is an asset and missing."""
    missing = [p for p in paths if p in FILES and not os.path.exists(p)]
    if missing:
        say("the configuration names files of build/assets that are not there: "
            + ", ".join(os.path.relpath(p) for p in missing))
        fetch(missing)

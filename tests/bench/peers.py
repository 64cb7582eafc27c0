# SPDX-License-Identifier: BSD-2-Clause
"""Runs guests/bench without Plinth: bare, under KVM, as dom0 of Xen; in the same emulator and model.

KVM and Xen come from Debian's packages, which are downloaded and unpacked in build/assets, not
installed. KVM gets the VMM of this folder, kvm/vmm.c, as the one program of an initrd. What it
takes to start both under Bochs 2.7 stands beside the words below.
"""
import gzip
import os

import machine
import table
from plinthlib import assets, image
from plinthlib.base import BUILD

GUEST = os.path.join(BUILD, "guests/bench.elf")
VMM = os.path.join(BUILD, "bench-vmm")
# The columns of peers.toml that are measured here.
COLUMNS = ("none", "kvm_off", "kvm_def", "xen")
# Where two vCPUs are when one does something to the other: on so many CPUs; the rows' end.
PAIRS = (1, 2)

KVM_PACKAGE = "linux-image-cloud-amd64"
KVM_KERNEL = "boot/vmlinuz-*"
KVM_MODULES = [f"lib/modules/*/kernel/{path}.ko" for path in
               ("virt/lib/irqbypass", "arch/x86/kvm/kvm", "arch/x86/kvm/kvm-intel")]
# Bochs' CPUID tells another TSC rate than it has. Its XSAVES has another layout than its CPUID
# tells, at which Linux does without XSAVE altogether, and real hosts have that.
KVM_WORDS = "console=ttyS0 quiet tsc_early_khz=50000 clearcpuid=xsaves,xsavec"
KVM_INIT = """\
#!/bin/busybox sh
# Made by tests/bench/peers.py: loads KVM, runs the VMM, goes off.
/bin/busybox mount -t devtmpfs dev /dev
{load}
{run}
echo "kvm: status $?"
# What it printed is still on its way through the UART.
/bin/busybox sleep 1
/bin/busybox poweroff -f
"""

XEN_PACKAGE = "xen-hypervisor-4.17-amd64"
XEN_FILE = "boot/xen-4.17-amd64.gz"
# The serial port is dom0's. Bochs has no IOMMU, without which dom0 does no DMA: the guest needs none.
XEN_WORDS = "dom0=pvh dom0-iommu=none dom0_mem=64M console=none noreboot"


def bare(cpu, timeout):
    """The guest straight from GRUB."""
    disk = os.path.join(machine.folder("bare"), "image.iso")
    image.make_multiboot(GUEST, disk)
    # Its last row; what follows is still in the UART when the machine goes off.
    return table.read_rows(machine.boot("bare", disk, r"bench: uart-byte min", timeout, cpu))


def _read(path):
    with open(path, "rb") as f:
        return f.read()


def kvm_files(modules, runs, read=_read):
    """The initrd's entries. runs: the VMM's arguments behind the image, for each time it is started."""
    load = "\n".join(f"/bin/busybox insmod /{os.path.basename(m)}" for m in modules)
    run = " && ".join(f"/bin/vmm /bench.elf {words}" for words in runs)
    programs = [("bin/busybox", assets.BUSYBOX), ("bin/vmm", VMM), ("bench.elf", GUEST)]
    programs += [(os.path.basename(m), m) for m in modules]
    return [*((name, 0o040755, b"", (0, 0)) for name in ("bin", "dev")),
            *((name, 0o100755, read(path), (0, 0)) for name, path in programs),
            ("init", 0o100755, KVM_INIT.format(load=load, run=run).encode(), (0, 0)),
            ("dev/console", 0o020600, b"", (5, 1)), ("TRAILER!!!", 0, b"", (0, 0))]


def _boot_kvm(name, files, words, runs, cpu, cores, timeout):
    where = machine.folder(name)
    initrd, disk = os.path.join(where, "initrd.gz"), os.path.join(where, "image.iso")
    with open(initrd, "wb") as f:
        entries = kvm_files([files[m] for m in KVM_MODULES], runs)
        f.write(gzip.compress(assets.cpio_archive(entries), 6, mtime=0))
    image.make_linux(files[KVM_KERNEL], initrd, f"{KVM_WORDS} {words}".strip(), disk)
    return table.read_rows(machine.boot(name, disk, r"^kvm: status 0", timeout, cpu, cores,
                                        memory="512M"))


def kvm(name, words, cpu, timeout):
    """Rows under KVM; words: more for the host kernel's command line."""
    files = assets.fetch_members("peers-kvm", KVM_PACKAGE, [KVM_KERNEL, *KVM_MODULES])
    rows = {}
    for cores in PAIRS:
        runs = [f"2 physical={cores}"]
        rows |= _boot_kvm(f"{name}-{cores}", files, words, ["1"] + runs if cores == 1 else runs,
                          cpu, cores, timeout)
    return rows


def xen(cpu, timeout):
    """Rows as dom0 of Xen. Two vCPUs are another run, on one CPU: on two of Bochs' CPUs Xen 4.17
    starts dom0, whose output then stops."""
    packed = assets.fetch_members("peers-xen", XEN_PACKAGE, [XEN_FILE])[XEN_FILE]
    rows = {}
    # As on the bare machine, what follows the last row is lost.
    for name, vcpus, words, last in (("xen", 1, "", r"bench: uart-byte min"),
                                     ("xen-pair-1", 2, "physical=1", r"bench: ipi-halted-1 min")):
        where = machine.folder(name)
        kernel, disk = os.path.join(where, "xen"), os.path.join(where, "image.iso")
        with open(kernel, "wb") as f:
            f.write(gzip.decompress(_read(packed)))
        image.make_multiboot(kernel, disk, f"{XEN_WORDS} dom0_max_vcpus={vcpus}", GUEST, words)
        rows |= table.read_rows(machine.boot(name, disk, last, timeout, cpu, memory="512M"))
    return rows


def measure(column, cpu, timeout):
    """{row: {min, median, mean, max}} of one of COLUMNS."""
    if column == "none":
        return bare(cpu, timeout)
    if column == "xen":
        return xen(cpu, timeout)
    return kvm(column, "mitigations=off" if column == "kvm_off" else "", cpu, timeout)


def version(name):
    """What build/assets has of KVM or Xen: package_version."""
    return _read(os.path.join(assets.ASSETS, f"peers-{name}", "version")).decode().strip()

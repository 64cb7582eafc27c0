# SPDX-License-Identifier: BSD-2-Clause
"""The machines that Plinth can be run on: which one, why, and with what command line.

An engine gets a folder of its own (image, configuration, logs) and a pseudo-terminal as its first
serial port. docs/testing.md says what each is good for.
"""
import os
import shutil

from plinthlib.base import BAD_CONFIG, BUILD, ROOT, Failure, need_packages, run_quietly

BOCHS_MODELS = {
    "p3_katmai": "p3_katmai",           # no long mode: what boot says to it
    "p4_willamette": "p4_willamette",
    "penryn": "core2_penryn_t9600",
    "lynnfield": "corei5_lynnfield_750",
    "arrandale": "corei5_arrandale_m520",
    "sandy_bridge": "corei7_sandy_bridge_2600k",
    "ivy_bridge": "corei7_ivy_bridge_3770k",
    "haswell": "corei7_haswell_4770",
    "broadwell": "broadwell_ult",
    "skylake_x": "corei7_skylake_x",
    "cnl": "corei3_cnl",
    "icelake_u": "corei7_icelake_u",
    "tigerlake": "tigerlake",
    "ryzen": "ryzen",
}
BOCHS_DEFAULT = "skylake_x"
BOCHS_HOST_MEMORY = 2048        # MiB of guest memory that Bochs keeps in memory by itself
BOCHS_PRELOAD = os.path.join(BUILD, "bochs_memory.so")
BOCHS_FIRMWARE = "/usr/share/bochs/BIOS-bochs-latest"
BOCHS_VGA = "/usr/share/vgabios/vgabios.bin"
OVMF_CODE = "/usr/share/OVMF/OVMF_CODE_4M.fd"
OVMF_VARS = "/usr/share/OVMF/OVMF_VARS_4M.fd"

# rfb is the one display that needs no screen: it opens a local TCP port and waits for nobody.
# sync=none makes a tick an instruction, so that runs are repeatable.
BOCHS_RC = """\
plugin_ctrl: unmapped=1, biosdev=1, speaker=0, serial=1
config_interface: textconfig
display_library: rfb, options="timeout=0"
memory: guest={memory}, host={host_memory}
romimage: file={firmware}
vgaromimage: file={vga}
cpu: model={model}, count={cores}, ips=50000000, reset_on_triple_fault=0, ignore_bad_msrs={ignore}
clock: sync=none
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=disk, mode=flat, path="{image}"
boot: disk
com1: enabled=1, mode=term, dev={tty}
{com2}port_e9_hack: enabled=1
log: {folder}/bochs.log
panic: action={panic}
error: action=report
info: action=report
debug: action=ignore
"""


def _usable(path):
    return os.access(path, os.R_OK | os.W_OK)


def nested_vmx():
    """(can this machine's KVM give a guest VT-x?, the reason in words)"""
    if not _usable("/dev/kvm"):
        return False, "no usable /dev/kvm here"
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as f:
            flags = next((l.split() for l in f if l.startswith("flags")), [])
    except OSError:
        flags = []
    if "vmx" not in flags:
        return False, "this machine's CPU offers no VT-x"
    try:
        with open("/sys/module/kvm_intel/parameters/nested", encoding="ascii") as f:
            nested = f.read().strip()
    except OSError:
        nested = "N"
    if nested not in ("Y", "1"):
        return False, "nested VT-x is off (kvm_intel.nested)"
    return True, "KVM with nested VT-x"


def choose(wanted, uefi):
    """Returns (engine, uses KVM, why)."""
    nested, why = nested_vmx()
    if wanted == "bochs" and uefi:
        raise Failure("Bochs has no UEFI firmware; use --on qemu --uefi", BAD_CONFIG)
    if wanted == "bochs":
        return "bochs", False, "asked for"
    if wanted == "qemu":
        return "qemu", nested, why if nested else f"asked for, but {why}: TCG, which has no VMX"
    if nested:
        return "qemu", True, why
    if uefi:
        return "qemu", False, f"UEFI needs QEMU; {why}: TCG, which has no VMX"
    return "bochs", False, why


def bochs_model(name):
    name = name or BOCHS_DEFAULT
    model = BOCHS_MODELS.get(name, name)
    if model not in BOCHS_MODELS.values():
        raise Failure(f"'{name}' is no CPU model of Bochs that is known here; there are: "
                      + ", ".join(BOCHS_MODELS), BAD_CONFIG)
    return model


def with_hole(engine, memory):
    """Bytes a machine needs for so much usable memory: of Bochs' that between 3 and 4 GiB is lost."""
    return memory + (1 << 30) if engine == "bochs" and memory > 3 << 30 else memory


def bochs_big_memory(memory):
    """What a machine of more than 2 GiB needs: (words in front of the command, behind it).

    Bochs swaps what is beyond, and loses the page of the stack over it: tools/bochs_memory.c. It
    takes more only from its command line, and only while an error does not end it: bochsrc says so.
    """
    if memory <= BOCHS_HOST_MEMORY:
        return [], []
    run_quietly(["make", "-s", "build/bochs_memory.so"], "bochs_memory", cwd=ROOT)
    return (["env", f"LD_PRELOAD={BOCHS_PRELOAD}", f"PLINTH_BOCHS_MEMORY={memory}"],
            [f"memory: guest={memory}, host={memory}", "panic: action=fatal"])


def bochs_command(folder, image, tty, second, options):
    memory = -(-options.memory // (1 << 20))
    before, behind = bochs_big_memory(memory)
    lock = image + ".lock"
    if os.path.exists(lock):
        os.unlink(lock)
    com2 = f"com2: enabled=1, mode=term, dev={second}\n" if second else ""
    rc = os.path.join(folder, "bochsrc")
    with open(rc, "w", encoding="utf-8") as f:
        f.write(BOCHS_RC.format(
            memory=memory, host_memory=min(memory, BOCHS_HOST_MEMORY), firmware=BOCHS_FIRMWARE,
            vga=BOCHS_VGA, model=bochs_model(options.cpu), cores=options.cores, image=image,
            com2=com2,
            tty=tty, folder=folder, ignore=0 if options.strict_msrs else 1,
            panic="report" if behind else "fatal"))
    # Debian's Bochs has its debugger built in and waits for a command: 'continue'.
    go = os.path.join(folder, "continue")
    with open(go, "w", encoding="utf-8") as f:
        f.write("c\n")
    return before + ["bochs", "-f", rc, "-rc", go] + behind


def qemu_command(folder, image, kvm, second, options):
    command = ["qemu-system-x86_64", "-machine", "q35", "-m", str(-(-options.memory // (1 << 20))),
               "-smp", str(options.cores), "-display", "none", "-monitor",
               f"unix:{options.monitor},server=on,wait=off" if options.monitor else "none",
               "-nodefaults", "-vga", "std",
               "-drive", f"format=raw,file={image},snapshot=on",
               "-chardev", "stdio,id=serial,signal=off", "-serial", "chardev:serial",
               "-debugcon", f"file:{folder}/port-e9.log"]
    if second:
        command += ["-chardev", f"serial,id=second,path={second}", "-serial", "chardev:second"]
    if kvm:
        # A model by name comes without VMX, "host" with what KVM offers.
        cpu = options.cpu or "host"
        command += ["-accel", "kvm", "-cpu", cpu if "vmx" in cpu else cpu + ",+vmx"]
    else:
        command += ["-accel", "tcg", "-cpu", options.cpu or "max"]
    if options.uefi:
        variables = os.path.join(folder, "ovmf-variables.fd")
        shutil.copyfile(OVMF_VARS, variables)
        command += ["-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={OVMF_CODE}",
                    "-drive", f"if=pflash,unit=1,format=raw,file={variables}"]
    return command


def need(engine, uefi):
    """Installs, or names, the packages when something is not there."""
    program = "bochs" if engine == "bochs" else "qemu-system-x86_64"
    files = [BOCHS_FIRMWARE, BOCHS_VGA] if engine == "bochs" else [OVMF_CODE] if uefi else []
    tools = [program, "grub-mkimage", "xorriso", "mformat"]
    if not all(map(shutil.which, tools)) or not all(map(os.path.exists, files)):
        need_packages("emulate")

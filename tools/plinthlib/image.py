# SPDX-License-Identifier: BSD-2-Clause
"""Makes the boot image: one file that BIOS and UEFI machines boot from CD or disk through GRUB.

GRUB's own grub-mkrescue stamps the time into its images, so this module calls what it calls:
grub-mkimage for the two boot programs, mtools for the EFI partition, xorriso for the disc. All
GRUB modules are linked in, for an emulated disk is slow, and the same input gives the same bytes.

    /boot/plinth.elf      the hypervisor, stripped (GRUB would load debug sections, too)
    /boot/plinth-text.elf the same for BIOS machines: its header asks for no framebuffer
    /boot/plinth.cfg      the configuration, verbatim
    /boot/m/N             kernels, initrds and modules; the module's string is the path in the configuration
    /boot/grub/grub.cfg   what is loaded, readable
"""
import hashlib
import os
import shutil
import struct
import tempfile

from plinthlib import config as configuration
from plinthlib.base import BAD_CONFIG, BUILD, ROOT, Failure, run_quietly

GRUB = "/usr/lib/grub"
EPOCH = "1700000000"          # any fixed time will do
FAT_SERIAL = "504c4e54"
COMMON = ["normal", "configfile", "true", "echo", "halt", "serial", "terminal", "test", "search",
          "search_fs_file", "iso9660", "part_msdos", "part_gpt", "multiboot2", "boot"]
BIOS_MODULES = COMMON + ["biosdisk"]
EFI_MODULES = COMMON + ["fat", "efi_gop", "efi_uga"]
EFI_SLACK = 64 << 10
MB2_MAGIC = 0xe85250d6
TAG_FRAMEBUFFER = 5
TAG_UNKNOWN = 0x7f05     # optional tags that GRUB does not know are skipped


def _write(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data if isinstance(data, bytes) else data.encode())


def _quote(word):
    return "'" + word.replace("'", "'\\''") + "'"


def _grub_cfg(cmdline, modules):
    """modules: [(file on the disc, its string)]. A failure to load is said on the serial port."""
    words = " ".join(_quote(w) for w in cmdline.split())
    lines = ["set timeout=0",
             "set plinth=/boot/plinth.elf",
             "if [ $grub_platform = pc ]; then set plinth=/boot/plinth-text.elf; fi",
             "function fail {",
             "    serial --unit=0 --speed=115200",
             "    terminal_output serial console",
             "    echo",
             '    echo "plinth: panic: GRUB cannot load $1"',
             "    halt",
             "}",
             f"if multiboot2 $plinth {words}; then true; else fail plinth.elf; fi"]
    for path, string in modules:
        name = _quote(string)
        lines.append(f"if module2 {path} {name}; then true; else fail {name}; fi")
    return "\n".join(lines + ["boot", ""])


def _stage_modules(folder, config_path, names, unchecked):
    """Copies the guests' files, equal ones once. Returns [(file on the disc, string)]."""
    rows, seen = [], {}
    for name in names:
        if any(c in name for c in " \t'\"\\"):
            raise Failure(f"{config_path}: '{name}': the path of a guest's file cannot have white "
                          "space, quotes or backslashes (it becomes a boot module's name)",
                          BAD_CONFIG)
        source = configuration.beside(config_path, name)
        try:
            with open(source, "rb") as f:
                data = f.read()
        except OSError as error:
            if unchecked:
                continue
            raise Failure(f"{config_path}: {name}: {error.strerror}", BAD_CONFIG) from None
        digest = hashlib.sha256(data).digest()
        if digest not in seen:
            seen[digest] = f"/boot/m/{len(seen)}"
            _write(folder + seen[digest], data)
        rows.append((seen[digest], name))
    return rows


def _without_framebuffer(elf):
    """The hypervisor with the framebuffer tag of its Multiboot2 header made one that GRUB skips.

    With that tag GRUB 2.06 leaves BIOS text mode, which costs a machine without a fast framebuffer
    dearly, and where it finds only an indexed mode it overruns its own heap with the palette.
    """
    image = bytearray(elf)
    at = elf.find(struct.pack("<I", MB2_MAGIC))
    end = at + struct.unpack_from("<I", elf, at + 8)[0]
    at += 16
    while at < end:
        kind, _, size = struct.unpack_from("<HHI", image, at)
        if kind == TAG_FRAMEBUFFER:
            struct.pack_into("<H", image, at, TAG_UNKNOWN)
        if kind == 0 or size < 8:
            break
        at += (size + 7) & ~7
    return bytes(image)


def _make_bios(work, disc, early, env, modules=BIOS_MODULES):
    core = os.path.join(work, "core.img")
    run_quietly(["grub-mkimage", "-O", "i386-pc", "-p", "/boot/grub", "-c", early, "-o", core,
                 *modules], "BIOS boot program", env)
    with open(f"{GRUB}/i386-pc/cdboot.img", "rb") as a, open(core, "rb") as b:
        _write(disc + "/boot/grub/eltorito.img", a.read() + b.read())


def _make_efi(work, disc, early, env):
    program = os.path.join(work, "BOOTX64.EFI")
    run_quietly(["grub-mkimage", "-O", "x86_64-efi", "-p", "/boot/grub", "-c", early, "-o",
                 program, *EFI_MODULES], "UEFI boot program", env)
    os.utime(program, (int(EPOCH), int(EPOCH)))
    image = disc + "/boot/grub/efi.img"
    sectors = (os.path.getsize(program) + EFI_SLACK + 511) // 512
    sectors += -sectors % 64
    run_quietly(["mformat", "-C", "-i", image, "-N", FAT_SERIAL, "-h", "2", "-s", "32", "-t",
                 str(sectors // 64), "-v", "PLINTH", "::"], "EFI partition", env)
    run_quietly(["mmd", "-i", image, "::/EFI", "::/EFI/BOOT"], "EFI partition", env)
    run_quietly(["mcopy", "-m", "-i", image, program, "::/EFI/BOOT/BOOTX64.EFI"],
                "EFI partition", env)


def _make_disc(disc, output, env):
    for where, folders, names in os.walk(disc):
        folders.sort()
        for name in names:
            os.chmod(os.path.join(where, name), 0o644)
            os.utime(os.path.join(where, name), (int(EPOCH), int(EPOCH)))
        os.chmod(where, 0o755)
    date = "2023111422132000"
    run_quietly(["xorriso", "-as", "mkisofs", "-quiet", "-graft-points", "-R", "-V", "PLINTH",
                 f"--modification-date={date}", "--set_all_file_dates", date, "--gpt_disk_guid",
                 "modification-date", "-uid", "0", "-gid", "0",
                 "-b", "boot/grub/eltorito.img", "-no-emul-boot", "-boot-load-size", "4",
                 "-boot-info-table", "--grub2-boot-info", "--grub2-mbr",
                 f"{GRUB}/i386-pc/boot_hybrid.img",
                 "-eltorito-alt-boot", "--efi-boot", "boot/grub/efi.img", "-efi-boot-part",
                 "--efi-boot-image", "--protective-msdos-label", "-o", output, disc],
                "boot image", env)


def make(config_path, names, output, cmdline="", unchecked=False, hypervisor=None):
    """Writes the image to output. names: the guests' files as the configuration spells them."""
    text = configuration.read_text(config_path)
    hypervisor = hypervisor or os.path.join(BUILD, "plinth.elf")
    if not os.path.exists(hypervisor):
        raise Failure(f"{os.path.relpath(hypervisor, ROOT)} is missing: type 'make' first")
    env = dict(os.environ, SOURCE_DATE_EPOCH=EPOCH, TZ="UTC", LC_ALL="C", MTOOLS_SKIP_CHECK="1")
    output = os.path.abspath(output)
    folder = os.path.dirname(output)
    try:
        os.makedirs(folder, exist_ok=True)
        work = tempfile.mkdtemp(prefix=".image.", dir=folder)
    except OSError as error:
        raise Failure(f"{folder}: {error.strerror}") from None
    try:
        disc = os.path.join(work, "disc")
        _write(disc + "/boot/plinth.cfg", text)
        run_quietly(["objcopy", "-S", hypervisor, disc + "/boot/plinth.elf"], "hypervisor", env)
        with open(disc + "/boot/plinth.elf", "rb") as f:
            _write(disc + "/boot/plinth-text.elf", _without_framebuffer(f.read()))
        modules = [("/boot/plinth.cfg", "config")]
        modules += _stage_modules(disc, config_path, names, unchecked)
        grub_cfg = _grub_cfg(cmdline, modules)
        _write(disc + "/boot/grub/grub.cfg", grub_cfg)
        # The boot programs look for a file of this very image, lest they find another Plinth disk.
        with open(disc + "/boot/plinth.elf", "rb") as f:
            mark = hashlib.sha256(f.read() + text + grub_cfg.encode()).hexdigest()[:16]
        mark = f"/boot/{mark}.id"
        _write(disc + mark, b"\n")
        early = os.path.join(work, "early.cfg")
        _write(early, f"search --file --set=root {mark}\nconfigfile /boot/grub/grub.cfg\n")
        _make_bios(work, disc, early, env)
        _make_efi(work, disc, early, env)
        _make_disc(disc, os.path.join(work, "image.iso"), env)
        os.replace(os.path.join(work, "image.iso"), output)
    except OSError as error:
        raise Failure(f"{error.filename or output}: {error.strerror}") from None
    finally:
        shutil.rmtree(work, ignore_errors=True)


def make_linux(kernel, initrd, cmdline, output):
    """Writes an image that boots this Linux without Plinth, for comparison."""
    _make_plain({"kernel": kernel, "initrd": initrd},
                f"linux /boot/kernel {cmdline}\ninitrd /boot/initrd\n", "linux", output)


def make_multiboot(kernel, output, words="", module=None, module_words=""):
    """The same for a Multiboot1 kernel, with one module or none."""
    files, commands = {"kernel": kernel}, f"multiboot /boot/kernel {words}\n"
    if module:
        files["module"] = module
        commands += f"module /boot/module {module_words}\n"
    _make_plain(files, commands, "multiboot", output)


def _make_plain(files, commands, module, output):
    env = dict(os.environ, SOURCE_DATE_EPOCH=EPOCH, TZ="UTC", LC_ALL="C", MTOOLS_SKIP_CHECK="1")
    with tempfile.TemporaryDirectory(dir=os.path.dirname(output), prefix=".image.") as work:
        disc, early = os.path.join(work, "disc"), os.path.join(work, "early.cfg")
        for name, source in files.items():
            with open(source, "rb") as f:
                _write(f"{disc}/boot/{name}", f.read())
        _write(early, f"search --file --set=root /boot/kernel\n{commands}boot\n")
        _make_bios(work, disc, early, env, BIOS_MODULES + [module])
        _make_efi(work, disc, early, env)
        _make_disc(disc, os.path.join(work, "image.iso"), env)
        os.replace(os.path.join(work, "image.iso"), output)

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The least that runs a bundled guest under KVM, to measure KVM with: memory, KVM's own interrupt
 * controllers and PIT, a UART that has always room, a port that ends it. No other device: what the
 * guest reads elsewhere is all ones, by way of this program, as from any device of a user-space
 * VMM. Have open: Linux "The Definitive KVM API Documentation"; Xen "x86/HVM direct boot ABI".
 *
 *   vmm IMAGE.elf [CPUS [WORDS OF THE COMMAND LINE...]]
 */
#include <elf.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "arch/x86/cr.h"
#include "guests/lib/start_info.h"

#define MEMORY        (16u << 20)
#define CPUS_MAX      4u
#define CPUID_MAX     128u
/* Guest addresses below the image, which is linked at 1 MiB. */
#define START_INFO_AT 0x1000u
#define CMDLINE_AT    0x2000u
#define CMDLINE_MAX   0x1000u
/* KVM wants three pages that the guest does not use, on CPUs that need them. */
#define TSS_AT        0xfffbd000u
/* CPUID leaf 1. */
#define EBX_APIC_ID   24
#define EBX_COUNT     16
#define ECX_DEADLINE  (1u << 24)
#define ECX_GUEST     (1u << 31)
#define EDX_HTT       (1u << 28)
/* Ports. */
#define UART          0x3f8
#define UART_LCR      (UART + 3)
#define UART_LSR      (UART + 5)
#define LCR_DLAB      0x80
#define LSR_EMPTY     0x60
#define PORT_EXIT     0xf4

static int kvm, vm;
static unsigned cpus = 1;
static uint8_t *memory;
static uint32_t entry;
static size_t run_size;

static int call(int fd, unsigned long request, void *arg, const char *what)
{
    int result = ioctl(fd, request, arg);
    if (result < 0)
        err(1, "%s", what);
    return result;
}

/* --- the guest's image ---------------------------------------------------------------------- */

static void *guest(uint64_t at, uint64_t size)
{
    if (at > MEMORY || size > MEMORY - at)
        errx(1, "the image does not fit into %u MiB", MEMORY >> 20);
    return memory + at;
}

/* The guests' ELF entry is their PVH entry, too. */
static void load_image(const char *path)
{
    Elf64_Ehdr head;
    Elf64_Phdr part;
    int fd = open(path, O_RDONLY);
    if (fd < 0 || pread(fd, &head, sizeof(head), 0) != sizeof(head))
        err(1, "%s", path);
    if (memcmp(head.e_ident, ELFMAG, SELFMAG) || head.e_ident[EI_CLASS] != ELFCLASS64)
        errx(1, "%s: no ELF64 file", path);
    for (unsigned i = 0; i < head.e_phnum; i++) {
        off_t at = (off_t)(head.e_phoff + i * sizeof(part));
        if (pread(fd, &part, sizeof(part), at) != sizeof(part))
            err(1, "%s", path);
        void *to = guest(part.p_paddr, part.p_memsz);
        if (part.p_type == PT_LOAD
            && pread(fd, to, part.p_filesz, (off_t)part.p_offset) != (ssize_t)part.p_filesz)
            err(1, "%s", path);
    }
    entry = (uint32_t)head.e_entry;
    close(fd);
}

static void write_start_info(char **words)
{
    char *to = guest(CMDLINE_AT, CMDLINE_MAX);
    size_t used = 0;
    for (; *words; words++)
        used += (size_t)snprintf(to + used, used < CMDLINE_MAX ? CMDLINE_MAX - used : 0, "%s ",
                                 *words);
    if (used >= CMDLINE_MAX)
        errx(1, "the command line is too long");
    struct start_info info = {.magic = START_INFO_MAGIC, .cmdline_paddr = CMDLINE_AT};
    memcpy(guest(START_INFO_AT, sizeof(info)), &info, sizeof(info));
}

/* --- devices -------------------------------------------------------------------------------- */

/* A line at a time, so that a byte costs no system call of its own. Only vCPU 0 prints. */
static void put(char c)
{
    static char line[256];
    static size_t used;
    line[used++] = c;
    if (c != '\n' && used < sizeof(line))
        return;
    if (write(STDOUT_FILENO, line, used) < 0)
        err(1, "stdout");
    used = 0;
}

static void port_out(uint16_t port, uint8_t value)
{
    static uint8_t lcr;
    if (port == PORT_EXIT)
        exit(value);
    if (port == UART_LCR)
        lcr = value;
    if (port == UART && !(lcr & LCR_DLAB))
        put((char)value);
}

static void port_exit(struct kvm_run *run)
{
    uint8_t *data = (uint8_t *)run + run->io.data_offset;
    if (run->io.direction == KVM_EXIT_IO_OUT)
        port_out(run->io.port, *data);
    else
        memset(data, run->io.port == UART_LSR ? LSR_EMPTY : 0xff,
               (size_t)run->io.size * run->io.count);
}

/* --- vCPUs ---------------------------------------------------------------------------------- */

/* What KVM can do, this vCPU's APIC ID, and what KVM leaves to the VMM: the deadline timer, and to
 * tell that there is a hypervisor. */
static void set_cpuid(int vcpu, unsigned id)
{
    struct kvm_cpuid2 *list = calloc(1, sizeof(*list) + CPUID_MAX * sizeof(list->entries[0]));
    if (!list)
        err(1, "memory");
    list->nent = CPUID_MAX;
    call(kvm, KVM_GET_SUPPORTED_CPUID, list, "KVM_GET_SUPPORTED_CPUID");
    for (unsigned i = 0; i < list->nent; i++) {
        struct kvm_cpuid_entry2 *leaf = &list->entries[i];
        if (leaf->function == 1) {
            leaf->ebx = (leaf->ebx & 0xffff) | id << EBX_APIC_ID | cpus << EBX_COUNT;
            leaf->ecx |= ECX_DEADLINE | ECX_GUEST;
            leaf->edx |= cpus > 1 ? EDX_HTT : 0;
        }
        if (leaf->function == 0xb)
            leaf->edx = id;
    }
    call(vcpu, KVM_SET_CPUID2, list, "KVM_SET_CPUID2");
    free(list);
}

/* 32-bit protected mode without paging, flat segments, EBX = start info. */
static void set_entry_state(int vcpu)
{
    struct kvm_sregs sregs;
    struct kvm_regs regs = {.rip = entry, .rbx = START_INFO_AT, .rflags = 2};
    struct kvm_segment data = {.limit = 0xffffffff, .selector = 0x10, .type = 3, .present = 1,
                               .db = 1, .s = 1, .g = 1};
    call(vcpu, KVM_GET_SREGS, &sregs, "KVM_GET_SREGS");
    sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = sregs.cs = data;
    sregs.cs.selector = 0x08;
    sregs.cs.type = 11;
    sregs.cr0 = CR0_PE | CR0_ET;
    call(vcpu, KVM_SET_SREGS, &sregs, "KVM_SET_SREGS");
    call(vcpu, KVM_SET_REGS, &regs, "KVM_SET_REGS");
}

/* All but the first wait in KVM for a start-up IPI. */
static void *run_vcpu(void *arg)
{
    unsigned id = (unsigned)(uintptr_t)arg;
    int vcpu = ioctl(vm, KVM_CREATE_VCPU, (unsigned long)id);
    if (vcpu < 0)
        err(1, "KVM_CREATE_VCPU");
    struct kvm_run *run = mmap(NULL, run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
    if (run == MAP_FAILED)
        err(1, "struct kvm_run");
    set_cpuid(vcpu, id);
    if (id == 0)
        set_entry_state(vcpu);
    for (;;) {
        if (ioctl(vcpu, KVM_RUN, NULL) < 0) {
            if (errno == EINTR || errno == EAGAIN) /* the latter: a start-up IPI has come */
                continue;
            err(1, "KVM_RUN");
        }
        switch (run->exit_reason) {
        case KVM_EXIT_IO:
            port_exit(run);
            break;
        case KVM_EXIT_MMIO:
            if (!run->mmio.is_write)
                memset(run->mmio.data, 0xff, sizeof(run->mmio.data));
            break;
        default:
            errx(1, "vCPU %u: exit reason %u", id, run->exit_reason);
        }
    }
}

static void make_vm(void)
{
    struct kvm_pit_config pit = {0};
    kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (kvm < 0)
        err(1, "/dev/kvm");
    run_size = (size_t)call(kvm, KVM_GET_VCPU_MMAP_SIZE, NULL, "KVM_GET_VCPU_MMAP_SIZE");
    vm = call(kvm, KVM_CREATE_VM, NULL, "KVM_CREATE_VM");
    memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED)
        err(1, "guest memory");
    struct kvm_userspace_memory_region region = {
        .memory_size = MEMORY,
        .userspace_addr = (uintptr_t)memory,
    };
    if (ioctl(vm, KVM_SET_TSS_ADDR, (unsigned long)TSS_AT) < 0)
        err(1, "KVM_SET_TSS_ADDR");
    call(vm, KVM_CREATE_IRQCHIP, NULL, "KVM_CREATE_IRQCHIP");
    call(vm, KVM_CREATE_PIT2, &pit, "KVM_CREATE_PIT2");
    call(vm, KVM_SET_USER_MEMORY_REGION, &region, "KVM_SET_USER_MEMORY_REGION");
}

int main(int argc, char **argv)
{
    if (argc < 2)
        errx(2, "vmm IMAGE.elf [CPUS [WORDS...]]");
    if (argc > 2)
        cpus = (unsigned)strtoul(argv[2], NULL, 10);
    if (cpus < 1 || cpus > CPUS_MAX)
        errx(2, "1 to %u CPUs", CPUS_MAX);
    make_vm();
    load_image(argv[1]);
    write_start_info(argc > 3 ? argv + 3 : argv + argc);
    for (unsigned i = 1; i < cpus; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, run_vcpu, (void *)(uintptr_t)i))
            errx(1, "a vCPU's thread");
    }
    run_vcpu(NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The end after a panic: registers of the exception, a backtrace with names, and a stop. The
 * backtrace is a scan: every word of the stack that points behind a CALL in the text is printed, so
 * a stale one may appear, but a frame is never missed and the code needs no frame pointers.
 */
#include "arch/x86/exception.h"
#include "arch/x86/insn.h"
#include "arch/x86/percpu.h"
#include "core/host.h"
#include "core/lib/string.h"
#include "core/log.h"
#include "core/panic.h"
#include "drivers/hw/uart.h"

#define FRAMES      24
#define STACK_WORDS 1024

struct symbol {
    uint64_t address;
    uint32_t name, reserved;
};

/* Made by tools/symbols from the image's first link; absent in that link itself, where the section
 * holds just a zero. */
struct symbols {
    uint64_t count;
    struct symbol list[];
};
extern const struct symbols image_symbols_start;
extern const char image_text_start[], image_text_end[];

static bool in_text(uint64_t a)
{
    return a >= (uint64_t)image_text_start && a < (uint64_t)image_text_end;
}

static void print_place(uint64_t a)
{
    const struct symbols *s = &image_symbols_start;
    const char *names = (const char *)&s->list[s->count];
    const struct symbol *best = NULL;
    for (uint64_t i = 0; i < s->count; i++)
        if (s->list[i].address <= a)
            best = &s->list[i];
    if (best)
        fmt_write(log_sink, NULL, "  %016lx %s+%#lx\n", a, names + best->name, a - best->address);
    else
        fmt_write(log_sink, NULL, "  %016lx\n", a);
}

/* True if the instruction before a return address is a CALL: E8 rel32, or FF /2 with a short
 * operand. */
static bool follows_call(uint64_t a)
{
    const uint8_t *p = (const uint8_t *)a;
    if (!in_text(a - 8) || !in_text(a))
        return false;
    if (p[-5] == 0xe8)
        return true;
    for (int n = 2; n <= 7; n++)
        if (p[-n] == 0xff && (p[-n + 1] >> 3 & 7) == 2)
            return true;
    return false;
}

static void backtrace(uint64_t rsp)
{
    const uint64_t *word = (const uint64_t *)ALIGN_DOWN(rsp, 8);
    uint64_t top = this_cpu()->stack_top;
    unsigned printed = 0;
    fmt_write(log_sink, NULL, "  backtrace:\n");
    /* Not beyond the page we are on when this is not the CPU's usual stack. */
    if (rsp > top || top - rsp > STACK_WORDS * 8 * 8)
        top = ALIGN_UP(rsp + 1, 4096);
    for (; (uint64_t)word < top && printed < FRAMES; word++)
        if (in_text(*word) && follows_call(*word)) {
            print_place(*word);
            printed++;
        }
}

void host_exception(const struct exception_frame *f, uint64_t cr2)
{
    if (!this_cpu()->in_panic) {
        this_cpu()->in_panic = true;
        log_set_output(NULL);
        fmt_write(log_sink, NULL,
                  "\nplinth: panic: exception %lu in the hypervisor, error code %#lx\n", f->vector,
                  f->error_code);
        fmt_write(log_sink, NULL,
                  "  rip %016lx cs %04lx rflags %lx rsp %016lx ss %04lx\n"
                  "  rax %016lx rbx %016lx rcx %016lx rdx %016lx\n"
                  "  rsi %016lx rdi %016lx rbp %016lx r8  %016lx\n"
                  "  r9  %016lx r10 %016lx r11 %016lx r12 %016lx\n"
                  "  r13 %016lx r14 %016lx r15 %016lx\n"
                  "  cr0 %lx cr2 %lx cr3 %lx cr4 %lx\n",
                  f->rip, f->cs, f->rflags, f->rsp, f->ss, f->rax, f->rbx, f->rcx, f->rdx, f->rsi,
                  f->rdi, f->rbp, f->r8, f->r9, f->r10, f->r11, f->r12, f->r13, f->r14, f->r15,
                  read_cr0(), cr2, read_cr3(), read_cr4());
        print_place(f->rip);
        backtrace(f->rsp);
    }
    uart_set_synchronous();
    for (;;) {
        cli();
        hlt();
    }
}

void host_panic_end(void)
{
    uint64_t rsp;
    __asm__ volatile("mov %%rsp, %0" : "=r"(rsp));
    if (!this_cpu()->in_panic) {
        this_cpu()->in_panic = true;
        backtrace(rsp);
    }
    uart_set_synchronous();
    for (;;) {
        cli();
        hlt();
    }
}

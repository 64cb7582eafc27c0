/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The registers of an x86 CPU for gdb: one table of rows, from which both the numbers and the XML
 * come, so that they cannot disagree. PURE. gdb insists on the FPU's registers in the core feature.
 */
#include "core/gdb_target.h"

#include "core/lib/fmt.h"

#define FXSAVE_ST  32
#define FXSAVE_XMM 160
#define FXSAVE_MXCSR 24

enum feature { CORE, SSE, SEGMENTS, SYSTEM };

/* A row stands for `count` registers: its name with 0, 1, ... behind, each `stride` further. */
struct row {
    uint8_t feature;
    const char *name, *narrow; /* narrow: the 32-bit name; NULL: the same; "": not there */
    uint8_t bytes, narrow_bytes;
    uint8_t source;
    uint16_t n;
    uint8_t count, first, stride;
    const char *type, *narrow_type;
};

/* n of GPRs: RAX 0, RCX 1, RDX 2, RBX 3, RSP 4, RBP 5, RSI 6, RDI 7; gdb's 64-bit order starts RAX,
 * RBX, RCX, RDX, its 32-bit order is the encodings'. Selectors and bases: ES 0, CS 1, SS 2, DS 3,
 * FS 4, GS 5. */
#define GPR(wide_name, n)   {CORE, wide_name, "", 8, 0, GDB_GPR, n, 1, 0, 0, "int64", NULL}
#define GPR32(name, n)      {CORE, "", name, 0, 4, GDB_GPR, n, 1, 0, 0, NULL, "int32"}
#define POINTER(wide_name, n) {CORE, wide_name, "", 8, 0, GDB_GPR, n, 1, 0, 0, "data_ptr", NULL}
#define SELECTOR(name, n)   {CORE, name, NULL, 4, 4, GDB_SELECTOR, n, 1, 0, 0, "int32", "int32"}
#define CTRL(name, n)       {CORE, name, NULL, 4, 4, GDB_FPU_CTRL, n, 1, 0, 0, "int", "int"}
#define SYS(name, source, n) {SYSTEM, name, NULL, 8, 4, source, n, 1, 0, 0, "int64", "int32"}

static const struct row rows[] = {
    GPR("rax", 0), GPR("rbx", 3), GPR("rcx", 1), GPR("rdx", 2), GPR("rsi", 6), GPR("rdi", 7),
    POINTER("rbp", 5), POINTER("rsp", 4),
    {CORE, "r", "", 8, 0, GDB_GPR, 8, 8, 8, 1, "int64", NULL},
    GPR32("eax", 0), GPR32("ecx", 1), GPR32("edx", 2), GPR32("ebx", 3),
    {CORE, "", "esp", 0, 4, GDB_GPR, 4, 1, 0, 0, NULL, "data_ptr"},
    {CORE, "", "ebp", 0, 4, GDB_GPR, 5, 1, 0, 0, NULL, "data_ptr"},
    GPR32("esi", 6), GPR32("edi", 7),
    {CORE, "rip", "eip", 8, 4, GDB_PC, 0, 1, 0, 0, "code_ptr", "code_ptr"},
    {CORE, "eflags", NULL, 4, 4, GDB_FLAGS, 0, 1, 0, 0, "i386_eflags", "i386_eflags"},
    SELECTOR("cs", 1), SELECTOR("ss", 2), SELECTOR("ds", 3), SELECTOR("es", 0), SELECTOR("fs", 4),
    SELECTOR("gs", 5),
    {CORE, "st", NULL, 10, 10, GDB_FPU, FXSAVE_ST, 8, 0, 16, "i387_ext", "i387_ext"},
    CTRL("fctrl", GDB_FCTRL), CTRL("fstat", GDB_FSTAT), CTRL("ftag", GDB_FTAG),
    CTRL("fiseg", GDB_FISEG), CTRL("fioff", GDB_FIOFF), CTRL("foseg", GDB_FOSEG),
    CTRL("fooff", GDB_FOOFF), CTRL("fop", GDB_FOP),
    {SSE, "xmm", "", 16, 0, GDB_FPU, FXSAVE_XMM, 16, 0, 16, "vec128", NULL},
    {SSE, "", "xmm", 0, 16, GDB_FPU, FXSAVE_XMM, 8, 0, 16, NULL, "vec128"},
    {SSE, "mxcsr", NULL, 4, 4, GDB_FPU, FXSAVE_MXCSR, 1, 0, 0, "i386_mxcsr", "i386_mxcsr"},
    {SEGMENTS, "fs_base", "", 8, 0, GDB_BASE, 4, 1, 0, 0, "int64", NULL},
    {SEGMENTS, "gs_base", "", 8, 0, GDB_BASE, 5, 1, 0, 0, "int64", NULL},
    SYS("cr0", GDB_CR, 0), SYS("cr2", GDB_CR, 2), SYS("cr3", GDB_CR, 3), SYS("cr4", GDB_CR, 4),
    SYS("efer", GDB_EFER, 0), SYS("cs_base", GDB_BASE, 1),
};

static const char *row_name(const struct row *r, bool wide)
{
    return wide || !r->narrow ? r->name : r->narrow;
}

static unsigned row_bytes(const struct row *r, bool wide)
{
    return wide ? r->bytes : r->narrow_bytes;
}

bool gdb_target_reg(bool wide, unsigned i, struct gdb_reg *out)
{
    for (size_t k = 0; k < ARRAY_LEN(rows); k++) {
        const struct row *r = &rows[k];
        if (!*row_name(r, wide))
            continue;
        if (i < r->count) {
            *out = (struct gdb_reg){r->source, (uint8_t)row_bytes(r, wide),
                                    (uint16_t)(r->n + i * r->stride)};
            return true;
        }
        i -= r->count;
    }
    return false;
}

/* --- the description --- */

struct text {
    char *out;
    size_t size, used;
};

static void sink(void *ctx, const char *text, size_t len)
{
    struct text *t = ctx;
    for (size_t i = 0; i < len; i++, t->used++)
        if (t->used + 1 < t->size)
            t->out[t->used] = text[i];
}

#define SAY(t, ...) fmt_write(sink, t, __VA_ARGS__)

static void open_feature(struct text *t, unsigned feature)
{
    static const char *const names[] = {"org.gnu.gdb.i386.core", "org.gnu.gdb.i386.sse",
                                        "org.gnu.gdb.i386.segments", "org.plinth.i386.system"};
    SAY(t, "<feature name=\"%s\">", names[feature]);
    if (feature == CORE) {
        static const char *const bits[] = {"CF", "", "PF", "", "AF", "", "ZF", "SF", "TF", "IF",
                                           "DF", "OF", "", "", "NT", "", "RF", "VM", "AC", "VIF",
                                           "VIP", "ID"};
        SAY(t, "<flags id=\"i386_eflags\" size=\"4\">");
        for (unsigned i = 0; i < ARRAY_LEN(bits); i++)
            if (*bits[i])
                SAY(t, "<field name=\"%s\" start=\"%u\" end=\"%u\"/>", bits[i], i, i);
        SAY(t, "</flags>");
    } else if (feature == SSE) {
        SAY(t, "<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/>"
               "<vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>"
               "<vector id=\"v16b\" type=\"int8\" count=\"16\"/>"
               "<vector id=\"v8h\" type=\"int16\" count=\"8\"/>"
               "<vector id=\"v4w\" type=\"int32\" count=\"4\"/>"
               "<vector id=\"v2q\" type=\"int64\" count=\"2\"/>"
               "<union id=\"vec128\"><field name=\"v4_float\" type=\"v4f\"/>"
               "<field name=\"v2_double\" type=\"v2d\"/><field name=\"v16_int8\" type=\"v16b\"/>"
               "<field name=\"v8_int16\" type=\"v8h\"/><field name=\"v4_int32\" type=\"v4w\"/>"
               "<field name=\"v2_int64\" type=\"v2q\"/>"
               "<field name=\"uint128\" type=\"uint128\"/></union>"
               "<flags id=\"i386_mxcsr\" size=\"4\"><field name=\"IE\" start=\"0\" end=\"0\"/>"
               "<field name=\"PM\" start=\"12\" end=\"12\"/></flags>");
    }
}

static void describe(struct text *t, const struct row *r, bool wide)
{
    const char *type = wide ? r->type : r->narrow_type;
    for (unsigned i = 0; i < r->count; i++) {
        char number[8] = "";
        if (r->count > 1)
            fmt_print(number, sizeof(number), "%u", r->first + i);
        SAY(t, "<reg name=\"%s%s\" bitsize=\"%u\" type=\"%s\"/>", row_name(r, wide), number,
            row_bytes(r, wide) * 8, type);
    }
}

size_t gdb_target_xml(bool wide, char *out, size_t size)
{
    struct text t = {out, size, 0};
    int feature = -1;
    SAY(&t, "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target>"
            "<architecture>%s</architecture>", wide ? "i386:x86-64" : "i386");
    for (size_t k = 0; k < ARRAY_LEN(rows); k++) {
        const struct row *r = &rows[k];
        if (!*row_name(r, wide))
            continue;
        if (r->feature != feature) {
            SAY(&t, "%s", feature < 0 ? "" : "</feature>");
            feature = r->feature;
            open_feature(&t, (unsigned)feature);
        }
        describe(&t, r, wide);
    }
    SAY(&t, "</feature></target>");
    size_t n = min_u64(t.used, size - 1);
    out[n] = '\0';
    return n;
}

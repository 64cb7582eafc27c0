/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files that a program puts into the store. The store knows what is wanted next, so a piece that
 * comes twice, or out of its turn, does no harm.
 */
#include "core/control_parts.h"

#include "core/lib/bytes.h"
#include "core/lib/fmt.h"
#include "core/lib/string.h"
#include "core/store.h"

void control_on_push(const struct frame *f)
{
    char name[STORE_NAME_MAX];
    size_t n = f->len - 8;
    if (f->len < 9 || n >= sizeof(name)) {
        control_send_result('p', f, 0, false, "the name is missing or too long");
        return;
    }
    memcpy(name, f->payload + 8, n);
    name[n] = '\0';
    const char *why = store_begin(name, get32(f->payload), get32(f->payload + 4));
    control_send_result('p', f, 0, !why, why ? why : "");
}

void control_on_data(const struct frame *f)
{
    uint8_t answer_bytes[5 + 120];
    uint64_t next;
    if (f->len < 4) {
        control_send_error(f, "data: no offset");
        return;
    }
    const char *why = "";
    enum store_state state = store_write(get32(f->payload), f->payload + 4, f->len - 4, &next,
                                         &why);
    answer_bytes[0] = (uint8_t)state;
    put32(answer_bytes + 1, (uint32_t)next);
    size_t n = fmt_print((char *)answer_bytes + 5, sizeof(answer_bytes) - 5, "%s", why);
    control_send('d', f->seq, 0, answer_bytes, 5 + min_u64(n, sizeof(answer_bytes) - 6));
}

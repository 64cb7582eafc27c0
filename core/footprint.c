/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The few figures behind `mem` and `boot`; see the header.
 */
#include "core/footprint.h"

#include "core/host.h"
#include "core/log.h"
#include "core/vm.h"
#include "mm/pool.h"

static uint64_t entry_tsc, image_bytes, text_bytes;
static uint64_t first_ticks, first_scrubbing; /* of the first VM that ran */

void footprint_set_boot(uint64_t entry, uint64_t image, uint64_t text)
{
    entry_tsc = entry;
    image_bytes = image;
    text_bytes = text;
}

uint64_t footprint_image(void)
{
    return image_bytes;
}

uint64_t footprint_text(void)
{
    return text_bytes;
}

uint64_t footprint_taken(void)
{
    uint64_t metadata = pool_extent().size - page_alloc_total(&hypervisor_pool) * PAGE_SIZE;
    uint64_t used = page_alloc_total(&hypervisor_pool) - page_alloc_free(&hypervisor_pool);
    return image_bytes + metadata + used * PAGE_SIZE;
}

uint64_t footprint_first_ticks(uint64_t *scrubbing)
{
    *scrubbing = first_scrubbing;
    return first_ticks;
}

void footprint_begin(struct footprint *f)
{
    *f = (struct footprint){.begin = host_now()};
}

uint64_t footprint_start_ticks(const struct footprint *f)
{
    return f->first ? f->first - f->begin - f->scrubbed : 0;
}

uint64_t footprint_stop_ticks(const struct footprint *f)
{
    return f->off && f->stop ? f->off - f->stop : 0;
}

uint64_t footprint_end_ticks(const struct footprint *f)
{
    return f->gone && f->off ? f->gone - f->off - f->scrubbed_after : 0;
}

void footprint_first_turn(struct vm *vm)
{
    static uint32_t said;
    vm->footprint.first = host_now();
    if (__atomic_exchange_n(&said, 1, __ATOMIC_RELAXED))
        return;
    first_scrubbing = vm->footprint.scrubbed;
    first_ticks = vm->footprint.first - entry_tsc - first_scrubbing;
    log_info("start: %lu ticks from entry to the first guest instruction, without %lu of scrubbing;"
             " %lu KiB taken", first_ticks, first_scrubbing, footprint_taken() / 1024);
}

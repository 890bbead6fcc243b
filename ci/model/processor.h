/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_MODEL_PROCESSOR_H
#define CI_MODEL_PROCESSOR_H

/*
 * The processor of the model: page tables, and the worst TLB that the manuals allow. It walks any
 * present entry at any time (SDM vol. 3A, 4.10.2.3: also for accesses that never happen), and keeps
 * what it read until it is told to forget it.
 */

#include "ci/model/kmap_model.h"
#include "lib/types.h"
#include "lib/x86/percpu.h"
#include "paging/page.h"

#define NO_PAGE UINT32_MAX

/* Frames of the model's pages: the last of them are above 4 GiB. */
#define MODEL_FIRST_PFN ((pfn_t)(1u << 20) - MODEL_LOW_PAGES - MODEL_HIGH_PAGES / 2)

extern struct processor {
    struct page map[MODEL_PAGES];
    struct cpu cpu;
    uint32_t findings;
    uint32_t full_flushes, page_flushes;
    const char *broken; /* the mutation that is switched on, or NULL */
    bool greedy;        /* walks all tables before each access */
} processor;

/* All empty. */
void processor_start(const char *broken);

/* Reads every present entry that is not in the TLB into it. */
void processor_walk_all(void);

/* Which frame an access to this address reaches; NO_PAGE if it faults. */
uint32_t processor_frame_at(virt_t addr);

/* The entry, as the TLB has it, with the bits that it should not have; for checks. */
bool processor_entry_is_plain(virt_t addr);

/* Called before each access to memory of the code under test. Set by the model; may be NULL. */
extern void (*processor_on_access)(void);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LIB_X86_PERCPU_H
#define LIB_X86_PERCPU_H

/*
 * struct cpu: everything that belongs to one processor. It is reached through the segment %fs,
 * whose base is the structure's own address, so that no code needs to know how many there are.
 * Each layer keeps its own part; the parts are declared here because a lower folder can't see the
 * headers of a higher one.
 */

#include "lib/types.h"

#define NR_CPUS 8 /* how many the fixed windows at the top of the address space have room for */

/* An access that may fault, made by one of the probe functions of payload/traps.h. */
struct fault_record {
    bool hit;            /* a fault came */
    uint8_t vector;      /* which, SDM vol. 3A, table 6-1 */
    uint32_t error_code; /* as the processor pushed it */
    uint32_t address;    /* CR2, for a page fault */
};

struct cpu {
    struct cpu *self;
    uint32_t index; /* 0 is the boot processor */

    /* paging: where the next window of kmap_local_page() goes, and where the last one ends */
    virt_t kmap_local_next, kmap_local_end;

    /* drivers, payload: nesting of interrupt handlers, 0 in thread context */
    uint32_t irq_depth;

    /* threads: nesting of preempt_disable(), and whether another one should run when it is over */
    uint32_t preempt_count;
    bool resched_wanted;

    /* payload: the last expected fault, and where a probing call into bad code returns to */
    struct fault_record probe;
    uint32_t probe_return_eip;
};

#if __STDC_HOSTED__
struct cpu *this_cpu(void); /* a unit test has its own */
#else
static inline struct cpu *this_cpu(void)
{
    struct cpu *cpu;
    __asm__("movl %%fs:0, %0" : "=r"(cpu));
    return cpu;
}
#endif

#endif

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

struct page;

/* Free blocks of one order and kind that are at hand: paging/page_lists.h. */
struct page_list {
    struct page **top;   /* behind the last entry; below the first one is a NULL */
    struct page **end;   /* where top may not go beyond */
    uint32_t use;        /* first word of the descriptor of a block that is allocated */
    uint32_t listed_use; /* and of one that lies here */
};

#define NR_PAGE_LISTS 64u

#define NR_CPUS 8 /* how many the fixed windows at the top of the address space have room for */
#define NR_SLAB_CACHES 32 /* see paging/slab_quick.h */

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

    /* paging: the true kmap_local_next while that is masked, else 0 */
    virt_t kmap_local_hidden;

    /* paging: free blocks at hand, and where the entries of each list begin */
    struct page_list page_list[NR_PAGE_LISTS];
    struct page **page_list_first[NR_PAGE_LISTS];
    struct page **page_list_entries; /* where the entries of all of them are */

    /* paging: the free object on top of each cache's stack */
    void **slab_top[NR_SLAB_CACHES];
};

/*
 * this_cpu_get(), this_cpu_set(): a 32-bit field of this_cpu() by itself, in one instruction, which
 * is all that an interrupt or a change of the processor could come in between of.
 */
#if __STDC_HOSTED__
struct cpu *this_cpu(void); /* a unit test has its own */
#define __percpu
#define this_cpu_array(field) (this_cpu()->field)
#define this_cpu_get(field) (this_cpu()->field)
#define this_cpu_set(field, value) (this_cpu()->field = (value))
#else
/*
 * A pointer to what is reached through %fs: to the first element of an array of this_cpu(), without
 * a load for where that is. gcc and clang have the address space, sparse does not.
 */
#ifdef __CHECKER__
#define __percpu
#else
#define __percpu __seg_fs
#endif
#define this_cpu_array(field) \
    ((__typeof__(((struct cpu *)0)->field[0]) __percpu *)offsetof(struct cpu, field))

#define this_cpu_get(field)                                   \
    ({                                                        \
        __typeof__(this_cpu()->field) this_cpu_value;         \
        __asm__ volatile("movl %%fs:%c1, %0"                  \
                         : "=r"(this_cpu_value)               \
                         : "i"(offsetof(struct cpu, field))); \
        this_cpu_value;                                       \
    })
#define this_cpu_set(field, value)                                               \
    ({                                                                           \
        __typeof__(this_cpu()->field) this_cpu_value = (value);                  \
        __asm__ volatile("movl %0, %%fs:%c1"                                     \
                         :                                                       \
                         : "r"(this_cpu_value), "i"(offsetof(struct cpu, field)) \
                         : "memory");                                            \
    })

static inline struct cpu *this_cpu(void)
{
    struct cpu *cpu;
    __asm__("movl %%fs:0, %0" : "=r"(cpu));
    return cpu;
}
#endif

#endif

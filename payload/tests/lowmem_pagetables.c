/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lowmem_pagetables: lowmem full of page tables, with most of the memory free.
 *
 * A database's processes share one segment of highmem, and each needs page tables of its own for
 * it: 4 KiB for every 2 MiB, in every process. With 1.7 GiB shared that is 3.4 MiB a process, so
 * that 260 of them fill 896 MiB of lowmem, while gigabytes are free. Here processes start one after
 * the other, each attaches the segment at an address of its own, and now and then one ends or gives
 * back a part. A step is 2 MiB of address space with its page table.
 *
 *     none      page tables in lowmem, as it was then
 *     highpte   page tables in highmem, filled and read through short windows, as Linux does with
 *               CONFIG_HIGHPTE; only directories and pointers are lowmem
 *     smaller   the segment in 2 MiB pages (hugetlbfs): no page tables for it at all
 *
 * The tables are real: the processor is sent there. Whenever a process is whole it is visited (CR3
 * is loaded with its tables, whose upper part is the payload's), right after another one that shows
 * something else at the same addresses; its own page, pages of the segment, and addresses where
 * nothing is, must be just so, also while an entry changes. In the end every entry of every table
 * is read.
 *
 * Why it can break: a window that shows the page table of before, so that entries land in the wrong
 * one; a page table that is used after it was freed; tables above 4 GiB whose address is cut off
 * (as qemu-system-i386 does); a translation that outlives a CR3 write. A break shows as the
 * process, the address, what was found, and what was wanted.
 */
#include "payload/tests/lowmem_spaces.h"

#define VISITS_AT_END 16u
#define DETACH_MAX 16u
#define LOWMEM_DIVISOR 8u
#define LOWMEM_LEAST (MIB(4) / PAGE_SIZE) /* ballast comes in pieces of that */
#define PROMISE 10u
#define SPARSE_BLOCKS 24u /* 96 MiB, 48 tables */
#define MIB_PER_BLOCK 4u

/* Static so that the abandon hook finds it. */
static struct lowmem_spaces spaces;

static const char *pagetables_begin(struct lab *lab)
{
    uint64_t blocks = lab->size / MIB_PER_BLOCK;
    unsigned own = test_depth(lab->t) == DEPTH_SPARSE ? SPARSE_BLOCKS : SEGMENT_BLOCKS_MAX;

    lab->state = &spaces;
    if (lab->size && !blocks)
        return "size=pagetables: is less than 4 (MiB)";
    return lowmem_spaces_open(&spaces, lab,
                              blocks ? (unsigned)MIN(blocks, SEGMENT_BLOCKS_MAX) : own);
}

static const char *pagetables_start(struct lab *lab)
{
    uint32_t low = lab->left[ZONE_DMA] + lab->left[ZONE_NORMAL];

    if (lab_has(lab, LAB_HIGHPTE) && lab->left[ZONE_HIGHMEM] / (PROMISE + 1) < low)
        return "this machine has no highmem for eleven times as many page tables as lowmem has "
               "room for";
    return NULL;
}

/* A process is whole: it is looked at, and another one ends, or has had enough of the segment. */
static void turn_over(struct lab *lab)
{
    struct lowmem_space *other = lowmem_spaces_any(&spaces, lab->prng);
    uint32_t draw = prng_below(lab->prng, 8);

    lowmem_space_visit(&spaces, &spaces.space[spaces.newest], other);
    if (other && draw == 0)
        lowmem_space_exit(&spaces, other);
    else if (other && draw == 1)
        lowmem_space_detach(&spaces, other, 1 + prng_below(lab->prng, DETACH_MAX));
}

static enum lab_step pagetables_step(struct lab *lab)
{
    if (spaces.nr_spaces && lowmem_spaces_whole(&spaces))
        turn_over(lab);
    return lowmem_spaces_grow(&spaces);
}

static void pagetables_verify(struct lab *lab)
{
    struct lowmem_space *other = NULL;

    lowmem_spaces_check(&spaces);
    for (unsigned i = 0; i < VISITS_AT_END && !test_should_stop(lab->t); i++) {
        struct lowmem_space *space = lowmem_spaces_any(&spaces, lab->prng);

        if (!space)
            break;
        lowmem_space_visit(&spaces, space, other);
        other = space;
    }
    test_log(lab->t,
             "%u processes with %u page tables: %u entries read, %u visits to address spaces",
             spaces.nr_spaces, spaces.tables, spaces.entries_checked, spaces.visits);
}

static void pagetables_end(struct lab *lab)
{
    (void)lab;
    lowmem_spaces_close(&spaces);
}

static const struct lab_remedy_use uses[] = {
    {LAB_HIGHPTE, PROMISE, "page tables in highmem"},
    {LAB_SMALLER, PROMISE, "the segment in 2 MiB pages"},
};

static const struct lab_workload workload = {
    .name = "pagetables",
    .unit = "regions",
    .uses = uses,
    .nr_uses = ARRAY_SIZE(uses),
    .begin = pagetables_begin,
    .start = pagetables_start,
    .step = pagetables_step,
    .verify = pagetables_verify,
    .end = pagetables_end,
    .lowmem_least = LOWMEM_LEAST,
    .highmem_per_low = LAB_HIGHMEM_OF_16_GIB,
    .lowmem_divisor = LOWMEM_DIVISOR,
    .must_wedge = true,
};

LAB_CASE(none, &workload, -1)
LAB_CASE(highpte, &workload, 0)
LAB_CASE(smaller, &workload, 1)

static const struct test_case cases[] = {
    {"none", case_none},
    {"highpte", case_highpte},
    {"smaller", case_smaller},
};

SUITE(lowmem_pagetables) = {
    .name = "lowmem_pagetables",
    .about = "page tables of many processes, until lowmem is full",
    .rank = SUITE_RANK_STRESS,
    .cases = cases,
    .nr_cases = ARRAY_SIZE(cases),
    .sizes = "pagetables",
    .abandon = lab_abandon,
};

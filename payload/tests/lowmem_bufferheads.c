/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lowmem_bufferheads: lowmem full of what says where cached pages are on the disk.
 *
 * A page cache may use all of highmem. But for each page in it the kernel kept a head of 128 bytes
 * for every block, and those are lowmem: with blocks of 1 KiB, then the default of file systems,
 * half a KiB for each page of 4. A machine with 16 GiB has 640 MiB of lowmem, which is full when
 * 5 GiB have been read; it then stood still with 10 GiB free (2002, Linux 2.4).
 *
 * A step is a page read in: a page of highmem, and its heads. When the cache is as large as
 * highmem, the oldest page makes place for the new one, so that the load can go on for ever.
 *
 *     none        heads stay as long as their pages
 *     reclaim     a shrinker strips the oldest pages of their heads, unless they are dirty
 *     smaller     blocks of 4 KiB: one head a page
 *     watermarks  some pages are kept for those who can't wait: it only comes earlier
 *
 * size=bufferheads:N is how many pages the cache may have; all of highmem but one page in 64 unless
 * told otherwise.
 *
 * Why it can break: heads that stay when their page goes, a shrinker that takes what a dirty page
 * is written back by, or that says it freed what it did not: then the allocator tries again for
 * ever, or gives up for nothing. Stamps and blocks' numbers are looked at whenever a head or page
 * goes. A break shows as the page's number, the physical address, what was found, and what was
 * wanted.
 */
#include "payload/tests/lowmem_cache.h"

#define LOWMEM_DIVISOR 8u
#define LOWMEM_LEAST (MIB(4) / PAGE_SIZE) /* ballast comes in pieces of that */
#define PROMISE 10u
#define RESERVE_SHIFT 6u /* of highmem, that the cache leaves free */

/* Static so that the abandon hook finds it. */
static struct lowmem_cache cache;

static const char *bufferheads_begin(struct lab *lab)
{
    return lowmem_cache_open(&cache, lab,
                             lab_has(lab, LAB_SMALLER) ? CACHE_HEADS_4K : CACHE_HEADS_1K);
}

static const char *bufferheads_start(struct lab *lab)
{
    uint32_t high = lab->left[ZONE_HIGHMEM], most = high - (high >> RESERVE_SHIFT);

    lowmem_cache_limit(&cache, lab->size ? (uint32_t)MIN(lab->size, most) : most);
    return NULL;
}

static enum lab_step bufferheads_step(struct lab *lab)
{
    /* Without a shrinker the cache is what it will ever be when all its pages are others. */
    if (!lab_has(lab, LAB_RECLAIM) && cache.dropped > cache.most)
        return LAB_OVER;
    return lowmem_cache_read(&cache);
}

static void bufferheads_verify(struct lab *lab)
{
    lowmem_cache_check(&cache);
    test_log(lab->t, "%u pages cached, with %u heads; %u dropped, %u written back, %u reclaimed",
             lowmem_cache_pages(&cache), cache.nr_heads, cache.dropped, cache.written, cache.freed);
}

static void bufferheads_end(struct lab *lab)
{
    (void)lab;
    lowmem_cache_close(&cache);
}

static const struct lab_remedy_use uses[] = {
    {LAB_RECLAIM, PROMISE, "heads of clean pages are given back when lowmem is short"},
    {LAB_SMALLER, 0, "blocks of 4 KiB: one head a page"},
    {LAB_WATERMARKS, 0, NULL},
};

static const struct lab_workload workload = {
    .name = "bufferheads",
    .unit = "pages",
    .uses = uses,
    .nr_uses = ARRAY_SIZE(uses),
    .begin = bufferheads_begin,
    .start = bufferheads_start,
    .step = bufferheads_step,
    .verify = bufferheads_verify,
    .end = bufferheads_end,
    .lowmem_least = LOWMEM_LEAST,
    .highmem_per_low = LAB_HIGHMEM_OF_16_GIB,
    .lowmem_divisor = LOWMEM_DIVISOR,
    .must_wedge = true,
};

LAB_CASE(none, &workload, -1)
LAB_CASE(reclaim, &workload, 0)
LAB_CASE(smaller, &workload, 1)
LAB_CASE(watermarks, &workload, 2)

static const struct test_case cases[] = {
    {"none", case_none},
    {"reclaim", case_reclaim},
    {"smaller", case_smaller},
    {"watermarks", case_watermarks},
};

SUITE(lowmem_bufferheads) = {
    .name = "lowmem_bufferheads",
    .about = "heads of cached pages, until lowmem is full",
    .rank = SUITE_RANK_STRESS,
    .cases = cases,
    .nr_cases = ARRAY_SIZE(cases),
    .sizes = "bufferheads",
    .abandon = lab_abandon,
};

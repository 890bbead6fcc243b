/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * highmem: all memory above the direct map holds what is written to it, each page by itself.
 *
 * Own address: every page is filled with words that name it, then all are read back: two physical
 * addresses that lead to the same cells show, whichever address lines are at fault, and the word
 * that is found names the other one. Moving inversions: a pattern is inverted word by word on the
 * way up and inverted back on the way down, so that a cell that is changed by a neighbour is read
 * before it is written again.
 *
 * Why it can break: a chipset or emulator that drops address bits at 4 GiB; a firmware map that
 * shows memory behind the PCI hole twice; processors with fewer physical address bits than CPUID
 * says; bad cells. A break shows as the exact physical address, the value and the value wanted.
 *
 * depth=sparse visits some pages of every 2 MiB, smoke some words of every page, full every word.
 */
#include "lib/inject.h"
#include "lib/permute.h"
#include "lib/x86/cpu.h"
#include "paging/kmap_local.h"
#include "payload/tests/highmem_set.h"

#define WORDS_PER_PAGE (PAGE_SIZE / sizeof(uint32_t))
#define SMOKE_WORDS 8u
#define BLOCK_PAGES 64u

/* Odd, so that each has an inverse modulo 2^32 and a word can be traced back to its page. */
#define OWN_PAGE_FACTOR 0x9e3779b1u
#define OWN_PAGE_INVERSE 0xe8b2f51u
#define OWN_WORD_FACTOR 0x85ebca6bu

_Static_assert(OWN_PAGE_FACTOR *OWN_PAGE_INVERSE == 1, "");

static struct page_set set;

/* Which words of a page are visited: all, or its first, its last, and some between. */
static unsigned words_of(enum depth depth)
{
    return depth == DEPTH_FULL ? WORDS_PER_PAGE : SMOKE_WORDS;
}

static unsigned word_at(enum depth depth, pfn_t pfn, unsigned i)
{
    const unsigned part = WORDS_PER_PAGE / SMOKE_WORDS;

    if (depth == DEPTH_FULL)
        return i;
    if (i == 0)
        return 0;
    if (i == SMOKE_WORDS - 1)
        return WORDS_PER_PAGE - 1;
    return i * part + hash32(pfn) % part;
}

/* A word that names its page and its place in it, in a way that no other address has by chance. */
static uint32_t own_word(pfn_t pfn, unsigned word)
{
    return (uint32_t)pfn * OWN_PAGE_FACTOR + word * OWN_WORD_FACTOR + highmem_salt();
}

static void miss(struct test *t, pfn_t pfn, unsigned word, uint32_t got, uint32_t wanted)
{
    test_fail(t, "physical 0x%09llx holds 0x%08x, 0x%08x wanted (bits 0x%08x differ)",
              addr_number(pfn_to_phys(pfn) + (uint64_t)word * sizeof(uint32_t)), got, wanted,
              got ^ wanted);
}

/* If another page's word stands here, says whose: the inverse of own_word(). */
static void name_alias(struct test *t, pfn_t pfn, unsigned word, uint32_t got)
{
    pfn_t other = (got - highmem_salt() - word * OWN_WORD_FACTOR) * OWN_PAGE_INVERSE;

    if (other != pfn && other < max_pfn && own_word(other, word) == got)
        test_log(t, "that is what was written to 0x%09llx: the two addresses are one place",
                 addr_number(pfn_to_phys(other) + (uint64_t)word * sizeof(uint32_t)));
}

static void fill_own(struct test *t, pfn_t pfn)
{
    enum depth depth = test_depth(t);
    volatile uint32_t *window = kmap_local_pfn(pfn);

    for (unsigned i = 0; i < words_of(depth); i++) {
        unsigned word = word_at(depth, pfn, i);

        window[word] = own_word(pfn, word);
    }
    kunmap_local((const void *)window);
}

static void check_own(struct test *t, pfn_t pfn)
{
    enum depth depth = test_depth(t);
    volatile uint32_t *window = kmap_local_pfn(pfn);

    for (unsigned i = 0; i < words_of(depth); i++) {
        unsigned word = word_at(depth, pfn, i);
        uint32_t got = window[word];

        if (likely(got == own_word(pfn, word)))
            continue;
        if (test_should_stop(t))
            break;
        miss(t, pfn, word, got, own_word(pfn, word));
        name_alias(t, pfn, word, got);
    }
    kunmap_local((const void *)window);
}

/* The kind of fault that this suite is there for: one bit, above 4 GiB, between write and read. */
static void flip_one_bit(void)
{
    pfn_t pfn = page_set_pfn(&set, set.nr_visited - 1);
    volatile uint32_t *window = kmap_local_pfn(pfn);

    window[0] ^= BIT(17);
    kunmap_local((const void *)window);
}

/* Visits each page of the set once, in an order of the seed, in blocks so that the TLB has a part.
 */
static void visit(struct test *t, void (*fn)(struct test *, pfn_t), uint32_t step, uint32_t steps)
{
    uint32_t blocks = (set.nr_visited + BLOCK_PAGES - 1) / BLOCK_PAGES;
    struct permutation order;

    permute_init(&order, blocks, prng_u64(test_prng(t)));
    for (uint32_t i = 0; i < blocks && !test_should_stop(t); i++) {
        uint32_t first = permute_at(&order, i) * BLOCK_PAGES;
        uint32_t end = MIN(first + BLOCK_PAGES, set.nr_visited);

        for (uint32_t page = first; page < end && !test_should_stop(t); page++)
            fn(t, page_set_pfn(&set, page));
        test_progress(
            t, (uint32_t)(((uint64_t)step * blocks + i) * 1000 / ((uint64_t)steps * blocks)), 1000);
    }
}

static void case_own_address(struct test *t)
{
    if (!highmem_set_take(t, &set))
        return;
    visit(t, fill_own, 0, 2);
    if (inject(highmem_flip_bit, highmem))
        flip_one_bit();
    wbinvd();
    visit(t, check_own, 1, 2);
    test_metric(t, "pages", set.nr_visited, "pages");
    page_set_give_back(&set);
}

/* One sweep: what is expected, what is written instead. */
static struct {
    uint32_t expect, write;
} sweep;

static void fill_pattern(struct test *t, pfn_t pfn)
{
    enum depth depth = test_depth(t);
    volatile uint32_t *window = kmap_local_pfn(pfn);

    for (unsigned i = 0; i < words_of(depth); i++)
        window[word_at(depth, pfn, i)] = sweep.write;
    kunmap_local((const void *)window);
}

static void invert(struct test *t, pfn_t pfn, bool down)
{
    enum depth depth = test_depth(t);
    unsigned words = words_of(depth);
    volatile uint32_t *window = kmap_local_pfn(pfn);

    for (unsigned n = 0; n < words; n++) {
        unsigned word = word_at(depth, pfn, down ? words - 1 - n : n);
        uint32_t got = window[word];

        if (unlikely(got != sweep.expect))
            miss(t, pfn, word, got, sweep.expect);
        window[word] = sweep.write;
    }
    kunmap_local((const void *)window);
}

static void sweep_all(struct test *t, bool down, uint32_t step, uint32_t steps)
{
    for (uint32_t i = 0; i < set.nr_visited && !test_should_stop(t); i++) {
        invert(t, page_set_pfn(&set, down ? set.nr_visited - 1 - i : i), down);
        if (i % 1024 == 0)
            test_progress(t,
                          (uint32_t)(((uint64_t)step * set.nr_visited + i) * 1000 /
                                     ((uint64_t)steps * set.nr_visited)),
                          1000);
    }
}

static void case_moving_inversions(struct test *t)
{
    uint32_t pattern = prng_u32(test_prng(t));

    if (!highmem_set_take(t, &set))
        return;
    test_log(t, "pattern 0x%08x", pattern);
    sweep.write = pattern;
    visit(t, fill_pattern, 0, 3);
    sweep.expect = pattern;
    sweep.write = ~pattern;
    sweep_all(t, false, 1, 3);
    sweep.expect = ~pattern;
    sweep.write = pattern;
    sweep_all(t, true, 2, 3);
    page_set_give_back(&set);
}

/*
 * Address lines, one at a time: pages whose numbers differ in a single bit, the pairs that a
 * dropped or shorted line confuses. Short, and so run at every depth over the whole of physical
 * memory.
 */
static void case_address_lines(struct test *t)
{
    if (!highmem_set_take(t, &set))
        return;
    for (unsigned n = 0; n < 64 && !test_should_stop(t); n++) {
        pfn_t base = page_set_pfn(&set, prng_below(test_prng(t), set.nr_visited));

        fill_own(t, base);
        for (unsigned bit = 0; bit < PFN_BITS; bit++) {
            pfn_t other = base ^ BIT(bit);

            /* Only pages that are ours now: free ones are all in the set. */
            if (!page_set_holds(&set, other))
                continue;
            fill_own(t, other);
        }
        /* From memory, not from a cache, which tells the two addresses apart by itself. */
        wbinvd();
        check_own(t, base);
        for (unsigned bit = 0; bit < PFN_BITS; bit++)
            if (page_set_holds(&set, base ^ BIT(bit)))
                check_own(t, base ^ BIT(bit));
    }
    page_set_give_back(&set);
}

static void abandon(void)
{
    page_set_give_back(&set);
}

static const struct test_case cases[] = {
    {"address_lines", case_address_lines},
    {"own_address", case_own_address},
    {"moving_inversions", case_moving_inversions},
};

SUITE(highmem) = {
    .name = "highmem",
    .about = "all memory above the direct map holds what is written to it",
    .rank = SUITE_RANK_WINDOWS,
    .cases = cases,
    .nr_cases = ARRAY_SIZE(cases),
    .abandon = abandon,
};

/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/tests/highmem_set.h"
#include "lib/errno.h"
#include "lib/x86/cpu.h"
#include "paging/kmap_local.h"

#define FIRST_LINE 32u
#define SENTINELS 16u

static uint32_t salt;

uint32_t highmem_salt(void)
{
    return salt;
}

static uint32_t read_physical(pfn_t pfn)
{
    volatile uint32_t *window = kmap_local_pfn(pfn);
    uint32_t value = *window;

    kunmap_local((const void *)window);
    return value;
}

/* True if the highmem page shows whatever is written to the lowmem page. */
static bool follows(struct page *low, pfn_t high)
{
    volatile uint32_t *word = lowmem_page_address(low);

    for (unsigned i = 0; i < 2; i++) {
        *word = ~*word;
        wbinvd();
        if (read_physical(high) != *word)
            return false;
    }
    return true;
}

static bool check_lines(struct test *t, const struct page_set *set)
{
    bool sound = true;

    for (unsigned n = 0; n < SENTINELS && sound; n++) {
        struct page *low = alloc_page(GFP_KERNEL);

        if (!low)
            break;
        for (unsigned line = FIRST_LINE; line < PFN_BITS + PAGE_SHIFT && sound; line++) {
            pfn_t high = page_to_pfn(low) | BIT(line - PAGE_SHIFT);

            if (!page_set_holds(set, high))
                continue;
            sound = TEST_CHECK(
                t, !follows(low, high), "physical 0x%llx is 0x%llx: address line %u is dead",
                addr_number(pfn_to_phys(high)), addr_number(page_to_phys(low)), line);
        }
        __free_page(low);
    }
    return sound;
}

bool highmem_set_take(struct test *t, struct page_set *set)
{
    static bool checked, sound;
    int error = page_set_take(set, ZONE_HIGHMEM, test_depth(t));

    if (error == -ENODEV)
        test_skip(t, "no high memory: all RAM is in the direct map");
    else if (error)
        test_error(t, "no lowmem for a table of all free blocks");
    if (error)
        return false;
    salt = prng_u32(test_prng(t));
    if (!checked)
        sound = check_lines(t, set);
    else if (!sound)
        test_error(t, "high memory is lowmem seen twice");
    checked = true;
    if (!sound)
        page_set_give_back(set);
    return sound;
}

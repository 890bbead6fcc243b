/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/tests/lowmem_failure.h"

static int largest_order(enum zone_type zone)
{
    struct buddy_counts counts;

    zone_buddy_counts(zone_get(zone), &counts);
    return buddy_largest_order(&counts);
}

void failure_note_state(struct lab_failure *failure, enum zone_type wanted)
{
    struct buddy_counts counts;

    zone_buddy_counts(zone_get(wanted), &counts);
    failure->largest = buddy_largest_order(&counts);
    failure->unusable = unusable_index(&counts, failure->order);
    failure->fragmentation = fragmentation_index(&counts, failure->order);
    for (unsigned z = 0; z < MAX_NR_ZONES; z++)
        failure->free[z] = nr_free_pages((enum zone_type)z);
}

/* Without watermarks there is no reason to keep a block from anyone. */
static void check_failure(struct lab *lab, gfp_t gfp, unsigned order)
{
    unsigned highest = gfp & __GFP_ZONE_MASK;
    unsigned lowest = gfp & __GFP_THISZONE ? highest : ZONE_DMA;

    if (page_alloc_tuning()->watermarks)
        return;
    for (unsigned z = lowest; z <= highest; z++) {
        int largest = largest_order((enum zone_type)z);

        TEST_CHECK(lab->t, largest < (int)order,
                   "order %u from %s failed with a free block of order %d in %s", order,
                   zone_get((enum zone_type)highest)->name, largest,
                   zone_get((enum zone_type)z)->name);
    }
}

void lab_note_failure(struct lab *lab, gfp_t gfp, unsigned order)
{
    lab->failure.noted = true;
    lab->failure.gfp = gfp;
    lab->failure.order = order;
    failure_note_state(&lab->failure, (enum zone_type)(gfp & __GFP_ZONE_MASK));
    check_failure(lab, gfp, order);
}

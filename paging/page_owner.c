/* SPDX-License-Identifier: BSD-2-Clause */
#include "paging/page_owner.h"
#include "lib/errno.h"

static struct page_owner nobody = {.name = "kernel", .letter = 'k'};
static struct page_owner slab = {.name = "slab", .letter = 's', .id = PAGE_OWNER_SLAB};

/* Guarded by threads registering one at a time. */
static struct page_owner *owners[NR_PAGE_OWNERS] = {
    [PAGE_OWNER_NONE] = &nobody,
    [PAGE_OWNER_SLAB] = &slab,
};

int page_owner_register(struct page_owner *owner)
{
    for (unsigned id = PAGE_OWNER_FIRST_FREE; id < NR_PAGE_OWNERS; id++) {
        if (!owners[id]) {
            owners[id] = owner;
            owner->id = id;
            return 0;
        }
    }
    return -ENOSPC;
}

void page_owner_unregister(struct page_owner *owner)
{
    if (owner->id >= PAGE_OWNER_FIRST_FREE && owners[owner->id] == owner)
        owners[owner->id] = NULL;
    owner->id = PAGE_OWNER_NONE;
}

struct page_owner *page_owner_of_id(unsigned id)
{
    return id < NR_PAGE_OWNERS ? owners[id] : NULL;
}

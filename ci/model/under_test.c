/* SPDX-License-Identifier: BSD-2-Clause */
#include "ci/model/under_test.h"

/* Included, not linked: the model looks at what is static there, and starts it anew. */
#include "paging/kmap.c"
#include "paging/kmap_local.c"
#include "paging/wait.c"

void *under_test_kmap(struct page *page)
{
    return kmap(page);
}

void under_test_kunmap(struct page *page)
{
    kunmap(page);
}

void *under_test_kmap_local(struct page *page)
{
    return kmap_local_page(page);
}

void under_test_kunmap_local(const void *addr)
{
    kunmap_local(addr);
}

void under_test_start(void)
{
    kmap_pool = (struct kmap_pool){0};
    for (unsigned slot = 0; slot < LAST_PKMAP; slot++)
        slots[slot] = (struct slot){0};
    hand = quick_hand = nr_kept = 0;
    list_init(&waiters.sleepers);
}

unsigned under_test_kept(void)
{
    return nr_kept;
}

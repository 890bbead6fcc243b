/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/tests/highmem_set.h"
#include "lib/errno.h"

bool highmem_set_take(struct test *t, struct page_set *set)
{
    int error = page_set_take(set, ZONE_HIGHMEM, test_depth(t));

    if (error == -ENODEV)
        test_skip(t, "no high memory: all RAM is in the direct map");
    else if (error)
        test_error(t, "no lowmem for a table of all free blocks");
    return error == 0;
}

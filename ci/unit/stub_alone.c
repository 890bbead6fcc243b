/* SPDX-License-Identifier: BSD-2-Clause */
/* For tests of the page allocator on one processor, where nobody can help it to make room. */
#include "ci/unit/unit.h"
#include "paging/compaction.h"
#include "lib/x86/percpu.h"
#include "paging/shrinker.h"

struct cpu *this_cpu(void)
{
    static struct cpu cpu;

    return &cpu;
}

bool compact_zone(enum zone_type zone, unsigned order, struct compact_result *result)
{
    return false;
}

uint32_t shrink_pages(enum zone_type zone, uint32_t nr_pages)
{
    return 0;
}

void shrink_reset(void)
{
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* What must hold between operations. */
#include <string.h>

#include "ci/model/kmap_state.h"
#include "ci/model/under_test.h"

static void check_window(const char *kind, virt_t window, pfn_t pfn)
{
    uint32_t frame = processor_frame_at(window);

    CHECK(frame == pfn, "%s window 0x%lx shows frame 0x%x, 0x%x wanted", kind,
          (unsigned long)window, frame, pfn);
    CHECK(processor_entry_is_plain(window), "%s window 0x%lx has other bits than it should", kind,
          (unsigned long)window);
    CHECK(processor_frame_at(window + PAGE_SIZE) == NO_PAGE,
          "the page behind %s window 0x%lx does not fault", kind, (unsigned long)window);
}

static void check_pages(void)
{
    unsigned taken = 0;

    for (unsigned i = MODEL_LOW_PAGES; i < MODEL_PAGES; i++) {
        const struct mapping *map = &m.mapping[i];
        const struct page *page = &processor.map[i];
        unsigned slot = (unsigned)((map->window - PKMAP_BASE) / (virt_t)PKMAP_STRIDE);

        if (map->free)
            CHECK(!memcmp(page, &map->descriptor, sizeof(*page)),
                  "the descriptor of the free page %u was written", i);
        if (!map->uses) {
            CHECK(!page_address(page), "page %u, not mapped, has an address", i);
            continue;
        }
        CHECK(slot < LAST_PKMAP && map->window == pkmap_addr(slot) && !(taken & BIT(slot)),
              "page %u has the window 0x%lx, which is another's or none", i,
              (unsigned long)map->window);
        taken |= BIT(slot % 32);
        CHECK((virt_t)page_address(page) == map->window, "page_address() of page %u is 0x%lx", i,
              (unsigned long)page_address(page));
        CHECK(kmap_pool.count[slot % LAST_PKMAP] == map->uses + 1,
              "page %u is mapped %u times, its count is %u", i, map->uses,
              kmap_pool.count[slot % LAST_PKMAP]);
        check_window("kmap", map->window, pfn_of(i));
    }
}

static void check_threads(void)
{
    const struct thread *t = m.current;
    /* Of one that stands in the middle of opening or closing a window, the others are looked at. */
    unsigned whole = t->depth;

    if (t->state == STATE_STOPPED && t->op.kind == OP_UNLOCAL)
        whole--;
    for (unsigned i = 0; i < whole; i++)
        check_window("short", kmap_local_addr(i), t->local[i]);
    if (t->state == STATE_STOPPED)
        return;
    CHECK(kmap_local_depth() == t->depth, "thread %u has %u short windows, %u wanted", number_of(t),
          kmap_local_depth(), t->depth);
    for (unsigned i = t->depth; i < KMAP_LOCAL_DEPTH; i++)
        CHECK(processor_frame_at(kmap_local_addr(i)) == NO_PAGE,
              "short window %u is closed, and shows frame 0x%x", i,
              processor_frame_at(kmap_local_addr(i)));
    CHECK(!processor.cpu.preempt_count, "preemption is off %u times after an operation",
          processor.cpu.preempt_count);
}

void check_all(void)
{
    unsigned free_slots, used_slots, asleep = threads_in(STATE_ASLEEP);
    unsigned kept = threads_in(STATE_WOKEN);

    processor_walk_all();
    check_pages();
    check_threads();
    kmap_usage(&free_slots, &used_slots);
    CHECK(used_slots == m.used && free_slots + used_slots <= LAST_PKMAP,
          "%u slots in use and %u free, %u in use wanted", used_slots, free_slots, m.used);
    CHECK(under_test_kept() == kept, "%u windows are kept, for %u threads", under_test_kept(),
          kept);
    CHECK(kmap_pool.waiting == asleep + kept, "it thinks %u threads wait, %u do", kmap_pool.waiting,
          asleep + kept);
    CHECK(LAST_PKMAP - used_slots >= kept, "%u windows are kept, %u are there", kept,
          LAST_PKMAP - used_slots);
    CHECK(!asleep || LAST_PKMAP - used_slots <= kept,
          "%u threads sleep, and a window is there for nobody", asleep);
    CHECK(processor.findings == m.findings, "%u findings, %u wanted", processor.findings,
          m.findings);
    CHECK(processor.full_flushes <= kmap_counters.wraps + m.resets, "%u full flushes for %u wraps",
          processor.full_flushes, kmap_counters.wraps);
}

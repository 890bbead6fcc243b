/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/tests/zone_state.h"

void zone_state_remember(struct zone_state *state)
{
    drain_all_pages();
    for (unsigned z = 0; z < MAX_NR_ZONES; z++) {
        const struct zone *zone = zone_get((enum zone_type)z);

        state->zone[z].free_pages = zone->free_pages;
        for (unsigned order = 0; order < NR_ORDERS; order++)
            state->zone[z].nr_free[order] = zone->free_area[order].nr_free;
    }
}

void zone_state_check_lists(struct test *t)
{
    for (unsigned z = 0; z < MAX_NR_ZONES; z++) {
        pfn_t where = 0;
        const char *wrong = zone_check(zone_get((enum zone_type)z), &where);

        TEST_CHECK(t, wrong == NULL, "zone %s: %s, at physical 0x%llx",
                   zone_get((enum zone_type)z)->name, wrong, addr_number(pfn_to_phys(where)));
    }
}

void zone_state_compare(struct test *t, const struct zone_state *state)
{
    drain_all_pages();
    zone_state_check_lists(t);
    for (unsigned z = 0; z < MAX_NR_ZONES; z++) {
        const struct zone *zone = zone_get((enum zone_type)z);

        TEST_CHECK(t, zone->free_pages == state->zone[z].free_pages,
                   "zone %s: %u pages free, %u before", zone->name, zone->free_pages,
                   state->zone[z].free_pages);
        for (unsigned order = 0; order < NR_ORDERS; order++)
            TEST_CHECK(t, zone->free_area[order].nr_free == state->zone[z].nr_free[order],
                       "zone %s: %u blocks of order %u, %u before: not all merged back", zone->name,
                       zone->free_area[order].nr_free, order, state->zone[z].nr_free[order]);
    }
}

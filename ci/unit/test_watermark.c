/* SPDX-License-Identifier: BSD-2-Clause */
/* Marks and reserves of machines made up, next to what Linux 6.1 computes for them. */
#include "ci/unit/unit.h"
#include "lib/inject.h"
#include "paging/buddy.h"
#include "paging/watermark.h"

struct zone zones[MAX_NR_ZONES];
struct page_alloc_events page_alloc_counts;

bool inject_host(const char *name)
{
    return false;
}

/* About what 16 GiB come to: 900,096 KiB of lowmem. */
static const uint32_t of_16_gib[MAX_NR_ZONES] = {3840, 221184, 3932160};

static void set(const uint32_t *present, bool watermarks, uint32_t min_free_kbytes)
{
    const struct page_alloc_tuning tuning = {
        .watermarks = watermarks,
        .min_free_kbytes = min_free_kbytes,
        .lowmem_reserve_ratio = {[ZONE_DMA] = 256, [ZONE_NORMAL] = 32},
    };

    for (unsigned z = 0; z < MAX_NR_ZONES; z++)
        zones[z].present_pages = present[z];
    watermarks_set(zones, &tuning);
}

static void expect_marks(enum zone_type zone, uint32_t min, uint32_t low, uint32_t high)
{
    assert_int_equal(zones[zone].watermark[WMARK_MIN], min);
    assert_int_equal(zones[zone].watermark[WMARK_LOW], low);
    assert_int_equal(zones[zone].watermark[WMARK_HIGH], high);
}

/* The root of 16 * 900,096 is 3794; 948 pages are shared among the zones. */
static void nobody_says_how_much(void **state)
{
    set(of_16_gib, true, 0);
    expect_marks(ZONE_DMA, 16, 20, 24);
    expect_marks(ZONE_NORMAL, 931, 931 + 232, 931 + 2 * 232);
    /* A minimum of its own, and steps of its share, 16,565 pages. */
    expect_marks(ZONE_HIGHMEM, 128, 128 + 4141, 128 + 2 * 4141);
}

/* Where a quarter of the share is less than a thousandth of the zone. */
static void little_is_kept(void **state)
{
    set(of_16_gib, true, 400);
    expect_marks(ZONE_DMA, 1, 1 + 3, 1 + 2 * 3);
    expect_marks(ZONE_NORMAL, 98, 98 + 221, 98 + 2 * 221);
    expect_marks(ZONE_HIGHMEM, 128, 128 + 3932, 128 + 2 * 3932);
}

/* 128 KiB at least, all of them here; HIGHMEM has 32 pages at least, or a thousandth. */
static void small_machines(void **state)
{
    set((const uint32_t[]){100, 0, 0}, true, 0);
    expect_marks(ZONE_DMA, 32, 40, 48);
    expect_marks(ZONE_NORMAL, 0, 0, 0);
    set((const uint32_t[]){3840, 221184, 2000}, true, 400);
    assert_int_equal(zones[ZONE_HIGHMEM].watermark[WMARK_MIN], 32);
    set((const uint32_t[]){3840, 221184, 65536}, true, 400);
    assert_int_equal(zones[ZONE_HIGHMEM].watermark[WMARK_MIN], 64);
}

static void reserves(void **state)
{
    set(of_16_gib, true, 0);
    assert_int_equal(zones[ZONE_DMA].lowmem_reserve[ZONE_DMA], 0);
    assert_int_equal(zones[ZONE_DMA].lowmem_reserve[ZONE_NORMAL], 221184 / 256);
    assert_int_equal(zones[ZONE_DMA].lowmem_reserve[ZONE_HIGHMEM], (221184 + 3932160) / 256);
    assert_int_equal(zones[ZONE_NORMAL].lowmem_reserve[ZONE_NORMAL], 0);
    assert_int_equal(zones[ZONE_NORMAL].lowmem_reserve[ZONE_HIGHMEM], 3932160 / 32);
    set(of_16_gib, false, 0);
    for (unsigned z = 0; z < MAX_NR_ZONES; z++) {
        expect_marks((enum zone_type)z, 0, 0, 0);
        for (unsigned top = 0; top < MAX_NR_ZONES; top++)
            assert_int_equal(zones[z].lowmem_reserve[top], 0);
    }
}

/* Each mark once for each time that it is passed on the way down. */
static void falls(void **state)
{
    struct zone *zone = &zones[ZONE_NORMAL];
    const uint32_t *below = page_alloc_counts.below[ZONE_NORMAL];

    set(of_16_gib, true, 400);
    zone->free_pages = zone->watermark[WMARK_LOW];
    watermark_note_fall(zone, zone->watermark[WMARK_HIGH]);
    assert_true(below[WMARK_HIGH] == 1 && below[WMARK_LOW] == 0 && below[WMARK_MIN] == 0);
    zone->free_pages = 0;
    watermark_note_fall(zone, zone->watermark[WMARK_LOW]);
    watermark_note_fall(zone, 1);
    assert_true(below[WMARK_HIGH] == 1 && below[WMARK_LOW] == 1 && below[WMARK_MIN] == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_says_how_much),
        cmocka_unit_test(little_is_kept),
        cmocka_unit_test(small_machines),
        cmocka_unit_test(reserves),
        cmocka_unit_test(falls),
    };

    return cmocka_run_group_tests_name("watermark", tests, NULL, NULL);
}

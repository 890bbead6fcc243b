/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "ci/model/page_slab.h"
#include "lib/prng.h"
#include "lib/x86/percpu.h"

#define WORDS_EVERY 16u /* operations between looks at all that is held */

struct state m;

static void do_drain(const struct op *op)
{
    (void)op;
    drain_all_pages();
    supply_count(&m.free, m.is_free);
    for (unsigned zone = 0; zone < MAX_NR_ZONES; zone++)
        CHECK(zone_get((enum zone_type)zone)->free_pages == m.free.pages[zone],
              "zone %u: %u pages in its lists after a drain, %u are free", zone,
              zone_get((enum zone_type)zone)->free_pages, m.free.pages[zone]);
}

static bool is_set(const struct page_alloc_tuning *is, const struct page_alloc_tuning *set)
{
    return is->watermarks == set->watermarks && is->mobility == set->mobility &&
           is->pcp == set->pcp && is->compaction == set->compaction &&
           is->reclaim == set->reclaim && is->min_free_kbytes == set->min_free_kbytes &&
           !memcmp(is->lowmem_reserve_ratio, set->lowmem_reserve_ratio,
                   sizeof(is->lowmem_reserve_ratio));
}

/* What nobody has a page of is movable, holes or not. */
static void check_settled(void)
{
    for (pfn_t pfn = 0; pfn < m.nr_pfn; pfn += 1u << PAGEBLOCK_ORDER) {
        pfn_t end = MIN(pfn + (1u << PAGEBLOCK_ORDER), m.nr_pfn), at = pfn;
        enum migratetype type = get_pageblock_migratetype(m.map + pfn);

        while (at < end && (m.frame[at] == FREE || m.frame[at] == HOLE))
            at++;
        CHECK(at < end || type == MIGRATE_MOVABLE,
              "nobody has a page of the pageblock at %u, and it has type %u", pfn, type);
    }
}

void do_tune(const struct op *op)
{
    static const uint32_t ratios[] = {0, 1, 4, 32};

    m.tuning = (struct page_alloc_tuning){
        .watermarks = op->more & 1,
        .mobility = op->more & 2,
        .pcp = op->more & 4,
        .compaction = op->more & 8,
        .reclaim = op->more & 16,
        .min_free_kbytes = op->at % 256u,
        .lowmem_reserve_ratio = {ratios[op->at >> 8 & 3], ratios[op->at >> 10 & 3],
                                 ratios[op->at >> 12 & 3]},
    };
    page_alloc_tune(&m.tuning);
    CHECK(is_set(page_alloc_tuning(), &m.tuning), "the tuning is not the one set");
    if (m.tuning.mobility)
        check_settled();
    do_drain(op);
    check_tuning();
}

static void do_clear_events(const struct op *op)
{
    static const struct page_alloc_events none;

    (void)op;
    page_alloc_clear_events();
    CHECK(!memcmp(page_alloc_events(), &none, sizeof(none)), "events are left");
    m.before = none;
}

/* Zones that end at odd places, and up to three holes. Number 0 is plain. */
static void choose_frames(unsigned number)
{
    const pfn_t dma_end = phys_to_pfn(ZONE_DMA_END);
    struct prng prng;

    m.low_pfn = dma_end + 75;
    m.nr_pfn = m.low_pfn + 120;
    memset(m.frame, HOLE, sizeof(m.frame));
    if (number) {
        prng_seed(&prng, number);
        m.low_pfn = prng_below(&prng, 4) ? dma_end + 1 + prng_below(&prng, 500)
                                         : 16 + prng_below(&prng, dma_end);
        m.nr_pfn = m.low_pfn + (prng_below(&prng, 8) ? prng_below(&prng, 500) : 0);
    }
    memset(m.frame + 1, FREE, m.nr_pfn - 1);
    for (unsigned i = 0; number && i < prng_below(&prng, 4); i++) {
        pfn_t at = prng_below(&prng, m.nr_pfn), pages = 1 + prng_below(&prng, 70);

        memset(m.frame + at, HOLE, MIN(pages, m.nr_pfn - at));
    }
}

static void start_with(unsigned number)
{
    memset(m.map, 0, sizeof(m.map));
    memset(m.is_listed, 0, sizeof(m.is_listed));
    memset(m.buddies, 0, sizeof(m.buddies));
    memset(m.window, 0, sizeof(m.window));
    m.nr_held = m.last_freed = 0;
    m.moved = m.kept = m.isolated = m.reclaimed = m.words_written = 0;
    m.findings = m.findings_wanted = 0;
    m.finding[0] = 0;
    m.shrinking = m.compacting = m.compacting_all = m.slab_gave = m.disturbed = false;
    for (unsigned i = 0; i < NR_FRAMES; i++)
        m.unused[i] = (uint16_t)i;
    choose_frames(number);
    for (pfn_t pfn = 0; pfn < NR_FRAMES; pfn++)
        frame_is(pfn, (enum frame_state)m.frame[pfn]);
    memset(m.zone_bits, 0, sizeof(m.zone_bits));
    for (pfn_t pfn = 0; pfn < m.nr_pfn; pfn++)
        m.zone_bits[zone_of(pfn)][pfn / GROUP_FRAMES] |= 1u << pfn % GROUP_FRAMES;
    page_alloc_init(m.map, m.nr_pfn, m.low_pfn);
    for (pfn_t end = m.nr_pfn, pfn; end > 0; end = pfn) {
        pfn = end - 1;
        if (m.frame[pfn] == HOLE)
            continue;
        while (pfn > 0 && m.frame[pfn - 1] == m.frame[end - 1])
            pfn--;
        page_alloc_add_range(pfn, end);
    }
    hooks_start();
    objects_start();
    slab_start();
    /* What the scanners remember of another machine is over. */
    for (unsigned zone = 0; zone < MAX_NR_ZONES; zone++)
        compact_zone((enum zone_type)zone, NR_ORDERS, NULL);
    m.tuning = page_alloc_default;
    page_alloc_tune(&page_alloc_default);
    page_alloc_clear_events();
    m.before = *page_alloc_events();
    check_all();
    check_tuning();
}

/* In the end all that was ever given is free, in the largest blocks. */
static void end_all(void)
{
    others_start();
    check_words();
    check_objects();
    slab_end();
    memset(m.window, 0, sizeof(m.window));
    for (pfn_t pfn = 0; pfn < m.nr_pfn; pfn++)
        if (m.frame[pfn] == HEAD || m.frame[pfn] == TAIL)
            m.map[pfn].kmap = 0;
    for (unsigned i = 0; m.nr_held && is_right(); i++) {
        give(pick_block(i * 7919u));
        if (i % WORDS_EVERY == 0)
            check_all();
    }
    do_drain(NULL);
    check_all();
    CHECK(!memcmp(&m.free, &m.listed, sizeof(m.free)), "at the end not all is in the lists");
}

static void do_start(const struct op *op)
{
    end_all();
    if (is_right())
        start_with(op->at);
}

void (*const actions[NR_OP_KINDS])(const struct op *op) = {
    [OP_START] = do_start,
    [OP_ALLOC] = do_alloc,
    [OP_FILL] = do_fill,
    [OP_ALLOC_IN] = do_alloc_in,
    [OP_FREE] = do_free,
    [OP_THIN] = do_thin,
    [OP_FREE_WRONG] = do_free_wrong,
    [OP_DRAIN] = do_drain,
    [OP_TUNE] = do_tune,
    [OP_OWN] = do_own,
    [OP_PIN] = do_pin,
    [OP_CACHE] = do_cache,
    [OP_SHRINK] = do_shrink,
    [OP_COMPACT] = do_compact,
    [OP_KMAP] = do_kmap,
    [OP_KUNMAP] = do_kunmap,
    [OP_CLEAR_EVENTS] = do_clear_events,
    [OP_KMALLOC] = do_kmalloc,
    [OP_KFREE] = do_kfree,
    [OP_OBJECT_ALLOC] = do_object_alloc,
    [OP_OBJECT_WRONG] = do_object_wrong,
    [OP_DAMAGE] = do_damage,
    [OP_CACHE_CREATE] = do_cache_create,
    [OP_CACHE_END] = do_cache_end,
    [OP_CACHE_SHRINK] = do_cache_shrink,
    [OP_SLAB_DEBUG] = do_slab_debug,
    [OP_DISTURB] = do_disturb,
};

bool model_run(const struct op *sequence, size_t count, const char *broken,
               struct model_result *result)
{
    *result = (struct model_result){0};
    model_now = result;
    m.broken = broken;
    others_start();
    m.serial = 0;
    memset(m.word, 0, sizeof(m.word));
    this_cpu()->preempt_count = 0;
    start_with(0);
    while (result->done < count && is_right()) {
        struct op op = sequence[result->done++];

        op.kind %= NR_OP_KINDS;
        others_before(&op);
        actions[op.kind](&op);
        if (!is_right())
            break;
        check_all();
        check_slabs();
        if (result->done % WORDS_EVERY == 0) {
            check_words();
            check_objects();
        }
    }
    if (is_right())
        end_all();
    m.broken = NULL;
    return is_right();
}

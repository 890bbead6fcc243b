/* SPDX-License-Identifier: BSD-2-Clause */
/* Owners of pages that can be moved, and a cache that can be shrunk. */
#include "ci/model/page_slab.h"
#include "lib/x86/percpu.h"

static struct block *block_of(const struct page_owner *owner, uint32_t index,
                              const struct page *page, const char *hook)
{
    struct block *block = index < NR_FRAMES ? &m.blocks[index] : NULL;

    if (!block || m.frame[block->pfn] != HEAD || m.block[block->pfn] != index ||
        &model_owner[block->who] != owner) {
        broke("%s() of page %u, which its owner %s does not have", hook, index, owner->name);
        return NULL;
    }
    CHECK(page == m.map + block->pfn, "%s() of page %u: it is frame %u, not %u", hook, index,
          block->pfn, (unsigned)(page - m.map));
    CHECK(this_cpu()->preempt_count, "%s() with preemption on", hook);
    return block;
}

static bool isolate(struct page_owner *owner, uint32_t index, struct page *page)
{
    struct block *block = block_of(owner, index, page, "isolate");

    if (!block)
        return false;
    CHECK(!block->isolated, "frame %u is isolated twice", block->pfn);
    CHECK(block->order == 0, "a block of order %u is to be moved", block->order);
    CHECK(m.tuning.compaction || m.compacting, "frame %u is to be moved without the remedy",
          block->pfn);
    if (block->pinned)
        return false;
    /* Who has no kept() is not told, and makes nothing of it. */
    block->isolated = owner->kept;
    m.isolated += block->isolated;
    return true;
}

/* Compaction of all there is spares what is wholly free, and the pageblocks of others. */
static bool may_take_in(pfn_t pfn)
{
    const struct page *first = m.map + ALIGN_DOWN(pfn, 1u << PAGEBLOCK_ORDER);

    if (page_is_buddy(first) && first->order == PAGEBLOCK_ORDER)
        return false;
    return !m.tuning.mobility || get_pageblock_migratetype(m.map + pfn) == MIGRATE_MOVABLE;
}

static void moved(struct page_owner *owner, uint32_t index, struct page *from, struct page *to)
{
    struct block *block = block_of(owner, index, from, "moved");
    pfn_t was = (pfn_t)(from - m.map), pfn = (pfn_t)(to - m.map);

    if (!block)
        return;
    CHECK(block->isolated || !owner->kept, "frame %u has moved, and was not isolated", was);
    CHECK(!has_window_in_use(block), "frame %u has moved with a window in use", was);
    if (pfn >= m.nr_pfn || m.frame[pfn] != FREE) {
        broke("frame %u has moved to %u, which is not free", was, pfn);
        return;
    }
    CHECK(zone_of(pfn) == zone_of(was), "frame %u has moved to %u, into another zone", was, pfn);
    CHECK(!m.compacting_all || may_take_in(pfn), "frame %u has moved to %u, among pages of type %u",
          was, pfn, get_pageblock_migratetype(to));
    CHECK(to->owner == owner->id && to->index == index,
          "frame %u has moved to %u: owner and index are %u, %u, not %u, %u", was, pfn, to->owner,
          to->index, owner->id, index);
    CHECK(to->allocated && to->order == 0 && !to->kmap, "frame %u has moved to %u, not allocated",
          was, pfn);
    frame_is(was, FREE);
    frame_is(pfn, HEAD);
    m.block[pfn] = (uint16_t)index;
    block->pfn = pfn;
    m.isolated -= block->isolated;
    block->isolated = false;
    m.moved++;
    CHECK(m.word[pfn] == word_of(block, 0), "frame %u has moved to %u without what it holds", was,
          pfn);
}

static void kept(struct page_owner *owner, uint32_t index, struct page *page)
{
    struct block *block = block_of(owner, index, page, "kept");

    if (!block)
        return;
    CHECK(block->isolated, "frame %u is kept, and was not isolated", block->pfn);
    block->isolated = false;
    m.isolated--;
    m.kept++;
}

struct page_owner model_owner[NR_WHO] = {
    [FIXED] = {.name = "fixed", .letter = 'f'},
    [MOVER] = {.name = "mover", .letter = 'm', .isolate = isolate, .moved = moved, .kept = kept},
    [CACHE] = {.name = "cache", .letter = 'c', .isolate = isolate, .moved = moved},
};

/* There are two caches, which share the owner. */
static bool can_shrink(const struct block *block, unsigned number, enum zone_type zone)
{
    return block->who == CACHE && block->serial % NR_CACHES == number &&
           zone_of(block->pfn) <= zone && !has_window_in_use(block);
}

static uint32_t pages_of(unsigned number, enum zone_type zone)
{
    uint32_t pages = 0;

    for (uint32_t i = 0; i < m.nr_held; i++)
        pages += can_shrink(&m.blocks[m.held[i]], number, zone);
    return pages;
}

uint32_t cache_pages(enum zone_type zone)
{
    return pages_of(0, zone) + pages_of(1, zone);
}

static unsigned number_of(const struct shrinker *shrinker);

static uint32_t count_objects(struct shrinker *shrinker, enum zone_type zone)
{
    CHECK(!m.shrinking, "a shrinker is asked from within itself");
    CHECK(this_cpu()->preempt_count, "a shrinker is asked with preemption on");
    return pages_of(number_of(shrinker), zone);
}

static uint32_t scan_objects(struct shrinker *shrinker, enum zone_type zone, uint32_t nr_to_scan)
{
    unsigned number = number_of(shrinker);
    uint32_t freed = 0;

    CHECK(!m.shrinking, "a shrinker is asked from within itself");
    CHECK(nr_to_scan > 0 && nr_to_scan <= SHRINK_BATCH, "a shrinker is asked for %u pages",
          nr_to_scan);
    m.shrinking = true;
    for (uint32_t i = m.nr_held; i-- > 0 && freed < nr_to_scan;) {
        struct block *block = &m.blocks[m.held[i]];

        if (!can_shrink(block, number, zone))
            continue;
        CHECK(!block->isolated, "an isolated page is reclaimed");
        give(block);
        freed++;
    }
    m.shrinking = false;
    m.reclaimed += freed;
    m.freed_by[number] += freed;
    return freed;
}

static struct shrinker caches[NR_CACHES] = {
    {.name = "a", .count_objects = count_objects, .scan_objects = scan_objects},
    {.name = "b", .count_objects = count_objects, .scan_objects = scan_objects},
};

static unsigned number_of(const struct shrinker *shrinker)
{
    return (unsigned)(shrinker - caches);
}

static bool is_registered;

void hooks_start(void)
{
    for (unsigned who = FIXED; who < NR_WHO; who++) {
        page_owner_unregister(&model_owner[who]);
        page_owner_register(&model_owner[who]);
    }
    for (unsigned i = 0; i < NR_CACHES && !is_registered; i++)
        register_shrinker(&caches[i]);
    is_registered = true;
}

/* Operations */

void do_own(const struct op *op)
{
    struct block *block = pick_block(op->at);

    if (block && block->who != CACHE)
        block_own(block, (enum who)(op->more % CACHE));
}

void do_pin(const struct op *op)
{
    struct block *block = pick_block(op->at);

    if (block)
        block->pinned = op->more & 1;
}

void do_shrink(const struct op *op)
{
    enum zone_type zone = (enum zone_type)((op->gfp & __GFP_ZONE_MASK) % MAX_NR_ZONES);
    uint32_t has[NR_CACHES] = {pages_of(0, zone), pages_of(1, zone)}, there = has[0] + has[1];
    uint32_t freed = shrink_pages(zone, op->more);

    CHECK(freed == m.reclaimed + slab_state.pages_given,
          "shrink_pages() says that %u pages were freed; %u were, and %u of slabs", freed,
          m.reclaimed, slab_state.pages_given);
    CHECK(freed >= MIN(there, op->more), "shrink_pages(%u) frees %u pages of %u", op->more, freed,
          there);
    for (unsigned i = 0; i < NR_CACHES; i++)
        CHECK(m.freed_by[i] <= op->more * has[i] / MAX(there, 1u) + 1,
              "shrink_pages(%u) frees %u pages of cache %u, which has %u of %u", op->more,
              m.freed_by[i], i, has[i], there);
}

static bool can_move(pfn_t pfn)
{
    const struct block *block = &m.blocks[m.block[pfn]];

    return m.frame[pfn] == HEAD && (block->who == MOVER || block->who == CACHE) &&
           block->order == 0 && !block->pinned && !has_window_in_use(block);
}

/* All that can move has: none of it lies below a page that is free, and may take it in. */
static void check_compacted(unsigned zone)
{
    pfn_t lowest = zone_first(zone), highest = zone_end(zone);

    while (lowest < zone_end(zone) && !can_move(lowest))
        lowest++;
    while (--highest > lowest && (m.frame[highest] != FREE || !may_take_in(highest)))
        ;
    CHECK(lowest >= highest,
          "after compaction frame %u, which can move, lies below frame %u, which is free", lowest,
          highest);
}

/* There is no place for a block of this order from where all could move to free pages above. */
static void check_no_place(unsigned zone, unsigned order)
{
    pfn_t pages = 1u << order, free_above = 0, pfn = zone_end(zone);

    while (pfn % pages)
        free_above += m.frame[--pfn] == FREE;
    while (pfn >= pages && pfn - pages >= zone_first(zone)) {
        pfn_t free = 0, movable = 0;

        pfn -= pages;
        for (pfn_t i = 0; i < pages; i++) {
            free += m.frame[pfn + i] == FREE;
            movable += can_move(pfn + i);
        }
        CHECK(free + movable < pages || movable > free_above,
              "no block of order %u after compaction, while frame %u could be evacuated", order,
              pfn);
        free_above += free;
    }
}

void do_compact(const struct op *op)
{
    unsigned zone = (op->gfp & __GFP_ZONE_MASK) % MAX_NR_ZONES;
    unsigned order = NR_ORDERS - op->order % (NR_ORDERS + 1); /* mostly all */
    struct compact_result result = {0};
    bool is_free = false, said;

    m.compacting = true;
    m.compacting_all = order == NR_ORDERS;
    said = compact_zone((enum zone_type)zone, order, &result);
    m.compacting = m.compacting_all = false;
    supply_count(&m.free, m.is_free);
    for (unsigned o = order; o < NR_ORDERS; o++)
        is_free |= m.free.blocks[zone].nr_free[o] > 0;
    CHECK(said == is_free, "compaction says that order %u is %sfree in zone %u", order,
          said ? "" : "not ", zone);
    CHECK(result.moved == m.moved, "compaction says that it moved %u pages; it moved %u",
          result.moved, m.moved);
    if (order == NR_ORDERS)
        check_compacted(zone);
    else if (!said)
        check_no_place(zone, order);
    model_now->count[COUNT_PINNED] += result.pinned;
}
